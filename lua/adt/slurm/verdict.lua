--- What became of one job: Slurm's word for it, the accounts' where Slurm has forgotten, and the last word that its
--- script has left in its folder; and which rank was the first to fail.
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local state = require "adt.slurm.state"

local M = {}

local function read_word(dir)
  local file = path.join(dir, "exit.json")
  local word = fs.exists(file) and errors.try(function() return json.decode(fs.read(file, { max = 4096 })) end)
  return type(word) == "table" and math.type(word.exit) == "integer" and word or nil
end

-- The indices of an array, as the script in its folder asks for them; nil for another job.
local function array_tasks(dir)
  local file = path.join(dir, "job.sh")
  local list = fs.exists(file) and fs.read(file, { max = 16 << 20 }):match "\n#SBATCH %-%-array=([%d,:-]+)"
  if not list then return nil end
  local tasks = {}
  for from, to, step in list:gsub("[^,]+", function(part)
    return part:match "^%d+$" and part .. "-" .. part or part
  end):gmatch "(%d+)%-(%d+):?(%d*)" do
    for task = math.tointeger(tonumber(from)), math.tointeger(tonumber(to)), math.max(1, math.tointeger(tonumber(step)) or 1) do
      tasks[#tasks + 1] = task
    end
  end
  return tasks
end

-- Of an array: the word of the first task that failed, once all have said theirs.
local function last_word(dir)
  local tasks = array_tasks(dir)
  if not tasks then
    return read_word(dir)
  end
  local worst
  for _, task in ipairs(tasks) do
    local word = read_word(path.join(dir, "task-" .. task))
    if not word then return nil end
    word.dir = path.join(dir, "task-" .. task)
    if not worst or worst.exit == 0 then worst = word end
  end
  return worst
end

-- --- ranks -----------------------------------------------------------------------------------------------------------

local function last_attempt(dir)
  local attempt = 0
  while attempt < 1000 and fs.exists(path.join(dir, "attempt-" .. attempt + 1)) do attempt = attempt + 1 end
  return attempt
end

local SIGTERM, SIGKILL = 128 + 15, 128 + 9

-- Ranks that were ended because another had failed say so by their signal.
local function was_ended(code)
  return code == SIGTERM or code == SIGKILL
end

--- How the ranks of the last attempt ended, and which failed first.
---@param dir string
---@return table[] ranks { rank, code, signal }
---@return table? first
---@return integer attempt
function M.ranks(dir)
  local attempt = last_attempt(dir)
  local folder, ranks, first = path.join(dir, "attempt-" .. attempt), json.array {}, nil
  for _, name in ipairs(attempt > 0 and fs.list(folder) or {}) do
    local label = name:match "^rank%-(.+)%.exit$"
    local file = path.join(folder, name)
    local code = label and tonumber((fs.read(file, { max = 64 }):match "^%d+"))
    if code then
      code = math.tointeger(code)
      local rank = { rank = tonumber(label) or label, code = code, signal = code > 128 and code - 128 or nil, at = fs.stat(file).mtime }
      ranks[#ranks + 1] = rank
      local earlier = first and (was_ended(first.code) and not was_ended(code) or was_ended(first.code) == was_ended(code) and rank.at < first.at)
      if code ~= 0 and (not first or earlier) then first = rank end
    end
  end
  table.sort(ranks, function(a, b) return (tonumber(a.rank) or 0) < (tonumber(b.rank) or 0) end)
  return ranks, first, attempt
end

-- A rank's own status says more than the script's, which passes on srun's.
local function blame(result, dir)
  if not dir or not fs.exists(dir) then return result end
  local ranks, first, attempt = M.ranks(dir)
  result.ranks, result.attempt = ranks, attempt
  for _, rank in ipairs(ranks) do rank.at = nil end
  if result.state == "failed" and result.cause == "program" and first then
    result.rank, result.exit, result.signal = first.rank, first.code, first.signal
    result.message = first.signal and ("rank %s was ended by signal %d"):format(first.rank, first.signal)
      or ("rank %s exited with status %d"):format(first.rank, first.code)
  end
  return result
end

-- --- one job ---------------------------------------------------------------------------------------------------------

local function from_word(word, dir)
  local result = word.exit == 0 and { state = "done", exit = 0 }
    or { state = "failed", cause = "program", exit = word.exit, message = ("its script exited with status %d"):format(word.exit) }
  return blame(result, word.dir or dir)
end

local function seconds(jobs)
  local from, to
  for _, job in ipairs(jobs) do
    from = job.start and math.min(from or job.start, job.start) or from
    to = job.finish and math.max(to or job.finish, job.finish) or to
  end
  return from and to and to >= from and to - from or nil
end

-- The tasks of an array, or the parts of a heterogeneous job of which the first runs the script.
local function ended(jobs, dir)
  if not jobs[1].array_task then
    for _, job in ipairs(jobs) do
      if not job.het_offset or job.het_offset == 0 then
        return blame(state.ended(job), dir)
      end
    end
    return blame(state.ended(jobs[1]), dir)
  end
  local bad, worst = {}, nil
  for _, job in ipairs(jobs) do
    local result = state.ended(job)
    if result.state ~= "done" then
      bad[#bad + 1] = job.array_task
      worst = worst or blame(result, dir and path.join(dir, "task-" .. job.array_task))
    end
  end
  if not worst then
    return { state = "done", exit = 0 }
  end
  table.sort(bad)
  worst.message = ("%d of %d tasks failed (%s): %s"):format(#bad, #jobs, table.concat(bad, ","), worst.message or worst.cause)
  return worst
end

local function running(jobs)
  local now, waits = { state = "running", pending = true }, nil
  for _, job in ipairs(jobs) do
    if job.state == "PENDING" then
      waits = waits or job
    elseif not job.ended then
      now.pending = false
      now.nodes, now.started, now.restarts = job.nodes, job.start, job.restarts
    end
  end
  if now.pending and waits then
    now.waiting, now.never = state.waiting(waits)
  end
  return now
end

-- Slurm gives numbers anew when its state was lost; a job of another run's folder is not ours. A run's folder may have
-- been copied, its job's place below the runs stays.
local function ours(look, jobs)
  local mine = {}
  for _, job in ipairs(jobs) do
    if not look.dir or not job.dir or job.dir == look.dir or look.place and job.dir:sub(-#look.place - 1) == "/" .. look.place then
      mine[#mine + 1] = job
    end
  end
  return mine
end

local function forgotten(client, look)
  local known = client:accounts { ids = { look.number } }
  local jobs = known and ours(look, known) or {}
  if #jobs > 0 then
    return jobs
  end
  return nil, known == nil
end

local function gone(look, no_accounts)
  return { state = "unknown", code = "JobForgotten",
    message = ("Slurm does not know job %d any more%s, and its script has left no last word in %s"):format(look.number,
      no_accounts and " and keeps no accounts" or "", look.dir or "a run's folder") }
end

local OUTPUT_TAIL = 16 * 1024

local function explain(result, look)
  local file = look.dir and path.join(look.dir, ("slurm-%d.out"):format(look.number))
  if result.state == "failed" and result.cause == "program" and file and fs.exists(file) then
    local handle <close> = fs.open(file, "r")
    state.explain_memory(result, handle:pread(math.max(0, fs.stat(file).size - OUTPUT_TAIL), OUTPUT_TAIL) or "")
  end
  return result
end

--- The state of one job.
---@param client table
---@param look { number: integer, dir: string?, place: string? } its number, its folder, and where that lies below the runs
---@param jobs? table[] what the controller knows; nil when it did not answer
---@param err? table why
---@return table
function M.of(client, look, jobs, err)
  jobs = jobs and ours(look, jobs)
  -- Read only where Slurm has nothing to say: a job is asked for often while it runs.
  local word = (not jobs or #jobs == 0) and look.dir and fs.exists(look.dir) and last_word(look.dir)
  if not jobs then
    if word then return explain(from_word(word, look.dir), look) end
    return { state = "unknown", retry = true, message = err.message, hint = err.hint }
  end
  if #jobs == 0 then
    if word then return explain(from_word(word, look.dir), look) end
    local why
    local known, failure = errors.try(function()
      local found, none = forgotten(client, look)
      why = none
      return found or false
    end)
    if failure then
      return { state = "unknown", retry = true, message = failure.message, hint = failure.hint }
    elseif not known then
      return gone(look, why)
    end
    jobs = known
  end
  for _, job in ipairs(jobs) do
    if not job.ended then return running(jobs) end
  end
  local result = explain(ended(jobs, look.dir), look)
  result.seconds, result.job = seconds(jobs), look.number
  return result
end

return M
