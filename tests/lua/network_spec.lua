--- The ranges of a network: the reference's own for each number of zones, exact arithmetic, and refusals that help.
local errors = require "adt.error"
local network = require "adt.aws.network"

local function refused(f, ...)
  local value, err = errors.try(f, ...)
  assert.is_nil(value)
  assert.equal("usage", err.cause)
  return err
end

describe("the ranges of a network", function()
  it("are the reference's for two to six zones", function()
    local p = network.plan { zones = 6 }
    assert.same({
      vpc = "10.0.0.0/16", more = { "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16" },
      public = { "10.0.0.0/24", "10.0.1.0/24", "10.0.10.0/24", "10.0.11.0/24", "10.0.20.0/24", "10.0.21.0/24" },
      private = { "10.1.0.0/17", "10.1.128.0/17", "10.2.0.0/17", "10.2.128.0/17", "10.3.0.0/17", "10.3.128.0/17" },
    }, p)
    for zones, blocks in pairs { [2] = 1, [3] = 2, [4] = 2, [5] = 3, [6] = 3 } do
      local q = network.plan { zones = zones }
      assert.same({ table.unpack(p.more, 1, blocks) }, q.more)
      assert.same({ table.unpack(p.public, 1, zones) }, q.public)
      assert.same({ table.unpack(p.private, 1, zones) }, q.private)
    end
  end)

  it("are two halves for one zone", function()
    assert.same({ vpc = "10.0.0.0/16", more = { "10.1.0.0/16" }, public = { "10.0.0.0/17" }, private = { "10.1.0.0/17" } },
      network.plan { zones = 1 })
  end)

  it("never overlap, and lie within the VPC's blocks, whatever the base", function()
    for _, base in ipairs { "10.0.0.0/16", "10.252.0.0/16", "172.16.0.0/16", "100.124.0.0/16" } do
      for zones = 1, 6 do
        local p = network.plan { zones = zones, base = base }
        local subnets = table.move(p.private, 1, zones, zones + 1, { table.unpack(p.public) })
        for i = 1, #subnets do
          local home = i <= zones and { p.vpc } or p.more
          local inside = 0
          for _, block in ipairs(home) do inside = inside + (network.within(subnets[i], block) and 1 or 0) end
          assert.equal(1, inside, subnets[i])
          for j = i + 1, #subnets do assert.is_false(network.overlap(subnets[i], subnets[j])) end
        end
      end
    end
  end)

  it("leave no private range", function()
    assert.matches("10.252.0.0/16", refused(network.plan, { zones = 6, base = "10.253.0.0/16" }).hint)
    assert.equal("NoRoom", refused(network.plan, { zones = 1, base = "192.168.0.0/16" }).code)
    assert.matches("172.28.0.0/16", refused(network.plan, { zones = 5, base = "172.31.0.0/16" }).hint)
    assert.matches("no private range", refused(network.plan, { zones = 1, base = "11.0.0.0/16" }).message)
  end)

  it("stay apart from networks to be peered with", function()
    local err = refused(network.plan, { zones = 3, avoid = { "10.9.0.0/16", "10.2.128.0/20" } })
    assert.equal("RangesOverlap", err.code)
    assert.matches("10.2.0.0/16 overlaps with 10.2.128.0/20", err.message, nil, true)
    assert.equal("10.64.0.0/16", network.plan { zones = 3, base = "10.64.0.0/16", avoid = { "10.0.0.0/12" } }.vpc)
    assert.equal("RangesOverlap", refused(network.plan, { zones = 2, avoid = { "0.0.0.0/0" } }).code)
  end)

  it("are read strictly", function()
    for _, text in ipairs { "", "10.0.0.0", "10.0.0.0/33", "10.0.0.256/32", "10.00.0.0/16", "1.2.3/8", "10.0.0.0/16 ", "10.0.0.0/-1", "a" } do
      assert.equal("BadRange", refused(network.parse, text).code, text)
    end
    assert.matches("did you mean 10.0.0.0/16", refused(network.parse, "10.0.0.1/16").hint)
    assert.same({ first = 0, last = 0xffffffff, bits = 0 }, network.parse "0.0.0.0/0")
    assert.same({ first = 0xffffffff, last = 0xffffffff, bits = 32 }, network.parse "255.255.255.255/32")
    assert.matches("a /17", refused(network.plan, { zones = 2, base = "10.0.0.0/17" }).message)
  end)

  it("are for one to six zones", function()
    for _, zones in ipairs { 0, 7, -1, 2.5, "2" } do refused(network.plan, { zones = zones }) end
    assert.matches("zones", refused(network.plan, { zone = 2 }).hint)
  end)
end)
