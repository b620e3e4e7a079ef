--- Rows as aligned columns for the terminal.
local errors = require "adt.error"
local term = require "adt.term"

local M = {}

---@class adt.term.TableOptions
---@field header? string[] names of the columns, with a rule below
---@field align? ("left"|"right"|"centre")[] by column (numbers right, all else left)
---@field max_width? integer columns of the whole table; the widest columns are cut until it fits
---@field ascii? boolean no characters beyond ASCII for the rule and for what was cut (nil: by the locale)

local OPTIONS = { header = true, align = true, max_width = true, ascii = true }
local ALIGN = { left = true, right = true, centre = true }
local GAP = "  "
local NARROWEST = 4 -- columns that a cell keeps however little room there is

local function text_of(value)
  if value == nil then
    return ""
  elseif math.type(value) == "float" then
    return ("%.6g"):format(value)
  end
  return (term.clean(tostring(value), true):gsub("%s*\n%s*", " "):gsub("\t", " "))
end

local function column_count(rows, header)
  local count = header and #header or 0
  for _, row in ipairs(rows) do
    for i in pairs(row) do
      if math.type(i) == "integer" and i > count then count = i end
    end
  end
  return count
end

local function all_numbers(rows, column)
  local seen = false
  for _, row in ipairs(rows) do
    local value = row[column]
    if value ~= nil and type(value) ~= "number" then
      return false
    end
    seen = seen or value ~= nil
  end
  return seen
end

local function alignment(rows, columns, given)
  local align = {}
  for i = 1, columns do
    align[i] = given and given[i] or all_numbers(rows, i) and "right" or "left"
    if not ALIGN[align[i]] then
      errors.raise { cause = "usage", code = "BadAlign",
        message = ("term.table: no alignment is called '%s'"):format(tostring(align[i])),
        hint = "the alignments are left, right and centre" }
    end
  end
  return align
end

-- Takes one column after the other from the widest, so that narrow ones stay whole.
local function shrink(widths, max)
  local total = #GAP * (#widths - 1)
  for _, w in ipairs(widths) do total = total + w end
  while total > max do
    local widest, second = 1, 0
    for i, w in ipairs(widths) do
      if w > widths[widest] then widest = i end
    end
    for i, w in ipairs(widths) do
      if i ~= widest and w > second then second = w end
    end
    local cut = math.min(total - max, math.max(1, widths[widest] - second), widths[widest] - NARROWEST)
    if cut <= 0 then
      return
    end
    widths[widest], total = widths[widest] - cut, total - cut
  end
end

local function padded(text, width, align)
  local room = width - term.cells(text)
  local before = align == "right" and room or align == "centre" and room // 2 or 0
  return (" "):rep(before) .. text .. (" "):rep(room - before)
end

--- Rows as a string of lines without a line end at the last; no line ends in spaces. Cells are any values, line breaks
--- in them become spaces. Raises `usage` for unknown options.
---@param rows any[][]
---@param options? adt.term.TableOptions
---@return string
function M.render(rows, options)
  options = options or {}
  errors.check_options("term.table", options, OPTIONS)
  local ascii = options.ascii
  if ascii == nil then
    ascii = not term.utf8()
  end
  local columns = column_count(rows, options.header)
  local align, widths, cells = alignment(rows, columns, options.align), {}, {}
  for i = 1, columns do widths[i] = 0 end
  local function add(row)
    local line = {}
    for i = 1, columns do
      line[i] = text_of(row[i])
      widths[i] = math.max(widths[i], term.cells(line[i]))
    end
    cells[#cells + 1] = line
  end
  if options.header then add(options.header) end
  for _, row in ipairs(rows) do add(row) end
  if options.max_width then shrink(widths, options.max_width) end
  local lines = {}
  for _, row in ipairs(cells) do
    for i = 1, columns do
      row[i] = padded(term.cut(row[i], widths[i], ascii and "..." or "…"), widths[i], align[i])
    end
    lines[#lines + 1] = table.concat(row, GAP):gsub(" +$", "")
  end
  if options.header then
    local rule = {}
    for i = 1, columns do rule[i] = (ascii and "-" or "─"):rep(widths[i]) end
    table.insert(lines, 2, table.concat(rule, GAP))
  end
  return table.concat(lines, "\n")
end

return M
