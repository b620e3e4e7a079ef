--- coroutine.* is Lua's to the letter, also inside a task. How waits pass through coroutines: waits_spec.lua.
local support = require "support"

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
end)
