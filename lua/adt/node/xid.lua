--- NVIDIA's error codes of GPUs (Xid) and of NVSwitches (SXid): what each means and asks for.
local severity = require "adt.node.severity"

local M = {}

---@class adt.node.Verdict
---@field severity adt.node.Severity
---@field meaning string

local function codes(text)
  local list = {}
  for first, last in text:gmatch "(%d+)%-?(%d*)" do
    for code = tonumber(first), tonumber(last ~= "" and last or first) do list[#list + 1] = math.tointeger(code) end
  end
  return list
end

-- Codes that mean the same wherever they come. The rest have a rule of their own below.
local GROUPS = {
  { "13 31", "MONITOR", "an error of the job's program" },
  { "94", "MONITOR", "contained memory error: look at row remapping, too" },
  { "8 11 25 32 39-41 60 68-72 75-77 80 82-86 88 89 96-105 126-135 139", "MONITOR", "an engine's error, mostly the job's" },
  { "14 37 38 43 44 66 67 106-108 121 141 152 153 157 160 161", "MONITOR", "mostly follows from another error" },
  { "137", "MONITOR", "illegal remote access over NVLink: look at the peers" },
  { "48 171 172", "RESET", "double-bit memory error" },
  { "63", "MONITOR", "a memory row is to be remapped" },
  { "92 93", "MONITOR", "many single-bit errors, or the info ROM wears out" },
  { "46", "RESET", "the GPU stopped processing" },
  { "62", "RESET", "the micro-controller halted" },
  { "54", "ISOLATE", "auxiliary power is not connected" },
  { "74", "RESET", "NVLink error" },
  { "78", "MONITOR", "a virtual GPU could not start: software" },
  { "79", "REBOOT", "the GPU has fallen off the bus" },
  { "109", "RESET", "context switch timed out" },
  { "110", "RESET", "security fault" },
  { "119 120", "RESET", "the GPU's system processor failed" },
  { "136 140 143 155 156 158", "RESET", "link training, initialisation, or an uncorrected memory error" },
  { "151", "REBOOT", "key rotation failed" },
  { "162-165", "MONITOR", "power smoothing" },
  { "167 168", "REBOOT", "PCIe fatal timeout, or protected memory lost" },
  { "169", "RESET", "a micro-controller halted" },
  { "81 125 142", "MONITOR", "report it to NVIDIA" },
}

local TABLE = {}
for _, group in ipairs(GROUPS) do
  for _, code in ipairs(codes(group[1])) do
    TABLE[code] = { severity = group[2], meaning = group[3] }
  end
end

local RULE = {}

-- Clean-up after another error; alone it has no such cause.
RULE[45] = function(x)
  if x.alone == false then
    return "MONITOR", "clean-up after another error"
  end
  return "RESET", "the driver cleaned up a channel for no known reason"
end

RULE[64] = function(x)
  return x.gpu == "A100" and "REBOOT" or "RESET", "remapping a memory row failed"
end

-- On A100 the other instances of a divided GPU go on, which cannot be seen without its library.
RULE[95] = function(x)
  return x.gpu == "A100" and "REBOOT" or "RESET", "uncontained memory error"
end

local PHRASES = {
  { "Node Reboot Required", "REBOOT" }, { "GPU Reset Required", "RESET" }, { "Drain and Reset", "RESET" }, { "Drain P2P", "RESET" },
}

RULE[154] = function(x)
  for _, phrase in ipairs(PHRASES) do
    if x.variant == phrase[1] then
      return phrase[2], "recovery action: " .. phrase[1]
    end
  end
  return "MONITOR", "the recovery action changed"
end

RULE[159] = function(x)
  return x.uvm == false and "MONITOR" or "RESET", "error of the link between chips"
end

for code = 144, 150 do
  RULE[code] = function(x)
    return x.variant == "Fatal" and "RESET" or "MONITOR", "NVLink 5 error, " .. (x.variant or "of unknown weight")
  end
end

--- What in the rest of the line decides over an Xid, nil where nothing does.
---@param code integer
---@param text string behind the code
---@return string?
function M.variant(code, text)
  if code == 154 then
    for _, phrase in ipairs(PHRASES) do
      if text:find(phrase[1], 1, true) then return phrase[1] end
    end
  elseif code >= 144 and code <= 150 then
    -- "Nonfatal" holds "fatal" in lower case only.
    return text:find "%f[%a]Fatal%f[%A]" and "Fatal" or text:find "%f[%a]Nonfatal%f[%A]" and "Nonfatal" or nil
  end
end

--- What an Xid asks for.
---@param code integer
---@param context? { variant: string?, alone: boolean?, gpu: string?, uvm: boolean? } alone: an Xid 45 without another
---within 60 s; uvm: whether unified memory is in use
---@return adt.node.Verdict
function M.classify(code, context)
  local rule = RULE[code]
  if rule then
    local word, meaning = rule(context or {})
    return { severity = word, meaning = meaning }
  end
  local known = TABLE[code]
  return known and { severity = known.severity, meaning = known.meaning }
    or { severity = "MONITOR", meaning = "unknown code: report it to NVIDIA" }
end

local ALWAYS_FATAL = {}
for _, code in ipairs(codes "10003 12020 22003 22011 23001-23017") do ALWAYS_FATAL[code] = true end

--- What an SXid asks for.
---@param code integer
---@param weight? "Fatal"|"Non-fatal" what the line says
---@return adt.node.Verdict
function M.classify_switch(code, weight)
  if ALWAYS_FATAL[code] then
    return { severity = "REBOOT", meaning = "NVSwitch error that only a restart of the host cures" }
  elseif weight == "Non-fatal" then
    return { severity = "MONITOR", meaning = "NVSwitch error, not fatal" }
  end
  return { severity = "RESET", meaning = "NVSwitch error, fatal: reset all GPUs, restart the fabric manager" }
end

--- A severity when the same was seen in earlier boots, too: a reboot clears what it cures, so what returns is hardware.
---@param verdict adt.node.Severity
---@param code integer
---@param boots integer earlier boots that had it
---@return adt.node.Severity
function M.escalate(verdict, code, boots)
  if code == 94 or not severity.at_least(verdict, "RESET") then
    return verdict
  end
  local enough = (code == 79 or code == 74) and 1 or 2
  return boots >= enough and "ISOLATE" or verdict
end

return M
