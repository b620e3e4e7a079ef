--- The private Slurm clusters of tests/peers/slurm: what specs that use them rely on.
local cluster = require "cluster"
local json = require "adt.json"
local lfs = require "lfs"
local support = require "support"
local system = require "system"

local UP, DOWN = "tests/peers/slurm/up", "tests/peers/slurm/down"

-- The value that f returns once it is true; fails when it never is.
local function eventually(seconds, what, f)
  local deadline = system.monotime() + seconds
  while true do
    local value = f()
    if value then
      return value
    end
    if system.monotime() > deadline then
      error(("after %g s still not: %s"):format(seconds, what), 2)
    end
    system.sleep(0.05)
  end
end

local function words_of(pid, file)
  local handle <close> = io.open("/proc/" .. pid .. "/" .. file, "rb")
  return handle and handle:read "a" or ""
end

-- Zombies aside, whose words read empty.
local function lives(pid)
  return words_of(pid, "cmdline") ~= ""
end

-- The processes that carry this cluster in their environment, and its keeper.
local function processes_of(dir)
  local found = {}
  for pid in lfs.dir "/proc" do
    if pid:find "^%d+$" then
      local words = words_of(pid, "cmdline")
      if words_of(pid, "environ"):find("SLURM_CONF=" .. dir .. "/etc/slurm.conf\0", 1, true)
        or words:find("/keeper\0" .. dir .. "\0", 1, true) then
        found[#found + 1] = pid .. " " .. words:gsub("%z", " ")
      end
    end
  end
  return table.concat(found, "\n")
end

local function nothing_left(dir)
  return lfs.attributes(dir) == nil and processes_of(dir) == ""
end

-- A batch job that runs until it is ended; below it a process that has thrown its environment away. Both pids.
local function endless_job(c, ...)
  local pids = c.dir .. "/job.pids"
  os.remove(pids)
  local words = { "sbatch", "--parsable", "-D", "/", "-o", "/dev/null", "--wrap",
    ("env -i setsid sleep 1000 & echo $$ $! >%s.new; mv %s.new %s; wait"):format(pids, pids, pids), ... }
  local id = c:output(table.unpack(words))
  eventually(10, "the job runs", function() return lfs.attributes(pids) end)
  local script, child = support.read(pids):match "(%d+) (%d+)"
  return id, script, child
end

local function state_of(c, id)
  local jobs = c:jobs("-t", "all", "-j", id)
  return jobs[1] and jobs[1].state
end

local function node_state(c, node)
  return c:output("sinfo", "-h", "-N", "-p", "main", "-n", node, "-o", "%T")
end

-- With Slurm's own 10 s for a message a node is lost after 25 s.
local IMPATIENT = { SlurmdTimeout = 2, MessageTimeout = 2, TCPTimeout = 1 }

local function lines(text)
  local n = 0
  for _ in text:gmatch "[^\n]+" do n = n + 1 end
  return n
end

local why = cluster.missing { acct = "dbd", rest = true }
local function needs_slurm()
  if why then
    pending(why)
  end
end

describe("private Slurm clusters", function()
  before_each(needs_slurm)

  it("run side by side, each on all of its nodes, and know nothing of each other's jobs", function()
    local a <close> = cluster.start { nodes = 4 }
    local b <close> = cluster.start { nodes = 2 }
    assert.equal("n1\nn2\nn3\nn4", a:output("sh", "-c", "srun -N4 printenv SLURMD_NODENAME | sort"))
    assert.equal("n1\nn2", b:output("sh", "-c", "srun -N2 printenv SLURMD_NODENAME | sort"))
    endless_job(a, "-J", "alone")
    assert.equal("alone", a:jobs()[1].name)
    assert.same({}, b:jobs())
  end)

  it("start at the same time on ports of their own, which no client is ever given", function()
    local dir <close> = support.tempdir()
    local result = support.run { "sh", "-c", [[
      for i in 1 2 3; do
        "$0" "$1/$i" 2 >/dev/null || echo "failed: $i" &
      done
      wait
      for i in 1 2 3; do
        ( . "$1/$i/env" && srun -N2 true && echo "$PEER_CTLD_PORT" )
        "$2" "$1/$i" --wipe
      done]], UP, tostring(dir), DOWN }
    local low, high = support.read("/proc/sys/net/ipv4/ip_local_port_range"):match "(%d+)%s+(%d+)"
    local ports = {}
    for line in result.stdout:gmatch "[^\n]+" do
      local port = assert(math.tointeger(tonumber(line)), result.stdout .. result.stderr)
      assert.is_true(port + 4 < tonumber(low) or port > tonumber(high), line)
      for _, other in ipairs(ports) do
        assert.is_true(math.abs(port - other) >= 5, result.stdout)
      end
      ports[#ports + 1] = port
    end
    assert.equal(3, #ports, result.stderr)
  end)

  it("hold their ports while their controller is stopped", function()
    local c <close> = cluster.start { nodes = 1 }
    c:ctl "stop-controller"
    local dir <close> = support.tempdir()
    local second = support.run { UP, dir / "second", "1", env = { PORT = c.env.PEER_CTLD_PORT } }
    assert.equal(75, second.code)
    assert.matches("is taken", second.stderr)
    c:ctl "start-controller"
    assert.same({}, c:jobs())
  end)

  it("say which package is missing, and touch nothing then", function()
    local dir <close> = support.tempdir()
    local result = support.run { UP, dir / "c", env = { ACCT = "dbd",
      ["BASH_FUNC_command%%"] = '() { [ "$2" != mariadbd ] && [ "$2" != slurmctld ]; }' } }
    assert.equal(69, result.code)
    assert.equal("up: not installed: mariadb-server slurmctld\n", result.stderr)
    assert.is_nil(lfs.attributes(dir / "c"))
  end)

  it("are refused where something else lies, where others cannot enter, and with words that mean nothing", function()
    local dir <close> = support.tempdir()
    support.write(dir / "mine", "")
    assert.equal(73, support.run({ UP, tostring(dir) }).code)
    assert.equal(66, support.run({ DOWN, tostring(dir), "--wipe" }).code)
    assert.is_table(lfs.attributes(dir / "mine"))
    assert(lfs.mkdir(dir / "closed"))
    assert.equal(0, support.run({ "chmod", "700", dir / "closed" }).code)
    local closed = support.run { UP, dir / "closed/c" }
    assert.equal(77, closed.code)
    assert.matches("cannot enter .*/closed: choose", closed.stderr)
    assert.equal(64, support.run({ UP, dir / "c", "none" }).code)
    assert.equal(64, support.run({ UP, dir / "c", env = { ACCT = "maybe" } }).code)
    assert.has_error(function() cluster.start { node = 4 } end)
  end)

  it("take lines for slurm.conf in place of the defaults, and words for single nodes", function()
    local c <close> = cluster.start { nodes = 2, gpus = 0, conf = { MinJobAge = 7, KillWait = 9, "PartitionName=spare Nodes=n2" },
      node_extra = { "Weight=5", n2 = "Features=big" } }
    local result = c:run { "scontrol", "show", "config" }
    assert.equal("", result.stderr)
    assert.matches("MinJobAge%s+= 7 sec", result.stdout)
    assert.matches("KillWait%s+= 9 sec", result.stdout)
    assert.equal("n2", c:output("srun", "-p", "spare", "-C", "big", "printenv", "SLURMD_NODENAME"))
    assert.equal("n1 5\nn2 5", c:output("sinfo", "-h", "-N", "-p", "main", "-o", "%N %w"))
  end)

  it("that cannot start say why, and leave no process", function()
    local dir <close> = support.tempdir()
    local result = support.run { UP, dir / "c", "1", env = { CONF_EXTRA = "SelectType=select/nonsense" } }
    assert.equal(70, result.code)
    assert.matches("slurmctld did not come up", result.stderr)
    assert.matches("select/nonsense", result.stderr)
    assert.equal("", processes_of(dir / "c"))
    assert.equal(0, support.run({ DOWN, dir / "c", "--wipe" }).code)
    assert.is_nil(lfs.attributes(dir / "c"))
  end)

  it("refuse a minute too much on the partition short", function()
    local c <close> = cluster.start { nodes = 1, conf = { EnforcePartLimits = "ALL" } }
    local result = c:run { "srun", "-p", "short", "-t", "2", "true" }
    assert.equal(1, result.code)
    assert.matches("time limit", result.stderr)
    assert.equal("", c:output("srun", "-p", "short", "-t", "1", "true"))
  end)
end)

describe("a private Slurm cluster's end", function()
  before_each(needs_slurm)

  it("leaves nothing: no daemon, no job, no child without an environment, no file", function()
    local c <close> = cluster.start { nodes = 2 }
    local _, script, child = endless_job(c)
    c:ctl("stop-node", "n2")
    assert.is_true(lives(script) and lives(child))
    c:close()
    assert.is_true(nothing_left(c.dir), processes_of(c.dir))
    assert.is_false(lives(script) or lives(child))
    c:close()
  end)

  it("comes by itself when the owner is killed, with the clients", function()
    local owner = support.run({ "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!" }).stdout:match "%d+"
    local c <close> = cluster.start { nodes = 2, owner = owner }
    local _, script, child = endless_job(c)
    c:run { "sh", "-c", "setsid srun -n1 sleep 1000 >/dev/null 2>&1 </dev/null &" }
    eventually(5, "the step runs", function() return #c:jobs("-t", "RUNNING") == 2 end)
    support.run { "kill", "-KILL", owner }
    eventually(5, "all is gone", function() return nothing_left(c.dir) end)
    assert.is_false(lives(script) or lives(child))
  end)

  it("comes by itself however far the start had come", function()
    local dir <close> = support.tempdir()
    for _, seconds in ipairs { "0.1", "0.8" } do
      local there = dir / seconds
      support.run { "sh", "-c", [[
        setsid sleep 1000 >/dev/null 2>&1 & owner=$!
        OWNER=$owner ACCT=dbd setsid "$0" "$1" 2 >/dev/null 2>&1 & up=$!
        sleep "$2"
        kill -KILL $owner $up]], UP, there, seconds }
      eventually(10, "all is gone", function() return nothing_left(there) end)
    end
  end)

  it("spares strangers, and without --wipe keeps the state for the next start", function()
    local dir <close> = support.tempdir()
    local there = dir / "c"
    local stranger = support.run({ "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!" }).stdout:match "%d+"
    assert.equal(0, support.run({ UP, there, "1" }).code)
    local env = { SLURM_CONF = there .. "/etc/slurm.conf" }
    assert.equal("1\n", support.run({ "sbatch", "--parsable", "-H", "--wrap", "true", env = env }).stdout)
    -- As if the number had been given to another process since.
    support.write(there .. "/run/n1.pid", stranger .. "\n")
    support.run { "sh", "-c", "kill -KILL $(pgrep -f \"slurmd -D -N n1\" | while read p; do "
      .. "tr '\\0' '\\n' </proc/$p/environ | grep -qx SLURM_CONF=$0/etc/slurm.conf && echo $p; done)", there }
    assert.equal(0, support.run({ DOWN, there }).code)
    assert.equal("", processes_of(there))
    assert.is_true(lives(stranger))
    support.run { "kill", "-KILL", stranger }
    assert.equal(0, support.run({ UP, there, "1" }).code)
    assert.equal("1 PENDING\n", support.run({ "squeue", "-h", "-o", "%i %T", env = env }).stdout)
    assert.equal(73, support.run({ UP, there, "1" }).code)
    assert.equal(0, support.run({ DOWN, there, "--wipe" }).code)
    assert.is_true(nothing_left(there), processes_of(there))
  end)
end)

describe("a private Slurm cluster's daemons", function()
  before_each(needs_slurm)

  it("can be stopped and started: jobs outlive their controller", function()
    local c <close> = cluster.start { nodes = 1 }
    local id = endless_job(c)
    c:ctl "stop-controller"
    c:ctl "start-controller"
    assert.equal("RUNNING", state_of(c, id))
    c:ctl "kill-controller"
    c:ctl "start-controller"
    assert.equal("RUNNING", state_of(c, id))
  end)

  it("forget all jobs when the state is wiped, which a running controller does not allow", function()
    local c <close> = cluster.start { nodes = 1 }
    c:output("sbatch", "-H", "--wrap", "true")
    assert.has_error(function() c:ctl "wipe-state" end)
    assert.equal(1, #c:jobs())
    c:ctl "kill-controller"
    c:ctl "wipe-state"
    c:ctl "start-controller"
    assert.same({}, c:jobs())
  end)

  it("run a requeued job again", function()
    local c <close> = cluster.start { nodes = 1 }
    local id, first = endless_job(c, "--requeue")
    c:output("scontrol", "requeue", id)
    eventually(10, "the first run is over", function() return not lives(first) end)
    local job = eventually(10, "it waits", function()
      local job = c:jobs("-j", id)[1]
      return job and job.state == "PENDING" and job
    end)
    assert.equal("BeginTime", job.reason)
    -- Slurm would wait for two minutes, and sets them anew when the first run's last traces are gone.
    eventually(20, "it runs again", function()
      c:run { "scontrol", "update", "jobid=" .. id, "starttime=now" }
      return state_of(c, id) == "RUNNING"
    end)
    assert.matches("Restarts=1", c:output("scontrol", "show", "job", id))
  end)

  it("of nodes can be frozen, whose jobs go on, or killed with all that runs there; both are lost and come back", function()
    local c <close> = cluster.start { nodes = 3, conf = IMPATIENT }
    local _, frozen = endless_job(c, "-w", "n1")
    local id, script, child = endless_job(c, "--requeue", "-w", "n2")
    c:ctl("stop-node", "n1")
    c:ctl("kill-node", "n2")
    assert.is_false(lives(script) or lives(child))
    assert.equal("n3", c:output("srun", "-w", "n3", "printenv", "SLURMD_NODENAME"))
    eventually(30, "the nodes are lost", function() return node_state(c, "n1") == "down*" and node_state(c, "n2") == "down*" end)
    assert.is_true(lives(frozen))
    assert.equal("PENDING", state_of(c, id))
    c:ctl("cont-node", "n1")
    c:ctl("start-node", "n2")
    eventually(15, "n1 and n2 are back", function() return node_state(c, "n1,n2"):find "^idle\nidle$" end)
  end)
end)

describe("a private Slurm cluster with accounting and REST", function()
  local c

  setup(function()
    if not why then
      c = cluster.start { nodes = 2, acct = "dbd", rest = true }
    end
  end)
  teardown(function()
    if c then
      c:close()
      assert.is_true(nothing_left(c.dir), processes_of(c.dir))
    end
  end)
  before_each(needs_slurm)

  local function sacct(id)
    return c:output("sacct", "-X", "-n", "-P", "-j", id, "-o", "state,exitcode,account,comment")
  end

  local function rest(words)
    local command = { "curl", "-sS", "--max-time", "10", table.unpack(words) }
    return json.decode(c:output(table.unpack(command)))
  end

  local function by_token(path, ...)
    local user = c.env.PEER_REST_USER
    local token = c:output("scontrol", "token", "username=" .. user):match "SLURM_JWT=(.*)"
    return rest { "-H", "X-SLURM-USER-NAME: " .. user, "-H", "X-SLURM-USER-TOKEN: " .. token,
      c.env.PEER_REST_URL .. "/slurm/" .. c.env.PEER_REST_API .. path, ... }
  end

  it("has each job in sacct, with its comment", function()
    local id = c:output("sbatch", "--parsable", "--comment", "made here", "-D", "/", "-o", "/dev/null", "--wrap", "exit 3")
    eventually(15, "sacct knows its end", function() return sacct(id):find "^FAILED" end)
    assert.equal("FAILED|3:0|default|made here", sacct(id))
  end)

  it("refuses what the QOS tiny and the accounts do not allow", function()
    local big = c:run { "sbatch", "-q", "tiny", "-n", "3", "--wrap", "true" }
    assert.equal(1, big.code)
    assert.matches("QOSMaxCpuPerJobLimit", big.stderr)
    assert.equal(0, c:run({ "sbatch", "-q", "tiny", "-H", "--wrap", "true" }).code)
    assert.equal(0, c:run({ "sbatch", "-q", "tiny", "-H", "--wrap", "true" }).code)
    assert.matches("QOSMaxSubmitJobPerUserLimit", c:run({ "sbatch", "-q", "tiny", "-H", "--wrap", "true" }).stderr)
    c:output("scancel", "-q", "tiny")
    assert.matches("Invalid account", c:run({ "sbatch", "-A", "nobody's", "--wrap", "true" }).stderr)
  end)

  it("goes on without slurmdbd, and hands in what happened meanwhile", function()
    c:ctl "stop-dbd"
    local id = c:output("sbatch", "--parsable", "-D", "/", "-o", "/dev/null", "--wrap", "true")
    eventually(10, "it is over", function() return state_of(c, id) == "COMPLETED" end)
    c:ctl "start-dbd"
    eventually(20, "sacct knows it", function() return sacct(id):find "^COMPLETED" end)
  end)

  it("answers REST on the unix socket without a token", function()
    local answer = rest { "--unix-socket", c.env.PEER_REST_SOCKET, "http://slurm/slurm/" .. c.env.PEER_REST_API .. "/ping" }
    assert.equal("UP", answer.pings[1].ping)
    answer = rest { "--unix-socket", c.env.PEER_REST_SOCKET, "http://slurm/slurm/" .. c.env.PEER_REST_API .. "/nodes" }
    assert.equal(2, #answer.nodes)
  end)

  it("takes a job by REST with a token, as that user, and refuses a wrong one", function()
    local submitted = by_token("/job/submit", "-H", "Content-Type: application/json", "-d", json.encode {
      job = { name = "by-rest", ntasks = 1, nodes = 1, current_working_directory = "/tmp", environment = { PATH = "/bin:/usr/bin" },
        standard_output = "/dev/null" },
      script = "#!/bin/sh\nsleep 1000\n",
    })
    local id = assert(submitted.job_id, json.encode(submitted))
    eventually(10, "it runs", function() return by_token("/job/" .. id).jobs[1].job_state == "RUNNING" end)
    local job = c:jobs("-j", tostring(id))[1]
    assert.equal("by-rest", job.name)
    assert.equal(c.env.PEER_REST_USER, job.user)
    by_token("/job/" .. id, "-X", "DELETE")
    eventually(10, "it is cancelled", function() return state_of(c, tostring(id)) == "CANCELLED" end)
    local status = c:output("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "X-SLURM-USER-NAME: " .. c.env.PEER_REST_USER,
      "-H", "X-SLURM-USER-TOKEN: wrong", c.env.PEER_REST_URL .. "/slurm/" .. c.env.PEER_REST_API .. "/ping")
    assert.not_equal("200", status)
  end)

  it("runs a program on all nodes, as accounted", function()
    assert.equal(2, lines(c:output("srun", "-N2", "hostname")))
  end)
end)
