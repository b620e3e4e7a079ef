--- Configuration: the project's adtlua.yaml, then the user's own file; where each value of a run came from.
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local param = require "adt.param"
local path = require "adt.path"
local startup = require "adt.c.startup"
local state = require "adt.state"

local M = {}

local null = json.null

local TOP = { "target", "targets", "defaults" }

-- These make the program reach elsewhere or trust less. A project's file is whatever somebody committed, so there they
-- count only after `adtlua config trust DIR`.
local GUARDED = { "endpoint", "endpoint_url", "insecure", "credential_process", "proxy", "proxy_command", "ssh_options" }

---@class adt.Config
---@field layers { file: string, data: table, trusted: boolean }[] nearest first

-- A file's text may be given to name the line where `key` stands; YAML's own positions are gone once it is decoded.
local function place(file, text, key)
  local line, found = 0, nil
  for row in ((text or "") .. "\n"):gmatch "(.-)\n" do
    line = line + 1
    if key and row:match("%f[%w_]" .. key:gsub("%p", "%%%0") .. "[\"']?%s*:") then
      if found then return file end
      found = line
    end
  end
  return found and ("%s:%d"):format(file, found) or file
end

---@class adt.config.Source
---@field file string
---@field text? string

local function fail(source, key, message, hint)
  errors.raise { cause = "config", code = "BadConfig", where = place(source.file, source.text, key), message = message, hint = hint }
end

local function check_mapping(source, data, what, key)
  if type(data) ~= "table" or #data > 0 then
    fail(source, key, what .. " must be a mapping")
  end
  for name in pairs(data) do
    if type(name) ~= "string" then
      fail(source, tostring(name), ("%s: '%s' is no name"):format(what, tostring(name)))
    end
  end
end

local function check_target(source, name, spec)
  check_mapping(source, spec, "targets." .. name, name)
  if type(spec.kind) ~= "string" then
    fail(source, name, ("target '%s' has no kind"):format(name), "write kind: local, or another kind")
  end
end

local function check_keys(source, data)
  for key in pairs(data) do
    local ok, err = errors.try(function()
      errors.check_options("configuration", { [key] = true }, TOP)
      return true
    end)
    if not ok then
      fail(source, key, ("unknown key '%s'"):format(key), err.hint)
    end
  end
end

-- A key with nothing behind it, all its lines commented out, says nothing.
local function without_nulls(data)
  for _, key in ipairs(TOP) do
    if data[key] == null then data[key] = nil end
  end
end

--- Checks the content of a configuration file.
---@param data any
---@param file string for messages
---@param text? string the file's text, to name lines
---@return table
function M.check(data, file, text)
  local source = { file = file, text = text }
  check_mapping(source, data, "the file")
  without_nulls(data)
  check_keys(source, data)
  if data.target ~= nil and type(data.target) ~= "string" then
    fail(source, "target", "target must be the name of a target")
  end
  check_mapping(source, data.targets or {}, "targets", "targets")
  for name, spec in pairs(data.targets or {}) do
    check_target(source, name, spec)
  end
  check_mapping(source, data.defaults or {}, "defaults", "defaults")
  for recipe, values in pairs(data.defaults or {}) do
    check_mapping(source, values, "defaults." .. recipe, recipe)
  end
  return data
end

local function load_file(file)
  local text = fs.read(file, { max = 1 << 20 })
  local data, err = errors.try(require("adt.yaml").decode, text)
  if err then
    fail({ file = file }, nil, err.message, err.hint)
  end
  return M.check((data == nil or data == null) and {} or data, file, text), text
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

