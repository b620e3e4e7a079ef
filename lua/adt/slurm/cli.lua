--- Slurm by its own commands: `sbatch`, `squeue`, `sacct`, `scontrol`, `scancel`, run by argv and read in forms whose
--- separators no name holds.
local errors = require "adt.error"
local fs = require "adt.fs"
local parse = require "adt.slurm.parse"
local process = require "adt.process"
local state = require "adt.slurm.state"
local ctask = require "adt.c.task"

local M = {}

---@class adt.slurm.Cli
---@field kind "cli"
local Cli = {}
Cli.__index = Cli

-- A name may hold any character that people type, line ends too; these are not typed.
local SEPARATOR, RECORD = "\x1f", "\x1e"

-- A command gives up by itself after 9 s without a controller (22.05); later versions try longer.
local ASK_WITHIN = 60

local JOB_COLUMNS = { "JobID", "ArrayJobID", "ArrayTaskID", "HetJobID", "HetJobOffset", "UserName", "Account", "Partition", "QOS", "State",
  "Reason", "exit_code", "NumNodes", "NodeList", "SubmitTime", "StartTime", "EndTime", "TimeLimit", "RestartCnt", "WorkDir",
  "StdOut", "Name", "Comment" }

local ACCOUNT_COLUMNS = { "JobID", "JobIDRaw", "User", "Account", "Partition", "State", "ExitCode", "NNodes", "NodeList", "Submit", "Start",
  "End", "Timelimit", "WorkDir", "JobName", "Comment" }

