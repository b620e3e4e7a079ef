--- The two clocks, moments as text, durations.
local clock = require "adt.c.clock"
local ctask = require "adt.c.task"
local units = require "adt.units"

local M = {}

--- Seconds since the epoch.
---@return number
M.now = clock.wall or clock.now

--- Seconds since some fixed moment; never goes back.
---@return number
M.monotonic = clock.monotonic

--- Waits.
---@param seconds number
M.sleep = ctask.sleep

--- A moment in UTC: "2026-11-24T13:00:00Z".
---@param t? number seconds since the epoch, now without it
---@return string
function M.iso(t)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(t or M.now()))
end

-- Days since the epoch of a date of the Gregorian calendar, by counting from 1 March so that the leap day comes last.
local function days(y, m, d)
  if m <= 2 then
    y, m = y - 1, m + 12
  end
  return 365 * y + y // 4 - y // 100 + y // 400 + (153 * (m - 3) + 2) // 5 + d - 719469
end

--- The moment that a text such as "2026-11-24T13:00:00Z" or "...+01:00" names; nil for anything else.
---@param text string
---@return number?
function M.parse(text)
  local y, mo, d, h, mi, s, zone = text:match("^(%d%d%d%d)-(%d%d)-(%d%d)[T ](%d%d):(%d%d):(%d%d%.?%d*)(.*)$")
  if not y then
    return nil
  end
  local offset = 0
  if zone ~= "Z" then
    local sign, oh, om = zone:match("^([+-])(%d%d):?(%d%d)$")
    if not sign then
      return nil
    end
    offset = (sign == "-" and -1 or 1) * (tonumber(oh) * 3600 + tonumber(om) * 60)
  end
  y, mo, d, h, mi, s = math.tointeger(y), math.tointeger(mo), math.tointeger(d), tonumber(h), tonumber(mi), tonumber(s)
  if mo < 1 or mo > 12 or d < 1 or d > 31 or h > 23 or mi > 59 or s >= 61 then
    return nil
  end
  return days(y, mo, d) * 86400 + h * 3600 + mi * 60 + s - offset
end

--- Seconds of "90", "2h", "1h30m", "250ms"; nil for no duration.
M.seconds = units.seconds

--- A duration for people.
M.duration = units.duration

return M
