--- Waiters by the models' rules: which answer decides, what failures tell, pauses and limits.
local clock = require "adt.c.clock"
local errors = require "adt.error"
local models = require "adt.aws.models"
local support = require "support"
local task = require "adt.task"
local waiter = require "adt.aws.waiter"

local refusal = support.refusal

after_each(support.no_leaks)

local function service_error(code, status, fields)
  local err = { cause = "service", code = code, status = status, message = code .. " happened" }
  for k, v in pairs(fields or {}) do err[k] = v end
  return errors.new(err)
end

-- A caller with answers in a row; the last one stays. Errors among them are raised.
local function caller(answers, service)
  local made = { calls = 0, service = service, times = {} }
  function made.call(self, operation, params)
    self.calls, self.operation, self.params = self.calls + 1, operation, params
    self.times[self.calls] = clock.monotonic()
    local answer = answers[math.min(self.calls, #answers)]
    if errors.is(answer) or type(answer) == "string" then
      error(answer, 0)
    end
    return answer
  end
  return made
end

local FAST = { delay = 0.008 }

local function wait(service, name, answers, options)
  local client = caller(answers, service)
  local response = waiter.wait(client, name, { Name = "x" }, models.find(service).waiters()[name], options or FAST)
  return response, client
end

local function instances(...)
  local out = {}
  for i, state in ipairs { ... } do
    out[i] = { InstanceId = "i-" .. i, State = { Name = state }, StateReason = state == "terminated" and
      { Code = "Server.InsufficientInstanceCapacity", Message = "no capacity there" } or nil }
  end
  return { Reservations = { { Instances = out } } }
end

local function cluster(status)
  return { cluster = { name = "c", status = status } }
end

describe("a waiter", function()
  it("asks until the state is there and returns that answer", function()
    local response, client = wait("eks", "ClusterActive", { cluster "CREATING", cluster "CREATING", cluster "ACTIVE" })
    assert.equal("ACTIVE", response.cluster.status)
    assert.equal(3, client.calls)
    assert.equal("DescribeCluster", client.operation)
    assert.same({ Name = "x" }, client.params)
  end)

  it("needs every resource in the state, and at least one", function()
    local _, client = wait("ec2", "InstanceRunning", {
      { Reservations = {} }, {}, instances("pending", "running"), instances("running", "running") })
    assert.equal(4, client.calls)
  end)

  it("fails when one resource has a bad state, and says which and why", function()
    local err = refusal(wait, "ec2", "InstanceRunning", { instances("running", "terminated") })
    assert.equal("service", err.cause)
    assert.equal("WaiterFailed", err.code)
    assert.equal("terminated", err.state)
    assert.equal("no capacity there", err.reason)
    assert.matches("ec2 InstanceRunning will not come: .*State.Name is terminated %(no capacity there%)", err.message)
  end)

  it("takes the reason that stands beside the state", function()
    local answer = { Stacks = {
      { StackName = "other", StackStatus = "CREATE_COMPLETE", StackStatusReason = "all is well" },
      { StackName = "ours", StackStatus = "CREATE_FAILED", StackStatusReason = "no such subnet" } } }
    assert.equal("no such subnet", refusal(wait, "cloudformation", "StackCreateComplete", { answer }).reason)
    local fsx = { FileSystems = { { Lifecycle = "FAILED", FailureDetails = { Message = "quota of storage" } } } }
    assert.equal("quota of storage", refusal(wait, "fsx", "FileSystemAvailable", { fsx }).reason)
    local hyperpod = { ClusterStatus = "Failed", FailureMessage = ("x"):rep(1000) }
    assert.is_true(#refusal(wait, "sagemaker", "ClusterInService", { hyperpod }).reason < 320)
  end)

  it("may wait for an error, or go on after one", function()
    local gone = service_error("ResourceNotFoundException", 404)
    local response, client = wait("eks", "ClusterDeleted", { cluster "DELETING", gone })
    assert.is_nil(response)
    assert.equal(2, client.calls)
    response = wait("iam", "RoleExists", { service_error("NoSuchEntity", 404), { Role = {} } })
    assert.is_table(response)
    local err = refusal(wait, "cloudformation", "StackCreateComplete", { service_error("ValidationError", 400) })
    assert.equal("WaiterFailed", err.code)
    assert.equal("ValidationError", err.inner.code)
    assert.matches("failed with ValidationError: ValidationError happened", err.message)
  end)

  it("decides by the status of answers", function()
    local _, client = wait("s3", "BucketExists", { service_error("NotFound", 404), service_error("Moved", 301) })
    assert.equal(2, client.calls)
    assert.is_table(wait("s3", "BucketExists", { {} }))
    assert.is_nil((wait("s3", "ObjectNotExists", { {}, service_error("NotFound", 404) })))
  end)

  it("passes on errors that no acceptor knows, at once", function()
    local denied = service_error("AccessDenied", 403, { request_id = "r-1" })
    assert.equal(denied, refusal(wait, "eks", "ClusterActive", { cluster "CREATING", denied }))
    local usage = errors.new { cause = "usage", code = "ResourceNotFoundException", message = "unknown member" }
    assert.equal(usage, refusal(wait, "eks", "ClusterDeleted", { usage }))
    assert.matches("a bug", refusal(wait, "eks", "ClusterActive", { "a bug" }).message)
  end)

  it("knows an expression that does not apply yet as not there yet", function()
    -- length() of what the answer lacks is an error of JMESPath.
    local _, client = wait("fsx", "FileSystemDeleted", { {}, { FileSystems = { { Lifecycle = "DELETING" } } }, { FileSystems = {} } })
    assert.equal(3, client.calls)
  end)

  it("works through Batch, FSx, HyperPod, Grafana, CodeBuild and Image Builder by rules of our own", function()
    local function jobs(...)
      local out = {}
      for i, status in ipairs { ... } do out[i] = { status = status, statusReason = status == "FAILED" and "node died" or nil } end
      return { jobs = out }
    end
    for _, case in ipairs {
      { "batch", "JobsSucceeded", { jobs("RUNNING", "SUCCEEDED"), jobs("SUCCEEDED", "SUCCEEDED") } },
      { "batch", "ComputeEnvironmentsDeleted", { { computeEnvironments = { { status = "DELETING" } } },
        { computeEnvironments = {} } } },
      { "fsx", "FileSystemAvailable", { { FileSystems = { { Lifecycle = "CREATING" } } }, { FileSystems = { { Lifecycle = "AVAILABLE" } } } } },
      { "fsx", "FileSystemDeleted", { { FileSystems = { { Lifecycle = "DELETING" } } }, service_error("FileSystemNotFound", 400) } },
      { "sagemaker", "ClusterInService", { { ClusterStatus = "RollingBack" }, { ClusterStatus = "InService" } } },
      { "sagemaker", "ClusterDeleted", { { ClusterStatus = "Deleting" }, service_error("ResourceNotFound", 400) } },
      { "grafana", "WorkspaceActive", { { workspace = { status = "CREATING" } }, { workspace = { status = "ACTIVE" } } } },
      { "codebuild", "BuildsSucceeded", { { builds = { { buildStatus = "IN_PROGRESS" } } }, { builds = { { buildStatus = "SUCCEEDED" } } } } },
      { "imagebuilder", "ImageAvailable", { { image = { state = { status = "TESTING" } } }, { image = { state = { status = "AVAILABLE" } } } } },
    } do
      local _, client = wait(table.unpack(case))
      assert.equal(2, client.calls, case[2])
    end
    assert.equal("node died", refusal(wait, "batch", "JobsSucceeded", { jobs("SUCCEEDED", "FAILED") }).reason)
    local image = { image = { state = { status = "FAILED", reason = "component x exited with 1" } } }
    assert.equal("component x exited with 1", refusal(wait, "imagebuilder", "ImageAvailable", { image }).reason)
  end)

  it("tells of every try", function()
    local seen = {}
    wait("eks", "ClusterActive", { cluster "CREATING", cluster "ACTIVE" }, {
      delay = 0.001, on_try = function(response, attempt) seen[attempt] = response.cluster.status end })
    assert.same({ "CREATING", "ACTIVE" }, seen)
  end)
end)

describe("its limit", function()
  it("is a number of tries", function()
    local client = caller({ cluster "CREATING" }, "eks")
    local err = refusal(waiter.wait, client, "ClusterActive", nil, models.find("eks").waiters().ClusterActive, {
      delay = 0.001, attempts = 3 })
    assert.equal(3, client.calls)
    assert.equal("timeout", err.cause)
    assert.equal("WaiterTimeout", err.code)
    assert.equal("CREATING", err.state)
    assert.matches("eks ClusterActive did not come in 3 tries .*cluster.status is CREATING", err.message)
    assert.matches("timeout = seconds", err.hint)
  end)

  it("is a time, with a last try at its end", function()
    local began = clock.monotonic()
    local client = caller { instances("pending", "running") }
    local err = refusal(waiter.wait, client, "InstanceRunning", nil, models.find("ec2").waiters().InstanceRunning, {
      delay = 10, timeout = 0.05 })
    assert.is_true(clock.monotonic() - began < 5)
    assert.equal(2, client.calls)
    assert.matches("is pending, running", err.message)
  end)

  it("is what the rule's attempts would take unless one is given", function()
    local rule = { operation = "X", delay = 0.01, maxAttempts = 3, acceptors = {
      { matcher = "path", argument = "S", expected = "on", state = "success" } } }
    local began = clock.monotonic()
    assert.equal("WaiterTimeout", refusal(waiter.wait, caller { { S = "off" } }, "X", nil, rule).code)
    local took = clock.monotonic() - began
    assert.is_true(took >= 0.03 and took < 3, took)
  end)

  it("says what the last error was where there was no answer", function()
    local err = refusal(waiter.wait, caller { service_error("NoSuchEntity", 404) }, "RoleExists", nil,
      models.find("iam").waiters().RoleExists, { delay = 0.001, attempts = 2 })
    assert.matches("the last call failed with NoSuchEntity", err.message)
    assert.equal("NoSuchEntity", err.inner.code)
  end)

  it("does not outlive its task", function()
    local client = caller { cluster "CREATING" }
    task.race {
      function() waiter.wait(client, "ClusterActive", nil, models.find("eks").waiters().ClusterActive) end,
      function() task.sleep(0.01) end,
    }
    assert.equal(1, client.calls)
  end)
end)

describe("its pauses", function()
  it("begin short, double up to the delay and differ by up to a quarter", function()
    local client = caller { cluster "CREATING" }
    refusal(waiter.wait, client, "ClusterActive", nil, models.find("eks").waiters().ClusterActive, { delay = 0.16, attempts = 6 })
    for i, whole in ipairs { 0.02, 0.04, 0.08, 0.16, 0.16 } do
      local took = client.times[i + 1] - client.times[i]
      assert.is_true(took >= whole * 0.75 - 0.002, ("pause %d took %.3f of %.3f"):format(i, took, whole))
      assert.is_true(took < whole + 0.5, ("pause %d took %.3f of %.3f"):format(i, took, whole))
    end
  end)
end)

describe("what is asked wrongly", function()
  it("is an unknown waiter, with the nearest and all", function()
    local err = refusal(waiter.rule, models.find "eks", "ClusterActiv")
    assert.equal("UnknownWaiter", err.code)
    assert.matches("did you mean 'ClusterActive'%? It has AddonActive, ", err.hint)
    assert.matches("It has none", refusal(waiter.rule, models.find "sts", "X").hint)
    assert.equal(models.find("eks").waiters().ClusterActive, waiter.rule(models.find "eks", "ClusterActive"))
  end)

  it("is an option", function()
    local rule = models.find("eks").waiters().ClusterActive
    assert.matches("did you mean 'timeout'", refusal(waiter.wait, caller {}, "X", nil, rule, { timout = 1 }).hint)
    for _, options in ipairs { { timeout = 0 }, { delay = -1 }, { attempts = "3" }, { timeout = 0 / 0 }, { on_try = 1 } } do
      assert.equal("BadArgument", refusal(waiter.wait, caller {}, "X", nil, rule, options).code)
    end
  end)

  it("is a rule", function()
    local good = { matcher = "path", argument = "a", expected = 1, state = "success" }
    for _, change in ipairs {
      { matcher = "regex" }, { state = "maybe" }, { matcher = "status", expected = "200" }, { argument = "a[" },
    } do
      local acceptor = {}
      for k, v in pairs(good) do acceptor[k] = v end
      for k, v in pairs(change) do acceptor[k] = v end
      local rule = { operation = "X", delay = 1, maxAttempts = 1, acceptors = { acceptor } }
      assert.equal("config", refusal(waiter.wait, caller { {} }, "X", nil, rule).cause)
    end
    for _, rule in ipairs { {}, { operation = "X", acceptors = {}, delay = 0, maxAttempts = 1 }, { operation = "X", delay = 1 } } do
      assert.equal("config", refusal(waiter.wait, caller { {} }, "X", nil, rule).cause)
    end
  end)
end)
