--- Numbers as a small line plot: braille dots where the terminal knows them, stars elsewhere.
local errors = require "adt.error"
local term = require "adt.term"

local M = {}

---@class adt.term.PlotOptions
---@field width? integer columns of the plot without its axis (60)
---@field height? integer rows of the plot without its axis (8)
---@field label? string a line above
---@field ascii? boolean stars instead of braille (nil: by the locale)

local OPTIONS = { width = true, height = true, label = true, ascii = true }

local function size_of(options, name, otherwise, most)
  local value = options[name] or otherwise
  if math.type(value) ~= "integer" or value < 1 or value > most then
    errors.raise { cause = "usage", code = "BadSize",
      message = ("term.plot: %s is a whole number from 1 to %d"):format(name, most) }
  end
  return value
end

local function finite(v)
  return type(v) == "number" and v == v and v ~= math.huge and v ~= -math.huge
end

local function range(points)
  local low, high, odd = nil, nil, 0
  for i = 1, #points do
    local v = points[i]
    if finite(v) then
      low, high = math.min(low or v, v), math.max(high or v, v)
    else
      odd = odd + 1
    end
  end
  return low, high, odd
end

-- The lowest and highest value of each column; what lies between two neighbours that are further apart is filled in.
-- nil where only values stand that are not finite.
local function columns_of(points, columns)
  local lows, highs, n = {}, {}, #points
  local function put(column, v)
    lows[column] = math.min(lows[column] or v, v)
    highs[column] = math.max(highs[column] or v, v)
  end
  local previous, at
  for i = 1, n do
    local v = points[i]
    if finite(v) then
      local column = n == 1 and 1 or 1 + ((i - 1) * (columns - 1) + (n - 1) // 2) // (n - 1)
      for between = (at or column) + 1, column - 1 do
        local part = (between - at) / (column - at)
        put(between, previous * (1 - part) + v * part)
      end
      put(column, v)
      previous, at = v, column
    else
      previous, at = nil, nil
    end
  end
  return lows, highs
end

-- Calls dot(column, row) for each dot of the line; row 0 is the lowest. Neighbouring columns are joined.
local function trace(lows, highs, columns, rows, low, high, dot)
  local function row_of(v)
    if high == low then
      return (rows - 1) // 2
    end
    -- Halves, because the whole span may be more than a number can hold.
    return math.floor((v / 2 - low / 2) / (high / 2 - low / 2) * (rows - 1) + 0.5)
  end
  local from, to
  for column = 1, columns do
    if lows[column] then
      local bottom, top = row_of(lows[column]), row_of(highs[column])
      local first, last = bottom, top
      if from and bottom > to then first = to + 1 end
      if from and top < from then last = from - 1 end
      for row = first, last do dot(column, row) end
      from, to = bottom, top
    else
      from, to = nil, nil
    end
  end
end

-- Bits of the dots of a braille cell, by column and by row from the bottom.
local BRAILLE = { { [0] = 0x40, 0x04, 0x02, 0x01 }, { [0] = 0x80, 0x20, 0x10, 0x08 } }

local function braille(points, width, height, low, high)
  local lines, cells = {}, {}
  local lows, highs = columns_of(points, width * 2)
  trace(lows, highs, width * 2, height * 4, low, high, function(column, row)
    local at = (row // 4) * width + (column - 1) // 2
    cells[at] = (cells[at] or 0x2800) | BRAILLE[(column - 1) % 2 + 1][row % 4]
  end)
  for row = height - 1, 0, -1 do
    local line = {}
    for column = 0, width - 1 do
      local cell = cells[row * width + column]
      line[column + 1] = cell and utf8.char(cell) or " "
    end
    lines[#lines + 1] = table.concat(line)
  end
  return lines
end

local function stars(points, width, height, low, high)
  local lines, marks = {}, {}
  local lows, highs = columns_of(points, width)
  trace(lows, highs, width, height, low, high, function(column, row) marks[row * width + column] = true end)
  for row = height - 1, 0, -1 do
    local line = {}
    for column = 1, width do line[column] = marks[row * width + column] and "*" or " " end
    lines[#lines + 1] = table.concat(line)
  end
  return lines
end

local function framed(lines, low, high, count, ascii)
  local top, bottom = ("%.4g"):format(high), ("%.4g"):format(low)
  local width, height = math.max(#top, #bottom), #lines
  local out = {}
  for i, line in ipairs(lines) do
    local name = ""
    if low == high then
      -- As trace() places it, from the bottom.
      local row = ascii and (height - 1) // 2 or (height * 4 - 1) // 2 // 4
      name = height - i == row and top or ""
    elseif i == 1 then
      name = top
    elseif i == height then
      name = bottom
    end
    local axis = name ~= "" and (ascii and "+" or "┤") or ascii and "|" or "│"
    out[#out + 1] = ((" "):rep(width - #name) .. name .. " " .. axis .. line):gsub(" +$", "")
  end
  local first, last = "1", tostring(count)
  local span = term.cells(lines[1])
  out[#out + 1] = (" "):rep(width + 1) .. (ascii and "+" or "└") .. (ascii and "-" or "─"):rep(span)
  local gap = span - #first - #last
  out[#out + 1] = (" "):rep(width + 2) .. first .. (count > 1 and gap > 0 and (" "):rep(gap) .. last or "")
  return out
end

--- Points, one after the other, as lines of text without a line end at the last. Many points share a column: their
--- least and greatest show. Values that are not finite leave a gap and are counted below. Raises `usage` for unknown options.
---@param points number[]|adt.Series
---@param options? adt.term.PlotOptions
---@return string
function M.render(points, options)
  options = options or {}
  errors.check_options("term.plot", options, OPTIONS)
  local width, height = size_of(options, "width", 60, 1000), size_of(options, "height", 8, 200)
  local ascii = options.ascii
  if ascii == nil then
    ascii = not term.utf8()
  end
  local low, high, odd = range(points)
  local lines
  if low then
    lines = framed((ascii and stars or braille)(points, width, height, low, high), low, high, #points, ascii)
  else
    lines = { #points == 0 and "(no values)" or "(no finite values)" }
  end
  if options.label then
    table.insert(lines, 1, (term.clean(options.label)))
  end
  if odd > 0 then
    lines[#lines + 1] = ("(%d of %d values not finite)"):format(odd, #points)
  end
  return table.concat(lines, "\n")
end

return M
