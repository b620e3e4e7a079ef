--- Target `local`: processes on this machine under a supervisor of their own session, which writes what became of them
--- into the job's folder. Following is reading files, so detaching, ^C and kill -9 cost nothing.
local cfault = require "adt.c.fault"
local errors = require "adt.error"
local folder = require "adt.target.folder"
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local pending = require "adt.pending"
local process = require "adt.process"
local quote = require "adt.quote"
local run = require "adt.run"
local sweep = require "adt.target.sweep"
local time = require "adt.time"
local ctask = require "adt.c.task"

local M = {}

---@class adt.target.Local: adt.Target
local Local = {}
Local.__index = Local

-- How long the supervisor may take from its start to its claim.
local START_WITHIN = 30

-- How long a job may take to end: its ranks' grace, and writing the last word.
local CANCEL_WITHIN = 30

---@param spec table
---@return adt.target.Local
function M.new(spec)
  errors.check_options("target of kind local", spec, { "kind", "name" })
  return setmetatable({ kind = "local", name = spec.name or "local" }, Local)
end

local function cannot(job, what, hint)
  errors.raise { cause = "usage", code = "TargetCannot", hint = hint,
    message = ("job '%s': target 'local' cannot carry %s"):format(job.name, what) }
end

--- Refuses what this target cannot carry, before anything is created.
function Local:preflight(job)
  if job.launch == "external" or job.launch == "mpi" then
    cannot(job, ("launch = \"%s\""):format(job.launch), 'use launch = "torchrun", "per_gpu", "per_node" or "plain"')
  elseif job.image and not pending.is(job.image) then
    cannot(job, "an image", "leave image out when --target is local, and use ctx:venv")
  elseif job.array then
    cannot(job, "an array", "write a loop: adt.map(list, function(x) return ctx:job { ... }:wait() end)")
  elseif job.after then
    cannot(job, "a job after another", "call :wait() of the other job before")
  elseif job.mounts and next(job.mounts) then
    cannot(job, "mounts", "there is no container here: paths are the machine's own")
  end
  if job.files and not pending.is(job.files) and not fs.exists(job.files) then
    errors.raise { cause = "usage", message = ("job '%s': the folder %s is not there"):format(job.name, job.files) }
  end
end

local function job_dir(id)
  local run_id, rest = id:match("^(R%w+)/(jobs/[%w_.-]+)$")
  if not run_id then
    errors.raise { cause = "usage", message = ("'%s' is no id of a local job"):format(tostring(id)) }
  end
  return path.join(run.folder(run_id), rest)
end

local function read_json(file)
  if fs.exists(file) then
    return json.decode(fs.read(file, { max = 16 << 20 }))
  end
end

-- A copied folder stands still; whoever runs the job writes into the original, as long as that is there.
local function home(dir)
  local claim = read_json(path.join(dir, "claim", "owner.json"))
  if not claim or not claim.dir or claim.dir == fs.realpath(dir) then
    return dir
  end
  local original = read_json(path.join(claim.dir, "claim", "owner.json"))
  return original and original.pid == claim.pid and original.start_time == claim.start_time and claim.dir or dir
end

--- The same target for the run whose folder is `root`, wherever that has been copied to.
---@param root string
---@return adt.target.Local
function Local:at(root)
  local copy = {}
  for k, v in pairs(self) do copy[k] = v end
  copy.root = path.absolute(root)
  return setmetatable(copy, Local)
end

--- The folder of a job, for people who want to look.
function Local:folder(id)
  local dir = job_dir(id)
  return home(self.root and path.join(self.root, "jobs", path.name(dir)) or dir)
end

