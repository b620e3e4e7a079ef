--- What every source of credentials needs: values checked and registered as secrets, JSON that is never quoted.
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local json = require "adt.json"
local secret = require "adt.secret"
local time = require "adt.time"

local M = {}

local MAX_VALUE = 64 * 1024
local MAX_JSON = 1 << 20

-- They go into headers and signatures, so control characters and blanks are refused.
local function checked(what, name, value)
  if secret.is(value) then value = value:reveal() end
  if type(value) ~= "string" or value == "" or #value > MAX_VALUE or value:find "[^\33-\126]" then
    errors.raise { cause = "auth", code = "BadCredentials",
      message = ("%s: %s is %s"):format(what, name,
        (value == nil or value == json.null or value == "") and "missing" or "no printable text without blanks") }
  end
  return value
end

local function optional(what, name, value)
  if value == nil or value == json.null or value == "" then return nil end
  return checked(what, name, value)
end

--- Seconds since the epoch of what a source says: a number, or RFC 3339.
---@param what string for messages
---@param name string of the field
---@param value any
---@return number?
function M.expiry(what, name, value)
  if value == nil or value == json.null or value == "" then return nil end
  if type(value) == "number" and value == value and math.abs(value) < 1e12 then return value end
  local ok, seconds = pcall(time.parse, value)
  if not ok then
    errors.raise { cause = "auth", code = "BadCredentials", message = ("%s: %s is no date"):format(what, name) }
  end
  return seconds
end

---@class adt.aws.FoundKeys
---@field access_key any
---@field secret any
---@field token any
---@field expires any
---@field account any
---@field names? table<string, string> what the source calls the fields, for messages

--- Credentials out of what a source gave. Raises auth "BadCredentials", which names the field and never its value.
---@param source string "env"
---@param what string for messages: where they are from
---@param given adt.aws.FoundKeys
---@return adt.aws.ServedCredentials
function M.credentials(source, what, given)
  local names = given.names or {}
  local key = checked(what, names.access_key or "AccessKeyId", given.access_key)
  local value = checked(what, names.secret or "SecretAccessKey", given.secret)
  local token = optional(what, names.token or "SessionToken", given.token)
  csecret.add(value)
  if token then csecret.add(token) end
  return {
    access_key = key, secret = value, token = token, source = source,
    expires = M.expiry(what, names.expires or "Expiration", given.expires),
    account = optional(what, names.account or "AccountId", given.account),
  }
end

--- An object of JSON. Errors say where it is from and nothing of it.
---@param what string
---@param text string
---@param code string of the error
---@return table
function M.object(what, text, code)
  local ok, value = pcall(json.decode, text, { max_size = MAX_JSON, max_depth = 32 })
  if not ok or type(value) ~= "table" or getmetatable(value) == json.array_mt then
    errors.raise { cause = "auth", code = code, message = what .. " gave no object of JSON" }
  end
  return value
end

--- The string at a name of an object, or nil.
---@param object table
---@param name string
---@return string?
function M.text(object, name)
  local value = object[name]
  return type(value) == "string" and value ~= "" and value or nil
end

--- Words of somebody else that may hold secrets which nobody has registered: values behind "token=" and the like, and long
--- words that mix capitals, small letters and digits. One line, cut.
---@param text string
---@return string
function M.masked(text)
  text = csecret.redact(text)
  text = text:gsub("([%w_%-]*[Ss][Ee][Cc][Rr][Ee][Tt][%w_%-]*[\"']?%s*[=:]%s*)[^%s,;]+", "%1<secret>")
  text = text:gsub("([%w_%-]*[Tt][Oo][Kk][Ee][Nn][%w_%-]*[\"']?%s*[=:]%s*)[^%s,;]+", "%1<secret>")
  text = text:gsub("([%w_%-]*[Pp][Aa][Ss][Ss][Ww][%w_%-]*[\"']?%s*[=:]%s*)[^%s,;]+", "%1<secret>")
  text = text:gsub("[%w+/=_%-]+", function(word)
    if #word >= 30 and word:find "%u" and word:find "%l" and word:find "%d" then return "<secret>" end
  end)
  text = text:gsub("[^\32-\126]+", " "):gsub("^ +", ""):gsub(" +$", "")
  return #text > 300 and text:sub(1, 300) .. "..." or text
end

return M
