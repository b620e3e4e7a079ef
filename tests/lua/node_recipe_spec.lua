--- recipes/node_check.lua as people run it, and checks that blame a node instead of the work.
local adt = require "adt"
local recipes = require "recipes"
local support = require "support"

local RECIPE = require("lfs").currentdir() .. "/recipes/node_check.lua"

local function load_recipe()
  return assert(loadfile(RECIPE))()
end

-- The stage isolate with a context that only notes what it is asked for.
local function isolate(nodes, params, upto)
  local acts, notes = {}, {}
  local ctx = { upto = upto, act = function(_, name, what) acts[#acts + 1] = { name, what.node, what.to, what.reason } end,
    note = function(_, text, ...) notes[#notes + 1] = text:format(...) end }
  load_recipe().isolate(ctx, params, { run = { nodes = nodes } })
  return acts, notes
end

local function node(name, severity, state)
  local ok = severity == "PASS" or severity == "MONITOR"
  return { node = name, severity = severity, ok = ok, state = state or "idle", reason = (severity or "no answer") .. " x" }
end

describe("the recipe node_check", function()
  it("passes a machine without accelerators when none are wanted, and keeps the answers", function()
    local home <close> = recipes.home()
    local r = home:run { RECIPE, "--profile", "none" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    local file = r.stdout:match "the answers are in (%S+)"
    local kept = adt.json.decode(support.read(file))
    assert.same({ 1, "node_check", "none" }, { kept.v, kept.answers[1].report.kind, kept.answers[1].report.profile })
  end)

  it("ends with 7 and the reason for a node that is not what it should be", function()
    local home <close> = recipes.home()
    local r = home:run { RECIPE, "--profile", "p5.48xlarge", "--mounts", "/nowhere" }
    assert.equal(7, r.code, r.stdout .. r.stderr)
    assert.matches("FAILED +%S+ is fit for work: ISOLATE GPU count: 0, expected 8", r.stdout)
    -- It acts on nothing by itself.
    assert.is_nil(home:journal():find("drain", 1, true))
  end)

  it("refuses a node that the target does not have", function()
    local home <close> = recipes.home()
    local r = home:run { RECIPE, "--nodes", "nobody" }
    assert.equal(2, r.code)
    assert.matches("the target has no node 'nobody'", r.stderr)
  end)

  it("drains nobody unless it is told to", function()
    assert.same({}, (isolate({ node("a", "ISOLATE") }, { isolate = false, at_most = 1 })))
  end)

  it("drains the sickest, at most so many, by its flag or by the stage's name, and names the rest", function()
    local nodes = {
      node("a", "DRAIN"), node("b", "ISOLATE"), node("c", "MONITOR"), node("d", "REBOOT"), node "e",
      node("f", "ISOLATE", "DRAINED"),
    }
    local acts, notes = isolate(nodes, { isolate = true, at_most = 1 })
    assert.same({ { "drain-b", "b", "drain", "ISOLATE x" } }, acts)
    assert.same({ "d is left as it is, since 1 drained at most: REBOOT x", "a is left as it is, since 1 drained at most: DRAIN x" }, notes)
    acts = isolate(nodes, { isolate = false, at_most = 2 }, "isolate")
    assert.same({ "b", "d" }, { acts[1][2], acts[2][2] })
    assert.same({}, (isolate(nodes, { isolate = true, at_most = 0 })))
  end)
end)

describe("a check of a node", function()
  local function run(text)
    local home <close> = recipes.home()
    local head = 'return require("adt").recipe { name = "r", validate = function(ctx) '
    local path = home:write("work/r.lua", head .. text .. " end }")
    local r = home:run { path, "--report-junit", "junit.xml" }
    local file = io.open(home.work .. "/junit.xml")
    local junit = file and file:read "a" or ""
    if file then file:close() end
    return r, junit
  end

  it("that fails ends the run with 7", function()
    local r, junit = run 'ctx:check("n1 is fit", false, "Xid 79", { cause = "node" }) ctx:check("b", true)'
    assert.equal(7, r.code, r.stderr)
    assert.matches('failures="1" errors="0"', junit)
    assert.matches('type="node"', junit)
  end)

  it("that fails beside a check of the work leaves it at 8", function()
    assert.equal(8, (run 'ctx:check("n1 is fit", false, 1, { cause = "node" }) ctx:check("b", false)').code)
  end)

  it("that holds changes nothing", function()
    assert.equal(0, (run 'ctx:check("n1 is fit", true, 1, { cause = "node" })').code)
    assert.equal(8, (run 'ctx:check("n1 is fit", true, 1, { cause = "node" }) ctx:check("b", false, 1, { cause = "check" })').code)
  end)

  it("of an unknown cause or option is refused", function()
    assert.equal(2, (run 'ctx:check("a", true, 1, { cause = "moon" })').code)
    assert.equal(2, (run 'ctx:check("a", true, 1, { casue = "node" })').code)
  end)
end)
