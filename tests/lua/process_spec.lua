--- Child processes: what arrives in them, what comes back, and that none is left.
local fs = require "adt.fs"
local process = require "adt.process"
local support = require "support"
local task = require "adt.task"
local time = require "adt.time"

local refusal = support.refusal

local function lines_of(p, which, options)
  local out = {}
  for line in p:lines(which, options) do
    out[#out + 1] = line
  end
  return out
end

local function gone(pid)
  local late = time.deadline(5)
  while process.alive(pid) and not late:passed() do
    task.sleep(0.01)
  end
  return not process.alive(pid)
end

after_each(support.no_leaks)

describe("process.run", function()
  it("gives what the program wrote and how it ended", function()
    local r = process.run { "sh", "-c", "echo out; echo err >&2" }
    assert.same({ "out\n", "err\n", 0, true, "exit 0" }, { r.stdout, r.stderr, r.code, r.ok, r.text })
    assert.is_true(r.seconds > 0 and r.seconds < 10)
  end)

  it("hands over arguments as the bytes that they are", function()
    local words = { "$(touch /tmp/no)", "`x`", "a'b\"c", "*", "", "two words", "\n", "-n", "\xff\xfe", "ü", 7, "%s" }
    local argv = { "sh", "-c", 'for w; do printf "%s\\0" "$w"; done', "sh" }
    table.move(words, 1, #words, #argv + 1, argv)
    words[11] = "7"
    assert.equal(table.concat(words, "\0") .. "\0", process.run(argv).stdout)
  end)

  it("writes the input and reads both streams at once, however much", function()
    local big = ("x"):rep(3000000)
    local r = process.run { "sh", "-c", "tee /dev/stderr", input = big }
    assert.is_true(r.stdout == big and r.stderr == big)
  end)

  it("is content with a program that does not read its input", function()
    assert.is_true(process.run({ "true", input = ("x"):rep(1000000) }).ok)
  end)

  it("gives an empty input unless told", function()
    assert.equal("", process.run({ "cat" }).stdout)
  end)

  it("raises when the program fails, with its exit and last words", function()
    local err = refusal(process.run, { "sh", "-c", "for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 3" })
    assert.same({ "program", 3 }, { err.cause, err.exit })
    assert.matches("exit 3: line 3\nline 4\nline 5\nline 6\nline 7$", err.message)
    err = refusal(process.run, { "sh", "-c", "kill -KILL $$" })
    assert.matches("killed by SIGKILL", err.message)
    assert.is_nil(err.exit)
  end)

  it("does not raise for it when check is false", function()
    local r = process.run { "sh", "-c", "exit 3", check = false }
    assert.same({ 3, false, "exit 3" }, { r.code, r.ok, r.text })
    r = process.run { "sh", "-c", "kill -TERM $$", check = false }
    assert.same({ "SIGTERM", false }, { r.signal, r.ok })
    assert.is_nil(r.code)
  end)

  it("keeps secrets out of what it raises", function()
    local secret = require "adt.c.secret"
    secret.add "hunter2-hunter2"
    local err = refusal(process.run, { "sh", "-c", "echo password hunter2-hunter2 >&2; exit 1" })
    secret.forget()
    assert.matches("password <secret>", err.message, 1, true)
    assert.is_nil(tostring(err):find "hunter2")
  end)

  it("ends a program that writes too much", function()
    local err = refusal(process.run, { "yes", max_output = 1000 })
    assert.same({ "program", "TooMuchOutput" }, { err.cause, err.code })
    assert.equal(1000, #process.run({ "head", "-c", "1000", "/dev/zero", max_output = 1000 }).stdout)
  end)

  it("ends a program that takes too long, its children too", function()
    local dir <close> = fs.tempdir()
    local began = time.monotonic()
    local err = refusal(process.run, { "sh", "-c", "sleep 60 & echo $! >pid; wait", timeout = 0.3, cwd = dir.path })
    assert.equal("timeout", err.cause)
    assert.is_true(time.monotonic() - began < 2)
    assert.is_true(gone(math.tointeger(tonumber(fs.read(dir.path .. "/pid")))))
  end)

  it("kills what ignores a polite signal, also when its leader has gone", function()
    local dir <close> = fs.tempdir()
    local err = refusal(process.run, {
      "sh", "-c", "sh -c 'trap \"\" TERM; echo $$ >pid; while :; do sleep 1; done' & wait", timeout = 0.3, cwd = dir.path,
    })
    assert.equal("timeout", err.cause)
    assert.is_true(gone(math.tointeger(tonumber(fs.read(dir.path .. "/pid")))))
  end)

  it("ends the program when its task is cancelled", function()
    local pid
    assert.equal("Timeout", refusal(task.timeout, 0.3, function()
      local p <close> = process.spawn { "sleep", "60" }
      pid = p.pid
      p:wait()
    end).code)
    assert.is_true(gone(pid))
    assert.equal("Timeout", refusal(task.timeout, 0.1, process.run, { "sleep", "60" }).code)
  end)

  it("runs many side by side", function()
    local n = 0
    local results = task.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, { at_once = 5 }, function(i)
      n = n + 1
      return process.run({ "echo", i }).stdout
    end)
    assert.equal("10\n", results[10])
    assert.equal(10, n)
  end)

  it("uses the folder and the variables that it is given", function()
    process.setenv("ADT_SPEC_A", "a")
    process.setenv("ADTLUA_PARAM_TOKEN", "secret")
    local r = process.run {
      "sh", "-c", "pwd; echo ${ADT_SPEC_A-none} ${ADT_SPEC_B-none} ${ADTLUA_PARAM_TOKEN-none}", cwd = "/",
      env = { ADT_SPEC_A = false, ADT_SPEC_B = 7 },
    }
    assert.equal("/\nnone 7 none\n", r.stdout)
    assert.equal("a\n", process.run({ "sh", "-c", "echo $ADT_SPEC_A" }).stdout)
    local clear = process.run { "/usr/bin/env", clear_env = true, env = { X = "a=b\nc" } }
    assert.equal("X=a=b\nc\n", clear.stdout)
    process.setenv("ADT_SPEC_A", nil)
    process.setenv("ADTLUA_PARAM_TOKEN", nil)
    assert.is_nil(process.env "ADT_SPEC_A")
  end)

  it("passes bytes that are no UTF-8 and NUL bytes on untouched", function()
    local bytes = "\xff\0\xfe\r\n\x80"
    assert.equal(bytes, process.run({ "cat", input = bytes }).stdout)
  end)
end)

describe("bad input to a start", function()
  it("is a usage error that says what", function()
    for _, case in ipairs {
      { {}, "no program is named" },
      { { "" }, "No such file" },
      { { "adt-no-such-program" }, "No such file" },
      { { "/etc/passwd" }, "Permission denied" },
      { { "ls", "a\0b" }, "argument 1 .*NUL" },
      { { "ls", "ok", {} }, "argument 2 .*table" },
      { { "ls", ("x"):rep(131072) }, "argument 1 .*128 KiB" },
      { { "ls", cwd = "/no/such" }, "working folder" },
      { { "ls", cwd = "a\0b" }, "NUL" },
      { { "ls", env = { ["A=B"] = "x" } }, "bad name" },
      { { "ls", env = { A = "x\0y" } }, "NUL" },
      { { "ls", env = { A = {} } }, "table" },
      { { "ls", env = "A=b" }, "env" },
      { { "ls", stdin = "pip" }, "stdin" },
      { { "ls", stdout = "stdout" }, "stdout" },
      { { "ls", limits = { nofiles = 3 } }, "nofile" },
      { { "ls", limits = { nofile = "many" } }, "nofile" },
      { { "ls", stderr = { file = "/no/such/x" } }, "/no/such/x" },
    } do
      local err = refusal(process.spawn, case[1])
      assert.equal("usage", err.cause, err.message)
      assert.matches(case[2], err.message)
    end
    assert.matches("did you mean 'timeout'", tostring(refusal(process.run, { "ls", timout = 1 })))
    assert.matches("seconds", refusal(process.run, { "ls", timeout = "1" }).message)
  end)

  it("reaches just below the longest argument", function()
    assert.equal(131071, #process.run({ "printf", "%s", ("x"):rep(131071) }).stdout)
  end)
end)

describe("a process", function()
  it("gives its lines as they come", function()
    local p <close> = process.spawn { "sh", "-c", "echo a; sleep 0.05; printf 'b\\r\\n\\n'; printf c", stdout = "pipe" }
    assert.same({ "a", "b", "", "c" }, lines_of(p))
    assert.is_true(p:wait().ok)
  end)

  it("gives lines of both streams with their names", function()
    local p <close> = process.spawn {
      "sh", "-c", "echo a; sleep 0.05; echo b >&2; sleep 0.05; echo c", stdout = "pipe", stderr = "pipe",
    }
    local seen = {}
    for line, stream in p:lines "both" do
      seen[#seen + 1] = stream .. ":" .. line
    end
    assert.same({ "stdout:a", "stderr:b", "stdout:c" }, seen)
  end)

  it("splits progress bars when asked, and keeps bytes that are no UTF-8", function()
    local p <close> = process.spawn { "printf", "1%%\\r2%%\\r\\nx\\377y\\n", stdout = "pipe" }
    assert.same({ "1%", "2%", "x\xffy" }, lines_of(p, "stdout", { cr = "split" }))
    local q <close> = process.spawn { "printf", "1\\r2\\r\\n", stdout = "pipe" }
    assert.same({ "1\r2\r" }, lines_of(q, "stdout", { cr = "keep" }))
  end)

  it("keeps memory bounded however long a line is", function()
    local function peak()
      return tonumber(support.read("/proc/self/status"):match "VmHWM:%s*(%d+)")
    end
    local before = peak()
    local p <close> = process.spawn { "sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end", stdout = "pipe" }
    local out = lines_of(p)
    assert.equal(2, #out)
    assert.equal(1048576 + #" [... cut]", #out[1])
    assert.equal(" [... cut]", out[1]:sub(-10))
    assert.equal("end", out[2])
    -- A sanitizer holds back what was freed.
    if not support.read("/proc/self/maps"):find "libasan" then
      assert.is_true(peak() - before < 30000, "it took " .. peak() - before .. " kB")
    end
  end)

  it("loses no line to a wait that was cancelled", function()
    local p <close> = process.spawn { "sh", "-c", "sleep 0.2; echo kept", stdout = "pipe" }
    local next_line = p:lines()
    assert.equal("Timeout", refusal(task.timeout, 0.05, next_line).code)
    assert.equal("kept", next_line())
  end)

  it("talks through its standard input", function()
    local p <close> = process.spawn { "sh", "-c", "while read x; do echo \"<$x>\"; done", stdin = "pipe", stdout = "pipe" }
    local line = p:lines()
    p:write "one\n"
    assert.equal("<one>", line())
    p:write "two\n"
    p:close_stdin()
    assert.equal("<two>", line())
    assert.is_nil(line())
  end)

  it("refuses two readers of one stream", function()
    local p <close> = process.spawn { "sleep", "60", stdout = "pipe" }
    local err = refusal(task.all, { function() p:read() end, function() p:read() end })
    assert.equal("Busy", err.code)
  end)

  it("waits at its gate", function()
    local dir <close> = fs.tempdir()
    local p <close> = process.spawn { "touch", "ran", cwd = dir.path, gated = true }
    assert.is_true(process.alive(p.pid, p:start_time()))
    task.sleep(0.05)
    assert.is_false(fs.exists(dir.path .. "/ran"))
    p:go()
    assert.is_true(p:wait().ok)
    assert.is_true(fs.exists(dir.path .. "/ran"))
  end)

  it("writes to files and to open files", function()
    local dir <close> = fs.tempdir()
    local log = dir.path .. "/log"
    for i = 1, 2 do
      local p <close> = process.spawn { "sh", "-c", "echo " .. i .. "; echo e >&2", stdout = { file = log, append = true }, stderr = "stdout" }
      p:wait()
    end
    assert.equal("1\ne\n2\ne\n", fs.read(log))
    local ours <close> = fs.open(log, "r")
    local theirs <close> = assert(io.open(dir.path .. "/copy", "w"))
    local p <close> = process.spawn { "cat", stdin = ours, stdout = theirs }
    p:wait()
    assert.equal("1\ne\n2\ne\n", fs.read(dir.path .. "/copy"))
    ours:close()
    assert.equal("usage", refusal(process.spawn, { "cat", stdin = ours }).cause)
  end)

  it("passes an flock on to a child", function()
    local dir <close> = fs.tempdir()
    local file = fs.open(dir.path .. "/lock", "w")
    assert.is_true(file:flock())
    local p = process.spawn { "sleep", "60", stdout = file }
    file:close()
    local other <close> = fs.open(dir.path .. "/lock", "r+")
    assert.is_false(other:flock())
    p:close()
    assert.is_true(other:flock("exclusive", { wait = 5 }))
  end)

  it("is ended by close, by <close> and by the collector, unless detached", function()
    local pid
    do
      local p <close> = process.spawn { "sleep", "60" }
      pid = p.pid
    end
    assert.is_true(gone(pid))
    pid = process.spawn({ "sleep", "60" }).pid
    collectgarbage()
    collectgarbage()
    assert.is_true(gone(pid))
    local p = process.spawn { "sleep", "60", detached = true }
    p:close()
    task.sleep(0.05)
    assert.is_true(process.alive(p.pid, p.ticks))
    process.kill(p.pid, "KILL", p.ticks)
    assert.is_true(gone(p.pid))
  end)

  it("tells how it ended without waiting, too", function()
    local p <close> = process.spawn { "sleep", "60" }
    assert.is_nil(p:ended())
    p:kill "INT"
    assert.equal("SIGINT", p:wait().signal)
    assert.equal("killed by SIGINT", p:ended().text)
    assert.matches("process %d+ %(sleep%)", tostring(p))
  end)

  it("says when it is used after its end", function()
    local p = process.spawn { "true", stdout = "pipe" }
    p:close()
    p:close()
    assert.is_false(pcall(p.wait, p))
    assert.is_false(pcall(p.read, p))
  end)
end)

describe("processes by pid", function()
  it("are named for good by their start time", function()
    local me = process.self()
    assert.is_true(process.alive(me.pid, me.start_time))
    assert.is_false(process.alive(me.pid, me.start_time + 1))
    assert.is_true(me.host ~= "" and me.boot_id ~= nil and me.uid >= 0)
    local p <close> = process.spawn { "sleep", "60" }
    assert.equal("Replaced", refusal(process.kill, p.pid, "TERM", p.ticks - 1).code)
    assert.is_nil(p:ended())
    process.kill(p.pid, "TERM", p.ticks)
    assert.equal("SIGTERM", p:wait().signal)
    assert.equal("ESRCH", refusal(process.kill, p.pid, "TERM", p.ticks).code)
  end)

  it("are listed with their parents", function()
    local p <close> = process.spawn { "sh", "-c", "sleep 60 & sleep 60 & echo; wait", stdout = "pipe" }
    p:read()
    local mine = process.children_of()
    local found
    for _, child in ipairs(mine) do
      found = found or child.pid == p.pid
    end
    assert.is_true(found)
    assert.equal(2, #process.children_of(p.pid))
    assert.equal(2, process.kill_tree(p.pid, "KILL"))
    assert.is_true(p:wait().ok)
  end)

  it("leave nobody under a supervisor", function()
    local r = support.adtlua { "-e", [[
      local process, task = require "adt.process", require "adt.task"
      process.reaper()
      local p = process.spawn { "sh", "-c", "setsid sh -c 'sleep 60 & sleep 60' & setsid sleep 60 & echo; exec sleep 60", stdout = "pipe" }
      p:read()
      task.sleep(0.1)
      assert(#process.children_of(nil, { deep = true }) >= 4)
      for _ = 1, 100 do
        if process.kill_tree() == 0 then break end
        task.sleep(0.02)
      end
      assert(p:wait().signal == "SIGKILL")
      task.sleep(0.1)
      for _, q in ipairs(process.list()) do
        assert(q.ppid ~= process.self().pid, "left: " .. q.name .. " " .. q.state)
      end
      print "nobody"
    ]] }
    assert.same({ 0, "nobody\n", "" }, { r.code, r.stdout, r.stderr })
  end)
end)

describe("small words", function()
  it("find programs and name signals", function()
    assert.matches("^/.*/sh$", process.find "sh")
    assert.is_nil(process.find "adt-no-such-program")
    assert.same({ "SIGKILL", 15, 15 }, { process.signal_name(9), process.signal_number "TERM", process.signal_number "SIGTERM" })
    assert.is_nil(process.signal_number "TREM")
    assert.same({ "/bin/sh", "-c", "a | b" }, process.sh "a | b")
    assert.equal("hi\n", process.run(process.sh "echo hi").stdout)
  end)
end)
