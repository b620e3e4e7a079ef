--- Credentials from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
local errors = require "adt.error"
local form = require "adt.aws.source.form"

local M = { name = "env" }

local NAMES = {
  access_key = "AWS_ACCESS_KEY_ID", secret = "AWS_SECRET_ACCESS_KEY", token = "AWS_SESSION_TOKEN",
  expires = "AWS_CREDENTIAL_EXPIRATION", account = "AWS_ACCOUNT_ID",
}

--- The credentials of the environment, read again each time; nil and why when there are none.
---@param ctx adt.aws.SourceContext
---@return (fun(): adt.aws.ServedCredentials)? fetch
---@return string? reason
function M.read(ctx)
  local key, value = ctx.getenv(NAMES.access_key), ctx.getenv(NAMES.secret)
  if not key and not value then
    return nil, "AWS_ACCESS_KEY_ID is not set"
  end
  if not key or not value then
    errors.raise { cause = "config", code = "PartialCredentials",
      message = ("%s is set and %s is not"):format(key and NAMES.access_key or NAMES.secret, key and NAMES.secret or NAMES.access_key),
      hint = "set both, or neither" }
  end
  return function()
    return form.credentials("env", "the environment", {
      access_key = ctx.getenv(NAMES.access_key), secret = ctx.getenv(NAMES.secret),
      token = ctx.getenv(NAMES.token) or ctx.getenv "AWS_SECURITY_TOKEN", expires = ctx.getenv(NAMES.expires),
      account = ctx.getenv(NAMES.account), names = NAMES,
    })
  end
end

--- As read(), but for a profile that was chosen explicitly: it is not for the environment to overrule that.
---@param ctx adt.aws.SourceContext
function M.find(ctx)
  if ctx.profile.chosen == "option" then
    return nil, ("left out, since the profile '%s' was chosen explicitly"):format(ctx.profile.name)
  end
  return M.read(ctx)
end

return M
