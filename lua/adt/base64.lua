--- Base64 (RFC 4648).
local c = require "adt.c.hash"
local errors = require "adt.error"

local M = {}

--- With `url` the alphabet of URLs and no padding.
---@param bytes string
---@param options? { url?: boolean }
---@return string
function M.encode(bytes, options)
  if options then
    errors.check_options("base64.encode", options, { "url" })
  end
  return c.base64_encode(bytes, options ~= nil and options.url == true)
end

--- Reads either alphabet, padded or not.
---@param text string
---@return string  # raises: usage "BadBase64"
function M.decode(text)
  local bytes, err = c.base64_decode(text)
  if not bytes then
    error(err, 0)
  end
  return bytes
end

return M
