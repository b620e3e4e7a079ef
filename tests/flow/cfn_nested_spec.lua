--- Stacks in stacks: their events, the reason of a failure in them, what a plan says of them, their end.
local cfn = require "adt.cfn"
local cfnscene = require "cfnscene"
local cloudpeer = require "cloudpeer"
local json = require "adt.json"
local s3 = require "adt.s3"

local why = cfnscene.missing()
local peer

setup(function() peer = not why and cloudpeer.start() end)
teardown(function() if peer then peer:__close() end end)
before_each(function() if why then pending(why) else peer:reset() end end)

local OUTER = [==[
Parameters:
  Cidr: {Type: String}
  More: {Type: String}
  Label: {Type: String}
Conditions:
  More: !Equals [!Ref More, "true"]
Resources:
  Net:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: "@URL@", Parameters: {Cidr: !Ref Cidr, Label: !Ref Label}}
  Second:
    Type: AWS::CloudFormation::Stack
    Condition: More
    Properties: {TemplateURL: "@URL@", Parameters: {Cidr: !Ref Cidr, Label: !Ref Label}}
Outputs:
  Vpc: {Value: !GetAtt Net.Outputs.Vpc}
]==]

local function where()
  return { region = peer.region, endpoint = peer.url, credentials = peer.keys, retry = { mode = "standard" } }
end

local function client(service)
  return peer:client(service or "cloudformation")
end

local function put(text)
  s3.put({ text = text }, "s3://templates/net.yaml", { client = client "s3" })
end

-- A scene whose stack holds one with the network of the other specs.
local function scene()
  client("s3"):CreateBucket { Bucket = "templates" }
  put(cfnscene.TEMPLATE)
  return cfnscene.new(peer, nil, (OUTER:gsub("@URL@", peer.url .. "/templates/net.yaml")))
end

local function go(s, code, ...)
  local r = s:run { "./net.lua", ... }
  assert.equal(code, r.code, r.stdout .. r.stderr)
  return r.stdout, r.stderr
end

