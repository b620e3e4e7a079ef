--- What a caller may say of an HTTP request, checked and brought into the form that adt.c.http takes.
local errors = require "adt.error"
local pending = require "adt.pending"
local secret = require "adt.secret"

local M = {}

--- Seconds; math.huge: no limit.
---@class adt.http.Timeout
---@field connect? number until name, connection and TLS are there; default 10
---@field first? number from the request's last byte to the answer's first; default 60
---@field idle? number without a byte in either direction while the other side has to move; default 60
---@field total? number for all of it, redirects included; default none

---@class adt.http.Sink
---@field file? string written under another name beside it, which it gets when it is complete
---@field mode? integer permissions of that file, default 384 (0600)
---@field open? adt.File instead of `file`: written from where it stands, and left open, complete or not
---@field tallies? { [1]: string, [2]: adt.Tally }[] the first whose header the response has ("": any) counts in what is written to `open`
---@field head? fun(response: adt.http.Response) called when the head of a 2xx response is there, also if its body breaks off

---@class adt.http.Options
---@field method? string default "GET", with a body "POST"
---@field headers? table<string, string|number|adt.Secret|string[]> a list sends the header several times
---@field body? string|(fun(): string?)|{ file: string }|{ upload: adt.c.Upload } a function is asked for the next piece until it gives nil
---@field body_size? integer bytes that a body from a function has; without it HTTP/1.1 sends it chunked
---@field to? adt.http.Sink|fun(chunk: string, response: adt.http.Response) where the body of a 2xx response goes; default: into .body
---@field max_body? integer bytes; more is an error. Default 64 MiB for .body, none with `to`
---@field timeout? number|adt.http.Timeout a number is the total
---@field unix? string path of a UNIX socket to connect to; the URL's host goes into the Host header alone
---@field follow? integer redirects to follow, default 0
---@field check? boolean raise unless the status is 2xx, default false
---@field proxy? string|false default: as http_proxy, https_proxy, all_proxy and no_proxy say; false: none
---@field ca? string file with the certificate authorities to trust instead of the system's
---@field insecure? boolean trust any certificate
---@field http? "1.1"|"2" default: 2 over https where the server offers it, else 1.1; "2": an error where it does not
---@field compressed? boolean offer compressed transfer, and undo it
---@field read_only? boolean the request changes nothing whatever its method: allowed while a plan is made, may be repeated
---@field idempotent? boolean sending it twice does no harm; default: by the method, or read_only

---@class adt.http.Request : adt.http.Options
---@field url string http or https; without user and password

M.KNOWN = {
  url = true, method = true, headers = true, body = true, body_size = true, to = true, max_body = true, timeout = true,
  unix = true, follow = true, check = true, proxy = true, ca = true, insecure = true, http = true, compressed = true,
  read_only = true, idempotent = true,
}

local TIMEOUTS = { connect = 10, first = 60, idle = 60, total = math.huge }
local SAFE = { GET = true, HEAD = true, OPTIONS = true }
local IDEMPOTENT = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true }

local function usage(message, hint)
  errors.raise { cause = "usage", code = "BadArgument", message = message, hint = hint }
end

local function check_type(what, options, name, ...)
  local value = options[name]
  if pending.is(value) then
    pending.stop(value)
  end
  local kinds = { ... }
  for _, kind in ipairs(kinds) do
    if value == nil or type(value) == kind or math.type(value) == kind then
      return value
    end
  end
  usage(("%s: %s must be a %s, not a %s"):format(what, name, table.concat(kinds, " or a "), type(value)))
end

-- 0 means none below.
local function limits(what, given)
  if type(given) == "number" then
    given = { total = given }
  end
  given = given or {}
  errors.check_options(what .. ": timeout", given, TIMEOUTS)
  local out = {}
  for name, default in pairs(TIMEOUTS) do
    local value = given[name] or default
    if type(value) ~= "number" or value ~= value or value <= 0 then
      usage(("%s: timeout.%s must be a number of seconds above 0"):format(what, name))
    end
    out[name] = value < math.huge and value or 0
  end
  return out
