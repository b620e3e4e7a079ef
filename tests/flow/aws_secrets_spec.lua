--- Secrets of AWS are told to nobody: a run with marked ones by each source, then a search of every byte it left or gave.
local awspeer = require "awspeer"
local base64 = require "adt.base64"
local fs = require "adt.fs"
local hash = require "adt.hash"
local json = require "adt.json"
local random = require "adt.random"
local recipes = require "recipes"
local support = require "support"

local why = awspeer.missing()
local peer

setup(function() peer = not why and awspeer.start() or nil end)
teardown(function() if peer then peer:__close() end end)
before_each(function()
  if why then pending(why) else peer:reset() end
end)
after_each(function() if peer then awspeer.no_leaks() end end)

local ROLE = "arn:aws:iam::123456789012:role/r"
local END = "2099-01-01T00:00:00Z"

-- --- marked secrets --------------------------------------------------------------------------------------------------

local function unique(digits) return hash.sha256(random.bytes(16)):sub(1, digits) end

local Marks = {}
Marks.__index = Marks

local function new_marks() return setmetatable({ values = {} }, Marks) end

--- A value that is found nowhere else, under a name for messages. It has no character that anything would escape.
function Marks:new(name)
  local value = ("Mk9%s%s"):format(name:gsub("%W", ""), unique(24))
  self.values[value] = name
  return value
end

--- Keys that the server knows.
function Marks:keys(name)
  local keys = { id = "ASIA" .. unique(16):upper(), secret = self:new(name .. " secret key"),
    token = self:new(name .. " session token") }
  peer:control { keys = { [keys.id] = { secret = keys.secret, token = keys.token } } }
  return keys
end

