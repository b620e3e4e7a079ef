--- Nodes of a Slurm cluster: whether one can take work, and taking it out of service and back.
local errors = require "adt.error"
local ctask = require "adt.c.task"

local M = {}

-- How long the controller may take until a node shows what it was told.
local SETTLE = 30

-- Slurm keeps no more of a reason, and blanks at its ends are lost.
local LONGEST_REASON = 200

--- Why a node cannot take a step now; nil when it can.
---@param node? table
---@return string? why
---@return string? code
function M.why_not(node)
  if not node then return nil end
  local flags = node.flags or {}
  local reason = node.reason and (": " .. node.reason) or ""
  if node.state == "DOWN" or flags.DOWN or node.state == "ERROR" or node.state == "FUTURE" then
    return "is down" .. reason, "NodeDown"
  elseif flags.NOT_RESPONDING then
    return "does not respond" .. reason, "NodeSilent"
  elseif flags.DRAIN then
    return "is drained" .. reason, "NodeDrained"
  elseif flags.POWERED_DOWN or flags.POWERING_DOWN or flags.POWER_DOWN or flags.POWERING_UP then
    return "is powered down", "NodeDown"
  elseif node.state == "ALLOCATED" then
    return "is busy with jobs", "NodeBusy"
  end
end

local function find(client, name)
  for _, node in ipairs(client:nodes()) do
    if node.name == name then return node end
  end
  errors.raise { cause = "usage", code = "NoNode", message = ("there is no node '%s'"):format(name), hint = "sinfo -N lists them" }
end

local function wait_until(client, name, what, holds)
  for _ = 1, SETTLE * 10 do
    local node = find(client, name)
    if holds(node) then return node end
    ctask.sleep(0.1)
  end
  errors.raise { cause = "unknown", code = "NodeState",
    message = ("node %s was told to %s and does not show it after %d s"):format(name, what, SETTLE),
    hint = "scontrol show node " .. name }
end

local function check_reason(reason, what)
  if type(reason) ~= "string" or reason == "" then
    errors.raise { cause = "usage", message = ("to %s a node, say why: Slurm keeps the reason for whoever finds it"):format(what) }
  elseif #reason > LONGEST_REASON or reason:find "%c" then
    errors.raise { cause = "usage", message = ("a reason has at most %d bytes and no line ends"):format(LONGEST_REASON) }
  end
end

local ACTIONS = {
  drain = function(client, name, reason)
    check_reason(reason, "drain")
    find(client, name)
    client:set_node(name, "drain", reason)
    return wait_until(client, name, "drain", function(node) return (node.flags or {}).DRAIN end)
  end,
  resume = function(client, name)
    local node = find(client, name)
    if not (node.flags or {}).DRAIN and node.state ~= "DOWN" then return node end
    client:set_node(name, "resume")
    return wait_until(client, name, "resume", function(n) return not (n.flags or {}).DRAIN end)
  end,
  reboot = function(client, name, reason)
    check_reason(reason, "reboot")
    find(client, name)
    client:reboot(name, reason)
    return find(client, name)
  end,
}

--- Changes what a node may do, and waits until it shows.
---@param client table
---@param name string
---@param what "drain"|"resume"|"reboot"
---@param reason? string
---@return table node as it is afterwards
function M.act(client, name, what, reason)
  local action = ACTIONS[what]
  if not action then
    errors.raise { cause = "usage", code = "TargetCannot", message = ("target 'slurm' cannot %s a node"):format(tostring(what)),
      hint = "it can drain, resume and reboot; a node is replaced by whoever owns the machines" }
  end
  return action(client, name, reason)
end

return M
