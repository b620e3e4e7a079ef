--- HTTP requests: kept connections, HTTP/2, UNIX sockets, proxies, bodies of any size, limits of time and size.
---
--- A response is a value whatever its status, unless `check` is set. Certificates are checked, redirects are not followed
--- unless asked for, and neither ~/.netrc nor cookies play a part. Connections are kept and used again.
local chttp = require "adt.c.http"
local cfs = require "adt.c.fs"
local clock = require "adt.c.clock"
local errors = require "adt.error"
local file = require "adt.file"
local guard = require "adt.guard"
local options_of = require("adt.httpoptions").read
local path = require "adt.path"
local random = require "adt.random"

local M = {}

local KEPT = 64 * 1024 * 1024
local PIECE = 1024 * 1024 -- what is handed to C at once

---@class adt.http.Header
---@field name string as the server wrote it
---@field value string

---@class adt.http.Timing seconds since the request began; 0: did not happen, as with a kept connection
---@field dns number the name was resolved
---@field connect number the connection stood
---@field tls number the handshake was over
---@field first number the first byte arrived
---@field total number the last byte arrived

---@class adt.http.Response
---@field status integer
---@field reason string the words behind the status; empty with HTTP/2
---@field ok boolean the status is 2xx
---@field headers adt.http.Header[] in order; indexed by a name, in any case, the values joined by ", "
---@field body? string nil when it went to `to`
---@field url string the last one, after redirects
---@field version string "1.0", "1.1" or "2"
---@field address string the peer's IP address; empty for a UNIX socket
---@field reused boolean it went over a kept connection
---@field received integer bytes of the body
---@field sent integer bytes of the request's body
---@field redirects integer how many were followed
---@field timing adt.http.Timing of the last request

-- A list of headers, looked up by name in any case.
local Headers = {}

