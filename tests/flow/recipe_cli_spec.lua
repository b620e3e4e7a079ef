--- A recipe from the command line: what is refused, with which words and which exit status, and that nothing is left.
local json = require "adt.json"
local recipes = require "recipes"
local support = require "support"

local PARAMS = recipes.path "params"

-- Refused: this status, these words on the error stream in one paragraph, and no run folder.
local function refused(home, code, words, command)
  local result = home:run(command)
  assert.same({ code = code, runs = {} }, { code = result.code, runs = home:runs() }, result.stderr)
  assert.matches(words, result.stderr)
  assert.equal(1, select(2, result.stderr:gsub("\n", "\n")), result.stderr)
  return result
end

-- Writes a recipe whose text is `body` after the usual first line.
local function recipe(home, body)
  return home:write("work/own.lua", 'local adt = require "adt"\n' .. body)
end

describe("a parameter on the command line", function()
  it("that the recipe does not have is refused with the nearest name", function()
    local home <close> = recipes.home()
    refused(home, 2, "unknown flag or parameter '%-%-cuont'; did you mean %-%-count%?", { PARAMS, "--cuont", "3" })
    refused(home, 2, "unknown flag or parameter '%-%-targt'; did you mean %-%-target%?", { PARAMS, "--targt", "local" })
    refused(home, 2, "unknown flag or parameter '%-x'", { PARAMS, "-x" })
  end)

  it("that is ill-typed is refused with what it must be", function()
    local home <close> = recipes.home()
    for _, case in ipairs {
      { "--count=many", "'count' must be a whole number, not \"many\"" }, { "--count=11", "'count' must be at most 10" },
      { "--count=", "'count' must be a whole number" }, { "--ratio=1e999", "'ratio' must be a number" },
      { "--loud=perhaps", "'loud' must be true or false" }, { "--pick=lrge", "did you mean 'large'%?" },
      { "--numbers=1,0", "'numbers%[2%]' must be at least 1" }, { "--numbers=1,2,3,4", "at most 3 items, not 4" },
      { "--limit=soon", '"1h30m"' }, { "--limit=4h", "between 1s and 3h" }, { "--size=large", '"512MiB"' },
      { "--hosts=n[1-", "no list of hosts" }, { "--hosts=n[3-1]", "is no range" }, { "--file=", "must be a path" },
    } do
      refused(home, 2, case[2], { PARAMS, case[1] })
    end
    refused(home, 2, "'%-%-count' needs a value", { PARAMS, "--count" })
  end)

  it("reaches the program as the bytes that were given", function()
    local home <close> = recipes.home()
    local word = "a 'quote' \"two\"\n$(touch pwned) `touch pwned`; \\ * \t\u{FFFD}"
    local result = home:run { PARAMS, "--word", word }
    assert.equal(0, result.code, result.stderr)
    local id = home:runs()[1]
    local folder = home.state .. "/adtlua/runs/" .. id
    assert.equal(word, support.read(folder .. "/word"))
    local pipe <close> = assert(io.popen("cat " .. folder .. "/jobs/*/*out*  " .. folder .. "/jobs/*/*/* 2>/dev/null"))
    assert.matches("<" .. word:gsub("%p", "%%%0") .. ">\n<2>", pipe:read "a")
    assert.is_nil(io.open(home.work .. "/pwned"))
  end)

  it("that holds a NUL byte or more than 64 KiB is refused", function()
    local home <close> = recipes.home()
    home:write("work/nul.json", '{"word": "a\\u0000b"}')
    refused(home, 2, "'word' holds a NUL byte", { PARAMS, "--params", "nul.json" })
    refused(home, 2, "'word' holds 100000 bytes; at most 65536", { PARAMS, "--word", ("x"):rep(100000) })
    local result = home:run { PARAMS, "plan", "--word", ("x"):rep(65536) }
    assert.equal(0, result.code, result.stderr)
  end)

  it("that is not UTF-8 is refused, since the journal holds text", function()
    local home <close> = recipes.home()
    refused(home, 2, "'word' is not UTF%-8", { PARAMS, "--word", "a\xffb" })
  end)

  it("may be switched on and off where it is a bool", function()
    local home <close> = recipes.home()
    local loud = function(...) return json.decode(home:run({ PARAMS, "plan", "-o", "json", ... }).stdout).params.loud end
    assert.same({ true, false, true }, { loud "--loud", loud("--loud", "--no-loud"), loud "--loud=yes" })
  end)
end)

