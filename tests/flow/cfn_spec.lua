--- Stacks from recipes: made, changed, found again, refused, rolled back, deleted, whatever stands in the way.
local cfn = require "adt.cfn"
local cfnscene = require "cfnscene"
local cloudpeer = require "cloudpeer"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"

local why = cfnscene.missing()
local peer

setup(function() peer = not why and cloudpeer.start() end)
teardown(function() if peer then peer:__close() end end)
before_each(function() if why then pending(why) else peer:reset() end end)

local function where()
  return { region = peer.region, endpoint = peer.url, credentials = peer.keys, retry = { mode = "standard" } }
end

local function client(service)
  return peer:client(service or "cloudformation")
end

local function go(s, code, ...)
  local r = s:run { "./net.lua", ... }
  assert.equal(code, r.code, r.stdout .. r.stderr)
  return r.stdout, r.stderr
end

local function stack(name)
  return cfn.describe(where(), name or "net")
end

local function vpcs()
  local n = 0
  for _, vpc in ipairs(client("ec2"):DescribeVpcs {}.Vpcs) do n = n + (vpc.IsDefault and 0 or 1) end
  return n
end

-- Waits for what was asked for by others than us.
local function settled(name)
  local now = stack(name)
  while now and now.status:match "_IN_PROGRESS$" do
    require("adt.task").sleep(0.02)
    now = stack(name)
  end
end

require("adt.cfn.events").poll = { first = 0.02, most = 0.2, factor = 1.5 }

describe("a stack", function()
  it("is planned, made, checked and taken down, and nothing is left", function()
    local s <close> = cfnscene.new(peer)
    local out = go(s, 0, "plan")
    assert.matches("would do net: stack 'net': makes a stack of 2 resources", out, 1, true)
    assert.matches("+ Subnet (AWS::EC2::Subnet)", out, 1, true)
    assert.matches("it depends on net.Vpc", out, 1, true)
    assert.is_nil(stack())
    out = go(s, 0)
    assert.matches("CREATE_COMPLETE    Vpc (AWS::EC2::VPC)", out, 1, true)
    assert.matches("ok       there is a network", out, 1, true)
    local made = stack()
    assert.same({ "net", "net" }, { made.tags["adtlua:recipe"], made.tags["adtlua:name"] })
    assert.equal(s:ids()[1], made.tags["adtlua:run"])
    assert.equal(s:ids()[1] .. "-net-1", made.tags["adtlua:key"])
    out = go(s, 0, "down", "-y")
    assert.matches("DELETE_COMPLETE    Vpc", out, 1, true)
    assert.is_nil(stack())
    assert.equal(0, vpcs())
  end)

  it("that is as it should be stays as it is, whichever run looks", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0)
    local before = stack()
    assert.matches("found    net: exists", (go(s, 0, "plan")), 1, true)
    assert.matches("stack 'net' is as it should be", (go(s, 0)), 1, true)
    local executed = cfnscene.counts(peer).ExecuteChangeSet
    assert.equal(1, executed)
    assert.same(before.tags, stack().tags)
  end)
end)

describe("the plan of a change", function()
  it("shows what is replaced, what is lost and the properties, and changes nothing", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0, "--more")
    local before = stack()
    local out = go(s, 0, "plan", "--cidr", "10.9.0.0/16")
    assert.matches("changes 3 resources", out, 1, true)
    assert.matches("- Logs (AWS::Logs::LogGroup): its DATA IS LOST", out, 1, true)
    assert.matches("~ Vpc (AWS::EC2::VPC): is REPLACED", out, 1, true)
    assert.matches("CidrBlock: 10.0.0.0/16 -> 10.9.0.0/16", out, 1, true)
    assert.same(before, stack())
    local left = client():ListChangeSets { StackName = "net" }.Summaries
    for _, set in ipairs(left) do assert.not_matches("^plan", set.ChangeSetName) end
    local document = json.decode((go(s, 0, "plan", "--cidr", "10.9.0.0/16", "-o", "json")))
    assert.equal("Logs", document.changes[1].resource)
    assert.is_true(document.changes[1].data_loss)
    assert.equal("yes", document.changes[3].replacement)
    go(s, 10, "plan", "--label", "two", "--exit-code", "--more")
    go(s, 0, "--label", "two", "--more")
    assert.equal("UPDATE_COMPLETE", stack().status)
    assert.equal(before.tags["adtlua:run"], stack().tags["adtlua:run"])
  end)
