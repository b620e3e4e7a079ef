--- How jobs of a cluster end, each kind told apart with its cause and exit code; and what is said while they wait.
local fs = require "adt.fs"
local scenes = require "slurmscene"
local support = require "support"

local c, up, down, needed = scenes.shared { nodes = 3, cpus = 4,
  conf = { JobAcctGatherParams = "OverMemoryKill", JobAcctGatherFrequency = "task=1" } }

local function said(r)
  return r.stdout .. r.stderr
end

local function until_there(s, name)
  return ("while [ ! -e %s ]; do sleep 0.1; done"):format(s:path_of(name))
end

local function running(s)
  scenes.eventually(30, "the job runs", function() return s:starts() == 1 end)
  return s:number()
end

-- The job's run must end so; resume leads to the same verdict where the job is not started again.
local function ends(p, code, ...)
  local r = p:wait(60)
  assert.equal(code, r.code, said(r))
  for _, pattern in ipairs { ... } do assert.matches(pattern, r.stderr) end
  return r
end

describe("a job on a Slurm cluster", function()
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)

  it("whose program fails is the program's failure, with the rank's own status and the end of its log", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:job "echo 'CUDA error: out of luck'; exit 41"
    local r = s:run { "./one.lua", before = "timeout 60" }
    assert.equal(6, r.code, said(r))
    assert.matches("rank 0 exited with status 41", r.stderr)
    assert.matches("CUDA error: out of luck", r.stdout)
    assert.equal(41, s:run({ "./one.lua", "--propagate", before = "timeout 60" }).code)
  end)

  it("that was cancelled by its owner was cancelled elsewhere, and resume starts it again", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    c:output("scancel", running(s))
    ends(p, 13, "job 'train' cancelled: it was cancelled", "adtlua resume")
    support.write(s:path_of "go", "")
    local r = s:run { "resume", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.equal(2, s:starts())
  end)

  it("that was cancelled while it waited was cancelled elsewhere, too", function()
    local s <close> = scenes.new(c, "begin: now+1hour")
    s:job "true"
    local p = s:start { "./one.lua" }
    p:says("job 'train' waits: its begin time has not come %(BeginTime%).*scontrol update jobid=" .. s:number() .. " starttime=now")
    c:output("scancel", s:number())
    ends(p, 13, "it was cancelled")
    assert.equal(0, s:starts())
  end)

  it("that `adtlua cancel` ended was cancelled, and its follower says so", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    running(s)
    local r = s:run { "cancel", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.matches("job train: cancelled", r.stdout)
    ends(p, 13, "it was cancelled")
  end)

  it("whose time is over timed out", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:job(until_there(s, "go"), 'limit = "1h"')
    local p = s:start { "./one.lua" }
    local number = running(s)
    c:output("scontrol", "update", "jobid=" .. number, "endtime=now")
    ends(p, 9, "it ran into its time limit", "raise the job's limit, or resume from its checkpoint")
  end)

  it("that used more memory than it asked for says so", function()
    local s <close> = scenes.new(c, "mem: 20M")
    s:job "head -c 200000000 /dev/zero | tail | sleep 60"
    local p = s:start { "./one.lua" }
    ends(p, 6, "it used more memory than it asked for")
  end)

  it("that is held says how it is released, and goes on when it is", function()
    local s <close> = scenes.new(c, "begin: now+1hour, mem: 100M")
    s:job "true"
    local p = s:start { "./one.lua" }
    local number = s:number()
    c:output("scontrol", "uhold", number)
    p:says("job 'train' waits: its owner holds it %(JobHeldUser%); scontrol release " .. number, 30)
    c:output("scontrol", "hold", number)
    p:says("job 'train' waits: an administrator holds it %(JobHeldAdmin%)", 30)
    c:output("scontrol", "release", number)
    c:output("scontrol", "update", "jobid=" .. number, "starttime=now")
    ends(p, 0)
    assert.equal(1, s:starts())
  end)

  it("that waits for nodes that others hold says so once", function()
    local s <close> = scenes.new(c)
    local other = c:output("sbatch", "--parsable", "-N3", "--exclusive", "-o", "/dev/null", "-D", "/", "--wrap", "sleep 300")
    scenes.eventually(10, "the other one runs", function() return c:jobs("-j", other)[1].state == "RUNNING" end)
    s:job("true", "nodes = 2")
    local p = s:start { "./one.lua" }
    p:says "job 'train' waits: [^\n]*%(%u%a+%)"
    c:output("scancel", other)
    local r = ends(p, 0)
    local _, times = r.stdout:gsub("waits: other jobs hold the nodes %(Resources%)", "")
    assert.equal(1, times, r.stdout)
  end)

  it("that depends on one that failed ends as cancelled, and says why", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:recipe("two.lua", [[
local adt = require "adt"
return adt.recipe { name = "two", run = function(ctx)
  local first = ctx:job { "first", cmd = adt.sh "sleep 2; exit 3" }
  ctx:job({ "second", cmd = { "true" }, after = first }):wait()
end }
]])
    local r = s:run { "./two.lua", before = "timeout 60" }
    assert.equal(13, r.code, said(r))
    assert.matches("job 'second' cancelled: a job that it depends on did not end as asked", r.stderr)
  end)

  it("whose folder is gone when it starts failed by configuration, with Slurm's 0:53 explained", function()
    local s <close> = scenes.new(c, "begin: now+1hour, mem: 100M")
    s:job "true"
    local p = s:start { "./one.lua" }
    local number = s:number()
    p:says "BeginTime"
    fs.remove(s:job_folder(), { recursive = true })
    c:output("scontrol", "update", "jobid=" .. number, "starttime=now")
    ends(p, 3, "its output file could not be made %(exit 0:53%)", "XDG_STATE_HOME")
    assert.equal(0, s:starts())
  end)
end)
