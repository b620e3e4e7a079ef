--- `adtlua resume RUN [--parameter value]`: runs the recipe again; the journal answers for what was done.
local errors = require "adt.error"
local fs = require "adt.fs"
local param = require "adt.param"
local path = require "adt.path"
local run = require "adt.run"
local verb = require "adt.verb"

local M = { summary = "go on with a run", args = "RUN [--parameter value]" }

--- Loads the recipe that a run began with; its copy in the run's folder where the file is gone.
---@param r adt.Run
---@return adt.Recipe
---@return string file
function M.recipe_of(r)
  local file = r.head.file
  if not fs.exists(file) then
    file = path.join(r.dir, "recipe.lua")
  end
  local chunk, err = loadfile(file)
  if not chunk then
    errors.raise { cause = "usage", code = "BadRecipe", message = err }
  end
  local recipe = chunk()
  if not require("adt.recipe").is(recipe) then
    errors.raise { cause = "usage", code = "BadRecipe", where = file, message = "this file is no recipe any more" }
  end
  return recipe, file
end

-- Secrets were never written down: they come from where they came from the first time, or the run cannot go on.
local function params_of(r, recipe)
  local texts, secrets = {}, {}
  for name, value in pairs(r.begun and r.begun.params or r.head.params or {}) do
    local def = recipe.params[name]
    if def and def.type == "secret" then
      secrets[#secrets + 1] = name
    elseif def then
      texts[name] = param.text(def, value)
    end
  end
  return texts, secrets
end

--- Goes on with a run.
---@param words string[] the run, then flags and parameters
---@return integer exit status
function M.run(words)
  local id = table.remove(words, 1)
  if not id or id:sub(1, 1) == "-" then
    errors.raise { cause = "usage", message = "resume needs a run", hint = "adtlua resume RUN; `adtlua history` lists them" }
  end
  local r = run.read(id)
  local recipe, file = M.recipe_of(r)
  if r.begun and r.begun.upto and not words[1] then
    words = { r.begun.upto }
  end
  local params, secrets = params_of(r, recipe)
  return verb.run(recipe, file, words, { run = id:find("/", 1, true) and id or r.id, params = params, secrets = secrets,
    target = r.head.target })
end

return M