end)

describe("a stack that fails", function()
  it("is told with the first resource's own reason, and that it was rolled back; then it is healed", function()
    local s <close> = cfnscene.new(peer)
    peer:control { fail = { { resource = "Subnet", count = 1, reason = "The subnet has gremlins" } } }
    local out, err = go(s, 4)
    assert.matches("stack 'net' failed and was rolled back: Subnet (AWS::EC2::Subnet): The subnet has gremlins", err, 1, true)
    assert.matches("ROLLBACK_COMPLETE", out)
    assert.equal("ROLLBACK_COMPLETE", stack().status)
    assert.matches("deletes what a failed attempt has left", (go(s, 0, "plan")), 1, true)
    local r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("it is deleted and made anew", r.stdout, 1, true)
    assert.equal("CREATE_COMPLETE", stack().status)
    assert.equal(1, vpcs())
  end)

  it("has the exit status of its reason's cause", function()
    local reasons = { [5] = "The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400)",
      [3] = "User is not authorized to perform: ec2:CreateVpc" }
    for code, reason in pairs(reasons) do
      local s <close> = cfnscene.new(peer)
      peer:control { fail = { { resource = "Vpc", reason = reason } } }
      local _, err = go(s, code)
      assert.matches(reason, err, 1, true)
      go(s, 0, "down", "-y")
      assert.is_nil(stack())
    end
  end)

  it("and whose update was rolled back stands as it was", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0)
    peer:control { fail = { { resource = "Logs", reason = "No logs today" } } }
    local _, err = go(s, 4, "--more")
    assert.matches("failed and was rolled back: Logs (AWS::Logs::LogGroup): No logs today", err, 1, true)
    assert.equal("UPDATE_ROLLBACK_COMPLETE", stack().status)
  end)

  it("and whose rollback failed too says both reasons, and what to do", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0)
    peer:control { fail = { { resource = "Logs", reason = "No logs today" }, { resource = "Vpc", on = "rollback", reason = "No way back" } } }
    local _, err = go(s, 4, "--more", "--label", "two")
    assert.matches("No logs today", err, 1, true)
    assert.matches("its rollback failed too: Vpc (AWS::EC2::VPC): No way back", err, 1, true)
    assert.equal("UPDATE_ROLLBACK_FAILED", stack().status)
    _, err = go(s, 4, "--more")
    assert.matches("continue%-update%-rollback", err)
  end)

  it("before it began leaves nothing", function()
    local s <close> = cfnscene.new(peer, nil, (cfnscene.TEMPLATE:gsub("!Ref Vpc, CidrBlock", "!Ref Nothing, CidrBlock")))
    local _, err = go(s, 2)
    assert.matches("CloudFormation refuses the template", err, 1, true)
    assert.matches("net.yaml", err, 1, true)
    assert.is_nil(stack())
  end)
end)

describe("a stack of somebody else", function()
  it("is refused and not touched: one without our tags, another name's, one in review, one that is busy", function()
    local cf = client()
    cf:CreateStack { StackName = "net", TemplateBody = cfnscene.TEMPLATE }
    settled()
    local s <close> = cfnscene.new(peer)
    for _, verb in ipairs { "plan", "deploy" } do
      local _, err = go(s, 2, verb)
      assert.matches("there is a stack 'net' that adtlua has not made", err, 1, true)
    end
    assert.equal("CREATE_COMPLETE", stack().status)
    s:run { "./net.lua", "down", "-y" }
    assert.equal("CREATE_COMPLETE", stack().status)

    peer:reset()
    cf:CreateChangeSet { StackName = "net", ChangeSetName = "mine", ChangeSetType = "CREATE", TemplateBody = cfnscene.TEMPLATE }
    local _, err = go(s, 2)
    assert.matches("is in review", err, 1, true)
    assert.equal("REVIEW_IN_PROGRESS", stack().status)

    peer:reset()
    go(s, 0)
    peer:control { pace = 1000 }
    cf:UpdateStack { StackName = "net", TemplateBody = cfnscene.TEMPLATE, Parameters = { { ParameterKey = "More", ParameterValue = "true" } },
      ClientRequestToken = "other" }
    _, err = go(s, 75)
    assert.matches("stack 'net' is UPDATE_IN_PROGRESS, by somebody else", err, 1, true)
    peer:control { pace = 0 }
  end)

  it("of the same recipe under another name is refused too", function()
    local s <close> = cfnscene.new(peer, 'stack = "fixed"')
    go(s, 0)
    local _, err = go(s, 2, "--name", "other")
    assert.matches("belongs to recipe 'net' under the name 'net'", err, 1, true)
  end)
end)

