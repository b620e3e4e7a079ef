--- One recipe inside another: its deploy and build run under this run, its steps named after it.
local errors = require "adt.error"
local fs = require "adt.fs"
local param = require "adt.param"
local path = require "adt.path"

local M = {}

local STAGES = { "deploy", "build" }

local function load_recipe(ctx, name)
  if not name:match("^%l[%w_-]*$") then
    errors.raise { cause = "usage", message = ("'%s' is no name of a recipe"):format(name) }
  end
  local file = path.join(path.dir(ctx.file), name .. ".lua")
  if not fs.exists(file) then
    errors.raise { cause = "usage", code = "NoRecipe", message = ("ctx:use: there is no recipe %s"):format(file),
      hint = "recipes are looked for beside the one that uses them" }
  end
  local chunk, err = loadfile(file)
  local recipe = chunk and chunk()
  if not require("adt.recipe").is(recipe) then
    errors.raise { cause = "usage", code = "BadRecipe", where = file, message = err or "this file is no recipe" }
  end
  return recipe, file
end

local function values_of(recipe, given)
  require("adt.config").check_names(recipe, given)
  local values = {}
  for name, def in pairs(recipe.params) do
    if given[name] ~= nil then
      values[name] = require("adt.pending").is(given[name]) and given[name] or param.parse(name, def, given[name])
    else
      values[name] = def.default
    end
    if values[name] == nil and not def.optional then
      errors.raise { cause = "usage", code = "MissingParameter", message = ("ctx:use('%s'): '%s' is not given"):format(recipe.name, name) }
    end
  end
  return values
end

--- The function behind ctx:use.
---@param ctx adt.Context
---@param name string
---@param params? table
---@param options? { name: string? } the name under which it stands, default the recipe's
---@return any
function M.use(ctx, name, params, options)
  options = options or {}
  errors.check_options("ctx:use", options, { "name" })
  local recipe, file = load_recipe(ctx, name)
  local values, results = values_of(recipe, params or {}), {}
  local outer = ctx.door
  local inner = setmetatable({
    recipe = recipe, file = file, params = values, name = options.name or recipe.name, adopts = true, prefix = (ctx.prefix or "") .. name .. "/",
    door = setmetatable({
      pass = function(_, step, o, f) return outer:pass(name .. "/" .. step, o, f) end,
      step = function(_, step, o, f) return outer:step(name .. "/" .. step, o, f) end,
    }, { __index = outer }),
  }, { __index = ctx })
  local last
  for _, stage in ipairs(STAGES) do
    if recipe[stage] then
      results[stage] = recipe[stage](inner, values, results)
      last = results[stage]
    end
  end
  return last
end

return M
