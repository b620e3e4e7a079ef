--- Python for jobs: an interpreter of this machine that has what is needed, or a virtual environment made once.
local errors = require "adt.error"
local fs = require "adt.fs"
local hash = require "adt.hash"
local json = require "adt.json"
local path = require "adt.path"
local process = require "adt.process"
local state = require "adt.state"

local M = {}

-- The distribution's interpreter first: a shim of a version manager may hide its modules.
local CANDIDATES = { "/usr/bin/python3", "python3" }

-- Imports each module and says its version: what is there but broken must not be found out by the job.
local PROBE = [[
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    found[name] = str(getattr(module, "__version__", ""))
print(json.dumps({"python": "%d.%d.%d" % sys.version_info[:3], "modules": found}))
]]

local function run_probe(candidate, names)
  local found = process.find(candidate)
  if not found then
    return nil, ("%s: not there"):format(candidate)
  end
  local words = { found, "-c", PROBE }
  table.move(names, 1, #names, #words + 1, words)
  words.check, words.timeout, words.read_only = false, 120, true
  local result, err = errors.try(process.run, words)
  if not result then
    return nil, ("%s: %s"):format(candidate, err.message)
  elseif not result.ok then
    return nil, ("%s: %s"):format(candidate, result.stderr:match("([^\n]*)\n*$"))
  end
  local answer = errors.try(json.decode, result.stdout)
  if type(answer) ~= "table" then
    return nil, ("%s: gave an answer that is none"):format(candidate)
  end
  answer.path = found
  return answer
end

-- Compares dotted numbers; what follows a letter or '+' does not count ("1.13.0a0+git", "2.8.0+cpu").
local function at_least(version, minimum)
  local a, b = {}, {}
  for n in version:match("^[%d.]*"):gmatch("%d+") do a[#a + 1] = tonumber(n) end
  for n in minimum:gmatch("%d+") do b[#b + 1] = tonumber(n) end
  for i = 1, math.max(#a, #b) do
    local x, y = a[i] or 0, b[i] or 0
    if x ~= y then return x > y end
  end
  return true
end

local function split(requirement)
  local name, minimum = requirement:match("^([%w_.]+)>=([%d.]+)$")
  name = name or requirement:match("^[%w_.]+$")
  if not name then
    errors.raise { cause = "usage", message = ("'%s' is no module"):format(requirement),
      hint = 'write "torch" or "torch>=1.13"' }
  end
  return name, minimum
end

--- The first interpreter that can import the modules.
---@param spec string[]|{ candidates: string[]?, hint: string? } modules such as "torch>=1.13"
---@return string path
---@return { python: string, modules: table<string, string> } what it answered
function M.find(spec)
  if type(spec) == "string" then
    spec = { spec }
  end
  errors.check_options("ctx:python", spec, { "candidates", "hint" })
  local names, minimums, why = {}, {}, {}
  for i, requirement in ipairs(spec) do
    names[i], minimums[i] = split(requirement)
  end
  for _, candidate in ipairs(spec.candidates or CANDIDATES) do
    local answer, reason = run_probe(candidate, names)
    for i, name in ipairs(answer and names or {}) do
      local version = answer.modules[name]
      if minimums[i] and not at_least(version, minimums[i]) then
        answer, reason = nil, ("%s: %s %s is older than %s"):format(candidate, name, version, minimums[i])
        break
      end
    end
    if answer then
      return answer.path, answer
    end
    why[#why + 1] = reason
  end
  errors.raise { cause = "config", code = "NoPython",
    message = ("no Python of this machine can import %s (%s)"):format(table.concat(spec, ", "), table.concat(why, "; ")),
    hint = spec.hint or "install the distribution's package, or let the recipe make a virtual environment" }
end

local function make(dir, base, packages)
  fs.remove(dir, { recursive = true })
  state.make(path.dir(dir))
  process.run { base, "-m", "venv", dir, timeout = 300 }
  local pip = { path.join(dir, "bin", "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input" }
  table.move(packages, 1, #packages, #pip + 1, pip)
  pip.timeout = 3600
  if #packages > 0 then
    process.run(pip)
  end
  fs.write(path.join(dir, ".complete"), json.encode { packages = json.array(packages) }, { atomic = true, sync = true })
end

local function checked_packages(packages)
  local list = {}
  for i, package in ipairs(packages) do
    -- A leading dash would be an option of pip's.
    if type(package) ~= "string" or not package:match("^[%w]") then
      errors.raise { cause = "usage", message = ("ctx:venv: '%s' is no package"):format(tostring(package)),
        hint = 'write "torch==2.8.0"' }
    end
    list[i] = package
  end
  if packages.requirements then
    for line in fs.read(packages.requirements, { max = 1 << 20 }):gmatch("[^\n]+") do
      line = line:gsub("%s*#.*$", ""):match("^%s*(.-)%s*$")
      if line ~= "" then list[#list + 1] = line end
    end
  end
  return list
end

--- The step behind ctx:venv.
---@param ctx adt.Context
---@param packages string[]|{ python: string?, requirements: string? }
---@return string python
function M.venv(ctx, packages)
  errors.check_options("ctx:venv", packages, { "python", "requirements" })
  local list = checked_packages(packages)
  local base, answer = M.find { "venv", candidates = packages.python and { packages.python } or nil,
    hint = "install the distribution's package python3-venv" }
  local digest = hash.sha256(json.encode { answer.python, base, json.array(list) }):sub(1, 20)
  local dir = path.join(state.cache(), "venvs", digest)
  local python = path.join(dir, "bin", "python")
  local function complete()
    return fs.exists(path.join(dir, ".complete")) and python or nil
  end
  return ctx.door:pass("venv:" .. digest:sub(1, 8), {
    kind = "venv", inputs = { packages = list, python = answer.python }, outputs = { python }, exists = complete,
    keep = "other runs may use it; `adtlua gc` removes it", detail = table.concat(list, " "),
  }, function()
    state.make(path.join(state.cache(), "venvs"))
    -- Two runs may want the same environment at the same time; the second waits and finds it made.
    local lock <close> = fs.open(dir .. ".lock", "a+")
    lock:lock("exclusive", { wait = true })
    if not complete() then
      make(dir, base, list)
    end
    return python
  end)
end

return M
