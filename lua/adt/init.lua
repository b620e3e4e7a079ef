--- The library that recipes and scripts require: every public module by name, the task vocabulary, recipes, parameters.
local M = {}

-- Names that are a field of a module; every other name is the module adt.<name> itself.
local FIELDS = {
  all = { "task" }, map = { "task" }, race = { "task" }, timeout = { "task" }, spawn = { "task" }, group = { "task" },
  sleep = { "task" }, yield = { "task" }, shield = { "task" },
  try = { "error" },
  int = { "param" }, number = { "param" }, bool = { "param" }, string = { "param" }, enum = { "param" },
  list = { "param" }, duration = { "param" }, size = { "param" }, hostlist = { "param" },
  secret = { "param" },
  sh = { "process" },
  recipe = { "recipe", "define" }, run = { "script", "run" }, target = { "target", "make" }, tool = { "tool", "find" },
}

-- Both a parameter, adt.path { ... }, and the module, adt.path.join(...).
M.path = setmetatable({}, {
  __call = function(_, fields) return require("adt.param").path(fields) end,
  __index = function(_, name) return require("adt.path")[name] end,
})

setmetatable(M, {
  __index = function(self, name)
    local field = FIELDS[name]
    local value
    if field then
      value = require("adt." .. field[1])[field[2] or name]
    elseif type(name) == "string" and name:match("^%l[%w_]*$") then
      value = require("adt." .. name)
    end
    rawset(self, name, value)
    return value
  end,
})

return M
