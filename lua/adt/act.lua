--- What is done to a node, as a step: taken out of service with a reason, and brought back by `down`.
local errors = require "adt.error"

local M = {}

---@class adt.Act
---@field node string
---@field to "drain"|"reboot"|"replace"
---@field reason string kept by the scheduler for whoever finds the node
---@field on? adt.Target

local FIELDS = { "node", "to", "reason", "on" }

local function is_drained(target, name, reason)
  for _, node in ipairs(target:nodes()) do
    if node.name == name then
      return (node.flags or {}).DRAIN ~= nil and node.reason ~= nil and node.reason:find(reason, 1, true) ~= nil
    end
  end
  return false
end

-- A node that somebody has drained for another reason meanwhile stays drained.
local function take_back(ctx, target, spec)
  if not is_drained(target, spec.node, spec.reason) then
    ctx:note("node %s is not drained for our reason any more; it is left as it is", spec.node)
    return
  end
  target:act(spec.node, "resume")
end

--- Does something to a node, once. A drained node is resumed by `down`, unless its reason has changed since.
---@param ctx adt.Context
---@param name string of the step
---@param spec adt.Act
---@return { node: string, to: string, reason: string } result
function M.step(ctx, name, spec)
  errors.check_options("ctx:act", spec, FIELDS)
  if type(spec.node) ~= "string" or type(spec.to) ~= "string" then
    errors.raise { cause = "usage", message = "ctx:act needs a node and what is done to it",
      hint = 'write { node = "n3", to = "drain", reason = "..." }' }
  end
  local target = spec.on or ctx.target
  local done = { node = spec.node, to = spec.to, reason = spec.reason }
  return ctx.door:pass(name, {
    kind = "act", inputs = done, detail = ("%s %s: %s"):format(spec.to, spec.node, spec.reason or ""),
    find = spec.to == "drain" and function() return is_drained(target, spec.node, spec.reason) and done or nil end or nil,
    undo = spec.to == "drain" and function() take_back(ctx, target, spec) end or nil,
  }, function()
    target:act(spec.node, spec.to, spec.reason)
    return done
  end)
end

return M
