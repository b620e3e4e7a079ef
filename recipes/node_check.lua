--- Are the nodes fit for work? Asks each what it is made of and what its kernel has seen, judges it by its instance type,
--- compares the fleet with itself, and takes sick nodes out when it is told to; docs/recipes/node_check.md has the checks.
---
---   adtlua recipes/node_check.lua --mounts /fsx           look, change nothing; exit 7 when a node is sick
---   adtlua recipes/node_check.lua --mounts /fsx --isolate drain the sickest, at most one; `down` resumes it
local adt = require "adt"

-- What a node has to say, without its facts, which fill a file of their own.
local function summary_of(answer)
  local report = answer.report
  return { node = answer.node, busy = answer.busy, silent = answer.silent, garbage = answer.garbage, ok = report and report.ok or false,
    severity = report and report.severity, reason = report and report.reason or answer.busy or answer.silent or answer.garbage }
end

local function names_of(ctx, wanted)
  local states, names = {}, {}
  for _, node in ipairs(ctx.target:nodes()) do
    states[node.name] = node.state or "unknown"
    names[#names + 1] = node.name
  end
  for _, name in ipairs(wanted or {}) do
    if not states[name] then
      adt.error.raise { cause = "usage", code = "NoNode", message = ("the target has no node '%s'"):format(name),
        hint = "its nodes are " .. table.concat(names, ", ", 1, math.min(#names, 20)) }
    end
  end
  return wanted or names, states
end

local function question(p)
  local argv = { adt.process.self().exe, "node", "check", "-o", "json", "--profile", p.profile, "--within", p.within }
  for _, path in ipairs(p.mounts) do
    table.move({ "--mount", path }, 1, 2, #argv + 1, argv)
  end
  if p.speed then argv[#argv + 1] = "--speed" end
  if p.root then table.move({ "--root", p.root }, 1, 2, #argv + 1, argv) end
  return argv
end

local function by_badness(a, b)
  local worse = a.severity ~= b.severity and adt.node.severity.worse(a.severity, b.severity)
  return worse and worse == a.severity or not worse and a.node < b.node
end

return adt.recipe {
  name = "node_check", kind = "validation", api = 1,
  summary = "health of compute nodes: devices, network, driver, mounts, limits, clock, the kernel's log; the fleet against itself",
  stages = { "run", "isolate", "validate" },
  smallest = { profile = "none" },

  params = {
    nodes   = adt.hostlist { optional = true, help = "nodes to ask (default: all of the target)" },
    profile = adt.string { default = "auto", help = "instance type, auto (as each node says) or none" },
    mounts  = adt.list { of = adt.path {}, default = {}, help = "must be mounted, writable and answering on every node" },
    speed   = adt.bool { default = false, help = "write and read a file of 64 MiB on each of the mounts" },
    root    = adt.path { optional = true, help = "where a node's files lie, instead of /; %n in it is the node's name" },
    within  = adt.duration { default = "50s", min = "1s", help = "what one node may take" },
    isolate = adt.bool { default = false, help = "drain the nodes that must not take jobs" },
    at_most = adt.int { default = 1, min = 0, help = "nodes that isolate drains at most" },
  },

  -- 1. Ask every node, with a limit; who says nothing is silent, and never healthy.
  run = function(ctx, p)
    local names, states = names_of(ctx, p.nodes)
    return ctx:step("ask", { inputs = { nodes = names, question = question(p) } }, function()
      local answers = adt.node.fleet.read(ctx.target:exec(names, question(p), { timeout = p.within + 10, max_output = 4 << 20 }))
      local compared, nodes = adt.node.fleet.compare(answers), {}
      for i, answer in ipairs(answers) do
        nodes[i] = summary_of(answer)
        nodes[i].state = states[answer.node]
      end
      adt.fs.write(ctx.dir .. "/nodes.json", adt.json.encode({ v = 1, answers = answers, compared = compared }, { pretty = true }))
      return { nodes = nodes, differences = compared.differences }
    end)
  end,

  -- 2. Only when asked: drain the sickest, few at a time, so that a mistake here cannot empty the cluster. Silence is no
  --    reason: it may be ours.
  isolate = function(ctx, p, results)
    if not p.isolate and ctx.upto ~= "isolate" then return end
    local sick = {}
    for _, node in ipairs(results.run.nodes) do
      if node.severity and not node.ok and not node.state:lower():find "drain" then sick[#sick + 1] = node end
    end
    table.sort(sick, by_badness)
    for i, node in ipairs(sick) do
      if i <= p.at_most then
        ctx:act("drain-" .. node.node, { node = node.node, to = "drain", reason = node.reason })
      else
        ctx:note("%s is left as it is, since %d drained at most: %s", node.node, p.at_most, node.reason)
      end
    end
  end,

  -- 3. The verdict: each node answers and is fit. What differs within the fleet is told, and fails nothing by itself.
  validate = function(ctx, _, results)
    local rows, of_node, asked = {}, { cause = "node" }, 0
    for i, node in ipairs(results.run.nodes) do
      rows[i] = { node.node, node.state, node.severity or node.busy and "BUSY" or node.silent and "SILENT" or "GARBAGE", node.reason }
      if not node.busy then
        asked = asked + 1
        ctx:check(node.node .. " is fit for work", node.ok, node.reason, of_node)
      end
    end
    ctx:require("a node could be asked", asked > 0, ("%d of %d"):format(asked, #results.run.nodes))
    ctx:summary(adt.term.table(rows, { header = { "NODE", "STATE", "HEALTH", "REASON" } }))
    for _, difference in ipairs(results.run.differences) do
      ctx:note("%s", difference.text)
    end
    ctx:note("the answers are in %s/nodes.json", ctx.dir)
  end,
}
