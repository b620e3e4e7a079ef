--- `adtlua gc [--delete] [--older 30d]`: what belongs to no live run: environments nobody uses, half-made runs, old runs.
local errors = require "adt.error"
local fs = require "adt.fs"
local owner = require "adt.owner"
local param = require "adt.param"
local path = require "adt.path"
local run = require "adt.run"
local runs = require "adt.runs"
local state = require "adt.state"
local target_of = require "adt.runtarget"
local term = require "adt.term"
local time = require "adt.time"
local units = require "adt.units"

local M = { summary = "list, and delete, what no live run needs", args = "", most = 0 }

M.flags = {
  delete = { help = "delete what is listed" },
  older = { value = true, help = "also runs that ended longer ago than this, such as 30d" },
}

local function tree_size(dir)
  local bytes = 0
  for file, kind in fs.walk(dir) do
    local st = kind == "file" and fs.stat(file)
    bytes = bytes + (st and st.size or 0)
  end
  return bytes
end

local function has_live_job(r)
  for _, job in ipairs(runs.jobs(r)) do
    local s = not job.ended and target_of.status(r, job).state
    if s == "running" or s == "unknown" then return true end
  end
  return false
end

-- Without a whole first record nothing was ever done in it. A journal that is damaged further on is no rubbish.
local function never_begun(dir)
  local journal = path.join(dir, "journal.ndjson")
  local st = fs.stat(journal)
  return not st or st.size == 0 or not fs.read(journal, { max = 1 << 30 }):find("\n", 1, true)
end

local function old_runs(found, older)
  for _, r in ipairs(runs.all()) do
    local dir = run.folder(r.id)
    if r.broken then
      if never_begun(dir) and not owner.alive(dir) then
        found[#found + 1] = { what = "run never begun", path = dir, age = time.now() - fs.stat(dir).mtime }
      end
    elseif older and r.finished and time.now() - r.finished.t > older and r:state() ~= "running" and not has_live_job(r) then
      found[#found + 1] = { what = "run of " .. r.head.recipe, path = dir, age = time.now() - r.finished.t }
    end
  end
end

-- The environments that runs use; nil where a run cannot be read, since it may use any.
local function used_venvs()
  local used = {}
  for _, r in ipairs(runs.all()) do
    if r.broken and not never_begun(run.folder(r.id)) then
      return nil, r.id
    end
    for _, step in pairs(r.steps or {}) do
      if step.kind == "venv" and type(step.result) == "string" then
        used[path.dir(path.dir(step.result))] = true
      end
    end
  end
  return used
end

-- Whoever makes an environment holds its lock.
local function is_being_made(venv)
  local file = venv .. ".lock"
  if not fs.exists(file) then
    return false
  end
  local lock <close> = fs.open(file, "r+")
  return not lock:lock("exclusive")
end

local function unused_venvs(found)
  local dir = path.join(state.cache(), "venvs")
  if not fs.exists(dir) then return end
  local used, unreadable = used_venvs()
  if not used then
    io.stderr:write(("adtlua: run %s cannot be read and may use any environment: none is listed\n"):format(unreadable))
    return
  end
  for _, name in ipairs(fs.list(dir)) do
    local venv = path.join(dir, name)
    if fs.stat(venv).type == "directory" and not used[venv] and not is_being_made(venv) then
      found[#found + 1] = { what = "virtual environment", path = venv, age = time.now() - fs.stat(venv).mtime }
    end
  end
end

--- Lists, and deletes with --delete.
---@param given table<string, string|true> flags
---@return integer exit status
function M.run(given)
  local older = given.older and param.parse("older", param.duration {}, given.older)
  local found = {}
  old_runs(found, older)
  unused_venvs(found)
  if #found == 0 then
    io.write("nothing to collect\n")
    return 0
  end
  local rows = {}
  for i, thing in ipairs(found) do
    rows[i] = { thing.what, thing.path, units.duration(math.max(thing.age, 0)), units.size(tree_size(thing.path)) }
  end
  io.write(term.table(rows, { header = { "WHAT", "WHERE", "AGE", "SIZE" } }) .. "\n")
  if not given.delete then
    io.write("`adtlua gc --delete` deletes them\n")
    return 0
  end
  local failed = 0
  for _, thing in ipairs(found) do
    local _, err = errors.try(fs.remove, thing.path, { recursive = true })
    if err then
      failed = failed + 1
      io.stderr:write("adtlua: ", tostring(err), "\n")
    end
  end
  io.write(("%d deleted\n"):format(#found - failed))
  return failed == 0 and 0 or 12
end

return M
