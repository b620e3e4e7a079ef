--- Objects of S3: put, get, list, delete, copy, presign. What is put is checked by the server, what is got is checked here.
---
--- Objects are named "s3://bucket/key", the key as it is: "//", ".." and "?" in it are characters as any other.
local body = require "adt.aws.body"
local errors = require "adt.error"
local get = require "adt.aws.s3get"
local guard = require "adt.guard"

local M = {}

local MAX_TEXT = 64 * 1024 * 1024
local BATCH = 1000 -- keys in one DeleteObjects

---@class adt.s3.Options
---@field region? string
---@field endpoint? string "http://10.0.0.7:8080"
---@field profile? string
---@field credentials? adt.aws.Credentials
---@field client? adt.aws.Client instead of the four above

---@class adt.s3.Entry
---@field url string
---@field key string
---@field size integer bytes
---@field modified number seconds since the epoch
---@field etag string

local CLIENT = { region = true, endpoint = true, profile = true, credentials = true, client = true }

local function usage(message, hint)
  errors.raise { cause = "usage", code = "BadArgument", message = message, hint = hint }
end

local function options_of(what, options, known)
  if options ~= nil and type(options) ~= "table" then
    usage(what .. ": the options must be a table")
  end
  local all = {}
  for name in pairs(CLIENT) do all[name] = true end
  for _, name in ipairs(known) do all[name] = true end
  errors.check_options(what, options or {}, all)
  return options or {}
end

-- --- names -----------------------------------------------------------------------------------------------------------

--- Takes "s3://bucket/key" apart.
---@param url string
---@return string bucket, string key "" when there is none
function M.parse(url)
  if type(url) ~= "string" then
    usage(("a name in S3 is a string as \"s3://bucket/key\", not a %s"):format(type(url)))
  end
  local bucket, rest = url:match "^s3://([^/]*)(.*)$"
  if not bucket or not bucket:find "^[%w][%w%._%-]+$" then
    errors.raise { cause = "usage", code = "BadUrl", message = ("'%s' is no name in S3"):format(url),
      hint = "names look like s3://bucket/key" }
  end
  return bucket, rest:sub(2)
end

