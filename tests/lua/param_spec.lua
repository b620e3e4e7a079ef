--- Parameters: what each type takes, refuses and prints.
local errors = require "adt.error"
local json = require "adt.json"
local param = require "adt.param"
local secret = require "adt.secret"

local function refused(def, value, words)
  local ok, err = errors.try(param.parse, "p", def, value)
  assert.is_nil(ok)
  assert.equal("usage", err.cause)
  assert.matches("^parameter 'p", err.message)
  assert.truthy((tostring(err)):find(words, 1, true), tostring(err))
end

describe("a parameter", function()
  it("of each type takes texts as flags give them and values as files do", function()
    for _, case in ipairs {
      { param.int(), "-7", -7 }, { param.int(), 7.0, 7 }, { param.number(), "1e3", 1000.0 }, { param.number(), 2, 2 },
      { param.bool(), "Yes", true }, { param.bool(), "0", false }, { param.bool(), false, false }, { param.string(), "", "" },
      { param.string(), 5, "5" }, { param.enum { "a", "b" }, "b", "b" }, { param.duration(), "1h30m", 5400 },
      { param.duration(), "250ms", 0.25 }, { param.duration(), 90, 90 }, { param.size(), "4G", 4 << 30 }, { param.size(), "2GB", 2000000000 },
      { param.size(), 512, 512 }, { param.path(), "/x y", "/x y" },
    } do
      assert.equal(case[3], param.parse("p", case[1], case[2]))
    end
    assert.same({ 1, 2 }, param.parse("p", param.list { of = param.int() }, "1,2"))
    assert.same({}, param.parse("p", param.list(), ""))
    assert.same({ "a", "" }, param.parse("p", param.list(), "a,"))
    assert.same({ "n01", "n02", "x" }, param.parse("p", param.hostlist(), "n[01-02],x"))
    assert.is_true(secret.is(param.parse("p", param.secret(), "hush")))
  end)

  it("refuses what its type cannot be, with the choices there are", function()
    refused(param.int(), "1.5", 'whole number, not "1.5"')
    refused(param.int(), "99999999999999999999", "whole number")
    refused(param.int(), {}, "not a table")
    refused(param.int(), json.null, "not nothing")
    refused(param.int { min = 1 }, "0", "at least 1")
    refused(param.number(), "nan", "must be a number")
    refused(param.number(), math.huge, "must be a number")
    refused(param.bool(), "maybe", "true or false")
    refused(param.string(), {}, "must be a text, not a table")
    refused(param.string { pattern = "^%l+$" }, "A", "match the pattern ^%l+$")
    refused(param.enum { "small", "large" }, "lrge", "one of small, large")
    refused(param.enum { "small", "large" }, "lrge", "did you mean 'large'?")
    refused(param.enum { "small" }, { "small" }, "one of small")
    refused(param.list { of = param.int() }, "1,x", "p[2]' must be a whole number")
    refused(param.list { of = param.int() }, { a = 1 }, "not a mapping")
    refused(param.list { min = 2 }, "a", "at least 2 items, not 1")
    refused(param.duration(), "1x", '"1h30m"')
    refused(param.duration(), -1, '"1h30m"')
    refused(param.duration { min = "1m" }, "1s", "at least 1m")
    refused(param.size(), "1.5X", '"512MiB"')
    refused(param.size { max = "1G" }, "2G", "at most 1G")
    refused(param.path(), "", "must be a path")
    refused(param.hostlist(), "n[1", "no list of hosts")
    refused(param.hostlist(), 5, "no list of hosts")
    refused(param.secret(), "", "not empty")
    refused(param.string(), "a\0b", "NUL byte")
    refused(param.string(), "a\xff", "not UTF-8")
    refused(param.list(), "a,b\0", "NUL byte")
    refused(param.string(), ("x"):rep(65537), "65537 bytes; at most 65536")
    refused(param.int(), ("9"):rep(200) .. "\n", "...")
  end)

  it("is printed as a text that reads back as the same value", function()
    for _, case in ipairs {
      { param.int(), -3 }, { param.number(), 0.1 }, { param.bool(), true }, { param.string(), "x" }, { param.duration(), 5400 },
      { param.duration(), 0.25 }, { param.duration(), 0 }, { param.size(), 3 << 20 }, { param.size(), 1001 }, { param.size(), 0 },
    } do
      assert.equal(case[2], param.parse("p", case[1], param.text(case[1], case[2])))
    end
    assert.equal("1h30m", param.text(param.duration(), 5400))
    assert.equal("3MiB", param.text(param.size(), 3 << 20))
    assert.equal("a,b", param.text(param.hostlist(), { "a", "b" }))
    assert.equal("<secret>", param.text(param.secret(), param.parse("p", param.secret(), "hush")))
    assert.equal("", param.text(param.int(), nil))
  end)

  it("is defined with known fields and a default that its type takes", function()
    for _, case in ipairs {
      { function() param.int { dfault = 1 } end, "adt.int: unknown option 'dfault'; did you mean 'default'?" },
      { function() param.enum { "a", defualt = "a" } end, "did you mean 'default'?" },
      { function() param.enum {} end, "at least one value" },
      { function() param.enum { "a", default = "b" } end, "the default of a parameter must be one of a" },
      { function() param.int { default = "x" } end, "the default of a parameter must be a whole number" },
      { function() param.string { pattern = "(" } end, "pattern" },
      { function() param.duration { max = "soon" } end, "max" },
      { function() param.int { min = "1" } end, "min" },
      { function() param.list { of = "int" } end, "of" },
      { function() param.int(5) end, "takes a table" },
    } do
      local ok, err = errors.try(case[1])
      assert.is_nil(ok)
      assert.equal("usage", err.cause, tostring(err))
      assert.truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end
  end)

  it("of type secret shows neither value nor default in its schema", function()
    assert.same({ type = "string", writeOnly = true }, param.schema(param.secret { default = "hush" }))
  end)
end)
