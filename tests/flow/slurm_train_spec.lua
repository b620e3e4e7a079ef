--- cpu_ddp on four nodes of a live cluster: it trains, and a training that was killed goes on where its checkpoint is.
local cluster = require "cluster"
local process = require "adt.process"
local support = require "support"
local system = require "system"

local RECIPE = require("adt.path").absolute "recipes/cpu_ddp.lua"
local STEPS, EVERY = 24, 4

local function missing()
  return cluster.missing() or not (pcall(require("adt.python").find, { "torch" })) and "PyTorch: python3-torch is not installed" or nil
end

-- The losses by step, in the order in which they were printed; a step that was trained twice is there twice.
local function losses(text)
  local list = {}
  for step, loss in text:gmatch "%[train%.0%] step (%d+)/%d+ loss (%S+)" do
    list[#list + 1] = { step = tonumber(step), loss = tonumber(loss) }
  end
  return list
end

local function scene_on(c)
  local s = support.scene()
  for name, value in pairs(c:environment()) do s.env[name] = value end
  support.write(s:path_of "adtlua.yaml", "targets:\n  here: { kind: slurm, patience: 30s, mem: 400M }\n")
  return s
end

local function words(...)
  return { RECIPE, "--target", "here", "--nodes", "4", "--ranks", "1", "--width", "32", "--steps", tostring(STEPS),
    "--checkpoint-every", tostring(EVERY), "-y", ... }
end

local function log_of(s, rank)
  local ids = s:ids()
  local file = ids[1] and io.open(("%s/jobs/train-1/attempt-1/rank-%d.log"):format(s:folder(), rank))
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

-- The pid that a rank has printed, once a checkpoint or two have been written.
local function pid_of_rank(s, rank)
  for _ = 1, 600 do
    local step = tonumber(log_of(s, 0):match ".*step (%d+)/")
    if step and step > 2 * EVERY then
      return tonumber(log_of(s, rank):match "rank %d+/%d+ pid (%d+)")
    end
    system.sleep(0.05)
  end
end

describe("cpu_ddp on a cluster", function()
  local c, whole

  setup(function()
    if not missing() then c = cluster.start { nodes = 4, cpus = 4, mem = 4096 } end
  end)

  teardown(function()
    if c then c:close() end
  end)

  it("trains for real across four nodes", function()
    if missing() then return pending(missing()) end
    local s <close> = scene_on(c)
    local r = s:run(words())
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("8 checks passed", r.stdout)
    assert.matches("all ranks hold identical weights: 4 ranks", r.stdout)
    whole = losses(r.stdout)
    assert.equal(STEPS, #whole)
    local job = c:jobs("-t", "all")[1]
    assert.same({ "COMPLETED", "n[1-4]" }, { job.state, job.nodes })
  end)

  it("continues a killed and resumed training at the next step, within 5 % of the uninterrupted loss", function()
    if missing() then return pending(missing()) end
    local s <close> = scene_on(c)
    local argv = { support.program(), table.unpack(words()) }
    argv.env, argv.cwd = s.env, s.path
    argv.stdout, argv.stderr = { file = s:path_of "output" }, { file = s:path_of "complaints" }
    local program <close> = process.spawn(argv)
    local pid = pid_of_rank(s, 2)
    assert.is_truthy(pid, "no rank has trained within 30 s")
    assert(os.execute("kill -KILL " .. pid))
    local ended = program:wait()
    local said, complaints = support.read(s:path_of "output"), support.read(s:path_of "complaints")
    assert.equal(6, ended.code, said .. complaints)
    assert.matches("rank 2 was ended by signal 9", complaints)
    local before = losses(said)
    local r = s:run { "resume", "last", "-y" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    local after = losses(r.stdout)
    -- From the newest checkpoint on, not from the start, and without a gap.
    local kept = before[#before].step // EVERY * EVERY
    assert.is_true(after[1].step == kept + 1 or after[1].step == kept - EVERY + 1, ("%d after %d"):format(after[1].step, before[#before].step))
    assert.equal(STEPS, after[#after].step)
    local ratio = after[#after].loss / whole[#whole].loss
    assert.is_true(math.abs(ratio - 1) < 0.05, ("loss %g against %g"):format(after[#after].loss, whole[#whole].loss))
  end)
end)