local function object(what, url)
  local bucket, key = M.parse(url)
  if key == "" then
    errors.raise { cause = "usage", code = "BadUrl", message = ("%s: '%s' names a bucket and no object in it"):format(what, url) }
  elseif #key > 1024 then
    errors.raise { cause = "usage", code = "BadUrl", message = ("%s: the key has %d bytes, and S3 takes 1024"):format(what, #key) }
  end
  return { Bucket = bucket, Key = key }
end

--- The name of an object.
---@param bucket string
---@param key string
---@return string
function M.url(bucket, key)
  return ("s3://%s/%s"):format(bucket, key)
end

-- --- the client ------------------------------------------------------------------------------------------------------

local clients = {}

-- One client for each place and account: it keeps connections, credentials and what it learned of buckets' regions.
local function client_of(options)
  if options.client then
    return options.client
  end
  local name = table.concat({ options.region or "", options.endpoint or "", options.profile or "" }, "\0")
  local client = not options.credentials and clients[name]
  if not client then
    client = require("adt.aws").client("s3", {
      region = options.region, endpoint = options.endpoint, profile = options.profile, credentials = options.credentials,
    })
    if not options.credentials then clients[name] = client end
  end
  return client
end

local function caller(options)
  local client = client_of(options)
  return function(operation, params, how)
    return client:call(operation, params, how)
  end
end

-- --- putting ---------------------------------------------------------------------------------------------------------

---@class adt.s3.PutOptions: adt.s3.Options
---@field size? integer bytes that a function will give
---@field content_type? string
---@field content_encoding? string
---@field cache_control? string
---@field metadata? table<string, string>
---@field storage_class? string
---@field checksum? "crc32"|"crc32c"|"crc64nvme"|"sha1"|"sha256"|false default crc32
---@field if_none_match? "*" only when no such object is there; else "PreconditionFailed"
---@field sign_body? boolean default: unless it travels over TLS
---@field trailers? boolean the server knows checksums behind a body; default: over TLS
---@field progress? fun(done: integer, total: integer) bytes handed to the network; begins anew when it is sent again

local PUT = { "size", "content_type", "content_encoding", "cache_control", "metadata", "storage_class", "checksum",
  "if_none_match", "sign_body", "trailers", "progress" }

---@class adt.s3.Put
---@field etag string
---@field version? string
---@field size integer bytes

--- Puts one object, all of it or nothing. Files and strings are sent again when that helps, functions are not.
---@param source string|{ file: string }|{ text: string }|fun(): string? the path of a file, or where the bytes come from
---@param url string
---@param options? adt.s3.PutOptions
---@return adt.s3.Put
--- Raises: usage (no such file, "FileChanged"), auth, service ("PreconditionFailed", ...), timeout, config.
function M.put(source, url, options)
  local what = "s3.put"
  options = options_of(what, options, PUT)
  guard.check(what)
  local params = object(what, url)
  local given = source
  if type(source) == "string" then
    given = { file = source }
  elseif type(source) == "table" and type(source.text) == "string" then
    given = source.text
  end
  local from = body.source(what, given, options.size)
  params.ContentType, params.ContentEncoding = options.content_type, options.content_encoding
  params.CacheControl, params.Metadata = options.cache_control, options.metadata
  params.StorageClass, params.IfNoneMatch = options.storage_class, options.if_none_match
  local result = caller(options)("PutObject", params, {
    source = from, checksum = options.checksum, sign_body = options.sign_body, trailers = options.trailers,
    progress = options.progress,
  })
  if options.progress and from.kind == "text" then
    options.progress(from.size, from.size)
  end
  return { etag = result.ETag, version = result.VersionId, size = from.size }
end

-- --- getting ---------------------------------------------------------------------------------------------------------

---@class adt.s3.GetOptions: adt.s3.Options
---@field version? string
---@field max? integer bytes at most when it comes as a string, default 64 MiB
---@field mode? integer permissions of the file, default 384 (0600)
---@field sync? boolean the file is durable on return, default false
---@field resume? boolean go on where a connection broke, default true
---@field checksum? false do not check what arrived
---@field progress? fun(done: integer, total: integer?)

local GET = { "version", "max", "mode", "sync", "resume", "checksum", "progress" }

---@class adt.s3.Object what is known of an object
---@field size integer bytes
---@field modified number seconds since the epoch
---@field etag string
---@field content_type? string
---@field metadata table<string, string>
---@field version? string
---@field verified? string name of the checksum that was right; only of s3.get

local function described(result, size, kind)
  return { size = size, modified = result.LastModified, etag = result.ETag, content_type = result.ContentType,
    metadata = result.Metadata or {}, version = result.VersionId, storage_class = result.StorageClass, verified = kind }
end

local function get_params(what, url, options)
  local params = object(what, url)
  params.VersionId = options.version
  return params
end

--- Gets one object. A file has its name when all of it is there and right, and not before.
---@param url string
---@param target? string|{ file: string }|fun(piece: string) path of a file, or who takes the bytes; nil: they are returned
---@param options? adt.s3.GetOptions
---@return string|adt.s3.Object text_or_object, adt.s3.Object? object
--- Raises: usage ("NoSuchKey"...), auth, service ("BadChecksum", "ObjectChanged", "Truncated"), timeout, quota (disk full).
function M.get(url, target, options)
  local what = "s3.get"
  options = options_of(what, options, GET)
  local call, params = caller(options), get_params(what, url, options)
  if target == nil then
    local text, result, kind = get.to_text(call, params, options.max or MAX_TEXT, options)
    return text, described(result, #text, kind)
  elseif type(target) == "function" then
    local size = 0
    local result, kind = get.to_function(call, params, function(piece)
      target(piece)
      size = size + #piece
    end, options)
    return described(result, size, kind)
  end
  local name = type(target) == "table" and target.file or target
  guard.check(what)
  local result, kind, size = get.to_file(call, params, name, options)
  return described(result, size, kind)
end

-- --- looking ---------------------------------------------------------------------------------------------------------

-- S3 says 404 without a word when there is a HEAD only.
local function is_missing(err)
  return errors.is(err) and (err.status == 404 or err.code == "NoSuchKey" or err.code == "NotFound") and err.code ~= "NoSuchBucket"
end

--- What is known of an object, or nil when it is not there.
---@param url string
---@param options? adt.s3.Options
---@return adt.s3.Object?
function M.head(url, options)
  options = options_of("s3.head", options, { "version" })
  local ok, result = pcall(caller(options), "HeadObject", get_params("s3.head", url, options), nil)
  if ok then
    return described(result, result.ContentLength)
  elseif is_missing(result) then
    return nil
  end
  error(result, 0)
end

--- Whether an object is there.
---@param url string
---@param options? adt.s3.Options
---@return boolean
function M.exists(url, options)
  return M.head(url, options) ~= nil
end

local function decoded(result, text)
  if result.EncodingType ~= "url" then
    return text
  end
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function entries_of(result, bucket)
  local list = {}
  for _, one in ipairs(result.Contents or {}) do
    local key = decoded(result, one.Key)
    list[#list + 1] = { key = key, url = M.url(bucket, key), size = one.Size, modified = one.LastModified, etag = one.ETag,
      storage_class = one.StorageClass }
  end
  for _, one in ipairs(result.CommonPrefixes or {}) do
    local prefix = decoded(result, one.Prefix)
    list[#list + 1] = { prefix = prefix, url = M.url(bucket, prefix) }
  end
  return list
end

---@class adt.s3.ListOptions: adt.s3.Options
---@field delimiter? string "/": what lies deeper comes as one entry { prefix, url } for each folder
---@field start_after? string a key
---@field page? integer entries that are asked for at once, at most 1000

--- Iterates over the objects whose key begins as the name says, by key. The next page is asked for when it is needed.
---@param url string "s3://bucket" or "s3://bucket/prefix"
---@param options? adt.s3.ListOptions
---@return fun(): adt.s3.Entry?
function M.list(url, options)
  options = options_of("s3.list", options, { "delimiter", "start_after", "page" })
  local bucket, prefix = M.parse(url)
  local call = caller(options)
  local params = { Bucket = bucket, Prefix = prefix, Delimiter = options.delimiter, StartAfter = options.start_after,
    MaxKeys = options.page, EncodingType = "url" }
  local list, at, more = {}, 0, true
  return function()
    while at == #list do
      if not more then
        return nil
      end
      local result = call("ListObjectsV2", params)
      local token = result.NextContinuationToken
      if result.IsTruncated and (not token or token == params.ContinuationToken) then
        errors.raise { cause = "service", code = "BadPage", where = url, message = "the server says that there is more and not where" }
      end
      list, at, more, params.ContinuationToken = entries_of(result, bucket), 0, result.IsTruncated, token
    end
    at = at + 1
    return list[at]
  end
end

-- --- deleting --------------------------------------------------------------------------------------------------------

---@class adt.s3.Failure
---@field url string
---@field code string
---@field message string

-- XML has no way to write most control characters, so such keys go one by one.
local function fits_xml(key)
  return not key:find "[\0-\8\11\12\14-\31]" and utf8.len(key) ~= nil
end

local function delete_batch(call, bucket, keys, failures)
  local objects = {}
  for i, key in ipairs(keys) do objects[i] = { Key = key } end
  local result = call("DeleteObjects", { Bucket = bucket, Delete = { Objects = objects, Quiet = true } })
  for _, one in ipairs(result.Errors or {}) do
    failures[#failures + 1] = { url = M.url(bucket, one.Key or ""), code = one.Code, message = one.Message or one.Code }
  end
  return #keys - #(result.Errors or {})
end

-- What is given as a list or an iterator, as an iterator over names.
local function names_of(what, given)
  if type(given) == "function" then
    return function()
      local entry = given()
      return type(entry) == "table" and entry.url or entry
    end
  elseif type(given) ~= "table" then
    usage(("%s: a name, a list of names or an iterator is needed, not a %s"):format(what, type(given)))
  end
  local i = 0
  return function()
    i = i + 1
    local entry = given[i]
    return type(entry) == "table" and entry.url or entry
  end
end

local function delete_many(call, names)
  local failures, deleted, bucket, keys = {}, 0, nil, {}
  local function flush()
    if #keys > 0 then
      deleted = deleted + delete_batch(call, bucket, keys, failures)
      keys = {}
    end
  end
  for url in names do
    local params = object("s3.delete", url)
    if bucket ~= params.Bucket or #keys == BATCH then flush() end
    bucket = params.Bucket
    if fits_xml(params.Key) then
      keys[#keys + 1] = params.Key
    else
      call("DeleteObject", params)
      deleted = deleted + 1
    end
  end
  flush()
  return deleted, failures
end

--- Deletes one object, or many, a thousand at a time. One that is not there counts as deleted, as S3 has it.
---@param what string|string[]|adt.s3.Entry[]|fun(): string|adt.s3.Entry|nil as s3.list() gives it
---@param options? adt.s3.Options
---@return integer deleted
--- Raises: service "DeleteFailed" when some could not be, after all were tried: `failures` (adt.s3.Failure[]), `deleted`.
function M.delete(what, options)
  options = options_of("s3.delete", options, { "version" })
  guard.check("s3.delete")
  local call = caller(options)
  if type(what) == "string" then
    call("DeleteObject", get_params("s3.delete", what, options))
    return 1
  elseif options.version then
    usage "s3.delete: version is for one object"
  end
  local deleted, failures = delete_many(call, names_of("s3.delete", what))
  if #failures > 0 then
    errors.raise { cause = "service", code = "DeleteFailed", failures = failures, deleted = deleted, where = failures[1].url,
      message = ("%d of %d objects could not be deleted, the first being '%s': %s"):format(#failures, #failures + deleted,
        failures[1].url, failures[1].message) }
  end
  return deleted
end

-- --- copying, presigning ---------------------------------------------------------------------------------------------

--- Copies an object of up to 5 GiB within S3.
---@param from string
---@param to string
---@param options? adt.s3.Options
---@return { etag: string }
function M.copy(from, to, options)
  options = options_of("s3.copy", options, { "content_type", "metadata", "storage_class" })
  guard.check "s3.copy"
  local source, params = object("s3.copy", from), object("s3.copy", to)
  local key = source.Key:gsub("[^%w%-%._~/]", function(c) return ("%%%02X"):format(c:byte()) end)
  params.CopySource = source.Bucket .. "/" .. key
  params.StorageClass = options.storage_class
  if options.content_type or options.metadata then
    params.ContentType, params.Metadata, params.MetadataDirective = options.content_type, options.metadata, "REPLACE"
  end
  local result = caller(options)("CopyObject", params)
  return { etag = result.CopyObjectResult and result.CopyObjectResult.ETag }
end

local METHODS = { get = "GetObject", put = "PutObject", head = "HeadObject", delete = "DeleteObject" }

---@class adt.s3.PresignOptions: adt.s3.Options
---@field method? "get"|"put"|"head"|"delete" default "get"
---@field expires? integer seconds, up to 604800; default 3600
---@field content_type? string what a put must then send

--- A URL with which whoever holds it can do one thing to one object until it expires. It is as secret as what it opens.
---@param url string
---@param options? adt.s3.PresignOptions
---@return string
function M.presign(url, options)
  options = options_of("s3.presign", options, { "method", "expires", "content_type", "version" })
  local operation = METHODS[options.method or "get"]
  if not operation then
    usage(("s3.presign: there is no method '%s'"):format(tostring(options.method)), "known: delete, get, head, put")
  end
  local params = get_params("s3.presign", url, options)
  params.ContentType = options.content_type
  return client_of(options):presign(operation, params, { expires = options.expires or 3600 })
end

return M
