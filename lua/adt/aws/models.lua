--- Service models: those that are part of the program, and any other from a botocore-style folder
--- (NAME/VERSION/service-2.json, or .json.gz) that the user names or that is found on the machine.
local cdata = require "adt.c.data"
local cmodel = require "adt.c.awsmodel"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local process = require "adt.process"

local M = {}

local BUILT_IN = "adt/aws/data/"
local MAX = 64 << 20

---@class adt.aws.Model
---@field service string
---@field model userdata what adt.c.awsmodel says of it
---@field origin string "built in" or the folder
---@field paginators fun(): table<string, table> rules by operation; raises a config error
---@field waiters fun(): table<string, table> rules by name; raises a config error
---@field endpoint_rules? fun(): table? the folder's rule set of endpoints; raises a config error

local function usage(code, message, hint)
  errors.raise { cause = "usage", code = code, message = message, hint = hint }
end

local function broken(file, code, message, hint)
  errors.raise {
    cause = "config", code = code, where = file, message = ("the AWS model %s: %s"):format(file, message),
    hint = hint or "repair it or take it away: only what adtlua has built in does without such a folder",
  }
end

local function check_service(service)
  if type(service) ~= "string" or not service:find "^[%w][%w_-]*$" then
    usage("BadService", "the name of an AWS service is a word such as 'ec2' or 'service-quotas'")
  end
  return service
end

-- --- files -----------------------------------------------------------------------------------------------------------

local function is_dir(folder)
  local yes, err = errors.try(fs.is_dir, folder)
  if err then
    broken(folder, err.code, err.message)
  end
  return yes
end

local function read(file)
  local text, err = errors.try(fs.read, file, { max = MAX })
  if not text then
    broken(file, err.code, err.message)
  end
  if file:sub(-3) == ".gz" then
    text, err = cdata.gunzip(text, MAX)
    if not text then
      broken(file, err.code, err.message)
    end
  end
  return text
end

-- The file `name`.json of a folder, plain or compressed; nil when there is neither.
local function file_in(folder, name)
  for _, form in ipairs { ".json", ".json.gz" } do
    local file = path.join(folder, name .. form)
    if fs.is_file(file) then
      return file
    end
  end
end

-- The rules by name that a paginators or waiters file holds under `key`.
local function rules_of(text, file, key)
  local value, err = errors.try(json.decode, text, { name = file })
  if err then
    broken(file, err.code, err.message)
  end
  local rules = type(value) == "table" and value[key]
  if type(rules) ~= "table" then
    broken(file, "BadModel", ("no object '%s' in it"):format(key))
  end
  for name, rule in pairs(rules) do
    if type(name) ~= "string" or type(rule) ~= "table" then
      broken(file, "BadModel", ("'%s': %s is no rule"):format(key, tostring(name)))
    end
  end
  return rules
end

local function load(text, file)
  local model, err = cmodel.load(text, file)
  if not model then
    broken(file, err.code, err.message)
  end
  return model
end

local function once(f)
  local value
  return function()
    value = value or f()
    return value
  end
end

-- --- what is built in ------------------------------------------------------------------------------------------------

local function built_in_text(service, name)
  return errors.check(cdata.read(BUILT_IN .. service .. "/" .. name .. ".json"))
end

local function built_in_rules(service, name, key)
  return once(function()
    local text = built_in_text(service, name)
    return text and rules_of(text, BUILT_IN .. service .. "/" .. name .. ".json", key) or {}
  end)
end

local built_in = {}

local function find_built_in(service)
  if not built_in[service] then
    local text = built_in_text(service, "service-2")
    if not text then
      return nil
    end
    built_in[service] = {
      service = service, origin = "built in", model = load(text, "built-in " .. service),
      paginators = built_in_rules(service, "paginators-1", "pagination"),
      waiters = built_in_rules(service, "waiters-2", "waiters"),
    }
  end
  return built_in[service]
end

