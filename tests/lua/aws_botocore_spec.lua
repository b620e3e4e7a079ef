--- Profiles, keys and regions out of files and environments: what botocore makes of them and what we do must be the same.
local credentials = require "adt.aws.credentials"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local profile = require "adt.aws.profile"
local region = require "adt.aws.region"
local support = require "support"
local testpython = require "testpython"

local python, why = testpython.find "botocore"

after_each(support.no_leaks)

local function keys(name, token)
  return ("aws_access_key_id = %s\naws_secret_access_key = secret-of-%s\n"):format(name, name)
    .. (token and ("aws_session_token = %s\n"):format(token) or "")
end

local GIVES = [[credential_process = /bin/echo '{"Version": 1, "AccessKeyId": "AKIAPROC", "SecretAccessKey": "secret-of-proc"}']] .. "\n"
local ENV = { AWS_ACCESS_KEY_ID = "AKIAENV", AWS_SECRET_ACCESS_KEY = "secret-of-env" }

-- config, credentials: the files; env: of the process; profile: chosen explicitly.
local CASES = {
  { "nothing at all" },
  { "keys of the environment", env = ENV },
  { "keys and a token of the environment", env = { AWS_ACCESS_KEY_ID = "A", AWS_SECRET_ACCESS_KEY = "secretvalue", AWS_SESSION_TOKEN = "t" } },
  { "an older token of the environment", env = { AWS_ACCESS_KEY_ID = "A", AWS_SECRET_ACCESS_KEY = "secretvalue", AWS_SECURITY_TOKEN = "t" } },
  { "half a pair in the environment", env = { AWS_ACCESS_KEY_ID = "A" } },
  { "an empty variable", env = { AWS_ACCESS_KEY_ID = "" }, credentials = "[default]\n" .. keys "A" },
  { "the credentials file", credentials = "[default]\n" .. keys("A", "t") },
  { "an older token in the file", credentials = "[default]\n" .. keys "A" .. "aws_security_token = t\n" },
  { "the configuration file", config = "[default]\n" .. keys "A" .. "region = eu-west-1\n" },
  { "both files", config = "[default]\n" .. keys "A" .. "region = eu-west-1\n", credentials = "[default]\n" .. keys "B" },
  { "a region in the credentials file", config = "[default]\nregion = eu-west-1\n", credentials = "[default]\nregion = eu-west-2\n" .. keys "B" },
  { "a named profile", config = "[profile a]\nregion = r-1\n", credentials = "[a]\n" .. keys "A", env = { AWS_PROFILE = "a" } },
  { "a named profile by the older variable", credentials = "[a]\n" .. keys "A", env = { AWS_DEFAULT_PROFILE = "a" } },
  { "a named profile and keys of the environment", credentials = "[a]\n" .. keys "A",
    env = { AWS_PROFILE = "a", AWS_ACCESS_KEY_ID = "E", AWS_SECRET_ACCESS_KEY = "secretvalue" } },
  { "an explicit profile and keys of the environment", credentials = "[a]\n" .. keys "A", env = ENV, profile = "a" },
  { "an explicit profile and a variable for another", credentials = "[a]\n" .. keys "A" .. "[b]\n" .. keys "B", env = { AWS_PROFILE = "b" },
    profile = "a" },
  { "an explicit profile that is nowhere", credentials = "[a]\n" .. keys "A", profile = "b" },
  { "a variable for a profile that is nowhere", credentials = "[a]\n" .. keys "A", env = { AWS_PROFILE = "b" } },
  { "half a pair in the file", credentials = "[default]\naws_access_key_id = A\n" },
  { "a program", config = "[default]\n" .. GIVES },
  { "a program and keys of the same file", config = "[default]\n" .. GIVES .. keys "A" },
  { "a program and keys of the credentials file", config = "[default]\n" .. GIVES, credentials = "[default]\n" .. keys "B" },
  { "a program in the credentials file", credentials = "[default]\n" .. GIVES },
  { "a program of a named profile", config = "[profile a]\n" .. GIVES .. "region = r-2\n", profile = "a" },
  { "a program with a bad answer", config = "[default]\ncredential_process = /bin/echo {}\n" },
  { "a program that fails", config = "[default]\ncredential_process = /bin/false\n" },
  { "a region of the environment", config = "[default]\nregion = r-1\n", env = { AWS_DEFAULT_REGION = "r-3" } },
  { "[profile default]", config = "[profile default]\nregion = r-4\n" .. keys "A" },
  { "capitals in names of properties", credentials = "[default]\nAWS_Access_Key_Id = A\nAWS_SECRET_access_key = secretvalue\n" },
  { "comments and blank lines", config = "# a\n\n[default]\n; b\nregion = r-5\n   # c\n" .. keys "A" },
  { "lines as on Windows", credentials = ("[default]\n" .. keys "A"):gsub("\n", "\r\n") },
  { "nested properties", config = "[default]\ns3 =\n  addressing_style = path\n  max_concurrent_requests = 3\nregion = r-6\n" .. keys "A" },
  { "a file elsewhere", elsewhere = "[profile a]\nregion = r-7\n" .. keys "A", profile = "a" },
  { "a role without a source", config = "[default]\nrole_arn = arn:aws:iam::123456789012:role/a\n" },
  { "a role with two sources", config = "[default]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = b\n"
    .. "credential_source = Environment\n" },
  { "a role whose source is nowhere", config = "[default]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = b\n" },
  { "roles in a circle", config = "[profile a]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = b\n[profile b]\n"
    .. "role_arn = arn:aws:iam::123456789012:role/b\nsource_profile = a\n", profile = "a" },
  { "a session that nobody has signed in to", config = "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\n"
    .. "sso_region = us-east-1\nsso_start_url = https://x/start\n" },
  { "a web identity without a role", env = { AWS_WEB_IDENTITY_TOKEN_FILE = "/nonexistent" } },
  { "a container whose host is refused", env = { AWS_CONTAINER_CREDENTIALS_FULL_URI = "http://example.com/" } },
}

