--- Endpoints by a service's own rule set (endpoint-rule-set-1.json of a botocore-style folder), for services that are not
--- built in.
local errors = require "adt.error"
local partition = require "adt.aws.partition"

local M = {}

-- Levels of rules and of values inside each other, and rules looked at in all.
local DEEPEST, MOST = 64, 10000

local function broken(message, hint)
  errors.raise { cause = "config", code = "BadModel", message = "the endpoint rules: " .. message,
    hint = hint or "name the service's URL: endpoint = \"https://...\"" }
end

local evaluate

-- "resourceId[0]" and "a#b" are ways into a value; an index that is not there is nothing.
local function attribute(value, path)
  for name in path:gmatch "[^%.#]+" do
    if type(value) ~= "table" then return nil end
    local field, index = name:match "^([^%[]*)%[(%d+)%]$"
    if field and field ~= "" then value = value[field] end
    if field then value = type(value) == "table" and value[tonumber(index) + 1] or nil else value = value[name] end
  end
  return value
end

local function host_label(text, subdomains)
  if type(text) ~= "string" then return false end
  for label in (text .. "."):gmatch "([^%.]*)%." do
    if #label < 1 or #label > 63 or not label:match "^%w[%w%-]*$" then return false end
  end
  return subdomains or not text:find(".", 1, true)
end

local function piece(text, from, to, reverse)
  if type(text) ~= "string" or from >= to or #text < to or text:find "[\128-\255]" then return nil end
  if reverse then return text:sub(#text - to + 1, #text - from) end
  return text:sub(from + 1, to)
end

local function partition_of(region)
  local part = partition.of(region)
  return { name = part.name, dnsSuffix = part.suffix, dualStackDnsSuffix = part.dual_suffix, supportsFIPS = true,
    supportsDualStack = true, implicitGlobalRegion = part.global_region }
end

local FUNCTIONS = {
  isSet = function(value) return value ~= nil end,
  ["not"] = function(value) return not value end,
  booleanEquals = function(a, b) return a == b end,
  stringEquals = function(a, b) return a == b end,
  getAttr = attribute, isValidHostLabel = host_label, substring = piece, ["aws.partition"] = partition_of,
}

local function call(given, scope, depth)
  local f = FUNCTIONS[given.fn]
  if not f then broken(("the function '%s' is not known here"):format(tostring(given.fn))) end
  local values = {}
  for i, argument in ipairs(given.argv or {}) do values[i] = evaluate(argument, scope, depth + 1) end
  local ok, value = pcall(f, table.unpack(values, 1, #(given.argv or {})))
  if not ok then broken(("the function '%s' was given what it does not take"):format(given.fn)) end
  return value
end

-- "{Region}", "{PartitionResult#dnsSuffix}"
local function fill(text, scope)
  return (text:gsub("{([^{}]+)}", function(name)
    local value = attribute(scope, name)
    if type(value) ~= "string" then broken(("'%s' has no value"):format(name)) end
    return value
  end))
end

function evaluate(given, scope, depth)
  if depth > DEEPEST then broken "they are nested too deeply" end
  if type(given) == "string" then return fill(given, scope) end
  if type(given) ~= "table" then return given end
  if given.ref then return scope[given.ref] end
  return call(given, scope, depth)
end

-- Whether the conditions hold; what they assign is for the rule and those below it.
local function holds(rule, scope)
  for _, condition in ipairs(rule.conditions or {}) do
    local value = evaluate(condition, scope, 0)
    if value == nil or value == false then return false end
    if condition.assign then scope[condition.assign] = value end
  end
  return true
end

local function found(rule, scope)
  local properties = rule.endpoint.properties or {}
  local scheme = (properties.authSchemes or {})[1] or {}
  local function text(value) return type(value) == "string" and fill(value, scope) or nil end
  return { url = evaluate(rule.endpoint.url, scope, 0), region = text(scheme.signingRegion), name = text(scheme.signingName) }
end

local function walk(rules, scope, state, depth)
  if depth > DEEPEST then broken "they are nested too deeply" end
  for _, rule in ipairs(rules) do
    state.left = state.left - 1
    if state.left < 0 then broken "there are too many" end
    local inner = setmetatable({}, { __index = scope })
    if holds(rule, inner) then
      if rule.type == "endpoint" then
        return found(rule, inner)
      elseif rule.type == "error" then
        errors.raise { cause = "config", code = "NoEndpoint",
          message = "the service has no such endpoint: " .. tostring(evaluate(rule.error, inner, 0)),
          hint = "leave fips or dual_stack away, or name the URL: endpoint = \"https://...\"" }
      end
      return walk(rule.rules or {}, inner, state, depth + 1)
    end
  end
  broken "none of them says where the service is"
end

--- Host and scope of a service.
---@param set table the rule set, decoded
---@param given { region: string, fips: boolean, dual_stack: boolean }
---@return { url: string, region: string?, name: string? } region and name that requests are signed for, where the rules say
--- Raises config: "NoEndpoint", "BadModel".
function M.resolve(set, given)
  local values = { Region = given.region, UseFIPS = given.fips, UseDualStack = given.dual_stack, UseGlobalEndpoint = false }
  local scope = {}
  if type(set) ~= "table" or type(set.parameters) ~= "table" or type(set.rules) ~= "table" then broken "they are no rule set" end
  for name, parameter in pairs(set.parameters) do
    scope[name] = values[name]
    if scope[name] == nil and parameter.default ~= nil then scope[name] = parameter.default end
  end
  local endpoint = walk(set.rules, scope, { left = MOST }, 0)
  if type(endpoint.url) ~= "string" then broken "they give no URL" end
  return endpoint
end

return M
