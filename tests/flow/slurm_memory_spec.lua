--- A controller that forgets jobs soon, without accounts: a job's last word answers, or it is unknown.
local lfs = require "lfs"
local scenes = require "slurmscene"
local support = require "support"

local CONF = { MinJobAge = 2, MessageTimeout = 3 }

local function said(r)
  return r.stdout .. r.stderr
end

local function last_word(s)
  return s:job_folder() .. "/exit.json"
end

-- A run that was left, whose job has ended since and is forgotten.
local function forgotten(c, s, line)
  s:job(line)
  local r = s:run { "./one.lua", "--detach", before = "timeout 60" }
  assert.equal(0, r.code, said(r))
  scenes.eventually(20, "its last word", function() return lfs.attributes(last_word(s)) end)
  scenes.eventually(30, "Slurm forgets it", function()
    return not c:run({ "squeue", "-h", "-t", "all", "-o", "%i" }).stdout:find("%f[%d]" .. s:number() .. "%f[%D]")
  end)
end

local function waits(s, code, ...)
  local r = s:run { "wait", "last", before = "timeout 60" }
  assert.equal(code, r.code, said(r))
  for _, pattern in ipairs { ... } do assert.matches(pattern, said(r)) end
end

describe("a job that the controller has forgotten, on a cluster without accounts,", function()
  local c, up, down, needed = scenes.shared { nodes = 1, conf = CONF }
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)

  it("is known by its last word", function()
    local s <close> = scenes.new(c, "mem: 50M")
    forgotten(c, s, "true")
    waits(s, 0)
    local bad <close> = scenes.new(c, "mem: 50M")
    forgotten(c, bad, "exit 7")
    waits(bad, 6, "rank 0 exited with status 7")
  end)

  it("and that has left no last word is unknown, with the reason, until its run is given up", function()
    local s <close> = scenes.new(c, "mem: 50M")
    forgotten(c, s, "true")
    os.remove(last_word(s))
    waits(s, 9, "Slurm does not know job %d+ any more and keeps no accounts, and its script has left no last word in")
    waits(s, 9)
    assert.equal(1, s:starts())
  end)

  it("and whose last word is torn is unknown, not failed", function()
    local s <close> = scenes.new(c, "mem: 50M")
    forgotten(c, s, "true")
    support.write(last_word(s), '{"job":"1","att')
    waits(s, 9, "Slurm does not know job")
    support.write(last_word(s), '[]')
    waits(s, 9, "Slurm does not know job")
    support.write(last_word(s), '{"exit":"zero"}')
    waits(s, 9, "Slurm does not know job")
  end)
end)