describe("capabilities", function()
  local ROLE = "Resources: {Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: []}}}}\n"
    .. "Parameters: {Cidr: {Type: String}, More: {Type: String}, Label: {Type: String}}\nOutputs: {Vpc: {Value: vpc-0}}"

  it("are asked for by name", function()
    local s <close> = cfnscene.new(peer, nil, ROLE)
    local _, err = go(s, 2)
    assert.matches('add capabilities = { "CAPABILITY_IAM" }', err, 1, true)
    assert.is_nil(stack())
    local able <close> = cfnscene.new(peer, 'capabilities = { "CAPABILITY_IAM" }', ROLE)
    go(able, 0)
  end)
end)

describe("a template of more than 51,200 bytes", function()
  local LARGE = cfnscene.TEMPLATE .. "# " .. ("x"):rep(52000) .. "\n"

  it("is refused without a bucket, and read from one", function()
    local s <close> = cfnscene.new(peer, nil, LARGE)
    local _, err = go(s, 2)
    assert.matches("name a bucket", err, 1, true)
    client("s3"):CreateBucket { Bucket = "templates" }
    local with <close> = cfnscene.new(peer, 'bucket = "templates"', LARGE)
    go(with, 0)
    assert.equal("CREATE_COMPLETE", stack().status)
  end)
end)

describe("drift", function()
  it("is told by resource and property", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0, "--more")
    assert.same({ status = "IN_SYNC", resources = {} }, cfn.drift(where(), "net"))
    local group = cfn.resources(where(), "net").Logs.physical
    client("logs"):PutRetentionPolicy { logGroupName = group, retentionInDays = 14 }
    local drift = cfn.drift(where(), "net")
    assert.equal("DRIFTED", drift.status)
    assert.same({ "Logs", "MODIFIED", "/RetentionInDays", "7", "14" }, { drift.resources[1].id, drift.resources[1].status,
      drift.resources[1].differences[1].path, drift.resources[1].differences[1].expected, drift.resources[1].differences[1].actual })
  end)
end)

describe("what stops a deletion is told before it is begun:", function()
  it("interfaces in its network, with whose they are", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0)
    local planted = peer:control { interface = { subnet = stack().outputs.Subnet, type = "efa", description = "FSx for Lustre fs-0123",
      requester = "fsx.amazonaws.com" } }
    local _, err = go(s, 75, "down", "-y")
    assert.matches(planted.id .. ": efa FSx for Lustre fs-0123, made by fsx.amazonaws.com", err, 1, true)
    assert.equal("CREATE_COMPLETE", stack().status)
    peer:control { remove_interface = planted.id }
    go(s, 0, "down", "-y")
    assert.is_nil(stack())
  end)

  it("a bucket that holds something, unless told", function()
    local text = cfnscene.TEMPLATE:gsub("Outputs:", "  Data: {Type: AWS::S3::Bucket, "
      .. "Properties: {BucketName: data-of-net, VersioningConfiguration: {Status: Enabled}}}\nOutputs:")
    local s <close> = cfnscene.new(peer, nil, text)
    go(s, 0)
    local s3 = client "s3"
    for i = 1, 3 do s3:PutObject({ Bucket = "data-of-net", Key = "k" }, { body = "version " .. i }) end
    s3:DeleteObject { Bucket = "data-of-net", Key = "k" }
    s3:CreateMultipartUpload { Bucket = "data-of-net", Key = "half" }
    local _, err = go(s, 2, "down", "-y")
    assert.matches("bucket 'data-of-net' holds 4 objects and versions and 1 unfinished uploads", err, 1, true)
    assert.matches("--with-data", err, 1, true)
    assert.equal("CREATE_COMPLETE", stack().status)
    local out = go(s, 0, "down", "-y", "--with-data")
    assert.matches("4 objects and versions deleted", out, 1, true)
    assert.is_nil(stack())
  end)

  it("protection against it", function()
    local s <close> = cfnscene.new(peer, "protect = true")
    go(s, 0)
    local _, err = go(s, 2, "down", "-y")
    assert.matches("stack 'net' is protected against its deletion", err, 1, true)
    client():UpdateTerminationProtection { StackName = "net", EnableTerminationProtection = false }
    go(s, 0, "down", "-y")
  end)

  it("stacks that import what it exports", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0)
    client():CreateStack { StackName = "user", TemplateBody = 'Resources: {S: {Type: AWS::EC2::Subnet, '
      .. 'Properties: {VpcId: !ImportValue net-Vpc, CidrBlock: 10.0.0.0/24}}}' }
    settled "user"
    local _, err = go(s, 75, "down", "-y")
    assert.matches("net-Vpc by user", err, 1, true)
    assert.equal("CREATE_COMPLETE", stack().status)
  end)

  it("and a resource that fails to go is told with its reason; later it goes", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0)
    peer:control { fail = { { resource = "Subnet", on = "delete", count = 1, reason = "Network vpc has dependencies" } } }
    local _, err = go(s, 4, "down", "-y")
    assert.matches("stack 'net' could not be deleted: Subnet (AWS::EC2::Subnet): Network vpc has dependencies", err, 1, true)
    go(s, 0, "down", "-y")
    assert.is_nil(stack())
  end)

  it("one that is gone already is no trouble", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0)
    client():DeleteStack { StackName = "net" }
    settled()
    go(s, 0, "down", "-y")
  end)
