--- The one door for effects: what a step does in each mode, by what the journal says.
local door = require "adt.door"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local pending = require "adt.pending"
local process = require "adt.process"
local run = require "adt.run"
local secret = require "adt.secret"
local support = require "support"

local STATE = process.env "XDG_STATE_HOME"

describe("the door", function()
  local dir, r, events

  -- A door on the same run, as a process that begins again has it.
  local function again(mode, take_over)
    if r.journal then r:close() end
    r = mode == "plan" and run.read(r.id) or run.open(r.id, take_over)
    events = {}
    return door.new { mode = mode or "do", run = r, emit = function(e) events[#events + 1] = e end }
  end

  local function failure(f, ...)
    local value, err = errors.try(f, ...)
    assert.is_nil(value)
    return err
  end

  local function said(what)
    for _, e in ipairs(events) do
      local text = e.type == "note" and e.text or e.type == "step" and ("%s %s %s"):format(e.state, e.step, e.detail or "") or ""
      if text:find(what, 1, true) then return true end
    end
    return false
  end

  -- Dies inside the step, after what it does.
  local function interrupted(d, name, options, f)
    errors.try(d.step, d, name, options, function(key)
      if f then f(key) end
      error "dies here"
    end)
  end

  before_each(function()
    dir = support.tempdir()
    process.setenv("XDG_STATE_HOME", tostring(dir))
    r = run.create { recipe = "x" }
  end)

  after_each(function()
    r:close()
    process.setenv("XDG_STATE_HOME", STATE)
    getmetatable(dir).__close(dir)
    support.no_leaks()
  end)

  it("do: intent(name, digest of inputs, key) is durable before f(key) runs; then ack(result)", function()
    local d = again()
    local result = d:step("a", { inputs = { n = 1 } }, function(key)
      local last
      for line in support.read(r.dir .. "/journal.ndjson"):gmatch "[^\n]+" do last = json.decode(line) end
      assert.same({ "intent", "a", key }, { last.type, last.step, last.key })
      assert.matches("^%x+$", last.digest)
      return { x = { 1, 2 } }
    end)
    assert.same({ x = { 1, 2 } }, result)
    assert.is_true(r.steps.a.acked)
  end)

  it("resume: acked and its outputs still there: the journalled result at once", function()
    local d = again()
    support.write(dir / "out", "x")
    d:step("a", { outputs = { dir / "out" } }, function() return { 1 } end)
    d = again()
    assert.same({ 1 }, d:step("a", { outputs = { dir / "out" } }, error))
    os.remove(dir / "out")
    d = again()
    assert.equal(2, d:step("a", { outputs = function() return { dir / "out" } end }, function() return 2 end))
    assert.is_true(said("step 'a' is done again: " .. dir / "out" .. " is gone"))
  end)

  it("resume: intent without ack: find(key) returns the result", function()
    local d, key = again(), nil
    interrupted(d, "a", {}, function(k) key = k end)
    d = again()
    assert.equal("found", d:step("a", { find = function(k) assert.equal(key, k) return "found" end }, error))
    assert.is_true(r.steps.a.acked)
  end)

  it("resume: intent without ack: or nil (it was not made: f runs), with the same key", function()
    local d, key = again(), nil
    interrupted(d, "a", {}, function(k) key = k end)
    d = again()
    assert.equal("made", d:step("a", { find = function() return nil end }, function(k) assert.equal(key, k) return "made" end))
  end)

  it("resume: intent without ack: or raises unknown, and the run stops, exit 9", function()
    local d = again()
    interrupted(d, "a", {})
    d = again()
    local err = failure(d.step, d, "a", {
      find = function() errors.raise { cause = "unknown", message = "cannot ask" } end,
    }, function() assert(false, "must not run") end)
    assert.equal(9, errors.exit_code(err))
    assert.is_false(r.steps.a.acked)
  end)

  it("resume: changed inputs: done again, saying what changed", function()
    local d = again()
    d:step("a", { inputs = { n = 1, gone = true, same = { 1 } } }, function() return 1 end)
    d = again()
    local keys = {}
    assert.equal(2, d:step("a", { inputs = { n = 2, new = "x", same = { 1 } } }, function(k) keys[1] = k return 2 end))
    assert.is_true(said "step 'a' is done again: changed gone, n, new")
    assert.matches("-a-2$", keys[1])
    d = again()
    assert.equal(2, d:step("a", { inputs = { n = 2, new = "x", same = { 1 } } }, error))
  end)

  it("resume: what was made with the old inputs is found before it is made with the new ones", function()
    local d = again()
    interrupted(d, "a", { inputs = { n = 1 } })
    d = again()
    local order = {}
    d:step("a", { inputs = { n = 2 }, find = function(k) order[#order + 1] = k:match "%d$" return "old" end },
      function(k) order[#order + 1] = k:match "%d$" return "new" end)
    assert.same({ "1", "2" }, order)
  end)

  it("resume: ends what it replaces before it is done again", function()
    local d, order = again(), {}
    local function options(n)
      return { inputs = { n = n }, replace = function(old) order[#order + 1] = "end " .. old end }
    end
    d:pass("job", options(1), function() return "first" end)
    d = again()
    d:pass("job", options(2), function() order[#order + 1] = "second" return "second" end)
    assert.same({ "end first", "second" }, order)
  end)

  it("plan: what exists gives its real result, what would be made gives a pending value", function()
    local d = again()
    d:step("done", {}, function() return { id = 7 } end)
    interrupted(d, "begun", {})
    interrupted(d, "findable", {})
    d = again "plan"
    assert.equal(7, d:step("done", {}, error).id)
    assert.equal("there", d:step("exists", { exists = function() return "there" end }, error))
    local new = d:step("new", {}, error)
    assert.is_true(pending.is(new))
    assert.equal("<new.VpcId>", tostring(new.VpcId))
    assert.equal("id=<new.VpcId>!", tostring("id=" .. new.VpcId .. "!"))
    d:step("begun", {}, error)
    d:step("findable", { find = error }, error)
    assert.is_true(said "planned begun was begun and is repeated: it has no find")
    assert.is_true(said "planned findable was begun; it is looked for before it is done again")
    assert.is_true(d.changes)
  end)

  it("plan: says which step would be done again and why", function()
    local d = again()
    d:step("a", { inputs = { n = 1 } }, function() return 1 end)
    d = again "plan"
    assert.is_true(pending.is(d:step("a", { inputs = { n = 2 } }, error)))
    assert.is_true(said "planned a done again: changed n")
  end)

  it("plan: a pending value ends the plan when it is called, compared by order or computed with", function()
    local value = pending.new("vpc").Id
    for _, use in ipairs {
      function() return value() end, function() return value < 1 end, function() return value <= value end,
      function() return value + 1 end, function() return -value end, function() return #value end,
      function() value.x = 1 end, function() return value // 2 end, function() return value & 1 end,
      function() return pairs(value) end,
    } do
      local ok, err = pcall(use)
      assert.is_false(ok)
      assert.equal("vpc.Id", pending.plan_end(err))
    end
  end)

  it("down: undo(result), newest first, sparing keep; the rest of the recipe was never done", function()
    local function recipe(d)
      local order = {}
      local function undo(name) return function(result) order[#order + 1] = name .. result end end
      local ok, err = pcall(function()
        d:step("one", { undo = undo "one" }, function() return 1 end)
        d:step("two", { undo = undo "two", keep = "it holds data" }, function() return 2 end)
        d:step("three", { undo = undo "three" }, function() return 3 end)
        if d.mode == "down" then d:step("never", {}, error) end
      end)
      return order, ok, err
    end
    recipe(again())
    local d = again "down"
    local order, _, err = recipe(d)
    assert.is_true(door.is_collected(err))
    d:undo_all(false)
    assert.same({ "three3", "one1" }, order)
    assert.is_true(said "kept two it holds data")
    -- Once more, with what was kept.
    d = again "down"
    order = recipe(d)
    d:undo_all(true)
    assert.same({ "two2" }, order)
    d = again "down"
    order = recipe(d)
    d:undo_all(true)
    assert.same({}, order)
  end)

  it("down: what an interrupted step made is found and taken back", function()
    local d, undone = again(), {}
    interrupted(d, "a", {})
    d = again "down"
    d:step("a", { find = function() return "made" end, undo = function(x) undone[1] = x end }, error)
    d:undo_all(false)
    assert.same({ "made" }, undone)
  end)

  it("does a step again after it was taken back, with a new key", function()
    local d = again()
    d:step("a", {}, function() return 1 end)
    d = again "down"
    d:step("a", {}, error)
    d:undo_all(false)
    d = again()
    assert.matches("-a-2$", d:step("a", {}, function(key) return key end))
  end)

  it("names of steps are unique in a run", function()
    local d = again()
    d:step("a", {}, function() end)
    local err = failure(d.step, d, "a", {}, function() end)
    assert.equal("DuplicateStep", err.code)
    assert.matches("put the loop's value into the name", err.hint)
  end)

  it("refuses names, options and functions that are none", function()
    local d = again()
    for _, name in ipairs { "", ("x"):rep(101), "a\nb", "a\27[m" } do
      assert.equal("usage", failure(d.step, d, name, {}, print).cause)
    end
    assert.equal("usage", failure(d.step, d, "a", {}, nil).cause)
    assert.matches("did you mean 'undo'", failure(d.step, d, "a", { undu = print }, print).hint)
  end)

  it("refuses results that the journal cannot hold, and says that what was done stands", function()
    local d = again()
    local loop = {}
    loop.loop = loop
    for i, value in ipairs { { f = print }, io.stdout, 0 / 0, math.huge, "\xff", loop, { [1.5] = 1 }, coroutine.create(print) } do
      local err = failure(d.step, d, "s" .. i, {}, function() return value end)
      assert.equal("usage", err.cause)
      assert.matches("step 's" .. i .. "' returns what cannot be journalled", err.message)
      assert.matches("what the step did stands", err.hint)
      assert.is_false(r.steps["s" .. i].acked)
    end
  end)

  it("refuses a secret in a result, and inputs that are no plain data", function()
    local d = again()
    local token = secret.new("t", "hush-hush-hush")
    for i, result in ipairs { { token = token }, { text = "it is " .. token:reveal() } } do
      assert.equal("SecretInResult", failure(d.step, d, "a" .. i, {}, function() return result end).code)
    end
    require("adt.c.secret").forget()
    local loop = {}
    loop.loop = loop
    for _, value in ipairs { print, io.stdout, loop, "\xff", 0 / 0 } do
      assert.equal("BadInputs", failure(d.step, d, "b", { inputs = { v = value } }, print).code)
      d.used.b = nil
    end
  end)

  it("digests secrets among the inputs without writing them, and sees that one has changed", function()
    local d = again()
    d:step("a", { inputs = { t = secret.new("t", "hush-hush-hush") } }, function() return 1 end)
    assert.is_nil(support.read(r.dir .. "/journal.ndjson"):find("hush", 1, true))
    d = again()
    assert.equal(2, d:step("a", { inputs = { t = secret.new("t", "hush-hush-husX") } }, function() return 2 end))
    require("adt.c.secret").forget()
  end)

  it("a child outlives our SIGKILL, so its pid and start time are journalled, and resume settles that child before it looks up",
    function()
      local d = again()
      -- What a killed process leaves: an intent, a journalled child that still runs, and no ack.
      local child <close> = process.spawn { "sh", "-c", "read x; echo made > made", cwd = tostring(dir), stdin = "pipe" }
      interrupted(d, "a", {}, function()
        require("adt.c.task").locals().step.child(child)
      end)
      d = again()
      local found
      require("adt.task").all {
        function()
          found = d:step("a", { find = function()
            return fs.exists(dir / "made") and "made" or nil
          end }, function() assert(false, "must not run") end)
        end,
        function()
          while not said "waits for process" do require("adt.task").sleep(0.01) end
          child:write "go\n"
          child:close_stdin()
          child:wait()
        end,
      }
      assert.equal("made", found)
    end)

  it("a child on a host that cannot be seen is unknown, unless the run is taken over", function()
    local d = again()
    interrupted(d, "a", {}, function()
      r:record({ type = "child", step = "a", pid = 1, start_time = 1, host = "elsewhere", boot_id = "x" }, true)
    end)
    d = again()
    local err = failure(d.step, d, "a", { find = error }, error)
    assert.equal("unknown", err.cause)
    assert.matches("process 1 on elsewhere", err.message)
    d = again("do", true)
    assert.equal("found", d:step("a", { find = function() return "found" end }, error))
  end)

  it("journals each child of a step before it runs", function()
    local d = again()
    d:step("a", {}, function()
      return process.run({ "sh", "-c", "grep -c '\"type\":\"child\"' " .. r.dir .. "/journal.ndjson" }).stdout
    end)
    assert.equal("1\n", r.steps.a.result)
  end)
end)
