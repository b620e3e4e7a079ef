--- Who we are to AWS: credentials from where the SDKs look for them, in their order, renewed ahead of time.
---
--- explicit; environment; assumed role; web identity; SSO; credentials file; `aws login` (not read, and said so);
--- credential_process; configuration file; container; instance. The first that is set up serves. One that is set up and
--- fails raises, so that nobody becomes somebody else by accident.
local clock = require "adt.c.clock"
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local profiles = require "adt.aws.profile"
local refresh = require "adt.aws.refresh"
local regions = require "adt.aws.region"
local secret = require "adt.secret"

local M = {}

---@class adt.aws.CredentialOptions
---@field profile? string default AWS_PROFILE, else "default"; one that is named here is not overruled by the environment's keys
---@field region? string of STS; default as region.find
---@field endpoint? string of STS, instead of what is configured
---@field mfa_code? string|fun(serial: string): string the digits of the device that a role asks for
---@field environ? table<string, string> instead of this process's environment
---@field now? fun(): number seconds since the epoch

---@class adt.aws.SourceContext what a source may look at
---@field getenv fun(name: string): string?
---@field profile adt.aws.Profile
---@field now fun(): number
---@field client fun(service: string, options: table): adt.aws.Client
---@field with fun(profile: adt.aws.Profile): adt.aws.SourceContext the same for another profile
---@field reload fun(profile: adt.aws.Profile): adt.aws.Profile as the files are now
---@field mfa_code? string|fun(serial: string): string

---@class adt.aws.Tried
---@field source string
---@field reason string why it did not serve

local OPTIONS = { "profile", "region", "endpoint", "mfa_code", "environ", "now" }

local function chain()
  local shared = require "adt.aws.source.shared"
  local function source(name) return (require("adt.aws.source." .. name)) end
  return {
    source "env", source "assume_role", source "web_identity", source "sso", shared.credentials, source "login",
    source "process", shared.config, source "container", source "imds",
  }
end

-- --- what sources look at --------------------------------------------------------------------------------------------

local function region_of(ctx, options)
  if options.region then return options.region end
  local ok, region = pcall(regions.find, { profile = ctx.profile, environ = options.environ, metadata = false })
  if ok then return region end
  if errors.is(region) and region.code == "NoRegion" then return "us-east-1" end
  error(region, 0)
end

local function configured_endpoint(ctx, service)
  local own = "AWS_ENDPOINT_URL_" .. service:upper():gsub("-", "_")
  return ctx.getenv(own) or ctx.getenv "AWS_ENDPOINT_URL"
end

-- Clients read the real environment themselves; a given one is for them to obey, too.
local function new_client(ctx, options, service, given)
  local endpoint = service == "sts" and options.endpoint or nil
  if options.environ and not endpoint then
    endpoint = configured_endpoint(ctx, service)
  end
  return require "adt.aws.client"(service, {
    region = given.region or region_of(ctx, options), credentials = given.credentials, endpoint = endpoint,
    profile = not options.environ and options.profile or nil,
  })
end

local function context(options, profile)
  local ctx = { getenv = profiles.getenv(options.environ), profile = profile, now = options.now or clock.now, mfa_code = options.mfa_code }
  function ctx.client(service, given) return new_client(ctx, options, service, given) end
  function ctx.with(other) return context(options, other) end
  function ctx.reload(of)
    local now = profiles.load { profile = options.profile, environ = options.environ }
    return of.name == now.name and now or now:other(of.name)
  end
  return ctx
end

--- A client that follows the same environment and profile, for those who ask AWS about credentials.
---@param options adt.aws.CredentialOptions
---@param profile adt.aws.Profile
---@param service string
---@param given { credentials: any, region?: string }
---@return adt.aws.Client
function M.client(options, profile, service, given)
  return context(options, profile).client(service, given)
end

-- --- the chain -------------------------------------------------------------------------------------------------------

local function none(tried)
  local reasons = {}
  for i, one in ipairs(tried) do
    reasons[i] = ("%s: %s"):format(one.source, one.reason)
  end
  errors.raise { cause = "auth", code = "NoCredentials", tried = tried,
    message = "no AWS credentials were found; " .. table.concat(reasons, "; "),
    hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; \"anonymous\" sends unsigned requests" }
