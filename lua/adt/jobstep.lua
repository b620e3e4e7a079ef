--- A job as a step: submitted once, followed, its output shown, its metrics journalled, its end told by cause.
local door = require "adt.door"
local errors = require "adt.error"
local fs = require "adt.fs"
local jobs = require "adt.job"
local lines = require "adt.lines"
local metrics = require "adt.metrics"
local path = require "adt.path"
local stepdata = require "adt.stepdata"
local pending = require "adt.pending"
local task = require "adt.task"
local time = require "adt.time"
local units = require "adt.units"
local value = require "adt.output.value"
local ctask = require "adt.c.task"

local M = {}

---@class adt.JobHandle
---@field id any the backend's id; pending in a plan
---@field name string
local Handle = {}
Handle.__index = Handle

-- News are looked for this often: soon after something has happened, seldom when nothing does.
local POLL_FIRST, POLL_LAST = 0.02, 1.0

-- What is kept of the end of the log of whoever failed.
local TAIL_BYTES, TAIL_LINES, TAIL_WIDTH = 64 * 1024, 12, 400

local function dir_of(ctx, job, key)
  return path.join(ctx.run.dir, "jobs", key:match("^R%w+%-(.*)$") or job.name)
end

-- What a change of would make another job of it. How it is watched would not, nor would a token that was renewed.
local function inputs_of(job, target, files)
  local secrets = {}
  for name in pairs(job.secrets) do secrets[#secrets + 1] = name end
  table.sort(secrets)
  return { cmd = job.roles, launch = job.launch, env = job.env, secrets = secrets, files = files, wrap = job.wrap,
    per_node = job.per_node, image = job.image, array = job.array, slurm = job.slurm, target = target.name }
end

-- A job that failed in an earlier session is started again when its run is resumed on purpose.
local function failed_before(ctx)
  return function(record)
    return record.ended and record.ended.state ~= "done" and ctx.resumed_after_end
  end
end

-- The key of the first time that it would be done; a plan of no run has an id that stands for one.
local function show_plan(ctx, job, target)
  if ctx.mode == "plan" then
    local step = (ctx.prefix or "") .. job.name
    local key = stepdata.key(ctx.id or "RUN", step, 1)
    local dir = tostring(ctx.dir .. "/jobs/" .. key:match("^%w+%-(.*)$"))
    ctx.emit { type = "rendered", stage = ctx.stage, step = step, name = job.name, text = target:render(job, key, dir) }
  end
end

-- A job that may still run must not be left behind when it is taken back or replaced.
local function end_job(ctx, target, id)
  local now = target:cancel(id)
  if now.state == "unknown" then
    errors.raise { cause = "unknown", code = "JobUnknown",
      message = ("job %s cannot be ended: %s"):format(tostring(id), now.message or "its state cannot be told"),
      hint = "see to it that it has ended, then `adtlua resume " .. ctx.run.id .. "`" }
  end
end

--- Checks a job, passes the door with it, and returns its handle.
---@param ctx adt.Context
---@param spec adt.JobSpec
---@return adt.JobHandle
function M.submit(ctx, spec)
  local job = jobs.check(spec)
  local target = spec.on or ctx.target
  if ctx.run and target.at then
    target = target:at(ctx.run.dir)
  end
  target:preflight(job, ctx.mode)
  show_plan(ctx, job, target)
  local digest = type(spec.files) == "table" and not pending.is(spec.files) and spec.files.digest or nil
  local handle = setmetatable({ ctx = ctx, job = job, target = target, name = job.name, spec = spec,
    step = (ctx.prefix or "") .. job.name }, Handle)
  handle.id = ctx.door:pass(job.name, {
    kind = "job", inputs = inputs_of(job, target, digest or job.files), again = failed_before(ctx),
    goes_on = job.resume == "checkpoint",
    detail = ("%d process%s on %s"):format(job.world, job.world == 1 and "" or "es", target.name),
    find = function(key) return target:find(key, job, dir_of(ctx, job, key)) end,
    undo = function(id) end_job(ctx, target, id) end,
    replace = function(id) end_job(ctx, target, id) end,
  }, function(key)
    -- A ^C while it is being submitted would leave a job that nobody has heard of.
    return task.shield(target.submit, target, job, key, dir_of(ctx, job, key))
  end)
  if ctx.mode == "do" then
    handle.record = ctx.run.steps[handle.step]
  end
  return handle
end

--- The job's state now: { state = "running"|"done"|"failed"|"cancelled"|"unknown", ... }.
---@return table
function Handle:status()
  return self.target:status({ self.id })[self.id]
end

--- Ends the job and verifies it.
function Handle:cancel()
  return self.target:cancel(self.id)
end

-- --- following -------------------------------------------------------------------------------------------------------

---@class adt.Follower
local Follower = {}
Follower.__index = Follower

local function follower(handle)
  local record = handle.record
  local self = setmetatable({ handle = handle, grammars = {}, store = metrics.store(record.metrics), cursor = record.offsets, rows = {},
    journalled = time.monotonic() }, Follower)
  self.lines = lines.new(function(name, text)
    local rank = name:match("/(.*)$") or name
    self:line(tonumber(rank) or rank, text)
  end)
  return self
end

-- A grammar may hold a block that is not complete: each rank writes its own.
function Follower:grammar_of(rank)
  local grammar = self.grammars[rank]
  if grammar == nil then
    grammar = self.handle.spec.metrics and metrics.grammar(self.handle.spec.metrics) or false
    self.grammars[rank] = grammar
  end
  return grammar
end

function Follower:record(row)
  local handle, values = self.handle, {}
  if not row then return end
  self.store:add(row)
  table.insert(self.rows, metrics.plain(row))
  for k, v in pairs(row) do
    if k ~= "step" and k ~= "total" then values[k] = v end
  end
  handle.ctx.emit { type = "metrics", stage = handle.ctx.stage, job = handle.name, step = row.step, total = row.total,
    values = values }
end

function Follower:line(rank, text)
  local handle = self.handle
  handle.ctx.emit { type = "line", stage = handle.ctx.stage, job = handle.name, rank = rank, text = text }
  local grammar = self:grammar_of(rank)
  if grammar then
    for _, clean in ipairs(metrics.clean(text)) do
      self:record(grammar:feed(clean))
    end
  end
end

function Follower:read()
  local pieces, cursor = self.handle.target:logs(self.handle.id, { cursor = self.cursor })
  for _, piece in ipairs(pieces) do
    self.lines:feed(piece.name, piece.text)
  end
  self.cursor = cursor
  return #pieces > 0
end

-- Not flushed to the disk: after a crash the lines are simply read again from the last journalled offset.
function Follower:journal(now)
  if #self.rows == 0 and not now then return end
  if not now and time.monotonic() - self.journalled < 1 then return end
  local offsets = {}
  for name, offset in pairs(self.cursor or {}) do
    offsets[name] = offset - self.lines:waiting(name)
  end
  self.handle.ctx.run:record { type = "metrics", step = self.handle.step, rows = self.rows, offsets = offsets }
  self.rows, self.journalled = {}, time.monotonic()
end

-- Why nothing happens is told once, and again when the reason changes.
function Follower:waits(now)
  local text = now.waiting
  if text and text ~= self.waiting then
    local handle = self.handle
    handle.ctx.emit { type = "note", level = now.never and "warn" or "info", text = ("job '%s' waits: %s"):format(handle.name, text) }
  end
  self.waiting = text
end

-- "Could not ask" is no end: a target that may answer later is asked again as long as its patience lasts.
function Follower:lost(now)
  if now.state ~= "unknown" and now.state ~= "absent" then
    self.lost_since = nil
    return false
  end
  self.lost_since = self.lost_since or time.monotonic()
  local left = now.retry and (self.handle.target.patience or 0) - (time.monotonic() - self.lost_since) or 0
  if left > 0 then
    self:waits { waiting = ("%s; asking again, at most %s more"):format(now.message,
      units.duration(self.handle.target.patience)), never = true }
  end
  return left <= 0
end

local function follow(handle)
  local f = follower(handle)
  local nap = POLL_FIRST
  while true do
    local now = handle:status()
    local news = f:read()
    f:journal()
    if f:lost(now) then
      errors.raise { cause = "unknown", code = "JobUnknown",
        message = ("job '%s': %s"):format(handle.name, now.message or now.state == "absent" and "the target does not know it any more"
          or "its state cannot be told"),
        hint = "`adtlua resume " .. handle.ctx.run.id .. "` asks again" }
    elseif now.state == "running" then
      f:waits(now)
    elseif now.state ~= "unknown" and now.state ~= "absent" then
      while f:read() do end
      f.lines:finish()
      for _, grammar in pairs(f.grammars) do
        f:record(grammar and grammar:finish())
      end
      f:journal(true)
      return now, f.store
    end
    nap = news and POLL_FIRST or math.min(nap * 1.5, POLL_LAST)
    ctask.sleep(nap)
  end
end

-- --- the end ---------------------------------------------------------------------------------------------------------

local function artefacts(handle, base)
  local found, missing = {}, {}
  for _, pattern in ipairs(handle.job.artefacts) do
    local full = pattern:sub(1, 1) == "/" and pattern or path.join(base, pattern)
    local n = 0
    for _, file in ipairs(fs.glob(full)) do
      local st = fs.stat(file)
      if st and (st.size > 0 or st.type == "directory") then
        n = n + 1
        found[#found + 1] = { path = file, size = st.size }
      end
    end
    if n == 0 then missing[#missing + 1] = pattern end
  end
  return found, missing
end

-- Below the job's folder with their folders, so that files of one name do not replace each other.
local function collect(handle, base)
  local into = path.join(handle.ctx.run.dir, "collected", handle.name)
  base = path.normalize(base)
  for _, pattern in ipairs(handle.job.collect) do
    for _, file in ipairs(fs.glob(pattern:sub(1, 1) == "/" and pattern or path.join(base, pattern))) do
      local below = file:sub(1, #base + 1) == base .. "/" and file:sub(#base + 2) or path.name(file)
      local to = path.join(into, below)
      fs.mkdir(path.dir(to), { parents = true })
      fs.copy(file, to)
    end
  end
end

-- The end of the log of whoever failed first says more than any sentence of ours.
local function tail_of(handle, rank)
  local text = ""
  for _, piece in ipairs(handle.target:logs(handle.id, { rank = rank, tail = TAIL_BYTES })) do text = piece.text end
  local tail = {}
  for line in text:gmatch("[^\r\n]+") do
    tail[#tail + 1] = value.safe(#line > TAIL_WIDTH and line:sub(1, TAIL_WIDTH) .. lines.CUT or line)
    if #tail > TAIL_LINES then table.remove(tail, 1) end
  end
  return tail
end

local function raise_end(handle, ended)
  local id = handle.ctx.run.id
  errors.raise {
    cause = ended.cause or "unknown", code = ended.state == "cancelled" and "JobCancelled" or "JobFailed",
    message = ("job '%s' %s: %s"):format(handle.name, ended.state, ended.message or "no reason is known"),
    exit = ended.exit, tail = ended.tail, where = ended.rank and ("rank %s"):format(ended.rank) or nil,
    hint = (ended.hint and ended.hint .. "; " or "") .. ("the whole output: adtlua logs %s; after mending: adtlua resume %s"):format(id, id),
  }
end

local function record_end(handle, now)
  local base = handle.job.files or handle.target:folder(handle.id)
  local found, missing = artefacts(handle, base)
  if now.state == "done" and #missing > 0 then
    now = { state = "failed", cause = "program", exit = 0, seconds = now.seconds, ranks = now.ranks,
      message = "it ended well but left nothing at " .. table.concat(missing, ", ") }
  elseif now.state ~= "done" then
    now.tail = tail_of(handle, now.rank)
  end
  collect(handle, base)
  if handle.target.settled then
    handle.target:settled(handle.id, handle.job)
  end
  now.artefacts, now.attempts = found, nil
  handle.ctx.run:record({ type = "ended", step = handle.step, result = now }, true)
  return now
end

--- Follows the job to its end: its output is shown, its metrics are journalled. Raises the job's cause when it failed.
---@return adt.JobResult
function Handle:wait()
  local ctx = self.ctx
  if ctx.mode == "plan" then
    return pending.new(self.name)
  elseif ctx.mode == "down" then
    return self:ended_or_stop()
  end
  local ended, store = self.record.ended
  if ended then
    store = metrics.store(self.record.metrics)
  else
    if ctx.detach then
      error(M.DETACH, 0)
    end
    local now
    ctx.emit { type = "job", stage = ctx.stage, job = self.name, state = "begin" }
    now, store = follow(self)
    ended = record_end(self, now)
    ctx.emit { type = "job", stage = ctx.stage, job = self.name, state = "end", ok = ended.state == "done",
      seconds = ended.seconds, detail = ended.message }
  end
  if ended.state ~= "done" then
    ctx.failed_job = { exit = ended.exit, result = M.result(ended, store, self.id, self.target) }
    raise_end(self, ended)
  end
  return M.result(ended, store, self.id, self.target)
end

--- The value that leaves a stage when the user asked to detach.
M.DETACH = setmetatable({}, { __tostring = function() return "detached" end })

function Handle:ended_or_stop()
  local record = self.ctx.run.steps[self.step]
  if not record or not record.ended or record.ended.state ~= "done" then
    error(door.collected, 0)
  end
  return M.result(record.ended, metrics.store(record.metrics), self.id, self.target)
end

---@class adt.JobResult
---@field state "done"|"failed"|"cancelled"
---@field exit integer
---@field seconds number
---@field metrics adt.MetricsStore
---@field artefacts { path: string, size: integer }[]
---@field ranks table[]
---@field id any
---@field output string folder of the logs
local Result = {}
Result.__index = Result

-- A grep that no line matches must end, however much was printed.
local GREP_MOST = 1 << 30

--- The lines of all ranks' output that match a Lua pattern: the captures of each, oldest attempt first.
---@param pattern string
---@return string[][]
function Result:grep(pattern)
  local found, bytes, cursor = {}, 0, nil
  local split = lines.new(function(_, text)
    local captures = { text:match(pattern) }
    if captures[1] then found[#found + 1] = captures end
  end)
  repeat
    local pieces
    pieces, cursor = self.target:logs(self.id, { cursor = cursor })
    for _, piece in ipairs(pieces) do
      bytes = bytes + #piece.text
      split:feed(piece.name, piece.text)
    end
  until #pieces == 0 or bytes > GREP_MOST
  split:finish()
  return found
end

--- What a recipe gets of a job that has ended.
---@param ended table the journal's record of the end
---@param store table the metrics
---@param id string
---@param target table
---@return adt.JobResult
function M.result(ended, store, id, target)
  return setmetatable({ state = ended.state, exit = ended.exit, seconds = ended.seconds, metrics = store,
    artefacts = ended.artefacts or {}, ranks = ended.ranks, id = id, target = target,
    output = target.folder and target:folder(id) }, Result)
end

return M
