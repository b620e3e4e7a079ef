--- `adtlua config explain KEY` and `adtlua config trust DIR`.
local config = require "adt.config"
local errors = require "adt.error"
local json = require "adt.json"

local M = { summary = "explain where a setting comes from; trust a project's file", args = "explain KEY | trust DIR", most = 2, flags = {} }

-- The head says which parameters there are, which of them are secrets, and their defaults.
local function head_of(recipe_name)
  local fs, path, bare = require "adt.fs", require "adt.path", require "adt.c.bare"
  for _, dir in ipairs { ".", "recipes" } do
    local file = path.join(dir, recipe_name .. ".lua")
    local head = fs.exists(file) and bare.read(file)
    if head and head.name == recipe_name then
      return head
    end
  end
end

local function explain_param(recipe_name, name, conf)
  local head = head_of(recipe_name)
  local any = setmetatable({}, { __index = function() return { type = "string" } end })
  local recipe = head or { name = recipe_name, params = any }
  config.check_names(recipe, { [name] = true })
  local def, found = recipe.params[name], config.explain(recipe, conf, name)
  if head and def.default ~= nil then
    found[#found + 1] = { value = def.default, origin = "default" }
  end
  for i, source in ipairs(found) do
    -- Without the head nobody can tell whether a variable holds a secret.
    local hidden = def.type == "secret" or not head and source.origin:match("^ADTLUA_PARAM_")
    io.write(("%s%s = %s  (%s)\n"):format(i > 1 and "  hidden: " or "", name,
      hidden and "<hidden>" or json.encode(source.value), source.origin))
  end
  if #found == 0 then
    io.write(("%s of %s is set nowhere; a flag --%s comes before everything\n"):format(name, recipe_name, name:gsub("_", "-")))
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
    local names = {}
    for name in pairs((config.targets(conf))) do names[#names + 1] = name end
    table.sort(names)
    local near = errors.nearest(target, names)
    errors.raise { cause = "usage", message = ("no file describes a target '%s'"):format(target),
      hint = near and ("did you mean '%s'?"):format(near) or #names > 0 and "targets: " .. table.concat(names, ", ") or nil }
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
---@param _ table no flags
---@param words string[]
---@return integer exit status
function M.run(_, words)
  if words[1] == "explain" and words[2] and not words[3] then
    return explain(words[2])
  elseif words[1] == "trust" and words[2] and not words[3] then
    io.write(("%s is trusted: its adtlua.yaml may set endpoints and proxies\n"):format(config.trust(words[2])))
    return 0
  end
  local near = words[1] and errors.nearest(words[1], { "explain", "trust" })
  errors.raise { cause = "usage", message = "usage: adtlua config explain KEY, or adtlua config trust DIR",
    hint = near and near ~= words[1] and ("did you mean '%s'?"):format(near) or "KEY: target, targets.NAME, or RECIPE.PARAMETER" }
end

return M
