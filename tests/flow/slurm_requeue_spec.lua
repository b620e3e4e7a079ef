--- Jobs of a cluster that lose their node or are preempted, requeued or submitted twice: one owner, each start known.
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

-- A requeued job waits for two minutes, counted from when its first run was cleaned up. It cannot start in the second in
-- which its node was told to end it: a credential made then is taken for revoked, and the job has FAILED at once.
local function runs_again(s, number)
  local released = math.huge
  scenes.eventually(60, "it runs again", function()
    local job, now = c:jobs("-t", "all", "-j", number)[1], require("system").monotime()
    if job and job.reason == "BeginTime" and released == math.huge then
      released = now + 2
    elseif job and job.state == "PENDING" and now >= released then
      c:run { "scontrol", "update", "jobid=" .. number, "starttime=now" }
    end
    return s:starts() == 2
  end)
end

describe("a job on a Slurm cluster", function()
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)

  it("that was requeued by hand has the same number, a second attempt, and counts once", function()
    local s <close> = scenes.new(c, "mem: 100M")
    s:job(until_there(s, "go"), 'retry = { on = { "node" }, max = 2 }')
    local p = s:start { "./one.lua" }
    local number = running(s)
    c:output("scontrol", "requeue", number)
    runs_again(s, number)
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
    p:says("job 'train' waits: its begin time has not come %(BeginTime%)", 40)
    runs_again(s, number)
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
      local other = c:output("sbatch", "--parsable", "-p", "short", "-w", "n3", "--exclusive", "--mem=0",
        "-o", "/dev/null", "-D", "/", "--wrap", "sleep 30")
      if not again then
        ends(p, 5, "it was preempted by a job with a higher priority", 'retry = { on = { "preempted" } }')
        c:output("scancel", other)
      else
        scenes.eventually(30, "it waits", function() return c:jobs("-j", number)[1].state == "PENDING" end)
        c:output("scancel", other)
        runs_again(s, number)
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
end)
