--- A job table, checked and completed before anything is created.
local errors = require "adt.error"
local path = require "adt.path"
local pending = require "adt.pending"
local secret = require "adt.secret"
local units = require "adt.units"

local M = {}

---@class adt.JobSpec
---@field [1] string name, unique in the run
---@field cmd? (string|number)[] argv; adt.sh [[...]] for a shell line
---@field launch? "plain"|"torchrun"|"ranks"|"per_gpu"|"per_node"|"mpi"|"external" "ranks": the target itself starts them
---@field nodes? integer
---@field per_node? { gpu: integer?, cpu: integer?, neuron: integer?, efa: integer?, procs: integer? }
---@field roles? table<string, adt.Role> instead of cmd
---@field files? string|{ path: string } the folder that the job starts in, made by ctx:template or ctx:code
---@field image? string
---@field mounts? table<string, string>
---@field env? table<string, string|number>
---@field secrets? table<string, adt.Secret>
---@field wrap? { cmd: string[], ranks: integer[]? } a program in front of the command, on chosen ranks
---@field limit? string|number duration; each attempt is ended after it
---@field retry? { on: string[], max: integer } causes after which the job is started again, at most `max` times
---@field resume? "checkpoint" the program goes on by itself where a checkpoint is
---@field metrics? string|table|function log grammar
---@field artefacts? string[] what must be there afterwards, as patterns below the job's folder
---@field collect? string[] files copied into the run folder afterwards
---@field array? integer|string this many copies, or indices as Slurm writes them ("0-15%4"); each has ADT_ARRAY_INDEX
---@field after? adt.JobHandle|adt.JobHandle[] jobs that must have ended well before this one starts
---@field slurm? table<string, string|number|boolean> what to ask of Slurm, where the job runs on it: adt.slurm.directives
---@field on? adt.Target

---@class adt.Role
---@field cmd (string|number)[]
---@field nodes? integer
---@field procs? integer processes per node
---@field service? boolean ends when the other roles have ended

local FIELDS = { "cmd", "launch", "nodes", "per_node", "roles", "files", "image", "mounts", "env", "secrets", "wrap",
  "limit", "retry", "resume", "metrics", "artefacts", "collect", "array", "after", "slurm", "on" }
local LAUNCH = { "plain", "torchrun", "ranks", "per_gpu", "per_node", "mpi", "external" }
local PER_NODE = { "gpu", "cpu", "neuron", "efa", "procs" }
local ROLE = { "cmd", "nodes", "procs", "service" }
local RETRY = { "on", "max" }
local WRAP = { "cmd", "ranks" }
local RETRY_ON = { "program", "node", "fabric", "preempted", "timeout", "capacity", "image", "service" }

-- Longer words and values reach no program through every backend.
local LONGEST_TEXT = 64 * 1024

local function fail(name, message, hint)
  errors.raise { cause = "usage", code = "BadJob", message = ("job '%s': %s"):format(name, message), hint = hint }
end

