--- Tests beside recipes: files *_test.lua that call test(title, function) and the assertions here.
local errors = require "adt.error"

local M = { cases = {} }

local function shown(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

local function fail(message, detail)
  errors.raise { cause = "check", code = "TestFailed", message = detail and message .. ": " .. detail or message }
end

--- Registers a test.
---@param title string a sentence
---@param f fun()
function M.case(title, f)
  table.insert(M.cases, { title = title, f = f })
end

--- Fails unless the value is true.
---@param value any
---@param message? string
function M.ok(value, message)
  if not value then
    fail(message or "expected a true value", shown(value))
  end
  return value
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

--- Fails unless both are equal; tables by content.
---@param expected any
---@param got any
---@param message? string
function M.equal(expected, got, message)
  if not same(expected, got) then
    fail(message or "not equal", ("expected %s, got %s"):format(shown(expected), shown(got)))
  end
end

--- Fails unless `f` raises an error of this cause; returns the error.
---@param cause adt.Cause
---@param f fun()
---@return adt.Error
function M.raises(cause, f)
  local ok, err = pcall(f)
  if ok then
    fail("expected an error of cause " .. cause)
  end
  err = errors.from(err)
  if err.cause ~= cause then
    fail(("expected an error of cause %s, got %s"):format(cause, err.cause), err.message)
  end
  return err
end

return setmetatable(M, { __call = function(_, title, f) M.case(title, f) end })
