--- Judging a machine by its profile: healthy ones pass, each fault has its severity, and nothing lowers what was found.
local check = require "adt.node.check"
local judge = require "adt.node.judge"
local profiles = require "adt.node.profiles"
local support = require "support"
local sysfs = require "sysfs_tree"
local ctask = require "adt.c.task"
local task = require "adt.task"

local function report(tree, options)
  options = options or {}
  options.root, options.retry = tree.path, options.retry or { times = 0, pause = 0 }
  return check.run(options)
end

local function finding(r, name)
  for _, f in ipairs(r.findings) do
    if f.check == name and not f.ok then return f end
  end
  for _, f in ipairs(r.findings) do
    if f.check == name then return f end
  end
end

-- What did not hold, as "SEVERITY check".
local function bad(r)
  local list = {}
  for _, f in ipairs(r.findings) do
    -- A copy of a machine's files has no clock, so that is never known here.
    if not f.ok and f.check ~= "clock" then list[#list + 1] = f.severity .. " " .. f.check end
  end
  return list
end

describe("judging a node", function()
  after_each(support.no_leaks)

  it("finds nothing at a healthy p5.48xlarge and p4d.24xlarge", function()
    for _, make in ipairs { sysfs.p5, sysfs.p4d } do
      local t <close> = make()
      local r = report(t, { mounts = { "/fsx" } })
      assert.same({}, bad(r))
      assert.is_true(r.ok)
      assert.is_true(#r.findings > 20)
    end
  end)

  it("isolates a node that lacks a GPU and names the place", function()
    local t <close> = sysfs.p5()
    t:remove "/sys/bus/pci/devices/0000:64:00.0"
    local r = report(t)
    assert.same({ "ISOLATE GPU count" }, bad(r))
    local f = finding(r, "GPU count")
    assert.same({ 7, 8, "missing 0000:64:00.0" }, { f.found, f.expected, f.evidence })
    assert.equal("ISOLATE GPU count: 7, expected 8; missing 0000:64:00.0 (and 1 more)", r.reason)
  end)

  it("isolates a node that lacks an EFA device or whose driver is not bound to it", function()
    local t <close> = sysfs.p5()
    t:remove "/sys/class/infiniband/efa_3"
    assert.same({ "ISOLATE EFA verbs devices" }, bad(report(t)))
    t:remove "/sys/bus/pci/devices/0000:4f:1c.0"
    assert.same({ "ISOLATE EFA count", "ISOLATE EFA verbs devices" }, bad(report(t)))
  end)

  it("waits for EFA devices that come late, and no longer than for its tries", function()
    local t <close> = sysfs.p5()
    t:remove "/sys/bus/pci/devices/0000:4f:1c.0"
    local r
    task.all {
      function() r = report(t, { retry = { times = 3, pause = 0.3 } }) end,
      function()
        ctask.sleep(0.45)
        t:pci("0000:4f:1c.0", "0x1d0f", "0xefa2", "0x020000")
      end,
    }
    assert.is_true(r.ok, r.reason)
    t:remove "/sys/bus/pci/devices/0000:4f:1c.0"
    r = report(t, { retry = { times = 3, pause = 0.05 } })
    assert.equal("ISOLATE", r.severity)
    assert.is_true(r.seconds > 0.15)
  end)

  it("isolates a node with a port that is down, and only watches one that is slow", function()
    local t <close> = sysfs.p5()
    t:put("/sys/class/infiniband/efa_5/ports/1/state", "1: DOWN\n")
    local r = report(t)
    assert.same({ "ISOLATE EFA ports" }, bad(r))
    assert.equal("efa_5 state 1: DOWN", finding(r, "EFA ports").evidence)
    t:put("/sys/class/infiniband/efa_5/ports/1/state", "4: ACTIVE\n")
    t:put("/sys/class/infiniband/efa_5/ports/1/rate", "50 Gb/sec (4X FDR)\n")
    assert.same({ "MONITOR EFA rate" }, bad(report(t)))
  end)

  it("drains a node without its device nodes, modules or peer memory", function()
    local t <close> = sysfs.p5()
    t:put("/dev/infiniband/uverbs7", false)
    assert.same({ "DRAIN uverbs nodes" }, bad(report(t)))
    t:put("/dev/infiniband/uverbs7", "")
    t:put("/proc/modules", "nvidia 1 0 - Live 0x0\nib_core 1 0 - Live 0x0\n")
    t:remove "/sys/module"
    assert.same({ "DRAIN module efa", "DRAIN module ib_uverbs", "MONITOR module gdrdrv" }, bad(report(t)))
    t:put("/sys/class/infiniband/efa_0/device/p2p", "\n")
    t:put("/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.1.01  x\n")
    assert.equal("DRAIN", finding(report(t), "peer memory").severity)
  end)

  it("reboots a node with an Xid 79 and tells whose and what", function()
    local t <close> = sysfs.p5()
    t:log("NVRM: Xid (PCI:0000:53:00): 31, pid=8, name=python, Ch 00000010", "NVRM: Xid (PCI:0000:53:00): 79, pid=9, GPU has fallen off the bus.")
    local r = report(t)
    assert.equal("REBOOT", r.severity)
    assert.matches("^REBOOT GPU 0000:53:00: Xid 79; 1 time; NVRM: Xid %(PCI:0000:53:00%): 79", r.reason)
    assert.same({ "MONITOR GPU 0000:53:00", "REBOOT GPU 0000:53:00" }, bad(r))
  end)

  it("does not hold an Xid against a node that is older than the boot, the time asked for or the GPU's reset", function()
    local t <close> = sysfs.p5()
    t:log("NVRM: Xid (PCI:0000:53:00): 48, pid=8, DBE")
    assert.equal("RESET", report(t).severity)
    assert.is_true(report(t, { since = require("adt.time").now() - 60 }).ok)
    assert.is_true(report(t, { resets = { ["0000:53:00"] = 200 } }).ok)
    assert.is_false(report(t, { resets = { ["0000:64:00"] = 200 } }).ok)
  end)

  it("isolates a node whose Xid came back after two reboots", function()
    local t <close> = sysfs.p5()
    t:log("NVRM: Xid (PCI:0000:53:00): 48, pid=8, DBE")
    local had = { { bus = "0000:53:00", code = 48 } }
    assert.equal("RESET", report(t, { history = { { boot = "a", xids = had } } }).severity)
    assert.equal("ISOLATE", report(t, { history = { { boot = "a", xids = had }, { boot = "b", xids = had } } }).severity)
    local now = "11111111-2222-3333-4444-555555555555"
    assert.equal("RESET", report(t, { history = { { boot = now, xids = had }, { boot = "b", xids = had } } }).severity)
  end)

  it("reboots for an NVLink error that comes with a fatal one of a switch", function()
    local t <close> = sysfs.p5()
    t:log("NVRM: Xid (PCI:0000:53:00): 74, pid=8, NVLink: fatal error detected on link 3")
    assert.equal("RESET", report(t).severity)
    t:log("nvidia-nvswitch1: SXid (PCI:0000:0f:00.0): 20034, Fatal, Link 30 LTSSM Fault Up")
    assert.equal("REBOOT", report(t).severity)
  end)

  it("holds locked memory to 16777216 KiB or no limit", function()
    local t <close> = sysfs.p5()
    for limit, ok in pairs { [tostring(16777215 * 1024)] = false, [tostring(16777216 * 1024)] = true, unlimited = true, ["65536"] = false } do
      t:memlock(limit)
      local r = report(t)
      assert.equal(ok, finding(r, "memlock").ok, limit)
      assert.equal(ok and "PASS" or "DRAIN", finding(r, "memlock").severity)
    end
  end)

  it("drains for a mount that is asked for and is read-only, not there or no folder", function()
    local t <close> = sysfs.p5()
    assert.equal("not mounted", finding(report(t, { mounts = { "/home" } }), "mount /home").found)
    local mounts = t.path .. "/proc/self/mounts"
    support.write(mounts, (support.read(mounts):gsub("rw,flock", "ro,flock")))
    local r = report(t, { mounts = { "/fsx" } })
    assert.same({ "read-only", "DRAIN" }, { finding(r, "mount /fsx").found, r.severity })
    assert.is_true(report(t).ok)
    support.write(mounts, (support.read(mounts):gsub("ro,flock", "rw,flock")))
    t:remove "/fsx"
    t:fifo "/fsx"
    assert.equal("DRAIN", finding(report(t, { mounts = { "/fsx" } }), "mount /fsx").severity)
  end)

  it("drains for a mount that hangs, also one that nobody asked for", function()
    local found = { mounts = { ["/fsx"] = { path = "/fsx", type = "lustre", source = "10.0.0.1@tcp:/fsx", options = "rw", ro = false,
      room = { missing = "no answer within 10 s", hang = true } } } }
    for _, mounts in ipairs { {}, { "/fsx" } } do
      local f = finding({ findings = judge.judge(found, "none", { mounts = mounts }) }, "mount /fsx")
      assert.same({ "DRAIN", "does not answer", "its server 10.0.0.1@tcp:/fsx may be gone" }, { f.severity, f.found, f.hint })
    end
  end)

  it("asks for a reboot when the devices or modules cannot be asked because the kernel hangs", function()
    local hang = { missing = "no answer within 10 s", hang = true }
    for _, fact in ipairs { "pci", "verbs", "modules", "driver" } do
      local findings = judge.judge({ [fact] = hang }, profiles.find "p5.48xlarge")
      assert.equal("REBOOT", judge.worst(findings).severity, fact)
    end
  end)

  it("never passes a type without a profile, and says what to do", function()
    local t <close> = sysfs.p5()
    t:put("/sys/devices/virtual/dmi/id/product_name", "p9.99xlarge\n")
    local r = report(t)
    assert.same({ "DRAIN profile" }, bad(r))
    assert.equal("instance type 'p9.99xlarge'", finding(r, "profile").evidence)
    assert.is_nil(profiles.find "p9.99xlarge")
    assert.is_true(report(t, { profile = "none" }).ok)
    assert.is_true(report(t, { profile = "p5.48xlarge" }).ok)
    assert.equal("did you mean 'p5.48xlarge'?", support.refusal(check.run, { profile = "p5.48xlrage" }).hint)
  end)

  it("has the reference's numbers of GPUs and EFA devices", function()
    for kind, numbers in pairs { ["p4d.24xlarge"] = { 8, 4 }, ["p4de.24xlarge"] = { 8, 4 }, ["p5.48xlarge"] = { 8, 32 }, ["p5e.48xlarge"] = { 8, 32 },
      ["p5en.48xlarge"] = { 8, 16 }, ["p6-b200.48xlarge"] = { 8, 8 } } do
      local profile = profiles.get(kind)
      assert.same(numbers, { profile.gpus, profile.efa }, kind)
    end
  end)

  it("does not pass what it could not look at", function()
    local t <close> = sysfs.p5()
    t:remove "/sys/bus/pci"
    t:remove "/sys/class"
    t:put("/dev/kmsg", false)
    local r = report(t)
    assert.same({ "DRAIN PCI devices", "DRAIN verbs devices", "MONITOR kernel log" }, bad(r))
    assert.equal("MONITOR", judge.worst(judge.judge({}, "none")).severity)
  end)

  it("survives a machine whose every file is garbage, and passes nothing there", function()
    local t <close> = sysfs.p5()
    local pipe <close> = io.popen("find " .. support.quote(t.path) .. " -type f")
    for name in pipe:lines() do support.write(name, "\0\27[2J\xff garbage;;,,::\n\n1,2") end
    assert.same({ "DRAIN", "no profile" }, { report(t).findings[1].severity, report(t).findings[1].found })
    local r = report(t, { profile = "p5.48xlarge", mounts = { "/fsx" } })
    require("adt.json").encode(r)
    for _, name in ipairs { "GPU count", "EFA count", "EFA ports", "module ib_uverbs", "GPU driver", "fabric manager", "limits",
      "huge pages", "processors",
      "memory", "mount /fsx" } do
      local f = finding(r, name)
      assert.is_false(f and f.ok, name)
    end
  end)

  it("lets the worst finding count, wherever it stands and whatever is found after it", function()
    local function of(...)
      local findings = {}
      for i, word in ipairs { ... } do findings[i] = { check = "c" .. i, ok = word == "PASS", severity = word, found = word } end
      return judge.worst(findings).severity
    end
    for _, order in ipairs { { "ISOLATE", "MONITOR", "PASS" }, { "ISOLATE", "PASS", "MONITOR" }, { "MONITOR", "ISOLATE", "PASS" },
      { "MONITOR", "PASS", "ISOLATE" }, { "PASS", "ISOLATE", "MONITOR" }, { "PASS", "MONITOR", "ISOLATE" } } do
      assert.equal("ISOLATE", of(table.unpack(order)))
    end
    assert.equal("MONITOR", of("MONITOR", "PASS"))
  end)

  it("keeps every finding of a node with several faults, and the worst decides", function()
    local t <close> = sysfs.p5()
    t:memlock "65536"
    t:log "Out of memory: Killed process 4711 (python3) total-vm:1kB"
    t:log "NVRM: Xid (PCI:0000:ca:00): 54, aux power"
    t:put("/proc/42/comm", false)
    local r = report(t)
    table.sort(bad(r))
    assert.same({ "RESET fabric manager", "DRAIN memlock", "ISOLATE GPU 0000:ca:00", "MONITOR out of memory" }, bad(r))
    assert.equal("ISOLATE", r.severity)
  end)

  it("tells a file server that came back from one that is away", function()
    local t <close> = sysfs.p5()
    t:log("nfs: server 10.0.0.5 not responding, still trying")
    assert.equal("10.0.0.5", finding(report(t), "file servers").found)
    t:log("nfs: server 10.0.0.5 OK")
    assert.equal("10.0.0.5, back since", finding(report(t), "file servers").found)
  end)

  it("watches a clock that nobody keeps right or that is a second off", function()
    for _, case in ipairs { { true, 0.1, true }, { true, -1.5, false }, { false, 0, false } } do
      local f = finding({ findings = judge.judge({ clock = { source = "kernel", synchronised = case[1], offset = case[2] } }, "none") }, "clock")
      assert.same({ case[3], case[3] and "PASS" or "MONITOR" }, { f.ok, f.severity })
    end
    local near = { clock = { source = "chrony", synchronised = true, offset = 0.02 } }
    assert.is_false(finding({ findings = judge.judge(near, "none", { max_clock_offset = 0.01 }) }, "clock").ok)
  end)

  it("follows the numbers that its options give", function()
    local t <close> = sysfs.p5()
    local r = report(t, { mounts = { "/fsx" }, min_nofile = 1 << 21, min_hugepages = 6000, modules = { "lustre" }, min_free = 1 << 60,
      log = { oom = "DRAIN" } })
    for name, word in pairs { ["open files"] = "DRAIN", ["huge pages"] = "MONITOR", ["module lustre"] = "DRAIN", ["mount /fsx"] = "MONITOR" } do
      assert.equal(word, finding(r, name).severity, name)
    end
    t:log "Out of memory: Killed process 4711 (python3) total-vm:1kB"
    assert.equal("DRAIN", report(t, { log = { oom = "DRAIN" } }).severity)
    assert.is_true(report(t, { log = { oom = "PASS" } }).ok)
    assert.equal("usage", support.refusal(check.run, { log = { oom = "BAD" } }).cause)
    assert.equal("did you mean 'min_memlock'?", support.refusal(check.run, { min_memlok = 1 }).hint)
  end)

  it("watches versions that are older than the reference asks for", function()
    local t <close> = sysfs.p5()
    t:put("/usr/local/lib/libnccl.so.2.17.1", "")
    t:put("/opt/amazon/efa_installed_packages", "# EFA installer version: 1.28.0\n")
    assert.same({ "MONITOR NCCL version", "MONITOR EFA installer" }, bad(report(t)))
  end)

  it("gives a reason that Slurm takes: one line of 200 bytes of plain ASCII without quotes", function()
    local findings = { { check = "a 'b' \"c\"", ok = false, severity = "ISOLATE", found = ("x|\n\\\u{e9}"):rep(100), evidence = "e" },
      { check = "d", ok = false, severity = "MONITOR", found = 1 } }
    local reason = judge.reason(findings)
    assert.is_true(#reason <= 200)
    assert.is_nil(reason:find "[^\32-\126]")
    assert.is_nil(reason:find "[\"'`\\|]")
    assert.matches(" %(and 1 more%)$", reason)
  end)

  it("gives an error of cause node for a node that must not take jobs", function()
    local t <close> = sysfs.p5()
    assert.is_nil(check.error(report(t)))
    t:remove "/sys/bus/pci/devices/0000:64:00.0"
    local err = check.error(report(t))
    assert.same({ "node", "ISOLATE", "n1" }, { err.cause, err.code, err.where })
  end)
end)
