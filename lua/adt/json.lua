--- JSON: exact integers, strict text, output that is the same for the same value.
local c = require "adt.c.json"
local errors = require "adt.error"

local M = {}

--- What stands for JSON's null: a value, so that it keeps its place in tables. Not nil, and true in conditions.
M.null = c.null

--- The metatable of arrays: those that were decoded, and those that `array` marked.
M.array_mt = c.array_mt

---@class adt.json.DecodeOptions
---@field max_depth? integer arrays and objects inside each other; 512 when not given, at most 4096
---@field max_size? integer bytes of text; 256 MiB when not given, at most 1 GiB
---@field unique? boolean refuse objects that hold a key twice; otherwise the last one counts
---@field big? "float"|"string"|"error" integers beyond 64 bits: rounded (when not given), kept as digits, refused
---@field name? string what the text is, a file's name for example, for error messages

---@class adt.json.EncodeOptions
---@field pretty? boolean on several lines, indented by two
---@field indent? integer on several lines, indented by so many spaces, 1 to 16

--- Reads one JSON value. Numbers without fraction and exponent become Lua integers, others floats; objects and arrays
--- become tables, and arrays stay arrays when encoded again, also empty ones.
---
--- Raises "BadJson", "TooDeep", "TooBig", "DuplicateKey" (cause config), with the line and column in `where`.
---@param text string UTF-8
---@param opts? adt.json.DecodeOptions
---@return any
function M.decode(text, opts)
  local value, err = c.decode(text, opts)
  if err then
    error(err, 0)
  end
  return value
end

--- Writes a value as JSON, keys sorted by their bytes. Tables with keys 1 to n are arrays, with string keys objects; an
--- empty table is an object unless marked by `array`. Floats keep a point or an exponent. Metatables are not asked.
---
--- Raises (cause usage, the value's path in `where`): "NotFinite", "NotUtf8", "MixedKeys", "BadType", "Cycle",
--- "TooDeep" (512 levels), "TooBig" (1 GiB).
---@param value any
---@param opts? adt.json.EncodeOptions
---@return string
function M.encode(value, opts)
  local indent
  if opts then
    errors.check_options("json.encode", opts, { "pretty", "indent" })
    indent = opts.indent or (opts.pretty and 2) or nil
  end
  local text, err = c.encode(value, indent and { indent = indent })
  if err then
    error(err, 0)
  end
  return text --[[@as string]]
end

--- Marks a table as an array, so that it is written as one even when it is empty.
---@param t? table a new one when not given
---@return table t the same table
function M.array(t)
  return c.array(t)
end

return M
