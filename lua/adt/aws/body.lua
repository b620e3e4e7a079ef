--- The body of an upload: where it comes from, its checksum, and the form in which it travels.
---
--- What is small or in memory goes as it is, its checksum in a header. A file goes in one pass, its checksum in a trailer
--- behind it in unsigned chunks, over TLS; without TLS in chunks that are signed one onto the other, its checksum in front.
local base64 = require "adt.base64"
local cupload = require "adt.c.upload"
local errors = require "adt.error"
local file = require "adt.file"
local fs = require "adt.fs"
local hash = require "adt.hash"
local path = require "adt.path"
local sign = require "adt.aws.sign"

local M = {}

local SMALL = 1024 * 1024 -- bytes of a file that is read at once, and of a text that is hashed whatever the scheme
local PIECE = 1024 * 1024
local HEADER = "x-amz-checksum-"

--- Checksums by their names here. CRC-32 is the default: no server that knows any does not know it.
M.CHECKSUMS = { crc32 = "CRC32", crc32c = "CRC32C", crc64nvme = "CRC64NVME", sha1 = "SHA1", sha256 = "SHA256" }
local DEFAULT = "crc32"

local function usage(message, hint)
  errors.raise { cause = "usage", code = "BadArgument", message = message, hint = hint }
end

-- --- sources ---------------------------------------------------------------------------------------------------------

---@class adt.aws.Source
---@field kind "text"|"file"|"pull"
---@field size integer
---@field text? string
---@field file? string
---@field pull? fun(): string?
---@field begun? boolean bytes of `pull` were taken: it cannot be sent again
---@field known table<string, string> checksums that were computed already

