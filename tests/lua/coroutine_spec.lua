--- coroutine.* is Lua's to the letter, also inside a task, and waits pass through the author's coroutines.
local support = require "support"
local c = require "adt.c.task"

local LUA = "/usr/bin/lua5.4"

-- Each of these prints the same in lua5.4, in adtlua and in a task of adtlua.
local SAME = {
  ["create, resume and yield pass values both ways"] = [[
    local co = coroutine.create(function(...)
      print("start", ...)
      print("back", coroutine.yield(1, nil, 3, nil))
      print("again", coroutine.yield())
      return "end", nil
    end)
    print(coroutine.resume(co, "a", nil, "c"))
    print(coroutine.status(co), coroutine.resume(co, "x"))
    print(coroutine.status(co), coroutine.resume(co))
    print(coroutine.status(co), coroutine.resume(co))
    print(coroutine.resume(co))]],
  ["wrap raises what resume returns"] = [[
    local f = coroutine.wrap(function() coroutine.yield(1) error "inside" end)
    print(f(), pcall(f))
    print(pcall(f))
    local g = coroutine.wrap(function() error({ code = 7 }) end)
    local ok, e = pcall(g)
    print(ok, type(e), e.code)
    print(pcall(coroutine.wrap(function() error("level 2", 2) end)))
    print(pcall(coroutine.wrap(function() error() end)))]],
  ["misuse has the same messages"] = [[
    for _, name in ipairs { "create", "wrap", "resume", "status", "close", "isyieldable" } do
      print(name, pcall(coroutine[name]))
      print(name, pcall(coroutine[name], 1))
    end
    print(pcall(coroutine.create, "x"))
    print(select("#", coroutine.running(1, 2)))]],
  ["a coroutine that runs or resumes another cannot be resumed or closed"] = [[
    local outer
    outer = coroutine.create(function()
      print(coroutine.status(outer), coroutine.resume(outer))
      print(pcall(coroutine.close, outer))
      local inner = coroutine.create(function()
        print(coroutine.status(outer), coroutine.resume(outer))
        print(pcall(coroutine.close, outer))
        coroutine.yield()
      end)
      print(coroutine.resume(inner))
      print(coroutine.status(inner), coroutine.close(inner), coroutine.status(inner))
      print(coroutine.resume(inner))
    end)
    print(coroutine.resume(outer))
    print(coroutine.status(outer))
    local f
    f = coroutine.wrap(function() return pcall(f) end)
    print(f())]],
  ["running tells the main thread from the others inside of a coroutine"] = [[
    coroutine.wrap(function()
      local co, main = coroutine.running()
      print(type(co), main, coroutine.isyieldable(), coroutine.isyieldable(co), coroutine.status(co))
    end)()]],
  ["isyieldable asks about any coroutine"] = [[
    local co = coroutine.create(function() coroutine.yield() end)
    print(coroutine.isyieldable(co), coroutine.resume(co), coroutine.isyieldable(co))
    coroutine.wrap(function()
      print(coroutine.isyieldable())
      table.sort({ 1, 2 }, function() print(coroutine.isyieldable()) return false end)
      print((("x"):gsub("x", function() return tostring(coroutine.isyieldable()) end)))
    end)()]],
  ["close runs <close> variables, once, in order"] = [[
    local function closing(name, fail)
      return setmetatable({}, { __close = function(_, e)
        print("closing", name, e)
        if fail then error(fail, 0) end
      end })
    end
    local co = coroutine.create(function()
      local a <close> = closing "a"
      local b <close> = closing("b", "b failed")
      local d <close> = closing "d"
      coroutine.yield()
    end)
    print(coroutine.resume(co))
    print(coroutine.close(co))
    print(coroutine.status(co), coroutine.close(co))
    print(coroutine.close(coroutine.create(print)))
    local dead = coroutine.create(function() error "dead" end)
    print(coroutine.resume(dead))
    print(coroutine.close(dead))
    print(coroutine.close(dead))]],
  ["<close> of a coroutine that fails runs in wrap, and on close after resume"] = [[
    local function body()
      local x <close> = setmetatable({}, { __close = function(_, e) print("closed by", e) end })
      coroutine.yield(1)
      error("boom", 0)
    end
    local f = coroutine.wrap(body)
    print(f())
    print(pcall(f))
    local co = coroutine.create(body)
    print(coroutine.resume(co), coroutine.resume(co))
    print(coroutine.status(co), coroutine.close(co))
    local g = coroutine.wrap(function()
      local x <close> = setmetatable({}, { __close = function() error("instead", 0) end })
      error("first", 0)
    end)
    print(pcall(g))]],
  ["yield inside __close, __index, __concat, iterators and pcall"] = [[
    local function y(v) coroutine.yield(v) return v end
    local mt = {
      __index = function(_, k) return y(k) end, __concat = function() return y "concat" end,
      __eq = function() return y(true) end, __lt = function() return y(true) end, __len = function() return y(5) end,
      __call = function(_, v) return y(v) end, __close = function() y "close" end, __unm = function() return y(-1) end,
    }
    local co = coroutine.wrap(function()
      local t, u = setmetatable({}, mt), setmetatable({}, mt)
      local x <close> = t
      local r = { t.field, t .. "x", t == u, t < u, #t, t(9), -t }
      for i in function(_, k) k = (k or 0) + 1 y(k) return k < 4 and k or nil end do r[#r + 1] = i end
      r[#r + 1] = select(2, pcall(function() y "in pcall" error("e", 0) end))
      r[#r + 1] = select(2, xpcall(function() y "in xpcall" error("e", 0) end, function(m) return m .. "!" end))
      return table.concat({ tostring(r[1]), tostring(r[2]), tostring(r[3]), tostring(r[4]), tostring(r[5]) }, " "), #r
    end)
    for _ = 1, 40 do
      local r = table.pack(pcall(co))
      print(table.unpack(r, 1, r.n))
      if not r[1] or r.n == 3 then break end
    end]],
  ["yield across C calls is refused"] = [[
    print(coroutine.resume(coroutine.create(function()
      print(pcall(table.sort, { 3, 2, 1 }, coroutine.yield))
      print(pcall(string.gsub, "abc", "%w", coroutine.yield))
      package.preload.m = coroutine.yield
      print(pcall(require, "m"))
      print(pcall(load, coroutine.yield))
    end)))]],
  ["yield outside of a coroutine is refused"] = "print(pcall(coroutine.yield, 1))",
  ["generators nest"] = [[
    local function range(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
    local function filter(p, g)
      return coroutine.wrap(function() for i in g do if p(i) then coroutine.yield(i) end end end)
    end
    local g = range(50)
    local primes = {}
    coroutine.wrap(function()
      g()
      local x = range(50)
      x()
      while true do
        local p = x()
        if not p then break end
        primes[#primes + 1] = p
        x = filter(function(n) return n % p ~= 0 end, x)
      end
    end)()
    print(table.concat(primes, " "))
    local function permutations(a, n)
      if n == 0 then coroutine.yield(table.concat(a)) end
      for i = 1, n do
        a[n], a[i] = a[i], a[n]
        permutations(a, n - 1)
        a[n], a[i] = a[i], a[n]
      end
    end
    for p in coroutine.wrap(function() permutations({ "a", "b", "c", "d" }, 4) end) do io.write(p, " ") end
    print()]],
  ["a coroutine resumes itself through another only to be told no"] = [[
    local a, b
    a = coroutine.create(function() return coroutine.resume(b) end)
    b = coroutine.create(function() return coroutine.resume(a) end)
    print(coroutine.resume(a))]],
  ["many values pass"] = [[
    local co = coroutine.wrap(function(...) return select("#", coroutine.yield(...)) end)
    print(select("#", co(table.unpack({}, 1, 200))), co(table.unpack({}, 1, 5000)))
    print(pcall(coroutine.wrap(function() return table.unpack({}, 1, 1e6) end)))
    local ok, e = coroutine.resume(coroutine.create(function() return table.unpack({}, 1, 1e7) end))
    print(ok, e)]],
  ["deep recursion of coroutines ends in an error, not in a crash"] = [[
    local depth = 0
    local function deeper() depth = depth + 1 return coroutine.wrap(deeper)() end
    local ok, e = pcall(deeper)
    print(ok, e:match "[%w ]+$", depth > 150)
    local function closing(n)
      local co = coroutine.create(function()
        local x <close> = setmetatable({}, { __close = function() if n > 0 then closing(n - 1) end end })
        coroutine.yield()
      end)
      coroutine.resume(co)
      return coroutine.close(co)
    end
    print(closing(20))]],
  ["150 coroutines stand inside of each other"] = [[
    local function nest(n)
      if n == 0 then coroutine.yield "from the bottom" return "done" end
      local co = coroutine.wrap(nest)
      while true do
        local v = co(n - 1)
        if v == "done" then return v end
        coroutine.yield(v)
      end
    end
    local co = coroutine.wrap(nest)
    print(co(150))
    print(co())]],
  ["a message handler sees the coroutine's stack"] = [[
    local function f() error "here" end
    local co = coroutine.create(function()
      print(xpcall(f, function(m) return (debug.traceback(m, 1):gsub("\n%s*", " | "):gsub(" |[^|]*$", "")) end))
      coroutine.yield()
      f()
    end)
    coroutine.resume(co)
    print((debug.traceback(co)))
    print(coroutine.resume(co))
    print((debug.traceback(co, "dead")))
    print(debug.traceback(co, nil, 1), debug.traceback({}) ~= nil)]],
  ["debug functions look into a coroutine"] = [[
    local co = coroutine.create(function(a) local b = a * 2 coroutine.yield(b) return b end)
    coroutine.resume(co, 21)
    print(debug.getlocal(co, 1, 1), debug.getlocal(co, 1, 2))
    print(debug.setlocal(co, 1, 2, "changed"), coroutine.resume(co))
    print(debug.getinfo(co, 1), debug.getinfo(coroutine.create(print), 0) == nil)
    local lines = {}
    local hooked = coroutine.create(function()
      local x = 1
      coroutine.yield()
      return x
    end)
    debug.sethook(hooked, function(_, l) lines[#lines + 1] = l end, "l")
    coroutine.resume(hooked) coroutine.resume(hooked)
    print(#lines, debug.gethook(hooked) ~= nil, debug.gethook())]],
  ["errors of every type cross resume unchanged"] = [[
    for _, v in ipairs { "s", 1, 1.5, true, {}, print, coroutine.create(print), io.stdout } do
      local ok, e = coroutine.resume(coroutine.create(error), v, 0)
      print(ok, rawequal(e, v))
      local ok2, e2 = pcall(coroutine.wrap(error), v, 0)
      print(ok2, rawequal(e2, v) or type(e2))
    end]],
  ["garbage coroutines go, with what they hold"] = [[
    local weak = setmetatable({}, { __mode = "v" })
    for i = 1, 100 do
      local co = coroutine.wrap(function() local t = {} weak[i] = t coroutine.yield() return t end)
      co()
    end
    collectgarbage() collectgarbage()
    local n = 0
    for _ in pairs(weak) do n = n + 1 end
    print(n)
    local closed = 0
    for _ = 1, 10 do
      local co = coroutine.create(function()
        local x <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
        coroutine.yield()
      end)
      coroutine.resume(co)
    end
    collectgarbage() collectgarbage()
    print(closed)]],
  ["a finaliser may run coroutines"] = [[
    local seen
    setmetatable({}, { __gc = function() seen = coroutine.wrap(function() return coroutine.yield(1) or 2 end)() end })
    collectgarbage() collectgarbage()
    print(seen)
    print(coroutine.wrap(function()
      local got
      setmetatable({}, { __gc = function() got = coroutine.isyieldable() end })
      collectgarbage() collectgarbage()
      return got
    end)())]],
  ["<close> in a for loop's fourth value"] = [[
    local function iterate()
      local closing = setmetatable({}, { __close = function(_, e) print("loop closed", e) end })
      return function(_, i) i = i + 1 coroutine.yield(i) if i < 4 then return i end end, nil, 0, closing
    end
    local co = coroutine.wrap(function()
      for i in iterate() do if i == 2 then break end end
      for i in iterate() do if i == 2 then goto out end end
      ::out::
      for i in iterate() do if i == 2 then error("left", 0) end end
    end)
    for _ = 1, 9 do
      local ok, v = pcall(co)
      print(ok, v)
      if not ok then break end
    end]],
  ["a tail call and varargs go through yield"] = [[
    local function tail(...) return coroutine.yield(select("#", ...), ...) end
    local co = coroutine.wrap(function(...) return tail(...) end)
    print(co(1, nil, nil))
    print(co(nil, nil))]],
  ["load takes its pieces from a coroutine"] = [[
    local pieces = { "return ", "6 ", "* 7" }
    local f = load(coroutine.wrap(function() for _, p in ipairs(pieces) do coroutine.yield(p) end end))
    print(f())]],
}

-- Loads the script and runs it as a task; its chunk name stays the same.
local IN_TASK = [[
  local c = require "adt.c.task"
  local ok, e = c.spawn(assert(loadfile "script.lua")):join()
  if not ok then error(e, 0) end]]

local function plain(result, program)
  for _, field in ipairs { "stdout", "stderr" } do
    local text = result[field]:gsub(program:gsub("%p", "%%%0"), "PROGRAM")
    result[field] = text:gsub("0x%x+", "0x")
  end
  return result
end

describe("coroutine", function()
  after_each(support.no_leaks)

  describe("in a script, in a coroutine and in a task:", function()
    if not io.open(LUA) then
      pending "needs lua5.4 to compare with"
      return
    end
    for title, text in pairs(SAME) do
      it(title, function()
        local dir <close> = support.tempdir()
        support.write(dir / "script.lua", text)
        support.write(dir / "task.lua", IN_TASK)
        support.write(dir / "wrap.lua", "coroutine.wrap(assert(loadfile 'script.lua'))()")
        local cwd = tostring(dir)
        local expected = plain(support.run { LUA, "script.lua", cwd = cwd }, LUA)
        assert.same({ 0, "" }, { expected.code, expected.stderr })
        assert.same(expected, plain(support.adtlua { "script.lua", cwd = cwd }, support.program()))
        if not text:find("outside of", 1, true) and not title:find "outside of" and not title:find "150" then
          local wrapped = plain(support.run { LUA, "wrap.lua", cwd = cwd }, LUA)
          assert.same(wrapped, plain(support.adtlua { "wrap.lua", cwd = cwd }, support.program()))
        end
        assert.same(expected, plain(support.adtlua { "task.lua", cwd = cwd }, support.program()))
      end)
    end
  end)

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

  describe("with waits", function()
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
