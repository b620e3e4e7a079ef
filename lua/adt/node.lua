--- The health of a machine as a compute node: adt.node.check.run() and what it stands on, each by its name.
return setmetatable({}, {
  __index = function(self, name)
    local part = require("adt.node." .. name)
    rawset(self, name, part)
    return part
  end,
})
