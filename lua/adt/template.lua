--- Text files with holes: `@{name}` is filled, everything else stays as it is.
---
---   @{name}         the value's text as it is: for places where no quoting exists
---   @{name|sh}      a shell word       @{name|json}    a JSON value      @{name|toml}  a TOML value
---   @{name|yaml}    a YAML value       @{name|docker}  a value of ENV or LABEL in a Dockerfile
---   @@{             a literal @{
---
--- A name is a letter or underscore, then letters, digits, underscores. What only looks similar, as `@{a b}` or `${x}`,
--- is no hole. A hole without a value, a value without a hole and an unknown filter are errors. Values of more than
--- 64 KiB or with NUL bytes are refused, and so are secrets.
local errors = require "adt.error"
local quote = require "adt.quote"

local M = {}

local FILTERS = {
  sh = quote.sh, json = quote.json, toml = quote.toml, yaml = quote.yaml, docker = quote.docker, [""] = quote.text,
}
local FILE_MAX = 4 << 20 -- bytes of a template

---@class adt.template.Options
---@field name? string what the text is called in errors ("template")

local OPTIONS = { name = true }

local function line_of(text, at)
  local _, line = text:sub(1, at - 1):gsub("\n", "")
  return line + 1
end

local function names_of(values)
  local names = {}
  for name in pairs(values) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function suggestion(name, names)
  local near = errors.nearest(name, names)
  return near and ("did you mean '%s'?"):format(near) or #names > 0 and "known: " .. table.concat(names, ", ") or nil
end

-- where() tells the line; only errors need it.
local function fill_hole(values, where, name, filter)
  local apply = FILTERS[filter]
  if not apply then
    errors.raise {
      cause = "usage", code = "UnknownFilter", where = where(), message = ("unknown filter '%s'"):format(filter),
      hint = suggestion(filter, { "docker", "json", "sh", "toml", "yaml" }),
    }
  end
  if values[name] == nil then
    errors.raise {
      cause = "usage", code = "MissingValue", where = where(), message = ("no value for '%s'"):format(name),
      hint = suggestion(name, names_of(values)),
    }
  end
  local filled, err = errors.try(apply, values[name])
  if not filled then
    errors.raise { cause = err.cause, code = err.code, where = where(), message = ("'%s': %s"):format(name, err.message),
      hint = err.hint, inner = err }
  end
  return filled
end

local function check_unused(values, used, name)
  for _, value in ipairs(names_of(values)) do
    if not used[value] then
      errors.raise {
        cause = "usage", code = "UnusedValue", where = name,
        message = ("no @{%s} stands in the template"):format(value), hint = suggestion(value, names_of(used)),
      }
    end
  end
end

-- Calls text(piece) for what stays and hole(name, filter, position) for each hole, in order.
local function scan(source, text, hole)
  local at = 1
  while true do
    local start = source:find("@{", at, true)
    if not start then
      break
    end
    local name, filter, after = source:match("^([%a_][%w_]*)|([%w_]+)}()", start + 2)
    if not name then
      name, after = source:match("^([%a_][%w_]*)}()", start + 2)
    end
    if start > at and source:byte(start - 1) == 64 then
      text(source:sub(at, start - 2) .. "@{")
      at = start + 2
    elseif name then
      text(source:sub(at, start - 1))
      hole(name, filter or "", start)
      at = after
    else
      text(source:sub(at, start + 1))
      at = start + 2
    end
  end
  text(source:sub(at))
end

--- Fills the holes of a text. Raises `usage`, with the line, as told above.
---@param text string
---@param values table<string, any>
---@param options? adt.template.Options
---@return string
function M.fill(text, values, options)
  options = options or {}
  errors.check_options("template.fill", options, OPTIONS)
  local name = options.name or "template"
  local parts, used = {}, {}
  scan(text, function(piece)
    parts[#parts + 1] = piece
  end, function(hole, filter, at)
    local function where() return ("%s:%d"):format(name, line_of(text, at)) end
    parts[#parts + 1] = fill_hole(values, where, hole, filter)
    used[hole] = true
  end)
  check_unused(values, used, name)
  return table.concat(parts)
end

--- The names of a text's holes, for who fills several texts from one set of values.
---@param text string
---@return string[] sorted
function M.names(text)
  local names = {}
  scan(text, function() end, function(name) names[name] = true end)
  return names_of(names)
end

--- Fills the holes of a file of at most 4 MiB. Raises `config` when it cannot be read.
---@param path string
---@param values table<string, any>
---@return string
function M.file(path, values)
  local file <close>, message = io.open(path, "rb")
  local text = file and file:read(FILE_MAX + 1)
  if file and not text then
    -- An empty file reads as nil too; a folder opens and does not read.
    local _, err, code = file:read(0)
    if code == nil then
      text = ""
    else
      message = ("%s: %s"):format(path, err)
    end
  end
  if not text then
    errors.raise { cause = "config", code = "Unreadable", message = "the template cannot be read: " .. message,
      hint = "the path is taken from the current folder unless it is absolute" }
  elseif #text > FILE_MAX then
    errors.raise { cause = "config", code = "TooLarge", where = path,
      message = ("a template has at most %d bytes"):format(FILE_MAX) }
  end
  return M.fill(text, values, { name = path })
end

return M
