--- Credentials that a cluster does not take, names that no shell or scheduler likes, and nodes that are acted on.
local fs = require "adt.fs"
local lfs = require "lfs"
local process = require "adt.process"
local scenes = require "slurmscene"
local support = require "support"

local c, up, down, needed = scenes.shared { nodes = 3, conf = { MessageTimeout = 3 } }

local function said(r)
  return r.stdout .. r.stderr
end

-- The cluster's configuration with another socket of munge.
local function with_socket(s, socket)
  local conf = support.read(c.env.SLURM_CONF):gsub("AuthInfo=[^\n]+", function() return "AuthInfo=socket=" .. socket end)
  support.write(s:path_of "slurm.conf", conf)
  return { SLURM_CONF = s:path_of "slurm.conf" }
end

local function munged(s)
  support.run { "/bin/sh", "-c", 'umask 077; head -c 128 /dev/urandom >"$0"', s:path_of "munge.key" }
  os.execute("chmod 755 " .. support.quote(s.path))
  local p = process.spawn { "munged", "--foreground", "--socket=" .. s:path_of "munge.sock", "--key-file=" .. s:path_of "munge.key",
    "--pid-file=" .. s:path_of "munge.pid", "--log-file=" .. s:path_of "munge.log", "--seed-file=" .. s:path_of "munge.seed",
    "--origin=127.0.0.1", stdout = "null", stderr = { file = s:path_of "munge.err" }, dies_with_parent = true }
  scenes.eventually(5, "munged listens", function() return lfs.attributes(s:path_of "munge.sock") end)
  return setmetatable({}, { __close = function() p:kill() p:wait() p:close() end })
end

local function refused(s, env, ...)
  local r = s:run { "./one.lua", env = env, before = "timeout 60" }
  assert.equal(3, r.code, said(r))
  for _, text in ipairs { ... } do
    assert.is_truthy(r.stderr:find(text, 1, true), ("not said: %s\nbut: %s"):format(text, r.stderr))
  end
end

local function node(name)
  return (c:output("sinfo", "-h", "-N", "-p", "main", "-n", name, "-o", "%T %E"):gsub("%*", ""))
end

setup(up)
teardown(down)

