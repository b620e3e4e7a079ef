--- A recipe's head: what it must hold, and what tools read of it.
local errors = require "adt.error"
local options = require "adt.options"
local param = require "adt.param"
local recipe = require "adt.recipe"

local function run() end

local function define(fields)
  fields.name = fields.name or "own"
  return recipe.define(fields)
end

local function refused(words, fields)
  local ok, err = errors.try(define, fields)
  assert.is_nil(ok)
  assert.equal("usage", err.cause)
  assert.truthy(tostring(err):find(words, 1, true), tostring(err))
end

describe("a recipe", function()
  it("has the stages deploy, build, run, validate in this order, those that it has", function()
    assert.same({ "deploy", "build", "run", "validate" }, define({ validate = run, run = run, build = run, deploy = run }).stages)
    assert.same({ "build" }, define({ build = run }).stages)
  end)

  it("may name others between them", function()
    assert.same({ "build", "prepare", "run" }, define({ stages = { "build", "prepare", "run" }, build = run, prepare = run, run = run }).stages)
  end)

  it("is not what another table is", function()
    assert.is_true(recipe.is(define { run = run }))
    for _, other in ipairs { {}, { run = run, stages = { "run" } }, 1, "x" } do assert.is_false(recipe.is(other)) end
  end)

  it("is refused when its head does not hold, saying what would", function()
    refused("needs a name", { name = "1st", run = run })
    refused("is written for api 2, this program knows api 1; write api = 1", { api = 2, run = run })
    refused("did you mean 'image'?", { kind = "imgae", run = run })
    refused("summary must be a text", { summary = 5, run = run })
    refused("params must be a table", { params = 5, run = run })
    refused("has no stage; write at least run", {})
    refused("stage 'run' has no function", { run = "now" })
    refused("did you mean 'validate'?", { run = run, vaildate = run })
    refused("stage 'run' is named twice", { stages = { "run", "run" }, run = run })
    refused("stage 'down' has the name of a verb", { stages = { "down" }, down = run })
    refused("stages leaves out 'build'", { stages = { "run" }, run = run, build = run })
    refused("stages are names", { stages = { "Run!" }, ["Run!"] = run })
    refused("parameter 'a' is no definition; write adt.int", { run = run, params = { a = 5 } })
    refused("parameter name 'A' must be", { run = run, params = { A = param.int() } })
    refused("smallest names no parameter 'b'", { run = run, smallest = { b = 1 } })
    refused("parameter 'a' must be a whole number", { run = run, params = { a = param.int() }, smallest = { a = "x" } })
  end)

  it("has no parameter that the program's own flags hide", function()
    for flag in pairs(options.RUN) do
      refused("has the name of a flag", { run = run, params = { [flag:gsub("-", "_")] = param.int() } })
    end
  end)

  it("describes itself as plain data without its functions", function()
    local head = recipe.describe(define { kind = "image", summary = "s", build = run, smallest = { n = 1 }, packages = { "p" },
      params = { n = param.int { default = 2, max = 3, help = "h" } } })
    assert.same({ name = "own", kind = "image", api = 1, summary = "s", stages = { "build" }, smallest = { n = 1 }, packages = { "p" },
      params = { n = { type = "int", default = 2, max = 3, help = "h" } } }, head)
  end)
end)
