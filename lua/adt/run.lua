--- A run: its folder with the journal, the owner's lock, and what the journal says has happened.
local errors = require "adt.error"
local fs = require "adt.fs"
local journal = require "adt.journal"
local owner = require "adt.owner"
local path = require "adt.path"
local state = require "adt.state"
local stepdata = require "adt.stepdata"

local M = {}

---@class adt.StepRecord
---@field digest? string
---@field inputs? table<string, string> digest of each input, to say which one changed
---@field key? string
---@field n integer how many times an intent of this step was journalled with new inputs
---@field acked? boolean
---@field result any
---@field undone? boolean taken back; `result` is what it was
---@field children table[] { pid, start_time, boot_id, host } not known to have ended
---@field ended? table what became of what the step started (a job's end)

---@class adt.Run
---@field id string
---@field dir string
---@field head table the journal's first record
---@field steps table<string, adt.StepRecord>
---@field order string[] names of acked steps, oldest first
---@field finished? table the last "end" record, unless the run went on after it
---@field stage_order string[] in which the stages began first
---@field taken_over? boolean the last owner was overridden: what it started on hosts that cannot be seen counts as ended
local Run = {}
Run.__index = Run

local APPLY = {}

local function step_of(run, name)
  local step = run.steps[name]
  if not step then
    step = { n = 0, children = {}, name = name }
    run.steps[name] = step
  end
  return step
end

local function forget_order(run, name)
  for i = #run.order, 1, -1 do
    if run.order[i] == name then
      table.remove(run.order, i)
    end
  end
end

function APPLY.run(run, record)
  run.head = record
end

-- Results name files by their place in the folder that the run had when they were journalled.
local function here(run, value)
  if run.was and run.was ~= run.dir then
    return stepdata.relocate(value, run.was, run.dir)
  end
  return value
end

function APPLY.begin(run, record)
  run.was = record.dir
  run.finished = nil
  run.begun = record
  run.digest = record.digest or run.digest
end

function APPLY.intent(run, record)
  local step = step_of(run, record.step)
  local goes_on = record.goes_on and step.digest == record.digest
  step.digest, step.inputs, step.key, step.n = record.digest, record.inputs, record.key, record.n
  step.acked, step.result, step.undone, step.ended, step.offsets = false, nil, nil, nil, nil
  -- A job that goes on at its checkpoint does not take the steps before it again.
  step.metrics = goes_on and step.metrics or nil
  forget_order(run, record.step)
end

function APPLY.child(run, record)
  table.insert(step_of(run, record.step).children, record)
end

function APPLY.ack(run, record)
  local step = step_of(run, record.step)
  step.acked, step.result, step.children = true, here(run, record.result), {}
  step.kind = record.kind
  forget_order(run, record.step)
  table.insert(run.order, record.step)
end

function APPLY.undone(run, record)
  local step = step_of(run, record.step)
  -- What it was stays known: a later `down` walks through the recipe again to reach what was kept.
  step.undone, step.acked, step.digest = true, false, nil
  forget_order(run, record.step)
end

function APPLY.ended(run, record)
  step_of(run, record.step).ended = here(run, record.result)
end

function APPLY.metrics(run, record)
  local step = step_of(run, record.step)
  step.metrics = step.metrics or {}
  for _, row in ipairs(record.rows or {}) do
    table.insert(step.metrics, row)
  end
  step.offsets = record.offsets or step.offsets
end

function APPLY.stage(run, record)
  if not run.stages[record.stage] then
    table.insert(run.stage_order, record.stage)
  end
  run.stages[record.stage] = record
end

function APPLY.check(run, record)
  run.checks[record.stage] = run.checks[record.stage] or {}
  table.insert(run.checks[record.stage], record)
end

APPLY["end"] = function(run, record)
  run.finished = record
end

-- A stage that begins again records its checks afresh.
local function apply(run, record)
  if record.type == "stage" and record.state == "begin" then
    run.checks[record.stage] = nil
  end
  local f = APPLY[record.type]
  if f then
    f(run, record)
  end
end

local function replay(dir, records)
  local run = setmetatable({ dir = dir, steps = {}, order = {}, stages = {}, stage_order = {}, checks = {} }, Run)
  for _, record in ipairs(records) do
    apply(run, record)
  end
  if not run.head then
    errors.raise { cause = "config", code = "EmptyRun", where = dir, message = "this run was never begun",
      hint = "start it again; `adtlua gc --delete` removes the folder" }
  end
  -- Not the folder's name: that may be a copy's.
  run.id = run.head.id
  if type(run.id) ~= "string" or not run.id:match("^R%w+$") then
    errors.raise { cause = "config", code = "CorruptJournal", where = path.join(dir, "journal.ndjson") .. ":1",
      message = "the journal of this run is damaged: its first record has no id", hint = "restore it from a copy" }
  end
  return run
end

--- The folder of a run.
---@param id string
---@return string
function M.folder(id)
  return path.join(state.runs(), id)
end

--- The ids of the runs of this state folder, oldest first.
---@return string[]
function M.ids()
  local ids = {}
  if fs.exists(state.runs()) then
    for _, name in ipairs(fs.list(state.runs())) do
      if name:match("^R%w+$") then
        ids[#ids + 1] = name
      end
    end
  end
  return ids
end

--- The full id for what a user typed: an id, its unique beginning, a folder, or "last".
---@param text string
---@return string id
---@return string dir
function M.resolve(text)
  if text:find("/", 1, true) then
    local dir = path.absolute(text)
    return path.name(dir), dir
  end
  local ids = M.ids()
  if text == "last" and #ids > 0 then
    return ids[#ids], M.folder(ids[#ids])
  end
  local found = {}
  for _, id in ipairs(ids) do
    if id == text then
      return id, M.folder(id)
    elseif id:lower():sub(1, #text) == text:lower() then
      found[#found + 1] = id
    end
  end
  if #found == 1 then
    return found[1], M.folder(found[1])
  end
  local near = errors.nearest(text, ids)
  errors.raise { cause = "usage", code = "NoRun",
    message = #found > 1 and ("'%s' begins the ids of %d runs"):format(text, #found)
      or ("there is no run '%s'"):format(text),
    hint = near and ("did you mean %s?"):format(near) or "`adtlua history` lists the runs of this state folder" }
end

local function journal_file(dir)
  local file = path.join(dir, "journal.ndjson")
  if not fs.exists(file) then
    errors.raise { cause = "usage", code = "NoRun", where = dir, message = "this folder is no run: it has no journal",
      hint = "`adtlua history` lists the runs of this state folder" }
  end
  return file
end

--- Reads a run without becoming its owner.
---@param text string id, beginning of an id, folder, or "last"
---@return adt.Run
function M.read(text)
  local _, dir = M.resolve(text)
  return replay(dir, (journal.read(journal_file(dir))))
end

local function begin(dir, own, head, recipe)
  fs.write(path.join(dir, "key"), require("adt.random").hex(32), { atomic = true, sync = true })
  if recipe then
    fs.copy(recipe, path.join(dir, "recipe.lua"))
  end
  local j = journal.open(path.join(dir, "journal.ndjson"))
  j:append(head, true)
  local run = replay(dir, { head })
  run.journal, run.owner = j, own
  return run
end

--- Makes a new run and becomes its owner; nothing is left of it when that fails.
---@param head table recipe, digest, params and so on: the first record
---@param recipe? string file to be kept beside the journal, for whoever has no other copy
---@return adt.Run
--- Raises config: the disk is full or broken.
function M.create(head, recipe)
  local id = require("adt.random").id()
  local dir = path.join(state.make(state.runs()), id)
  head.type, head.v, head.id = "run", 1, id
  local own
  local run, err = errors.try(function()
    own = owner.acquire(state.make(dir))
    return begin(dir, own, head, recipe)
  end)
  if run then
    return run
  elseif own then
    own:close()
  end
  errors.try(fs.remove, dir, { recursive = true })
  if err.cause == "quota" or err.cause == "node" then
    errors.raise { cause = "config", code = err.code, inner = err, message = "cannot begin a run: " .. err.message,
      hint = "free space there, or set XDG_STATE_HOME to a folder that has some" }
  end
  error(err, 0)
end

--- Opens a run to go on with it and becomes its owner.
---@param text string
---@param take_over? boolean
---@return adt.Run
function M.open(text, take_over)
  local _, dir = M.resolve(text)
  local file = journal_file(dir)
  local own = owner.acquire(dir, take_over)
  local run, err = errors.try(function()
    local j, records = journal.open(file)
    local run = replay(dir, records)
    run.journal, run.owner, run.taken_over = j, own, take_over
    return run
  end)
  if not run then
    own:close()
    error(err, 0)
  end
  return run
end

--- The secret key that this run's digests of inputs are made with, so that a journal that leaves the machine does not
--- let anybody guess a short input. It lies in the run's folder, since whoever gets the whole folder must be able to
--- resume: there the same inputs must have the same digests.
---@return string 64 hexadecimal digits
function Run:key()
  if not self.secret_key then
    local file = path.join(self.dir, "key")
    local key, err = errors.try(fs.read, file, { max = 128 })
    if not key or #key ~= 64 or not key:match("^%x+$") then
      errors.raise { cause = "config", code = "BadKey", where = file, inner = err,
        message = "this run's key is not there: inputs cannot be compared with what they were",
        hint = "copy the whole folder of the run, the file `key` included" }
    end
    self.secret_key = key
  end
  return self.secret_key
end

--- Journals a record and takes note of it.
---@param record table
---@param durable? boolean
--- Raises: busy, when the run was taken over; config, when it cannot be written.
function Run:record(record, durable)
  self.owner:check()
  if record.type == "begin" then
    record.dir = self.dir
  end
  self.journal:append(record, durable)
  apply(self, record)
end

--- Gives the run up.
function Run:close()
  if self.journal then
    self.journal:close()
    self.owner:close()
    self.journal, self.owner = nil, nil
  end
end

Run.__close = Run.close

--- "running" (somebody follows it), "interrupted" (its program died), or how it ended: "ok", "failed", "detached", "down".
---@return string
function Run:state()
  if owner.alive(self.dir) then
    return "running"
  elseif not self.finished then
    return "interrupted"
  end
  return self.finished.state
end

return M
