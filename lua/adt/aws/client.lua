--- Clients of AWS services, driven by their models: `aws.client("ec2"):DescribeSubnets { Filters = ... }`.
---
--- A call signs and sends, tries again where that helps, and gives the answer as a table, or raises an error that says
--- what to do next. Every attempt is signed anew, and no signature ever follows a redirect.
local attempt = require "adt.aws.attempt"
local body = require "adt.aws.body"
local clock = require "adt.c.clock"
local csecret = require "adt.c.secret"
local endpoint = require "adt.aws.endpoint"
local errors = require "adt.error"
local failure = require "adt.aws.failure"
local guard = require "adt.guard"
local log = require "adt.log"
local models = require "adt.aws.models"
local random = require "adt.random"
local retry = require "adt.aws.retry"
local skew = require "adt.aws.skew"
local task = require "adt.task"

---@class adt.aws.ClientOptions
---@field region? string default AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's
---@field profile? string default AWS_PROFILE, else "default"
---@field credentials? adt.aws.Credentials|adt.aws.Provider|"anonymous" default: as the SDKs find them
---@field endpoint? string "http://10.0.0.7:9000", instead of what is configured and of AWS's own
---@field fips? boolean
---@field dual_stack? boolean
---@field path_style? boolean of S3: buckets in the path; default with an endpoint of one's own
---@field retry? adt.aws.RetryOptions
---@field timeout? number|adt.http.Timeout of one attempt, as in adt.http; default 10 s to connect, 60 s without a byte
---@field ca? string file with authorities to trust; default AWS_CA_BUNDLE, ca_bundle of the profile, the system's
---@field insecure? boolean trust any certificate
---@field proxy? string|false as in adt.http

---@class adt.aws.CallOptions
---@field body? string|{ file: string }|fun(): string? of an upload; a function gives pieces until nil, and is asked once
---@field body_size? integer bytes that a function will give
---@field to? adt.http.Sink|fun(piece: string, response: adt.http.Response) where a download goes; answers that are errors do not
---@field max_body? integer bytes of an answer that is kept in memory; default 64 MiB
---@field timeout? number|adt.http.Timeout instead of the client's
---@field token? string for the idempotency member, instead of one that is made up
---@field checksum? string|false of an upload, see adt.s3
---@field sign_body? boolean
---@field trailers? boolean
---@field progress? fun(done: integer, total: integer)
---@field source? adt.aws.Source instead of body

---@class adt.aws.Plan what is known of an operation
---@field name string
---@field model userdata
---@field protocol string
---@field info table

---@class adt.aws.Client
---@field service string
---@field region? string
---@field endpoint string URL
---@field at adt.aws.Endpoint
---@field buckets table<string, adt.aws.Endpoint> S3's buckets that are in another region
local Client = {}
local M = {}

local OPTIONS = { region = true, profile = true, credentials = true, endpoint = true, fips = true, dual_stack = true,
  path_style = true, retry = true, timeout = true, ca = true, insecure = true, proxy = true }
local CALL = { body = true, body_size = true, to = true, max_body = true, timeout = true, token = true, checksum = true,
  sign_body = true, trailers = true, progress = true, source = true }

local function usage(code, message, hint)
  errors.raise { cause = "usage", code = code, message = message, hint = hint }
end

-- --- operations as methods -------------------------------------------------------------------------------------------

-- Fields that may be absent.
local ABSENT = { region = true, ca = true, insecure = true, proxy = true, timeout = true, path_style = true, provider = true,
  anonymous = true, checksums = true, place = true, rules = true, profile_name = true, region_source = true }

local operations = {}

-- "describe_subnets" is asked for as DescribeSubnets.
local function camel(name)
  return (name:gsub("^%l", string.upper):gsub("_(%w)", string.upper))
end

