--- A network for distributed training: subnets in one to six zones, a NAT gateway, endpoints, and security groups that EFA
--- and FSx for Lustre need. Replaces the reference's two VPC templates; docs/recipes/vpc.md tells how it differs.
---
---   adtlua recipes/vpc.lua --instance p5.48xlarge plan      what would be made, where that type is offered
---   adtlua recipes/vpc.lua --zones us-east-1a               one zone; without --zones the first --count are taken
---   adtlua recipes/vpc.lua down                             deletes what it has made, and nothing else
local adt = require "adt"

-- One list of zones or a number of them; a list of another length than the number is refused before anything is asked.
local function count_of(p)
  adt.aws.preflight_zones(p.zones, p.count)
  return p.count or #p.zones > 0 and #p.zones or 2
end

local function shape_of(p)
  return adt.aws.network.plan { zones = count_of(p), base = p.base, avoid = p.avoid }
end

return adt.recipe {
  name = "vpc", kind = "architecture", api = 1,
  summary = "VPC for distributed training: private subnets by zone, NAT, S3 and DynamoDB endpoints, EFA and FSx groups",
  stages = { "deploy", "validate" },

  params = {
    region   = adt.string { optional = true, pattern = "^%l%l[%w-]+%-%d+$", help = "default: as every AWS program's" },
    profile  = adt.string { optional = true, help = "of ~/.aws/config" },
    zones    = adt.list { of = adt.string { pattern = "^[%w-]+$" }, default = {}, max = 6, help = "names, in the order of the subnets" },
    count    = adt.int { optional = true, min = 1, max = 6, help = "how many zones, chosen when none are named (default: 2)" },
    instance = adt.string { optional = true, pattern = "^[%w-]+%.[%w-]+$", help = "type that each of the zones must offer" },
    base     = adt.string { default = "10.0.0.0/16", help = "first /16 of the network; those that follow are used, too" },
    avoid    = adt.list { of = adt.string {}, default = {}, help = "ranges of networks that this one will be peered with" },
    public   = adt.bool { default = true, help = "public subnets and a NAT gateway; without, nothing leads out" },
    s3_endpoint       = adt.bool { default = true, help = "traffic with S3 passes no NAT gateway" },
    dynamodb_endpoint = adt.bool { default = true, help = "traffic with DynamoDB passes no NAT gateway" },
    addresses = adt.int { default = 1024, min = 1, max = 32763, help = "free addresses that validate wants in each private subnet" },
    prices   = adt.bool { default = false, help = "ask AWS's price list what it costs" },
  },

  -- 1. Ask everything that can be asked before anything is made: ranges, zones, what they offer, quotas. Then one stack.
  deploy = function(ctx, p)
    local shape = shape_of(p)
    local found = adt.aws.preflight {
      region = p.region, profile = p.profile, stack = ctx.name, zones = p.zones, count = count_of(p), instance = p.instance,
      needs = { vpcs = 1, addresses = p.public and 1 or 0 }, prices = p.prices,
    }:tell(ctx)
    return ctx:stack("network", {
      template = "vpc/vpc.yaml", capabilities = { "CAPABILITY_IAM" },
      parameters = {
        Name = ctx.name, Zones = found.zones, ZoneCount = #found.zones,
        VpcCidr = shape.vpc, MoreCidrs = shape.more, PublicCidrs = shape.public, PrivateCidrs = shape.private,
        PublicSubnets = p.public, S3Endpoint = p.s3_endpoint, DynamoDBEndpoint = p.dynamodb_endpoint,
      },
    })
  end,

  -- 2. The verdict is the live resources', not the stack's: it may say COMPLETE while somebody has deleted a route.
  validate = function(ctx, p, results)
    local net = adt.aws.network_check.of(ctx, results.deploy, { profile = p.profile })
    local zones = net:zones()
    net:dns()
    net:subnets { zones = zones, public = p.public, free = p.addresses }
    net:ways_out { zones = zones, public = p.public }
    net:efa()
    net:lustre()
    net:endpoint("s3", p.s3_endpoint)
    net:endpoint("dynamodb", p.dynamodb_endpoint)
    net:flow_log()
    ctx:summary(net:summary())
  end,
}
