--- Target `slurm`: jobs as batch scripts on a cluster, submitted once, followed by one query for all of them and by the
--- files that they write into the run's folder, which lies on a file system that all nodes share.
local accounts = require "adt.slurm.accounts"
local carry = require "adt.slurm.carry"
local cfault = require "adt.c.fault"
local directives = require "adt.slurm.directives"
local errors = require "adt.error"
local folder = require "adt.target.folder"
local fs = require "adt.fs"
local hostlist = require "adt.hostlist"
local path = require "adt.path"
local run = require "adt.run"
local script = require "adt.slurm.script"
local time = require "adt.time"
local units = require "adt.units"
local verdict = require "adt.slurm.verdict"
local watch = require "adt.slurm.watch"
local ctask = require "adt.c.task"

local M = {}

---@class adt.target.Slurm: adt.Target
---@field client table adt.slurm.cli or adt.slurm.rest
---@field settings table the directives of this target
---@field known table what has been asked of the cluster lately, shared by the copies that at() makes
---@field patience number seconds for which a controller that does not answer is asked again
local Slurm = {}
Slurm.__index = Slurm

-- How long a cancelled job may take to leave: KillWait is 30 s on most clusters, an epilog may follow.
local CANCEL_WITHIN = 180

local OWN = { "kind", "name", "rest", "patience", "instance", "container", "shared" }

local PATIENCE = 300

-- Partitions seldom change; a run that submits hundreds of jobs asks for them once a minute.
local PARTITIONS_FOR = 60

