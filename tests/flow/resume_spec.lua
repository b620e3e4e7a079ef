--- Runs that are interrupted, owned, copied or damaged, and how they go on.
local fs = require "adt.fs"
local support = require "support"

local SIMPLE = [[
local adt = require "adt"
return adt.recipe { name = "simple", params = { n = adt.int { default = 1 } },
  run = function(ctx, p)
    ctx:step("one", function() return 1 end)
    ctx:step("two", { inputs = { n = p.n } }, function() return p.n end)
    return {}
  end,
  validate = function(ctx) ctx:check("it ran", true) end }
]]

describe("a run", function()
  it("of a recipe that has changed asks, or needs --changed", function()
    local s <close> = support.scene()
    s:recipe("simple.lua", SIMPLE)
    assert.equal(0, s:run({ "./simple.lua" }).code)
    s:recipe("simple.lua", SIMPLE .. "\n-- changed\n")
    local r = s:run { "resume", "last" }
    assert.equal(2, r.code)
    assert.matches("has changed since", r.stderr)
    assert.matches("%-%-changed", r.stderr)
    assert.equal(0, s:run({ "resume", "last", "--changed" }).code)
  end)

  it("drops a torn last line of its journal", function()
    local s <close> = support.scene()
    s:recipe("simple.lua", SIMPLE)
    assert.equal(0, s:run({ "./simple.lua" }).code)
    local file = s:folder() .. "/journal.ndjson"
    fs.append(file, '{"type":"ack","step":"to')
    local r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stderr)
    s:journal()
  end)

  it("with a damaged journal ends with the line that is damaged, and exit 3", function()
    local s <close> = support.scene()
    s:recipe("simple.lua", SIMPLE)
    assert.equal(0, s:run({ "./simple.lua" }).code)
    local file = s:folder() .. "/journal.ndjson"
    local text = support.read(file)
    support.write(file, (text:gsub("\n", "\n{broken\n", 1)))
    local r = s:run { "resume", "last" }
    assert.equal(3, r.code)
    assert.matches("journal.ndjson:2: the journal of this run is damaged", r.stderr)
    assert.equal(0, s:run({ "history" }).code)
  end)

  it("has one owner: a second process is refused, whatever it asks", function()
    local s <close> = support.scene()
    s:recipe("slow.lua", [[
local adt = require "adt"
return adt.recipe { name = "slow", run = function(ctx)
  ctx:step("wait", function()
    while not adt.fs.exists("go") do adt.sleep(0.01) end
    return 1
  end)
end }
]])
    local r = s:run { before = "", "-e", [[
local process, fs = require "adt.process", require "adt.fs"
local first <close> = process.spawn { process.self().exe, "./slow.lua", stdout = "null" }
local function journal() return fs.glob(os.getenv("XDG_STATE_HOME") .. "/adtlua/runs/*/journal.ndjson")[1] end
while not journal() or not fs.read(journal()):find '"intent"' do require("adt.task").sleep(0.01) end
local second = process.run { process.self().exe, "resume", "last", check = false }
print(second.code, second.stderr)
fs.write("go", "")
print(first:wait().code)
]] }
    assert.matches("^75\t.*belongs to process %d+ on .*which is alive", r.stdout)
    assert.matches("take%-over", r.stdout)
    assert.matches("\n0\n$", r.stdout)
  end)

  it("is a folder: copied elsewhere, it can be resumed from there", function()
    local s <close> = support.scene()
    s:recipe("simple.lua", SIMPLE)
    assert.equal(0, s:run({ "./simple.lua" }).code)
    fs.copy(s:folder(), s:path_of "copy")
    local r = s:run { "resume", "./copy", env = { XDG_STATE_HOME = s:path_of "other" } }
    assert.equal(0, r.code, r.stderr)
    assert.matches("resume", r.stdout)
  end)

  it("refuses two steps of one name", function()
    local s <close> = support.scene()
    s:recipe("twice.lua", [[
local adt = require "adt"
return adt.recipe { name = "twice", run = function(ctx)
  ctx:step("a", function() return 1 end)
  ctx:step("a", function() return 2 end)
end }
]])
    local r = s:run { "./twice.lua" }
    assert.equal(2, r.code)
    assert.matches("two steps of this run are called 'a'", r.stderr)
  end)

  it("refuses a result that cannot be journalled, naming the step", function()
    local s <close> = support.scene()
    s:recipe("odd.lua", [[
local adt = require "adt"
return adt.recipe { name = "odd", run = function(ctx) ctx:step("fn", function() return { f = print } end) end }
]])
    local r = s:run { "./odd.lua" }
    assert.equal(2, r.code)
    assert.matches("step 'fn' returns what cannot be journalled", r.stderr)
  end)

  it("asks find after an intent without ack; unknown stops it with exit 9, resumable", function()
    local s <close> = support.scene()
    s:recipe("lost.lua", [[
local adt = require "adt"
return adt.recipe { name = "lost", run = function(ctx)
  return { made = ctx:step("thing", {
    find = function(key)
      if adt.fs.exists("blind") then
        require("adt.error").raise { cause = "unknown", message = "cannot ask now" }
      end
      return adt.fs.exists("made") and adt.fs.read("made") or nil
    end }, function(key)
      adt.fs.append("made", key)
      adt.fs.append("count", "x")
      return key
    end) }
  end,
  validate = function(ctx, p, r) ctx:check("it was made once", adt.fs.read("count") == "x", r.run.made) end }
]])
    local r = s:run { "./lost.lua", env = { ADTLUA_FAULT = "journal.before:kill:5" } }
    assert.equal(128 + 9, r.code)
    assert.equal("x", support.read(s:path_of "count"))
    support.write(s:path_of "blind", "")
    r = s:run { "resume", "last" }
    assert.equal(9, r.code, r.stdout)
    assert.matches("cannot ask now", r.stderr)
    os.remove(s:path_of "blind")
    r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("found +thing", r.stdout)
  end)

  it("journals a check whatever its evidence is", function()
    local s <close> = support.scene()
    s:recipe("odd.lua", [[
local adt = require "adt"
return adt.recipe { name = "odd", run = function(ctx)
  local loop = {}
  loop.loop = loop
  for _, evidence in ipairs { "\xff", 0 / 0, { 1 / 0, { "\xfe" } }, loop, print, io.stdout, ("\u{e9}"):rep(3000) } do
    ctx:check("it holds \xff", true, evidence)
  end
end }
]])
    local r = s:run { "./odd.lua" }
    assert.equal(0, r.code, r.stderr)
    local n = 0
    for _, record in ipairs(s:journal()) do n = n + (record.type == "check" and 1 or 0) end
    assert.equal(7, n)
    assert.equal(0, s:run({ "status", "last" }).code)
  end)

  it("does nothing outside of a step while a plan is made", function()
    local s <close> = support.scene()
    for name, line in pairs {
      write = 'adt.fs.write("x", "y")', open = 'adt.fs.open("x", "w")', run = 'adt.process.run { "touch", "x" }',
      remove = 'adt.fs.remove("plan.lua")', mkdir = 'adt.fs.mkdir("x")',
    } do
      s:recipe("plan.lua", ('local adt = require "adt"\nreturn adt.recipe { name = "p", run = function(ctx) %s end }'):format(line))
      local r = s:run { "./plan.lua", "plan" }
      assert.equal(2, r.code, name)
      assert.matches("outside of a step while a plan is made", r.stderr)
      assert.is_false(fs.exists(s:path_of "x"))
    end
    s:recipe("plan.lua", 'local adt = require "adt"\nreturn adt.recipe { name = "p", run = function(ctx) '
      .. 'ctx:note(adt.process.run({ "echo", "asked", read_only = true }).stdout) end }')
    assert.matches("asked", s:run({ "./plan.lua", "plan" }).stdout)
  end)
end)
