--- How bad a finding is, and what it asks for: the worst of several is the one that counts.
local M = {}

--- From best to worst. DRAIN stands for what no reset cures: the node takes no jobs until somebody has put it right.
---@alias adt.node.Severity "PASS"|"MONITOR"|"DRAIN"|"RESET"|"REBOOT"|"ISOLATE"
M.ORDER = { "PASS", "MONITOR", "DRAIN", "RESET", "REBOOT", "ISOLATE" }

--- What each asks for.
---@type table<adt.node.Severity, string>
M.ACTION = {
  PASS = "nothing", MONITOR = "keep the node and watch it", DRAIN = "take no jobs until it is put right",
  RESET = "drain, then reset the GPUs", REBOOT = "drain, then reboot", ISOLATE = "drain, then replace the instance",
}

local RANK = {}
for i, name in ipairs(M.ORDER) do RANK[name] = i end

--- Whether a value is one.
---@param word any
---@return boolean
function M.is(word)
  return RANK[word] ~= nil
end

--- The worse of two.
---@param a adt.node.Severity
---@param b adt.node.Severity
---@return adt.node.Severity
function M.worse(a, b)
  return RANK[b] > RANK[a] and b or a
end

--- Whether `a` is at least as bad as `b`.
---@param a adt.node.Severity
---@param b adt.node.Severity
---@return boolean
function M.at_least(a, b)
  return RANK[a] >= RANK[b]
end

--- Whether a node with it must not take jobs.
---@param severity adt.node.Severity
---@return boolean
function M.fails(severity)
  return M.at_least(severity, "DRAIN")
end

return M
