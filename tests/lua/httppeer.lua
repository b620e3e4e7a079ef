--- The HTTP server of the specs, tests/peers/http_server.py: started for one block, with a certificate of its own.
local ctask = require "adt.c.task"
local errors = require "adt.error"
local json = require "adt.json"
local process = require "adt.process"
local support = require "support"
local system = require "system"

local M = {}

-- The server's own process and its streams.
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

local Peer = {}
Peer.__index = Peer

local function certificate(dir)
  local name = "/CN=localhost"
  process.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", name, "-addext", "subjectAltName=DNS:localhost", "-keyout", dir / "key.pem", "-out", dir / "cert.pem" }
end

--- Starts it. p.url .. "/echo" speaks HTTP, p.tls and p.h2 (https://localhost:...) TLS, p.unix is a socket, p.ca the
--- certificate; p.other is the same server at another port.
---@param options? { tls?: boolean }
---@return table peer
function M.start(options)
  local dir = support.tempdir()
  local argv = { "python3", "tests/peers/http_server.py", dir / "sock" }
  local ok, err = pcall(function()
    if options and options.tls then
      certificate(dir)
      argv[4], argv[5] = dir / "cert.pem", dir / "key.pem"
    end
    argv.stdin, argv.stdout, argv.dies_with_parent = "pipe", "pipe", true
    return process.spawn(argv)
  end)
  if not ok then
    getmetatable(dir).__close(dir)
    error(err, 0)
  end
  local self = setmetatable({ dir = dir, process = err, unix = dir / "sock", ca = dir / "cert.pem" }, Peer)
  local line = err:lines()()
  local ports = json.decode(line or errors.raise { cause = "program", message = "the HTTP server does not start" })
  self.port, self.deaf = ports.port, "https://127.0.0.1:" .. ports.deaf
  self.url, self.other = "http://127.0.0.1:" .. ports.port, "http://127.0.0.1:" .. ports.other
  self.tls = ports.tls and "https://localhost:" .. ports.tls
  self.h2 = ports.h2 and "https://localhost:" .. ports.h2
  return self
end

function Peer:__close()
  self.process:close_stdin()
  self.process:wait()
  self.process:close()
  getmetatable(self.dir).__close(self.dir)
end

return M
