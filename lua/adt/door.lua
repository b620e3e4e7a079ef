--- The one door for effects: a step is done, resumed, planned or undone, and the journal knows it before it happens.
---
--- The recipe's code is simply run again; what a step does then follows from the mode and the journal:
---   do, resume   intent is durable before f(key) runs, then ack(result). An acked step whose inputs are the same and
---                whose outputs are still there gives its journalled result. An intent without ack asks find(key).
---   plan         gives what exists, or a pending value.
---   down         collects undo(result) of what was acked, to be called newest first.
local errors = require "adt.error"
local fs = require "adt.fs"
local pending = require "adt.pending"
local process = require "adt.process"
local stepdata = require "adt.stepdata"
local time = require "adt.time"
local ctask = require "adt.c.task"

local M = {}

---@class adt.StepOptions
---@field inputs? table what the result depends on; a change makes the step be done again
---@field outputs? string[]|fun(result: any): string[] files that must be there for a journalled result to count
---@field find? fun(key: string): any what an interrupted f(key) made, nil if it made nothing; raises "unknown"
---@field undo? fun(result: any, key: string) takes back what f made; for `down`
---@field keep? boolean|string `down` spares it without --with-data (the text says why)
---@field exists? fun(): any what is there already, whichever run made it
---@field kind? string for lists: "job", "venv" ...

---@class adt.Door
---@field mode "do"|"plan"|"down"
---@field run? adt.Run
---@field emit fun(event: table)
---@field used table<string, boolean>
---@field with_data? boolean `down` may delete data
---@field collected table[] steps to undo, oldest first
local Door = {}
Door.__index = Door

local OPTIONS = { "inputs", "outputs", "find", "undo", "keep", "exists", "kind", "detail" }

--- The value that ends the collecting of steps to undo: what follows was never done.
local COLLECTED = setmetatable({}, { __tostring = function() return "what follows was not done" end })

M.collected = COLLECTED

---@param err any
---@return boolean
function M.is_collected(err)
  return err == COLLECTED
end

---@param fields table mode, run, emit
---@return adt.Door
function M.new(fields)
  fields.used, fields.collected, fields.told = {}, {}, {}
  return setmetatable(fields, Door)
end

local function missing_output(outputs, result)
  if type(outputs) == "function" then
    outputs = outputs(result)
  end
  for _, file in ipairs(outputs or {}) do
    if not fs.exists(file) then
      return file
    end
  end
end

-- A child that outlived us may still be about to do what we would look for: it is waited for before we look.
local SETTLE = 600

local function settle_children(self, name, record)
  local me = process.self()
  local deadline = time.monotonic() + SETTLE
  for _, child in ipairs(record.children) do
    if child.host ~= me.host and not self.run.taken_over then
      errors.raise { cause = "unknown", code = "ChildElsewhere",
        message = ("step '%s' was started by process %d on %s, which cannot be seen from here"):format(name, child.pid, child.host),
        hint = "resume on that host, or see there that the process has ended and use --take-over" }
    end
    while child.host == me.host and child.boot_id == me.boot_id and process.alive(child.pid, child.start_time)
      and not (child.detached and self:claimed(child)) do
      if time.monotonic() > deadline then
        errors.raise { cause = "unknown", code = "ChildRuns",
          message = ("process %d, which step '%s' started, still runs after %d s"):format(child.pid, name, SETTLE),
          hint = ("wait for it to end, or end it (kill %d), then resume"):format(child.pid) }
      end
      self:waits_for(name, child)
      ctask.sleep(0.02)
    end
  end
end

-- Told once per step: whoever looks on must know why nothing happens.
function Door:waits_for(name, child)
  if not self.told[name] then
    self.told[name] = true
    self.emit { type = "note", level = "info",
      text = ("step '%s' waits for process %d, which was started before the interruption, at most %d s"):format(name, child.pid, SETTLE) }
  end
end

--- Whether a detached child has already said that it owns its work, so that it need not be waited for.
function Door:claimed(child)
  return child.claim and fs.exists(child.claim)
