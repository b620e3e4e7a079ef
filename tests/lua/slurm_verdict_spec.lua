--- What became of a job, from Slurm's records and from what its script has left; and how often Slurm is asked.
local fs = require "adt.fs"
local json = require "adt.json"
local support = require "support"
local task = require "adt.task"
local verdict = require "adt.slurm.verdict"
local watch = require "adt.slurm.watch"

-- A client that must not be asked, or whose accounts are these.
local function client(accounts)
  return { accounts = function(_, filter)
    assert.same({ ids = { 7 } }, filter)
    if type(accounts) == "string" then
      require("adt.error").raise { cause = "unknown", code = "SlurmSilent", message = accounts }
    end
    return accounts
  end }
end

local function record(fields)
  local job = { id = 7, state = "RUNNING", flags = {}, ended = false }
  for k, v in pairs(fields) do job[k] = v end
  return job
end

local function ended(state, fields)
  fields = fields or {}
  fields.state, fields.ended = state, true
  return record(fields)
end

local function folder_with(dir, files)
  for name, text in pairs(files) do
    fs.mkdir(require("adt.path").dir(dir / name), { parents = true })
    support.write(dir / name, text)
  end
end

-- The verdict of records, without a folder.
local function of(records, dir, accounts)
  return verdict.of(client(accounts), { number = 7, dir = dir and tostring(dir) }, records)
end

local function short(r)
  return { r.state, r.cause, r.exit }
end

