--- While a plan is made nothing may be written: what changes the world asks here first.
local errors = require "adt.error"
local ctask = require "adt.c.task"

local M = {}

--- Raises cause "usage" if a plan is being made. Steps do not run then, so whoever asks stands outside of one.
---@param what string the function that would change something
function M.check(what)
  if ctask.locals().planning then
    errors.raise { cause = "usage", code = "WriteInPlan",
      message = what .. " would change something outside of a step while a plan is made",
      hint = "put it into ctx:step(name, options, function() ... end); a program that only asks is run with read_only = true" }
  end
end

--- Runs `f` although a plan is being made: for what the library keeps for itself, such as the key of the state folder.
---@param f fun(...): ...
---@return any ...
function M.ours(f, ...)
  local locals = ctask.locals()
  local planning = locals.planning
  locals.planning = nil
  local function ended(ok, ...)
    locals.planning = planning
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return ended(pcall(f, ...))
end

return M
