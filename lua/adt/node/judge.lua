--- Judges facts: a list of findings, of which the worst counts. Findings are only ever added, so that nothing that is
--- found later can make good what was found before.
local errors = require "adt.error"
local read = require "adt.node.read"
local severity = require "adt.node.severity"
local term = require "adt.term"

local M = {}

---@class adt.node.Finding
---@field check string what was looked at
---@field ok boolean whether it holds
---@field severity adt.node.Severity "PASS" exactly when ok
---@field found? any
---@field expected? any
---@field evidence? string
---@field hint? string what to do next

---@class adt.node.JudgeOptions
---@field mounts? string[] must be mounted, writable and answering
---@field modules? string[] must be loaded
---@field min_memlock? integer bytes; default 16 GiB on types with EFA, else none
---@field min_nofile? integer
---@field min_hugepages? integer of 2 MiB, free; default 80 for each EFA device
---@field min_free? integer bytes free on each of `mounts`
---@field min_speed? number bytes per second of writing to each of `mounts`, where that was tried
---@field max_clock_offset? number seconds, default 1
---@field log? table<string, adt.node.Severity> other severities for classes of the kernel's log
---@field resets? table<string, number> seconds since boot of the last reset of a GPU ("0000:53:00"): its earlier Xids do not count
---@field history? { boot: string, xids: { bus: string, code: integer }[] }[] what earlier boots had

local OPTIONS = { "mounts", "modules", "min_memlock", "min_nofile", "min_hugepages", "min_free", "min_speed", "max_clock_offset", "log",
  "resets", "history" }

---@class adt.node.Judge
---@field facts adt.node.Facts
---@field profile? adt.node.Profile
---@field options adt.node.JudgeOptions
---@field findings adt.node.Finding[]
local Judge = {}
Judge.__index = Judge

--- Adds a finding. `severity` is what it is when it does not hold.
---@param finding adt.node.Finding
function Judge:add(finding)
  finding.ok = not not finding.ok
  finding.severity = finding.ok and "PASS" or finding.severity
  if finding.ok then finding.hint = nil end
  self.findings[#self.findings + 1] = finding
end

--- A fact, or nil and a finding that says that the check could not be made: never a pass, and worse when it hangs.
---@param name string
---@param check string
---@param if_missing? adt.node.Severity default "MONITOR"
---@param if_hanging? adt.node.Severity default "DRAIN"
---@return adt.node.Fact?
function Judge:known(name, check, if_missing, if_hanging)
  local fact = self.facts[name]
  if read.known(fact) then
    return fact
  end
  fact = fact or { missing = "it was not asked for" }
  self:add { check = check, ok = false, severity = fact.hang and (if_hanging or "DRAIN") or if_missing or "MONITOR", found = "not known",
    evidence = term.clean(fact.missing), hint = fact.hang and "something hangs in the kernel: see its log" or nil }
end

local RULES = { "devices", "software", "system", "storage", "log" }

--- The findings about a machine, in the order in which they were made.
---@param facts adt.node.Facts
---@param profile? adt.node.Profile|"none" nil: none is known, which is a finding; "none": none is wanted
---@param options? adt.node.JudgeOptions
---@return adt.node.Finding[]
function M.judge(facts, profile, options)
  options = options or {}
  errors.check_options("node.judge", options, OPTIONS)
  for class, word in pairs(options.log or {}) do
    if not severity.is(word) then
      errors.raise { cause = "usage", code = "BadSeverity", message = ("node.judge: '%s' for '%s' is no severity"):format(tostring(word), class),
        hint = "known: " .. table.concat(severity.ORDER, ", ") }
    end
  end
  local judge = setmetatable({ facts = facts, profile = profile ~= "none" and profile or nil, options = options, findings = {} }, Judge)
  if profile == nil then
    local instance = facts.instance
    local kind = read.known(instance) and ("instance type '%s'"):format(instance.type) or instance and instance.missing
    judge:add { check = "profile", ok = false, severity = "DRAIN", expected = "a type that is known", found = "no profile",
      evidence = kind and term.clean(kind) or nil,
      hint = "say --profile TYPE, or --profile none for a node without accelerators" }
  else
    judge:add { check = "profile", ok = true, found = profile == "none" and "none, as asked" or profile.type }
  end
  for _, name in ipairs(RULES) do
    require("adt.node.rule." .. name)(judge)
  end
  return judge.findings
end

--- The worst of the findings, the first of several that are equally bad; nil when there are none.
---@param findings adt.node.Finding[]
---@return adt.node.Finding?
function M.worst(findings)
  local worst
  for _, finding in ipairs(findings) do
    if not worst or severity.worse(worst.severity, finding.severity) ~= worst.severity then
      worst = finding
    end
  end
  return worst
end

local LONGEST = 200 -- bytes of a reason that Slurm is sure to keep

--- A text as one line for a scheduler: ASCII without quotes, backslashes and line ends.
---@param text string
---@param most? integer bytes, default 200
---@return string
function M.one_line(text, most)
  return (text:sub(1, most or LONGEST):gsub("[^\32-\126]", "?"):gsub("[\"'`\\|]", " "))
end

--- The worst finding as one line for a scheduler: ASCII without quotes, backslashes and line ends, 200 bytes at most.
---@param findings adt.node.Finding[]
---@return string
function M.reason(findings)
  local worst = M.worst(findings)
  if not worst or worst.ok then
    return "healthy"
  end
  local bad = 0
  for _, finding in ipairs(findings) do
    bad = bad + (finding.ok and 0 or 1)
  end
  local text = ("%s %s: %s"):format(worst.severity, worst.check, tostring(worst.found))
  if worst.expected ~= nil then
    text = text .. ", expected " .. tostring(worst.expected)
  end
  local more = bad > 1 and (" (and %d more)"):format(bad - 1) or ""
  text = text .. (worst.evidence and "; " .. worst.evidence or "")
  return M.one_line(text, LONGEST - #more) .. more
end

return M