function Client.__index(self, name)
  local method = Client[name] or operations[name]
  if method or ABSENT[name] or type(name) ~= "string" then return method end
  local ok, err = pcall(self.plan, self, name)
  if not ok then
    local better = camel(name)
    if better ~= name and errors.is(err) and err.cause == "usage" and pcall(self.plan, self, better) then
      usage("UnknownOperation", ("%s has no operation '%s'"):format(self.service, name), ("did you mean '%s'?"):format(better))
    end
    error(err, 0)
  end
  -- The answer alone, so that adt.try() gives it, or nil and the error.
  method = function(client, params, how) return (client:call(name, params, how)) end
  operations[name] = method
  return method
end

function Client.__tostring(self)
  return ("aws.client(%s, %s)"):format(self.service, self.endpoint)
end

-- Verbs that change nothing, as AWS names its operations.
local READING = { Describe = true, List = true, Get = true, Head = true, Search = true, Lookup = true, Filter = true, Assume = true,
  Validate = true, Simulate = true, Decode = true, Query = true, Scan = true, Select = true, Estimate = true, Verify = true }

local function reads(operation)
  return operation.method == "GET" or operation.method == "HEAD" or READING[operation.name:match "^%u%l+"]
    or operation.name:find "^BatchGet" ~= nil or false
end

--- What is known of an operation; kept.
---@param name string
---@return adt.aws.Plan  # raises: usage "UnknownOperation", which names the nearest
function Client:plan(name)
  local plan = self.plans[name]
  if not plan then
    if type(name) ~= "string" then usage("BadArgument", "the name of an operation is a string") end
    local found = models.find(self.service, name)
    plan = { name = name, what = self.service .. " " .. name, model = found.model, found = found,
      info = found.model:operation(name), protocol = found.model:metadata().protocol }
    plan.info.read_only = reads(plan.info)
    self.plans[name] = plan
  end
  return plan
end

--- The names of all operations that the service's model has.
---@return string[]
function Client:operations()
  return models.find(self.service).model:operations()
end

-- What no dump of a client shows.
local secrets = setmetatable({}, { __mode = "k" })

-- --- making a client -------------------------------------------------------------------------------------------------

-- Which credentials: fixed ones, a provider, or none. The default provider is made when first asked.
local function set_credentials(self, given)
  if given == "anonymous" then
    self.anonymous = true
  elseif type(given) == "table" and type(given.get) == "function" then
    self.provider = given
  elseif type(given) == "table" then
    secrets[self].static = given
  elseif given ~= nil then
    usage("BadArgument", "aws.client: credentials are a table with access_key and secret, a provider, or \"anonymous\"")
  end
end

local function find_place(self, options)
  local metadata, profile = self.metadata, self.profile
  local source
  local has_region = metadata.endpoint_prefix ~= "iam" and metadata.endpoint_prefix ~= "route53"
  local ok, region = pcall(function()
    local found
    found, source = require("adt.aws.region").find { region = options.region, profile = profile, metadata = has_region }
    return found
  end)
  if not ok and (has_region or not errors.is(region) or region.code ~= "NoRegion") then error(region, 0) end
  self.region, self.region_source = ok and region or nil, source
  self.place = { service = self.service, metadata = metadata, region = self.region, profile = profile,
    endpoint = options.endpoint, fips = options.fips, dual_stack = options.dual_stack, environ = self.environ, rules = self.rules }
  self.at = endpoint.resolve(self.place)
  self.endpoint = self.at.url
end

