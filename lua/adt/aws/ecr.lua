--- Log-ins for container registries: ECR's private ones, and public.ecr.aws.
local base64 = require "adt.base64"
local client = require "adt.aws.client"
local errors = require "adt.error"
local secret = require "adt.secret"

local M = {}

---@class adt.aws.EcrOptions
---@field registry? string account whose registry it is; the caller's own unless given
---@field region? string
---@field profile? string
---@field credentials? adt.aws.Credentials|adt.aws.Provider
---@field endpoint? string

---@class adt.aws.EcrLogin
---@field registry string "123456789012.dkr.ecr.us-east-1.amazonaws.com"
---@field user string "AWS"
---@field password adt.Secret
---@field expires? number seconds since the epoch; 12 hours on

local OPTIONS = { "registry", "region", "profile", "credentials", "endpoint" }

local function made(service, options)
  return client(service, { region = options.region, profile = options.profile, credentials = options.credentials,
    endpoint = options.endpoint })
end

-- The token is "user:password" in base64. Both forms are secrets.
local function login(what, registry, data)
  local encoded = data.authorizationToken
  local user, password = base64.decode(encoded or ""):match "^([^:]+):(.+)$"
  if not user then
    errors.raise { cause = "service", code = "BadToken", message = what .. ": what the service gave is no user and password" }
  end
  require("adt.c.secret").add(encoded)
  return { registry = registry, user = user, password = secret.new("ECR password", password), expires = data.expiresAt }
end

--- Asks for the password of a private registry.
---@param options? adt.aws.EcrOptions
---@return adt.aws.EcrLogin  # raises: as the call of a client
function M.login(options)
  options = options or {}
  errors.check_options("aws.ecr_login", options, OPTIONS)
  local account = options.registry
  if account ~= nil and not (type(account) == "string" and account:match "^%d%d%d%d%d%d%d%d%d%d%d%d$") then
    errors.raise { cause = "usage", code = "BadArgument", message = "aws.ecr_login: registry is an account, 12 digits in a string" }
  end
  local result = made("ecr", options):GetAuthorizationToken(account and { registryIds = { account } } or {})
  local data = (result.authorizationData or {})[1] or {}
  local registry = (data.proxyEndpoint or ""):gsub("^https?://", ""):gsub("/$", "")
  return login("aws.ecr_login", registry, data)
end

--- Asks for the password of public.ecr.aws, which raises what one may pull in an hour.
---@param options? adt.aws.EcrOptions without registry; the region is us-east-1
---@return adt.aws.EcrLogin  # raises: as the call of a client
function M.public_login(options)
  options = options or {}
  errors.check_options("aws.ecr_public_login", options, { "profile", "credentials", "endpoint" })
  local public = made("ecr-public", { region = "us-east-1", profile = options.profile, credentials = options.credentials,
    endpoint = options.endpoint })
  return login("aws.ecr_public_login", "public.ecr.aws", public:GetAuthorizationToken({}).authorizationData or {})
end

return M
