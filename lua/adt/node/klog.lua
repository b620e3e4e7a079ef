--- Lines of the kernel's log: which of them tell of trouble, and a summary of bounded size however many there are.
local json = require "adt.json"
local xid = require "adt.node.xid"

local M = {}

local LONGEST = 2048  -- bytes of one line that are looked at
local SHOWN = 200     -- bytes of one line that are kept
local KEYS = 256      -- different troubles that are told apart
local EXAMPLES = 3    -- lines kept of each class
local NEAR = 60       -- seconds within which another Xid explains an Xid 45

---@class adt.node.Line
---@field t? number seconds since boot
---@field level? integer 0 (emergency) to 7
---@field facility? integer 0: the kernel itself
---@field seq? integer number of the record
---@field text string

--- Reads a record of /dev/kmsg, or a line of dmesg with or without its level; nil for what is neither (a continuation, an
--- empty line).
---@param line string
---@return adt.node.Line?
function M.parse(line)
  line = line:sub(1, LONGEST)
  local priority, seq, usec, text = line:match "^(%d+),(%d+),(%d+),[^;]*;(.*)$"
  if priority then
    priority = math.tointeger(tonumber(priority)) or 7
    return { t = tonumber(usec) / 1e6, level = priority & 7, facility = priority >> 3, seq = math.tointeger(tonumber(seq)),
      text = text }
  end
  local level, seconds
  level, seconds, text = line:match "^<(%d+)>%[%s*(%d+%.%d+)%] ?(.*)$"
  if not level then
    seconds, text = line:match "^%[%s*(%d+%.%d+)%] ?(.*)$"
  end
  if not text then
    return nil
  end
  level = math.tointeger(tonumber(level))
  return { t = tonumber(seconds), level = level and level & 7, facility = level and level >> 3, text = text }
end

--- A PCI address as sysfs writes it, without the function: "0000:53:00".
---@param bus string
---@return string
function M.bus(bus)
  bus = bus:lower():gsub("%.%x+$", "")
  if not bus:find "^%x+:%x+:%x+$" then
    bus = "0000:" .. bus
  end
  return bus
end

local function gpu_event(text)
  local bus, code, rest = text:match "NVRM: Xid %(PCI:([%x:%.]+)%): (%d+)(.*)$"
  if bus and #code <= 4 then
    code = math.tointeger(tonumber(code))
    return { class = "xid", bus = M.bus(bus), code = code, variant = xid.variant(code, rest) }
  elseif text:find("fallen off the bus", 1, true) and text:find("NVRM", 1, true) then
    bus = text:match "(%x%x%x%x+:%x%x:%x%x)"
    return { class = "xid", bus = bus and M.bus(bus) or "?", code = 79 }
  end
end

-- The lines that follow one with its severity only add details to it.
local function switch_event(text)
  local bus, code, rest = text:match "nvidia%-nvswitch%d+: SXid %(PCI:([%x:%.]+)%): (%d+),?%s*(.*)$"
  if not bus or #code > 6 or rest:find "^Severity" or rest:find "^Data" then
    return nil
  end
  return { class = "sxid", bus = M.bus(bus), code = math.tointeger(tonumber(code)),
    variant = rest:find "^Fatal" and "Fatal" or rest:find "^Non%-fatal" and "Non-fatal" or nil }
end

local function efa_event(text, level)
  local bus = text:match "^efa (%x+:%x+:%x+%.%x)" or text:match "^infiniband (efa_%d+)"
  local lower = text:lower()
  if bus and (level and level <= 3 or lower:find "fail" or lower:find "error" or lower:find "time[d]? ?out") then
    return { class = "efa", key = bus }
  end
end

-- Class, a pattern, and what in the line tells one trouble of the class from another.
local PATTERNS = {
  { "memory_failure", "^Memory failure: 0x(%x+):" },
  { "hardware_fatal", "%[Hardware Error%]:.*[Uu]ncorrected" },
  { "hardware_fatal", "%[Hardware Error%]:.*severity: fatal" },
  { "hardware_fatal", "^EDAC (MC%d+): %d+ UE" },
  { "hardware", "%[Hardware Error%]" },
  { "hardware", "^EDAC (MC%d+): %d+ CE" },
  { "oom", "[Oo]ut of memory: Killed process %d+ %((.-)%)" },
  { "filesystem", "^EXT4%-fs error %(device (%S-)%)" },
  { "filesystem", "^XFS %((%S-)%): .*[Cc]orruption" },
  { "filesystem", "^XFS %((%S-)%): .*[Mm]etadata I/O error" },
  { "filesystem", "^XFS %((%S-)%): .*[Ss]hut" },
  { "filesystem", "%((%S-)%): Remounting filesystem read%-only" },
  { "io", "I/O error, dev (%S-)," },
  { "io", "Buffer I/O error on dev (%S-)," },
  { "io", "critical medium error, dev (%S-)," },
  { "io", "^nvme (nvme%d+): I/O .*timeout" },
  { "remote_back", "^nfs: server (%S+) OK" },
  { "remote", "^nfs: server (%S+) not responding" },
  { "remote_back", "^Lustre: .-(%S+): Connection restored to" },
  { "remote", "^Lustre: .-(%S+): Connection to .* was lost" },
  { "remote", "^Lustre: .*@@@ Request sent has" },
  { "hung", "^INFO: task (%S-):%d+ blocked for more than %d+ seconds" },
  { "hung", "BUG: soft lockup" },
  { "hung", "rcu: INFO: .*self%-detected stall" },
  { "pcie_fatal", "PCIe Bus Error: severity=Uncorrect%S* %(Fatal%)" },
  { "pcie_fatal", "(%x+:%x+:%x+%.%x):.*AER:.*[Uu]ncorrect%S* %(Fatal%)" },
  { "pcie", "PCIe Bus Error: severity=" },
  { "pcie", "AER: .*[Cc]orrect" },
}

