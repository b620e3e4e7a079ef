--- The crash test: a program that is killed at the worst moments and resumed must start each thing once, lose no run and
--- leave nobody behind.
local adt = require "adt"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local options = require "adt.options"
local param = require "adt.param"
local path = require "adt.path"
local process = require "adt.process"

local FLAGS = {
  kills = { value = true }, seed = { value = true }, target = { value = true }, verbose = { short = "v" },
}

local given = options.parse(arg, FLAGS)
local kills_wanted = given.kills and param.parse("kills", adt.int { min = 1, max = 100000 }, given.kills)
local seed = param.parse("seed", adt.int {}, given.seed or 1)
if (given.target or "local") ~= "local" then
  errors.raise { cause = "usage", message = "this crash test knows the target local" }
end
math.randomseed(seed)

local count = { kills = 0, duplicates = 0, lost = 0, orphans = 0 }

local function say(...)
  if given.verbose then
    print(string.format(...))
  end
end

-- --- one subject: a recipe with its own state folder ------------------------------------------------------------------

local Subject = {}
Subject.__index = Subject

local function subject(recipe, words)
  local dir = fs.tempdir "adt-kills"
  local s = setmetatable({ dir = dir, state = path.join(dir.path, "state"), work = path.join(dir.path, "work"), recipe = recipe }, Subject)
  fs.mkdir(s.work)
  s.words = words(s)
  return s
end

