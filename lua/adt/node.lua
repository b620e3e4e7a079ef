--- The health of a machine as a compute node: `adt.node.check.run()`, and what it stands on, each by its name.
local M = {}

local PARTS = { check = true, facts = true, fleet = true, judge = true, klog = true, profiles = true, severity = true, xid = true }

return setmetatable(M, {
  __index = function(self, name)
    local part = PARTS[name] and require("adt.node." .. name) or nil
    rawset(self, name, part)
    return part
  end,
})
