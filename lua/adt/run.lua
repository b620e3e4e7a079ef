--- A run: its folder with the journal, the owner's lock, and what the journal says has happened.
local errors = require "adt.error"
local fs = require "adt.fs"
local journal = require "adt.journal"
local metrics = require "adt.metrics"
local owner = require "adt.owner"
local path = require "adt.path"
local state = require "adt.state"

local M = {}

---@class adt.StepRecord
---@field digest? string
---@field inputs? table<string, string> digest of each input, to say which one changed
---@field key? string
---@field n integer how many times an intent of this step was journalled with new inputs
---@field acked? boolean
---@field result any
---@field undone? boolean
---@field children table[] { pid, start_time, boot_id, host } not known to have ended
---@field ended? table what became of what the step started (a job's end)

---@class adt.Run
---@field id string
---@field dir string
---@field head table the journal's first record
---@field steps table<string, adt.StepRecord>
---@field order string[] names of acked steps, oldest first
---@field finished? table the last "end" record, unless the run went on after it
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

function APPLY.begin(run, record)
  run.finished = nil
  run.begun = record
  run.digest = record.digest or run.digest
end

function APPLY.intent(run, record)
  local step = step_of(run, record.step)
  step.digest, step.inputs, step.key, step.n = record.digest, record.inputs, record.key, record.n
  step.acked, step.result, step.undone, step.ended, step.metrics, step.offsets = false, nil, nil, nil, nil, nil
  step.began = record.t
  forget_order(run, record.step)
end

function APPLY.child(run, record)
  table.insert(step_of(run, record.step).children, record)
end

function APPLY.ack(run, record)
  local step = step_of(run, record.step)
  step.acked, step.result, step.children, step.acked_at = true, record.result, {}, record.t
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
  step_of(run, record.step).ended = record.result
end

function APPLY.metrics(run, record)
  local step = step_of(run, record.step)
  step.metrics = step.metrics or {}
  for _, row in ipairs(record.rows or {}) do
    table.insert(step.metrics, metrics.from_json(row))
  end
  step.offsets = record.offsets or step.offsets
end

function APPLY.stage(run, record)
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

local function replay(id, dir, records)
  local run = setmetatable({ id = id, dir = dir, steps = {}, order = {}, stages = {}, checks = {} }, Run)
  for _, record in ipairs(records) do
    apply(run, record)
  end
  if not run.head then
    errors.raise { cause = "config", code = "EmptyRun", where = dir, message = "this run was never begun",
      hint = "start it again; `adtlua gc --delete` removes the folder" }
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

--- Reads a run without becoming its owner.
---@param text string id, beginning of an id, folder, or "last"
---@return adt.Run
function M.read(text)
  local id, dir = M.resolve(text)
  local file = path.join(dir, "journal.ndjson")
  if not fs.exists(file) then
    errors.raise { cause = "usage", code = "NoRun", where = dir, message = "this folder is no run: it has no journal" }
  end
  return replay(id, dir, (journal.read(file)))
end

local function begin(run, head, recipe)
  run.owner = owner.acquire(run.dir)
  run.journal = journal.open(path.join(run.dir, "journal.ndjson"))
  run.journal:append(head, true)
  if recipe then
    fs.copy(recipe, path.join(run.dir, "recipe.lua"))
  end
end

--- Makes a new run and becomes its owner. Raises cause "config" where that is not possible, and leaves nothing then.
---@param head table recipe, digest, params and so on: the first record
---@param recipe? string file that is kept with the run
---@return adt.Run
function M.create(head, recipe)
  local id = require("adt.random").id()
  local dir = state.make(path.join(state.make(state.runs()), id))
  head.type, head.v, head.id = "run", 1, id
  local run = replay(id, dir, { head })
  local _, err = errors.try(begin, run, head, recipe)
  if err then
    errors.try(run.close, run)
    errors.try(fs.remove, dir, { recursive = true })
    errors.raise { cause = "config", code = err.code, inner = err,
      message = ("cannot begin a run in %s: %s"):format(state.runs(), err.message),
      hint = "free space there, or set XDG_STATE_HOME to a folder that you may write to" }
  end
  return run
end

--- Opens a run to go on with it and becomes its owner.
---@param text string
---@param take_over? boolean
---@return adt.Run
function M.open(text, take_over)
  local id, dir = M.resolve(text)
  local file = path.join(dir, "journal.ndjson")
  if not fs.exists(file) then
    errors.raise { cause = "usage", code = "NoRun", where = dir, message = "this folder is no run: it has no journal" }
  end
  local own = owner.acquire(dir, take_over)
  local ok, j, records = pcall(journal.open, file)
  if not ok then
    own:close()
    error(j, 0)
  end
  local run = replay(id, dir, records)
  run.journal, run.owner = j, own
  return run
end

--- Journals a record and takes note of it.
---@param record table
---@param durable? boolean
function Run:record(record, durable)
  self.journal:append(record, durable)
  apply(self, record)
end

--- Gives the run up.
function Run:close()
  if self.journal then
    self.journal:close()
  end
  if self.owner then
    self.owner:close()
  end
  self.journal, self.owner = nil, nil
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
