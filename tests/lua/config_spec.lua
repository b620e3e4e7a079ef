--- The content of configuration files, checked.
local config = require "adt.config"
local errors = require "adt.error"
local json = require "adt.json"
local param = require "adt.param"
local recipe = require "adt.recipe"

local function refused(words, text)
  local data = require("adt.yaml").decode(text)
  local ok, err = errors.try(config.check, data, "adtlua.yaml", text)
  assert.is_nil(ok)
  assert.equal("config", err.cause)
  assert.truthy(tostring(err):find(words, 1, true), tostring(err))
end

describe("the content of a configuration file", function()
  it("is a target, targets and defaults, each of which may be missing or empty", function()
    local full = { target = "a", targets = { a = { kind = "local" } }, defaults = { r = { n = 1 } } }
    assert.equal(full, config.check(full, "f"))
    assert.same({}, config.check({}, "f"))
    assert.same({}, config.check({ target = json.null, targets = json.null, defaults = json.null }, "f"))
  end)

  it("is refused where it is something else, with the line and the nearest key", function()
    refused("adtlua.yaml:2: unknown key 'defalts'; did you mean 'defaults'?", "target: local\ndefalts: {}")
    refused("adtlua.yaml:1: target must be the name of a target", "target: [a]")
    refused("adtlua.yaml:1: targets must be a mapping", "targets: [a]")
    refused("adtlua.yaml:2: targets.a must be a mapping", "targets:\n  a: local")
    refused("adtlua.yaml:2: target 'a' has no kind", "targets:\n  a: { host: x }")
    refused("adtlua.yaml:2: defaults.r must be a mapping", "defaults:\n  r: 5")
    refused("unknown key '1'", "1: x")
    refused("the file must be a mapping", "- 1")
  end)

  it("names no line where a key stands twice, rather than a wrong one", function()
    refused("adtlua.yaml: target 'a' has no kind", "targets:\n  a: {}\ndefaults:\n  a: {}")
  end)
end)

describe("the parameters of a run", function()
  local own = recipe.define { name = "own", run = print, params = { n = param.int { default = 1 }, must = param.string(),
    may = param.string { optional = true } } }
  local empty = { layers = {} }

  it("have values and origins", function()
    local function layer(file, values) return { file = file, data = { defaults = { own = values } } } end
    local layers = { layer("near", { n = 2 }), layer("far", { n = 3, may = "x" }) }
    local values, origins = config.params(own, { layers = layers }, { must = "here" })
    assert.same({ n = 2, must = "here", may = "x" }, values)
    assert.same({ n = "near", must = "--must", may = "far" }, origins)
  end)

  it("are refused when one is missing or unknown", function()
    local _, err = errors.try(config.params, own, empty, {})
    assert.same({ "usage", "parameter 'must' is not given", "give --must" }, { err.cause, err.message, err.hint })
    _, err = errors.try(config.params, own, empty, { msut = 1 })
    assert.matches("recipe 'own' has no parameter 'msut'", err.message)
    assert.equal("did you mean 'must'?", err.hint)
    _, err = errors.try(config.params, own, { layers = { { file = "f", data = { defaults = { own = { x = 1 } } } } } }, { must = "" })
    assert.matches("^f", err.where)
  end)
end)

describe("the default target", function()
  it("is the nearest file's, or local", function()
    assert.same({ "local", "default" }, { config.target { layers = {} } })
    assert.same({ "b", "far" }, { config.target { layers = { { file = "near", data = {} }, { file = "far", data = { target = "b" } } } } })
  end)
end)
