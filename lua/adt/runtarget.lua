--- The target that a run's jobs were submitted to, for commands that look at a run from outside.
local config = require "adt.config"
local errors = require "adt.error"

local M = {}

--- The target of a run.
---@param r adt.Run
---@return adt.Target
function M.of(r)
  local target = config.make_target(config.load(), r.head.target or "local")
  -- A copied run folder is read where it lies.
  return target.at and target:at(r.dir) or target
end

--- What a job does now; "unknown" with the reason when it cannot be asked.
---@param r adt.Run
---@param job { id: any }
---@return table
function M.status(r, job)
  local all, err = errors.try(function() return M.of(r):status { job.id } end)
  return all and all[job.id] or { state = "unknown", message = err and err.message }
end

return M
