--- Cases of the public suites that give responses: is what we read of them what is expected?
local base64 = require "adt.base64"

local M = {}

local WORDS = { NaN = 0 / 0, Infinity = 1 / 0, ["-Infinity"] = -1 / 0 }

-- The suites write numbers that JSON has not as texts.
local function same(got, expected)
  if type(got) == "number" and WORDS[expected] then return got == WORDS[expected] or (got ~= got and expected == "NaN") end
  if type(got) ~= "table" or type(expected) ~= "table" then return got == expected end
  for key, value in pairs(got) do
    if not same(value, expected[key]) then return false end
  end
  for key in pairs(expected) do
    if got[key] == nil then return false end
  end
  return true
end

-- For messages: JSON has no NaN.
local function shown(v)
  if type(v) == "number" and (v ~= v or v == 1 / 0 or v == -1 / 0) then return tostring(v) end
  if type(v) ~= "table" then return v end
  local copy = {}
  for key, value in pairs(v) do copy[key] = shown(value) end
  return copy
end

local function read(c, suite)
  local model, name = suite.model(c)
  local r = c.case.response
  local body = r.body or ""
  -- A stream of events is binary: the suites have it in base64.
  if model:operation(name).event_stream then body = base64.decode(body) end
  local status, headers = r.status_code or 200, r.headers or {}
  if c.case.error == nil then
    if model:is_failure(name, status, headers, body) then return "taken for a failure" end
    local result, err = model:response(name, status, headers, body)
    return result or err.message, c.case.result or {}
  end
  if not model:is_failure(name, status, headers, body) then return "not taken for a failure" end
  local failure = model:failure(name, status, headers, body)
  return { code = failure.code, message = failure.message, fields = failure.fields },
    { code = c.case.errorCode or "", message = c.case.errorMessage or "", fields = c.case.error }
end

function M.check(c, suite)
  local got, expected = read(c, suite)
  if not same(got, expected) then return suite.differs("result", shown(expected), shown(got)) end
end

return M