describe("a recipe", function()
  it("that needs a parameter which nobody gives is refused with the choices", function()
    local home <close> = recipes.home()
    recipe(home, 'return adt.recipe { name = "own", params = { size = adt.enum { "small", "large" } }, run = print }')
    refused(home, 2, "parameter 'size' is not given; give %-%-size small|large", { "own.lua" })
  end)

  it("with a secret that nobody gives ends with status 3, naming the variable", function()
    local home <close> = recipes.home()
    recipe(home, 'return adt.recipe { name = "own", params = { token = adt.secret { env = "OWN_TOKEN" } }, run = print }')
    refused(home, 3, "secret 'token' is not given; set the variable OWN_TOKEN", { "own.lua" })
  end)

  it("with a syntax error is refused with file and line", function()
    local home <close> = recipes.home()
    recipe(home, "return adt.recipe {\n  name = \n}")
    refused(home, 1, "own%.lua:4: unexpected symbol near '}'", { "own.lua" })
    refused(home, 2, "own%.lua:4: unexpected symbol near '}'", { "own.lua", "--help" })
  end)

  it("whose head does not hold is refused with file, line and the nearest valid choice", function()
    local home <close> = recipes.home()
    for _, case in ipairs {
      { "own.lua:2: adt.int: unknown option 'dfault'; did you mean 'default'?",
        'local p = adt.int { dfault = 1 } return adt.recipe { name = "own", params = { p = p }, run = print }' },
      { "own.lua:2: the default of a parameter must be a whole number",
        'local p = adt.int { default = "x" } return adt.recipe { name = "own", params = { p = p }, run = print }' },
      { "'rnu' is no field of a head and no stage; did you mean 'run'?", 'return adt.recipe { name = "own", rnu = print }' },
      { "unknown kind 'test-csae'; did you mean 'test-case'?", 'return adt.recipe { name = "own", kind = "test-csae", run = print }' },
      { "is written for api 2", 'return adt.recipe { name = "own", api = 2, run = print }' },
      { "needs a name", 'return adt.recipe { name = "Own thing", run = print }' },
      { "has no stage", 'return adt.recipe { name = "own" }' },
      { "stage 'prepare' has no function", 'return adt.recipe { name = "own", stages = { "prepare" } }' },
      { "stages leaves out 'build'", 'return adt.recipe { name = "own", stages = { "run" }, run = print, build = print }' },
      { "smallest names no parameter 'x'", 'return adt.recipe { name = "own", smallest = { x = 1 }, run = print }' },
    } do
      recipe(home, case[2])
      for _, words in ipairs { { "own.lua" }, { "own.lua", "--help" } } do
        local result = refused(home, 2, "own%.lua", words)
        assert.truthy(result.stderr:find(case[1], 1, true), result.stderr)
      end
    end
  end)

  it("has no parameter with the name of a flag of the program", function()
    local home <close> = recipes.home()
    for name in pairs(require("adt.options").RUN) do
      recipe(home, ('return adt.recipe { name = "own", params = { %s = adt.int { default = 1 } }, run = print }'):format(
        (name:gsub("-", "_"))))
      refused(home, 2, "has the name of a flag of the program; choose another name", { "own.lua" })
    end
  end)

  it("whose stage raises ends with status 1, file and line", function()
    local home <close> = recipes.home()
    local result = home:run { recipes.path "causes", "--cause", "lua" }
    assert.equal(1, result.code)
    assert.matches("causes%.lua:%d+: attempt to index a nil value %(local 'missing'%)", result.stderr)
  end)

  it("that runs a program which is not there says the line and what to do", function()
    local home <close> = recipes.home()
    local result = home:run { recipes.path "causes", "--cause", "missing" }
    assert.equal(2, result.code)
    assert.matches("causes%.lua:%d+: program 'no%-such%-program%-at%-all'.*; install it", result.stderr)
    result = home:run { recipes.path "causes", "--cause", "tool" }
    assert.equal(3, result.code)
    assert.matches("the program 'no%-such%-program%-at%-all' is not on this machine; it is in the package of dreams", result.stderr)
  end)

  it("is given a verb that it has", function()
    local home <close> = recipes.home()
    refused(home, 2, "has no verb 'pln'; did you mean 'plan'%?", { PARAMS, "pln" })
    refused(home, 2, "too many words: 'run'", { PARAMS, "plan", "run" })
  end)

  it("is given a target that there is", function()
    local home <close> = recipes.home()
    refused(home, 2, "there is no target 'loca'; did you mean 'local'%?", { PARAMS, "--target", "loca" })
  end)

  it("is given an output format that there is, and paths that can be read", function()
    local home <close> = recipes.home()
    refused(home, 2, "unknown output format 'jsn'", { PARAMS, "-o", "jsn" })
    refused(home, 2, "nosuch%.yaml", { PARAMS, "--params", "nosuch.yaml" })
  end)
end)

