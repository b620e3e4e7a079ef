--- The journal of a run: what is appended is there, whole lines or nothing, and damage is told with its line.
local cfault = require "adt.c.fault"
local errors = require "adt.error"
local fs = require "adt.fs"
local journal = require "adt.journal"
local support = require "support"
local task = require "adt.task"

describe("the journal", function()
  after_each(function()
    cfault.arm(nil)
    support.no_leaks()
  end)

  local function failure(f, ...)
    local value, err = errors.try(f, ...)
    assert.is_nil(value)
    return err
  end

  it("gives back what was appended, in order", function()
    local dir <close> = support.tempdir()
    local j = journal.open(dir / "j")
    for i = 1, 3 do j:append({ type = "note", n = i, text = "a\nb" }, i == 2) end
    j:close()
    local records, size = journal.read(dir / "j")
    assert.same({ 1, 2, 3 }, { records[1].n, records[2].n, records[3].n })
    assert.equal("a\nb", records[1].text)
    assert.equal(#support.read(dir / "j"), size)
  end)

  it("is append-only, a torn last line dropped", function()
    local dir <close> = support.tempdir()
    support.write(dir / "j", '{"type":"a"}\n{"type":"b"}\n{"type":"c","x":')
    assert.equal(2, #journal.read(dir / "j"))
    local j, records = journal.open(dir / "j")
    assert.equal(2, #records)
    j:append({ type = "d" }, true)
    j:close()
    assert.matches('^{"type":"a"}\n{"type":"b"}\n{.-"type":"d".-}\n$', support.read(dir / "j"))
  end)

  it("names the line that is damaged, whatever stands there", function()
    local dir <close> = support.tempdir()
    for _, line in ipairs { "{broken", "false", "null", "[1]", '{"type":1}', "", "\0\0\0", '{"a":1}', '"text"', "\xff" } do
      support.write(dir / "j", '{"type":"a"}\n' .. line .. '\n{"type":"b"}\n')
      local err = failure(journal.read, dir / "j")
      assert.equal("config", err.cause)
      assert.equal("CorruptJournal", err.code)
      assert.equal(dir / "j" .. ":2", err.where)
      assert.truthy(err.hint)
    end
  end)

  it("refuses a line of more than 8 MiB", function()
    local dir <close> = support.tempdir()
    support.write(dir / "j", '{"type":"' .. ("x"):rep(9 << 20) .. '"}\n')
    assert.equal(dir / "j" .. ":1", failure(journal.read, dir / "j").where)
  end)

  it("of no bytes holds no records", function()
    local dir <close> = support.tempdir()
    support.write(dir / "j", "")
    assert.same({}, (journal.read(dir / "j")))
  end)

  it("keeps what was written before when the disk is full, and says what to do", function()
    local dir <close> = support.tempdir()
    local mounted = os.execute("mount -t tmpfs -o size=16k tmpfs " .. support.quote(tostring(dir)) .. " 2>/dev/null")
    if not mounted then
      pending "needs to mount"
      return
    end
    local ok, message = pcall(function()
      local j <close> = journal.open(dir / "j")
      j:append({ type = "a", text = ("x"):rep(5000) }, true)
      local _, err = errors.try(j.append, j, { type = "b", text = ("y"):rep(50000) }, true)
      assert.equal("config", err.cause)
      assert.equal("ENOSPC", err.code)
      assert.matches("adtlua resume", err.hint)
      j:append({ type = "c" }, true)
      local records = journal.read(dir / "j")
      assert.same({ "a", "c" }, { records[1].type, records[2].type })
    end)
    os.execute("umount " .. support.quote(tostring(dir)))
    assert.is_true(ok, tostring(message))
  end)

  it("writes a durable line to its end although the task was cancelled", function()
    local dir <close> = support.tempdir()
    local j = journal.open(dir / "j")
    local t
    local ended
    task.group(function()
      t = task.spawn(function()
        t:cancel()
        j:append({ type = "a" }, true)
        ended = true
      end)
      errors.try(t.join, t)
    end)
    j:close()
    assert.is_true(ended)
    assert.equal(1, #journal.read(dir / "j"))
  end)

  it("holds no secret that is known", function()
    local dir <close> = support.tempdir()
    local csecret = require "adt.c.secret"
    local value = "hush\"hush\\hush\nhush"
    csecret.add(value)
    local j = journal.open(dir / "j")
    j:append { type = "a", text = "it is " .. value .. "!" }
    j:close()
    csecret.forget()
    assert.equal("it is <secret>!", journal.read(dir / "j")[1].text)
    assert.is_nil(support.read(dir / "j"):find("hush", 1, true))
  end)

  it("is 0600", function()
    local dir <close> = support.tempdir()
    journal.open(dir / "j"):close()
    assert.equal(tonumber("600", 8), fs.stat(dir / "j").mode)
  end)
end)
