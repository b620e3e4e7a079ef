--- Ten steps of all kinds in the four modes of the door: do, resume, plan, down.
local support = require "support"

local RECIPE = "tests/data/recipes/ten_steps.lua"

local function absolute(name)
  return require("adt.path").absolute(name)
end

local function scene()
  local s = support.scene()
  require("adt.fs").mkdir(s:path_of "work")
  s.recipe_file = absolute(RECIPE)
  function s:go(words)
    local all = { self.recipe_file }
    if words.verb then all[2] = words.verb end
    all[#all + 1] = "--dir"
    all[#all + 1] = self:path_of "work"
    table.move(words, 1, #words, #all + 1, all)
    return self:run(all)
  end
  function s:diary()
    local ok, text = pcall(support.read, self:path_of "work/diary")
    return ok and text or ""
  end
  return s
end

local ALL = "bare\ninputs\nfind\nundo\noutputs\nkeep\nall\nexists\nchild\n"

describe("a recipe of ten steps", function()
  it("does each of them once and reaches its verdict", function()
    local s <close> = scene()
    local r = s:go {}
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("success .*: 3 checks passed", r.stdout)
    assert.equal(ALL, s:diary())
  end)

  it("makes every intent durable before the step, and its result after", function()
    local s <close> = scene()
    assert.equal(0, s:go({}).code)
    local seen = {}
    for _, record in ipairs(s:journal()) do
      if record.type == "intent" then
        assert.is_nil(seen[record.step])
        assert.equal(s:ids()[1] .. "-" .. record.step .. "-1", record.key)
        seen[record.step] = "intent"
      elseif record.type == "ack" then
        assert.equal("intent", seen[record.step])
        seen[record.step] = "ack"
      end
    end
    for _, name in ipairs { "bare", "inputs", "find", "undo", "outputs", "keep", "all", "exists", "child", "count" } do
      assert.equal("ack", seen[name], name)
    end
  end)

  it("gives journalled results at once when it is resumed", function()
    local s <close> = scene()
    assert.equal(0, s:go({}).code)
    local r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("found +outputs", r.stdout)
    assert.equal(ALL, s:diary())
    assert.equal("start\n", support.read(s:path_of "work/starts"))
  end)

  it("does a step again whose inputs have changed, saying which", function()
    local s <close> = scene()
    assert.equal(0, s:go({}).code)
    local r = s:run { "resume", "last", "--word", "two" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("step 'inputs' is done again: changed word", r.stdout)
    assert.equal(ALL .. "inputs\nall\n", s:diary())
  end)

  it("does a step again whose outputs are gone", function()
    local s <close> = scene()
    assert.equal(0, s:go({}).code)
    os.remove(s:path_of "work/outputs")
    local r = s:run { "resume", "last" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("step 'outputs' is done again: .*work/outputs is gone", r.stdout)
    assert.equal(ALL .. "outputs\n", s:diary())
  end)

  it("goes on at the step that failed", function()
    local s <close> = scene()
    local r = s:go { "--fail", "keep" }
    assert.equal(1, r.code)
    assert.matches("step keep was asked to fail", r.stderr)
    assert.matches("ten_steps.lua:%d+", r.stderr)
    assert.equal("bare\ninputs\nfind\nundo\noutputs\n", s:diary())
    r = s:run { "resume", "last", "--fail", "" }
    assert.equal(0, r.code, r.stderr)
    assert.equal(ALL, s:diary())
  end)

  it("plans without doing anything, and stops where the rest depends on what is not made yet", function()
    local s <close> = scene()
    local r = s:go { verb = "plan" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("would do outputs", r.stdout)
    assert.matches("FOUND='<find.file>'", r.stdout)
    assert.matches("from here it depends on count", r.stdout)
    assert.equal("", s:diary())
    assert.same({}, s:ids())
    assert.equal(10, s:go({ verb = "plan", "--exit-code" }).code)
  end)

  it("takes back what was made, newest first, and spares what is kept", function()
    local s <close> = scene()
    assert.equal(0, s:go({}).code)
    assert.equal(2, s:go({ verb = "down" }).code)
    local r = s:go { verb = "down", "-y" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("undone +all.*kept +keep: it holds data.*undone +outputs.*undone +undo", r.stdout)
    local fs = require "adt.fs"
    for name, there in pairs { all = false, undo = false, outputs = false, keep = true, find = true } do
      assert.equal(there, fs.exists(s:path_of("work/" .. name)), name)
    end
    r = s:go { verb = "down", "-y", "--with-data" }
    assert.equal(0, r.code, r.stderr)
    assert.is_false(fs.exists(s:path_of "work/keep"))
  end)
end)
