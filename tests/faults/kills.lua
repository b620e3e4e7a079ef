--- The crash test: a program that is killed at the worst moments and resumed must start each thing once, lose no run and
--- leave nobody behind.
local adt = require "adt"
package.path = "tests/faults/?.lua;" .. package.path
local errors = require "adt.error"
local fs = require "adt.fs"
local options = require "adt.options"
local param = require "adt.param"
local path = require "adt.path"
local places = require "places"
local subjects = require "subject"

local FLAGS = {
  kills = { value = true }, seed = { value = true }, target = { value = true }, verbose = { short = "v" },
}

local given = options.parse(arg, FLAGS)
local kills_wanted = given.kills and param.parse("kills", adt.int { min = 1, max = 100000 }, given.kills)
local seed = param.parse("seed", adt.int {}, given.seed or 1)
local target = param.parse("target", adt.enum { "local", "slurm", "aws" }, given.target or "local")
math.randomseed(seed)

local count = subjects.count

local function say(...)
  if given.verbose then
    print(string.format(...))
  end
end

-- --- subjects ---------------------------------------------------------------------------------------------------------

local function ten_steps(place)
  return subjects.new(place, "tests/data/recipes/ten_steps.lua", function(s) return { "--dir", s.work } end)
end

local function starts_of_ten_steps(s)
  local file = path.join(s.work, "starts")
  local n = 0
  for _ in (fs.exists(file) and fs.read(file) or ""):gmatch "start\n" do n = n + 1 end
  return n
end

local function cpu_ddp(place)
  return subjects.new(place, "recipes/cpu_ddp.lua", function() return { "--steps", "24", "--width", "32", "--checkpoint-every", "6" } end)
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
local function kill_at_step(place, point, step, again)
  local s = ten_steps(place)
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

-- Between the first and the last moment of a submission.
local function kill_while_submitting(place)
  adt.map(place.faults, { at_once = place.at_once }, function(point)
    local s = ten_steps(place)
    local ended = s:go(point .. ":kill")
    if ended.signal ~= "SIGKILL" then
      count.lost = count.lost + 1
      print(("NOT KILLED at %s: %s"):format(point, ended.text))
    end
    s:check(point, s:go(), starts_of_ten_steps)
  end)
end

-- The supervisor dies: before its claim nothing was started, after it the node is to blame; either way a resume starts
-- the job again, and what it does is done once.
local function kill_supervisor(place)
  for _, point in ipairs { "supervisor.claim", "supervisor.claimed" } do
    local s = ten_steps(place)
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
local function kill_while_down(place, point)
  local step = 1
  local ended
  repeat
    local s = ten_steps(place)
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

-- Side by side where the place allows it: the steps of one point, until one start ends by itself.
local function every_step(place, again)
  for _, point in ipairs(POINTS) do
    local step, over = 0, false
    local workers = {}
    for i = 1, place.at_once do
      workers[i] = function()
        while not over and not (kills_wanted and count.kills * 2 >= kills_wanted) do
          step = step + 1
          over = not kill_at_step(place, point, step, again) or over
        end
      end
    end
    adt.all(workers)
    say("%s on %s: %d steps", point, place.name, step)
  end
end