-- The states of a resource in the order in which they were told.
local function states(document, stack, resource)
  local found = {}
  for _, event in ipairs(document.resources) do
    if event.stack == stack and event.resource == resource then found[#found + 1] = event.state end
  end
  return table.concat(found, " ")
end

local function stacks()
  local names = {}
  for stack in client():items("DescribeStacks", {}, { key = "Stacks" }) do names[#names + 1] = stack.StackName:gsub("%-%x+$", "") .. "" end
  table.sort(names)
  return names
end

local function sets()
  local n = 0
  for stack in client():items("DescribeStacks", {}, { key = "Stacks" }) do
    for _, set in ipairs(client():ListChangeSets { StackName = stack.StackId }.Summaries or {}) do
      if set.ChangeSetName:match "^plan" then n = n + 1 end
    end
  end
  return n
end

local function vpcs()
  local n = 0
  for _, vpc in ipairs(client("ec2"):DescribeVpcs {}.Vpcs) do n = n + (vpc.IsDefault and 0 or 1) end
  return n
end

describe("a stack in a stack", function()
  it("has its events told under its name from the request on, and both go with down", function()
    local s <close> = scene()
    peer:control { pace = 30 }
    local made = json.decode((go(s, 0, "-o", "json")))
    assert.equal("CREATE_IN_PROGRESS CREATE_IN_PROGRESS CREATE_COMPLETE", states(made, "net", "Net"))
    for _, resource in ipairs { "Vpc", "Subnet" } do
      assert.equal("CREATE_IN_PROGRESS CREATE_IN_PROGRESS CREATE_COMPLETE", states(made, "Net", resource))
    end
    local inner = cfn.resources(where(), "net").Net.physical
    local own = inner:match "stack/([^/]+)"
    assert.equal("CREATE_IN_PROGRESS CREATE_COMPLETE", states(made, "Net", own))
    local before = #made.resources
    -- An update tells what is new, and nothing of what was.
    local changed = json.decode((go(s, 0, "--label", "two", "-o", "json")))
    assert.equal("UPDATE_IN_PROGRESS UPDATE_COMPLETE", states(changed, "Net", "Vpc"))
    assert.is_true(#changed.resources < before)
    local out = go(s, 0, "down", "-y")
    assert.matches("DELETE_COMPLETE    Net/Vpc (AWS::EC2::VPC)", out, 1, true)
    assert.matches("DELETE_COMPLETE    Net/Subnet (AWS::EC2::Subnet)", out, 1, true)
    assert.matches("DELETE_COMPLETE    Net (AWS::CloudFormation::Stack)", out, 1, true)
    assert.same({}, stacks())
    assert.equal(0, vpcs())
  end)

  it("that fails is told with the reason of what failed in it, and leaves nothing after down", function()
    local s <close> = scene()
    peer:control { fail = { { resource = "Subnet", reason = "The maximum number of subnets has been reached." } } }
    local out, err = go(s, 5)
    assert.matches("stack 'net' failed and was rolled back: Subnet (AWS::EC2::Subnet): The maximum number of subnets has been reached.", err, 1, true)
    assert.not_matches("Embedded stack", err, 1, true)
    assert.matches("CREATE_FAILED      Net/Subnet (AWS::EC2::Subnet): The maximum", out, 1, true)
    assert.matches("CREATE_FAILED      Net (AWS::CloudFormation::Stack): Embedded stack", out, 1, true)
    go(s, 0, "down", "-y")
    assert.same({}, stacks())
    assert.equal(0, vpcs())
  end)

  it("whose update fails is told the same way, and stands as it was", function()
    local s <close> = scene()
    go(s, 0)
    put((cfnscene.TEMPLATE:gsub("Condition: More\n", "\n")))
    peer:control { fail = { { resource = "Logs", reason = "No logs today" } } }
    local _, err = go(s, 4, "--label", "two")
    assert.matches("stack 'net' failed and was rolled back: Logs (AWS::Logs::LogGroup): No logs today", err, 1, true)
    assert.equal("UPDATE_ROLLBACK_COMPLETE", cfn.describe(where(), "net").status)
    assert.is_nil(cfn.resources(where(), cfn.resources(where(), "net").Net.physical).Logs)
  end)

  it("keeps the buckets that it retains, with what is in them, even where data is to go", function()
    local s <close> = scene()
    put((cfnscene.TEMPLATE:gsub("Outputs:", "  Data: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, "
      .. "Properties: {BucketName: data-of-net}}\nOutputs:")))
    go(s, 0)
    client("s3"):PutObject({ Bucket = "data-of-net", Key = "k" }, { body = "dear" })
    go(s, 0, "down", "-y", "--with-data")
    assert.equal("dear", (s3.get("s3://data-of-net/k", nil, { client = client "s3" })))
    assert.same({}, stacks())
  end)
end)

describe("the plan of a stack with stacks in it", function()
  it("lists their changes under them, and leaves no change set", function()
    local s <close> = scene()
    go(s, 0)
    local out = go(s, 0, "plan", "--cidr", "10.9.0.0/16")
    assert.matches("changes 3 resources", out, 1, true)
    assert.matches("~ Net %(AWS::CloudFormation::Stack%)\n.-~ Net/Subnet %(AWS::EC2::Subnet%): is REPLACED\n"
      .. ".-~ Net/Vpc %(AWS::EC2::VPC%): is REPLACED\n%s+CidrBlock: 10.0.0.0/16 %-> 10.9.0.0/16", out)
    local changes = json.decode((go(s, 0, "plan", "--cidr", "10.9.0.0/16", "-o", "json"))).changes
    assert.same({ "Net", "Net/Subnet", "Net/Vpc" }, { changes[1].resource, changes[2].within .. "/" .. changes[2].resource,
      changes[3].within .. "/" .. changes[3].resource })
    assert.equal(0, sets())
    assert.same({ "net", "net-Net" }, stacks())
  end)

  it("says that nothing changes where it does not, and what does when only the template in the bucket is another", function()
    local s <close> = scene()
    go(s, 0)
    assert.matches("found    net: exists", (go(s, 0, "plan", "--exit-code")), 1, true)
    put((cfnscene.TEMPLATE:gsub("Condition: More\n", "\n")))
    local out = go(s, 10, "plan", "--exit-code")
    assert.matches("changes 2 resources", out, 1, true)
    assert.matches("+ Net/Logs (AWS::Logs::LogGroup)", out, 1, true)
    go(s, 0)
    assert.is_not_nil(cfn.resources(where(), cfn.resources(where(), "net").Net.physical).Logs)
  end)

  it("lists what a new one will hold, and leaves none in review", function()
    local s <close> = scene()
    go(s, 0)
    local out = go(s, 0, "plan", "--more")
    assert.matches("+ Second (AWS::CloudFormation::Stack)\n    + Second/Subnet (AWS::EC2::Subnet)\n    + Second/Vpc (AWS::EC2::VPC)", out, 1, true)
    assert.same({ "net", "net-Net" }, stacks())
    assert.equal(0, sets())
  end)

  it("is refused with the reason of the one that cannot be", function()
    local s <close> = scene()
    go(s, 0)
    put((cfnscene.TEMPLATE:gsub("  Label: {Type: String, Default: one}", "  Label: {Type: String, AllowedValues: [one]}")))
    local _, err = go(s, 2, "plan", "--label", "two", "--more")
    assert.matches("CloudFormation refuses the template of stack 'net': ", err, 1, true)
    assert.matches("Label", err, 1, true)
    assert.same({ "net", "net-Net" }, stacks())
    assert.equal(0, sets())
  end)
end)
