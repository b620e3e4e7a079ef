--- A job table, checked and completed before anything is created; what its ranks print, made lines.
local errors = require "adt.error"
local jobs = require "adt.job"
local lines = require "adt.lines"
local secret = require "adt.secret"

local function refused(spec)
  local job, err = errors.try(jobs.check, spec)
  assert.is_nil(job)
  assert.equal("usage", err.cause)
  return err
end

describe("a job", function()
  after_each(function() require("adt.c.secret").forget() end)

  it("is completed: one plain process, no retry, no limit", function()
    local job = jobs.check { "train", cmd = { "python3", "train.py", "--steps", 50, "--lr", 0.1 } }
    assert.same({ "python3", "train.py", "--steps", "50", "--lr", "0.1" }, job.roles[1].cmd)
    assert.equal("plain", job.launch)
    assert.equal(1, job.world)
    assert.equal(0, job.retry.max)
    assert.is_nil(job.limit)
  end)

  it("has as many processes as nodes and per_node say", function()
    assert.equal(16, jobs.check({ "j", cmd = { "x" }, launch = "torchrun", nodes = 2, per_node = { gpu = 8 } }).world)
    assert.equal(6, jobs.check({ "j", cmd = { "x" }, launch = "torchrun", nodes = 2, per_node = { gpu = 8, procs = 3 } }).world)
    assert.equal(2, jobs.check({ "j", cmd = { "x" }, launch = "per_node", nodes = 2, per_node = { gpu = 8 } }).world)
    local roles = jobs.check { "j", roles = { server = { cmd = { "s" }, service = true }, trainer = { cmd = { "t" }, nodes = 7 } } }
    assert.equal(8, roles.world)
    assert.same({ "server", "trainer" }, { roles.roles[1].name, roles.roles[2].name })
  end)

  it("refuses what cannot be meant, naming the field and the nearest valid choice", function()
    for text, spec in pairs {
      ["a job needs a name"] = { cmd = { "x" } },
      ["unknown option 'comand'"] = { "j", comand = { "x" } },
      ["cmd must be a list of words"] = { "j" },
      ["unknown launch form 'torchrn'"] = { "j", cmd = { "x" }, launch = "torchrn" },
      ["nodes must be a whole number above 0"] = { "j", cmd = { "x" }, nodes = 0 },
      ["per_node.gpu must be a whole number"] = { "j", cmd = { "x" }, per_node = { gpu = 1.5 } },
      ["'9X' is no name of an environment variable"] = { "j", cmd = { "x" }, env = { ["9X"] = "1" } },
      ["env.A is a boolean"] = { "j", cmd = { "x" }, env = { A = true } },
      ["cmd[2] is a table"] = { "j", cmd = { "x", {} } },
      ["cmd[1] holds a NUL byte"] = { "j", cmd = { "a\0b" } },
      ["env.A holds a NUL byte"] = { "j", cmd = { "x" }, env = { A = "a\0b" } },
      ["cmd[1] is not UTF-8"] = { "j", cmd = { "a\xff" } },
      ["has both cmd and roles"] = { "j", cmd = { "x" }, roles = { a = { cmd = { "x" } } } },
      ["every role is a service"] = { "j", roles = { a = { cmd = { "x" }, service = true } } },
      ["limit 'soon' is no duration"] = { "j", cmd = { "x" }, limit = "soon" },
      ["retry.on: there is no cause 'nodes'"] = { "j", cmd = { "x" }, retry = { on = { "nodes" } } },
      ["retry.max must be a whole number above 0"] = { "j", cmd = { "x" }, retry = { max = 0 } },
      ["secrets.T is no secret"] = { "j", cmd = { "x" }, secrets = { T = "plain" } },
      ["'not a name' is no name of an environment variable"] = { "j", cmd = { "x" },
        secrets = { ["not a name"] = secret.new("t", "v") } },
      ["T stands in both env and secrets"] = { "j", cmd = { "x" }, env = { T = "1" }, secrets = { T = secret.new("t", "v") } },
    } do
      assert.matches(text, refused(spec).message, 1, true)
    end
    assert.matches("did you mean 'cmd'", refused({ "j", cmdd = { "x" } }).hint)
    assert.matches("did you mean 'node'", refused({ "j", cmd = { "x" }, retry = { on = { "nodes" } } }).hint)
  end)

  it("passes no secret where other users could read it", function()
    local s = secret.new("t", "hush-hush-hush")
    assert.matches("every user of the machine can read", refused({ "j", cmd = { "x", s } }).message)
    assert.matches("move it to secrets", refused({ "j", cmd = { "x" }, env = { T = s } }).hint)
  end)

  it("takes words and values of 64 KiB and refuses longer ones", function()
    local longest = ("x"):rep(64 * 1024)
    assert.equal(longest, jobs.check({ "j", cmd = { longest }, env = { A = longest } }).env.A)
    assert.matches("65537 bytes", refused({ "j", cmd = { longest .. "x" } }).message)
    assert.matches("env.A has 65537 bytes", refused({ "j", cmd = { "x" }, env = { A = longest .. "x" } }).message)
  end)
end)

describe("output in pieces", function()
  local function split(pieces)
    local got = {}
    local l = lines.new(function(stream, text) got[#got + 1] = stream .. ":" .. text end)
    for _, piece in ipairs(pieces) do l:feed("0", piece) end
    return got, l
  end

  it("is made lines, wherever the pieces end", function()
    local text = "one\n\ntwo\r\nthree\nfour"
    for size = 1, #text do
      local pieces = {}
      for at = 1, #text, size do pieces[#pieces + 1] = text:sub(at, at + size - 1) end
      local got, l = split(pieces)
      assert.same({ "0:one", "0:", "0:two\r", "0:three" }, got)
      assert.equal(4, l:waiting "0")
      l:finish()
      assert.equal("0:four", got[5])
      assert.equal(0, l:waiting "0")
    end
  end)

  it("keeps the lines of several streams apart", function()
    local got = {}
    local l = lines.new(function(stream, text) got[#got + 1] = stream .. text end)
    l:feed("a", "1")
    l:feed("b", "2\n")
    l:feed("a", "3\n")
    assert.same({ "b2", "a13" }, got)
  end)

  it("cuts a line that does not end, without keeping it, and goes on at the next", function()
    local chunk = ("x"):rep(100000)
    for _, pieces in ipairs { { chunk, chunk, chunk .. "\nnext\n" }, { chunk .. chunk .. "\nnext\n" }, { "a", chunk, "\n", "next\n" } } do
      local got = split(pieces)
      assert.equal(2, #got)
      assert.equal(2 + lines.LONGEST + #lines.CUT, #got[1])
      assert.equal(lines.CUT, got[1]:sub(-#lines.CUT))
      assert.equal("0:next", got[2])
    end
    local got = split { ("x"):rep(lines.LONGEST) .. "\n" }
    assert.equal(2 + lines.LONGEST, #got[1])
  end)
end)
