--- Parallel work as blocks that end their children.
local adt = require "adt"
local errors = require "adt.error"
local support = require "support"
local task = require "adt.task"

-- The specs run on the main thread; groups belong into tasks.
local function in_task(f)
  local ok, err = require("adt.c.task").spawn(f):join()
  if not ok then error(err, 0) end
end

local function test(title, f)
  it(title, function() in_task(f) end)
end

-- Lets what was spawned, and what that spawns, come to its first wait.
local function settle()
  for _ = 1, 10 do task.yield() end
end

-- Waits until it is cancelled and notes that its <close> ran.
local function sleeper(closed)
  return function()
    local _ <close> = setmetatable({}, { __close = function() closed[#closed + 1] = true end })
    adt.sleep(3600)
  end
end

describe("a group", function()
  after_each(support.no_leaks)

  test("ends when its children have ended", function()
    local log = {}
    adt.group(function()
      adt.spawn(function() adt.sleep(0.01); log[#log + 1] = "child" end)
      log[#log + 1] = "body"
    end)
    assert.same({ "body", "child" }, log)
  end)

  test("cancels the rest at the first failure, runs their <close> and raises it", function()
    local closed = {}
    local ok, err = errors.try(adt.group, function()
      for _ = 1, 3 do adt.spawn(sleeper(closed)) end
      adt.spawn(function() settle(); error "first" end)
      adt.sleep(3600)
    end)
    assert.is_nil(ok)
    assert.matches("first", err.message)
    assert.equal(3, #closed)
  end)

  test("ends its children when its body fails", function()
    local closed = {}
    local _, err = errors.try(adt.group, function()
      adt.spawn(sleeper(closed))
      settle()
      errors.raise { cause = "quota", message = "no more" }
    end)
    assert.equal("quota", err.cause)
    assert.equal(1, #closed)
  end)

  test("takes no child after it has ended", function()
    local inside
    adt.group(function() inside = require("adt.c.task").locals().group end)
    local ok, err = errors.try(inside.spawn, inside, false, print)
    assert.is_nil(ok)
    assert.matches("the group has ended", err.message)
  end)

  test("lets a cancel of the one who waits reach its children", function()
    local closed = {}
    local outer = require("adt.c.task").spawn(function()
      adt.group(function() adt.spawn(sleeper(closed)); adt.sleep(3600) end)
    end)
    settle()
    outer:cancel()
    assert.is_false((outer:join()))
    assert.equal(1, #closed)
  end)
end)

describe("adt.all", function()
  after_each(support.no_leaks)

  test("gives the first value of each function in order, nil included", function()
    local results = table.pack(adt.all {
      function() adt.sleep(0.01); return 1, "lost" end, function() return nil end, function() return 3 end })
    assert.same({ 1, nil, 3, n = 3 }, results)
  end)

  test("raises the first failure after the others were cancelled", function()
    local closed = {}
    local _, err = errors.try(adt.all, { sleeper(closed), function() settle(); error "here" end })
    assert.matches("here", err.message)
    assert.equal(1, #closed)
  end)
end)

describe("adt.map", function()
  after_each(support.no_leaks)

  test("keeps the order of the list, running at most at_once side by side", function()
    local now, most = 0, 0
    local results = adt.map({ 5, 4, 3, 2, 1 }, { at_once = 2 }, function(n, i)
      now = now + 1
      most = math.max(most, now)
      adt.sleep(n / 1000)
      now = now - 1
      return n * i
    end)
    assert.same({ 5, 8, 9, 8, 5 }, results)
    assert.equal(2, most)
  end)

  test("cancels the rest at the first failure", function()
    local started = 0
    local _, err = errors.try(adt.map, { 1, 2, 3, 4 }, { at_once = 1 }, function(n)
      started = started + 1
      if n == 2 then error "two" end
    end)
    assert.matches("two", err.message)
    assert.equal(2, started)
  end)

  test("with keep_going gives an outcome for each, and the lists of those that went well and did not", function()
    local outcomes = adt.map({ "a", "b", "c" }, { keep_going = true }, function(item)
      if item == "b" then errors.raise { cause = "node", message = "broken" } end
      return item:upper()
    end)
    assert.same({ 3, 2, 1 }, { #outcomes, #outcomes.ok, #outcomes.failed })
    assert.same({ "A", "C" }, { outcomes.ok[1].value, outcomes.ok[2].value })
    assert.same({ "b", "node" }, { outcomes.failed[1].item, outcomes.failed[1].error.cause })
    assert.is_true(outcomes[1].ok)
    assert.is_false(outcomes[2].ok)
  end)

  test("refuses unknown options and an at_once that is no number above 0", function()
    local _, err = errors.try(adt.map, {}, { at_onec = 1 }, print)
    assert.equal("adt.map: unknown option 'at_onec'; did you mean 'at_once'?", tostring(err):gsub("^.-: adt", "adt"))
    for _, n in ipairs { 0, -1, 1.5, "2" } do
      _, err = errors.try(adt.map, {}, { at_once = n }, print)
      assert.equal("usage", err.cause)
    end
    _, err = errors.try(adt.map, 5, print)
    assert.equal("usage", err.cause)
  end)

  test("of an empty list calls nothing", function()
    assert.same({}, adt.map({}, error))
  end)
end)

describe("adt.race", function()
  after_each(support.no_leaks)

  test("gives what the first one returned and cancels the others", function()
    local closed = {}
    assert.same({ "won", 2 }, { adt.race { sleeper(closed), function() settle(); return "won", 2 end } })
    assert.equal(1, #closed)
  end)

  test("raises when the first to end failed", function()
    local _, err = errors.try(adt.race, { sleeper {}, function() task.yield(); error "lost" end })
    assert.matches("lost", err.message)
  end)

  test("needs somebody to run", function()
    local _, err = errors.try(adt.race, {})
    assert.equal("usage", err.cause)
  end)
end)

describe("adt.timeout", function()
  after_each(support.no_leaks)

  test("gives what the function returned in time", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(adt.timeout(60, function(...) return ... end, 1, nil, 3)))
  end)

  test("cancels it and raises cause timeout, saying how long it took", function()
    local closed = {}
    local _, err = errors.try(adt.timeout, 0.01, sleeper(closed))
    assert.same({ "timeout", "took longer than 0.01 s" }, { err.cause, err.message })
    assert.equal(1, #closed)
  end)
end)

describe("adt.shield", function()
  after_each(support.no_leaks)

  test("runs to its end although the task was cancelled meanwhile", function()
    local done = false
    local shielded = require("adt.c.task").spawn(function()
      adt.shield(function() adt.sleep(0.01); done = true end)
      adt.sleep(3600)
    end)
    settle()
    shielded:cancel()
    assert.is_false((shielded:join()))
    assert.is_true(done)
  end)
end)

describe("adt.spawn", function()
  after_each(support.no_leaks)

  test("gives a task whose join returns its values or raises its error", function()
    adt.group(function()
      assert.same({ 1, 2 }, { adt.spawn(function() return 1, 2 end):join() })
    end)
  end)

  it("outside of any group ends with the script", function()
    local result = support.adtlua { "-e", "x = 1", "-", stdin = [[
      local adt = require "adt"
      adt.spawn(function() adt.sleep(0.01) print "child" end)
      print "script"]] }
    assert.same({ 0, "script\nchild\n", "" }, { result.code, result.stdout, result.stderr })
    result = support.adtlua { "-", stdin = [[local adt = require "adt"
      adt.spawn(function() adt.error.raise { cause = "quota", message = "none left" } end)]] }
    assert.equal(5, result.code)
    assert.matches("none left", result.stderr)
  end)
end)
