--- Values that are never printed: opaque, revealed on purpose, redacted by value once revealed.
local errors = require "adt.error"

local M = {}

---@class adt.Secret
local Secret = {}
Secret.__index = Secret
Secret.__name = "adt.Secret"

-- Outside of the object, so that no pairs() or dump of it shows the value.
local values = setmetatable({}, { __mode = "k" })

--- A secret value of a parameter.
---@param name string
---@param value string
---@return adt.Secret
function M.new(name, value)
  local secret = setmetatable({ name = name }, Secret)
  values[secret] = value
  require("adt.c.secret").add(value)
  return secret
end

--- The value itself.
---@return string
function Secret:reveal()
  return values[self]
end

function Secret.__tostring()
  return "<secret>"
end

function Secret.__concat()
  errors.raise { cause = "usage", code = "SecretInText", message = "a secret cannot be part of a text",
    hint = "pass it to the job with secrets = { NAME = p.secret }, or call :reveal() where it must be" }
end

--- Whether a value is a secret.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Secret
end

return M
