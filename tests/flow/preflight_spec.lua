--- What is asked before anything is made: reservations, prices, types, and answers that may not be had.
local aws = require "adt.aws"
local cloudpeer = require "cloudpeer"
local errors = require "adt.error"
local instances = require "adt.aws.instances"
local json = require "adt.json"
local testpython = require "testpython"

local why = cloudpeer.missing()
local peer

setup(function() peer = not why and cloudpeer.start() end)
teardown(function() if peer then peer:__close() end end)
before_each(function() if why then pending(why) else peer:reset() end end)
after_each(function() if peer then cloudpeer.no_leaks() end end)

local function where()
  return { endpoint = peer.url, credentials = peer.keys, retry = { mode = "off" } }
end

local function ask(options)
  options.region, options.client = peer.region, where()
  return aws.preflight(options)
end

local function refused(options)
  local found, err = errors.try(ask, options)
  assert.is_nil(found)
  return err
end

local function deny(service, operation)
  peer:control { fault = "error", service = service, operation = operation, status = 403, code = "UnauthorizedOperation", message = "no" }
end

local function finding(found, what)
  for _, f in ipairs(found.findings) do
    if f.what:find(what, 1, true) then return f end
  end
end

local BLOCK = { CapacityReservationId = "cr-0123456789abcdef0", InstanceType = "p5.48xlarge", AvailabilityZone = "us-east-1b",
  State = "active", TotalInstanceCount = 4, AvailableInstanceCount = 3, ReservationType = "capacity-block",
  StartDate = "2026-11-24T11:30:00Z", EndDate = "2026-12-01T11:30:00Z" }

local function with(changes)
  local r = {}
  for k, v in pairs(BLOCK) do r[k] = v end
  for k, v in pairs(changes or {}) do r[k] = v end
  peer:control { reservations = { r } }
  return { zones = { "us-east-1b" }, reservation = r.CapacityReservationId, nodes = 3, instance = "p5.48xlarge" }
end

describe("a capacity reservation", function()
  before_each(function()
    if not why then peer:control { offers = { ["p5.48xlarge"] = { "us-east-1a", "us-east-1b" } } } end
  end)

  it("that serves is told with what is free and until when", function()
    local found = ask(with())
    local f = finding(found, "the capacity reservation")
    assert.is_true(f.ok)
    assert.matches("block, active in us-east-1b, 3 of 4 free, 2026-11-24T11:30:00Z to 2026-12-01T11:30:00Z", f.evidence, 1, true)
    assert.equal("p5.48xlarge", found.reservation.InstanceType)
    assert.is_true(finding(ask(with { State = "scheduled", AvailableInstanceCount = 0 }), "the capacity reservation").ok)
  end)

  it("that does not is an error of capacity that says why", function()
    for text, changes in pairs { ["has 2 of 4 free, and 3 are needed"] = { AvailableInstanceCount = 2 }, ["is expired"] = { State = "expired" },
      ["is for p4d.24xlarge"] = { InstanceType = "p4d.24xlarge" }, ["is in us-east-1a"] = { AvailabilityZone = "us-east-1a" } } do
      local err = refused(with(changes))
      assert.same({ "capacity", "ReservationUnfit" }, { err.cause, err.code })
      assert.matches(text, err.message, 1, true)
    end
    local options = with()
    options.reservation = "cr-00000000000000000"
    assert.equal("NoReservation", refused(options).code)
  end)
end)

describe("what may not be asked", function()
  it("is told and stops nothing", function()
    deny("ec2", "DescribeInstanceTypes")
    deny("ec2", "DescribeAvailabilityZones")
    deny("ec2", "DescribeInstanceTypeOfferings")
    deny("ec2", "DescribeVpcs")
    local found = ask { zones = { "us-east-1a" }, instance = "p5.48xlarge", needs = { vpcs = 1, addresses = 1 } }
    assert.matches("by the built-in table", finding(found, "p5.48xlarge is known").evidence, 1, true)
    local n = 0
    for _, f in ipairs(found.findings) do
      if f.ok == nil then n = n + 1 end
    end
    assert.equal(3, n)
    assert.is_true(finding(found, "Elastic IP").ok)
    assert.same({ "us-east-1a" }, found.zones)
  end)

  it("stops what cannot be decided without it, and still knows an id of a zone", function()
    deny("ec2", "DescribeAvailabilityZones")
    assert.equal("ZonesUnknown", refused({ count = 2 }).code)
    assert.equal("ZoneId", refused({ zones = { "use1-az1" } }).code)
  end)

  it("is no excuse for a failure", function()
    peer:control { fault = "error", service = "ec2", operation = "DescribeVpcs", status = 500, code = "InternalError", message = "oh" }
    assert.equal("service", refused({ needs = { vpcs = 1 } }).cause)
  end)
end)

describe("prices", function()
  it("are those of the price list, of what would be made", function()
    local product = json.encode { product = { productFamily = "NAT Gateway" }, terms = { OnDemand = { a = { priceDimensions = {
      b = { unit = "Hrs", description = "per NAT Gateway Hour", pricePerUnit = { USD = "0.2500000000" } },
      c = { unit = "Hrs", description = "free", pricePerUnit = { USD = "0.0000000000" } } } } } } }
    peer:control { fault = "answer", service = "pricing", body = json.encode { FormatVersion = "aws_v1", PriceList = { product } },
      headers = { ["Content-Type"] = "application/x-amz-json-1.1" } }
    local found = ask { needs = { addresses = 1 }, prices = true }
    assert.equal(1, #found.prices)
    assert.same({ what = "a NAT gateway costs", usd = 0.25, unit = "Hrs", text = "0.25 USD per Hrs: per NAT Gateway Hour" }, found.prices[1])
    local asked
    for _, entry in ipairs(peer:log()) do
      if entry.operation == "GetProducts" then asked = json.decode(entry.body) end
    end
    assert.equal("AmazonEC2", asked.ServiceCode)
    assert.same({ "productFamily", "NAT Gateway" }, { asked.Filters[1].Field, asked.Filters[1].Value })
    assert.same({ "regionCode", "us-east-1" }, { asked.Filters[2].Field, asked.Filters[2].Value })
  end)
end)

describe("the table of instance types", function()
  it("says what DescribeInstanceTypes says", function()
    if not testpython.find "moto.server" then return pending "needs moto" end
    local ec2 = aws.client("ec2", { region = peer.region, endpoint = peer.url, credentials = peer.keys })
    local compared = 0
    for _, name in ipairs(instances.names()) do
      local live, err = errors.try(instances.get, ec2, name)
      if live then
        compared = compared + 1
        local known = instances.known(name)
        for _, field in ipairs { "vcpus", "memory", "accelerator", "accelerators", "efa", "cards" } do
          assert.equal(live[field], known[field], name .. " " .. field)
        end
      else
        assert.equal("NoInstanceType", err.code)
      end
    end
    assert.is_true(compared >= 14, compared)
  end)

  it("agrees with the profiles that nodes are judged by", function()
    local profiles = require "adt.node.profiles"
    for _, name in ipairs(instances.names()) do
      local profile, known = profiles.find(name), instances.known(name)
      assert.equal(profile.gpus or profile.neuron, known.accelerators, name)
      -- A profile says how many a node has, the table how many it can have; nobody takes fewer of a type that has several.
      if (profile.efa or 0) > 1 then assert.equal(profile.efa, known.efa, name) end
    end
  end)
end)
