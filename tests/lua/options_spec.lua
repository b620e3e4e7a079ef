--- Words of a command line.
local errors = require "adt.error"
local options = require "adt.options"
local param = require "adt.param"

local FLAGS = { output = { value = true, short = "o" }, yes = { short = "y" }, ["with-data"] = {} }
local PARAMS = { count = param.int(), deep_name = param.string(), loud = param.bool(), no_op = param.bool() }

describe("words of a command line", function()
  it("are split into flags, parameters and the rest", function()
    local given, values, rest = options.parse({ "plan", "--output", "json", "-y", "--with-data", "--count=3", "--deep-name", "x", "a" },
      FLAGS, PARAMS)
    assert.same({ output = "json", yes = true, ["with-data"] = true }, given)
    assert.same({ count = "3", deep_name = "x" }, values)
    assert.same({ "plan", "a" }, rest)
  end)

  it("may join a value to its flag, with dashes or underscores in names", function()
    local given, values = options.parse({ "-ojson", "--deep_name=a=b", "--count", "-1" }, FLAGS, PARAMS)
    assert.same({ { output = "json" }, { deep_name = "a=b", count = "-1" } }, { given, values })
  end)

  it("of a flag that may be given again become a list, and the last one counts for others", function()
    local flags = { mount = { value = true, many = true }, output = FLAGS.output }
    local given = options.parse({ "--mount", "/a", "--output", "x", "--mount=/b", "--output", "y" }, flags)
    assert.same({ mount = { "/a", "/b" }, output = "y" }, given)
  end)

  it("switch a bool on and off", function()
    for _, case in ipairs { { "--loud", true }, { "--no-loud", false }, { "--loud=no", "no" } } do
      local _, values = options.parse({ case[1] }, FLAGS, PARAMS)
      assert.equal(case[2], values.loud)
    end
    local _, values = options.parse({ "--no-op" }, FLAGS, PARAMS)
    assert.same({ no_op = true }, values)
  end)

  it("are left alone after --", function()
    local given, _, rest = options.parse({ "--", "-y", "--output" }, FLAGS)
    assert.same({ {}, { "-y", "--output" } }, { given, rest })
    assert.same({ "-" }, select(3, options.parse({ "-" }, FLAGS)))
  end)

  it("are refused where they are unknown, lack a value or have one too many", function()
    for _, case in ipairs {
      { { "--outptu" }, "unknown flag or parameter '--outptu'; did you mean --output?" },
      { { "--deep-nmae=x" }, "did you mean --deep-name?" }, { { "-z" }, "unknown flag or parameter '-z'" },
      { { "--output" }, "'--output' needs a value" }, { { "-o" }, "'-o' needs a value" }, { { "--count" }, "'--count' needs a value" },
      { { "--yes=no" }, "'--yes' takes no value" }, { { "-yes" }, "unknown flag" }, { { "--no-loud=1" }, "'--no-loud' takes no value" },
      { { "--=x" }, "unknown flag" },
    } do
      local ok, err = errors.try(options.parse, case[1], FLAGS, PARAMS)
      assert.is_nil(ok, table.concat(case[1], " "))
      assert.equal("usage", err.cause)
      assert.truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end
  end)

  it("may join short flags without a value", function()
    assert.same({ yes = true, output = "json" }, (options.parse({ "-yojson" }, FLAGS)))
  end)
end)
