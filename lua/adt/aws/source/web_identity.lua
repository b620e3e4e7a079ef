--- Credentials of a role that is assumed with a token from a file, as EKS gives its pods (IRSA).
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local fs = require "adt.fs"
local role = require "adt.aws.source.role"

local M = { name = "web-identity" }

local MAX_TOKEN = 64 * 1024

-- The file is read again each time, since the platform replaces it.
local function read_token(file)
  local text, err = errors.try(fs.read, file, { max = MAX_TOKEN })
  if not text then
    errors.raise { cause = "auth", code = "NoTokenFile", where = file, inner = err,
      message = "the web identity's token cannot be read: " .. err.message, hint = "AWS_WEB_IDENTITY_TOKEN_FILE, or the profile, names it" }
  end
  local token = text:gsub("%s+$", "")
  if token == "" or token:find "[^\33-\126]" then
    errors.raise { cause = "auth", code = "BadToken", where = file, message = "the web identity's file holds no token" }
  end
  csecret.add(token)
  return token
end

---@param ctx adt.aws.SourceContext
---@param no_env? boolean the profile alone says
---@return (fun(): adt.aws.ServedCredentials)? fetch
---@return string? reason
function M.find(ctx, no_env)
  local profile = ctx.profile
  no_env = no_env or profile.chosen == "option"
  local function setting(variable, key)
    return not no_env and ctx.getenv(variable) or profile:text(key)
  end
  local file = setting("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file")
  if not file then
    return nil, ("%sthe profile '%s' has no web_identity_token_file"):format(
      no_env and "" or "AWS_WEB_IDENTITY_TOKEN_FILE is not set and ", profile.name)
  end
  local arn = setting("AWS_ROLE_ARN", "role_arn")
  if not arn then
    errors.raise { cause = "config", code = "PartialCredentials",
      message = "there is a web identity's token and no role to assume with it", hint = "set AWS_ROLE_ARN, or role_arn in the profile" }
  end
  local name, duration = setting("AWS_ROLE_SESSION_NAME", "role_session_name"), role.duration(profile)
  local sts
  return function()
    local token = read_token(file)
    sts = sts or ctx.client("sts", { credentials = "anonymous" })
    return role.assume("web-identity", arn, function()
      return sts:AssumeRoleWithWebIdentity {
        RoleArn = arn, RoleSessionName = role.session_name(name), WebIdentityToken = token, DurationSeconds = duration,
      }
    end)
  end
end

return M
