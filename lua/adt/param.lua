--- Typed parameters of a recipe: what a flag, a variable or a file may say, checked before anything is created.
---
--- This module is also read in the bare state that reads recipe heads: it needs nothing but pure Lua.
local errors = require "adt.error"
local units = require "adt.units"

local M = {}

---@class adt.Param
---@field type string
---@field default any
---@field optional? boolean may stay nil without a default
---@field min? number
---@field max? number
---@field help? string
---@field values? string[] of an enum
---@field of? adt.Param of a list
---@field env? string variable that a secret comes from
local Param = {}
Param.__index = Param

-- A value longer than this is no parameter but a file, which a path names.
local LONGEST = 64 * 1024
local LONGEST_DURATION = 100 * 366 * 86400

local COMMON = { "default", "optional", "help" }
local FIELDS = {
  int = { "min", "max" }, number = { "min", "max" }, duration = { "min", "max" }, size = { "min", "max" },
  bool = {}, string = { "pattern" }, enum = {}, list = { "of", "min", "max" }, path = {},
  hostlist = {}, secret = { "env" },
}

-- `name` is nil for the default of a definition, which has no name yet.
local function fail(name, what, hint)
  local subject = name and ("parameter '%s'"):format(name) or "the default of a parameter"
  errors.raise { cause = "usage", code = "BadParameter", message = subject .. " " .. what, hint = hint }
end

local function shown(value)
  if type(value) == "table" or type(value) == "userdata" then
    return type(value) == "table" and "a table" or "nothing"
  end
  local text = tostring(value)
  if #text > 60 then
    text = text:sub(1, 57) .. "..."
  end
  return ("%q"):format(text):gsub("\\\n", "\\n"):gsub("\r", "\\r")
end

local function in_range(name, def, value, printed)
  if def.min and value < def.min then
    fail(name, ("must be at least %s, not %s"):format(tostring(def.min), printed))
  elseif def.max and value > def.max then
    fail(name, ("must be at most %s, not %s"):format(tostring(def.max), printed))
  end
  return value
end

local PARSE = {}

function PARSE.int(name, def, value)
  local n = type(value) == "string" and value:match("^[+-]?%d+$") and math.tointeger(tonumber(value))
    or type(value) == "number" and math.tointeger(value)
  if not n then
    fail(name, "must be a whole number, not " .. shown(value))
  end
  return in_range(name, def, n, shown(value))
end

function PARSE.number(name, def, value)
  local n = type(value) ~= "boolean" and tonumber(value)
  if not n or n ~= n or n == math.huge or n == -math.huge then
    fail(name, "must be a number, not " .. shown(value))
  end
  return in_range(name, def, n, shown(value))
end

local BOOLEANS = { ["true"] = true, yes = true, on = true, ["1"] = true,
  ["false"] = false, no = false, off = false, ["0"] = false }

function PARSE.bool(name, _, value)
  if type(value) == "boolean" then
    return value
  end
  local b = BOOLEANS[tostring(value):lower()]
  if b == nil then
    fail(name, "must be true or false, not " .. shown(value))
  end
  return b
end

function PARSE.string(name, def, value)
  if type(value) ~= "string" and type(value) ~= "number" then
    fail(name, "must be a text, not a " .. type(value))
  end
  local text = tostring(value)
  if def.pattern and not text:match(def.pattern) then
    fail(name, ("must match the pattern %s, not be %s"):format(def.pattern, shown(text)))
  end
  return text
end

function PARSE.enum(name, def, value)
  local text = type(value) == "table" and "" or tostring(value)
  for _, known in ipairs(def.values) do
    if text == known then
      return text
    end
  end
  local near = errors.nearest(text, def.values)
  fail(name, ("must be one of %s, not %s"):format(table.concat(def.values, ", "), shown(value)),
    near and ("did you mean '%s'?"):format(near))
end

