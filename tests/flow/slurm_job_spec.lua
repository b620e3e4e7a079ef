--- What jobs on a Slurm cluster do besides what every target does: signals, arrays, dependencies, requeues, lost answers.
local forms = require "slurm_forms"
local place = require("slurm_place").new { nodes = 4 }
local support = require "support"
local tools = require("target_tools").new(place)

local go, well, ask = tools.go, tools.well, tools.ask

-- A Python that has PyTorch, whose torchrun is mended where it needs that.
local function torch()
  local found, python = pcall(require("adt.python").find, { "torch" })
  return found and python
end

local MENDED = require("adt.path").absolute "tests/data/torchrun"

-- The number of the scene's job.
local function number_of(s)
  return support.read(s:folder() .. "/jobs/train-1/sbatch.out"):match "%d+"
end

local function wait_for(file)
  for _ = 1, 400 do
    if require("lfs").attributes(file) then return end
    require("system").sleep(0.05)
  end
  error(file .. " did not appear")
end

describe("a job on a Slurm cluster", function()
  place.around(function()
    it("of each form would be taken", function()
      local c = place.cluster
      local held = c:output("sbatch", "--parsable", "--hold", "-D", "/", "-o", "/dev/null", "--wrap", "true")
      local dir <close> = support.tempdir()
      local n = 0
      for name, form in pairs(forms.all(held .. "@R0000000000AA/jobs/prep-1")) do
        -- Without the plugin srun does not know containers; sbatch does not look at the steps.
        support.write(dir / "job.sh", form.batch)
        local r = c:run { "sbatch", "--test-only", dir / "job.sh" }
        assert.equal(0, r.code, name .. ": " .. r.stderr)
        assert.matches("to start at", r.stderr, 1, true)
        n = n + 1
      end
      assert.equal(11, n)
      c:output("scancel", held)
    end)

    it("gets signals once, and its status is the program's own", function()
      local s <close> = tools.scene()
      well(go(s, [[launch = "ranks", per_node = { procs = 2 }, cmd = { "bash", "-c", [=[
        for s in USR1 USR2 HUP INT TERM; do trap "echo $s >>got-$RANK" $s; done
        touch up-$RANK; until [ -e finish ]; do sleep 0.1; done]=] } ]], { "--detach" }))
      local dir = s:folder() .. "/jobs/train-1/"
      wait_for(dir .. "up-0")
      wait_for(dir .. "up-1")
      local id = number_of(s)
      for _, signal in ipairs { "USR1", "USR2", "HUP", "INT", "TERM" } do
        place.cluster:output("scancel", "--signal=" .. signal, id)
        require("system").sleep(0.5)
      end
      support.write(dir .. "finish", "")
      well(s:run { "wait", "last" })
      for rank = 0, 1 do
        assert.equal("USR1\nUSR2\nHUP\nINT\nTERM\n", support.read(dir .. "got-" .. rank))
      end
    end)

    it("as an array has a task per index, each with its logs, and fails with those that fail", function()
      local s <close> = tools.scene()
      local r = go(s, [[array = "0-3%2", cmd = adt.sh 'echo "index $ADT_ARRAY_INDEX"; [ "$ADT_ARRAY_INDEX" != 2 ]']])
      assert.equal(6, r.code, r.stdout .. r.stderr)
      for index = 0, 3 do
        assert.matches(("[train.%d.0] index %d\n"):format(index, index), r.stdout, 1, true)
      end
      assert.matches("1 of 4 tasks failed (2): rank 0 exited with status 1", r.stderr, 1, true)
      assert.matches("^%[train.3.0%] index 3\n$", s:run({ "logs", "--rank", "3.0", "last" }).stdout)
    end)

    it("starts after the jobs that it follows, and is not started when one of them failed", function()
      local s <close> = tools.scene()
      s:recipe("chain.lua", [[
local adt = require "adt"
return adt.recipe { name = "chain", params = { status = adt.int {} }, run = function(ctx, p)
  local first = ctx:job { "first", cmd = adt.sh("sleep 1; date +%s%N >../first; exit " .. p.status) }
  return ctx:job { "second", cmd = adt.sh "date +%s%N >../second", after = first }:wait()
end }]])
      well(s:run { "./chain.lua", "--status", "0", "--target", "place" })
      local jobs = s:folder() .. "/jobs/"
      assert.is_true(tonumber(support.read(jobs .. "first")) < tonumber(support.read(jobs .. "second")))
      local r = s:run { "./chain.lua", "--status", "1", "--target", "place" }
      assert.equal(13, r.code, r.stdout .. r.stderr)
      assert.matches("depends on did not end as asked", r.stderr, 1, true)
    end)

    it("that was requeued goes on under its number, as a new attempt", function()
      local s <close> = tools.scene()
      well(go(s, [[retry = { on = { "node" }, max = 1 }, cmd = adt.sh [=[echo attempt $ADT_ATTEMPT; touch up-$ADT_ATTEMPT
        until [ -e go ]; do sleep 0.1; done]=] ]], { "--detach" }))
      local dir = s:folder() .. "/jobs/train-1/"
      wait_for(dir .. "up-1")
      local id = number_of(s)
      place.cluster:output("scontrol", "requeue", id)
      for _ = 1, 100 do
        local job = place.cluster:jobs("-t", "all", "-j", id)[1]
        if job and job.state == "PENDING" then break end
        require("system").sleep(0.1)
      end
      support.write(dir .. "go", "")
      -- Not in the second in which its node was told to end it, when a credential is taken for revoked.
      require("system").sleep(2)
      place.cluster:output("scontrol", "update", "jobid=" .. id, "starttime=now")
      local out = well(s:run { "wait", "last" })
      assert.matches("attempt 1.*attempt 2", out)
      assert.equal(id .. "\n", support.read(dir .. "claim/job"))
    end)

    it("is found by its key although its answer was lost and nothing of it runs yet", function()
      local s <close> = tools.scene()
      local a = ask(s, [[
        local spec = { cmd = { "true" }, slurm = { begin = "now+1hour" } }
        local id = submit(spec)
        fs.remove(path.join(dir, "sbatch.out"))
        local found = target:find(key, job(spec), dir)
        local waiting = target:status({ id })[id]
        return { same = found == id, state = waiting.state, pending = waiting.pending, ended = target:cancel(id).state }]])
      assert.same({ same = true, state = "running", pending = true, ended = "cancelled" }, a)
    end)

    it("by torchrun has an agent per node that starts the ranks", function()
      local python = torch()
      if not python then
        return pending "no python3 here can import torch"
      end
      local s <close> = tools.scene()
      local out = well(go(s, ([[launch = "torchrun", nodes = 2, per_node = { procs = 2 }, limit = "120s",
        env = { PYTHONPATH = "%s", PYTHONDONTWRITEBYTECODE = 1 },
        cmd = { "%s", "-c", "import os; print('env', *(os.environ[n] for n in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', " ..
          "'LOCAL_WORLD_SIZE', 'GROUP_RANK')))" }]]):format(MENDED, python)))
      local seen = {}
      for rank, rest in out:gmatch "%[train.(%d)%] env %d ([%d ]+)\n" do seen[tonumber(rank)] = rest end
      assert.same({ [0] = "0 4 2 0", "1 4 2 0", "0 4 2 1", "1 4 2 1" }, seen)
    end)

    it("of another user's script is taken over by its number, output and end", function()
      local s <close> = tools.scene()
      local c = place.cluster
      local id = c:output("sbatch", "--parsable", "-D", "/", "-o", c.dir .. "/adopted-%j.out", "--wrap", "echo by hand")
      local a = ask(s, ([[
        local id = target:adopt(%s)
        return { state = ended(id).state, said = said(id), folder = target:folder(id) == nil }]]):format(id))
      assert.same({ state = "done", said = "by hand\n", folder = true }, a)
    end)

    it("is not what a drained node is asked for, which says why", function()
      local s <close> = tools.scene()
      local c = place.cluster
      c:output("scontrol", "update", "nodename=n2", "state=drain", "reason=bad fan")
      local a = ask(s, [[
        local got = {}
        for i, answer in ipairs(target:exec({ "n1", "n2", "n3" }, { "printenv", "SLURMD_NODENAME" }, { timeout = 20 })) do
          got[i] = { answer.node, answer.stdout or answer.error.message }
        end
        return got]])
      c:output("scontrol", "update", "nodename=n2", "state=resume")
      assert.same({ "n1", "n1\n" }, a[1])
      assert.same({ "n3", "n3\n" }, a[3])
      assert.same({ "n2", "node n2 is drained: bad fan" }, a[2])
    end)
  end)
end)
