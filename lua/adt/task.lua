--- Parallel work as blocks that end their children: group, spawn, all, map, race, timeout, shield.
---
--- A group ends when its children have ended; the first failure cancels the others; leaving it by an error or a cancel
--- ends them too. Nothing runs on after its block.
local c = require "adt.c.task"
local errors = require "adt.error"

local M = {}

---@class adt.Group
---@field children table[] C tasks that were not joined yet
---@field failed any the first failure
---@field ended boolean
local Group = {}
Group.__index = Group

local function new_group()
  return setmetatable({ children = {}, ended = false }, Group)
end

local function cancelled()
  return errors.new { cause = "cancelled", code = "Cancelled", message = "the task was cancelled" }
end

function Group:cancel()
  self.cancelled = true
  for _, child in ipairs(self.children) do
    child:cancel()
  end
end

-- The failing child itself cancels its siblings, so that nobody has to watch all of them at once.
local function child_body(group, handle, f, ...)
  if group.cancelled then
    error(cancelled(), 0)
  end
  local function ended(ok, ...)
    if ok then
      return ...
    end
    local err = ...
    if not handle.own_failure and group.failed == nil and not group.cancelled then
      group.failed = err
      group:cancel()
    end
    error(err, 0)
  end
  return ended(xpcall(f, errors.handler, ...))
end

---@class adt.Task
local Task = {}
Task.__index = Task

--- Waits for the task's end: its values, or its error raised.
---@return any ...
function Task:join()
  local function results(ok, ...)
    if ok then
      return ...
    end
    error((...), 0)
  end
  return results(self.task:join())
end

--- Makes the task's waits raise; its <close> variables run.
function Task:cancel()
  self.task:cancel()
end

function Group:spawn(own_failure, f, ...)
  if self.ended then
    errors.raise { cause = "usage", message = "adt.spawn: the group has ended; spawn inside a block that still runs" }
  end
  local handle = setmetatable({ own_failure = own_failure }, Task)
  local locals = c.locals()
  local outer = locals.group
  locals.group = self
  handle.task = c.spawn(child_body, self, handle, f, ...)
  locals.group = outer
  table.insert(self.children, handle.task)
  return handle
end

