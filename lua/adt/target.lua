--- Where jobs run: a target is a module adt.target.<kind> with the functions of the design's section 7.
local errors = require "adt.error"

local M = {}

---@class adt.Target
---@field kind string
---@field name string
---@field preflight fun(self, job: table) refuses what cannot be carried
---@field render fun(self, job: table): string text without side effect
---@field submit fun(self, job: table, key: string, dir: string): string id
---@field find fun(self, key: string, job: table, dir: string): string? id
---@field status fun(self, ids: string[]): table<string, table> many jobs, one query
---@field logs fun(self, id: string, options: table?): table[], table
---@field cancel fun(self, id: string): table ends it and verifies
---@field nodes fun(self): table[]
---@field exec fun(self, nodes: string[], argv: string[], options: table?): table[]
---@field files fun(self, id: string): table
---@field act fun(self, node: string, what: "drain"|"resume"|"reboot"|"replace", reason: string)
---@field adopt fun(self, id: string): string

--- Makes a target from its description: `adt.target { kind = "local" }`.
---@param spec { kind: string }
---@return adt.Target
function M.make(spec)
  local kind = type(spec) == "table" and spec.kind
  if type(kind) ~= "string" or not kind:match("^%l[%l%d_]*$") then
    errors.raise { cause = "usage", message = "a target needs a kind", hint = 'write { kind = "local" }' }
  end
  local ok, module = pcall(require, "adt.target." .. kind)
  if not ok then
    if not tostring(module):find("module 'adt.target." .. kind .. "' not found", 1, true) then
      error(module, 0)
    end
    errors.raise { cause = "config", code = "NoTarget", message = ("there is no target of kind '%s'"):format(kind),
      hint = 'kind "local" is built in; others are modules adt.target.<kind> on package.path' }
  end
  return module.new(spec)
end

--- The target that a name stands for, from the configuration; "local" is always there.
---@param name string
---@param targets table<string, table>
---@return adt.Target
function M.named(name, targets)
  local spec = targets[name]
  if not spec then
    if name == "local" then
      return M.make { kind = "local" }
    end
    local names = { "local" }
    for known in pairs(targets) do names[#names + 1] = known end
    local near = errors.nearest(name, names)
    errors.raise { cause = "usage", code = "NoTarget", message = ("there is no target '%s'"):format(name),
      hint = near and ("did you mean '%s'?"):format(near) or "targets are described in adtlua.yaml" }
  end
  local copy = { name = name }
  for k, v in pairs(spec) do copy[k] = v end
  return M.make(copy)
end

return M
