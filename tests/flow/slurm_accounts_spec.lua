--- A controller that forgets jobs soon, with accounts: they answer then, and where they cannot it is unknown.
local lfs = require "lfs"
local scenes = require "slurmscene"

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

describe("a job that the controller has forgotten, on a cluster with accounts,", function()
  local c, up, down, needed = scenes.shared { nodes = 2, acct = "dbd", conf = CONF }
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)

  it("is known by its accounts, without its last word, too", function()
    local s <close> = scenes.new(c, "mem: 50M")
    forgotten(c, s, "true")
    os.remove(last_word(s))
    scenes.eventually(20, "accounts know its end", function() return c:output("sacct", "-Xnj", s:number(), "-o", "state"):find "COMPLETED" end)
    assert.matches("job train: done", s:run({ "status", "last" }).stdout)
    waits(s, 0)
    assert.equal(1, s:starts())
  end)

  it("has failed as its accounts and its ranks say", function()
    local s <close> = scenes.new(c, "mem: 50M")
    forgotten(c, s, "exit 7")
    os.remove(last_word(s))
    scenes.eventually(20, "accounts know its end", function() return c:output("sacct", "-Xnj", s:number(), "-o", "state"):find "FAILED" end)
    waits(s, 6, "rank 0 exited with status 7")
  end)

  it("was cancelled as its accounts say: no last word is left then", function()
    local s <close> = scenes.new(c, "mem: 50M")
    s:job "sleep 1000"
    s:run { "./one.lua", "--detach" }
    local number = s:number()
    c:output("scancel", number)
    scenes.eventually(30, "Slurm forgets it", function() return #c:jobs("-t", "all") == 0 end)
    waits(s, 13, "job 'train' cancelled: it was cancelled")
  end)

  it("is unknown while the accounts do not answer and there is no last word, and known when they do", function()
    local s <close> = scenes.new(c, "mem: 50M, patience: 2s")
    forgotten(c, s, "true")
    os.rename(last_word(s), s:path_of "word")
    c:ctl "stop-dbd"
    local ok, err = pcall(function()
      waits(s, 9, "sacct: ", "adtlua resume R%w+` asks again")
      assert.matches("job train: unknown, sacct: ", s:run({ "status", "last" }).stdout)
      os.rename(s:path_of "word", last_word(s))
      assert.matches("job train: done", s:run({ "status", "last" }).stdout)
      os.remove(last_word(s))
    end)
    c:ctl "start-dbd"
    assert.is_true(ok, err)
    local r = s:run { "resume", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("is not asked of accounts that are late: while the controller knows it, it is not unknown", function()
    local s <close> = scenes.new(c, "mem: 50M")
    s:job "true"
    c:ctl "stop-dbd"
    local r = s:run { "./one.lua", before = "timeout 60" }
    c:ctl "start-dbd"
    assert.equal(0, r.code, said(r))
  end)
end)
