--- Stand-in trees for the specs of node health: what /proc, /sys, /dev and /opt of a machine say, as files below a folder.
local lfs = require "lfs"
local support = require "support"

local M = {}

local Tree = {}
Tree.__index = Tree

local function make_parents(root, name)
  local at = root
  for part in name:match("^(.*)/[^/]*$"):gmatch "[^/]+" do
    at = at .. "/" .. part
    lfs.mkdir(at)
  end
end

--- Writes a file; false removes what is there.
---@param name string from the tree's root
---@param text string|false
function Tree:put(name, text)
  local path = self.path .. name
  os.remove(path)
  if text then
    make_parents(self.path, name)
    support.write(path, text)
  end
end

--- Makes a symbolic link.
function Tree:link(name, target)
  make_parents(self.path, name)
  assert(lfs.link(target, self.path .. name, true))
end

--- Makes a FIFO, whose reader waits for ever if it lets itself.
function Tree:fifo(name)
  os.remove(self.path .. name)
  make_parents(self.path, name)
  assert(os.execute("mkfifo " .. support.quote(self.path .. name)))
end

--- Removes a file or folder with all below it.
function Tree:remove(name)
  assert(os.execute("rm -rf " .. support.quote(self.path .. name)))
end

function Tree:pci(bus, vendor, device, class)
  local at = "/sys/bus/pci/devices/" .. bus .. "/"
  self:put(at .. "vendor", vendor .. "\n")
  self:put(at .. "device", device .. "\n")
  self:put(at .. "class", class .. "\n")
end

--- An EFA device on the bus with its verbs device and node.
function Tree:efa(i, bus)
  self:pci(bus, "0x1d0f", "0xefa2", "0x020000")
  local at = ("/sys/class/infiniband/efa_%d/"):format(i)
  self:put(at .. "device/p2p", "NVIDIA\n")
  self:put(at .. "ports/1/state", "4: ACTIVE\n")
  self:put(at .. "ports/1/phys_state", "5: LinkUp\n")
  self:put(at .. "ports/1/rate", "400 Gb/sec (4X NDR)\n")
  self:link(at .. "device/driver", "../../../bus/pci/drivers/efa")
  self:put("/dev/infiniband/uverbs" .. i, "")
end

--- Adds lines to the kernel's log, in the form of /dev/kmsg, 100 s after the boot and later.
function Tree:log(...)
  for _, text in ipairs { ... } do
    self.records = self.records + 1
    local file <close> = assert(io.open(self.path .. "/dev/kmsg", "ab"))
    file:write(("%d,%d,%d,-;%s\n"):format(4, self.records, (100 + self.records) * 1000000, text))
  end
end

local LIMITS = [[
Limit                     Soft Limit           Hard Limit           Units
Max processes             unlimited            unlimited            processes
Max open files            1048576              1048576              files
Max locked memory         %s            %s            bytes
]]

--- Sets the limit of locked memory.
function Tree:memlock(value)
  self:put("/proc/self/limits", LIMITS:format(value, value))
end

local function base(tree, kind, numa)
  tree:put("/proc/sys/kernel/hostname", "n1\n")
  tree:put("/proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n")
  tree:put("/proc/uptime", "1000.00 2000.00\n")
  tree:put("/proc/sys/kernel/osrelease", "6.8.0-1021-aws\n")
  tree:put("/proc/sys/kernel/yama/ptrace_scope", "0\n")
  tree:put("/sys/devices/virtual/dmi/id/product_name", kind .. "\n")
  tree:put("/sys/devices/virtual/dmi/id/board_asset_tag", "i-0123456789abcdef0\n")
  tree:put("/sys/devices/virtual/dmi/id/sys_vendor", "Amazon EC2\n")
  tree:put("/sys/devices/system/cpu/online", "0-191\n")
  tree:put("/sys/devices/system/cpu/present", "0-191\n")
  tree:put("/sys/devices/system/node/online", "0-" .. numa - 1 .. "\n")
  tree:put("/proc/meminfo", "MemTotal: 2097152000 kB\nMemAvailable: 2000000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
  tree:put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "5128\n")
  tree:put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "5128\n")
  tree:memlock "unlimited"
  tree:put("/proc/self/mounts", "/dev/nvme0n1p1 / ext4 rw,relatime 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n10.0.0.1@tcp:/fsx /fsx lustre rw,flock 0 0\n")
  tree:put("/fsx/.keep", "")
  tree:put("/dev/shm/.keep", "")
  tree:put("/sys/class/.keep", "")
  tree:put("/dev/kmsg", "6,0,0,-;Linux version 6.8.0-1021-aws\n")
  tree:put("/proc/17/comm", "slurmd\n")
end

local function gpu_software(tree)
  tree:put("/proc/modules", "nvidia_uvm 4000000 2 - Live 0x0\nnvidia 60000000 300 nvidia_uvm, Live 0x0\nefa 200000 32 - Live 0x0\n"
    .. "ib_uverbs 200000 1 efa, Live 0x0\nib_core 500000 2 efa, Live 0x0\ngdrdrv 30000 0 - Live 0x0\nefa_nv_peermem 30000 0 - Live 0x0\n")
  tree:put("/sys/module/efa/version", "2.17.1\n")
  tree:put("/sys/module/nvidia/version", "570.133.20\n")
  tree:put("/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.133.20  Release Build\nGCC version: gcc\n")
  tree:put("/proc/42/comm", "nv-fabricmanage\n")
  tree:put("/usr/local/lib/libnccl.so.2.29.3", "")
  tree:link("/usr/local/lib/libnccl.so.2", "libnccl.so.2.29.3")
  tree:put("/opt/amazon/efa/lib/libfabric.so.1.30.0", "")
  tree:put("/opt/amazon/efa_installed_packages", "# EFA installer version: 1.47.0\n")
end

M.P5_BUS = { "53", "64", "75", "86", "97", "a8", "b9", "ca" }
local P4_BUS = { "10:1c", "10:1d", "20:1c", "20:1d", "90:1c", "90:1d", "a0:1c", "a0:1d" }

local function new()
  local dir = support.tempdir()
  local tree = setmetatable({ path = tostring(dir), records = 0 }, {
    __index = Tree, __close = function() getmetatable(dir).__close(dir) end,
  })
  return tree
end

--- A healthy p5.48xlarge: `local t <close> = tree.p5()`.
---@return table
function M.p5()
  local tree = new()
  base(tree, "p5.48xlarge", 2)
  gpu_software(tree)
  for _, bus in ipairs(M.P5_BUS) do tree:pci("0000:" .. bus .. ":00.0", "0x10de", "0x2330", "0x030200") end
  for i = 1, 4 do tree:pci(("0000:%02x:00.0"):format(0xd + i), "0x10de", "0x22a3", "0x068000") end
  for i = 0, 31 do tree:efa(i, ("0000:%02x:%02x.0"):format(0x4f + i // 4, 0x19 + i % 4)) end
  tree:pci("0000:00:04.0", "0x1d0f", "0x8061", "0x010802")
  return tree
end

--- A healthy p4d.24xlarge.
---@return table
function M.p4d()
  local tree = new()
  base(tree, "p4d.24xlarge", 2)
  gpu_software(tree)
  for _, bus in ipairs(P4_BUS) do tree:pci("0000:" .. bus .. ".0", "0x10de", "0x20b0", "0x030200") end
  for i = 1, 6 do tree:pci(("0000:c%d:00.0"):format(i), "0x10de", "0x1af1", "0x068000") end
  for i = 0, 3 do tree:efa(i, ("0000:%d0:1b.0"):format(i + 1)) end
  return tree
end

return M