--- What went over the wire and must not be seen elsewhere: signatures, and the tokens that nobody but the server chose.
function Marks:of_wire()
  local used = {}
  for _, entry in ipairs(peer:log()) do
    local headers = {}
    for name, value in pairs(entry.headers) do
      if type(value) == "table" then name, value = value[1], value[2] end
      headers[name:lower()] = value
    end
    local signature = (headers.authorization or ""):match "Signature=(%x+)"
    if signature then self.values[signature] = "a signature" end
    for _, name in ipairs { "x-amz-security-token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token" } do
      if headers[name] then self.values[headers[name]] = self.values[headers[name]] or name end
    end
    used[#used + 1] = json.encode(headers) .. (entry.body or "")
  end
  return table.concat(used, "\n")
end

-- --- sources ---------------------------------------------------------------------------------------------------------

local function shared_file(keys)
  return ("aws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n"):format(keys.id, keys.secret, keys.token)
end

local function keys_json(keys, version)
  return json.encode { Version = version, Code = "Success", AccessKeyId = keys.id, SecretAccessKey = keys.secret, Token = keys.token,
    SessionToken = keys.token, Expiration = END }
end

local function sts_answer(operation, keys)
  return { fault = "answer", operation = operation, body = ([[<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%sResult>
    <Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken>
    <Expiration>%s</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:s</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/r/s</Arn>
    </AssumedRoleUser></%sResult></%sResponse>]]):format(operation, operation, keys.id, keys.secret, keys.token, END, operation, operation) }
end

-- Each sets up a home and gives the keys that then serve, and what is peculiar to it:
-- rules of the server, environment, whether the secrets are the user's own variables, what must have been sent.
local SOURCES = {}

function SOURCES.env(_, marks)
  local keys = marks:keys "env"
  return keys, { own = true, env = { AWS_ACCESS_KEY_ID = keys.id, AWS_SECRET_ACCESS_KEY = keys.secret, AWS_SESSION_TOKEN = keys.token } }
end

SOURCES["shared-credentials-file"] = function(home, marks)
  local keys = marks:keys "file"
  home:write(".aws/credentials", "[default]\n" .. shared_file(keys))
  return keys, {}
end

SOURCES["config-file"] = function(home, marks)
  local keys = marks:keys "config"
  home:write(".aws/config", "[default]\n" .. shared_file(keys))
  return keys, {}
end

SOURCES["assume-role"] = function(home, marks)
  local base, keys = marks:keys "base", marks:keys "role"
  local external = marks:new "external id"
  home:write(".aws/config", ("[default]\nrole_arn = %s\nsource_profile = base\nexternal_id = %s\n"):format(ROLE, external))
  home:write(".aws/credentials", "[base]\n" .. shared_file(base))
  return keys, { rules = { sts_answer("AssumeRole", keys) }, sent = { base.token, external } }
end

SOURCES["web-identity"] = function(home, marks)
  local keys, token = marks:keys "web", marks:new "web identity token"
  return keys, { rules = { sts_answer("AssumeRoleWithWebIdentity", keys) }, sent = { token },
    env = { AWS_ROLE_ARN = ROLE, AWS_WEB_IDENTITY_TOKEN_FILE = home:write("web", token) } }
end

-- The token ends soon, so that it is renewed first: the client's secret and both refresh tokens take part.
function SOURCES.sso(home, marks)
  local keys, client, refresh = marks:keys "sso", marks:new "client secret", marks:new "refresh token"
  local old, new, next_refresh = marks:new "old SSO token", marks:new "SSO token", marks:new "next refresh token"
  home:write(".aws/config", "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
    .. "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n")
  fs.mkdir(home.dir / ".aws/sso/cache", { parents = true })
  local file = ".aws/sso/cache/" .. hash.sha1 "corp" .. ".json"
  home:write(file, json.encode { accessToken = old, expiresAt = "2020-01-01T00:00:00Z", refreshToken = refresh, clientId = "client",
    clientSecret = client, registrationExpiresAt = END, region = "us-east-1", startUrl = "https://corp.awsapps.com/start" })
  return keys, { sent = { client, refresh, new }, rules = {
    { fault = "answer", path = "/token", body = json.encode { accessToken = new, refreshToken = next_refresh, expiresIn = 28800,
      tokenType = "Bearer" }, headers = { ["Content-Type"] = "application/json" } },
    { fault = "answer", path = "/federation/credentials", headers = { ["Content-Type"] = "application/json" },
      body = json.encode { roleCredentials = { accessKeyId = keys.id, secretAccessKey = keys.secret, sessionToken = keys.token,
        expiration = 4070908800000 } } },
  } }
end

function SOURCES.process(home, marks)
  local keys = marks:keys "process"
  local program = home:write("give", "#!/bin/sh\necho '" .. keys_json(keys, 1) .. "'\n")
  fs.chmod(program, 448)
  home:write(".aws/config", "[default]\ncredential_process = " .. program .. "\n")
  return keys, {}
end

function SOURCES.container(home, marks)
  local keys, token = marks:keys "container", marks:new "container token"
  return keys, { sent = { token }, rules = { { fault = "answer", path = "/v2/credentials", body = keys_json(keys) } },
    env = { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/v2/credentials",
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = home:write("pod", token .. "\n") } }
end

function SOURCES.imds(_, marks)
  local keys = marks:keys "imds"
  return keys, { rules = { { fault = "answer", path = "/security-credentials/.+", body = keys_json(keys) } },
    env = { AWS_EC2_METADATA_SERVICE_ENDPOINT = peer.url, AWS_EC2_METADATA_DISABLED = false } }
end

-- Sources that are set up and fail, whose failure repeats what it was given.
local FAILING = {}

function FAILING.process(home, marks)
  local keys = marks:keys "process"
  local program = home:write("give", ("#!/bin/sh\necho '%s'\necho 'secret=%s token: %s' >&2\nexit 3\n"):format(
    keys_json(keys, 1), keys.secret, keys.token))
  fs.chmod(program, 448)
  home:write(".aws/config", "[default]\ncredential_process = " .. program .. "\n")
  return { code = "ProcessFailed" }
end

FAILING["process of another version"] = function(home, marks)
  local program = home:write("give", "#!/bin/sh\necho '" .. keys_json(marks:keys "process", 2) .. "'\n")
  fs.chmod(program, 448)
  home:write(".aws/config", "[default]\ncredential_process = " .. program .. "\n")
  return { code = "ProcessFailed" }
end

function FAILING.container(home, marks)
  local token = marks:new "container token"
  return { code = "ContainerFailed", rules = { { fault = "answer", path = "/v2/credentials", status = 403, body = "no " .. token } },
    env = { AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/v2/credentials",
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = home:write("pod", token) } }
end

FAILING["container whose answer is cut"] = function(home, marks)
  local what = FAILING.container(home, marks)
  what.rules = { { fault = "answer", path = "/v2/credentials", body = keys_json(marks:keys "container"):sub(1, -3) } }
  return what
end

FAILING["web-identity"] = function(home, marks)
  local token = marks:new "web identity token"
  return { code = "InvalidIdentityToken", rules = { { fault = "error", operation = "AssumeRoleWithWebIdentity", status = 400,
    code = "InvalidIdentityToken", message = "the token " .. token .. " is not good" } },
    env = { AWS_ROLE_ARN = ROLE, AWS_WEB_IDENTITY_TOKEN_FILE = home:write("web", token) } }
end

FAILING["assume-role"] = function(home, marks)
  local base = marks:keys "base"
  home:write(".aws/config", ("[default]\nrole_arn = %s\nsource_profile = base\n"):format(ROLE))
  home:write(".aws/credentials", "[base]\n" .. shared_file(base))
  return { code = "AccessDenied", rules = { { fault = "error", operation = "AssumeRole", status = 403, code = "AccessDenied",
    message = ("%s with %s may not"):format(base.token, base.secret) } } }
end

function FAILING.sso(home, marks)
  local _, what = SOURCES.sso(home, marks)
  local client, refresh = what.sent[1], what.sent[2]
  what.code = "SsoLoginNeeded"
  what.rules = { { fault = "answer", path = "/token", status = 400, headers = { ["Content-Type"] = "application/json",
    ["x-amzn-ErrorType"] = "InvalidGrantException" }, body = json.encode { error = "invalid_grant",
    error_description = ("bad %s of %s"):format(refresh, client), message = ("bad %s of %s"):format(refresh, client) } } }
  return what
end

-- --- the search ------------------------------------------------------------------------------------------------------

local function files_below(dir)
  local pipe <close> = assert(io.popen("find " .. support.quote(tostring(dir)) .. " -type f"))
  local found = {}
  for name in pipe:lines() do found[#found + 1] = name end
  return found
end

-- The forms in which a value may stand in a text: as it is, and in base64 at each of the three offsets.
local function forms(value)
  local found = { value }
  for offset = 0, 2 do
    local text = base64.encode(("\0"):rep(offset) .. value)
    found[#found + 1] = text:sub(5, -5)
  end
  return found
end

local PATTERNS = { "X%-Amz%-Signature=%x%x%x%x%x%x%x%x", "k8s%-aws%-v1%.%w%w%w%w" }

-- Every secret in every text; each text has a name.
local function search(texts, marks)
  local found = {}
  for name, text in pairs(texts) do
    for value, what in pairs(marks.values) do
      for _, form in ipairs(forms(value)) do
        if text:find(form, 1, true) then found[#found + 1] = what .. " in " .. name end
      end
    end
    for _, pattern in ipairs(PATTERNS) do
      if text:find(pattern) then found[#found + 1] = pattern .. " in " .. name end
    end
  end
  table.sort(found)
  return found
end

-- What a run left and gave. The files that the test wrote itself hold the secrets and are left out.
local function texts_of(home, result)
  local texts = { stdout = result.stdout, stderr = result.stderr }
  for _, place in ipairs { "state", "cache", "config" } do
    if fs.exists(home.dir / place) then
      for _, name in ipairs(files_below(home.dir / place)) do
        texts[name:sub(#tostring(home.dir) + 2)] = support.read(name)
      end
    end
  end
  return texts
end

local function environment(home, more)
  local env = { AWS_REGION = "us-east-1", AWS_ENDPOINT_URL = peer.url, AWS_EC2_METADATA_DISABLED = "true", ADTLUA_LOG = "debug",
    AWS_MAX_ATTEMPTS = "2" }
  for _, name in ipairs { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_DEFAULT_REGION" } do
    env[name] = false
  end
  for name, value in pairs(more or {}) do env[name] = value end
  return home:env(env)
end

-- The server misbehaves as the worst would: it sends back what it was sent, in errors and in what cannot be read.
local function misbehave(keys, marks, rules)
  local echo = ("you sent %s signed with %s"):format(keys.token, keys.secret)
  local password = marks:new "ECR password"
  local all = {
    { fault = "error", operation = "GetCallerIdentity", code = "SignatureDoesNotMatch", status = 403, message = echo, skip = 1, count = 1 },
    { fault = "answer", operation = "GetCallerIdentity", body = "<GetCallerIdentityResponse><x>" .. echo, skip = 1 },
    { fault = "answer", path = "/bkt/none", status = 404, body = ("<Error><Code>NoSuchKey</Code><Message>%s</Message><Token0>%s</Token0></Error>")
      :format(echo, keys.token) },
    { fault = "answer", operation = "GetAuthorizationToken", headers = { ["Content-Type"] = "application/x-amz-json-1.1" },
      body = json.encode { authorizationData = { { authorizationToken = base64.encode("AWS:" .. password), expiresAt = 4070908800,
        proxyEndpoint = "https://123456789012.dkr.ecr.us-east-1.amazonaws.com" } } } },
  }
  table.move(rules or {}, 1, #(rules or {}), #all + 1, all)
  peer:control { rules = all }
end

-- --- runs ------------------------------------------------------------------------------------------------------------

local function run(source, words)
  local home, marks = recipes.home(), new_marks()
  fs.mkdir(home.dir / ".aws")
  local keys, what = SOURCES[source](home, marks)
  misbehave(keys, marks, what.rules)
  local canary = "canary" .. unique(16)
  local command = { before = "timeout 40", recipes.path "aws_calls", "-v", "--canary", canary, "--dead", "http://127.0.0.1:9",
    what.own and "--no-dump" or "--dump", env = environment(home, what.env) }
  table.move(words or {}, 1, #(words or {}), #command + 1, command)
  local result = home:run(command)
  local wire = marks:of_wire()
  return { home = home, marks = marks, keys = keys, what = what, canary = canary, result = result, wire = wire,
    texts = texts_of(home, result) }
end

local function nothing_told(r)
  assert.same({}, search(r.texts, r.marks))
  -- The search finds what is there: in the log, the journal, the rank's output and the program's.
  local where = {}
  for name, text in pairs(r.texts) do
    if text:find(r.canary, 1, true) then where[#where + 1] = name end
  end
  table.sort(where)
  local all = table.concat(where, " ")
  for _, name in ipairs { "stdout", "journal.ndjson", "child", "jobs/" } do
    assert.is_truthy(all:find(name, 1, true), ("the search did not find %s in: %s"):format(name, all))
  end
end

describe("secrets of AWS appear in no log, error, journal, core text or child's environment", function()
  for source in pairs(SOURCES) do
    it("when they come from the source " .. source, function()
      local r = run(source)
      local home <close> = r.home
      assert.equal(0, r.result.code, r.result.stderr)
      assert.is_truthy(home:journal():find(('"source":"%s"'):format(source), 1, true), home:journal())
      -- They were used: sent where they belong.
      assert.is_truthy(r.wire:find(r.keys.token, 1, true))
      for _, value in ipairs(r.what.sent or {}) do
        assert.is_truthy(r.wire:find(value, 1, true), r.marks.values[value] .. " was never sent")
      end
      assert.is_truthy(r.result.stderr:find("failed as asked", 1, true), r.result.stderr)
      nothing_told(r)
    end)
  end

  for source in pairs(FAILING) do
    it("when the source fails: " .. source, function()
      local home <close>, marks = recipes.home(), new_marks()
      fs.mkdir(home.dir / ".aws")
      local what = FAILING[source](home, marks)
      peer:control { rules = what.rules or {} }
      local result = home:run { before = "timeout 40", recipes.path "aws_calls", "-v", "-o", "json", "--dead", "http://127.0.0.1:9",
        env = environment(home, what.env) }
      assert.is_true(result.code ~= 0 and result.code < 124, result.stderr)
      local texts = texts_of(home, result)
      assert.is_truthy((home:journal() .. result.stdout):find(what.code, 1, true), home:journal())
      marks:of_wire()
      assert.same({}, search(texts, marks))
    end)
  end

  it("in the JSON form of the output, and when the run ends with the error", function()
    for _, words in ipairs { { "-o", "json" }, { "--crash" }, { "-o", "json", "--crash" } } do
      local r = run("assume-role", words)
      local home <close> = r.home
      assert.is_not_nil(home)
      local crashed = words[#words] == "--crash"
      assert.equal(crashed, r.result.code ~= 0, r.result.stderr)
      if crashed then assert.is_truthy((r.result.stdout .. r.result.stderr):find("NoSuchKey", 1, true) or r.result.stderr ~= "") end
      nothing_told(r)
    end
  end)
end)
