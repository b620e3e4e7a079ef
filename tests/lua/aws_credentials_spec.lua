--- Sources of credentials against a real server on loopback: each serves, fails with words that help, and tells no secret.
local aws = require "adt.aws"
local awspeer = require "awspeer"
local clock = require "adt.c.clock"
local credentials = require "adt.aws.credentials"
local fs = require "adt.fs"
local guard = require "adt.guard"
local json = require "adt.json"
local process_source = require "adt.aws.source.process"
local scene = require "awsscene"
local support = require "support"
local task = require "adt.task"
local time = require "adt.time"

local why = scene.missing()
local peer

local home, keys_of, get, failing = scene.home, scene.keys_of, scene.get, scene.failing
local like, works, requests, form = scene.like, scene.works, scene.requests, scene.form
local ROLE = scene.ROLE

setup(function()
  scene.start()
  peer = scene.peer
end)
teardown(scene.stop)
before_each(function()
  if why then pending(why) else peer:reset() end
end)
after_each(function() if peer then awspeer.no_leaks() end end)

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

  it("in a chain without end is an error", function()
    local text = {}
    for i = 1, 5000 do text[i] = ("[profile p%d]\nrole_arn = %sx\nsource_profile = p%d\n"):format(i, ROLE, i + 1) end
    local dir <close>, environ = home(table.concat(text))
    assert.is_not_nil(dir)
    like(failing(environ, { profile = "p1" }).message, "more than 32 profiles")
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