local function built_in_services()
  local out = {}
  for _, name in ipairs(cdata.names()) do
    out[#out + 1] = name:match("^" .. BUILT_IN .. "([^/]+)/service%-2%.json$")
  end
  return out
end

-- --- folders ---------------------------------------------------------------------------------------------------------

-- Where botocore's data lies when pip, a distribution or the aws-cli installer put it there. Each pattern looks into a
-- bounded number of folders, and nothing of Python is run.
local PLACES = {
  "$VIRTUAL_ENV/lib/python3*/site-packages", "$CONDA_PREFIX/lib/python3*/site-packages",
  "~/.local/lib/python3*/site-packages", "/usr/local/lib/python3*/site-packages", "/usr/local/lib/python3*/dist-packages",
  "/usr/lib/python3/dist-packages", "/usr/lib/python3*/site-packages", "/opt/conda/lib/python3*/site-packages",
  "$PYENV_ROOT/versions/*/lib/python3*/site-packages", "~/.pyenv/versions/*/lib/python3*/site-packages",
  "/usr/lib/python3/dist-packages/awscli",
  "/usr/local/aws-cli/v2/current/dist/awscli", "~/.local/aws-cli/v2/current/dist/awscli", "~/aws-cli/v2/current/dist/awscli",
}

-- A place with its variable or "~" filled in; nil when that is not known.
local function filled(place)
  local variable, rest = place:match "^%$([%u_]+)(.*)$"
  if not variable then
    return (errors.try(path.expand, place))
  end
  local base = process.env(variable) or ""
  return path.is_absolute(base) and base .. rest or nil
end

local found_places

local function on_machine()
  if not found_places then
    local seen = {}
    found_places = {}
    for _, place in ipairs(PLACES) do
      local pattern = filled(place)
      for _, folder in ipairs(pattern and fs.glob(pattern .. "/botocore/data") or {}) do
        if not seen[folder] then
          seen[folder] = true
          found_places[#found_places + 1] = folder
        end
      end
    end
  end
  return found_places
end

-- The folders to look into, in order.
local function folders()
  local out = {}
  for folder in (process.env "ADTLUA_AWS_MODELS" or ""):gmatch "[^:]+" do
    if not is_dir(folder) then
      broken(folder, "ENOENT", "no folder of that name", "it is named by ADTLUA_AWS_MODELS: folders with ':' between them")
    end
    out[#out + 1] = folder
  end
  local own = filled "~/.aws/models"
  if own and is_dir(own) then
    out[#out + 1] = own
  end
  return table.move(on_machine(), 1, #on_machine(), #out + 1, out)
end

-- The newest version of a service in a folder of models; nil when it does not have the service.
local function newest(folder, service)
  local dir = path.join(folder, service)
  if not is_dir(dir) then
    return nil
  end
  local names, err = errors.try(fs.list, dir)
  if not names then
    broken(dir, err.code, err.message)
  end
  for i = #names, 1, -1 do
    local version = path.join(dir, names[i])
    if names[i]:find "^%d%d%d%d%-%d%d%-%d%d$" and file_in(version, "service-2") then
      return version
    end
  end
  broken(dir, "BadModel", "it holds no VERSION/service-2.json or service-2.json.gz", "a version is a date: 2016-11-15")
end

local function folder_rules(version, name, key, more)
  return once(function()
    local file, rules = file_in(version, name), {}
    for rule_name, rule in pairs(more and more() or {}) do
      rules[rule_name] = rule
    end
    for rule_name, rule in pairs(file and rules_of(read(file), file, key) or {}) do
      rules[rule_name] = rule
    end
    return rules
  end)
end

-- Where the service is; nil when the folder does not say.
local function endpoint_rules(version)
  return once(function()
    local file = file_in(version, "endpoint-rule-set-1")
    local rules, err = errors.try(json.decode, file and read(file) or "null", { name = file })
    if err then
      broken(file, err.code, err.message)
    end
    return type(rules) == "table" and rules or nil
  end)
end

local loaded = {}

local function find_in(folder, service)
  local version = newest(folder, service)
  if version and not loaded[version] then
    local file, ours = file_in(version, "service-2"), find_built_in(service)
    loaded[version] = {
      service = service, origin = version, model = load(read(file), file), endpoint_rules = endpoint_rules(version),
      paginators = folder_rules(version, "paginators-1", "pagination"),
      -- Ours has waiters that botocore lacks.
      waiters = folder_rules(version, "waiters-2", "waiters", ours and ours.waiters),
    }
  end
  return version and loaded[version]
end

-- --- finding ---------------------------------------------------------------------------------------------------------

local function services_in(dirs)
  local names = {}
  for _, folder in ipairs(dirs) do
    local found, types = errors.try(fs.list, folder)
    for _, name in ipairs(found or {}) do
      if types[name] ~= "file" and name:find "^[%w][%w_-]*$" then
        names[#names + 1] = name
      end
    end
  end
  return names
end

local function unknown_service(service, dirs)
  local names, others = built_in_services(), services_in(dirs)
  table.move(others, 1, #others, #names + 1, names)
  local near = errors.nearest(service, names)
  usage("UnknownService", ("no model of an AWS service '%s': not built in, nor in %s"):format(service,
    #dirs > 0 and table.concat(dirs, ", ") or "any folder of models, of which none was found"),
    near and ("did you mean '%s'?"):format(near)
      or "models.list() has those that are there; name a botocore-style folder in ADTLUA_AWS_MODELS for others")
end

local MORE = "other operations come from a botocore-style folder: name one in ADTLUA_AWS_MODELS, or install botocore"

local function unknown_operation(service, operation, models, dirs)
  local names, where = {}, {}
  for i, found in ipairs(models) do
    where[i] = found.origin == "built in" and "those built in" or found.origin
    for _, name in ipairs(found.model:operations()) do
      names[#names + 1] = name
    end
  end
  local near = errors.nearest(operation, names)
  local hint = near and ("did you mean '%s'?"):format(near)
  if #dirs == 0 then
    hint = hint and hint .. " Otherwise: " .. MORE or MORE
  end
  usage("UnknownOperation", ("%s has no operation '%s' among %s"):format(service, operation, table.concat(where, ", ")), hint)
end

--- The model of a service, the built-in one if it has the operation; else one from the first folder that does:
--- those that ADTLUA_AWS_MODELS names, ~/.aws/models, botocore's data where Python or the aws-cli is installed.
---
--- Raises: usage ("UnknownService", "UnknownOperation", "BadService", "BadOperation"), config (a model that cannot be read).
---@param service string botocore's name of it: "ec2", "service-quotas"
---@param operation? string
---@return adt.aws.Model
function M.find(service, operation)
  if operation ~= nil and not (type(operation) == "string" and operation:find "^%w+$") then
    usage("BadOperation", "the name of an operation is a word such as 'DescribeInstances'")
  end
  local found = find_built_in(check_service(service))
  if found and (operation == nil or found.model:operation(operation)) then
    return found
  end
  local dirs, models = folders(), { found }
  for _, folder in ipairs(dirs) do
    found = find_in(folder, service)
    if found and (operation == nil or found.model:operation(operation)) then
      return found
    end
    models[#models + 1] = found
  end
  if #models == 0 then
    unknown_service(service, dirs)
  end
  return unknown_operation(service, operation, models, dirs)
end

--- The services that `find` knows, sorted; `origin` is "built in" or the first folder of models that has it.
---@return { service: string, origin: string }[]
function M.list()
  local out, seen = {}, {}
  local function add(names, origin)
    for _, name in ipairs(names) do
      if not seen[name] then
        seen[name] = true
        out[#out + 1] = { service = name, origin = origin }
      end
    end
  end
  add(built_in_services(), "built in")
  for _, folder in ipairs(folders()) do
    add(services_in { folder }, folder)
  end
  table.sort(out, function(a, b) return a.service < b.service end)
  return out
end

return M
