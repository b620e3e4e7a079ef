--- Files and folders: whole or not at all, never through a link, and with a word on what went wrong.
local fs = require "adt.fs"
local process = require "adt.process"
local support = require "support"
local task = require "adt.task"

local refusal = support.refusal

after_each(support.no_leaks)

describe("reading and writing", function()
  it("keeps bytes as they are", function()
    local dir <close> = fs.tempdir()
    local name, text = dir.path .. "/f", "a\0b\r\n\xff"
    fs.write(name, text)
    assert.equal(text, fs.read(name))
    fs.append(name, "more")
    assert.equal(text .. "more", fs.read(name))
    fs.write(name, "")
    assert.equal("", fs.read(name))
    assert.same({ n = 1, "" }, table.pack(fs.read(name)))
  end)

  it("gives private modes unless told", function()
    local dir <close> = fs.tempdir("spec-")
    assert.matches("/spec%-%w+$", dir.path)
    assert.equal(tonumber("700", 8), fs.stat(dir.path).mode)
    fs.write(dir.path .. "/f", "x")
    assert.equal(tonumber("600", 8), fs.stat(dir.path .. "/f").mode)
    fs.write(dir.path .. "/f", "x", { mode = tonumber("755", 8) })
    assert.equal(tonumber("755", 8), fs.stat(dir.path .. "/f").mode)
    fs.chmod(dir.path .. "/f", tonumber("444", 8))
    assert.equal(tonumber("444", 8), fs.stat(dir.path .. "/f").mode)
  end)

  it("makes folders above when asked, and waits for the disk", function()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/a/b/c", "x", { parents = true, sync = true })
    fs.append(dir.path .. "/a/d/e", "x", { parents = true, sync = true })
    assert.equal("x", fs.read(dir.path .. "/a/b/c"))
    assert.equal("ENOENT", refusal(fs.write, dir.path .. "/q/b", "x").code)
  end)

  it("replaces a link instead of writing through it", function()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/target", "old")
    fs.symlink("target", dir.path .. "/link")
    fs.write(dir.path .. "/link", "new")
    assert.equal("old", fs.read(dir.path .. "/target"))
    assert.equal("file", fs.stat(dir.path .. "/link", { follow = false }).type)
  end)

  it("bounds what is read", function()
    local err = refusal(fs.read, "/dev/zero", { max = 1000 })
    assert.same({ "usage", "EOVERFLOW" }, { err.cause, err.code })
    assert.matches("larger than 1000 bytes", err.message)
  end)

  it("says what went wrong", function()
    assert.equal("ENOENT", refusal(fs.read, "/no/such/file").code)
    assert.equal("EISDIR", refusal(fs.read, "/").code)
    assert.equal("usage", refusal(fs.read, "a\0b").cause)
    assert.equal("usage", refusal(fs.read, nil).cause)
    assert.equal("usage", refusal(fs.write, "/tmp/x", {}).cause)
    assert.equal("usage", refusal(fs.write, "/tmp/x", "y", { mode = -1 }).cause)
    assert.matches("did you mean 'parents'", tostring(refusal(fs.write, "/tmp/x", "y", { parent = true })))
    local err = refusal(fs.write, "/dev/full", "x", { atomic = false })
    assert.same({ "quota", "ENOSPC" }, { err.cause, err.code })
    assert.matches("free space", err.hint)
  end)

  it("leaves nothing on a full disk, and the old file as it was", function()
    local dir <close> = fs.tempdir()
    local mount = support.run { "mount", "-t", "tmpfs", "-o", "size=64k", "none", dir.path }
    if mount.code ~= 0 then
      pending("needs root to mount a small file system")
      return
    end
    local unmount <close> = setmetatable({}, { __close = function() support.run { "umount", dir.path } end })
    fs.write(dir.path .. "/f", "old")
    local err = refusal(fs.write, dir.path .. "/f", ("x"):rep(1000000))
    assert.same({ "quota", "ENOSPC" }, { err.cause, err.code })
    assert.same({ "f" }, fs.list(dir.path))
    assert.equal("old", fs.read(dir.path .. "/f"))
    refusal(fs.create, dir.path .. "/g", ("x"):rep(1000000))
    fs.write("/tmp/.adt-spec-big", ("x"):rep(1000000))
    assert.equal("quota", refusal(fs.copy, "/tmp/.adt-spec-big", dir.path .. "/h").cause)
    fs.remove "/tmp/.adt-spec-big"
    assert.same({ "f" }, fs.list(dir.path))
    assert.is_not_nil(unmount)
  end)

  it("says that a file system is read-only", function()
    local dir <close> = fs.tempdir()
    local mount = support.run { "mount", "-t", "tmpfs", "-o", "ro,size=64k", "none", dir.path }
    if mount.code ~= 0 then
      pending("needs root to mount a read-only file system")
      return
    end
    local unmount <close> = setmetatable({}, { __close = function() support.run { "umount", dir.path } end })
    local err = refusal(fs.write, dir.path .. "/f", "x")
    assert.same({ "usage", "EROFS" }, { err.cause, err.code })
    assert.matches("read%-only", err.hint)
    assert.equal("EROFS", refusal(fs.mkdir, dir.path .. "/d").code)
    assert.is_not_nil(unmount)
  end)

  it("respects permissions", function()
    if process.self().uid == 0 then
      pending("root may write everywhere")
      return
    end
    local dir <close> = fs.tempdir()
    fs.mkdir(dir.path .. "/closed", { mode = 320 })
    assert.equal("EACCES", refusal(fs.write, dir.path .. "/closed/f", "x").code)
  end)
end)

