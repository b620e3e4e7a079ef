--- The profile that AWS calls follow: ~/.aws/config and ~/.aws/credentials, and the variables that name others.
local cprofile = require "adt.c.awsprofile"
local errors = require "adt.error"
local fs = require "adt.fs"
local path = require "adt.path"

local M = {}

local MAX_FILE = 4 << 20

---@class adt.aws.ProfileOptions
---@field profile? string its name; default $AWS_PROFILE, $AWS_DEFAULT_PROFILE, "default"
---@field environ? table<string, string> instead of this process's environment

---@class adt.aws.Profile
---@field name string
---@field chosen "option"|"AWS_PROFILE"|"AWS_DEFAULT_PROFILE"|"default" what named it
---@field exists boolean one of the files has it
---@field config table<string, string|table<string, string>> its section of the configuration file
---@field credentials table<string, string|table<string, string>> its section of the credentials file
---@field files { config?: string, credentials?: string } where the files are; nil without a home folder
---@field read string[] the files that were there
---@field warnings string[] "file:line: what was ignored"
local Profile = {}
Profile.__index = Profile

local OPTIONS = { "profile", "environ" }

--- Looks variables up; one that is empty counts as not there.
---@param environ? table<string, string> instead of this process's environment
---@return fun(name: string): string?
function M.getenv(environ)
  return function(name)
    local value
    if environ then value = environ[name] else value = os.getenv(name) end
    return value ~= "" and value or nil
  end
end

-- "~" is the home of the environment at hand.
local function place(getenv, variable, default)
  local named, home = getenv(variable), getenv "HOME"
  local file = named or default
  if file:sub(1, 2) == "~/" then
    return home and path.join(home, file:sub(3)), named ~= nil
  end
  return file, named ~= nil
end

local EMPTY = { profiles = {}, sso_sessions = {}, services = {}, warnings = {} }

