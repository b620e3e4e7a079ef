--- The bucket's recipe against a cloud: made, checked, taken down unless it holds something; and its mail function, run.
local cfn = require "adt.cfn"
local cloudpeer = require "cloudpeer"
local json = require "adt.json"
local support = require "support"
local testpython = require "testpython"

local RECIPE = require("adt.path").absolute "recipes/s3.lua"
local why = cloudpeer.missing()
local peer

setup(function() peer = not why and cloudpeer.start() end)
teardown(function() if peer then peer:__close() end end)
before_each(function() if why then pending(why) else peer:reset() end end)

local function go(s, code, ...)
  local r = s:run { RECIPE, ... }
  assert.equal(code, r.code, r.stdout .. r.stderr)
  return r.stdout, r.stderr
end

local function buckets()
  local names = {}
  for i, bucket in ipairs(peer:client("s3"):ListBuckets({}).Buckets or {}) do names[i] = bucket.Name end
  return names
end

local NAME = "adtlua-123456789012-us-east-1"

describe("the bucket", function()
  it("is planned, made, checked and taken down, and nothing is left", function()
    local s <close> = peer:scene()
    local out = go(s, 0, "plan")
    assert.matches("makes a stack of 2 resources", out, 1, true)
    assert.same({}, buckets())
    out = go(s, 0)
    assert.matches("6 checks passed", out, 1, true)
    assert.same({ NAME }, buckets())
    assert.matches("found    bucket: exists", (go(s, 0, "plan")), 1, true)
    go(s, 0, "down", "-y")
    assert.same({}, buckets())
  end)

  it("keeps versions, and has a name for HyperPod, when asked", function()
    local s <close> = peer:scene()
    local out = go(s, 0, "--purpose", "lifecycle", "--versions", "--name", "scripts")
    assert.matches("ok +versions are kept: Enabled", out)
    assert.same({ "sagemaker-" .. NAME }, buckets())
    go(s, 0, "down", "-y", "--name", "scripts")
    assert.same({}, buckets())
  end)

  it("brings mail when asked, in a stack of its own, and down takes both", function()
    local s <close> = peer:scene()
    local cf = peer:client "cloudformation"
    go(s, 0, "--mail-from", "a@b.org", "--mail-to", "c@d.org")
    local mail = cf:DescribeStackResources({ StackName = "s3-mail" }).StackResources
    local types = {}
    for _, one in ipairs(mail) do types[one.ResourceType] = one.ResourceStatus end
    for _, name in ipairs { "AWS::Events::Rule", "AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::Logs::LogGroup", "AWS::IAM::Role" } do
      assert.equal("CREATE_COMPLETE", types[name], name)
    end
    go(s, 0, "down", "-y")
    assert.same({}, buckets())
    for _, stack in ipairs(cf:DescribeStacks({}).Stacks) do assert.equal("DELETE_COMPLETE", stack.StackStatus) end
    assert.same({}, peer:client("logs"):DescribeLogGroups({}).logGroups)
    assert.same({}, peer:client("iam"):ListRoles({}).Roles)
  end)

  it("is planned as the golden files say", function()
    local s <close> = peer:scene()
    local text, data = go(s, 0, "plan"), json.decode((go(s, 0, "plan", "-o", "json")))
    local got = { ["s3.txt"] = text:gsub("%(%d+%.%d s%)", "(N s)"),
      ["s3.json"] = json.encode({ changes = data.changes, verdict = data.verdict }, { pretty = true }) .. "\n" }
    for name, content in pairs(got) do
      local file = "tests/data/plans/" .. name
      if os.getenv "ADT_GOLDEN" then support.write(file, content) end
      assert.equal(support.read(file), content)
    end
  end)

  it("that holds anything is not taken down, unless told", function()
    local s <close> = peer:scene()
    go(s, 0, "--bucket", "my-data")
    -- The policy denies what comes without TLS, and the cloud of the tests has none.
    peer:client("s3"):DeleteBucketPolicy { Bucket = "my-data" }
    peer:client("s3"):PutObject({ Bucket = "my-data", Key = "a/b" }, { body = "x" })
    local r = s:run { RECIPE, "down", "-y" }
    assert.not_equal(0, r.code)
    assert.matches("my%-data", r.stderr)
    assert.matches("--with-data", r.stderr, 1, true)
    assert.same({ "my-data" }, buckets())
    assert.equal("x", peer:client("s3"):GetObject({ Bucket = "my-data", Key = "a/b" }).Body)
    go(s, 0, "down", "-y", "--with-data")
    assert.same({}, buckets())
  end)

  it("that was opened fails the check that says so", function()
    local s <close> = peer:scene()
    go(s, 0, "--bucket", "my-data")
    local s3 = peer:client "s3"
    s3:PutPublicAccessBlock { Bucket = "my-data", PublicAccessBlockConfiguration = { BlockPublicAcls = true, IgnorePublicAcls = true,
      BlockPublicPolicy = false, RestrictPublicBuckets = true } }
    s3:DeleteBucketPolicy { Bucket = "my-data" }
    local out = go(s, 8, "validate", "--bucket", "my-data")
    assert.matches("FAILED +all four blocks of public access are on", out)
    assert.matches("FAILED +requests without TLS are denied: there is no policy", out)
  end)

  it("of another is left alone", function()
    peer:client("s3"):CreateBucket { Bucket = "taken" }
    local s <close> = peer:scene()
    local _, err = go(s, 4, "--bucket", "taken")
    assert.matches("taken", err, 1, true)
    assert.same({ "taken" }, buckets())
  end)

  it("has a name that S3 and HyperPod take, which is checked before anything is asked", function()
    local s <close> = peer:scene()
    for name, text in pairs { ab = "2 characters", ["My-data"] = "no bucket has", ["a..b"] = "two dots", ["10.0.0.1"] = "an address",
      ["xn--data"] = "begins with 'xn--'", ["data-s3alias"] = "ends with '-s3alias'", [("a"):rep(64)] = "64 characters",
      ["-ab"] = "no bucket has" } do
      local _, err = go(s, 2, "--bucket", name)
      assert.matches(text, err, 1, true)
    end
    assert.matches("did you mean 'sagemaker-mine'?", select(2, go(s, 2, "--bucket", "mine", "--purpose", "lifecycle")), 1, true)
    assert.matches("give both, or none", select(2, go(s, 2, "--mail-from", "a@b.org")), 1, true)
    assert.equal(0, #peer:log())
  end)
end)

describe("the mail function", function()
  -- Runs the function of the template as Lambda would, its mails going to the cloud's SES.
  local function deliver(events)
    local python, missing = testpython.find "boto3"
    if not python then return nil, missing end
    local s <close> = peer:scene()
    local code = cfn.template("templates/s3/hyperpod_mail.yaml").resources.Function.Properties.Code.ZipFile
    s:recipe("index.py", code)
    s:recipe("drive.py", [[
import json, sys, boto3, index
ses = boto3.client("ses")
for who in ("a@b.org", "c@d.org"):
    ses.verify_email_identity(EmailAddress=who)
out = []
for event in json.load(sys.stdin):
    subject, body = index.message(event)
    out.append({"subject": subject, "body": body, "sent": index.handler(event, None)["message"]})
print(json.dumps({"mails": out, "count": ses.get_send_quota()["SentLast24Hours"]}))
]])
    s:recipe("events.json", json.encode(events))
    local env = { MAIL_FROM = "a@b.org", MAIL_TO = "c@d.org" }
    for name, value in pairs(peer.environ) do env[name] = value end
    local words = { "env", "PYTHONDONTWRITEBYTECODE=1" }
    for name, value in pairs(env) do words[#words + 1] = name .. "=" .. value end
    local line = ("cd %s && %s drive.py < events.json"):format(support.quote(s:path_of "."), support.quote(python))
    local r = support.run(table.move({ "sh", "-c", line }, 1, 3, #words + 1, words))
    assert.equal(0, r.code, r.stderr)
    return json.decode(r.stdout)
  end

  it("sends known events with what matters in the subject, and unknown ones as they are", function()
    local answer, missing = deliver {
      { ["detail-type"] = "SageMaker HyperPod Cluster State Change", time = "2026-11-24T00:00:00Z", region = "us-east-1",
        detail = { ClusterName = "ml", ClusterStatus = "Failed", FailureMessage = "<b>no capacity</b>" } },
      { ["detail-type"] = "SageMaker HyperPod Cluster Node Health Event",
        detail = { ClusterName = "ml", InstanceId = "i-1", HealthSummary = { HealthStatus = "Unhealthy", RepairAction = "Reboot" } } },
      { ["detail-type"] = "SageMaker HyperPod Cluster Event", detail = { EventDetails = { { Description = "scaled" } }, ClusterName = "ml" } },
      { ["detail-type"] = "SageMaker HyperPod Something New\nBcc: x", detail = { A = { B = { 1, { C = true } } } } },
      { ["detail-type"] = "No detail" }, { detail = { 1, 2 } },
    }
    if not answer then return pending(missing) end
    local m = answer.mails
    assert.equal("HyperPod: cluster state ml Failed", m[1].subject)
    assert.matches("&lt;b&gt;no capacity&lt;/b&gt;", m[1].body, 1, true)
    assert.equal("HyperPod: node health ml i-1 Unhealthy", m[2].subject)
    assert.matches("<th align=left>HealthSummary.RepairAction</th><td>Reboot</td>", m[2].body, 1, true)
    assert.equal("HyperPod: cluster event ml", m[3].subject)
    assert.equal("HyperPod: SageMaker HyperPod Something New Bcc: x", m[4].subject)
    assert.matches("<th align=left>A.B[1].C</th><td>true</td>", m[4].body, 1, true)
    assert.equal(6, #m)
    assert.equal(6, answer.count)
  end)
end)
