--- `adtlua wait RUN`: follows a run that was left, to its verdict.
local errors = require "adt.error"
local owner = require "adt.owner"
local process = require "adt.process"
local resume = require "adt.command.resume"
local run = require "adt.run"
local ctask = require "adt.c.task"

local M = { summary = "follow a run to its verdict", args = "RUN", most = 1, flags = {} }

-- Somebody else follows it: wait for that.
local function wait_for_owner(id)
  local r = run.read(id)
  while r:state() == "running" do
    local _, who = owner.alive(r.dir)
    if who and who.host ~= process.self().host then
      errors.raise { cause = "busy", code = "Owned", where = r.dir,
        message = ("this run belongs to process %s on %s, which cannot be seen from here"):format(who.pid, who.host),
        hint = ("wait there, or `adtlua resume %s --take-over` when you know that it is gone"):format(id) }
    end
    ctask.sleep(0.2)
    r = run.read(id)
  end
  return r
end

-- Nobody has told yet how it ends: it was left, or its end could not be asked for.
local function is_open(finished)
  return not finished or finished.state == "detached" or finished.state == "interrupted"
    or finished.error ~= nil and finished.error.cause == "unknown"
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
  if not is_open(r.finished) then
    io.write(r.finished.verdict, "\n")
    return r.finished.exit
  end
  return resume.run { id }
end

return M
