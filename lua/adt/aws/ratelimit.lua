--- A client's own limit of requests per second, found as TCP finds its window (CUBIC): a throttled answer cuts it, answers
--- that are none let it grow again. There is no limit until the first throttled answer.
local M = {}

-- Seconds of a measuring interval; the weight of the newest one.
local INTERVAL, SMOOTHING = 0.5, 0.8

-- What a throttled answer leaves of the rate; how fast it grows back; how far it may go beyond what is really sent.
local BETA, SCALE, BEYOND = 0.7, 0.4, 2

-- Requests a second that are always allowed.
local MIN_FILL, MIN_CAPACITY = 0.5, 1

---@class adt.aws.RateLimit
---@field enabled boolean
---@field fill number requests a second
local RateLimit = {}
RateLimit.__index = RateLimit

local function zero_point(w_max)
  return (w_max * (1 - BETA) / SCALE) ^ (1 / 3)
end

---@param clock fun(): number seconds that only go forward
---@return adt.aws.RateLimit
function M.new(clock)
  local now = clock()
  return setmetatable({ clock = clock, enabled = false, w_max = 0, k = 0, failed_at = now, measured = 0, count = 0,
    interval = math.floor(now / INTERVAL) * INTERVAL, tokens = 0, capacity = 0, fill = 0 }, RateLimit)
end

function RateLimit:refill(now)
  if self.filled_at then
    self.tokens = math.min(self.capacity, self.tokens + (now - self.filled_at) * self.fill)
  end
  self.filled_at = now
end

function RateLimit:set_rate(rate, now)
  self:refill(now)
  self.fill = math.max(rate, MIN_FILL)
  self.capacity = math.max(rate, MIN_CAPACITY)
  self.tokens = math.min(self.tokens, self.capacity)
end

function RateLimit:measure(now)
  local interval = math.floor(now / INTERVAL) * INTERVAL
  self.count = self.count + 1
  if interval > self.interval then
    local rate = self.count / (interval - self.interval)
    self.measured = rate * SMOOTHING + self.measured * (1 - SMOOTHING)
    self.count, self.interval = 0, interval
  end
  return self.measured
end

--- Takes the right to send a request.
---@return number seconds to wait before sending it
function RateLimit:take()
  if not self.enabled then return 0 end
  self:refill(self.clock())
  self.tokens = self.tokens - 1
  return self.tokens < 0 and -self.tokens / self.fill or 0
end

--- Notes an answer.
---@param throttled boolean
function RateLimit:note(throttled)
  local now = self.clock()
  local measured = self:measure(now)
  local rate
  if throttled then
    self.w_max = self.enabled and math.min(measured, self.fill) or measured
    self.k, self.failed_at, self.enabled = zero_point(self.w_max), now, true
    rate = self.w_max * BETA
  else
    rate = SCALE * (now - self.failed_at - self.k) ^ 3 + self.w_max
  end
  self:set_rate(math.min(rate, BEYOND * measured), now)
end

return M
