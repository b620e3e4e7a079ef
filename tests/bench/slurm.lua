--- Slurm by adtlua beside Slurm by its commands, on private clusters: a Markdown row for each comparison.
---
---   adtlua tests/bench/slurm.lua [ROUNDS]
package.path = "tests/lua/?.lua;" .. package.path
local cluster = require "cluster"
local fs = require "adt.fs"
local path = require "adt.path"
local process = require "adt.process"
local time = require "adt.time"

local ROUNDS = tonumber(arg[1]) or 3
local JOBS, LISTED, NODES = 200, 1000, 64

local function middle(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- Wall seconds of both, alternating, and the ratio's middle and spread.
local function side_by_side(what, aim, unit, ours, theirs)
  local a, b, ratios = {}, {}, {}
  for i = 1, ROUNDS do
    a[i], b[i] = ours(), theirs()
    ratios[i] = a[i] / b[i]
  end
  local mid = middle(ratios)
  print(("| %s | %.3g %s | %.3g %s | %.2f (%.2f to %.2f) | %s |"):format(what, middle(a), unit, middle(b), unit, mid,
    ratios[1], ratios[#ratios], aim))
end

local function timed(f)
  local start = time.monotonic()
  f()
  return time.monotonic() - start
end

-- User and system seconds of a program and its children, by the shell's own clock.
local function cpu_of(c, line)
  local result = c:run { "bash", "-c", "TIMEFORMAT='%3U %3S'; time (" .. line .. ") >/dev/null" }
  assert(result.code == 0, result.stderr)
  local user, system = result.stderr:match "(%d+%.%d+) (%d+%.%d+)%s*$"
  return tonumber(user) + tonumber(system)
end

-- The program's environment is the cluster's from here on; jobs wait for an hour, so that none competes with the bench.
local LATER = "now+1hour"

local function with_cluster(options, f)
  local c <close> = cluster.start(options)
  f(c)
end

local function script(dir)
  local file = path.join(dir, "job.sh")
  fs.write(file, ("#!/bin/bash\n#SBATCH --begin=%s\n#SBATCH --output=/dev/null\ntrue\n"):format(LATER))
  return file
end

local function clear(c)
  c:run { "scancel", "--user=root" }
  c:run { "bash", "-c", "while [ -n \"$(squeue -h -t PD,R,CG)\" ]; do sleep 0.1; done" }
end

-- Another process: this one's environment names no cluster.
local function submit_all(c, dir, url)
  local result = c:run { process.self().exe, "tests/bench/slurm_submit.lua", tostring(JOBS), url, LATER, env = { XDG_STATE_HOME = dir .. "/state" } }
  local wall, cpu = result.stdout:match "seconds (%S+) (%S+)"
  assert(wall, result.stderr)
  return tonumber(wall), tonumber(cpu)
end

local function submitting(c, dir)
  local file, cpu = script(dir), {}
  local function by_loop()
    local seconds = timed(function()
      c:run { "bash", "-c", ("for i in $(seq %d); do sbatch --parsable %s; done >/dev/null"):format(JOBS, file) }
    end)
    clear(c)
    return seconds
  end
  local function by(spec)
    return function()
      local wall, own = submit_all(c, dir, spec)
      cpu[#cpu + 1] = own / JOBS * 1000
      clear(c)
      return wall
    end
  end
  side_by_side(("submitting %d jobs, a run's step each, against an `sbatch` loop"):format(JOBS), "at most 1", "s", by(""), by_loop)
  print(("| its own CPU per job, the run's folder on the disk | %.2f ms | - | - | under 1 ms |"):format(middle(cpu)))
  if fs.is_dir "/dev/shm" then
    local memory = ("/dev/shm/adt-bench-%d"):format(process.self().pid)
    local _, own = submit_all(c, memory, "")
    fs.remove(memory, { recursive = true })
    clear(c)
    print(("| its own CPU per job, the run's folder in memory | %.2f ms | - | - | under 1 ms |"):format(own / JOBS * 1000))
  end
  side_by_side(("submitting %d jobs by slurmrestd, kept connection, against an `sbatch` loop"):format(JOBS), "at most 0.33", "s",
    by(c.env.PEER_REST_URL), by_loop)
end

local PYTHON = [==[python3 -c 'import json,sys; print(len([(j["job_id"], j["job_state"]) for j in json.load(sys.stdin)["jobs"]]))']==]

local function listing(c, dir)
  c:run { "bash", "-c", ("for i in $(seq %d); do sbatch %s; done >/dev/null"):format(LISTED, script(dir)) }
  local ours = ("%s -e 'local n = 0 for _, j in ipairs(require(\"adt.slurm\").jobs()) do if j.id and j.state then n = n + 1 end end print(n)'")
    :format(process.self().exe)
  side_by_side(("listing %d jobs, CPU, against `squeue --json` and a Python parse"):format(LISTED), "at most 0.2", "s",
    function() return cpu_of(c, ours) end, function() return cpu_of(c, "squeue --json | " .. PYTHON) end)
end

local function asking(c)
  local ours = ([[local t = require("adt.target").make { kind = "slurm" }
    local names = {} for i = 1, %d do names[i] = "n" .. i end
    local s = adt.time.monotonic() local a = t:exec(names, { "true" }) local e = adt.time.monotonic() - s
    for _, x in ipairs(a) do assert(x.ok, x.error and x.error.message) end print(e)]]):format(NODES)
  local function exec()
    local result = c:run { process.self().exe, "-e", "adt = require 'adt' " .. ours }
    assert(result.code == 0, result.stderr)
    return tonumber(result.stdout)
  end
  side_by_side(("`exec` on %d nodes against `srun -N%d`"):format(NODES, NODES), "at most 1", "s", exec,
    function() return timed(function() c:output("srun", "-N" .. NODES, "true") end) end)
  if c:run({ "sh", "-c", "command -v pdsh" }).code == 0 then
    side_by_side(("`exec` on %d nodes against `pdsh`, one `srun` each"):format(NODES), "-", "s", exec, function()
      return timed(function() c:output("pdsh", "-R", "exec", "-f", "64", "-w", "n[1-" .. NODES .. "]", "srun", "-N1", "-w", "%h", "true") end)
    end)
  end
end

print "| what | adtlua | beside it | ratio | aim |\n| --- | --- | --- | --- | --- |"
local dir = fs.tempdir "adt-bench"
with_cluster({ nodes = 4, rest = true, conf = { MinJobAge = 2 } }, function(c) submitting(c, dir.path) end)
with_cluster({ nodes = 4 }, function(c) listing(c, dir.path) end)
with_cluster({ nodes = NODES }, function(c) asking(c) end)
