--- Pages and waiters over the wire: the client and the strict AWS of tests/peers.
local aws = require "adt.aws"
local awspeer = require "awspeer"
local models = require "adt.aws.models"
local pages = require "adt.aws.pages"
local support = require "support"
local waiter = require "adt.aws.waiter"

local refusal = support.refusal

local why, peer = awspeer.missing(), nil

setup(function()
  if not why then peer = awspeer.start() end
end)
teardown(function()
  if peer then peer:__close() end
end)
before_each(function()
  if why then
    pending(why)
  else
    peer:reset()
  end
end)
after_each(function() if peer then awspeer.no_leaks() end end)

-- A client that counts its calls.
local function caller(service)
  local made = aws.client(service, { region = peer.region, endpoint = peer.url, credentials = peer.keys })
  local counted = { service = service, calls = 0 }
  function counted.call(self, ...)
    self.calls = self.calls + 1
    return made:call(...)
  end
  return counted
end

local INSTANCES = pages.rule(models.find "ec2", "DescribeInstances")

describe("DescribeInstances", function()
  it("comes in pages of the size that is asked for", function()
    peer:control { services = { items = 25 } }
    local client, sizes = caller "ec2", {}
    for page in pages.iterate(client, "DescribeInstances", {}, INSTANCES, { page_size = 10 }) do
      sizes[#sizes + 1] = #page.Reservations
    end
    assert.same({ 10, 10, 5 }, sizes)
    assert.equal(3, client.calls)
    for _, entry in ipairs(peer:log()) do
      assert.is_true(entry.verified, entry.why)
    end
  end)

  it("gives its instances one by one", function()
    peer:control { services = { items = 25 } }
    local seen, client = {}, caller "ec2"
    local all = pages.items(client, "DescribeInstances", {}, INSTANCES, { page_size = 10, key = "Reservations[].Instances[]" })
    for instance in all do
      seen[#seen + 1] = instance.InstanceId
    end
    assert.equal(25, #seen)
    assert.equal(("i-%017x"):format(24), seen[25])
    assert.equal(3, client.calls)
    local few = 0
    client = caller "ec2"
    for _ in pages.items(client, "DescribeInstances", {}, INSTANCES, { page_size = 10, max_items = 10 }) do few = few + 1 end
    assert.same({ 10, 1 }, { few, client.calls })
  end)

  it("in one page ends with it", function()
    peer:control { services = { items = 3 } }
    local client = caller "ec2"
    for page in pages.iterate(client, "DescribeInstances", {}, INSTANCES) do
      assert.equal(3, #page.Reservations)
    end
    assert.equal(1, client.calls)
  end)

  it("refuses what the service refuses", function()
    local err = refusal(pages.iterate(caller "ec2", "DescribeInstances", { NextToken = "no such" }, INSTANCES))
    assert.equal("service", err.cause)
    assert.equal(400, err.status)
  end)
end)

describe("an EKS cluster", function()
  local function wait(name, cluster, options)
    local client, found = caller "eks", models.find "eks"
    options = options or {}
    options.delay = 0.02
    return waiter.wait(client, name, { name = cluster }, waiter.rule(found, name), options), client
  end

  it("is waited for until it is active", function()
    peer:control { services = { clusters = { c1 = { "CREATING", "CREATING", "ACTIVE" } } } }
    local response, client = wait("ClusterActive", "c1")
    assert.equal("ACTIVE", response.cluster.status)
    assert.equal("ZmFrZQ==", response.cluster.certificateAuthority.data)
    assert.equal(3, client.calls)
  end)

  it("that fails ends the wait", function()
    peer:control { services = { clusters = { c1 = { "CREATING", "FAILED" } } } }
    local err = refusal(wait, "ClusterActive", "c1")
    assert.equal("WaiterFailed", err.code)
    assert.equal("FAILED", err.state)
  end)

  it("that is not there is an error of the call, and what ClusterDeleted waits for", function()
    assert.equal("ResourceNotFoundException", refusal(wait, "ClusterActive", "none").code)
    assert.is_nil((wait("ClusterDeleted", "none")))
  end)

  it("that takes too long is a timeout with its state", function()
    peer:control { services = { clusters = { c1 = { "CREATING" } } } }
    local err = refusal(wait, "ClusterActive", "c1", { attempts = 3 })
    assert.equal("timeout", err.cause)
    assert.equal("CREATING", err.state)
    assert.equal(3, #peer:log())
  end)
end)
