--- The network's recipe against a cloud: planned, made, checked, taken down, in every form; and refused where it must be.
local cloudpeer = require "cloudpeer"
local json = require "adt.json"
local support = require "support"

local RECIPE = require("adt.path").absolute "recipes/vpc.lua"
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

-- What there is of everything that a network is made of.
local function census()
  local ec2, logs, iam = peer:client "ec2", peer:client "logs", peer:client "iam"
  local counts = {}
  for operation, key in pairs { DescribeVpcs = "Vpcs", DescribeSubnets = "Subnets", DescribeRouteTables = "RouteTables",
    DescribeInternetGateways = "InternetGateways", DescribeAddresses = "Addresses", DescribeSecurityGroups = "SecurityGroups",
    DescribeFlowLogs = "FlowLogs", DescribeNetworkInterfaces = "NetworkInterfaces" } do
    counts[key] = #(ec2[operation](ec2, {})[key] or {})
  end
  for operation, key in pairs { DescribeNatGateways = "NatGateways", DescribeVpcEndpoints = "VpcEndpoints" } do
    local n = 0
    for _, one in ipairs(ec2[operation](ec2, {})[key] or {}) do n = n + (one.State:lower() == "deleted" and 0 or 1) end
    counts[key] = n
  end
  counts.groups, counts.roles = #logs:DescribeLogGroups({}).logGroups, #iam:ListRoles({}).Roles
  return counts
end

local function stacks()
  local n = 0
  for _, stack in ipairs(peer:client("cloudformation"):DescribeStacks({}).Stacks) do n = n + (stack.StackStatus ~= "DELETE_COMPLETE" and 1 or 0) end
  return n
end

-- ADT_GOLDEN=1 writes the files anew; then they are to be read as a reviewer would.
local function same_as(file, text)
  file, text = "tests/data/plans/" .. file, text:gsub("%(%d+%.%d s%)", "(N s)")
  if os.getenv "ADT_GOLDEN" then support.write(file, text) end
  assert.equal(support.read(file), text)
end

describe("the network", function()
  for _, form in ipairs {
    { "one zone", "--zones", "us-east-1a" }, { "two zones" }, { "six zones", "--count", "6", "--base", "10.64.0.0/16" },
    { "three zones without a way out", "--count", "3", "--no-public" },
    { "one zone without endpoints", "--zones", "us-east-1b", "--no-s3-endpoint", "--no-dynamodb-endpoint" },
  } do
    local words = { table.unpack(form, 2) }
    it("of " .. form[1] .. " is planned, made, checked and taken down, and nothing is left", function()
      local s <close> = peer:scene()
      local before = census()
      assert.matches("it depends on network", (go(s, 0, "plan", table.unpack(words))), 1, true)
      assert.same(before, census())
      local out = go(s, 0, table.unpack(words))
      assert.not_matches("FAILED", out)
      assert.matches("%d+ checks passed", out)
      assert.equal(1, stacks())
      assert.matches("found    network: exists", (go(s, 0, "plan", table.unpack(words))), 1, true)
      go(s, 0, "validate", table.unpack(words))
      go(s, 0, "down", "-y")
      assert.same(before, census())
      assert.equal(0, stacks())
    end)
  end

  it("is planned as the golden files say", function()
    local s <close> = peer:scene()
    same_as("vpc.txt", (go(s, 0, "plan")))
    same_as("vpc_one_zone.txt", (go(s, 0, "plan", "--zones", "us-east-1a", "--no-public")))
    local document = json.decode((go(s, 0, "plan", "-o", "json")))
    same_as("vpc.json", json.encode({ changes = document.changes, verdict = document.verdict }, { pretty = true }) .. "\n")
  end)

  it("that has lost its way out fails the check that says so", function()
    local s <close> = peer:scene()
    go(s, 0, "--zones", "us-east-1a")
    local ec2 = peer:client "ec2"
    local nat = ec2:DescribeNatGateways({}).NatGateways[1].NatGatewayId
    local found = ec2:DescribeRouteTables { Filters = { { Name = "route.nat-gateway-id", Values = { nat } } } }.RouteTables[1]
    ec2:DeleteRoute { RouteTableId = found.RouteTableId, DestinationCidrBlock = "0.0.0.0/0" }
    local out = go(s, 8, "validate", "--zones", "us-east-1a")
    assert.matches("FAILED +the private subnet of us%-east%-1a has a way out by an available NAT gateway: it has no default route", out)
  end)

  it("whose EFA group was narrowed fails that check", function()
    local s <close> = peer:scene()
    go(s, 0, "--zones", "us-east-1a")
    local ec2 = peer:client "ec2"
    local group
    for _, each in ipairs(ec2:DescribeSecurityGroups({}).SecurityGroups) do
      if each.Description:find "EFA needs" then group = each.GroupId end
    end
    local itself = { { GroupId = group, Description = "To its members" } }
    ec2:RevokeSecurityGroupEgress { GroupId = group, IpPermissions = { { IpProtocol = "-1", UserIdGroupPairs = itself } } }
    local out = go(s, 8, "validate", "--zones", "us-east-1a")
    assert.matches("FAILED +the EFA group lets all traffic out to itself", out)
    assert.matches("ok +the EFA group takes all traffic from itself", out)
  end)
end)

