--- Dates as text, durations, deadlines.
local support = require "support"
local time = require "adt.time"

local refusal = support.refusal

after_each(support.no_leaks)

describe("dates", function()
  it("are written in UTC", function()
    assert.equal("1970-01-01T00:00:00Z", time.iso(0))
    assert.equal("2026-11-24T13:00:00Z", time.iso(1795525200))
    assert.equal("2000-02-29T23:59:59Z", time.iso(951868799))
    assert.equal("1969-12-31T23:59:59.500Z", time.iso(-0.5, { digits = 3 }))
    assert.equal("2026-11-24T13:00:00.001Z", time.iso(1795525200.001, { digits = 3 }))
    assert.equal("20261124T130000Z", time.iso(1795525200, { compact = true }))
    assert.equal("9999-12-31T23:59:59Z", time.iso(253402300799))
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", time.iso())
    for _, bad in ipairs { 0 / 0, 1 / 0, 1e15, "x" } do
      assert.equal("usage", refusal(time.iso, bad).cause)
    end
  end)

  it("are read with any zone", function()
    for text, want in pairs {
      ["2026-11-24T13:00:00Z"] = 1795525200, ["2026-11-24T14:00:00+01:00"] = 1795525200,
      ["2026-11-24 07:30:00.25-0530"] = 1795525200.25, ["20261124T130000Z"] = 1795525200,
      ["1970-01-01T00:00:00Z"] = 0, ["2000-02-29T00:00:00Z"] = 951782400, ["1969-12-31T23:59:59Z"] = -1,
    } do
      assert.equal(want, time.parse(text), text)
    end
    for day = 0, 40000, 37 do
      assert.equal(day * 86400 + 3661, time.parse(time.iso(day * 86400 + 3661)))
    end
  end)

  it("that do not exist are refused", function()
    for _, text in ipairs {
      "", "today", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-04-31T00:00:00Z",
      "2026-11-24T24:00:00Z", "2026-11-24T13:60:00Z", "2026-11-24T13:00:00", "2026-11-24T13:00:00+25:00",
      "2026-11-24T13:00:00Zx", "2026-00-10T00:00:00Z", "2026-11-00T00:00:00Z",
    } do
      assert.equal("BadTime", refusal(time.parse, text).code, text)
    end
    assert.equal("BadTime", refusal(time.parse, 7).code)
  end)
end)

describe("durations", function()
  it("are read as people write them", function()
    for text, want in pairs { ["90"] = 90, ["2h"] = 7200, ["1h30m"] = 5400, ["250ms"] = 0.25, ["2d"] = 172800, ["1.5s"] = 1.5 } do
      assert.equal(want, time.duration(text), text)
    end
    assert.equal(3, time.duration(3))
    for _, bad in ipairs { "", "h", "1x", "-5", "1h-3m", "nan", -1, 0 / 0, {} } do
      assert.equal("BadTime", refusal(time.duration, bad).code)
    end
  end)

  it("are written so that they are read back", function()
    for seconds, want in pairs {
      [0] = "0s", [0.25] = "250ms", [1] = "1s", [62.5] = "1m2.5s", [5400] = "1h30m", [86400] = "1d", [90061.123] = "1d1h1m1.123s",
      [0.9996] = "1s", [59.9999] = "1m",
    } do
      assert.equal(want, time.format(seconds))
      assert.is_true(math.abs(time.duration(want) - seconds) < 0.001)
    end
    assert.equal("usage", refusal(time.format, -1).cause)
    assert.equal("usage", refusal(time.format, 1 / 0).cause)
  end)
end)

describe("clocks", function()
  it("go on, and a sleep takes its time", function()
    local began = time.monotonic()
    time.sleep(0.05)
    local took = time.monotonic() - began
    assert.is_true(took >= 0.045 and took < 5)
    assert.is_true(math.abs(time.now() - os.time()) < 5)
  end)

  it("tell when a deadline has passed", function()
    local d = time.deadline "20ms"
    assert.is_false(d:passed())
    assert.is_true(d:left() > 0)
    d:check "it"
    time.sleep(0.03)
    assert.is_true(d:passed())
    assert.equal(0, d:left())
    local err = refusal(d.check, d, "the start of the job")
    assert.same({ "timeout", "the start of the job took longer than 20ms" }, { err.cause, err.message })
    assert.equal(math.huge, time.deadline(math.huge):left())
  end)
end)
