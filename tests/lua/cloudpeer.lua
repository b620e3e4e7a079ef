--- An AWS with a CloudFormation that works, for specs: tests/peers/aws/cloud/serve; gone with the variable or with this process.
local awspeer = require "awspeer"
local errors = require "adt.error"
local http = require "adt.http"
local json = require "adt.json"
local process = require "adt.process"
local testpython = require "testpython"

local M = { no_leaks = awspeer.no_leaks }

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
  local line = child:lines()()
  if not line then
    self:__close()
    errors.raise { cause = "program", message = "the cloud of the tests does not start" }
  end
  self.port = json.decode(line).port
  self.url = "http://127.0.0.1:" .. self.port
  self.environ = { AWS_ENDPOINT_URL = self.url, AWS_ACCESS_KEY_ID = "test", AWS_SECRET_ACCESS_KEY = "test", AWS_REGION = region,
    AWS_DEFAULT_REGION = region, AWS_EC2_METADATA_DISABLED = "true", AWS_CONFIG_FILE = "/dev/null", AWS_SHARED_CREDENTIALS_FILE = "/dev/null" }
  if options.control then
    self:control(options.control)
  end
  return self
end

function Peer:_call(method, page, value)
  local response = http.request { url = self.url .. page, method = method, body = value and json.encode(value) or nil, max_body = 1 << 28 }
  if response.status ~= 200 then
    error(("the cloud of the tests: %s: %s"):format(page, response.body), 3)
  end
  return json.decode(response.body)
end

--- Makes it slow, poor or hostile: one rule (`fault = ...`) of aws/control.py, or settings: `configure` in aws/cloud/serve.
---@param what table
---@return table answer of what was planted
function Peer:control(what)
  return self:_call("POST", "/_control", what)
end

--- Every request so far: service, operation, region, method, path, body, fault, status ...
---@return table[]
function Peer:log()
  return self:_call("GET", "/_log")
end

--- As freshly started.
function Peer:reset()
  self:_call("POST", "/_reset", {})
end

function Peer:__close()
  self.process:close_stdin()
  self.process:wait()
  self.process:close()
end

return M
