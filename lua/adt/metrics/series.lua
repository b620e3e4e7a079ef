--- A series of numbers: a list with the few questions that checks ask.
local errors = require "adt.error"

local M = {}

--- `#s` is its length, `s[i]` a value. Of an empty series every number is nan, so that a comparison is false instead of
--- an error.
---@class adt.Series
---@field [integer] number
local Series = {}
local meta = { __name = "adt.Series" }
meta.__index = Series

local NAN = 0 / 0

--- A series of a list of numbers, which is copied. Raises `usage` for other values.
---@param list number[]
---@return adt.Series
function M.new(list)
  local copy = {}
  for i = 1, #list do
    if type(list[i]) ~= "number" then
      errors.raise { cause = "usage", code = "NotANumber",
        message = ("metrics.series: value %d is a %s"):format(i, type(list[i])) }
    end
    copy[i] = list[i]
  end
  return setmetatable(copy, meta)
end

--- Whether a value is a series.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == meta
end

local function part(self, fraction)
  if type(fraction) ~= "number" or not (fraction > 0 and fraction <= 1) then
    errors.raise { cause = "usage", code = "BadFraction", message = "a part of a series is above 0 and at most 1",
      hint = "0.1 is a tenth" }
  end
  return math.min(#self, math.max(1, math.floor(#self * fraction + 0.5)))
end

--- The first `fraction` of the values, at least one.
---@param fraction number above 0, at most 1
---@return adt.Series
function Series:head(fraction)
  return setmetatable(table.move(self, 1, part(self, fraction), 1, {}), meta)
end

--- The last `fraction` of the values, at least one.
---@param fraction number above 0, at most 1
---@return adt.Series
function Series:tail(fraction)
  return setmetatable(table.move(self, #self - part(self, fraction) + 1, #self, 1, {}), meta)
end

--- The first value.
---@return number
function Series:first()
  return self[1] or NAN
end

--- The last value.
---@return number
function Series:last()
  return self[#self] or NAN
end

--- The mean; nan and inf go into it.
---@return number
function Series:mean()
  local sum = 0.0
  for i = 1, #self do sum = sum + self[i] end
  return sum / #self
end

--- The smallest value that is not nan.
---@return number
function Series:min()
  local least = NAN
  for i = 1, #self do
    local v = self[i]
    if v < least or least ~= least then least = v end
  end
  return least
end

--- The greatest value that is not nan.
---@return number
function Series:max()
  local greatest = NAN
  for i = 1, #self do
    local v = self[i]
    if v > greatest or greatest ~= greatest then greatest = v end
  end
  return greatest
end

--- The middle of the values that are not nan.
---@return number
function Series:median()
  local sorted = {}
  for i = 1, #self do
    if self[i] == self[i] then sorted[#sorted + 1] = self[i] end
  end
  if #sorted == 0 then
    return NAN
  end
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

--- Whether there are values and none of them is nan or infinite.
---@return boolean
function Series:finite()
  for i = 1, #self do
    local v = self[i]
    if v ~= v or v == math.huge or v == -math.huge then
      return false
    end
  end
  return #self > 0
end

--- Whether each value is above the one before it.
---@return boolean
function Series:increasing()
  for i = 2, #self do
    local above = self[i] > self[i - 1]
    if not above then
      return false
    end
  end
  return true
end

-- "60 values, 5.55 -> 2.41"
function meta.__tostring(self)
  if #self == 0 then
    return "no values"
  elseif #self == 1 then
    return ("1 value, %.4g"):format(self[1])
  end
  return ("%d values, %.4g -> %.4g"):format(#self, self[1], self[#self])
end

-- What adt.output writes into JSON instead of all values.
function meta.__summary(self)
  return { n = #self, first = self[1], last = self[#self], min = #self > 0 and self:min() or nil,
    max = #self > 0 and self:max() or nil, mean = #self > 0 and self:mean() or nil, finite = self:finite() }
end

return M
