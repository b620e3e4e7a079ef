--- The terminal: whether there is one, its width, colours by policy, text that is safe and fits.
local c = require "adt.c.term"
local errors = require "adt.error"
local widths = require "adt.term.widths"

local M = {}

local function setting(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

--- Whether a descriptor is a terminal.
---@param fd integer|file*
---@return boolean
M.isatty = c.isatty

--- The columns of the terminal: of standard output, else standard error, else COLUMNS, else 80.
---@return integer columns
function M.width()
  for fd = 1, 2 do
    local columns = c.size(fd)
    if columns and columns > 0 then
      return columns
    end
  end
  local columns = math.tointeger(tonumber(setting("COLUMNS")))
  return columns and columns > 0 and columns or 80
end

--- The rows of the terminal of standard output, 24 where there is none.
---@return integer rows
function M.height()
  local _, rows = c.size(1)
  return math.type(rows) == "integer" and rows > 0 and rows or 24
end

--- Whether the terminal can move its cursor: not TERM=dumb, not a CI system's log.
---@return boolean
function M.moves()
  return setting("TERM") ~= nil and setting("TERM") ~= "dumb" and not setting("CI")
end

local chosen -- what the user said on the command line

--- Whether to use colours. A boolean sets the user's own choice, which wins from then on; `false` is never argued with.
--- Without one the environment decides, in this order: NO_COLOR (no), CLICOLOR_FORCE other than 0 (yes), CLICOLOR=0,
--- TERM=dumb and CI (no), else whether `fd` is a terminal.
---@param enabled? boolean
---@param fd? integer|file* where the text goes (1)
---@return boolean
function M.colour(enabled, fd)
  if enabled ~= nil then
    chosen = enabled
  end
  if chosen ~= nil then
    return chosen
  end
  if setting("NO_COLOR") then
    return false
  end
  if setting("CLICOLOR_FORCE") then
    return setting("CLICOLOR_FORCE") ~= "0"
  end
  if setting("CLICOLOR") == "0" or not M.moves() then
    return false
  end
  return c.isatty(fd or 1)
end

--- Forgets the user's choice, so that the environment decides again.
function M.colour_reset()
  chosen = nil
end

--- Whether the locale's character set is UTF-8 (LC_ALL, LC_CTYPE, LANG: the first that is set).
---@return boolean
function M.utf8()
  local locale = setting("LC_ALL") or setting("LC_CTYPE") or setting("LANG") or ""
  return locale:lower():find("utf%-?8") ~= nil
end

local STYLES = {
  bold = "1", dim = "2", underline = "4",
  red = "31", green = "32", yellow = "33", blue = "34", magenta = "35", cyan = "36",
}

--- Text in a style, or as it is where colours are off.
---@param style string "bold", "dim", "underline", "red", "green", "yellow", "blue", "magenta", "cyan"
---@param text string
---@param on? boolean overrides term.colour()
---@return string
function M.paint(style, text, on)
  local code = STYLES[style]
  if not code then
    local names = {}
    for name in pairs(STYLES) do names[#names + 1] = name end
    table.sort(names)
    errors.raise {
      cause = "usage", code = "UnknownStyle", message = ("term.paint: unknown style '%s'"):format(tostring(style)),
      hint = "known: " .. table.concat(names, ", "),
    }
  end
  if on == nil then
    on = M.colour()
  end
  if not on or text == "" then
    return text
  end
  return "\27[" .. code .. "m" .. text .. "\27[0m"
end

local function hex(byte)
  return ("\\x%02X"):format(byte:byte())
end

-- C1 controls, line and paragraph separators, and the marks that reorder what is read (bidirectional overrides).
local function hidden(code)
  return code >= 0x80 and code <= 0x9F or code >= 0x202A and code <= 0x202E or code >= 0x2066 and code <= 0x2069
      or code == 0x2028 or code == 0x2029
end

local function clean_wide(char)
  local code = utf8.codepoint(char)
  if not hidden(code) then
    return nil
  end
  return code < 0x100 and ("\\x%02X"):format(code) or ("\\u{%X}"):format(code)
end

--- Text that a terminal shows and does not obey: ESC, the other control characters except tab, C1 controls, invalid
--- UTF-8 as \xNN; what reorders text as \u{NNNN}. Backslashes stay as they are.
---@param text string
---@param newlines? boolean keep line feeds
---@return string
function M.clean(text, newlines)
  if not text:find("[%c\128-\255]") then
    return text
  end
  text = text:gsub(newlines and "[\0-\8\11-\31\127]" or "[\0-\8\10-\31\127]", hex)
  if not text:find("[\128-\255]") then
    return text
  end
  local parts, from = {}, 1
  while true do
    local _, bad = utf8.len(text, from)
    local good = text:sub(from, bad and bad - 1 or -1)
    parts[#parts + 1] = good:gsub("[\xC2\xE2][\x80-\xBF]+", function(char)
      return clean_wide(char)
    end)
    if not bad then
      break
    end
    parts[#parts + 1] = hex(text:sub(bad, bad))
    from = bad + 1
  end
  return table.concat(parts)
end

-- CSI (colours, cursor), OSC (titles, links; ended by BEL or ST), and the two-byte escapes.
local SEQUENCES = { "\27%[[0-?]*[ -/]*[@-~]", "\27%][^\7\27]*\7", "\27%][^\7\27]*\27\\", "\27[@-Z\\^_]" }

--- Text without the escape sequences that programs print for a terminal. What is left of broken ones is for clean().
---@param text string
---@return string
function M.strip(text)
  if text:find("\27", 1, true) then
    for _, sequence in ipairs(SEQUENCES) do
      text = text:gsub(sequence, "")
    end
  end
  return text
end

local SGR = "\27%[[%d;]*m"

--- How many columns text takes on a terminal: combining marks none, wide characters and emoji two, a tab up to the next
--- multiple of eight; colours of term.paint() count nothing. Roughly: terminals differ on emoji sequences.
---@param text string
---@return integer cells
function M.cells(text)
  if not text:find("[%c\128-\255]") then
    return #text
  end
  text = text:gsub(SGR, "")
  local cells, at = 0, 1
  while at <= #text do
    local width, after = widths.at(text, at, cells)
    cells, at = cells + width, after
  end
  return cells
end

--- The beginning of text that fits into `cells` columns, with an ellipsis where something was cut; styles are ended.
---@param text string
---@param cells integer
---@param ellipsis? string ("…" in UTF-8, "..." elsewhere)
---@return string
function M.cut(text, cells, ellipsis)
  if M.cells(text) <= cells then
    return text
  end
  ellipsis = ellipsis or M.utf8() and "…" or "..."
  local room = cells - M.cells(ellipsis)
  if room < 0 then
    ellipsis, room = "", math.max(cells, 0)
  end
  local used, at, painted = 0, 1, false
  while at <= #text do
    local _, stop = text:find("^" .. SGR, at)
    if stop then
      painted, at = true, stop + 1
    else
      local width, after = widths.at(text, at, used)
      if used + width > room then
        break
      end
      used, at = used + width, after
    end
  end
  return text:sub(1, at - 1) .. ellipsis .. (painted and "\27[0m" or "")
end

--- Text broken at spaces into lines of at most `cells` columns; longer words are left whole.
---@param text string
---@param cells integer
---@param indent? string before every line but the first
---@return string
function M.wrap(text, cells, indent)
  indent = indent or ""
  local lines, line, used = {}, {}, 0
  for word in text:gmatch("%S+") do
    local width = M.cells(word)
    if used > 0 and used + 1 + width > cells then
      lines[#lines + 1] = table.concat(line, " ")
      line, used = {}, M.cells(indent) - 1
    end
    line[#line + 1] = word
    used = used + width + (#line > 1 and 1 or 0)
  end
  lines[#lines + 1] = table.concat(line, " ")
  return table.concat(lines, "\n" .. indent)
end

--- Rows as aligned columns; see adt.term.table.
---@param rows any[][]
---@param options? adt.term.TableOptions
---@return string
function M.table(rows, options)
  return require("adt.term.table").render(rows, options)
end

--- Numbers as a small line plot; see adt.term.plot.
---@param points number[]|adt.Series
---@param options? adt.term.PlotOptions
---@return string
function M.plot(points, options)
  return require("adt.term.plot").render(points, options)
end

return M
