--- Servers of the specs that are a child of theirs: it says in one line of JSON where it listens, and ends with its input.
local ctask = require "adt.c.task"
local errors = require "adt.error"
local http = require "adt.http"
local json = require "adt.json"
local process = require "adt.process"
local system = require "system"

local M = {}

-- The server's own process and its streams, which stand as long as it does.
local SERVER = { op = 0, child = 1, stream = 2, task = 0 }

--- For after_each: fails if anything but the server has outlived the test.
function M.no_leaks()
  local live
  for _ = 1, 100 do
    collectgarbage()
    collectgarbage()
    ctask.yield()
    live = ctask.live()
    if live.op == 0 and live.child == 1 and live.stream == 2 and live.task == 0 then
      return
    end
    system.sleep(0.01)
  end
  require("luassert").same(SERVER, live)
end

--- A certificate for these names, as dir/cert.pem with its key beside it.
---@param dir adt.test.Dir
---@param names string of openssl: "DNS:localhost,IP:127.0.0.1"
function M.certificate(dir, names)
  process.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=" .. names, "-keyout", dir / "key.pem", "-out", dir / "cert.pem" }
end

--- What the server says of itself. It is closed where it says nothing.
---@param peer table with `process`
---@param what string for the error
---@return table
function M.said(peer, what)
  local line = peer.process:lines()()
  if not line then
    M.close(peer)
    errors.raise { cause = "program", message = what .. " does not start" }
  end
  return json.decode(line)
end

--- Ends the server, and its folder with it.
function M.close(peer)
  peer.process:close_stdin()
  peer.process:wait()
  peer.process:close()
  if peer.dir then getmetatable(peer.dir).__close(peer.dir) end
end

--- Gives a class of peers the words of tests/peers/aws/control.py: control, log and reset.
---@param class table
---@param what string for errors
function M.controlled(class, what)
  local function call(self, method, page, value)
    local response = http.request { url = self.url .. page, method = method, body = value and json.encode(value) or nil, max_body = 1 << 28 }
    if response.status ~= 200 then
      error(("%s: %s: %s"):format(what, page, response.body), 3)
    end
    return json.decode(response.body)
  end

  --- Makes it misbehave by one rule (`fault = ...`), or sets what it has.
  ---@param rule table
  ---@return table answer
  function class:control(rule) return call(self, "POST", "/_control", rule) end

  --- Every request so far.
  ---@return table[]
  function class:log() return call(self, "GET", "/_log") end

  --- As freshly started.
  function class:reset() call(self, "POST", "/_reset", {}) end

  return call
end

return M
