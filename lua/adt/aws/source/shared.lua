--- Credentials that stand in a profile: of the credentials file, and of the configuration file.
local errors = require "adt.error"
local form = require "adt.aws.source.form"

local M = {}

local NAMES = {
  access_key = "aws_access_key_id", secret = "aws_secret_access_key", token = "aws_session_token", account = "aws_account_id",
}

local function text(section, name)
  local value = section[name]
  return type(value) == "string" and value ~= "" and value or nil
end

--- Whether the profile has keys, in either file.
---@param profile adt.aws.Profile
---@return boolean
function M.has_keys(profile)
  return text(profile.credentials, NAMES.access_key) ~= nil or text(profile.config, NAMES.access_key) ~= nil
end

local function source(name, kind, title)
  local function find(ctx)
    local profile = ctx.profile
    local section, file = profile[kind], profile.files[kind] or "(no home folder)"
    local key, value = text(section, NAMES.access_key), text(section, NAMES.secret)
    if not key and not value then
      return nil, next(section) and ("the profile '%s' of %s has no keys"):format(profile.name, file)
        or ("%s has no profile '%s'"):format(file, profile.name)
    end
    if not key or not value then
      errors.raise { cause = "config", code = "PartialCredentials", where = file,
        message = ("the profile '%s' has %s and not %s"):format(profile.name, key and NAMES.access_key or NAMES.secret,
          key and NAMES.secret or NAMES.access_key),
        hint = "write both, or neither" }
    end
    return function()
      -- The files may have changed since: keys are turned over, or were refused.
      local now = ctx.reload(profile)[kind]
      return form.credentials(name, ("the profile '%s' of the %s"):format(profile.name, title), {
        access_key = text(now, NAMES.access_key), secret = text(now, NAMES.secret),
        token = text(now, NAMES.token) or text(now, "aws_security_token"), account = text(now, NAMES.account), names = NAMES,
      })
    end
  end
  return { name = name, find = find }
end

M.credentials = source("shared-credentials-file", "credentials", "credentials file")
M.config = source("config-file", "config", "configuration file")

return M
