--- `adtlua compare A B`: two runs side by side: parameters, times, metrics, checks.
local errors = require "adt.error"
local json = require "adt.json"
local run = require "adt.run"
local runs = require "adt.runs"
local term = require "adt.term"
local units = require "adt.units"

local M = { summary = "two runs side by side", args = "A B", most = 2 }

M.flags = { output = { value = true, short = "o", help = "text or json" }, all = { short = "a", help = "also what is equal" } }

local function short(value)
  if value == nil then
    return "-"
  elseif type(value) == "number" then
    return math.type(value) == "integer" and tostring(value) or ("%.4g"):format(value)
  end
  return type(value) == "string" and value or json.encode(value)
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- Each fact of a run by name, in the order in which they are shown.
local function facts_of(r)
  local facts, order = {}, {}
  local function add(name, value)
    if facts[name] == nil and value ~= nil then
      facts[name] = value
      order[#order + 1] = name
    end
  end
  add("recipe", r.head.recipe)
  add("target", r.head.target)
  add("version", r.head.version)
  for _, name in ipairs(sorted_keys(r.head.params or {})) do add("param " .. name, r.head.params[name]) end
  for _, stage in ipairs(r.stage_order) do
    local record = r.stages[stage]
    if record.seconds then add("stage " .. stage, units.duration(record.seconds)) end
  end
  local stores = runs.metrics(r)
  for _, job in ipairs(sorted_keys(stores)) do
    local store = stores[job]
    for _, key in ipairs { "loss", "tokens/s", "step_time" } do
      local series = store[key]
      if series and #series > 0 then
        add(("%s %s first"):format(job, key), series:first())
        add(("%s %s last"):format(job, key), series:last())
        add(("%s %s median"):format(job, key), series:median())
      end
    end
  end
  for _, stage in ipairs(r.stage_order) do
    for _, check in ipairs(r.checks[stage] or {}) do
      add("check " .. check.name, check.ok and "ok" or "FAILED")
    end
  end
  add("verdict", r.finished and r.finished.verdict or r:state())
  return facts, order
end

local function change(a, b)
  if type(a) == "number" and type(b) == "number" and a ~= 0 then
    return ("%+.1f%%"):format((b - a) / math.abs(a) * 100)
  end
  return ""
end

--- Prints the comparison.
---@param given table<string, string|true> flags
---@param rest string[]
---@return integer exit status
function M.run(given, rest)
  if #rest ~= 2 then
    errors.raise { cause = "usage", message = "compare needs two runs", hint = "adtlua compare A B" }
  end
  local a, b = run.read(rest[1]), run.read(rest[2])
  local fa, oa = facts_of(a)
  local fb, ob = facts_of(b)
  local names, seen = {}, {}
  for _, order in ipairs { oa, ob } do
    for _, name in ipairs(order) do
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  local rows, data = {}, json.array {}
  for _, name in ipairs(names) do
    local same = short(fa[name]) == short(fb[name])
    data[#data + 1] = { name = name, a = fa[name], b = fb[name], same = same }
    if not same or given.all then
      rows[#rows + 1] = { name, short(fa[name]), short(fb[name]), change(fa[name], fb[name]) }
    end
  end
  if given.output == "json" then
    io.write(json.encode { v = 1, a = a.id, b = b.id, facts = data }, "\n")
  else
    io.write(#rows > 0 and term.table(rows, { header = { "", a.id, b.id, "" } }) .. "\n" or "the runs are the same in all that was compared\n")
  end
  return 0
end

return M
