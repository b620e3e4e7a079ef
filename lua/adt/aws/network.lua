--- Address ranges of a network for training: which block each subnet has, computed exactly, and never two that overlap.
local errors = require "adt.error"

local M = {}

---@class adt.aws.Range
---@field first integer its first address
---@field last integer
---@field bits integer length of the prefix

---@class adt.aws.NetworkPlanOptions
---@field zones integer 1 to 6
---@field base? string its first /16, default "10.0.0.0/16"; those that follow it are used, too
---@field avoid? string[] ranges of networks that it will be peered with

---@class adt.aws.NetworkPlan
---@field vpc string range of the VPC itself; the public subnets are in it
---@field more string[] further /16 blocks, each for the private subnets of two zones
---@field public string[] of each zone
---@field private string[] of each zone

local OPTIONS = { "zones", "base", "avoid" }

--- The base that is used unless another is given.
M.BASE = "10.0.0.0/16"

local MOST_ZONES = 6
local BLOCK = 1 << 16

-- Third byte of the public subnet of each zone: room for eight more beside each pair.
local PUBLIC = { 0, 1, 10, 11, 20, 21 }

local function usage(code, message, hint)
  errors.raise { cause = "usage", code = code, message = message, hint = hint }
end

--- Reads "10.0.0.0/16". Bits behind the prefix must be zero, as AWS wants it.
---@param text string
---@return adt.aws.Range  # raises: usage "BadRange"
function M.parse(text)
  local a, b, c, d, bits = tostring(text):match "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)/(%d%d?)$"
  local address = 0
  for _, part in ipairs(a and { a, b, c, d } or {}) do
    if #part > 1 and part:sub(1, 1) == "0" or tonumber(part) > 255 then a = nil end
    address = address << 8 | tonumber(part)
  end
  bits = math.tointeger(tonumber(bits))
  if not a or bits > 32 then
    usage("BadRange", ("'%s' is no range of IPv4 addresses"):format(tostring(text):sub(1, 60)), "ranges look like 10.0.0.0/16")
  end
  local size = 1 << 32 - bits
  if address % size ~= 0 then
    usage("BadRange", ("'%s' does not begin where a /%d begins"):format(text, bits),
      ("did you mean %s?"):format(M.text(address - address % size, bits)))
  end
  return { first = address, last = address + size - 1, bits = bits }
end

--- The text of a range.
---@param address integer
---@param bits integer
---@return string
function M.text(address, bits)
  return ("%d.%d.%d.%d/%d"):format(address >> 24 & 255, address >> 16 & 255, address >> 8 & 255, address & 255, bits)
end

--- Whether two ranges have an address in common.
---@param a string|adt.aws.Range
---@param b string|adt.aws.Range
---@return boolean
function M.overlap(a, b)
  a = type(a) == "table" and a or M.parse(a)
  b = type(b) == "table" and b or M.parse(b)
  return a.first <= b.last and b.first <= a.last
end

--- Whether all of `inner` lies in `outer`.
---@param inner string
---@param outer string
---@return boolean
function M.within(inner, outer)
  local a, b = M.parse(inner), M.parse(outer)
  return b.first <= a.first and a.last <= b.last
end

-- A VPC takes its further blocks only from the private range that the first one is of.
local PRIVATE = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10" }

local function blocks_from(base, count)
  local first = M.parse(base)
  if first.bits ~= 16 then
    usage("BadRange", ("the base is a /16, and %s is a /%d"):format(base, first.bits),
      "give the first of the /16 blocks, 10.64.0.0/16 say")
  end
  local last = first.first + (count - 1) * BLOCK
  for _, range in ipairs(PRIVATE) do
    local room = M.parse(range)
    if room.first <= first.first and first.last <= room.last then
      if last + BLOCK - 1 > room.last then
        usage("NoRoom", ("%d blocks of /16 from %s on leave the private range %s"):format(count, base, range),
          ("the last base with room for them is %s"):format(
            room.last - room.first + 1 >= count * BLOCK and M.text(room.last + 1 - count * BLOCK, 16) or "in 10.0.0.0/8"))
      end
      local blocks = {}
      for i = 1, count do blocks[i] = first.first + (i - 1) * BLOCK end
      return blocks
    end
  end
  usage("BadRange", base .. " is in no private range", "take one of " .. table.concat(PRIVATE, ", "))
end

local function keep_apart(blocks, avoid)
  for _, other in ipairs(avoid) do
    for _, block in ipairs(blocks) do
      if M.overlap(M.text(block, 16), other) then
        usage("RangesOverlap", ("the network's %s overlaps with %s, so that the two could not be peered"):format(M.text(block, 16), other),
          "give another base; it takes " .. #blocks .. " blocks of /16 from there on")
      end
    end
  end
end

--- Which ranges a network in so many zones has. One zone: halves of two /16 blocks, the public and the private one. Several:
--- a /24 for each public subnet within the first block, and a half of a further block for each private one.
---@param options adt.aws.NetworkPlanOptions
---@return adt.aws.NetworkPlan  # raises: usage "BadRange", "NoRoom", "RangesOverlap", "BadArgument"
function M.plan(options)
  errors.check_options("network.plan", options, OPTIONS)
  local n = options.zones
  if math.type(n) ~= "integer" or n < 1 or n > MOST_ZONES then
    usage("BadArgument", ("a network has 1 to %d zones, and not %s"):format(MOST_ZONES, tostring(n)))
  end
  local blocks = blocks_from(options.base or M.BASE, 1 + (n + 1) // 2)
  keep_apart(blocks, options.avoid or {})
  local plan = { vpc = M.text(blocks[1], 16), more = {}, public = {}, private = {} }
  for i = 2, #blocks do plan.more[i - 1] = M.text(blocks[i], 16) end
  for i = 1, n do
    plan.public[i] = n == 1 and M.text(blocks[1], 17) or M.text(blocks[1] + (PUBLIC[i] << 8), 24)
    plan.private[i] = M.text(blocks[2 + (i - 1) // 2] + (i - 1) % 2 * (BLOCK >> 1), 17)
  end
  return plan
end

return M
