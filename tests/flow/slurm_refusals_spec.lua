--- What Slurm does not take: each refusal in its own words, with our next step and the exit code of its cause, and
--- nothing submitted.
local support = require "support"
local scenes = require "slurmscene"

local c, up, down, needed = scenes.shared { nodes = 3, acct = "dbd" }

-- Runs the scene's job, which must be refused; returns what was written.
local function refused(s, code, ...)
  local r = s:run { "./one.lua", before = "timeout 30" }
  assert.equal(code, r.code, r.stdout .. r.stderr)
  for _, text in ipairs { ... } do
    assert.is_truthy(r.stderr:find(text, 1, true), ("not said: %s\nbut: %s"):format(text, r.stderr))
  end
  assert.equal(0, s:starts())
  return r.stderr
end

describe("Slurm's refusal", function()
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)
  after_each(function() assert.same({}, c:jobs()) end)

  it("of a partition that is not there names the nearest one", function()
    local s <close> = scenes.new(c, "partition: mian")
    s:job "true"
    refused(s, 3, "there is no partition 'mian'", "did you mean 'main'?")
    s:target "partition: gpu-long"
    refused(s, 3, "there is no partition 'gpu-long'", "partitions: main, short")
  end)

  it("of an account that is not ours says where ours are listed", function()
    local s <close> = scenes.new(c, "account: nobodys")
    s:job "true"
    refused(s, 3, "Invalid account or account/partition combination specified", "sacctmgr show associations user=$USER")
  end)

  it("of a QOS that is not there says where they are listed", function()
    local s <close> = scenes.new(c, "qos: gold")
    s:job "true"
    refused(s, 3, "Invalid qos specification", "sacctmgr show qos")
  end)

  it("of a feature that no node has is in its own words", function()
    local s <close> = scenes.new(c, "constraint: h100")
    s:job "true"
    refused(s, 3, "Invalid feature specification", "sinfo -o '%N %f'")
  end)

  it("of a reservation that is not there is in its own words", function()
    local s <close> = scenes.new(c, "reservation: maintenance")
    s:job "true"
    refused(s, 3, "Requested reservation is invalid", "scontrol show reservation")
  end)

  it("of a generic resource that nobody has heard of is in its own words", function()
    local s <close> = scenes.new(c, "gres: tpu:1")
    s:job "true"
    refused(s, 3, "Invalid generic resource (gres) specification", "sinfo -o '%N %G'")
  end)

  it("of more GPUs than a node has is a matter of capacity", function()
    local s <close> = scenes.new(c)
    s:job("true", "per_node = { gpu = 4 }")
    refused(s, 5, "Requested node configuration is not available", "sinfo -o '%P %D %c %m %G'")
  end)

  it("of more processors than any node has comes from us, since Slurm would let the job wait for good", function()
    local s <close> = scenes.new(c)
    s:job("true", "per_node = { cpu = 512 }")
    refused(s, 5, "needs 512 processors on a node (1 process of 512); the largest node of partition main has 4", "sinfo -o '%P %D %c'")
    s:job("true", 'per_node = { procs = 64 }, launch = "per_gpu"')
    refused(s, 5, "needs 64 processors on a node (64 processes of 1)", "sinfo -o '%P %D %c'")
    -- With overcommit it is for Slurm to say.
    s:job("true", 'per_node = { procs = 64 }, launch = "per_gpu", slurm = { overcommit = true }')
    refused(s, 5, "Requested node configuration is not available")
  end)

  it("of more memory than a node has is a matter of capacity", function()
    local s <close> = scenes.new(c, "mem: 4T")
    s:job "true"
    refused(s, 5, "Memory specification can not be satisfied", "sinfo -o '%P %D %c %m %G'")
  end)

  it("of a node that is not there is in its own words", function()
    local s <close> = scenes.new(c, "nodelist: n99")
    s:job "true"
    refused(s, 3, "Invalid node name specified", "sinfo -N")
  end)

  it("of a licence that is not there is in its own words", function()
    local s <close> = scenes.new(c, "licenses: matlab")
    s:job "true"
    refused(s, 3, "Invalid license specification", "scontrol show licenses")
  end)

  it("of more nodes than there are comes from us, since Slurm would let the job wait for good", function()
    local s <close> = scenes.new(c)
    s:job("true", "nodes = 7")
    refused(s, 5, "needs 7 nodes; partition main has 3 for one job", "sinfo -s")
  end)

  it("of a limit above the partition's comes from us, since Slurm would let the job wait for good", function()
    local s <close> = scenes.new(c, "partition: short")
    s:job("true", 'limit = "2h"')
    refused(s, 3, "asks for 02:00:00; partition short ends jobs after 00:01:00", "sinfo -s")
  end)

  it("of one job more than a QOS lets one submit is a matter of quota, and resume submits it when there is room", function()
    local s <close> = scenes.new(c, "qos: tiny, mem: 10M")
    s:job "true"
    local first = c:output("sbatch", "--parsable", "--qos=tiny", "--mem=10M", "-D", "/", "-o", "/dev/null", "--wrap", "sleep 100")
    local second = c:output("sbatch", "--parsable", "--qos=tiny", "--mem=10M", "-D", "/", "-o", "/dev/null", "--wrap", "sleep 100")
    local r = s:run { "./one.lua" }
    c:output("scancel", first, second)
    assert.equal(5, r.code, r.stderr)
    assert.matches("QOSMaxSubmitJobPerUserLimit", r.stderr)
    scenes.eventually(10, "the jobs have ended", function() return #c:jobs() == 0 end)
    r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.equal(1, s:starts())
  end)

  it("of a longer limit than a QOS has is a matter of quota", function()
    local s <close> = scenes.new(c, "qos: tiny")
    s:job("true", 'limit = "1h"')
    refused(s, 5, "QOSMaxWallDurationPerJobLimit", "sacctmgr show")
  end)

  it("of a plan comes before anything is created, too", function()
    local s <close> = scenes.new(c, "account: nobodys")
    s:job "true"
    local r = s:run { "./one.lua", "plan" }
    assert.equal(3, r.code, r.stderr)
    assert.matches("Invalid account", r.stderr)
    assert.same({}, s:ids())
    s:target "partition: main"
    r = s:run { "./one.lua", "plan" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("#SBATCH %-%-partition=main", r.stdout)
  end)

  it("is no end: the run is resumed once its cause is mended, and the job starts once", function()
    local s <close> = scenes.new(c, "constraint: h100")
    s:job "true"
    refused(s, 3, "Invalid feature")
    s:target "partition: main"
    local r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.equal(1, s:starts())
  end)
end)

describe("where there is no Slurm", function()
  before_each(function() needed(pending) end)

  it("says so, and where it should be run", function()
    local s <close> = support.scene()
    s:recipe("adtlua.yaml", "targets: { cluster: { kind: slurm } }\n")
    s:recipe("one.lua", [[
local adt = require "adt"
return adt.recipe { name = "one", run = function(ctx) return ctx:job { "train", cmd = { "true" } }:wait() end }
]])
    local r = s:run { "./one.lua", "--target", "cluster", env = { PATH = tostring(s.path) } }
    assert.equal(3, r.code, r.stderr)
    assert.matches("scontrol cannot be run", r.stderr)
    assert.matches("head node", r.stderr)
    r = s:run { "./one.lua", "--target", "cluster", env = { SLURM_CONF = "/nonexistent/slurm.conf" } }
    assert.equal(3, r.code, r.stderr)
    assert.matches("SLURM_CONF", r.stderr)
  end)
end)