describe("claims", function()
  it("are won by one", function()
    local dir <close> = fs.tempdir()
    assert.is_true(fs.create_dir(dir.path .. "/claim"))
    assert.is_false(fs.create_dir(dir.path .. "/claim"))
    assert.is_true(fs.create(dir.path .. "/file", "me"))
    assert.is_false(fs.create(dir.path .. "/file", "you"))
    assert.equal("me", fs.read(dir.path .. "/file"))
    assert.equal("ENOENT", refusal(fs.create_dir, dir.path .. "/q/claim").code)
  end)
end)

describe("looking", function()
  it("tells what is there, or nil", function()
    local dir <close> = fs.tempdir()
    local f = dir.path .. "/f"
    fs.write(f, "12345")
    fs.symlink("f", dir.path .. "/link")
    fs.symlink("gone", dir.path .. "/dangling")
    local st = fs.stat(f)
    assert.same({ "file", 5, 1, process.self().uid }, { st.type, st.size, st.nlink, st.uid })
    assert.is_true(math.abs(st.mtime - require("adt.time").now()) < 60)
    assert.equal("file", fs.stat(dir.path .. "/link").type)
    assert.equal("link", fs.stat(dir.path .. "/link", { follow = false }).type)
    assert.is_nil(fs.stat(dir.path .. "/dangling"))
    assert.is_nil(fs.stat(f .. "/below"))
    assert.is_true(fs.exists(f) and fs.is_file(f) and fs.is_dir(dir.path))
    assert.is_false(fs.exists(dir.path .. "/dangling") or fs.is_dir(f) or fs.is_file(dir.path))
    assert.equal("device", fs.stat("/dev/null").type)
  end)

  it("lists sorted, and walks without following links", function()
    local dir <close> = fs.tempdir()
    for _, name in ipairs { "b/2", "b/1", "a", "b/c/3" } do
      fs.write(dir.path .. "/" .. name, "x", { parents = true })
    end
    fs.symlink("..", dir.path .. "/b/up")
    assert.same({ "a", "b" }, (fs.list(dir.path)))
    local seen = {}
    for name, kind in fs.walk(dir.path) do
      seen[#seen + 1] = name:sub(#dir.path + 2) .. ":" .. kind
    end
    assert.same({ "a:file", "b:directory", "b/1:file", "b/2:file", "b/c:directory", "b/c/3:file", "b/up:link" }, seen)
    assert.equal("ENOTDIR", refusal(fs.list, dir.path .. "/a").code)
    assert.equal("ENOENT", refusal(fs.walk, dir.path .. "/q").code)
  end)

  it("finds by pattern", function()
    local dir <close> = fs.tempdir()
    for _, name in ipairs { "a.lua", "b.lua", "c.txt", "d/e.lua", "d/f/g.lua", ".h/i.lua", "d/.j.lua", "x[1]" } do
      fs.write(dir.path .. "/" .. name, "x", { parents = true })
    end
    fs.symlink("..", dir.path .. "/d/up")
    local function found(pattern)
      local out = {}
      for i, name in ipairs(fs.glob(dir.path .. "/" .. pattern)) do
        out[i] = name:sub(#dir.path + 2)
      end
      return out
    end
    assert.same({ "a.lua", "b.lua" }, found "*.lua")
    assert.same({ "a.lua", "b.lua", "d/e.lua", "d/f/g.lua" }, found "**/*.lua")
    assert.same({ "d/e.lua", "d/f/g.lua" }, found "d/**/*.lua")
    assert.same({ "a.lua" }, found "[!b].lua")
    assert.same({ ".h/i.lua" }, found ".*/*.lua")
    assert.same({ "x[1]" }, found "x\\[1]")
    assert.same({ "c.txt" }, found "c.txt")
    assert.same({}, found "q/*")
    assert.same({}, found "none")
    assert.is_true(fs.match("**/*.lua", "d/f/g.lua") and not fs.match("*.lua", "d/e.lua"))
    local here = support.adtlua { "-e", "print(table.concat(require'adt.fs'.glob '*', ' '))", cwd = dir.path }
    assert.equal("a.lua b.lua c.txt d x[1]\n", here.stdout)
  end)

  it("tells the room on a file system", function()
    local space = fs.space "/tmp"
    assert.is_true(space.free > 0 and space.total >= space.free)
    assert.equal("ENOENT", refusal(fs.space, "/no/such").code)
  end)
end)

describe("names", function()
  it("are made, changed and removed", function()
    local dir <close> = fs.tempdir()
    local d = dir.path
    fs.mkdir(d .. "/x/y/z")
    fs.mkdir(d .. "/x/y/z")
    assert.equal("EEXIST", refusal(fs.mkdir, d .. "/x", { parents = false }).code)
    fs.write(d .. "/x/f", "1")
    fs.rename(d .. "/x/f", d .. "/g")
    fs.link(d .. "/g", d .. "/h")
    assert.equal(2, fs.stat(d .. "/g").nlink)
    assert.equal("EEXIST", refusal(fs.link, d .. "/g", d .. "/h").code)
    fs.symlink("g", d .. "/s")
    assert.equal("g", fs.readlink(d .. "/s"))
    assert.equal(fs.realpath(d) .. "/g", fs.realpath(d .. "/s"))
    assert.equal("ENOENT", refusal(fs.realpath, d .. "/none").code)
    fs.truncate(d .. "/g", 0)
    assert.equal("", fs.read(d .. "/h"))
    assert.is_true(fs.remove(d .. "/s"))
    assert.is_false(fs.remove(d .. "/s"))
    assert.matches("recursive", refusal(fs.remove, d .. "/x").hint)
    assert.is_true(fs.remove(d .. "/x", { recursive = true }))
    assert.is_false(fs.remove(d .. "/x", { recursive = true }))
    assert.same({ "g", "h" }, (fs.list(d)))
  end)

  it("of the root and of nothing are not removed", function()
    for _, name in ipairs { "/", "", ".", "..", "//", "/..", "a/.." } do
      assert.equal("Refused", refusal(fs.remove, name, { recursive = true }).code)
    end
  end)

  it("below a link are not removed with it", function()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/keep/f", "x", { parents = true })
    fs.mkdir(dir.path .. "/tree")
    fs.symlink(dir.path .. "/keep", dir.path .. "/tree/link")
    fs.remove(dir.path .. "/tree", { recursive = true })
    assert.equal("x", fs.read(dir.path .. "/keep/f"))
  end)

  it("are copied with all below them", function()
    local dir <close> = fs.tempdir()
    local d = dir.path
    fs.write(d .. "/from/a/f", "x", { parents = true, mode = 493 })
    fs.symlink("f", d .. "/from/a/link")
    fs.copy(d .. "/from", d .. "/to")
    assert.same({ "x", 493, "f" }, { fs.read(d .. "/to/a/f"), fs.stat(d .. "/to/a/f").mode, fs.readlink(d .. "/to/a/link") })
    assert.equal("Inside", refusal(fs.copy, d .. "/from", d .. "/from/a/b").code)
    assert.equal("ENOENT", refusal(fs.copy, d .. "/none", d .. "/x").code)
  end)
end)

describe("work on threads", function()
  it("lets other tasks run, and outlives a task that is cancelled", function()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/big", ("x"):rep(20000000))
    local turns = 0
    task.race {
      function() fs.copy(dir.path .. "/big", dir.path .. "/copy") end,
      function() while true do task.yield() turns = turns + 1 end end,
    }
    assert.is_true(turns > 0)
    assert.equal(20000000, fs.stat(dir.path .. "/copy").size)
    pcall(task.timeout, 0, fs.copy, dir.path .. "/big", dir.path .. "/other")
    task.sleep(0.3)
  end)
end)

describe("an open file", function()
  it("reads, writes, moves and is cut", function()
    local dir <close> = fs.tempdir()
    local f <close> = fs.open(dir.path .. "/f", "w+")
    f:write "hello world"
    assert.equal(11, f:size())
    assert.is_nil(f:read())
    f:seek(6)
    assert.equal("wor", f:read(3))
    assert.equal("hello", f:pread(0, 5))
    assert.is_nil(f:pread(100))
    assert.equal("ld", f:read "all")
    f:sync()
    f:truncate(5)
    f:seek(0)
    assert.equal("hello", f:read "all")
    local a <close> = fs.open(dir.path .. "/f", "a")
    a:write "!"
    assert.equal("hello!", f:pread(0))
    assert.equal(tonumber("600", 8), fs.stat(dir.path .. "/f").mode)
    assert.equal("EEXIST", refusal(fs.open, dir.path .. "/f", "x").code)
    f:close()
    f:close()
    assert.matches("closed", refusal(f.read, f).message)
  end)

  it("says what is wrong with how it is opened or used", function()
    assert.equal("ENOENT", refusal(fs.open, "/no/such").code)
    assert.equal("usage", refusal(fs.open, "/dev/null", "q").cause)
    local full <close> = fs.open("/dev/full", "w")
    local err = refusal(full.write, full, "x")
    assert.same({ "quota", "/dev/full" }, { err.cause, err.where })
    local null <close> = fs.open "/dev/null"
    assert.equal("EBADF", refusal(null.write, null, "x").code)
    assert.equal("usage", refusal(null.read, null, -1).cause)
  end)

  it("is not inherited", function()
    local f <close> = fs.open "/etc/passwd"
    local r = process.run { "sh", "-c", "test -e /proc/self/fd/" .. f:fileno(), check = false }
    assert.equal(1, r.code)
  end)

  it("locks out other processes and other open files, until it is closed", function()
    local dir <close> = fs.tempdir()
    local name = dir.path .. "/lock"
    local a, b <close> = fs.open(name, "w+"), fs.open(name, "r+")
    assert.is_true(a:lock())
    assert.is_true(a:lock())
    assert.is_false(b:lock())
    local other = [[local f = require "adt.fs".open(arg[1], "r+") print(f:lock(), f:lock("exclusive", { wait = 0.1 }))]]
    fs.write(dir.path .. "/other.lua", other)
    assert.equal("false\tfalse\n", support.adtlua({ dir.path .. "/other.lua", name }).stdout)
    -- Reading the same file elsewhere in this process does not give the lock away.
    fs.read(name)
    assert.is_false(b:lock())
    local got
    task.all {
      function() got = b:lock("exclusive", { wait = true }) end,
      function() task.sleep(0.05) a:close() end,
    }
    assert.is_true(got)
    b:lock "none"
    assert.equal("true\ttrue\n", support.adtlua({ dir.path .. "/other.lua", name }).stdout)
  end)
end)

describe("a temporary folder", function()
  it("goes with its scope, and with the collector", function()
    local kept
    do
      local dir <close> = fs.tempdir()
      fs.write(dir.path .. "/a/b", "x", { parents = true })
      kept = dir.path
    end
    assert.is_false(fs.exists(kept))
    kept = fs.tempdir().path
    collectgarbage()
    collectgarbage()
    assert.is_false(fs.exists(kept))
  end)

  it("goes also when its task is cancelled", function()
    local kept
    pcall(task.timeout, 0.02, function()
      local dir <close> = fs.tempdir()
      kept = dir.path
      task.sleep(60)
    end)
    assert.is_false(fs.exists(kept))
  end)
end)
