--- Waits pass through the author's coroutines; tasks end, fail and are cancelled in order, and leave nothing.
local support = require "support"
local c = require "adt.c.task"

describe("waits", function()
  after_each(support.no_leaks)

  -- Runs f in a task and returns what it returned, or raises.
  local function in_task(f, ...)
    local results = table.pack(c.spawn(f, ...):join())
    if not results[1] then
      error(results[2], 0)
    end
    return table.unpack(results, 2, results.n)
  end

  local function is_cancelled(e)
    return type(e) == "table" and e.cause == "cancelled"
  end

  describe("in coroutines", function()
    it("inside of a task lets the author's yields and the engine's cross", function()
      local seen = in_task(function()
        local values = {}
        local generator = coroutine.wrap(function()
          for i = 1, 5 do
            c.sleep(0.001)
            coroutine.yield(i)
            c.yield()
          end
        end)
        for v in generator do
          values[#values + 1] = v
        end
        return values
      end)
      assert.same({ 1, 2, 3, 4, 5 }, seen)
    end)

    it("outside of any task turns the loop in place", function()
      local generator = coroutine.wrap(function()
        c.sleep(0.001)
        coroutine.yield(1)
        c.yield()
        return 2
      end)
      assert.same({ 1, 2 }, { generator(), generator() })
    end)

    it("lets others run meanwhile", function()
      local order = {}
      local a = c.spawn(function()
        coroutine.wrap(function()
          for i = 1, 3 do
            order[#order + 1] = "a" .. i
            c.yield()
          end
        end)()
      end)
      local b = c.spawn(function()
        for i = 1, 3 do
          order[#order + 1] = "b" .. i
          c.yield()
        end
      end)
      a:join()
      b:join()
      assert.same({ "a1", "b1", "a2", "b2", "a3", "b3" }, order)
    end)

    it("passes through 150 coroutines", function()
      local function nest(n)
        if n == 0 then
          c.sleep(0.001)
          coroutine.yield "bottom"
          c.yield()
          return "done"
        end
        local inner = coroutine.wrap(nest)
        local v = inner(n - 1)
        while v ~= "done" do
          coroutine.yield(v)
          v = inner()
        end
        return v
      end
      local first, last = in_task(function()
        local outer = coroutine.wrap(nest)
        return outer(150), outer()
      end)
      assert.same({ "bottom", "done" }, { first, last })
    end)

    it("returns results and raises errors through resume, wrap, pcall and xpcall", function()
      local results = in_task(function()
        local r = {}
        local co = coroutine.create(function(a)
          c.yield()
          local b = coroutine.yield(a + 1)
          c.sleep(0)
          error({ b = b })
        end)
        r[1] = table.pack(coroutine.resume(co, 1))
        r[2] = table.pack(coroutine.resume(co, 7))
        r[3] = table.pack(pcall(coroutine.wrap(function()
          c.yield()
          error("wrapped", 0)
        end)))
        r[4] = table.pack(xpcall(function()
          c.yield()
          error("handled", 0)
        end, function(m) return m .. "!" end))
        r[5] = table.pack(pcall(pcall, pcall, c.sleep, 0))
        return r
      end)
      assert.same({ true, 2, n = 2 }, results[1])
      assert.same({ false, { b = 7 }, n = 2 }, results[2])
      assert.same({ false, "wrapped", n = 2 }, results[3])
      assert.same({ false, "handled!", n = 2 }, results[4])
      assert.same({ true, true, true, true, n = 4 }, results[5])
    end)

    it("works in metamethods, iterators and <close>", function()
      local log = in_task(function()
        local log = {}
        local t = setmetatable({}, {
          __index = function(_, k) c.sleep(0.001) return k .. "?" end,
          __close = function() c.sleep(0.001) log[#log + 1] = "closed" end,
        })
        do
          local _ <close> = t
          log[#log + 1] = t.name
          for i in function(_, i) c.yield() return (i or 0) < 2 and (i or 0) + 1 or nil end do
            log[#log + 1] = i
          end
        end
        return log
      end)
      assert.same({ "name?", 1, 2, "closed" }, log)
    end)

    it("is refused with a reason where Lua cannot yield", function()
      local function refused(f, ...)
        local ok, message = in_task(pcall, f, ...)
        assert.is_false(ok)
        assert.match("sleep waits: not in a callback of sort or gsub", tostring(message))
      end
      local function wait() c.sleep(0) end
      refused(table.sort, { 2, 1 }, wait)
      refused(string.gsub, "x", "x", wait)
      package.preload["spec.waiting"] = wait
      refused(require, "spec.waiting")
      package.preload["spec.waiting"] = nil
      refused(function() assert(load(wait)) end)
      -- also in a coroutine of the author's below such a call
      refused(table.sort, { 2, 1 }, function() coroutine.wrap(wait)() end)
      refused(table.sort, { 2, 1 }, function()
        local ok, e = coroutine.resume(coroutine.create(wait))
        if not ok then error(e, 0) end
      end)
    end)

    it("is refused in each waiting call before it has an effect", function()
      local other = c.spawn(c.sleep, 0.02)
      in_task(function()
        local ops = c.live().op
        for _, wait in ipairs { function() c.yield() end, function() c.sleep(0) end, function() other:join() end } do
          local ok, message = pcall(table.sort, { 2, 1 }, wait)
          assert.is_false(ok)
          assert.match("waits: not in", message)
        end
        assert.equal(ops, c.live().op)
      end)
      other:join()
    end)

    it("is possible in sort outside of any task", function()
      local list = { 2, 1 }
      table.sort(list, function(a, b) c.sleep(0) return a < b end)
      assert.same({ 1, 2 }, list)
    end)
  end)

  describe("that waits", function()
    -- A task in whose coroutine a wait goes on; returns both.
    local function waiting()
      local co = coroutine.create(function() c.sleep(10) end)
      local task = c.spawn(function() return coroutine.resume(co) end)
      c.yield()
      return task, co
    end

    it("is normal to others, who can neither resume nor close it", function()
      local task, co = waiting()
      assert.equal("normal", coroutine.status(co))
      assert.same({ false, "cannot resume non-suspended coroutine" }, { coroutine.resume(co) })
      assert.has_error(function() coroutine.close(co) end, "cannot close a normal coroutine")
      in_task(function()
        assert.same({ false, "cannot resume non-suspended coroutine" }, { coroutine.resume(co) })
      end)
      task:cancel()
      task:join()
      assert.equal("dead", coroutine.status(co))
    end)

    it("may move on in another task once its wait is over", function()
      local generator = coroutine.wrap(function()
        for i = 1, 4 do
          c.sleep(0.001)
          coroutine.yield(i)
        end
      end)
      local values = {}
      for _ = 1, 4 do
        values[#values + 1] = in_task(generator)
      end
      assert.same({ 1, 2, 3, 4 }, values)
    end)

    it("shows where it stands in a traceback", function()
      local task, co = waiting()
      local trace = debug.traceback(co)
      assert.match("in function .*sleep", trace)
      task:cancel()
      task:join()
    end)
  end)

  describe("under a cancel", function()
    it("closes from the innermost coroutine outwards", function()
      local log = {}
      local function closing(name)
        return setmetatable({}, { __close = function(_, e)
          log[#log + 1] = name .. (is_cancelled(e) and " cancelled" or " " .. tostring(e))
        end })
      end
      local function nest(n)
        local _ <close> = closing("level " .. n)
        if n == 3 then
          c.sleep(10)
        else
          coroutine.wrap(nest)(n + 1)
        end
      end
      local task = c.spawn(nest, 1)
      c.yield()
      task:cancel()
      local ok, e = task:join()
      assert.is_false(ok)
      assert.is_true(is_cancelled(e))
      assert.same({ "level 3 cancelled", "level 2 cancelled", "level 1 cancelled" }, log)
    end)

    it("may be caught, and every later wait raises again", function()
      local task = c.spawn(function()
        local caught = 0
        for _ = 1, 3 do
          if not pcall(coroutine.wrap(function() c.sleep(10) end)) then
            caught = caught + 1
          end
        end
        return caught
      end)
      c.yield()
      task:cancel()
      assert.same({ true, 3 }, { task:join() })
    end)

    it("before its start never runs", function()
      local ran = false
      local task = c.spawn(function() ran = true end)
      task:cancel()
      local ok, e = task:join()
      assert.is_false(ok)
      assert.is_true(is_cancelled(e))
      assert.is_false(ran)
    end)

    it("waits in <close> under a shield", function()
      local log = {}
      local task = c.spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          c.shield(1)
          c.sleep(0.002)
          c.shield(-1)
          log[#log + 1] = "closed"
        end })
        c.sleep(10)
      end)
      c.yield()
      task:cancel()
      assert.is_false((task:join()))
      assert.same({ "closed" }, log)
    end)

    it("while joining leaves the other task alone", function()
      local other = c.spawn(function() c.sleep(0.01) return "kept" end)
      local joining = c.spawn(function() return other:join() end)
      c.yield()
      joining:cancel()
      assert.is_false((joining:join()))
      assert.same({ true, "kept" }, { other:join() })
    end)
  end)

  describe("and tasks", function()
    it("hand over results and errors of any kind", function()
      assert.same({ true, 1, nil, 3, n = 4 }, table.pack(c.spawn(function() return 1, nil, 3 end):join()))
      assert.same({ true, n = 1 }, table.pack(c.spawn(function() end):join()))
      for _, e in ipairs { "text", 1, false, {} } do
        local ok, got = c.spawn(error, e, 0):join()
        assert.is_false(ok)
        assert.is_true(rawequal(e, got))
      end
      assert.same({ false, nil, n = 2 }, table.pack(c.spawn(error):join()))
    end)

    it("may be joined many times, before and after the end", function()
      local task = c.spawn(function() c.sleep(0.002) return "x" end)
      local joiners = {}
      for i = 1, 10 do
        joiners[i] = c.spawn(task.join, task)
      end
      for i = 1, 10 do
        assert.same({ true, true, "x" }, { joiners[i]:join() })
      end
      assert.same({ true, "x" }, { task:join() })
      assert.same({ "ended", false }, { task:state() })
    end)

    it("cannot join themselves or yield to nobody", function()
      local ok, message
      local task
      task = c.spawn(function() ok, message = pcall(task.join, task) end)
      task:join()
      assert.is_false(ok)
      assert.match("cannot join itself", message)
      assert.same({ false, "attempt to yield from outside a coroutine" }, { in_task(pcall, coroutine.yield, 1) })
      assert.is_false(in_task(coroutine.isyieldable))
    end)

    it("wait in <close> after an error", function()
      local log = {}
      local task = c.spawn(function()
        local _ <close> = setmetatable({}, { __close = function(_, e)
          c.sleep(0.002)
          log[#log + 1] = e
        end })
        error("failed", 0)
      end)
      local other = c.spawn(function() log[#log + 1] = "meanwhile" end)
      assert.same({ false, "failed" }, { task:join() })
      other:join()
      assert.same({ "meanwhile", "failed" }, log)
    end)

    it("give their locals to those whom they spawn, as a copy", function()
      in_task(function()
        c.locals().colour = "red"
        local inner = c.spawn(function()
          local got = c.locals().colour
          c.locals().colour = "blue"
          return got
        end)
        assert.same({ true, "red" }, { inner:join() })
        assert.equal("red", c.locals().colour)
      end)
      assert.is_nil(c.locals().colour)
    end)

    it("are there by the hundred thousand", function()
      local tasks, sum = {}, 0
      for i = 1, 100000 do
        tasks[i] = c.spawn(function(n)
          c.yield()
          sum = sum + n
        end, i)
      end
      assert.equal(100000, c.live().task)
      for i = 1, #tasks do
        assert.is_true((tasks[i]:join()))
      end
      assert.equal(100000 * 100001 // 2, sum)
    end)

    it("sleep in the order of their times", function()
      local order, tasks = {}, {}
      for i, seconds in ipairs { 0.03, 0.01, 0.02, 0 } do
        tasks[i] = c.spawn(function()
          c.sleep(seconds)
          order[#order + 1] = seconds
        end)
      end
      for _, task in ipairs(tasks) do
        task:join()
      end
      assert.same({ 0, 0.01, 0.02, 0.03 }, order)
    end)

    it("refuse bad arguments", function()
      assert.has_error(function() c.spawn() end)
      assert.has_error(function() c.spawn "x" end)
      assert.has_error(function() c.sleep(-1) end)
      assert.has_error(function() c.sleep "x" end)
      assert.has_error(function() c.sleep(0 / 0) end)
    end)

    it("do not keep the timer of a wait that was interrupted by an error elsewhere", function()
      local task = c.spawn(function()
        coroutine.wrap(function()
          pcall(c.sleep, 10)
          error("after the cancel", 0)
        end)()
      end)
      c.yield()
      task:cancel()
      local ok, e = task:join()
      assert.is_false(ok)
      assert.match("after the cancel$", e)
      assert.equal(0, c.live().op)
    end)
  end)

  describe("at the end of the program", function()
    local function script(text)
      local result = support.adtlua { "-e", text }
      assert.equal("", result.stderr)
      assert.equal(0, result.code)
      return result.stdout
    end

    it("closes half-run tasks, innermost coroutine first", function()
      assert.equal("inner\nouter\ntask\n", script [[
        local c = require "adt.c.task"
        local function closing(name)
          return setmetatable({}, { __close = function() print(name) end })
        end
        c.spawn(function()
          local _ <close> = closing "task"
          coroutine.wrap(function()
            local _ <close> = closing "outer"
            local co = coroutine.create(function()
              local _ <close> = closing "inner"
              c.sleep(100)
            end)
            coroutine.resume(co)
          end)()
        end)
        c.yield()]])
    end)

    it("drops tasks that never started", function()
      assert.equal("", script [[require "adt.c.task".spawn(print, "never")]])
    end)

    it("lets os.exit leave with tasks half-run", function()
      assert.equal("", script [[
        local c = require "adt.c.task"
        c.spawn(function() coroutine.wrap(c.sleep)(100) end)
        c.yield()
        os.exit(0, true)]])
    end)

    it("lets a task end the program", function()
      local result = support.adtlua { "-e", [[
        local c = require "adt.c.task"
        c.spawn(function() coroutine.wrap(function() c.yield() os.exit(3, true) end)() end):join()]] }
      assert.equal(3, result.code)
    end)

    it("ends although closing spawns and waits again", function()
      script [[
        local c = require "adt.c.task"
        c.spawn(function()
          local _ <close> = setmetatable({}, { __close = function() c.spawn(print, "no") pcall(c.sleep, 0.001) end })
          c.sleep(100)
        end)
        c.yield()]]
    end)
  end)

  it("under the most eager collector gives the same", function()
    local before = collectgarbage "setpause"
    collectgarbage("incremental", 1, 1000)
    collectgarbage "generational"
    local sum = in_task(function()
      local total = 0
      for i = 1, 200 do
        collectgarbage "step"
        local g = coroutine.wrap(function(n)
          c.yield()
          collectgarbage()
          coroutine.yield(n)
          c.sleep(0)
        end)
        total = total + g(i)
        if i % 2 == 0 then g() end
      end
      return total
    end)
    collectgarbage("incremental", before, 100)
    collectgarbage "generational"
    assert.equal(20100, sum)
  end)
end)