local METHODS = { ["custom-process"] = "process" }

-- The environment of a case, its files written below `dir`.
local function prepare(dir, case)
  local environ = { HOME = dir, AWS_EC2_METADATA_DISABLED = "true", PATH = "/usr/bin:/bin" }
  if case.config then fs.write(dir .. "/.aws/config", case.config, { parents = true }) end
  if case.credentials then fs.write(dir .. "/.aws/credentials", case.credentials, { parents = true }) end
  if case.elsewhere then
    environ.AWS_CONFIG_FILE = dir .. "/elsewhere"
    fs.write(environ.AWS_CONFIG_FILE, case.elsewhere)
  end
  for name, value in pairs(case.env or {}) do environ[name] = value end
  return environ
end

local function ours(environ, case)
  local found, err = errors.try(function() return credentials.default({ environ = environ, profile = case.profile }):get() end)
  local name
  if not err or err.code == "NoCredentials" then
    local ok, got = pcall(region.find, { environ = environ, profile = profile.load { environ = environ, profile = case.profile } })
    name = ok and got or nil
  end
  if err then
    return { error = err.code == "NoCredentials" and "none" or "error", region = name }
  end
  return { source = found.source, access_key = found.access_key, secret = found.secret, token = found.token, region = name }
end

local function theirs(answer)
  for name, value in pairs(answer) do
    if value == json.null then answer[name] = nil end
  end
  if answer.error and answer.error ~= "none" then answer.error = "error" end
  answer.source = METHODS[answer.source] or answer.source
  return answer
end

describe("botocore and we make the same of", function()
  local root, answers, environs

  setup(function()
    if not python then return end
    root, environs = support.tempdir(), {}
    local asked = {}
    for i, case in ipairs(CASES) do
      local dir = root / tostring(i)
      fs.mkdir(dir)
      environs[i] = prepare(dir, case)
      asked[i] = { environ = environs[i], profile = case.profile }
    end
    local result = support.run { python, "tests/lua/botocore_profiles.py", stdin = json.encode(asked) }
    assert(result.code == 0, result.stderr)
    answers = json.decode(result.stdout)
  end)
  teardown(function() if root then getmetatable(root).__close(root) end end)

  for i, case in ipairs(CASES) do
    it(case[1], function()
      if not python then pending(why) end
      assert.same(theirs(answers[i]), ours(environs[i], case))
    end)
  end
end)