describe("each cause has its exit status", function()
  local STATUS = {
    lua = 1, usage = 2, config = 3, auth = 3, service = 4, capacity = 5, quota = 5, image = 6, program = 6, job = 6, node = 7,
    fabric = 7, check = 8, require = 8, nothing = 8, timeout = 9, unknown = 9, reference = 11, partial = 12, cancelled = 13,
    busy = 75,
  }
  for cause, status in pairs(STATUS) do
    it(("%d for %s"):format(status, cause), function()
      local home <close> = recipes.home()
      local result = home:run { recipes.path "causes", "--cause", cause, "-o", "json" }
      assert.equal(status, result.code, result.stderr)
      assert.equal(status, json.decode(result.stdout).exit)
      assert.matches('"exit":' .. status, home:journal())
    end)
  end

  it("and --propagate passes the job program's own", function()
    local home <close> = recipes.home()
    local result = home:run { recipes.path "causes", "--cause", "job", "--propagate" }
    assert.equal(77, result.code)
    assert.matches("last words", result.stdout)
  end)

  it("and the failed checks are named with their evidence", function()
    local home <close> = recipes.home()
    local result = home:run { recipes.path "causes", "--cause", "check", "--report-junit", "out.xml" }
    assert.equal(8, result.code)
    assert.matches("two and two make five", result.stderr)
    assert.matches("FAILED%s+two and two make five: 4", result.stdout)
    assert.matches("<failure", support.read(home.work .. "/out.xml"))
  end)

  it("and ctx:require ends the stage at once", function()
    local home <close> = recipes.home()
    assert.no.matches("never reached", home:run({ recipes.path "causes", "--cause", "require" }).stdout)
  end)
end)

describe("--help", function()
  it("lists the parameters with types, bounds and defaults, without running the recipe", function()
    local home <close> = recipes.home()
    recipe(home, [[
if io.open then end
return adt.recipe { name = "own", summary = "says what it does", params = {
  nodes = adt.int { default = 2, min = 1, max = 9, help = "compute nodes" }, limit = adt.duration { default = "1h30m" },
  size = adt.size { default = "4GiB" }, pick = adt.enum { "a", "b" } }, run = function() adt.fs.write("ran", "") end }]])
    for _, word in ipairs { "--help", "-h" } do
      local help = home:run { "own.lua", word }
      assert.equal(0, help.code, help.stderr)
      for _, text in ipairs { "own - says what it does", "--nodes INT", "compute nodes", "1 to 9, default 2", "default 1h30m",
        "default 4GiB", "--pick a|b", "required", "--report-junit" } do
        assert.truthy(help.stdout:find(text, 1, true), text .. "\n" .. help.stdout)
      end
    end
    assert.is_nil(io.open(home.work .. "/ran"))
  end)

  it("is JSON Schema with -o json, which holds for the defaults and refuses what the program refuses", function()
    local home <close> = recipes.home()
    local result = home:run { PARAMS, "--help", "-o", "json" }
    local schema = json.decode(result.stdout)
    assert.equal("https://json-schema.org/draft/2020-12/schema", schema["$schema"])
    assert.equal("integer", schema.properties.count.type)
    assert.is_nil(schema.properties.token.default)
    assert.is_true(schema.properties.token.writeOnly)
    home:write("schema.json", result.stdout)
    local check = [[
import json, sys
try:
    import jsonschema
except ImportError:
    sys.exit(42)
schema = json.load(open("../schema.json"))
jsonschema.Draft202012Validator.check_schema(schema)
v = jsonschema.Draft202012Validator(schema)
v.validate({name: p["default"] for name, p in schema["properties"].items() if "default" in p})
for bad in [{"count": 0}, {"count": "x"}, {"cuont": 1}, {"pick": "lrge"}, {"numbers": [0]}, {"numbers": [1, 2, 3, 4]}]:
    assert not v.is_valid(bad), bad
]]
    local checked = support.run { "/usr/bin/python3", "-c", check, cwd = home.work }
    if checked.code == 42 then
      pending "needs python3-jsonschema"
      return
    end
    assert.equal(0, checked.code, checked.stderr)
  end)
end)

