--- `adtlua config explain KEY` and `adtlua config trust DIR`.
local config = require "adt.config"
local errors = require "adt.error"
local json = require "adt.json"

local M = { summary = "explain where a setting comes from; trust a project's file" }

local function explain_param(recipe_name, name, conf)
  local found = false
  local variable = "ADTLUA_PARAM_" .. name:upper()
  local function say(value, origin)
    io.write(("%s%s = %s  (%s)\n"):format(found and "  hidden: " or "", name, json.encode(value), origin))
    found = true
  end
  local value = require("adt.c.startup").params[variable]
  if value ~= nil then say(value, variable) end
  for _, layer in ipairs(conf.layers) do
    local v = ((layer.data.defaults or {})[recipe_name] or {})[name]
    if v ~= nil then say(v, layer.file) end
  end
  if not found then
    io.write(("%s of %s is set nowhere but in the recipe itself; a flag --%s comes before everything\n")
      :format(name, recipe_name, name:gsub("_", "-")))
  end
end

local function explain(key)
  local conf = config.load()
  if key == "target" then
    local name, origin = config.target(conf)
    io.write(("target = %s  (%s)\n"):format(name, origin))
    return 0
  end
  local target = key:match("^targets%.(.+)$")
  if target then
    for _, layer in ipairs(conf.layers) do
      local spec = (layer.data.targets or {})[target]
      if spec then
        io.write(("%s = %s  (%s)\n"):format(key, json.encode(spec), layer.file))
        return 0
      end
    end
    errors.raise { cause = "usage", message = ("no file describes a target '%s'"):format(target) }
  end
  local recipe, name = key:match("^([%w_-]+)%.([%w_]+)$")
  if not recipe then
    errors.raise { cause = "usage", message = ("'%s' is no setting"):format(key),
      hint = "target, targets.NAME, or RECIPE.PARAMETER" }
  end
  explain_param(recipe, name, conf)
  return 0
end

--- Explains or trusts.
---@param words string[]
---@return integer exit status
function M.run(words)
  if words[1] == "explain" and words[2] then
    return explain(words[2])
  elseif words[1] == "trust" and words[2] then
    io.write(("%s is trusted: its adtlua.yaml may set endpoints and proxies\n"):format(config.trust(words[2])))
    return 0
  end
  errors.raise { cause = "usage", message = "config needs a word: explain KEY, or trust DIR" }
end

return M