---@class adt.node.LogEvent
---@field class string
---@field bus? string of a GPU or a switch
---@field code? integer
---@field variant? string
---@field key? string the device, server or program

--- What a line tells, or nil.
---@param text string
---@param level? integer
---@return adt.node.LogEvent?
function M.classify(text, level)
  text = text:sub(1, LONGEST)
  local event = gpu_event(text) or switch_event(text) or efa_event(text, level)
  if event then
    return event
  end
  for _, p in ipairs(PATTERNS) do
    local from, _, key = text:find(p[2])
    if from then
      return { class = p[1], key = key and key:sub(1, 64) or nil }
    end
  end
end

---@class adt.node.Collector
---@field from number seconds since boot; earlier lines do not count
local Collector = {}
Collector.__index = Collector

--- Takes lines and sums them up.
---@param options? { from: number? }
---@return adt.node.Collector
function M.collector(options)
  return setmetatable({ from = options and options.from or 0, lines = 0, counted = 0, keys = 0, gpus = 0, entries = {}, order = json.array(),
    cleanups = {} }, Collector)
end

local function entry_of(self, event)
  local key = table.concat({ event.class, event.bus or event.key or "", event.code or "", event.variant or "" }, "|")
  local entry = self.entries[key]
  -- What is one too many is still counted, with the rest of its class; an Xid is told apart by what it asks for.
  if not entry and self.keys >= KEYS then
    key = table.concat({ event.class, "...", event.code or "", event.variant or "" }, "|")
    event = { class = event.class, bus = event.bus and "?", code = event.code, variant = event.variant, key = not event.code and "..." or nil }
    entry = self.entries[key]
    if not entry and self.keys >= 2 * KEYS then
      self.dropped = (self.dropped or 0) + 1
      return nil
    end
  end
  if not entry then
    entry = { class = event.class, bus = event.bus, code = event.code, variant = event.variant, key = event.key, count = 0, lines = {} }
    self.keys = self.keys + 1
    self.entries[key] = entry
    self.order[#self.order + 1] = entry
  end
  return entry
end

-- Xid 45 is explained by another Xid of the same GPU within a minute, before or after.
local function explain_cleanups(self, event, t)
  local gpu = self.cleanups[event.bus]
  if not gpu then
    if self.gpus >= KEYS then return end
    gpu, self.gpus = {}, self.gpus + 1
    self.cleanups[event.bus] = gpu
  end
  if gpu.waiting and t - gpu.waiting > NEAR then
    gpu.alone, gpu.waiting = true, nil
  end
  if event.code ~= 45 then
    gpu.last, gpu.waiting = t, nil
  elseif not (gpu.last and t - gpu.last <= NEAR) then
    gpu.waiting = gpu.waiting or t
  end
end

--- Takes one line.
---@param line string
function Collector:line(line)
  self.lines = self.lines + 1
  local record = M.parse(line)
  if not record then
    return
  end
  self.first_seq = self.first_seq or record.seq
  local t = record.t or 0
  -- Whoever may write to the log could imitate the kernel, but not as the kernel.
  if t < self.from or (record.facility or 0) ~= 0 then
    return
  end
  local event = M.classify(record.text, record.level)
  if not event then
    return
  end
  self.counted = self.counted + 1
  if event.class == "xid" then
    explain_cleanups(self, event, t)
  end
  local entry = entry_of(self, event)
  if entry then
    entry.count = entry.count + 1
    entry.first, entry.last = entry.first or t, t
    if #entry.lines < EXAMPLES then
      entry.lines[#entry.lines + 1] = record.text:sub(1, SHOWN)
    end
  end
end

--- The summary: what was found, each with its count, first and last time (seconds since boot) and some lines.
---@return { lines: integer, lost: integer?, dropped: integer?, entries: table[] } lost: records that the kernel had
---overwritten before they could be read
function Collector:finish()
  for _, entry in ipairs(self.order) do
    if entry.class == "xid" and entry.code == 45 then
      local gpu = self.cleanups[entry.bus]
      entry.alone = not gpu or gpu.alone or gpu.waiting ~= nil
    end
  end
  return { lines = self.lines, lost = self.first_seq and self.first_seq > 0 and self.first_seq or nil, dropped = self.dropped,
    entries = self.order }
end

return M
