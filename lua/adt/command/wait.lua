--- `adtlua wait RUN`: follows a run that was left, to its verdict.
local errors = require "adt.error"
local resume = require "adt.command.resume"
local run = require "adt.run"
local ctask = require "adt.c.task"

local M = { summary = "follow a run to its verdict", args = "RUN", most = 1, flags = {} }

-- Somebody else follows it: wait for that.
local function wait_for_owner(id)
  local r = run.read(id)
  while r:state() == "running" do
    ctask.sleep(0.2)
    r = run.read(id)
  end
  return r
end

--- Waits.
---@param _ table no flags
---@param words string[]
---@return integer exit status what the run ends with
function M.run(_, words)
  local id = words[1]
  if not id then
    errors.raise { cause = "usage", message = "wait needs a run", hint = "`adtlua ps` lists those that go on" }
  end
  local r = wait_for_owner(id)
  if r.finished and r.finished.state ~= "detached" and r.finished.state ~= "interrupted" then
    io.write(r.finished.verdict, "\n")
    return r.finished.exit
  end
  return resume.run { id }
end

return M
