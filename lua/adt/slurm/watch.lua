--- One query for all jobs that a process follows on one cluster: soon after something has changed, seldom when nothing
--- does. The controller answers each query under its locks, so nobody asks for himself.
local errors = require "adt.error"
local task = require "adt.task"
local time = require "adt.time"
local ctask = require "adt.c.task"

local M = {}

---@class adt.slurm.Watch
---@field client table adt.slurm.cli or adt.slurm.rest
---@field wanted table<integer, number> when each job was asked for last
---@field answers table<integer, table[]> records by the number that a user would name: array, leader or job
local Watch = {}
Watch.__index = Watch

-- Seconds between queries, and how much longer each wait is while nothing changes (15 queries to the longest).
local FIRST, LAST, GROWTH = 1, 60, 1.3

-- While a job's last word is there already and Slurm is about to notice.
local HURRIED = 0.25

-- Nobody asked for it since: it is left out of the query.
local FORGET = 3 * LAST

---@param client table
---@return adt.slurm.Watch
function M.new(client)
  return setmetatable({ client = client, wanted = {}, answers = {}, interval = FIRST, at = -math.huge }, Watch)
end

local function number_of(job)
  return job.array_id or job.het_id or job.id
end

local function digest(answers)
  local parts = {}
  for number, jobs in pairs(answers) do
    for _, job in ipairs(jobs) do
      parts[#parts + 1] = ("%d %d %s %s"):format(number, job.id, job.state, job.reason or "")
    end
  end
  table.sort(parts)
  return table.concat(parts, "\n")
end

function Watch:ids()
  local ids, now = {}, time.monotonic()
  for number, asked in pairs(self.wanted) do
    if now - asked < FORGET then
      ids[#ids + 1] = number
    else
      self.wanted[number], self.answers[number] = nil, nil
    end
  end
  table.sort(ids)
  return ids
end

-- When the first of the running jobs reaches its limit: then something changes, however quiet it was before.
local function first_end(jobs)
  local due = math.huge
  for _, job in ipairs(jobs) do
    if job.state == "RUNNING" and job.finish then due = math.min(due, job.finish) end
  end
  return due
end

function Watch:query()
  local ids = self:ids()
  local jobs = self.client:jobs { ids = ids }
  local answers = {}
  for _, number in ipairs(ids) do answers[number] = {} end
  for _, job in ipairs(jobs) do
    local number = number_of(job)
    if answers[number] then table.insert(answers[number], job) end
  end
  local seen = digest(answers)
  self.interval = seen ~= self.seen and FIRST or math.min(LAST, self.interval * GROWTH)
  self.seen, self.answers, self.due = seen, answers, first_end(jobs)
end

function Watch:ask()
  self.asking = true
  local _, err = errors.try(self.query, self)
  self.asking = false
  -- That whoever asked was cancelled is no answer for the others.
  task.raise_if_cancelled()
  self.at, self.err = time.monotonic(), err
  self.spread = 0.9 + 0.2 * math.random()
end

-- Those that wait meanwhile get the same answer, or the same error.
function Watch:refresh()
  local before = self.at
  while self.asking do ctask.sleep(0.01) end
  if self.at == before then
    self:ask()
  end
  if self.err then
    error(self.err, 0)
  end
end

--- The next query need not wait: something is known to have changed.
function Watch:hurry()
  self.hurried = true
end

--- The records of jobs as they were at most one interval ago.
---@param numbers integer[]
---@return table<integer, table[]> records
function Watch:jobs(numbers)
  local now, new = time.monotonic(), false
  for _, number in ipairs(numbers) do
    new = new or self.answers[number] == nil
    self.wanted[number] = now
  end
  local interval = self.hurried and HURRIED or self.interval * (self.spread or 1)
  -- Slurm ends a job some seconds after its time, and is asked each second then.
  if self.due and time.now() > self.due then interval = math.min(interval, FIRST) end
  if new or self.err or now - self.at >= interval then
    self.hurried = false
    self:refresh()
    -- A query that had begun before we asked does not know of ours.
    for _, number in ipairs(numbers) do
      if self.answers[number] == nil then return self:jobs(numbers) end
    end
  end
  return self.answers
end

return M
