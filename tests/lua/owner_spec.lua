--- One owner per run: told by a lock, by the owner file, and by a file where there are no locks.
local cfault = require "adt.c.fault"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local owner = require "adt.owner"
local process = require "adt.process"
local support = require "support"

describe("the owner of a run", function()
  after_each(function()
    cfault.arm(nil)
    support.no_leaks()
  end)

  local function me(changes)
    local who = process.self()
    local copy = { host = who.host, boot_id = who.boot_id, pid = who.pid, start_time = who.start_time }
    for k, v in pairs(changes or {}) do copy[k] = v end
    return copy
  end

  local function refused(dir, take_over)
    local got, err = errors.try(owner.acquire, dir, take_over)
    assert.is_nil(got)
    assert.equal("busy", err.cause)
    assert.equal(75, errors.exit_code(err))
    assert.matches("take%-over", err.hint)
    return err
  end

  it("is host, boot id, pid and start time under a lock, and gone when it is given up", function()
    local dir <close> = support.tempdir()
    local own = owner.acquire(tostring(dir))
    assert.same(me(), json.decode(support.read(dir / "owner")))
    assert.is_true(owner.alive(tostring(dir)))
    refused(tostring(dir))
    own:check()
    own:close()
    own:close()
    assert.is_false(owner.alive(tostring(dir)))
    assert.is_false(fs.exists(dir / "owner"))
    owner.acquire(tostring(dir)):close()
  end)

  it("that lives, or cannot be seen, is not replaced; --take-over overrides", function()
    local dir <close> = support.tempdir()
    local parent = process.start_time(1)
    for text, who in pairs {
      ["is alive"] = me { pid = 1, start_time = parent }, ["cannot be seen from here"] = me { host = "elsewhere" },
    } do
      support.write(dir / "owner", json.encode(who))
      assert.matches(text, refused(tostring(dir)).message)
      owner.acquire(tostring(dir), true):close()
    end
  end)

  it("that has died is replaced: another boot, a pid that is gone or somebody else's", function()
    local dir <close> = support.tempdir()
    for _, who in ipairs { me { boot_id = "another" }, me { pid = 1, start_time = 1 << 60 }, me { pid = 4194303 } } do
      support.write(dir / "owner", json.encode(who))
      assert.is_false(owner.alive(tostring(dir)))
      owner.acquire(tostring(dir)):close()
    end
  end)

  it("file that was torn or holds something else is no owner", function()
    local dir <close> = support.tempdir()
    for _, text in ipairs { "", '{"pid":', "[]", "null", '{"pid":"1"}', ("x"):rep(10000) } do
      support.write(dir / "owner", text)
      assert.is_false(owner.alive(tostring(dir)))
      owner.acquire(tostring(dir)):close()
    end
  end)

  it("that was overridden stops at its next record and leaves the new owner's mark", function()
    local dir <close> = support.tempdir()
    local own = owner.acquire(tostring(dir))
    support.write(dir / "owner", json.encode(me { pid = 1 }))
    local _, err = errors.try(own.check, own)
    assert.equal("busy", err.cause)
    assert.matches("taken over by process 1 on", err.message)
    own:close()
    assert.equal(1, json.decode(support.read(dir / "owner")).pid)
  end)

  describe("where the mount has no locks", function()
    it("is an O_EXCL file, which goes with it", function()
      local dir <close> = support.tempdir()
      cfault.arm "owner.nolock:fail"
      local own = owner.acquire(tostring(dir))
      assert.same(me(), json.decode(support.read(dir / "lock.file")))
      cfault.arm "owner.nolock:fail"
      refused(tostring(dir))
      own:close()
      assert.is_false(fs.exists(dir / "lock.file"))
    end)

    it("is replaced when it has died, and not when it cannot be seen", function()
      local dir <close> = support.tempdir()
      support.write(dir / "lock.file", json.encode(me { pid = 4194303 }))
      cfault.arm "owner.nolock:fail"
      owner.acquire(tostring(dir)):close()
      support.write(dir / "lock.file", json.encode(me { host = "elsewhere" }))
      cfault.arm "owner.nolock:fail"
      assert.matches("cannot be seen", refused(tostring(dir)).message)
      cfault.arm "owner.nolock:fail"
      owner.acquire(tostring(dir), true):close()
      assert.same({ "lock" }, (fs.list(tostring(dir))))
    end)
  end)

  it("does not lose the lock to a child that a killed owner was about to start", function()
    local dir <close> = support.tempdir()
    -- The child holds the lock as a fork does before its exec; the owner file names a process that is gone.
    local holder <close> = process.spawn { process.self().exe, "-e", [[
      local lock = require("adt.fs").open(os.getenv "LOCK", "a+")
      assert(lock:lock "exclusive")
      print "locked"
      io.stdout:flush()
      io.read "a"
    ]], env = { LOCK = dir / "lock" }, stdin = "pipe", stdout = "pipe", stderr = "inherit" }
    assert.equal("locked", holder:lines()())
    support.write(dir / "owner", json.encode(me { pid = 4194303 }))
    local own
    require("adt.task").all {
      function() own = owner.acquire(tostring(dir)) end,
      function()
        require("adt.task").sleep(0.05)
        assert.is_nil(own)
        holder:close_stdin()
      end,
    }
    own:close()
    holder:wait()
  end)
end)
