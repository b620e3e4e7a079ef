--- The kernel's log and NVIDIA's codes: every row of the tables, whose GPU it was, and summaries of bounded size.
local klog = require "adt.node.klog"
local severity = require "adt.node.severity"
local xid = require "adt.node.xid"

local function xid_line(code, rest, bus)
  return ("NVRM: Xid (PCI:%s): %d, %s"):format(bus or "0000:53:00", code, rest or "pid='<unknown>', name=<unknown>, text")
end

-- The severity of one line in a log of its own.
local function verdict(text, context)
  local event = klog.classify(text)
  assert.truthy(event, text)
  if event.class == "sxid" then
    return xid.classify_switch(event.code, event.variant).severity
  end
  context = context or {}
  context.variant = event.variant
  return xid.classify(event.code, context).severity
end

describe("Xids", function()
  local ROWS = {
    MONITOR = { 13, 31, 94, 8, 11, 25, 32, 39, 40, 41, 60, 68, 69, 70, 71, 72, 75, 76, 77, 80, 82, 86, 88, 89, 96, 105, 126, 135, 139, 14, 37, 38,
      43, 44, 66, 67, 106, 108, 121, 137, 141, 152, 153, 157, 160, 161, 63, 92, 93, 78, 162, 163, 164, 165, 142, 81, 125, 1, 9999 },
    RESET = { 48, 171, 172, 64, 95, 46, 62, 74, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158, 169, 45, 159 },
    REBOOT = { 79, 151, 167, 168 },
    ISOLATE = { 54 },
  }

  it("have the severity of their row", function()
    for word, list in pairs(ROWS) do
      for _, code in ipairs(list) do
        assert.equal(word, verdict(xid_line(code)), "Xid " .. code)
      end
    end
  end)

  it("that the reference leaves unknown have one: 45, 46, 62, 69, 78, 80, 167, 169, 171, 172", function()
    for _, code in ipairs { 45, 46, 62, 69, 78, 80, 167, 169, 171, 172 } do
      assert.is_nil(xid.classify(code).meaning:find "unknown", "Xid " .. code)
    end
  end)

  it("64 and 95 ask for a reboot on A100", function()
    for _, code in ipairs { 64, 95 } do
      assert.equal("REBOOT", verdict(xid_line(code), { gpu = "A100" }))
      assert.equal("RESET", verdict(xid_line(code), { gpu = "H100" }))
    end
  end)

  it("154 says itself what it asks for", function()
    for text, word in pairs { ["(Node Reboot Required)"] = "REBOOT", ["(GPU Reset Required)"] = "RESET", ["(Drain and Reset)"] = "RESET",
      ["(Drain P2P)"] = "RESET", ["(None)"] = "MONITOR" } do
      assert.equal(word, verdict(xid_line(154, "GPU recovery action changed from 0x0 (None) to 0x1 " .. text)), text)
    end
  end)

  it("of NVLink 5 follow the word Fatal or Nonfatal", function()
    assert.equal("RESET", verdict(xid_line(149, "NETIR Fatal XC0 i0 Link 00 (0x00000001 0x0 0x0 0x0)")))
    assert.equal("MONITOR", verdict(xid_line(144, "SAW Nonfatal XC1 i2 Link 03 (0x00000001 0x0 0x0 0x0)")))
  end)

  it("159 is harmless where unified memory is not in use", function()
    assert.equal("MONITOR", verdict(xid_line(159), { uvm = false }))
  end)

  it("are known by the GPU's address in whatever form", function()
    assert.same({ class = "xid", bus = "0000:53:00", code = 79 }, klog.classify(xid_line(79)))
    assert.equal("0000:9b:00", klog.classify(xid_line(79, "x", "0000:9B:00.0")).bus)
    assert.equal("0000:9b:00", klog.bus "9B:00.0")
  end)

  it("79 is meant by a GPU that has fallen off the bus without a code", function()
    assert.same({ class = "xid", bus = "0000:53:00", code = 79 }, klog.classify "NVRM: GPU 0000:53:00.0: GPU has fallen off the bus.")
  end)

  it("escalate when a reboot did not cure them, but not the job's", function()
    assert.equal("RESET", xid.escalate("RESET", 48, 1))
    assert.equal("ISOLATE", xid.escalate("RESET", 48, 2))
    assert.equal("ISOLATE", xid.escalate("REBOOT", 79, 1))
    assert.equal("MONITOR", xid.escalate("MONITOR", 94, 9))
  end)
end)

