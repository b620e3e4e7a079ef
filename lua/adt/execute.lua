--- Runs a recipe's stages in one of the four modes and says how it ended.
local context = require "adt.context"
local door = require "adt.door"
local errors = require "adt.error"
local guard = require "adt.guard"
local jobstep = require "adt.jobstep"
local pending = require "adt.pending"
local task = require "adt.task"
local time = require "adt.time"
local ctask = require "adt.c.task"

local M = {}

---@class adt.Execution
---@field recipe adt.Recipe
---@field file string
---@field params table values by name
---@field mode "do"|"plan"|"down"
---@field run? adt.Run nil for a plan of nothing that exists
---@field upto? string last stage
---@field target adt.Target
---@field name string
---@field emit fun(event: table)
---@field detach? boolean
---@field with_data? boolean
---@field resumed_after_end? boolean the run had been reported as ended before
---@field begin? table more fields of the journal's begin record

local function plain_error(err)
  return { cause = err.cause, code = err.code, message = err.message, hint = err.hint, where = err.where, exit = err.exit,
    tail = err.tail, traceback = err.traceback }
end

local function make_context(x)
  local ctx = context.new {
    recipe = x.recipe, file = x.file, mode = x.mode, run = x.run, id = x.run and x.run.id,
    dir = x.run and x.run.dir or pending.new("run"), name = x.name, target = x.target, emit = x.emit, detach = x.detach,
    resumed_after_end = x.resumed_after_end, upto = x.upto, params = x.params,
  }
  ctx.door = door.new { mode = x.mode, run = x.run, emit = x.emit, with_data = x.with_data }
  return ctx
end

