--- templates/vpc and templates/s3, read as CloudFormation would: the acceptance facts of the reference's rows A0 and A1, and
--- none of its defects.
local cfn = require "adt.cfn"
local network = require "adt.aws.network"
local support = require "support"
local testpython = require "testpython"

local FILES = { "templates/vpc/vpc.yaml", "templates/s3/bucket.yaml", "templates/s3/hyperpod_mail.yaml" }
local vpc, bucket, mail = cfn.template(FILES[1]), cfn.template(FILES[2]), cfn.template(FILES[3])
local ZONES = { "us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f" }

local function evaluated(n, more)
  local p = network.plan { zones = n }
  local given = { Name = "net", Zones = { table.unpack(ZONES, 1, n) }, ZoneCount = n, VpcCidr = p.vpc, MoreCidrs = p.more,
    PublicCidrs = p.public, PrivateCidrs = p.private }
  for key, value in pairs(more or {}) do given[key] = value end
  local e = vpc:evaluate(given, { ["AWS::Region"] = "us-east-1", ["AWS::StackName"] = "net" })
  local by_id, by_type = {}, {}
  for _, r in ipairs(e.resources) do
    by_id[r.id] = r
    by_type[r.type] = by_type[r.type] or {}
    table.insert(by_type[r.type], r)
  end
  return by_id, by_type, e, p
end

-- Every shape of the network: { zones, public }.
local function each_form(f)
  for n = 1, 6 do
    for _, public in ipairs { true, false } do f(n, public, evaluated(n, { PublicSubnets = public })) end
  end
end

local function ref(value) return type(value) == "table" and value.Ref or value end

local function depends(id)
  local on = vpc.resources[id].DependsOn
  return type(on) == "table" and on[1] or on
end

