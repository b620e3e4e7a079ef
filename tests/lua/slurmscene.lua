--- Scenes on a private Slurm cluster: a target of that cluster, recipes with one job, the program run while something is
--- done to Slurm.
local cluster = require "cluster"
local lfs = require "lfs"
local support = require "support"
local system = require "system"

local M = {}

--- The first value of f that is true; fails when it has none in time.
---@generic T
---@param seconds number
---@param what string
---@param f fun(): T?
---@return T
function M.eventually(seconds, what, f)
  local deadline = system.monotime() + seconds
  while true do
    local value = f()
    if value then return value end
    if system.monotime() > deadline then
      error(("after %g s still not: %s"):format(seconds, what), 2)
    end
    system.sleep(0.05)
  end
end

--- One cluster for all tests of a file: `local c, up, down, needed = slurmscene.shared { nodes = 2 }`, then `setup(up)`,
--- `teardown(down)` and `before_each(function() needed(pending) end)`.
---@param options cluster.Options
---@return cluster.Cluster c between up and down
---@return fun() up
---@return fun() down
---@return fun(pending: fun(why: string)) needed
function M.shared(options)
  local why, real = cluster.missing(options), nil
  local c = setmetatable({}, { __index = function(_, key)
    local value = real[key]
    return type(value) == "function" and function(_, ...) return value(real, ...) end or value
  end })
  return c, function() real = not why and cluster.start(options) or nil end, function() if real then real:close() end end,
    function(pending) if why then pending(why) end end
end

-- --- a program that runs beside the test -----------------------------------------------------------------------------

---@class slurmscene.Program
local Program = {}
Program.__index = Program

local function read(file)
  return lfs.attributes(file) and support.read(file) or ""
end

--- What it has written so far, errors last.
function Program:output()
  return read(self.base .. ".out") .. read(self.base .. ".err")
end

--- Waits until it has written a line that matches.
---@param pattern string
---@param seconds number?
function Program:says(pattern, seconds)
  local deadline = system.monotime() + (seconds or 20)
  while not self:output():find(pattern) do
    if system.monotime() > deadline or self:ended() then
      if self:output():find(pattern) then return end
      error(("it never said '%s', but:\n%s"):format(pattern, self:output()), 2)
    end
    system.sleep(0.05)
  end
end

function Program:ended()
  return lfs.attributes(self.base .. ".code") ~= nil
end

--- Waits for its end.
---@param seconds number?
---@return support.Result
function Program:wait(seconds)
  local ok = pcall(M.eventually, seconds or 40, "", function() return self:ended() end)
  if not ok then
    error(("it did not end within %g s:\n%s"):format(seconds or 40, self:output()), 2)
  end
  return { code = tonumber(support.read(self.base .. ".code")), stdout = read(self.base .. ".out"), stderr = read(self.base .. ".err") }
end

function Program:kill()
  os.execute(("kill -KILL $(cat %s.pid) 2>/dev/null"):format(support.quote(self.base)))
end

-- --- scenes ----------------------------------------------------------------------------------------------------------

local RECIPE = [[
local adt = require "adt"
return adt.recipe { name = "one", params = { text = adt.string { default = "x" } },
  run = function(ctx, p) return ctx:job { %s }:wait() end,
  validate = function(ctx, p, r) ctx:check("the job ended well", r.run.state == "done", r.run.state) end }
]]

local CONFIG = "targets:\n  cluster: { kind: slurm%s }\ntarget: cluster\n"

local function add_job(scene)
  --- A recipe whose one job writes a line to `starts` and does what the shell line says.
  ---@param line string
  ---@param fields? string more of the job's table, as Lua text
  function scene.job(self, line, fields)
    self:recipe("one.lua", RECIPE:format(("%q, cmd = adt.sh(%q)%s"):format("train",
      ("echo $SLURM_JOB_ID >>%s; %s"):format(self:path_of "starts", line), fields and ", " .. fields or "")))
    return "./one.lua"
  end
  --- How often its job was started.
  function scene.starts(self)
    local _, n = read(self:path_of "starts"):gsub("\n", "")
    return n
  end
  --- The folder of the run's only job.
  function scene.job_folder(self)
    return self:folder() .. "/jobs/train-1"
  end
  --- Slurm's number of the job, as the journal has it once it was submitted.
  function scene.number(self, seconds)
    return M.eventually(seconds or 20, "a job is acknowledged", function()
      local ids = self:ids()
      local text = ids[1] and read(self.state .. "/adtlua/runs/" .. ids[#ids] .. "/journal.ndjson") or ""
      return text:match '"result":"(%d+)@[^\n]*\n'
    end)
  end
end

local function add_programs(scene)
  local programs = {}
  --- Starts the program and goes on; words and env as for run().
  ---@return slurmscene.Program
  function scene.start(self, words)
    local p = setmetatable({ base = self:path_of("program" .. #programs + 1) }, Program)
    programs[#programs + 1] = p
    local q = support.quote(p.base)
    local script = '("$@" >%s.out 2>%s.err & echo $! >%s.pid; wait $!; echo $? >%s.new; mv %s.new %s.code) </dev/null >/dev/null 2>&1 &'
    local copy = { "/bin/sh", "-c", script:format(q, q, q, q, q, q), "sh", support.program(), env = {}, cwd = self.path }
    table.move(words, 1, #words, #copy + 1, copy)
    for _, env in ipairs { self.env, words.env or {} } do
      for k, v in pairs(env) do copy.env[k] = v end
    end
    support.run(copy)
    return p
  end
  return function()
    for _, p in ipairs(programs) do
      if not p:ended() then p:kill() end
    end
    for _, p in ipairs(programs) do p:wait(10) end
  end
end

--- A scene whose target is a cluster. What is left of its jobs ends with it.
---@param c cluster.Cluster
---@param settings? string more of the target's description, as YAML: "partition: short"
---@return table scene as support.scene(), with job(), start(), starts(), number(), job_folder()
function M.new(c, settings)
  local scene = support.scene()
  for name, value in pairs(c:environment()) do scene.env[name] = value end
  scene.target = function(_, words) support.write(scene:path_of "adtlua.yaml", CONFIG:format(words and ", " .. words or "")) end
  scene:target(settings)
  add_job(scene)
  local end_programs = add_programs(scene)
  local close = getmetatable(scene).__close
  return setmetatable(scene, { __close = function()
    end_programs()
    c:run { "sh", "-c", "squeue -h -o '%A %Z' | grep -F -- \"$0\" | cut -d' ' -f1 | xargs -r scancel -s KILL; "
      .. "squeue -h -o '%A %Z' | grep -F -- \"$0\" | cut -d' ' -f1 | xargs -r scancel", scene.path }
    close()
  end })
end

return M
