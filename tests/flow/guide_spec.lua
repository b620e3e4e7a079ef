--- What the guide promises about exit codes, jobs, plans and secrets, seen in the real program.
local support = require "support"

describe("the guide's promises", function()
  local dir, env

  before_each(function()
    dir = support.tempdir()
    env = { XDG_STATE_HOME = dir / "state", XDG_CONFIG_HOME = dir / "config", TOKEN = false, OMP_NUM_THREADS = false }
  end)
  after_each(function()
    getmetatable(dir).__close(dir)
  end)

  local function adtlua(words, more)
    local command = { cwd = tostring(dir), env = {}, table.unpack(words) }
    for k, v in pairs(env) do command.env[k] = v end
    for k, v in pairs(more or {}) do command.env[k] = v end
    return support.adtlua(command)
  end

  local function recipe(text)
    support.write(dir / "r.lua", 'local adt = require "adt"\nreturn adt.recipe { name = "r", ' .. text .. " }")
  end

  it("a job that fails ends with 6, or with its own status when asked to", function()
    recipe [[run = function(ctx) return ctx:job { "j", cmd = adt.sh "exit 3" }:wait() end]]
    assert.equal(6, adtlua { "r.lua" }.code)
    assert.equal(3, adtlua { "r.lua", "--propagate" }.code)
  end)

  it("a failed check is 8, a validate without a check too", function()
    recipe [[validate = function(ctx) ctx:check("the moon is cheese", false, "rock") end]]
    assert.equal(8, adtlua { "r.lua" }.code)
    recipe [[validate = function() end]]
    assert.equal(8, adtlua { "r.lua" }.code)
  end)

  it("an unknown parameter is 2, a broken configuration 3, a limit that has passed 9, an error of the recipe 1", function()
    recipe [[run = function(ctx) return ctx:job { "j", cmd = { "sleep", "30" }, limit = "0.2s" }:wait() end]]
    assert.equal(2, adtlua { "r.lua", "--stepz", "1" }.code)
    assert.equal(9, adtlua { "r.lua" }.code)
    support.write(dir / "adtlua.yaml", "tragets: {}\n")
    local broken = adtlua { "r.lua" }
    assert.equal(3, broken.code)
    assert.matches("did you mean 'targets'", broken.stderr)
    support.write(dir / "adtlua.yaml", "")
    recipe [[run = function() local x = nil; x() end]]
    assert.equal(1, adtlua { "r.lua" }.code)
  end)

  it("a plan ends where a pending value is compared by order, not where it is compared with ==", function()
    recipe [[run = function(ctx)
      local vpc = ctx:step("vpc", {}, function() return { id = "vpc-1" } end)
      ctx:note("%s %s", tostring("at " .. vpc.id), tostring(vpc.id == "vpc-1"))
      return vpc.id < "z"
    end]]
    local plan = adtlua { "r.lua", "plan", "--exit-code" }
    assert.equal(10, plan.code)
    assert.matches("at <vpc.id> false", plan.stdout)
    assert.matches("from here it depends on vpc.id", plan.stdout)
    assert.equal(0, adtlua { "r.lua" }.code)
  end)

  it("ranks get torchrun's environment, wrap stands before chosen ones", function()
    recipe [[run = function(ctx) return ctx:job { "j", launch = "torchrun", per_node = { procs = 2 },
      wrap = { cmd = { "env", "WRAPPED=1" }, ranks = { 1 } },
      cmd = adt.sh 'echo got $RANK/$WORLD_SIZE $LOCAL_RANK/$LOCAL_WORLD_SIZE $MASTER_ADDR ${MASTER_PORT:+port} w$WRAPPED' }:wait() end]]
    local result = adtlua { "r.lua" }
    assert.equal(0, result.code)
    assert.matches("%[j%.0%] got 0/2 0/2 127%.0%.0%.1 port w\n", result.stdout)
    assert.matches("%[j%.1%] got 1/2 1/2 127%.0%.0%.1 port w1\n", result.stdout)
  end)

  it("a service ends when the other roles have ended, and each role knows where the others are", function()
    recipe [[run = function(ctx) return ctx:job { "j", roles = {
      server = { cmd = { "sleep", "60" }, service = true },
      client = { cmd = adt.sh 'echo server at $ADT_ROLE_SERVER_HOST ${ADT_ROLE_SERVER_PORT:+port}' } } }:wait() end]]
    local result = adtlua { "r.lua" }
    assert.same({ 0, "" }, { result.code, result.stderr })
    assert.matches("%[j%.client%-0%] server at 127%.0%.0%.1 port\n", result.stdout)
  end)

  it("a job is started again after a cause that retry names", function()
    recipe [[run = function(ctx) return ctx:job { "j", retry = { on = { "program" }, max = 2 },
      cmd = adt.sh 'echo attempt $ADT_ATTEMPT; test $ADT_ATTEMPT = 3' }:wait() end]]
    local result = adtlua { "r.lua" }
    assert.equal(0, result.code)
    assert.matches("attempt 1\n.*attempt 2\n.*attempt 3\n", result.stdout)
  end)

  it("a secret reaches the job and is hidden in what is shown and journalled; without it a resume is 3", function()
    recipe [[params = { token = adt.secret { env = "TOKEN", optional = true } }, run = function(ctx, p)
      return ctx:job { "j", cmd = adt.sh 'test ${#T} = 13 && echo it is $T', secrets = { T = p.token } }:wait() end]]
    local result = adtlua({ "r.lua" }, { TOKEN = "correct-horse" })
    assert.equal(0, result.code)
    -- Redacted on the screen, or overwritten in the log before it was read.
    assert.is_truthy(result.stdout:find "it is <secret>" or result.stdout:find "it is %*+\n", result.stdout)
    local id = result.stdout:match("run (R%w+)")
    assert.is_nil(support.read(dir / ("state/adtlua/runs/" .. id .. "/journal.ndjson")):find("correct-horse", 1, true))
    assert.is_nil(support.read(dir / ("state/adtlua/runs/" .. id .. "/jobs/j-1/job.json")):find("correct-horse", 1, true))
    local resumed = adtlua { "resume", id }
    assert.equal(3, resumed.code)
    assert.matches("secret 'token'", resumed.stderr)
    assert.equal(0, adtlua({ "resume", id }, { TOKEN = "correct-horse" }).code)
  end)

  it("a loss that is nan is journalled and fails the check, not the program", function()
    recipe [[run = function(ctx) return ctx:job { "j", metrics = { pattern = "step (%d+) loss (%S+)", fields = { "step", "loss" } },
        cmd = adt.sh 'echo step 1 loss 5.5; echo step 2 loss nan; echo step 3 loss -inf' }:wait() end,
      validate = function(ctx, p, results) ctx:check("every loss is finite", results.run.metrics.loss:finite(), results.run.metrics.loss) end]]
    local result = adtlua { "r.lua" }
    assert.equal(8, result.code)
    local id = result.stdout:match("run (R%w+)")
    assert.matches('"loss":"nan"', support.read(dir / ("state/adtlua/runs/" .. id .. "/journal.ndjson")))
    assert.equal(8, adtlua { "resume", id }.code)
    assert.equal(0, adtlua { "status", id }.code)
  end)
end)