end

local function add_header(what, lines, name, value)
  if secret.is(value) then
    value = value:reveal()
  elseif pending.is(value) then
    pending.stop(value)
  elseif type(value) ~= "string" and math.type(value) == nil then
    usage(("%s: the header '%s' must be a string or a number, not a %s"):format(what, name, type(value)))
  end
  value = tostring(value)
  lines[#lines + 1] = { name:lower(), value == "" and name .. ";" or name .. ": " .. value }
end

-- { lower-case name, line } in the order of the names.
local function headers(what, given)
  local names, lines = {}, {}
  for name in pairs(given or {}) do
    if type(name) ~= "string" then
      usage(what .. ": headers maps names to values")
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = given[name]
    if type(value) == "table" and not pending.is(value) then
      for _, one in ipairs(value) do
        add_header(what, lines, name, one)
      end
    else
      add_header(what, lines, name, value)
    end
  end
  return lines
end

local function check_body(what, options)
  local body = check_type(what, options, "body", "string", "function", "table")
  if type(body) == "table" then
    errors.check_options(what .. ": body", body, { "file", "upload" })
    check_type(what .. ": body", body, "file", "string")
    check_type(what .. ": body", body, "upload", "userdata")
    if not body.file and not body.upload then
      usage(what .. ": body.file names the file to send")
    end
  end
  if options.body_size ~= nil and type(body) ~= "function" then
    usage(what .. ": body_size is for a body from a function")
  end
  return body
end

local function check_sink(what, options)
  local to = check_type(what, options, "to", "function", "table")
  if type(to) == "table" then
    errors.check_options(what .. ": to", to, { "file", "mode", "open", "tallies", "head" })
    check_type(what .. ": to", to, "file", "string")
    check_type(what .. ": to", to, "mode", "integer")
    check_type(what .. ": to", to, "open", "table")
    check_type(what .. ": to", to, "tallies", "table")
    check_type(what .. ": to", to, "head", "function")
    if (to.file == nil) == (to.open == nil) then
      usage(what .. ": to.file names the file to write, or to.open is one")
    elseif to.tallies and not to.open then
      usage(what .. ": to.tallies is for to.open")
    end
  end
  return to
end

--- Checks `options` and fills what was left out. Raises usage, naming `what`.
---@param what string the function that was called
---@param options adt.http.Request
---@return table request
function M.read(what, options)
  if type(options) ~= "table" then
    usage(what .. ": pass a table: { url = \"https://...\" }")
  end
  errors.check_options(what, options, M.KNOWN)
  local r = { what = what, body = check_body(what, options), to = check_sink(what, options) }
  for _, name in ipairs { "url", "method", "unix", "ca", "http" } do
    r[name] = check_type(what, options, name, "string")
  end
  for _, name in ipairs { "follow", "max_body", "body_size" } do
    r[name] = check_type(what, options, name, "integer")
    if r[name] and r[name] < (name == "max_body" and 1 or 0) then
      usage(("%s: %s must not be %d"):format(what, name, r[name]))
    end
  end
  for _, name in ipairs { "check", "insecure", "compressed", "read_only", "idempotent" } do
    r[name] = check_type(what, options, name, "boolean")
  end
  if not r.url then
    usage(what .. ": url says what to request")
  end
  local proxy = check_type(what, options, "proxy", "string", "boolean")
  if proxy == true or proxy == "" then
    usage(what .. ": proxy is a URL, or false for none")
  end
  r.proxy = proxy == false and "" or proxy
  r.timeout = limits(what, check_type(what, options, "timeout", "number", "table"))
  r.headers = headers(what, check_type(what, options, "headers", "table"))
  r.method = r.method or (r.body and "POST" or "GET")
  r.read_only = r.read_only or SAFE[r.method] or false
  if r.idempotent == nil then
    r.idempotent = r.read_only or IDEMPOTENT[r.method] or false
  end
  r.follow = r.follow or 0
  return r
end

return M
