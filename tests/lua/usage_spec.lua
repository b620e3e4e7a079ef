--- The help of a recipe as JSON Schema.
local param = require "adt.param"
local recipe = require "adt.recipe"
local usage = require "adt.usage"

describe("the schema of a recipe", function()
  it("says the type, bounds, default and help of each parameter, and which are required", function()
    local head = recipe.describe(recipe.define { name = "own", kind = "image", summary = "s", build = print, params = {
      n = param.int { min = 1, max = 9, default = 2, help = "how many" }, pick = param.enum { "a", "b" },
      list = param.list { of = param.number { min = 0 }, min = 1, max = 2 }, may = param.string { optional = true },
      hosts = param.hostlist { optional = true }, size = param.size { default = "1k" },
    } })
    local schema = usage.schema(head)
    assert.same({ type = "integer", minimum = 1, maximum = 9, default = 2, description = "how many" }, schema.properties.n)
    assert.same({ type = "string", enum = { "a", "b" } }, schema.properties.pick)
    assert.same({ type = "array", items = { type = "number", minimum = 0 }, minItems = 1, maxItems = 2 }, schema.properties.list)
    assert.same({ "string", "array" }, schema.properties.hosts.type)
    assert.equal(1024, schema.properties.size.default)
    assert.same({ "list", "pick" }, schema.required)
    assert.is_false(schema.additionalProperties)
    assert.same({ kind = "image", api = 1, stages = { "build" } }, schema["x-adtlua"])
  end)
end)
