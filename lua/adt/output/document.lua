--- Events as JSON: one object a line as they come, or one document at the end.
local json = require "adt.json"
local value = require "adt.output.value"
local term = require "adt.term"

local M = {}

local VERSION = 1 -- of both forms; grows when a field changes its meaning

---@class adt.output.Document
local Document = {}
Document.__index = Document

---@param out adt.Output
function M.new(out)
  return setmetatable({
    out = out, lines = out.format == "ndjson", told = {},
    run = {}, stages = {}, steps = {}, jobs = {}, checks = {}, notes = {}, resources = {}, changes = {}, rendered = {},
    summaries = {}, metrics = {}, by = {},
  }, Document)
end

-- Every event as it is, with the version and the time; a job's line without control sequences.
function Document:write_line(e)
  local copy = value.plain(e)
  copy.v = VERSION
  if e.type == "line" then
    copy.text = value.safe(term.strip(e.text))
  end
  self.out:write(json.encode(copy) .. "\n")
end

-- One entry per stage and step: a later state replaces the earlier one.
function Document:entry(list, key, fields)
  local found = self.by[key]
  if not found then
    found = {}
    self.by[key] = found
    list[#list + 1] = found
  end
  for name, v in pairs(fields) do found[name] = v end
end

local function without_type(e)
  local copy = value.plain(e)
  copy.type, copy.t = nil, nil
  return copy
end

local function add_number(sum, number)
  if math.type(number) == nil or number ~= number or number == math.huge or number == -math.huge then
    sum.not_finite = (sum.not_finite or 0) + 1
    return
  end
  sum.n = sum.n + 1
  sum.first = sum.first or number
  sum.last = number
  sum.min = math.min(sum.min or number, number)
  sum.max = math.max(sum.max or number, number)
  sum.mean = (sum.mean or 0) + (number - (sum.mean or 0)) / sum.n
end

function Document:add_metrics(e)
  local job = self.metrics[e.job] or { records = 0, values = {} }
  self.metrics[e.job] = job
  job.records, job.step, job.total = job.records + 1, e.step or job.step, e.total or job.total
  for name, number in pairs(e.values or {}) do
    job.values[name] = job.values[name] or { n = 0 }
    add_number(job.values[name], number)
  end
end

local KEEP = {
  run = function(self, e) self.run = without_type(e) end,
  stage = function(self, e) self:entry(self.stages, "stage\0" .. e.stage, without_type(e)) end,
  step = function(self, e)
    self:entry(self.steps, "step\0" .. tostring(e.stage) .. "\0" .. e.step, without_type(e))
  end,
  job = function(self, e) self:entry(self.jobs, "job\0" .. e.job, without_type(e)) end,
  metrics = Document.add_metrics,
  check = function(self, e) self.checks[#self.checks + 1] = without_type(e) end,
  note = function(self, e) self.notes[#self.notes + 1] = without_type(e) end,
  resource = function(self, e) self.resources[#self.resources + 1] = without_type(e) end,
  change = function(self, e) self.changes[#self.changes + 1] = without_type(e) end,
  rendered = function(self, e) self.rendered[#self.rendered + 1] = without_type(e) end,
  summary = function(self, e) self.summaries[#self.summaries + 1] = value.plain(e.text) end,
  plan_end = function(self, e) self.plan_end = value.plain(e.text) end,
  ["end"] = function(self, e) self.ending = without_type(e) end,
}

function Document:event(e)
  if self.lines then
    self:write_line(e)
  elseif KEEP[e.type] then
    KEEP[e.type](self, e)
  end
  -- People may watch although a program reads.
  if e.type == "end" and e.error then
    self.out:complain("error: " .. value.paragraph(e.error) .. "\n")
  end
end

function Document.tick() end

function Document:finish()
  if self.lines or self.written then
    return
  end
  self.written = true
  local ending = self.ending or {}
  local document = {
    v = VERSION, run = self.run.run, recipe = self.run.recipe, kind = self.run.kind, params = self.run.params,
    folder = self.run.folder, mode = self.run.mode,
    stages = json.array(self.stages), steps = json.array(self.steps), jobs = json.array(self.jobs),
    checks = json.array(self.checks), notes = json.array(self.notes),
    resources = #self.resources > 0 and json.array(self.resources) or nil,
    changes = #self.changes > 0 and json.array(self.changes) or nil,
    rendered = json.array(self.rendered), summary = #self.summaries > 0 and table.concat(self.summaries, "\n") or nil,
    metrics = value.plain(self.metrics), plan_end = self.plan_end,
    ok = ending.ok, exit = ending.exit, seconds = ending.seconds, verdict = ending.verdict, error = ending.error,
  }
  self.out:write(json.encode(document) .. "\n")
end

return M
