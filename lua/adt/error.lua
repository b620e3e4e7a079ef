--- Structured errors: one table with a cause, a code, a sentence for people and what to do next.
local c = require "adt.c.error"

local M = {}

--- What went wrong; the program's exit code follows it.
---@alias adt.Cause
---| "usage" | "config" | "auth" | "service" | "capacity" | "quota" | "image" | "program" | "node" | "fabric"
---| "check" | "reference" | "timeout" | "unknown" | "cancelled" | "partial" | "busy" | "internal"

---@class adt.Error
---@field cause adt.Cause
---@field code? string for programs: "ENOENT", "TooDeep"
---@field message string one sentence
---@field where? string file:line, path or endpoint
---@field hint? string what to do next
---@field retryable? boolean
---@field request_id? string
---@field inner? any the error behind this one
---@field traceback? string of a Lua error that was not structured
---@field exit? integer the job program's own exit status, for --propagate

--- Exit codes by cause; promised to users (docs/guide/exit-codes.md).
local EXIT = {
  internal = 1, usage = 2, config = 3, auth = 3, service = 4, capacity = 5, quota = 5, image = 6, program = 6,
  node = 7, fabric = 7, check = 8, timeout = 9, unknown = 9, reference = 11, partial = 12, cancelled = 13, busy = 75,
}

--- Makes an error value.
---@param fields adt.Error
---@return adt.Error
function M.new(fields)
  assert(EXIT[fields.cause], "an error needs a known cause")
  assert(type(fields.message) == "string", "an error needs a message")
  return c.new(fields)
end

--- Raises a new error.
---@param fields adt.Error
function M.raise(fields)
  error(M.new(fields), 0)
end

--- Whether a value is a structured error.
---@param value any
---@return boolean
M.is = c.is

--- Passes `value` on, or raises the error that came instead of it: `errors.check(cfs.read(path))`.
---@generic T
---@param value T?
---@param err? adt.Error
---@return T
function M.check(value, err, ...)
  if value == nil and err ~= nil then
    error(err, 0)
  end
  if err == nil and select("#", ...) == 0 then
    return value -- alone, so that it can stand last in a call
  end
  return value, err, ...
end

--- Any raised value as a structured error; one that is structured stays as it is.
---@param value any
---@param traceback? string
---@return adt.Error
function M.from(value, traceback)
  if c.is(value) then
    return value
  end
  local message = type(value) == "string" and value or tostring(value)
  return c.new { cause = "internal", code = "LuaError", message = message, traceback = traceback, inner = value }
end

--- A message handler for xpcall that keeps the traceback of errors that are not structured; those that are and name no
--- place get the line of the recipe or script that led to them.
---@param value any
---@return adt.Error
function M.handler(value)
  if c.is(value) then
    return c.locate(value)
  end
  return M.from(value, debug.traceback("", 2))
end

--- Calls `f`: its values, or nil and the error.
---@param f fun(...): ...
---@return any ... | nil, adt.Error
function M.try(f, ...)
  local function results(ok, ...)
    if ok then
      return ...
    end
    return nil, (...)
  end
  return results(xpcall(f, M.handler, ...))
end

--- The exit status of the program for an error, by its cause.
---@param err adt.Error
---@return integer
function M.exit_code(err)
  return EXIT[err.cause] or 1
end

--- The nearest of `names` to a misspelt one, or nil when none is near (Levenshtein distance of at most a third).
---@param name string
---@param names string[]
---@return string?
function M.nearest(name, names)
  local best, found = #name // 3 + 2, nil
  for _, candidate in ipairs(names) do
    local row = {}
    for j = 0, #candidate do row[j] = j end
    for i = 1, #name do
      local diagonal = row[0]
      row[0] = i
      for j = 1, #candidate do
        local swap = diagonal + (name:byte(i) == candidate:byte(j) and 0 or 1)
        diagonal = row[j]
        row[j] = math.min(row[j] + 1, row[j - 1] + 1, swap)
      end
    end
    if row[#candidate] < best then
      best, found = row[#candidate], candidate
    end
  end
  return found
end

--- Raises a usage error for each key of `given` that is not in `known`, naming the nearest one.
---@param what string the function, for the message
---@param given table
---@param known table<string, any>|string[]
function M.check_options(what, given, known)
  local names, set = {}, {}
  for k, v in pairs(known) do
    local name = type(k) == "number" and v or k
    names[#names + 1] = name
    set[name] = true
  end
  table.sort(names)
  for key in pairs(given) do
    if type(key) == "string" and not set[key] then
      local near = M.nearest(key, names)
      M.raise {
        cause = "usage", code = "UnknownOption",
        message = ("%s: unknown option '%s'"):format(what, key),
        hint = near and ("did you mean '%s'?"):format(near) or "known: " .. table.concat(names, ", "),
      }
    end
  end
end

return M
