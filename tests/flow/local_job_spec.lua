--- Jobs on the target `local`: what ranks get, how they may end, and that nobody is left behind.
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local process = require "adt.process"
local support = require "support"

local RECIPE = path.absolute "tests/data/recipes/rank.lua"

-- Processes whose environment names the scene.
local function left(s)
  local found = {}
  for _, p in ipairs(process.list()) do
    local file = p.state ~= "Z" and io.open(("/proc/%d/environ"):format(p.pid))
    if file then
      local env = file:read "a" or ""
      file:close()
      if env:find("XDG_STATE_HOME=" .. s.state .. "\0", 1, true) then found[#found + 1] = p.name end
    end
  end
  return found
end

local function nobody_left(s)
  local found
  for _ = 1, 200 do
    found = left(s)
    if #found == 0 then return end
    require("system").sleep(0.02)
  end
  assert.same({}, found)
end

local function go(s, script, words)
  local all = { RECIPE, "--script", script }
  for k, v in pairs(words or {}) do
    all[type(k) == "number" and k + 3 or k] = v
  end
  return s:run(all)
end

describe("a local job", function()
  it("gives each rank the environment of torchrun", function()
    local s <close> = support.scene()
    local r = go(s, [[echo "env $RANK $LOCAL_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $NODE_RANK $MASTER_ADDR $MASTER_PORT"]], { "--ranks", "3" })
    assert.equal(0, r.code, r.stderr)
    local port = r.stdout:match "%[train.0%] env 0 0 3 3 0 127%.0%.0%.1 (%d+)\n"
    assert.matches("%[train.1%] env 1 1 3 3 0 127%.0%.0%.1 " .. port .. "\n", r.stdout)
    assert.matches("%[train.2%] env 2 2 3 3 0 127%.0%.0%.1 " .. port .. "\n", r.stdout)
    nobody_left(s)
  end)

  it("gets a parameter's bytes as they are, whatever they are", function()
    local s <close> = support.scene()
    local word = "a'b\"c\n$(touch pwned) `x` \\ é \t;|&" .. ("z"):rep(60000)
    local r = go(s, [[printf %s "$WORD" | sha256sum]], { "--ranks", "1", "--word", word })
    assert.equal(0, r.code, r.stderr)
    assert.matches(require("adt.hash").sha256(word), r.stdout, 1, true)
    assert.is_false(fs.exists(s:path_of "pwned"))
  end)

  it("ends within seconds when one rank dies, and says which and how", function()
    for script, text in pairs {
      ["exit 3"] = "rank 1 exited with status 3", ["kill -SEGV $$"] = "rank 1 was ended by SIGSEGV",
      ["kill -9 $$"] = "rank 1 was ended by SIGKILL",
    } do
      local s <close> = support.scene()
      local r = go(s, ('trap "" HUP; if [ $RANK = 1 ]; then echo last words; %s; fi; sleep 600'):format(script))
      assert.equal(6, r.code, r.stdout)
      assert.matches(text, r.stderr, 1, true)
      assert.matches("last words", r.stdout)
      nobody_left(s)
    end
  end)

  it("passes the program's own status on with --propagate", function()
    local s <close> = support.scene()
    assert.equal(37, go(s, "exit 37", { "--propagate" }).code)
  end)

  it("says what is missing when the program is not there", function()
    local s <close> = support.scene()
    s:recipe("none.lua", 'local adt = require "adt"\nreturn adt.recipe { name = "none", run = function(ctx) '
      .. 'return ctx:job({ "j", cmd = { "no-such-program" } }):wait() end }')
    local r = s:run { "./none.lua" }
    assert.equal(6, r.code)
    assert.matches("no%-such%-program", r.stderr)
    nobody_left(s)
  end)

  it("survives 100 MB on one line, invalid UTF-8 and control sequences", function()
    local s <close> = support.scene()
    local r = go(s, [[head -c 100000000 /dev/zero | tr '\0' x; echo; printf 'bad \377\376 \033[31mred\007\n'; echo end]], { "--ranks", "1" })
    assert.equal(0, r.code, r.stderr)
    assert.matches("%[train.0%] end\n", r.stdout)
    assert.is_nil(r.stdout:find "[\27\7\255]")
    assert.is_true(#r.stdout > 100)
  end)

  it("leaves no grandchild behind", function()
    local s <close> = support.scene()
    local r = go(s, [[setsid sleep 600 </dev/null >/dev/null 2>&1 & echo started]], { "--ranks", "1" })
    assert.equal(0, r.code, r.stderr)
    nobody_left(s)
  end)

  it("is ended at its limit, cause timeout, exit 9", function()
    local s <close> = support.scene()
    local r = go(s, "sleep 600", { "--limit", "1s" })
    assert.equal(9, r.code, r.stdout)
    assert.matches("longer than its limit of 1 s", r.stderr)
    nobody_left(s)
  end)

  it("is started again for the causes that retry names", function()
    local s <close> = support.scene()
    local r = go(s, [[echo "attempt $ADT_ATTEMPT"; [ $ADT_ATTEMPT = 3 ] ]], { "--ranks", "1", "--retry", "program" })
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("attempt 1.*attempt 2.*attempt 3", r.stdout)
    r = go(s, [[echo "attempt $ADT_ATTEMPT"; false]], { "--ranks", "1", "--retry", "node" })
    assert.equal(6, r.code)
    assert.is_nil(r.stdout:find "attempt 2")
  end)

  it("fails when it ended well but left nothing where an artefact should be", function()
    local s <close> = support.scene()
    local artefact = s:path_of "out/*.pt"
    assert.equal(6, go(s, "true", { "--artefact", artefact }).code)
    assert.equal(0, go(s, ("mkdir -p '%s/out'; echo x > '%s/out/a.pt'"):format(s.path, s.path), { "--artefact", artefact }).code)
  end)

  it("validate also runs when the job failed, so that the report says why", function()
    local s <close> = support.scene()
    local r = go(s, "exit 1")
    assert.equal(6, r.code)
    assert.matches("FAILED +the job ended well: failed", r.stdout)
  end)

  it("journals losses that are not finite", function()
    local s <close> = support.scene()
    local r = go(s, 'echo "step 1 loss nan"; echo "step 2 loss inf"', { "--ranks", "1" })
    assert.equal(0, r.code, r.stderr)
  end)

  it("goes on when its program leaves, and wait follows it to its verdict", function()
    local s <close> = support.scene()
    local r = go(s, "while ! [ -e go ]; do sleep 0.05; done; echo went", { "--ranks", "1", "--detach" })
    assert.equal(0, r.code, r.stderr)
    assert.matches("adtlua wait " .. s:ids()[1], r.stdout)
    assert.matches(s:ids()[1], s:run({ "ps" }).stdout)
    support.write(s:folder() .. "/jobs/train-1/go", "")
    r = s:run { "wait", "last" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("%[train.0%] went", r.stdout)
    assert.matches("nothing runs", s:run({ "ps" }).stdout)
    nobody_left(s)
  end)

  it("is cancelled for good, and the run says so", function()
    local s <close> = support.scene()
    assert.equal(0, go(s, "sleep 600", { "--detach" }).code)
    local r = s:run { "cancel", "last" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("job train: cancelled", r.stdout)
    nobody_left(s)
    assert.equal(13, s:run({ "wait", "last" }).code)
  end)

  it("whose supervisor was killed has failed by its node, and its ranks are gone", function()
    local s <close> = support.scene()
    assert.equal(0, go(s, "sleep 600", { "--detach" }).code)
    local claim = json.decode(support.read(s:folder() .. "/jobs/train-1/claim/owner.json"))
    process.kill(claim.pid, "KILL", claim.start_time)
    local r = s:run { "wait", "last" }
    assert.equal(7, r.code, r.stderr)
    assert.matches("its supervisor was killed", r.stderr)
    nobody_left(s)
  end)

  it("logs one rank or all, and follows", function()
    local s <close> = support.scene()
    assert.equal(0, go(s, 'echo "hello from $RANK"').code)
    assert.matches("hello from 0.*hello from 1", s:run({ "logs", "last" }).stdout)
    local one = s:run({ "logs", "-f", "--rank", "1", "last" }).stdout
    assert.equal("[train.1] hello from 1\n", one)
  end)
end)

describe("a secret", function()
  local VALUE = "s3cr3t\"value\\with'quotes"

  local function files(dir, found)
    for file, kind in fs.walk(dir) do
      if kind == "file" then found[#found + 1] = file end
    end
    return found
  end

  it("reaches the rank's environment and is in no file, no output and no argv", function()
    local s <close> = support.scene()
    local r = go(s, [[printf %s "$TOKEN" | sha256sum; echo "token=$TOKEN"; tr '\0' ' ' < /proc/$PPID/cmdline]],
      { "--ranks", "1", env = { RANK_TOKEN = VALUE } })
    assert.equal(0, r.code, r.stderr)
    assert.matches(require("adt.hash").sha256(VALUE), r.stdout, 1, true)
    assert.matches("token=[<*]", r.stdout)
    local escaped = json.encode(VALUE):sub(2, -2)
    local checked = 0
    for _, file in ipairs(files(s.state, {})) do
      local text = support.read(file)
      checked = checked + 1
      assert.is_nil(text:find(VALUE, 1, true), file)
      assert.is_nil(text:find(escaped, 1, true), file)
      assert.is_nil(text:find(require("adt.base64").encode(VALUE), 1, true), file)
    end
    assert.is_true(checked >= 6)
    assert.is_nil((r.stdout .. r.stderr):find(VALUE, 1, true))
  end)

  it("that is not there when the run is resumed ends it with exit 3, naming it", function()
    local s <close> = support.scene()
    assert.equal(0, go(s, "true", { env = { RANK_TOKEN = VALUE } }).code)
    local r = s:run { "resume", "last" }
    assert.equal(3, r.code, r.stdout)
    assert.matches("token", r.stderr)
    assert.equal(0, s:run({ "resume", "last", env = { RANK_TOKEN = VALUE } }).code)
  end)
end)
