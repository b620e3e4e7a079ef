--- What a step of a plan would give: a value that prints as <vpc.VpcId>, may be indexed and concatenated, and ends the
--- plan where its content would be needed.
local M = {}

---@class adt.Pending
local Pending = {}

-- Nobody writes a larger index: it is a loop that would never end.
local MOST_ITEMS = 1000

local texts = setmetatable({}, { __mode = "k" })

--- The error value that ends a plan; adt.execute recognises it.
---@class adt.PlanEnd
---@field on string the pending value's text
local PlanEnd = { __tostring = function(e) return "from here it depends on " .. e.on end }

local function make(text)
  local value = setmetatable({}, Pending)
  texts[value] = text
  return value
end

--- A pending value that prints as `<name>`.
---@param name string
---@return adt.Pending
function M.new(name)
  return make("<" .. name .. ">")
end

--- Whether a value is pending.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Pending
end

--- Whether an error value is the end of a plan; then what it depends on.
---@param err any
---@return string?
function M.plan_end(err)
  return getmetatable(err) == PlanEnd and err.on or nil
end

--- Ends the plan: from here on everything depends on `value`.
---@param value adt.Pending|string
function M.stop(value)
  error(setmetatable({ on = (tostring(value):gsub("^<(.*)>$", "%1")) }, PlanEnd), 0)
end

local function needs(a, b)
  M.stop(M.is(a) and a or b)
end

function Pending:__index(key)
  local text = texts[self]
  local inner = text:match("^<(.*)>$")
  if math.type(key) == "integer" and key > MOST_ITEMS then
    M.stop(self)
  end
  key = type(key) == "number" and ("[%d]"):format(key) or "." .. tostring(key)
  return make("<" .. (inner or text) .. key .. ">")
end

function Pending.__concat(a, b)
  return make(tostring(a) .. tostring(b))
end

--- Parts of a path of which one is pending, as a pending value with slashes between them.
---@param ... string|adt.Pending
---@return adt.Pending
function M.join(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local part = tostring((select(i, ...)))
    if part ~= "" then parts[#parts + 1] = part end
  end
  return make((table.concat(parts, "/"):gsub("//+", "/")))
end

function Pending:__tostring()
  return texts[self]
end

function Pending:__newindex()
  M.stop(self)
end

for _, event in ipairs {
  "__call", "__lt", "__le", "__len", "__unm", "__add", "__sub", "__mul", "__div", "__mod", "__pow", "__idiv",
  "__band", "__bor", "__bxor", "__shl", "__shr", "__bnot", "__pairs",
} do
  Pending[event] = needs
end

--- While a plan is made, ipairs() of a pending value ends it; Lua itself would count on for ever.
---@param f fun(...): ...
---@return any ...
function M.guarding(f, ...)
  local plain = ipairs
  _G.ipairs = function(list, ...)
    if M.is(list) then
      M.stop(list)
    end
    return plain(list, ...)
  end
  local function ended(ok, ...)
    _G.ipairs = plain
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return ended(pcall(f, ...))
end

--- A copy of a table in which pending values have become their texts; other values stay.
---@param value any
---@return any
function M.printable(value)
  if M.is(value) then
    return tostring(value)
  elseif type(value) ~= "table" or getmetatable(value) ~= nil then
    return value
  end
  local copy = {}
  for k, v in pairs(value) do copy[k] = M.printable(v) end
  return copy
end

--- The first pending value inside a plain table, or nil.
---@param value any
---@return adt.Pending?
function M.find(value)
  local seen = {}
  local function look(v)
    if M.is(v) then
      return v
    elseif type(v) == "table" and getmetatable(v) == nil and not seen[v] then
      seen[v] = true
      for _, inner in pairs(v) do
        local found = look(inner)
        if found then return found end
      end
    end
  end
  return look(value)
end

return M