end

-- Steps that run know where their children are to be journalled; adt.process asks for this.
local function in_step(self, name, f, ...)
  local locals = ctask.locals()
  local outer = locals.step
  locals.step = {
    name = name,
    --- Journals a child at its gate, before it runs.
    child = function(child)
      self.run:record({ type = "child", step = name, pid = child.pid, start_time = child:start_time(),
        host = process.self().host, boot_id = process.self().boot_id, detached = child.detached,
        claim = child.claim }, true)
    end,
    --- For whoever looks on, from below: what keeps the step.
    note = function(level, text)
      self.emit { type = "note", level = level, text = ("step '%s': %s"):format(name, text) }
    end,
  }
  local function ended(ok, ...)
    locals.step = outer
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return ended(xpcall(f, errors.handler, ...))
end

function Door:event(name, what, detail, seconds, kind)
  self.emit { type = "step", stage = self.stage, step = name, state = what, detail = detail, seconds = seconds, kind = kind }
end

function Door:perform(name, options, f, digest, each, n)
  local key = stepdata.key(self.run.id, name, n)
  local started = time.monotonic()
  self:event(name, "doing", options.detail)
  self.run:record({ type = "intent", step = name, digest = digest, inputs = each, key = key, n = n,
    goes_on = options.goes_on or nil }, true)
  local ok, result = xpcall(in_step, errors.handler, self, name, f, key)
  if not ok then
    self:event(name, "failed", nil, time.monotonic() - started)
    error(result, 0)
  end
  return self:acknowledge(name, options, result, time.monotonic() - started)
end

function Door:acknowledge(name, options, result, seconds)
  result = stepdata.result(name, result)
  self.run:record({ type = "ack", step = name, result = result, kind = options.kind }, true)
  self:event(name, "done", nil, seconds, options.kind)
  return result
end

-- Intent without ack: the writer died between them.
function Door:settle(name, options, f, digest, each, record)
  settle_children(self, name, record)
  if options.find then
    local found = in_step(self, name, options.find, record.key)
    if found ~= nil then
      self:event(name, "resumed", "found again")
      self:acknowledge(name, options, found)
      if record.digest == digest then
        return self.run.steps[name].result
      end
      return self:changed(name, options, f, digest, each, self.run.steps[name])
    end
  end
  local n = record.digest == digest and record.n or record.n + 1
  return self:perform(name, options, f, digest, each, n)
end

function Door:changed(name, options, f, digest, each, record)
  self.emit { type = "note", level = "info",
    text = ("step '%s' is done again: changed %s"):format(name, stepdata.changed(record.inputs, each)) }
  if options.replace then
    in_step(self, name, options.replace, record.result)
  end
  return self:perform(name, options, f, digest, each, record.n + 1)
end

-- Where the inputs cannot be looked at any more, those that were journalled count.
function Door:digests(options, record)
  if options.as_before and record and record.digest then
    return record.digest, record.inputs
  end
  return stepdata.digests(self.run, options.inputs or {})
end

function Door:go(name, options, f)
  local record = self.run.steps[name]
  local digest, each = self:digests(options, record)
  if not record or record.n == 0 then
    return self:perform(name, options, f, digest, each, 1)
  elseif record.undone then
    return self:perform(name, options, f, digest, each, record.n + 1)
  elseif not record.acked then
    return self:settle(name, options, f, digest, each, record)
  elseif record.digest ~= digest then
    return self:changed(name, options, f, digest, each, record)
  end
  if options.again and options.again(record) then
    return self:perform(name, options, f, digest, each, record.n + 1)
  end
  local gone = missing_output(options.outputs, record.result)
  if gone then
    self.emit { type = "note", level = "info", text = ("step '%s' is done again: %s is gone"):format(name, gone) }
    return self:perform(name, options, f, digest, each, record.n + 1)
  end
  self:event(name, "resumed")
  return record.result
end

