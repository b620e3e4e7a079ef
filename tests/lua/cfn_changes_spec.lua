--- Change sets as plans show them, reasons as errors tell them, and tokens that say whose a request was.
local changes = require "adt.cfn.changes"
local failure = require "adt.cfn.failure"
local guard = require "adt.guard"
local output = require "adt.output"
local place = require "adt.cfn.place"

local function detail(name, before, after, recreation)
  return { Target = { Attribute = "Properties", Name = name, Path = "/Properties/" .. name, BeforeValue = before, AfterValue = after,
    RequiresRecreation = recreation } }
end

local function change(fields)
  local r = { Action = "Modify", LogicalResourceId = "R", ResourceType = "AWS::EC2::VPC", PhysicalResourceId = "r-1", Replacement = "False" }
  for k, v in pairs(fields) do r[k] = v end
  return changes.of { ResourceChange = r }
end

describe("a resource's change", function()
  it("says whether it is replaced, and the properties before and after", function()
    local c = change { Replacement = "True", Details = { detail("CidrBlock", "a", "b", "Always") } }
    assert.same({ action = "modify", id = "R", kind = "AWS::EC2::VPC", physical = "r-1", replacement = "yes",
      properties = { { name = "CidrBlock", before = "a", after = "b", recreates = "Always" } } }, c)
    assert.equal("perhaps", change({ Replacement = "Conditional" }).replacement)
    assert.is_nil(change({}).replacement)
  end)

  it("names each property once, though it changes for two reasons", function()
    local c = change { Details = { detail "X", detail("X", "1", "2"), detail("Y", nil, "3") } }
    assert.same({ { "X", "1", "2" }, { "Y", nil, "3" } }, { { c.properties[1].name, c.properties[1].before, c.properties[1].after },
      { c.properties[2].name, nil, c.properties[2].after } })
    assert.equal(2, #c.properties)
  end)

  it("takes the difference from the contexts where there are no details", function()
    local c = change { BeforeContext = '{"Properties":{"A":1,"B":[1]}}', AfterContext = '{"Properties":{"A":1,"B":[2],"C":"x"}}' }
    assert.same({ { name = "B", before = "[1]", after = "[2]" }, { name = "C", after = '"x"' } }, c.properties)
    assert.is_nil(change({ BeforeContext = "{{no}}", AfterContext = "{}" }).properties)
  end)

  it("marks the loss of data: of what is removed or replaced, unless the template keeps it", function()
    assert.is_true(change({ Action = "Remove", ResourceType = "AWS::S3::Bucket" }).data_loss)
    assert.is_true(change({ Replacement = "Conditional", ResourceType = "AWS::FSx::FileSystem" }).data_loss)
    assert.is_nil(change({ Action = "Remove", ResourceType = "AWS::S3::Bucket", PolicyAction = "Retain" }).data_loss)
    assert.is_nil(change({ ResourceType = "AWS::S3::Bucket" }).data_loss)
    assert.is_nil(change({ Action = "Remove" }).data_loss)
  end)

  it("of a kind that is no resource is left out", function()
    assert.is_nil(changes.of { Type = "Hook" })
  end)
end)

describe("a change set without changes", function()
  it("is known by its reason", function()
    for _, reason in ipairs { "The submitted information didn't contain changes. Submit different information to create a change set.",
      "No updates are to be performed." } do
      assert.is_true(changes.has_nothing { StatusReason = reason })
    end
    assert.is_false(changes.has_nothing { StatusReason = "Template format error" })
    assert.is_false(changes.has_nothing {})
  end)
end)

local function event(id, reason, kind, rolling_back)
  return { LogicalResourceId = id, ResourceType = kind or "AWS::EC2::VPC", ResourceStatusReason = reason, ResourceStatus = "CREATE_FAILED",
    rolling_back = rolling_back }
end

describe("the reason of a failure", function()
  it("is the first that is a resource's own, in a nested stack too", function()
    local own = event("B", "no such zone")
    assert.equal(own, failure.first { event("A", "Resource creation cancelled"), own, event("C", "later") })
    assert.equal(own, failure.first { event("N", "Embedded stack was not successfully created", "AWS::CloudFormation::Stack"), own })
    local nested = event("N", "Embedded stack", "AWS::CloudFormation::Stack")
    assert.equal(nested, failure.first { event("A", "Resource creation cancelled"), nested })
    assert.is_nil(failure.first {})
  end)

  it("tells the cause", function()
    for reason, cause in pairs {
      ["The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400)"] = "quota",
      ["You have exceeded the quota for EIPs"] = "quota", ["AddressLimitExceeded: limit exceeded"] = "quota",
      ["We currently do not have sufficient capacity in the Availability Zone"] = "capacity",
      ["InsufficientInstanceCapacity"] = "capacity",
      ["User: arn:x is not authorized to perform: ec2:CreateVpc"] = "auth", ["Access Denied"] = "auth",
      ["The CIDR '10.0.0.0/8' is invalid"] = "service" } do
      assert.equal(cause, failure.cause(reason), reason)
    end
  end)

  it("goes before the rollback's, which is told beside it", function()
    local err = failure.of_deploy({ name = "s", status = "UPDATE_ROLLBACK_FAILED" }, { event("A", "first"), event("B", "second", nil, true) })
    assert.equal("StackRollbackFailed", err.code)
    assert.matches("failed: A (AWS::EC2::VPC): first; its rollback failed too: B (AWS::EC2::VPC): second", err.message, 1, true)
    err = failure.of_deploy({ name = "s", status = "ROLLBACK_COMPLETE", reason = "why" }, {})
    assert.matches("was rolled back: why", err.message, 1, true)
  end)
end)

describe("a token", function()
  it("is letters, digits and '-', begins with the step's key, and is known again", function()
    for _, key in ipairs { "Rabc-net-1", "Rabc-use-net-0a1b2c3d-1", "9-x", ("k"):rep(200) } do
      local base = place.token_base(key)
      local token = place.token(base)
      assert.matches("^%a[%w%-]*$", token)
      assert.is_true(#token <= 128)
      assert.is_true(place.is_token(token, base))
      assert.equal(base, place.token_base(key))
    end
    assert.is_false(place.is_token(place.token "R-net-11", "R-net-1"))
    assert.is_false(place.is_token(nil, "R-net-1"))
    assert.are_not.equal(place.token_base "R-a.b-1", place.token_base "R-a-b-1")
  end)
end)

describe("tags", function()
  it("say whose a stack is, and keep the run that made it", function()
    local owner = { recipe = "vpc", name = "net", run = "R2", key = "R2-net-1" }
    local function texts(list)
      local found = {}
      for i, tag in ipairs(list) do found[i] = tag.Key .. "=" .. tag.Value end
      return table.concat(found, " ")
    end
    assert.equal("adtlua:key=R2-net-1 adtlua:name=net adtlua:recipe=vpc adtlua:run=R2 team=x", texts(place.tags({ team = "x" }, owner)))
    assert.equal("adtlua:key=K adtlua:name=net adtlua:recipe=vpc adtlua:run=R1",
      texts(place.tags(nil, owner, { ["adtlua:run"] = "R1", ["adtlua:key"] = "K", old = "gone" })))
    assert.has_error(function() place.check_owner({ name = "s", tags = {} }, owner) end)
    place.check_owner({ name = "s", tags = { ["adtlua:recipe"] = "vpc", ["adtlua:name"] = "net" } }, owner)
  end)
end)

describe("a question in a plan", function()
  it("may write and leaves the plan guarded", function()
    local asked
    local ok, err = pcall(guard.planning, function()
      guard.asking(function() guard.check "x"; asked = true end)
      guard.check "y"
    end)
    assert.is_true(asked)
    assert.is_false(ok)
    assert.matches("^y would change", err.message)
    assert.has_error(function() guard.planning(function() pcall(guard.asking, error, "z"); guard.check "w" end) end)
  end)
end)

describe("changes and resources", function()
  local function shown(events)
    local texts = {}
    local out = output.new { stream = { write = function(_, text) texts[#texts + 1] = text return true end, flush = function() return true end },
      live = false }
    for _, e in ipairs(events) do out:event(e) end
    out:close()
    return table.concat(texts)
  end

  it("are lines for people", function()
    assert.equal("    ~ R (T): is REPLACED, its DATA IS LOST\n        P: 1 -> 2\n        Q: (was not known) -> (known later)\n    + S (T)\n"
      .. "  | CREATE_FAILED      R (T): no\n", shown {
      { type = "change", step = "s", action = "modify", resource = "R", kind = "T", replacement = "yes", data_loss = true,
        properties = { { name = "P", before = "1", after = "2" }, { name = "Q" } } },
      { type = "change", step = "s", action = "add", resource = "S", kind = "T" },
      { type = "resource", step = "s", stack = "x", resource = "R", kind = "T", state = "CREATE_FAILED", reason = "no" } })
  end)
end)