-- A cancel of the one who waits reaches the children; they are still waited for, so that nothing outlives the block.
function Group:wait()
  local interrupted
  while #self.children > 0 do
    local child = self.children[#self.children]
    local ok, err = pcall(child.join, child)
    if not ok then
      interrupted = interrupted or err
      self:cancel()
      c.shield(1)
      child:join()
      c.shield(-1)
    end
    for i = #self.children, 1, -1 do
      if self.children[i]:state() == "ended" then
        table.remove(self.children, i)
      end
    end
  end
  self.ended = true
  if interrupted then
    error(interrupted, 0)
  end
  if self.failed ~= nil then
    error(self.failed, 0)
  end
end

local function run_group(body, ...)
  local group = new_group()
  local function ended(ok, ...)
    if not ok then
      if group.failed == nil then
        group.failed = (...)
      end
      group:cancel()
    end
    group:wait()
    return ...
  end
  return ended(xpcall(body, errors.handler, group, ...))
end

--- Runs `f` with a group of its own: what it spawns has ended when this returns. The first failure, of `f` or of a
--- child, cancels the rest and is raised.
---@param f fun(...): ...
---@return any ...
function M.group(f, ...)
  return run_group(function(group, ...)
    return group:spawn(false, f, ...):join()
  end, ...)
end

local root = new_group()

--- Starts `f(...)` as a task of the innermost group (of the script or run outside of any). It begins at the next wait.
---@param f fun(...): ...
---@return adt.Task
function M.spawn(f, ...)
  return (c.locals().group or root):spawn(false, f, ...)
end

--- Waits for what was spawned outside of any group. The program calls it when a script has ended.
function M.finish()
  local group = root
  root = new_group()
  group:wait()
end

--- Runs functions side by side. Raises the first failure after the others have been cancelled.
---@param functions (fun(): any)[]
---@return any ... the first value of each, in order
function M.all(functions)
  local results = {}
  run_group(function(group)
    for i, f in ipairs(functions) do
      group:spawn(false, function() results[i] = f() end)
    end
  end)
  return table.unpack(results, 1, #functions)
end

---@class adt.MapOptions
---@field at_once? integer how many run side by side (64)
---@field keep_going? boolean outcomes instead of cancelling the rest at a failure

---@class adt.Outcome
---@field ok boolean
---@field item any
---@field value any
---@field error? adt.Error

local function misuse(message)
  errors.raise { cause = "usage", code = "BadArgument", message = message }
end

local function callable(f)
  return type(f) == "function" or type(f) == "table" and (getmetatable(f) or {}).__call ~= nil
end

local MAP_OPTIONS = { at_once = true, keep_going = true }

local function outcome_of(item, ok, value)
  if ok then
    return { ok = true, item = item, value = value }
  end
  return { ok = false, item = item, error = value }
end

local function sorted_outcomes(outcomes)
  outcomes.ok, outcomes.failed = {}, {}
  for _, o in ipairs(outcomes) do
    table.insert(o.ok and outcomes.ok or outcomes.failed, o)
  end
  local partial = c.locals().on_partial
  if partial and #outcomes.failed > 0 then
    partial(#outcomes.failed, #outcomes)
  end
  return outcomes
end

--- Calls `f(item, index)` for each item, at most `at_once` side by side.
--- With `keep_going` returns a list of outcomes, which also has the lists `.ok` and `.failed`; a run with failed
--- outcomes ends with exit code 12 unless it fails otherwise. Without it the first failure cancels the rest and is
--- raised.
---@generic T, R
---@param list T[]
---@param options adt.MapOptions|fun(item: T, index: integer): R
---@param f? fun(item: T, index: integer): R
---@return R[]|adt.Outcome[]
function M.map(list, options, f)
  if f == nil then
    options, f = {}, options
  end
  if type(list) ~= "table" or type(options) ~= "table" or not callable(f) then
    misuse "adt.map takes a list, options and a function"
  end
  errors.check_options("adt.map", options, MAP_OPTIONS)
  local at_once = options.at_once or 64
  if math.type(at_once) ~= "integer" or at_once < 1 then
    misuse "adt.map: at_once must be a whole number above 0"
  end
  local results, n, next_index = {}, #list, 0
  local function worker()
    while next_index < n do
      next_index = next_index + 1
      local i = next_index
      if options.keep_going then
        results[i] = outcome_of(list[i], xpcall(f, errors.handler, list[i], i))
        M.raise_if_cancelled()
      else
        results[i] = f(list[i], i)
      end
    end
  end
  run_group(function(group)
    for _ = 1, math.min(at_once, n) do
      group:spawn(false, worker)
    end
  end)
  return options.keep_going and sorted_outcomes(results) or results
end

--- Runs functions side by side; the first to end, well or not, decides, and the others are cancelled.
---@param functions (fun(): any)[]
---@return any ... what the first one returned
function M.race(functions)
  if type(functions) ~= "table" or #functions == 0 then
    misuse "adt.race takes a list of functions, one at least"
  end
  local first
  local ok, err = pcall(run_group, function(group)
    for _, f in ipairs(functions) do
      group:spawn(true, function()
        local r = table.pack(xpcall(f, errors.handler))
        if not first then
          first = r
          group:cancel()
        end
      end)
    end
  end)
  if not first then
    error(err, 0)
  end
  if not ok and M.is_cancelled() then
    error(err, 0)
  end
  if not first[1] then
    error(first[2], 0)
  end
  return table.unpack(first, 2, first.n)
end

--- Runs `f` for at most `seconds`, then cancels it and raises an error of cause "timeout".
---@param seconds number
---@param f fun(...): ...
---@return any ...
function M.timeout(seconds, f, ...)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 or not callable(f) then
    misuse "adt.timeout takes seconds and a function"
  end
  local args = table.pack(...)
  local late = false
  local results = table.pack(M.race {
    function() return f(table.unpack(args, 1, args.n)) end,
    function()
      c.sleep(seconds)
      late = true
    end,
  })
  if late then
    errors.raise { cause = "timeout", code = "Timeout", message = ("took longer than %g s"):format(seconds) }
  end
  return table.unpack(results, 1, results.n)
end

--- Runs `f` to its end even if this task is cancelled meanwhile: for clean-up that waits.
---@param f fun(...): ...
---@return any ...
function M.shield(f, ...)
  c.shield(1)
  local function ended(ok, ...)
    c.shield(-1)
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return ended(xpcall(f, errors.handler, ...))
end

--- Whether the running task was cancelled.
---@return boolean
function M.is_cancelled()
  local current = c.current()
  if not current then
    return false
  end
  local _, was = current:state()
  return was
end

--- Raises if the running task was cancelled; for loops that catch errors.
function M.raise_if_cancelled()
  if M.is_cancelled() then
    error(cancelled(), 0)
  end
end

--- Waits.
---@param seconds number
M.sleep = c.sleep

--- Lets the other tasks run.
M.yield = c.yield

return M
