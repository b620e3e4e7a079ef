--- Ends what a local job has left running when its supervisor could not do it: found by the job's key in their
--- environment, or as members of the supervisor's session.
local errors = require "adt.error"
local process = require "adt.process"
local ctask = require "adt.c.task"

local M = {}

local TRIES = 200 -- of 10 ms; SIGKILL is quick unless a process is stuck in the kernel

local function carries(pid, mark)
  local file = io.open(("/proc/%d/environ"):format(pid), "rb")
  if not file then
    return false
  end
  local env = file:read "a"
  file:close()
  return env ~= nil and ("\0" .. env):find(mark, 1, true) ~= nil
end

-- A session keeps its leader's number from being given away while it has members; so whoever has that number now shows
-- that the session is none of ours.
local function living(key, session)
  local found, mark = {}, key and "\0ADT_KEY=" .. key .. "\0"
  local me = process.self()
  local gone = process.start_time(session) == nil
  for _, p in ipairs(process.list()) do
    if p.state ~= "Z" and p.pid ~= me.pid and (gone and p.session == session or mark and carries(p.pid, mark)) then
      found[#found + 1] = p
    end
  end
  return found
end

--- Ends them all.
---@param key? string the job's key
---@param session integer the dead supervisor's pid, which leads the session of its ranks
---@return integer left how many could not be ended
function M.end_all(key, session)
  local left
  for _ = 1, TRIES do
    left = living(key, session)
    if #left == 0 then
      return 0
    end
    for _, p in ipairs(left) do
      errors.try(process.kill, p.pid, "KILL", p.start_time)
    end
    ctask.sleep(0.01)
  end
  return #left
end

return M
