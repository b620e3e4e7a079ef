--- `adtlua test`: a user's tests beside recipes, and recipes with their smallest parameters.
local lfs = require "lfs"
local recipes = require "recipes"
local support = require "support"

local GOOD = [[local adt = require "adt"
return adt.recipe { name = "good", params = { n = adt.int {}, words = adt.list { default = {} } }, smallest = { n = 1, words = { "a", "b" } },
  run = function(ctx, p) ctx:note("n is " .. p.n .. " of " .. #p.words) end,
  validate = function(ctx, p) ctx:check("it is small", p.n == 1 and #p.words == 2) end }]]

describe("`adtlua test`", function()
  it("runs *_test.lua and each recipe with its smallest parameters, and says how many passed", function()
    local home <close> = recipes.home()
    home:write("work/good.lua", GOOD)
    home:write("work/good_test.lua", [[local test = require "adt.test"
test("one is one", function() test.equal({ 1, { a = 2 } }, { 1, { a = 2 } }); test.ok(true) end)
test("errors have a cause", function()
  test.raises("usage", function() require("adt").map({}, { at_onec = 1 }, print) end)
end)
test("waiting works", function() require("adt").sleep(0.001) end)]])
    home:write("work/plain.lua", "error 'a plain script is no test'")
    local result = home:run { "test", "." }
    assert.equal(0, result.code, result.stdout .. result.stderr)
    assert.matches("ok%s+%S*good%.lua: good passes with its smallest parameters", result.stdout)
    assert.matches("ok%s+%S*good_test%.lua: waiting works", result.stdout)
    assert.matches("4 passed, 0 failed, 0 skipped\n$", result.stdout)
    assert.same({}, home:runs())
  end)

  it("ends with status 8 when one fails, saying where and why, and goes on with the others", function()
    local home <close> = recipes.home()
    home:write("work/bad_test.lua", [[local test = require "adt.test"
test("two is three", function()
  test.equal(3, 2)
end)
test("no cause", function() test.raises("usage", function() end) end)
test("raises", function() local t = nil; return t.x end)
test("passes", function() end)]])
    home:write("work/fails.lua", (GOOD:gsub("p%.n == 1", "p.n == 2"):gsub('"good"', '"fails"')))
    home:write("work/broken.lua", "local adt = require 'adt' return adt.recipe {")
    local result = home:run { "test", ".", "--report-junit", "out.xml" }
    assert.equal(8, result.code)
    for _, words in ipairs { "bad_test%.lua:3: not equal: expected 3, got 2", "expected an error of cause usage",
      "bad_test%.lua:6: attempt to index a nil value", "FAILED %S*broken%.lua: its head can be read", "unexpected symbol near <eof>",
      "it is small", "1 passed, 5 failed, 0 skipped" } do
      assert.matches(words, result.stdout)
    end
    local xml = support.read(home.work .. "/out.xml")
    assert.equal(5, select(2, xml:gsub("<failure", "")), xml)
    local parsed = support.run { "/usr/bin/python3", "-c", "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])", home.work .. "/out.xml" }
    assert.equal(0, parsed.code, parsed.stderr)
  end)

  it("shows what runs with -s, and keeps the runs with --keep-artifacts", function()
    local home <close> = recipes.home()
    home:write("work/good.lua", GOOD)
    assert.no.matches("n is 1 of 2", home:run({ "test", "good.lua" }).stdout)
    local result = home:run { "test", "-s", "good.lua", "--keep-artifacts" }
    assert.matches("n is 1 of 2", result.stdout)
    local kept = result.stdout:match "runs are kept in (%S+)"
    assert.equal("directory", lfs.attributes(kept .. "/adtlua/runs", "mode"))
    os.execute("rm -r " .. support.quote(kept))
  end)

  it("refuses files that are not there and folders with nothing to test", function()
    local home <close> = recipes.home()
    for words, answer in pairs { nosuch = "there is no file or folder 'nosuch'", ["."] = "there is nothing to test here" } do
      local result = home:run { "test", words }
      assert.equal(2, result.code)
      assert.matches(answer, result.stderr)
    end
  end)

  it("tells a test file that cannot be loaded with its line, and goes on with the others", function()
    local home <close> = recipes.home()
    home:write("work/a_test.lua", "local x = = 1")
    home:write("work/b_test.lua", "error 'at load'")
    home:write("work/c_test.lua", "require('adt.test')('passes', function() end)")
    local result = home:run { "test", "." }
    assert.equal(8, result.code, result.stderr)
    assert.matches("a_test%.lua:1: unexpected symbol near '='", result.stdout)
    assert.matches("b_test%.lua:1: at load", result.stdout)
    assert.matches("1 passed, 2 failed, 0 skipped", result.stdout)
  end)
end)
