--- Compares the nodes of a fleet with each other: who differs from the rest, who gave no answer, whose answer is none.
local errors = require "adt.error"
local hostlist = require "adt.hostlist"
local json = require "adt.json"
local judge = require "adt.node.judge"
local read = require "adt.node.read"
local severity = require "adt.node.severity"
local term = require "adt.term"
local units = require "adt.units"

local M = {}

---@class adt.node.Answer
---@field node string
---@field report? adt.node.Report
---@field busy? string it runs jobs and was not asked
---@field silent? string why nothing came
---@field garbage? string what came instead of a report, safe to show

local SHOWN = 80 -- bytes of an answer that is none

local function first_bytes(text)
  local shown = term.clean(text:sub(1, SHOWN))
  return ("'%s'%s"):format(shown, #text > SHOWN and (" and %d bytes more"):format(#text - SHOWN) or "")
end

local function is_report(value)
  return type(value) == "table" and value.v == 1 and value.kind == "node_check" and type(value.facts) == "table"
    and type(value.findings) == "table" and severity.is(value.severity) and type(value.reason) == "string"
end

local function answer_of(answer)
  local out, err = answer.stdout or "", answer.stderr or ""
  local report = out ~= "" and errors.try(json.decode, out) or nil
  if is_report(report) then
    -- What a node says of itself goes into a scheduler's command and is not taken on trust.
    report.ok, report.reason = not severity.fails(report.severity), judge.one_line(report.reason)
    return { node = answer.node, report = report }
  elseif out == "" and answer.error and answer.error.code == "NodeBusy" then
    return { node = answer.node, busy = answer.error.message }
  elseif out == "" and answer.error then
    return { node = answer.node, silent = answer.error.message }
  elseif out == "" and err == "" and answer.ok then
    return { node = answer.node, garbage = "nothing at all" }
  elseif out == "" and err == "" then
    return { node = answer.node, silent = "ended with " .. tostring(answer.signal or answer.code) .. " and said nothing" }
  end
  return { node = answer.node, garbage = first_bytes(out ~= "" and out or err) }
end

--- Answers of a target's exec of `adtlua node check -o json`, read: a report, silence, garbage, or too busy for one.
---@param answers table[] { node, ok, code, stdout, stderr, error }
---@return adt.node.Answer[]
function M.read(answers)
  local list = {}
  for i, answer in ipairs(answers) do list[i] = answer_of(answer) end
  return list
end

local function versions(name)
  return function(f)
    local entry = f.libraries.found[name]
    return entry and table.concat(entry.versions, " ") or "none"
  end
end

local function loaded(f)
  local names = {}
  for name, module in pairs(f.modules) do
    if module.loaded then names[#names + 1] = module.version and name .. " " .. module.version or name end
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ", ") or "none"
end

local function mounted(f)
  local names = {}
  for path, mount in pairs(f.mounts) do
    if mount.type then names[#names + 1] = ("%s (%s%s)"):format(path, mount.type, mount.ro and ", read-only" or "") end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

-- What is compared: a name, the fact it is of, and its value as a text. Nothing that two healthy nodes may differ in.
local COMPARED = {
  { "instance type", "instance", function(f) return f.instance.type end },
  { "kernel", "kernel", function(f) return f.kernel.release end },
  { "driver", "driver", function(f) return f.driver.version end },
  { "GPUs", "pci", function(f) return tostring(#f.pci.gpus) end },
  { "EFA devices", "pci", function(f) return tostring(#f.pci.efa) end },
  { "Neuron devices", "pci", function(f) return tostring(#f.pci.neuron) end },
  { "processors", "cpu", function(f) return tostring(f.cpu.online) end },
  { "memory", "memory", function(f) return f.memory.total end, within = 0.01, show = units.size },
  { "huge pages", "hugepages", function(f) return tostring(f.hugepages.total) end },
  { "NCCL", "libraries", versions "nccl" },
  { "NCCL plugin", "libraries", versions "nccl_net" },
  { "libfabric", "libraries", versions "fabric" },
  { "CUDA runtime", "libraries", versions "cudart" },
  { "EFA installer", "libraries", function(f) return f.libraries.efa_installer or "none" end },
  { "modules", "modules", loaded },
  { "memlock", "limits", function(f) return tostring(f.limits.memlock.soft) end },
  { "open files", "limits", function(f) return tostring(f.limits.nofile.soft) end },
  { "mounts", "mounts", mounted },
  { "clock", "clock", function(f) return f.clock.synchronised and "kept right" or "not kept right" end },
}

local function values_of(compared, answers)
  local _, fact, value_of = table.unpack(compared)
  local values, unknown = {}, {}
  for _, answer in ipairs(answers) do
    -- A report of another version may lack what this one looks at.
    local ok, value = pcall(value_of, answer.report.facts)
    if read.known(answer.report.facts[fact]) and ok
      and (compared.within and math.type(value) == "integer" or not compared.within and type(value) == "string") then
      values[#values + 1] = { node = answer.node, value = value }
    else
      unknown[#unknown + 1] = answer.node
    end
  end
  return values, unknown
end

-- Numbers within a share of the smallest of their group are equal.
local function group(values, within)
  if within then
    table.sort(values, function(a, b) return a.value < b.value end)
  end
  local groups, by_value = {}, {}
  for _, v in ipairs(values) do
    local last = groups[#groups]
    local g = within and last and v.value <= last.value * (1 + within) and last or not within and by_value[v.value]
    if not g then
      g = { value = v.value, nodes = {} }
      groups[#groups + 1] = g
      by_value[v.value] = g
    end
    table.insert(g.nodes, v.node)
  end
  for _, g in ipairs(groups) do hostlist.sort(g.nodes) end
  table.sort(groups, function(a, b)
    if #a.nodes ~= #b.nodes then return #a.nodes > #b.nodes end
    return tostring(a.value) < tostring(b.value)
  end)
  return groups
end

local LONGEST = 160 -- bytes of a value in a sentence

local function shown(value, show)
  value = term.clean(show and show(value) or tostring(value))
  return #value > LONGEST and value:sub(1, LONGEST) .. "..." or value
end

local function sentences(name, groups, total, show, out)
  if #groups[1].nodes * 2 <= total then
    local parts = {}
    for _, g in ipairs(groups) do
      parts[#parts + 1] = ("%d have %s (%s)"):format(#g.nodes, shown(g.value, show), hostlist.fold(g.nodes))
    end
    out[#out + 1] = { fact = name, majority = false, text = ("%s: no majority: %s"):format(name, table.concat(parts, ", ")) }
    return
  end
  for i = 2, #groups do
    local g = groups[i]
    out[#out + 1] = { fact = name, majority = groups[1].value, value = g.value, nodes = g.nodes,
      text = ("%d of %d %s %s %s: %s (most: %s)"):format(#g.nodes, total, #g.nodes == 1 and "has" or "have", name, shown(g.value, show),
        hostlist.fold(g.nodes), shown(groups[1].value, show)) }
  end
end

-- Two nodes that are the same machine, or call themselves so, mix up whatever is told of them.
local function doubles(answers, out)
  for _, what in ipairs { { "host name", "host", "name" }, { "instance id", "instance", "id" }, { "boot id", "boot", "id" } } do
    local seen = {}
    for _, answer in ipairs(answers) do
      local fact = answer.report.facts[what[2]]
      local value = type(fact) == "table" and read.known(fact) and fact[what[3]]
      if type(value) == "string" then
        seen[value] = seen[value] or {}
        table.insert(seen[value], answer.node)
      end
    end
    for value, nodes in pairs(seen) do
      if #nodes > 1 then
        hostlist.sort(nodes)
        out[#out + 1] = { fact = what[1], nodes = nodes,
          text = ("%d nodes have the %s %s: %s"):format(#nodes, what[1], shown(value), hostlist.fold(nodes)) }
      end
    end
  end
end

local function by_node(list)
  table.sort(list, function(a, b) return a.node < b.node end)
  return list
end

---@class adt.node.Difference
---@field fact string
---@field text string a sentence that names the nodes
---@field nodes? string[] the minority
---@field majority? any the value of more than half, false when none has so many

---@class adt.node.Comparison
---@field differences adt.node.Difference[]
---@field busy adt.node.Answer[]
---@field silent adt.node.Answer[]
---@field garbage adt.node.Answer[]
---@field unknown table<string, string[]> by fact the nodes that could not tell it while others could

--- Compares the nodes that gave a report. Values are equal when they are the same text; memory within 1 %.
---@param answers adt.node.Answer[]
---@return adt.node.Comparison
function M.compare(answers)
  local result = { differences = json.array(), busy = json.array(), silent = json.array(), garbage = json.array(), unknown = {} }
  local told = {}
  for _, answer in ipairs(answers) do
    table.insert(answer.busy and result.busy or answer.silent and result.silent or answer.garbage and result.garbage or told, answer)
  end
  by_node(result.busy)
  by_node(result.silent)
  by_node(result.garbage)
  for _, compared in ipairs(COMPARED) do
    local values, unknown = values_of(compared, told)
    if #values > 0 then
      sentences(compared[1], group(values, compared.within), #values, compared.show, result.differences)
      if #unknown > 0 then
        hostlist.sort(unknown)
        result.unknown[compared[1]] = unknown
      end
    end
  end
  doubles(told, result.differences)
  return result
end

return M