function PARSE.list(name, def, value)
  local items = {}
  if type(value) == "table" then
    if #value == 0 and next(value) ~= nil then
      fail(name, "must be a list, not a mapping")
    end
    table.move(value, 1, #value, 1, items)
  elseif value ~= "" then
    for item in (tostring(value) .. ","):gmatch("(.-),") do
      items[#items + 1] = item
    end
  end
  for i, item in ipairs(items) do
    items[i] = M.parse(name and ("%s[%d]"):format(name, i), def.of, item)
  end
  if def.min and #items < def.min or def.max and #items > def.max then
    fail(name, ("must have at %s items, not %d"):format(
      def.min and #items < def.min and "least " .. def.min or "most " .. def.max, #items))
  end
  return items
end

-- Limits of durations and sizes are shown as the recipe writes them.
local function outside(def, value)
  if def.min and def.max then
    return ("must lie between %s and %s, not be %s"):format(def.min, def.max, shown(value))
  end
  return ("must be at %s %s, not %s"):format(def.min and "least" or "most", def.min or def.max, shown(value))
end

function PARSE.duration(name, def, value)
  local seconds = (type(value) == "number" or type(value) == "string") and units.seconds(value)
  -- Beyond a century it is a slip, and %d would not take it.
  if not seconds or not (seconds >= 0 and seconds < LONGEST_DURATION) then
    fail(name, 'must be a duration such as "90s", "2h" or "1h30m", not ' .. shown(value))
  end
  if def.min and seconds < units.seconds(def.min) or def.max and seconds > units.seconds(def.max) then
    fail(name, outside(def, value))
  end
  return seconds
end

function PARSE.size(name, def, value)
  local bytes = (type(value) == "number" or type(value) == "string") and units.bytes(value)
  if not bytes or bytes < 0 then
    fail(name, 'must be a size such as "512MiB" or "4G", not ' .. shown(value))
  end
  if def.min and bytes < units.bytes(def.min) or def.max and bytes > units.bytes(def.max) then
    fail(name, outside(def, value))
  end
  return bytes
end

function PARSE.path(name, _, value)
  if type(value) ~= "string" or value == "" then
    fail(name, "must be a path, not " .. shown(value))
  end
  return value
end

function PARSE.hostlist(name, _, value)
  if type(value) == "table" then
    return PARSE.list(name, { of = { type = "string" } }, value)
  elseif type(value) ~= "string" then
    fail(name, "is no list of hosts", 'write hosts as "n1,n2" or "n[01-16]"')
  end
  local hosts, err = require("adt.hostlist").expand(value)
  if not hosts then
    fail(name, "is no list of hosts: " .. err, 'write hosts as "n1,n2" or "n[01-16]"')
  end
  return hosts
end

function PARSE.secret(name, _, value)
  if type(value) ~= "string" and type(value) ~= "number" or value == "" then
    fail(name, "must be a text that is not empty")
  end
  return require("adt.secret").new(name, tostring(value))
end

--- Turns what was said for a parameter into its value. Raises cause "usage" with the valid choice.
---@param name? string nil for a default
---@param def adt.Param
---@param value any a text from a flag or variable, or a value from a file
---@return any
function M.parse(name, def, value)
  if type(value) == "string" then
    if value:find("\0", 1, true) then
      fail(name, "holds a NUL byte, which no program can be given")
    elseif not utf8.len(value) then
      fail(name, "is not UTF-8; what a run is given is journalled as text", "put the bytes in a file and pass its path")
    elseif #value > LONGEST then
      fail(name, ("holds %d bytes; at most %d are taken"):format(#value, LONGEST), "put it in a file and pass its path")
    end
  end
  return PARSE[def.type](name, def, value)
end

local function define(kind, fields)
  fields = fields or {}
  if type(fields) ~= "table" then
    errors.raise { cause = "usage", message = ("adt.%s takes a table of fields"):format(kind) }
  end
  local known = { table.unpack(COMMON) }
  table.move(FIELDS[kind], 1, #FIELDS[kind], #known + 1, known)
  errors.check_options("adt." .. kind, fields, known)
  local def = setmetatable({ type = kind }, Param)
  for key, value in pairs(fields) do
    if type(key) == "string" then
      def[key] = value
    end
  end
  if def.default ~= nil and kind ~= "secret" then
    def.default = M.parse(nil, def, def.default)
  end
  return def
end

--- A whole number of 64 bits.
---@param fields? table default, min, max; help, optional
---@return adt.Param
function M.int(fields)
  return define("int", fields)
end

--- A finite number.
---@param fields? table default, min, max; help, optional
---@return adt.Param
function M.number(fields)
  return define("number", fields)
end

--- Yes or no: `--name`, `--no-name`, `--name=yes`.
---@param fields? table default; help, optional
---@return adt.Param
function M.bool(fields)
  return define("bool", fields)
end

--- A text.
---@param fields? table default, pattern (a Lua pattern that it must match); help, optional
---@return adt.Param
function M.string(fields)
  return define("string", fields)
end

--- Seconds, written as "90s", "2h" or "1h30m"; less than a century.
---@param fields? table default, min, max; help, optional
---@return adt.Param
function M.duration(fields)
  return define("duration", fields)
end

--- Bytes, written as "512MiB", "2GB" (10^9) or "4G" (2^30).
---@param fields? table default, min, max; help, optional
---@return adt.Param
function M.size(fields)
  return define("size", fields)
end

--- A path, taken as it is written.
---@param fields? table default; help, optional
---@return adt.Param
function M.path(fields)
  return define("path", fields)
end

--- A list of hosts, written as "n[01-16],head" as Slurm does; at most 65536.
---@param fields? table default; help, optional
---@return adt.Param
function M.hostlist(fields)
  return define("hostlist", fields)
end

--- A value that is never printed; see adt.secret.
---@param fields? table env (the variable that it comes from); help, optional
---@return adt.Param
function M.secret(fields)
  return define("secret", fields)
end

--- A choice: `adt.enum { "small", "large", default = "small" }`.
---@param fields table the values; default, help, optional
---@return adt.Param
function M.enum(fields)
  local values = table.move(fields, 1, #fields, 1, {})
  if #values == 0 then
    errors.raise { cause = "usage", message = "adt.enum needs at least one value" }
  end
  local default = fields.default
  local def = define("enum", { optional = fields.optional, help = fields.help })
  def.values = values
  for key in pairs(fields) do
    if type(key) == "string" then
      errors.check_options("adt.enum", { [key] = true }, COMMON)
    end
  end
  def.default = default ~= nil and PARSE.enum(nil, def, default) or nil
  return def
end

--- A list, comma-separated in flags: `adt.list { of = adt.int { min = 1 } }`; of texts without `of`.
---@param fields? table of (a parameter for each item), default, min and max (of their number); help, optional
---@return adt.Param
function M.list(fields)
  fields = fields or {}
  local copy = {}
  for k, v in pairs(fields) do copy[k] = v end
  copy.of = fields.of or setmetatable({ type = "string" }, Param)
  return define("list", copy)
end

--- Whether a value is a parameter definition.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Param
end

--- The value of a parameter as a text that parses to the same value again; secrets stay hidden.
---@param def adt.Param
---@param value any
---@return string
function M.text(def, value)
  if value == nil then
    return ""
  elseif def.type == "hostlist" then
    return table.concat(value, ",")
  elseif def.type == "list" then
    local items = {}
    for i, item in ipairs(value) do items[i] = M.text(def.of, item) end
    return table.concat(items, ",")
  elseif def.type == "duration" then
    return units.exact_duration(value)
  elseif def.type == "size" then
    return units.exact_size(value)
  elseif def.type == "number" then
    return units.number(value)
  end
  return tostring(value)
end

local JSON_TYPE = { int = "integer", number = "number", bool = "boolean", list = "array", hostlist = "array" }

--- The parameter as JSON Schema.
---@param def adt.Param
---@return table
function M.schema(def)
  local s = { type = JSON_TYPE[def.type] or "string", description = def.help }
  if def.type == "int" or def.type == "number" then
    s.minimum, s.maximum = def.min, def.max
  elseif def.type == "enum" then
    s.enum = def.values
  elseif def.type == "list" then
    s.items, s.minItems, s.maxItems = M.schema(def.of), def.min, def.max
  elseif def.type == "hostlist" then
    s.type, s.items = { "string", "array" }, { type = "string" }
  elseif def.type == "secret" then
    s.writeOnly = true
  elseif def.type == "duration" or def.type == "size" then
    s.format = def.type
    s.type = { "string", "number" }
  end
  if def.type ~= "secret" then
    s.default = def.default
  end
  return s
end

return M
