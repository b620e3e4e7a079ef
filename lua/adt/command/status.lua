--- `adtlua status [RUN]`: one run: stages, jobs, checks, verdict.
local json = require "adt.json"
local run = require "adt.run"
local runs = require "adt.runs"
local target_of = require "adt.runtarget"
local term = require "adt.term"
local time = require "adt.time"
local units = require "adt.units"

local M = { summary = "one run: stages, jobs, checks, verdict", args = "[RUN]", most = 1 }

M.flags = { output = { value = true, short = "o", help = "text or json" } }

local function job_lines(r, lines)
  for _, job in ipairs(runs.jobs(r)) do
    local now = job.ended or target_of.status(r, job)
    lines[#lines + 1] = ("job %s: %s%s (%s)"):format(job.name, now.state, now.message and ", " .. now.message or "", tostring(job.id))
  end
end

local function stage_lines(r, lines)
  for _, stage in ipairs(r.stage_order) do
    local s = r.stages[stage]
    lines[#lines + 1] = ("stage %s: %s"):format(stage, s.state == "begin" and "begun"
      or (s.ok and "done" or "failed") .. " after " .. units.duration(s.seconds))
    for _, check in ipairs(r.checks[stage] or {}) do
      local evidence = check.evidence
      if type(evidence) == "table" then evidence = json.encode(evidence) end
      lines[#lines + 1] = ("  %s %s%s"):format(check.ok and "ok    " or "FAILED", check.name,
        evidence ~= nil and " (" .. tostring(evidence) .. ")" or "")
    end
  end
end

local function plots(r, lines)
  for name, store in pairs(runs.metrics(r)) do
    local loss = store.loss
    if loss and #loss > 1 then
      lines[#lines + 1] = term.plot(loss, { label = name .. " loss" }):gsub("\n$", "")
    end
  end
end

local function text_of(r)
  local lines = { ("run %s of recipe %s, %s"):format(r.id, r.head.recipe, r:state()), "folder " .. r.dir,
    ("began %s on %s, target %s"):format(time.iso(r.head.t), r.head.host or "?", r.head.target or "?") }
  local names = {}
  for name in pairs(r.head.params or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("  %s = %s"):format(name, json.encode(r.head.params[name]))
  end
  stage_lines(r, lines)
  job_lines(r, lines)
  plots(r, lines)
  lines[#lines + 1] = r.finished and r.finished.verdict or r:state() == "running" and "still running"
    or ("its program died; `adtlua resume %s` goes on"):format(r.id)
  return table.concat(lines, "\n") .. "\n"
end

--- Prints it.
---@param given table<string, string|true> flags
---@param rest string[]
---@return integer exit status 0, or what the run ended with
function M.run(given, rest)
  local r = run.read(rest[1] or "last")
  if given.output == "json" then
    local described = runs.describe(r)
    described.v = 1
    io.write(json.encode(described), "\n")
  else
    io.write(text_of(r))
  end
  return 0
end

return M