--- Where a body comes from; kept over the attempts of a request.
---@param what string the function that was called, for messages
---@param given string|{ file: string }|fun(): string? a function gives the next piece until it gives nil
---@param size? integer bytes that a function will give; S3 wants to know them beforehand
---@return adt.aws.Source  # raises: usage (no such file, not a file), node
function M.source(what, given, size)
  if type(given) == "string" then
    return { kind = "text", text = given, size = #given, known = {} }
  elseif type(given) == "function" then
    if math.type(size) ~= "integer" or size < 0 then
      usage(what .. ": a body from a function needs its size in bytes", "pass size, or give the body as a file or a string")
    end
    return { kind = "pull", pull = given, size = size, known = {} }
  elseif type(given) ~= "table" or type(given.file) ~= "string" then
    usage(("%s: a body is a string, a function or { file = PATH }, not a %s"):format(what, type(given)))
  end
  local name = path.check(given.file)
  local st = fs.stat(name)
  if not st or st.type ~= "file" then
    errors.raise { cause = "usage", code = st and "NotAFile" or "ENOENT", where = name,
      message = ("%s: '%s' is %s"):format(what, name, st and "no regular file" or "not there") }
  end
  return { kind = "file", file = name, size = st.size, mtime = st.mtime, known = {} }
end

--- Whether it can be sent once more.
---@param source adt.aws.Source
---@return boolean
function M.can_repeat(source)
  return not source.begun
end

local function changed(source)
  errors.raise { cause = "usage", code = "FileChanged", where = source.file,
    message = ("'%s' was changed while it was being sent"):format(source.file),
    hint = "send it when nobody writes to it any more" }
end

-- The digest of a text, or of a file that must stay as it is from then on.
local function digest_of(source, name)
  if not source.known[name] then
    local raw
    if source.text then
      raw = hash[name](source.text, { raw = true })
    else
      raw = hash.file(source.file, name, { raw = true })
    end
    source.known[name] = raw
  end
  return source.known[name]
end

local function check_same(source)
  local st = fs.stat(source.file)
  if not st or st.size ~= source.size or st.mtime ~= source.mtime then
    changed(source)
  end
end

-- The next piece of a pull, noted.
local function pulled(source)
  source.begun = true
  local piece = source.pull()
  if piece ~= nil and type(piece) ~= "string" then
    usage(("the body's function must give strings, not a %s"):format(type(piece)))
  end
  return piece
end

-- The pieces of a pull, or of a file that is watched on its way; nil at the end.
local function pieces(o)
  local source, done, opened = o.source, 0, nil
  if source.kind == "file" then
    opened = file.open(source.file)
  end
  return function()
    local piece
    if opened then
      piece = opened:read(PIECE)
    else
      piece = pulled(source)
    end
    if piece then
      done = done + #piece
      if opened and done > source.size then changed(source) end
      if o.progress then o.progress(done, source.size) end
    elseif opened then
      opened:close()
      check_same(source)
    end
    return piece
  end
end

-- --- the choice ------------------------------------------------------------------------------------------------------

---@class adt.aws.Prepare
---@field source adt.aws.Source
---@field sign adt.aws.SignOptions as for sign.headers(), url, method and headers included, without body
---@field scheme "http"|"https"
---@field checksum? string|false name of CHECKSUMS; false: none; default crc32, as `calculation` says
---@field calculation? "when_supported"|"when_required" default when_supported
---@field supported? boolean the operation takes a checksum (requestAlgorithmMember)
---@field required? boolean the operation asks for one (checksum_required)
---@field sign_body? boolean default: unless it travels over TLS
---@field progress? fun(done: integer, total: integer) called as the pieces of a file or a function go out
---@field trailers? boolean the server knows trailers; else a file is read once more beforehand. Default: over TLS

---@class adt.aws.Prepared
---@field headers adt.http.Header[] to be sent in place of those of their names
---@field signed boolean the signature is among them; else sign with `payload`
---@field payload? "unsigned" for sign.headers(); nil: its body is `body`
---@field body string|{ file: string }|{ upload: adt.c.Upload }|fun(): string?
---@field body_size? integer when the body is a function
---@field check? fun() to be called when the answer is there: raises when a file was changed meanwhile

-- Which checksum is sent. One that the caller computed stands in the headers already.
local function choose_checksum(o)
  for name in pairs(o.sign.headers or {}) do
    if name:lower():find("^x%-amz%-checksum%-") and not name:lower():find("^x%-amz%-checksum%-type") then
      return nil
    end
  end
  if o.checksum == false then
    return o.required and DEFAULT or nil
  elseif o.checksum then
    local name = tostring(o.checksum):lower()
    if not M.CHECKSUMS[name] then
      local names = {}
      for known in pairs(M.CHECKSUMS) do names[#names + 1] = known end
      local near = errors.nearest(name, names)
      usage(("there is no checksum '%s' that can be computed here"):format(o.checksum),
        near and ("did you mean '%s'?"):format(near) or "known: crc32, crc32c, crc64nvme, sha1, sha256")
    end
    return name
  elseif o.required or (o.supported and o.calculation ~= "when_required") then
    return DEFAULT
  end
end

local function header_of(name, raw)
  return { name = HEADER .. name, value = base64.encode(raw) }
end

-- A text, whose checksum is known before it is sent.
local function whole(o, checksum, is_signed)
  local source = o.source
  return {
    headers = checksum and { header_of(checksum, digest_of(source, checksum)) } or {},
    signed = false, body = source.text, payload = not is_signed and "unsigned" or nil,
  }
end

-- The options of sign.stream().
local function stream_of(o, is_signed, headers, trailer)
  local options = {}
  for key, value in pairs(o.sign) do options[key] = value end
  options.headers = {}
  for name, value in pairs(o.sign.headers or {}) do options.headers[name] = value end
  for _, header in ipairs(headers) do options.headers[header.name] = header.value end
  options.payload = not is_signed and "unsigned" or nil
  options.length, options.chunk = o.source.size, cupload.PIECE
  options.trailers = trailer and { HEADER .. trailer } or nil
  local stream = sign.stream(options)
  for _, header in ipairs(stream.headers) do
    -- It follows from the body, and the one that is sent is the same.
    if header.name:lower() ~= "content-length" then
      headers[#headers + 1] = header
    end
  end
  return stream
end

-- Pieces in the encoding of a stream.
local function encoded(next_piece, stream, trailer)
  local tally, ended = trailer and hash.new(trailer), false
  return function()
    if ended then
      return nil
    end
    local piece = next_piece()
    if piece then
      if tally then tally:add(piece) end
      return stream:chunk(piece)
    end
    ended = true
    return stream:finish(tally and { [HEADER .. trailer] = base64.encode(tally:finish { raw = true }) } or nil)
  end
end

local function chunked(o, is_signed, checksum, trailer)
  local source, headers = o.source, {}
  if checksum and not trailer then
    headers[1] = header_of(checksum, digest_of(source, checksum))
  end
  local stream = stream_of(o, is_signed, headers, trailer and checksum)
  local out = { headers = headers, signed = true }
  if source.kind == "pull" or o.progress then
    out.body, out.body_size = encoded(pieces(o), stream, trailer and checksum), stream.length
    return out
  end
  local opened <close> = file.open(source.file)
  if opened:size() ~= source.size then
    changed(source)
  end
  out.body = { upload = errors.check(cupload.new(opened.c, source.size, stream.c, trailer and checksum or nil)) }
  return out
end

-- As the bytes are, vouched for by a checksum at most.
local function plain(o, checksum)
  local source = o.source
  local out = { headers = {}, signed = false, payload = "unsigned" }
  if checksum then
    out.headers[1] = header_of(checksum, digest_of(source, checksum))
  end
  if source.kind == "pull" or o.progress then
    out.body, out.body_size = pieces(o), source.size
  else
    out.body, out.check = { file = source.file }, function() check_same(source) end
  end
  return out
end

-- What need not travel in chunks becomes a text. Ceph's gateway refuses chunks of nothing.
local function shorten(source)
  if source.kind == "file" and source.size <= SMALL then
    source.text = fs.read(source.file, { max = SMALL })
    source.kind, source.size = "text", #source.text
  elseif source.kind == "pull" and source.size == 0 then
    for piece in function() return pulled(source) end do
      if piece ~= "" then
        errors.raise { cause = "usage", code = "BadLength", message = "the body's function gave bytes, and its size is 0" }
      end
    end
    source.kind, source.text, source.begun = "text", "", false
  end
end

--- Decides how a body travels, and signs it where that is part of it. Call it for every attempt.
---@param o adt.aws.Prepare
---@return adt.aws.Prepared
--- Raises: usage (unknown checksum; "CannotRepeat": a function was asked already; "FileChanged"), config, as sign.stream().
function M.prepare(o)
  local source, checksum = o.source, choose_checksum(o)
  if source.begun then
    errors.raise { cause = "usage", code = "CannotRepeat", message = "the body comes from a function and cannot be sent again",
      hint = "give it as a file or a string, which can" }
  end
  local sign_body = o.sign_body
  if sign_body == nil then
    sign_body = o.scheme == "http"
  end
  shorten(source)
  if source.kind == "text" then
    return whole(o, checksum, sign_body or source.size <= SMALL)
  end
  -- Servers of plain http are seldom Amazon's, and many know signed chunks but no trailers.
  local trailers = o.trailers
  if trailers == nil then
    trailers = o.scheme == "https"
  end
  local trailer = checksum ~= nil and trailers
  if checksum and not trailer and source.kind == "pull" then
    if o.checksum or o.required then
      usage("the checksum of a body from a function can only be sent behind it, and trailers are off")
    end
    checksum = nil
  end
  if sign_body or trailer then
    return chunked(o, sign_body, checksum, trailer)
  end
  return plain(o, checksum)
end

--- The checksums that a download can be checked by, the best first.
M.PREFERENCE = { "crc64nvme", "crc32c", "crc32", "sha1", "sha256" }

--- The checksum of a whole object that a response announces; none for parts of one, nor for one made of its parts' own.
---@param headers adt.http.Header[]|table<string, string>
---@return string? name of CHECKSUMS
---@return string? value base64
function M.announced(headers)
  for _, name in ipairs(M.PREFERENCE) do
    local value = headers[HEADER .. name]
    if value then
      if value:find "%-%d+$" then return nil end
      return name, value
    end
  end
end

return M
