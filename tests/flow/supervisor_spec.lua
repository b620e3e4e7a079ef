--- The supervisor of a local job: who is ended when, what is left behind (nothing), what it writes on its last day.
local fs = require "adt.fs"
local json = require "adt.json"
local process = require "adt.process"
local support = require "support"

local HEAD = 'local adt = require "adt"\nreturn adt.recipe { name = "own", run = function(ctx, p) return ctx:job {\n'
local TAIL = '\n}:wait() end, validate = function(ctx, p, r) ctx:check("it ended well", r.run.state == "done", r.run.state) end }\n'

-- A recipe of one job with these fields.
local function job(s, fields)
  s:recipe("own.lua", HEAD .. fields .. TAIL)
  return "./own.lua"
end

local function environ(pid)
  local file = io.open(("/proc/%d/environ"):format(pid), "rb")
  local text = file and file:read "a" or ""
  if file then file:close() end
  return "\0" .. text
end

-- The living processes whose environment names the scene.
local function left(s)
  local found = {}
  for _, p in ipairs(process.list()) do
    if p.state ~= "Z" and environ(p.pid):find("\0XDG_STATE_HOME=" .. s.state .. "\0", 1, true) then found[#found + 1] = p end
  end
  return found
end

local function until_true(f)
  for _ = 1, 1500 do
    local value = f()
    if value then return value end
    require("system").sleep(0.02)
  end
  error("it has not become true within 30 s", 2)
end

local function nobody_left(s)
  until_true(function() return #left(s) == 0 end)
end

local function ended(s)
  local last
  for _, record in ipairs(s:journal()) do
    if record.type == "ended" then last = record.result end
  end
  return last
end

local function claim(s)
  return json.decode(support.read(fs.glob(s:folder() .. "/jobs/*/claim/owner.json")[1]))
end

describe("a supervisor", function()
  it("ends the services when the other roles have ended, and tells each where the others are", function()
    local s <close> = support.scene()
    local r = s:run { job(s, [["j", roles = {
      server = { service = true, cmd = adt.sh "echo serving at $ADT_ROLE_SERVER_HOST:$ADT_ROLE_SERVER_PORT; : >up; sleep 600" },
      trainer = { procs = 2, cmd = adt.sh "until [ -e up ]; do sleep 0.02; done; echo $RANK of $WORLD_SIZE asks $ADT_ROLE_SERVER_PORT" },
    }]]) }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    local port = r.stdout:match "serving at 127%.0%.0%.1:(%d+)"
    assert.matches("trainer%-0%] 0 of 2 asks " .. port, r.stdout)
    assert.matches("trainer%-1%] 1 of 2 asks " .. port, r.stdout)
    nobody_left(s)
  end)

  it("ends the job when a service dies", function()
    local s <close> = support.scene()
    local r = s:run { job(s, [["j", roles = { server = { service = true, cmd = adt.sh "exit 9" }, trainer = { cmd = { "sleep", "600" } } }]]) }
    assert.equal(6, r.code)
    assert.matches("rank server%-0 exited with status 9", r.stderr)
    nobody_left(s)
  end)

  it("puts the wrapper in front of the chosen ranks alone", function()
    local s <close> = support.scene()
    local r = s:run { job(s, [["j", launch = "torchrun", per_node = { procs = 3 }, wrap = { cmd = { "env", "WRAPPED=yes" }, ranks = { 1 } },
      cmd = adt.sh "echo wrapped=$WRAPPED"]]) }
    assert.equal(0, r.code, r.stderr)
    for rank, text in pairs { [0] = "", "yes", "" } do
      assert.matches(("[j.%d] wrapped=%s\n"):format(rank, text), r.stdout, 1, true)
    end
  end)

  it("kills a rank that ignores SIGTERM once its grace is over", function()
    local s <close> = support.scene()
    local r = s:run { job(s, [["j", launch = "torchrun", per_node = { procs = 2 }, cmd = adt.sh [=[
      if [ $RANK = 0 ]; then trap "" TERM; : >deaf; while :; do sleep 0.1; done; fi
      until [ -e deaf ]; do sleep 0.02; done; exit 4]=] ]]) }
    assert.equal(6, r.code, r.stdout)
    local ranks = ended(s).ranks
    assert.equal("SIGKILL", ranks[1].signal)
    assert.is_true(ranks[1].stopped)
    assert.equal(4, ranks[2].code)
    nobody_left(s)
  end)

  it("ends the ranks that did start when one cannot be started", function()
    local s <close> = support.scene()
    local r = s:run { job(s, [["j", roles = { a = { cmd = { "sleep", "600" } }, b = { cmd = { "no-such-program" } } }]]) }
    assert.equal(6, r.code)
    assert.matches("rank b%-0 could not be started: .*no%-such%-program", r.stderr)
    assert.equal("SIGTERM", ended(s).ranks[1].signal)
    nobody_left(s)
  end)

  it("starts the job again after a timeout where retry says so, each attempt with its whole limit", function()
    local s <close> = support.scene()
    local r = s:run { job(s, [["j", limit = 1, retry = { on = { "timeout" }, max = 2 },
      cmd = adt.sh "echo attempt $ADT_ATTEMPT; [ $ADT_ATTEMPT = 3 ] || sleep 600"]]) }
    assert.equal(0, r.code, r.stdout .. r.stderr)
    assert.matches("attempt 1.*attempt 2.*attempt 3", r.stdout)
    assert.equal(3, ended(s).attempt)
    nobody_left(s)
  end)

  it("leaves nobody behind when it is killed, not even what its ranks have started", function()
    local s <close> = support.scene()
    assert.equal(0, s:run({ job(s, [["j", cmd = adt.sh "setsid sleep 600 & sleep 601 & : >up; wait"]]), "--detach" }).code)
    until_true(function() return fs.exists(s:folder() .. "/jobs/j-1/up") and #left(s) >= 3 end)
    local who = claim(s)
    process.kill(who.pid, "KILL", who.start_time)
    local r = s:run { "wait", "last" }
    assert.equal(7, r.code, r.stderr)
    assert.matches("its supervisor was killed", r.stderr)
    nobody_left(s)
    -- The node is to blame, so a resume starts the job again.
    fs.write(s:folder() .. "/jobs/again", "")
    s:recipe("own.lua", HEAD .. '"j", cmd = { "true" }' .. TAIL)
    assert.equal(0, s:run({ "resume", "last", "--changed" }).code)
  end)

  it("ends a job of other inputs before it starts the new one in its place", function()
    local s <close> = support.scene()
    assert.equal(0, s:run({ job(s, [["j", cmd = { "sleep", "600" }]]), "--detach" }).code)
    assert.equal(2, #left(s))
    job(s, [["j", cmd = { "echo", "new" }]])
    local r = s:run { "resume", "last", "--changed" }
    assert.equal(0, r.code, r.stderr)
    assert.matches("step 'j' is done again: changed cmd", r.stdout)
    assert.matches("[j.0] new", r.stdout, 1, true)
    assert.equal("cancelled", json.decode(support.read(s:folder() .. "/jobs/j-1/exit.json")).state)
    nobody_left(s)
  end)

  it("takes the job once: a second one of the same job ends at once", function()
    local s <close> = support.scene()
    assert.equal(0, s:run({ job(s, [["j", cmd = adt.sh "echo start >>starts"]]) }).code)
    local dir = s:folder() .. "/jobs/j-1"
    local r = support.adtlua { "supervise", dir, stdin = '{"secrets":{}}\n' }
    assert.equal(0, r.code, r.stderr)
    assert.equal("start\n", support.read(dir .. "/starts"))
    assert.same({}, fs.glob(dir .. "/claim.*"))
  end)

  it("does nothing unless the whole line with the secrets has come", function()
    local s <close> = support.scene()
    assert.equal(0, s:run({ job(s, [["j", cmd = { "true" }]]) }).code)
    local dir = s:folder() .. "/jobs/j-1"
    fs.remove(dir .. "/claim", { recursive = true })
    for _, line in ipairs { "", '{"secrets":{}', '{"secr' } do
      assert.equal(0, support.adtlua({ "supervise", dir, stdin = line }).code)
      assert.is_false(fs.exists(dir .. "/claim"))
    end
  end)

  it("is cancelled by several at once", function()
    local s <close> = support.scene()
    assert.equal(0, s:run({ job(s, [["j", cmd = { "sleep", "600" }]]), "--detach" }).code)
    local function cancel()
      return process.run { support.program(), "cancel", "last", env = s.env, check = false }
    end
    local results = table.pack(require("adt.task").all { cancel, cancel, cancel })
    for _, r in ipairs(results) do
      assert.equal(0, r.code, r.stderr)
      assert.matches("job j: cancelled", r.stdout)
    end
    nobody_left(s)
    assert.equal(13, s:run({ "wait", "last" }).code)
  end)

  it("copies what is collected into the run, with its folders", function()
    local s <close> = support.scene()
    local r = s:run { job(s, [["j", cmd = adt.sh "mkdir a b; echo 1 >a/log; echo 2 >b/log", collect = { "*/log" }]]) }
    assert.equal(0, r.code, r.stderr)
    assert.equal("1\n", support.read(s:folder() .. "/collected/j/a/log"))
    assert.equal("2\n", support.read(s:folder() .. "/collected/j/b/log"))
  end)

  it("has room for its last word on a disk that the job has filled, and the run goes on when there is space again", function()
    local s <close> = support.scene()
    s:recipe("own.lua", [[local adt = require "adt"
return adt.recipe { name = "own", run = function(ctx)
  local r = ctx:job { "j", cmd = adt.sh "head -c 4000000 /dev/zero >fill; true" }:wait()
  ctx:step("after", function() return ("x"):rep(20000) end)
  return r
end, validate = function(ctx, p, r) ctx:check("it ended well", r.run.state == "done", r.run.state) end }]])
    local r = support.run { "/bin/sh", "-c", [[
      unshare -m sh -c 'mkdir -p "$XDG_STATE_HOME" && mount -t tmpfs -o size=1m tmpfs "$XDG_STATE_HOME" || exit 42
        "$ADTLUA" ./own.lua; echo "first $?"
        rm "$XDG_STATE_HOME"/adtlua/runs/*/jobs/j-1/fill
        "$ADTLUA" resume last; echo "second $?"'
    ]], cwd = s.path, env = { XDG_STATE_HOME = s.state, XDG_CACHE_HOME = s.env.XDG_CACHE_HOME, CI = "1", ADTLUA = support.program() } }
    if r.code == 42 or r.code == 1 then
      pending "needs to mount"
      return
    end
    assert.matches("first 3\n", r.stdout, 1, true)
    assert.matches("cannot write the journal .*No space left.*adtlua resume", r.stderr)
    assert.matches("second 0\n", r.stdout, 1, true)
  end)
end)

describe("secrets into jobs: local, the rank's environment", function()
  local VALUE = "hush\"hush'hush-4711"

  it("and no other process has them in its environment or arguments", function()
    local s <close> = support.scene()
    s:recipe("own.lua", [[local adt = require "adt"
return adt.recipe { name = "own", params = { token = adt.secret { env = "OWN_TOKEN" } }, run = function(ctx, p)
  return ctx:job { "j", cmd = adt.sh ": >up; sleep 600", secrets = { TOKEN = p.token } }:wait()
end }]])
    local r = s:run { "./own.lua", "--detach", env = { OWN_TOKEN = VALUE } }
    assert.equal(0, r.code, r.stderr)
    until_true(function() return fs.exists(s:folder() .. "/jobs/j-1/up") end)
    local supervisor = claim(s).pid
    local base64 = require("adt.base64").encode(VALUE)
    local ranks = 0
    for _, p in ipairs(process.list()) do
      local file = io.open(("/proc/%d/cmdline"):format(p.pid), "rb")
      local argv = file and file:read "a" or ""
      if file then file:close() end
      local env = environ(p.pid)
      for _, form in ipairs { VALUE, json.encode(VALUE):sub(2, -2), base64 } do
        assert.is_nil(argv:find(form, 1, true), p.name)
        if env:find(form, 1, true) then
          assert.truthy(env:find("\0TOKEN=" .. VALUE .. "\0", 1, true), p.name)
          assert.is_nil(env:find("OWN_TOKEN", 1, true), p.name)
          assert.truthy(env:find("\0ADT_KEY=", 1, true), p.name)
          assert.not_equal(supervisor, p.pid)
          ranks = ranks + 1
        end
      end
    end
    assert.is_true(ranks >= 1)
    assert.equal(0, s:run({ "cancel", "last" }).code)
    nobody_left(s)
  end)

  it("and what a rank prints of them does not stay in its log", function()
    local s <close> = support.scene()
    s:recipe("own.lua", [[local adt = require "adt"
return adt.recipe { name = "own", params = { token = adt.secret { env = "OWN_TOKEN" } }, run = function(ctx, p)
  ctx:job { "j", cmd = adt.sh "echo before $TOKEN after; echo $TOKEN$TOKEN; exit 3", secrets = { TOKEN = p.token } }:wait()
end }]])
    local r = s:run { "./own.lua", env = { OWN_TOKEN = VALUE } }
    assert.equal(6, r.code, r.stdout)
    assert.is_nil((r.stdout .. r.stderr):find("4711", 1, true))
    local searched = 0
    for file, kind in fs.walk(s.path) do
      if kind == "file" then
        searched = searched + 1
        assert.is_nil(support.read(file):find("4711", 1, true), file)
      end
    end
    assert.is_true(searched > 8)
    local log = support.read(s:folder() .. "/jobs/j-1/attempt-1/rank-0.log")
    assert.equal(#("before " .. VALUE .. " after\n" .. VALUE .. VALUE .. "\n"), #log)
    assert.matches("before <secret>", log, 1, true)
  end)
end)
