--- Values that are never printed: opaque, revealed on purpose, redacted by value once revealed.
local errors = require "adt.error"

local M = {}

---@class adt.Secret
local Secret = {}
Secret.__index = Secret
Secret.__name = "adt.Secret"

-- Outside of the object, so that no pairs() or dump of it shows the value.
local values, names = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

--- A secret value of a parameter.
---@param name string
---@param value string
---@return adt.Secret
function M.new(name, value)
  local csecret = require "adt.c.secret"
  local secret = csecret.object(Secret)
  values[secret], names[secret] = value, name
  csecret.add(value)
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

function Secret.__concat(a, b)
  local secret = M.is(a) and a or b
  errors.raise { cause = "usage", code = "SecretInText", message = ("the secret '%s' cannot be part of a text"):format(names[secret]),
    hint = "pass it to the job with secrets = { NAME = p.secret }, or call :reveal() where it must be" }
end

--- Whether a value is a secret.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Secret
end

return M
