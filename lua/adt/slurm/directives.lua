--- The `#SBATCH` lines of a job: what Slurm is asked for, each value held to the characters that need no quoting there.
local errors = require "adt.error"

local M = {}

-- Options that a target's description or a job's `slurm` table may set, as Slurm spells them. A boolean is a flag, or
-- has the value that the flag takes.
local OPTIONS = {
  account = "account", begin = "begin", constraint = "constraint", contiguous = "contiguous", core_spec = "core-spec",
  cpus_per_task = "cpus-per-task", deadline = "deadline", exclude = "exclude", exclusive = "exclusive", gres = "gres",
  hint = "hint", licenses = "licenses", mail_type = "mail-type", mail_user = "mail-user", mem = "mem",
  mem_per_cpu = "mem-per-cpu", network = "network", nice = "nice", nodelist = "nodelist", ntasks_per_core = "ntasks-per-core",
  overcommit = "overcommit", partition = "partition", qos = "qos", reservation = "reservation", segment = "segment", signal = "signal",
  switches = "switches", tmp = "tmp", wait_all_nodes = "wait-all-nodes",
}

local FLAGS = { contiguous = true, exclusive = true, overcommit = true, wait_all_nodes = "1" }

--- Their names, for whoever checks a table of them.
M.NAMES = {}
for name in pairs(OPTIONS) do M.NAMES[#M.NAMES + 1] = name end
table.sort(M.NAMES)

-- No blank, quote, dollar, backslash, hash or control character: none of them needs to be thought about then.
local SAFE = "^[%w_.,:;/@%%+=%[%]*&|()!<>~-]+$"

local LONGEST = 4096

local function refuse(what, message, hint)
  errors.raise { cause = "usage", code = "BadDirective", message = ("%s %s"):format(what, message), hint = hint }
end

--- A value as it may stand on a `#SBATCH` line. Raises usage for one that would need quoting.
---@param what string for the message
---@param value string|number
---@return string
function M.value(what, value)
  local text = math.type(value) == "float" and ("%g"):format(value) or tostring(value)
  if type(value) ~= "string" and type(value) ~= "number" then
    refuse(what, "must be a text or a number, not a " .. type(value))
  elseif #text > LONGEST then
    refuse(what, ("has %d bytes; a #SBATCH line takes at most %d"):format(#text, LONGEST))
  elseif not text:match(SAFE) then
    refuse(what, ("has characters that a #SBATCH line cannot carry safely: %q"):format(text),
      "use letters, digits and _ . , : / @ + = - [ ] * & |; a path can be a link without blanks")
  end
  return text
end

--- A time limit as Slurm writes it: days-hours:minutes:seconds.
---@param seconds number
---@return string
function M.time(seconds)
  local whole = math.ceil(seconds)
  local days, rest = whole // 86400, whole % 86400
  local clock = ("%02d:%02d:%02d"):format(rest // 3600, rest % 3600 // 60, rest % 60)
  return days > 0 and ("%d-%s"):format(days, clock) or clock
end

--- Checks a table of options: names and values.
---@param what string for messages
---@param options table<string, any>
function M.check(what, options)
  errors.check_options(what, options, M.NAMES)
  for name, value in pairs(options) do
    if FLAGS[name] and type(value) == "boolean" then
      goto continue
    end
    M.value(("%s: %s"):format(what, name), value)
    ::continue::
  end
end

--- An option as it counts: the job's own table wins over the target's.
---@param job table
---@param settings table of the target
---@param name string
---@return string|number|boolean?
function M.option(job, settings, name)
  local own = (job.slurm or {})[name]
  if own == nil then own = settings[name] end
  return own
end

local function merged(job, settings)
  local all = {}
  for name in pairs(OPTIONS) do all[name] = M.option(job, settings, name) end
  return all
end

--- How many processes a role has on each node, and the processors that each of them is given.
---@param job table
---@param role table
---@param settings table of the target
---@return integer tasks
---@return integer processors
function M.tasks(job, role, settings)
  local tasks = job.launch == "torchrun" and 1 or role.procs
  local own = math.tointeger(tonumber(M.option(job, settings, "cpus_per_task")))
  return tasks, own or math.max(1, (job.per_node.cpu or 1) // tasks)
end

local function add(list, option, value)
  list[#list + 1] = { option, value ~= nil and M.value("--" .. option, value) or nil }
end

local function add_options(lines, options)
  for _, name in ipairs(M.NAMES) do
    local value = options[name]
    if value == true then
      value = FLAGS[name]
      add(lines, OPTIONS[name], value ~= true and value or nil)
    elseif value ~= nil and value ~= false then
      add(lines, OPTIONS[name], value)
    end
  end
end

-- What one role asks of its nodes. Several GPUs of a node are meant to be a whole node's, with all of its links.
local function add_size(lines, job, role, options)
  local per_node = job.per_node
  local tasks, processors = M.tasks(job, role, options)
  add(lines, "nodes", role.nodes)
  if job.limit then add(lines, "time", M.time(job.limit)) end
  add(lines, "ntasks-per-node", tasks)
  if per_node.gpu then
    add(lines, "gpus-per-node", per_node.gpu)
  end
  if per_node.neuron and options.gres == nil then
    add(lines, "gres", "neuron:" .. per_node.neuron)
  end
  if per_node.cpu and options.cpus_per_task == nil then
    add(lines, "cpus-per-task", processors)
  end
end

-- Said of the target's options that are all right for small jobs and wrong for big ones, unless somebody said otherwise.
local function with_defaults(job, options)
  local accelerators = job.per_node.gpu or job.per_node.neuron or 0
  local nodes = 0
  for _, role in ipairs(job.roles) do nodes = nodes + role.nodes end
  if options.exclusive == nil and accelerators > 1 then
    options.exclusive = true
  end
  if options.wait_all_nodes == nil and nodes > 1 then
    options.wait_all_nodes = true
  end
  return options
end

local function requeues(job)
  for _, cause in ipairs(job.retry.on) do
    if cause == "node" or cause == "preempted" then return job.retry.max > 0 end
  end
  return false
end

local function dependency(job)
  if not job.after then
    return nil
  end
  local ids = {}
  for i, id in ipairs(job.after) do
    ids[i] = tostring(id):match("^(%d+)") or "<" .. tostring(id):match("[%w_.-]+") .. ">"
  end
  return "afterok:" .. table.concat(ids, ":")
end

-- What holds for a job as a whole.
local function add_once(list, job, dir)
  add(list, "chdir", dir)
  add(list, "output", dir .. (job.array and "/slurm-%A_%a-%j.out" or "/slurm-%j.out"))
  add(list, "open-mode", "append")
  add(list, requeues(job) and "requeue" or "no-requeue")
  if job.array then add(list, "array", job.array) end
  local after = dependency(job)
  if after then
    add(list, "dependency", after)
    add(list, "kill-on-invalid-dep", "yes")
  end
end

--- What Slurm is asked for, in order, for each part of a job: one, or one per role of a heterogeneous job.
---@param job table from adt.job
---@param settings table of the target
---@param key string of the run and step, which the scheduler keeps for us as a comment
---@param dir string the job's folder
---@return table[] parts each a list of { option, value? }, as sbatch spells the options
function M.parts(job, settings, key, dir)
  local parts = {}
  for i, role in ipairs(job.roles) do
    local list = {}
    add(list, "job-name", job.name)
    add(list, "comment", "adtlua:" .. key)
    if i == 1 then
      add_once(list, job, dir)
    end
    local options = with_defaults(job, merged(job, settings))
    add_size(list, job, role, options)
    add_options(list, options)
    parts[i] = list
  end
  return parts
end

--- All lines of a job.
---@param job table
---@param settings table
---@param key string
---@param dir string
---@return string
function M.of(job, settings, key, dir)
  local lines = {}
  for i, part in ipairs(M.parts(job, settings, key, dir)) do
    if i > 1 then lines[#lines + 1] = "#SBATCH hetjob" end
    for _, pair in ipairs(part) do
      lines[#lines + 1] = "#SBATCH --" .. pair[1] .. (pair[2] and "=" .. pair[2] or "")
    end
  end
  return table.concat(lines, "\n")
end

return M
