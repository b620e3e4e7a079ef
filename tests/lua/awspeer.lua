--- The strict AWS of the specs, tests/peers/aws/fake: started for one block, gone with the variable or with this process.
local childpeer = require "childpeer"
local process = require "adt.process"
local support = require "support"
local testpython = require "testpython"

local M = { no_leaks = childpeer.no_leaks }

local OPTIONS = { tls = true, region = true, keys = true }

--- Why no fake can be started here, for pending(); nil when one can.
---@return string?
function M.missing()
  local _, why = testpython.find "botocore"
  return why
end

---@class awspeer.Keys
---@field access_key string
---@field secret string
---@field token string?

---@class awspeer.Peer
---@field url string http://127.0.0.1:PORT: every service, see tests/peers/aws/fake
---@field other string the same server at another address
---@field deaf string connections stand there, and nobody answers
---@field tls string? https://localhost:PORT
---@field ca string? the certificate to trust
---@field port integer of url: http://ec2.us-east-1.localhost:PORT names service and region
---@field tls_port integer?
---@field keys awspeer.Keys
---@field region string
local Peer = {}
Peer.__index = Peer

--- `local p <close> = awspeer.start { tls = true }`
---@param options? { tls: boolean?, region: string?, keys: awspeer.Keys? }
---@return awspeer.Peer
function M.start(options)
  options = options or {}
  for option in pairs(options) do
    assert(OPTIONS[option], "awspeer.start has no option '" .. tostring(option) .. "'")
  end
  local python = assert(testpython.find "botocore")
  local dir, region = support.tempdir(), options.region or "us-east-1"
  local ok, err = pcall(function()
    local argv = { python, "tests/peers/aws/fake", "--region", region }
    if options.tls then
      childpeer.certificate(dir, "DNS:localhost,DNS:*.localhost,DNS:*.us-east-1.localhost,IP:127.0.0.1")
      table.move({ "--certificate", dir / "cert.pem", "--key", dir / "key.pem" }, 1, 4, 5, argv)
    end
    argv.stdin, argv.stdout, argv.dies_with_parent = "pipe", "pipe", true
    return process.spawn(argv)
  end)
  if not ok then
    getmetatable(dir).__close(dir)
    error(err, 0)
  end
  local self = setmetatable({ dir = dir, process = err, region = region }, Peer)
  local said = childpeer.said(self, "the fake AWS")
  self.port, self.tls_port = said.port, said.tls
  self.url, self.other = "http://127.0.0.1:" .. said.port, "http://127.0.0.1:" .. said.other
  self.deaf = "http://127.0.0.1:" .. said.deaf
  if said.tls then
    self.tls, self.ca = "https://localhost:" .. said.tls, dir / "cert.pem"
  end
  self.keys = options.keys or { access_key = said.key.access_key, secret = said.key.secret }
  self:reset()
  return self
end

-- Its rules are in tests/peers/aws/control.py, its settings in `configure` of the fake; a line of its log has method, path, query,
-- headers, service, operation, size, sha256, verified, why, fault, status ...
local call = childpeer.controlled(Peer, "the fake AWS")

--- Whether an EKS cluster would take the token.
---@param token string
---@param cluster string
---@return boolean ok
---@return string? why not
function Peer:eks_token(token, cluster)
  local answer = call(self, "POST", "/_eks_token", { token = token, cluster = cluster })
  return answer.ok, answer.why
end

--- As freshly started.
function Peer:reset()
  local keys = self.keys
  call(self, "POST", "/_reset", { keys = { [keys.access_key] = { secret = keys.secret, token = keys.token } } })
end

Peer.__close = childpeer.close

return M
