--- Values as words of other languages, quoted so that the reader gets these bytes and nothing else happens.
---
--- Every function takes a string, number, boolean or something that prints itself, and raises `usage` for what its
--- language cannot hold.
local errors = require "adt.error"
local secrets = require "adt.secret"

local M = {}

local MAX = 65536 -- bytes of one value

local function refuse(filter, reason, hint)
  local message = ("a value cannot be put into %s: %s"):format(filter, reason)
  errors.raise { cause = "usage", code = "BadValue", message = message, hint = hint }
end

local function float(value)
  local text = ("%.15g"):format(value)
  if tonumber(text) ~= value then
    text = ("%.17g"):format(value)
  end
  return text:find("[%.en]") and text or text .. ".0"
end

--- The text of a value, without any quotes. Refuses NUL bytes, more than 64 KiB, tables that do not print themselves,
--- functions, nil and secrets.
---@param value any
---@param filter? string for the message ("text")
---@return string
function M.text(value, filter)
  filter = filter or "text"
  local kind, text = type(value), value
  if kind == "number" then
    return math.type(value) == "integer" and tostring(value) or float(value)
  elseif kind == "boolean" then
    return tostring(value)
  elseif kind ~= "string" then
    if secrets.is(value) then
      refuse(filter, "it is a secret", "pass it to the job with secrets = { NAME = p.secret }")
    end
    local meta = getmetatable(value)
    if type(meta) ~= "table" or not meta.__tostring then
      refuse(filter, "it is a " .. kind, kind == "table" and "the filter |json takes tables" or nil)
    end
    text = tostring(value)
  end
  if #text > MAX then
    refuse(filter, ("%d bytes are more than %d"):format(#text, MAX), "put it into a file and pass the file's name")
  elseif text:find("\0", 1, true) then
    refuse(filter, "it holds a NUL byte")
  end
  return text
end

local function unicode(value, filter)
  local text = M.text(value, filter)
  local length, bad = utf8.len(text)
  if not length then
    refuse(filter, ("byte %d is not UTF-8"):format(bad))
  end
  return text
end

local SHORT = { ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- The escapes that JSON, TOML and YAML share.
local function escaped(text)
  return (text:gsub('[%c"\\]', function(char)
    return SHORT[char] or char:find("%c") and ("\\u%04X"):format(char:byte()) or "\\" .. char
  end))
end

--- A word of a POSIX shell, in single quotes.
---@param value string|number|boolean
---@return string
function M.sh(value)
  return "'" .. M.text(value, "a shell word"):gsub("'", "'\\''") .. "'"
end

--- A shell command line of an argument list.
---@param argv (string|number)[]
---@return string
function M.argv(argv)
  local words = {}
  for i, word in ipairs(argv) do words[i] = M.sh(word) end
  return table.concat(words, " ")
end

--- A JSON value: strings as JSON strings, numbers and booleans as they are, tables as adt.json.encode writes them.
---@param value any
---@return string
function M.json(value)
  if type(value) == "boolean" or math.type(value) == "integer" then
    return tostring(value)
  elseif type(value) == "number" then
    if value ~= value or value == math.huge or value == -math.huge then
      refuse("JSON", "it has no " .. tostring(value))
    end
    return float(value)
  elseif type(value) == "table" and not (getmetatable(value) or {}).__tostring then
    local text = require("adt.json").encode(value)
    if #text > MAX then
      refuse("JSON", ("%d bytes are more than %d"):format(#text, MAX))
    end
    return text
  end
  return '"' .. escaped(unicode(value, "JSON")) .. '"'
end

local function special(value, nan, inf)
  return value ~= value and nan or value == math.huge and inf or value == -math.huge and "-" .. inf or float(value)
end

--- A TOML value: a basic string, a number or a boolean.
---@param value string|number|boolean
---@return string
function M.toml(value)
  if type(value) == "number" then
    return math.type(value) == "integer" and tostring(value) or special(value, "nan", "inf")
  elseif type(value) == "boolean" then
    return tostring(value)
  end
  return '"' .. escaped(unicode(value, "TOML")) .. '"'
end

--- A YAML value on one line: a double-quoted scalar, a number or a boolean.
---@param value string|number|boolean
---@return string
function M.yaml(value)
  if type(value) == "number" then
    return math.type(value) == "integer" and tostring(value) or special(value, ".nan", ".inf")
  elseif type(value) == "boolean" then
    return tostring(value)
  end
  local text = escaped(unicode(value, "YAML"))
  -- Line breaks and controls that YAML knows beyond ASCII, and the byte order mark.
  text = text:gsub("\xC2[\x80-\x9F]", function(char) return ("\\u%04X"):format(utf8.codepoint(char)) end)
  text = text:gsub("\xE2\x80[\xA8\xA9]", function(char) return ("\\u%04X"):format(utf8.codepoint(char)) end)
  return '"' .. text:gsub("\xEF\xBB\xBF", "\\uFEFF") .. '"'
end

--- The value of an ENV or LABEL of a Dockerfile, in double quotes: no variable in it is expanded. A Dockerfile has no
--- way to write a line feed there. (With the escape character that Dockerfiles have by default.)
---@param value string|number|boolean
---@return string
function M.docker(value)
  local text = M.text(value, "a Dockerfile")
  if text:find("[\r\n]") then
    refuse("a Dockerfile", "it holds a line break", "copy a file into the image, or pass the value at run time")
  end
  return '"' .. text:gsub('[\\"$]', "\\%0") .. '"'
end

return M
