--- `adtlua node`: what people, Slurm and programs get of it, and with which exit status.
local json = require "adt.json"
local support = require "support"
local sysfs = require "sysfs_tree"

local function node(tree, ...)
  return support.adtlua { "node", "check", "--root", tree.path, ... }
end

describe("adtlua node check", function()
  it("ends with 0 and says nothing on standard error for a healthy node", function()
    local t <close> = sysfs.p5()
    local r = node(t, "--mount", "/fsx")
    assert.same({ 0, "" }, { r.code, r.stderr })
    assert.matches("PASS +GPU count +8 +8", r.stdout)
    -- The clock of a copy of files is not known.
    assert.matches("MONITOR: keep the node and watch it\n$", r.stdout)
  end)

  it("ends with 7 and one line of reason for a node that must not take jobs", function()
    local t <close> = sysfs.p5()
    t:log("NVRM: Xid (PCI:0000:53:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.")
    local r = node(t)
    assert.equal(7, r.code)
    assert.matches("^REBOOT GPU 0000:53:00: Xid 79; [^\n\"']+\n$", r.stderr)
    assert.matches("REBOOT: drain, then reboot", r.stdout)
  end)

  it("gives JSON with a version, the findings and the facts", function()
    local t <close> = sysfs.p4d()
    local r = node(t, "-o", "json")
    local report = json.decode(r.stdout)
    assert.same({ 0, 1, "node_check", "n1", "p4d.24xlarge", "MONITOR", true },
      { r.code, report.v, report.kind, report.host, report.profile, report.severity, report.ok })
    assert.equal(8, #report.facts.pci.gpus)
    for _, f in ipairs(report.findings) do
      assert.equal(f.ok, f.severity == "PASS", f.check)
    end
  end)

  it("takes --mount several times and needs all of them", function()
    local t <close> = sysfs.p5()
    local r = node(t, "--mount", "/fsx", "--mount=/home")
    assert.equal(7, r.code)
    assert.matches("^DRAIN mount /home: not mounted", r.stderr)
  end)

  it("counts the kernel's log from a moment or so long back", function()
    local t <close> = sysfs.p5()
    t:log("NVRM: Xid (PCI:0000:53:00): 48, pid=8, DBE")
    assert.equal(7, node(t, "--since", "boot").code)
    assert.equal(7, node(t, "--since", "15m").code)
    assert.equal(0, node(t, "--since", "1m").code)
    assert.equal(7, node(t, "--since", "2001-01-01T00:00:00Z").code)
  end)

  it("writes to each mount when it is told to try its speed", function()
    local t <close> = sysfs.p5()
    local r = node(t, "--mount", "/fsx", "--speed")
    assert.matches("PASS +speed of /fsx +[%d.]+ %aiB/s written", r.stdout)
  end)

  it("has an answer within its time, whatever hangs", function()
    local t <close> = sysfs.p5()
    t:fifo "/proc/driver/nvidia/version"
    t:fifo "/dev/kmsg"
    local began = os.time()
    assert.equal(0, node(t, "--within", "20").code)
    assert.is_true(os.time() - began <= 20)
  end)

  it("passes nothing of a machine that tells nothing", function()
    local mute <close> = support.tempdir()
    local r = support.adtlua { "node", "check", "--root", tostring(mute), "--profile", "p5.48xlarge" }
    assert.equal(7, r.code)
    assert.equal(1, select(2, r.stdout:gsub("PASS", "")), r.stdout)
    assert.matches("PASS +profile +p5.48xlarge", r.stdout)
  end)

  it("of a machine without a profile is no success unless none is wanted", function()
    local t <close> = sysfs.p5()
    t:put("/sys/devices/virtual/dmi/id/product_name", "x.large\n")
    assert.equal(7, node(t).code)
    assert.equal(0, node(t, "--profile", "none").code)
    assert.equal(0, node(t, "--profile", "p5.48xlarge").code)
  end)

  it("refuses what it does not know", function()
    for _, case in ipairs { { { "node" }, "node needs a verb" }, { { "node", "chekc" }, "did you mean 'check'?" },
      { { "node", "check", "--profile", "p5.48xlrge" }, "did you mean 'p5.48xlarge'?" }, { { "node", "check", "-o", "xml" }, "text or json" },
      { { "node", "check", "--within", "0" }, "must be a second or more" }, { { "node", "check", "--since", "x" }, "is not a duration" },
      { { "node", "check", "--speed" }, "tries each --mount" }, { { "node", "check", "--mont", "/x" }, "did you mean --mount?" } } do
      local r = support.adtlua(case[1])
      assert.equal(2, r.code, table.concat(case[1], " "))
      assert.truthy(r.stderr:find(case[2], 1, true), r.stderr)
    end
  end)

  it("shows examples in its help", function()
    local r = support.adtlua { "node", "--help" }
    assert.equal(0, r.code)
    assert.matches("adtlua node check %-%-profile p5.48xlarge", r.stdout)
  end)
end)

describe("adtlua node facts", function()
  it("tells the facts of a machine and judges nothing", function()
    local t <close> = sysfs.p5()
    t:remove "/sys/bus/pci/devices/0000:64:00.0"
    local r = support.adtlua { "node", "facts", "--root", t.path, "-o", "json" }
    local told = json.decode(r.stdout)
    assert.same({ 0, 1, "node_facts", 7 }, { r.code, told.v, told.kind, #told.facts.pci.gpus })
    r = support.adtlua { "node", "facts", "--root", t.path }
    assert.matches("clock +missing: a copy of", r.stdout)
  end)
end)
