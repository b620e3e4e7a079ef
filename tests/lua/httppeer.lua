--- The HTTP server of the specs, tests/peers/http_server.py: started for one block, with a certificate of its own.
local childpeer = require "childpeer"
local process = require "adt.process"
local support = require "support"

local M = { no_leaks = childpeer.no_leaks }

local Peer = {}
Peer.__index = Peer

--- Starts it. p.url .. "/echo" speaks HTTP, p.tls and p.h2 (https://localhost:...) TLS, p.unix is a socket, p.ca the
--- certificate; p.other is the same server at another port.
---@param options? { tls?: boolean }
---@return table peer
function M.start(options)
  local dir = support.tempdir()
  local argv = { "python3", "tests/peers/http_server.py", dir / "sock" }
  local ok, err = pcall(function()
    if options and options.tls then
      childpeer.certificate(dir, "DNS:localhost")
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
  local ports = childpeer.said(self, "the HTTP server")
  self.port, self.deaf = ports.port, "https://127.0.0.1:" .. ports.deaf
  self.url, self.other = "http://127.0.0.1:" .. ports.port, "http://127.0.0.1:" .. ports.other
  self.tls = ports.tls and "https://localhost:" .. ports.tls
  self.h2 = ports.h2 and "https://localhost:" .. ports.h2
  return self
end

Peer.__close = childpeer.close

return M
