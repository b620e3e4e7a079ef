--- Digests, as lower-case hex unless `raw` is asked for.
local c = require "adt.c.hash"
local errors = require "adt.error"
local path = require "adt.path"

local M = {}

---@class adt.HashOptions
---@field raw? boolean bytes instead of hex

local function is_raw(what, options)
  if options == nil then
    return false
  end
  errors.check_options(what, options, { "raw" })
  return options.raw == true
end

local function text_of(what, text)
  if type(text) ~= "string" then
    errors.raise {
      cause = "usage", code = "BadArgument", message = ("%s: a string is needed, not a %s"):format(what, type(text)),
    }
  end
  return text
end

local function only(value, err)
  if err ~= nil then
    error(err, 0)
  end
  return value
end

local function digest(name)
  local what = "hash." .. name
  return function(text, options)
    return only(c.digest(name, text_of(what, text), is_raw(what, options)))
  end
end

--- Raises config "NoOpenSSL" where OpenSSL 3 is not installed, as every function here.
---@type fun(text: string, options?: adt.HashOptions): string
M.sha256 = digest "sha256"

--- For protocols that ask for it; not for telling files apart safely.
---@type fun(text: string, options?: adt.HashOptions): string
M.sha1 = digest "sha1"

--- For protocols that ask for it.
---@type fun(text: string, options?: adt.HashOptions): string
M.md5 = digest "md5"

--- The digest of a file of any size; waits.
---@param name string
---@param options? adt.HashOptions
---@return string  # raises: usage (not there), node (disk errors)
function M.sha256_file(name, options)
  return only(c.file("sha256", path.check(name), is_raw("hash.sha256_file", options)))
end

--- HMAC (RFC 2104).
---@param key string
---@param text string
---@param options? adt.HashOptions
---@return string
function M.hmac_sha256(key, text, options)
  local what = "hash.hmac_sha256"
  return only(c.hmac("sha256", text_of(what, key), text_of(what, text), is_raw(what, options)))
end

--- Whether two strings are the same, in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function M.equal(a, b)
  if #a ~= #b then
    return false
  end
  local differ = 0
  for i = 1, #a do
    differ = differ | (a:byte(i) ~ b:byte(i))
  end
  return differ == 0
end

return M
