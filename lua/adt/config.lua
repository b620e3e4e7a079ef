--- Configuration: the project's adtlua.yaml, then the user's own file; where each value of a run came from.
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local param = require "adt.param"
local path = require "adt.path"
local startup = require "adt.c.startup"
local state = require "adt.state"

local M = {}

local TOP = { "target", "targets", "defaults" }

-- These make the program reach elsewhere or trust less. A project's file is whatever somebody committed, so there they
-- count only after `adtlua config trust DIR`.
local GUARDED = { "endpoint", "endpoint_url", "insecure", "credential_process", "proxy", "proxy_command", "ssh_options" }

---@class adt.Config
---@field layers { file: string, data: table, trusted: boolean }[] nearest first

local function fail(file, message, hint)
  errors.raise { cause = "config", code = "BadConfig", where = file, message = message, hint = hint }
end

local function check_mapping(file, data, what)
  if type(data) ~= "table" or #data > 0 then
    fail(file, what .. " must be a mapping")
  end
  for key in pairs(data) do
    if type(key) ~= "string" then
      fail(file, ("%s: '%s' is no name"):format(what, tostring(key)))
    end
  end
end

local function check_target(file, name, spec)
  check_mapping(file, spec, "targets." .. name)
  if type(spec.kind) ~= "string" then
    fail(file, ("target '%s' has no kind"):format(name), "write kind: local, or another kind")
  end
end

--- Checks the content of a configuration file.
---@param data any
---@param file string for messages
---@return table
function M.check(data, file)
  check_mapping(file, data, "the file")
  local ok, err = errors.try(function()
    errors.check_options("adtlua.yaml", data, TOP)
    return true
  end)
  if not ok then
    fail(file, err.message, err.hint)
  end
  if data.target ~= nil and type(data.target) ~= "string" then
    fail(file, "target must be the name of a target")
  end
  check_mapping(file, data.targets or {}, "targets")
  for name, spec in pairs(data.targets or {}) do
    check_target(file, name, spec)
  end
  check_mapping(file, data.defaults or {}, "defaults")
  for recipe, values in pairs(data.defaults or {}) do
    check_mapping(file, values, "defaults." .. recipe)
  end
  return data
end

local function load_file(file)
  local text = fs.read(file, { max = 1 << 20 })
  local data, err = errors.try(require("adt.yaml").decode, text)
  if err then
    fail(file, err.message, err.hint)
  end
  return M.check(data == json.null and {} or data, file)
end

local function trust_file()
  return path.join(state.config(), "trusted")
end

--- Whether the user has said that a project's file may set what is guarded.
---@param dir string
---@return boolean
function M.is_trusted(dir)
  local file = trust_file()
  if not fs.exists(file) then
    return false
  end
  for line in fs.read(file, { max = 1 << 20 }):gmatch("[^\n]+") do
    if line == dir then return true end
  end
  return false
end

--- Lets the adtlua.yaml of a folder set endpoints, proxies and the like.
---@param dir string
---@return string dir as it is kept
function M.trust(dir)
  dir = fs.realpath(dir)
  if dir:find("\n", 1, true) then
    errors.raise { cause = "usage", message = "a folder with a newline in its name cannot be trusted" }
  end
  if not M.is_trusted(dir) then
    state.make(state.config())
    local file = trust_file()
    local before = fs.exists(file) and fs.read(file, { max = 1 << 20 }) or ""
    fs.write(file, before .. dir .. "\n", { atomic = true })
  end
  return dir
end

-- The project's folder is the nearest one upwards with an adtlua.yaml, not beyond a git checkout's root.
local function project_file()
  local dir = fs.cwd()
  while true do
    local file = path.join(dir, "adtlua.yaml")
    if fs.exists(file) then
      return file, dir
    elseif dir == "/" or fs.exists(path.join(dir, ".git")) then
      return nil
    end
    dir = path.dir(dir)
  end
end

local function refuse_guarded(file, dir, data)
  if M.is_trusted(fs.realpath(dir)) then
    return true
  end
  for name, spec in pairs(data.targets or {}) do
    for _, key in ipairs(GUARDED) do
      if spec[key] ~= nil then
        fail(file, ("target '%s' sets %s, which a project's file may only do when you trust it"):format(name, key),
          ("read the file, then: adtlua config trust %s"):format(dir))
      end
    end
  end
  return false
end

