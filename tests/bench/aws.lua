--- AWS by adtlua beside what people use: adtlua tests/bench/aws.lua [rounds], rows of a Markdown table; turn by turn against
--- one server on loopback (tests/bench/aws/server.py), which checks nothing and has its answers ready.
local fs = require "adt.fs"
local process = require "adt.process"

local ROUNDS = tonumber(arg[1]) or 5
local HERE, GIB = "tests/bench/aws", 1 << 30
local program = process.self().exe

-- The interpreter itself, whatever stands in front of it in PATH.
local found = process.run { "python3", "-c", "import awscli, boto3, sys; print(sys.executable)", check = false }
local python = found.ok and found.stdout:match "[^\n]+"

local dir <close> = fs.tempdir "adt-bench"
local env = {
  AWS_ACCESS_KEY_ID = "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  AWS_REGION = "us-east-1", AWS_DEFAULT_REGION = "us-east-1", AWS_EC2_METADATA_DISABLED = "true",
  AWS_CONFIG_FILE = "/dev/null", AWS_SHARED_CREDENTIALS_FILE = "/dev/null", AWS_CA_BUNDLE = dir.path .. "/certificate.pem",
}

-- Seconds of wall and of CPU that a command takes, by the shell's own clock; it must print `expected`, if that is given.
local function cost(command, expected)
  local line = { "bash", "-c", 'TIMEFORMAT="%3R %3U %3S"; time "$@"', "bash", check = false, env = env }
  for _, word in ipairs(command) do line[#line + 1] = word end
  local result = process.run(line)
  local wall, user, system = result.stderr:match "([%d.]+) ([%d.]+) ([%d.]+)%s*$"
  if not result.ok or not wall or (expected and not result.stdout:find(expected, 1, true)) then
    return nil, result.stderr:match "[^\n]+" or "it printed something else"
  end
  return { wall = tonumber(wall), cpu = tonumber(user) + tonumber(system) }
end

local function middle(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

local function row(...)
  print("| " .. table.concat({ ... }, " | ") .. " |")
end

-- ours, theirs: commands; measure: "wall" or "cpu". Once before the rounds, so that files lie in memory.
local function against(what, aim, measure, ours, theirs, expected)
  local a, b, ratios = {}, {}, {}
  for i = 0, ROUNDS do
    local x = assert(cost(ours, expected))
    local y, why = cost(theirs, expected)
    if not y then
      row(what, "not measured", why, "-", aim)
      return
    end
    if i > 0 then
      a[i], b[i], ratios[i] = x[measure], y[measure], x[measure] / y[measure]
    end
  end
  local mid = middle(ratios)
  row(what, ("%.3f s"):format(middle(a)), ("%.3f s"):format(middle(b)),
    ("%.3f (%.3f to %.3f)"):format(mid, ratios[1], ratios[#ratios]), aim)
end

local function curl(...)
  return { "curl", "--silent", "--show-error", "--fail", "--cacert", env.AWS_CA_BUNDLE, "--aws-sigv4", "aws:amz:us-east-1:s3",
    "--user", env.AWS_ACCESS_KEY_ID .. ":" .. env.AWS_SECRET_ACCESS_KEY, ... }
end

local function objects(endpoint)
  local big, got = dir.path .. "/big", dir.path .. "/got"
  local file <close> = assert(io.open(big, "wb"))
  for _ = 1, GIB // (1 << 20) do file:write(("0123456789abcdef"):rep(65536)) end
  file:close()
  local url = endpoint .. "/bucket/key"
  local put = { program, HERE .. "/object.lua", "put", big, endpoint }
  local get = { program, HERE .. "/object.lua", "get", got, endpoint }
  local function aws(from, to)
    return { python, "-m", "awscli", "s3", "cp", from, to, "--endpoint-url", endpoint, "--only-show-errors" }
  end
  against("S3 put of 1 GiB over TLS, wall, against `aws s3 cp`", "at most 1", "wall", put, aws(big, "s3://bucket/key"))
  against("S3 put of 1 GiB over TLS, CPU, against `curl --aws-sigv4`", "about 1", "cpu", put, curl("--upload-file", big, url))
  against("S3 get of 1 GiB over TLS, wall, against `aws s3 cp`", "at most 1", "wall", get, aws("s3://bucket/key", got))
  against("S3 get of 1 GiB over TLS, CPU, against `curl --aws-sigv4`", "about 1", "cpu", get, curl("--output", got, url))
end

if not python then
  row("AWS", "not measured", "no python3 with boto3 and awscli here", "-", "-")
  return
end
local server <close> = process.spawn { python, HERE .. "/server.py", dir.path, stdin = "pipe", stdout = "pipe", stderr = "inherit" }
local ports = server:lines()()
local http, https = assert(ports, "the server did not start"):match "^(%d+) (%d+)"
http, https = "http://127.0.0.1:" .. http, "https://127.0.0.1:" .. https

local identity = ('print(require("adt.aws").client("sts", { endpoint = %q }):GetCallerIdentity().Account)'):format(http)
against("first call of a cold process, against `aws sts get-caller-identity`", "at most 0.1", "wall",
  { program, "-e", identity }, { python, "-m", "awscli", "sts", "get-caller-identity", "--endpoint-url", http }, "123456789012")
against("describing 10,000 instances in pages, CPU, against boto3", "at most 0.1", "cpu",
  { program, HERE .. "/describe.lua", http }, { python, HERE .. "/describe.py", http }, "10000")
objects(https)
