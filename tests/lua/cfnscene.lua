--- What the specs of stacks share: a scene with a template, a recipe that deploys it, and a cloud of its own to do it in.
local cloudpeer = require "cloudpeer"
local support = require "support"

local M = {}

--- A network of which parameters decide what is made, what is replaced and what fails.
M.TEMPLATE = [==[
Parameters:
  Cidr: {Type: String, Default: 10.0.0.0/16}
  More: {Type: String, Default: "false", AllowedValues: ["true", "false"]}
  Label: {Type: String, Default: one}
Conditions:
  More: !Equals [!Ref More, "true"]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Ref Cidr
      Tags: [{Key: Name, Value: !Ref Label}]
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: !Ref Cidr}
  Logs:
    Type: AWS::Logs::LogGroup
    Condition: More
    Properties: {RetentionInDays: 7}
Outputs:
  Vpc: {Value: !Ref Vpc, Export: {Name: !Sub "${AWS::StackName}-Vpc"}}
  Subnet: {Value: !Ref Subnet}
]==]

--- A recipe named `net`. @SPEC@ stands for more of the stack's fields.
M.RECIPE = [==[
local adt = require "adt"
require("adt.cfn.events").poll = { first = 0.02, most = 0.2, factor = 1.5 }
return adt.recipe { name = "net", kind = "architecture",
  params = { cidr = adt.string { default = "10.0.0.0/16" }, more = adt.bool { default = false }, label = adt.string { default = "one" },
    region = adt.string { default = "us-east-1" } },
  deploy = function(ctx, p)
    return ctx:stack("net", { template = "net/net.yaml", parameters = { Cidr = p.cidr, More = p.more, Label = p.label }, @SPEC@ })
  end,
  validate = function(ctx, p, results)
    local net = results.deploy
    ctx:check("there is a network", net.Vpc:match "^vpc%-" ~= nil and net.outputs.Vpc == net.Vpc, net.outputs)
  end }
]==]

--- A scene with the recipe ./net.lua in a cloud.
---@param peer cloudpeer.Peer
---@param spec? string more fields of the stack
---@param text? string another template
function M.new(peer, spec, text)
  local s = peer:scene()
  os.execute(("mkdir -p %s %s"):format(support.quote(s:path_of "templates/net"), support.quote(s:path_of "config")))
  s:recipe("templates/net/net.yaml", text or M.TEMPLATE)
  s:recipe("net.lua", (M.RECIPE:gsub("@SPEC@", function() return spec or "" end)))
  s.env.AWS_RETRY_MODE = "standard"
  return s
end

--- The requests of CloudFormation that the peer got, by operation.
---@param peer cloudpeer.Peer
---@return table<string, integer>
function M.counts(peer)
  local found = {}
  for _, entry in ipairs(peer:log()) do
    if entry.service == "cloudformation" then found[entry.operation] = (found[entry.operation] or 0) + 1 end
  end
  return found
end

M.missing = cloudpeer.missing

return M
