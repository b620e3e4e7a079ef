--- Rules about accelerators, switches and network devices: their numbers are the profile's, and each is in order.
local klog = require "adt.node.klog"

local function lacking(found, expected)
  local there, list = {}, {}
  for _, bus in ipairs(found) do there[klog.bus(bus)] = true end
  for _, bus in ipairs(expected or {}) do
    if not there[klog.bus(bus)] then list[#list + 1] = bus end
  end
  -- Where none is at its place the places are others, and nothing is known of the one that lacks.
  return #list < #(expected or {}) and list or {}
end

local function count(j, check, found, expected, severity, places)
  if not expected then
    return
  end
  local missing = #found < expected and lacking(found, places) or {}
  j:add { check = check, ok = #found == expected, severity = #found > expected and "DRAIN" or severity, found = #found, expected = expected,
    evidence = #missing > 0 and "missing " .. table.concat(missing, " ") or #found > 0 and "at " .. table.concat(found, " ") or nil,
    hint = #found > expected and "the profile may be another type's" or "replace the instance" }
end

local function pci(j)
  local profile = j.profile
  if not profile then
    return
  end
  local found = j:known("pci", "PCI devices", "DRAIN", "REBOOT")
  if not found then
    return
  end
  count(j, "GPU count", found.gpus, profile.gpus, "ISOLATE", profile.gpu_bus)
  count(j, "NVSwitch count", found.nvswitches, profile.nvswitch, "MONITOR")
  count(j, "Neuron count", found.neuron, profile.neuron, "ISOLATE")
  count(j, "EFA count", found.efa, profile.efa, "ISOLATE")
  if #found.silent > 0 then
    j:add { check = "PCI devices", ok = false, severity = "DRAIN", found = #found.silent .. " cannot be asked",
      evidence = table.concat(found.silent, " ") }
  end
end

local function port_bad(device)
  if not (device.state or ""):find "^4: ?ACTIVE" then
    return "state " .. (device.state or "unknown")
  elseif not (device.phys_state or ""):find "^5: ?LinkUp" then
    return "link " .. (device.phys_state or "unknown")
  end
end

-- Older drivers tell 100 Gb/s of every device, so a rate below the line's is worth a look and no more.
local function rates(j, devices)
  local line, slow = j.profile.efa_gbps, {}
  for _, device in ipairs(line and devices or {}) do
    local rate = tonumber((device.rate or ""):match "^([%d.]+) Gb/sec")
    if rate and rate < line then slow[#slow + 1] = ("%s %g"):format(device.name, rate) end
  end
  if line and #devices > 0 then
    j:add { check = "EFA rate", ok = #slow == 0, severity = "MONITOR", found = #slow == 0 and "line rate" or #slow .. " slower",
      expected = line .. " Gb/s", evidence = #slow > 0 and table.concat(slow, ", ") or nil, hint = "older drivers tell 100 Gb/s of every device" }
  end
end

-- Without NVIDIA's module, GPU memory can still be shared as dma-buf by its open driver.
local function peer_memory(j, devices)
  local without = {}
  for _, device in ipairs(devices) do
    if not device.p2p or device.p2p == "" then without[#without + 1] = device.name end
  end
  local modules, driver = j.facts.modules or {}, j.facts.driver or {}
  local module = modules.efa_nv_peermem and modules.efa_nv_peermem.loaded and "efa_nv_peermem"
    or modules.nvidia_peermem and modules.nvidia_peermem.loaded and "nvidia_peermem"
  local ok = #without == 0 or module
  j:add { check = "peer memory", ok = ok, severity = driver.open and "MONITOR" or "DRAIN",
    found = #without == 0 and devices[1].p2p or module or driver.open and "dma-buf at best" or "none",
    evidence = not ok and "no provider on " .. table.concat(without, " ") or nil, hint = "load efa_nv_peermem, or GPU memory is copied" }
end

local function verbs(j)
  local profile = j.profile
  if not profile or not profile.efa or profile.efa == 0 then
    return
  end
  local found = j:known("verbs", "verbs devices", "DRAIN", "REBOOT")
  if not found then
    return
  end
  local devices, bad = {}, {}
  for _, device in ipairs(found.devices) do
    if device.driver == "efa" then
      devices[#devices + 1] = device
      local why = port_bad(device)
      if why then bad[#bad + 1] = device.name .. " " .. why end
    end
  end
  j:add { check = "EFA verbs devices", ok = #devices == profile.efa, severity = #devices > profile.efa and "DRAIN" or "ISOLATE",
    found = #devices, expected = profile.efa, hint = "the driver is not bound to each device: see the kernel's log" }
  j:add { check = "uverbs nodes", ok = #found.nodes >= #found.devices, severity = "DRAIN", found = #found.nodes, expected = #found.devices,
    hint = "give the container every /dev/infiniband/uverbs*, or load ib_uverbs" }
  if #devices > 0 then
    j:add { check = "EFA ports", ok = #bad == 0, severity = "ISOLATE", found = #bad == 0 and "all active" or #bad .. " not active",
      evidence = #bad > 0 and table.concat(bad, ", ") or nil, hint = "replace the instance" }
    rates(j, devices)
    if profile.gpus then peer_memory(j, devices) end
  end
end

---@param j adt.node.Judge
return function(j)
  pci(j)
  verbs(j)
end