end)

describe("an interrupted deploy", function()
  it("that lost its connection ends with 9, and a resume goes on with the same stack", function()
    local s <close> = cfnscene.new(peer, "patience = 0.3, client = { retry = { mode = 'off' } }")
    peer:control { pace = 100 }
    peer:control { fault = "reset", service = "cloudformation", operation = "DescribeStacks", skip = 2 }
    local _, err = go(s, 9)
    assert.matches("what became of stack 'net' is not known", err, 1, true)
    assert.matches("resume the run", err, 1, true)
    peer:control { rules = {} }
    local r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.equal(1, vpcs())
    assert.equal(1, cfnscene.counts(peer).ExecuteChangeSet)
  end)

  it("whose credentials ended says so, exit 3, and goes on with new ones", function()
    local s <close> = cfnscene.new(peer)
    peer:control { pace = 100 }
    peer:control { fault = "expired", service = "cloudformation", operation = "DescribeStackEvents" }
    local _, err = go(s, 3)
    assert.matches("goes on, but can be followed no longer", err, 1, true)
    peer:control { rules = {} }
    local r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.equal(1, cfnscene.counts(peer).ExecuteChangeSet)
  end)

  it("lives through throttling and connections that break", function()
    local s <close> = cfnscene.new(peer)
    peer:control { pace = 20 }
    peer:control { fault = "throttle", service = "cloudformation", operation = "DescribeStackEvents", percent = 30 }
    peer:control { fault = "reset", service = "cloudformation", percent = 20, when = "after" }
    go(s, 0)
    assert.equal(1, vpcs())
  end)
end)

