--- CloudFormation templates read here: short forms, parameters, and which resources there are for given ones.
local fs = require "adt.fs"
local json = require "adt.json"
local pending = require "adt.pending"
local template = require "adt.cfn.template"
local yaml = require "adt.yaml"

local function read(text)
  return yaml.decode(text, { cloudformation = true })
end

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

describe("the short forms of CloudFormation", function()
  it("are what they are short for", function()
    assert.same({ Ref = "X" }, read "!Ref X")
    assert.same({ Condition = "X" }, read "!Condition X")
    assert.same({ ["Fn::Sub"] = "${A}-b" }, read '!Sub "${A}-b"')
    assert.same({ ["Fn::GetAtt"] = { "A", "B.C" } }, read "!GetAtt A.B.C")
    assert.same({ ["Fn::GetAtt"] = { "A", "B" } }, read "!GetAtt [A, B]")
    assert.same({ ["Fn::Select"] = { 1, { ["Fn::Split"] = { ",", { Ref = "L" } } } } }, read "!Select [1, !Split [',', !Ref L]]")
    assert.same({ ["Fn::If"] = { "A", { x = { Ref = "B" } }, { Ref = "AWS::NoValue" } } }, read "!If [A, {x: !Ref B}, !Ref AWS::NoValue]")
    assert.same({ ["Fn::Transform"] = { Name = "n" } }, read "!Transform\n  Name: n\n")
  end)

  it("hold strings, whatever these look like", function()
    assert.same({ Ref = "1" }, read "!Ref 1")
    assert.same({ ["Fn::Base64"] = "true" }, read "!Base64 true")
  end)

  it("can have anchors", function()
    assert.same({ a = { ["Fn::Sub"] = "x" }, b = { ["Fn::Sub"] = "x" } }, read "a: &k !Sub x\nb: *k")
    assert.matches("inside its own anchor", failure(read, "&k !Not [*k]").message)
  end)

  it("that nobody knows are refused with those that are known", function()
    local err = failure(read, "a:\n  b: !GetAt X.Y")
    assert.equal("UnknownTag", err.code)
    assert.matches("line 2", err.where)
    assert.matches("!GetAtt ", err.hint)
    for _, text in ipairs { "!Re x", "!Ref!Sub x", "!GetAtt A", "!Ref x: 1" } do failure(read, text) end
  end)

  it("are no YAML without the option, and count as levels and values", function()
    assert.equal("UnknownTag", failure(yaml.decode, "!Ref X").code)
    assert.equal("TooDeep", failure(read, ("!Not ["):rep(40) .. ("]"):rep(40)).code)
    assert.equal("TooBig", failure(yaml.decode, "[!Ref a, !Ref b]", { cloudformation = true, max_nodes = 6 }).code)
  end)
end)

local TEXT = [==[
Parameters:
  Zones: {Type: CommaDelimitedList}
  Count: {Type: Number, MinValue: 1, MaxValue: 3, Default: 1}
  Public: {Type: String, AllowedValues: ["true", "false"], Default: "true"}
  Name: {Type: String, MinLength: 2, Default: net}
Mappings:
  Sizes: {small: {disk: "10"}, large: {disk: "99"}}
Conditions:
  Public: !Equals [!Ref Public, "true"]
  Two: !Not [!Equals [!Ref Count, 1]]
  PublicTwo: !And [!Condition Public, !Condition Two]
  Any: !Or [!Condition PublicTwo, !Equals [!Ref Name, x]]
Resources:
  A:
    Type: AWS::EC2::Subnet
    Properties:
      AvailabilityZone: !Select [0, !Ref Zones]
      VpcId: !Ref V
      Label: !Sub "${Name}-${AWS::Region}-${V}"
      Size: !FindInMap [Sizes, small, disk]
      Tables: [!Ref T, !If [Public, !Ref P, !Ref AWS::NoValue], !If [Two, x, !Ref AWS::NoValue]]
      All: !Join ["+", !Ref Zones]
      Gone: !If [Two, x, !Ref AWS::NoValue]
  B: {Type: AWS::EC2::NatGateway, Condition: PublicTwo}
  V: {Type: AWS::EC2::VPC}
Outputs:
  Zones: {Value: !Join [",", !Ref Zones], Export: {Name: !Sub "${AWS::StackName}-Zones"}}
  B: {Value: !Ref B, Condition: PublicTwo}
]==]

local function ids(list)
  local found = {}
  for i, one in ipairs(list) do found[i] = one.id .. (one.perhaps and "?" or "") end
  return table.concat(found, " ")
end