describe("A1, the network", function()
  it("1: has a private subnet in each zone at its place in the list, and as many public ones or none", function()
    each_form(function(n, public, by_id, by_type, _, p)
      assert.equal(public and 2 * n or n, #by_type["AWS::EC2::Subnet"])
      for i = 1, n do
        local private = by_id["PrivateSubnet" .. i].properties
        assert.same({ ZONES[i], p.private[i], false }, { private.AvailabilityZone, private.CidrBlock, private.MapPublicIpOnLaunch })
        local open = by_id["PublicSubnet" .. i]
        if public then
          assert.same({ ZONES[i], p.public[i], true },
            { open.properties.AvailabilityZone, open.properties.CidrBlock, open.properties.MapPublicIpOnLaunch })
        else
          assert.is_nil(open)
        end
      end
    end)
  end)

  it("2: has the blocks that its subnets need, and each subnet waits for its block", function()
    each_form(function(n, _, by_id, by_type)
      local blocks = { by_id.Vpc.properties.CidrBlock }
      for _, block in ipairs(by_type["AWS::EC2::VPCCidrBlock"]) do blocks[#blocks + 1] = block.properties.CidrBlock end
      table.sort(blocks)
      assert.same({ table.unpack({ "10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16" }, 1, 1 + (n + 1) // 2) }, blocks)
      for i = 1, n do
        local block = depends("PrivateSubnet" .. i)
        assert.is_true(network.within(by_id["PrivateSubnet" .. i].properties.CidrBlock, by_id[block].properties.CidrBlock))
      end
    end)
  end)

  it("3: leads private subnets to the NAT gateway where there are public ones, and nowhere otherwise", function()
    each_form(function(n, public, by_id)
      for i = 1, n do assert.equal("PrivateTable", ref(by_id[("PrivateSubnet%dTable"):format(i)].properties.RouteTableId)) end
      if public then
        local route = by_id.PrivateRoute.properties
        assert.same({ "0.0.0.0/0", "NatGateway", "PrivateTable" }, { route.DestinationCidrBlock, ref(route.NatGatewayId), ref(route.RouteTableId) })
      else
        for _, id in ipairs { "PrivateRoute", "PublicRoute", "NatGateway", "NatAddress", "InternetGateway", "Attachment", "PublicTable" } do
          assert.is_nil(by_id[id], id)
        end
      end
    end)
  end)

  it("4: has gateway endpoints on the private table when they are asked for", function()
    for _, public in ipairs { true, false } do
      for flag, id in pairs { S3Endpoint = "S3Gateway", DynamoDBEndpoint = "DynamoDBGateway" } do
        local it = (evaluated(2, { PublicSubnets = public }))[id].properties
        assert.equal("Gateway", it.VpcEndpointType)
        assert.equal("PrivateTable", ref(it.RouteTableIds[1]))
        assert.equal(public and 2 or 1, #it.RouteTableIds)
        assert.equal("com.amazonaws.us-east-1." .. (id == "S3Gateway" and "s3" or "dynamodb"), it.ServiceName)
        assert.is_nil((evaluated(2, { PublicSubnets = public, [flag] = false }))[id])
      end
    end
  end)

  it("7: gives the same outputs in every form", function()
    local wanted = { "FsxSecurityGroup", "PrivateRouteTable", "PrivateSubnets", "PublicSubnets", "SecurityGroup", "Vpc", "Zones" }
    each_form(function(n, public, _, _, e)
      local names, exports = {}, {}
      for _, output in ipairs(e.outputs) do
        names[#names + 1] = output.id
        exports[output.id] = output.export
      end
      local expected = {}
      for _, name in ipairs(wanted) do
        if public or name ~= "PublicSubnets" then expected[#expected + 1] = name end
      end
      assert.same(expected, names, n)
      assert.equal("net-PrivateSubnets", exports.PrivateSubnets)
    end)
  end)
end)

describe("A0, the bucket", function()
  local e = bucket:evaluate { BucketName = "my-data" }

  it("1: is the only one, and private on all four counts", function()
    local n, block = 0, nil
    for _, r in ipairs(e.resources) do
      if r.type == "AWS::S3::Bucket" then n, block = n + 1, r.properties.PublicAccessBlockConfiguration end
    end
    assert.equal(1, n)
    assert.same({ BlockPublicAcls = true, BlockPublicPolicy = true, IgnorePublicAcls = true, RestrictPublicBuckets = true }, block)
  end)

  it("2: has its name under one key", function()
    assert.same({ "Bucket", "BucketArn" }, { e.outputs[1].id, e.outputs[2].id })
    assert.equal("Bucket", ref(e.outputs[1].value))
  end)

  it("5: has mail for three kinds of events", function()
    local rule = mail.resources.Rule.Properties.EventPattern
    assert.same({ "aws.sagemaker" }, rule.source)
    assert.same({ "SageMaker HyperPod Cluster State Change", "SageMaker HyperPod Cluster Node Health Event", "SageMaker HyperPod Cluster Event" },
      rule["detail-type"])
  end)
end)

describe("none of the reference's defects", function()
  it("D-01: what the recipes name is there", function()
    for _, file in ipairs { "recipes/vpc.lua", "recipes/s3.lua" } do
      local text, n = support.read(file), 0
      for name in text:gmatch 'template = "([^"]+)"' do
        n = n + 1
        assert.is_truthy(cfn.template("templates/" .. name))
      end
      assert.is_true(n > 0)
      assert.is_truthy(support.read(text:match "(docs/recipes/[%w_]+%.md)"))
    end
  end)

  it("D-02: the EFA group has both rules with itself, in every form (A1 5)", function()
    each_form(function(_, _, by_id, _, e)
      local into, out = by_id.EfaIn.properties, by_id.EfaOut.properties
      assert.same({ "-1", "EfaGroup", "EfaGroup" }, { into.IpProtocol, ref(into.GroupId), ref(into.SourceSecurityGroupId) })
      assert.same({ "-1", "EfaGroup", "EfaGroup" }, { out.IpProtocol, ref(out.GroupId), ref(out.DestinationSecurityGroupId) })
      for _, output in ipairs(e.outputs) do
        if output.id == "SecurityGroup" then assert.equal("EfaGroup", ref(output.value)) end
      end
    end)
  end)

  it("D-03: the FSx group takes 988 and 1018 to 1023 from nodes and from itself (A1 7)", function()
    local by_id = evaluated(2)
    local seen = {}
    for _, rule in ipairs(by_id.FsxGroup.properties.SecurityGroupIngress) do
      seen[("%s %d-%d"):format(ref(rule.SourceSecurityGroupId), rule.FromPort, rule.ToPort)] = rule.IpProtocol
    end
    for _, id in ipairs { "FsxInFirst", "FsxInMore" } do
      local rule = by_id[id].properties
      seen[("%s %d-%d"):format(ref(rule.SourceSecurityGroupId), rule.FromPort, rule.ToPort)] = rule.IpProtocol
    end
    assert.same({ ["EfaGroup 988-988"] = "tcp", ["EfaGroup 1018-1023"] = "tcp", ["FsxGroup 988-988"] = "tcp", ["FsxGroup 1018-1023"] = "tcp" }, seen)
  end)

  it("D-04: the flow log goes to the stack's own group, and the role may write to that one (A1 6)", function()
    local by_id = evaluated(1)
    assert.equal("FlowGroup", ref(by_id.FlowLog.properties.LogGroupName))
    assert.equal("AWS::Logs::LogGroup", by_id.FlowGroup.type)
    local raw = vpc.resources.FlowRole.Properties.Policies[1].PolicyDocument.Statement[1].Resource["Fn::GetAtt"]
    assert.same({ "FlowGroup", "Arn" }, type(raw) == "string" and { raw:match "^(%w+)%.(%w+)$" } or raw)
  end)

  it("D-05: the page of the recipe names its parameters as they are", function()
    local page, n = support.read "docs/recipes/vpc.md", 0
    local recipe = dofile "recipes/vpc.lua"
    for flag in page:gmatch "`%-%-([%w-]+)`" do
      n = n + 1
      assert.is_truthy(flag == "name" or recipe.params[(flag:gsub("-", "_"))], flag)
    end
    for name in pairs(recipe.params) do assert.is_truthy(page:find("`--" .. name:gsub("_", "-") .. "`", 1, true), name) end
    assert.is_true(n > 10)
  end)

  it("D-06: NAT gateway, its address and both default routes wait for the gateway's attachment (A1 3)", function()
    for _, id in ipairs { "NatGateway", "NatAddress", "PublicRoute", "PrivateRoute" } do assert.equal("Attachment", depends(id), id) end
  end)
end)

describe("every template", function()
  it("is clean to cfn-lint", function()
    local python, why = testpython.find "cfnlint"
    if not python then return pending(why) end
    local r = support.run { python, "-c", "from cfnlint.runner import main; main()", table.unpack(FILES) }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.equal("", r.stdout)
  end)

  it("is small enough to go with the request", function()
    for _, t in ipairs { vpc, bucket, mail } do assert.is_true(t.size <= 51200, t.file) end
  end)
end)
