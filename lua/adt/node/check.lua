--- The check of this machine as a whole: facts within a time limit, judged by a profile, as one report.
local errors = require "adt.error"
local facts = require "adt.node.facts"
local judge = require "adt.node.judge"
local profiles = require "adt.node.profiles"
local read = require "adt.node.read"
local severity = require "adt.node.severity"
local task = require "adt.task"
local time = require "adt.time"

local M = {}

---@class adt.node.CheckOptions : adt.node.JudgeOptions
---@field profile? string instance type, "auto" (as the machine says) or "none"; default "auto"
---@field root? string default "/"
---@field within? number seconds for all of it, default 50
---@field each? number seconds for one fact at most
---@field speed? boolean
---@field since? number seconds since 1970
---@field retry? { times: integer, pause: number } how often EFA devices are counted again when some lack; default 3 times, 5 s apart

---@class adt.node.Report
---@field v integer 1
---@field kind "node_check"
---@field host? string
---@field time number seconds since 1970
---@field seconds number that it took
---@field profile? string
---@field severity adt.node.Severity
---@field ok boolean whether the node may take jobs
---@field reason string one line for a scheduler
---@field findings adt.node.Finding[]
---@field facts adt.node.Facts

local OWN = { profile = true, root = true, within = true, each = true, speed = true, since = true, retry = true }
local RETRY = { times = 3, pause = 5 }
local LAST_WORD = 1 -- seconds kept for judging and telling

local function profile_of(name, found)
  if name == "none" then
    return "none"
  elseif name ~= "auto" then
    return profiles.get(name)
  end
  return read.known(found.instance) and profiles.find(found.instance.type) or nil
end

local function short_of_efa(found, profile)
  local expected = type(profile) == "table" and profile.efa
  return expected and read.known(found.pci) and #found.pci.efa < expected
end

-- EFA devices come late after a boot; that they come at all is what the retries are for.
local function wait_for_efa(found, profile, options, deadline)
  local retry = options.retry or RETRY
  for _ = 1, retry.times do
    if not short_of_efa(found, profile) or deadline:left() < retry.pause + LAST_WORD then
      return
    end
    task.sleep(retry.pause)
    local again = facts.gather { root = options.root, within = deadline:left() - LAST_WORD, each = options.each, only = { "pci", "verbs" } }
    found.pci, found.verbs = again.pci, again.verbs
  end
end

--- Checks this machine. Nothing is changed, but for a file without a name when `speed` asks for one.
---@param options? adt.node.CheckOptions
---@return adt.node.Report
--- Raises usage for a profile, a fact or an option that is not known.
function M.run(options)
  options = options or {}
  local judging = {}
  for name, value in pairs(options) do
    if not OWN[name] then judging[name] = value end
  end
  local name = options.profile or "auto"
  if name ~= "auto" and name ~= "none" then
    profiles.get(name)
  end
  judge.judge({}, "none", judging) -- refuses unknown options before anything is asked
  local began, deadline = time.monotonic(), time.deadline(options.within or 50)
  local found = facts.gather { root = options.root, within = math.max(0.1, deadline.seconds - LAST_WORD), each = options.each,
    mounts = options.mounts, speed = options.speed, since = options.since }
  local profile = profile_of(name, found)
  wait_for_efa(found, profile, options, deadline)
  return M.report(found, profile, judging, time.monotonic() - began)
end

--- The report about facts.
---@param found adt.node.Facts
---@param profile? adt.node.Profile|"none"
---@param judging? adt.node.JudgeOptions
---@param seconds? number
---@return adt.node.Report
function M.report(found, profile, judging, seconds)
  local findings = judge.judge(found, profile, judging)
  local worst = judge.worst(findings).severity
  return { v = 1, kind = "node_check", host = found.host and found.host.name, time = time.now(), seconds = seconds or 0,
    profile = profile == "none" and "none" or profile and profile.type, severity = worst, ok = not severity.fails(worst),
    reason = judge.reason(findings), findings = findings, facts = found }
end

--- The error of a node that must not take jobs, nil for one that may.
---@param report adt.node.Report
---@return adt.Error?
function M.error(report)
  if report.ok then
    return nil
  end
  local worst = judge.worst(report.findings)
  return errors.new { cause = "node", code = report.severity, where = report.host, message = report.reason, hint = worst.hint }
end

return M
