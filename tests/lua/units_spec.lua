--- Durations and sizes, there and back.
local units = require "adt.units"

describe("a duration", function()
  it("is read from numbers and units", function()
    for text, seconds in pairs { ["90"] = 90, ["1.5"] = 1.5, ["90s"] = 90, ["2h"] = 7200, ["1h30m"] = 5400, ["250ms"] = 0.25,
      ["1D"] = 86400, ["1w"] = 604800, ["0"] = 0 } do
      assert.equal(seconds, units.seconds(text), text)
    end
    assert.equal(3, units.seconds(3))
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", "h", "1x", "-1s", "1h 30m", "1h30", "1e3s", "soon" } do
      assert.is_nil(units.seconds(text), text)
    end
  end)

  it("is written so that it reads back as the same number", function()
    for _, seconds in ipairs { 0, 1, 59, 60, 5400, 86400, 90061, 0.25, 1e-7, 1 / 3, 123456.789, 604800 * 52 } do
      assert.equal(seconds, units.seconds(units.exact_duration(seconds)), units.exact_duration(seconds))
    end
    assert.equal("1d1h1m1s", units.exact_duration(90061))
  end)

  it("is shown to people in two units at most", function()
    assert.same({ "0.0s", "12s", "1m", "1h30m", "1d1h" }, { units.duration(0), units.duration(12.3), units.duration(60),
      units.duration(5400), units.duration(90061) })
  end)
end)

describe("a size", function()
  it("is read with decimal and binary units", function()
    for text, bytes in pairs { ["512"] = 512, ["1k"] = 1024, ["1kB"] = 1000, ["16MiB"] = 16 << 20, ["4G"] = 4 << 30, ["1.5 GiB"] = 3 << 29,
      ["2TB"] = 2 * 10 ^ 12 } do
      assert.equal(bytes, units.bytes(text), text)
    end
  end)

  it("is nothing else, nor more than a 64-bit number holds", function()
    for _, text in ipairs { "", "G", "-1", "1Q", "1e3", "99999999P", 1.5 } do
      assert.is_nil(units.bytes(text), tostring(text))
    end
  end)

  it("is written so that it reads back as the same number", function()
    for _, bytes in ipairs { 0, 1, 1023, 1024, 1 << 30, 3 << 20, (1 << 50) + 1, 7 << 50 } do
      assert.equal(bytes, units.bytes(units.exact_size(bytes)), units.exact_size(bytes))
    end
    assert.equal("1.5 MiB", units.size(3 << 19))
  end)
end)