end

---@class adt.aws.Resolved
---@field source string
---@field fetch fun(): adt.aws.ServedCredentials?, string? asks it again
---@field credentials adt.aws.ServedCredentials
---@field profile adt.aws.Profile

--- Asks the sources in their order until one serves. Waits.
---@param options? adt.aws.CredentialOptions
---@param tried? adt.aws.Tried[] gets the sources that do not serve, also when this raises
---@return adt.aws.Resolved
--- Raises auth "NoCredentials", with `tried`; config for files and settings that make no sense; what the first source
--- that is set up raises when it fails.
function M.resolve(options, tried)
  options, tried = options or {}, tried or {}
  errors.check_options("credentials", options, OPTIONS)
  local profile = profiles.load { profile = options.profile, environ = options.environ }
  local ctx = context(options, profile)
  for _, source in ipairs(chain()) do
    local found, reason
    local ok, err = pcall(function()
      local fetch
      fetch, reason = source.find(ctx)
      if not fetch then return end
      local credentials
      credentials, reason = fetch()
      found = credentials and { source = source.name, fetch = fetch, credentials = credentials, profile = profile }
    end)
    if not ok then
      tried[#tried + 1] = { source = source.name, reason = errors.is(err) and err.message or tostring(err), failed = true }
      error(err, 0)
    end
    if found then return found end
    tried[#tried + 1] = { source = source.name, reason = reason }
  end
  none(tried)
end

-- The source that served first is asked from then on.
local function fetcher(options)
  local source
  return function()
    if not source then
      local resolved = M.resolve(options)
      source = resolved
      return resolved.credentials
    end
    local credentials, reason = source.fetch()
    if not credentials then
      errors.raise { cause = "auth", code = "SourceFailed", retryable = true,
        message = ("the source '%s' gives no credentials any more: %s"):format(source.source, reason) }
    end
    return credentials
  end
end

local shared = {}

--- The credentials that the SDKs would use, as a provider: provider:get() gives them, provider:invalidate(access_key) says
--- that they were refused. Nothing is read or asked before the first get(). Providers of the same profile and options are
--- one, so that they ask once for all.
---@param options? adt.aws.CredentialOptions
---@return adt.aws.Provider
function M.default(options)
  options = options or {}
  errors.check_options("credentials.default", options, OPTIONS)
  if options.environ or options.now or options.mfa_code then
    return refresh.new { fetch = fetcher(options), now = options.now }
  end
  local key = ("%s\0%s\0%s"):format(options.profile or "", options.region or "", options.endpoint or "")
  if not shared[key] then
    shared[key] = refresh.new { fetch = fetcher { profile = options.profile, region = options.region, endpoint = options.endpoint } }
  end
  return shared[key]
end

-- --- explicit ones ---------------------------------------------------------------------------------------------------

local STATIC = { "access_key", "secret", "token", "expires", "account" }

local function reveal(name, value, optional)
  if secret.is(value) then value = value:reveal() end
  if type(value) ~= "string" or value == "" then
    if optional and value == nil then return nil end
    errors.raise { cause = "usage", code = "BadArgument", message = ("credentials.static: %s must be a string that is not empty"):format(name) }
  end
  return value
end

--- Credentials that are known, as a provider.
---@param given adt.aws.Credentials
---@return adt.aws.Provider
function M.static(given)
  if type(given) ~= "table" then
    errors.raise { cause = "usage", code = "BadArgument", message = "credentials.static takes a table: { access_key =, secret = }" }
  end
  errors.check_options("credentials.static", given, STATIC)
  local kept = {
    access_key = reveal("access_key", given.access_key), secret = reveal("secret", given.secret),
    token = reveal("token", given.token, true), expires = given.expires, account = given.account, source = "explicit",
  }
  csecret.add(kept.secret)
  if kept.token then csecret.add(kept.token) end
  return refresh.new { fetch = function() return kept end }
end

return M
