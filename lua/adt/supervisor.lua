--- The life of a local job: a process of its own session that starts the ranks, ends them together, starts them again
--- where asked to, and writes what became of them. It is this program, started as `adtlua supervise DIR`.
local cfault = require "adt.c.fault"
local errors = require "adt.error"
local cnet = require "adt.c.net"
local ctask = require "adt.c.task"
local folder = require "adt.target.folder"
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local process = require "adt.process"
local task = require "adt.task"
local time = require "adt.time"

local M = {}

-- After SIGTERM a rank may still write a checkpoint; then it is killed.
local GRACE = 5

local SIGTERM = 15

-- Room for the last word on a disk that the job itself may fill, and how often it is tried again.
local RESERVE, LAST_WORD_TRIES = 8 * 1024, 60

--- Takes the job, once: the folder `claim` comes into being with its content, or is there already.
local function claim(dir)
  local me = process.self()
  local mine = path.join(dir, "claim." .. me.pid)
  fs.mkdir(mine)
  fs.write(path.join(mine, "owner.json"),
    json.encode { pid = me.pid, start_time = me.start_time, host = me.host, boot_id = me.boot_id, dir = fs.realpath(dir) },
    { sync = true })
  fs.write(path.join(mine, "reserve"), ("\0"):rep(RESERVE), { sync = true })
  cfault.hit "supervisor.claim"
  local _, err = errors.try(fs.rename, mine, path.join(dir, "claim"))
  if err then
    fs.remove(mine, { recursive = true })
    return false
  end
  cfault.hit "supervisor.claimed"
  return true
end

