--- Rules about the kernel's log: errors of GPUs and switches by their tables, the rest by class.
local severity = require "adt.node.severity"
local term = require "adt.term"
local xid = require "adt.node.xid"

-- What stands in the log of a machine that goes on is mostly worth a look; what loses data or memory takes it out.
local CLASSES = {
  { "efa", "EFA errors", "MONITOR" }, { "memory_failure", "memory failures", "DRAIN" },
  { "hardware_fatal", "uncorrected hardware errors", "DRAIN" }, { "hardware", "hardware errors", "MONITOR" },
  { "oom", "out of memory", "MONITOR" }, { "filesystem", "file system errors", "DRAIN" }, { "io", "disk errors", "MONITOR" },
  { "remote", "file servers", "MONITOR" }, { "hung", "hung tasks", "MONITOR" }, { "pcie_fatal", "fatal PCIe errors", "REBOOT" },
  { "pcie", "PCIe errors", "MONITOR" },
}

local function evidence_of(entry)
  return ("%d time%s; %s"):format(entry.count, entry.count == 1 and "" or "s", term.clean(entry.lines[1] or ""))
end

local function boots_with(history, boot, bus, code)
  local n = 0
  for _, earlier in ipairs(history or {}) do
    local seen = false
    for _, x in ipairs(earlier.boot ~= boot and earlier.xids or {}) do
      seen = seen or x.bus == bus and x.code == code
    end
    n = n + (seen and 1 or 0)
  end
  return n
end

local function context_of(j)
  local modules, boot = j.facts.modules, j.facts.boot
  local uvm = modules and modules.nvidia_uvm
  return { gpu = j.profile and j.profile.accelerator, uvm = uvm and (uvm.users or 0) > 0, boot = boot and boot.id }
end

-- Returns whether there was a fatal one: NVLink errors that come with it are the switch's.
local function switches(j, entries)
  local fatal, n = false, 0
  for _, entry in ipairs(entries) do
    if entry.class == "sxid" then
      local verdict = xid.classify_switch(entry.code, entry.variant)
      n, fatal = n + 1, fatal or severity.fails(verdict.severity)
      j:add { check = "NVSwitch " .. entry.bus, ok = false, severity = verdict.severity, found = "SXid " .. entry.code, evidence = evidence_of(entry),
        hint = verdict.meaning }
    end
  end
  return fatal, n
end

local function gpus(j, entries, fatal_switch)
  local context, n = context_of(j), 0
  for _, entry in ipairs(entries) do
    local reset = j.options.resets and j.options.resets[entry.bus]
    if entry.class == "xid" and not (reset and entry.last < reset) then
      n = n + 1
      local verdict = xid.classify(entry.code, { variant = entry.variant, alone = entry.alone, gpu = context.gpu, uvm = context.uvm })
      local word = verdict.severity
      if entry.code == 74 and fatal_switch then
        word = severity.worse(word, "REBOOT")
      end
      word = xid.escalate(word, entry.code, boots_with(j.options.history, context.boot, entry.bus, entry.code))
      j:add { check = "GPU " .. entry.bus, ok = false, severity = word, found = "Xid " .. entry.code, evidence = evidence_of(entry),
        hint = verdict.meaning }
    end
  end
  return n
end

-- A server that came back after it was last lost is only told of.
local function still_away(entry, entries)
  for _, other in ipairs(entries) do
    if other.class == "remote_back" and other.key == entry.key and other.last >= entry.last then
      return false
    end
  end
  return true
end

local function classes(j, entries)
  for _, class in ipairs(CLASSES) do
    local name, check, default = table.unpack(class)
    for _, entry in ipairs(entries) do
      if entry.class == name then
        local word = j.options.log and j.options.log[name] or default
        local back = name == "remote" and not still_away(entry, entries)
        j:add { check = check, ok = word == "PASS", severity = back and "MONITOR" or word,
          found = (entry.key or name) .. (back and ", back since" or ""), evidence = evidence_of(entry) }
      end
    end
  end
end

---@param j adt.node.Judge
return function(j)
  local log = j:known("kernel_log", "kernel log")
  if not log then
    return
  end
  local fatal, n_switches = switches(j, log.entries)
  local n = gpus(j, log.entries, fatal)
  if n + n_switches == 0 then
    j:add { check = "GPU errors", ok = true, found = "none", evidence = ("%d lines of the kernel's log"):format(log.lines) }
  end
  classes(j, log.entries)
  if log.lost and log.from == 0 or log.dropped then
    j:add { check = "kernel log", ok = false, severity = "MONITOR", found = "not whole",
      evidence = log.lost and ("its first %d records are overwritten"):format(log.lost) or log.dropped .. " kinds of trouble were too many" }
  end
end
