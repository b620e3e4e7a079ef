--- A fleet compared with itself: the minority is named, a tie is said to be one, silence and garbage stand apart.
local fleet = require "adt.node.fleet"
local errors = require "adt.error"
local json = require "adt.json"

local function facts(changes)
  local f = {
    host = { name = "h" .. tostring(changes.n) }, boot = { id = "b" .. tostring(changes.n) },
    instance = { type = "p5.48xlarge", id = "i-" .. tostring(changes.n) },
    kernel = { release = "6.8" }, driver = { version = "550.2" }, pci = { gpus = { 1, 2 }, efa = { 1 }, neuron = {} }, cpu = { online = 192 },
    memory = { total = 2 << 40 }, hugepages = { total = 0 }, libraries = { found = {} }, modules = { efa = { loaded = true, version = "2.17" } },
    limits = { memlock = { soft = "unlimited" }, nofile = { soft = 1024 } }, mounts = { ["/fsx"] = { type = "lustre", ro = false } },
    clock = { synchronised = true },
  }
  for k, v in pairs(changes) do f[k] = v end
  f.n = nil
  return f
end

local function answer(n, changes)
  changes = changes or {}
  changes.n = n
  return { node = "n" .. n, report = { facts = facts(changes) } }
end

local function texts(result)
  local list = {}
  for i, d in ipairs(result.differences) do list[i] = d.text end
  return list
end

describe("a fleet", function()
  it("of equal nodes has no differences", function()
    local result = fleet.compare { answer(1), answer(2), answer(3) }
    assert.same({ {}, 0, 0, {} }, { texts(result), #result.silent, #result.garbage, result.unknown })
  end)

  it("names the minority with what the most have", function()
    local list = {}
    for n = 1, 16 do list[n] = answer(n, (n == 3 or n == 7 or n == 9) and { driver = { version = "535.1" } } or nil) end
    local result = fleet.compare(list)
    assert.same({ "3 of 16 have driver 535.1: n[3,7,9] (most: 550.2)" }, texts(result))
    assert.same({ "n3", "n7", "n9" }, result.differences[1].nodes)
  end)

  it("without a majority says so and names all", function()
    local result = fleet.compare { answer(1), answer(2), answer(3, { driver = { version = "535.1" } }),
      answer(4, { driver = { version = "535.1" } }) }
    assert.same({ "driver: no majority: 2 have 535.1 (n[3-4]), 2 have 550.2 (n[1-2])" }, texts(result))
    assert.is_false(result.differences[1].majority)
  end)

  it("tells a half from more than a half", function()
    local two = fleet.compare { answer(1), answer(2, { kernel = { release = "5" } }), answer(3), answer(4, { kernel = { release = "4" } }) }
    assert.matches("no majority", texts(two)[1])
    local three = fleet.compare { answer(1), answer(2, { kernel = { release = "5" } }), answer(3) }
    assert.same({ "1 of 3 has kernel 5: n2 (most: 6.8)" }, texts(three))
  end)

  it("takes memory for equal within a hundredth", function()
    local result = fleet.compare { answer(1), answer(2, { memory = { total = (2 << 40) - (5 << 30) } }), answer(3, { memory = { total = 1 << 40 } }) }
    assert.same({ "1 of 3 has memory 1.0 TiB: n3 (most: 2.0 TiB)" }, texts(result))
  end)

  it("sees a module, a mount and a clock that differ", function()
    local result = fleet.compare { answer(1), answer(2), answer(3, { modules = { efa = { loaded = false } }, clock = { synchronised = false },
      mounts = { ["/fsx"] = { type = "lustre", ro = true }, ["/x"] = { missing = "nothing is mounted there" } } }) }
    assert.same({ "1 of 3 has modules none: n3 (most: efa 2.17)", "1 of 3 has mounts /fsx (lustre, read-only): n3 (most: /fsx (lustre))",
      "1 of 3 has clock not kept right: n3 (most: kept right)" }, texts(result))
  end)

  it("compares those that can tell, and names those that cannot", function()
    local result = fleet.compare { answer(1), answer(2, { driver = { missing = "not there" } }), answer(3, { driver = false }) }
    assert.same({}, texts(result))
    assert.same({ driver = { "n2", "n3" } }, result.unknown)
  end)

  it("finds two nodes that are one machine", function()
    local result = fleet.compare { answer(1), answer(2, { host = { name = "h1" }, instance = { type = "p5.48xlarge", id = "i-1" } }) }
    assert.same({ "2 nodes have the host name h1: n[1-2]", "2 nodes have the instance id i-1: n[1-2]" }, texts(result))
  end)

  it("does not take on trust what a node says: its verdict follows its severity, its reason is one safe line", function()
    local function told(changes)
      local report = { v = 1, kind = "node_check", facts = {}, findings = {}, severity = "ISOLATE", ok = true, reason = "x'\n$(reboot)\"" }
      for k, v in pairs(changes) do report[k] = v end
      return fleet.read({ { node = "a", ok = true, code = 0, stdout = json.encode(report), stderr = "" } })[1]
    end
    assert.same({ false, "x ?$(reboot) " }, { told({}).report.ok, told({}).report.reason })
    assert.truthy(told({ severity = "FINE" }).garbage)
    local odd = told { facts = { memory = { total = "much" }, instance = { type = { 1 }, id = {} },
      host = { name = 5 }, modules = { efa = 1 }, pci = 7 } }
    assert.same({}, texts(fleet.compare { odd, odd }))
    local half = told { facts = { memory = { total = 0.5 } } }
    assert.same({}, texts(fleet.compare { half, told { facts = { memory = { total = 7 } } } }))
  end)

  it("keeps silence and garbage apart from answers, and shows garbage safely", function()
    local report = { v = 1, kind = "node_check", facts = {}, findings = {}, severity = "PASS", reason = "healthy" }
    local read = fleet.read {
      { node = "a", ok = true, code = 0, stdout = json.encode(report), stderr = "" },
      { node = "b", ok = false, code = 7, stdout = json.encode(report), stderr = "ISOLATE x" },
      { node = "c", ok = false, error = errors.new { cause = "unknown", code = "NoAnswer", message = "no answer within 60 s" } },
      { node = "d", ok = true, code = 0, stdout = "\27[2J<html>" .. ("x"):rep(200), stderr = "" },
      { node = "e", ok = false, code = 127, stdout = "", stderr = "adtlua: not found\n" },
      { node = "f", ok = true, code = 0, stdout = '{"v":2,"kind":"node_check"}', stderr = "" },
      { node = "g", ok = true, code = 0, stdout = "", stderr = "" },
      { node = "h", ok = false, signal = "SIGKILL", stdout = "", stderr = "" },
      { node = "i", ok = true, code = 0, stdout = json.encode(report):sub(1, 40), stderr = "" },
    }
    local kinds = {}
    for i, a in ipairs(read) do kinds[i] = a.node .. (a.report and " report" or a.silent and " silent" or " garbage") end
    assert.same({ "a report", "b report", "c silent", "d garbage", "e garbage", "f garbage", "g garbage", "h silent", "i garbage" }, kinds)
    assert.equal("no answer within 60 s", read[3].silent)
    assert.matches("^'\\x1B%[2J<html>x+' and %d+ bytes more$", read[4].garbage)
    assert.equal("'adtlua: not found\\x0A'", read[5].garbage)
    local result = fleet.compare(read)
    assert.same({ 2, 5 }, { #result.silent, #result.garbage })
  end)
end)
