--- Values of recipes and errors as what leaves the program: short text for people, plain tables for JSON.
local secret = require "adt.c.secret"
local errors = require "adt.error"
local json = require "adt.json"
local term = require "adt.term"

local M = {}

local DEPTH = 16      -- of nested tables; deeper ones are said to be there
local ITEMS = 20000   -- of one value with all that is in it
local SHORT = 160     -- bytes of a value shown in a line of text

--- Text without the secrets that the program knows.
---@param text string
---@return string
M.redact = secret.redact

--- Text that may go to a terminal: secrets redacted, control sequences escaped, line feeds kept if wanted.
---@param text string
---@param newlines? boolean
---@return string
function M.safe(text, newlines)
  return term.clean(M.redact(text), newlines)
end

local function number(value)
  if value ~= value then
    return "nan"
  elseif value == math.huge then
    return "inf"
  elseif value == -math.huge then
    return "-inf"
  end
  return nil
end

local function utf8_only(text)
  text = M.redact(text)
  if utf8.len(text) then
    return text
  end
  return term.clean(text, true)
end

--- The parts of an error that programs read.
---@param err adt.Error|any
---@param depth? integer how many errors are around it; 8 at most are told
---@return table
function M.error(err, depth)
  err, depth = errors.from(err), depth or 0
  local inner = err.inner
  if errors.is(inner) then
    inner = depth < 8 and M.error(inner, depth + 1) or nil
  else
    inner = type(inner) == "string" and inner ~= err.message and { message = utf8_only(inner) } or nil
  end
  return {
    cause = err.cause, code = err.code, message = utf8_only(err.message), where = err.where and utf8_only(err.where),
    hint = err.hint and utf8_only(err.hint), retryable = err.retryable, request_id = err.request_id, exit = err.exit,
    inner = inner,
  }
end

local plain

local function plain_table(value, depth, left)
  if depth >= DEPTH or left.inside[value] then
    return "..."
  end
  local meta = getmetatable(value)
  if errors.is(value) then
    return M.error(value)
  elseif type(meta) == "table" and meta.__summary then
    return plain(meta.__summary(value), depth + 1, left)
  elseif type(meta) == "table" and meta.__tostring then
    return utf8_only(tostring(value))
  end
  left.inside[value] = true
  local copy, indexed, most, named = {}, 0, 0, false
  for k, v in next, value do
    left.items = left.items - 1
    if left.items < 0 then
      break
    end
    if math.type(k) == "integer" and k >= 1 then
      indexed, most = indexed + 1, math.max(most, k)
    else
      k, named = utf8_only(tostring(k)), true
    end
    copy[k] = plain(v, depth + 1, left)
  end
  left.inside[value] = nil
  -- A list with gaps or with names beside its items has no form in JSON: every item gets a name.
  if indexed > 0 and (named or indexed < most) then
    local names = {}
    for k, v in next, copy do names[tostring(k)] = v end
    return names
  end
  -- The mark of json.array(): an empty list stays a list.
  return meta == json.array_mt and setmetatable(copy, meta) or copy
end

plain = function(value, depth, left)
  local kind = type(value)
  if kind == "string" then
    return utf8_only(value)
  elseif kind == "number" then
    return number(value) or value
  elseif kind == "boolean" or kind == "nil" then
    return value
  elseif kind == "table" then
    return plain_table(value, depth, left)
  end
  if value == json.null then
    return value
  end
  return utf8_only(tostring(value))
end

--- A copy that JSON can hold: secrets redacted, text in UTF-8, what prints itself as its text, numbers that JSON
--- lacks as "nan", "inf", "-inf", errors as their fields, series as a summary; nothing nested deeper than 16
--- or inside itself, and 20000 items at most.
---@param value any
---@return any
function M.plain(value)
  return plain(value, 0, { items = ITEMS, inside = {} })
end

local function short(value, depth)
  local kind = type(value)
  if kind == "number" then
    return math.type(value) == "integer" and tostring(value) or ("%.6g"):format(value)
  elseif kind == "string" then
    return depth == 0 and value or ("%q"):format(value):gsub("\\\n", "\\n")
  elseif kind ~= "table" then
    return tostring(value)
  end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__tostring then
    return tostring(value)
  elseif depth >= 4 then
    return "{...}"
  end
  local parts, size = {}, 0
  local function add(part)
    parts[#parts + 1], size = part, size + #part + 2
    return size < SHORT
  end
  for i = 1, #value do
    if not add(short(value[i], depth + 1)) then
      add("...")
      break
    end
  end
  local names = {}
  for k in next, value do
    if not (math.type(k) == "integer" and k >= 1 and k <= #value) then
      names[#names + 1] = k
    end
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(names) do
    if size >= SHORT or not add(tostring(k) .. " = " .. short(value[k], depth + 1)) then
      break
    end
  end
  return depth == 0 and table.concat(parts, ", ") or "{ " .. table.concat(parts, ", ") .. " }"
end

--- A value in one short, safe line.
---@param value any
---@return string
function M.short(value)
  local text = short(value, 0)
  if #text > 4 * SHORT then
    text = text:sub(1, 4 * SHORT) .. "..."
  end
  return M.safe(text)
end

--- Seconds as people read them: "0.3 s", "34 s", "2 min 5 s", "1 h 3 min".
---@param seconds number
---@return string
function M.seconds(seconds)
  if seconds < 10 then
    return ("%.1f s"):format(seconds)
  elseif seconds < 60 then
    return ("%.0f s"):format(seconds)
  end
  local whole = math.floor(seconds + 0.5)
  if whole < 3600 then
    return ("%d min %d s"):format(whole // 60, whole % 60)
  end
  return ("%d h %d min"):format(whole // 3600, whole % 3600 // 60)
end

--- An error as one paragraph: message, where, the error behind it, what to do next.
---@param err adt.Error|any
---@return string
function M.paragraph(err)
  err = errors.from(err)
  local text = (err.where and err.where ~= "" and err.where .. ": " or "") .. err.message
  local inner, depth = err.inner, 0
  while inner ~= nil and depth < 4 do
    local message = errors.is(inner) and inner.message or type(inner) == "string" and inner
    if message and not text:find(message, 1, true) then
      text = text .. ", because " .. message
    end
    inner, depth = errors.is(inner) and inner.inner or nil, depth + 1
  end
  if err.hint and err.hint ~= "" then
    text = text .. "; " .. err.hint
  end
  return (M.safe(text, true):gsub("%s*\n%s*", " "))
end

return M