describe("SXids", function()
  local function line(code, rest) return ("nvidia-nvswitch2: SXid (PCI:0000:c3:00.0): %d, %s"):format(code, rest) end

  it("are never merely a warning when they are fatal", function()
    assert.equal("MONITOR", verdict(line(12028, "Non-fatal, Link 44 egress non-posted PRIV error (First)")))
    assert.equal("RESET", verdict(line(20034, "Fatal, Link 30 LTSSM Fault Up")))
    for _, code in ipairs { 10003, 12020, 22003, 22011, 23001, 23009, 23017 } do
      assert.equal("REBOOT", verdict(line(code, "Fatal, Link 0 x")))
    end
    assert.equal("RESET", verdict(line(20034, "a line cut off")))
  end)

  it("are counted once: the lines of details that follow are no SXids", function()
    assert.is_nil(klog.classify(line(20034, "Severity 1 Engine instance 30 Sub-engine instance 00")))
    assert.is_nil(klog.classify(line(20034, "Data {0x00000001, 0x00000001}")))
  end)
end)

describe("the kernel's log", function()
  it("is read in the forms of /dev/kmsg and of dmesg", function()
    assert.same({ t = 12.5, level = 6, facility = 0, seq = 7, text = "hello; world" }, klog.parse "6,7,12500000,-;hello; world")
    assert.same({ t = 12.5, level = 4, facility = 0, text = "hello" }, klog.parse "<4>[   12.500000] hello")
    assert.same({ t = 12.5, text = "hello" }, klog.parse "[   12.500000] hello")
    assert.is_nil(klog.parse " SUBSYSTEM=pci")
    assert.is_nil(klog.parse "")
  end)

  it("tells each class of trouble from what is none", function()
    local CASES = {
      ["Out of memory: Killed process 4711 (python3) total-vm:1kB"] = { class = "oom", key = "python3" },
      ["Memory cgroup out of memory: Killed process 12 (sh (x)) total-vm:1kB"] = { class = "oom", key = "sh (x" },
      ["INFO: task kworker/3:1:411 blocked for more than 122 seconds."] = { class = "hung", key = "kworker/3:1" },
      ["watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [x:1]"] = { class = "hung" },
      ["nfs: server 10.0.0.5 not responding, still trying"] = { class = "remote", key = "10.0.0.5" },
      ["nfs: server 10.0.0.5 OK"] = { class = "remote_back", key = "10.0.0.5" },
      ["Lustre: fsx-OST0001-osc-ffff: Connection to fsx-OST0001 (at 10.0.0.1@tcp) was lost; in progress"] =
        { class = "remote", key = "fsx-OST0001-osc-ffff" },
      ["Lustre: fsx-OST0001-osc-ffff: Connection restored to  (at 10.0.0.1@tcp)"] = { class = "remote_back", key = "fsx-OST0001-osc-ffff" },
      ["EXT4-fs error (device nvme1n1): ext4_find_entry:1455: inode #2"] = { class = "filesystem", key = "nvme1n1" },
      ["EXT4-fs (nvme1n1): Remounting filesystem read-only"] = { class = "filesystem", key = "nvme1n1" },
      ["XFS (md0): Metadata I/O error in \"xfs_buf\" at daddr 0x1"] = { class = "filesystem", key = "md0" },
      ["blk_update_request: I/O error, dev nvme3n1, sector 123"] = { class = "io", key = "nvme3n1" },
      ["mce: [Hardware Error]: Machine check events logged"] = { class = "hardware" },
      ["{1}[Hardware Error]: event severity: fatal"] = { class = "hardware_fatal" },
      ["EDAC MC0: 1 CE memory read error on CPU_SrcID#0"] = { class = "hardware", key = "MC0" },
      ["EDAC MC1: 1 UE memory read error on CPU_SrcID#1"] = { class = "hardware_fatal", key = "MC1" },
      ["Memory failure: 0x3e4a: recovery action for dirty LRU page: Recovered"] = { class = "memory_failure", key = "3e4a" },
      ["pcieport 0000:00:1c.0: AER: Corrected error message received from 0000:01:00.0"] = { class = "pcie" },
      ["pcieport 0000:00:1c.0: AER: Uncorrectable (Fatal) error message received"] = { class = "pcie_fatal", key = "0000:00:1c.0" },
      ["efa 0000:4f:19.0 efa_0: Failed to process command CREATE_QP"] = { class = "efa", key = "0000:4f:19.0" },
    }
    for text, expected in pairs(CASES) do
      assert.same(expected, klog.classify(text), text)
    end
    for _, text in ipairs { "NVRM: loading NVIDIA UNIX Open Kernel Module", "efa 0000:4f:19.0 efa_0: IB device registered",
      "pcieport 0000:00:1c.0: AER: enabled with IRQ 24",
      "EXT4-fs (nvme0n1p1): mounted filesystem with ordered data mode", "nvme nvme0: 8/0/0 default/read/poll queues",
      "NFS: Registering the id_resolver key type" } do
      assert.is_nil(klog.classify(text), text)
    end
  end)

  it("does not take for the kernel's what a program writes into it", function()
    local collector = klog.collector()
    collector:line("12,5,1000000,-;" .. xid_line(79))
    assert.equal(0, #collector:finish().entries)
    collector:line("4,6,1000000,-;" .. xid_line(79))
    assert.equal(1, #collector:finish().entries)
  end)

  it("sums up: how often, when first and last, and some lines", function()
    local collector = klog.collector()
    for i = 1, 50 do collector:line(("4,%d,%d000000,-;%s"):format(i, i, xid_line(31, "pid=" .. i))) end
    local entry = collector:finish().entries[1]
    assert.same({ 50, 1.0, 50.0, 3 }, { entry.count, entry.first, entry.last, #entry.lines })
  end)

  it("keeps its summary bounded and a bad Xid in it, whatever floods it", function()
    local collector = klog.collector()
    for i = 1, 5000 do
      collector:line(("4,%d,%d,-;%s"):format(i, i, xid_line(31, "x", ("0000:%04x:00"):format(i))))
      collector:line(("4,%d,%d,-;Out of memory: Killed process %d (p%d) x"):format(i, i, i, i))
    end
    collector:line("4,9,9,-;" .. xid_line(79))
    local summary = collector:finish()
    assert.is_true(#summary.entries < 300)
    local seen
    for _, entry in ipairs(summary.entries) do seen = seen or entry.code == 79 end
    assert.is_true(seen)
  end)

  it("says when its beginning is lost", function()
    local collector = klog.collector()
    collector:line "6,812,5000000,-;x"
    assert.equal(812, collector:finish().lost)
  end)

  -- Times of Xid 45 and of another Xid on the same GPU.
  local function cleanup(...)
    local collector = klog.collector()
    for _, event in ipairs { ... } do
      collector:line(("4,1,%d000000,-;%s"):format(event[1], xid_line(event[2], "x", event[3])))
    end
    for _, entry in ipairs(collector:finish().entries) do
      if entry.code == 45 then return entry.alone end
    end
  end

  it("knows whether another Xid within a minute explains an Xid 45", function()
    assert.is_false(cleanup({ 100, 31 }, { 160, 45 }))
    assert.is_false(cleanup({ 100, 45 }, { 160, 31 }))
    assert.is_true(cleanup { 100, 45 })
    assert.is_true(cleanup({ 100, 31 }, { 161, 45 }))
    assert.is_true(cleanup({ 100, 45 }, { 161, 31 }))
    assert.is_true(cleanup({ 100, 31, "0000:64:00" }, { 100, 45 }))
    assert.is_true(cleanup({ 100, 45 }, { 500, 45 }, { 501, 31 }))
    assert.is_false(cleanup({ 100, 45 }, { 110, 45 }, { 120, 31 }))
  end)
end)

describe("severities", function()
  it("are in order, and the worse of two is the worse whichever comes first", function()
    for i, a in ipairs(severity.ORDER) do
      for k, b in ipairs(severity.ORDER) do
        assert.equal(severity.ORDER[math.max(i, k)], severity.worse(a, b))
      end
      assert.is_string(severity.ACTION[a])
    end
    assert.is_false(severity.fails "MONITOR")
    assert.is_true(severity.fails "DRAIN")
  end)
end)