local function stages_of(x)
  local stages = {}
  for _, stage in ipairs(x.recipe.stages) do
    stages[#stages + 1] = stage
    if stage == x.upto then break end
  end
  return stages
end

local function failed_checks(ctx)
  local failed, cause = ctx:failures(ctx.stage)
  if #failed > 0 then
    return errors.new { cause = cause, code = "CheckFailed", where = ctx.stage,
      message = ("%d of the checks failed: %s"):format(#failed, table.concat(failed, "; ")),
      hint = "the evidence stands beside each check" }
  end
end

-- Returns the stage's results, or nil and the error. What a stage has spawned ends with it.
local function run_stage(x, ctx, stage, results)
  local started = time.monotonic()
  ctx.stage, ctx.door.stage = stage, stage
  if x.mode == "do" then
    x.run:record { type = "stage", stage = stage, state = "begin" }
  end
  x.emit { type = "stage", stage = stage, state = "begin" }
  local ok, result = xpcall(task.group, errors.handler, x.recipe[stage], ctx, x.params, results)
  local err = not ok and result or x.mode == "do" and failed_checks(ctx) or nil
  if err and (door.is_collected(err.inner) or pending.plan_end(err.inner) or err.inner == jobstep.DETACH) then
    return nil, err
  end
  local seconds = time.monotonic() - started
  if x.mode == "do" then
    x.run:record { type = "stage", stage = stage, state = "end", ok = not err, seconds = seconds, error = err and plain_error(err) }
  end
  x.emit { type = "stage", stage = stage, state = "end", ok = not err, seconds = seconds, error = err }
  if err then
    return nil, err
  end
  return result == nil and {} or result
end

-- After a failed job validate still runs, so that the report says why; its own troubles are notes then.
local function explain_failure(x, ctx, stages, at, results, err)
  local last = stages[#stages]
  if last ~= "validate" or stages[at] == "validate" or not ctx.failed_job then
    return
  end
  results[stages[at]] = ctx.failed_job.result
  local _, why = run_stage(x, ctx, "validate", results)
  if why and why.cause ~= "check" and why.code ~= "CheckFailed" and why ~= err then
    x.emit { type = "note", level = "warn", text = "validate, run on what the failed job left: " .. why.message }
  end
end

local function run_stages(x, ctx)
  local results, stages = {}, stages_of(x)
  for i, stage in ipairs(stages) do
    local result, err = run_stage(x, ctx, stage, results)
    if err then
      if x.mode == "do" and not err.inner and err.cause ~= "cancelled" then
        explain_failure(x, ctx, stages, i, results, err)
      end
      return nil, err
    end
    results[stage] = result
  end
  if x.mode == "do" and stages[#stages] == "validate" and #ctx.checks == 0 then
    return nil, errors.new { cause = "check", code = "NothingChecked", message = "validate recorded no check",
      hint = "success is only reported when something was checked: call ctx:check(name, ok, evidence)" }
  end
  return results
end

local function finish_do(x, ctx, err, started)
  local detached = err and err.inner == jobstep.DETACH
  if detached then err = nil end
  local exit = err and errors.exit_code(err) or ctx.partial and 12 or 0
  local state = detached and "detached" or err and (err.cause == "cancelled" and "interrupted" or "failed") or "ok"
  local text = detached and "detached: the job goes on; `adtlua wait " .. x.run.id .. "` follows it to its verdict" or ctx:verdict(err)
  local seconds = time.monotonic() - started
  x.run:record({ type = "end", state = state, exit = exit, verdict = text, error = err and plain_error(err), seconds = seconds }, true)
  x.emit { type = "end", run = x.run.id, ok = not err, exit = exit, seconds = seconds, error = err, verdict = text }
  return exit, err
end

local function go(x)
  local started = time.monotonic()
  local begin = { type = "begin", mode = x.mode, upto = x.upto }
  for k, v in pairs(x.begin or {}) do begin[k] = v end
  x.run:record(begin, true)
  local ctx = make_context(x)
  ctask.locals().on_partial = function() ctx.partial = true end
  local _, err = run_stages(x, ctx)
  return finish_do(x, ctx, err, started)
end

local function plan(x)
  local ctx = make_context(x)
  local _, err = guard.planning(pending.guarding, run_stages, x, ctx)
  local on = err and pending.plan_end(err.inner)
  if on then
    x.emit { type = "plan_end", text = "from here it depends on " .. on }
    err = nil
  end
  local changes = ctx.door.changes or false
  x.emit { type = "end", ok = not err, exit = err and errors.exit_code(err) or 0, error = err, changes = changes,
    verdict = err and "the plan cannot be made: " .. err.message or changes and "there is something to do" or "nothing to do" }
  return err and errors.exit_code(err) or changes and x.exit_code and 10 or 0, err
end

local function down(x)
  local started = time.monotonic()
  local ctx = make_context(x)
  local _, err = run_stages(x, ctx)
  -- Whatever stopped the collecting, what was made before it is to be taken back.
  if err and not door.is_collected(err.inner) and err.cause ~= "cancelled" then
    x.emit { type = "note", level = "warn", text = "the recipe ended early, its steps up to there are taken back: " .. err.message }
  end
  if err and err.cause == "cancelled" then
    return errors.exit_code(err), err
  end
  local steps = #ctx.door.collected
  local _, failure = errors.try(ctx.door.undo_all, ctx.door, x.with_data)
  local exit = failure and errors.exit_code(failure) or 0
  local text = failure and failure.message or steps == 0 and "there was nothing to take back" or "down"
  x.run:record({ type = "end", state = failure and "failed" or "down", exit = exit, verdict = text, error = failure and plain_error(failure) }, true)
  x.emit { type = "end", run = x.run.id, ok = not failure, exit = exit, seconds = time.monotonic() - started, error = failure, verdict = text }
  return exit, failure
end

--- Runs a recipe. Must run in a task. The outcome is in the journal and the events; nothing is raised.
---@param x adt.Execution
---@return integer exit status
---@return adt.Error? error
function M.execute(x)
  local f = x.mode == "plan" and plan or x.mode == "down" and down or go
  local ok, exit, err = xpcall(f, errors.handler, x)
  if ok then
    return exit, err
  end
  -- The journal itself could not be written, or our own code is at fault.
  err = exit
  x.emit { type = "end", run = x.run and x.run.id, ok = false, exit = errors.exit_code(err), error = err, verdict = err.message }
  return errors.exit_code(err), err
end

return M
