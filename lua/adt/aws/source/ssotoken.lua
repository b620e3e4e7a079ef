--- The token that `aws sso login` leaves in ~/.aws/sso/cache, renewed here where the session's registration allows it.
local ctask = require "adt.c.task"
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local form = require "adt.aws.source.form"
local fs = require "adt.fs"
local hash = require "adt.hash"
local json = require "adt.json"
local log = require "adt.log"
local path = require "adt.path"
local secret = require "adt.secret"
local time = require "adt.time"

local M = {}

local RENEW = 15 * 60 -- seconds before its end
local MAX_FILE = 1 << 20

---@class adt.aws.SsoSettings
---@field session? string name of the [sso-session]
---@field start_url string
---@field region string
---@field profile string for hints

--- Where the token is kept: the SHA-1 of the session's name, or of the start URL in the older form.
---@param ctx adt.aws.SourceContext
---@param sso adt.aws.SsoSettings
---@return string
function M.file(ctx, sso)
  local home = ctx.getenv "HOME"
  if not home then
    errors.raise { cause = "config", code = "NoHome", message = "HOME is not set, so there is no ~/.aws/sso/cache" }
  end
  return path.join(home, ".aws/sso/cache", hash.sha1(sso.session or sso.start_url) .. ".json")
end

local function login_needed(sso, why)
  errors.raise { cause = "auth", code = "SsoLoginNeeded", final = true,
    message = ("the SSO sign-in of the profile '%s' %s"):format(sso.profile, why),
    hint = sso.session and ("sign in: aws sso login --sso-session %s"):format(sso.session)
      or ("sign in: aws sso login --profile %s"):format(sso.profile) }
end

local function plain(value)
  return secret.is(value) and value:reveal() or value
end

local function read(ctx, sso)
  local file = M.file(ctx, sso)
  local text, err = errors.try(fs.read, file, { max = MAX_FILE })
  if not text then
    login_needed(sso, err.code == "ENOENT" and "has not been made" or "cannot be read: " .. err.message)
  end
  local kept = form.object(("the SSO token file %s"):format(file), text, "BadSsoToken")
  local token = form.text(kept, "accessToken")
  local expires = form.expiry("the SSO token file", "expiresAt", form.text(kept, "expiresAt"))
  if not token or not expires or token:find "[^\33-\126]" then
    login_needed(sso, "was kept in a file without a good accessToken and expiresAt")
  end
  for _, name in ipairs { "accessToken", "refreshToken", "clientSecret" } do
    if form.text(kept, name) then csecret.add(kept[name]) end
  end
  return file, kept, expires
end

-- Why it cannot be renewed; nil when it can.
local function hindrance(ctx, sso, kept)
  if not sso.session then return "it is of the form that ends for good" end
  for _, name in ipairs { "refreshToken", "clientId", "clientSecret" } do
    if not form.text(kept, name) then return "its file has no " .. name end
  end
  local until_ = form.expiry("the SSO token file", "registrationExpiresAt", form.text(kept, "registrationExpiresAt"))
  if until_ and until_ <= ctx.now() then return "its registration has ended" end
  return nil
end

-- Each refresh token serves once, so what came is kept at once. The others who use the file see one whole or the other.
local function keep(ctx, file, kept, answer)
  local seconds = math.tointeger(answer.expiresIn) or 0
  kept.accessToken, kept.expiresAt = plain(answer.accessToken), time.iso(ctx.now() + seconds)
  kept.refreshToken = plain(answer.refreshToken) or kept.refreshToken
  csecret.add(kept.accessToken)
  csecret.add(kept.refreshToken)
  local _, err = errors.try(fs.write, file, json.encode(kept), { mode = 384 })
  if err then
    log.warn("the renewed SSO token cannot be kept, so the next sign-in is due sooner", { file = file, error = err.message })
  end
  return kept.accessToken
end

local function renew(ctx, sso, file, kept)
  local oidc = ctx.client("sso-oidc", { credentials = "anonymous", region = sso.region })
  local answer = oidc:CreateToken {
    clientId = kept.clientId, clientSecret = kept.clientSecret, refreshToken = kept.refreshToken, grantType = "refresh_token",
  }
  if type(plain(answer.accessToken)) ~= "string" or plain(answer.accessToken):find "[^\33-\126]" then
    errors.raise { cause = "auth", code = "BadSsoToken", message = "the SSO service answered without a good accessToken" }
  end
  return keep(ctx, file, kept, answer)
end

-- A plan keeps nothing, and a token that is renewed and not kept would be lost.
local function may_renew()
  return not ctask.locals().planning
end

--- The token, renewed when it ends within a quarter of an hour. Waits. Raises auth "SsoLoginNeeded" when somebody has to
--- sign in.
---@param ctx adt.aws.SourceContext
---@param sso adt.aws.SsoSettings
---@return string
function M.get(ctx, sso)
  local file, kept, expires = read(ctx, sso)
  local left = expires - ctx.now()
  if left > RENEW then return kept.accessToken end
  local why = hindrance(ctx, sso, kept)
  if not why and may_renew() then
    local token, err = errors.try(renew, ctx, sso, file, kept)
    if token then return token end
    if err.cause == "cancelled" then error(err, 0) end
    if left <= 0 and (err.retryable or err.cause == "timeout" or err.cause == "config") then
      errors.raise { cause = "auth", code = "SsoRenewalFailed", inner = err, where = err.where, retryable = err.retryable,
        message = ("the SSO sign-in of the profile '%s' has ended, and renewing it failed: %s"):format(sso.profile, err.message) }
    end
    why = "renewing it was refused: " .. err.message
  end
  if left <= 0 then
    login_needed(sso, ("has ended, and %s"):format(why or "it is not renewed while a plan is made"))
  end
  return kept.accessToken
end

return M