describe("the head of a recipe is read where nothing can happen, so that --help", function()
  local HEADS = {
    ["ends although it loops for ever"] = { "while true do end", "takes too long" },
    ["ends although it catches the error that says so"] = { "while true do pcall(function() while true do end end) end", "takes too long" },
    ["ends although it eats memory"] = { "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end", "too much memory" },
    ["ends although one call takes for ever"] = { "local s = ('a'):rep(50):find(('a*'):rep(40) .. 'b')", "too much work" },
    ["ends although it seeks a long text in another"] = {
      "local s = ('a'):rep(1000000):find('\\0' .. ('a'):rep(500000) .. 'b', 1, true)", "too much work" },
    ["opens no file"] = { "io.open('/etc/hostname')", "'io.open' cannot be used" },
    ["starts no program"] = { "os.execute('touch pwned')", "'os.execute' cannot be used" },
    ["loads no code"] = { "load('return 1')()", "'load' cannot be used" },
    ["reads no variable"] = { "os.getenv('HOME')", "'os.getenv' cannot be used" },
    ["calls no module of the library"] = { "adt.fs.write('pwned', '')", "'adt.fs.write' cannot be used" },
  }
  for title, case in pairs(HEADS) do
    it(title, function()
      local home <close> = recipes.home()
      recipe(home, case[1] .. '\nreturn adt.recipe { name = "own", run = print }')
      local result = refused(home, 2, "own%.lua", { "own.lua", "--help" })
      assert.truthy(result.stderr:find(case[2], 1, true), result.stderr)
      assert.is_nil(io.open(home.work .. "/pwned"))
    end)
  end

  it("refuses a recipe of more than 1 MiB and what is no file", function()
    local home <close> = recipes.home()
    recipe(home, "-- adt.recipe {" .. (" "):rep(1 << 20))
    refused(home, 2, "a recipe has at most 1 MiB", { "own.lua", "--help" })
    assert(os.execute("mkfifo " .. support.quote(home.work .. "/pipe.lua")))
    local result = home:run { "list", "." }
    assert.equal(0, result.code, result.stderr)
    assert.matches("pipe%.lua.*this is no file", result.stdout)
  end)
end)

describe("down", function()
  it("takes back what the run made by its own parameters, which need not be said again", function()
    local s <close> = support.scene()
    s:recipe("two.lua", [[
local adt = require "adt"
local function make(ctx, name)
  ctx:step(name, { undo = function(file) adt.fs.remove(file) end }, function()
    adt.fs.write(ctx.dir .. "/../../../" .. name, "x")
    return ctx.dir .. "/../../../" .. name
  end)
end
return adt.recipe { name = "two", kind = "architecture", params = { second = adt.bool { default = false } },
  deploy = function(ctx, p)
    make(ctx, "first")
    if p.second then make(ctx, "second") end
  end,
  validate = function(ctx) ctx:check("it was made", true) end }
]])
    local r = s:run { "./two.lua", "--second" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    r = s:run { "./two.lua", "down", "-y" }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("undone +second.*undone +first", r.stdout)
  end)
end)
