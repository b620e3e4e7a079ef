--- AWS Signature Version 4: signed headers, presigned URLs, bodies signed piece by piece, tokens for EKS.
---
--- Nothing here sends anything. Presigned URLs and tokens grant what they ask for: keep them as secrets.
local base64 = require "adt.base64"
local caws = require "adt.c.aws"
local clock = require "adt.c.clock"
local errors = require "adt.error"

local M = {}

---@class adt.aws.Credentials
---@field access_key string
---@field secret string|adt.Secret
---@field token? string|adt.Secret of a session
---@field expires? number seconds since the epoch; signing after that raises

---@class adt.aws.SignOptions
---@field url string as it is sent; a '+' in the query is a blank
---@field method? string "GET" unless given
---@field headers? table<string, string|number|adt.Secret|string[]> a list sends the header several times
---@field body? string
---@field payload? string instead of the body: its SHA-256 in hex, "unsigned", or a STREAMING- word of the protocol
---@field service string as in the scope of signatures: "ec2", "s3"
---@field region string
---@field credentials adt.aws.Credentials|"anonymous"
---@field time? number seconds since the epoch; now unless given
---@field clock_offset? number seconds that the server's clock is ahead of this machine's
---@field s3? boolean S3's rules for paths and payloads; so for services whose name begins with "s3" unless given
---@field normalize? boolean false: the path is signed with its "." and ".." and "//"
---@field content_sha256? boolean send the payload's hash as a header to services that do not need it, too
---@field token_after? boolean send the session token beside the signature, not as part of it

---@class adt.aws.PresignOptions: adt.aws.SignOptions
---@field expires? integer seconds that the URL lasts, up to 604800; 3600 unless given

---@class adt.aws.StreamOptions: adt.aws.SignOptions
---@field length integer bytes of the body
---@field chunk? integer bytes of a chunk, 8 KiB to 16 MiB; 64 KiB unless given
---@field trailers? string[] names of the checksums that follow the body: "x-amz-checksum-crc32c"
---@field content_length? boolean false: no Content-Length, for Transfer-Encoding: chunked

local SIGN = {
  url = true, method = true, headers = true, body = true, payload = true, service = true, region = true,
  credentials = true, time = true, clock_offset = true, s3 = true, normalize = true, content_sha256 = true,
  token_after = true,
}

local function and_also(known, more)
  local all = {}
  for key in pairs(known) do all[key] = true end
  for _, key in ipairs(more) do all[key] = true end
  return all
end

local PRESIGN = and_also(SIGN, { "expires" })
local STREAM = and_also(SIGN, { "length", "chunk", "trailers", "content_length" })
STREAM.body = nil
local CREDENTIALS = { access_key = true, secret = true, token = true, expires = true }

-- The bytes of a checksum in base64.
local CHECKSUMS = {
  ["x-amz-checksum-crc32"] = 8, ["x-amz-checksum-crc32c"] = 8, ["x-amz-checksum-crc64nvme"] = 12,
  ["x-amz-checksum-md5"] = 24, ["x-amz-checksum-sha1"] = 28, ["x-amz-checksum-sha256"] = 44,
  ["x-amz-checksum-sha512"] = 88, ["x-amz-checksum-xxhash3"] = 12, ["x-amz-checksum-xxhash64"] = 12,
  ["x-amz-checksum-xxhash128"] = 24,
}

