--- Runs for people: rows for tables, summaries, what the commands about runs share.
local errors = require "adt.error"
local json = require "adt.json"
local metrics = require "adt.metrics"
local run = require "adt.run"
local time = require "adt.time"
local units = require "adt.units"

local M = {}

--- Reads every run of this state folder, newest first; one that cannot be read is listed as such.
---@param most? integer
---@return table[] runs adt.Run, or { id =, broken = message }
function M.all(most)
  local ids, list = run.ids(), {}
  for i = #ids, math.max(1, #ids - (most or 1e9) + 1), -1 do
    local r, err = errors.try(run.read, ids[i])
    list[#list + 1] = r or { id = ids[i], broken = err.message }
  end
  return list
end

--- The metrics of each job of a run.
---@param r adt.Run
---@return table<string, adt.MetricsStore>
function M.metrics(r)
  local stores = {}
  for name, step in pairs(r.steps) do
    if step.metrics then
      stores[name] = metrics.store(step.metrics)
    end
  end
  return stores
end

--- The jobs of a run in the order in which they were submitted.
---@param r adt.Run
---@return { name: string, id: any, ended: table? }[]
function M.jobs(r)
  local jobs = {}
  for _, name in ipairs(r.order) do
    local step = r.steps[name]
    if step.kind == "job" then
      jobs[#jobs + 1] = { name = name, id = step.result, ended = step.ended, step = step }
    end
  end
  return jobs
end

--- A run as plain data, for -o json.
---@param r adt.Run
---@return table
function M.describe(r)
  if r.broken then
    return { id = r.id, state = "broken", message = r.broken }
  end
  local jobs = json.array {}
  for i, job in ipairs(M.jobs(r)) do
    jobs[i] = { name = job.name, id = job.id, state = job.ended and job.ended.state or "running" }
  end
  local checks = json.array {}
  for _, stage in ipairs(r.stage_order) do
    for _, check in ipairs(r.checks[stage] or {}) do
      checks[#checks + 1] = { stage = stage, name = check.name, ok = check.ok, evidence = check.evidence }
    end
  end
  return { id = r.id, state = r:state(), recipe = r.head.recipe, target = r.head.target, folder = r.dir, began = time.iso(r.head.t),
    params = r.head.params, verdict = r.finished and r.finished.verdict, exit = r.finished and r.finished.exit,
    seconds = r.finished and r.finished.seconds, jobs = jobs, checks = checks }
end

--- A row for a table of runs.
---@param r adt.Run
---@return string[]
function M.row(r)
  if r.broken then
    return { r.id, "broken", "", "", "", r.broken }
  end
  local seconds = r.finished and r.finished.seconds
  return { r.id, r:state(), r.head.recipe, r.head.target or "", time.iso(r.head.t),
    seconds and units.duration(seconds) or "", r.finished and r.finished.verdict or "" }
end

M.HEADER = { "RUN", "STATE", "RECIPE", "TARGET", "BEGAN", "TOOK", "VERDICT" }

return M
