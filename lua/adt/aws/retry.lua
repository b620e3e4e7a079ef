--- Which calls are tried again, and after how long. Waits for nothing and asks nobody: clock and chance are given.
local errors = require "adt.error"
local ratelimit = require "adt.aws.ratelimit"

local M = {}

---@class adt.aws.RetryOptions
---@field mode? "patient"|"standard"|"adaptive"|"legacy"|"off" default "patient", or AWS_RETRY_MODE or retry_mode of the profile
---@field attempts? integer with the first; default by the mode, or AWS_MAX_ATTEMPTS or max_attempts of the profile

---@class adt.aws.Outcome what an attempt that did not succeed has come to
---@field status? integer of the answer; nil: none came
---@field code? string
---@field retryable? boolean no answer: the request may be sent again (adt.http's word); an answer: the model says so
---@field throttling? boolean the model says so
---@field timeout? boolean no answer came in time
---@field retry_after? number seconds that the service asks for

---@class adt.aws.RetryCall
---@field attempt integer the one under way, or that came last
---@field reason? string why it is not tried again: "Attempts", "Quota", "NotRetryable", "MayHaveHappened"

-- A call in "patient" mode goes on longer than the SDKs do, and whatever it has spent of the quota comes back when it
-- succeeds: half of all answers being errors is then no failure, and a service that is down for good still costs no more.
local MODES = {
  patient = { attempts = 10, refund_all = true },
  standard = { attempts = 3 },
  adaptive = { attempts = 3, adaptive = true },
  legacy = { attempts = 5 },
  off = { attempts = 1 },
}

local QUOTA, COST, COST_TIMEOUT, REWARD = 500, 5, 10, 1
local LONGEST, HINT_BEYOND = 20, 5

local function set(words)
  local found = {}
  for word in words:gmatch "%S+" do found[word] = true end
  return found
end

local THROTTLING = set [[
  Throttling ThrottlingException ThrottledException RequestThrottledException TooManyRequestsException
  ProvisionedThroughputExceededException TransactionInProgressException RequestLimitExceeded BandwidthLimitExceeded
  LimitExceededException RequestThrottled SlowDown PriorRequestNotComplete EC2ThrottledException ]]
local TRANSIENT = set "RequestTimeout RequestTimeoutException PriorRequestNotComplete"
local TRANSIENT_STATUS = { [500] = true, [502] = true, [503] = true, [504] = true }

-- Codes that mean something in one service only.
local SPECIAL = {
  sts = set "IDPCommunicationError",
  s3 = set "BadDigest InternalError",
  ec2 = set "EC2ThrottledException InternalError",
}

-- What mostly no waiting helps, and so is not waited for with all patience: quotas, of which most services say what the SDKs
-- take for throttling; names of hosts that were mistyped; servers that were never started.
local FEW = { LimitExceededException = 3, CouldNotResolveHost = 3, CouldNotConnect = 5 }

-- --- which operations may be repeated --------------------------------------------------------------------------------

-- Doing these twice leaves things as doing them once. Those that only read are known to be (`read_only`).
local REPEATABLE = { "Delete", "Deregister", "Put", "Set", "Tag", "Untag", "Modify", "Terminate", "Stop", "Cancel", "Enable", "Disable",
  "Attach", "Detach", "Associate", "Disassociate" }
local REPEATABLE_METHOD = set "GET HEAD PUT DELETE OPTIONS"

-- What costs money each time: PurchaseCapacityBlock has no token to tell a repetition by.
local COSTLY = "Purchase"

--- How far an operation may be repeated: "always"; "answered": once an answer says that it was not done, but not after a
--- broken connection; "undone": only if it was throttled or never sent.
---@param operation { name: string, method: string, read_only: boolean, idempotency: string[] }
---@param params table
---@return "always"|"answered"|"undone"
function M.repeatable(operation, params)
  if operation.read_only or #(operation.idempotency or {}) > 0 or params.ClientToken or params.ClientRequestToken then
    return "always"
  elseif operation.name:sub(1, #COSTLY) == COSTLY then
    return "undone"
  elseif REPEATABLE_METHOD[operation.method] then
    return "always"
  end
  for _, prefix in ipairs(REPEATABLE) do
    if operation.name:sub(1, #prefix) == prefix then return "always" end
  end
  return "answered"
end

-- --- the policy ------------------------------------------------------------------------------------------------------

---@class adt.aws.RetryPolicy
---@field mode string
---@field attempts integer
---@field tokens number of the quota that are left
local Policy = {}
Policy.__index = Policy

---@param options { mode?: string, attempts?: integer, clock: fun(): number, random: fun(): number } random gives 0 to 1
---@return adt.aws.RetryPolicy  # raises: usage
function M.new(options)
  local mode = MODES[options.mode or "patient"]
  if not mode then
    local names = { "patient", "standard", "adaptive", "legacy", "off" }
    local near = errors.nearest(tostring(options.mode), names)
    errors.raise { cause = "usage", code = "BadArgument", message = ("aws: '%s' is no retry mode"):format(tostring(options.mode)),
      hint = near and ("did you mean '%s'?"):format(near) or "known: " .. table.concat(names, ", ") }
  end
  local attempts = options.attempts or mode.attempts
  if math.type(attempts) ~= "integer" or attempts < 1 then
    errors.raise { cause = "usage", code = "BadArgument", message = ("aws: retries: attempts must be a whole number above 0, not %s")
      :format(tostring(options.attempts)) }
  end
  return setmetatable({ mode = options.mode or "patient", attempts = attempts, refund_all = mode.refund_all, tokens = QUOTA,
    random = options.random, limit = mode.adaptive and ratelimit.new(options.clock) or nil }, Policy)
end

--- What is configured for all clients.
---@param options? adt.aws.RetryOptions
---@param environ fun(name: string): string?
---@param profile? { get: fun(self, key: string): string? }
---@return string? mode, integer? attempts  # raises: usage, config
function M.settings(options, environ, profile)
  options = options or {}
  errors.check_options("aws: retry", options, { "mode", "attempts" })
  local mode = options.mode or environ "AWS_RETRY_MODE" or profile and profile:get "retry_mode"
  local attempts = options.attempts
  local text = attempts == nil and (environ "AWS_MAX_ATTEMPTS" or profile and profile:get "max_attempts")
  if text then
    attempts = math.tointeger(tonumber(text))
    if not attempts or attempts < 1 then
      errors.raise { cause = "config", code = "BadSetting", message = ("aws: '%s' is no number of attempts"):format(text),
        hint = "AWS_MAX_ATTEMPTS and max_attempts are whole numbers above 0" }
    end
  end
  return mode and mode:lower(), attempts
end

--- Begins a call.
---@param service string
---@param repeatable "always"|"answered"|"undone"
---@return adt.aws.RetryCall
function Policy:call(service, repeatable)
  return { attempt = 1, spent = 0, last = 0, special = SPECIAL[service] or {}, repeatable = repeatable }
end

--- Seconds to wait before an attempt is sent; nothing but the adaptive mode asks for any.
---@return number
function Policy:admit()
  return self.limit and self.limit:take() or 0
end

-- "throttling", "transient" or nil.
local function kind_of(call, outcome)
  local code = outcome.code or ""
  if not outcome.status then
    return outcome.retryable and "transient" or nil
  elseif THROTTLING[code] or outcome.throttling or outcome.status == 429 then
    return "throttling"
  elseif TRANSIENT[code] or TRANSIENT_STATUS[outcome.status] or outcome.retryable or call.special[code] then
    return "transient"
  end
end
M.kind_of = kind_of

local function may_repeat(call, outcome, kind)
  return call.repeatable ~= "undone" or kind == "throttling" or not outcome.status
end

local function no(call, reason)
  call.reason = reason
  return nil
end

--- Notes that an attempt has succeeded.
---@param call adt.aws.RetryCall
function Policy:succeeded(call)
  local back = call.attempt == 1 and REWARD or self.refund_all and call.spent or call.last
  self.tokens = math.min(QUOTA, self.tokens + back)
  if self.limit then self.limit:note(false) end
end

--- Notes that an attempt has failed: the seconds to wait before the next one, or nil if there is to be none.
---@param call adt.aws.RetryCall
---@param outcome adt.aws.Outcome
---@return number?
function Policy:failed(call, outcome)
  local kind = kind_of(call, outcome)
  if self.limit and outcome.status then self.limit:note(kind == "throttling") end
  if not kind then return no(call, "NotRetryable") end
  if not may_repeat(call, outcome, kind) then return no(call, "MayHaveHappened") end
  local few = not outcome.throttling and outcome.status ~= 429 and FEW[outcome.code or ""]
  if call.attempt >= math.min(few or self.attempts, self.attempts) then return no(call, "Attempts") end
  local cost = outcome.timeout and COST_TIMEOUT or COST
  if self.tokens < cost then return no(call, "Quota") end
  self.tokens, call.spent, call.last = self.tokens - cost, call.spent + cost, cost
  local delay = self.random() * math.min(2 ^ (call.attempt - 1), LONGEST)
  if outcome.retry_after then
    delay = math.max(delay, math.min(outcome.retry_after, delay + HINT_BEYOND))
  end
  call.attempt = call.attempt + 1
  return delay
end

--- The seconds of an x-amz-retry-after header, which counts milliseconds.
---@param text? string
---@return number?
function M.hint(text)
  local milliseconds = text and text:match "^%d+$" and #text <= 9 and tonumber(text)
  return milliseconds and milliseconds / 1000 or nil
end

return M
