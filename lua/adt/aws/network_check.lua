--- Is a network as distributed training needs it? Asked of the live resources, each check with its evidence.
---
---   local net = adt.aws.network_check.of(ctx, stack)
---   net:ways_out { public = true }
local aws = require "adt.aws"
local pending = require "adt.pending"
local errors = require "adt.error"
local term = require "adt.term"

local M = {}

---@class adt.aws.NetworkCheck
---@field ctx adt.Context
---@field ec2 adt.aws.Client
---@field where adt.aws.ClientOptions
---@field stack adt.StackResult
---@field vpc string
---@field private string[] ids of subnets
---@field public string[]
local Check = {}
Check.__index = Check

local EVERYWHERE = "0.0.0.0/0"

local function split(text)
  local list = {}
  for item in (text or ""):gmatch "[^,]+" do list[#list + 1] = item end
  return list
end

--- The questions about the network of a stack of templates/vpc. In a plan they wait for the stack.
---@param ctx adt.Context
---@param stack adt.StackResult
---@param options? adt.aws.ClientOptions
---@return adt.aws.NetworkCheck
function M.of(ctx, stack, options)
  local found = pending.find { stack, stack.outputs }
  if found then pending.stop(found) end
  local where = {}
  for key, value in pairs(options or {}) do where[key] = value end
  where.region = where.region or stack.region
  local outputs = stack.outputs
  if not outputs.Vpc or not outputs.PrivateSubnets then
    errors.raise { cause = "usage", code = "NoNetwork", message = ("the stack '%s' gives no network"):format(stack.name),
      hint = "its outputs are to have Vpc and PrivateSubnets, as templates/vpc has them" }
  end
  return setmetatable({ ctx = ctx, ec2 = aws.client("ec2", where), where = where, stack = stack, vpc = outputs.Vpc,
    private = split(outputs.PrivateSubnets), public = split(outputs.PublicSubnets) }, Check)
end

local function all(self, operation, params, key)
  local found = {}
  for one in self.ec2:items(operation, params, { key = key }) do found[#found + 1] = one end
  return found
end

local function filter(name, ...)
  return { Name = name, Values = { ... } }
end

--- The zones of the network, in the order of its subnets.
---@return string[]
function Check:zones()
  return split(self.stack.outputs.Zones)
end

--- The network as a table for people: a line for each zone.
---@return string
function Check:summary()
  local rows = {}
  for i, zone in ipairs(self:zones()) do rows[i] = { zone, self.private[i] or "", self.public[i] or "" } end
  return term.table(rows, { header = { "ZONE", "PRIVATE SUBNET", "PUBLIC SUBNET" } })
end

--- Names resolve within the VPC, and hosts have names.
function Check:dns()
  for _, name in ipairs { "enableDnsSupport", "enableDnsHostnames" } do
    local key = name:gsub("^%l", string.upper)
    local answer = self.ec2:DescribeVpcAttribute { VpcId = self.vpc, Attribute = name }
    local value = (answer[key] or {}).Value
    self.ctx:check(("the VPC has %s"):format(name), value == true, ("%s: %s"):format(self.vpc, tostring(value)))
  end
end

local function check_subnet(self, kind, subnet, zone, free, public_ip)
  local ctx, id = self.ctx, subnet.SubnetId
  ctx:check(("a %s subnet is in %s"):format(kind, zone), subnet.AvailabilityZone == zone and subnet.State == "available",
    ("%s, %s in %s, %s"):format(id, subnet.CidrBlock, subnet.AvailabilityZone, subnet.State))
  ctx:check(("the %s subnet of %s has %d free addresses"):format(kind, zone, free), subnet.AvailableIpAddressCount >= free,
    ("%s: %d"):format(id, subnet.AvailableIpAddressCount))
  ctx:check(("the %s subnet of %s gives %s public addresses"):format(kind, zone, public_ip and "its machines" or "no machine"),
    subnet.MapPublicIpOnLaunch == public_ip, ("%s: MapPublicIpOnLaunch %s"):format(id, tostring(subnet.MapPublicIpOnLaunch)))
end

--- The subnets are those of the stack, in their zones, with enough addresses.
---@param o { zones: string[], public: boolean, free: integer }
function Check:subnets(o)
  local by_id, n = {}, 0
  for _, subnet in ipairs(all(self, "DescribeSubnets", { Filters = { filter("vpc-id", self.vpc) } }, "Subnets")) do
    by_id[subnet.SubnetId], n = subnet, n + 1
  end
  local wanted = #o.zones * (o.public and 2 or 1)
  self.ctx:check(("there are %d subnets"):format(wanted), n == wanted and #self.private == #o.zones and #self.public == (o.public and #o.zones or 0),
    ("%d in %s: %d private, %d public"):format(n, self.vpc, #self.private, #self.public))
  for i, zone in ipairs(o.zones) do
    for _, kind in ipairs(o.public and { "private", "public" } or { "private" }) do
      local subnet = by_id[self[kind][i] or ""]
      if subnet then
        check_subnet(self, kind, subnet, zone, kind == "private" and o.free or 1, kind == "public")
      else
        self.ctx:check(("a %s subnet is in %s"):format(kind, zone), false, "there is none")
      end
    end
  end
end

-- The table that a subnet goes by: its own, not the VPC's main one.
local function table_of(self, subnet)
  return all(self, "DescribeRouteTables", { Filters = { filter("association.subnet-id", subnet) } }, "RouteTables")[1]
end

local function default_route(routes)
  for _, route in ipairs(routes or {}) do
    if route.DestinationCidrBlock == EVERYWHERE then return route end
  end
end

local function check_nat(self, zone, route)
  local name = ("the private subnet of %s has a way out by an available NAT gateway"):format(zone)
  local id = route and route.NatGatewayId
  if not id then
    return self.ctx:check(name, false, route and "its default route leads elsewhere" or "it has no default route")
  end
  local nat = self.ec2:DescribeNatGateways { NatGatewayIds = { id } }.NatGateways[1]
  local address = nat and nat.NatGatewayAddresses and nat.NatGatewayAddresses[1]
  self.ctx:check(name, nat and nat.State == "available" and route.State ~= "blackhole",
    ("%s is %s, address %s"):format(id, nat and nat.State or "gone", address and address.PublicIp or "unknown"))
end

local function check_internet(self, zone, route)
  local id = route and route.GatewayId
  local gateway = id and id:match "^igw%-" and self.ec2:DescribeInternetGateways { InternetGatewayIds = { id } }.InternetGateways[1]
  local attached = gateway and gateway.Attachments and gateway.Attachments[1]
  self.ctx:check(("the public subnet of %s leads to the internet gateway"):format(zone), attached and attached.VpcId == self.vpc,
    id and ("%s is attached to %s"):format(id, attached and attached.VpcId or "nothing") or "it has no default route")
end

--- Default routes: from private subnets to a NAT gateway that works, from public ones to the internet gateway; none
--- without public subnets.
---@param o { zones: string[], public: boolean }
function Check:ways_out(o)
  for i, zone in ipairs(o.zones) do
    local found = self.private[i] and table_of(self, self.private[i])
    local route = found and default_route(found.Routes)
    if o.public then
      check_nat(self, zone, route)
      local open = self.public[i] and table_of(self, self.public[i])
      check_internet(self, zone, open and default_route(open.Routes))
    else
      self.ctx:check(("nothing leads out of the private subnet of %s"):format(zone), found and not route,
        found and (route and "there is a default route" or found.RouteTableId .. " has no default route") or "it has no table of its own")
    end
  end
end

local function self_rule(permissions, group)
  for _, permission in ipairs(permissions or {}) do
    for _, pair in ipairs(permission.IpProtocol == "-1" and permission.UserIdGroupPairs or {}) do
      if pair.GroupId == group then return true end
    end
  end
  return false
end

--- The group takes all traffic from itself, in and out: EFA needs both, and a way out to everywhere is not taken for it.
---@param group? string its id, default the stack's SecurityGroup
function Check:efa(group)
  group = group or self.stack.outputs.SecurityGroup
  local answer = self.ec2:DescribeSecurityGroups { GroupIds = { group } }.SecurityGroups[1]
  self.ctx:check("the EFA group takes all traffic from itself", self_rule(answer.IpPermissions, group), group)
  self.ctx:check("the EFA group lets all traffic out to itself", self_rule(answer.IpPermissionsEgress, group), group)
end

local function has_ports(permissions, group, from, to)
  for _, permission in ipairs(permissions or {}) do
    if permission.IpProtocol == "tcp" and permission.FromPort <= from and permission.ToPort >= to then
      for _, pair in ipairs(permission.UserIdGroupPairs or {}) do
        if pair.GroupId == group then return true end
      end
    end
  end
  return false
end

--- File systems of Lustre are reached from the EFA group, and reach each other.
function Check:lustre()
  local group, nodes = self.stack.outputs.FsxSecurityGroup, self.stack.outputs.SecurityGroup
  local answer = self.ec2:DescribeSecurityGroups { GroupIds = { group } }.SecurityGroups[1]
  for _, ports in ipairs { { 988, 988 }, { 1018, 1023 } } do
    for from, id in pairs { ["the EFA group"] = nodes, ["itself"] = group } do
      self.ctx:check(("the FSx group takes ports %d to %d from %s"):format(ports[1], ports[2], from),
        has_ports(answer.IpPermissions, id, ports[1], ports[2]), group)
    end
  end
end

--- A gateway endpoint serves the private subnets; or there is none, where none was asked for.
---@param service "s3"|"dynamodb"
---@param wanted boolean
function Check:endpoint(service, wanted)
  local found = all(self, "DescribeVpcEndpoints", { Filters = { filter("vpc-id", self.vpc),
    filter("service-name", ("com.amazonaws.%s.%s"):format(self.ec2.region, service)) } }, "VpcEndpoints")
  if not wanted then
    self.ctx:check(("there is no endpoint for %s"):format(service), #found == 0, #found)
    return
  end
  local it = found[1]
  self.ctx:check(("a gateway endpoint for %s is available"):format(service),
    it and it.VpcEndpointType == "Gateway" and it.State:lower() == "available", it and it.VpcEndpointId .. " is " .. it.State or "there is none")
  local tables = {}
  for _, id in ipairs(it and it.RouteTableIds or {}) do tables[id] = true end
  local missing = {}
  for _, subnet in ipairs(self.private) do
    local used = table_of(self, subnet)
    if not used or not tables[used.RouteTableId] then missing[#missing + 1] = subnet end
  end
  self.ctx:check(("the endpoint for %s is on the private subnets' table"):format(service), it and #missing == 0,
    #missing > 0 and "not reached from " .. table.concat(missing, ", ") or table.concat(it and it.RouteTableIds or {}, ", "))
end

--- What flows is logged, and into the group that the stack itself has made.
function Check:flow_log()
  local own = aws.client("cloudformation", self.where):DescribeStackResource {
    StackName = self.stack.name, LogicalResourceId = "FlowGroup" }.StackResourceDetail.PhysicalResourceId
  local found = all(self, "DescribeFlowLogs", { Filter = { filter("resource-id", self.vpc) } }, "FlowLogs")
  local it = found[1]
  self.ctx:check("the VPC's flow log is active", it and it.FlowLogStatus == "ACTIVE" and it.TrafficType == "ALL",
    it and ("%s is %s, %s traffic"):format(it.FlowLogId, it.FlowLogStatus, it.TrafficType) or "there is none")
  self.ctx:check("the flow log goes to the stack's own group", it and it.LogGroupName == own,
    ("%s; the stack's is %s"):format(it and it.LogGroupName or "none", own))
end

return M
