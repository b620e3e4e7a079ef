--- The strict AWS of the specs, tests/peers/aws/fake: started for one block, gone with the variable or with this process.
local ctask = require "adt.c.task"
local errors = require "adt.error"
local http = require "adt.http"
local json = require "adt.json"
local process = require "adt.process"
local support = require "support"
local system = require "system"
local testpython = require "testpython"

local M = {}

-- The fake's own process and its streams, which stand as long as it does.
local FAKE = { op = 0, child = 1, stream = 2, task = 0 }

local OPTIONS = { tls = true, region = true, keys = true }

--- Why no fake can be started here, for pending(); nil when one can.
---@return string?
function M.missing()
  local _, why = testpython.find "botocore"
  return why
end

--- For after_each: fails if anything but the fake has outlived the test.
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
  require("luassert").same(FAKE, live)
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

local function certificate(dir)
  process.run { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:*.localhost,DNS:*.us-east-1.localhost,IP:127.0.0.1",
    "-keyout", dir / "key.pem", "-out", dir / "cert.pem" }
end

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
      certificate(dir)
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
  local line = err:lines()()
  if not line then
    self:__close()
    errors.raise { cause = "program", message = "the fake AWS does not start" }
  end
  local said = json.decode(line)
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

function Peer:_call(method, page, value)
  local response = http.request { url = self.url .. page, method = method, body = value and json.encode(value) or nil, max_body = 1 << 28 }
  if response.status ~= 200 then
    error(("the fake AWS: %s: %s"):format(page, response.body), 3)
  end
  return json.decode(response.body)
end

--- Makes it misbehave: one rule (`fault = ...`), or settings; see tests/peers/aws/control.py and `configure` in fake.
---@param what table
function Peer:control(what)
  self:_call("POST", "/_control", what)
end

--- Every request so far: method, path, query, headers, service, operation, size, sha256, verified, why, fault, status ...
---@return table[]
function Peer:log()
  return self:_call("GET", "/_log")
end

--- Whether an EKS cluster would take the token.
---@param token string
---@param cluster string
---@return boolean ok
---@return string? why not
function Peer:eks_token(token, cluster)
  local answer = self:_call("POST", "/_eks_token", { token = token, cluster = cluster })
  return answer.ok, answer.why
end

--- As freshly started.
function Peer:reset()
  local keys = self.keys
  self:_call("POST", "/_reset", { keys = { [keys.access_key] = { secret = keys.secret, token = keys.token } } })
end

function Peer:__close()
  self.process:close_stdin()
  self.process:wait()
  self.process:close()
  getmetatable(self.dir).__close(self.dir)
end

return M
