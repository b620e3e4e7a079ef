--- Credentials that are renewed ahead of time: one renewal for all who wait, and old ones go on when it fails.
---
--- The rules are those the AWS SDKs share. A long time before the end whoever asks first renews them and the others go on
--- with the old; in the last minute all wait. After a failed renewal the old ones are served, even past their end, since
--- a service's clock or an extended session may still take them, and the source is left alone for five to ten minutes.
local clock = require "adt.c.clock"
local ctask = require "adt.c.task"
local errors = require "adt.error"
local log = require "adt.log"
local task = require "adt.task"

local M = {}

local MANDATORY = 60 -- seconds before the end from which all wait
local BACKOFF = 300 -- seconds without a new try after a failed one, up to twice that

---@class adt.aws.ServedCredentials
---@field access_key string
---@field secret string
---@field token? string
---@field expires? number seconds since the epoch; nil: they last, or they are past it and served all the same
---@field source string "env", "imds"
---@field account? string

---@class adt.aws.RefreshOptions
---@field fetch fun(): adt.aws.ServedCredentials asks the source; waits; raises
---@field now? fun(): number seconds since the epoch
---@field backoff? fun(): number seconds

---@class adt.aws.Provider
---@field cached? adt.aws.ServedCredentials
---@field advisory number seconds before the end from which they are renewed
local Provider = {}
Provider.__index = Provider

local function default_backoff()
  return BACKOFF * (1 + math.random())
end

--- Credentials that are asked for when they are needed. `fetch` is called in one task at a time.
---@param options adt.aws.RefreshOptions
---@return adt.aws.Provider
function M.new(options)
  return setmetatable({
    fetch = options.fetch, now = options.now or clock.now, backoff = options.backoff or default_backoff, asked = 0, advisory = 0,
  }, Provider)
end

-- Seconds before the end, by how long they last.
local function window(lifetime)
  if lifetime <= 20 * 60 then return 5 * 60 end
  return lifetime < 90 * 60 and 15 * 60 or 60 * 60
end

-- What more tries do not change: the user has to do something.
local function is_final(err)
  return err.final or err.cause == "config" or err.cause == "usage"
end

function Provider:keep(credentials)
  self.cached, self.invalid, self.quiet_until = credentials, nil, nil
  self.advisory = credentials.expires and window(credentials.expires - self.now()) or 0
end

-- A failed renewal: the old ones go on, unless there are none or somebody has to act.
function Provider:failed(err)
  if not self.cached or is_final(err) then
    self.err = err
    return
  end
  local quiet = self.backoff()
  self.quiet_until = self.now() + quiet
  log.warn("AWS credentials could not be renewed; the old ones are used",
    { source = self.cached.source, next_try_s = math.floor(quiet), error = err.message })
end

function Provider:renew()
  self.asking, self.err = true, nil
  local fresh, err = errors.try(self.fetch)
  self.asking = false
  -- That whoever asked was cancelled is no answer for those who wait with him: the next of them asks.
  task.raise_if_cancelled()
  self.asked = self.asked + 1
  if fresh and fresh.expires and fresh.expires <= self.now() then
    fresh, err = nil, errors.new { cause = "auth", code = "ExpiredCredentials",
      message = ("the source '%s' gave credentials that have ended already"):format(fresh.source),
      hint = "renew them there: sign in again, or set new ones" }
  end
  if fresh then
    self:keep(fresh)
  else
    self:failed(err)
  end
end

-- "fresh": serve them; "soon": somebody should renew them; "now": they must be renewed.
function Provider:state()
  local cached = self.cached
  if not cached then return "now" end
  local now = self.now()
  if self.quiet_until and now < self.quiet_until then return "fresh" end
  if self.invalid then return "now" end
  local left = cached.expires and cached.expires - now or math.huge
  if left <= MANDATORY then return "now" end
  return left <= self.advisory and "soon" or "fresh"
end

-- Past its end `expires` would keep signers from using what may still be taken.
function Provider:serve()
  local copy = {}
  for name, value in pairs(self.cached) do copy[name] = value end
  if copy.expires and copy.expires <= self.now() then
    copy.expires = nil
  end
  return copy
end

--- The credentials, of one moment: a copy that nobody changes. Waits while they are fetched or must be renewed. Raises
--- what the source raises when there are none yet, or when more tries would not help.
---@return adt.aws.ServedCredentials
function Provider:get()
  local state, before = self:state(), self.asked
  if state == "fresh" or (state == "soon" and self.asking) then
    return self:serve()
  end
  local pause = 0.001
  while self.asking do
    ctask.sleep(pause)
    pause = math.min(pause * 2, 0.02)
  end
  if self.asked == before then
    self:renew()
  end
  if self.err then
    error(self.err, 0)
  end
  return self:serve()
end

--- Says that a service refused credentials: they are renewed at the next get(), unless others are served already.
---@param access_key string the id that was refused
function Provider:invalidate(access_key)
  if self.cached and self.cached.access_key == access_key then
    self.invalid = true
  end
end

return M
