--- Facts of the machine itself: name, boot, kernel, instance, processors, memory, limits, clock.
local read = require "adt.node.read"

local M = {}

local missing = read.missing

--- The host's name.
function M.host(r)
  local name, why = r:text "/proc/sys/kernel/hostname"
  return name and name ~= "" and { name = name } or missing(why or "the host has no name")
end

--- Which boot this is, and how long it lasts.
function M.boot(r)
  local id, why = r:text "/proc/sys/kernel/random/boot_id"
  local text, why_uptime = r:text "/proc/uptime"
  local uptime = text and tonumber(text:match "^[%d.]+")
  if not id or not uptime then
    return missing(why or why_uptime or "/proc/uptime holds no number")
  end
  return { id = id, uptime = uptime }
end

--- The kernel's release.
function M.kernel(r)
  local release, why = r:text "/proc/sys/kernel/osrelease"
  return release and { release = release } or missing(why)
end

--- Type and id of the instance, from what the hypervisor writes into the DMI table.
function M.instance(r)
  local dmi = "/sys/devices/virtual/dmi/id/"
  local kind, why = r:text(dmi .. "product_name")
  if not kind or kind == "" then
    return missing(why or "the DMI table names no product")
  end
  local id = r:text(dmi .. "board_asset_tag")
  return { type = kind, id = id and id:find "^i%-%x+$" and id or nil, vendor = r:text(dmi .. "sys_vendor") }
end

-- How many a list such as "0-3,8" names.
local function count(ranges)
  local n = 0
  for part in ranges:gmatch "[^,%s]+" do
    local first, last = part:match "^(%d+)%-?(%d*)$"
    if not first then
      return nil
    end
    n = n + (last ~= "" and tonumber(last) - tonumber(first) + 1 or 1)
  end
  return math.tointeger(n)
end

--- Processors and memory nodes.
function M.cpu(r)
  local cpus = "/sys/devices/system/cpu/"
  local online, why = r:text(cpus .. "online")
  online = online and count(online)
  if not online then
    return missing(why or cpus .. "online is no list")
  end
  local present, nodes = r:text(cpus .. "present"), r:text "/sys/devices/system/node/online"
  return { online = online, present = present and count(present), numa_nodes = nodes and count(nodes) }
end

--- Memory, swap and shared memory's room, in bytes.
function M.memory(r)
  local text, why = r:text "/proc/meminfo"
  if not text then
    return missing(why)
  end
  local function bytes(name)
    local kib = text:match("%f[^\n%z]" .. name .. ":%s*(%d+) kB")
    return kib and math.tointeger(tonumber(kib)) and math.tointeger(tonumber(kib)) * 1024
  end
  local total = bytes "MemTotal"
  if not total then
    return missing "/proc/meminfo does not say how much there is"
  end
  return { total = total, available = bytes "MemAvailable", swap_total = bytes "SwapTotal", swap_free = bytes "SwapFree" }
end

--- Pages of 2 MiB.
function M.hugepages(r)
  local dir = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
  local total, why = r:integer(dir .. "nr_hugepages")
  local free, why_free = r:integer(dir .. "free_hugepages")
  return total and free and { total = total, free = free } or missing(why or why_free)
end

local LIMITS = { memlock = "Max locked memory", nofile = "Max open files", nproc = "Max processes" }

local function limit(text)
  return text == "unlimited" and text or math.tointeger(tonumber(text))
end

--- Limits of this process, which it has from who started it: memlock in bytes.
function M.limits(r)
  local text, why = r:text "/proc/self/limits"
  if not text then
    return missing(why)
  end
  local limits = {}
  for name, title in pairs(LIMITS) do
    local soft, hard = text:match(title .. "%s+(%S+)%s+(%S+)")
    soft, hard = soft and limit(soft), hard and limit(hard)
    if not soft or not hard then
      return missing("/proc/self/limits does not tell " .. name)
    end
    limits[name] = { soft = soft, hard = hard }
  end
  return limits
end

--- Whom processes may trace (0: any of the same user).
function M.ptrace(r)
  local scope, why = r:integer "/proc/sys/kernel/yama/ptrace_scope"
  return scope and { scope = scope } or missing(why)
end

--- Offset and state of chrony's clock, from `chronyc -c tracking`; nil for what is none.
---@param text string
---@return { offset: number, synchronised: boolean }?
function M.chrony(text)
  local fields = {}
  for field in (text:match "^[^\n]*" .. ","):gmatch "([^,]*)," do fields[#fields + 1] = field end
  local offset = tonumber(fields[5])
  if #fields < 14 or not offset then
    return nil
  end
  return { offset = offset, synchronised = fields[14] ~= "Not synchronised" }
end

--- The clock: whether somebody keeps it right, and how far off it is by chrony's estimate, else by the kernel's.
function M.clock(r)
  if r.root ~= "" then
    return missing "a copy of a machine's files has no clock"
  end
  local errors, process = require "adt.error", require "adt.process"
  if process.find "chronyc" then
    local result = errors.try(process.run, { "chronyc", "-n", "-c", "tracking", check = false, timeout = 3, max_output = 4096, read_only = true })
    local known = result and result.ok and M.chrony(result.stdout)
    if known then
      known.source = "chrony"
      return known
    end
  end
  local synchronised, offset, max_error = require("adt.c.clock").sync()
  if synchronised == nil then
    return missing(offset.message)
  end
  return { source = "kernel", synchronised = synchronised, offset = offset, max_error = max_error }
end

return M