--- A client of a service. Nothing is sent; keep it, since it keeps credentials, clocks and the quota of retries.
---@param service string botocore's name: "ec2", "service-quotas"
---@param options? adt.aws.ClientOptions
---@return adt.aws.Client  # raises: usage "UnknownService", "UnknownOption"; config: no region, a bad endpoint or setting
function M.new(service, options)
  options = options or {}
  if type(options) ~= "table" then usage("BadArgument", "aws.client: the options must be a table") end
  errors.check_options("aws.client", options, OPTIONS)
  local found, profiles = models.find(service), require "adt.aws.profile"
  local environ = profiles.getenv()
  local profile = profiles.load { profile = options.profile }
  local mode, attempts = retry.settings(options.retry, environ, profile)
  local self = setmetatable({
    service = service, metadata = found.model:metadata(), rules = found.endpoint_rules,
    plans = {}, buckets = {}, profile = profile, environ = environ,
    profile_name = options.profile, skew = skew.new(), hint = retry.hint, timeout = options.timeout,
    insecure = options.insecure, proxy = options.proxy, path_style = options.path_style,
    ca = options.ca or environ "AWS_CA_BUNDLE" or profile:text "ca_bundle",
    checksums = environ "AWS_REQUEST_CHECKSUM_CALCULATION" or profile:text "request_checksum_calculation",
    retries = retry.new { mode = mode, attempts = attempts, clock = clock.monotonic, random = math.random },
  }, Client)
  if self.checksums then self.checksums = self.checksums:lower() end
  secrets[self] = {}
  set_credentials(self, options.credentials)
  find_place(self, options)
  if options.insecure then log.warn("certificates are not checked", { service = service, endpoint = self.endpoint }) end
  return self
end

-- A service may send back what it was sent, so secrets are redacted from then on.
local function hide(self, credentials)
  local hidden = secrets[self]
  for _, name in ipairs { "secret", "token" } do
    local value = credentials[name]
    if type(value) == "string" and hidden[name] ~= value then
      csecret.add(value)
      hidden[name] = value
    end
  end
end

--- The credentials that sign the next request. Waits while they are fetched.
---@return adt.aws.Credentials|"anonymous"  # raises: auth "NoCredentials", which tells every source that was asked
function Client:keys()
  if self.anonymous then return "anonymous" end
  local found = secrets[self].static
  if not found then
    if not self.provider then
      self.provider = require("adt.aws.credentials").default { profile = self.profile_name, region = self.region }
    end
    local given = self.provider:get()
    found = { access_key = given.access_key, secret = given.secret, token = given.token, expires = given.expires }
  end
  hide(self, found)
  return found
end

-- --- a call ----------------------------------------------------------------------------------------------------------