local function load_file(files, kind, getenv, variable, default)
  local file, named = place(getenv, variable, default)
  files[kind] = file
  local stat = file and fs.stat(file)
  if not stat then
    if named then
      table.insert(files.warnings, ("%s: $%s names this file, and it is not there"):format(file or getenv(variable), variable))
    end
    return EMPTY
  end
  local text, err = errors.try(fs.read, file, { max = MAX_FILE })
  if not text then
    errors.raise { cause = "config", code = err.code, where = file, inner = err,
      message = ("the AWS %s file cannot be read: %s"):format(kind == "config" and "configuration" or kind, err.message),
      hint = ("set %s to another file, or make this one readable"):format(variable) }
  end
  local parsed
  parsed, err = cprofile.parse(text, file, kind)
  if not parsed then
    errors.raise { cause = "config", code = err.code, where = err.where, message = "the AWS files cannot be read: " .. err.message,
      hint = "correct that line; lines are [profile NAME] or NAME = VALUE, indented only below what they belong to" }
  end
  table.insert(files.read, file)
  table.move(parsed.warnings, 1, #parsed.warnings, #files.warnings + 1, files.warnings)
  return parsed
end

local function load_files(getenv)
  local files = { read = {}, warnings = {} }
  files.parsed_config = load_file(files, "config", getenv, "AWS_CONFIG_FILE", "~/.aws/config")
  files.parsed_credentials = load_file(files, "credentials", getenv, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
  return files
end

local function new_profile(files, name, chosen)
  local config, credentials = files.parsed_config.profiles[name], files.parsed_credentials.profiles[name]
  return setmetatable({
    name = name, chosen = chosen, exists = (config or credentials) ~= nil, config = config or {}, credentials = credentials or {},
    files = { config = files.config, credentials = files.credentials }, read = files.read, warnings = files.warnings, all = files,
  }, Profile)
end

local function choose(options, getenv)
  if options.profile ~= nil then
    if type(options.profile) ~= "string" or options.profile == "" then
      errors.raise { cause = "usage", code = "BadArgument", message = "profile: the profile must be a name" }
    end
    return options.profile, "option"
  end
  for _, variable in ipairs { "AWS_PROFILE", "AWS_DEFAULT_PROFILE" } do
    if getenv(variable) then
      return getenv(variable), variable
    end
  end
  return "default", "default"
end

-- Raises for a profile that neither file has.
local function missing(profile, said_by)
  local names = profile:names()
  local near = errors.nearest(profile.name, names)
  local known = #names == 0 and "there are none" or "known: " .. table.concat(names, ", ", 1, math.min(#names, 20))
  local where = profile.files.config or "no home folder"
  errors.raise { cause = "config", code = "NoProfile", where = where,
    message = ("there is no AWS profile '%s', which %s names; %s"):format(profile.name, said_by, known),
    hint = near and ("did you mean '%s'?"):format(near) or ("add [profile %s] to %s"):format(profile.name, where) }
end

--- Reads the files and finds the profile. One that is named and in neither file raises config "NoProfile"; files that
--- cannot be understood raise config with file:line in `where`. Without files the default profile is empty.
---@param options? adt.aws.ProfileOptions
---@return adt.aws.Profile
function M.load(options)
  options = options or {}
  errors.check_options("profile.load", options, OPTIONS)
  local getenv = M.getenv(options.environ)
  local name, chosen = choose(options, getenv)
  local profile = new_profile(load_files(getenv), name, chosen)
  if not profile.exists and chosen ~= "default" then
    missing(profile, chosen == "option" and "the option 'profile'" or "$" .. chosen)
  end
  return profile
end

--- A property: the credentials file's, else the configuration file's. Names are in lower case.
---@param key string
---@return string|table<string, string>|nil value a table for nested properties
function Profile:get(key)
  local value = self.credentials[key]
  if value == nil then
    value = self.config[key]
  end
  return value
end

--- A property that is text and not empty, else nil.
---@param key string
---@return string?
function Profile:text(key)
  local value = self:get(key)
  return type(value) == "string" and value ~= "" and value or nil
end

--- The names of all profiles, sorted.
---@return string[]
function Profile:names()
  local set, names = {}, {}
  for _, parsed in ipairs { self.all.parsed_config, self.all.parsed_credentials } do
    for name in pairs(parsed.profiles) do set[name] = true end
  end
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Another profile of the same files. Raises config "NoProfile" when it is not there.
---@param name string
---@param said_by? string for the message: who names it
---@return adt.aws.Profile
function Profile:other(name, said_by)
  local profile = new_profile(self.all, name, self.chosen)
  if not profile.exists then
    missing(profile, said_by or ("the profile '%s'"):format(self.name))
  end
  return profile
end

local function section(self, kind, name, header)
  local found = self.all.parsed_config[kind][name]
  if not found then
    local names = {}
    for known in pairs(self.all.parsed_config[kind]) do names[#names + 1] = known end
    local near = errors.nearest(name, names)
    errors.raise { cause = "config", code = "NoSection", where = self.files.config,
      message = ("the AWS profile '%s' names the section [%s %s], which is not there"):format(self.name, header, name),
      hint = near and ("did you mean '%s'?"):format(near) or ("add [%s %s] to the file"):format(header, name) }
  end
  return found
end

--- What the profile's `services = NAME` says of services, by their lower-case ids ("ec2", "cloudwatch_logs").
---@return table<string, { endpoint_url?: string }>  # raises: config "NoSection"
function Profile:services()
  local name, found = self:text "services", {}
  if name then
    for service, properties in pairs(section(self, "services", name, "services")) do
      if type(properties) == "table" then
        found[service] = properties
      end
    end
  end
  return found
end

--- The properties of [sso-session NAME].
---@param name string
---@return table<string, string>  # raises: config "NoSection"
function Profile:sso_session(name)
  return section(self, "sso_sessions", name, "sso-session")
end

return M
