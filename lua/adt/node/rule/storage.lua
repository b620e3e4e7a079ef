--- Rules about mounts: those that are asked for must be there, writable and answering; none of the others may hang.
local read = require "adt.node.read"
local units = require "adt.units"

local SHM = 8 << 30 -- bytes of /dev/shm that NCCL's ranks of one node share

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function room(j, path, mount, required)
  local check = "mount " .. path
  if not read.known(mount.room) then
    j:add { check = check, ok = false, severity = (required or mount.room.hang) and "DRAIN" or "MONITOR",
      found = mount.room.hang and "does not answer" or "cannot be used", evidence = mount.room.missing,
      hint = mount.room.hang and ("its server %s may be gone"):format(mount.source) or nil }
    return false
  end
  return true
end

local function required(j, path, mount)
  local check = "mount " .. path
  if not mount or not read.known(mount) then
    j:add { check = check, ok = false, severity = "DRAIN", found = "not mounted", expected = "mounted", evidence = mount and mount.missing }
  elseif mount.ro then
    j:add { check = check, ok = false, severity = "DRAIN", found = "read-only", expected = "writable",
      evidence = ("%s %s %s"):format(mount.source, mount.type, mount.options) }
  elseif room(j, path, mount, true) then
    local least, free = j.options.min_free or 1, mount.room.free
    j:add { check = check, ok = free >= least, severity = "MONITOR", found = units.size(free) .. " free",
      expected = j.options.min_free and units.size(least) .. " free" or "some free", evidence = ("%s %s"):format(mount.source, mount.type) }
  end
end

local function speed(j, path, mount)
  local tried = mount and mount.speed
  if tried and not read.known(tried) then
    j:add { check = "speed of " .. path, ok = false, severity = tried.hang and "DRAIN" or "MONITOR", found = "not measured",
      evidence = tried.missing }
  elseif tried then
    local least = j.options.min_speed
    j:add { check = "speed of " .. path, ok = not least or tried.write >= least, severity = "MONITOR",
      found = units.size(tried.write) .. "/s written", expected = least and units.size(least) .. "/s",
      evidence = units.size(tried.read) .. "/s read again" }
  end
end

---@param j adt.node.Judge
return function(j)
  local mounts = j:known("mounts", "mounts", j.options.mounts and "DRAIN" or "MONITOR")
  if not mounts then
    return
  end
  local asked = {}
  for _, path in ipairs(j.options.mounts or {}) do
    asked[path] = true
    required(j, path, mounts[path])
    speed(j, path, mounts[path])
  end
  for _, path in ipairs(sorted(mounts)) do
    local mount = mounts[path]
    if not asked[path] and read.known(mount) then
      room(j, path, mount, false)
    end
  end
  local shm = mounts["/dev/shm"]
  if j.profile and j.profile.gpus and shm and read.known(shm) and read.known(shm.room) then
    j:add { check = "shared memory", ok = shm.room.total >= SHM, severity = "MONITOR", found = units.size(shm.room.total),
      expected = units.size(SHM), hint = "give the container a larger /dev/shm" }
  end
end
