--- A subject of the crash test: one recipe with a state folder of its own, killed and resumed on some target.
local adt = require "adt"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local process = require "adt.process"

local M = {}

--- What went wrong, over all subjects.
M.count = { kills = 0, duplicates = 0, lost = 0, orphans = 0 }

local count = M.count

---@class faults.Subject
local Subject = {}
Subject.__index = Subject

--- Makes one.
---@param place table where its jobs run: { words, env, config, left(subject) -> { name = end() } }
---@param recipe string
---@param words fun(subject: table): string[] parameters
---@return faults.Subject
function M.new(place, recipe, words)
  local dir = fs.tempdir "adt-kills"
  local s = setmetatable({ dir = dir, place = place, recipe = recipe, state = path.join(dir.path, "state"),
    work = path.join(dir.path, "work"), output = path.join(dir.path, "output") }, Subject)
  fs.mkdir(s.work)
  if place.config then
    fs.write(path.join(dir.path, "config", "adtlua", "config.yaml"), place.config, { parents = true })
  end
  s.words = words(s)
  table.move(place.words, 1, #place.words, #s.words + 1, s.words)
  return s
end

function Subject:spawn(words, fault, of_supervisor)
  local argv = { process.self().exe }
  table.move(words, 1, #words, 2, argv)
  argv.env = { XDG_STATE_HOME = self.state, XDG_CACHE_HOME = path.join(self.dir.path, "cache"), CI = "1",
    XDG_CONFIG_HOME = path.join(self.dir.path, "config"), ADTLUA_FAULT = fault or false,
    ADTLUA_FAULT_SUPERVISOR = of_supervisor or false, ADT_KILLS_SUBJECT = self.dir.path }
  for name, value in pairs(self.place.env) do argv.env[name] = value end
  argv.stdout, argv.stderr = { file = self.output, append = true }, "stdout"
  return process.spawn(argv)
end

--- The id of the one run, if it has begun: a journal with at least one whole line.
---@return string? id
---@return integer runs
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
---@param fault? string
---@param seconds? number
---@param words? string[]
---@return adt.Exit
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

local function processes(s)
  local found = {}
  for _, p in ipairs(process.list()) do
    local handle = p.state ~= "Z" and io.open(("/proc/%d/environ"):format(p.pid))
    if handle then
      local env = handle:read "a" or ""
      handle:close()
      if env:find(s.dir.path, 1, true) then
        found[("process %d %s"):format(p.pid, p.name)] = function() process.kill(p.pid, "KILL", p.start_time) end
      end
    end
  end
  return found
end

function Subject:said()
  return fs.exists(self.output) and fs.read(self.output) or ""
end

function Subject:last_record()
  local id, n = self:run_id()
  local journal = id and fs.read(path.join(self.state, "adtlua", "runs", id, "journal.ndjson")) or ""
  local last
  for line in journal:gmatch "[^\n]+" do last = json.decode(line) end
  return last, id, n
end

-- Whoever has written its last word may need a moment to leave.
function Subject:leftovers()
  local left
  for _ = 1, 100 do
    left = processes(self)
    for name, finish in pairs(self.place.left and self.place.left(self) or {}) do left[name] = finish end
    if next(left) == nil then break end
    adt.sleep(0.05)
  end
  return left
end

--- Counts what is wrong with a subject that has ended, and removes it.
---@param what string how it was treated
---@param ended adt.Exit of the last start
---@param starts fun(subject: table, id: string): integer
---@param state? string of the journal's end
function Subject:check(what, ended, starts, state)
  local last, id, n = self:last_record()
  if not ended.ok or n ~= 1 or not last or last.type ~= "end" or last.state ~= (state or "ok") then
    count.lost = count.lost + 1
    print(("LOST after %s: %s, %d runs\n%s"):format(what, ended.text, n, self:said()))
  end
  local started = id and starts(self, id) or 0
  if started ~= 1 then
    count[started > 1 and "duplicates" or "lost"] = count[started > 1 and "duplicates" or "lost"] + 1
    print(("%d STARTS after %s\n%s"):format(started, what, self:said()))
  end
  for name, finish in pairs(self:leftovers()) do
    count.orphans = count.orphans + 1
    print(("ORPHAN after %s: %s"):format(what, name))
    errors.try(finish)
  end
  fs.remove(self.dir.path, { recursive = true })
end

return M
