--- Facts of software: kernel modules, the GPU driver, libraries by their file names, services.
local json = require "adt.json"
local read = require "adt.node.read"
local term = require "adt.term"

local M = {}

local missing = read.missing

local MODULES = { "efa", "ib_core", "ib_uverbs", "nvidia", "nvidia_uvm", "nvidia_peermem", "efa_nv_peermem", "gdrdrv", "neuron",
  "lustre", "nfs" }

--- Which of the modules that matter are loaded, with their versions and how many use them.
function M.modules(r)
  local text, why = r:text("/proc/modules", 4 << 20)
  local names = r:list "/sys/module"
  if not text and not names then
    return missing(why)
  end
  local loaded = {}
  for name, users in (text or ""):gmatch "%f[^\n%z](%S+) %d+ (%d+)" do
    loaded[name] = math.tointeger(tonumber(users)) or 0
  end
  -- What is built into the kernel stands here alone.
  for _, name in ipairs(names or {}) do
    loaded[name] = loaded[name] or 0
  end
  local modules = {}
  for _, name in ipairs(MODULES) do
    modules[name] = { loaded = loaded[name] ~= nil, users = loaded[name],
      version = loaded[name] and r:text(("/sys/module/%s/version"):format(name), 256) or nil }
  end
  return modules
end

--- The GPU driver.
function M.driver(r)
  local text, why = r:text("/proc/driver/nvidia/version", 4096)
  if not text then
    local version = r:text("/sys/module/nvidia/version", 256)
    return version and { version = version } or missing(why)
  end
  local line = text:match "^[^\n]*"
  local version = line:match "%s(%d+%.%d+[%d.]*)%s" or line:match "%s(%d+%.%d+[%d.]*)$"
  if not line:find "^NVRM version:" or not version then
    return missing(("/proc/driver/nvidia/version says '%s', which names no version"):format(term.clean(line:sub(1, 60))))
  end
  return { version = version, open = line:find("Open Kernel Module", 1, true) ~= nil }
end

local FOLDERS = { "/opt/amazon/efa/lib", "/opt/amazon/efa/lib64", "/opt/amazon/ofi-nccl/lib", "/opt/amazon/ofi-nccl/lib64",
  "/opt/amazon/ofi-nccl/lib/x86_64-linux-gnu", "/opt/amazon/ofi-nccl/lib/aarch64-linux-gnu", "/opt/aws-ofi-nccl/lib", "/opt/nccl/build/lib",
  "/usr/local/cuda/lib", "/usr/local/cuda/lib64", "/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu" }

local LIBRARIES = { nccl = "^libnccl%.so", fabric = "^libfabric%.so", cudart = "^libcudart%.so", cuda = "^libcuda%.so",
  nccl_net = "^libnccl%-net[%w_-]*%.so" }

local function look_into(r, folder, found)
  for _, file in ipairs(r:list(folder) or {}) do
    for name, pattern in pairs(LIBRARIES) do
      if file:find(pattern) then
        local entry = found[name] or { files = {}, versions = {} }
        found[name] = entry
        if #entry.files < 32 then
          entry.files[#entry.files + 1] = folder .. "/" .. file
        end
        -- The fullest number of a family of links is the library's own: libnccl.so, libnccl.so.2, libnccl.so.2.29.3.
        local version = file:match "%.so%.(%d+%.[%d.]+)$"
        if version then entry.versions[version] = true end
      end
    end
  end
end

local function sorted_keys(set)
  local list = json.array()
  for key in pairs(set) do list[#list + 1] = key end
  table.sort(list)
  return list
end

--- Libraries by their files' names, and the EFA installer's version. One that is not named was in none of the folders.
function M.libraries(r)
  local found = {}
  for _, folder in ipairs(FOLDERS) do
    look_into(r, folder, found)
  end
  for _, entry in pairs(found) do
    entry.versions = sorted_keys(entry.versions)
  end
  local installed = r:text("/opt/amazon/efa_installed_packages", 65536)
  return { found = found, efa_installer = installed and installed:match "EFA installer version: ([%d.]+)" or nil }
end

-- The kernel keeps 15 bytes of a program's name.
local SERVICES = { ["nv-fabricmanage"] = "fabric_manager", ["nvidia-imex"] = "imex", ["nvidia-persiste"] = "persistence",
  slurmd = "slurmd", kubelet = "kubelet", chronyd = "chronyd" }

--- Which of the services that matter have a process.
function M.services(r)
  local names, why = r:list "/proc"
  if not names then
    return missing(why)
  end
  local running = {}
  for _, service in pairs(SERVICES) do running[service] = false end
  for _, name in ipairs(names) do
    local comm = name:find "^%d+$" and r:text(("/proc/%s/comm"):format(name), 64)
    if comm and SERVICES[comm] then running[SERVICES[comm]] = true end
  end
  return running
end

return M
