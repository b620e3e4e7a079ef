--- Credentials and region of the EC2 instance this runs on: its metadata service, by version 2 of the protocol.
local chttp = require "adt.c.http"
local clock = require "adt.c.clock"
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local form = require "adt.aws.source.form"
local http = require "adt.http"
local log = require "adt.log"

local M = { name = "imds" }

local V4, V6 = "http://169.254.169.254", "http://[fd00:ec2::254]"
local TOKEN_SECONDS = 21600
local ROLES = "/latest/meta-data/iam/security-credentials/"
local NEAR = 15 * 60 -- seconds: credentials that end so soon are used longer

-- A setting of the environment, else of the profile.
local function setting(ctx, variable, key)
  return ctx.getenv(variable) or ctx.profile:text(key)
end

local function number(ctx, variable, key, default)
  local given = setting(ctx, variable, key)
  local value = tonumber(given or default)
  if not value or not (value > 0 and value <= 3600) then
    errors.raise { cause = "config", code = "BadSetting", message = ("%s, or %s of the profile, must be a number above 0"):format(variable, key) }
  end
  return value
end

local function is_true(text)
  return text ~= nil and text:lower() == "true"
end

local function endpoint(ctx)
  local named = setting(ctx, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")
  local mode = (setting(ctx, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode") or "ipv4"):lower()
  if mode ~= "ipv4" and mode ~= "ipv6" then
    errors.raise { cause = "config", code = "BadSetting", message = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6" }
  end
  local url, err = chttp.url(named or (mode == "ipv6" and V6 or V4))
  if not url then
    errors.raise { cause = "config", code = "BadSetting", message = "the instance metadata's endpoint is no URL: " .. err.message }
  end
  return (url.url:gsub("/+$", ""))
end

---@class adt.aws.Metadata one way to the service, with its token
local Metadata = {}
Metadata.__index = Metadata

--- How the service is to be asked; nil and why when it is switched off.
---@param ctx adt.aws.SourceContext
---@return adt.aws.Metadata?, string?
function M.open(ctx)
  if is_true(ctx.getenv "AWS_EC2_METADATA_DISABLED") then
    return nil, "AWS_EC2_METADATA_DISABLED is set"
  end
  return setmetatable({
    endpoint = endpoint(ctx), now = ctx.now or clock.now,
    v1_disabled = is_true(setting(ctx, "AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled")),
    timeout = number(ctx, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout", 1),
    tries = number(ctx, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts", 1),
  }, Metadata)
end

-- A response or an error. Never by a proxy: what answers there is not this machine's.
function Metadata:send(method, page, headers)
  local response, err
  for _ = 1, self.tries do
    response, err = errors.try(http.request, {
      url = self.endpoint .. page, method = method, headers = headers, read_only = true, proxy = false, max_body = 64 * 1024,
      timeout = { connect = self.timeout, first = self.timeout, total = 3 * self.timeout },
    })
    if response and response.status < 500 or err and err.cause == "cancelled" then break end
  end
  if err and err.cause == "cancelled" then error(err, 0) end
  return response, err
end

local function unreachable(self, err)
  errors.raise { cause = "auth", code = "NoMetadata", inner = err, where = self.endpoint,
    message = ("no instance metadata at %s: %s"):format(self.endpoint, err.message) }
end

local function no_version_1(self, why)
  if self.v1_disabled then
    errors.raise { cause = "auth", code = "NoMetadataToken", where = self.endpoint,
      message = ("the instance metadata gave no token (%s), and version 1 is switched off"):format(why),
      hint = "containers on the instance need a hop limit of 2 or more for its metadata" }
  end
  return nil
end

-- The session token, or nil where only version 1 is spoken.
function Metadata:session()
  if self.token and self.now() < self.until_ then return self.token end
  self.token = nil
  local response, err = self:send("PUT", "/latest/api/token", { ["x-aws-ec2-metadata-token-ttl-seconds"] = TOKEN_SECONDS })
  if not response then
    -- A connection that stands and gives no answer: the answer's packets end one hop before a container.
    if err.cause == "timeout" and err.code ~= "ConnectTimeout" then return no_version_1(self, "no answer in time") end
    unreachable(self, err)
  end
  local status = response.status
  if status == 403 or status == 404 or status == 405 then return no_version_1(self, tostring(status)) end
  if status ~= 200 or not response.body:match "^[\33-\126]+$" or #response.body > 4096 then
    errors.raise { cause = "auth", code = "NoMetadataToken", where = self.endpoint, retryable = status >= 500,
      message = ("the instance metadata refused a token: %d"):format(status) }
  end
  local seconds = tonumber(response.headers["x-aws-ec2-metadata-token-ttl-seconds"] or TOKEN_SECONDS) or TOKEN_SECONDS
  csecret.add(response.body)
  self.token, self.until_ = response.body, self.now() + seconds * 0.9
  return self.token
end

--- A page of the service. A token that ended meanwhile is replaced once.
---@param page string
---@return adt.http.Response  # raises: auth "NoMetadata", "NoMetadataToken"
function Metadata:get(page)
  for try = 1, 2 do
    local token = self:session()
    local response, err = self:send("GET", page, token and { ["x-aws-ec2-metadata-token"] = token } or nil)
    if not response then unreachable(self, err) end
    if response.status ~= 401 or try == 2 or not token then return response end
    self.token = nil
  end
end

local function refused(self, what, response)
  errors.raise { cause = "auth", code = "MetadataFailed", where = self.endpoint, retryable = response.status >= 500,
    message = ("the instance metadata answered %d for %s"):format(response.status, what) }
end

-- Where the service has no new ones yet the old ones go on, as AWS takes them then.
local function extended(credentials, now)
  if credentials.expires - now < NEAR then
    log.warn("the instance's metadata gave credentials that end soon or have ended; they are used until it has new ones", {})
    credentials.expires = now + NEAR + 120 + 480 * math.random()
  end
  return credentials
end

local function role_of(self)
  local response = self:get(ROLES)
  local role = response.status == 200 and response.body:match "^%s*([^\r\n]*)" or ""
  if response.status ~= 200 and response.status ~= 404 then refused(self, "the role's name", response) end
  if role == "" then
    return nil, "the instance has no role"
  end
  if not role:match "^[%w+=,.@_-]+$" then
    errors.raise { cause = "auth", code = "MetadataFailed", where = self.endpoint,
      message = "the instance metadata gave what is no role's name" }
  end
  return role
end

local function fetch(self)
  local role, reason = role_of(self)
  if not role then return nil, reason end
  local response = self:get(ROLES .. role)
  if response.status ~= 200 then refused(self, "the role's credentials", response) end
  local what = "the instance metadata"
  local answer = form.object(what, response.body, "MetadataFailed")
  if answer.AccessKeyId == nil and form.text(answer, "Code") then
    return nil, ("the instance metadata says %s: %s"):format(form.masked(answer.Code), form.masked(form.text(answer, "Message") or ""))
  end
  if answer.Token == nil or answer.Expiration == nil then
    errors.raise { cause = "auth", code = "BadCredentials",
      message = ("%s: %s is missing"):format(what, answer.Token == nil and "Token" or "Expiration") }
  end
  return extended(form.credentials("imds", what, {
    access_key = answer.AccessKeyId, secret = answer.SecretAccessKey, token = answer.Token, expires = answer.Expiration,
    account = answer.AccountId, names = { token = "Token" },
  }), self.now())
end

---@param ctx adt.aws.SourceContext
---@return (fun(): adt.aws.ServedCredentials?, string?)? fetch
---@return string? reason
function M.find(ctx)
  local metadata, reason = M.open(ctx)
  if not metadata then return nil, reason end
  return function()
    local ok, found, why = pcall(fetch, metadata)
    if ok then return found, why end
    -- Most machines are no instances: that nobody is there is an answer.
    if errors.is(found) and found.code == "NoMetadata" then return nil, found.message end
    error(found, 0)
  end
end

--- The region of the instance. Raises where there is none, as Metadata:get().
---@param options { environ: table?, profile: adt.aws.Profile }
---@return string
function M.region(options)
  local metadata, reason = M.open { getenv = require("adt.aws.profile").getenv(options.environ), profile = options.profile }
  if not metadata then
    errors.raise { cause = "config", code = "NoMetadata", message = "the instance's metadata was not asked: " .. reason }
  end
  local response = metadata:get "/latest/meta-data/placement/region"
  local region = response.status == 200 and response.body:match "^%s*(%S+)%s*$"
  return region or refused(metadata, "the region", response)
end

return M
