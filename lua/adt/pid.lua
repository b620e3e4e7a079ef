--- Processes by pid and start time: who lives, who is below whom, signals that reach the one that was meant.
local c = require "adt.c.process"
local errors = require "adt.error"

local M = {}

--- The file that would run for `program`, or nil.
---@param program string
---@return string?
M.find = c.find

--- Whether the process still runs; a zombie does not. With `start_time` also whether it is the one that was meant.
---@param pid integer
---@param start_time? integer
---@return boolean
function M.alive(pid, start_time)
  local ticks = c.start_time(pid)
  return ticks ~= nil and (start_time == nil or ticks == start_time)
end

--- When a process started, in clock ticks since boot; nil when it does not run.
---@param pid integer
---@return integer?
M.start_time = c.start_time

---@class adt.Self
---@field pid integer
---@field start_time integer
---@field exe string
---@field host string
---@field boot_id? string
---@field user? string
---@field home? string
---@field uid integer

--- Who this process is.
---@return adt.Self
M.self = c.self

--- Signals one process. With `start_time` only if it is the one that was meant.
---@param pid integer
---@param signal? string|integer default "TERM"
---@param start_time? integer
--- Raises: usage "ESRCH" (it has ended) or "Replaced" (the pid is somebody else's now); auth (not allowed).
function M.kill(pid, signal, start_time)
  errors.check(c.kill(pid, signal, start_time))
end

---@class adt.ProcessEntry
---@field pid integer
---@field ppid integer
---@field group integer
---@field session integer
---@field start_time integer
---@field state string "Z": a zombie
---@field name string

--- Every process that can be seen.
---@return adt.ProcessEntry[]
function M.list()
  return errors.check(c.list())
end

-- A pid is not given to another process while a group or session of that number exists, so a member proves the group
-- ours unless its leader is a different process now.
local function members(field, id, start_time)
  local found = {}
  for _, p in ipairs(M.list()) do
    if p.pid == id and start_time and p.start_time ~= start_time then
      return {}
    end
    if p[field] == id and p.state ~= "Z" then
      found[#found + 1] = p
    end
  end
  return found
end

local function signal_all(list, signal)
  local count = 0
  for _, p in ipairs(list) do
    count = count + (c.kill(p.pid, signal, p.start_time) and 1 or 0)
  end
  return count
end

--- Signals every member of a process group, also when its leader has ended.
---@param group integer the leader's pid
---@param signal? string|integer default "TERM"
---@param start_time? integer of the leader
---@return integer how many were signalled
function M.kill_group(group, signal, start_time)
  return signal_all(members("group", group, start_time), signal)
end

--- Signals every member of a session, the groups inside it included.
---@param session integer the leader's pid
---@param signal? string|integer default "TERM"
---@param start_time? integer of the leader
---@return integer
function M.kill_session(session, signal, start_time)
  return signal_all(members("session", session, start_time), signal)
end

--- The living descendants of a process, or its children alone.
---@param pid? integer default: this process
---@param options? { deep?: boolean } default: children alone
---@return adt.ProcessEntry[]
function M.children_of(pid, options)
  options = options or {}
  errors.check_options("process.children_of", options, { "deep" })
  local by_parent, found = {}, {}
  for _, p in ipairs(M.list()) do
    by_parent[p.ppid] = by_parent[p.ppid] or {}
    table.insert(by_parent[p.ppid], p)
  end
  local function add(parent)
    for _, p in ipairs(by_parent[parent] or {}) do
      if p.state ~= "Z" then
        found[#found + 1] = p
      end
      if options.deep then
        add(p.pid)
      end
    end
  end
  add(pid or c.self().pid)
  return found
end

--- Signals all descendants of a process, not itself. For a supervisor that must leave nobody behind: after
--- `process.reaper()` also those whose parents have ended are descendants; repeat until it returns 0.
---@param pid? integer default: this process
---@param signal? string|integer default "KILL"
---@return integer how many were signalled
function M.kill_tree(pid, signal)
  return signal_all(M.children_of(pid, { deep = true }), signal or "KILL")
end

--- Makes this process the parent of its descendants' orphans, and reaps them. For supervisors only: from then on other
--- code in this process cannot wait for children that adtlua has not started.
function M.reaper()
  errors.check(c.reaper())
end

--- "SIGTERM" of 15.
---@param number integer
---@return string
M.signal_name = c.signal_name

--- 15 of "TERM" or "SIGTERM"; nil for no signal's name.
---@param name string
---@return integer?
M.signal_number = c.signal_number

--- An environment variable, or nil; without a name a table of all.
---@param name? string
---@return string|table<string, string>|nil
M.env = c.env

--- Sets or (nil) removes an environment variable of this process and of what it starts.
---@param name string
---@param value? string
M.setenv = c.setenv

return M
