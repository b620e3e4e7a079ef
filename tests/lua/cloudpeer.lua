--- An AWS with a CloudFormation that works, for specs: tests/peers/aws/cloud/serve; gone with the variable or with this process.
local childpeer = require "childpeer"
local process = require "adt.process"
local support = require "support"
local testpython = require "testpython"

local M = { no_leaks = childpeer.no_leaks }

local OPTIONS = { region = true, control = true }

--- Why none can be started here, for pending(); nil when one can.
---@return string?
function M.missing()
  local _, why = testpython.find("moto", "flask_cors", "yaml")
  return why
end

---@class cloudpeer.Peer
---@field url string the endpoint of every service
---@field port integer
---@field region string
---@field keys awspeer.Keys any pair does
---@field environ table<string, string> what the programs and adtlua need to use it
local Peer = {}
Peer.__index = Peer

--- `local p <close> = cloudpeer.start { control = { pace = 20 } }`
---@param options? { region: string?, control: table? } control: a first p:control{}
---@return cloudpeer.Peer
function M.start(options)
  options = options or {}
  for option in pairs(options) do
    assert(OPTIONS[option], "cloudpeer.start has no option '" .. tostring(option) .. "'")
  end
  local python = assert(testpython.find("moto", "flask_cors", "yaml"))
  local region = options.region or "us-east-1"
  local child = process.spawn { python, "tests/peers/aws/cloud/serve", "--region", region, stdin = "pipe", stdout = "pipe", dies_with_parent = true }
  local self = setmetatable({ process = child, region = region, keys = { access_key = "test", secret = "test" } }, Peer)
  self.port = childpeer.said(self, "the cloud of the tests").port
  self.url = "http://127.0.0.1:" .. self.port
  self.environ = { AWS_ENDPOINT_URL = self.url, AWS_ACCESS_KEY_ID = "test", AWS_SECRET_ACCESS_KEY = "test", AWS_REGION = region,
    AWS_DEFAULT_REGION = region, AWS_EC2_METADATA_DISABLED = "true", AWS_CONFIG_FILE = "/dev/null", AWS_SHARED_CREDENTIALS_FILE = "/dev/null" }
  if options.control then
    self:control(options.control)
  end
  return self
end

-- Its rules are in tests/peers/aws/control.py, its settings in `configure` of aws/cloud/serve; control{} answers what was planted.
childpeer.controlled(Peer, "the cloud of the tests")

--- A client of one of its services.
---@param service string
---@return adt.aws.Client
function Peer:client(service)
  return require("adt.aws").client(service, { region = self.region, endpoint = self.url, credentials = self.keys, retry = { mode = "standard" } })
end

--- A scene whose programs use it.
function Peer:scene()
  local s = support.scene()
  for name, value in pairs(self.environ) do s.env[name] = value end
  return s
end

Peer.__close = childpeer.close

return M
