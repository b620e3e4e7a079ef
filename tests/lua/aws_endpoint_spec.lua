--- Endpoints: AWS's hosts against botocore's rules, what users configure, and where S3's buckets are.
local cdata = require "adt.c.data"
local endpoint = require "adt.aws.endpoint"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local process = require "adt.process"

local python, missing = require("testpython").find "botocore"

local EC2 = { service_id = "EC2", endpoint_prefix = "ec2", signing_name = "ec2" }
local S3 = { service_id = "S3", endpoint_prefix = "s3", signing_name = "s3" }

local function resolve(fields)
  local options = { service = "ec2", metadata = EC2, region = "us-east-1", environ = function() end }
  for key, value in pairs(fields) do options[key] = value end
  return endpoint.resolve(options)
end

local function env(variables)
  return function(name) return variables[name] end
end

local function profile(keys, services)
  return { get = function(_, key) return keys[key] end, services = function() return services end }
end

describe("AWS's own hosts", function()
  -- Where these are asked for elsewhere, botocore names a host that does not exist; here the nearest place serves.
  local MOVED = { pricing = true, ["ecr-public"] = true }

  local rule_sets = {}

  -- The service's own rule set.
  local function rules_in(folder, service)
    if not rule_sets[service] then
      local version = fs.list(folder .. "/" .. service)
      local text = fs.read(folder .. "/" .. service .. "/" .. version[#version] .. "/endpoint-rule-set-1.json.gz")
      rule_sets[service] = json.decode((cdata.gunzip(text, 1 << 24)))
    end
    return function() return rule_sets[service] end
  end

  local function differs(case, rules)
    local options = { service = case.service, metadata = case, region = case.region, fips = case.fips,
      dual_stack = case.dual_stack, environ = function() end, rules = rules or nil }
    local found, err = errors.try(endpoint.resolve, options)
    local url = found and found.url
    if found and case.bucket then
      local at, in_path = endpoint.bucket(found, case.bucket)
      url = in_path and at .. "/" .. case.bucket or at
    end
    local got = found and url .. " " .. found.signing_region or "error"
    local want = case.want.url and case.want.url .. " " .. case.want.signing_region or "error"
    if got ~= want then
      return ("%s %s fips=%s dual_stack=%s: %s, not %s"):format(case.service, case.region, case.fips, case.dual_stack, got, want), err
    end
  end

  local function compare(asked)
    local answer = process.run { python, "tests/lua/botocore_endpoints.py", input = json.encode(asked) }.stdout
    local folder, cases = json.decode(answer).folder, json.decode(answer).cases
    local wrong, compared = {}, 0
    for _, case in ipairs(cases) do
      local moved = MOVED[case.service] and case.region ~= "us-east-1"
      if not moved then
        compared = compared + 1
        wrong[#wrong + 1] = differs(case, asked.services == "all" and rules_in(folder, case.service))
      end
    end
    assert.same({}, wrong)
    return compared
  end

  local ALL = { "cloudformation", "s3", "sts", "iam", "ec2", "batch", "eks", "eks-auth", "sagemaker", "fsx", "ssm", "logs",
    "service-quotas", "pricing", "ecr", "ecr-public", "amp", "grafana", "imagebuilder", "codebuild", "cloudwatch",
    "secretsmanager", "autoscaling", "sso", "sso-oidc", "signin", "pcs", "route53" }
  local REGIONS = { "us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1", "ap-south-1", "ap-northeast-1",
    "me-central-1", "us-new-7", "cn-north-1", "cn-northwest-1", "us-gov-west-1", "us-gov-east-1" }

  it("are botocore's for every service of the catalogue, thirteen regions, FIPS and dual-stack", function()
    if not python then pending(missing) return end
    local compared = compare { services = ALL, regions = REGIONS, buckets = { "a-bucket", "with.dots", "UPPER" } }
    assert.is_true(compared > 1400)
  end)

  it("are botocore's in the closed partitions for the services without hosts of their own kind", function()
    if not python then pending(missing) return end
    compare { services = { "ec2", "sts", "ssm", "eks", "ecr", "fsx", "batch", "sagemaker", "cloudformation", "s3" }, buckets = { "a-bucket" },
      regions = { "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1" } }
  end)

  it("are botocore's for every other service, by its own rule set", function()
    if not python then pending(missing) return end
    local compared = compare { services = "all", without = ALL, buckets = { "a-bucket" },
      regions = { "us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1" } }
    assert.is_true(compared > 4000)
  end)

  it("are elsewhere for services that are in few regions", function()
    local pricing = { service_id = "Pricing", endpoint_prefix = "api.pricing", signing_name = "pricing" }
    local found = resolve { service = "pricing", metadata = pricing, region = "eu-west-1" }
    assert.same({ "https://api.pricing.us-east-1.amazonaws.com", "us-east-1" }, { found.url, found.signing_region })
    assert.equal("ap-south-1", resolve({ metadata = pricing, region = "ap-south-1" }).signing_region)
  end)

  it("need a region unless the service has none", function()
    local _, err = errors.try(endpoint.resolve, { service = "ec2", metadata = EC2, environ = function() end })
    assert.same({ "config", "NoRegion" }, { err.cause, err.code })
    local iam = { service_id = "IAM", endpoint_prefix = "iam", signing_name = "iam" }
    assert.equal("https://iam.amazonaws.com", endpoint.resolve({ service = "iam", metadata = iam, environ = function() end }).url)
  end)

  it("are refused for a region that would lead elsewhere", function()
    for _, region in ipairs { "evil.example/", "x@y", "", "a b", ("x"):rep(64), "us-east-1.evil" } do
      local _, err = errors.try(resolve, { region = region })
      assert.equal("BadRegion", err.code)
    end
  end)
end)

describe("an endpoint that is configured", function()
  local ALL = { AWS_ENDPOINT_URL_EC2 = "http://b:1", AWS_ENDPOINT_URL = "http://c:1" }
  local PROFILE = profile({ endpoint_url = "http://e:1" }, { ec2 = { endpoint_url = "http://d:1/" } })

  it("is taken from the first that names one", function()
    local cases = {
      { "http://a:1", { endpoint = "http://a:1", environ = env(ALL), profile = PROFILE } },
      { "http://b:1", { environ = env(ALL), profile = PROFILE } },
      { "http://c:1", { environ = env { AWS_ENDPOINT_URL = "http://c:1" }, profile = PROFILE } },
      { "http://d:1", { profile = PROFILE } },
      { "http://e:1", { profile = profile { endpoint_url = "http://e:1" } } },
      { "https://ec2.us-east-1.amazonaws.com", { profile = profile {} } },
    }
    for i, case in ipairs(cases) do
      local found = resolve(case[2])
      assert.equal(case[1], found.url)
      assert.equal(i ~= 6, found.configured)
    end
  end)

  it("is named by the service's id", function()
    local logs = { service_id = "CloudWatch Logs", endpoint_prefix = "logs", signing_name = "logs" }
    assert.equal("http://x", resolve({ metadata = logs, environ = env { AWS_ENDPOINT_URL_CLOUDWATCH_LOGS = "http://x" } }).url)
    assert.equal("http://y", resolve({ metadata = logs, profile = profile({}, { cloudwatch_logs = { endpoint_url = "http://y" } }) }).url)
  end)

  it("is passed over where the user says so, but not the one in the call", function()
    local off = env { AWS_ENDPOINT_URL = "http://c:1", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = "true" }
    assert.equal("https://ec2.us-east-1.amazonaws.com", resolve({ environ = off, profile = PROFILE }).url)
    assert.equal("http://a:1", resolve({ endpoint = "http://a:1", environ = off }).url)
    local by_profile = profile { endpoint_url = "http://e:1", ignore_configured_endpoint_urls = "true" }
    assert.is_false(resolve({ profile = by_profile }).configured)
  end)

  it("must be a URL, and its error tells no password", function()
    for _, url in ipairs { "host:80", "ftp://x", "http://", "http://x/?a=b", "http://u:hidden@x/", "http://x y/" } do
      local _, err = errors.try(resolve, { endpoint = url })
      assert.same({ "config", "BadEndpoint" }, { err.cause, err.code })
      assert.is_nil(err.message:find "hidden")
    end
  end)

  it("switches FIPS and dual-stack hosts on by variables and the profile", function()
    assert.equal("https://ec2-fips.us-east-1.amazonaws.com", resolve({ environ = env { AWS_USE_FIPS_ENDPOINT = "true" } }).url)
    assert.equal("https://ec2.us-east-1.api.aws", resolve({ profile = profile { use_dualstack_endpoint = "true" } }).url)
    assert.equal("https://ec2.us-east-1.amazonaws.com", resolve({ fips = false, environ = env { AWS_USE_FIPS_ENDPOINT = "true" } }).url)
    local _, err = errors.try(resolve, { fips = true, endpoint = "http://a" })
    assert.equal("FipsAndEndpoint", err.code)
  end)
end)

describe("a bucket", function()
  local aws = resolve { service = "s3", metadata = S3, region = "eu-west-1" }

  local function at(e, ...)
    return { endpoint.bucket(e, ...) }
  end

  it("is in the host where its name allows", function()
    assert.same({ "https://logs-1.s3.eu-west-1.amazonaws.com", false }, at(aws, "logs-1"))
    for _, name in ipairs { "with.dots", "Upper", "ab", ("a"):rep(64), "-a-b", "under_score" } do
      assert.same({ aws.url, true }, at(aws, name))
    end
  end)

  it("is in the path of an endpoint of one's own, unless asked otherwise", function()
    local own = resolve { service = "s3", metadata = S3, endpoint = "https://store.example:9000" }
    assert.same({ "https://store.example:9000", true }, at(own, "logs-1"))
    assert.same({ "https://logs-1.store.example:9000", false }, at(own, "logs-1", false))
    assert.same({ aws.url, true }, at(aws, "logs-1", true))
    for _, url in ipairs { "http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000" } do
      local bare = resolve { service = "s3", metadata = S3, endpoint = url }
      assert.same({ url, true }, at(bare, "logs-1", false))
    end
  end)

  it("of another kind is refused", function()
    for _, name in ipairs { "arn:aws:s3:us-east-1:1:accesspoint/x", "b--use1-az4--x-s3", "x.mrap" } do
      local _, err = errors.try(endpoint.bucket, aws, name)
      assert.same({ "usage", "BucketKind" }, { err.cause, err.code })
    end
  end)
end)

describe("a rule set", function()
  local rules = require "adt.aws.rules"
  local PLACE = { region = "us-east-1", fips = false, dual_stack = false }

  local function refused(list)
    local _, err = errors.try(rules.resolve, { parameters = { Region = {} }, rules = list }, PLACE)
    return err.code
  end

  it("that is broken is refused, not followed for ever", function()
    local deep = { type = "tree", rules = {} }
    for _ = 1, 100 do deep = { type = "tree", conditions = {}, rules = { deep } } end
    local nested = { fn = "not", argv = { true } }
    for _ = 1, 100 do nested = { fn = "not", argv = { nested } } end
    local many = {}
    for i = 1, 20000 do many[i] = { conditions = { { fn = "isSet", argv = { { ref = "None" } } } }, type = "tree" } end
    for _, list in ipairs { {}, { deep }, { { conditions = { nested }, type = "tree" } }, many,
      { { conditions = { { fn = "system", argv = {} } } } }, { { conditions = { { fn = "aws.partition", argv = {} } } } },
      { { type = "endpoint", endpoint = { url = "https://{None}" } } }, { { type = "endpoint", endpoint = { url = 1 } } } } do
      assert.equal("BadModel", refused(list))
    end
    assert.equal("NoEndpoint", refused { { type = "error", error = "not in {Region}" } })
    local _, err = errors.try(rules.resolve, {}, PLACE)
    assert.equal("BadModel", err.code)
  end)

  it("cannot lead to what is no host", function()
    for _, url in ipairs { "http://plain.example", "https://u@host", "https://", "https://host?a", "file:///etc" } do
      local _, err = errors.try(resolve, { rules = function()
        return { parameters = {}, rules = { { type = "endpoint", endpoint = { url = url } } } }
      end })
      assert.equal("BadModel", err.code)
    end
  end)
end)