describe("a job that Slurm knows", function()
  it("waits, runs, or has ended, and being cleaned up is no end", function()
    local now = of { record { state = "PENDING", reason = "Resources" } }
    assert.same({ "running", true }, { now.state, now.pending })
    assert.matches("other jobs hold the nodes", now.waiting)
    now = of { record { nodes = "n[1-2]", start = 100, restarts = 1 } }
    assert.same({ "running", false, "n[1-2]", 100, 1 }, { now.state, now.pending, now.nodes, now.started, now.restarts })
    assert.same({ "running" }, short(of { record { state = "COMPLETED", flags = { COMPLETING = true } } }))
    assert.same({ "running" }, short(of { record { state = "FAILED", flags = { COMPLETING = true }, exit = 1 } }))
    assert.same({ "done", nil, 0 }, short(of { ended("COMPLETED", { exit = 0, start = 100, finish = 130 }) }))
    assert.equal(30, of({ ended("COMPLETED", { start = 100, finish = 130 }) }).seconds)
  end)

  it("that was queued again runs, whatever became of it before", function()
    for _, state in ipairs { "NODE_FAIL", "PREEMPTED", "COMPLETED" } do
      assert.same({ "running" }, short(of { record { state = state, flags = { REQUEUED = true } } }))
    end
    local now = of { record { state = "PENDING", reason = "BeginTime", restarts = 1 } }
    assert.matches("scontrol update jobid=7 starttime=now", now.waiting)
  end)

  it("has a cause by its end, and a timeout is one although the script ended well", function()
    assert.same({ "failed", "timeout", 0 }, short(of { ended("TIMEOUT", { exit = 0, signal = 0 }) }))
    assert.same({ "failed", "node" }, short(of { ended "NODE_FAIL" }))
    assert.same({ "failed", "capacity" }, short(of { ended "PREEMPTED" }))
    assert.same({ "failed", "program", 0 }, short(of { ended("OUT_OF_MEMORY", { exit = 0, signal = 125 }) }))
    assert.same({ "failed", "config", 0 }, short(of { ended("FAILED", { exit = 0, signal = 53 }) }))
    assert.same({ "cancelled", "cancelled" }, short(of { ended "CANCELLED" }))
    assert.same({ "unknown" }, short(of { ended "BRAND_NEW" }))
  end)

  it("as an array runs until its last task has ended, and names the tasks that failed", function()
    local function part(index, job)
      job.id, job.array_id, job.array_task = 10 + index, 7, index
      return job
    end
    assert.same({ "running" }, short(of { part(0, ended "FAILED"), part(1, record {}) }))
    assert.same({ "running" }, short(of { part(0, ended "COMPLETED"), record { state = "PENDING", array_id = 7, array_tasks = "1-3" } }))
    assert.same({ "done", nil, 0 }, short(of { part(0, ended "COMPLETED"), part(1, ended "COMPLETED") }))
    local dir <close> = support.tempdir()
    folder_with(dir, { ["task-3/attempt-1/rank-0.exit"] = "9\n", ["task-3/attempt-1/rank-0.log"] = "" })
    local now = of({ part(3, ended("FAILED", { exit = 1 })), part(0, ended "COMPLETED"), part(1, ended("FAILED", { exit = 2 })) }, dir)
    assert.same({ "failed", "program", 9 }, short(now))
    assert.matches("2 of 3 tasks failed (1,3): rank 0 exited with status 9", now.message, 1, true)
  end)

  it("as a heterogeneous one has ended when all of its parts have, as its first part did", function()
    local function part(offset, job)
      job.id, job.het_id, job.het_offset = 7 + offset, 7, offset
      return job
    end
    assert.same({ "running" }, short(of { part(0, ended "COMPLETED"), part(1, record { state = "COMPLETED", flags = { COMPLETING = true } }) }))
    assert.same({ "done", nil, 0 }, short(of { part(1, ended("FAILED", { exit = 1 })), part(0, ended("COMPLETED", { exit = 0 })) }))
    assert.same({ "failed", "program", 4 }, short(of { part(0, ended("FAILED", { exit = 4 })), part(1, ended "COMPLETED") }))
  end)

  it("is somebody else's when its folder is another one", function()
    local dir <close> = support.tempdir()
    folder_with(dir, { ["exit.json"] = '{"job":"7","attempt":1,"exit":0,"ended":1}\n' })
    assert.same({ "done", nil, 0 }, short(of({ record { dir = "/elsewhere/jobs/train-1", comment = "adtlua:other" } }, dir)))
    assert.same({ "running" }, short(of({ record { dir = tostring(dir) } }, dir)))
    os.remove(dir / "exit.json")
    assert.same({ "unknown" }, short(of({ record { dir = "/elsewhere" } }, dir, {})))
  end)

  it("is ours in a copied folder, and another run's of the same name is not", function()
    local dir <close> = support.tempdir()
    local look = { number = 7, dir = tostring(dir), place = "R2/jobs/train-1" }
    local function state(job) return verdict.of(client({}), look, { record(job) }).state end
    assert.equal("running", state { dir = "/before/R2/jobs/train-1", comment = "adtlua:R2-train-1" })
    assert.equal("unknown", state { dir = "/before/R1/jobs/train-1", comment = "adtlua:R1-train-1" })
  end)
end)

