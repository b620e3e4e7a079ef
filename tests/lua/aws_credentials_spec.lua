--- Every source of credentials against real servers on loopback: it serves, it fails with words that help, and nothing
--- secret is told.
local aws = require "adt.aws"
local awspeer = require "awspeer"
local clock = require "adt.c.clock"
local container = require "adt.aws.source.container"
local credentials = require "adt.aws.credentials"
local fs = require "adt.fs"
local guard = require "adt.guard"
local hash = require "adt.hash"
local json = require "adt.json"
local process_source = require "adt.aws.source.process"
local support = require "support"
local task = require "adt.task"
local time = require "adt.time"

local why = awspeer.missing()
local peer

setup(function() peer = not why and awspeer.start() end)
teardown(function() if peer then peer:__close() end end)
before_each(function()
  if why then pending(why) else peer:reset() end
end)
after_each(function() if peer then awspeer.no_leaks() end end)

-- --- scenes ----------------------------------------------------------------------------------------------------------

-- A home folder with both files, and an environment in which no metadata is asked unless the test says so.
local function home(config, shared)
  local dir = support.tempdir()
  fs.mkdir(dir / ".aws")
  if config then fs.write(dir / ".aws/config", config) end
  if shared then fs.write(dir / ".aws/credentials", shared) end
  return dir, { HOME = tostring(dir), AWS_REGION = "us-east-1", AWS_ENDPOINT_URL = peer.url, AWS_EC2_METADATA_DISABLED = "true",
    PATH = os.getenv "PATH" }
end

local function keys_of(name)
  return ("aws_access_key_id = %s\naws_secret_access_key = %s\n"):format(name or peer.keys.access_key, peer.keys.secret)
end

local function get(environ, options)
  local o = { environ = environ }
  for name, value in pairs(options or {}) do o[name] = value end
  return credentials.default(o):get()
end

-- The error of finding credentials, which must not hold any of the marked texts.
local MARKS = { "MARKED", "wJalr" }
local function failing(environ, options)
  local err = support.refusal(get, environ, options)
  for _, mark in ipairs(MARKS) do
    assert.is_nil(tostring(err):find(mark, 1, true), tostring(err))
  end
  return err
end

local function like(text, ...)
  for _, word in ipairs { ... } do
    assert.is_truthy(text:find(word, 1, true), ("'%s' is not in: %s"):format(word, text))
  end
end

-- Whether AWS knows the credentials: they sign a call.
local function works(found)
  return aws.client("sts", { region = "us-east-1", endpoint = peer.url, credentials = {
    access_key = found.access_key, secret = found.secret, token = found.token } }):GetCallerIdentity().Arn
end