function Subject:spawn(words, fault, of_supervisor)
  local argv = { process.self().exe }
  table.move(words, 1, #words, 2, argv)
  argv.env = { XDG_STATE_HOME = self.state, XDG_CACHE_HOME = path.join(self.dir.path, "cache"), CI = "1",
    ADTLUA_FAULT = fault or false, ADTLUA_FAULT_SUPERVISOR = of_supervisor or false, ADT_KILLS_SUBJECT = self.dir.path }
  argv.stdout, argv.stderr = { file = path.join(self.dir.path, "output"), append = true }, "stdout"
  return process.spawn(argv)
end

--- The id of the one run, if it has begun: a journal with at least one whole line.
function Subject:run_id()
  local runs = path.join(self.state, "adtlua", "runs")
  local ids = {}
  for _, name in ipairs(fs.exists(runs) and fs.list(runs) or {}) do
    local file = path.join(runs, name, "journal.ndjson")
    if fs.exists(file) and fs.read(file):find "\n" then ids[#ids + 1] = name end
  end
  return ids[1], #ids
end

function Subject:next_words()
  local id = self:run_id()
  if id then
    return { "resume", id, "-y" }
  end
  local words = { self.recipe, "-y" }
  return table.move(self.words, 1, #self.words, 3, words)
end

function Subject:down_words()
  local words = { self.recipe, "down", "-y" }
  return table.move(self.words, 1, #self.words, 4, words)
end

--- One start of the program, killed by a fault or after some seconds, or left to its end.
function Subject:go(fault, seconds, words)
  local child <close> = self:spawn(words or self:next_words(), fault)
  if seconds then
    adt.sleep(seconds)
    if not child:ended() then
      errors.try(process.kill, child.pid, "KILL", child:start_time())
    end
  end
  local ended = child:wait()
  if ended.signal == "SIGKILL" then
    count.kills = count.kills + 1
  end
  return ended
end

-- --- what must hold afterwards ----------------------------------------------------------------------------------------

local function ours(s)
  local found = {}
  for _, p in ipairs(process.list()) do
    local handle = p.state ~= "Z" and io.open(("/proc/%d/environ"):format(p.pid))
    if handle then
      local env = handle:read "a" or ""
      handle:close()
      if env:find("ADT_KILLS_SUBJECT=" .. s.dir.path .. "\0", 1, true) then found[#found + 1] = p end
    end
  end
  return found
end

function Subject:check(what, ended, starts, state)
  local id, n = self:run_id()
  local journal = id and fs.read(path.join(self.state, "adtlua", "runs", id, "journal.ndjson")) or ""
  local last
  for line in journal:gmatch "[^\n]+" do last = json.decode(line) end
  if not ended.ok or n ~= 1 or not last or last.type ~= "end" or last.state ~= (state or "ok") then
    count.lost = count.lost + 1
    print(("LOST after %s: %s, %d runs\n%s"):format(what, ended.text, n, fs.read(path.join(self.dir.path, "output"))))
  end
  local started = starts(self, id)
  if started ~= 1 then
    count[started > 1 and "duplicates" or "lost"] = count[started > 1 and "duplicates" or "lost"] + 1
    print(("%d STARTS after %s\n%s"):format(started, what, fs.read(path.join(self.dir.path, "output"))))
  end
  -- A supervisor that has written its last word may need a moment to leave.
  local left
  for _ = 1, 100 do
    left = ours(self)
    if #left == 0 then break end
    adt.sleep(0.02)
  end
  for _, p in ipairs(left) do
    count.orphans = count.orphans + 1
    print(("ORPHAN after %s: %d %s"):format(what, p.pid, p.name))
    errors.try(process.kill, p.pid, "KILL", p.start_time)
  end
  fs.remove(self.dir.path, { recursive = true })
end

-- --- subjects ---------------------------------------------------------------------------------------------------------

local function ten_steps()
  return subject("tests/data/recipes/ten_steps.lua", function(s) return { "--dir", s.work } end)
end

local function starts_of_ten_steps(s)
  local file = path.join(s.work, "starts")
  local n = 0
  for _ in (fs.exists(file) and fs.read(file) or ""):gmatch "start\n" do n = n + 1 end
  return n
end

local function cpu_ddp()
  return subject("recipes/cpu_ddp.lua", function() return { "--steps", "24", "--width", "32", "--checkpoint-every", "6" } end)
end

-- Rank 0 says who it is when it starts; the retries of a job's own would be further attempts in the same folder.
local function starts_of_cpu_ddp(s, id)
  local jobs, n = path.join(s.state, "adtlua", "runs", id, "jobs"), 0
  for _, log in ipairs(fs.glob(path.join(jobs, "*", "attempt-*", "rank-0.log"))) do
    for _ in fs.read(log):gmatch "rank 0/%d+ pid" do n = n + 1 end
  end
  return n
end

local function has_torch()
  return (errors.try(require("adt.python").find, { "torch" })) ~= nil
end

-- --- the two kinds of kill --------------------------------------------------------------------------------------------

local POINTS = { "journal.before:kill", "journal.torn:fail", "journal.after:kill" }

--- Dies at the given journal step of the first start; then, now and then, again while it resumes.
local function kill_at_step(point, step, again)
  local s = ten_steps()
  local what = ("%s at step %d"):format(point, step)
  local ended = s:go(("%s:%d"):format(point, step))
  if ended.signal ~= "SIGKILL" then
    s:check(what, ended, starts_of_ten_steps)
    return false
  end
  for i = 1, again do
    ended = s:go(("%s:%d"):format(POINTS[i % #POINTS + 1], math.random(1, 6)))
    if ended.signal ~= "SIGKILL" then break end
  end
  if ended.signal == "SIGKILL" then
    ended = s:go()
  end
  s:check(what, ended, starts_of_ten_steps)
  return true
end

-- Between the fork of a supervisor and its claim.
local function kill_while_submitting()
  for _, point in ipairs { "local.forked", "local.journalled", "local.opened", "local.told" } do
    local s = ten_steps()
    local ended = s:go(point .. ":kill")
    if ended.signal ~= "SIGKILL" then
      count.lost = count.lost + 1
      print(("NOT KILLED at %s: %s"):format(point, ended.text))
    end
    s:check(point, s:go(), starts_of_ten_steps)
  end
end

-- The supervisor dies: before its claim nothing was started, after it the node is to blame; either way a resume starts
-- the job again, and what it does is done once.
local function kill_supervisor()
  for _, point in ipairs { "supervisor.claim", "supervisor.claimed" } do
    local s = ten_steps()
    local child <close> = s:spawn(s:next_words(), nil, point .. ":kill")
    local ended = child:wait()
    if ended.code == 7 then
      count.kills = count.kills + 1
    else
      count.lost = count.lost + 1
      print(("NOT KILLED at %s: %s"):format(point, ended.text))
    end
    s:check(point, s:go(), starts_of_ten_steps)
  end
end

-- Taking back is done again where it was interrupted, and spares what it had spared.
local function kill_while_down(point)
  local step = 1
  local ended
  repeat
    local s = ten_steps()
    s:go()
    ended = s:go(("%s:%d"):format(point, step), nil, s:down_words())
    local last = ended
    for i = 1, 20 do
      if last.signal ~= "SIGKILL" then break end
      last = s:go(i % 3 == 0 and ("%s:%d"):format(point, i) or nil, nil, s:down_words())
    end
    for name, there in pairs { undo = false, outputs = false, all = false, keep = true } do
      if fs.exists(path.join(s.work, name)) ~= there then
        count[there and "lost" or "orphans"] = count[there and "lost" or "orphans"] + 1
        print(("down killed at %s:%d: %s is %s"):format(point, step, name, there and "gone" or "still there"))
      end
    end
    s:check(("down, %s at step %d"):format(point, step), last, starts_of_ten_steps, "down")
    step = step + 1
  until ended.signal ~= "SIGKILL"
end

local function every_step(again)
  for _, point in ipairs(POINTS) do
    local step = 1
    while kill_at_step(point, step, again) do
      step = step + 1
      if kills_wanted and count.kills * 2 >= kills_wanted then return end
    end
    say("%s: %d steps", point, step - 1)
  end
end

local function at_random(make, starts, longest)
  local s = make()
  local ended
  local moments = {}
  repeat
    moments[#moments + 1] = math.random() * longest
    ended = s:go(nil, #moments <= 3 and moments[#moments] or nil)
  until ended.signal ~= "SIGKILL"
  s:check(("random kills at %s"):format(table.concat(moments, ", ")), ended, starts)
end

-- Half of the kills at journal steps, some of them twice, the other half at moments that no step names.
every_step(kills_wanted and 1 or 0)
kill_while_submitting()
kill_supervisor()
for _, point in ipairs(POINTS) do
  kill_while_down(point)
end
if kills_wanted then
  local torch, i = has_torch(), 0
  while count.kills < kills_wanted do
    i = i + 1
    if torch and i % 10 == 1 then
      at_random(cpu_ddp, starts_of_cpu_ddp, 6)
    else
      at_random(ten_steps, starts_of_ten_steps, 0.2)
    end
  end
elseif has_torch() then
  local before = count.kills
  while count.kills < before + 5 do
    at_random(cpu_ddp, starts_of_cpu_ddp, 6)
  end
end

print(("%d kills, %d duplicates, %d lost, %d orphans"):format(count.kills, count.duplicates, count.lost, count.orphans))
os.exit(count.duplicates + count.lost + count.orphans == 0 and 0 or 1, true)
