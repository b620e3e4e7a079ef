--- A controller that is silent, restarted or has lost its memory: never a failed job, never a second start.
local json = require "adt.json"
local lfs = require "lfs"
local scenes = require "slurmscene"
local support = require "support"

local c, up, down, needed = scenes.shared { nodes = 2, conf = { MessageTimeout = 3 } }

local function said(r)
  return r.stdout .. r.stderr
end

-- A job that goes on until its file is there.
local function until_there(s, name)
  return ("while [ ! -e %s ]; do sleep 0.1; done"):format(s:path_of(name))
end

local function running(s)
  scenes.eventually(20, "the job runs", function() return s:starts() == 1 end)
end

local function resumed_well(s)
  local r = s:run { "resume", "last", before = "timeout 60" }
  assert.equal(0, r.code, said(r))
  assert.equal(1, s:starts())
end

describe("a controller", function()
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)
  after_each(function()
    if not c:run({ "scontrol", "ping", before = "timeout 1" }).stdout:find "UP" then c:ctl "start-controller" end
  end)

  it("that is down at submission is asked again within the patience, then the job is unknown, and resume submits it once", function()
    local s <close> = scenes.new(c, "patience: 1s")
    s:job "true"
    c:ctl "stop-controller"
    local r = s:run { "./one.lua", before = "timeout 60" }
    assert.equal(9, r.code, said(r))
    assert.matches("Unable to contact slurm controller", r.stderr)
    assert.matches("scontrol ping", r.stderr)
    c:ctl "start-controller"
    assert.same({}, c:jobs())
    resumed_well(s)
  end)

  it("that comes back within the patience takes the job, once", function()
    local s <close> = scenes.new(c, "patience: 60s")
    s:job "true"
    c:ctl "stop-controller"
    local p = s:start { "./one.lua" }
    p:says("step 'train': scontrol.-Unable to contact slurm controller.-asking again, at most 1m more", 20)
    c:ctl "start-controller"
    local r = p:wait()
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("that is away while a job runs and comes back is only noted", function()
    local s <close> = scenes.new(c, "patience: 60s")
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    running(s)
    c:ctl "stop-controller"
    p:says("Unable to contact slurm controller.*asking again, at most 1m more", 30)
    c:ctl "start-controller"
    support.write(s:path_of "go", "")
    local r = p:wait()
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("that stays away longer than the patience leaves the job unknown, not failed; resume follows it to its end", function()
    local s <close> = scenes.new(c, "patience: 1s")
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    running(s)
    c:ctl "stop-controller"
    local r = p:wait()
    assert.equal(9, r.code, said(r))
    assert.not_matches("job 'train' failed", said(r))
    assert.matches("Unable to contact slurm controller", r.stderr)
    assert.matches("adtlua resume R%w+", r.stderr)
    -- Five ways of looking at it from outside say the same, and end nothing.
    local status = s:run { "status", "last" }
    assert.equal(0, status.code, said(status))
    assert.matches("job train: unknown, [^\n]*Unable to contact slurm controller", status.stdout)
    c:ctl "start-controller"
    support.write(s:path_of "go", "")
    resumed_well(s)
  end)

  it("that is away when a job ends is not needed for its success: the last word in the run's folder tells it", function()
    local s <close> = scenes.new(c, "patience: 60s")
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    running(s)
    c:ctl "stop-controller"
    support.write(s:path_of "go", "")
    local r = p:wait()
    c:ctl "start-controller"
    assert.equal(0, r.code, said(r))
  end)

  it("that is restarted while a job runs changes nothing", function()
    local s <close> = scenes.new(c)
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    running(s)
    -- One that is killed within seconds of the job's start has not saved it, and Slurm ends the job itself.
    c:ctl "stop-controller"
    c:ctl "start-controller"
    support.write(s:path_of "go", "")
    local r = p:wait()
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("whose memory was wiped while a job runs does not decide: the job's last word does", function()
    local s <close> = scenes.new(c)
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    running(s)
    c:ctl "stop-controller"
    c:ctl "wipe-state"
    support.write(s:path_of "go", "")
    scenes.eventually(10, "the last word", function() return lfs.attributes(s:job_folder() .. "/exit.json") end)
    c:ctl "start-controller"
    local r = p:wait()
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("whose memory was wiped, and a job without a last word, are unknown to every command; another's job of that number is left alone", function()
    local s <close> = scenes.new(c, "patience: 5s")
    s:job(until_there(s, "go"))
    local p = s:start { "./one.lua" }
    running(s)
    local number = s:number()
    c:ctl "stop-controller"
    c:ctl "wipe-state"
    c:ctl "start-controller"
    local r = p:wait()
    assert.equal(9, r.code, said(r))
    assert.matches("Slurm does not know job " .. number .. " any more and keeps no accounts, and its script has left no last word in /", r.stderr)
    assert.matches("adtlua resume R%w+", r.stderr)
    -- Somebody else's job is given the number.
    local other
    repeat
      other = c:output("sbatch", "--parsable", "--mem=1M", "-D", "/", "-o", "/dev/null", "--wrap", "sleep 100")
    until tonumber(other) >= tonumber(number)
    assert.equal(number, other)
    r = s:run { "status", "last" }
    assert.equal(0, r.code, said(r))
    assert.matches("job train: unknown, Slurm does not know job " .. number, r.stdout)
    r = s:run { "ps" }
    assert.matches("train unknown", r.stdout)
    r = s:run { "logs", "last" }
    assert.equal(0, r.code, said(r))
    r = s:run { "wait", "last", before = "timeout 30" }
    assert.equal(9, r.code, said(r))
    r = s:run { "cancel", "last", before = "timeout 30" }
    assert.equal(9, r.code, said(r))
    assert.matches("job train: unknown, Slurm does not know job", r.stdout)
    r = s:run { "resume", "last", before = "timeout 30" }
    assert.equal(9, r.code, said(r))
    assert.equal(1, s:starts())
    assert.equal("1", c:output("sh", "-c", "squeue -h -j " .. other .. " -t PENDING,RUNNING | wc -l"))
    -- It was there all the time: its last word is believed.
    support.write(s:job_folder() .. "/exit.json", json.encode { job = number, attempt = 1, exit = 0, ended = os.time() })
    r = s:run { "status", "last" }
    assert.matches("job train: done", r.stdout)
    r = s:run { "resume", "last", before = "timeout 30" }
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
    c:output("scancel", other)
  end)
end)
