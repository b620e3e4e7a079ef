--- Random bytes from the kernel, and names made of them.
local c = require "adt.c.random"
local clock = require "adt.c.clock"

local M = {}

-- Crockford's: without i, l, o, u; in the order of their codes, so that text sorts as numbers do.
local DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
local TICKS = 250 -- per second: 40 bits last from 1970 to 2109
local RANDOM_BITS = 20

--- `n` random bytes.
---@param n integer at most 1 MiB
---@return string
M.bytes = c.bytes

--- `n` random bytes as 2n lower-case hex digits.
---@param n integer
---@return string
function M.hex(n)
  return (c.bytes(n):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function base32(value, length)
  local digits = {}
  for i = length, 1, -1 do
    local d = value & 31
    digits[i] = DIGITS:sub(d + 1, d + 1)
    value = value >> 5
  end
  return table.concat(digits)
end

local last = 0

--- A new name: "R" and 12 lower-case base32 characters, 8 of the time (4 ms) and 4 random ones. Names sort by the time
--- they were made, to the year 2109; those of one process always do.
---@return string
function M.id()
  local random = string.unpack("<I4", c.bytes(4)) & ((1 << RANDOM_BITS) - 1)
  local value = math.floor(clock.now() * TICKS) << RANDOM_BITS | random
  if value <= last then
    value = last + 1
  end
  last = value
  return "R" .. base32(value, 12)
end

return M
