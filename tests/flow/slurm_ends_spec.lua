--- How jobs of a cluster end, each kind told apart with its cause and exit code; and what is said while they wait.
local fs = require "adt.fs"
local lfs = require "lfs"
local scenes = require "slurmscene"
local support = require "support"

local c, up, down, needed = scenes.shared { nodes = 3, cpus = 4, conf = { SlurmdTimeout = 4, MessageTimeout = 3, TCPTimeout = 1,
  PreemptType = "preempt/partition_prio", PreemptMode = "REQUEUE", JobRequeue = 1, OverTimeLimit = 0 } }

local function said(r)
  return r.stdout .. r.stderr
end

local function until_there(s, name)
  return ("while [ ! -e %s ]; do sleep 0.1; done"):format(s:path_of(name))
end

local function running(s, times)
  scenes.eventually(30, "the job runs", function() return s:starts() == (times or 1) end)
  return s:number()
end

-- The job's run must end so; resume leads to the same verdict where the job is not started again.
local function ends(p, code, ...)
  local r = p:wait(60)
  assert.equal(code, r.code, said(r))
  for _, pattern in ipairs { ... } do assert.matches(pattern, r.stderr) end
  return r
end

-- A requeued job waits for two minutes, and again when what was left of its first run is gone.
local function run_again_now(number)
  scenes.eventually(30, "it was requeued", function() return c:jobs("-j", number)[1].state == "PENDING" end)
  scenes.eventually(60, "it runs again", function()
    c:run { "scontrol", "update", "jobid=" .. number, "starttime=now" }
    return c:jobs("-j", number)[1].state == "RUNNING"
  end)
end

describe("a job on a Slurm cluster", function()
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)

  it("whose program fails is the program's failure, with the rank's own status", function()
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
    p:says "job 'train' waits: its begin time has not come %(BeginTime%)"
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
    -- Slurm looks at limits seldom; root may shorten one to what is over already.
    scenes.eventually(90, "its limit is over", function()
      c:run { "scontrol", "update", "jobid=" .. number, "timelimit=0:01" }
      return p:ended()
    end)
    ends(p, 9, "it ran into its time limit")
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

  it("that was requeued by hand has the same number, a second attempt, and counts once", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:job(until_there(s, "go"), 'retry = { on = { "node" }, max = 2 }')
    local p = s:start { "./one.lua" }
    local number = running(s)
    c:output("scontrol", "requeue", number)
    run_again_now(number)
    running(s, 2)
    support.write(s:path_of "go", "")
    ends(p, 0)
    assert.is_truthy(lfs.attributes(s:job_folder() .. "/attempt-2/rank-0.log"))
    assert.equal(number .. "\n", support.read(s:job_folder() .. "/claim/job"))
    assert.equal(number .. "\n" .. number .. "\n", support.read(s:path_of "starts"))
  end)

  it("that lost its node failed by the node where no retry was asked for", function()
    local s <close> = scenes.new(c, "nodelist: n2, mem: 100M")
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    running(s)
    c:ctl("kill-node", "n2")
    ends(p, 7, "a node of it failed")
    c:ctl("start-node", "n2")
    assert.equal(1, s:starts())
  end)

  it("that lost its node is started again by Slurm where a retry was asked for", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:job(until_there(s, "go"), 'retry = { on = { "node" }, max = 1 }')
    local p = s:start { "./one.lua" }
    local number = running(s)
    c:ctl("kill-node", c:jobs("-j", number)[1].nodes)
    p:says("job 'train' waits: it was requeued, and Slurm waits two minutes", 40)
    run_again_now(number)
    running(s, 2)
    support.write(s:path_of "go", "")
    for _, node in ipairs { "n1", "n2", "n3" } do c:ctl("start-node", node) end
    ends(p, 0)
  end)

  it("that is preempted says so, and is started again where that was asked for", function()
    local s <close> = scenes.new(c, "mem: 100M, nodelist: n3")
    for _, again in ipairs { false, true } do
      os.remove(s:path_of "starts")
      s:job(until_there(s, "go"), again and 'retry = { on = { "preempted" }, max = 1 }' or nil)
      local p = s:start { "./one.lua" }
      local number = running(s)
      local other = c:output("sbatch", "--parsable", "-p", "short", "-w", "n3", "--exclusive", "--mem=0", "-o", "/dev/null", "-D", "/", "--wrap", "sleep 30")
      if not again then
        ends(p, 5, "it was preempted by a job with a higher priority", 'retry = { on = { "preempted" } }')
        c:output("scancel", other)
      else
        scenes.eventually(30, "it waits", function() return c:jobs("-j", number)[1].state == "PENDING" end)
        c:output("scancel", other)
        run_again_now(number)
        running(s, 2)
        support.write(s:path_of "go", "")
        ends(p, 0)
      end
    end
  end)

  it("submitted a second time by hand ends at once, and ours is still followed", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    local number = running(s)
    local second = c:output("sbatch", "--parsable", s:job_folder() .. "/job.sh")
    scenes.eventually(20, "the second one has ended", function() return c:jobs("-t", "all", "-j", second)[1].state == "COMPLETED" end)
    assert.matches("adtlua: job " .. number .. " has already started this; nothing is done here",
      support.read(s:job_folder() .. "/slurm-" .. second .. ".out"))
    assert.matches("job train: running", s:run({ "status", "last" }).stdout)
    support.write(s:path_of "go", "")
    ends(p, 0)
    assert.equal(1, s:starts())
  end)

  it("whose folder is gone when it starts failed by configuration, with Slurm's 0:53 explained", function()
    local s <close> = scenes.new(c, "begin: now+1hour, mem: 100M")
    s:job "true"
    local p = s:start { "./one.lua" }
    local number = s:number()
    p:says "BeginTime"
    fs.remove(s:job_folder(), { recursive = true })
    support.write(s:job_folder(), "a file where the folder was")
    c:output("scontrol", "update", "jobid=" .. number, "starttime=now")
    ends(p, 3, "its output file could not be made %(exit 0:53%)", "XDG_STATE_HOME")
    assert.equal(0, s:starts())
  end)
end)
