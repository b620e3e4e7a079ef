--- `adtlua doctor [RECIPE]`: is this machine ready, and if not, what to do; --packages prints what a recipe needs installed.
local errors = require "adt.error"
local fs = require "adt.fs"
local heads = require "adt.head"
local path = require "adt.path"
local process = require "adt.process"
local state = require "adt.state"
local task = require "adt.task"
local term = require "adt.term"
local units = require "adt.units"

local M = { summary = "is this machine ready, and if not, what to do", args = "[RECIPE]", most = 1 }

M.flags = { packages = { help = "only the distribution packages that the recipe needs, a line each" } }

local function head_of(file)
  local head, err = heads.read(file)
  if not head then
    error(err or errors.new { cause = "usage", where = file, message = "this file is no recipe" }, 0)
  end
  return head
end

local function check_state()
  local dir = state.make(state.dir())
  local space = fs.space(dir)
  local probe = path.join(dir, "doctor." .. process.self().pid)
  fs.write(probe, "x")
  fs.remove(probe)
  return space.free > 1 << 30, ("%s, %s free"):format(dir, units.size(space.free)), "free space, or set XDG_STATE_HOME"
end

local function check_locks()
  local dir = state.make(state.dir())
  local file = path.join(dir, "doctor.lock." .. process.self().pid)
  local handle <close> = fs.open(file, "a+")
  local locked, err = errors.try(handle.lock, handle, "exclusive", { wait = false })
  fs.remove(file)
  return locked, err and err.message or "the state folder can lock", "runs then use lock files; mount with locks to be safe"
end

local function check_python()
  local python, answer = require("adt.python").find { "venv" }
  return true, ("%s (%s)"):format(python, answer.python)
end

local function check_torch()
  local python, answer = require("adt.python").find { "torch" }
  return true, ("%s has %s"):format(python, answer.modules.torch)
end

local function check_program(name)
  return function()
    local found = process.find(name)
    return found ~= nil, found or "not on PATH", "install " .. name
  end
end

local CHECKS = {
  { "state folder", check_state }, { "locks", check_locks }, { "python3 with venv", check_python },
  { "PyTorch", check_torch, optional = "needed by training recipes: install python3-torch, or let a recipe make an environment" },
  { "git", check_program "git", optional = "needed by ctx:code to know what is committed" },
}

local function package_missing(package)
  local result = errors.try(process.run, { "dpkg-query", "-W", "-f", "${db:Status-Status}", package, check = false, timeout = 20 })
  return not result or result.stdout ~= "installed"
end

local function recipe_rows(file, rows)
  local bad = 0
  for _, package in ipairs(head_of(file).packages or {}) do
    local missing = package_missing(package)
    bad = bad + (missing and 1 or 0)
    rows[#rows + 1] = { missing and "MISSING" or "ok", "package " .. package, missing and "not installed" or "installed",
      missing and "install it with the distribution's package manager" or "" }
  end
  return bad
end

--- Checks, or prints packages.
---@param given table<string, string|true> flags
---@param rest string[]
---@return integer exit status 3 when something needed is missing
function M.run(given, rest)
  if given.packages then
    if not rest[1] then
      errors.raise { cause = "usage", message = "doctor --packages needs a recipe" }
    end
    for _, package in ipairs(head_of(rest[1]).packages or {}) do
      io.write(package, "\n")
    end
    return 0
  end
  local rows, bad = {}, 0
  -- Who we are to AWS may take a second to find, in which the machine can be looked at.
  local doctor = require "adt.aws.doctor"
  local asking = task.spawn(doctor.aws)
  for _, check in ipairs(CHECKS) do
    local ok, detail, hint = errors.try(check[2])
    if ok == nil and errors.is(detail) then
      ok, detail, hint = false, detail.message, detail.hint
    end
    local word = ok and "ok" or check.optional and "absent" or "MISSING"
    bad = bad + (word == "MISSING" and 1 or 0)
    rows[#rows + 1] = { word, check[1], detail or "", not ok and (check.optional or hint) or "" }
  end
  table.move(doctor.programs(), 1, 100, #rows + 1, rows)
  for _, row in ipairs(asking:join()) do
    bad = bad + (row[1] == "MISSING" and 1 or 0)
    rows[#rows + 1] = row
  end
  if rest[1] then
    bad = bad + recipe_rows(rest[1], rows)
  end
  io.write(term.table(rows, { header = { "", "WHAT", "FOUND", "WHAT TO DO" } }) .. "\n")
  return bad > 0 and 3 or 0
end

return M
