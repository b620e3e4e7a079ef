--- Where values come from: flags, variables, files, and what a project's file may not say.
local json = require "adt.json"
local recipes = require "recipes"
local support = require "support"

local PARAMS = recipes.path "params"

local function params(home, command)
  local words = { PARAMS, "plan", "-o", "json" }
  for k, v in pairs(command) do
    words[type(k) == "number" and k + 4 or k] = v
  end
  local result = home:run(words)
  assert.equal(0, result.code, result.stderr)
  return json.decode(result.stdout).params
end

local function refused(home, words, command)
  local result = home:run(command)
  assert.same({ 3, {} }, { result.code, home:runs() }, result.stderr)
  for _, text in ipairs(words) do
    assert.truthy(result.stderr:find(text, 1, true), text .. "\n" .. result.stderr)
  end
end

-- Every source says something of count; `without` leaves out the first so many.
local function sources(home, without)
  local command = {}
  if without < 5 then home:write("config/adtlua/config.yaml", "defaults: { params: { count: 3 } }\n") end
  if without < 4 then home:write("work/adtlua.yaml", "defaults:\n  params:\n    count: 4\n") end
  if without < 3 then
    home:write("work/given.yaml", "count: 5\n")
    command[#command + 1] = "--params=given.yaml"
  end
  if without < 2 then command.env = { ADTLUA_PARAM_COUNT = "6" } end
  if without < 1 then command[#command + 1] = "--count=7" end
  return command
end

describe("a parameter's value", function()
  it("comes from the flag, ADTLUA_PARAM_*, --params FILE, the project's file, the user's, the default, in this order", function()
    local seen = {}
    for without = 0, 5 do
      local home <close> = recipes.home()
      seen[#seen + 1] = params(home, sources(home, without)).count
    end
    assert.same({ 7, 6, 5, 4, 3, 2 }, seen)
  end)

  it("is explained by `adtlua config explain`, hidden ones included", function()
    local home <close> = recipes.home()
    sources(home, 0)
    support.run { "cp", PARAMS, home.work }
    local result = home:run { "config", "explain", "params.count", env = { ADTLUA_PARAM_COUNT = "6" } }
    assert.equal(0, result.code, result.stderr)
    local lines = {}
    for line in result.stdout:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal('count = "6"  (ADTLUA_PARAM_COUNT)', lines[1])
    assert.matches("hidden: count = 4  %(.*/adtlua%.yaml%)", lines[2])
    assert.matches("hidden: count = 3  %(.*/config%.yaml%)", lines[3])
    assert.matches("hidden: count = 2  %(default%)", lines[4])
  end)

  it("is not told by `adtlua config explain` where it is a secret", function()
    local home <close> = recipes.home()
    support.run { "cp", PARAMS, home.work }
    for _, key in ipairs { "params.token", "elsewhere.token" } do
      local result = home:run { "config", "explain", key, env = { ADTLUA_PARAM_TOKEN = "hush-hush-hush" } }
      assert.matches("token = <hidden>  %(ADTLUA_PARAM_TOKEN%)", result.stdout)
    end
  end)

  it("is refused with the file or variable that it stands in", function()
    local home <close> = recipes.home()
    local result = home:run { PARAMS, env = { ADTLUA_PARAM_COUNT = "many" } }
    assert.equal(2, result.code)
    assert.matches("ADTLUA_PARAM_COUNT: parameter 'count' must be a whole number", result.stderr)
    home:write("work/adtlua.yaml", "defaults:\n  params:\n    pick: lrge\n")
    result = home:run { PARAMS }
    assert.equal(2, result.code)
    assert.matches("adtlua%.yaml:3: parameter 'pick'.*did you mean 'large'%?", result.stderr)
    home:write("work/adtlua.yaml", "")
    home:write("work/given.yaml", "word: x\ncuont: 1\n")
    result = home:run { PARAMS, "--params", "given.yaml" }
    assert.equal(2, result.code)
    assert.matches("given%.yaml:2: recipe 'params' has no parameter 'cuont'; did you mean 'count'%?", result.stderr)
    assert.same({}, home:runs())
  end)

  it("stands in JSON as well as in YAML, and null says nothing", function()
    local home <close> = recipes.home()
    home:write("work/given.json", '{"count": null, "numbers": [3], "hosts": ["a", "b"], "limit": 60}')
    local got = params(home, { "--params", "given.json" })
    assert.same({ 2, { 3 }, { "a", "b" } }, { got.count, got.numbers, got.hosts })
  end)
end)

describe("ADTLUA_PARAM_* is taken out of children's environment", function()
  it("of process.run, os.execute and io.popen alike", function()
    local home <close> = recipes.home()
    local result = home:run { "-e", [[
      os.execute "env"
      io.write(io.popen("env"):read "a", require("adt").process.run({ "env" }).stdout, tostring(os.getenv "ADTLUA_PARAM_X"))
    ]], env = { ADTLUA_PARAM_X = "must not be seen", OTHER = "is seen" } }
    assert.equal(0, result.code, result.stderr)
    assert.no.matches("must not be seen", result.stdout)
    assert.equal(3, select(2, result.stdout:gsub("OTHER=is seen", "")))
  end)

  it("of a job, whose log and supervisor show", function()
    local home <close> = recipes.home()
    home:write("work/own.lua", [[local adt = require "adt"
return adt.recipe { name = "own", params = { x = adt.string {} }, run = function(ctx)
  ctx:job { "env", cmd = adt.sh "env; cat /proc/$PPID/environ | tr '\\0' '\\n'" }:wait() end }]])
    local result = home:run { "own.lua", env = { ADTLUA_PARAM_X = "must not be seen" } }
    assert.equal(0, result.code, result.stderr)
    assert.matches("HOME=", result.stdout)
    assert.no.matches("ADTLUA_PARAM_X", result.stdout)
  end)
end)

describe("a configuration file", function()
  it("with an unknown key is refused, naming the line and the nearest", function()
    local home <close> = recipes.home()
    home:write("work/adtlua.yaml", "# mine\ntarget: local\ndefalts: {}\n")
    refused(home, { "adtlua.yaml:3: unknown key 'defalts'; did you mean 'defaults'?" }, { PARAMS })
    home:write("work/adtlua.yaml", "")
    home:write("config/adtlua/config.yaml", "tragets: {}\n")
    refused(home, { "config.yaml:1: unknown key 'tragets'; did you mean 'targets'?" }, { PARAMS })
  end)

  it("that is no mapping where one is needed is refused", function()
    local home <close> = recipes.home()
    for text, words in pairs {
      ["[1, 2]"] = "the file must be a mapping", ["targets: 3"] = "targets must be a mapping",
      ["targets: { prod: local }"] = "targets.prod must be a mapping", ["targets: { prod: {} }"] = "target 'prod' has no kind",
      ["defaults: { params: [1] }"] = "defaults.params must be a mapping", ["target: 7"] = "target must be the name",
      ["a: [\n"] = "bad YAML",
    } do
      home:write("work/adtlua.yaml", text)
      refused(home, { "adtlua.yaml", words }, { PARAMS })
    end
  end)

  it("may have keys with nothing behind them", function()
    local home <close> = recipes.home()
    home:write("work/adtlua.yaml", "targets:\n#  prod: { kind: local }\ndefaults:\n")
    assert.equal(2, params(home, {}).count)
  end)

  it("whose target cannot be made is named with it", function()
    local home <close> = recipes.home()
    home:write("work/adtlua.yaml", "targets:\n  prod: { kind: local, bogus: 1 }\n  far: { kind: nosuch }\n")
    refused(home, { "adtlua.yaml:2: target 'prod'", "unknown option 'bogus'" }, { PARAMS, "--target", "prod" })
    refused(home, { "adtlua.yaml:3: target 'far': there is no target of kind 'nosuch'" }, { PARAMS, "--target", "far" })
    home:write("work/adtlua.yaml", "target: elsewhere\n")
    refused(home, { "adtlua.yaml: there is no target 'elsewhere'" }, { PARAMS })
  end)

  it("of a project may set what is guarded only after `adtlua config trust DIR`", function()
    local home <close> = recipes.home()
    for _, key in ipairs { "endpoint", "endpoint_url", "insecure", "credential_process", "proxy", "proxy_command", "ssh_options" } do
      home:write("work/adtlua.yaml", ("targets:\n  prod:\n    kind: local\n    %s: 'x'\n"):format(key))
      refused(home, { "adtlua.yaml:4: target 'prod' sets " .. key, "adtlua config trust" }, { PARAMS })
    end
    local trusted = home:run { "config", "trust", "." }
    assert.equal(0, trusted.code, trusted.stderr)
    assert.equal(0, home:run({ PARAMS, "plan" }).code)
    assert.equal("-rw-------", support.run({ "stat", "-c", "%A", home.dir / "config/adtlua/trusted" }).stdout:sub(1, 10))
  end)

  it("of the user's own may set what is guarded", function()
    local home <close> = recipes.home()
    home:write("config/adtlua/config.yaml", "targets: { prod: { kind: local, proxy: x } }\n")
    assert.equal(0, home:run({ PARAMS, "plan" }).code)
  end)

  it("of a project is the nearest one upwards, not beyond a checkout", function()
    local home <close> = recipes.home()
    support.run { "mkdir", "-p", home.work .. "/deep/er", home.work .. "/repo/.git" }
    home:write("work/adtlua.yaml", "defaults: { params: { count: 4 } }\n")
    assert.equal(4, params(home, { cwd = home.work .. "/deep/er" }).count)
    assert.equal(2, params(home, { cwd = home.work .. "/repo" }).count)
  end)
end)

describe("`adtlua config`", function()
  it("explains targets and the default target", function()
    local home <close> = recipes.home()
    assert.equal("target = local  (default)\n", home:run({ "config", "explain", "target" }).stdout)
    home:write("work/adtlua.yaml", "target: prod\ntargets: { prod: { kind: local } }\n")
    assert.matches("^target = prod  %(.*adtlua%.yaml%)\n$", home:run({ "config", "explain", "target" }).stdout)
    assert.matches('targets%.prod = {"kind":"local"}', home:run({ "config", "explain", "targets.prod" }).stdout)
  end)

  it("refuses what it does not know with the nearest", function()
    local home <close> = recipes.home()
    support.run { "cp", PARAMS, home.work }
    home:write("work/adtlua.yaml", "targets: { prod: { kind: local } }\n")
    for words, answer in pairs {
      ["expain target"] = "did you mean 'explain'?", ["explain"] = "usage: adtlua config explain KEY",
      ["explain targets.prdo"] = "did you mean 'prod'?", ["explain params.cuont"] = "did you mean 'count'?",
      ["explain what?"] = "is no setting", ["trust nosuchdir"] = "nosuchdir",
    } do
      local command = { "config" }
      for word in words:gmatch "%S+" do command[#command + 1] = word end
      local result = home:run(command)
      assert.equal(2, result.code, result.stderr)
      assert.truthy(result.stderr:find(answer, 1, true), result.stderr)
    end
  end)
end)
