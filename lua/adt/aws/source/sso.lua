--- Credentials of IAM Identity Center: `sso_session`, or `sso_start_url` and `sso_region`, of a profile.
local errors = require "adt.error"
local form = require "adt.aws.source.form"
local role = require "adt.aws.source.role"
local ssotoken = require "adt.aws.source.ssotoken"

local M = { name = "sso" }

local function needed(profile, section, where, names)
  for _, name in ipairs(names) do
    if type(section[name]) ~= "string" or section[name] == "" then
      role.bad(profile, ("uses SSO, and %s has no %s"):format(where, name))
    end
  end
end

-- What the profile and its session say; nil and why when it does not use SSO.
local function settings(profile)
  local own = {}
  for _, name in ipairs { "sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name" } do
    own[name] = profile:text(name)
  end
  if not own.sso_session and not own.sso_start_url then
    return nil, ("the profile '%s' has neither sso_session nor sso_start_url"):format(profile.name)
  end
  if own.sso_session and not own.sso_account_id and not own.sso_role_name then
    return nil, ("the profile '%s' has an sso_session for tokens alone: no sso_account_id"):format(profile.name)
  end
  needed(profile, own, "it", { "sso_account_id", "sso_role_name" })
  local section, where = own, "it"
  if own.sso_session then
    section, where = profile:sso_session(own.sso_session), ("[sso-session %s]"):format(own.sso_session)
    for _, name in ipairs { "sso_start_url", "sso_region" } do
      if own[name] and section[name] and own[name] ~= section[name] then
        role.bad(profile, ("and its sso-session differ in %s"):format(name), "keep it in the session")
      end
    end
  end
  needed(profile, section, where, { "sso_start_url", "sso_region" })
  return { session = own.sso_session, start_url = section.sso_start_url, region = section.sso_region, profile = profile.name,
    account = own.sso_account_id, role = own.sso_role_name }
end

local function fetch(ctx, sso)
  local token = ssotoken.get(ctx, sso)
  local portal = ctx.client("sso", { credentials = "anonymous", region = sso.region })
  local answer, err = errors.try(function()
    return portal:GetRoleCredentials { roleName = sso.role, accountId = sso.account, accessToken = token }
  end)
  if not answer then
    if err.cause == "cancelled" or err.cause == "config" then error(err, 0) end
    local signed_out = err.code == "UnauthorizedException"
    errors.raise { cause = "auth", code = err.code or "SsoFailed", inner = err, where = err.where, retryable = err.retryable,
      request_id = err.request_id, final = signed_out or nil,
      message = ("SSO gave no credentials for the role %s of the account %s: %s"):format(sso.role, sso.account, err.message),
      hint = signed_out and ("sign in: aws sso login --profile %s"):format(sso.profile) or err.hint }
  end
  local given = answer.roleCredentials or {}
  local expiration = math.tointeger(given.expiration)
  return form.credentials("sso", "SSO's answer", {
    access_key = given.accessKeyId, secret = given.secretAccessKey, token = given.sessionToken,
    expires = expiration and expiration / 1000, account = sso.account,
    names = { access_key = "accessKeyId", secret = "secretAccessKey", token = "sessionToken" },
  })
end

---@param ctx adt.aws.SourceContext
---@return (fun(): adt.aws.ServedCredentials)? fetch
---@return string? reason
function M.find(ctx)
  local sso, reason = settings(ctx.profile)
  if not sso then return nil, reason end
  return function() return fetch(ctx, sso) end
end

return M
