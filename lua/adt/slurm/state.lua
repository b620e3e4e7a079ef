--- What Slurm says of a job, in our words: whether it runs, waits or has ended, who is to blame, and what to do next.
local M = {}

-- Why a job waits, by Slurm's reason. `never`: it will not start unless somebody changes something.
local WAITS = {
  Priority = { "jobs with a higher priority are first" },
  Resources = { "other jobs hold the nodes" },
  BeginTime = { "its begin time has not come", "after a requeue that is two minutes; scontrol update jobid=@id starttime=now ends the wait" },
  Dependency = { "the jobs that it depends on have not ended" },
  DependencyNeverSatisfied = { "a job that it depends on did not end as asked", never = true },
  JobHeldUser = { "its owner holds it", "scontrol release @id", never = true },
  JobHeldAdmin = { "an administrator holds it", "ask the administrator to release it", never = true },
  PartitionNodeLimit = { "it asks for more nodes than the partition allows", "fewer nodes, or another partition", never = true },
  PartitionTimeLimit = { "its time limit is over the partition's", "a shorter limit, or another partition", never = true },
  PartitionConfig = { "the partition's limits do not allow it", "fewer nodes or less time, or another partition", never = true },
  PartitionDown = { "the partition is down", "sinfo -p shows it; another partition may be up" },
  PartitionInactive = { "the partition takes no jobs to run now", "sinfo -p shows it" },
  ReqNodeNotAvail = { "nodes that it needs are down, drained or reserved", "sinfo -R tells why" },
  NodeDown = { "a node that it needs is down", "sinfo -R tells why" },
  Reservation = { "its reservation has not begun" },
  Licenses = { "its licences are in use" },
  JobArrayTaskLimit = { "as many tasks of its array run as may at once" },
  Cleaning = { "it is being requeued, and its last run is cleaned up" },
  BadConstraints = { "no node has the features that it asks for", "sinfo -o '%N %f' lists them", never = true },
  InvalidAccount = { "its account is not valid here", "sacctmgr show associations user=$USER lists yours", never = true },
  InvalidQOS = { "its QOS is not valid here", "sacctmgr show qos lists them", never = true },
  AccountNotAllowed = { "its account may not use the partition", "another partition or account", never = true },
  QOSNotAllowed = { "its QOS may not be used in the partition", "another partition or QOS", never = true },
  ReqNodeNotAvailMay = { "nodes that it needs are set aside for maintenance" },
  BurstBufferResources = { "the burst buffer is full" },
}

-- Limits of accounts, QOS and users have dozens of reasons that are all of one kind.
local function limit_reason(reason)
  if reason:match "^QOS" or reason:match "^Assoc" or reason:match "^Max" then
    return { "a limit of the account or QOS is reached", "sacctmgr show assoc, or sprio -j @id" }
  end
end

--- Why a pending job waits, as one sentence.
---@param job table
---@return string? text nil while the scheduler has not looked at it yet
---@return boolean never it will not start by itself
function M.waiting(job)
  local reason = job.reason or "None"
  if reason == "None" then
    return nil, false
  end
  local known = WAITS[reason] or WAITS[reason:match "^%w+"] or limit_reason(reason)
  if not known then
    return ("it waits (%s)"):format(reason), false
  end
  local text = ("%s (%s)"):format(known[1], reason)
  if known[2] then
    text = text .. "; " .. known[2]
  end
  return (text:gsub("@id", tostring(job.id))), known.never or false
end

-- --- how it ended ----------------------------------------------------------------------------------------------------

-- Exit statuses that Slurm gives itself: the signal half of "0:53".
local NO_OUTPUT_FILE, OUT_OF_MEMORY = 53, 125

local ENDED = {
  TIMEOUT = { "timeout", "it ran into its time limit", "raise the job's limit, or resume from its checkpoint" },
  DEADLINE = { "timeout", "its deadline has passed" },
  NODE_FAIL = { "node", "a node of it failed" },
  BOOT_FAIL = { "node", "a node of it could not be booted" },
  PREEMPTED = { "capacity", "it was preempted by a job with a higher priority", "retry = { on = { \"preempted\" } } starts it again" },
  OUT_OF_MEMORY = { "program", "it used more memory than it asked for", "ask for more: slurm = { mem = ... }" },
  REVOKED = { "cancelled", "it was moved to another cluster of the federation" },
}

local function failed(job)
  if job.signal == NO_OUTPUT_FILE then
    return "config", "its output file could not be made (exit 0:53): the run's folder is not there, or not writable, on the node",
      "keep runs on a file system that all nodes share: XDG_STATE_HOME"
  elseif job.signal == OUT_OF_MEMORY then
    return ENDED.OUT_OF_MEMORY[1], ENDED.OUT_OF_MEMORY[2], ENDED.OUT_OF_MEMORY[3]
  elseif job.reason == "JobLaunchFailure" or job.reason == "launch_failed_requeued_held" or job.reason == "Prolog" then
    return "node", ("its nodes could not start it (%s)"):format(job.reason), "sinfo -R and the log of slurmd tell more"
  elseif (job.signal or 0) > 0 then
    return "program", ("it was ended by signal %d"):format(job.signal)
  end
  return "program", ("its script exited with status %d"):format(job.exit or 1)
