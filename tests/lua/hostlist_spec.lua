--- Host lists as Slurm writes them.
local hostlist = require "adt.hostlist"

describe("a host list", function()
  it("names each host, keeping zeros in front", function()
    for text, hosts in pairs {
      ["n1"] = "n1", ["a,b"] = "a b", ["n[1-3]"] = "n1 n2 n3", ["n[08-11]"] = "n08 n09 n10 n11", ["n[1,3-4]-x"] = "n1-x n3-x n4-x",
      ["r[1-2]n[1-2]"] = "r1n1 r1n2 r2n1 r2n2", ["n[01-02],head"] = "n01 n02 head",
    } do
      assert.equal(hosts, table.concat(assert(hostlist.expand(text)), " "))
    end
  end)

  it("is refused with the reason when it is none", function()
    for text, reason in pairs { [""] = "no host", ["a,,b"] = "no host", ["n[1"] = "brackets", ["n1]"] = "brackets", ["n[[1]]"] = "brackets",
      ["n[3-1]"] = "no range", ["n[]"] = "no range", ["n[a-b]"] = "no range", ["a b"] = "no host" } do
      local hosts, why = hostlist.expand(text)
      assert.is_nil(hosts, text)
      assert.truthy(why:find(reason, 1, true), text .. ": " .. why)
    end
  end)

  it("names 65536 hosts at most, found out before they are made", function()
    assert.equal(65536, #hostlist.expand "n[1-65536]")
    for _, text in ipairs { "n[0-65536]", "n[1-999999999]", "a[1-300]b[1-300]", "a[1-99999]b[1-99999]c[1-99999]" } do
      local hosts, why = hostlist.expand(text)
      assert.is_nil(hosts)
      assert.matches("more than 65536 hosts", why)
    end
  end)

  it("refuses a host that a program would take for an option", function()
    local hosts, why = hostlist.expand "n1,-oProxyCommand=x"
    assert.is_nil(hosts)
    assert.matches("begins with", why)
  end)

  it("is folded from names, and gives them again", function()
    for hosts, text in pairs {
      ["n1"] = "n1", ["n001 n002 n003 n200"] = "n[001-003,200]", ["n8 n9 n10 n11"] = "n[8-11]", ["worker-1 worker-0"] = "worker-[1,0]",
      ["n1 n01"] = "n1,n01", ["r1n1 r1n2 r2n1"] = "r1n[1-2],r2n1", ["head n1 head"] = "head,n1,head",
    } do
      local names = {}
      for name in hosts:gmatch "%S+" do names[#names + 1] = name end
      assert.equal(text, hostlist.fold(names))
      assert.same(names, hostlist.expand(text))
    end
    local text, why = hostlist.fold { "a,b" }
    assert.is_nil(text)
    assert.matches("no host", why)
    local many = hostlist.expand "n[1-65536]"
    assert.equal("n[1-65536]", hostlist.fold(many))
    many[65537] = "x"
    assert.matches("more than 65536 hosts", select(2, hostlist.fold(many)))
  end)
end)
