--- The one door for effects: a step is done, resumed, planned or undone, and the journal knows it before it happens.
---
--- The recipe's code is simply run again; what a step does then follows from the mode and the journal:
---   do, resume   intent is durable before f(key) runs, then ack(result). An acked step whose inputs are the same and
---                whose outputs are still there gives its journalled result. An intent without ack asks find(key).
---   plan         gives what exists, or a pending value.
---   down         collects undo(result) of what was acked, to be called newest first.
local errors = require "adt.error"
local fs = require "adt.fs"
local hash = require "adt.hash"
local json = require "adt.json"
local pending = require "adt.pending"
local process = require "adt.process"
local secret = require "adt.secret"
local state = require "adt.state"
local ctask = require "adt.c.task"

local M = {}

---@class adt.StepOptions
---@field inputs? table what the result depends on; a change makes the step be done again
---@field outputs? string[]|fun(result: any): string[] files that must be there for a journalled result to count
---@field find? fun(key: string): any what an interrupted f(key) made, nil if it made nothing; raises "unknown"
---@field undo? fun(result: any, key: string) takes back what f made; for `down`
---@field keep? boolean|string `down` spares it (the text says why)
---@field exists? fun(): any what is there already, whichever run made it
---@field kind? string for lists: "job", "venv" ...

---@class adt.Door
---@field mode "do"|"plan"|"down"
---@field run? adt.Run
---@field emit fun(event: table)
---@field used table<string, boolean>
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
  fields.used, fields.collected = {}, {}
  return setmetatable(fields, Door)
end

local function plain_inputs(value, where)
  if secret.is(value) then
    return "<secret " .. hash.hmac_sha256(state.key(), value:reveal()) .. ">"
  elseif pending.is(value) then
    return tostring(value)
  elseif type(value) ~= "table" then
    return value
  end
  if require("adt.json").null == value then
    return value
  end
  local copy = {}
  for k, v in pairs(value) do
    if type(v) == "function" or type(v) == "userdata" or type(v) == "thread" then
      errors.raise { cause = "usage", message = ("the inputs of a step must be plain data; %s.%s is a %s")
        :format(where, tostring(k), type(v)) }
    end
    copy[k] = plain_inputs(v, where .. "." .. tostring(k))
  end
  return copy
end

local function digests(inputs)
  local key, each, all = state.key(), {}, {}
  for name, value in pairs(inputs) do
    local text = json.encode { plain_inputs(value, tostring(name)) }
    each[tostring(name)] = hash.hmac_sha256(key, text):sub(1, 32)
    all[#all + 1] = tostring(name) .. "=" .. each[tostring(name)]
  end
  table.sort(all)
  return hash.hmac_sha256(key, table.concat(all, "\n")):sub(1, 32), each
end

local function changed_inputs(before, now)
  local names = {}
  for name, digest in pairs(now) do
    if not before or before[name] ~= digest then names[#names + 1] = name end
  end
  for name in pairs(before or {}) do
    if now[name] == nil then names[#names + 1] = name end
  end
  table.sort(names)
  return table.concat(names, ", ")
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

local function check_result(name, result)
  local found = pending.find(result)
  if found then
    pending.stop(found)
  end
  local function scan(value, where)
    if secret.is(value) then
      errors.raise { cause = "usage", code = "SecretInResult",
        message = ("step '%s' returns a secret (%s); results are journalled"):format(name, where) }
    elseif type(value) == "table" then
      for k, v in pairs(value) do scan(v, where .. "." .. tostring(k)) end
    end
  end
  scan(result, "result")
  local text, err = errors.try(json.encode, { result })
  if not text then
    errors.raise { cause = "usage", code = "BadResult", inner = err,
      message = ("step '%s' returns what cannot be journalled: %s"):format(name, err.message) }
  end
  return json.decode(text)[1]
end

-- A child that outlived us may still be about to do what we would look for: it is waited for before we look.
local SETTLE = 600

local function settle_children(self, name, record)
  local me = process.self()
  local deadline = require("adt.time").monotonic() + SETTLE
  for _, child in ipairs(record.children) do
    if child.host ~= me.host then
      errors.raise { cause = "unknown", code = "ChildElsewhere",
        message = ("step '%s' was started by process %d on %s, which cannot be seen from here"):format(name, child.pid, child.host),
        hint = "resume on that host, or see there that the process has ended and use --take-over" }
    end
    while child.boot_id == me.boot_id and process.alive(child.pid, child.start_time)
      and not (child.detached and self:claimed(child)) do
      if require("adt.time").monotonic() > deadline then
        errors.raise { cause = "unknown", code = "ChildRuns",
          message = ("process %d of step '%s' still runs"):format(child.pid, name),
          hint = "wait for it to end or end it, then resume" }
      end
      ctask.sleep(0.02)
    end
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
  local key = ("%s-%s-%d"):format(self.run.id, name:gsub("[^%w]+", "-"), n)
  local started = require("adt.time").monotonic()
  self:event(name, "doing", options.detail)
  self.run:record({ type = "intent", step = name, digest = digest, inputs = each, key = key, n = n }, true)
  local ok, result = xpcall(in_step, errors.handler, self, name, f, key)
  if not ok then
    self:event(name, "failed", nil, require("adt.time").monotonic() - started)
    error(result, 0)
  end
  return self:acknowledge(name, options, result, require("adt.time").monotonic() - started)
end

function Door:acknowledge(name, options, result, seconds)
  result = check_result(name, result)
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
    text = ("step '%s' is done again: changed %s"):format(name, changed_inputs(record.inputs, each)) }
  return self:perform(name, options, f, digest, each, record.n + 1)
end

function Door:go(name, options, f)
  local digest, each = digests(options.inputs or {})
  local record = self.run.steps[name]
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

function Door:plan(name, options)
  local record = self.run and self.run.steps[name]
  if record and record.acked then
    local digest, each = digests(options.inputs or {})
    if record.digest ~= digest then
      self.changes = true
      self:event(name, "planned", "done again: changed " .. changed_inputs(record.inputs, each))
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
  local detail = options.detail
  if record and record.n > 0 and not record.acked and not options.find then
    detail = (detail and detail .. "; " or "") .. "was begun and is repeated"
  end
  self:event(name, "planned", detail)
  return pending.new(name)
end

function Door:collect(name, options)
  local record = self.run.steps[name]
  if record and record.undone then
    return record.result
  end
  if not record or not record.acked then
    if record and record.n > 0 and not record.undone and options.find then
      settle_children(self, name, record)
      local found = options.find(record.key)
      if found ~= nil then
        self:acknowledge(name, options, found)
        record = self.run.steps[name]
      end
    end
    if not record or not record.acked then
      error(COLLECTED, 0)
    end
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

--- As step(), for the library's own steps, which have more options: `again(record)`.
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
