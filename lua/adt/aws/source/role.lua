--- What both ways to assume a role share: names of sessions, durations, STS's answer.
local clock = require "adt.c.clock"
local errors = require "adt.error"
local form = require "adt.aws.source.form"

local M = {}

--- Raises config "BadProfile" about a profile.
---@param profile adt.aws.Profile
---@param message string
---@param hint? string
function M.bad(profile, message, hint)
  errors.raise { cause = "config", code = "BadProfile", where = profile.files.config,
    message = ("the profile '%s' %s"):format(profile.name, message), hint = hint }
end

--- The seconds that `duration_seconds` asks for, or nil.
---@param profile adt.aws.Profile
---@return integer?
function M.duration(profile)
  local text = profile:text "duration_seconds"
  if not text then return nil end
  local seconds = math.tointeger(tonumber(text))
  if not seconds or seconds < 900 or seconds > 43200 then
    M.bad(profile, "has a duration_seconds that is no number from 900 to 43200")
  end
  return seconds
end

--- The session's name as given, or one with the time in it.
---@param given? string
---@return string
function M.session_name(given)
  return given or ("adtlua-%d"):format(math.floor(clock.now()))
end

--- Calls STS and gives its credentials.
---@param source string
---@param role string its ARN, for messages
---@param call fun(): table
---@return adt.aws.ServedCredentials
function M.assume(source, role, call)
  local answer, err = errors.try(call)
  if not answer then
    if err.cause == "cancelled" or err.cause == "config" or err.cause == "usage" then error(err, 0) end
    errors.raise { cause = "auth", code = err.code or "AssumeRoleFailed", inner = err, where = err.where, hint = err.hint,
      retryable = err.retryable, request_id = err.request_id, final = err.final,
      message = ("the role %s cannot be assumed: %s"):format(role, err.message) }
  end
  local given, user = answer.Credentials or {}, answer.AssumedRoleUser or {}
  return form.credentials(source, "STS's answer", {
    access_key = given.AccessKeyId, secret = given.SecretAccessKey, token = given.SessionToken, expires = given.Expiration,
    account = type(user.Arn) == "string" and user.Arn:match "^arn:[^:]*:sts::(%d+):" or nil,
  })
end

return M
