--- The library that recipes and scripts require: every public module by name, the task vocabulary, recipes, parameters.
local M = {}

-- Names that live in another module; everything else is the module adt.<name> itself.
local HOME = {
  all = "task", map = "task", race = "task", timeout = "task", spawn = "task", group = "task", sleep = "task",
  shield = "task",
  try = "error",
  recipe = "recipe", run = "script",
  int = "param", number = "param", bool = "param", string = "param", enum = "param", list = "param",
  duration = "param", size = "param", path = "param", hostlist = "param", secret = "param",
  sh = "process", tool = "tool", target = "target",
}

-- What is a module and at the same time the name of a function above is reached by require.
setmetatable(M, {
  __index = function(self, name)
    local home = HOME[name]
    local value
    if home == "recipe" and name == "recipe" then
      value = require("adt.recipe").define
    elseif name == "target" then
      value = require("adt.target").make
    elseif name == "tool" then
      value = require("adt.tool").find
    elseif name == "run" then
      value = require("adt.script").run
    elseif home then
      value = require("adt." .. home)[name]
    elseif type(name) == "string" and name:match("^%l[%w_]*$") then
      value = require("adt." .. name)
    end
    rawset(self, name, value)
    return value
  end,
})

return M
