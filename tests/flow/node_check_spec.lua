--- node_check on sixteen nodes of a live cluster, each with a stand-in tree of its own: one is sick, one says nothing.
local cluster = require "cluster"
local lfs = require "lfs"
local support = require "support"
local tree = require "sysfs_tree"

local RECIPE = require("adt.path").absolute "recipes/node_check.lua"
local NODES, SICK, SILENT = 16, "n7", "n12"

describe("node_check on a live cluster", function()
  local c, s, healthy, sick

  setup(function()
    if cluster.missing() then return end
    c, s = cluster.start { nodes = NODES, cpus = 2, mem = 1024, conf = { MessageTimeout = 3, TCPTimeout = 1 } }, support.scene()
    for name, value in pairs(c:environment()) do s.env[name] = value end
    support.write(s:path_of "adtlua.yaml", "targets:\n  here: { kind: slurm, patience: 10s }\n")
    healthy, sick = tree.p5(), tree.p5()
    sick:remove "/sys/bus/pci/devices/0000:53:00.0"
    lfs.mkdir(s:path_of "roots")
    for i = 1, NODES do
      local name = "n" .. i
      assert(lfs.link(name == SICK and sick.path or healthy.path, s:path_of "roots/" .. name, true))
    end
    c:ctl("stop-node", SILENT)
  end)

  teardown(function()
    if not c then return end
    c:ctl("cont-node", SILENT)
    c:close()
    for _, each in ipairs { healthy, sick, s } do getmetatable(each).__close(each) end
  end)

  local function go(...)
    return s:run { RECIPE, "--target", "here", "--within", "12s", "--root", s:path_of "roots/%n", "-y", ... }
  end

  -- Nodes take nothing while Slurm cleans up after the step that the silent node has spoilt.
  local function wait_until_clean()
    for _ = 1, 300 do
      if not c:output("sinfo", "-h", "-p", "main", "-o", "%T %N"):find "completing" then return end
      require("system").sleep(0.1)
    end
  end

  local function state_of(node)
    return c:output("sinfo", "-h", "-p", "main", "-n", node, "-o", "%T %E")
  end

  it("names the sick node and the silent one, and fails with exit 7", function()
    if not c then return pending(cluster.missing()) end
    local r = go()
    assert.equal(7, r.code, r.stdout .. r.stderr)
    assert.matches("FAILED +n7 is fit for work: .*GPU count: 7, expected 8", r.stdout)
    assert.matches("FAILED +n12 is fit for work: ", r.stdout)
    assert.matches("n12 +%S+ +SILENT", r.stdout)
    for i = 1, NODES do
      if i ~= 7 and i ~= 12 then assert.matches(("ok +n%d is fit for work"):format(i), r.stdout) end
    end
    assert.not_matches("drain", state_of(SICK))
    local nodes = require("adt.json").decode(support.read(s:folder() .. "/nodes.json"))
    assert.equal(NODES, #nodes.answers)
  end)

  it("drains the sick node when asked, with the reason, and down resumes it", function()
    if not c then return pending(cluster.missing()) end
    wait_until_clean()
    local r = go "--isolate"
    assert.equal(7, r.code, r.stdout .. r.stderr)
    assert.matches("^drain", state_of(SICK), nil, nil, r.stdout)
    assert.matches("GPU", state_of(SICK))
    assert.not_matches("drain", state_of "n1")
    assert.not_matches("drain", state_of(SILENT))
    wait_until_clean()
    r = go("--isolate", "down")
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.not_matches("drain", state_of(SICK))
  end)

  -- Slurm itself takes minutes to clean up on a node that was silent.
  it("leaves no job running or waiting", function()
    if not c then return pending(cluster.missing()) end
    assert.same({}, c:jobs("-t", "RUNNING,PENDING,SUSPENDED"))
  end)
end)

describe("`adtlua node check` as Slurm's HealthCheckProgram", function()
  it("drains the sick node by itself, with one line of reason, and leaves the healthy one", function()
    if cluster.missing() then return pending(cluster.missing()) end
    local dir <close> = support.tempdir()
    local healthy <close> = tree.p5()
    local sick <close> = tree.p5()
    sick:remove "/sys/bus/pci/devices/0000:53:00.0"
    assert(lfs.link(healthy.path, dir / "n1", true))
    assert(lfs.link(sick.path, dir / "n2", true))
    support.write(dir / "health", ([[
#!/bin/sh
# Not before the cluster has come up with both of its nodes.
[ -e %s/on ] || exit 0
# slurmd gives its script no variables; a private cluster's configuration lies nowhere else.
SLURM_CONF=$(tr '\0' '\n' </proc/$PPID/environ | sed -n 's/^SLURM_CONF=//p')
export SLURM_CONF
reason=$(%s node check --within 50 --root %s/%%n 2>&1 >/dev/null) ||
    scontrol update nodename="$SLURMD_NODENAME" state=drain reason="$reason"
]]):format(tostring(dir), support.program(), tostring(dir)))
    assert(os.execute(("chmod 755 %s %s"):format(tostring(dir), dir / "health")))
    local c <close> = cluster.start { nodes = 2, conf = { HealthCheckProgram = dir / "health", HealthCheckInterval = 5 } }
    support.write(dir / "on", "")
    local state
    for _ = 1, 300 do
      state = c:output("sinfo", "-h", "-p", "main", "-n", "n2", "-o", "%T %E")
      if state:find "^drain" then break end
      require("system").sleep(0.1)
    end
    assert.matches("^drained ISOLATE GPU count: 7, expected 8", state)
    assert.equal("idle", c:output("sinfo", "-h", "-p", "main", "-n", "n1", "-o", "%T"))
  end)
end)