local function ranks_of(spec)
  local ranks = {}
  for _, role in ipairs(spec.roles) do
    local world = role.nodes * role.procs
    for i = 0, world - 1 do
      local label = #spec.roles > 1 and ("%s-%d"):format(role.name, i) or i
      ranks[#ranks + 1] = { label = label, rank = i, role = role, world = world, node = i // role.procs, slot = i % role.procs }
    end
  end
  return ranks
end

local function wrapped(spec, rank)
  if not spec.wrap then
    return rank.role.cmd
  end
  local chosen = not spec.wrap.ranks
  for _, n in ipairs(spec.wrap.ranks or {}) do
    chosen = chosen or n == rank.rank
  end
  if not chosen then
    return rank.role.cmd
  end
  local cmd = table.move(spec.wrap.cmd, 1, #spec.wrap.cmd, 1, {})
  return table.move(rank.role.cmd, 1, #rank.role.cmd, #cmd + 1, cmd)
end

-- The environment that torchrun gives, whoever reads it.
local function rank_env(job, rank, ports)
  local spec = job.spec
  local env = {
    PYTHONUNBUFFERED = "1", ADT_JOB = spec.name, ADT_JOB_DIR = job.dir, ADT_ATTEMPT = job.attempt, ADT_ROLE = rank.role.name,
    ADT_KEY = spec.key,
  }
  if spec.launch ~= "plain" or rank.world > 1 then
    env.RANK, env.WORLD_SIZE = rank.rank, rank.world
    env.LOCAL_RANK, env.LOCAL_WORLD_SIZE = rank.slot, rank.role.procs
    env.GROUP_RANK, env.NODE_RANK = rank.node, rank.node
    env.MASTER_ADDR, env.MASTER_PORT = "127.0.0.1", ports[rank.role.name]
    env.TORCHELASTIC_RESTART_COUNT, env.TORCHELASTIC_RUN_ID = job.attempt - 1, spec.key
    if rank.world > 1 and not process.env("OMP_NUM_THREADS") then
      env.OMP_NUM_THREADS = 1
    end
  end
  for _, role in ipairs(spec.roles) do
    env["ADT_ROLE_" .. role.name:upper() .. "_HOST"] = "127.0.0.1"
    env["ADT_ROLE_" .. role.name:upper() .. "_PORT"] = ports[role.name]
  end
  for name, value in pairs(spec.env) do env[name] = value end
  for name, value in pairs(job.secrets) do env[name] = value end
  return env
end

local function spawn_rank(job, rank, ports)
  local cmd = wrapped(job.spec, rank)
  local words = table.move(cmd, 1, #cmd, 1, {})
  words.env = rank_env(job, rank, ports)
  words.cwd = job.spec.files or job.dir
  words.stdout = { file = path.join(job.folder, ("rank-%s.log"):format(rank.label)), append = true }
  words.stderr = "stdout"
  words.dies_with_parent = true
  return process.spawn(words)
end

local function write_state(job, ranks)
  local list = json.array {}
  for i, rank in ipairs(ranks) do
    list[i] = { rank = rank.label, pid = rank.child and rank.child.pid, start_time = rank.child and rank.child:start_time() }
  end
  -- News for people; a full disk must not end the job for it.
  errors.try(fs.write, path.join(job.dir, "state.json"),
    json.encode { state = "running", attempt = job.attempt, started = job.started, ranks = list }, { atomic = true })
end

-- SIGTERM for those that still run, SIGKILL for those that do not listen.
local function stop(ranks)
  local function running()
    local left = {}
    for _, rank in ipairs(ranks) do
      if rank.child and not rank.ended then left[#left + 1] = rank end
    end
    return left
  end
  for _, rank in ipairs(running()) do
    rank.stopped = true
    rank.child:kill "TERM"
  end
  local deadline = time.monotonic() + GRACE
  while #running() > 0 and time.monotonic() < deadline do
    ctask.sleep(0.02)
  end
  for _, rank in ipairs(running()) do
    rank.child:kill "KILL"
  end
end

local function describe(rank, ended)
  return { rank = rank.label, code = ended.code, signal = ended.signal, stopped = rank.stopped or nil }
end

local function how_it_ended(result)
  if result.signal == "SIGKILL" then
    return "was ended by SIGKILL (by somebody, or by the kernel for want of memory: see dmesg)"
  end
  return result.signal and "was ended by " .. result.signal or "exited with status " .. tostring(result.code)
end

-- Takes note of a rank's end: the first that failed by itself ends the attempt, and so does the last that is no service.
local function rank_ended(job, rank, outcome)
  rank.result, rank.ended = rank.child:wait(), true
  if not rank.result.ok and not rank.stopped and not outcome.cause then
    outcome.cause, outcome.rank, outcome.exit, outcome.signal = "program", rank.label, rank.result.code, rank.result.signal
    outcome.message = ("rank %s %s"):format(rank.label, how_it_ended(rank.result))
  elseif not rank.role.service then
    job.left = job.left - 1
  end
end

-- Each rank is waited for from its start, also when a later one cannot be started.
local function start_ranks(job, ranks, outcome)
  local ports = {}
  for _, role in ipairs(job.spec.roles) do
    ports[role.name] = errors.check(cnet.free_port())
  end
  job.left = 0
  for _, rank in ipairs(ranks) do
    job.left = job.left + (rank.role.service and 0 or 1)
  end
  for _, rank in ipairs(ranks) do
    local child, err = errors.try(spawn_rank, job, rank, ports)
    if not child then
      outcome.cause, outcome.message = "program", ("rank %s could not be started: %s"):format(rank.label, err.message)
      outcome.rank, outcome.exit = rank.label, 127
      return
    end
    rank.child = child
    task.spawn(rank_ended, job, rank, outcome)
  end
  write_state(job, ranks)
end

-- Until the attempt is over: all ended well, one failed, the limit was reached, or somebody cancelled.
local function watch_ranks(job, ranks, outcome)
  local deadline = job.spec.limit and time.monotonic() + job.spec.limit
  while not outcome.cause and job.left > 0 do
    if job.cancelled then
      outcome.cause, outcome.message = "cancelled", "the job was cancelled"
    elseif deadline and time.monotonic() > deadline then
      outcome.cause, outcome.message = "timeout", ("the job ran longer than its limit of %g s"):format(job.spec.limit)
    else
      ctask.sleep(0.02)
    end
  end
  stop(ranks)
end

-- What ranks have started outlives them here at most until the next attempt.
local function end_orphans()
  for _ = 1, 100 do
    if process.kill_tree() == 0 then
      return
    end
    ctask.sleep(0.01)
  end
end

local function mask_logs(job)
  if next(job.secrets) then
    for _, name in ipairs(fs.list(job.folder)) do
      local _, err = errors.try(folder.mask, path.join(job.folder, name), job.secrets)
      if err then
        io.stderr:write(("secrets could not be overwritten in %s: %s\n"):format(name, err.message))
      end
    end
  end
end

local function run_attempt(job)
  job.folder = path.join(job.dir, "attempt-" .. job.attempt)
  local ranks, outcome = ranks_of(job.spec), { attempt = job.attempt }
  local _, err = errors.try(function()
    fs.mkdir(job.folder, { parents = true })
    task.group(function()
      start_ranks(job, ranks, outcome)
      watch_ranks(job, ranks, outcome)
    end)
  end)
  if err then
    outcome.cause, outcome.message = "node", "the job could not be started or watched: " .. err.message
  end
  end_orphans()
  errors.try(mask_logs, job)
  outcome.ranks = json.array {}
  for i, rank in ipairs(ranks) do
    outcome.ranks[i] = rank.result and describe(rank, rank.result) or { rank = rank.label }
  end
  return outcome
end

local function may_retry(job, outcome)
  if not outcome.cause or job.cancelled or job.attempt > job.spec.retry.max then
    return false
  end
  for _, cause in ipairs(job.spec.retry.on) do
    if cause == outcome.cause then
      return true
    end
  end
  return false
end

local function run_job(job)
  local attempts = json.array {}
  while true do
    job.attempt = #attempts + 1
    local outcome = run_attempt(job)
    attempts[#attempts + 1] = outcome
    if not may_retry(job, outcome) then
      return outcome, attempts
    end
  end
end

-- The last word must be said: room was kept for it, and a disk that is full or away may come back.
local function write_last_word(job, word)
  errors.try(fs.remove, path.join(job.dir, "claim", "reserve"))
  for try = 1, LAST_WORD_TRIES do
    local _, err = errors.try(fs.write, path.join(job.dir, "exit.json"), json.encode(word), { atomic = true, sync = true })
    if not err then
      return
    end
    word.attempts, word.ranks = nil, nil
    if try == LAST_WORD_TRIES or not fs.exists(job.dir) then
      error(err, 0)
    end
    ctask.sleep(1)
  end
end

local function finish(job, outcome, attempts)
  local state = not outcome.cause and "done" or outcome.cause == "cancelled" and "cancelled" or "failed"
  write_last_word(job, {
    state = state, cause = outcome.cause, message = outcome.message, rank = outcome.rank, signal = outcome.signal,
    exit = outcome.exit or (state == "done" and 0 or nil), attempt = outcome.attempt, attempts = attempts,
    ranks = outcome.ranks, started = job.started, ended = time.now(), seconds = time.monotonic() - job.began,
  })
end

-- Several may cancel; each signal must find us listening.
local function listen(job)
  while true do
    ctask.signal(SIGTERM)
    job.cancelled = true
  end
end

-- A cancel comes as a file before we could be told, as a signal afterwards; so we listen before anybody can know us.
local function supervise(job)
  task.group(function()
    -- That it is cancelled in the end is no failure of the group.
    local listener = task.spawn(errors.try, listen, job)
    task.yield()
    if claim(job.dir) then
      process.reaper()
      job.cancelled = job.cancelled or fs.exists(path.join(job.dir, "cancel"))
      finish(job, run_job(job))
    end
    listener:cancel()
  end)
end

--- Runs the job in `dir` to its end. Nothing is done unless the whole line with the secrets has come: then whoever
--- started us had journalled us first.
---@param dir string
---@return integer exit status
function M.main(dir)
  local line = io.read "L"
  if not line or line:sub(-1) ~= "\n" then
    return 0
  end
  local spec = json.decode(fs.read(path.join(dir, "job.json")))
  local job = { dir = dir, spec = spec, secrets = json.decode(line).secrets, started = time.now(), began = time.monotonic(),
    attempt = 1 }
  for _, value in pairs(job.secrets) do
    require("adt.c.secret").add(value)
  end
  local ok, err = ctask.spawn(supervise, job):join()
  if not ok then
    error(err, 0)
  end
  return 0
end

return M
