--- What tests of targets share: a scene in which a target is "place", one job as a recipe, and a script that works with
--- the target itself.
local assert = require "luassert"
local json = require "adt.json"
local lfs = require "lfs"
local process = require "adt.process"
local support = require "support"
local system = require "system"

local M = {}

---@class suite.Place
---@field kind string of the target
---@field settings string fields of its description, as YAML in braces has them: "mem: 100M"; "" for none
---@field env fun(): table<string, string|boolean> what the program needs besides, to reach the place
---@field nodes integer how many of them
---@field same_machine boolean? several nodes of a job are one
---@field refuses table<string, string> fields of a job to what is said of them, before anything is created
---@field texts fun(folder: string): string what runs, as the job's folder has it; nil where it is not a text
---@field left fun(scene: table): string[]? what of a scene's jobs the place still has

-- Each job is the one step of a recipe; the words of a test stand in it as Lua.
local RECIPE = [[
local adt = require "adt"
return adt.recipe {
  name = "suite", params = { word = adt.string { optional = true }, token = adt.secret { env = "SUITE_TOKEN", optional = true } },
  run = function(ctx, p)
    return ctx:job { "train", %s }:wait()
  end,
}
]]

-- A script that works with the target itself, and prints what its last lines return.
local SCRIPT = [[
local json, run, path, fs, jobs = require "adt.json", require "adt.run", require "adt.path", require "adt.fs", require "adt.job"
local time, errors, task = require "adt.time", require "adt.error", require "adt.task"
local target = require("adt.config").make_target(require("adt.config").load(), "place")
local key, dir = "R0000000000AA-train-1", run.folder "R0000000000AA" .. "/jobs/train-1"
local function job(spec)
  spec[1] = spec[1] or "train"
  return jobs.check(spec)
end
local function submit(spec)
  return target:submit(job(spec), key, dir), dir
end
local function eventually(what, f)
  local deadline = time.monotonic() + 30
  while true do
    local value = f()
    if value then return value end
    if time.monotonic() > deadline then error("after 30 s still not: " .. what) end
    task.sleep(0.05)
  end
end
local function ended(id)
  return eventually("the job has ended", function()
    local now = target:status({ id })[id]
    return now.state ~= "running" and now
  end)
end
local function said(id, options)
  local text = {}
  for _, piece in ipairs((target:logs(id, options))) do text[#text + 1] = piece.text end
  return table.concat(text)
end
local answer = (function()
%s
end)()
print(json.encode(answer == nil and json.null or answer))
]]

local function place_scene(place)
  local s = support.scene()
  for name, value in pairs(place.env()) do s.env[name] = value end
  local settings = place.settings ~= "" and ", " .. place.settings or ""
  lfs.mkdir(s:path_of "config")
  lfs.mkdir(s:path_of "config/adtlua")
  support.write(s:path_of "config/adtlua/config.yaml", ("targets:\n  place: { kind: %s%s }\n"):format(place.kind, settings))
  return s
end

-- Processes that carry the scene's folder in their environment, which is in that of every rank and supervisor.
local function processes_of(s)
  local found = {}
  for _, p in ipairs(process.list()) do
    local file = p.state ~= "Z" and io.open(("/proc/%d/environ"):format(p.pid))
    if file then
      local env = file:read "a" or ""
      file:close()
      if env:find(s.path .. "/", 1, true) then found[#found + 1] = ("%d %s"):format(p.pid, p.name) end
    end
  end
  return found
end

local function nothing_left(place, s)
  local found
  for _ = 1, 400 do
    found = processes_of(s)
    for _, what in ipairs(place.left and place.left(s) or {}) do found[#found + 1] = what end
    if #found == 0 then return end
    system.sleep(0.05)
  end
  assert.same({}, found)
end

---@class suite.Tools
---@field scene fun(): table a scene in which "place" is the target
---@field go fun(s: table, fields: string, words: table?): support.Result runs one job, whose fields are Lua
---@field well fun(r: support.Result): string its output, if it ended well
---@field ask fun(s: table, chunk: string): any what a script returns that works with the target itself
---@field nothing_left fun(s: table)

--- The tools of one place.
---@param place suite.Place
---@return suite.Tools
function M.new(place)
  local tools = {}

  function tools.scene() return place_scene(place) end

  function tools.nothing_left(s) nothing_left(place, s) end

  function tools.go(s, fields, words)
    s:recipe("suite.lua", (RECIPE:gsub("%%s", function() return fields end)))
    local all = { "./suite.lua", "--target", "place" }
    for k, v in pairs(words or {}) do
      all[type(k) == "number" and k + 3 or k] = v
    end
    return s:run(all)
  end

  function tools.well(r)
    assert.equal(0, r.code, r.stdout .. r.stderr)
    return r.stdout
  end

  function tools.ask(s, chunk)
    s:recipe("ask.lua", (SCRIPT:gsub("%%s", function() return chunk end)))
    return json.decode(tools.well(s:run { "./ask.lua" }))
  end

  return tools
end

return M
