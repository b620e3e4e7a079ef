--- Pending values: what a plan may do with what is not made yet.
local pending = require "adt.pending"

local function ends_on(text, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(text, pending.plan_end(err))
  assert.equal("from here it depends on " .. text, tostring(err))
end

describe("a pending value", function()
  local vpc = pending.new "vpc"

  it("prints as its name, may be indexed and concatenated", function()
    assert.equal("<vpc>", tostring(vpc))
    assert.equal("<vpc.VpcId>", tostring(vpc.VpcId))
    assert.equal("<vpc.Subnets[1].Id>", tostring(vpc.Subnets[1].Id))
    assert.equal("arn:<vpc.Id>/x", tostring("arn:" .. vpc.Id .. "/x"))
    assert.equal("<vpc.Id> 5", ("%s %d"):format(vpc.Id, 5))
    assert.is_true(pending.is("x" .. vpc))
  end)

  it("ends the plan where it is called, compared by order, computed with, counted, walked or changed", function()
    for _, f in ipairs {
      function() vpc() end, function() return vpc.n < 1 end, function() return 1 <= vpc.n end, function() return vpc.n + 1 end,
      function() return 2 * vpc.n end, function() return -vpc.n end, function() return vpc.n // 2 end, function() return vpc.n & 1 end,
      function() return #vpc.n end, function() for _ in pairs(vpc.n) do print "never" end end, function() vpc.n.x = 1 end,
      function() for _ in ipairs(vpc.n) do end end,
      function() pending.guarding(function() for _ in ipairs(vpc.n) do print "never" end end) end,
    } do
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.matches("^vpc%.?n?", pending.plan_end(err))
    end
    local seen = {}
    pending.guarding(function() for i, v in ipairs { 7, 8 } do seen[i] = v end end)
    assert.same({ 7, 8 }, seen)
    ends_on("vpc.n", function() return 1 + vpc.n end)
  end)

  it("is found inside plain tables and becomes its text in what is printed", function()
    assert.equal("<vpc.Id>", tostring(pending.find { a = { 1, { vpc.Id } } }))
    assert.is_nil(pending.find { a = { 1 } })
    assert.same({ a = { "<vpc.Id>", 1 } }, pending.printable { a = { vpc.Id, 1 } })
  end)

  it("may be a part of a path, and ends the plan where a file of that path is asked for", function()
    local path = require "adt.path"
    assert.equal("<vpc.dir>/x", tostring(path.join(vpc.dir, "x")))
    assert.equal("/a/<vpc.dir>/x", tostring(path.join("/a/", vpc.dir, "x")))
    ends_on("<vpc.dir>/x", require("adt.fs").exists, path.join(vpc.dir, "x"))
  end)

  it("leaves other errors what they are", function()
    assert.is_nil(pending.plan_end "x")
    assert.is_nil(pending.plan_end(require("adt.error").new { cause = "usage", message = "x" }))
  end)
end)
