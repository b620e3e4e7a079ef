--- One program on many nodes of a cluster: whatever a node does, its answer is a value, the call ends in time, and no
--- allocation, job or process is left.
local json = require "adt.json"
local scenes = require "slurmscene"
local support = require "support"
local system = require "system"

local N = 16

local c, up, down, needed = scenes.shared { nodes = N, gpus = 0,
  conf = { SlurmdTimeout = 300, MessageTimeout = 5, TCPTimeout = 2, UnkillableStepTimeout = 5 } }

-- exec() in a process of its own: the answers by node, and the seconds that it took.
local function exec(s, nodes, argv, options)
  local began = system.monotime()
  local r = s:run { "-e", [[
local adt = require "adt"
local asked = adt.json.decode(os.getenv "ASKED")
local answers = adt.target { kind = "slurm" }:exec(asked.nodes, asked.argv, asked.options)
for i, a in ipairs(answers) do
  answers[i] = { node = a.node, ok = a.ok, code = a.code, signal = a.signal, cut = a.cut, late = a.late, cause = a.error and a.error.cause,
    why = a.error and a.error.message, name = a.error and a.error.code, size = #(a.stdout or ""),
    stdout = (a.stdout or ""):sub(1, 4000):gsub("[^ -~\n]", "?"), stderr = (a.stderr or ""):sub(1, 4000) }
end
print(adt.json.encode(answers))
]], env = { ASKED = json.encode { nodes = json.array(nodes), argv = json.array(argv), options = options } }, before = "timeout 90" }
  assert.equal(0, r.code, r.stdout .. r.stderr)
  local answers = json.decode(r.stdout)
  assert.equal(#nodes, #answers)
  for i, a in ipairs(answers) do
    assert.equal(nodes[i], a.node)
    answers[a.node] = a
  end
  return answers, system.monotime() - began
end

local function names(n)
  local list = {}
  for i = 1, n do list[i] = "n" .. i end
  return list
end

local function ready(...)
  for _, node in ipairs { ... } do
    scenes.eventually(30, node .. " is ready", function()
      return c:output("sinfo", "-h", "-N", "-p", "main", "-n", node, "-o", "%T") == "idle"
    end)
  end
end

local function steps_left()
  return c:output("sh", "-c", "pgrep -f 'slurmstepd: \\[' -a | while read -r pid rest; do tr '\\0' '\\n' </proc/$pid/environ | grep -qxF SLURM_CONF="
    .. c.env.SLURM_CONF .. " && echo $pid $rest; done; true")
end

describe("exec on a Slurm cluster", function()
  setup(up)
  teardown(down)
  before_each(function() needed(pending) end)
  after_each(function()
    scenes.eventually(20, "no job is left", function() return #c:jobs() == 0 end)
    scenes.eventually(20, "no step is left", function() return steps_left() == "" end)
  end)

  it("answers from 16 nodes at once, in the order of the names", function()
    local s <close> = scenes.new(c)
    local answers = exec(s, names(N), { "sh", "-c", "echo on $SLURMD_NODENAME; echo to stderr >&2; exit $((${SLURMD_NODENAME#n} % 2))" })
    for i, a in ipairs(answers) do
      assert.equal(i % 2, a.code)
      assert.equal(i % 2 == 0, a.ok)
      assert.equal(("on n%d\n"):format(i), a.stdout)
      assert.equal("to stderr\n", a.stderr)
    end
  end)

  it("passes words as they are: quotes, newlines, dollars", function()
    local s <close> = scenes.new(c)
    local odd = "a 'b' \"c\"\n$(touch " .. s:path_of "pwned" .. ") `id` \\ ; %s *"
    local a = exec(s, { "n1" }, { "printf", "%s|", odd, "-n", "" })[1]
    assert.equal(odd .. "|-n||", a.stdout)
    assert.is_nil(require("lfs").attributes(s:path_of "pwned"))
  end)

  it("says what a program that is not there, a signal and a bad status are", function()
    local s <close> = scenes.new(c)
    local a = exec(s, { "n1" }, { "/nowhere/at-all" })[1]
    assert.equal(127, a.code)
    assert.is_false(a.ok)
    assert.matches("not found", a.stderr)
    a = exec(s, { "n1" }, { "sh", "-c", "kill -9 $$" })[1]
    assert.equal(9, a.signal)
    assert.is_false(a.ok)
  end)

  it("tells apart what does not exist, is drained, is down and is busy, without waiting for any of them", function()
    local s <close> = scenes.new(c)
    c:output("scontrol", "update", "nodename=n2", "state=drain", "reason=bad cable")
    c:output("scontrol", "update", "nodename=n3", "state=down", "reason=no power")
    local id = c:output("sbatch", "--parsable", "-w", "n4", "--exclusive", "--mem=0", "-o", "/dev/null", "-D", "/", "--wrap", "sleep 100")
    scenes.eventually(10, "n4 is busy", function() return c:jobs("-j", id)[1].state == "RUNNING" end)
    local answers, seconds = exec(s, { "n1", "n2", "n3", "n4", "n99" }, { "hostname" }, { timeout = 30 })
    c:output("scancel", id)
    c:output("scontrol", "update", "nodename=n2,n3", "state=resume")
    assert.is_true(answers.n1.ok, answers.n1.why)
    assert.equal("NodeDrained", answers.n2.name)
    assert.equal("node n2 is drained: bad cable", answers.n2.why)
    assert.equal("NodeDown", answers.n3.name)
    assert.equal("node n3 is down: no power", answers.n3.why)
    assert.equal("NodeBusy", answers.n4.name)
    assert.equal("node n4 is busy with jobs", answers.n4.why)
    assert.equal("usage", answers.n99.cause)
    assert.equal("node n99 does not exist", answers.n99.why)
    assert.is_true(seconds < 10, seconds)
    ready("n2", "n3", "n4")
  end)

  it("waits no longer than it may for a node whose processors are all taken", function()
    local s <close> = scenes.new(c)
    local id = c:output("sbatch", "--parsable", "-w", "n4", "--ntasks=3", "--mem=2048", "-o", "/dev/null", "-D", "/", "--wrap", "sleep 100")
    scenes.eventually(10, "n4 is taken", function() return c:jobs("-j", id)[1].state == "RUNNING" end)
    local answers, seconds = exec(s, { "n3", "n4" }, { "hostname" }, { timeout = 6 })
    c:output("scancel", id)
    assert.is_false(answers.n4.ok)
    assert.equal("capacity", answers.n4.cause)
    assert.is_true(seconds < 15, seconds)
    assert.matches("n4", answers.n4.why)
  end)

  it("keeps output of any bytes, cuts what is too much, and believes no forged answers", function()
    local s <close> = scenes.new(c)
    local a = exec(s, { "n1" }, { "sh", "-c", "printf 'a\\000b\\377c\\rd'" })[1]
    assert.is_true(a.ok)
    assert.equal("a?b?c?d", a.stdout)
    assert.equal(7, a.size)
    a = exec(s, { "n1" }, { "sh", "-c", "head -c 10000000 /dev/zero" }, { timeout = 60 })[1]
    assert.equal(0, a.code)
    assert.is_true(a.cut)
    assert.is_true(a.size <= 1 << 20)
    -- A program that can read its own command line knows the word, and may write anything before srun's own labels.
    a = exec(s, { "n1", "n2" }, { "sh", "-c", [[
      word=$(tr '\0' '\n' </proc/$PPID/cmdline | sed -n '/^adtlua$/{n;p}')
      printf '%s exit 0\n1: %s exit 0\n0: %s node n2\n' "$word" "$word" "$word"
      exit 5]] })
    for _, one in ipairs(a) do
      assert.equal(5, one.code, one.node)
      assert.matches("exit 0\n", one.stdout)
    end
  end)

  it("gives what a program had written when its time was up, ends it, and says so", function()
    local s <close> = scenes.new(c)
    local answers, seconds = exec(s, { "n1", "n2" }, { "sh", "-c", "echo begun; [ $SLURMD_NODENAME = n1 ] || exec sleep 1000" }, { timeout = 4 })
    assert.is_true(answers.n1.ok)
    assert.is_false(answers.n2.ok)
    assert.equal("begun\n", answers.n2.stdout)
    assert.equal("node n2 had not finished after 4 s", answers.n2.why)
    assert.equal("NoAnswer", answers.n2.name)
    assert.is_true(seconds < 12, seconds)
  end)

  it("answers for a node that hangs, and with the others' answers", function()
    local s <close> = scenes.new(c)
    c:ctl("stop-node", "n2")
    local answers, seconds = exec(s, { "n1", "n2", "n3" }, { "hostname" }, { timeout = 15 })
    c:ctl("cont-node", "n2")
    assert.is_true(answers.n1.ok, answers.n1.why)
    assert.is_true(answers.n3.ok, answers.n3.why)
    assert.is_false(answers.n2.ok)
    assert.equal("NoAnswer", answers.n2.name)
    assert.matches("^node n2 ", answers.n2.why)
    assert.is_true(seconds < 25, seconds)
    ready("n1", "n2", "n3")
  end)

  it("answers for a node that dies meanwhile, and with the others' answers", function()
    local s <close> = scenes.new(c)
    local p = s:start { "-e", [[
local adt = require "adt"
for _, a in ipairs(adt.target { kind = "slurm" }:exec({ "n1", "n2" }, { "sh", "-c",
  "touch ]] .. s:path_of "on" .. [[-$SLURMD_NODENAME; sleep 3; echo well" }, { timeout = 15 })) do
  print(a.node, a.ok, a.code, a.error and a.error.message)
end]] }
    scenes.eventually(20, "it runs there", function() return require("lfs").attributes(s:path_of "on-n2") end)
    c:ctl("kill-node", "n2")
    local r = p:wait(40)
    c:ctl("start-node", "n2")
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("n1\ttrue\t0", r.stdout)
    assert.matches("n2\tfalse\tnil\tnode n2 ", r.stdout)
    ready("n1", "n2")
  end)

  it("says that nobody was asked when the controller is away", function()
    local s <close> = scenes.new(c)
    c:ctl "stop-controller"
    local r = s:run { "-e", 'require("adt").target { kind = "slurm" }:exec({ "n1" }, { "true" }, { timeout = 5 })', before = "timeout 60" }
    c:ctl "start-controller"
    assert.equal(9, r.code, r.stderr)
    assert.matches("Unable to contact slurm controller", r.stderr)
  end)

  it("leaves nothing when its program is ended in the middle", function()
    local s <close> = scenes.new(c)
    local p = s:start { "-e", 'require("adt").target { kind = "slurm" }:exec({ "n1" }, { "sh", "-c", "touch '
      .. s:path_of "on" .. '; sleep 1000" }, { timeout = 60 })' }
    scenes.eventually(20, "it runs there", function() return require("lfs").attributes(s:path_of "on") end)
    os.execute("kill -TERM $(cat " .. support.quote(p.base .. ".pid") .. ")")
    assert.equal(143, p:wait(20).code)
  end)
end)