--- Reads the configuration that counts here.
---@return adt.Config
function M.load()
  local layers = {}
  local file, dir = project_file()
  if file then
    local data = load_file(file)
    layers[#layers + 1] = { file = file, data = data, trusted = refuse_guarded(file, dir, data), what = "project" }
  end
  local own = path.join(state.config(), "config.yaml")
  if fs.exists(own) then
    layers[#layers + 1] = { file = own, data = load_file(own), trusted = true, what = "user" }
  end
  return { layers = layers }
end

--- The targets of all files; a project's one hides a user's of the same name.
---@param config adt.Config
---@return table<string, table>
function M.targets(config)
  local targets = {}
  for i = #config.layers, 1, -1 do
    for name, spec in pairs(config.layers[i].data.targets or {}) do
      targets[name] = spec
    end
  end
  return targets
end

--- The default of --target and where it comes from.
---@param config adt.Config
---@return string name
---@return string source
function M.target(config)
  for _, layer in ipairs(config.layers) do
    if layer.data.target then
      return layer.data.target, layer.file
    end
  end
  return "local", "default"
end

local function from_file(file, recipe)
  if not file then
    return {}
  end
  local text = fs.read(file, { max = 4 << 20 })
  local decode = file:match("%.json$") and json.decode or require("adt.yaml").decode
  local data, err = errors.try(decode, text)
  if err then
    fail(file, err.message)
  end
  data = data == json.null and {} or data
  check_mapping(file, data, "the file")
  M.check_names(recipe, data, file)
  return data
end

--- Raises cause "usage" for a name that is no parameter of the recipe.
---@param recipe adt.Recipe
---@param values table<string, any>
---@param source string
function M.check_names(recipe, values, source)
  local names = {}
  for name in pairs(recipe.params) do names[#names + 1] = name end
  table.sort(names)
  for given in pairs(values) do
    if not recipe.params[given] then
      local near = errors.nearest(given, names)
      errors.raise { cause = "usage", code = "UnknownParameter", where = source,
        message = ("recipe '%s' has no parameter '%s'"):format(recipe.name, given),
        hint = near and ("did you mean --%s?"):format(near:gsub("_", "-"))
          or #names > 0 and "parameters: " .. table.concat(names, ", ") or "it has no parameters" }
    end
  end
end

-- Each source in order of precedence: a function of the parameter's name giving a value and where it stands.
local function sources(recipe, config, flags, params_file)
  local list = {}
  list[#list + 1] = function(name)
    return flags[name], "--" .. name:gsub("_", "-")
  end
  list[#list + 1] = function(name)
    local variable = "ADTLUA_PARAM_" .. name:upper()
    return startup.params[variable], variable
  end
  local file = from_file(params_file, recipe)
  list[#list + 1] = function(name) return file[name], params_file end
  for _, layer in ipairs(config.layers) do
    local defaults = (layer.data.defaults or {})[recipe.name] or {}
    M.check_names(recipe, defaults, layer.file)
    list[#list + 1] = function(name) return defaults[name], layer.file end
  end
  return list
end

local function secret_value(name, def)
  local value = def.env and require("adt.process").env(def.env)
  if value ~= nil and value ~= "" then
    return value, def.env
  end
end

--- The parameters of a run, each checked, and where each came from.
---@param recipe adt.Recipe
---@param config adt.Config
---@param flags table<string, any>
---@param params_file? string
---@return table<string, any> values
---@return table<string, string> origins
function M.params(recipe, config, flags, params_file)
  M.check_names(recipe, flags, "command line")
  local list, values, origins = sources(recipe, config, flags, params_file), {}, {}
  for name, def in pairs(recipe.params) do
    local value, origin
    for _, source in ipairs(list) do
      value, origin = source(name)
      if value ~= nil then break end
    end
    if value == nil and def.type == "secret" then
      value, origin = secret_value(name, def)
    end
    if value ~= nil then
      values[name], origins[name] = param.parse(name, def, value), origin
    elseif def.default ~= nil then
      values[name], origins[name] = def.default, "default"
    elseif not def.optional then
      local secret = def.type == "secret"
      errors.raise { cause = secret and "config" or "usage", code = "MissingParameter",
        message = ("%s '%s' is not given"):format(secret and "secret" or "parameter", name),
        hint = secret and def.env and ("set the variable " .. def.env) or ("give --%s%s"):format(name:gsub("_", "-"),
          def.values and " " .. table.concat(def.values, "|") or "") }
    end
  end
  return values, origins
end

return M
