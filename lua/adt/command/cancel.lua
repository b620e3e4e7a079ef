--- `adtlua cancel RUN [JOB]`: ends the jobs of a run and verifies that they have ended.
local errors = require "adt.error"
local run = require "adt.run"
local runs = require "adt.runs"
local target_of = require "adt.runtarget"

local M = { summary = "end the jobs of a run", args = "RUN [JOB]", most = 2, flags = {} }

local UNKNOWN = 9

--- Cancels.
---@param _ table no flags
---@param words string[]
---@return integer exit status
function M.run(_, words)
  if not words[1] then
    errors.raise { cause = "usage", message = "cancel needs a run", hint = "`adtlua ps` lists those that go on" }
  end
  local r = run.read(words[1])
  local target, n, exit = target_of.of(r), 0, 0
  for _, job in ipairs(runs.jobs(r)) do
    if not job.ended and (not words[2] or words[2] == job.name) then
      local now = target:cancel(job.id)
      io.write(("job %s: %s%s\n"):format(job.name, now.state, now.state ~= "cancelled" and now.message and ", " .. now.message or ""))
      if now.state == "unknown" then exit = UNKNOWN end
      n = n + 1
    end
  end
  if n == 0 then
    io.write(words[2] and ("no job '%s' of run %s runs\n"):format(words[2], r.id) or ("no job of run %s runs\n"):format(r.id))
  end
  return exit
end

return M