local function uuid()
  local hex = random.hex(16)
  local variant = ("89ab"):sub(tonumber(hex:sub(17, 17), 16) % 4 + 1):sub(1, 1)
  return ("%s-%s-4%s-%s%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16), variant, hex:sub(18, 20), hex:sub(21, 32))
end

-- What is to be sent in place of the streaming member.
local function source_of(plan, params, how)
  local member = plan.info.streaming_input
  local given = how.source or how.body
  if given ~= nil and not member then
    usage("NoUpload", ("%s takes no body"):format(plan.what), "its parameters are all that it takes")
  end
  if given == nil and member then given = params[member] or "" end
  if member and type(params[member]) ~= "string" and params[member] ~= nil then
    local copy = {}
    for name, value in pairs(params) do copy[name] = value end
    copy[member] = nil
    params = copy
  end
  if given == nil then return nil, params end
  return how.source or body.source(plan.what, given, how.body_size), params
end

local LARGEST = 64 * 1024 * 1024

-- Only S3 takes bodies in pieces; others are signed over the whole.
local function as_text(plan, source)
  if source.kind == "pull" then
    usage("BadBody", ("%s: only S3 takes a body from a function"):format(plan.what), "give it as a string or { file = PATH }")
  end
  return source.text or require("adt.fs").read(source.file, { max = LARGEST })
end

local function begin(self, name, params, how, only_sign)
  local plan = self:plan(name)
  local info = plan.info
  params, how = params or {}, how or {}
  if type(params) ~= "table" then usage("BadArgument", ("%s takes a table of parameters"):format(plan.what)) end
  for key in next, how do
    if not CALL[key] then errors.check_options(plan.what, how, CALL) end
  end
  if how.to and not info.streaming_output then
    usage("NoDownload", ("%s gives no body that could go anywhere"):format(plan.what), "its answer is the table that it returns")
  elseif info.event_stream then
    usage("EventStream", ("%s answers with a stream of events, which is not supported"):format(plan.what))
  end
  if not info.read_only and not only_sign then guard.check("aws " .. plan.what) end
  local call = { plan = plan, how = how, id = uuid() }
  call.source, call.params = source_of(plan, params, how)
  local token = #info.idempotency > 0 and (how.token or uuid()) or nil
  local built, err = plan.model:request(name, call.params, token)
  if not built then
    local fields = {}
    for key, value in pairs(err) do fields[key] = value end
    fields.message = ("%s: %s"):format(err.message:sub(1, #name + 1) == name .. " " and self.service or plan.what, err.message)
    errors.raise(fields)
  end
  call.built, call.repeatable = built, retry.repeatable(info, call.params)
  call.bucket = self.service == "s3" and type(call.params.Bucket) == "string" and call.params.Bucket or nil
  if call.source and self.service ~= "s3" then
    built.body, call.source = as_text(plan, call.source), nil
  elseif not call.source and (info.checksum_required or info.checksum_algorithm_member) and built.body then
    call.source = body.source(plan.what, built.body)
  end
  return call
end

-- --- what can be put right at once -----------------------------------------------------------------------------------

local function region_of(problem)
  local fields = problem.failure.fields or {}
  local region = problem.headers["x-amz-bucket-region"] or fields.Region or problem.failure.region
    or (problem.response.body or ""):match "<Region>([%w%-]+)</Region>"
    or problem.failure.code == "AuthorizationHeaderMalformed" and problem.failure.message:match "expecting '([%w%-]+)'"
  return region and region:match "^%w[%w%-]*$" and region or nil
end

local REDIRECT = { [301] = true, [302] = true, [307] = true, [308] = true, [400] = true, [403] = true }

-- A bucket in another region: its endpoint is remembered, and the request is signed for it.
local function moved(self, call, problem)
  local region = call.bucket and REDIRECT[problem.response.status] and region_of(problem)
  local at = self.buckets[call.bucket] or self.at
  if not region or region == at.signing_region then return false end
  local there = {}
  for key, value in pairs(self.place) do there[key] = value end
  there.region = region
  self.buckets[call.bucket] = endpoint.resolve(there)
  return true
end

local function skewed(self, call, problem)
  return self.skew:refused(call.host, problem.failure.code, problem.headers.date, problem.middle)
end

local function expired(self, call, problem)
  if not (failure.EXPIRED[problem.failure.code] and self.provider and self.provider.invalidate and call.access_key) then
    return false
  end
  self.provider:invalidate(call.access_key)
  return true
end

-- Each helps once in a call.
local REMEDIES = { moved, skewed, expired }

local function put_right(self, call, problem)
  if not problem.failure then return false end
  call.tried = call.tried or {}
  for i, remedy in ipairs(REMEDIES) do
    if not call.tried[i] and remedy(self, call, problem) then
      call.tried[i] = true
      return true
    end
  end
  return false
end

-- --- the loop --------------------------------------------------------------------------------------------------------

local function redirect_hint(problem)
  local status = problem.response and problem.response.status or 0
  if status < 300 or status >= 400 then return nil end
  return "redirects are not followed, since the signature would go along: give the right region or endpoint"
end

local function raise(self, call, problem, track)
  local what = call.plan.what
  if problem.failure then
    error(failure.of_answer { what = what, where = problem.where, status = problem.response.status, failure = problem.failure,
      kind = retry.kind_of(track, problem.outcome), track = track, hint = redirect_hint(problem) }, 0)
  end
  error(failure.of_silence { what = what, where = problem.where, err = problem.err, track = track,
    maybe = call.repeatable ~= "always" }, 0)
end

-- What went out, or came in, of a stream is not there a second time.
local function is_spent(call)
  return call.begun or (call.source and not body.can_repeat(call.source))
end

local function wait(call, track, delay, problem)
  local fields = { call = call.plan.what, attempt = track.attempt, wait_s = math.floor(delay * 1000) / 1000,
    error = problem.failure and problem.failure.code or problem.err and problem.err.code }
  log[delay > 5 and "info" or "debug"]("an AWS call is tried again", fields)
  task.sleep(delay)
end

--- Calls an operation: the answer, and the HTTP response behind it. Waits; tries again as the client's `retry` says.
---@param name string "DescribeSubnets"
---@param params? table by the names of the model
---@param how? adt.aws.CallOptions
---@return table result, adt.http.Response response
--- Raises: usage (an unknown operation or member, with the nearest), auth, service, capacity, quota, timeout, unknown
--- (it may have been done), config; `code` is AWS's, and `request_id`, `status`, `attempts`, `fields` tell more.
function Client:call(name, params, how)
  local call = begin(self, name, params, how)
  local policy = self.retries
  local track = policy:call(self.service, call.repeatable)
  while true do
    local pause = policy:admit()
    if pause > 0 then task.sleep(pause) end
    local result, other = attempt.send(self, call, track)
    if result then
      policy:succeeded(track)
      return result, other
    end
    if is_spent(call) then raise(self, call, other, track) end
    if not put_right(self, call, other) then
      local delay = policy:failed(track, other.outcome)
      if not delay then raise(self, call, other, track) end
      wait(call, track, delay, other)
    end
  end
end

-- --- pages, waiters, presigned URLs ----------------------------------------------------------------------------------

--- Iterates over the pages of an answer: `for page in ec2:pages("DescribeInstances") do`.
---@param name string
---@param params? table
---@param options? adt.aws.PageOptions
---@return fun(): table?  # raises: usage "NotPaged"; then what the calls raise
function Client:pages(name, params, options)
  local pages = require "adt.aws.pages"
  return pages.iterate(self, name, params, pages.rule(self:plan(name).found, name), options)
end

--- Iterates over what the pages hold: `for stack in cloudformation:items("ListStacks") do`.
---@param name string
---@param params? table
---@param options? adt.aws.ItemOptions
---@return fun(): any  # raises: usage "NotPaged", "SeveralKeys"; then what the calls raise
function Client:items(name, params, options)
  local pages = require "adt.aws.pages"
  return pages.items(self, name, params, pages.rule(self:plan(name).found, name), options)
end

--- Waits until a resource is in the state that a waiter of the model describes.
---@param name string "ClusterActive"
---@param params? table
---@param options? adt.aws.WaitOptions
---@return table? response the last one  # raises: usage "UnknownWaiter", service "WaiterFailed", timeout "WaiterTimeout"
function Client:wait(name, params, options)
  local waiter = require "adt.aws.waiter"
  return waiter.wait(self, name, params, waiter.rule(models.find(self.service), name), options)
end

--- A URL with which anybody can make the call until it expires: keep it as a secret.
---@param name string
---@param params? table
---@param options? { expires?: integer } seconds, up to 604800; 3600 unless given
---@return string url
---@return table<string, string> headers that must be sent with it
---@return string method
--- Raises: usage "CannotPresign" for operations that send a body of JSON; as call().
function Client:presign(name, params, options)
  options = options or {}
  errors.check_options("aws: presign", options, { "expires" })
  local plan = self:plan(name)
  if plan.protocol == "json" then
    usage("CannotPresign", ("%s sends its parameters in a body, which a URL does not hold"):format(plan.what))
  end
  local call = begin(self, name, params, nil, true)
  local url, headers = attempt.presign(self, call, options.expires or 3600)
  return url, headers, call.built.method
end

return setmetatable(M, { __call = function(_, service, options) return M.new(service, options) end })
