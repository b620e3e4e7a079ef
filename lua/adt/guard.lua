--- While a plan is made nothing may be written: what changes the world asks here first.
local errors = require "adt.error"
local ctask = require "adt.c.task"

local M = {}

--- Raises cause "usage" if a plan is being made. Steps do not run then, so whoever asks stands outside of one. The
--- library itself keeps nothing while it plans, so that nobody needs an exception.
---@param what string the function that would change something
function M.check(what)
  if ctask.locals().planning then
    errors.raise { cause = "usage", code = "WriteInPlan",
      message = what .. " would change something outside of a step while a plan is made",
      hint = "put it into ctx:step(name, options, function() ... end); a program that only asks is run with read_only = true" }
  end
end

-- Runs `f`, in it and in the tasks that it spawns, with `planning` as it is given.
local function with(planning, f, ...)
  local locals = ctask.locals()
  local outer = locals.planning
  locals.planning = planning
  local function ended(ok, ...)
    locals.planning = outer
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return ended(xpcall(f, errors.handler, ...))
end

--- Runs `f` with every write refused, in it and in the tasks that it spawns.
---@param f fun(...): ...
---@return any ...
function M.planning(f, ...)
  return with(true, f, ...)
end

--- Runs `f` as a question although it writes: for what leaves everything as it was, as a change set that is made, read
--- and deleted. Nobody else needs it.
---@param f fun(...): ...
---@return any ...
function M.asking(f, ...)
  return with(nil, f, ...)
end

return M