-- What of our environment the commands see: a variable such as SBATCH_PARTITION or SQUEUE_FORMAT would change what they
-- do behind everybody's back, and a batch job would carry off whatever else is in it.
local PASSED = { "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "SLURM_CONF", "SLURM_JWT", "SLURM_CLUSTERS" }

---@param extra? table<string, string>
local function environment(extra)
  local env = {}
  for _, name in ipairs(PASSED) do env[name] = process.env(name) end
  for name, value in pairs(extra or {}) do env[name] = value end
  return env
end

-- Slurm's commands wait a minute for such a file before they complain.
local function check_configuration()
  local file = process.env "SLURM_CONF"
  if file and file ~= "" and not fs.exists(file) then
    errors.raise { cause = "config", code = "NoSlurm", message = ("SLURM_CONF names %s, which is not there"):format(file),
      hint = "set it to this cluster's slurm.conf, or unset it on a node whose slurmd has the configuration" }
  end
end

local function run(words, options)
  options = options or {}
  check_configuration()
  words.clear_env = true
  words.env = environment { SLURM_TIME_FORMAT = "%s" }
  words.check = false
  words.timeout = ASK_WITHIN
  words.read_only = not options.writes or nil
  local result, err = errors.try(process.run, words)
  if result then
    return result
  elseif err.cause == "timeout" then
    errors.raise { cause = "unknown", code = "SlurmSilent", retryable = true, message = ("%s did not answer"):format(words[1]), inner = err }
  elseif err.cause == "usage" then
    errors.raise { cause = "config", code = "NoSlurm", message = ("%s cannot be run: %s"):format(words[1], err.message),
      hint = "run this on the cluster's head node, or give the target rest = { url = ... } (Debian: slurm-client)" }
  end
  error(err, 0)
end

-- What a command said on failing, without its own name in front of each line.
local function said(result)
  local lines = {}
  for line in (result.stderr ~= "" and result.stderr or result.stdout):gmatch "[^\r\n]+" do
    lines[#lines + 1] = line:gsub("^%a+: error: ", ""):gsub("^%a+: ", "")
  end
  return #lines > 0 and table.concat(lines, "; ") or result.text
end

-- slurmctld hangs up on whoever shows a credential that it cannot decode, and so does one that is being ended: asked once
-- more, the first hangs up again, and the second is not there.
local function refuses_us(text)
  if not state.hung_up(text) then return false end
  ctask.sleep(1)
  return state.hung_up(said(run { "scontrol", "show", "config" }))
end

local function raise(what, result)
  local text = said(result)
  if refuses_us(text) then
    errors.raise { cause = "auth", code = "SlurmRefused", message = ("%s: %s; slurmctld hangs up on us"):format(what, text),
      hint = "munged here must have the cluster's key, and the clocks of this machine and of the controller must agree: munge -n | unmunge" }
  elseif state.unreached(text) then
    errors.raise { cause = "unknown", code = "SlurmSilent", retryable = true, message = ("%s: %s"):format(what, text),
      hint = "scontrol ping tells whether slurmctld answers" }
  end
  local cause, hint = state.refusal(text)
  errors.raise { cause = cause, code = "SlurmRefused", message = ("%s: %s"):format(what, text), hint = hint }
end

local function ask(words, options)
  local result = run(words, options)
  if not result.ok then
    raise(table.concat(words, " ", 1, math.min(#words, 2)), result)
  end
  return result.stdout
end

local function format(columns)
  local out = {}
  for i, name in ipairs(columns) do out[i] = name .. ":" .. SEPARATOR end
  return table.concat(out, ",") .. RECORD
end

--- Jobs that the controller knows, each task of an array and each part of a heterogeneous job by itself.
---@param filter { ids: integer[]?, user: string? }
---@return table[] jobs
function Cli:jobs(filter)
  local words = { "squeue", "--noheader", "--states=all", "--array", "--Format", format(JOB_COLUMNS) }
  if filter.ids then
    words[#words + 1] = "--jobs=" .. table.concat(filter.ids, ",")
  end
  if filter.user then
    words[#words + 1] = "--user=" .. filter.user
  end
  local result = run(words)
  if not result.ok and filter.ids and result.stderr:find("Invalid job id", 1, true) then
    return {}
  elseif not result.ok then
    raise("squeue", result)
  end
  return parse.table("job", result.stdout, { columns = JOB_COLUMNS, separator = SEPARATOR, record = RECORD })
end

--- What the accounting database knows; nil where the cluster keeps no accounts.
---@param filter { ids: integer[]?, user: string?, since: integer? }
---@return table[]? jobs
function Cli:accounts(filter)
  local words = { "sacct", "--allocations", "--parsable2", "--noheader", "--delimiter=" .. SEPARATOR,
    "--format=" .. table.concat(ACCOUNT_COLUMNS, ",") }
  if filter.ids then
    words[#words + 1] = "--jobs=" .. table.concat(filter.ids, ",")
  end
  if filter.user then
    words[#words + 1] = "--user=" .. filter.user
    words[#words + 1] = "--starttime=" .. os.date("%Y-%m-%dT%H:%M:%S", filter.since or 0)
  end
  local result = run(words)
  if result.ok then
    return parse.table("job", result.stdout, { columns = ACCOUNT_COLUMNS, separator = SEPARATOR })
  elseif result.stderr:find("accounting storage is disabled", 1, true) then
    return nil
  end
  raise("sacct", result)
end

--- One job with all that the controller knows of it.
---@param id integer
---@return table? job
function Cli:job(id)
  local result = run { "scontrol", "--oneliner", "show", "job", tostring(id) }
  if result.ok then
    return parse.scontrol("job", result.stdout)[1]
  elseif result.stderr:find("Invalid job id", 1, true) then
    return nil
  end
  raise("scontrol show job", result)
end

---@class adt.slurm.Submission
---@field script string file
---@field answer string file for what Slurm answers
---@field parts table[] what the script's #SBATCH lines ask for
---@field asked? fun() called when it is under way

--- Submits a script. The answer goes to a file first: whoever comes after us can read it there.
---@param submission adt.slurm.Submission
---@return integer id
function Cli:submit(submission)
  check_configuration()
  local child <close> = process.spawn { "sbatch", "--parsable", submission.script, clear_env = true, env = environment(),
    stdout = { file = submission.answer }, stderr = "stdout" }
  if submission.asked then submission.asked() end
  local ended = child:wait()
  local id, text = self:submitted(submission.answer)
  if id then
    return id
  end
  raise("sbatch", { stderr = text, stdout = "", text = ended.text })
end

--- What an `sbatch` that has ended has left: its job's id, or nil and its complaint.
---@param answer string
---@return integer? id
---@return string complaint
function Cli:submitted(answer)
  local text = fs.exists(answer) and fs.read(answer, { max = 64 * 1024 }) or ""
  -- A plugin of the site may say something, too.
  for line in text:gmatch "[^\n]+" do
    if line:match "^%d+$" or line:match "^%d+;[%w_.-]+$" then
      return (parse.submitted(line)), text
    end
  end
  return nil, text
end

--- Asks whether a script would be taken, without submitting it. Raises Slurm's words when it would not.
---@param script string text
function Cli:test(script)
  ask { "sbatch", "--test-only", input = script }
end

--- Ends jobs. That one has ended already is no error.
---@param ids integer[]
function Cli:cancel(ids)
  local words = { "scancel", "--quiet" }
  for _, id in ipairs(ids) do words[#words + 1] = tostring(id) end
  ask(words, { writes = true })
end

---@return table[] nodes
function Cli:nodes()
  return parse.scontrol("node", ask { "scontrol", "--oneliner", "show", "nodes" })
end

---@return table[] partitions
function Cli:partitions()
  return parse.scontrol("partition", ask { "scontrol", "--oneliner", "show", "partitions" })
end

---@return table[] reservations
function Cli:reservations()
  local text = ask { "scontrol", "--oneliner", "show", "reservations" }
  return text:find("No reservations", 1, true) and {} or parse.scontrol("reservation", text)
end

--- Changes a node's state.
---@param name string
---@param to "drain"|"resume"
---@param reason? string
function Cli:set_node(name, to, reason)
  local words = { "scontrol", "update", "nodename=" .. name, "state=" .. to }
  if reason then words[#words + 1] = "reason=" .. reason end
  ask(words, { writes = true })
end

--- Reboots a node as soon as its jobs have ended.
---@param name string
---@param reason string
function Cli:reboot(name, reason)
  ask({ "scontrol", "reboot", "ASAP", "nextstate=RESUME", "reason=" .. reason, name }, { writes = true })
end

--- What of the cluster's configuration decides how long it remembers.
---@return { memory: number } memory: seconds after its end that a job is known for
function Cli:config()
  local text = ask { "scontrol", "show", "config" }
  return { memory = tonumber(text:match "MinJobAge%s*=%s*(%d+)") or 300 }
end

--- The commands found on PATH.
---@return adt.slurm.Cli
function M.new()
  return setmetatable({ kind = "cli" }, Cli)
end

M.environment = environment

return M
