--- The program is a Lua 5.4: whatever lua5.4 does with a command line, adtlua does too.
local support = require "support"

local LUA = "/usr/bin/lua5.4"
local CLEAN = { LUA_INIT = false, LUA_INIT_5_4 = false, LUA_PATH = false, LUA_CPATH = false }

-- Messages begin with the program's name; addresses differ from run to run.
local function plain(text, program)
  return (text:gsub(program:gsub("%p", "%%%0"), "PROGRAM"):gsub("0x%x+", "0x"))
end

local function run_both(command, both)
  for i, program in ipairs { LUA, support.program() } do
    local words = { program, env = {} }
    for k, v in pairs(command) do
      if type(k) == "number" then
        words[k + 1] = v
      elseif k ~= "env" then
        words[k] = v
      end
    end
    for _, env in ipairs { CLEAN, command.env or {} } do
      for name, value in pairs(env) do
        words.env[name] = value
      end
    end
    local result = support.run(words)
    assert.is_true(result.code ~= 126 and result.code ~= 127, result.stderr)
    result.stdout, result.stderr = plain(result.stdout, program), plain(result.stderr, program)
    both[i] = result
  end
  return both
end

-- The same output, errors and exit status from both; returns adtlua's.
local function same(command)
  local both = run_both(command, {})
  assert.same(both[1], both[2])
  return both[2]
end

-- A script in a folder that is the working folder of both.
local function same_script(text, ...)
  local dir <close> = support.tempdir()
  support.write(dir / "script.lua", text)
  return same { "script.lua", cwd = tostring(dir), ... }
end

local function has_lua()
  local file = io.open(LUA)
  return file and file:close()
end

