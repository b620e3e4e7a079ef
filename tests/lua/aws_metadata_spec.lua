--- Credentials from SSO, containers and instances: each serves, fails with words that help, and tells no secret.
local awspeer = require "awspeer"
local clock = require "adt.c.clock"
local container = require "adt.aws.source.container"
local credentials = require "adt.aws.credentials"
local fs = require "adt.fs"
local guard = require "adt.guard"
local hash = require "adt.hash"
local json = require "adt.json"
local scene = require "awsscene"
local support = require "support"
local task = require "adt.task"
local time = require "adt.time"

local why = scene.missing()
local peer

local home, get, failing, like, works, requests = scene.home, scene.get, scene.failing, scene.like, scene.works, scene.requests

setup(function()
  scene.start()
  peer = scene.peer
end)
teardown(scene.stop)
before_each(function()
  if why then pending(why) else peer:reset() end
end)
after_each(function() if peer then awspeer.no_leaks() end end)

-- --- SSO -------------------------------------------------------------------------------------------------------------

describe("SSO", function()
  local START = "https://corp.awsapps.com/start"
  local SESSION = "[profile s]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin\n[sso-session corp]\nsso_start_url = "
    .. START .. "\nsso_region = us-east-1\n"
  local LEGACY = "[profile s]\nsso_start_url = " .. START .. "\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = Admin\n"

  local function with(config, kept)
    local dir, environ = home(config)
    local file = dir / ".aws/sso/cache/" .. hash.sha1(config == LEGACY and START or "corp") .. ".json"
    if kept then fs.write(file, type(kept) == "string" and kept or json.encode(kept), { parents = true }) end
    return dir, environ, file
  end
  local function kept(seconds, more)
    local t = { accessToken = "sso-access-token", expiresAt = time.iso(clock.now() + seconds), region = "us-east-1", startUrl = START }
    for name, value in pairs(more or {}) do t[name] = value end
    return t
  end
  local function renewable(seconds, more)
    local t = kept(seconds, { clientId = "client", clientSecret = "client-secret", refreshToken = "refresh-token",
      registrationExpiresAt = time.iso(clock.now() + 86400) })
    for name, value in pairs(more or {}) do t[name] = value end
    return t
  end

  it("serves with the token of a session, and of the older form", function()
    for _, config in ipairs { SESSION, LEGACY } do
      local dir <close>, environ = with(config, kept(3600))
      assert.is_not_nil(dir)
      local found = get(environ, { profile = "s" })
      assert.same({ "sso", "123456789012" }, { found.source, found.account })
      like(works(found), "assumed-role/sso/")
    end
    assert.equal(0, #requests "oidc")
  end)

  it("renews a token that ends soon or has ended, and keeps it for this user alone", function()
    for _, left in ipairs { 600, -600 } do
      peer:reset()
      local dir <close>, environ, file = with(SESSION, renewable(left, { other = "stays" }))
      assert.is_not_nil(dir)
      like(works(get(environ, { profile = "s" })), "assumed-role/sso/")
      local now = json.decode(fs.read(file))
      assert.is_true(now.accessToken ~= "sso-access-token" and now.refreshToken ~= "refresh-token")
      assert.same({ "stays", "client" }, { now.other, now.clientId })
      assert.is_true(time.parse(now.expiresAt) > clock.now() + 3600)
      assert.equal(384, fs.stat(file).mode & 511)
      assert.same(1, #fs.list(dir / ".aws/sso/cache"))
      get(environ, { profile = "s" })
      assert.equal(1, #requests "oidc")
    end
  end)

  it("goes on with a token that is still good when renewing fails", function()
    local dir <close>, environ = with(SESSION, renewable(600, { refreshToken = "MARKED" }))
    assert.is_not_nil(dir)
    assert.equal("sso", get(environ, { profile = "s" }).source)
  end)

  it("that has ended says how to sign in", function()
    for _, case in ipairs {
      { SESSION, nil, "has not been made" }, { LEGACY, nil, "has not been made" }, { LEGACY, kept(-5), "has ended" },
      { SESSION, kept(-5), "no refreshToken" }, { SESSION, renewable(-5, { registrationExpiresAt = "2020-01-01T00:00:00Z" }), "registration" },
      { SESSION, renewable(-5, { refreshToken = "MARKED" }), "refused" }, { SESSION, { accessToken = "MARKED" }, "without a good" },
      { SESSION, kept(60, { accessToken = "MARKED\r\nX: y" }), "without a good" },
    } do
      local dir <close>, environ = with(case[1], case[2])
      assert.is_not_nil(dir)
      local err = failing(environ, { profile = "s" })
      assert.same({ "auth", "SsoLoginNeeded" }, { err.cause, err.code })
      like(err.message, case[3])
      like(err.hint, "aws sso login", case[1] == SESSION and "--sso-session corp" or "--profile s")
    end
  end)

  it("whose token is refused says how to sign in, and another refusal is told", function()
    local dir <close>, environ = with(SESSION, kept(3600, { accessToken = "MARKED" }))
    assert.is_not_nil(dir)
    local err = failing(environ, { profile = "s" })
    assert.equal("UnauthorizedException", err.code)
    like(err.hint, "aws sso login")
    peer:control { sso = { token = "MARKED", accounts = { ["123456789012"] = { "Reader" } } } }
    err = failing(environ, { profile = "s" })
    assert.equal("ForbiddenException", err.code)
    like(err.message, "Admin", "123456789012")
  end)

  it("with a file that is no JSON is an error that does not repeat it", function()
    local dir <close>, environ = with(SESSION, "MARKED {")
    assert.is_not_nil(dir)
    assert.equal("BadSsoToken", failing(environ, { profile = "s" }).code)
  end)

  it("renews nothing while a plan is made, since nothing would be kept", function()
    local dir <close>, environ = with(SESSION, renewable(600))
    assert.is_not_nil(dir)
    assert.equal("sso", guard.planning(get, environ, { profile = "s" }).source)
    assert.equal(0, #requests "oidc")
  end)

  it("that is set up in part is an error", function()
    for text, word in pairs {
      ["[profile s]\nsso_start_url = u\nsso_region = r\nsso_account_id = 1\n"] = "sso_role_name",
      ["[profile s]\nsso_start_url = u\nsso_account_id = 1\nsso_role_name = r\n"] = "sso_region",
      ["[profile s]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n"] = "[sso-session corp]",
      ["[profile s]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n[sso-session corp]\nsso_region = x\n"] = "sso_start_url",
      ["[profile s]\nsso_region = y\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n[sso-session corp]\nsso_region = x\n"
        .. "sso_start_url = u"] = "differ in sso_region",
    } do
      local dir <close>, environ = home(text)
      assert.is_not_nil(dir)
      local err = failing(environ, { profile = "s" })
      assert.equal("config", err.cause)
      like(err.message, word)
    end
  end)
end)

-- --- containers ------------------------------------------------------------------------------------------------------

describe("a container", function()
  local function with(more)
    local dir, environ = home()
    environ.AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/v1/credentials"
    for name, value in pairs(more or {}) do environ[name] = value end
    return dir, environ
  end

  it("serves, with the token of the environment", function()
    local dir <close>, environ = with { AWS_CONTAINER_AUTHORIZATION_TOKEN = "Basic MARKED" }
    assert.is_not_nil(dir)
    peer:control { container = { authorization = "Basic MARKED" } }
    local found = get(environ)
    assert.same({ "container", "123456789012" }, { found.source, found.account })
    like(works(found), "assumed-role/container/")
  end)

  it("reads the token's file again each time, and rather than the variable", function()
    local dir <close>, environ = with { AWS_CONTAINER_AUTHORIZATION_TOKEN = "MARKED-0" }
    environ.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = dir / "token"
    fs.write(dir / "token", "MARKED-1\n")
    peer:control { container = { authorization = "MARKED-1" } }
    local provider = credentials.default { environ = environ }
    local first = provider:get().access_key
    fs.write(dir / "token", "MARKED-2")
    peer:control { container = { authorization = "MARKED-2" } }
    provider:invalidate(first)
    assert.is_true(first ~= provider:get().access_key)
  end)

  it("refuses a token with a line's end in it, before anything is sent", function()
    for _, token in ipairs { "MARKED\r\nX: y", "MARKED\nX", "MARKED\r" } do
      local dir <close>, environ = with { AWS_CONTAINER_AUTHORIZATION_TOKEN = token }
      assert.is_not_nil(dir)
      assert.equal("BadToken", failing(environ).code)
    end
    local dir <close>, environ = with()
    environ.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = dir / "token"
    assert.equal("NoTokenFile", failing(environ).code)
    fs.write(dir / "token", "MARKED\r\nX: y")
    assert.equal("BadToken", failing(environ).code)
    assert.equal(0, #requests "container")
  end)

  it("is asked at this machine and the metadata's hosts alone, unless by https", function()
    for uri, good in pairs {
      ["http://169.254.170.2/x"] = true, ["http://169.254.170.23/x"] = true, ["http://[fd00:ec2::23]/x"] = true,
      ["http://localhost:80/x"] = true,
      ["http://127.0.0.9/x"] = true, ["http://[::1]/x"] = true, ["https://example.com/x"] = true, ["http://LOCALHOST/x"] = true,
      ["http://example.com/x"] = false, ["http://169.254.169.254/x"] = false, ["http://127.0.0.1.example.com/x"] = false,
      ["http://localhost.example.com/"] = false, ["http://169.254.170.2.example.com"] = false, ["http://user@example.com/"] = false,
      ["http://10.0.0.1/"] = false, ["ftp://localhost/"] = false, ["localhost"] = false, ["http://169.254.170.2@example.com/"] = false,
    } do
      local ok, err = pcall(container.url, nil, uri)
      assert.equal(good, ok, uri)
      if not ok then assert.equal("BadContainerUri", err.code) end
    end
    assert.equal("http://169.254.170.2/v2/credentials/x?id=1", (container.url("/v2/credentials/x?id=1")))
    for _, path in ipairs { "@example.com/x", "x", ".example.com", ":80@example.com/" } do
      assert.equal("BadContainerUri", support.refusal(container.url, path).code)
    end
    local dir <close>, environ = with { AWS_CONTAINER_CREDENTIALS_FULL_URI = "http://example.com/", AWS_CONTAINER_AUTHORIZATION_TOKEN = "MARKED" }
    assert.is_not_nil(dir)
    like(failing(environ).message, "example.com")
  end)

  it("is asked three times, and its refusals and bad answers are told", function()
    local dir <close>, environ = with { AWS_CONTAINER_AUTHORIZATION_TOKEN = "MARKED" }
    assert.is_not_nil(dir)
    local slept = 0
    local sleep = task.sleep
    task.sleep = function(seconds) slept = slept + seconds end
    local _ <close> = setmetatable({}, { __close = function() task.sleep = sleep end })
    peer:control { fault = "answer", service = "container", status = 500, body = "no token=MARKED", count = 2 }
    assert.equal("container", get(environ).source)
    assert.same({ 3, 2 }, { #requests "container", slept })
    for _, case in ipairs {
      { { status = 403, body = "token=MARKED" }, "403", 1 }, { { status = 503, body = "" }, "503", 3 },
      { { status = 200, body = "MARKED{" }, "no object of JSON", 3 }, { { status = 302, body = "", headers = { Location = peer.other } }, "302", 1 },
      { { status = 200, body = "{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"MARKED-2\", \"Token\": \"MARKED\\n\"}" }, "Token", 1 },
    } do
      peer:reset()
      case[1].fault, case[1].service = "answer", "container"
      peer:control(case[1])
      local err = failing(environ)
      assert.equal("auth", err.cause)
      like(err.message, case[2])
      assert.equal(case[3], #requests "container")
    end
    environ.AWS_CONTAINER_CREDENTIALS_FULL_URI = "http://127.0.0.1:1/"
    assert.equal("ContainerFailed", failing(environ).code)
  end)
end)

-- --- instances -------------------------------------------------------------------------------------------------------

describe("an instance", function()
  local function with(more)
    local dir, environ = home()
    environ.AWS_EC2_METADATA_DISABLED, environ.AWS_REGION = nil, nil
    environ.AWS_EC2_METADATA_SERVICE_ENDPOINT = peer.url .. "/"
    for name, value in pairs(more or {}) do environ[name] = value end
    return dir, environ
  end
  local function methods()
    local list = {}
    for _, entry in ipairs(requests "imds") do list[#list + 1] = entry.method .. (entry.status == 200 and "" or entry.status) end
    return table.concat(list, " ")
  end

  it("serves by version 2, and keeps the session", function()
    local dir <close>, environ = with()
    assert.is_not_nil(dir)
    local provider = credentials.default { environ = environ }
    local found = provider:get()
    assert.equal("imds", found.source)
    like(works(found), "assumed-role/imds/")
    assert.equal("PUT GET GET", methods())
    provider:invalidate(found.access_key)
    provider:get()
    assert.equal("PUT GET GET GET GET", methods())
    assert.equal("us-east-1", (require("adt.aws.region").find { environ = environ }))
  end)

  it("gets a new session when its own has ended", function()
    local dir <close>, environ = with()
    assert.is_not_nil(dir)
    local provider = credentials.default { environ = environ }
    local found = provider:get()
    peer:control { clock = 22000 }
    provider:invalidate(found.access_key)
    provider:get()
    assert.equal("PUT GET GET GET401 PUT GET GET", methods())
  end)

  it("is asked by version 1 where there is no other, unless that is switched off", function()
    for _, status in ipairs { 403, 404, 405 } do
      peer:reset()
      peer:control { imds = { token_status = status, v1 = true } }
      local dir <close>, environ = with()
      assert.is_not_nil(dir)
      assert.equal("imds", get(environ).source)
      environ.AWS_EC2_METADATA_V1_DISABLED = "true"
      local err = failing(environ)
      assert.same({ "auth", "NoMetadataToken" }, { err.cause, err.code })
      like(err.hint, "hop limit")
    end
    local dir <close>, environ = with()
    fs.write(dir / ".aws/config", "[default]\nec2_metadata_v1_disabled = true\n")
    assert.equal("NoMetadataToken", failing(environ).code)
  end)

  it("is asked by version 1 when nothing answers in time", function()
    peer:control { imds = { v1 = true } }
    peer:control { fault = "silence", service = "imds", method = "PUT", seconds = 2 }
    local dir <close>, environ = with { AWS_METADATA_SERVICE_TIMEOUT = "0.2" }
    assert.is_not_nil(dir)
    assert.equal("imds", get(environ).source)
  end)

  it("that refuses a token for another reason is an error", function()
    peer:control { imds = { token_status = 400, v1 = true } }
    local dir <close>, environ = with()
    assert.is_not_nil(dir)
    assert.equal("NoMetadataToken", failing(environ).code)
    assert.equal("PUT400", methods())
  end)

  it("without a role, switched off, or not there is one more reason", function()
    local dir <close>, environ = with()
    assert.is_not_nil(dir)
    peer:control { imds = { role = "" } }
    like(failing(environ).message, "imds: the instance has no role")
    peer:control { imds = { role = "r", code = "AssumeRoleUnauthorizedAccess", message = "EC2 cannot assume the role" } }
    like(failing(environ).message, "AssumeRoleUnauthorizedAccess", "EC2 cannot assume the role")
    environ.AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://127.0.0.1:1"
    local err = failing(environ)
    assert.equal("NoCredentials", err.code)
    like(err.message, "imds: no instance metadata at http://127.0.0.1:1")
    environ.AWS_EC2_METADATA_DISABLED = "TRUE"
    like(failing(environ).message, "AWS_EC2_METADATA_DISABLED is set")
  end)

  it("with an answer that is none is an error", function()
    for field in pairs { AccessKeyId = 1, SecretAccessKey = 1, Token = 1, Expiration = 1 } do
      peer:reset()
      peer:control { imds = { missing = { field } } }
      local dir <close>, environ = with()
      assert.is_not_nil(dir)
      like(tostring(failing(environ)), field == "AccessKeyId" and "Success" or field)
    end
    for _, answer in ipairs { "MARKED", "[]", "<html>" } do
      peer:reset()
      peer:control { fault = "answer", path = "security-credentials/.", status = 200, body = answer }
      local dir <close>, environ = with()
      assert.is_not_nil(dir)
      like(failing(environ).message, "no object of JSON")
    end
    peer:reset()
    peer:control { imds = { role = "../../x" } }
    local dir <close>, environ = with()
    assert.is_not_nil(dir)
    like(failing(environ).message, "no role's name")
  end)

  it("that has no newer ones lets the old ones go on", function()
    for _, seconds in ipairs { 60, -3600 } do
      peer:reset()
      peer:control { imds = { seconds = seconds } }
      local dir <close>, environ = with()
      assert.is_not_nil(dir)
      local left = get(environ).expires - clock.now()
      assert.is_true(left > 1000 and left < 1510, tostring(left))
    end
  end)

  it("is never asked by a proxy", function()
    local dir <close>, environ = with()
    assert.is_not_nil(dir)
    local script = dir / "ask.lua"
    fs.write(script, ("local c = require 'adt.aws.credentials'\nprint(c.default():get().source)"))
    local out = support.run { support.program(), script, env = {
      HOME = tostring(dir), http_proxy = "http://127.0.0.1:1", HTTP_PROXY = "http://127.0.0.1:1", no_proxy = "",
      AWS_EC2_METADATA_SERVICE_ENDPOINT = environ.AWS_EC2_METADATA_SERVICE_ENDPOINT,
    } }
    assert.equal("imds\n", out.stdout)
  end)

  it("is asked where the settings say", function()
    local dir <close>, environ = with { AWS_EC2_METADATA_SERVICE_ENDPOINT = "nonsense" }
    local imds = require "adt.aws.source.imds"
    assert.is_not_nil(dir)
    assert.equal("BadSetting", failing(environ).code)
    local function at(env, text)
      fs.write(dir / ".aws/config", "[default]\n" .. (text or ""))
      env.HOME = tostring(dir)
      local profile = require("adt.aws.profile").load { environ = env }
      return imds.open({ getenv = require("adt.aws.profile").getenv(env), profile = profile }).endpoint
    end
    assert.equal("http://169.254.169.254", at {})
    assert.equal("http://[fd00:ec2::254]", at { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "IPv6" })
    assert.equal("http://[fd00:ec2::254]", at({}, "ec2_metadata_service_endpoint_mode = ipv6"))
    assert.equal("http://127.0.0.1:8", at({ AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "IPv6" }, "ec2_metadata_service_endpoint = http://127.0.0.1:8/"))
    for name, value in pairs { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "5", AWS_METADATA_SERVICE_TIMEOUT = "x",
      AWS_METADATA_SERVICE_NUM_ATTEMPTS = "0" } do
      assert.equal("BadSetting", support.refusal(at, { [name] = value }).code)
    end
  end)
end)