describe("a template", function()
  it("tells which resources and outputs there are for given parameters", function()
    local t = template.parse(TEXT)
    local one = t:evaluate({ Zones = { "a", "b" } })
    assert.equal("A V", ids(one.resources))
    assert.equal("Zones", ids(one.outputs))
    local two = t:evaluate({ Zones = { "a", "b" }, Count = 2 })
    assert.equal("A B V", ids(two.resources))
    assert.equal("B Zones", ids(two.outputs))
    assert.same({ Public = true, Two = true, PublicTwo = true, Any = true }, two.conditions)
    assert.equal("A V", ids(t:evaluate({ Zones = "a", Count = 2, Public = false }).resources))
  end)

  it("resolves what parameters decide, and leaves what only the stack knows", function()
    local a = template.parse(TEXT):evaluate({ Zones = { "a", "b" } }, { ["AWS::Region"] = "r1", ["AWS::StackName"] = "s" })
    assert.same({ AvailabilityZone = "a", VpcId = { Ref = "V" }, Label = { ["Fn::Sub"] = "net-r1-${V}" }, Size = "10",
      Tables = { { Ref = "T" }, { Ref = "P" } }, All = "a+b" }, a.resources[1].properties)
    assert.same({ id = "Zones", value = "a,b", export = "s-Zones" }, a.outputs[1])
  end)

  it("says what a pending parameter decides, and nothing more", function()
    local t = template.parse(TEXT)
    local e = t:evaluate({ Zones = { "a" }, Count = pending.new "n" })
    assert.equal("A B? V", ids(e.resources))
    assert.equal("unknown", e.conditions.Two)
    assert.equal("A V", ids(t:evaluate({ Zones = pending.new "z" .. "", Public = "false", Count = pending.new "n" }).resources))
  end)

  it("takes texts, numbers, booleans and lists as parameters, and fills defaults in", function()
    local sent, all = template.parse(TEXT):values { Zones = { "a", "b" }, Count = 2.0, Public = false }
    assert.same({ Zones = "a,b", Count = "2", Public = "false" }, sent)
    assert.equal("net", all.Name)
  end)

  it("refuses parameters that it does not have, lacks or does not allow", function()
    local t = template.parse(TEXT, "t.yaml")
    local err = failure(t.values, t, { Zones = "a", Cuont = 2 })
    assert.equal("BadParameter", err.code)
    assert.matches("did you mean 'Count'", err.hint)
    assert.matches("'Zones' of the template is not given", failure(t.values, t, {}).message)
    assert.matches("allowed: true, false", failure(t.values, t, { Zones = "a", Public = "yes" }).hint)
    assert.matches("out of its range", failure(t.values, t, { Zones = "a", Count = 4 }).message)
    assert.matches("is a number, not 'x'", failure(t.values, t, { Zones = "a", Count = "x" }).message)
    assert.matches("has 1 characters", failure(t.values, t, { Zones = "a", Name = "x" }).message)
    assert.matches("is a function", failure(t.values, t, { Zones = print }).message)
  end)

  it("may be JSON", function()
    local t = template.parse(json.encode { Resources = { B = { Type = "AWS::S3::Bucket", Condition = "No" } },
      Conditions = { No = { ["Fn::Equals"] = { "a", "b" } } } })
    assert.same({}, t:evaluate().resources)
  end)

  it("that is none is refused with its file and line", function()
    for text, words in pairs { ["a: b"] = "no Resources", ["Resources: {A: {}}"] = "'A' of the template has no Type",
      ["Resources: {A: {Type: T, Condition: C}}"] = "condition 'C'", ["a: [1"] = "cannot be read", ["a: !Nope x"] = "!Nope" } do
      local err = failure(template.parse, text, "x/t.yaml")
      assert.same({ "usage", "BadTemplate" }, { err.cause, err.code })
      assert.matches("x/t.yaml", err.where)
      assert.matches(words, err.message, 1, true)
    end
    assert.matches("1000001 bytes", failure(template.parse, ("x"):rep(1000001)).message)
  end)

  it("with conditions that ask for each other ends", function()
    local t = template.parse "Resources: {A: {Type: T, Condition: X}}\nConditions: {X: !Not [!Condition Y], Y: !Not [!Condition X]}"
    assert.equal("A?", ids(t:evaluate().resources))
  end)

  it("tells the capability that its roles need", function()
    assert.is_nil(template.parse("Resources: {A: {Type: AWS::S3::Bucket}}"):capability())
    assert.equal("CAPABILITY_IAM", template.parse("Resources: {A: {Type: AWS::IAM::Role}}"):capability())
    assert.equal("CAPABILITY_NAMED_IAM", template.parse("Resources: {A: {Type: AWS::IAM::Role, Properties: {RoleName: x}}}"):capability())
  end)

  it("of ours is read, each with the resources of its forms", function()
    local vpc = template.read "templates/vpc/vpc.yaml"
    local given = { Name = "n", Zones = { "a" }, ZoneCount = 1, VpcCidr = "10.0.0.0/16", MoreCidrs = "10.1.0.0/16",
      PublicCidrs = "10.0.0.0/24", PrivateCidrs = "10.1.0.0/17" }
    local one = vpc:evaluate(given)
    given.ZoneCount, given.Zones = 6, { "a", "b", "c", "d", "e", "f" }
    local six = vpc:evaluate(given)
    assert.equal(22, #six.resources - #one.resources)
    given.PublicSubnets = false
    assert.is_true(#vpc:evaluate(given).resources < #six.resources - 12)
    assert.equal(2, #template.read("templates/s3/bucket.yaml"):evaluate({ BucketName = "bbb" }).resources)
    assert.is_true(fs.exists(vpc.file))
  end)
end)
