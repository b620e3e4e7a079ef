--- `adtlua node check|facts`: the health of this machine as a compute node, for people, health check programs and prologs.
local check = require "adt.node.check"
local errors = require "adt.error"
local facts = require "adt.node.facts"
local json = require "adt.json"
local severity = require "adt.node.severity"
local term = require "adt.term"
local process = require "adt.process"
local time = require "adt.time"

local M = { args = "check|facts [--profile TYPE] [--mount PATH]... [--within SECONDS] [-o json]", most = 1 }

M.summary = "the health of this machine as a compute node, without GPU libraries"

M.examples = [[
  adtlua node check                                as the instance says what it is
  adtlua node check --profile p5.48xlarge --mount /fsx --mount /home
  adtlua node check --profile none -o json         a machine without accelerators
  adtlua node facts -o json                        what is known of it, not judged

Slurm: HealthCheckProgram and a prolog get one line of reason on standard error and exit status 7:
  reason=$(adtlua node check --within 50 2>&1 >/dev/null) || scontrol update nodename="$SLURMD_NODENAME" state=drain reason="$reason"]]

M.flags = {
  profile = { value = true, help = "instance type, auto or none (auto: as the machine says)" },
  root = { value = true, help = "where the machine's files lie (/); %n in it is the node's name" },
  within = { value = true, help = "seconds for all of it (50)" },
  mount = { value = true, many = true, help = "must be mounted, writable and answering; may be said again" },
  speed = { help = "write and read a file of 64 MiB on each --mount" },
  since = { value = true, help = "boot, a date or a duration back: earlier lines of the kernel's log do not count (boot)" },
  output = { value = true, short = "o", help = "text or json" },
}

local function seconds_of(text)
  local seconds = time.duration(text)
  if seconds < 1 then
    errors.raise { cause = "usage", code = "BadTime", message = "--within must be a second or more" }
  end
  return seconds
end

-- A date, or how long ago.
local function since_of(text)
  if text == nil or text == "boot" then
    return nil
  end
  local date = errors.try(time.parse, text)
  return date or time.now() - time.duration(text)
end

-- One path for a fleet of stand-ins or of mounted images.
local function root_of(given)
  local name = process.env "SLURMD_NODENAME" or process.self().host
  return given.root and given.root:gsub("%%n", (name:gsub("%%", "%%%%"))) or nil
end

local function options_of(given)
  if given.output and given.output ~= "json" and given.output ~= "text" then
    errors.raise { cause = "usage", code = "UnknownFormat", message = ("unknown output format '%s'"):format(given.output), hint = "text or json" }
  elseif given.speed and not given.mount then
    errors.raise { cause = "usage", code = "NoMount", message = "--speed tries each --mount, and none is named" }
  end
  return { root = root_of(given), within = seconds_of(given.within or "50"), mounts = given.mount, speed = given.speed,
    since = since_of(given.since) }
end

local COLOURS = { PASS = "green", MONITOR = "yellow" }

local function print_table(report)
  local rows = {}
  for _, finding in ipairs(report.findings) do
    local note = not finding.ok and (finding.evidence or "") .. (finding.hint and (finding.evidence and "; " or "") .. finding.hint or "") or ""
    rows[#rows + 1] = { finding.severity, finding.check, tostring(finding.found or ""), tostring(finding.expected or ""), note }
  end
  local text = term.table(rows, { header = { "", "CHECK", "FOUND", "EXPECTED", "EVIDENCE" } })
  io.write(text, "\n\n", term.paint(COLOURS[report.severity] or "red", report.severity), ": ", severity.ACTION[report.severity], "\n")
end

local function run_check(given)
  local options = options_of(given)
  options.profile = given.profile
  local report = check.run(options)
  if given.output == "json" then
    io.write(json.encode(report, { pretty = true }), "\n")
  else
    print_table(report)
  end
  if report.ok then
    return 0
  end
  io.stdout:flush()
  io.stderr:write(report.reason, "\n")
  return 7
end

local function run_facts(given)
  local options = options_of(given)
  local found = facts.gather(options)
  if given.output == "json" then
    io.write(json.encode({ v = 1, kind = "node_facts", time = time.now(), facts = found }, { pretty = true }), "\n")
    return 0
  end
  local rows = {}
  for name, fact in pairs(found) do
    rows[#rows + 1] = { name, fact.missing and "missing: " .. fact.missing or json.encode(fact) }
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  io.write(term.table(rows, { header = { "FACT", "VALUE" }, max_width = term.width() }), "\n")
  return 0
end

local VERBS = { check = run_check, facts = run_facts }

--- Checks this machine, or tells its facts.
---@param given table<string, string|true|string[]> flags
---@param rest string[]
---@return integer exit status 7 when the node must not take jobs
function M.run(given, rest)
  local verb = VERBS[rest[1] or ""]
  if not verb then
    local near = rest[1] and errors.nearest(rest[1], { "check", "facts" })
    errors.raise { cause = "usage", code = "UnknownVerb", message = rest[1] and ("node has no verb '%s'"):format(rest[1]) or "node needs a verb",
      hint = near and ("did you mean '%s'?"):format(near) or "adtlua node check, or adtlua node facts" }
  end
  return verb(given)
end

return M
