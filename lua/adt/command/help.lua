--- `adtlua help`: the commands, a line each.
local cli = require "adt.cli"

local M = { summary = "show this", args = "", most = 0, flags = {} }

--- Prints the commands.
---@return integer exit status
function M.run()
  io.write("usage: adtlua RECIPE.lua [verb] [--parameter value ...]\n       adtlua COMMAND [args]\n\ncommands:\n")
  for _, name in ipairs(cli.COMMANDS) do
    io.write(("  %-9s %s\n"):format(name, require("adt.command." .. name).summary))
  end
  io.write("\n`adtlua RECIPE.lua --help` shows a recipe's parameters, `adtlua --help` the options of the interpreter.\n")
  return 0
end

return M
