--- Commands about runs and recipes, and what signals do to a run that is followed.
local cloudpeer = require "cloudpeer"
local json = require "adt.json"
local lfs = require "lfs"
local recipes = require "recipes"
local support = require "support"
local time = require "adt.time"

local function plain_run(home, ...)
  local result = home:run { recipes.path "causes", "--cause", "partial", ... }
  assert.equal(12, result.code, result.stderr)
  return home:runs()[#home:runs()]
end

-- Starts the recipe `hold` in the background, runs `script` when its job has begun ($pid is the program), and gives what
-- the program ended with as $code to the end of the script.
local function with_hold(home, flags, script)
  local text = ([[
    env --default-signal=INT,QUIT "$ADTLUA" %s --dir "$PWD" %s >out 2>err &
    pid=$!
    wait_for() {
      n=0
      until eval "$1"; do
        n=$((n + 1)); [ $n -lt 500 ] || { echo "gave up: $1" >&2; cat out err >&2; touch release; exit 99; }
        sleep 0.02
      done
    }
    wait_for '[ -e begun ]'
    %s
  ]]):format(support.quote(recipes.path "hold"), flags, script)
  return home:shell(text)
end

describe("^C", function()
  it("once stops following with status 130, says how to go on, and the job goes on", function()
    local home <close> = recipes.home()
    local result = with_hold(home, "", [[
      kill -INT $pid; wait $pid; code=$?
      "$ADTLUA" ps; touch release; "$ADTLUA" wait last; echo "$code $?"; cat err]])
    assert.matches("\n130 0\n", result.stdout .. result.stderr)
    assert.matches("hold running", result.stdout)
    local id = home:runs()[1]
    for _, command in ipairs { "wait", "cancel", "resume" } do
      assert.matches(("adtlua %s %s"):format(command, id), result.stdout)
    end
    assert.equal(1, select(2, home:journal():gsub('"type":"intent"', "")))
  end)

  it("twice leaves at once with status 130, and the run can be resumed", function()
    local home <close> = recipes.home()
    local result = with_hold(home, "--stubborn", [[
      wait_for '[ -e ready ]'
      kill -INT $pid; wait_for 'grep -q "stopped following" out err'
      kill -INT $pid; wait $pid; echo "code $?"
      touch release
      "$ADTLUA" resume last --no-stubborn; echo "resumed $?"]])
    assert.matches("code 130\n", result.stdout)
    assert.matches("resumed 0\n", result.stdout, result.stderr)
    assert.equal(1, select(2, home:journal():gsub('"type":"intent"', "")))
  end)

  it("is told apart from SIGTERM, which ends with status 143", function()
    local home <close> = recipes.home()
    local result = with_hold(home, "", [[
      kill -TERM $pid; wait $pid; echo "code $?"
      "$ADTLUA" cancel last; echo "cancelled $?"; "$ADTLUA" ps]])
    assert.matches("code 143\n", result.stdout)
    assert.matches("job hold: cancelled[^\n]*\ncancelled 0\nnothing runs\n", result.stdout)
  end)
end)

describe("--detach", function()
  it("leaves once the job is submitted, and `adtlua wait` follows it to its verdict and status", function()
    local home <close> = recipes.home()
    local result = with_hold(home, "--detach", [[
      wait $pid; echo "detached $?"
      "$ADTLUA" ps; touch release; "$ADTLUA" wait last; echo "waited $?"; "$ADTLUA" wait last; echo "again $?"]])
    assert.matches("detached 0\n", result.stdout)
    assert.matches("hold running", result.stdout)
    assert.matches("let go", result.stdout)
    assert.matches("waited 0\n", result.stdout)
    assert.matches("1 check passed\nagain 0\n", result.stdout)
  end)
end)

describe("plan", function()
  it("of a recipe that depends on what is not made yet ends at the line that needs it", function()
    local home <close> = recipes.home()
    local result = home:run { recipes.path "stack", "plan", "--dir", ".", "--look", "--exit-code" }
    assert.equal(10, result.code, result.stderr)
    assert.matches("the network is <net%.id>", result.stdout)
    assert.matches("from here it depends on net%.size", result.stdout)
    assert.no.matches("after", result.stdout)
    assert.same({}, home:runs())
  end)

  it("--exit-code ends with 10 while there is something to do, and with 0 when there is not", function()
    local home <close> = recipes.home()
    local stack = recipes.path "stack"
    assert.equal(10, home:run({ stack, "plan", "--dir", ".", "--exit-code" }).code)
    assert.equal(0, home:run({ stack, "plan", "--dir", "." }).code)
    assert.equal(0, home:run({ stack, "--dir", "." }).code)
    local id = home:runs()[1]
    assert.equal(0, home:run({ stack, "plan", "--dir", ".", "--exit-code", "--run", id }).code)
    local changed = home:run { stack, "plan", "--dir", ".", "--exit-code", "--run", id, "--size", "4" }
    assert.equal(10, changed.code)
    assert.matches("done again: changed size", changed.stdout)
  end)

  it("refuses a write outside of a step", function()
    local home <close> = recipes.home()
    home:write("work/own.lua", [[local adt = require "adt"
return adt.recipe { name = "own", run = function() adt.fs.write("made", "") end }]])
    local result = home:run { "own.lua", "plan" }
    assert.equal(2, result.code)
    assert.matches("own%.lua:2: .*would change something outside of a step", result.stderr)
    assert.is_nil(io.open(home.work .. "/made"))
  end)

  it("ends where a pending value would be a path or a word of a program", function()
    local home <close> = recipes.home()
    for _, use in ipairs { "adt.fs.read(made.file)", "adt.process.run { 'cat', made.file, read_only = true }",
      "adt.fs.exists(adt.path.join(made.file, 'x'))" } do
      home:write("work/own.lua", ([[local adt = require "adt"
return adt.recipe { name = "own", run = function(ctx)
  local made = ctx:step("make", function() return { file = "x" } end)
  %s
end }]]):format(use))
      local result = home:run { "own.lua", "plan" }
      assert.equal(0, result.code, result.stderr)
      assert.matches("from here it depends on <?make%.file", result.stdout)
    end
  end)
end)

describe("down", function()
  it("without -y and without a terminal ends with status 2, saying what it would take back", function()
    local home <close> = recipes.home()
    assert.equal(0, home:run({ recipes.path "stack", "--dir", "." }).code)
    local result = home:run { recipes.path "stack", "down", "--dir", "." }
    assert.equal(2, result.code)
    assert.matches("store, net; say %-y", result.stderr)
    assert.truthy(lfs.attributes(home.work .. "/stack.net"))
  end)

  it("asks on a terminal and does nothing on no", function()
    local home <close> = recipes.home()
    assert.equal(0, home:run({ recipes.path "stack", "--dir", "." }).code)
    local ask = [[
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
while b"[y/N]" not in seen:
    seen += os.read(fd, 4096)
os.write(fd, ANSWER)
try:
    while True:
        part = os.read(fd, 4096)
        if not part: break
        seen += part
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
]]
    local function answer(text)
      return support.run { "/usr/bin/python3", "-c", ask:gsub("ANSWER", 'b"' .. text .. '\\n"', 1), support.program(),
        recipes.path "stack", "down", "--dir", ".", cwd = home.work, env = home:env { TERM = "dumb" } }
    end
    assert.equal("2\n", answer("n").stdout)
    assert.truthy(lfs.attributes(home.work .. "/stack.net"))
    assert.equal("0\n", answer("y").stdout)
    assert.is_nil(lfs.attributes(home.work .. "/stack.net"))
  end)

  it("keeps what holds data unless --with-data, and lists it", function()
    local home <close> = recipes.home()
    assert.equal(0, home:run({ recipes.path "stack", "--dir", "." }).code)
    local result = home:run { recipes.path "stack", "down", "--dir", ".", "-y" }
    assert.equal(0, result.code, result.stderr)
    assert.matches("store.*it holds data", result.stdout)
    assert.matches('"step":"net"[^\n]*"type":"undone"', home:journal())
    assert.no.matches('"step":"store"[^\n]*"type":"undone"', home:journal())
    assert.equal(0, home:run({ recipes.path "stack", "down", "--dir", ".", "-y", "--with-data" }).code)
    assert.matches('"step":"store"[^\n]*"type":"undone"', home:journal())
  end)

  it("acts on the name that was given, whichever run made it", function()
    local home <close> = recipes.home()
    for _, name in ipairs { "one", "two" } do
      assert.equal(0, home:run({ recipes.path "stack", "--dir", ".", "--name", name }).code)
    end
    assert.equal(0, home:run({ recipes.path "stack", "down", "--dir", ".", "--name", "one", "-y" }).code)
    assert.is_nil(lfs.attributes(home.work .. "/one.net"))
    assert.truthy(lfs.attributes(home.work .. "/two.net"))
    local result = home:run { recipes.path "stack", "down", "--dir", ".", "--name", "three", "-y" }
    assert.equal(2, result.code)
    assert.matches("three", result.stderr)
  end)
end)

describe("a command", function()
  it("that is misspelt is answered with the nearest", function()
    local home <close> = recipes.home()
    for word, near in pairs { lst = "list", statsu = "status", histroy = "history", reusme = "resume" } do
      local result = home:run { word }
      assert.equal(2, result.code)
      assert.matches(("did you mean '%s'%%?"):format(near), result.stderr)
    end
    assert.matches("commands: compare, cancel", home:run({ "zzzzzzzzzz" }).stderr)
  end)

  it("refuses a flag that it does not have with the nearest, and --help shows those that it has", function()
    local home <close> = recipes.home()
    for _, name in ipairs(require("adt.cli").COMMANDS) do
      local result = home:run { name, "--outptu" }
      assert.equal(2, result.code, name .. result.stdout .. result.stderr)
      -- What resume may be given depends on the run's recipe.
      assert.matches(name == "resume" and "resume needs a run" or "unknown flag or parameter '%-%-outptu'", result.stderr)
      local help = home:run { name, "--help" }
      assert.same({ 0, "" }, { help.code, help.stderr })
      assert.matches("usage: adtlua " .. name, help.stdout)
    end
  end)

  it("refuses words that it has no use for", function()
    local home <close> = recipes.home()
    for _, words in ipairs { { "ps", "x" }, { "history", "x" }, { "gc", "x" }, { "status", "a", "b" }, { "wait", "a", "b" },
      { "cancel", "a", "b", "c" }, { "logs", "a", "b", "c" }, { "doctor", "a", "b" }, { "config", "trust", "a", "b" } } do
      local result = home:run(words)
      assert.equal(2, result.code, table.concat(words, " ") .. result.stdout)
      assert.equal(1, select(2, result.stderr:gsub("\n", "")), result.stderr)
    end
  end)

  it("about a run refuses one that is not there", function()
    local home <close> = recipes.home()
    local id = plain_run(home)
    for _, name in ipairs { "status", "logs", "wait", "cancel", "resume" } do
      local result = home:run { name, id:sub(1, -2) .. (id:sub(-1) == "0" and "1" or "0") }
      assert.equal(2, result.code)
      assert.matches("there is no run '.*did you mean " .. id, result.stderr)
    end
  end)

  it("about runs finds nothing in an empty home, and says so", function()
    local home <close> = recipes.home()
    assert.equal("no runs yet\n", home:run({ "history" }).stdout)
    assert.equal("nothing runs\n", home:run({ "ps" }).stdout)
    assert.equal("nothing to collect\n", home:run({ "gc" }).stdout)
    assert.equal(2, home:run({ "status" }).code)
    assert.same({ v = 1, runs = {} }, json.decode(home:run({ "history", "-o", "json" }).stdout))
  end)
end)

describe("`adtlua list`", function()
  it("groups recipes by kind and tells of broken ones what is wrong", function()
    local home <close> = recipes.home()
    home:write("work/good.lua", 'return require("adt").recipe { name = "good", kind = "image", summary = "fine", build = print }')
    home:write("work/bad.lua", "local adt = require 'adt'\nreturn adt.recipe {")
    home:write("work/wild.lua", "local adt = require 'adt'\nwhile true do end return adt.recipe {}")
    home:write("work/plain.lua", "print 'must not run'")
    local result = home:run { "list", "." }
    assert.equal(0, result.code, result.stderr)
    assert.matches("image%s+good%s+%./?good%.lua%s+fine", (result.stdout:gsub("%./%./", "./")))
    assert.matches("broken%s+bad%.lua.*bad%.lua:2: unexpected symbol near <eof>", result.stdout)
    assert.matches("broken%s+wild%.lua.*wild%.lua:2: the head takes too long", result.stdout)
    assert.no.matches("must not run", result.stdout)
    local listed = json.decode(home:run({ "list", ".", "-o", "json" }).stdout)
    assert.equal(3, #listed.recipes)
  end)

  it("refuses a folder that is not there", function()
    local home <close> = recipes.home()
    local result = home:run { "list", "nosuch" }
    assert.same({ 2, 1 }, { result.code, select(2, result.stderr:gsub("no folder 'nosuch'", "")) })
  end)
end)

describe("commands about runs", function()
  it("show a run, its jobs and its output", function()
    local home <close> = recipes.home()
    local result = home:run { recipes.path "causes", "--cause", "job" }
    assert.equal(6, result.code)
    local id = home:runs()[1]
    local status = home:run { "status", id }
    assert.equal(0, status.code)
    assert.matches("job exits: failed", status.stdout)
    assert.equal(6, json.decode(home:run({ "status", "-o", "json" }).stdout).exit)
    assert.matches("%[exits%.0%] last words", home:run({ "logs" }).stdout)
    assert.equal("last words\n", home:run({ "logs", "--raw", id, "exits" }).stdout)
    assert.matches("has no job 'exist'.*did you mean 'exits'%?", home:run({ "logs", id, "exist" }).stderr)
    assert.matches(id .. "%s+failed%s+causes", home:run({ "history", "-n1" }).stdout)
  end)

  it("compare two runs by what differs", function()
    local home <close> = recipes.home()
    local a = plain_run(home)
    home:run { recipes.path "causes", "--cause", "check" }
    local b = home:runs()[2]
    local result = home:run { "compare", a, b }
    assert.equal(0, result.code, result.stderr)
    assert.matches("param cause%s+partial%s+check", result.stdout)
    assert.matches("check two and two make five%s+ok%s+FAILED", result.stdout)
    assert.no.matches("recipe", result.stdout)
    assert.equal(a, json.decode(home:run({ "compare", a, b, "-o", "json" }).stdout).a)
  end)
end)

describe("`adtlua gc`", function()
  it("lists what no live run needs and deletes it with --delete", function()
    local home <close> = recipes.home()
    local id = plain_run(home)
    os.execute("mkdir -p " .. home.state .. "/adtlua/runs/Rnever " .. home.dir / "cache/adtlua/venvs/abc")
    local listed = home:run { "gc" }
    assert.matches("run never begun%s+.*/Rnever", listed.stdout)
    assert.matches("virtual environment%s+.*/venvs/abc", listed.stdout)
    assert.same({ id, "Rnever" }, home:runs())
    local deleted = home:run { "gc", "--delete" }
    assert.equal(0, deleted.code, deleted.stderr)
    assert.matches("2 deleted", deleted.stdout)
    assert.same({ id }, home:runs())
    assert.matches("run of causes", home:run({ "gc", "--older", "0s" }).stdout)
    assert.matches("must be a duration", home:run({ "gc", "--older", "soon" }).stderr)
    assert.equal(0, home:run({ "gc", "--older", "0s", "--delete" }).code)
    assert.same({}, home:runs())
  end)
end)

describe("`adtlua doctor`", function()
  -- The metadata of whatever machine the tests run on is nobody's business: it is looked for at a place of ours.
  local function doctor(home, more, ...)
    local env = { AWS_EC2_METADATA_DISABLED = "true", AWS_CONFIG_FILE = "/dev/null", AWS_SHARED_CREDENTIALS_FILE = "/dev/null" }
    for name, value in pairs(more or {}) do env[name] = value end
    return home:run { "doctor", env = env, ... }
  end

  it("is quick where AWS is not set up, even if the metadata is silent, and does not fail for it", function()
    local home <close> = recipes.home()
    local silent <close> = require("httppeer").start()
    local began = time.monotonic()
    local result = doctor(home, { AWS_EC2_METADATA_DISABLED = "false",
      AWS_EC2_METADATA_SERVICE_ENDPOINT = silent.deaf:gsub("^https", "http") .. "/" })
    assert.equal(0, result.code, result.stdout .. result.stderr)
    assert.matches("absent%s+AWS credentials", result.stdout)
    assert.matches("ssh", result.stdout)
    -- PyTorch is imported meanwhile, which alone may take longer than that on a busy machine.
    assert.is_true(time.monotonic() - began < 6)
  end)

  it("says who one is, where, what the quotas leave and whether the clock is right", function()
    local why = cloudpeer.missing()
    if why then return pending(why) end
    local home <close> = recipes.home()
    local peer <close> = cloudpeer.start { control = { quotas = { ["L-F678F1CE"] = 1 } } }
    local result = doctor(home, peer.environ)
    assert.equal(0, result.code, result.stdout .. result.stderr)
    assert.matches("ok%s+AWS credentials%s+env, profile default", result.stdout)
    assert.matches("ok%s+AWS region%s+us%-east%-1, by AWS_REGION", result.stdout)
    assert.matches("ok%s+AWS identity%s+arn:aws:sts::123456789012", result.stdout)
    assert.matches("ok%s+clock%s+0 s", result.stdout)
    assert.matches("absent%s+AWS quota%s+VPCs of the region: 1 of 1 are in use", result.stdout)
    assert.matches("Service Quotas, vpc, L%-F678F1CE", result.stdout)
  end)

  it("says of each thing whether it is there, and ends with 3 when one that is needed is not", function()
    local home <close> = recipes.home()
    local result = doctor(home)
    assert.equal(0, result.code, result.stdout .. result.stderr)
    for _, what in ipairs { "state folder", "locks", "python3 with venv" } do
      assert.matches("ok%s+" .. what, result.stdout)
    end
    home:write("work/own.lua", [[local adt = require "adt"
return adt.recipe { name = "own", packages = { "no-such-package-at-all" }, run = print }]])
    result = doctor(home, {}, "own.lua")
    assert.equal(3, result.code)
    assert.matches("MISSING%s+package no%-such%-package%-at%-all", result.stdout)
  end)

  it("--packages prints what a recipe needs installed, a line each", function()
    local home <close> = recipes.home()
    home:write("work/own.lua", [[local adt = require "adt"
return adt.recipe { name = "own", packages = { "one", "two" }, run = print }]])
    assert.equal("one\ntwo\n", home:run({ "doctor", "--packages", "own.lua" }).stdout)
    assert.equal(2, home:run({ "doctor", "--packages" }).code)
    assert.equal(2, home:run({ "doctor", "--packages", "nosuch.lua" }).code)
  end)
end)

describe("a state folder", function()
  it("that cannot be written to ends a run with status 3, saying what to do", function()
    local home <close> = recipes.home()
    home:write("blocked", "")
    local result = home:run { recipes.path "params", env = { XDG_STATE_HOME = home.dir / "blocked" } }
    assert.equal(3, result.code)
    assert.matches("cannot make the folder .*blocked/adtlua/runs.*set XDG_STATE_HOME", result.stderr)
  end)

  it("that is read-only ends a run with status 3, saying what to do", function()
    local home <close> = recipes.home()
    local result = home:shell(([[
      unshare -m sh -c 'mkdir -p "$XDG_STATE_HOME" && mount -t tmpfs -o ro tmpfs "$XDG_STATE_HOME" || exit 42
        "$ADTLUA" "$1"' sh %s
    ]]):format(support.quote(recipes.path "params")))
    if result.code == 42 or result.code == 1 then
      pending "needs to mount"
      return
    end
    assert.equal(3, result.code, result.stderr)
    assert.matches("Read%-only file system.*set XDG_STATE_HOME", result.stderr)
  end)

  it("that is full ends a run with status 3, saying what to do, and the journal stays readable", function()
    local home <close> = recipes.home()
    local result = home:shell(([[
      unshare -m sh -c 'mkdir -p "$XDG_STATE_HOME" && mount -t tmpfs -o size=64k tmpfs "$XDG_STATE_HOME" || exit 42
        "$ADTLUA" "$1"; code=$?
        head -c 200000 /dev/zero >"$XDG_STATE_HOME/ballast" 2>/dev/null
        "$ADTLUA" "$1" --word another; echo "code $?, before $code"
        ls "$XDG_STATE_HOME/adtlua/runs" | wc -l; "$ADTLUA" history' sh %s
    ]]):format(support.quote(recipes.path "params")))
    if result.code == 42 or result.code == 1 then
      pending "needs to mount"
      return
    end
    assert.matches("code 3, before", result.stdout)
    assert.matches("[Nn]o space left", result.stderr)
    assert.matches("\n1\n.*params", result.stdout)
  end)
end)
