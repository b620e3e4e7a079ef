--- Rules about limits, huge pages, processors and the clock.
local units = require "adt.units"

local MEMLOCK = 16777216 * 1024 -- bytes: what registering memory for EFA needs
local PAGES_PER_EFA = 80        -- of 2 MiB: the reference gives 5120 MiB to 32 devices

local function has_efa(j)
  return j.profile and j.profile.efa and j.profile.efa > 0
end

local function at_least(value, least)
  return value == "unlimited" or value >= least
end

local function limits(j)
  local memlock = j.options.min_memlock or has_efa(j) and MEMLOCK
  local nofile = j.options.min_nofile
  local found = (memlock or nofile) and j:known("limits", "limits", "DRAIN")
  if not found then
    return
  end
  if memlock then
    local soft = found.memlock.soft
    j:add { check = "memlock", ok = at_least(soft, memlock), severity = "DRAIN", found = soft == "unlimited" and soft or soft // 1024 .. " KiB",
      expected = memlock // 1024 .. " KiB or unlimited", hint = "raise it where jobs get theirs: LimitMEMLOCK of slurmd or of the container runtime" }
  end
  if nofile then
    j:add { check = "open files", ok = at_least(found.nofile.soft, nofile), severity = "DRAIN", found = found.nofile.soft, expected = nofile }
  end
end

local function hugepages(j)
  local least = j.options.min_hugepages or has_efa(j) and PAGES_PER_EFA * j.profile.efa
  local found = least and j:known("hugepages", "huge pages")
  if found then
    j:add { check = "huge pages", ok = found.free >= least, severity = "MONITOR", found = found.free .. " free", expected = least .. " free",
      evidence = found.total .. " in all", hint = "vm.nr_hugepages" }
  end
end

local function ptrace(j)
  local scope = has_efa(j) and j.facts.ptrace
  if scope and scope.scope then
    j:add { check = "ptrace scope", ok = scope.scope == 0, severity = "MONITOR", found = scope.scope, expected = 0,
      hint = "ranks of one node copy twice: kernel.yama.ptrace_scope = 0" }
  end
end

local function cpu(j)
  local found = j:known("cpu", "processors")
  if found and found.present then
    j:add { check = "processors", ok = found.online == found.present, severity = "MONITOR", found = found.online .. " online",
      expected = found.present }
  end
end

local function memory(j)
  local found = j:known("memory", "memory")
  if found then
    j:add { check = "memory", ok = true, found = units.size(found.total) }
  end
end

local function clock(j)
  local most = j.options.max_clock_offset or 1
  local found = j:known("clock", "clock")
  if not found then
    return
  end
  local off = math.abs(found.offset)
  j:add { check = "clock", ok = found.synchronised and off < most, severity = "MONITOR",
    found = found.synchronised and ("%.6f s off"):format(off) or "not kept right", expected = ("less than %g s off"):format(most),
    evidence = "says the " .. (found.source == "chrony" and "chrony daemon" or "kernel"), hint = "start chronyd" }
end

---@param j adt.node.Judge
return function(j)
  limits(j)
  hugepages(j)
  ptrace(j)
  cpu(j)
  memory(j)
  clock(j)
end