local function check_text(name, text, what)
  if text:find("\0", 1, true) then
    fail(name, what .. " holds a NUL byte, which no program can be given")
  elseif #text > LONGEST_TEXT then
    fail(name, ("%s has %d bytes; at most %d are passed to a program"):format(what, #text, LONGEST_TEXT),
      "write it to a file below ctx.dir and pass the file's name")
  elseif not utf8.len(text) then
    fail(name, what .. " is not UTF-8, so the journal cannot hold it", "pass it in a file")
  end
end

local function argv(name, cmd, what)
  if type(cmd) ~= "table" or #cmd == 0 then
    fail(name, what .. " must be a list of words", 'write cmd = { "python3", "train.py" }, or adt.sh [[...]] for a shell line')
  end
  local words = {}
  for i, word in ipairs(cmd) do
    if secret.is(word) then
      fail(name, ("%s[%d] is a secret; every user of the machine can read a command line"):format(what, i),
        "pass it with secrets = { NAME = p.secret }")
    elseif type(word) == "number" then
      word = units.number(word)
    elseif type(word) ~= "string" and not pending.is(word) then
      fail(name, ("%s[%d] is a %s; words are texts and numbers"):format(what, i, type(word)))
    end
    if type(word) == "string" then
      check_text(name, word, ("%s[%d]"):format(what, i))
    end
    words[i] = word
  end
  return words
end

local function count(name, value, what, otherwise)
  if value == nil then
    return otherwise
  elseif math.type(value) ~= "integer" or value < 1 or value > 100000 then
    fail(name, ("%s must be a whole number above 0, not %s"):format(what, tostring(value)))
  end
  return value
end

local function environment(name, env)
  local out = {}
  for key, value in pairs(env or {}) do
    if type(key) ~= "string" or not key:match("^[%a_][%w_]*$") then
      fail(name, ("'%s' is no name of an environment variable"):format(tostring(key)))
    elseif secret.is(value) then
      fail(name, ("env.%s is a secret"):format(key), "move it to secrets = { ... }")
    elseif type(value) == "boolean" or type(value) == "table" and not pending.is(value) then
      fail(name, ("env.%s is a %s; values are texts and numbers"):format(key, type(value)))
    end
    if type(value) == "string" then
      check_text(name, value, "env." .. key)
    end
    out[key] = pending.is(value) and value or argv(name, { value }, "env." .. key)[1]
  end
  return out
end

local function roles_of(name, spec, procs)
  if not spec.roles then
    return { { name = "main", cmd = argv(name, spec.cmd, "cmd"), nodes = count(name, spec.nodes, "nodes", 1), procs = procs } }
  elseif spec.cmd then
    fail(name, "has both cmd and roles")
  end
  local roles, trains = {}, false
  for role, r in pairs(spec.roles) do
    errors.check_options(("job '%s', role '%s'"):format(name, tostring(role)), r, ROLE)
    if type(role) ~= "string" or not role:match("^%l[%l%d_]*$") then
      fail(name, ("'%s' is no name of a role"):format(tostring(role)))
    end
    trains = trains or not r.service
    roles[#roles + 1] = { name = role, cmd = argv(name, r.cmd, "roles." .. role .. ".cmd"), service = r.service,
      nodes = count(name, r.nodes, "nodes", 1), procs = count(name, r.procs, "procs", procs) }
  end
  table.sort(roles, function(a, b) return a.name < b.name end)
  if not trains then
    fail(name, "every role is a service, so the job would never end")
  end
  return roles
end

local function procs_of(name, spec)
  local per_node = spec.per_node or {}
  errors.check_options(("job '%s', per_node"):format(name), per_node, PER_NODE)
  for _, what in ipairs(PER_NODE) do
    count(name, per_node[what], "per_node." .. what)
  end
  if spec.launch == "plain" or spec.launch == "per_node" or spec.launch == "external" then
    return 1
  end
  return per_node.procs or per_node.gpu or per_node.neuron or 1
end

local function files_of(name, files)
  if type(files) == "table" and not pending.is(files) then
    files = files.path
  end
  if files ~= nil and not pending.is(files) then
    if type(files) ~= "string" then
      fail(name, "files must be a folder, from ctx:template or ctx:code")
    end
    return path.absolute(files)
  end
  return files
end

local function retry_of(name, retry)
  if not retry then
    return { on = {}, max = 0 }
  end
  errors.check_options(("job '%s', retry"):format(name), retry, RETRY)
  for _, cause in ipairs(retry.on or {}) do
    local near = errors.nearest(tostring(cause), RETRY_ON)
    if near ~= cause then
      fail(name, ("retry.on: there is no cause '%s'"):format(tostring(cause)),
        near and ("did you mean '%s'?"):format(near) or "causes: " .. table.concat(RETRY_ON, ", "))
    end
  end
  return { on = retry.on or { "node", "preempted" }, max = count(name, retry.max, "retry.max", 1) }
end

local function array_of(name, array)
  if array == nil then
    return nil
  elseif math.type(array) == "integer" and array >= 1 and array <= 100000 then
    return ("0-%d"):format(array - 1)
  elseif type(array) == "string" and array:match("^[%d,:-]+%%?%d*$") and #array <= 1000 then
    return array
  end
  fail(name, ("array '%s' is neither a number of copies nor a list of indices"):format(tostring(array)), 'write array = 8, or "0-15%4"')
end

-- Handles of jobs, or what stands for them in a plan.
local function after_of(name, after)
  if after == nil then
    return nil
  end
  if after.id ~= nil or pending.is(after) then
    after = { after }
  end
  local ids = {}
  for i, handle in ipairs(after) do
    if type(handle) ~= "table" or handle.id == nil then
      fail(name, ("after[%d] is no job"):format(i), "give what ctx:job returned")
    end
    ids[i] = handle.id
  end
  return #ids > 0 and ids or nil
end

--- Checks a job table and completes it. Raises cause "usage" for what cannot be meant.
---@param spec adt.JobSpec
---@return table job name, launch, roles, world, env, secrets, files, limit (seconds), retry ...
function M.check(spec)
  if type(spec) ~= "table" or type(spec[1]) ~= "string" or not spec[1]:match("^[%w][%w_.-]*$") or #spec[1] > 60 then
    errors.raise { cause = "usage", code = "BadJob", message = "a job needs a name of letters, digits, '_', '.' and '-'",
      hint = 'write ctx:job { "train", cmd = { ... } }' }
  end
  local name = spec[1]
  errors.check_options(("job '%s'"):format(name), spec, FIELDS)
  local launch = spec.launch or "plain"
  local near = errors.nearest(tostring(launch), LAUNCH)
  if near ~= launch then
    fail(name, ("unknown launch form '%s'"):format(launch), "one of: " .. table.concat(LAUNCH, ", "))
  end
  local limit = spec.limit and units.seconds(spec.limit)
  if spec.limit and not limit then
    fail(name, ("limit '%s' is no duration"):format(tostring(spec.limit)), 'write "90s", "2h" or "1h30m"')
  end
  local job = {
    name = name, launch = launch, roles = roles_of(name, spec, procs_of(name, spec)), per_node = spec.per_node or {},
    files = files_of(name, spec.files), image = spec.image, mounts = spec.mounts, env = environment(name, spec.env),
    secrets = spec.secrets or {}, limit = limit, retry = retry_of(name, spec.retry), resume = spec.resume,
    artefacts = spec.artefacts or {}, collect = spec.collect or {}, array = array_of(name, spec.array),
    after = after_of(name, spec.after), slurm = spec.slurm,
  }
  if job.slurm then
    require("adt.slurm.directives").check(("job '%s', slurm"):format(name), job.slurm)
  end
  for key, value in pairs(job.secrets) do
    if type(key) ~= "string" or not key:match("^[%a_][%w_]*$") then
      fail(name, ("'%s' is no name of an environment variable"):format(tostring(key)), "write secrets = { HF_TOKEN = p.token }")
    elseif not secret.is(value) then
      fail(name, ("secrets.%s is no secret"):format(key), "declare the parameter with adt.secret")
    elseif job.env[key] ~= nil then
      fail(name, ("%s stands in both env and secrets"):format(key))
    end
    check_text(name, value:reveal(), "secrets." .. key)
  end
  if spec.wrap then
    errors.check_options(("job '%s', wrap"):format(name), spec.wrap, WRAP)
    job.wrap = { cmd = argv(name, spec.wrap.cmd, "wrap.cmd"), ranks = spec.wrap.ranks }
  end
  job.world = 0
  for _, role in ipairs(job.roles) do
    job.world = job.world + role.nodes * role.procs
  end
  return job
end

return M
