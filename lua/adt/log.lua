--- Diagnostic lines for the one who runs the program: level, message, key=value. Secrets are redacted, control characters
--- escaped, so that no value can forge a line or steer a terminal. The level comes from ADTLUA_LOG, else "warn".
local process = require "adt.c.process"
local secret = require "adt.c.secret"
local errors = require "adt.error"
local time = require "adt.time"

local M = {}

---@alias adt.LogLevel "debug" | "info" | "warn" | "error" | "off"

local RANK = { debug = 1, info = 2, warn = 3, error = 4, off = 5 }
local NAMES = { "debug", "info", "warn", "error", "off" }
local MAX_VALUE = 4096 -- bytes of one value; logs are for reading

local settings = { level = nil, format = "text", stream = nil }

local function level_rank(level, where)
  local rank = RANK[level]
  if not rank then
    local near = errors.nearest(tostring(level), NAMES)
    errors.raise {
      cause = "usage", code = "UnknownLevel", message = ("%s: '%s' is no level of the log"):format(where, tostring(level)),
      hint = near and ("did you mean '%s'?"):format(near) or "the levels are " .. table.concat(NAMES, ", "),
    }
  end
  return rank
end

local function threshold()
  if not settings.level then
    local wanted = process.env "ADTLUA_LOG"
    settings.level = wanted and wanted ~= "" and level_rank(wanted:lower(), "ADTLUA_LOG") or RANK.warn
  end
  return settings.level
end

---@class adt.LogOptions
---@field level? adt.LogLevel
---@field format? "text"|"json"
---@field stream? file*|table anything with write and flush; default io.stderr

--- Changes how this process logs.
---@param options adt.LogOptions
function M.configure(options)
  errors.check_options("log.configure", options, { "level", "format", "stream" })
  if options.format ~= nil and options.format ~= "text" and options.format ~= "json" then
    errors.raise {
      cause = "usage", code = "BadArgument",
      message = ("log.configure: unknown format '%s'"):format(tostring(options.format)),
      hint = "the formats are text and json",
    }
  end
  settings.level = options.level and level_rank(options.level, "log.configure") or settings.level
  settings.format = options.format or settings.format
  settings.stream = options.stream or settings.stream
end

--- Whether lines of a level are written: for values that are costly to make.
---@param level adt.LogLevel
---@return boolean
function M.enabled(level)
  return level_rank(level, "log.enabled") >= threshold()
end

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape_byte(byte)
  return ESCAPES[byte] or ("\\x%02x"):format(byte:byte())
end

-- Bytes that are not UTF-8, one by one; the rest stays.
local function escape_invalid(text)
  local parts, at = {}, 1
  while true do
    local ok, bad = utf8.len(text, at)
    if ok then
      parts[#parts + 1] = text:sub(at)
      return table.concat(parts)
    end
    parts[#parts + 1] = text:sub(at, bad - 1) .. escape_byte(text:sub(bad, bad))
    at = bad + 1
  end
end

--- Text that cannot change what a terminal or a log shows around it: control characters, those of Unicode's second block
--- and the ones that turn the direction of writing, and bytes that are not UTF-8 become escapes.
---@param text string
---@return string
function M.escape(text)
  text = text:gsub("[%c]", escape_byte)
  if not text:find("[\x80-\xff]") then
    return text
  end
  return (escape_invalid(text):gsub("\xc2[\x80-\x9f]", function(c) return ("\\u{%x}"):format(utf8.codepoint(c)) end)
    :gsub("\xe2[\x80-\x81][\x80-\xbf]", function(c)
      local code = utf8.codepoint(c)
      local steers = code >= 0x2028 and code <= 0x202e or code >= 0x2066 and code <= 0x2069
      return steers and ("\\u{%x}"):format(code) or nil
    end))
end

-- Redacted before it is cut, so that no piece of a secret is left.
local function clean(value)
  local text = secret.redact(tostring(value))
  if #text > MAX_VALUE then
    local cut = utf8.offset(text, 0, MAX_VALUE + 1) or MAX_VALUE + 1
    text = text:sub(1, cut - 1) .. "[... cut]"
  end
  return M.escape(text)
end

local function quoted(value)
  local text = clean(value)
  if text == "" or text:find('[%s"=]') then
    return '"' .. text:gsub('"', '\\"') .. '"'
  end
  return text
end

local function sorted_keys(fields)
  local keys = {}
  for key in pairs(fields) do
    keys[#keys + 1] = tostring(key)
  end
  table.sort(keys)
  return keys
end

local function text_line(level, message, fields)
  local parts = { time.iso(nil, { digits = 3 }), level, clean(message) }
  for _, key in ipairs(sorted_keys(fields)) do
    parts[#parts + 1] = clean(key) .. "=" .. quoted(fields[key])
  end
  return table.concat(parts, " ")
end

local function json_line(level, message, fields)
  local line = { time = time.iso(nil, { digits = 3 }), level = level, message = clean(message) }
  for _, key in ipairs(sorted_keys(fields)) do
    local value = fields[key]
    local plain = type(value) == "boolean" or type(value) == "number" and value - value == 0
    -- The line's own names are not the caller's to replace.
    line[line[key] == nil and clean(key) or "field_" .. clean(key)] = plain and value or clean(value)
  end
  return errors.check(require("adt.c.json").encode(line))
end

local function write(level, message, fields)
  if RANK[level] < threshold() then
    return
  end
  local line = (settings.format == "json" and json_line or text_line)(level, message, fields or {})
  local stream = settings.stream or io.stderr
  -- One write a line, so that lines of several processes do not mix. A log that cannot be written stops nobody.
  stream:write(line .. "\n")
  stream:flush()
end

---@param message string
---@param fields? table<string, any>
function M.debug(message, fields) write("debug", message, fields) end

---@param message string
---@param fields? table<string, any>
function M.info(message, fields) write("info", message, fields) end

---@param message string
---@param fields? table<string, any>
function M.warn(message, fields) write("warn", message, fields) end

---@param message string
---@param fields? table<string, any>
function M.error(message, fields) write("error", message, fields) end

return M
