--- A run: its folder, what its journal says has happened, its ids, its key.
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local process = require "adt.process"
local run = require "adt.run"
local stepdata = require "adt.stepdata"
local support = require "support"

local STATE = process.env "XDG_STATE_HOME"

describe("a run", function()
  local dir

  before_each(function()
    dir = support.tempdir()
    process.setenv("XDG_STATE_HOME", tostring(dir))
  end)

  after_each(function()
    process.setenv("XDG_STATE_HOME", STATE)
    getmetatable(dir).__close(dir)
    support.no_leaks()
  end)

  local function failure(f, ...)
    local value, err = errors.try(f, ...)
    assert.is_nil(value)
    return err
  end

  it("is a folder $XDG_STATE_HOME/adtlua/runs/ID/ (R and 12 sortable base32 characters)", function()
    local ids = {}
    for i = 1, 3 do
      local r <close> = run.create { recipe = "x" }
      assert.equal(dir / ("adtlua/runs/" .. r.id), r.dir)
      assert.matches("^R[0-9a-z]+$", r.id)
      assert.equal(13, #r.id)
      ids[i] = r.id
    end
    assert.same(ids, run.ids())
    local sorted = { table.unpack(ids) }
    table.sort(sorted)
    assert.same(ids, sorted)
  end)

  it("has files of 0600 and folders of 0700", function()
    local recipe = dir / "recipe"
    support.write(recipe, "return 1")
    local r = run.create({ recipe = "x" }, recipe)
    r:record({ type = "begin" }, true)
    r:close()
    for _, folder in ipairs { "adtlua", "adtlua/runs", "adtlua/runs/" .. r.id } do
      assert.equal(tonumber("700", 8), fs.stat(dir / folder).mode, folder)
    end
    for _, name in ipairs { "journal.ndjson", "key", "lock" } do
      assert.equal(tonumber("600", 8), fs.stat(r.dir .. "/" .. name).mode, name)
    end
    assert.equal("return 1", support.read(r.dir .. "/recipe.lua"))
  end)

  it("is found by its id, its unique beginning, its folder and as the last one", function()
    local a <close> = run.create { recipe = "a" }
    local b <close> = run.create { recipe = "b" }
    assert.equal(b.id, run.read("last").id)
    assert.equal(a.id, run.read(a.id:lower()).id)
    assert.equal("a", run.read(a.dir).head.recipe)
    assert.matches("begins the ids of 2 runs", failure(run.read, "R").message)
    assert.matches("did you mean " .. a.id, failure(run.read, "x" .. a.id).hint)
    assert.equal("usage", failure(run.read, tostring(dir)).cause)
  end)

  it("gives back in another process what was recorded", function()
    local r = run.create { recipe = "x" }
    r:record({ type = "begin" }, true)
    r:record({ type = "stage", stage = "odd", state = "begin" })
    r:record({ type = "check", stage = "odd", name = "c", ok = true })
    r:record({ type = "intent", step = "a", digest = "d", inputs = { i = "1" }, key = "k", n = 1 }, true)
    r:record({ type = "child", step = "a", pid = 7, start_time = 8, host = "h", boot_id = "b" }, true)
    r:close()
    r = run.open(r.id)
    assert.equal(7, r.steps.a.children[1].pid)
    assert.is_false(r.steps.a.acked)
    r:record({ type = "ack", step = "a", result = { x = 1 } }, true)
    r:record({ type = "metrics", step = "a", rows = { { step = 1, loss = 2.5 } }, offsets = { ["1/0"] = 10 } })
    r:record({ type = "ended", step = "a", result = { state = "done" } }, true)
    r:record({ type = "end", state = "ok", exit = 0, verdict = "fine" }, true)
    r:close()
    local again = run.read(r.id)
    assert.same({ x = 1 }, again.steps.a.result)
    assert.same({}, again.steps.a.children)
    assert.equal(2.5, again.steps.a.metrics[1].loss)
    assert.equal(10, again.steps.a.offsets["1/0"])
    assert.equal("done", again.steps.a.ended.state)
    assert.same({ "odd" }, again.stage_order)
    assert.equal("ok", again:state())
    assert.same({ "a" }, again.order)
  end)

  it("is running while it has an owner, interrupted when that died without a last word", function()
    local r = run.create { recipe = "x" }
    assert.equal("running", run.read(r.id):state())
    r:close()
    assert.equal("interrupted", run.read(r.id):state())
  end)

  it("can be copied: its results name the new folder, and its inputs have the same digests", function()
    local r = run.create { recipe = "x" }
    r:record({ type = "begin" }, true)
    r:record({ type = "ack", step = "a", result = { file = r.dir .. "/files/x", list = { "--dir=" .. r.dir }, other = r.dir .. "-no" } }, true)
    local inputs = { cmd = { "train", r.dir .. "/checkpoints" }, n = 1 }
    local digest, each = stepdata.digests(r, inputs)
    local old = r.dir
    r:close()
    fs.copy(old, dir / "copy")
    local copy <close> = run.open(dir / "copy")
    assert.equal(r.id, copy.id)
    assert.same({ file = dir / "copy/files/x", list = { "--dir=" .. dir / "copy" }, other = old .. "-no" }, copy.steps.a.result)
    local again, each_again = stepdata.digests(copy, { cmd = { "train", dir / "copy/checkpoints" }, n = 1 })
    assert.equal(digest, again)
    assert.same(each, each_again)
  end)

  it("has a key of its own for the digests of its inputs, without which inputs cannot be compared", function()
    local a <close> = run.create { recipe = "x" }
    local b <close> = run.create { recipe = "x" }
    assert.not_equal((stepdata.digests(a, { n = 1 })), (stepdata.digests(b, { n = 1 })))
    os.remove(a.dir .. "/key")
    a.secret_key = nil
    local err = failure(stepdata.digests, a, { n = 1 })
    assert.equal("config", err.cause)
    assert.matches("copy the whole folder", err.hint)
  end)

  it("that was never begun, or whose first record is no head, is told as such", function()
    local r = run.create { recipe = "x" }
    r:close()
    local file = r.dir .. "/journal.ndjson"
    support.write(file, "")
    assert.equal("EmptyRun", failure(run.read, r.id).code)
    assert.equal("EmptyRun", failure(run.open, r.id).code)
    support.write(file, json.encode { type = "run", id = "../../etc", recipe = "x" } .. "\n")
    assert.equal("CorruptJournal", failure(run.open, r.id).code)
    -- A failed open gives the lock back.
    support.write(file, json.encode { type = "run", id = r.id, recipe = "x" } .. "\n")
    run.open(r.id):close()
  end)

  it("that was taken over refuses the old owner's next record", function()
    local old = run.create { recipe = "x" }
    local new <close> = run.open(old.id, true)
    -- Both are this process; another would have another pid.
    support.write(new.dir .. "/owner", json.encode { pid = 1, host = "h", boot_id = "b", start_time = 1 })
    local err = failure(old.record, old, { type = "note" }, true)
    assert.equal("TakenOver", err.code)
    old:close()
  end)

  it("cannot be begun where the state folder cannot be made, and leaves nothing", function()
    support.write(dir / "adtlua", "")
    local err = failure(run.create, { recipe = "x" })
    assert.equal("config", err.cause)
    assert.matches("set XDG_STATE_HOME", err.hint)
  end)
end)

describe("the key of a step", function()
  it("is letters, digits, '_', '.' and '-', and different for each name and time", function()
    local seen = {}
    for _, name in ipairs { "a b", "a-b", "a.b", "a_b", "a/b", "a  b", "ä", "ö", "a b-1" } do
      for n = 1, 2 do
        local key = stepdata.key("R1", name, n)
        assert.matches("^R1[%w_.-]+$", key)
        assert.is_nil(seen[key], key)
        seen[key] = true
      end
    end
  end)
end)
