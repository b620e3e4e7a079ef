--- What a call that failed tells its caller: the cause by the service's code, a sentence, and what to do next.
local csecret = require "adt.c.secret"
local errors = require "adt.error"

local M = {}

local function set(words)
  local found = {}
  for word in words:gmatch "%S+" do found[word] = true end
  return found
end

--- Credentials that have ended: newer ones may be taken.
M.EXPIRED = set "ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired ExpiredCredentials"

local WRONG_KEY = set "InvalidClientTokenId UnrecognizedClientException InvalidAccessKeyId InvalidToken AuthFailure"
local WRONG_SIGNATURE = set "SignatureDoesNotMatch InvalidSignatureException IncompleteSignature IncompleteSignatureException"
local NO_CREDENTIALS = set "MissingAuthenticationToken MissingAuthenticationTokenException"
local NOT_ALLOWED = set [[
  AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized NotAuthorizedException UnauthorizedException
  ForbiddenException AllAccessDisabled OptInRequired AccountProblem InvalidSecurity ]]
local WRONG_TIME = set "RequestTimeTooSkewed RequestInTheFuture SignatureNotYetCurrent"
local CAPACITY = set [[
  InsufficientInstanceCapacity InsufficientHostCapacity InsufficientCapacity InsufficientCapacityException
  InsufficientReservedInstanceCapacity InsufficientCapacityOnHost InsufficientFreeAddressesInSubnet UnfulfillableCapacity
  SpotMaxPriceTooLow ReservationCapacityExceeded InsufficientVolumeCapacity Server.InsufficientInstanceCapacity ]]
local QUOTA = set [[
  LimitExceeded ServiceQuotaExceededException ServiceLimitExceededException QuotaExceeded QuotaExceededException
  TooManyBuckets MaxSpotInstanceCountExceeded ]]
local THROTTLED = set "RequestLimitExceeded BandwidthLimitExceeded"

local HINT = {
  expired = "get new ones: sign in again, or assume the role again",
  wrong_key = "these keys are not known there: look at their source, and whether they belong to this partition",
  wrong_signature = "the secret key does not belong to the access key, or something changes requests on their way",
  none = "this needs credentials: take \"anonymous\" away",
  not_allowed = "adt.aws.whoami() tells who asks; the policies of that identity, and those of the resource, decide",
  wrong_time = "set this machine's clock, and run NTP",
  capacity = "AWS has none left there now: try another zone, another time or another type, or reserve capacity",
  quota = "free some of it, or ask for more in Service Quotas",
  throttling = "ask less often, or use retry = { mode = \"adaptive\" }",
}

-- Cause and hint of a code.
local function meaning(code, status, kind)
  if kind == "throttling" then return "service", HINT.throttling end
  if M.EXPIRED[code] then return "auth", HINT.expired end
  if WRONG_KEY[code] then return "auth", HINT.wrong_key end
  if WRONG_SIGNATURE[code] then return "auth", HINT.wrong_signature end
  if NO_CREDENTIALS[code] then return "auth", HINT.none end
  if NOT_ALLOWED[code] then return "auth", HINT.not_allowed end
  if WRONG_TIME[code] then return "auth", HINT.wrong_time end
  if CAPACITY[code] then return "capacity", HINT.capacity end
  local limit = code:match "LimitExceeded$" or code:match "LimitExceededException$" or code:match "QuotaExceeded$"
  if QUOTA[code] or (limit and not THROTTLED[code]) then return "quota", HINT.quota end
  if code == "" and (status == 401 or status == 403) then return "auth", HINT.not_allowed end
  return "service", nil
end

--- Whether an error says that these credentials may not do that: asking again helps nobody.
---@param err any
---@return boolean
function M.is_denied(err)
  return errors.is(err) and err.cause == "auth" and NOT_ALLOWED[err.code] == true
end

local LONGEST = 2000

-- Refused signatures are explained with the canonical request, which holds the session token; and a secret may be
-- anywhere in what comes back.
local function readable(text)
  text = text:gsub("%s*The [Cc]anonical [Ss]tring.*$", ""):gsub("%c+", " ")
  if #text > LONGEST then text = text:sub(1, utf8.offset(text, 0, LONGEST) - 1) .. "..." end
  return csecret.redact(text)
end

local function suffix(reason, attempts)
  if reason == "Quota" then
    return (" (attempt %d; too many calls of this client failed lately to go on trying)"):format(attempts)
  end
  return attempts > 1 and (" (after %d attempts)"):format(attempts) or ""
end

---@class adt.aws.FailureOptions
---@field what string "ec2 DescribeSubnets"
---@field where string endpoint
---@field status integer
---@field failure table what adt.c.awsmodel says of the answer
---@field kind? "throttling"|"transient"
---@field track adt.aws.RetryCall
---@field hint? string instead of the code's own

--- The error of an answer that says what went wrong.
---@param o adt.aws.FailureOptions
---@return adt.Error
function M.of_answer(o)
  local f, status = o.failure, o.status
  local code = f.code ~= "" and f.code or "HTTP" .. status
  local cause, hint = meaning(f.code, status, o.kind)
  local text = f.message ~= "" and readable(f.message) or ("the service answered with HTTP status %d"):format(status)
  if f.code == "" and f.message ~= "" then text = ("HTTP status %d: %s"):format(status, text) end
  return errors.new {
    cause = cause, code = code, where = o.where, status = status, hint = o.hint or hint,
    message = ("%s: %s%s"):format(o.what, text, suffix(o.track.reason, o.track.attempt)),
    request_id = f.request_id ~= "" and f.request_id or nil, host_id = f.host_id ~= "" and f.host_id or nil,
    retryable = o.kind ~= nil and o.track.reason ~= "MayHaveHappened", attempts = o.track.attempt,
    fields = next(f.fields or {}) and f.fields or nil,
  }
end

-- Up to these nothing was sent.
local NOT_SENT = set [[ CouldNotResolveHost CouldNotResolveProxy CouldNotConnect ConnectTimeout Proxy SslConnectError ]]

--- The error of a request that got no answer, or one that cannot be read: adt.http's or the parser's, with what was asked.
---@param o { what: string, where: string, err: adt.Error, track: adt.aws.RetryCall, maybe: boolean }
---@return adt.Error
function M.of_silence(o)
  local err, fields = o.err, {}
  for name, value in pairs(err) do fields[name] = value end
  fields.message = ("%s: %s%s"):format(o.what, csecret.redact(err.message), suffix(o.track.reason, o.track.attempt))
  fields.where = err.where or o.where
  fields.attempts, fields.inner = o.track.attempt, err
  -- It may have been done or not: whoever tries blindly may do it twice.
  if o.maybe and not NOT_SENT[err.code or ""] and (err.cause == "service" or err.cause == "timeout") then
    fields.cause, fields.retryable = "unknown", false
    fields.hint = "it may have been done: ask the service before you do it again"
  elseif err.code == "CouldNotResolveHost" then
    fields.hint = "is the region's name right, and does this machine reach AWS?"
  end
  return errors.new(fields)
end

return M