local function refuse_guarded(file, dir, data, text)
  if M.is_trusted(fs.realpath(dir)) then
    return true
  end
  for name, spec in pairs(data.targets or {}) do
    for _, key in ipairs(GUARDED) do
      if spec[key] ~= nil then
        fail({ file = file, text = text }, key,
          ("target '%s' sets %s, which a project's file may only do when you trust it"):format(name, key),
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
    local data, text = load_file(file)
    layers[#layers + 1] = { file = file, text = text, data = data, trusted = refuse_guarded(file, dir, data, text), what = "project" }
  end
  local own = path.join(state.config(), "config.yaml")
  if fs.exists(own) then
    local data, text = load_file(own)
    layers[#layers + 1] = { file = own, text = text, data = data, trusted = true, what = "user" }
  end
  return { layers = layers }
end

--- The targets of all files, and the layer of each; a project's one hides a user's of the same name.
---@param config adt.Config
---@return table<string, table> targets
---@return table<string, table> layers
function M.targets(config)
  local targets, layers = {}, {}
  for i = #config.layers, 1, -1 do
    for name, spec in pairs(config.layers[i].data.targets or {}) do
      targets[name], layers[name] = spec, config.layers[i]
    end
  end
  return targets, layers
end

--- Makes the target that a name stands for; without a name the default one. What a file says of it and cannot be is
--- told with that file, cause "config".
---@param config adt.Config
---@param name? string
---@return adt.Target
function M.make_target(config, name)
  local specs, layers = M.targets(config)
  local origin
  if not name then
    name, origin = M.target(config)
  end
  local target, err = errors.try(require("adt.target").named, name, specs)
  if target then
    return target
  end
  local layer = layers[name]
  if layer then
    fail(layer, name, ("target '%s': %s"):format(name, err.message), err.hint)
  elseif origin then
    fail({ file = origin }, nil, err.message, err.hint)
  end
  error(err, 0)
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
    errors.raise { cause = "usage", code = "BadParameters", where = file, message = err.message, hint = err.hint }
  elseif data == nil or data == null then
    return {}
  elseif type(data) ~= "table" or #data > 0 then
    errors.raise { cause = "usage", code = "BadParameters", where = file,
      message = "a file of parameters holds a mapping of their names to values", hint = "write name: value" }
  end
  M.check_names(recipe, data, file, text)
  return data
end

--- Raises cause "usage" for a name that is no parameter of the recipe.
---@param recipe adt.Recipe
---@param values table<string, any>
---@param source? string the file that names them
---@param text? string its text, to name the line
function M.check_names(recipe, values, source, text)
  local names = {}
  for name in pairs(recipe.params) do names[#names + 1] = name end
  table.sort(names)
  for given in pairs(values) do
    if not recipe.params[given] then
      local near = errors.nearest(tostring(given), names)
      errors.raise { cause = "usage", code = "UnknownParameter", where = source and place(source, text, tostring(given)),
        message = ("recipe '%s' has no parameter '%s'"):format(recipe.name, given),
        hint = near and ("did you mean '%s'?"):format(near)
          or #names > 0 and "parameters: " .. table.concat(names, ", ") or "it has no parameters" }
    end
  end
end

-- Each source in order of precedence: a function of the parameter's name giving a value, where it comes from, and the
-- file's text.
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
    M.check_names(recipe, defaults, layer.file, layer.text)
    list[#list + 1] = function(name) return defaults[name], layer.file, layer.text end
  end
  list[#list + 1] = function(name)
    local def = recipe.params[name]
    local value = def.type == "secret" and def.env and require("adt.process").env(def.env) or nil
    return value ~= "" and value or nil, def.env
  end
  return list
end

local function missing(name, def)
  local secret = def.type == "secret"
  local variable = "ADTLUA_PARAM_" .. name:upper()
  errors.raise { cause = secret and "config" or "usage", code = "MissingParameter",
    message = ("%s '%s' is not given"):format(secret and "secret" or "parameter", name),
    hint = secret and ("set the variable %s"):format(def.env or variable)
      or ("give --%s%s"):format(name:gsub("_", "-"), def.values and " " .. table.concat(def.values, "|") or "") }
end

-- A flag's own name stands in the message already.
local function parse(name, def, value, origin, text)
  local parsed, err = errors.try(param.parse, name, def, value)
  if err then
    local is_flag = origin:sub(1, 2) == "--"
    errors.raise { cause = err.cause, code = err.code, message = err.message, hint = err.hint,
      where = not is_flag and place(origin, text, name) or nil }
  end
  return parsed
end

--- Every source that says something of a parameter, the one that counts first.
---@param recipe adt.Recipe
---@param config adt.Config
---@param name string
---@return { value: any, origin: string }[]
function M.explain(recipe, config, name)
  local found = {}
  for _, source in ipairs(sources(recipe, config, {})) do
    local value, origin = source(name)
    if value ~= nil and value ~= null then found[#found + 1] = { value = value, origin = origin } end
  end
  return found
end

--- The parameters of a run, each checked, and where each came from.
---@param recipe adt.Recipe
---@param config adt.Config
---@param flags table<string, any>
---@param params_file? string
---@return table<string, any> values
---@return table<string, string> origins
function M.params(recipe, config, flags, params_file)
  M.check_names(recipe, flags)
  local list, values, origins, names = sources(recipe, config, flags, params_file), {}, {}, {}
  for name in pairs(recipe.params) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local def, value, origin, text = recipe.params[name], nil, nil, nil
    for _, source in ipairs(list) do
      value, origin, text = source(name)
      if value == null then value = nil end
      if value ~= nil then break end
    end
    if value ~= nil then
      values[name], origins[name] = parse(name, def, value, origin, text), origin
    elseif def.default ~= nil then
      values[name], origins[name] = def.default, "default"
    elseif not def.optional then
      missing(name, def)
    end
  end
  return values, origins
end

return M
