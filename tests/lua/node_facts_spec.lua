--- Facts of a machine: what a tree of files says, and that nothing that hangs, lacks or lies stops the rest.
local facts = require "adt.node.facts"
local support = require "support"
local sysfs = require "sysfs_tree"
local time = require "adt.time"

local function gather(tree, options)
  options = options or {}
  options.root = tree.path
  return facts.gather(options)
end

describe("node facts", function()
  after_each(support.no_leaks)

  it("tell a p5.48xlarge's devices, modules, driver, libraries and limits", function()
    local t <close> = sysfs.p5()
    local f = gather(t)
    assert.equal("p5.48xlarge", f.instance.type)
    assert.equal("i-0123456789abcdef0", f.instance.id)
    assert.same({ 8, 4, 32, 0 }, { #f.pci.gpus, #f.pci.nvswitches, #f.pci.efa, #f.pci.neuron })
    assert.equal("0000:53:00.0", f.pci.gpus[1])
    assert.same({ 32, 32 }, { #f.verbs.devices, #f.verbs.nodes })
    assert.equal("efa", f.verbs.devices[1].driver)
    assert.equal("NVIDIA", f.verbs.devices[1].p2p)
    assert.same({ loaded = true, users = 32, version = "2.17.1" }, f.modules.efa)
    assert.is_false(f.modules.lustre.loaded)
    assert.same({ version = "570.133.20", open = true }, f.driver)
    assert.same({ "2.29.3" }, f.libraries.found.nccl.versions)
    assert.same({ "1.30.0" }, f.libraries.found.fabric.versions)
    assert.equal("1.47.0", f.libraries.efa_installer)
    assert.same({ soft = "unlimited", hard = "unlimited" }, f.limits.memlock)
    assert.equal(1048576, f.limits.nofile.soft)
    assert.same({ 192, 192, 2 }, { f.cpu.online, f.cpu.present, f.cpu.numa_nodes })
    assert.equal(2097152000 * 1024, f.memory.total)
    assert.equal(5128, f.hugepages.free)
    assert.equal("lustre", f.mounts["/fsx"].type)
    assert.is_true(f.mounts["/fsx"].room.total > 0)
    assert.is_true(f.services.fabric_manager)
    assert.is_false(f.services.kubelet)
    assert.equal(0, #f.kernel_log.entries)
  end)

  it("of this very machine agree with what the shell says", function()
    local f = facts.gather {}
    local said = support.run { "sh", "-c", "uname -r; cat /proc/sys/kernel/random/boot_id; ulimit -n; getconf _NPROCESSORS_ONLN" }
    local release, boot, files, cpus = said.stdout:match "^(%S+)\n(%S+)\n(%S+)\n(%S+)"
    assert.same({ release, boot, files, cpus },
      { f.kernel.release, f.boot.id, tostring(f.limits.nofile.soft), tostring(f.cpu.online) })
  end)

  it("that cannot be had say why and are never zero or absent", function()
    local t <close> = sysfs.p5()
    t:remove "/sys/bus/pci"
    t:put("/proc/meminfo", "garbage\n")
    t:put("/proc/self/limits", false)
    t:put("/dev/kmsg", false)
    t:put("/sys/devices/system/cpu/online", "0-x\n")
    local f = gather(t)
    assert.equal("/sys/bus/pci/devices is not there", f.pci.missing)
    assert.equal("/proc/meminfo does not say how much there is", f.memory.missing)
    assert.equal("/proc/self/limits is not there", f.limits.missing)
    assert.equal("/dev/kmsg is not there", f.kernel_log.missing)
    assert.equal("/sys/devices/system/cpu/online is no list", f.cpu.missing)
    assert.truthy(f.clock.missing)
    for name, fact in pairs(f) do
      assert.is_table(fact, name)
    end
  end)

  it("that are garbage show their first bytes safely", function()
    local t <close> = sysfs.p5()
    t:put("/proc/driver/nvidia/version", "\27[2Jowned\0\n")
    assert.equal("/proc/driver/nvidia/version says '\\x1B[2Jowned\\x00', which names no version", gather(t).driver.missing)
  end)

  it("do not wait for a pipe that nobody writes to", function()
    local t <close> = sysfs.p5()
    for _, name in ipairs { "/proc/driver/nvidia/version", "/dev/kmsg", "/proc/meminfo", "/proc/self/mounts" } do t:fifo(name) end
    local began = time.monotonic()
    local f = gather(t)
    assert.is_true(time.monotonic() - began < 15)
    assert.equal("/dev/kmsg is a fifo", f.kernel_log.missing)
    for _, name in ipairs { "memory", "mounts" } do assert.truthy(f[name].missing, name) end
    assert.equal(32, #f.pci.efa)
  end)

  it("are given up when there is no answer in time, and the process that asks is ended", function()
    local fact = facts.ask({ module = "adt.node.gather.machine", name = "host", root = "/" }, 0)
    assert.same({ missing = "no answer within 0 s", hang = true }, fact)
  end)

  it("tell why when the asking itself fails", function()
    local fact = facts.ask({ module = "adt.node.gather.nothing", name = "host", root = "/" }, 5)
    assert.matches("module 'adt.node.gather.nothing' not found", fact.missing)
    assert.is_nil(fact.hang)
  end)

  -- A kernel's file system that nobody serves: what asks it waits in the kernel, as with a server that is gone.
  it("of a mount whose server never answers are a value in time, and all others are there", function()
    local t <close> = sysfs.p5()
    local probe = io.open("/dev/fuse", "r+")
    if not probe then
      pending "needs /dev/fuse"
      return
    end
    probe:close()
    local process = require "adt.process"
    local server <close> = process.spawn { "/usr/bin/python3", "tests/lua/dead_mount.py", t.path .. "/fsx",
      stdin = "pipe", stdout = "pipe", stderr = "pipe" }
    if server:lines()() ~= "mounted" then
      pending("needs the right to mount: " .. tostring(server:lines "stderr"()))
      return
    end
    local _ <close> = setmetatable({}, { __close = function()
      server:close_stdin()
      server:wait()
    end })
    local began = time.monotonic()
    local f = gather(t, { each = 4 })
    assert.is_true(time.monotonic() - began < 15)
    assert.same({ missing = "no answer within 4 s", hang = true }, f.mounts["/fsx"].room)
    assert.is_true(f.mounts["/"].room.free > 0)
    assert.equal(8, #f.pci.gpus)
  end)

  it("of a mount that is dead are a value for that mount alone", function()
    local t <close> = sysfs.p5()
    t:remove "/fsx"
    t:fifo "/fsx"
    local f = gather(t)
    assert.equal("it is a fifo and no folder", f.mounts["/fsx"].room.missing)
    assert.is_true(f.mounts["/"].room.free > 0)
  end)

  it("of mounts know read-only ones, escaped names, hidden ones and those that are not there", function()
    local t <close> = sysfs.p5()
    t:put("/proc/self/mounts", "a /fsx lustre rw 0 0\nb /fsx lustre ro,flock 0 0\nserver:/x /my\\040data nfs4 rw 0 0\nproc /proc proc rw 0 0\n")
    local f = gather(t, { mounts = { "/nowhere" } })
    assert.same({ "b", true }, { f.mounts["/fsx"].source, f.mounts["/fsx"].ro })
    assert.equal("nfs4", f.mounts["/my data"].type)
    assert.equal("nothing is mounted there", f.mounts["/nowhere"].missing)
    assert.is_nil(f.mounts["/proc"])
  end)

  it("of a mount's speed leave no file behind", function()
    local t <close> = sysfs.p5()
    local f = gather(t, { mounts = { "/fsx" }, speed = true, only = { "mounts" } })
    assert.equal(64 << 20, f.mounts["/fsx"].speed.bytes)
    assert.is_true(f.mounts["/fsx"].speed.write > 0)
    assert.equal(".keep\n", support.run { "ls", "-A", t.path .. "/fsx" }.stdout)
  end)

  it("of the kernel's log begin at the moment that is asked for", function()
    local t <close> = sysfs.p5()
    t:log("NVRM: Xid (PCI:0000:53:00): 79, pid=1, GPU has fallen off the bus.")
    assert.equal(1, #gather(t, { only = { "kernel_log" } }).kernel_log.entries)
    -- The tree's machine has been up for 1000 s; the line is of the 101st.
    local now = time.now()
    assert.equal(1, #gather(t, { only = { "kernel_log" }, since = now - 950 }).kernel_log.entries)
    assert.equal(0, #gather(t, { only = { "kernel_log" }, since = now - 850 }).kernel_log.entries)
  end)

  it("of the clock are read from what chrony prints", function()
    local chrony = require("adt.node.gather.machine").chrony
    assert.same({ offset = 0.000123, synchronised = true },
      chrony "7F7F0101,,8,1795542951.545753462,0.000123000,0.000000000,0.000000000,0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal\n")
    assert.is_false(chrony("7F7F0101,,10,0.0,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Not synchronised\n").synchronised)
    assert.is_nil(chrony "506 Cannot talk to daemon\n")
    assert.is_nil(chrony "")
  end)

  it("refuse what they do not know", function()
    assert.equal("did you mean 'kernel_log'?", support.refusal(facts.gather, { only = { "kernel_lgo" } }).hint)
    assert.equal("did you mean 'within'?", support.refusal(facts.gather, { wihtin = 1 }).hint)
  end)
end)