--- What will be run, as text.
function Local:render(job)
  local lines = { ("# job %s: %d process%s on this machine"):format(job.name, job.world, job.world == 1 and "" or "es") }
  lines[#lines + 1] = "cd " .. quote.sh(tostring(job.files or "."))
  local names = {}
  for name in pairs(job.env) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("export %s=%s"):format(name, quote.sh(tostring(job.env[name])))
  end
  for name in pairs(job.secrets) do
    lines[#lines + 1] = ("export %s=<secret>"):format(name)
  end
  for _, role in ipairs(job.roles) do
    local words = {}
    for i, word in ipairs(role.cmd) do words[i] = quote.sh(tostring(word)) end
    local ranks = role.nodes * role.procs
    local who = job.launch == "plain" and ranks == 1 and "" or ("RANK=0..%d WORLD_SIZE=%d "):format(ranks - 1, ranks)
    lines[#lines + 1] = (role.name ~= "main" and "# role " .. role.name .. "\n" or "") .. who .. table.concat(words, " ")
  end
  return table.concat(lines, "\n") .. "\n"
end

local function spec_of(job, key)
  local names = {}
  for name in pairs(job.secrets) do names[#names + 1] = name end
  table.sort(names)
  return { v = 1, key = key, name = job.name, launch = job.launch, roles = json.array(job.roles), env = job.env,
    secrets = json.array(names), files = job.files, limit = job.limit, retry = { on = json.array(job.retry.on), max = job.retry.max },
    wrap = job.wrap, world = job.world, resume = job.resume }
end

local function secrets_line(job)
  local values = {}
  for name, value in pairs(job.secrets) do values[name] = value:reveal() end
  return json.encode { secrets = values } .. "\n"
end

-- What is in the environment of a process can be read by all of the same user, and by the ranks: a secret of the job
-- that came from a variable of ours goes down the pipe alone. A fault that a crash test has set is for us, unless it
-- names the supervisor.
local function supervisor_env(job)
  local env = { ADTLUA_FAULT = process.env "ADTLUA_FAULT_SUPERVISOR" or false, ADTLUA_FAULT_SUPERVISOR = false }
  for name, value in pairs(process.env()) do
    for _, secret in pairs(job.secrets) do
      if value == secret:reveal() then env[name] = false end
    end
  end
  return env
end

local function started(dir)
  return fs.exists(path.join(dir, "claim"))
end

local function wait_for_claim(child, dir, job)
  local deadline = time.monotonic() + START_WITHIN
  local nap = 0.002
  while not started(dir) do
    if not process.alive(child.pid, child.start) then
      if started(dir) then break end
      local log = errors.try(fs.read, path.join(dir, "supervisor.log"), { max = 1 << 20 }) or ""
      errors.raise { cause = "node", code = "NoSupervisor",
        message = ("job '%s': its supervisor ended before it had begun: %s"):format(job.name, log:sub(-300)),
        hint = "see supervisor.log in " .. dir }
    elseif time.monotonic() > deadline then
      errors.raise { cause = "unknown", code = "SupervisorSilent",
        message = ("job '%s': its supervisor has not begun within %d s"):format(job.name, START_WITHIN),
        hint = "`adtlua resume` looks again" }
    end
    ctask.sleep(nap)
    nap = math.min(nap * 1.5, 0.05)
  end
end

--- Starts the supervisor at its gate, lets the step journal it, then opens the gate. Secrets go down its standard input;
--- a supervisor that does not get the whole line ends without having claimed the job.
function Local:submit(job, key, dir)
  fs.mkdir(dir, { parents = true })
  fs.write(path.join(dir, "job.json"), json.encode(spec_of(job, key)), { atomic = true, sync = true })
  local child = process.spawn {
    process.self().exe, "supervise", dir; detached = true, gated = true, stdin = "pipe", cwd = dir,
    env = supervisor_env(job),
    stdout = { file = path.join(dir, "supervisor.log"), append = true }, stderr = "stdout",
  }
  child.claim = path.join(dir, "claim")
  child.detached = true
  cfault.hit "local.forked"
  local step = ctask.locals().step
  if step then
    step.child(child)
  end
  local start = { pid = child.pid, start = child:start_time() }
  cfault.hit "local.journalled"
  child:go()
  cfault.hit "local.opened"
  child:write(secrets_line(job))
  child:close_stdin()
  cfault.hit "local.told"
  wait_for_claim(start, dir, job)
  return dir:match("(R%w+/jobs/[%w_.-]+)$") or dir
end

--- The job that an interrupted submit with this key made, or nil. The door has waited for the child before it asks.
function Local:find(_, job, dir)
  if started(dir) then
    return dir:match("(R%w+/jobs/[%w_.-]+)$") or dir
  end
end

-- The supervisor died without a last word. Its ranks went with it, and what they had started is ended now, so that
-- nothing runs on beside whatever is started next.
local function died(dir, claim, me)
  local why = "the machine was restarted while the job ran"
  if claim.boot_id == me.boot_id then
    local left = sweep.end_all((read_json(path.join(dir, "job.json")) or {}).key, claim.pid)
    if left > 0 then
      return { state = "unknown", message = ("its supervisor was killed, and %d of its processes cannot be ended"):format(left) }
    end
    why = "its supervisor was killed, and its ranks with it"
  end
  return { state = "failed", cause = "node", code = "SupervisorDied", message = why }
end

---@return table
local function status(dir)
  local exit = read_json(path.join(dir, "exit.json"))
  if exit then
    return exit
  end
  local claim = read_json(path.join(dir, "claim", "owner.json"))
  if not claim then
    return { state = "absent" }
  end
  local me = process.self()
  if claim.host ~= me.host then
    return { state = "unknown", message = "the job runs on " .. claim.host .. ", which cannot be seen from here" }
  elseif claim.boot_id == me.boot_id and process.alive(claim.pid, claim.start_time) then
    return read_json(path.join(dir, "state.json")) or { state = "running" }
  end
  -- It may have written its last word between our two looks.
  return read_json(path.join(dir, "exit.json")) or died(dir, claim, me)
end

--- The state of each job: { state = "running"|"done"|"failed"|"cancelled"|"unknown"|"absent", ... }.
---@param ids string[]
---@return table<string, table>
function Local:status(ids)
  local all = {}
  for _, id in ipairs(ids) do
    all[id] = status(self:folder(id))
  end
  return all
end

--- New output since a cursor (nil: from the beginning): pieces { rank, attempt, text, offset } and the next cursor.
---@param id string
---@param options? { cursor: table?, rank: any, max: integer?, tail: integer? } tail: without a cursor, the last bytes alone
---@return { rank: any, attempt: integer, name: string, text: string }[]
---@return table cursor byte offsets by log name
function Local:logs(id, options)
  local files = {}
  folder.rank_logs(files, self:folder(id))
  return folder.read(files, options)
end

--- Ends a job and verifies that it has ended; also one whose supervisor is gone.
function Local:cancel(id)
  local dir = self:folder(id)
  local deadline = time.monotonic() + CANCEL_WITHIN
  local now, claim = status(dir), read_json(path.join(dir, "claim", "owner.json"))
  if now.state == "running" then
    fs.create(path.join(claim.dir, "cancel"), "")
    errors.try(process.kill, claim.pid, "TERM", claim.start_time)
  end
  while now.state == "running" do
    if time.monotonic() > deadline then
      errors.raise { cause = "unknown", code = "StillRuns",
        message = ("job %s still runs %d s after it was told to end"):format(id, CANCEL_WITHIN),
        hint = "try again; the supervisor's process id is in " .. path.join(dir, "claim", "owner.json") }
    end
    ctask.sleep(0.05)
    now = status(dir)
  end
  return now
end

--- The nodes of this target: this machine.
function Local.nodes()
  return { { name = process.self().host, state = "idle" } }
end

local function exec_here(node, argv, options)
  if node ~= process.self().host and node ~= "localhost" then
    return { node = node, ok = false, error = errors.new { cause = "usage", code = "NoNode", message = ("node %s does not exist"):format(node),
      hint = "the only node of target 'local' is " .. process.self().host } }
  end
  local words = { table.unpack(argv) }
  words.timeout, words.max_output, words.check = options.timeout, options.max_output, false
  local result, err = errors.try(process.run, words)
  if not result then
    return { node = node, ok = false, error = err }
  end
  return { node = node, ok = result.ok, code = result.code, signal = result.signal, stdout = result.stdout, stderr = result.stderr,
    seconds = result.seconds }
end

--- Runs a program once per node; an answer for each.
---@param nodes string[]
---@param argv (string|number)[]
---@param options? { timeout: number?, max_output: integer? }
---@return table[] answers in the order of the names
function Local.exec(_, nodes, argv, options)
  options = options or {}
  errors.check_options("exec", options, { "timeout", "max_output" })
  local answers = {}
  for i, node in ipairs(nodes) do answers[i] = exec_here(node, argv, options) end
  return answers
end

--- Files below the run folder: here they are where they are.
function Local:files(id)
  return folder.files(self:folder(id))
end

--- This machine has no scheduler that could drain, reboot or replace it.
function Local.act(_, node, what)
  errors.raise { cause = "usage", code = "TargetCannot",
    message = ("target 'local' cannot %s %s: there is no scheduler"):format(what, node) }
end

--- Takes over a job that was started before, by its id.
function Local:adopt(id)
  local now = status(self:folder(id))
  if now.state == "absent" then
    errors.raise { cause = "usage", message = ("there is no local job '%s'"):format(id) }
  end
  return id
end

return M