describe("the rank that is to blame", function()
  it("is the first that failed by itself, and not one that was ended because of it", function()
    local dir <close> = support.tempdir()
    folder_with(dir, { ["attempt-1/rank-0.exit"] = "1\n", ["attempt-2/rank-0.exit"] = "143\n", ["attempt-2/rank-1.exit"] = "37\n",
      ["attempt-2/rank-2.exit"] = "137\n", ["attempt-2/rank-3.exit"] = "0\n", ["attempt-2/rank-3.log"] = "" })
    local now = of({ ended("FAILED", { exit = 1 }) }, dir)
    assert.same({ 1, 37, 2 }, { now.rank, now.exit, now.attempt })
    assert.same({ 0, 1, 2, 3 }, { now.ranks[1].rank, now.ranks[2].rank, now.ranks[3].rank, now.ranks[4].rank })
    folder_with(dir, { ["attempt-2/rank-1.exit"] = "139\n" })
    now = of({ ended("FAILED", { exit = 1 }) }, dir)
    assert.same({ 1, 11, "rank 1 was ended by signal 11" }, { now.rank, now.signal, now.message })
  end)

  it("is nobody when the program is not at fault, and no rank counts that said nothing", function()
    local dir <close> = support.tempdir()
    folder_with(dir, { ["attempt-1/rank-0.exit"] = "143\n", ["attempt-1/rank-1.exit"] = "" })
    local now = of({ ended "NODE_FAIL" }, dir)
    assert.same({ "node", nil }, { now.cause, now.rank })
    assert.equal(1, #now.ranks)
  end)
end)

describe("a job that Slurm has forgotten", function()
  it("is what its script said last", function()
    local dir <close> = support.tempdir()
    folder_with(dir, { ["exit.json"] = '{"job":"7","attempt":1,"exit":3,"ended":1}\n', ["attempt-1/rank-0.exit"] = "3\n" })
    assert.same({ "failed", "program", 3 }, short(of({}, dir)))
    folder_with(dir, { ["exit.json"] = '{"job":"7","attempt":1,"exit":0,"ended":1}\n' })
    assert.same({ "done", nil, 0 }, short(of({}, dir)))
  end)

  it("as an array is what all of its tasks said last", function()
    local dir <close> = support.tempdir()
    local function says(index, code)
      folder_with(dir, { ["task-" .. index .. "/exit.json"] = json.encode { job = "7", exit = code } })
    end
    for list, tasks in pairs { ["0-4:2%1"] = { 0, 2, 4 }, ["1,5-6"] = { 1, 5, 6 } } do
      folder_with(dir, { ["job.sh"] = "#!/bin/bash\n#SBATCH --array=" .. list .. "\n" })
      says(tasks[1], 0)
      says(tasks[2], 0)
      assert.same({ "unknown" }, short(of({}, dir, {})))
      says(tasks[3], 0)
      assert.same({ "done", nil, 0 }, short(of({}, dir)))
      says(tasks[2], 4)
      assert.same({ "failed", "program", 4 }, short(of({}, dir)))
      fs.remove(tostring(dir), { recursive = true })
    end
  end)

  it("is what the accounts say, and unknown where there are none", function()
    local dir <close> = support.tempdir()
    assert.same({ "failed", "node" }, short(of({}, dir, { ended("NODE_FAIL", { dir = tostring(dir) }) })))
    local now = of({}, dir, nil)
    assert.same({ "unknown", "JobForgotten" }, { now.state, now.code })
    assert.matches("keeps no accounts", now.message)
    assert.matches("does not know job 7 any more, and its script", of({}, dir, {}).message)
    now = of({}, dir, "slurmdbd is away")
    assert.same({ "unknown", true, "slurmdbd is away" }, { now.state, now.retry, now.message })
  end)

  it("is unknown, and asked for again, while nobody answers, unless its script has said its last word", function()
    local dir <close> = support.tempdir()
    local look, err = { number = 7, dir = tostring(dir) }, { message = "squeue: connect failure", hint = "scontrol ping" }
    local now = verdict.of(client(), look, nil, err)
    assert.same({ "unknown", true, "squeue: connect failure" }, { now.state, now.retry, now.message })
    folder_with(dir, { ["exit.json"] = '{"exit":0}', })
    assert.equal("done", verdict.of(client(), look, nil, err).state)
    folder_with(dir, { ["exit.json"] = '{"exit":', })
    assert.equal("unknown", verdict.of(client(), look, nil, err).state)
  end)
end)

describe("Slurm is asked", function()
  -- Answers after a moment, as real commands do.
  local function counting(answer)
    local c = { asked = {} }
    function c.jobs(_, filter)
      c.asked[#c.asked + 1] = filter.ids
      task.sleep(0.02)
      return answer(#c.asked, filter.ids)
    end
    return c
  end

  local function running(ids)
    local jobs = {}
    for i, id in ipairs(ids) do jobs[i] = { id = id, state = "RUNNING", flags = {} } end
    return jobs
  end

  it("once for all who follow jobs at the same time", function()
    local c = counting(function(_, ids) return running(ids) end)
    local w = watch.new(c)
    w:jobs { 1, 2, 3 }
    task.map({ 1, 2, 3, 1, 2, 3 }, { at_once = 6 }, function(id)
      assert.equal(id, w:jobs({ id })[id][1].id)
    end)
    assert.same({ { 1, 2, 3 } }, c.asked)
    assert.equal(9, w:jobs({ 9, 1 })[9][1].id)
    assert.same({ 1, 2, 3, 9 }, c.asked[2])
  end)

  it("for tasks of arrays and parts of heterogeneous jobs by the number of the whole", function()
    local w = watch.new(counting(function()
      return { { id = 11, array_id = 7, array_task = 0, state = "RUNNING", flags = {} },
        { id = 12, array_id = 7, array_task = 1, state = "RUNNING", flags = {} },
        { id = 21, het_id = 20, het_offset = 1, state = "RUNNING", flags = {} }, { id = 99, state = "RUNNING", flags = {} } }
    end))
    local got = w:jobs { 7, 20, 5 }
    assert.same({ 2, 1, 0 }, { #got[7], #got[20], #got[5] })
    assert.is_nil(got[99])
  end)

  it("ever more seldom while nothing changes, at most every minute, and soon again after a change", function()
    local state = "RUNNING"
    local w = watch.new(counting(function() return { { id = 1, state = state, flags = {} } } end))
    w:jobs { 1 }
    assert.equal(1, w.interval)
    local before = w.interval
    for _ = 1, 20 do
      w.at = -math.huge
      w:jobs { 1 }
      assert.is_true(w.interval > before or w.interval == 60)
      before = w.interval
    end
    assert.equal(60, w.interval)
    state = "COMPLETED"
    w.at = -math.huge
    w:jobs { 1 }
    assert.equal(1, w.interval)
  end)

  it("not before its interval is over, but soon when something is known to have changed", function()
    local c = counting(function(_, ids) return running(ids) end)
    local w = watch.new(c)
    for _ = 1, 10 do w:jobs { 1 } end
    assert.equal(1, #c.asked)
    task.sleep(0.3)
    w:jobs { 1 }
    assert.equal(1, #c.asked)
    w:hurry()
    w:jobs { 1 }
    assert.equal(2, #c.asked)
  end)

  it("by those who wait for the same answer in vain, who all get its error, and again afterwards", function()
    local c = counting(function(n, ids)
      if n == 1 then require("adt.error").raise { cause = "unknown", code = "SlurmSilent", message = "nobody answers" } end
      return running(ids)
    end)
    local w = watch.new(c)
    local outcomes = task.map({ 1, 1, 1 }, { at_once = 3, keep_going = true }, function(id) return w:jobs { id } end)
    assert.equal(1, #c.asked)
    for i = 1, 3 do
      assert.equal("nobody answers", outcomes[i].error.message)
    end
    assert.equal(1, #w:jobs({ 1 })[1])
    assert.equal(2, #c.asked)
  end)

  it("again by those who wait when whoever asked was cancelled", function()
    local c = counting(function(_, ids) return running(ids) end)
    local w = watch.new(c)
    local id
    task.all {
      function() pcall(task.timeout, 0.005, function() w:jobs { 1 } end) end,
      function()
        task.sleep(0.002)
        id = w:jobs({ 1 })[1][1].id
      end,
    }
    assert.equal(1, id)
    assert.equal(2, #c.asked)
  end)

  it("no more about jobs that nobody has asked for in a while", function()
    local c = counting(function(_, ids) return running(ids) end)
    local w = watch.new(c)
    w:jobs { 1, 2 }
    w.wanted[2] = w.wanted[2] - 3600
    w.at = -math.huge
    w:jobs { 1 }
    assert.same({ 1 }, c.asked[2])
    assert.is_nil(w.answers[2])
  end)
end)
