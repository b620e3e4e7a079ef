--- What the forms of JMESPath do with a value: its types, functions, projections and comparisons; adt.aws.jmespath reads them.
local errors = require "adt.error"
local json = require "adt.json"

local M = {}

local NULL = json.null

-- --- values ----------------------------------------------------------------------------------------------------------

-- Inside, what is missing is NULL, so that it keeps its place in lists. An empty table may be an array or an object.
local function is_array(v)
  return type(v) == "table" and (getmetatable(v) == json.array_mt or v[1] ~= nil or next(v) == nil)
end

local function is_object(v)
  return type(v) == "table" and getmetatable(v) ~= json.array_mt and v[1] == nil
end

--- Whether JMESPath takes a value as true: not null, false, "" or empty.
---@param v any
---@return boolean
function M.truth(v)
  return not (v == NULL or v == false or v == "" or (type(v) == "table" and next(v) == nil))
end

--- Whether two values are equal, tables by what they hold.
---@param a any
---@param b any
---@return boolean
function M.same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not M.same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local function sorted_keys(object)
  local keys = {}
  for key in pairs(object) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function type_of(v)
  if v == NULL then
    return "null"
  end
  return is_array(v) and "array" or type(v) == "table" and "object" or type(v)
end

local function bad_type(name, v, wanted)
  errors.raise {
    cause = "config", code = "JmesPathType",
    message = ("%s() takes %s, not %s"):format(name, wanted, type_of(v)),
  }
end

local function check_string(name, v)
  if type(v) ~= "string" then
    bad_type(name, v, "a string")
  end
  return v
end

--- The functions by name: { number of arguments, what it does, whether more may follow }.
M.FUNCTIONS = {
  contains = { 2, function(where, what)
    if type(where) == "string" then
      return type(what) == "string" and where:find(what, 1, true) ~= nil
    elseif not is_array(where) then
      bad_type("contains", where, "an array or a string")
    end
    for _, v in ipairs(where) do
      if M.same(v, what) then
        return true
      end
    end
    return false
  end },
  ends_with = { 2, function(text, tail)
    return check_string("ends_with", tail) == "" or check_string("ends_with", text):sub(-#tail) == tail
  end },
  keys = { 1, function(v)
    return is_object(v) and json.array(sorted_keys(v)) or bad_type("keys", v, "an object")
  end },
  length = { 1, function(v)
    if type(v) == "string" then
      return utf8.len(v) or #v
    elseif is_array(v) then
      return #v
    end
    return is_object(v) and #sorted_keys(v) or bad_type("length", v, "an array, an object or a string")
  end },
  not_null = { 1, function(...)
    for i = 1, select("#", ...) do
      local v = select(i, ...)
      if v ~= NULL then
        return v
      end
    end
    return NULL
  end, true },
  starts_with = { 2, function(text, head)
    return check_string("starts_with", text):sub(1, #check_string("starts_with", head)) == head
  end },
  values = { 1, function(v)
    if not is_object(v) then
      bad_type("values", v, "an object")
    end
    local out = json.array()
    for i, key in ipairs(sorted_keys(v)) do
      out[i] = v[key]
    end
    return out
  end },
}

-- --- what each form does with a value --------------------------------------------------------------------------------

--- The value itself.
---@param v any
---@return any
function M.identity(v)
  return v
end

--- The member of an object.
---@param name string
---@return fun(v: any): any
function M.field(name)
  return function(v)
    local found = type(v) == "table" and v[name]
    if found == nil or type(v) ~= "table" then
      return NULL
    end
    return found
  end
end

--- The element of an array, from 0, or from its end below 0.
---@param n integer
---@return fun(v: any): any
function M.index(n)
  return function(v)
    if not is_array(v) then
      return NULL
    end
    local found = v[n >= 0 and n + 1 or #v + n + 1]
    return found == nil and NULL or found
  end
end

--- `right` of what `left` finds.
---@param left fun(v: any): any
---@param right fun(v: any): any
---@return fun(v: any): any
function M.chain(left, right)
  return function(v) return right(left(v)) end
end

-- Applies `right` to each element and leaves out what is null.
local function each(list, right)
  local out = json.array()
  for _, v in ipairs(list) do
    local result = right(v)
    if result ~= NULL then
      out[#out + 1] = result
    end
  end
  return out
end

--- `right` of each element of the array that `left` finds.
---@param left fun(v: any): any
---@param right fun(v: any): any
---@return fun(v: any): any
function M.projection(left, right)
  return function(v)
    local list = left(v)
    return is_array(list) and each(list, right) or NULL
  end
end

--- `right` of each value of the object that `left` finds, in the order of the keys.
---@param left fun(v: any): any
---@param right fun(v: any): any
---@return fun(v: any): any
function M.value_projection(left, right)
  return function(v)
    local object = left(v)
    if not is_object(object) then
      return NULL
    end
    return each(M.FUNCTIONS.values[2](object), right)
  end
end

--- `right` of each element for which the condition is true.
---@param left fun(v: any): any
---@param condition fun(v: any): any
---@param right fun(v: any): any
---@return fun(v: any): any
function M.filter_projection(left, condition, right)
  return function(v)
    local list = left(v)
    if not is_array(list) then
      return NULL
    end
    return each(list, function(element)
      return M.truth(condition(element)) and right(element) or NULL
    end)
  end
end

--- Arrays within the array that `left` finds, opened by one level.
---@param left fun(v: any): any
---@return fun(v: any): any
function M.flatten(left)
  return function(v)
    local list = left(v)
    if not is_array(list) then
      return NULL
    end
    local out = json.array()
    for _, element in ipairs(list) do
      if is_array(element) then
        table.move(element, 1, #element, #out + 1, out)
      else
        out[#out + 1] = element
      end
    end
    return out
  end
end

local ORDER = {
  ["<"] = function(a, b) return a < b end,
  [">"] = function(a, b) return a > b end,
  ["<="] = function(a, b) return a <= b end,
  [">="] = function(a, b) return a >= b end,
}

--- "==" and "!=" of any values, the others of numbers; null for what has no order.
---@param operator string
---@param left fun(v: any): any
---@param right fun(v: any): any
---@return fun(v: any): any
function M.comparison(operator, left, right)
  if operator == "==" then
    return function(v) return M.same(left(v), right(v)) end
  elseif operator == "!=" then
    return function(v) return not M.same(left(v), right(v)) end
  end
  local order = ORDER[operator]
  return function(v)
    local a, b = left(v), right(v)
    if type(a) ~= "number" or type(b) ~= "number" then
      return NULL
    end
    return order(a, b)
  end
end

return M