describe("a network that cannot be", function()
  -- The run ends so, with nothing made and, where said, nothing asked.
  local function refused(code, words, ...)
    local s <close> = peer:scene()
    local before = census()
    local asked = #peer:log()
    local _, err = go(s, code, table.unpack(words))
    for _, text in ipairs { ... } do assert.matches(text, err, 1, true) end
    local n = #peer:log() - asked
    assert.same(before, census())
    assert.equal(0, stacks())
    return n
  end

  it("is refused before anything is asked: a list that is too short, a zone twice, ranges that overlap", function()
    assert.equal(0, refused(2, { "--zones", "us-east-1a", "--count", "2" }, "2 zones are asked for, and 1 are named"))
    assert.equal(0, refused(2, { "--zones", "us-east-1a,us-east-1a" }, "named twice"))
    assert.equal(0, refused(2, { "--avoid", "10.1.0.0/20" }, "10.1.0.0/16 overlaps with 10.1.0.0/20"))
    assert.equal(0, refused(2, { "--base", "10.255.0.0/16" }, "leave the private range 10.0.0.0/8", "10.254.0.0/16"))
  end)

  it("is told the zone's name when it was given an id", function()
    refused(2, { "--zones", "use1-az6" }, "'use1-az6' is the id of a zone", "its name is us-east-1a")
    refused(2, { "--zones", "us-east-1z" }, "us-east-1 has no zone 'us-east-1z'", "us-east-1a")
  end)

  it("is told which zones offer the type", function()
    peer:control { offers = { ["p5.48xlarge"] = { "us-east-1c", "us-east-1f" } } }
    refused(5, { "--zones", "us-east-1a", "--instance", "p5.48xlarge" }, "us-east-1a does not offer p5.48xlarge", "us-east-1c, us-east-1f")
    refused(5, { "--count", "3", "--instance", "p5.48xlarge" }, "3 zones are wanted, and us-east-1 has 2 that offer p5.48xlarge")
    local s <close> = peer:scene()
    local out = go(s, 0, "plan", "--instance", "p5.48xlarge")
    assert.matches("us-east-1c (use1-az2), us-east-1f", out, 1, true)
    assert.matches("32 EFA interfaces on 32 network cards, by DescribeInstanceTypes", out, 1, true)
    refused(2, { "--instance", "p5.49xlarge" }, "no instance type 'p5.49xlarge'", "did you mean 'p5.48xlarge'?")
  end)

  it("is refused when a quota is reached, in the plan already", function()
    peer:control { quotas = { ["L-F678F1CE"] = 1 } }
    refused(5, { "plan" }, "VPCs of the region: 1 of 1 are in use, and 1 more is needed", "L-F678F1CE")
    refused(5, {}, "VPCs of the region")
    peer:control { quotas = { ["L-F678F1CE"] = 5, ["L-0263D0A3"] = 0 } }
    refused(5, {}, "Elastic IP addresses of the region: 0 of 0")
    local s <close> = peer:scene()
    go(s, 0, "plan", "--no-public")
  end)

  it("goes on where quotas may not be asked, and says so", function()
    peer:control { fault = "error", service = "servicequotas", status = 400, code = "AccessDeniedException", message = "no" }
    local s <close> = peer:scene()
    assert.matches("unknown, may not be asked: AccessDenied", (go(s, 0, "plan")))
  end)

  it("leaves a stack of that name that it has not made", function()
    local cf = peer:client "cloudformation"
    cf:CreateStack { StackName = "vpc", TemplateBody = "Resources: {H: {Type: AWS::CloudFormation::WaitConditionHandle}}" }
    local s <close> = peer:scene()
    local _, err = go(s, 2)
    assert.matches("there is a stack 'vpc' that adtlua has not made", err, 1, true)
    assert.equal(1, stacks())
    go(s, 0, "--name", "other")
  end)

  it("is rolled back when a resource fails, and its own reason comes first", function()
    peer:control { fail = { { resource = "NatGateway", reason = "Network vpc has no Internet gateway attached" } } }
    local s <close> = peer:scene()
    local before = census()
    local _, err = go(s, 4)
    assert.matches("NatGateway (AWS::EC2::NatGateway): Network vpc has no Internet gateway attached", err, 1, true)
    assert.same(before, census())
    peer:control { fail = {} }
    go(s, 0)
    go(s, 0, "down", "-y")
    assert.same(before, census())
  end)
end)
