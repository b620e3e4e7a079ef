--- AWS: clients of its services, credentials, signatures. `adt.aws.client("ec2"):DescribeSubnets {}`
---
--- Nothing here needs Python or the `aws` program.
local M = {}

-- Functions of modules; every other name is the module adt.aws.<name> itself.
local FUNCTIONS = {
  whoami = { "whoami", "whoami" }, ecr_login = { "ecr", "login" }, ecr_public_login = { "ecr", "public_login" },
  eks_token = { "eks", "token" }, preflight = { "preflight", "preflight" },
  preflight_zones = { "preflight", "check_zones" },
}

setmetatable(M, {
  __index = function(self, name)
    local at = FUNCTIONS[name]
    local value
    if at then
      value = require("adt.aws." .. at[1])[at[2]]
    elseif type(name) == "string" and name:match "^%l[%w_]*$" then
      value = require("adt.aws." .. name)
    end
    rawset(self, name, value)
    return value
  end,
})

return M
