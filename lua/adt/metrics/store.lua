--- The records of one job by step: what came last for a step counts, as after a resume.
local series = require "adt.metrics.series"

local M = {}

local NOT_FINITE = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge } -- as metrics.plain() writes them
local MAX_STEPS, MAX_NAMES = 1000000, 256 -- more come from a broken log and are counted in `dropped`

--- `store.loss`, `store["tokens/s"]`: the series of that metric in the order of steps, empty when there is none.
---@class adt.metrics.Store
---@field [string] adt.Series
local Store = {}

-- The state stands under a key that no metric can have. Columns, because a record as a table of its own costs ten times
-- the memory: columns[name][row], false where absent.
local STATE = {}

local function index(self, name)
  return Store[name] or Store.series(self, name)
end

local meta = { __index = index, __name = "adt.metrics.Store" }

---@return adt.metrics.Store
function M.new()
  return setmetatable({
    [STATE] = { dropped = 0, rows = {}, columns = { step = {} }, names = 1, count = 0, sorted = true, made = {} },
  }, meta)
end

local function column(state, name)
  local found = state.columns[name]
  if not found then
    if state.names >= MAX_NAMES then
      return nil
    end
    found = {}
    state.columns[name], state.names = found, state.names + 1
  end
  return found
end

local function new_row(state, step)
  if state.count >= MAX_STEPS then
    return nil
  end
  local steps = state.columns.step
  state.sorted = state.sorted and (state.count == 0 or step > steps[state.count])
  state.count = state.count + 1
  state.rows[step], steps[state.count] = state.count, step
  return state.count
end

--- Adds a record; fields of an earlier record of that step are replaced, those that are not in this one stay.
---@param record adt.metrics.Record
---@return boolean new whether its step was not there yet; false too for a record without step
function Store:add(record)
  local state, step = self[STATE], math.tointeger(record.step)
  if not step then
    return false
  end
  local known = state.rows[step]
  local row = known or new_row(state, step)
  if not row then
    state.dropped = state.dropped + 1
    return false
  end
  state.made = {}
  for name, value in pairs(record) do
    if type(value) == "string" then
      value = NOT_FINITE[value]
    end
    if name ~= "step" and type(name) == "string" and type(value) == "number" then
      local values = column(state, name)
      if values then
        for i = #values + 1, row - 1 do values[i] = false end
        values[row] = value
      else
        state.dropped = state.dropped + 1
      end
    end
  end
  return not known
end

-- Rows in the order of their steps; nil when they stand so already.
local function order(state)
  if state.sorted then
    return nil
  end
  if not state.made[order] then
    local rows, steps = {}, state.columns.step
    for i = 1, state.count do rows[i] = i end
    table.sort(rows, function(a, b) return steps[a] < steps[b] end)
    state.made[order] = rows
  end
  return state.made[order]
end

--- The series of a metric in the order of steps; steps without it are left out.
---@param name string
---@return adt.Series
function Store:series(name)
  local state = self[STATE]
  local made = state.made[name]
  if not made then
    local values, list, rows = state.columns[name] or {}, {}, order(state)
    for i = 1, state.count do
      local value = values[rows and rows[i] or i]
      if value then list[#list + 1] = value end
    end
    made = series.new(list)
    state.made[name] = made
  end
  return made
end

--- The steps that were seen, strictly increasing.
---@return adt.Series
function Store:steps()
  return self:series("step")
end

--- The names of the metrics.
---@return string[] sorted, without "step"
function Store:names()
  local names = {}
  for name in pairs(self[STATE].columns) do
    if name ~= "step" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- The record of the greatest step.
---@return adt.metrics.Record?
function Store:latest()
  local state = self[STATE]
  if state.count == 0 then
    return nil
  end
  local rows = order(state)
  local row, record = rows and rows[state.count] or state.count, {}
  for name, values in pairs(state.columns) do
    record[name] = values[row] or nil
  end
  return record
end

--- How many records and fields came beyond the ceilings.
---@return integer
function Store:dropped()
  return self[STATE].dropped
end

function meta.__tostring(self)
  local names = table.concat(self:names(), ", ")
  return ("%d steps of %s"):format(self[STATE].count, names ~= "" and names or "nothing")
end

function meta.__summary(self)
  local out = { steps = self[STATE].count, values = {} }
  for _, name in ipairs(self:names()) do out.values[name] = self:series(name) end
  return out
end

return M
