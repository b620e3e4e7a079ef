--- The functions of a template, as far as parameters decide them: what a resource alone would tell stays as it is.
local json = require "adt.json"

local M = {}

--- Stands for a value that is known only when the stack is made, or where a condition depends on one.
M.UNKNOWN = setmetatable({}, { __tostring = function() return "unknown" end })

local UNKNOWN = M.UNKNOWN

--- Stands for AWS::NoValue.
local NOTHING = {}

---@class adt.cfn.Scope
---@field parameters table<string, any> texts, or lists of texts
---@field conditions table<string, any> as the template has them
---@field pseudo table<string, string> "AWS::Region" and its kind
---@field mappings table
---@field known table<string, boolean|table> conditions that were decided

local FUNCTIONS = {}

local function the_function(value)
  if type(value) ~= "table" then return nil end
  local name, argument = next(value)
  if type(name) == "string" and next(value, name) == nil and (name == "Ref" or name == "Condition" or name:match "^Fn::") then
    return name, argument
  end
end

local function is_known(value)
  if value == UNKNOWN then return false end
  if the_function(value) then return false end
  return true
end

--- What a value is in this scope. Functions of resources stay; AWS::NoValue takes its member away.
---@param scope adt.cfn.Scope
---@param value any
---@return any
function M.value(scope, value)
  local found = M.inner(scope, value)
  if found == NOTHING then return nil end
  return found
end

function M.inner(scope, value)
  if type(value) ~= "table" or value == json.null then return value end
  local name, argument = the_function(value)
  local f = name and FUNCTIONS[name]
  if f then
    local found = f(scope, argument)
    if found ~= nil then return found end
    return { [name] = name == "Ref" and argument or name == "Condition" and argument or M.inner(scope, argument) }
  end
  local copy = {}
  if #value > 0 then
    for _, item in ipairs(value) do
      local inner = M.inner(scope, item)
      if inner ~= NOTHING then copy[#copy + 1] = inner end
    end
    return copy
  end
  for key, item in pairs(value) do
    local inner = M.inner(scope, item)
    if inner ~= NOTHING then copy[key] = inner end
  end
  return copy
end

--- Whether a condition holds: true, false, or UNKNOWN.
---@param scope adt.cfn.Scope
---@param name string
---@return boolean|table
function M.condition(scope, name)
  local known = scope.known[name]
  if known == nil then
    if scope.conditions[name] == nil then return UNKNOWN end
    scope.known[name] = UNKNOWN -- one that asks for itself
    known = M.truth(scope, scope.conditions[name])
    scope.known[name] = known
  end
  return known
end

--- What an expression of a condition says: true, false, or UNKNOWN.
function M.truth(scope, expression)
  local found = M.inner(scope, expression)
  if type(found) == "boolean" then return found end
  return UNKNOWN
end

function FUNCTIONS.Ref(scope, name)
  if name == "AWS::NoValue" then return NOTHING end
  local value = scope.parameters[name]
  if value == nil then value = scope.pseudo[name] end
  if value == UNKNOWN then return nil end
  return value
end

function FUNCTIONS.Condition(scope, name)
  if type(name) ~= "string" then return nil end
  local known = M.condition(scope, name)
  if known == UNKNOWN then return nil end
  return known
end

FUNCTIONS["Fn::Equals"] = function(scope, pair)
  local a, b = M.inner(scope, pair[1]), M.inner(scope, pair[2])
  if not is_known(a) or not is_known(b) then return nil end
  return tostring(a) == tostring(b)
end

FUNCTIONS["Fn::Not"] = function(scope, list)
  local truth = M.truth(scope, list[1])
  if truth == UNKNOWN then return nil end
  return not truth
end

-- `decides` is the value that settles it whatever the others are.
local function all_of(scope, list, decides)
  local unknown = false
  for _, expression in ipairs(list) do
    local truth = M.truth(scope, expression)
    if truth == decides then return decides end
    unknown = unknown or truth == UNKNOWN
  end
  if unknown then return nil end
  return not decides
end

FUNCTIONS["Fn::And"] = function(scope, list) return all_of(scope, list, false) end
FUNCTIONS["Fn::Or"] = function(scope, list) return all_of(scope, list, true) end

FUNCTIONS["Fn::If"] = function(scope, list)
  local truth = M.condition(scope, list[1])
  if truth == UNKNOWN then return nil end
  local value = list[truth and 2 or 3]
  if value == nil then return NOTHING end
  return M.inner(scope, value)
end

FUNCTIONS["Fn::Select"] = function(scope, pair)
  local index, list = tonumber(M.inner(scope, pair[1])), M.inner(scope, pair[2])
  if not index or type(list) ~= "table" or the_function(list) then return nil end
  return list[math.tointeger(index) + 1]
end

FUNCTIONS["Fn::Join"] = function(scope, pair)
  local list, texts = M.inner(scope, pair[2]), {}
  if type(list) ~= "table" or the_function(list) then return nil end
  for _, item in ipairs(list) do
    if type(item) == "table" then return nil end
    texts[#texts + 1] = tostring(item)
  end
  return table.concat(texts, pair[1])
end

FUNCTIONS["Fn::Split"] = function(scope, pair)
  local by, text, list, from = pair[1], M.inner(scope, pair[2]), {}, 1
  if type(text) ~= "string" or type(by) ~= "string" or by == "" then return nil end
  while true do
    local a, b = text:find(by, from, true)
    list[#list + 1] = text:sub(from, (a or 0) - 1)
    if not a then return list end
    from = b + 1
  end
end

-- "${Name}" is replaced where it is known; "${!x}" stands for itself.
FUNCTIONS["Fn::Sub"] = function(scope, argument)
  local text, own, whole = argument, {}, true
  if type(argument) == "table" then text, own = argument[1], argument[2] or {} end
  if type(text) ~= "string" then return nil end
  local found = text:gsub("%${([^}]*)}", function(name)
    if name:sub(1, 1) == "!" then return "${" .. name:sub(2) .. "}" end
    local value = own[name]
    if value ~= nil then value = M.inner(scope, value) else value = FUNCTIONS.Ref(scope, name) end
    if type(value) == "table" or value == nil then
      whole = false
      return nil
    end
    return tostring(value)
  end)
  if whole then return found end
  return { ["Fn::Sub"] = next(own) and { found, M.inner(scope, own) } or found }
end

FUNCTIONS["Fn::FindInMap"] = function(scope, list)
  local map = scope.mappings[M.inner(scope, list[1])]
  local first, second = M.inner(scope, list[2]), M.inner(scope, list[3])
  if type(map) ~= "table" or type(first) ~= "string" or type(second) ~= "string" then return nil end
  return type(map[first]) == "table" and map[first][second] or nil
end

return M
