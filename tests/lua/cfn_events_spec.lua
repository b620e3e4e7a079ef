--- Following a stack: from the request on, with the stacks in it, by answers that no peer gives at will.
local errors = require "adt.error"
local events = require "adt.cfn.events"
local failure = require "adt.cfn.failure"

local ROOT, INNER = "arn:root", "arn:inner"

local before
setup(function() before, events.poll = events.poll, { first = 0.001, most = 0.002, factor = 1.5 } end)
teardown(function() events.poll = before end)

local function event(n, id, status, fields)
  local e = { EventId = "e" .. n, Timestamp = n, LogicalResourceId = id, ResourceStatus = status, ResourceType = "AWS::EC2::VPC",
    PhysicalResourceId = "", ClientRequestToken = "mine" }
  for k, v in pairs(fields or {}) do e[k] = v end
  return e
end

local function of_stack(n, status, fields)
  local e = event(n, "root", status, { PhysicalResourceId = ROOT, ResourceType = "AWS::CloudFormation::Stack" })
  for k, v in pairs(fields or {}) do e[k] = v end
  return e
end

-- A client that tells the events of `happened` (by stack, oldest first) up to the present round, two on a page.
local function client(happened, status)
  local cf = { service = "cloudformation", round = 0, read = 0 }
  function cf.DescribeStacks(self)
    self.round = self.round + 1
    local now = status[math.min(self.round, #status)]
    if type(now) == "table" then error(errors.new(now), 0) end
    return { Stacks = { { StackName = "root", StackId = ROOT, StackStatus = now } } }
  end
  function cf.pages(self, _, params)
    local list = {}
    for _, e in ipairs(happened[params.StackName] or {}) do
      if (e.round or 1) <= self.round then table.insert(list, 1, e) end
    end
    local at = 1
    return function()
      if at > #list then return nil end
      self.read = self.read + 1
      local page = { StackEvents = { list[at], list[at + 1] } }
      at = at + 2
      return page
    end
  end
  return cf
end

local function follow(cf, fields)
  local told = {}
  local o = { name = "root", id = ROOT, emit = function(e) told[#told + 1] = e.resource .. " " .. e.state end }
  for k, v in pairs(fields or {}) do o[k] = v end
  local stack, failures, skipped = events.follow(cf, o)
  return told, stack, failures, skipped
end

describe("following a stack", function()
  it("tells each event once, oldest first, from the mark on, and reads no page behind it", function()
    local old = {}
    for i = 1, 20 do old[i] = event(i, "O" .. i, "CREATE_COMPLETE") end
    old[21], old[22] = of_stack(21, "UPDATE_IN_PROGRESS"), event(22, "A", "UPDATE_COMPLETE", { round = 2 })
    old[23] = of_stack(23, "UPDATE_COMPLETE", { round = 2 })
    local cf = client({ [ROOT] = old }, { "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE" })
    local told, stack = follow(cf, { seen = "e20" })
    assert.same({ "root UPDATE_IN_PROGRESS", "A UPDATE_COMPLETE", "root UPDATE_COMPLETE" }, told)
    assert.equal("UPDATE_COMPLETE", stack.status)
    assert.is_true(cf.read <= 4, cf.read .. " pages")
  end)

  it("begins at its token where there is no mark", function()
    local told = follow(client({ [ROOT] = { of_stack(1, "CREATE_COMPLETE", { ClientRequestToken = "other" }), of_stack(2, "UPDATE_IN_PROGRESS"),
      of_stack(3, "UPDATE_COMPLETE") } }, { "UPDATE_COMPLETE" }), { token = "mine" })
    assert.same({ "root UPDATE_IN_PROGRESS", "root UPDATE_COMPLETE" }, told)
  end)

  it("does not take the state before the request for its end", function()
    local cf = client({ [ROOT] = { of_stack(1, "CREATE_COMPLETE"), of_stack(2, "UPDATE_IN_PROGRESS", { round = 3 }),
      of_stack(3, "UPDATE_COMPLETE", { round = 4 }) } }, { "CREATE_COMPLETE", "CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE" })
    local _, stack = follow(cf, { seen = "e1" })
    assert.equal("UPDATE_COMPLETE", stack.status)
  end)

  it("follows the stacks in it, whose own reason is the cause", function()
    local cf = client({
      [ROOT] = { of_stack(1, "CREATE_IN_PROGRESS"), event(2, "Inner", "CREATE_IN_PROGRESS", { ResourceType = "AWS::CloudFormation::Stack",
        PhysicalResourceId = INNER }), event(6, "Inner", "CREATE_FAILED", { ResourceType = "AWS::CloudFormation::Stack", PhysicalResourceId = INNER,
        ResourceStatusReason = "Embedded stack arn:inner was not successfully created" }),
        event(6, "Other", "CREATE_FAILED", { EventId = "e6b", ResourceStatusReason = "Resource creation cancelled" }),
        of_stack(7, "ROLLBACK_IN_PROGRESS"), event(8, "Vpc", "DELETE_FAILED", { ResourceStatusReason = "in use" }), of_stack(9, "ROLLBACK_FAILED") },
      [INNER] = { event(0, "Before", "CREATE_COMPLETE"), event(4, "Zone", "CREATE_FAILED", { ResourceStatusReason = "no such zone" }) },
    }, { "ROLLBACK_FAILED" })
    local told, stack, failures = follow(cf)
    assert.same({ "Zone CREATE_FAILED" }, { told[#told] })
    local err = failure.of_deploy(stack, failures)
    assert.matches("failed: Zone (AWS::EC2::VPC): no such zone; its rollback failed too: Vpc (AWS::EC2::VPC): in use", err.message, 1, true)
  end)

  it("tells what was left when it was deleted", function()
    local told, stack, _, skipped = follow(client({ [ROOT] = { of_stack(1, "DELETE_IN_PROGRESS"), event(2, "Data", "DELETE_SKIPPED"),
      of_stack(3, "DELETE_COMPLETE") } }, { { cause = "service", code = "ValidationError", status = 400, attempts = 1,
      message = "Stack with id arn:root does not exist" } }), { deleting = true })
    assert.is_nil(stack)
    assert.equal(3, #told)
    assert.equal("Data", skipped[1].LogicalResourceId)
  end)

  it("lives through silence and throttling, and ends as unknown when that lasts", function()
    local silence = { cause = "service", code = "CouldNotConnect", message = "no answer", attempts = 3 }
    local busy = { cause = "service", code = "Throttling", message = "busy", status = 400, retryable = true, attempts = 10 }
    local happened = { [ROOT] = { of_stack(1, "CREATE_COMPLETE") } }
    local _, stack = follow(client(happened, { silence, busy, silence, "CREATE_COMPLETE" }))
    assert.equal("CREATE_COMPLETE", stack.status)
    local err = select(2, pcall(follow, client(happened, { silence }), { patience = 0.01 }))
    assert.same({ "unknown", "LostConnection" }, { err.cause, err.code })
    assert.matches("resume the run", err.hint)
  end)

  it("ends at once when it is not allowed to look, and says that the stack goes on", function()
    local err = select(2, pcall(follow, client({}, { { cause = "auth", code = "ExpiredToken", message = "expired", status = 403, attempts = 1 } })))
    assert.same({ "auth", "ExpiredToken" }, { err.cause, err.code })
    assert.matches("stack 'root' goes on", err.message)
  end)
end)