local function at_random(place, make, starts, longest)
  local s = make(place)
  local ended
  local moments = {}
  repeat
    moments[#moments + 1] = math.random() * longest
    ended = s:go(nil, #moments <= 3 and moments[#moments] or nil)
  until ended.signal ~= "SIGKILL"
  s:check(("random kills at %s"):format(table.concat(moments, ", ")), ended, starts)
end

-- The controller is away for a while, from a moment that no step names; whoever asks meanwhile must not take that for
-- an answer.
local function without_controller(place)
  local subjects_at_once = {}
  for i = 1, place.at_once do
    subjects_at_once[i] = function() at_random(place, ten_steps, starts_of_ten_steps, place.pause) end
  end
  table.insert(subjects_at_once, function()
    adt.sleep(math.random() * 2)
    place.controller "stop"
    adt.sleep(1 + math.random() * 3)
    place.controller "start"
  end)
  adt.all(subjects_at_once)
end

-- Half of the kills at journal steps, some of them twice, the other half at moments that no step names.
local function all_kinds(place)
  every_step(place, kills_wanted and 1 or 0)
  kill_while_submitting(place)
  if place.supervised then
    kill_supervisor(place)
    for _, point in ipairs(POINTS) do kill_while_down(place, point) end
  end
end

-- A program that ends before it can be killed is no reason to go on for ever.
local function most(wanted)
  return wanted * 4 + 40
end

local function many(place, wanted)
  local torch, i = has_torch(), 0
  local workers = {}
  for n = 1, place.at_once do
    workers[n] = function()
      while count.kills < wanted and i < most(wanted) do
        i = i + 1
        if torch and i % 10 == 1 then
          at_random(place, cpu_ddp, starts_of_cpu_ddp, 6)
        else
          at_random(place, ten_steps, starts_of_ten_steps, place.pause)
        end
      end
    end
  end
  local half = count.kills + (wanted - count.kills) // 2
  while place.controller and count.kills < half and i < most(wanted) do
    i = i + place.at_once
    without_controller(place)
  end
  adt.all(workers)
end

local function few(place)
  if place.controller then
    without_controller(place)
  end
  local wanted = count.kills + (place.controller and 2 or 5)
  for _ = 1, has_torch() and most(wanted) or 0 do
    if count.kills >= wanted then break end
    at_random(place, cpu_ddp, starts_of_cpu_ddp, 6)
  end
end

-- Without accounts at the steps, with accounts and without at other moments.
local function go(place, wanted, steps)
  local ok, err = pcall(function()
    if steps then all_kinds(place) end
    if wanted then many(place, wanted) elseif steps then few(place) end
  end)
  place.close()
  if not ok then error(err, 0) end
end

-- --- stacks ------------------------------------------------------------------------------------------------------------

local function vpc(place)
  place.fresh()
  return subjects.new(place, "recipes/vpc.lua", function() return { "--region", place.region } end)
end

-- One stack and one network stand, or none, and one change set was executed.
local function check_stack(place, s, what, ended, verb)
  local left = place.stands(place)
  local wanted = verb == "down" and 0 or 2
  if #left ~= wanted then
    local kind = #left > wanted and (verb == "down" and "orphans" or "duplicates") or "lost"
    count[kind] = count[kind] + 1
    print(("%d STAND after %s: %s"):format(#left, what, table.concat(left, ", ")))
  end
  s:check(what, ended, place.starts, verb == "down" and "down" or nil)
end

-- One round of making or taking down: killed by `treat`, then until it ends by itself.
local function stack_round(place, verb, what, treat)
  local s = vpc(place)
  if verb == "down" then
    local made = s:go()
    if not made.ok then print(("MAKING FAILED before %s:\n%s"):format(what, s:said())) end
  end
  -- Of this run by its id: once all is taken back there is no other way to it.
  local function words()
    if verb ~= "down" then return nil end
    local list = s:down_words()
    table.move({ "--run", (s:run_id()) }, 1, 2, #list + 1, list)
    return list
  end
  local ended = treat(s, words)
  local killed = ended.signal == "SIGKILL"
  for _ = 1, 20 do
    if ended.signal ~= "SIGKILL" then break end
    ended = s:go(nil, nil, words())
  end
  check_stack(place, s, ("%s, %s"):format(verb, what), ended, verb)
  return killed
end

local function stacks_at_steps(place)
  for _, verb in ipairs { "deploy", "down" } do
    for _, point in ipairs(POINTS) do
      local step, killed = 0, true
      while killed do
        -- With a number of kills most of the checks, which are steps of the journal too, are left out.
        step = step + (kills_wanted and step >= 10 and 4 or 1)
        killed = stack_round(place, verb, ("%s at step %d"):format(point, step), function(s, words)
          return s:go(("%s:%d"):format(point, step), nil, words())
        end)
      end
      say("%s, %s: %d steps", verb, point, step)
    end
  end
end

-- Each subject is killed up to three times, so that resumes are killed too.
local function stacks_at_random(place, wanted)
  local i = 0
  while count.kills < wanted and i < most(wanted) do
    i = i + 1
    local verb = i % 2 == 0 and "down" or "deploy"
    stack_round(place, verb, "random kills", function(s, words)
      local ended
      for _ = 1, 3 do
        ended = s:go(nil, math.random() * (verb == "down" and place.pause / 2 or place.pause), words())
        if ended.signal ~= "SIGKILL" then break end
      end
      return ended
    end)
  end
end

local function stacks()
  local place = places.cloud()
  local ok, err = pcall(function()
    if not kills_wanted or kills_wanted > 40 then stacks_at_steps(place) end
    stacks_at_random(place, kills_wanted or count.kills + 4)
  end)
  place.close()
  if not ok then error(err, 0) end
end

if target == "aws" then
  stacks()
elseif target == "local" then
  go(places.here(), kills_wanted, true)
else
  go(places.slurm(false), kills_wanted and kills_wanted * 3 // 4, true)
  if kills_wanted then go(places.slurm(true), kills_wanted) end
end

print(("%d kills, %d duplicates, %d lost, %d orphans"):format(count.kills, count.duplicates, count.lost, count.orphans))
os.exit(count.duplicates + count.lost + count.orphans == 0 and 0 or 1, true)
