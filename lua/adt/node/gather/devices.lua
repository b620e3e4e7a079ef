--- Facts of devices: accelerators and network adapters on the PCI bus, verbs devices, local NVMe disks.
local json = require "adt.json"
local read = require "adt.node.read"

local M = {}

local missing = read.missing

local NVIDIA, AMAZON = "0x10de", "0x1d0f"
local NEURON = { ["0x7064"] = true, ["0x7065"] = true, ["0x7066"] = true, ["0x7067"] = true, ["0x7164"] = true, ["0x7264"] = true,
  ["0x7364"] = true }

local function kind_of(vendor, device, class)
  if vendor == NVIDIA then
    -- Display controllers of both kinds are GPUs; bridges are NVSwitches.
    return (class:find "^0x0300" or class:find "^0x0302") and "gpus" or class:find "^0x0680" and "nvswitches" or nil
  elseif vendor == AMAZON then
    return device:find "^0xefa[0-3]$" and "efa" or NEURON[device] and "neuron" or nil
  end
end

--- Addresses on the PCI bus by kind. A device that cannot be asked is named, since it could be any of them.
function M.pci(r)
  local dir = "/sys/bus/pci/devices"
  local names, why = r:list(dir)
  if not names then
    return missing(why)
  end
  local found = {}
  for _, kind in ipairs { "gpus", "nvswitches", "efa", "neuron", "silent" } do found[kind] = json.array() end
  for _, name in ipairs(names) do
    local at = ("%s/%s/"):format(dir, name)
    local vendor, device, class = r:text(at .. "vendor", 64), r:text(at .. "device", 64), r:text(at .. "class", 64)
    local kind = vendor and device and class and kind_of(vendor:lower(), device:lower(), class:lower())
    if not (vendor and device and class) then
      kind = "silent"
    end
    if kind then
      table.insert(found[kind], name:lower())
    end
  end
  return found
end

local function verbs_device(r, name)
  local at = ("/sys/class/infiniband/%s/"):format(name)
  return {
    name = name, driver = r:link(at .. "device/driver"), bus = r:link(at .. "device"), p2p = r:text(at .. "device/p2p", 256),
    state = r:text(at .. "ports/1/state", 256), phys_state = r:text(at .. "ports/1/phys_state", 256), rate = r:text(at .. "ports/1/rate", 256),
  }
end

--- Devices of the kernel's verbs interface, and the nodes by which programs open them.
function M.verbs(r)
  local _, why = r:list "/sys/class"
  local dev, why_dev = r:list "/dev"
  if why or not dev then
    return missing(why or why_dev)
  end
  -- Without the modules there is no such class, and there are no such devices.
  local devices, nodes = json.array(), json.array()
  for _, name in ipairs(r:list "/sys/class/infiniband" or {}) do
    devices[#devices + 1] = verbs_device(r, name)
  end
  for _, name in ipairs(r:list "/dev/infiniband" or {}) do
    if name:find "^uverbs%d+$" then nodes[#nodes + 1] = name end
  end
  return { devices = devices, nodes = nodes }
end

--- Local disks of the instance.
function M.disks(r)
  local names, why = r:list "/sys/class/nvme"
  if not names then
    return missing(why)
  end
  local stores = json.array()
  for _, name in ipairs(names) do
    local model = r:text(("/sys/class/nvme/%s/model"):format(name), 256)
    if model and model:find("Instance Storage", 1, true) then stores[#stores + 1] = name end
  end
  return { instance_stores = stores }
end

return M
