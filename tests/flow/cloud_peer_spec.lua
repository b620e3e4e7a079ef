--- The cloud of tests/peers/aws/cloud, as boto3 sees it: both templates in every form, failures, change sets, refusals, drift, limits.
local cloudpeer = require "cloudpeer"
local json = require "adt.json"
local support = require "support"
local testpython = require "testpython"

local python, why = testpython.find("boto3")
why = cloudpeer.missing() or why
local peer

setup(function() peer = not why and cloudpeer.start() end)
teardown(function() if peer then peer:__close() end end)
before_each(function()
  if why then
    pending(why)
  else
    peer:reset()
  end
end)
after_each(function() if peer then cloudpeer.no_leaks() end end)

local function scenario(name)
  local r = support.run { python, "tests/lua/cloud_oracle.py", peer.url, name }
  assert(r.code == 0, r.stderr)
  return json.decode(r.stdout)
end

local NOTHING = { vpcs = 0, addresses = 0, roles = 0, gateways = 0, interfaces = 0, logs = 0, buckets = 0 }

local function places(events)
  local at = {}
  for i, e in ipairs(events) do
    local key = e[1] .. " " .. e[2]
    at[key] = at[key] or i
  end
  return at
end

describe("the cloud of the tests", function()
  it("makes both templates in every form, live and tagged, and takes them away", function()
    local r = scenario "forms"
    assert.equals(14, #r.forms)
    for i = 1, 12 do
      local form = r.forms[i]
      local zones, public = (i + 1) // 2, i % 2 == 1
      assert.same({ zones = zones, public = tostring(public), status = "CREATE_COMPLETE", subnets = public and 2 * zones or zones, private = zones,
        public_subnets = public and zones or 0, blocks = 1 + (zones + 1) // 2, in_itself = { "-1" }, out_itself = { "-1" },
        nat_routes = public and 1 or 0, tagged = true, drift = { "IN_SYNC", {} }, removed = "DELETE_COMPLETE" }, form)
    end
    for i, versions in ipairs { "Enabled", "none" } do
      assert.same({ status = "CREATE_COMPLETE", versions = versions, policy = true, drift = { "IN_SYNC", {} }, removed = "DELETE_COMPLETE" },
        r.forms[12 + i])
    end
    assert.same(NOTHING, r.left)
  end)

  it("rolls back what fails in the middle, keeps or deletes it when told, and undoes a failed update", function()
    local r = scenario "failures"
    assert.equals("ROLLBACK_COMPLETE", r.rolled)
    local at = places(r.events)
    local failed
    for _, e in ipairs(r.events) do
      if e[2] == "CREATE_FAILED" and not failed then failed = e end
      if e[2] == "CREATE_FAILED" and e[1] ~= "NatGateway" then assert.equals("Resource creation cancelled", e[3]) end
    end
    assert.same({ "NatGateway", "CREATE_FAILED", "No gateway for you" }, failed)
    assert.equals("The following resource(s) failed to create: [NatGateway]. Rollback requested by user.",
      r.events[at["net ROLLBACK_IN_PROGRESS"]][3])
    assert.is_true(at["Vpc CREATE_COMPLETE"] < at["FirstBlock CREATE_IN_PROGRESS"])
    assert.is_true(at["FirstBlock DELETE_COMPLETE"] < at["Vpc DELETE_IN_PROGRESS"])
    assert.equals(#r.events, at["net ROLLBACK_COMPLETE"])
    assert.same(NOTHING, r.after)
    assert.equals("ValidationError", r.dead[1])
    assert.matches("^Stack:arn:aws:cloudformation:us%-east%-1:123456789012:stack/net/.* is in ROLLBACK_COMPLETE state and can not be updated%.$",
      r.dead[2])
    assert.same({ "CREATE_FAILED", "DELETE_COMPLETE", "DELETE_COMPLETE" }, { r.kept, r.unkept, r.deleted })
    assert.equals("UPDATE_ROLLBACK_COMPLETE", r.back)
    local states = {}
    for _, e in ipairs(r.backed) do
      if e[1] == "net" then table.insert(states, e[2]) end
    end
    assert.same({ "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE" },
      states)
    assert.same({ "IN_SYNC", {} }, r.drift)
    assert.same({ "UPDATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE" }, { r.forward, r.shrunk, r["end"] })
    assert.same(NOTHING, r.left)
  end)

  it("shows in change sets what changes, takes a token once, and refuses what is not due", function()
    local r = scenario "change_sets"
    assert.same({ 1, "CREATE_PENDING", "REVIEW_IN_PROGRESS", { "data" } }, { r.ids, r.pending, r.review, r.names })
    assert.same({ "AlreadyExistsException", "InvalidChangeSetStatus", "ValidationError", "ChangeSetNotFound" },
      { r.again[1], r.early[1], r.busy[1], r.lost[1] })
    assert.matches("is in CREATE_IN_PROGRESS state and can not be updated%.$", r.busy[2])
    assert.same({ "FAILED", "The submitted information didn't contain changes. Submit different information to create a change set." }, r.same)
    assert.same({ "ValidationError", "No updates are to be performed." }, r.update)
    assert.equals("Stack [data] already exists and cannot be created again with the changeSet [c8].", r.exists[2])
    assert.same({ { "Modify", "Bucket", "False", { { "VersioningConfiguration", '{"Status": "Enabled"}', "", "DirectModification" } } } }, r.off)
    assert.same({ "Modify", "Bucket", "True", { { "BucketName", "adt-data-2", "adt-data-3", "ParameterReference" } } }, r.other[1])
    assert.same({ "Modify", "OnlyByTls", "True" }, { r.other[2][1], r.other[2][2], r.other[2][3] })
    assert.same({ "Bucket", "adt-data-2", "{{changeSet:KNOWN_AFTER_APPLY}}", "ResourceReference" }, r.other[2][4][1])
    assert.same({ { "Modify", "Bucket", "False", { { "Tags", "[]", '[{"Key": "a", "Value": "b"}]', "DirectModification" } } } }, r.tags)
    assert.same({ "c", "same", "off", "other", "tags" }, r.listed)
    assert.same({ "UPDATE_COMPLETE", { "adt-data-3" } }, r.replaced)
  end)

  it("refuses in AWS's words before anything is made", function()
    local r = scenario "refusals"
    assert.same({ "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]" }, r.capability)
    local words = {
      yaml = "Template format error: YAML not well-formed. (line 2, column 1)",
      json = "Template format error: JSON not well-formed. (line 1, column 15)",
      empty = "Template format error: At least one Resources member must be defined.",
      type = "Template format error: Unrecognized resource types: [AWS::EC2::Nonsense]",
      reference = "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template",
      attribute = "Template error: resource A does not support attribute type Nope in Fn::GetAtt",
      circle = "Circular dependency between resources: [A, B]",
      missing = "Parameters: [BucketName] must have values",
      unknown = "Parameters: [Colour] do not exist in the template",
      value = "Parameter 'Versions' must be one of AllowedValues",
      pattern = "Parameter 'BucketName' must match pattern ^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
      nameless = "Stack with id nobody does not exist",
      eventless = "Stack [nobody] does not exist",
    }
    for name, text in pairs(words) do
      assert.same({ "ValidationError", text }, r[name])
    end
    assert.equals(0, r.stacks)
    assert.matches("Member must have length less than or equal to 51200$", r.large)
    assert.equals("A private bucket for distributed training", r.by_url)
    assert.equals("S3 error: Access Denied\nFor m", r.no_url)
    assert.same({ "FAILED", "Parameter validation failed: parameter value us-east-1z for parameter name Zones does not exist" }, r.zone)
    assert.same({ "ROLLBACK_COMPLETE", { { "A", "CREATE_FAILED", "Properties validation failed for resource A with message:\n"
      .. "#: extraneous key [Cidr] is not permitted" } } }, r.property)
  end)

  it("does not delete what is protected, full or in use", function()
    local r = scenario "deletions"
    assert.same({ "ValidationError", "Stack [net] cannot be deleted while TerminationProtection is enabled" }, r.protected)
    assert.same({ true, "efa", "ELB app/x", "amazon-elb" }, r.seen)
    assert.equals("DELETE_FAILED", r.stuck)
    local said = {}
    for _, e in ipairs(r.why) do said[e[1]] = e[3] end
    assert.matches("The subnet 'subnet%-%x+' has dependencies and cannot be deleted%.", said.PrivateSubnet1)
    assert.matches("resource sg%-%x+ has a dependent object", said.EfaGroup)
    assert.is_nil(said.Vpc)
    assert.matches("The following resource%(s%) failed to delete: %[.*PrivateSubnet1.*%]%. ", said.net)
    assert.same({ "DELETE_COMPLETE", true }, { r.gone, r.by_id })
    assert.equals("DELETE_FAILED", r.full[1])
    assert.matches('The bucket you tried to delete is not empty %(Service: S3, Status Code: 409', r.full[2][1][3])
    assert.equals("DELETE_COMPLETE", r["end"])
    assert.same(NOTHING, r.left)
  end)

  it("sees what was changed behind a stack's back", function()
    local r = scenario "drift"
    assert.same({ { "IN_SYNC", {} }, { "IN_SYNC", {} } }, r.before)
    assert.same({ "DRIFTED", { Vpc = { "MODIFIED", { "/EnableDnsHostnames" } }, EfaIn = { "DELETED", {} } } }, r.after[1])
    assert.same({ "DRIFTED", { Bucket = { "MODIFIED", { "/PublicAccessBlockConfiguration" } }, OnlyByTls = { "DELETED", {} } } }, r.after[2])
  end)

  it("makes a stack in a stack, whose events carry the token and whose failure is the outer one's", function()
    local r = scenario "nested"
    assert.same({ "CREATE_COMPLETE", "arn:aws:s3:::adt-data-7", true, 8 }, r.first)
    assert.same({ "DELETE_COMPLETE", "DELETE_COMPLETE" }, r["end"])
    assert.equals("ROLLBACK_COMPLETE", r.failed)
    assert.matches("^Embedded stack arn:.* was not successfully created: The following resource%(s%) failed to create: %[OnlyByTls%]%.", r.why[1][3])
    assert.same({ "templates" }, r.buckets)
  end)

  it("has quotas, capacity and bad days as it is told", function()
    local r = scenario "limits"
    assert.same({ 2, 0 }, r.quotas)
    assert.same({ "ROLLBACK_COMPLETE", { "NatAddress" } }, r.addresses)
    assert.same({ "VpcLimitExceeded", "The maximum number of VPCs has been reached." }, r.vpcs)
    assert.same({ { "us-east-1c" }, { "cr-1" }, { { 0 }, { 1 } } }, { r.offers, r.reservations, r.blocks })
    assert.same({ true, true, true, true, true, true }, r.zones)
    assert.same({ { "Throttling", "Rate exceeded" }, true }, r.throttled)
    assert.equals("ConnectionClosedError", r.cut[1][1])
    assert.same({ "ExpiredToken", "RequestExpired", "ExpiredToken", "ExpiredToken" }, r.expired)
    assert.equals(1, r.fresh)
    local calls = {}
    for _, entry in ipairs(peer:log()) do calls[entry.operation] = entry.service end
    assert.same({ "cloudformation", "ec2", "servicequotas", "sts" },
      { calls.DescribeStackEvents, calls.DescribeVpcs, calls.GetServiceQuota, calls.GetCallerIdentity })
  end)
end)
