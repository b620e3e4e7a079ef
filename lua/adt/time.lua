--- Clocks, UTC dates as text, and durations as people write them. Seconds everywhere.
local clock = require "adt.c.clock"
local ctask = require "adt.c.task"
local errors = require "adt.error"
local units = require "adt.units"

local M = {}

--- Seconds since 1970-01-01 UTC, with a fraction.
---@return number
M.now = clock.now

--- Seconds since some fixed moment; never goes back. For measuring.
---@return number
M.monotonic = clock.monotonic

--- Waits.
---@param seconds number
M.sleep = ctask.sleep

local DAY = 86400

-- The proleptic Gregorian calendar by days since 1970-01-01 (years begin in March, so that leap days come last).
local function civil_from_days(days)
  days = days + 719468
  local era = days // 146097
  local day_of_era = days - era * 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local m = (5 * day_of_year + 2) // 153
  local month = m < 10 and m + 3 or m - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return year, month, day_of_year - (153 * m + 2) // 5 + 1
end

local function days_from_civil(year, month, day)
  year = month <= 2 and year - 1 or year
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * (month > 2 and month - 3 or month + 9) + 2) // 5 + day - 1
  return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
end

local function usage(message, hint)
  errors.raise { cause = "usage", code = "BadTime", message = message, hint = hint }
end

--- "2026-11-24T13:00:00Z".
---@param seconds? number since 1970 UTC, default now
---@param options? { digits?: integer, compact?: boolean } digits of the fraction, 0-9, default 0; compact: "20261124T130000Z"
---@return string
function M.iso(seconds, options)
  seconds = seconds or M.now()
  options = options or {}
  errors.check_options("time.iso", options, { "digits", "compact" })
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < -62135596800 or seconds >= 253402300800 then
    usage("time.iso: the time must be seconds within the years 1 to 9999, not " .. tostring(seconds))
  end
  local digits = options.digits or 0
  local unit = 10 ^ digits
  -- Cut, not rounded: a clock does not show a second that has not begun. The little more makes up for what a double cannot hold.
  local whole = math.floor(seconds)
  local fraction = math.min(math.floor((seconds - whole) * unit + 1e-3), math.tointeger(unit) - 1)
  local year, month, day = civil_from_days(whole // DAY)
  local rest = whole % DAY
  local form = options.compact and "%04d%02d%02dT%02d%02d%02d" or "%04d-%02d-%02dT%02d:%02d:%02d"
  local text = form:format(year, month, day, rest // 3600, rest % 3600 // 60, rest % 60)
  if digits > 0 then
    text = text .. "." .. ("%0" .. digits .. "d"):format(fraction)
  end
  return text .. "Z"
end

local function in_month(year, month, day)
  local next_year, next_month = month == 12 and year + 1 or year, month % 12 + 1
  return day >= 1 and day <= days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)
end

local function offset_of(zone)
  if zone == "Z" or zone == "z" then
    return 0
  end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then
    return nil
  end
  local offset = tonumber(hours) * 3600 + tonumber(minutes) * 60
  return sign == "-" and -offset or offset
end

local function parse_iso(text)
  local y, mo, d, h, mi, s, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(.*)$")
  if not y then
    y, mo, d, h, mi, s, rest = text:match("^(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)(.*)$")
  end
  if not y then
    return nil
  end
  local fraction, zone = rest:match("^(%.%d+)(.*)$")
  local offset = offset_of(zone or rest)
  local year, month, day = math.tointeger(tonumber(y)), math.tointeger(tonumber(mo)), math.tointeger(tonumber(d))
  local hour, minute, second = math.tointeger(tonumber(h)), math.tointeger(tonumber(mi)), math.tointeger(tonumber(s))
  local valid = month >= 1 and month <= 12 and in_month(year, month, day) and hour <= 23 and minute <= 59
    and second <= 60
  if not offset or not valid then
    return nil
  end
  local seconds = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset
  return fraction and seconds + tonumber("0" .. fraction) or seconds
end

--- Seconds since 1970 UTC of a date of RFC 3339 ("2026-11-24T13:00:00.5+01:00") or the compact form of AWS.
---@param text string
---@return number  # raises: usage "BadTime"
function M.parse(text)
  local seconds = type(text) == "string" and parse_iso(text)
  if not seconds then
    usage(("'%s' is not a date"):format(tostring(text)), "dates look like 2026-11-24T13:00:00Z")
  end
  return seconds
end

--- Seconds of a duration: a number, or "90", "2h", "1h30m", "250ms", "2d".
---@param text string|number
---@return number  # raises: usage "BadTime"
function M.duration(text)
  local known = type(text) == "string" or type(text) == "number"
  local seconds = known and units.seconds(text)
  if not seconds or seconds ~= seconds or seconds < 0 then
    usage(("'%s' is not a duration"):format(tostring(text)), "durations look like 90, 250ms, 45s, 2h, 1h30m or 2d")
  end
  return seconds
end

--- A duration as `M.duration` reads it, exact to the millisecond: "1h30m", "1d", "250ms", "1m2.5s".
---@param seconds number
---@return string
function M.format(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 or seconds >= 2 ^ 43 then
    usage("time.format: a duration must be a number of seconds, not " .. tostring(seconds))
  end
  local ms = math.floor(seconds * 1000 + 0.5)
  if ms < 1000 then
    return ms == 0 and "0s" or ms .. "ms"
  end
  local parts = {}
  for _, unit in ipairs { { DAY * 1000, "d" }, { 3600000, "h" }, { 60000, "m" } } do
    if ms >= unit[1] then
      parts[#parts + 1] = ms // unit[1] .. unit[2]
      ms = ms % unit[1]
    end
  end
  if ms > 0 then
    parts[#parts + 1] = (ms % 1000 == 0 and "%d" or "%.3f"):format(ms % 1000 == 0 and ms // 1000 or ms / 1000)
      :gsub("(%..-)0+$", "%1") .. "s"
  end
  return table.concat(parts)
end

---@class adt.Deadline
---@field at number on the monotonic clock
---@field seconds number what was allowed
local Deadline = {}
Deadline.__index = Deadline

--- A moment by which something must be done: `local d = time.deadline "5m"; while ... do d:check "the job's start" end`.
---@param limit string|number seconds or a duration; math.huge: never
---@return adt.Deadline
function M.deadline(limit)
  local seconds = M.duration(limit)
  return setmetatable({ at = M.monotonic() + seconds, seconds = seconds }, Deadline)
end

--- Seconds that are left, never negative.
---@return number
function Deadline:left()
  return math.max(0, self.at - M.monotonic())
end

---@return boolean
function Deadline:passed()
  return M.monotonic() >= self.at
end

--- Raises an error of cause "timeout" once it has passed.
---@param what string what is waited for
function Deadline:check(what)
  if self:passed() then
    errors.raise {
      cause = "timeout", code = "Timeout", message = ("%s took longer than %s"):format(what, M.format(self.seconds)),
    }
  end
end

return M