local function settings_of(spec)
  local settings, known = {}, {}
  for _, name in ipairs(OWN) do known[#known + 1] = name end
  for _, name in ipairs(directives.NAMES) do
    known[#known + 1] = name
    settings[name] = spec[name]
  end
  errors.check_options("target of kind slurm", spec, known)
  directives.check("target of kind slurm", settings)
  return settings
end

--- A target from its description: any directive of adt.slurm.directives, and these.
---@param spec { rest: table?, patience: string|number?, instance: string?, container: string?, shared: string? }
---@return adt.target.Slurm
function M.new(spec)
  local settings = settings_of(spec)
  local patience = spec.patience == nil and PATIENCE or units.seconds(spec.patience)
  if not patience then
    errors.raise { cause = "usage", message = ("patience '%s' is no duration"):format(tostring(spec.patience)), hint = 'write "90s"' }
  elseif spec.container ~= nil and spec.container ~= "pyxis" then
    errors.raise { cause = "usage", message = ("container '%s' is not known; this target has pyxis"):format(tostring(spec.container)) }
  elseif spec.shared ~= nil and (type(spec.shared) ~= "string" or spec.shared:sub(1, 1) ~= "/") then
    errors.raise { cause = "usage", message = "shared must be the path of a folder that all nodes see" }
  end
  local client = spec.rest and require("adt.slurm.rest").new(spec.rest) or require("adt.slurm.cli").new()
  return setmetatable({ kind = "slurm", name = spec.name or "slurm", settings = settings, client = client, patience = patience,
    instance = spec.instance, container = spec.container, shared = spec.shared, watch = watch.new(client), known = {} }, Slurm)
end

--- The same target for the run whose folder is `root`, wherever that has been copied to.
---@param root string
---@return adt.target.Slurm
function Slurm:at(root)
  local copy = {}
  for k, v in pairs(self) do copy[k] = v end
  copy.root = path.absolute(root)
  return setmetatable(copy, Slurm)
end

-- --- ids -------------------------------------------------------------------------------------------------------------

-- "4711@R01ABC/jobs/train-1": Slurm's number, and the job's folder below the runs. One that was adopted has no folder.
local function split(id)
  local number, run_id, rest = tostring(id):match "^(%d+)@(R%w+)/(jobs/[%w_.-]+)$"
  if not number then
    number = tostring(id):match "^(%d+)$"
  end
  if not number then
    errors.raise { cause = "usage", message = ("'%s' is no id of a Slurm job"):format(tostring(id)) }
  end
  return math.tointeger(tonumber(number)), run_id, rest
end

local function make_id(number, dir)
  return ("%d@%s"):format(number, dir:match "(R%w+/jobs/[%w_.-]+)$")
end

--- The folder of a job, for people who want to look; nil for a job that was adopted.
---@param id string
---@return string?
function Slurm:folder(id)
  local _, run_id, rest = split(id)
  if run_id then
    return path.join(self.root or run.folder(run_id), rest)
  end
end

-- --- before and at the start -----------------------------------------------------------------------------------------

--- Refuses what this target cannot carry, before anything is created. In a plan Slurm is asked, too.
---@param job table
---@param mode? "do"|"plan"|"down"
function Slurm:preflight(job, mode)
  carry.check(self, job)
  if self.root then carry.check_folder(self, self.root) end
  if mode == "plan" then
    self:check_partition(job)
    if not carry.is_pending(job) then
      self.client:test(script.batch(job, self.settings, "plan", "/tmp"))
    end
  end
end

--- The batch script and the wrapper of each rank, as text.
---@param job table
---@param key? string
---@param dir? string
---@return string
function Slurm:render(job, key, dir)
  return script.render(job, self.settings, key or job.name, dir or "/tmp")
end

-- Slurm takes a job that no partition could ever hold, and lets it wait for good.
function Slurm:check_partition(job)
  local known, now = self.known, time.monotonic()
  if not known.at or now - known.at > PARTITIONS_FOR then
    known.partitions, known.nodes, known.at = self.client:partitions(), nil, now
  end
  carry.fits(job, self.settings, known.partitions, function()
    known.nodes = known.nodes or self.client:nodes()
    return known.nodes
  end)
end

local function write_files(self, job, key, dir)
  fs.mkdir(dir, { parents = true })
  if next(job.secrets) then
    local lines = {}
    for name, value in pairs(job.secrets) do
      lines[#lines + 1] = ("export %s=%s\n"):format(name, require("adt.quote").sh(value:reveal()))
    end
    table.sort(lines)
    fs.write(path.join(dir, "secrets"), table.concat(lines), { atomic = true, mode = 384 })
  end
  fs.write(path.join(dir, "rank.sh"), script.rank(job))
  -- Written last: without it nothing was submitted.
  fs.write(path.join(dir, "job.sh"), script.batch(job, self.settings, key, dir), { atomic = true, sync = true })
end

-- Asks again as long as the patience lasts while nobody answers, and says so once. f is told how often it was called.
local function patiently(self, f)
  local started, times = time.monotonic(), 0
  while true do
    times = times + 1
    local result, err = errors.try(f, times)
    if not err then
      return result
    elseif not err.retryable or time.monotonic() - started > self.patience then
      error(err, 0)
    end
    local step = ctask.locals().step
    if step and times == 1 then
      step.note("warn", ("%s; asking again, at most %s more"):format(err.message, units.duration(self.patience)))
    end
    ctask.sleep(math.min(5, self.patience / 10))
  end
end

--- Submits the job's script. Raises Slurm's own words when it is refused, and cause "unknown" when nobody answered.
---@param job table
---@param key string
---@param dir string
---@return string id
function Slurm:submit(job, key, dir)
  patiently(self, function() self:check_partition(job) end)
  write_files(self, job, key, dir)
  cfault.hit "slurm.written"
  local submission = { script = path.join(dir, "job.sh"), answer = path.join(dir, "sbatch.out"),
    parts = directives.parts(job, self.settings, key, dir), asked = function() cfault.hit "slurm.asked" end }
  return patiently(self, function(times)
    -- Nobody answered, and yet the job may be there.
    local found = times > 1 and self:find(key, job, dir)
    if not found then
      found = make_id(self.client:submit(submission), dir)
      cfault.hit "slurm.answered"
    end
    return found
  end)
end

-- Whoever holds the claim runs the job, whichever number we were told.
local function claimed(dir)
  local file = path.join(dir, "claim", "job")
  return fs.exists(file) and math.tointeger(tonumber((fs.read(file, { max = 64 }):match "^%d+"))) or nil
end

--- The job that an interrupted submit with this key made, or nil. The door has waited for `sbatch` before it asks.
---@param key string
---@param job table
---@param dir string
---@return string? id
function Slurm:find(key, job, dir)
  local number = claimed(dir)
  if not number then
    local written = fs.stat(path.join(dir, "job.sh"))
    if not written then return nil end
    number = self.client:submitted(path.join(dir, "sbatch.out")) or accounts.search(self.client, key, dir, written.mtime, job.name)
  end
  return number and make_id(number, dir)
end

-- --- while it runs ---------------------------------------------------------------------------------------------------

-- Slurm's number of a job as the claim has it, and where its last word would be.
function Slurm:look(id)
  local number, run_id, rest = split(id)
  local dir = self:folder(id)
  return { number = dir and claimed(dir) or number, dir = dir, place = run_id and run_id .. "/" .. rest }
end

--- The state of each job: { state = "running"|"done"|"failed"|"cancelled"|"unknown"|"absent", waiting = why it waits, ... }.
---@param ids string[]
---@return table<string, table>
function Slurm:status(ids)
  local looks, numbers = {}, {}
  for i, id in ipairs(ids) do
    looks[i] = self:look(id)
    numbers[i] = looks[i].number
    if looks[i].dir and fs.exists(path.join(looks[i].dir, "exit.json")) then
      self.watch:hurry()
    end
  end
  local records, err = errors.try(self.watch.jobs, self.watch, numbers)
  if not records and err.cause ~= "unknown" then
    error(err, 0)
  end
  local all = {}
  for i, look in ipairs(looks) do
    all[ids[i]] = verdict.of(self.client, look, records and records[look.number], err)
  end
  return all
end

-- What Slurm itself has written: the job's own output, and that of a second one, which the claim has sent away. Names
-- stay the same whichever files come later: they are what offsets are kept by.
local function script_log(dir, name, owner)
  local number, task = name:match "^slurm%-(%d+)_(%d+)%-%d+%.out$"
  number = number or name:match "^slurm%-(%d+)%.out$"
  if number then
    local label = (task and task .. "." or "") .. "job" .. (tonumber(number) == owner and "" or "-" .. number)
    return { attempt = 0, rank = label, name = "0/" .. label, file = path.join(dir, name) }
  end
end

local function log_files(dir)
  local files = {}
  if not fs.is_dir(dir) then return files end
  local tasks, owner = {}, claimed(dir)
  for _, name in ipairs(fs.list(dir)) do
    files[#files + 1] = script_log(dir, name, owner)
    tasks[#tasks + 1] = math.tointeger(tonumber((name:match "^task%-(%d+)$")))
  end
  folder.rank_logs(files, dir)
  table.sort(tasks)
  for _, task in ipairs(tasks) do
    folder.rank_logs(files, path.join(dir, "task-" .. task), task .. ".")
  end
  return files
end

-- Of a job that was adopted only its own output file is known, and only while Slurm knows it.
function Slurm:adopted_logs(id)
  local number = split(id)
  local job = self.client:job(number)
  local file = job and job.stdout
  return file and fs.exists(file) and { { attempt = 1, rank = "job", name = "1/job", file = file } } or {}
end

--- New output since a cursor (nil: from the beginning): pieces { rank, attempt, name, text } and the next cursor.
---@param id string
---@param options? { cursor: table?, rank: any, max: integer?, tail: integer? }
---@return { rank: any, attempt: integer, name: string, text: string }[]
---@return table cursor
function Slurm:logs(id, options)
  local dir = self:folder(id)
  return folder.read(dir and log_files(dir) or self:adopted_logs(id), options)
end

--- Files below the job's folder, which this machine shares with the nodes.
function Slurm:files(id)
  local dir = self:folder(id)
  if not dir then
    errors.raise { cause = "usage", message = ("job %s was adopted: it has no folder in a run"):format(id) }
  end
  return folder.files(dir)
end

--- Ends a job, all of its tasks and parts, and verifies that it has ended.
---@param id string
---@return table state
function Slurm:cancel(id)
  local number = split(id)
  local numbers, owner = { number }, self:look(id).number
  if owner ~= number then numbers[2] = owner end
  local deadline = time.monotonic() + CANCEL_WITHIN
  local now = self:status({ id })[id]
  if now.state == "running" then
    self.client:cancel(numbers)
  end
  while now.state == "running" do
    if time.monotonic() > deadline then
      errors.raise { cause = "unknown", code = "StillRuns",
        message = ("job %s still runs %d s after it was told to end"):format(id, CANCEL_WITHIN),
        hint = ("scontrol show job %d; a node that does not answer may hold it"):format(number) }
    end
    ctask.sleep(0.1)
    self.watch:hurry()
    now = self:status({ id })[id]
  end
  return now
end

--- The job has ended: its secrets are removed, and overwritten in what its ranks have printed.
---@param id string
---@param job table
function Slurm:settled(id, job)
  local dir = self:folder(id)
  if not dir or not next(job.secrets) then return end
  errors.try(fs.remove, path.join(dir, "secrets"))
  local values = {}
  for name, value in pairs(job.secrets) do values[name] = value:reveal() end
  for _, name in ipairs(fs.list(dir)) do
    if name:match "^slurm%-[%d_-]+%.out$" then
      errors.try(folder.mask, path.join(dir, name), values)
    elseif name:match "^task%-%d+$" then
      folder.mask_attempts(path.join(dir, name), values)
    end
  end
  folder.mask_attempts(dir, values)
end

--- Takes over a job that somebody else has submitted, by Slurm's number.
---@param id string|integer
---@return string id
function Slurm:adopt(id)
  local number = split(id)
  if #self.client:jobs { ids = { number } } == 0 and not (self.client:accounts { ids = { number } } or {})[1] then
    errors.raise { cause = "usage", code = "NoJob", message = ("Slurm knows no job %d"):format(number), hint = "squeue --me lists yours" }
  end
  return tostring(id)
end

-- --- nodes -----------------------------------------------------------------------------------------------------------

--- The nodes of the target's partition, or of the cluster.
---@return adt.slurm.Node[]
function Slurm:nodes()
  local nodes, partition = self.client:nodes(), self.settings.partition
  if not partition then return nodes end
  local inside, found = {}, {}
  for _, p in ipairs(self.client:partitions()) do
    for _, name in ipairs(p.name == partition and hostlist.expand(p.nodes) or {}) do inside[name] = true end
  end
  for _, node in ipairs(nodes) do
    if inside[node.name] then found[#found + 1] = node end
  end
  return found
end

--- Runs a program once per node, each by a step of its own; an answer for each, silence included.
---@param names string[]
---@param argv (string|number)[]
---@param options? { timeout: number?, max_output: integer? }
---@return table[] answers in the order of the names
function Slurm:exec(names, argv, options)
  return require("adt.slurm.fanout").run(self, names, argv, options)
end

--- Takes a node out of service for new jobs, brings it back, or reboots it once its jobs have ended.
---@param node string
---@param what "drain"|"resume"|"reboot"|"replace"
---@param reason? string needed but for resume; Slurm keeps it
function Slurm:act(node, what, reason)
  return require("adt.slurm.nodes").act(self.client, node, what, reason)
end

return M