local CHECKSUM_NAMES = {}
for name in pairs(CHECKSUMS) do CHECKSUM_NAMES[#CHECKSUM_NAMES + 1] = name end
table.sort(CHECKSUM_NAMES)

local function usage(what, code, message)
  errors.raise { cause = "usage", code = code, message = what .. ": " .. message }
end

local function check_keys(what, given, known)
  if type(given) ~= "table" then
    usage(what, "BadArgument", ("a table is needed, not a %s"):format(type(given)))
  end
  errors.check_options(what, given, known)
end

-- Calls C, which reads the options by itself; only what it does not take is looked at here.
local function signed(what, known, f, o)
  local ok, value, second = pcall(f, o)
  if ok and value ~= nil then
    return value, second
  end
  if ok then
    error(second, 0)
  end
  check_keys(what, o, known)
  if type(o.credentials) == "table" then
    check_keys(what .. ": credentials", o.credentials, CREDENTIALS)
  end
  if errors.is(value) then error(value, 0) end
  usage(what, "BadArgument", tostring(value))
end

local function results(what, ok, value, second)
  if not ok then
    if errors.is(value) then error(value, 0) end
    usage(what, "BadArgument", tostring(value))
  end
  if value == nil and second ~= nil then
    error(second, 0)
  end
  return value
end

-- --- signing ---------------------------------------------------------------------------------------------------------

--- Signs a request in its Authorization header.
---@param options adt.aws.SignOptions
---@return adt.http.Header[] headers to be sent in place of those of their names  # raises: usage, auth "ExpiredCredentials", config "NoOpenSSL"
function M.headers(options)
  return (signed("aws.sign.headers", SIGN, caws.headers, options))
end

--- Signs a request in its URL, which whoever holds it can use until it expires.
---@param options adt.aws.PresignOptions
---@return string url  # raises: as headers()
function M.presign(options)
  return (signed("aws.sign.presign", PRESIGN, caws.presign, options))
end

---@class adt.aws.Explanation
---@field canonical_request string holds the session token
---@field string_to_sign string
---@field signature string

--- What is signed, to find out why a server refuses it; in a URL if `expires` is given.
---@param options adt.aws.PresignOptions
---@return adt.aws.Explanation  # raises: as headers()
function M.explain(options)
  local what, signature = "aws.sign.explain", nil
  check_keys(what, options, PRESIGN)
  if options.credentials == "anonymous" then
    usage(what, "BadArgument", "an anonymous request is not signed")
  end
  if options.expires then
    signature = signed(what, PRESIGN, caws.presign, options):match "&X%-Amz%-Signature=(%x+)"
  else
    for _, header in ipairs((signed(what, SIGN, caws.headers, options))) do
      signature = header.name == "Authorization" and header.value:match "Signature=(%x+)$" or signature
    end
  end
  local canonical, to_sign = caws.explain()
  return { canonical_request = canonical, string_to_sign = to_sign, signature = signature }
end

--- Wipes the derived keys that are kept for an access key, or all of them.
---@param access_key? string
function M.forget(access_key)
  caws.forget(access_key)
end

-- --- bodies in pieces ------------------------------------------------------------------------------------------------

---@class adt.aws.Stream
---@field headers adt.http.Header[] of the request
---@field length integer bytes of the encoded body
local Stream = {}
Stream.__index = Stream
Stream.__name = "adt.aws.Stream"

local function trailers_of(what, names)
  local list, seen = {}, {}
  if type(names) ~= "table" then
    usage(what, "BadArgument", "trailers must be a list of names")
  end
  for _, name in ipairs(names) do
    if not CHECKSUMS[name] or seen[name] then
      local near = errors.nearest(tostring(name), CHECKSUM_NAMES)
      errors.raise { cause = "usage", code = "BadTrailer",
        message = ("%s: '%s' is no checksum, or there twice"):format(what, tostring(name)),
        hint = near and ("did you mean '%s'?"):format(near) or nil }
    end
    seen[name] = true
    list[#list + 1] = { name, CHECKSUMS[name] }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

--- Begins a body in aws-chunked encoding. Each chunk is signed onto the one before; with payload = "unsigned" none is,
--- and a checksum in a trailer vouches for all. Memory is bounded by the chunk.
---@param options adt.aws.StreamOptions
---@return adt.aws.Stream  # raises: as headers()
function M.stream(options)
  local what = "aws.sign.stream"
  check_keys(what, options, STREAM)
  if options.payload ~= nil and options.payload ~= "unsigned" then
    usage(what, "BadPayload", 'payload can only be "unsigned": the chunks are hashed here')
  end
  local o = {}
  for key, value in next, options do o[key] = value end
  o.trailers = trailers_of(what, options.trailers or {})
  local handle, headers = signed(what, STREAM, caws.stream, o)
  return setmetatable({ headers = headers, length = handle:length(), c = handle, trailers = o.trailers }, Stream)
end

--- Takes the next bytes of the body.
---@param bytes string
---@return string encoded bytes to be sent, "" while a chunk fills  # raises: usage "BadLength"
function Stream:chunk(bytes)
  return (results("aws.sign.stream", pcall(self.c.chunk, self.c, bytes)))
end

--- Ends the body.
---@param trailers? table<string, string> the values of the checksums in base64
---@return string encoded the last bytes to be sent  # raises: usage "BadLength", "BadTrailer"
function Stream:finish(trailers)
  local what, values, announced = "aws.sign.stream", {}, {}
  for i, trailer in ipairs(self.trailers) do
    values[i] = (trailers or {})[trailer[1]]
    announced[trailer[1]] = true
    if type(values[i]) ~= "string" then
      usage(what, "BadTrailer", ("the value of %s is missing"):format(trailer[1]))
    end
  end
  check_keys(what, trailers or {}, announced)
  return (results(what, pcall(self.c.finish, self.c, table.unpack(values))))
end

--- Gives up, and wipes the key that was kept.
function Stream:close()
  self.c:close()
end
Stream.__close = Stream.close

-- --- EKS -------------------------------------------------------------------------------------------------------------

-- Domains of the partitions, by how their regions begin.
local DOMAINS = {
  ["cn-"] = "amazonaws.com.cn", ["us-iso-"] = "c2s.ic.gov", ["us-isob-"] = "sc2s.sgov.gov",
  ["us-isof-"] = "csp.hci.ic.gov", ["eu-isoe-"] = "cloud.adc-e.uk", ["eusc-"] = "amazonaws.eu",
}
local TOKEN_MAX, TOKEN_LASTS = 4096, 14 * 60

---@class adt.aws.EksOptions
---@field cluster string
---@field region string
---@field credentials adt.aws.Credentials
---@field endpoint? string of STS, "https://..."; the region's own unless given
---@field time? number
---@field clock_offset? number

local EKS = { cluster = true, region = true, credentials = true, endpoint = true, time = true, clock_offset = true }

local function sts_endpoint(region)
  for prefix, domain in pairs(DOMAINS) do
    if region:sub(1, #prefix) == prefix then
      return ("https://sts.%s.%s"):format(region, domain)
    end
  end
  return ("https://sts.%s.amazonaws.com"):format(region)
end

--- A bearer token for the API server of an EKS cluster: a presigned question to STS who the caller is.
---@param options adt.aws.EksOptions
---@return string token
---@return number expires when to get a new one: 14 minutes on, seconds since the epoch  # raises: as headers(), auth "TokenTooLong"
function M.eks_token(options)
  local what = "aws.sign.eks_token"
  check_keys(what, options, EKS)
  if type(options.cluster) ~= "string" or type(options.region) ~= "string" then
    usage(what, "BadArgument", "cluster and region must be strings")
  end
  local time = options.time or clock.now()
  -- The verifier replays this one header, so nothing else may be signed.
  local url = M.presign {
    url = (options.endpoint or sts_endpoint(options.region)) .. "/?Action=GetCallerIdentity&Version=2011-06-15",
    headers = { ["x-k8s-aws-id"] = options.cluster }, service = "sts", region = options.region, expires = 60,
    credentials = options.credentials, time = time, clock_offset = options.clock_offset,
  }
  local token = "k8s-aws-v1." .. base64.encode(url, { url = true })
  if #token > TOKEN_MAX then
    errors.raise { cause = "auth", code = "TokenTooLong",
      message = ("%s: the token has %d bytes, and EKS takes %d"):format(what, #token, TOKEN_MAX),
      hint = "the session token is too long: use a role with fewer session tags or a shorter session policy" }
  end
  return token, time + TOKEN_LASTS
end

return M
