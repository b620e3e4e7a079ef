--- YAML: plain data only, the types of YAML 1.2, output that any reader takes for the same values.
local c = require "adt.c.yaml"
local json = require "adt.json"

local M = {}

--- What stands for YAML's null; the same value as adt.json.null.
M.null = json.null

---@class adt.yaml.DecodeOptions
---@field max_size? integer bytes of text; 16 MiB when not given
---@field max_nodes? integer keys and values, aliases written out; 200000 when not given
---@field big? "float"|"string"|"error" integers beyond 64 bits: rounded (when not given), kept as digits, refused
---@field cloudformation? boolean "!Sub x" is read as { ["Fn::Sub"] = "x" }, as all short forms of CloudFormation's functions
---@field name? string what the text is, a file's name for example, for error messages

--- Reads one document; an empty text is null. yes, no, on and off are strings; so are digits with a leading zero, which
--- keeps account numbers whole. Keys are strings, whatever they look like. Aliases become tables of their own; merge
--- keys (<<) are followed. Depth ends at 64, aliases and anchors at 1000 each.
---
--- Raises "BadYaml", "UnknownTag", "DuplicateKey", "TooDeep", "TooBig" (cause config), with the line and column in
--- `where`.
---@param text string UTF-8
---@param opts? adt.yaml.DecodeOptions
---@return any
function M.decode(text, opts)
  local value, err = c.decode(text, opts)
  if err then
    error(err, 0)
  end
  return value
end

--- Reads a stream of documents, separated by `---`. Raises as `decode`.
---@param text string UTF-8
---@param opts? adt.yaml.DecodeOptions
---@return any[]
function M.decode_all(text, opts)
  local values, err = c.decode_all(text, opts)
  if err then
    error(err, 0)
  end
  return values --[[@as any[] ]]
end

--- Writes a value as one document in block style, keys sorted by their bytes. Strings that some version of YAML reads
--- as another type are quoted; text of several lines stands as a literal block. An empty table is a mapping unless
--- marked by adt.json.array.
---
--- Raises (cause usage, the value's path in `where`): "NotUtf8", "MixedKeys", "BadType", "Cycle", "TooDeep" (64),
--- "TooBig" (16 MiB).
---@param value any
---@return string
function M.encode(value)
  local text, err = c.encode(value)
  if err then
    error(err, 0)
  end
  return text --[[@as string]]
end

return M