function Headers.__index(self, name)
  if type(name) ~= "string" then
    return nil
  end
  local lower, values = name:lower(), {}
  for _, header in ipairs(self) do
    if header.name:lower() == lower then
      values[#values + 1] = header.value
    end
  end
  return values[1] and table.concat(values, ", ") or nil
end

-- --- one request -----------------------------------------------------------------------------------------------------

local function start(r, left)
  local lines = {}
  for i, header in ipairs(r.headers) do
    lines[i] = header[2]
  end
  local given = {
    url = r.url, method = r.method, headers = lines, unix = r.unix, proxy = r.proxy, ca = r.ca, insecure = r.insecure,
    compressed = r.compressed, idempotent = r.idempotent, http = r.http, max_body = r.max_body,
    connect = r.timeout.connect, first = r.timeout.first, idle = r.timeout.idle, total = left,
    body = r.source and true or r.upload or r.file and r.file.c or r.body, size = r.file and r.file:size() or r.body_size,
    to = r.sink and r.sink.c or r.pull or nil, tallies = r.tallies,
  }
  local ok, handle, err = pcall(chttp.start, given)
  if not ok then
    if errors.is(handle) then error(handle, 0) end
    errors.raise { cause = "usage", code = "BadArgument", message = r.what .. ": " .. tostring(handle) }
  end
  return errors.check(handle, err)
end

-- Sends the next piece of a body from a function; what the function gave too much of waits in `r`.
local function feed(handle, r)
  local piece = r.rest or ""
  r.rest = nil
  while piece == "" do
    piece = r.source()
    if piece ~= nil and type(piece) ~= "string" then
      errors.raise { cause = "usage", code = "BadArgument",
        message = ("%s: the body's function must give strings, not a %s"):format(r.what, type(piece)) }
    end
  end
  if piece and #piece > PIECE then
    r.rest = piece:sub(PIECE + 1)
    piece = piece:sub(1, PIECE)
  end
  errors.check(handle:send(piece))
end

-- Goes on until the head or the end is there; "body" when bytes are there before the end.
local function go_on(handle, r, what)
  while true do
    local event = errors.check(handle:wait(what))
    if event ~= "send" then
      return event
    end
    feed(handle, r)
  end
end

-- An iterator over the bytes of a body that is pulled.
local function pieces(r)
  return function()
    return go_on(r.handle, r, "end") == "body" and r.handle:take() or nil
  end
end

local function fill(response, handle)
  for name, value in pairs(handle:response()) do
    response[name] = value
  end
  response.ok = response.status // 100 == 2
  setmetatable(response.headers, Headers)
  return response
end

-- --- redirects -------------------------------------------------------------------------------------------------------

-- What another host may see of the caller's headers. Tokens go by many names, so this names what is none.
local FOR_ANYBODY = {
  accept = true, ["accept-encoding"] = true, ["accept-language"] = true, ["cache-control"] = true,
  ["content-encoding"] = true, ["content-language"] = true, ["content-type"] = true, ["if-match"] = true,
  ["if-modified-since"] = true, ["if-none-match"] = true, ["if-unmodified-since"] = true, range = true,
  ["user-agent"] = true,
}
local REDIRECT = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

local function drop_headers(r, keep)
  local kept = {}
  for _, header in ipairs(r.headers) do
    if keep(header[1]) then
      kept[#kept + 1] = header
    end
  end
  r.headers = kept
end

local function drop_body(r)
  r.method, r.body, r.source, r.upload, r.body_size, r.rest, r.read_only = "GET", nil, nil, nil, nil, nil, true
  if r.file then
    r.file:close()
    r.file = nil
  end
  drop_headers(r, function(name) return not name:find "^content%-" end)
end

-- Changes `r` into the request that the response sends us to.
local function follow(r, response, location)
  local from = errors.check(chttp.url(r.url))
  local to, err = chttp.url(location, r.url)
  local function refuse(code, message)
    errors.raise { cause = "service", code = code, message = message, where = from.where }
  end
  if not to then
    refuse("BadRedirect", "the server redirects to what cannot be requested: " .. err.message)
  end
  if from.scheme == "https" and to.scheme == "http" then
    refuse("InsecureRedirect", "the server redirects from https to http")
  end
  local see_other = response.status == 303 or (response.status < 303 and r.method == "POST")
  if see_other and r.method ~= "HEAD" then
    drop_body(r)
  elseif r.source or r.upload then
    refuse("CannotRepeat", "the server redirects a request whose body cannot be sent again")
  end
  if from.scheme ~= to.scheme or from.host ~= to.host or from.port ~= to.port then
    drop_headers(r, function(name) return FOR_ANYBODY[name] end)
    r.unix = nil
  else
    drop_headers(r, function(name) return name ~= "host" end)
  end
  r.url = to.url
end

-- --- from options to a response --------------------------------------------------------------------------------------

-- Opens what the request reads and writes; r.done closes it, and removes a file that was not completed.
local function open_files(r)
  if type(r.body) == "table" then
    r.file, r.upload = r.body.file and file.open(r.body.file), r.body.upload
    r.body = nil
  elseif type(r.body) == "function" then
    r.source, r.body = r.body, nil
  end
  if type(r.to) == "table" and r.to.open then
    r.sink, r.tallies = r.to.open, r.to.tallies and {}
    for i, choice in ipairs(r.to.tallies or {}) do
      r.tallies[i] = { choice[1], choice[2].c }
    end
  elseif type(r.to) == "table" then
    r.target = path.check(r.to.file)
    r.part = path.join(path.dir(r.target), ".adt-" .. random.hex(8) .. ".part")
    r.sink = file.open(r.part, "x", { mode = r.to.mode })
  end
end

-- Ends what a request holds: `local all <close> = setmetatable({ request = r }, Scope)`.
local Scope = {}

function Scope:__close()
  local r = self.request
  if r.handle then r.handle:close() end
  if r.file then r.file:close() end
  if r.part and r.sink then
    pcall(r.sink.close, r.sink)
    if not r.kept then cfs.remove(r.part) end
  end
end

local function keep_file(r)
  r.sink:close()
  errors.check(cfs.rename(r.part, r.target))
  r.kept = true
end

-- Goes as far as the head of the last response; to its end unless it is pulled.
local function exchange(r)
  local began, total, redirects = clock.monotonic(), r.timeout.total, 0
  while true do
    local left = total > 0 and math.max(0.001, total - (clock.monotonic() - began)) or 0
    r.handle = start(r, left)
    local head = type(r.to) == "table" and r.to.head
    go_on(r.handle, r, (r.pull or head) and "head" or "end")
    local response = fill({ url = r.url, redirects = redirects }, r.handle)
    local location = REDIRECT[response.status] and redirects < r.follow and response.headers.location
    if not location then
      if head then
        if response.ok then head(response) end
        go_on(r.handle, r, "end")
        fill(response, r.handle)
      end
      return response
    end
    r.handle:close()
    follow(r, response, location)
    redirects = redirects + 1
  end
end

-- A service that is busy or broken may be asked again; whoever answered 503 or 429 has done nothing.
local function check_status(r, response)
  local status = response.status
  if response.ok or not r.check then
    return
  end
  local denied = status == 401 or status == 403
  errors.raise {
    cause = denied and "auth" or "service", code = "HTTP" .. status, where = chttp.url(r.url).where,
    message = ("%s was answered with %d%s"):format(r.method, status,
      response.reason ~= "" and " " .. response.reason or ""),
    retryable = status == 429 or status == 503 or (r.idempotent and (status == 408 or status >= 500)),
    hint = denied and "check the credentials and what they allow" or nil, status = status,
  }
end

local function prepare(what, options)
  local r = options_of(what, options)
  if not r.read_only then
    guard.check(what .. " with " .. r.method)
  end
  return r
end

-- What is not for the caller's function is collected as if there were none.
local function collect(r)
  local parts, left = {}, r.max_body or KEPT
  for bytes in pieces(r) do
    left = left - #bytes
    if left < 0 then
      errors.raise { cause = "service", code = "BodyTooLarge", where = chttp.url(r.url).where,
        message = ("the response's body is larger than %d bytes"):format(r.max_body or KEPT) }
    end
    parts[#parts + 1] = bytes
  end
  return table.concat(parts)
end

--- Sends a request and waits for the whole response. While a plan is made only GET, HEAD and OPTIONS are sent, and what
--- says read_only.
---@param options adt.http.Request
---@return adt.http.Response
--- Raises: usage; config (no libcurl, TLS, CA file); service, `retryable` when it may be tried again; timeout; with
--- `check` auth for 401 and 403, service for other statuses, `status` being the number.
function M.request(options)
  local r = prepare("http.request", options)
  local _ <close> = setmetatable({ request = r }, Scope)
  open_files(r)
  r.pull = type(r.to) == "function"
  local response = exchange(r)
  if r.pull and response.ok then
    for bytes in pieces(r) do
      r.to(bytes, response)
    end
  else
    response.body = r.pull and collect(r) or r.handle:take()
  end
  fill(response, r.handle)
  if response.ok and r.to then
    response.body = nil
    if r.part then keep_file(r) end
  end
  check_status(r, response)
  return response
end

--- GET.
---@param url string
---@param options? adt.http.Options
---@return adt.http.Response
function M.get(url, options)
  local request = { url = url }
  for name, value in pairs(options or {}) do
    request[name] = value
  end
  return M.request(request)
end

-- --- responses that are read while they come -------------------------------------------------------------------------

--- A response whose body is read piece by piece. What is not read is not taken from the network. Close it: `<close>`.
---@class adt.http.Stream : adt.http.Response
local Stream = {}
Stream.__index = Stream

--- The bytes that are there, waiting for the first; nil at the end.
---@return string?
function Stream:read()
  local r = self.request
  if not r.handle then
    return nil
  end
  local bytes = self.next()
  if not bytes then
    fill(self, r.handle)
    self:close()
  end
  return bytes
end

--- Iterates over the bytes as they come.
---@return fun(): string?
function Stream:chunks()
  return function() return self:read() end
end

--- Ends the request.
function Stream:close()
  getmetatable(self.scope).__close(self.scope)
  self.request.handle = nil
end
Stream.__close = Stream.close

--- Sends a request and waits for the head of its response, whose body is then read with :read() or :chunks().
---@param options adt.http.Request without `to`
---@return adt.http.Stream
function M.open(options)
  local r = prepare("http.open", options)
  if r.to then
    errors.raise { cause = "usage", code = "BadArgument", message = "http.open: the body is read from what it gives, not sent `to`" }
  end
  local guarded = setmetatable({ request = r }, Scope)
  local function ended(ok, ...)
    if not ok then
      Scope.__close(guarded)
      error((...), 0)
    end
    return ...
  end
  return ended(pcall(function()
    open_files(r)
    r.pull = true
    local response = exchange(r)
    check_status(r, response)
    response.request, response.scope, response.next = r, guarded, pieces(r)
    return setmetatable(response, Stream)
  end))
end

return M
