--- How far the clocks of services are from ours: learned from answers that refuse a signature for its time, kept for each
--- host, and put right before the next request to it is signed.
local errors = require "adt.error"
local time = require "adt.time"

local M = {}

-- Refused for its time, or for what a wrong time may be the cause of. The least difference, in seconds, that explains it.
local DEFINITE, AMBIGUOUS = 30, 240
local CODES = {
  RequestTimeTooSkewed = DEFINITE, RequestInTheFuture = DEFINITE, RequestExpired = DEFINITE,
  SignatureDoesNotMatch = AMBIGUOUS, InvalidSignatureException = AMBIGUOUS, AuthFailure = AMBIGUOUS,
  BadRequestException = AMBIGUOUS, AccessDenied = AMBIGUOUS, SignatureNotYetCurrent = DEFINITE,
}

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }

--- Seconds since 1970 UTC of a Date header, or nil.
---@param text? string "Tue, 24 Nov 2026 21:41:33 GMT"
---@return number?
function M.date(text)
  local day, month, year, clock = (text or ""):match "^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$"
  if not (day and MONTHS[month]) then return nil end
  return (errors.try(time.parse, ("%s-%02d-%sT%sZ"):format(year, MONTHS[month], day, clock)))
end

---@class adt.aws.Skew
---@field offsets table<string, number> seconds by host
local Skew = {}
Skew.__index = Skew

---@return adt.aws.Skew
function M.new()
  return setmetatable({ offsets = {} }, Skew)
end

--- Seconds that a host's clock is ahead of ours.
---@param host string
---@return number
function Skew:offset(host)
  return self.offsets[host] or 0
end

--- Looks at a refused request.
---@param host string
---@param code string of the error
---@param date? string the answer's Date header
---@param middle number our time half-way between sending and receiving, seconds since the epoch
---@return boolean changed the request may go if it is signed anew
function Skew:refused(host, code, date, middle)
  local least, theirs = CODES[code], M.date(date)
  if not (least and theirs) then return false end
  local offset = theirs - middle
  if math.abs(offset - self:offset(host)) < least then return false end
  self.offsets[host] = offset
  return true
end

--- Looks at a request that was taken: a host whose clock agrees with ours needs no help any more.
---@param host string
---@param date? string
---@param middle number
function Skew:taken(host, date, middle)
  local theirs = self.offsets[host] and M.date(date)
  if theirs and math.abs(theirs - middle) < DEFINITE then self.offsets[host] = nil end
end

return M
