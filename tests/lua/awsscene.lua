--- What the specs of credentials share: the fake AWS, a home folder with the shared files, errors that may hold no secret.
local aws = require "adt.aws"
local awspeer = require "awspeer"
local credentials = require "adt.aws.credentials"
local fs = require "adt.fs"
local support = require "support"

local assert = require "luassert"

local M = {}

M.ROLE = "arn:aws:iam::123456789012:role/"

-- What no error may hold.
local MARKS = { "MARKED", "wJalr" }

--- Why no fake can be started here, for pending(); nil when one can.
M.missing = awspeer.missing

--- Starts the fake; M.peer is it until M.stop().
function M.start()
  M.peer = not M.missing() and awspeer.start() or nil
end

function M.stop()
  if M.peer then M.peer:__close() end
  M.peer = nil
end

--- A home folder with both files, and an environment in which no instance is asked unless the test says so.
---@param config? string
---@param shared? string
---@return table dir
---@return table<string, string> environ
function M.home(config, shared)
  local dir = support.tempdir()
  fs.mkdir(dir / ".aws")
  if config then fs.write(dir / ".aws/config", config) end
  if shared then fs.write(dir / ".aws/credentials", shared) end
  return dir, { HOME = tostring(dir), AWS_REGION = "us-east-1", AWS_ENDPOINT_URL = M.peer.url, AWS_EC2_METADATA_DISABLED = "true",
    PATH = os.getenv "PATH" }
end

--- The lines of a profile with the fake's keys, or with another id.
function M.keys_of(name)
  return ("aws_access_key_id = %s\naws_secret_access_key = %s\n"):format(name or M.peer.keys.access_key, M.peer.keys.secret)
end

function M.get(environ, options)
  local o = { environ = environ }
  for name, value in pairs(options or {}) do o[name] = value end
  return credentials.default(o):get()
end

--- The error of finding credentials, which must not hold any of the marked texts.
function M.failing(environ, options)
  local err = support.refusal(M.get, environ, options)
  for _, mark in ipairs(MARKS) do
    assert.is_nil(tostring(err):find(mark, 1, true), tostring(err))
  end
  return err
end

function M.like(text, ...)
  for _, word in ipairs { ... } do
    assert.is_truthy(text:find(word, 1, true), ("'%s' is not in: %s"):format(word, text))
  end
end

--- Who AWS says that the credentials are.
function M.works(found)
  return aws.client("sts", { region = "us-east-1", endpoint = M.peer.url, credentials = {
    access_key = found.access_key, secret = found.secret, token = found.token } }):GetCallerIdentity().Arn
end

--- The requests of one operation ("AssumeRole"), or to one endpoint: "imds", "container", "oidc".
function M.requests(operation)
  local found = {}
  for _, entry in ipairs(M.peer:log()) do
    if entry.operation == operation then found[#found + 1] = entry end
  end
  return found
end

--- The fields of a request's form.
function M.form(entry)
  local fields = {}
  for name, value in entry.body:gmatch "([^&=]+)=([^&]*)" do
    fields[name] = value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  end
  return fields
end

return M