describe("a run that is killed", function()
  local POINTS = { "journal.before:kill", "journal.torn:fail", "journal.after:kill" }

  it("at any journal step, making or taking down, is resumed to one stack and its verdict", function()
    local killed = 0
    for _, verb in ipairs { "deploy", "down" } do
      for _, point in ipairs(POINTS) do
        local step, r = 0
        repeat
          step = step + 1
          peer:reset()
          local s <close> = cfnscene.new(peer)
          if verb == "down" then go(s, 0) end
          s.env.ADTLUA_FAULT = ("%s:%d"):format(point, step)
          r = s:run(verb == "down" and { "./net.lua", "down", "-y" } or { "./net.lua" })
          s.env.ADTLUA_FAULT = nil
          if r.code == 137 then
            killed = killed + 1
            local begun = #s:ids() > 0 and fs.read(s:folder() .. "/journal.ndjson"):find "\n"
            local again = not begun and s:run { "./net.lua" } or verb == "down" and s:run { "./net.lua", "down", "-y" } or s:run { "resume", "last" }
            local what = ("%s, %s:%d: %s%s"):format(verb, point, step, again.stdout, again.stderr)
            if verb == "down" then
              assert.is_nil(stack(), what)
              assert.equal(0, vpcs(), what)
            else
              assert.equal(0, again.code, what)
              assert.equal(1, vpcs(), what)
              assert.equal("CREATE_COMPLETE", stack().status, what)
              assert.equal(1, cfnscene.counts(peer).ExecuteChangeSet, what)
            end
          end
        until r.code ~= 137
      end
    end
    assert.is_true(killed >= 30, killed .. " kills")
  end)

  it("while the stack is made follows it when it is resumed", function()
    local s <close> = cfnscene.new(peer)
    peer:control { pace = 700 }
    local r = s:run { "./net.lua", before = "timeout -s KILL 1.2" }
    assert.equal(137, r.code)
    r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("found again", r.stdout, 1, true)
    assert.equal(1, cfnscene.counts(peer).ExecuteChangeSet)
    assert.equal(1, vpcs())
  end)

  it("before its change set was executed goes on with it", function()
    local s <close> = cfnscene.new(peer)
    peer:control { fault = "silence", service = "cloudformation", operation = "ExecuteChangeSet", seconds = 30 }
    assert.equal(137, s:run({ "./net.lua", before = "timeout -s KILL 1.5" }).code)
    assert.equal("REVIEW_IN_PROGRESS", stack().status)
    peer:control { rules = {} }
    local r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.equal(1, cfnscene.counts(peer).CreateChangeSet)
    assert.equal("CREATE_COMPLETE", stack().status)
  end)

  it("before its change set was executed can be taken down", function()
    local s <close> = cfnscene.new(peer)
    peer:control { fault = "silence", service = "cloudformation", operation = "ExecuteChangeSet", seconds = 30 }
    assert.equal(137, s:run({ "./net.lua", before = "timeout -s KILL 1.5" }).code)
    peer:control { rules = {} }
    go(s, 0, "down", "-y")
    assert.is_nil(stack())
  end)
end)

describe("a recipe that uses another one's stack", function()
  local USER = [==[
local adt = require "adt"
return adt.recipe { name = "user", kind = "architecture",
  deploy = function(ctx) return ctx:use("net", {}, { name = @NAME@ }) end,
  validate = function(ctx, _, results) ctx:check("there is a network", results.deploy.Vpc ~= nil, results.deploy.Vpc) end }
]==]

  local function user(s, name)
    s:recipe("user.lua", (USER:gsub("@NAME@", name)))
  end

  it("finds what stands under that name, and leaves it", function()
    local s <close> = cfnscene.new(peer)
    go(s, 0, "--name", "shared")
    user(s, '"shared"')
    local r = s:run { "./user.lua", "plan" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("found    net/net: exists", r.stdout, 1, true)
    r = s:run { "./user.lua" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches(stack("shared").outputs.Vpc, r.stdout, 1, true)
    r = s:run { "./user.lua", "down", "-y" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("was there before this run; it is left", r.stdout, 1, true)
    assert.equal("CREATE_COMPLETE", stack("shared").status)
    assert.equal(1, vpcs())
  end)

  it("makes it where it is not there, and takes that down", function()
    local s <close> = cfnscene.new(peer)
    user(s, "nil")
    local r = s:run { "./user.lua" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.equal("net", stack().tags["adtlua:recipe"])
    r = s:run { "./user.lua", "down", "-y" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.is_nil(stack())
  end)
end)

describe("cfn.deploy in a script", function()
  it("needs an owner, and knows its options", function()
    local function failure(spec)
      local ok, err = pcall(cfn.deploy, where(), spec)
      assert.is_false(ok)
      return err
    end
    assert.matches("owner must name", failure({ name = "x", template = "x" }).message)
    assert.matches("did you mean 'parameters'", failure({ parametres = {}, owner = { recipe = "r", name = "x" } }).hint)
    assert.equal("BadName", failure({ name = "a_b", template = "x", owner = { recipe = "r", name = "x" } }).code)
    assert.is_true(errors.is(failure { name = "ab", template = "/none.yaml", owner = { recipe = "r", name = "x" } }))
    assert.is_false(fs.exists "/none.yaml")
  end)
end)
