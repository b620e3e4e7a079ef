--- Following is reading files: whoever follows may die, detach or be replaced, and nothing is lost or done twice.
local fs = require "adt.fs"
local json = require "adt.json"
local process = require "adt.process"
local support = require "support"

local RECIPE = [[
local adt = require "adt"
return adt.recipe { name = "own", run = function(ctx)
  return ctx:job { "j", metrics = { pattern = "step (%d+) loss (%S+)", fields = { "step", "loss" } },
    cmd = adt.sh [=[echo start >>starts; for i in 1 2 3; do echo step $i loss $i.5; done; printf 'step 4 '; : >up
      until [ -e go ]; do sleep 0.02; done; echo loss 4.5]=] }:wait()
end, validate = function(ctx, p, r)
  ctx:check("each step was seen once", #r.run.metrics:steps() == 4, table.concat(r.run.metrics:steps(), " "))
end }
]]

local function until_true(f)
  for _ = 1, 1500 do
    local value = f()
    if value then return value end
    require("system").sleep(0.02)
  end
  error("it has not become true within 30 s", 2)
end

local function scene()
  local s = support.scene()
  s:recipe("own.lua", RECIPE)
  function s:spawn(words)
    local argv = { support.program(), table.unpack(words) }
    argv.env, argv.cwd = self.env, self.path
    argv.stdout, argv.stderr = { file = self:path_of "out", append = true }, "stdout"
    return process.spawn(argv)
  end
  function s:job(name) return self:folder() .. "/jobs/j-1/" .. name end
  -- The job has begun and its follower has journalled what it has seen.
  function s:begun()
    until_true(function() return #self:ids() == 1 and fs.exists(self:job "up") end)
    until_true(function()
      return support.read(self:folder() .. "/journal.ndjson"):find('"type":"metrics"', 1, true)
    end)
  end
  function s:steps()
    local steps = {}
    for _, record in ipairs(self:journal()) do
      for _, row in ipairs(record.type == "metrics" and record.rows or {}) do steps[#steps + 1] = row.step end
    end
    return steps
  end
  return s
end

describe("a run that is followed", function()
  it("is found again after its program was killed: wait gives its verdict, and no step is lost or seen twice", function()
    local s <close> = scene()
    local first = s:spawn { "./own.lua" }
    s:begun()
    process.kill(first.pid, "KILL", first:start_time())
    assert.equal("SIGKILL", first:wait().signal)
    support.write(s:job "go", "")
    local r = s:run { "wait", "last" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("success", r.stdout)
    assert.same({ 1, 2, 3, 4 }, s:steps())
    assert.equal("start\n", support.read(s:job "starts"))
    -- Once more: the verdict is known.
    assert.equal(0, s:run({ "wait", "last" }).code)
  end)

  it("has one owner: --take-over overrides, and the old one stops without a word of its own", function()
    local s <close> = scene()
    local first = s:spawn { "./own.lua" }
    s:begun()
    assert.equal(75, s:run({ "resume", "last" }).code)
    local second = s:spawn { "resume", "last", "--take-over" }
    until_true(function()
      local owner = json.decode(support.read(s:folder() .. "/owner"))
      return owner.pid == second.pid
    end)
    support.write(s:job "go", "")
    assert.equal(0, second:wait().code)
    assert.equal(75, first:wait().code)
    local ends = 0
    for _, record in ipairs(s:journal()) do ends = ends + (record.type == "end" and 1 or 0) end
    assert.equal(1, ends)
    assert.matches("was taken over by", support.read(s:path_of "out"))
  end)

  it("can be watched by others meanwhile: logs -f ends with the job", function()
    local s <close> = scene()
    local first = s:spawn { "./own.lua" }
    s:begun()
    local logs <close> = process.spawn { support.program(), "logs", "-f", "last", env = s.env, stdout = "pipe" }
    local lines = logs:lines()
    assert.equal("[j.0] step 1 loss 1.5", lines())
    lines()
    lines()
    support.write(s:job "go", "")
    assert.equal("[j.0] step 4 loss 4.5", lines())
    assert.is_nil(lines())
    assert.equal(0, logs:wait().code)
    assert.equal(0, first:wait().code)
  end)

  it("is stopped by the loss of its folder as unknown, not as failed", function()
    local s <close> = scene()
    local r = s:run { "./own.lua", "--detach" }
    assert.equal(0, r.code, r.stderr)
    until_true(function() return fs.exists(s:job "up") end)
    support.write(s:job "go", "")
    until_true(function() return fs.exists(s:job "exit.json") end)
    fs.remove(s:folder() .. "/jobs", { recursive = true })
    r = s:run { "wait", "last" }
    assert.equal(9, r.code, r.stdout)
    assert.matches("does not know it any more", r.stderr)
  end)
end)

describe("a run's folder, copied,", function()
  local WITH_FILES = [[
local adt = require "adt"
return adt.recipe { name = "own", params = { go = adt.bool { default = false } },
  build = function(ctx) return ctx:template "prog" end,
  run = function(ctx, p, results)
    local r = ctx:job { "j", files = results.build, env = { OUT = ctx.dir .. "/out" }, cmd = adt.sh "echo start >>starts; cat text >$OUT",
      artefacts = { ctx.dir .. "/out" } }:wait()
    if not adt.fs.exists(os.getenv "GO") then error "not yet" end
    return r
  end,
  validate = function(ctx, p, r)
    ctx:check("the artefact is where the run is", r.run.artefacts[1].path == ctx.dir .. "/out", r.run.artefacts[1].path)
  end }
]]

  it("is resumed elsewhere, although the recipe and its templates stayed where they were", function()
    local s <close> = support.scene()
    fs.mkdir(s:path_of "here/templates/prog")
    support.write(s:path_of "here/templates/prog/text", "hello\n")
    support.write(s:path_of "here/own.lua", WITH_FILES)
    s.env.GO = s:path_of "go"
    assert.equal(1, s:run({ "here/own.lua" }).code)
    fs.copy(s:folder(), s:path_of "copy")
    fs.remove(s.state, { recursive = true })
    fs.remove(s:path_of "here", { recursive = true })
    support.write(s:path_of "go", "")
    local r = s:run { "resume", "./copy", env = { XDG_STATE_HOME = s:path_of "other" } }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("found +template:prog", r.stdout)
    assert.matches("found +j", r.stdout)
    assert.equal("start\n", support.read(fs.glob(s:path_of "copy/files/*/starts")[1]))
    assert.is_false(fs.exists(s:path_of "other/adtlua/runs"))
  end)

  it("follows a job that still runs for the original", function()
    local s <close> = scene()
    assert.equal(0, s:run({ "./own.lua", "--detach" }).code)
    until_true(function() return fs.exists(s:job "up") end)
    fs.copy(s:folder(), s:path_of "copy")
    local copy = s:spawn { "resume", "./copy" }
    until_true(function() return fs.exists(s:path_of "copy/owner") end)
    support.write(s:job "go", "")
    assert.equal(0, copy:wait().code, support.read(s:path_of "out"))
    assert.equal("start\n", support.read(s:job "starts"))
  end)
end)