-- What the reader of a plan must know of a step that was begun: whether it is looked for, or simply repeated.
function Door:plan_detail(record, options)
  local parts = { options.detail }
  if record and record.n > 0 and not record.acked and not record.undone then
    parts[#parts + 1] = options.find and "was begun; it is looked for before it is done again"
      or "was begun and is repeated: it has no find"
  end
  return #parts > 0 and table.concat(parts, "; ") or nil
end

function Door:plan(name, options)
  local record = self.run and self.run.steps[name]
  if record and record.acked then
    local digest, each = self:digests(options, record)
    if record.digest ~= digest then
      self.changes = true
      self:event(name, "planned", "done again: changed " .. stepdata.changed(record.inputs, each))
      return pending.new(name)
    elseif not missing_output(options.outputs, record.result) then
      self:event(name, "resumed")
      return record.result
    end
  elseif options.exists then
    local there = options.exists()
    if there ~= nil then
      self:event(name, "resumed", "exists")
      return there
    end
  end
  self.changes = true
  self:event(name, "planned", self:plan_detail(record, options))
  return pending.new(name)
end

-- Interrupted before its ack: what it made is found now, so that it can be taken back.
function Door:find_for_undo(name, options, record)
  if not options.find or record.n == 0 or record.undone then
    return false
  end
  settle_children(self, name, record)
  local found = in_step(self, name, options.find, record.key)
  if found == nil then
    return false
  end
  self:acknowledge(name, options, found)
  return true
end

-- Steps taken back by an earlier `down` give what they gave, so that what it has spared can still be reached.
function Door:collect(name, options)
  local record = self.run.steps[name]
  if record and record.undone then
    return record.result
  elseif not record or not record.acked and not self:find_for_undo(name, options, record) then
    error(COLLECTED, 0)
  end
  table.insert(self.collected, { name = name, options = options, record = record })
  return record.result
end

--- Passes the door with one step. The result is what `f` returned, by way of JSON: the same now and after a resume.
---@param name string unique in the run
---@param options adt.StepOptions
---@param f fun(key: string): any
---@return any result, or a pending value in a plan
function Door:step(name, options, f)
  if type(name) ~= "string" or name == "" or #name > 100 or name:find("[%c]") then
    errors.raise { cause = "usage", message = "a step needs a name of at most 100 printable characters" }
  elseif type(f) ~= "function" then
    errors.raise { cause = "usage", message = ("step '%s' needs a function"):format(name) }
  end
  errors.check_options("ctx:step", options, OPTIONS)
  return self:pass(name, options, f)
end

--- As step(), for the library's own steps, which have more options: `again(record)` tells whether a journalled result
--- does not count, `replace(result)` ends what the step made before it is done again with other inputs, `goes_on` says
--- that what it has measured still counts when it is done again with the same ones, `as_before` that the inputs cannot be
--- looked at here and are taken to be what they were.
function Door:pass(name, options, f)
  if self.used[name] then
    errors.raise { cause = "usage", code = "DuplicateStep",
      message = ("two steps of this run are called '%s'"):format(name),
      hint = "names of steps are unique in a run; in a loop, put the loop's value into the name" }
  end
  self.used[name] = true
  if self.mode == "plan" then
    return self:plan(name, options)
  elseif self.mode == "down" then
    return self:collect(name, options)
  end
  return self:go(name, options, f)
end

--- Takes back what was collected, newest first. Steps that are kept are listed.
---@param with_data boolean also what would be kept
function Door:undo_all(with_data)
  for i = #self.collected, 1, -1 do
    local step = self.collected[i]
    local options, name = step.options, step.name
    if options.keep and not with_data then
      self:event(name, "kept", type(options.keep) == "string" and options.keep or nil)
    else
      if options.undo then
        in_step(self, name, options.undo, step.record.result, step.record.key)
      end
      self.run:record({ type = "undone", step = name }, true)
      self:event(name, "undone", not options.undo and "nothing to take back" or nil)
    end
  end
end

return M
