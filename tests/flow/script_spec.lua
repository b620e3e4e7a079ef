--- Plain scripts with a journalled context, recipes inside recipes, snapshots of code and templates.
local json = require "adt.json"
local recipes = require "recipes"
local support = require "support"

describe("a plain script with adt.run", function()
  local SCRIPT = [[
local adt = require "adt"
local ctx <close> = adt.run "sweep"
for i = 1, 3 do
  ctx:step("point " .. i, function()
    adt.fs.append("diary", i .. "\n")
    if i == 2 and os.getenv "FAIL" then error "the second point fails" end
    return i * i
  end)
end
ctx:check("three points", true)
]]

  it("does its steps once and ends with its verdict", function()
    local home <close> = recipes.home()
    home:write("work/sweep.lua", SCRIPT)
    local result = home:run { "sweep.lua" }
    assert.equal(0, result.code, result.stderr)
    assert.matches("1 checks? passed", result.stdout)
    assert.equal("1\n2\n3\n", support.read(home.work .. "/diary"))
  end)

  it("goes on with ADTLUA_RESUME, doing only what was not done", function()
    local home <close> = recipes.home()
    home:write("work/sweep.lua", SCRIPT)
    local result = home:run { "sweep.lua", env = { FAIL = "1" } }
    assert.equal(1, result.code)
    assert.matches("sweep%.lua:6: the second point fails", result.stderr)
    assert.equal(1, select(2, result.stderr:gsub("the second point fails", "")), result.stderr)
    result = home:run { "sweep.lua", env = { ADTLUA_RESUME = home:runs()[1] } }
    assert.equal(0, result.code, result.stderr)
    assert.equal("1\n2\n2\n3\n", support.read(home.work .. "/diary"))
    assert.equal(1, #home:runs())
  end)

  it("ends with status 8 when a check failed", function()
    local home <close> = recipes.home()
    home:write("work/own.lua", [[local ctx <close> = require("adt").run "own"
ctx:check("two is three", 2 == 3, 2)]])
    local result = home:run { "own.lua" }
    assert.equal(8, result.code, result.stderr)
    assert.matches('"state":"failed"', home:journal())
  end)

  it("ends with the status of the cause that it does not handle", function()
    local home <close> = recipes.home()
    home:write("work/own.lua", [[local adt = require "adt"
adt.error.raise { cause = "capacity", message = "no room", hint = "come back" }]])
    local result = home:run { "own.lua" }
    assert.same({ 5, "adtlua: own.lua:2: no room; come back\n" }, { result.code, result.stderr })
  end)

  it("refuses a second run of one name for its steps and unknown options", function()
    local home <close> = recipes.home()
    home:write("work/own.lua", [[local adt = require "adt"
local ctx <close> = adt.run("own", { traget = "local" })]])
    local result = home:run { "own.lua" }
    assert.equal(2, result.code)
    assert.matches("own%.lua:2: adt%.run: unknown option 'traget'; did you mean 'target'%?", result.stderr)
    home:write("work/own.lua", [[local ctx <close> = require("adt").run "own"
for _ = 1, 2 do ctx:step("same", function() return 1 end) end]])
    result = home:run { "own.lua" }
    assert.equal(2, result.code)
    assert.matches("own%.lua:2: two steps of this run are called 'same'", result.stderr)
  end)
end)

describe("ctx:use", function()
  local VPC = [[local adt = require "adt"
return adt.recipe { name = "vpc", kind = "architecture", params = { size = adt.int { default = 2, max = 9 } },
  deploy = function(ctx, p)
    return ctx:step("net", { inputs = { size = p.size } }, function() return { id = "net-" .. p.size } end)
  end }]]
  local USER = [[local adt = require "adt"
return adt.recipe { name = "user", params = { size = adt.int { default = 3 } },
  deploy = function(ctx, p)
    local net = ctx:use("vpc", { %s = p.size })
    return net
  end,
  validate = function(ctx, p, results) ctx:check("the network is there", results.deploy.id == "net-" .. p.size) end }]]

  it("runs another recipe's deploy under this run and returns its results", function()
    local home <close> = recipes.home()
    home:write("work/vpc.lua", VPC)
    home:write("work/user.lua", USER:format "size")
    local result = home:run { "user.lua" }
    assert.equal(0, result.code, result.stderr)
    assert.matches('"step":"vpc/net"', home:journal())
    assert.equal(1, #home:runs())
    assert.matches("would do vpc/net", home:run({ "user.lua", "plan" }).stdout)
  end)

  it("refuses parameters that the other recipe does not have or take, and recipes that are not there", function()
    local home <close> = recipes.home()
    home:write("work/vpc.lua", VPC)
    home:write("work/user.lua", USER:format "sise")
    local result = home:run { "user.lua" }
    assert.equal(2, result.code)
    assert.matches("user%.lua:4: recipe 'vpc' has no parameter 'sise'; did you mean 'size'%?", result.stderr)
    home:write("work/user.lua", USER:format "size")
    assert.matches("'size' must be at most 9", home:run({ "user.lua", "--size", "10" }).stderr)
    os.remove(home.work .. "/vpc.lua")
    result = home:run { "user.lua" }
    assert.equal(2, result.code)
    assert.matches("there is no recipe .*/vpc%.lua", result.stderr)
  end)
end)

describe("ctx:code", function()
  local CODE = [[local adt = require "adt"
return adt.recipe { name = "own", params = { dirty = adt.string { optional = true } }, run = function(ctx, p)
  local code = ctx:code("src", { dirty = p.dirty })
  ctx:job { "run", files = code, cmd = { "sh", "-c", "ls; cat main" } }:wait()
end }]]

  local function repository(home)
    home:write("work/own.lua", CODE)
    local result = home:shell [[
      rm -rf .git && git init -q . && mkdir src && echo one >src/main && echo junk >src/junk && echo junk >.gitignore &&
      git add -A && git -c user.name=t -c user.email=t@example.org commit -qm first ]]
    assert.equal(0, result.code, result.stderr)
  end

  it("copies what git knows into the run, changes included unless they are refused", function()
    local home <close> = recipes.home()
    repository(home)
    local result = home:run { "own.lua", "--dirty", "refuse" }
    assert.equal(0, result.code, result.stderr)
    assert.no.matches("junk", result.stdout)
    home:write("work/src/main", "two\n")
    result = home:run { "own.lua", "--dirty", "refuse" }
    assert.equal(2, result.code)
    assert.matches("changes that are not committed:.*src/main; commit them", result.stderr)
    result = home:run { "own.lua", "--dirty", "include" }
    assert.equal(0, result.code, result.stderr)
    assert.matches("%[run%.0%] two", result.stdout)
  end)

  it("refuses a folder that is not there, and dirty that is neither include nor refuse", function()
    local home <close> = recipes.home()
    home:write("work/own.lua", CODE)
    local result = home:run { "own.lua" }
    assert.equal(2, result.code)
    assert.matches("src", result.stderr)
    repository(home)
    result = home:run { "own.lua", "--dirty", "maybe" }
    assert.equal(2, result.code)
    assert.matches('dirty is "include" or "refuse"', result.stderr)
  end)
end)

describe("ctx:template", function()
  local function own(home, values)
    os.execute("mkdir -p " .. home.work .. "/templates/greet")
    home:write("work/own.lua", ([[local adt = require "adt"
return adt.recipe { name = "own", run = function(ctx)
  local files = ctx:template("greet", %s)
  ctx:job { "run", files = files, cmd = { "sh", "hello.sh" } }:wait()
end }]]):format(values))
  end

  it("fills the holes of every file with the values, quoted for their language", function()
    local home <close> = recipes.home()
    own(home, [[{ who = "a 'quoted' $(touch pwned)" }]])
    home:write("work/templates/greet/hello.sh", "echo hello @{who|sh}\n")
    local result = home:run { "own.lua" }
    assert.equal(0, result.code, result.stderr)
    assert.truthy(result.stdout:find("hello a 'quoted' $(touch pwned)", 1, true), result.stdout)
  end)

  it("copies the files as they are without values", function()
    local home <close> = recipes.home()
    own(home, "nil")
    home:write("work/templates/greet/hello.sh", "echo '@{who}'\n")
    assert.matches("@{who}", home:run({ "own.lua" }).stdout)
  end)

  it("refuses a missing name, one that no file has, and a folder that is not there", function()
    local home <close> = recipes.home()
    for values, words in pairs { ["{}"] = "hello%.sh:1: no value for 'who'", ["{ whom = 1 }"] = "'who'",
      ["{ who = 1, never = 2 }"] = "never" } do
      own(home, values)
      home:write("work/templates/greet/hello.sh", "echo @{who|sh}\n")
      local result = home:run { "own.lua" }
      assert.equal(2, result.code, result.stderr)
      assert.matches(words, result.stderr)
    end
    os.execute("rm -r " .. home.work .. "/templates")
    assert.matches("there are no templates 'greet'; looked for", home:run({ "own.lua" }).stderr)
  end)
end)

describe("adt.secret", function()
  local OWN = [[local adt = require "adt"
return adt.recipe { name = "own", params = { token = adt.secret { env = "OWN_TOKEN" }, how = adt.string {} },
  run = function(ctx, p)
    local ways = {
      print = function() print(p.token, ("%%s"):format(p.token)); ctx:note("it is %%s", p.token) end,
      log = function() adt.log.info("it is " .. p.token:reveal()) end,
      concat = function() return "x" .. p.token end,
      store = function() ctx:step("store", function() return { token = p.token } end) end,
      json = function() return adt.json.encode { p.token } end,
      argv = function() ctx:job { "argv", cmd = { "echo", p.token } } end,
      env = function() ctx:job { "env", cmd = { "true" }, env = { T = p.token } } end,
      process = function() adt.process.run { "echo", p.token } end,
      template = function() adt.template.fill("@{t}", { t = p.token }) end,
      raise = function() error("the token is " .. p.token:reveal()) end,
      job = function() ctx:job { "job", cmd = adt.sh "echo it is $T; test -n \"$T\"", secrets = { T = p.token } }:wait() end,
      step = function() ctx:step("told", function() return "it is " .. p.token:reveal() end) end,
      check = function() ctx:check("it is " .. p.token:reveal(), true, p.token:reveal()) end,
      input = function() ctx:step("input", { inputs = { t = p.token } }, function() return 1 end) end,
      fs = function() adt.fs.write("x", p.token) end,
    }
    ways[p.how]()
  end }]]
  local VALUE = 'hush "quoted" hush-hush'

  local function run(home, how, more)
    home:write("work/own.lua", (OWN:gsub("%%%%", "%%")))
    local command = { "own.lua", "--how", how, env = { OWN_TOKEN = VALUE, ADTLUA_PARAM_TOKEN = more } }
    return home:run(command)
  end

  it("prints as <secret>", function()
    local home <close> = recipes.home()
    local result = run(home, "print")
    assert.equal(0, result.code, result.stderr)
    assert.matches("<secret>%s+<secret>\n", result.stdout)
    assert.matches("it is <secret>", result.stdout)
  end)

  it("raises where it would be stored, joined to a text, or be read by every user of the machine", function()
    local home <close> = recipes.home()
    for how, words in pairs { concat = "the secret 'token' cannot be part of a text", store = "returns a secret", argv = "is a secret",
      env = "env%.T is a secret", process = "argument 1", template = "it is a secret", json = "", fs = "" } do
      local result = run(home, how)
      assert.truthy(result.code == 2, how .. result.code .. result.stderr)
      assert.matches(words, result.stderr)
    end
    assert.equal("", home:holding "hush-hush")
  end)

  it("is redacted by value in output, errors, journal, logs and reports once it is revealed", function()
    local home <close> = recipes.home()
    for _, how in ipairs { "raise", "job", "step", "check", "log", "input" } do
      local result = run(home, how)
      -- A result with a secret in it could not be given back by a resume: it is refused.
      assert.equal(how == "raise" and 1 or how == "step" and 2 or 0, result.code, result.stderr)
      local said = result.stdout .. result.stderr
      assert.no.matches("hush", said)
      if how ~= "input" and how ~= "step" then assert.matches("<secret>", said) end
    end
    local left = home:holding "hush-hush"
    -- The job's own output is the job's: what it prints stays as it was.
    for file in left:gmatch "[^\n]+" do
      assert.matches("/jobs/", file)
    end
  end)

  it("comes from ADTLUA_PARAM_* before its own variable", function()
    local home <close> = recipes.home()
    home:write("work/own.lua", [[local adt = require "adt"
return adt.recipe { name = "own", params = { token = adt.secret { env = "OWN_TOKEN" } }, run = function(_, p)
  assert(p.token:reveal() == "from the parameter")
end }]])
    assert.equal(0, home:run({ "own.lua", env = { OWN_TOKEN = "x", ADTLUA_PARAM_TOKEN = "from the parameter" } }).code)
  end)

  it("is asked for again by resume, which ends with 3 and names it when it is not there", function()
    local home <close> = recipes.home()
    assert.equal(1, run(home, "raise").code)
    local result = home:run { "resume", "last", env = { OWN_TOKEN = false } }
    assert.equal(3, result.code)
    assert.matches("secret 'token' is not given; set the variable OWN_TOKEN", result.stderr)
  end)
end)

describe("json", function()
  it("of a run holds no secret", function()
    local home <close> = recipes.home()
    local result = home:run { recipes.path "params", "-o", "json", env = { TEST_TOKEN = "hush-hush-hush" } }
    assert.equal("<secret>", json.decode(result.stdout).params.token)
  end)
end)