end

-- What slurmstepd and srun write into a job's output when they end a step for its memory; the job's own state is often
-- FAILED then, since its script goes on to its end.
local MEMORY_WORDS = { "exceeded memory limit", "oom-kill event", "oom_kill event", ": Out Of Memory" }

--- Makes an end by lack of memory of the verdict on a failed program, when its job's output tells of one.
---@param result table
---@param output string the end of what Slurm has written into the job's output
function M.explain_memory(result, output)
  for _, words in ipairs(MEMORY_WORDS) do
    if output:find(words, 1, true) then
      result.message, result.hint = ENDED.OUT_OF_MEMORY[2], ENDED.OUT_OF_MEMORY[3]
      return
    end
  end
end

--- What became of an ended job.
---@param job table
---@return table { state, cause, message, hint, exit, signal }
function M.ended(job)
  local result = { exit = job.exit, signal = (job.signal or 0) > 0 and job.signal or nil }
  local known = ENDED[job.state]
  if job.state == "COMPLETED" then
    result.state, result.exit = "done", 0
  elseif job.state == "CANCELLED" then
    result.state, result.cause, result.message = "cancelled", "cancelled", "it was cancelled"
    if job.reason == "DependencyNeverSatisfied" or job.reason == "Dependency" then
      result.message = "a job that it depends on did not end as asked"
    end
  elseif known then
    result.state, result.cause, result.message, result.hint = "failed", known[1], known[2], known[3]
  elseif job.state == "FAILED" then
    result.state = "failed"
    result.cause, result.message, result.hint = failed(job)
  else
    result.state, result.message = "unknown", ("Slurm calls its state %s"):format(tostring(job.state))
  end
  return result
end

-- --- refusals --------------------------------------------------------------------------------------------------------

-- Slurm's own words of a refusal, what they mean for our exit code, and the next step. The first that fits counts, so
-- what names a thing stands before what is said of several.
local REFUSALS = {
  { "Max%a*Submit", "quota", "wait for jobs of yours to end, or use another QOS or account" },
  { "QOSMax", "quota", "ask for less, or use another QOS: sacctmgr show qos lists their limits" },
  { "AssocMax", "quota", "ask for less, or use another account: sacctmgr show assoc user=$USER lists the limits" },
  { "accounting/QOS policy", "quota", "a limit of your account or QOS: sacctmgr show assoc user=$USER; sacctmgr show qos" },
  { "configuration source", "config", "SLURM_CONF, or /etc/slurm/slurm.conf, must name this cluster: run this on its head node" },
  { "[Ii]nvalid partition", "config", "sinfo -s lists the partitions; set partition in the target's description" },
  { "[Ii]nvalid account", "config", "sacctmgr show associations user=$USER lists your accounts" },
  { "[Ii]nvalid qos", "config", "sacctmgr show qos lists them" },
  { "[Ii]nvalid feature", "config", "sinfo -o '%N %f' lists what nodes have" },
  { "[Ii]nvalid node name", "config", "sinfo -N lists the nodes" },
  { "[Ii]nvalid license", "config", "scontrol show licenses lists them" },
  { "reservation is invalid", "config", "scontrol show reservation lists them" },
  { "generic resource", "config", "sinfo -o '%N %G' lists what nodes have" },
  { "Node count specification invalid", "capacity", "sinfo -s shows how many nodes there are" },
  { "node configuration is not available", "capacity", "no node, or too few, have what was asked for: sinfo -o '%P %D %c %m %G'" },
  { "[Mm]ore processors requested", "capacity", "sinfo -o '%P %D %c' shows what nodes have" },
  { "[Tt]ime limit", "config", "sinfo -s shows the partitions' limits" },
  { "[Mm]unge", "auth", "munged must run here, with the cluster's key, and clocks must agree" },
  { "[Aa]uthentication", "auth", "munged must run here, or the token must be valid: scontrol token" },
  { "credential", "auth", "munged must run here, with the cluster's key, and clocks must agree" },
  { "[Aa]ccess/permission denied", "auth", "your user may not do this on the cluster" },
}

-- It did not reach the controller, so nothing was decided.
local UNREACHED = { "Unable to contact slurm controller", "Connection refused", "Socket timed out", "timed out", "Unable to establish",
  "connect failure", "Zero Bytes were transmitted", "communication" }

--- Whether a command failed because nobody answered, so that nothing is known.
---@param text string what it wrote
---@return boolean
function M.unreached(text)
  for _, pattern in ipairs(UNREACHED) do
    if text:find(pattern, 1, true) then return true end
  end
  return false
end

--- Whether slurmctld was there and ended the conversation without a word.
---@param text string
---@return boolean
function M.hung_up(text)
  return text:find("Zero Bytes were transmitted", 1, true) ~= nil
end

--- What a refusal means.
---@param text string Slurm's words
---@return string cause
---@return string? hint
function M.refusal(text)
  for _, known in ipairs(REFUSALS) do
    if text:find(known[1]) then return known[2], known[3] end
  end
  return "service", "the log of slurmctld may tell more"
end

return M