describe("the program as a Lua interpreter", function()
  if not has_lua() then
    pending("needs lua5.4 to compare with")
    return
  end
  after_each(support.no_leaks)

  describe("options", function()
    it("runs -e chunks in order and shares globals between them", function()
      assert.equal("5\n", same { "-e", "a = 2", "-ea = a + 3", "-e", "print(a)" }.stdout)
    end)

    it("takes an empty chunk", function()
      same { "-e", "" }
      same { "-e", " ", "-e", "print(1)" }
    end)

    it("requires modules by -l, into a global of the module's name or another", function()
      local dir <close> = support.tempdir()
      support.write(dir / "mod.lua", "print(...) return { name = 'mod' }")
      assert.match("mod", same { "-l", "mod", "-e", "print(mod.name)", cwd = tostring(dir) }.stdout)
      same { "-lmod", "-e", "print(mod.name)", cwd = tostring(dir) }
      same { "-l", "g=mod", "-e", "print(g.name, mod)", cwd = tostring(dir) }
      same { "-lg=mod", "-e", "print(g.name, mod)", cwd = tostring(dir) }
    end)

    it("reports a module that is not there", function()
      local dir <close> = support.tempdir()
      local both = run_both({ "-l", "no_such_module", cwd = tostring(dir) }, {})
      assert.same({ both[1].code, both[1].stdout }, { both[2].code, both[2].stdout })
      assert.equal(both[1].stderr, both[2].stderr)
    end)

    it("prints the version by -v and goes on with what follows", function()
      local both = run_both({ "-v", "-e", "print 'on'" }, {})
      assert.equal(0, both[2].code)
      assert.match("^adtlua %d+%.%d+%.%d+ %(Lua 5%.4%.%d+%)\non\n$", both[2].stdout)
      assert.match("Lua 5%.4.*\non\n$", both[1].stdout)
    end)

    it("only prints the version when -v stands alone", function()
      local result = support.adtlua { "-v", stdin = "print 'not read'" }
      assert.same({ 0, "" }, { result.code, result.stderr })
      assert.no.match("not read", result.stdout)
    end)

    it("ignores the environment by -E", function()
      local env = { LUA_INIT = "print 'init'", LUA_PATH = "/nowhere/?.lua", LUA_CPATH = "/nowhere/?.so" }
      same { "-E", "-e", "print(package.path, package.cpath)", env = env }
    end)

    it("honours LUA_PATH and LUA_CPATH with their ;; parts", function()
      same { "-e", "print(package.path, package.cpath)", env = { LUA_PATH = "/x/?.lua;;", LUA_CPATH = "/y/?.so;;" } }
      same { "-e", "print(package.path)", env = { LUA_PATH = "/x/?.lua", LUA_PATH_5_4 = "/z/?.lua" } }
    end)

    it("turns warnings on by -W, in its place among -e", function()
      assert.equal("Lua warning: two\n", same { "-e", "warn 'one'", "-W", "-e", "warn 'two'" }.stderr)
      same { "-W", "-e", "warn('@off') warn 'x' warn '@on' warn('a', 'b')" }
    end)

    it("warns of errors in finalisers", function()
      same { "-W", "-e", "setmetatable({}, { __gc = function() error 'in gc' end }) collectgarbage()" }
      same { "-W", "-e", "x = setmetatable({}, { __gc = function() error { } end })" }
    end)

    it("stops reading options at --", function()
      local dir <close> = support.tempdir()
      support.write(dir / "-script.lua", "print(arg[0], ...)")
      same { "--", "-script.lua", "-e", "x", cwd = tostring(dir) }
      same { "--", stdin = "print 'stdin'" }
    end)

    it("evaluates what the prompt reads after -i", function()
      local lines = "print(1)\n1 + 1\n= 7\nx = 3\nx\nfor i = 1, 2 do\nprint(i)\nend\nnil, 4\nerror 'oops'\n]\n"
      local both = run_both({ "-i", stdin = lines, env = { TERM = "dumb" } }, {})
      assert.equal(both[1].stderr, both[2].stderr)
      assert.equal(both[1].code, both[2].code)
      -- Debian's Lua echoes the input (readline); without prompts and echo the same values remain.
      for value in ("1 2 7 3 1 2 nil\t4"):gmatch "[^ ]+" do
        assert.match("%f[^\n> ]" .. value .. "\n", both[2].stdout)
      end
    end)

    it("reports a statement that the end of the input cuts off", function()
      assert.equal("stdin:1: unexpected symbol near <eof>\n", support.adtlua { "-i", stdin = "x =\n" }.stderr)
    end)

    it("keeps -i for after a script", function()
      local dir <close> = support.tempdir()
      support.write(dir / "s.lua", "x = 42")
      local result = support.adtlua { "-i", "s.lua", cwd = tostring(dir), stdin = "x\n" }
      assert.match("> 42\n> \n$", result.stdout)
    end)

    for _, words in ipairs { { "-h" }, { "---" }, { "-Ex" }, { "-vv" }, { "-iv" }, { "-Wx" }, { "-e" }, { "-l" },
      { "-e", "-v" }, { "-x", "script.lua" } } do
      it("refuses the bad option " .. table.concat(words, " "), function()
        local both = run_both(words, {})
        assert.equal(both[1].code, both[2].code)
        assert.equal(both[1].stdout, both[2].stdout)
        assert.equal(both[1].stderr:match "^[^\n]*", both[2].stderr:match "^[^\n]*")
      end)
    end
  end)

  describe("arguments", function()
    it("are in arg, from the program's name at a negative index on", function()
      local dir <close> = support.tempdir()
      support.write(dir / "s.lua", [[
        local n = 0
        while arg[n - 1] do n = n - 1 end
        for i = n + 1, #arg do print(i, arg[i]) end
        print(#arg, select("#", ...), ...)]])
      same { "-e", "x = 1", "-W", "s.lua", "a", "", "b c", "-e", "--", cwd = tostring(dir) }
      same { "s.lua", cwd = tostring(dir) }
    end)

    it("number from the program itself when no script stands there", function()
      same { "-e", "print(#arg, arg[1], arg[2], arg[3])" }
    end)

    it("are taken from arg when the script starts", function()
      same { "-e", "arg[1] = 100", "-", stdin = "print(...)" }
      same { "-e", "arg = 1", "-", stdin = "print(...)" }
      same { "-e", "arg = nil", "-", stdin = "print(...)" }
    end)

    it("may be many", function()
      local words = { "-", stdin = "print(select('#', ...), (select(1000, ...)))" }
      for i = 1, 2000 do
        words[i + 1] = tostring(i)
      end
      assert.equal("2000\t1000\n", same(words).stdout)
    end)

    it("hold any byte", function()
      same { "-", "\1\255 \t'\"$(x)\n", stdin = "print(#..., (...):byte(1, -1))" }
    end)
  end)

  describe("LUA_INIT", function()
    it("runs before everything else", function()
      same { "-e", "print(x)", env = { LUA_INIT = "x = 'init'" } }
    end)

    it("gives way to LUA_INIT_5_4", function()
      same { "-e", "print(x)", env = { LUA_INIT = "x = 'old'", LUA_INIT_5_4 = "x = 'new'" } }
    end)

    it("names a file after @", function()
      local dir <close> = support.tempdir()
      support.write(dir / "init.lua", "x = 'from file'")
      same { "-e", "print(x)", cwd = tostring(dir), env = { LUA_INIT = "@init.lua" } }
      same { "-e", "print(x)", cwd = tostring(dir), env = { LUA_INIT = "@no_such.lua" } }
    end)

    it("ends the program when it fails", function()
      same { "-e", "print 'not reached'", env = { LUA_INIT = "error 'bad init'" } }
      same { "-e", "print 'not reached'", env = { LUA_INIT_5_4 = "syntax error" } }
    end)
  end)

  describe("a script", function()
    it("comes from stdin by - or by nothing at all", function()
      same { "-", "a", stdin = "print(arg[0], ...)" }
      same { stdin = "print 'piped' print(...)" }
    end)

    it("that fails on stdin ends with status 1, also without - where Lua says 0", function()
      same { "-", stdin = "error 'x'" }
      for _, text in ipairs { "error 'x'", "x x" } do
        local both = run_both({ stdin = text }, {})
        assert.equal(1, both[2].code)
        assert.equal(both[1].stderr, both[2].stderr)
      end
    end)

    it("may begin with a line for the shell", function()
      same_script "#!/usr/bin/env lua\nprint(debug.getinfo(1).currentline)"
      same_script "# no newline after it"
      same_script "\239\187\191print 'after a byte order mark'"
    end)

    it("may be compiled", function()
      local dir <close> = support.tempdir()
      support.write(dir / "c.lua", string.dump(load("print('compiled', ...)")))
      same { "c.lua", "x", cwd = tostring(dir) }
    end)

    it("that is missing or a folder is an error", function()
      same { "./no_such_file.lua" }
      same { "/" }
    end)

    it("loads C modules of the distribution", function()
      assert.match("directory", same { "-e", "print(require 'lfs'.attributes('/', 'mode'))" }.stdout)
      same { "-l", "lfs", "-e", "print(lfs._VERSION)" }
    end)

    it("cannot be replaced by a module of ours in the working folder", function()
      local dir <close> = support.tempdir()
      assert(require "lfs".mkdir(dir / "adt"))
      support.write(dir / "adt/error.lua", "print 'replaced'")
      local result = support.adtlua { "-e", "print(type(require 'adt.error'.new))", cwd = tostring(dir) }
      assert.same({ 0, "function\n" }, { result.code, result.stdout })
    end)
  end)

  describe("an error", function()
    local cases = {
      ["that is a string"] = "error 'message'",
      ["without a position"] = "error('message', 0)",
      ["with the caller's position"] = "local function f() error('message', 2) end\nf()",
      ["that is a number"] = "error(42)",
      ["that is a table"] = "error {}",
      ["that is nil"] = "error(nil)",
      ["that is false"] = "error(false)",
      ["with __tostring"] = "error(setmetatable({}, { __tostring = function() return 'told' end }))",
      ["with a __tostring that fails"] = "error(setmetatable({}, { __tostring = function() error 'again' end }))",
      ["with a __tostring that gives no string"] = "error(setmetatable({}, { __tostring = function() return 1 end }))",
      ["with a __name"] = "error(setmetatable({}, { __name = 'kind' }))",
      ["in arithmetic"] = "local t = {}\nprint(t.x + 1)",
      ["in a call of a field"] = "local t = {}\nt.a.b()",
      ["deep in functions"] =
        "local function a() error 'deep' end\nlocal function b() a() end\nfunction c() b() end\nc()",
      ["after tail calls"] = "local function a() error 'tail' end\nlocal function b() return a() end\nb()",
      ["of a C function's argument"] = "string.rep()",
      ["of a method's argument"] = "('x'):rep({})",
      ["of assert"] = "assert(false)",
      ["of assert with a message"] = "assert(nil, 'asserted')",
      ["in a coroutine, by wrap"] = "coroutine.wrap(function() error 'inner' end)()",
      ["in a coroutine that was rethrown"] =
        "local co = coroutine.create(function() error 'x' end)\nerror(select(2, coroutine.resume(co)))",
      ["in a metamethod"] =
        "local t = setmetatable({}, { __index = function(_, k) error('no ' .. k) end })\nprint(t.x)",
      ["in sort"] = "table.sort({ 3, 2, 1 }, function() error 'in sort' end)",
      ["of the stack's size"] = "local function f() return 1 + f() end\nlocal ok, m = pcall(f)\nprint(ok, #m > 20)",
      ["with a very long message"] = "error(('x'):rep(5000))",
      ["with zero bytes"] = "error 'a\\0b'",
      ["in <close>"] = "local x <close> = setmetatable({}, { __close = function() error 'closing' end })",
      ["through <close>"] =
        "local x <close> = setmetatable({}, { __close = function(_, e) print('closed with', e) end })\nerror 'through'",
      ["in a goto's syntax"] = "goto nowhere",
      ["of syntax"] = "x = = 1",
      ["of syntax at the end"] = "if x then",
      ["of syntax in a string"] = "x = 'unfinished",
      ["of an assignment to a constant"] = "local x <const> = 1; x = 2",
      ["in load"] = "assert(load 'x x')",
      ["in require"] = "package.preload.m = function() error 'in module' end\nrequire 'm'",
    }
    for name, text in pairs(cases) do
      it(name .. " prints the same message and traceback", function()
        local result = same_script(text)
        assert.is_true(result.code == 1 or name == "of the stack's size")
      end)
      it(name .. " does so in -e, too", function()
        same { "-e", text }
      end)
    end

    it("from a chunk that -l loads", function()
      local dir <close> = support.tempdir()
      support.write(dir / "bad.lua", "local x\nx()")
      same { "-l", "bad", cwd = tostring(dir) }
      support.write(dir / "bad.lua", "x x")
      same { "-l", "bad", cwd = tostring(dir) }
    end)

    it("keeps the order of what stdout and stderr have seen", function()
      same_script "io.write 'before ' io.stderr:write 'on stderr' error 'after'"
    end)
  end)

  describe("os.exit", function()
    for _, arguments in ipairs { "", "0", "1", "7", "255", "256", "true", "false", "nil, true", "3, true", "true, true",
      "false, true" } do
      it("(" .. arguments .. ") gives the same status, output and closing", function()
        same_script(([[
          local x <close> = setmetatable({}, { __close = function() print 'closed' end })
          y = setmetatable({}, { __gc = function() print 'collected' end })
          io.write 'buffered'
          os.exit(%s)]]):format(arguments))
      end)
    end

    it("works inside a coroutine, pcall and a finaliser", function()
      same_script "coroutine.wrap(function() os.exit(5) end)()"
      same_script "pcall(os.exit, 6, true)"
      same_script "x = setmetatable({}, { __gc = function() os.exit(0) end })"
    end)
  end)

  describe("the end of a script", function()
    it("runs finalisers in their order", function()
      same_script [[
        for i = 1, 3 do
          _G["x" .. i] = setmetatable({}, { __gc = function() print(i) end })
        end]]
    end)

    it("writes out open files", function()
      local dir <close> = support.tempdir()
      support.write(dir / "s.lua", "f = io.open('out', 'w') f:write 'text'")
      same { "s.lua", cwd = tostring(dir) }
      assert.equal("text", support.read(dir / "out"))
    end)

    it("ignores what a script returns", function()
      same_script "return 1, {}, print"
      same_script "return nil"
    end)
  end)

  describe("io and os", function()
    it("behave the same with files", function()
      same_script [[
        local name = os.tmpname()
        local f <close> = assert(io.open(name, "w+"))
        print(io.type(f), f:write("one\n2 3.5 0x10\nrest"), f:seek("set"))
        print(f:read("l", "n", "n", "n", "L", "a", "a", "l"))
        print(pcall(f.read, f, "x"))
        print(f:seek("cur"), f:seek("set", 2), f:read(1), f:setvbuf("full", 1024))
        print(pcall(io.lines, "/no/such/file"))
        print(io.open("/no/such/file"))
        for line, number in io.lines(name, "l", 1) do print(line, number) end
        print(os.remove(name), os.remove "/no/such/file")
        print(os.rename("/no/such/file", "/no/other"))]]
    end)

    it("behave the same with programs", function()
      same_script [[
        print(os.execute "exit 3")
        print(os.execute "kill -9 $$")
        print(os.execute())
        local p = io.popen("cat", "w")
        print(p:write "to cat\n", p:close())
        local q = io.popen "echo out; exit 4"
        print(q:read "a", q:close())
        print(pcall(io.popen, "x", "bad mode"))]]
    end)

    it("behave the same with stdin", function()
      local text = "print(io.read 'l') print(io.read 'n') print(io.read 'a') print(io.read 'a', io.read 'l')"
      same { "-e", text, stdin = "first\n 12 \nlast" }
      same { "-e", "for line in io.lines() do print(#line) end", stdin = "a\n\nccc" }
      same { "-e", "print(io.stdin:close()) print(pcall(io.read))" }
    end)

    it("write to a closed pipe without ending the program differently", function()
      local dir <close> = support.tempdir()
      for i, program in ipairs { LUA, support.program() } do
        local line = ("{ '%s' -e 'for i = 1, 1e5 do io.write(i, \"\\n\") end' ; echo $? >'%s' ; } | head -n 1")
          :format(program, dir / ("code" .. i))
        os.execute(line .. " >/dev/null")
      end
      assert.equal(support.read(dir / "code1"), support.read(dir / "code2"))
    end)

    it("have the same clock, locale and environment", function()
      same { "-e", "print(os.getenv 'X', os.getenv 'NO_SUCH', os.setlocale())", env = { X = "value" } }
      same { "-e", "print(os.date('!%c', 0), os.time { year = 2024, month = 2, day = 30, hour = 1 })" }
      same { "-e", "print(pcall(os.date, '%Ez', 0)) print(pcall(os.time, { year = 'x' }))" }
    end)
  end)

  describe("the libraries", function()
    it("are Lua's, name by name", function()
      same { "-e", [[
        local names = {}
        for module, library in pairs(package.loaded) do
          if type(library) == "table" then
            for name, value in pairs(library) do
              names[#names + 1] = module .. "." .. tostring(name) .. ": " .. type(value)
            end
          end
        end
        table.sort(names)
        print(table.concat(names, "\n"))]] }
    end)

    it("have one more searcher than Lua, which knows our own modules alone", function()
      local result = support.adtlua { "-e", [[
        print(#package.searchers, package.searchers[2] "lfs", select("#", package.searchers[2] "string"))]] }
      assert.equal("5\tnil\t0\n", result.stdout:gsub("\tnil\t", "\tnil\t"))
    end)

    it("collect garbage in the same mode", function()
      same { "-e", "print(collectgarbage 'incremental', collectgarbage 'isrunning')" }
    end)
  end)

  describe("^C", function()
    -- Sends SIGINT to what runs, as a terminal does.
    local function interrupted(program, text)
      local line = ([[
        "$0" -e "$1" & pid=$!; sleep 0.4; kill -INT $pid; sleep 0.2; wait $pid; echo "status $?"]])
      local result = support.run { "bash", "-c", line, program, text }
      return { plain(result.stdout, program), plain(result.stderr, program) }
    end

    local function same_interrupted(text)
      local expected = interrupted(LUA, text)
      assert.same(expected, interrupted(support.program(), text))
      return expected
    end

    it("ends a busy loop with a traceback", function()
      assert.match("interrupted!", same_interrupted("while true do end")[2])
    end)

    it("can be caught", function()
      same_interrupted "print(pcall(function() while true do end end))"
    end)

    it("ends a busy loop in a coroutine, where Lua's is missed", function()
      local got = interrupted(support.program(), "coroutine.wrap(function() while true do end end)()")
      assert.match("status 1", got[1])
      assert.match("interrupted!", got[2])
    end)

    it("ends a busy loop in a task", function()
      local got = interrupted(support.program(), [[
        local c = require "adt.c.task"
        local task = c.spawn(function() while true do end end)
        print(task:join())]])
      assert.match("^false\t.*interrupted!\nstatus 0\n$", got[1])
    end)

    it("ends a wait", function()
      local got = interrupted(support.program(), [[
        local x <close> = setmetatable({}, { __close = function() print 'closed' end })
        require "adt.c.task".sleep(60)]])
      assert.equal("closed\nstatus 1\n", got[1])
      assert.match("^PROGRAM: .*interrupted!\nstack traceback:\n", got[2])
    end)

    it("ends a wait for a task", function()
      local got = interrupted(support.program(), [[
        local c = require "adt.c.task"
        c.spawn(c.sleep, 60):join()]])
      assert.equal("status 1\n", got[1])
      assert.match("interrupted!", got[2])
    end)

    it("ends a wait in a coroutine outside of any task", function()
      local got = interrupted(support.program(), [[
        coroutine.wrap(function() require "adt.c.task".sleep(60) end)()]])
      assert.equal("status 1\n", got[1])
      assert.match("interrupted!", got[2])
    end)

    it("ends the program at once the second time", function()
      local line = [["$0" -e 'pcall(function() while true do end end) while true do end' & pid=$!; sleep 0.3
        kill -INT $pid; sleep 0.3; kill -INT $pid; wait $pid; echo "status $?"]]
      for _, program in ipairs { LUA, support.program() } do
        assert.equal("status 130\n", support.run { "bash", "-c", line, program }.stdout)
      end
    end)
  end)
end)