describe("munge", function()
  before_each(function() needed(pending) end)

  it("with another key is refused as such, and the run goes on when it has the cluster's", function()
    local s <close> = scenes.new(c, "mem: 50M")
    s:job "true"
    local other <close> = munged(s)
    refused(s, with_socket(s, s:path_of "munge.sock"), "slurmctld hangs up on us", "munged here must have the cluster's key", "clocks")
    local r = s:run { "resume", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
    assert.is_table(other)
  end)

  it("that does not run is refused as such, and so is one that goes away while a job runs, which is not failed by it", function()
    local s <close> = scenes.new(c, "mem: 50M")
    s:job(("while [ ! -e %s ]; do sleep 0.1; done"):format(s:path_of "go"))
    local env = with_socket(s, s:path_of "none.sock")
    refused(s, env, "Munge encode failed", "munged must run here")
    local p = s:start { "resume", "last", env = with_socket(s, s:path_of "link.sock") }
    assert.equal(3, p:wait().code)
    fs.symlink(c.env.PEER_MUNGE_SOCKET, s:path_of "link.sock")
    p = s:start { "resume", "last", env = env and with_socket(s, s:path_of "link.sock") }
    scenes.eventually(20, "it runs", function() return s:starts() == 1 end)
    os.remove(s:path_of "link.sock")
    local r = p:wait(30)
    assert.equal(3, r.code, said(r))
    assert.not_matches("job 'train' failed", said(r))
    support.write(s:path_of "go", "")
    r = s:run { "resume", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.equal(1, s:starts())
  end)

  it("with clocks that disagree is refused as such", function()
    pending "a clock is the machine's: munged cannot be given another, and a credential lives for 5 minutes at least"
  end)
end)

describe("texts that mean something elsewhere", function()
  before_each(function() needed(pending) end)

  it("reach the program as they are: quotes, newlines, dollars, in words, environment and parameters", function()
    local s <close> = scenes.new(c, "mem: 50M")
    local odd = "it's \"odd\"\n$(touch pwned) `id` \\n #SBATCH --nodes=99\n%s *"
    s:recipe("odd.lua", [[
local adt = require "adt"
return adt.recipe { name = "odd", params = { text = adt.string {} }, run = function(ctx, p)
  ctx:job({ "tr.ain-1_x", cmd = { "sh", "-c", 'printf %s "$1" >word; printf %s "$ODD" >env', "sh", p.text }, env = { ODD = p.text } }):wait()
end }
]])
    local r = s:run { "./odd.lua", "--text", odd, before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    for _, name in ipairs { "word", "env" } do
      assert.equal(odd, support.read(s:folder() .. "/jobs/tr.ain-1_x-1/" .. name))
    end
    assert.is_nil(lfs.attributes(s:folder() .. "/jobs/tr.ain-1_x-1/pwned"))
  end)

  it("are refused as a job's name, and on a #SBATCH line, before anything is created", function()
    local s <close> = scenes.new(c)
    for _, name in ipairs { "a b", "a'b", "$(id)", "a\nb", "--wrap", "" } do
      s:recipe("name.lua", ([[
local adt = require "adt"
return adt.recipe { name = "name", run = function(ctx) ctx:job({ %q, cmd = { "true" } }):wait() end }
]]):format(name))
      local r = s:run { "./name.lua", before = "timeout 60" }
      assert.equal(2, r.code, said(r))
      assert.matches("a job needs a name of letters", r.stderr)
    end
    s:job("true", 'slurm = { constraint = "a b" }')
    local r = s:run { "./one.lua", before = "timeout 60" }
    assert.equal(2, r.code, said(r))
    assert.matches("characters that a #SBATCH line cannot carry safely", r.stderr)
    s:target 'partition: "ma in"'
    r = s:run { "./one.lua", before = "timeout 60" }
    assert.equal(3, r.code, said(r))
    assert.matches("adtlua.yaml:2: target 'cluster'", r.stderr)
    assert.same({}, c:jobs())
  end)

  it("in the path of the state folder are refused before anything is submitted, saying what to do", function()
    local s <close> = scenes.new(c)
    s:job "true"
    for _, name in ipairs { "with blank", "with'quote", "with$dollar", "with%j" } do
      local r = s:run { "./one.lua", env = { XDG_STATE_HOME = s:path_of(name) }, before = "timeout 60" }
      assert.equal(3, r.code, said(r))
      assert.matches("set XDG_STATE_HOME to a path of letters", r.stderr)
      assert.same({}, fs.glob(s:path_of(name) .. "/adtlua/runs/*/jobs"))
    end
    s:target "shared: /srv/fsx"
    local r = s:run { "./one.lua", before = "timeout 60" }
    assert.equal(3, r.code, said(r))
    assert.matches("does not lie below /srv/fsx; set XDG_STATE_HOME=/srv/fsx/state", r.stderr)
    assert.equal(0, s:starts())
    assert.same({}, c:jobs())
  end)
end)

describe("ctx:act on a node", function()
  before_each(function() needed(pending) end)
  after_each(function() c:run { "scontrol", "update", "nodename=n1,n2,n3", "state=resume" } end)

  local function acts(s, text)
    s:recipe("act.lua", ([[
local adt = require "adt"
return adt.recipe { name = "act", run = function(ctx) ctx:act("isolate", { %s }) end }
]]):format(text))
    return s:run { "./act.lua", before = "timeout 60" }
  end

  it("drains it with its reason, and down brings it back", function()
    local s <close> = scenes.new(c)
    local r = acts(s, 'node = "n2", to = "drain", reason = "slow: 0.4x of the others"')
    assert.equal(0, r.code, said(r))
    assert.equal("drained slow: 0.4x of the others", node "n2")
    r = s:run { "resume", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    r = s:run { "./act.lua", "down", "-y", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.equal("idle none", node "n2")
  end)

  it("leaves it as it is on down when somebody has drained it for another reason meanwhile", function()
    local s <close> = scenes.new(c)
    assert.equal(0, acts(s, 'node = "n2", to = "drain", reason = "slow"').code)
    c:output("scontrol", "update", "nodename=n2", "state=drain", "reason=burnt")
    local r = s:run { "./act.lua", "down", "-y", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.matches("node n2 is not drained for our reason any more", said(r))
    assert.equal("drained burnt", node "n2")
  end)

  it("is refused without a reason, on an unknown node, and for what Slurm cannot do", function()
    local s <close> = scenes.new(c)
    local r = acts(s, 'node = "n2", to = "drain"')
    assert.equal(2, r.code, said(r))
    assert.matches("say why", r.stderr)
    r = acts(s, 'node = "n99", to = "drain", reason = "x"')
    assert.equal(2, r.code, said(r))
    assert.matches("there is no node 'n99'", r.stderr)
    r = acts(s, 'node = "n2", to = "replace", reason = "x"')
    assert.equal(2, r.code, said(r))
    assert.matches("cannot replace a node", r.stderr)
    assert.equal("idle none", node "n2")
  end)

  it("is found again when the program was killed between", function()
    local s <close> = scenes.new(c)
    s:recipe("act.lua", [[
local adt = require "adt"
return adt.recipe { name = "act", run = function(ctx) ctx:act("isolate", { node = "n3", to = "drain", reason = "slow" }) end }
]])
    local killed
    for point = 1, 12 do
      local r = s:run { "./act.lua", env = { ADTLUA_FAULT = "journal.before:kill:" .. point }, before = "timeout 60" }
      killed = node "n3" == "drained slow" and r.code == 137
      if killed or r.code == 0 then break end
    end
    assert.is_true(killed, "never killed between the drain and its record")
    c:output("scontrol", "update", "nodename=n1", "state=drain", "reason=other")
    local r = s:run { "resume", "last", before = "timeout 60" }
    assert.equal(0, r.code, said(r))
    assert.matches("found +isolate", r.stdout)
    assert.equal("drained slow", node "n3")
  end)
end)
