--- What `adtlua doctor` says of AWS: who we are there, where, how much room the quotas have, whether the clock is right; and
--- the programs that recipes drive. Without AWS set up it is short, and nothing fails.
local aws = require "adt.aws"
local errors = require "adt.error"
local process = require "adt.process"
local skew = require "adt.aws.skew"
local task = require "adt.task"
local time = require "adt.time"

local M = {}

---@alias adt.DoctorRow { [1]: ""|"ok"|"absent"|"unknown"|"MISSING", [2]: string, [3]: string, [4]: string }

-- Seconds: nobody waits longer for a machine that is none of AWS's, or for a service that does not answer.
local FIND, ASK = 1, 8
-- AWS refuses signatures that are five minutes off.
local CLOCK = 60

local PROGRAMS = {
  { "ssh", "targets that are reached over SSH" }, { "kubectl", "recipes for Kubernetes" }, { "helm", "recipes for Kubernetes" },
  { "eksctl", "EKS clusters" }, { "pcluster", "ParallelCluster" }, { "packer", "machine images" }, { "docker", "container images" },
  { "session-manager-plugin", "shells on HyperPod nodes" },
}

-- A line for each source that did not serve, and why.
local function add_tried(rows, tried)
  for _, one in ipairs(tried or {}) do
    rows[#rows + 1] = { "", "  " .. one.source, (one.reason:gsub("%s*\n%s*", "; ")), "" }
  end
end

local function add_credentials(rows, who)
  rows[#rows + 1] = { "ok", "AWS credentials", ("%s, profile %s%s"):format(who.source, who.profile,
    who.expires and ", until " .. time.iso(who.expires) or ""), "" }
  add_tried(rows, who.tried)
end

-- That nobody serves is told source by source; what is set up and broken says it itself.
local function add_missing(rows, err)
  local broken = err.cause ~= "auth" and err.cause ~= "timeout"
  local tried = err.code == "NoCredentials" and err.tried or nil
  rows[#rows + 1] = { broken and "MISSING" or "absent", "AWS credentials", tried and "no source serves" or err.message,
    broken and (err.hint or "") or "needed by recipes on AWS: set AWS_PROFILE, or `aws configure sso`" }
  add_tried(rows, tried)
end

local function region_row(who)
  if who.region then return { "ok", "AWS region", ("%s, by %s"):format(who.region, who.region_source), "" } end
  return { "absent", "AWS region", "none", "set AWS_REGION, or region = ... in the profile" }
end

-- The clock of a service, from the answer to a question that anybody may ask.
local function identity_rows(who, rows)
  local sts = aws.client("sts", { region = who.region, retry = { mode = "standard", attempts = 2 } })
  local before = time.now()
  local answer, response = errors.try(sts.call, sts, "GetCallerIdentity", {})
  if not answer then
    rows[#rows + 1] = { "unknown", "AWS identity", response.message, response.hint or "" }
    return false
  end
  local after = time.now()
  rows[#rows + 1] = { "ok", "AWS identity", ("%s in account %s"):format(answer.Arn, answer.Account), "" }
  local theirs = skew.date(response.headers.date)
  if not theirs then
    rows[#rows + 1] = { "unknown", "clock", "the service does not say what time it is", "" }
    return true
  end
  -- A Date has whole seconds.
  local offset = theirs + 0.5 - (before + after) / 2
  local right = math.abs(offset) < CLOCK
  rows[#rows + 1] = { right and "ok" or "MISSING", "clock", ("%.0f s %s AWS's"):format(math.abs(offset), offset < 0 and "ahead of" or "behind"),
    right and "" or "set it: chronyc makestep, or timedatectl set-ntp true" }
  return true
end

local function quota_rows(who, rows)
  local found, err = errors.try(aws.preflight, { region = who.region, needs = { vpcs = 1, addresses = 1 } })
  for _, f in ipairs(found and found.findings or {}) do
    rows[#rows + 1] = { f.ok and "ok" or "unknown", "AWS quota", f.what .. ": " .. f.evidence, f.hint or "" }
  end
  if err then
    rows[#rows + 1] = { err.cause == "quota" and "absent" or "unknown", "AWS quota", err.message, err.hint or "" }
  end
end

local function ask(who, rows)
  if not who.region or not identity_rows(who, rows) then return end
  quota_rows(who, rows)
end

--- Asks AWS, for a few seconds at most.
---@return adt.DoctorRow[]
function M.aws()
  local rows = {}
  local who, err = errors.try(task.timeout, FIND, aws.whoami, { verify = false })
  if not who then
    add_missing(rows, err)
    return rows
  end
  add_credentials(rows, who)
  rows[#rows + 1] = region_row(who)
  local _, late = errors.try(task.timeout, ASK, ask, who, rows)
  if late then rows[#rows + 1] = { "unknown", "AWS", late.message, late.hint or "does this machine reach AWS?" } end
  return rows
end

--- Which of the programs that recipes drive are there.
---@return adt.DoctorRow[]
function M.programs()
  local rows = {}
  for i, program in ipairs(PROGRAMS) do
    local found = process.find(program[1])
    rows[i] = { found and "ok" or "absent", program[1], found or "not on PATH", found and "" or "needed for " .. program[2] }
  end
  return rows
end

return M