local function requests(operation)
  local found = {}
  for _, entry in ipairs(peer:log()) do
    if entry.operation == operation then found[#found + 1] = entry end
  end
  return found
end

local function form(entry)
  local fields = {}
  for name, value in entry.body:gmatch "([^&=]+)=([^&]*)" do
    fields[name] = value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  end
  return fields
end

-- --- environment and files -------------------------------------------------------------------------------------------

describe("the environment", function()
  it("serves", function()
    local environ = { AWS_ACCESS_KEY_ID = "AKIA", AWS_SECRET_ACCESS_KEY = "MARKED-secret", AWS_SESSION_TOKEN = "MARKED-token",
      AWS_ACCOUNT_ID = "123456789012", AWS_CREDENTIAL_EXPIRATION = "2099-01-01T00:00:00Z" }
    local found = get(environ)
    assert.same({ "AKIA", "MARKED-secret", "MARKED-token", "env", "123456789012", time.parse "2099-01-01T00:00:00Z" },
      { found.access_key, found.secret, found.token, found.source, found.account, found.expires })
  end)

  it("that is half set is an error", function()
    local err = failing { AWS_ACCESS_KEY_ID = "AKIA" }
    assert.same({ "config", "PartialCredentials" }, { err.cause, err.code })
    like(err.message, "AWS_SECRET_ACCESS_KEY is not")
    like(failing({ AWS_SECRET_ACCESS_KEY = "MARKED" }).message, "AWS_ACCESS_KEY_ID is not")
  end)

  it("with control characters, or a date that is none, is an error that does not repeat them", function()
    like(failing({ AWS_ACCESS_KEY_ID = "AKIA", AWS_SECRET_ACCESS_KEY = "MARKED\r\nX: y" }).message, "AWS_SECRET_ACCESS_KEY")
    like(failing({ AWS_ACCESS_KEY_ID = "AKIA", AWS_SECRET_ACCESS_KEY = "s3cretvalue", AWS_SESSION_TOKEN = "MARKED\n" }).message,
      "AWS_SESSION_TOKEN")
    like(failing({ AWS_ACCESS_KEY_ID = "AKIA", AWS_SECRET_ACCESS_KEY = "s3cretvalue", AWS_CREDENTIAL_EXPIRATION = "MARKED" }).message,
      "AWS_CREDENTIAL_EXPIRATION")
  end)

  it("that has ended is an error", function()
    local err = failing { AWS_ACCESS_KEY_ID = "AKIA", AWS_SECRET_ACCESS_KEY = "s3cretvalue", AWS_CREDENTIAL_EXPIRATION = "2020-01-01T00:00:00Z" }
    assert.same({ "auth", "ExpiredCredentials" }, { err.cause, err.code })
  end)

  it("overrules AWS_PROFILE, and not a profile that is named", function()
    local dir <close>, environ = home(nil, "[a]\n" .. keys_of "AKIAFILE")
    assert.is_not_nil(dir)
    environ.AWS_ACCESS_KEY_ID, environ.AWS_SECRET_ACCESS_KEY, environ.AWS_PROFILE = "AKIAENV", "s3cretvalue", "a"
    assert.equal("AKIAENV", get(environ).access_key)
    assert.equal("AKIAFILE", get(environ, { profile = "a" }).access_key)
  end)
end)

describe("the shared files", function()
  it("serve, the credentials file before the other", function()
    local dir <close>, environ = home("[default]\n" .. keys_of "AKIACONF" .. "[profile b]\n" .. keys_of "AKIAB",
      "[default]\n" .. keys_of "AKIACRED" .. "aws_session_token = tokentoken\naws_account_id = 1\n")
    assert.is_not_nil(dir)
    local found = get(environ)
    assert.same({ "AKIACRED", "shared-credentials-file", "tokentoken", "1" }, { found.access_key, found.source, found.token, found.account })
    found = get(environ, { profile = "b" })
    assert.same({ "AKIAB", "config-file" }, { found.access_key, found.source })
  end)

  it("with half a pair are an error", function()
    local dir <close>, environ = home(nil, "[default]\naws_access_key_id = AKIA\n")
    assert.is_not_nil(dir)
    local err = failing(environ)
    assert.same({ "config", "PartialCredentials", dir / ".aws/credentials" }, { err.cause, err.code, err.where })
  end)

  it("are read again when their keys were refused", function()
    local dir <close>, environ = home(nil, "[default]\n" .. keys_of "AKIAOLD")
    local provider = credentials.default { environ = environ }
    assert.equal("AKIAOLD", provider:get().access_key)
    fs.write(dir / ".aws/credentials", "[default]\n" .. keys_of "AKIANEW")
    assert.equal("AKIAOLD", provider:get().access_key)
    provider:invalidate "AKIAOLD"
    assert.equal("AKIANEW", provider:get().access_key)
  end)
end)

-- --- credential_process ----------------------------------------------------------------------------------------------

describe("credential_process", function()
  local function with(script, words)
    local dir, environ = home()
    fs.write(dir / "give", "#!/bin/sh\n" .. script)
    fs.chmod(dir / "give", 448)
    fs.write(dir / ".aws/config", ("[default]\ncredential_process = %s %s\n"):format(dir / "give", words or ""))
    return dir, environ
  end
  local ANSWER = '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "MARKED-secret", "SessionToken": "MARKED-token", '
    .. '"Expiration": "2099-01-01T00:00:00Z", "AccountId": "42"}'

  it("serves, and gets its words without a shell", function()
    local dir <close>, environ = with("echo '" .. ANSWER:format "'\"$#:$3\"'" .. "'", [["a b" 'c$HOME' d\;e]])
    assert.is_not_nil(dir)
    local found = get(environ)
    assert.same({ "3:d;e", "MARKED-token", "process", "42", time.parse "2099-01-01T00:00:00Z" },
      { found.access_key, found.token, found.source, found.account, found.expires })
  end)

  it("splits its line as a shell does", function()
    for line, want in pairs {
      ["a b"] = { "a", "b" }, ["  a\tb  "] = { "a", "b" }, ["'a b' \"c d\""] = { "a b", "c d" }, ["a'b'\"c\"d"] = { "abcd" },
      ["''"] = { "" }, [ [[a\ b]] ] = { "a b" }, [ [["a\"b\\c\d"]] ] = { [[a"b\c\d]] }, [ [['a\b']] ] = { [[a\b]] }, [""] = {},
      ["$HOME `x` ;|&"] = { "$HOME", "`x`", ";|&" },
    } do
      assert.same(want, process_source.split(line))
    end
    for _, line in ipairs { "'a", '"a', "a\\" } do assert.is_nil(process_source.split(line)) end
  end)

  it("that fails tells its status and its words, without secrets", function()
    local dir <close>, environ = with("echo 'denied for token=MARKED aWs9Secret/MARKEDxxxxxxxxxxxxxxxxxxxxxxxx' >&2; exit 3")
    assert.is_not_nil(dir)
    local err = failing(environ)
    assert.same({ "auth", "ProcessFailed" }, { err.cause, err.code })
    like(err.message, "profile 'default'", "exit 3", "denied for", "<secret>")
  end)

  it("that gives no good answer is an error which does not repeat it", function()
    for answer, word in pairs {
      ["MARKED"] = "no object of JSON", ["[\"MARKED\"]"] = "no object of JSON", ["{\"Version\": 2, \"SecretAccessKey\": \"MARKED\"}"] = "Version",
      ["{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"MARKED\"}"] = "Version",
      ["{\"Version\": 1, \"SecretAccessKey\": \"MARKED\"}"] = "AccessKeyId is missing",
      ["{\"Version\": 1, \"AccessKeyId\": \"a\"}"] = "SecretAccessKey is missing",
      ["{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"MARKED\\nX\"}"] = "SecretAccessKey",
      ["{\"Version\": 1, \"AccessKeyId\": 7, \"SecretAccessKey\": \"MARKED-1\"}"] = "AccessKeyId",
      ["{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"MARKED-1\", \"Expiration\": \"MARKED\"}"] = "Expiration",
    } do
      local dir <close>, environ = with("cat <<'E'\n" .. answer .. "\nE\n")
      assert.is_not_nil(dir)
      like(failing(environ).message, word)
    end
  end)

  it("that is not there, or has a quote that does not end, is an error", function()
    local dir <close>, environ = home("[default]\ncredential_process = /nonexistent/program --secret MARKED\n")
    local err = failing(environ)
    assert.same("ProcessNotFound", err.code)
    like(err.message, "/nonexistent/program")
    fs.write(dir / ".aws/config", "[default]\ncredential_process = a 'MARKED\n")
    assert.same({ "config", "BadProcess" }, { failing(environ).cause, failing(environ).code })
  end)

  it("may run while a plan is made", function()
    local dir <close>, environ = with("echo '" .. ANSWER:format "AKIAPLAN" .. "'")
    assert.is_not_nil(dir)
    assert.equal("AKIAPLAN", guard.planning(get, environ).access_key)
  end)
end)

-- --- roles -----------------------------------------------------------------------------------------------------------

local ROLE = "arn:aws:iam::123456789012:role/"

describe("a role", function()
  it("is assumed with the keys of another profile", function()
    local dir <close>, environ = home("[profile dev]\nrole_arn = " .. ROLE .. "dev\nsource_profile = base\nexternal_id = ext-1\n"
      .. "role_session_name = me\nduration_seconds = 1800\n", "[base]\n" .. keys_of())
    assert.is_not_nil(dir)
    peer:control { services = { roles = { [ROLE .. "dev"] = { external_id = "ext-1" } } } }
    local found = get(environ, { profile = "dev" })
    assert.same({ "assume-role", "123456789012" }, { found.source, found.account })
    assert.is_truthy(math.abs(found.expires - clock.now() - 1800) < 30)
    assert.equal("arn:aws:sts::123456789012:assumed-role/dev/me", works(found))
    local sent = form(requests("AssumeRole")[1])
    assert.same({ "me", "ext-1", "1800" }, { sent.RoleSessionName, sent.ExternalId, sent.DurationSeconds })
  end)

  it("is assumed with a role, in a chain", function()
    local dir <close>, environ = home("[profile c]\nrole_arn = " .. ROLE .. "c\nsource_profile = b\n[profile b]\nrole_arn = " .. ROLE
      .. "b\nsource_profile = a\n", "[a]\n" .. keys_of())
    assert.is_not_nil(dir)
    like(works(get(environ, { profile = "c" })), "assumed-role/c/adtlua-")
    assert.equal(2, #requests "AssumeRole")
    like(requests("AssumeRole")[2].headers and json.encode(requests("AssumeRole")[2].headers), "ASIA")
  end)

  it("may be assumed by a profile's own keys", function()
    local dir <close>, environ = home("[profile a]\nrole_arn = " .. ROLE .. "a\nsource_profile = a\n", "[a]\n" .. keys_of())
    assert.is_not_nil(dir)
    like(works(get(environ, { profile = "a" })), "assumed-role/a/")
  end)

  it("of a source profile that has keys is not assumed", function()
    local dir <close>, environ = home("[profile b]\nrole_arn = " .. ROLE .. "b\nsource_profile = a\n[profile a]\nrole_arn = " .. ROLE
      .. "a\nsource_profile = b\n", "[a]\n" .. keys_of())
    assert.is_not_nil(dir)
    like(works(get(environ, { profile = "b" })), "assumed-role/b/")
    assert.equal(1, #requests "AssumeRole")
  end)

  it("is assumed with the environment, a container or the instance", function()
    local dir <close>, environ = home("[profile e]\nrole_arn = " .. ROLE .. "e\ncredential_source = Environment\n[profile c]\nrole_arn = "
      .. ROLE .. "c\ncredential_source = EcsContainer\n[profile i]\nrole_arn = " .. ROLE .. "i\ncredential_source = Ec2InstanceMetadata\n")
    assert.is_not_nil(dir)
    local err = failing(environ, { profile = "e" })
    assert.equal("BadProfile", err.code)
    like(err.message, "credential_source = Environment", "AWS_ACCESS_KEY_ID is not set")
    environ.AWS_ACCESS_KEY_ID, environ.AWS_SECRET_ACCESS_KEY = peer.keys.access_key, peer.keys.secret
    like(works(get(environ, { profile = "e" })), "assumed-role/e/")
    environ.AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/v1/credentials"
    like(works(get(environ, { profile = "c" })), "assumed-role/c/")
    like(failing(environ, { profile = "i" }).message, "AWS_EC2_METADATA_DISABLED")
    environ.AWS_EC2_METADATA_DISABLED, environ.AWS_EC2_METADATA_SERVICE_ENDPOINT = nil, peer.url
    like(works(get(environ, { profile = "i" })), "assumed-role/i/")
  end)

  it("in a circle of profiles is an error that names it", function()
    local text = ""
    for name, source in pairs { a = "b", b = "c", c = "a", self = "self" } do
      text = text .. ("[profile %s]\nrole_arn = %sx\nsource_profile = %s\n"):format(name, ROLE, source)
    end
    local dir <close>, environ = home(text)
    assert.is_not_nil(dir)
    local err = failing(environ, { profile = "a" })
    assert.same({ "config", "BadProfile" }, { err.cause, err.code })
    like(err.message, "a -> b -> c -> a")
    like(failing(environ, { profile = "self" }).message, "its own source_profile")
  end)

  it("of a profile that makes no sense is an error that says so", function()
    for text, word in pairs {
      [""] = "neither source_profile nor credential_source", ["source_profile = b\ncredential_source = Environment"] = "both",
      ["source_profile = nowhere"] = "source_profile of the profile 'a'", ["credential_source = Enviroment"] = "Enviroment",
      ["source_profile = empty"] = "gives no credentials", ["source_profile = b\nduration_seconds = 5"] = "duration_seconds",
    } do
      local dir <close>, environ = home("[profile a]\nrole_arn = " .. ROLE .. "x\n" .. text .. "\n[profile empty]\nregion=x\n", "[b]\n" .. keys_of())
      assert.is_not_nil(dir)
      local err = failing(environ, { profile = "a" })
      assert.equal("config", err.cause)
      like(tostring(err), word)
    end
  end)

  it("that needs a device asks for its digits", function()
    local dir <close>, environ = home("[profile a]\nrole_arn = " .. ROLE .. "a\nsource_profile = b\nmfa_serial = arn:aws:iam::1:mfa/me\n",
      "[b]\n" .. keys_of())
    assert.is_not_nil(dir)
    local err = failing(environ, { profile = "a" })
    assert.same({ "auth", "MfaNeeded" }, { err.cause, err.code })
    like(tostring(err), "arn:aws:iam::1:mfa/me", "mfa_code")
    assert.equal("MfaNeeded", failing(environ, { profile = "a", mfa_code = "12" }).code)
    get(environ, { profile = "a", mfa_code = function(serial) return serial == "arn:aws:iam::1:mfa/me" and "123456" end })
    local sent = form(requests("AssumeRole")[1])
    assert.same({ "arn:aws:iam::1:mfa/me", "123456" }, { sent.SerialNumber, sent.TokenCode })
  end)

  it("that is denied is an error which names it", function()
    local dir <close>, environ = home("[profile a]\nrole_arn = " .. ROLE .. "a\nsource_profile = b\n", "[b]\n" .. keys_of())
    assert.is_not_nil(dir)
    peer:control { services = { roles = { [ROLE .. "other"] = {} } } }
    local err = failing(environ, { profile = "a" })
    assert.same({ "auth", "AccessDenied" }, { err.cause, err.code })
    like(err.message, ROLE .. "a")
  end)
end)

describe("a web identity", function()
  local function with(token)
    local dir, environ = home()
    fs.write(dir / "token", token)
    environ.AWS_WEB_IDENTITY_TOKEN_FILE, environ.AWS_ROLE_ARN = dir / "token", ROLE .. "web"
    peer:control { services = { web_tokens = { "MARKED.one", "MARKED.two" } } }
    return dir, environ
  end

  it("serves, unsigned, and its file is read again each time", function()
    local dir <close>, environ = with "MARKED.one\n"
    environ.AWS_ROLE_SESSION_NAME = "pod"
    local provider = credentials.default { environ = environ }
    assert.equal("arn:aws:sts::123456789012:assumed-role/web/pod", works(provider:get()))
    fs.write(dir / "token", "MARKED.two")
    provider:invalidate(provider:get().access_key)
    provider:get()
    local sent = requests "AssumeRoleWithWebIdentity"
    assert.same({ 2, "MARKED.one", "MARKED.two" }, { #sent, form(sent[1]).WebIdentityToken, form(sent[2]).WebIdentityToken })
  end)

  it("may be the profile's", function()
    local dir <close>, environ = with "MARKED.one"
    fs.write(dir / ".aws/config", ("[profile a]\nrole_arn = %sa\nweb_identity_token_file = %s\n[profile b]\nrole_arn = %sb\nsource_profile = a\n")
      :format(ROLE, dir / "token", ROLE))
    like(works(get(environ, { profile = "a" })), "assumed-role/a/")
    like(works(get(environ, { profile = "b" })), "assumed-role/b/")
  end)

  it("that is refused, empty, missing or without a role is an error", function()
    local dir <close>, environ = with "MARKED.three"
    assert.equal("InvalidIdentityToken", failing(environ).code)
    fs.write(dir / "token", " \n")
    assert.equal("BadToken", failing(environ).code)
    fs.write(dir / "token", "MARKED\r\nX: y")
    assert.equal("BadToken", failing(environ).code)
    fs.remove(dir / "token")
    assert.same({ "NoTokenFile", dir / "token" }, { failing(environ).code, failing(environ).where })
    environ.AWS_ROLE_ARN = nil
    assert.equal("PartialCredentials", failing(environ).code)
  end)

  it("is asked for again when its provider could not be reached", function()
    local dir <close>, environ = with "MARKED.one"
    assert.is_not_nil(dir)
    peer:control { fault = "error", operation = "AssumeRoleWithWebIdentity", code = "IDPCommunicationError", status = 400, message = "x", count = 1 }
    like(works(get(environ)), "assumed-role/web/")
    assert.equal(2, #requests "AssumeRoleWithWebIdentity")
  end)
end)

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

-- --- all together ----------------------------------------------------------------------------------------------------

describe("no credentials", function()
  it("are an error that names every source and why it did not serve", function()
    local dir <close>, environ = home "[default]\nlogin_session = arn:aws:iam::1:user/me\n"
    assert.is_not_nil(dir)
    local err = failing(environ)
    assert.same({ "auth", "NoCredentials" }, { err.cause, err.code })
    local names = {}
    for i, one in ipairs(err.tried) do
      names[i] = one.source
      like(err.message, one.source .. ": " .. one.reason)
    end
    assert.same({ "env", "assume-role", "web-identity", "sso", "shared-credentials-file", "login", "process", "config-file",
      "container", "imds" }, names)
    like(err.message, "does not read the sign-ins of 'aws login'")
    like(err.hint, "AWS_ACCESS_KEY_ID", "AWS_PROFILE")
  end)
end)

describe("whoami", function()
  it("says who, where that is from, and why the others did not serve", function()
    local dir <close>, environ = home("[profile a]\nrole_arn = " .. ROLE .. "a\nsource_profile = b\nregion = eu-west-1\n", "[b]\n" .. keys_of())
    assert.is_not_nil(dir)
    environ.AWS_REGION, environ.AWS_PROFILE = nil, "a"
    local who = aws.whoami { environ = environ, endpoint = peer.url, region = "us-east-1" }
    assert.same({ "123456789012", "assume-role", "us-east-1", "option", "a" },
      { who.account, who.source, who.region, who.region_source, who.profile })
    like(who.arn, "assumed-role/a/")
    like(who.access_key, "ASIA")
    assert.same({ { source = "env", reason = "AWS_ACCESS_KEY_ID is not set" } }, who.tried)
  end)

  it("needs no network for the sources", function()
    local before = #peer:log()
    local dir <close>, environ = home(nil, "[default]\n" .. keys_of "AKIAX" .. "aws_account_id = 7\n")
    assert.is_not_nil(dir)
    environ.AWS_REGION = nil
    local who = aws.whoami { environ = environ, verify = false }
    assert.same({ "AKIAX", "7", "shared-credentials-file", 4 }, { who.access_key, who.account, who.source, #who.tried })
    assert.is_nil(who.region)
    like(who.region_source, "AWS_REGION")
    assert.equal(before, #peer:log())
    assert.is_nil(json.encode(who):find(peer.keys.secret, 1, true))
  end)

  it("tells AWS's refusal", function()
    local dir <close>, environ = home(nil, "[default]\n" .. keys_of "AKIANOBODY")
    assert.is_not_nil(dir)
    assert.equal("auth", support.refusal(aws.whoami, { environ = environ }).cause)
  end)
end)

describe("a provider", function()
  it("is one for a profile and its options", function()
    assert.equal(credentials.default { profile = "x" }, credentials.default { profile = "x" })
    assert.is_true(credentials.default { profile = "x" } ~= credentials.default { profile = "x", region = "r" })
    assert.equal("did you mean 'profile'?", support.refusal(credentials.default, { profil = "x" }).hint)
  end)

  it("asks its source once for many tasks", function()
    local dir <close>, environ = home("[default]\nrole_arn = " .. ROLE .. "a\nsource_profile = b\n", "[b]\n" .. keys_of())
    assert.is_not_nil(dir)
    peer:control { fault = "slow", operation = "AssumeRole", first = 0.1 }
    local provider = credentials.default { environ = environ }
    local jobs = {}
    for i = 1, 50 do jobs[i] = function() return provider:get().access_key end end
    local keys = { task.all(jobs) }
    for _, key in ipairs(keys) do assert.equal(keys[1], key) end
    assert.equal(1, #requests "AssumeRole")
  end)

  it("of known credentials gives them", function()
    local found = credentials.static({ access_key = "AKIA", secret = "MARKED-static", token = "MARKED-t" }):get()
    assert.same({ "AKIA", "MARKED-static", "MARKED-t", "explicit" }, { found.access_key, found.secret, found.token, found.source })
    for _, bad in ipairs { {}, { access_key = "A" }, { access_key = "A", secret = 7 }, { access_key = "A", secret = "", token = "t" } } do
      assert.equal("usage", support.refusal(credentials.static, bad).cause)
    end
    assert.equal("usage", support.refusal(credentials.static, "x").cause)
  end)

  it("whose source fails later goes on with what it has", function()
    local dir <close>, environ = home()
    environ.AWS_CONTAINER_CREDENTIALS_FULL_URI = peer.url .. "/v1/credentials"
    assert.is_not_nil(dir)
    require("adt.log").configure { level = "off" }
    local _ <close> = setmetatable({}, { __close = function() require("adt.log").configure { level = "warn" } end })
    local provider = credentials.default { environ = environ }
    local key = provider:get().access_key
    peer:control { container = { status = 403 } }
    provider:invalidate(key)
    assert.equal(key, provider:get().access_key)
    assert.equal(2, #requests "container")
    assert.equal(key, provider:get().access_key)
    assert.equal(2, #requests "container")
  end)
end)
