--- A recipe: a head that tools read, and stages that are plain functions of the context, the parameters and results.
---
--- This module is also read in the bare state that reads recipe heads: it needs nothing but pure Lua.
local errors = require "adt.error"
local options = require "adt.options"
local param = require "adt.param"

local M = {}

---@class adt.Recipe
---@field name string
---@field kind "architecture"|"image"|"test-case"|"validation"|"script"
---@field api integer
---@field summary string
---@field params table<string, adt.Param>
---@field stages string[] in the order in which they run
---@field smallest? table parameters for `adtlua test`
---@field packages? string[] distribution packages that the recipe needs on this machine
local Recipe = {}
Recipe.__index = Recipe

local STAGES = { "deploy", "build", "run", "validate" }
local KINDS = { "architecture", "image", "test-case", "validation", "script" }
local HEAD = { "name", "kind", "api", "summary", "params", "stages", "smallest", "packages" }

-- Flags and words of the program itself; a parameter of that name could not be given.
local RESERVED = { ["lua-dir"] = true, version = true }
for name in pairs(options.RUN) do RESERVED[name] = true end

local function fail(recipe, message, hint)
  errors.raise { cause = "usage", code = "BadRecipe", hint = hint,
    message = ("recipe '%s': %s"):format(tostring(recipe.name or "?"), message) }
end

local function check_stages(recipe)
  local seen = {}
  for _, stage in ipairs(recipe.stages) do
    if seen[stage] or stage == "plan" or stage == "down" then
      fail(recipe, ("stage '%s' %s"):format(stage, seen[stage] and "is named twice" or "has the name of a verb"))
    end
    seen[stage] = true
    if type(stage) ~= "string" or not stage:match("^%l[%l%d_]*$") then
      fail(recipe, "stages are names of lower-case letters, digits and '_'")
    elseif type(recipe[stage]) ~= "function" then
      fail(recipe, ("stage '%s' has no function"):format(stage))
    end
  end
end

-- What stages = { ... } leaves out would silently never run.
local function check_left_out(recipe)
  local listed = {}
  for _, stage in ipairs(recipe.stages) do listed[stage] = true end
  for _, stage in ipairs(STAGES) do
    if recipe[stage] ~= nil and not listed[stage] then
      fail(recipe, ("stages leaves out '%s', which the recipe has"):format(stage), "name every stage, in order")
    end
  end
end

local function check_smallest(recipe)
  for name, value in pairs(recipe.smallest or {}) do
    local def = recipe.params[name]
    if not def then
      fail(recipe, ("smallest names no parameter '%s'"):format(tostring(name)))
    end
    param.parse(name, def, value)
  end
end

local function check_params(recipe)
  for name, def in pairs(recipe.params) do
    if type(name) ~= "string" or not name:match("^%l[%l%d_]*$") then
      fail(recipe, ("parameter name '%s' must be lower-case letters, digits and '_'"):format(tostring(name)))
    elseif not param.is(def) then
      fail(recipe, ("parameter '%s' is no definition"):format(name), "write adt.int { ... }, adt.string { ... } and so on")
    end
    if RESERVED[(name:gsub("_", "-"))] then
      fail(recipe, ("parameter '%s' has the name of a flag of the program"):format(name), "choose another name")
    end
  end
end

local function check_head(recipe)
  if type(recipe.name) ~= "string" or not recipe.name:match("^%l[%w_-]*$") then
    fail(recipe, "needs a name of letters, digits, '_' and '-' that starts with a lower-case letter")
  end
  if recipe.api ~= 1 then
    fail(recipe, ("is written for api %s, this program knows api 1"):format(tostring(recipe.api)), "write api = 1")
  end
  local known = false
  for _, kind in ipairs(KINDS) do
    known = known or kind == recipe.kind
  end
  if not known then
    local near = type(recipe.kind) == "string" and errors.nearest(recipe.kind, KINDS)
    fail(recipe, ("unknown kind '%s'"):format(tostring(recipe.kind)),
      near and ("did you mean '%s'?"):format(near) or "one of: " .. table.concat(KINDS, ", "))
  end
  for _, field in ipairs { "params", "stages", "smallest", "packages" } do
    if recipe[field] ~= nil and type(recipe[field]) ~= "table" then
      fail(recipe, ("%s must be a table, not a %s"):format(field, type(recipe[field])))
    end
  end
  if type(recipe.summary) ~= "string" then
    fail(recipe, "summary must be a text")
  end
end

-- A misspelt stage would silently never run.
local function check_fields(recipe)
  local known, names = {}, {}
  for _, list in ipairs { HEAD, STAGES, recipe.stages } do
    for _, name in ipairs(list) do
      known[name] = true
      names[#names + 1] = name
    end
  end
  for name in pairs(recipe) do
    if not known[name] then
      local near = type(name) == "string" and errors.nearest(name, names)
      fail(recipe, ("'%s' is no field of a head and no stage"):format(tostring(name)),
        near and ("did you mean '%s'?"):format(near) or "name further stages in stages = { ... }")
    end
  end
end

--- Checks a recipe and makes it one. Raises cause "usage" for a head that does not hold.
---@param fields table head and stages, as in the guide
---@return adt.Recipe
function M.define(fields)
  if type(fields) ~= "table" then
    errors.raise { cause = "usage", message = "adt.recipe takes a table" }
  end
  local recipe = {}
  for k, v in pairs(fields) do recipe[k] = v end
  recipe.kind = recipe.kind or "script"
  recipe.api = recipe.api or 1
  recipe.summary = recipe.summary or ""
  recipe.params = recipe.params or {}
  if not recipe.stages then
    recipe.stages = {}
    for _, stage in ipairs(STAGES) do
      if recipe[stage] ~= nil then
        table.insert(recipe.stages, stage)
      end
    end
  end
  check_head(recipe)
  check_fields(recipe)
  check_stages(recipe)
  check_left_out(recipe)
  check_params(recipe)
  check_smallest(recipe)
  if #recipe.stages == 0 then
    fail(recipe, "has no stage", "write at least run = function(ctx, p) ... end")
  end
  return setmetatable(recipe, Recipe)
end

--- Whether a value is a recipe.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Recipe
end

local function copy_plain(value)
  local kind = type(value)
  if kind ~= "table" then
    if kind == "string" or kind == "number" or kind == "boolean" then
      return value
    end
    return nil
  end
  local copy = {}
  for k, v in pairs(value) do copy[k] = copy_plain(v) end
  return copy
end

--- The head as plain data: what `list`, `--help` and completion show.
---@param recipe adt.Recipe
---@return table
function M.describe(recipe)
  return copy_plain {
    name = recipe.name, kind = recipe.kind, api = recipe.api, summary = recipe.summary, params = recipe.params,
    stages = recipe.stages, smallest = recipe.smallest, packages = recipe.packages,
  }
end

return M
