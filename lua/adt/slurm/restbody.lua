--- A job as the body of slurmrestd's submission, whose fields have changed their form from version to version.
local errors = require "adt.error"
local json = require "adt.json"
local time = require "adt.time"
local units = require "adt.units"

local M = {}

-- The first version with numbers as { set, number }, lists for environments and states, and the script inside the job.
local OBJECTS = 39

local function number(value, version)
  local n = math.tointeger(tonumber(value))
  return version >= OBJECTS and { set = true, infinite = false, number = n } or n
end

local function minutes(value)
  local days, h, m, s = value:match "^(%d*)%-?(%d%d):(%d%d):(%d%d)$"
  return math.ceil(((tonumber(days) or 0) * 86400 + h * 3600 + m * 60 + s) / 60)
end

local function mebibytes(value)
  local bytes = units.bytes(value:match "%a" and value or value .. "M")
  return bytes and bytes // (1 << 20)
end

local UNITS = { second = 1, minute = 60, hour = 3600, day = 86400, week = 604800 }

-- sbatch's forms of a moment that mean the same to every reader: now+2hours, 2026-11-24T17:00:00.
local function moment(value)
  local n, unit = value:match "^now%+(%d+)(%l*)$"
  if n then
    local factor = unit == "" and 1 or UNITS[(unit:gsub("s$", ""))]
    return factor and math.floor(time.now()) + math.tointeger(tonumber(n)) * factor
  end
  local year, month, day, hour, min, sec = value:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):?(%d*)$"
  return year and os.time { year = year, month = month, day = day, hour = hour, min = min, sec = tonumber(sec) or 0 }
end

-- 22.05 calls it a number and reads it as sbatch would.
local function begin(body, value, version)
  if version < OBJECTS then
    body.begin_time = value
    return
  end
  local at = moment(value)
  if not at then
    errors.raise { cause = "usage", code = "TargetCannot", message = ("begin '%s' cannot be given to slurmrestd"):format(value),
      hint = "write now+2hours, or 2026-11-24T17:00:00" }
  end
  body.begin_time = number(at, version)
end

local function text(field)
  return function(body, value) body[field] = value end
end

local function tres(kind)
  return function(body, value, version)
    if version < OBJECTS then
      body[kind == "gpu" and "gpus_per_node" or "gres"] = value
    else
      body.tres_per_node = kind == "gpu" and "gres/gpu:" .. value or "gres/" .. value
    end
  end
end

local function names(field, before)
  return function(body, value, version)
    if version >= OBJECTS then body[field] = json.array { value } else body[before] = value end
  end
end

-- By sbatch's names: how each option is written. What is not here slurmrestd cannot be asked for.
local FIELDS = {
  ["account"] = text "account", ["array"] = text "array", ["begin"] = begin, ["chdir"] = text "current_working_directory",
  ["comment"] = text "comment",
  ["constraint"] = text "constraints", ["dependency"] = text "dependency",
  ["exclude"] = names("excluded_nodes", "exclude_nodes"), ["gpus-per-node"] = tres "gpu",
  ["gres"] = tres "other", ["job-name"] = text "name", ["licenses"] = text "licenses", ["network"] = text "network",
  ["nodelist"] = names("required_nodes", "nodelist"), ["output"] = text "standard_output", ["partition"] = text "partition", ["qos"] = text "qos",
  ["reservation"] = text "reservation",
  ["open-mode"] = function(body, value, version) body.open_mode = version >= OBJECTS and json.array { value:upper() } or value end,
  ["requeue"] = function(body) body.requeue = true end,
  ["no-requeue"] = function(body) body.requeue = false end,
  ["kill-on-invalid-dep"] = function(body) body.kill_on_invalid_dependency = true end,
  ["wait-all-nodes"] = function(body, _, version) body.wait_all_nodes = version >= OBJECTS or 1 end,
  ["nodes"] = function(body, value, version)
    body.nodes = version >= OBJECTS and value or math.tointeger(tonumber(value))
  end,
  ["ntasks-per-node"] = function(body, value) body.tasks_per_node = math.tointeger(tonumber(value)) end,
  ["cpus-per-task"] = function(body, value) body.cpus_per_task = math.tointeger(tonumber(value)) end,
  ["nice"] = function(body, value) body.nice = math.tointeger(tonumber(value)) end,
  ["time"] = function(body, value, version) body.time_limit = number(minutes(value), version) end,
  ["mem"] = function(body, value, version) body.memory_per_node = number(mebibytes(value), version) end,
  ["mem-per-cpu"] = function(body, value, version) body.memory_per_cpu = number(mebibytes(value), version) end,
  ["exclusive"] = function(body, value, version)
    if version < OBJECTS then body.exclusive = value or "exclusive" else body.shared = json.array { value or "none" } end
  end,
}

local function properties(part, environment, version)
  local body = {}
  for _, pair in ipairs(part) do
    local write = FIELDS[pair[1]]
    if not write then
      errors.raise { cause = "usage", code = "TargetCannot", message = ("slurmrestd cannot be asked for --%s"):format(pair[1]),
        hint = "leave it out, or submit with sbatch on the head node" }
    end
    write(body, pair[2], version)
  end
  if version >= OBJECTS then
    body.environment = json.array {}
    for name, value in pairs(environment) do table.insert(body.environment, name .. "=" .. value) end
    table.sort(body.environment)
  else
    body.environment = environment
  end
  return body
end

--- The body of a submission.
---@param parts table[] from adt.slurm.directives
---@param script string
---@param environment table<string, string> not empty: older versions refuse that
---@param version integer of the API: 38 for v0.0.38
---@return string json
function M.encode(parts, script, environment, version)
  local bodies = {}
  for i, part in ipairs(parts) do bodies[i] = properties(part, environment, version) end
  local whole = #bodies == 1 and { job = bodies[1] } or { jobs = json.array(bodies) }
  if version >= OBJECTS then
    bodies[1].script = script
  else
    whole.script = script
  end
  return json.encode(whole)
end

return M
