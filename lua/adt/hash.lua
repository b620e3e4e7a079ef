--- Digests and checks, as lower-case hex unless `raw` is asked for.
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

--- Raises config "NoOpenSSL" where OpenSSL 3 is not installed, as everything here that is no CRC.
---@type fun(text: string, options?: adt.HashOptions): string
M.sha256 = digest "sha256"

--- For protocols that ask for it; not for telling files apart safely.
---@type fun(text: string, options?: adt.HashOptions): string
M.sha1 = digest "sha1"

--- For protocols that ask for it.
---@type fun(text: string, options?: adt.HashOptions): string
M.md5 = digest "md5"

--- The check of zlib, Ethernet and PNG: finds accidents, not forgers.
---@type fun(text: string, options?: adt.HashOptions): string
M.crc32 = digest "crc32"

--- That of iSCSI and ext4.
---@type fun(text: string, options?: adt.HashOptions): string
M.crc32c = digest "crc32c"

--- That of NVMe, which S3 prefers.
---@type fun(text: string, options?: adt.HashOptions): string
M.crc64nvme = digest "crc64nvme"

---@alias adt.HashName "sha256"|"sha1"|"md5"|"crc32"|"crc32c"|"crc64nvme"

local NAMES = { sha256 = true, sha1 = true, md5 = true, crc32 = true, crc32c = true, crc64nvme = true }

local function check_name(what, name)
  if not NAMES[name] then
    local near = errors.nearest(tostring(name), { "sha256", "sha1", "md5", "crc32", "crc32c", "crc64nvme" })
    errors.raise { cause = "usage", code = "BadArgument", message = ("%s: there is no digest '%s'"):format(what, tostring(name)),
      hint = near and ("did you mean '%s'?"):format(near) or nil }
  end
  return name
end

--- The digest of a file of any size; waits.
---@param name string of the file
---@param kind? adt.HashName default "sha256"
---@param options? adt.HashOptions
---@return string  # raises: usage (not there), node (disk errors)
function M.file(name, kind, options)
  return only(c.file(check_name("hash.file", kind or "sha256"), path.check(name), is_raw("hash.file", options)))
end

--- As hash.file(name, "sha256", options).
---@param name string
---@param options? adt.HashOptions
---@return string
function M.sha256_file(name, options)
  return only(c.file("sha256", path.check(name), is_raw("hash.sha256_file", options)))
end

---@class adt.Tally
---@field c any
local Tally = {}
Tally.__index = Tally
Tally.__name = "adt.Tally"

--- A digest over what comes in parts.
---@param kind adt.HashName
---@return adt.Tally
function M.new(kind)
  return setmetatable({ c = only(c.new(check_name("hash.new", kind))) }, Tally)
end

--- Takes the next bytes.
---@param bytes string
function Tally:add(bytes)
  self.c:add(text_of("hash:add", bytes))
end

--- The digest of all that was added; begins anew.
---@param options? adt.HashOptions
---@return string
function Tally:finish(options)
  return self.c:finish(is_raw("hash:finish", options))
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
