--- A recipe's head is read without effects and to an end, whatever stands in it.
local bare = require "adt.c.bare"
local errors = require "adt.error"
local support = require "support"

describe("a recipe's head", function()

  local function read(text)
    local dir <close> = support.tempdir()
    local file = dir.path .. "/recipe.lua"
    support.write(file, text)
    return bare.read(file, { memory = 8 << 20, instructions = 500000 })
  end

  local function refused(text, pattern)
    local head, err = read(text)
    assert.is_nil(head)
    assert.is_true(errors.is(err))
    assert.equal("usage", err.cause)
    assert.matches(pattern, err.message)
  end

  it("is plain data", function()
    local head = read [[
      local adt = require "adt"
      local elsewhere = require "lfs"
      return adt.recipe { name = "a", summary = "s", params = { n = adt.int { default = 3, min = 1 } },
        run = function() elsewhere.dir "/" end }
    ]]
    assert.same({ "a", "script", { "run" } }, { head.name, head.kind, head.stages })
    assert.equal(3, head.params.n.default)
  end)

  it("may be that of a plain script, which has none", function()
    assert.is_false(read "local x = 1")
  end)

  it("cannot reach files, processes or other programs", function()
    refused([[io.open "/etc/passwd"]], "'io.open' cannot be used while a recipe's head is read")
    refused([[os.execute "true"]], "'os.execute'")
    refused([[require "adt.process".run { "true" }]], "'adt.process.run'")
    refused([[load "return 1"]], "'load'")
  end)

  it("ends, even where it loops", function()
    refused("while true do end", "takes too long")
    refused("while true do pcall(function() while true do end end) end", "takes too long")
    refused([[local s = "x" while true do s = s .. s end]], "memory")
    refused("coroutine.wrap(function() while true do end end)()", "'coroutine.wrap'")
    refused("setmetatable({}, { __gc = function() while true do end end })", "finalizers")
  end)

  it("ends, even where one call would run for ever", function()
    local most = "too much work"
    refused([[(("a"):rep(30)):find(("a?"):rep(30) .. ("a"):rep(30))]], most)
    refused([[(("a"):rep(100000)):match(".-.-.-b")]], most)
    refused([[(""):rep(1 << 60)]], most)
    refused([[table.move({}, 1, 1 << 60, 2)]], most)
    refused([[table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 1)]], most)
    refused([[table.unpack({}, 1, 1 << 30)]], most)
  end)

  it("is told by its own words when it raises them, and by ours when it has none", function()
    refused([[error "this one"]], "this one")
    refused([[error { cause = "nonsense", hint = {} }]], "failed without a message")
    refused([[error { message = {} }]], "failed without a message")
    refused([[return require "adt".recipe { name = "a", run = function() end, stages = { "walk" } }]], "stage 'walk' has no function")
  end)
end)
