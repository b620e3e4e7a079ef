--- Rules about modules, the driver, versions and services.

local function needed(profile, options)
  local list, seen = {}, {}
  local function need(name, severity)
    if not seen[name] then
      seen[name] = true
      list[#list + 1] = { name, severity }
    end
  end
  for _, name in ipairs(options.modules or {}) do need(name, "DRAIN") end
  if profile and profile.efa and profile.efa > 0 then
    need("efa", "DRAIN")
    need("ib_core", "DRAIN")
    need("ib_uverbs", "DRAIN")
    if profile.gpus then need("gdrdrv", "MONITOR") end
  end
  if profile and profile.gpus then need("nvidia", "DRAIN") end
  if profile and profile.neuron then need("neuron", "DRAIN") end
  return list
end

local function modules(j)
  local list = needed(j.profile, j.options)
  if #list == 0 then
    return
  end
  local found = j:known("modules", "kernel modules", "DRAIN", "REBOOT")
  for _, need in ipairs(found and list or {}) do
    local name, severity = table.unpack(need)
    local module = found[name]
    j:add { check = "module " .. name, ok = module and module.loaded, severity = severity,
      found = module and module.loaded and (module.version or "loaded") or "not loaded", expected = "loaded", hint = "modprobe " .. name }
  end
end

local function driver(j)
  if j.profile and j.profile.gpus then
    local found = j:known("driver", "GPU driver", "DRAIN", "REBOOT")
    if found then
      j:add { check = "GPU driver", ok = true, found = found.version }
    end
  end
end

-- The manager runs on the host itself; a container does not see it, and then it must be told so by --profile none.
local function fabric_manager(j)
  if j.profile and j.profile.nvlink then
    local found = j:known("services", "fabric manager")
    if found then
      j:add { check = "fabric manager", ok = found.fabric_manager, severity = "RESET", found = found.fabric_manager and "runs" or "does not run",
        expected = "runs", hint = "systemctl start nvidia-fabricmanager" }
    end
  end
end

local function parts(version)
  local list = {}
  for part in version:gmatch "%d+" do list[#list + 1] = tonumber(part) end
  return list
end

local function older(version, least)
  local a, b = parts(version), parts(least)
  for i = 1, #b do
    if (a[i] or 0) ~= b[i] then return (a[i] or 0) < b[i] end
  end
  return false
end

-- What the reference's cheat sheet asks for on machines with H100 and H200.
local function versions(j)
  local accelerator = j.profile and j.profile.accelerator
  local found = j.facts.libraries
  if accelerator ~= "H100" and accelerator ~= "H200" or not found or not found.found then
    return
  end
  for _, version in ipairs(found.found.nccl and found.found.nccl.versions or {}) do
    j:add { check = "NCCL version", ok = not older(version, "2.18.0"), severity = "MONITOR", found = version, expected = "2.18.0 or newer",
      evidence = table.concat(found.found.nccl.files, " ") }
  end
  if found.efa_installer then
    j:add { check = "EFA installer", ok = not older(found.efa_installer, "1.29.0"), severity = "MONITOR", found = found.efa_installer,
      expected = "1.29.0 or newer" }
  end
end

---@param j adt.node.Judge
return function(j)
  modules(j)
  driver(j)
  fabric_manager(j)
  versions(j)
end
