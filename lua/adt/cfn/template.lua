--- A CloudFormation template read here: its parameters, and which resources and outputs there are for given ones.
local errors = require "adt.error"
local fs = require "adt.fs"
local hash = require "adt.hash"
local pending = require "adt.pending"
local resolve = require "adt.cfn.resolve"
local yaml = require "adt.yaml"

local M = {}

--- Bytes that can be sent with a request; larger ones are read from a bucket.
M.INLINE = 51200
--- Bytes that CloudFormation takes at all.
M.LARGEST = 1000000

---@class adt.cfn.Template
---@field file string
---@field text string
---@field size integer bytes
---@field digest string SHA-256
---@field data table the template as tables, short forms written out
---@field parameters table<string, table>
---@field resources table<string, table>
---@field outputs table<string, table>
local Template = {}
Template.__index = Template

local function bad(file, message, hint)
  errors.raise { cause = "usage", code = "BadTemplate", where = file, message = message, hint = hint }
end

local function decode(text, file)
  local data, err = errors.try(yaml.decode, text, { cloudformation = true, name = file, max_size = M.LARGEST })
  if err then
    errors.raise { cause = "usage", code = "BadTemplate", where = err.where or file, message = "the template cannot be read: " .. err.message,
      hint = err.hint, inner = err }
  end
  return data
end

local function check_form(data, file)
  if type(data) ~= "table" or type(data.Resources) ~= "table" or next(data.Resources) == nil then
    bad(file, "the template has no Resources")
  end
  for id, resource in pairs(data.Resources) do
    if type(resource) ~= "table" or type(resource.Type) ~= "string" then
      bad(file, ("resource '%s' of the template has no Type"):format(id))
    elseif resource.Condition ~= nil and not (data.Conditions or {})[resource.Condition] then
      bad(file, ("resource '%s' asks for the condition '%s', which the template does not have"):format(id, tostring(resource.Condition)))
    end
  end
end

--- A template from its text: YAML, or JSON, which is YAML too.
---@param text string
---@param file? string for messages
---@return adt.cfn.Template  # raises: usage "BadTemplate"
function M.parse(text, file)
  file = file or "template"
  if #text > M.LARGEST then
    bad(file, ("the template has %d bytes; CloudFormation takes %d at most"):format(#text, M.LARGEST), "split it into nested stacks")
  end
  local data = decode(text, file)
  check_form(data, file)
  return setmetatable({ file = file, text = text, size = #text, digest = hash.sha256(text), data = data,
    parameters = data.Parameters or {}, resources = data.Resources, outputs = data.Outputs or {} }, Template)
end

--- Reads a template file.
---@param file string
---@return adt.cfn.Template  # raises: usage "BadTemplate"; what fs.read raises
function M.read(file)
  return M.parse(fs.read(file, { max = 2 * M.LARGEST }), file)
end

-- --- parameters ------------------------------------------------------------------------------------------------------

local function is_list(definition)
  local kind = tostring(definition.Type)
  return kind == "CommaDelimitedList" or kind:match "^List<" ~= nil or kind:match "Value<List<" ~= nil
end

local function text_of(name, value)
  if type(value) == "table" then
    local texts = {}
    for _, item in ipairs(value) do
      if pending.is(item) then return item end
      texts[#texts + 1] = text_of(name, item)
    end
    return table.concat(texts, ",")
  elseif math.type(value) == "float" and math.tointeger(value) then
    return tostring(math.tointeger(value))
  elseif type(value) == "string" or type(value) == "number" or type(value) == "boolean" then
    return tostring(value)
  end
  errors.raise { cause = "usage", code = "BadParameter", message = ("parameter '%s' of the template is a %s"):format(name, type(value)),
    hint = "give texts, numbers, booleans, or lists of them" }
end

local function refuse(template, name, what, hint)
  errors.raise { cause = "usage", code = "BadParameter", where = template.file, hint = hint,
    message = ("parameter '%s' of the template %s"):format(name, what) }
end

local function check_number(template, name, definition, text)
  local number = tonumber(text)
  if not number then
    refuse(template, name, ("is a number, not '%s'"):format(text))
  elseif number < (tonumber(definition.MinValue) or -math.huge) or number > (tonumber(definition.MaxValue) or math.huge) then
    refuse(template, name, ("is %s, out of its range"):format(text), definition.Description)
  end
end

local function check_value(template, name, definition, text)
  local allowed = definition.AllowedValues
  if allowed then
    local names, fits = {}, false
    for i, value in ipairs(allowed) do
      names[i] = tostring(value)
      fits = fits or names[i] == text
    end
    if not fits then refuse(template, name, ("is '%s'"):format(text), "allowed: " .. table.concat(names, ", ")) end
  end
  if definition.Type == "Number" then
    check_number(template, name, definition, text)
  elseif #text < (tonumber(definition.MinLength) or 0) or #text > (tonumber(definition.MaxLength) or 4096) then
    refuse(template, name, ("has %d characters"):format(#text), definition.Description)
  end
end

--- What is given for the template's parameters as texts, with what stands for all of them: defaults too. Pending values
--- stay as they are.
---@param given? table<string, any>
---@return table<string, string|adt.Pending> sent what was given
---@return table<string, string|adt.Pending> all defaults too
--- Raises usage "BadParameter": an unknown one, with the nearest; one that is missing; one that the template refuses.
function Template:values(given)
  local sent, all = {}, {}
  for name, value in pairs(given or {}) do
    local definition = self.parameters[name]
    if not definition then
      local names = {}
      for known in pairs(self.parameters) do names[#names + 1] = known end
      table.sort(names)
      local near = errors.nearest(tostring(name), names)
      errors.raise { cause = "usage", code = "BadParameter", where = self.file, message = ("the template has no parameter '%s'"):format(name),
        hint = near and ("did you mean '%s'?"):format(near) or "known: " .. table.concat(names, ", ") }
    end
    sent[name] = pending.is(value) and value or text_of(name, value)
    if not pending.is(sent[name]) then check_value(self, name, definition, sent[name]) end
  end
  for name, definition in pairs(self.parameters) do
    all[name] = sent[name]
    if all[name] == nil then
      if definition.Default == nil then refuse(self, name, "is not given and has no default", definition.Description) end
      all[name] = text_of(name, definition.Default)
    end
  end
  return sent, all
end

-- --- what there is ---------------------------------------------------------------------------------------------------

local function split(text)
  local list = {}
  for item in (text .. ","):gmatch "%s*(.-)%s*," do list[#list + 1] = item end
  return list
end

local function scope_of(self, given, pseudo)
  local _, all = self:values(given)
  local parameters = {}
  for name, text in pairs(all) do
    local definition = self.parameters[name]
    if pending.is(text) or tostring(definition.Type):match "^AWS::SSM::" then
      parameters[name] = resolve.UNKNOWN
    elseif is_list(definition) then
      parameters[name] = split(text)
    else
      parameters[name] = text
    end
  end
  return { parameters = parameters, conditions = self.data.Conditions or {}, mappings = self.data.Mappings or {},
    pseudo = pseudo or {}, known = {} }
end

local function there(scope, member)
  if member.Condition == nil then return true end
  local holds = resolve.condition(scope, member.Condition)
  if holds == resolve.UNKNOWN then return "unknown" end
  return holds
end

local function listed(scope, members, make)
  local list = {}
  for id, member in pairs(members) do
    local exists = there(scope, member)
    if exists then list[#list + 1] = make(id, member, exists == "unknown" or nil) end
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

---@class adt.cfn.Evaluated
---@field conditions table<string, boolean|string> "unknown" where something pending decides
---@field resources { id: string, type: string, properties: table, perhaps: boolean? }[] by id
---@field outputs { id: string, value: any, export: any, perhaps: boolean? }[] by id

--- What the template makes of given parameters. What only the stack will know stays a function.
---@param given? table<string, any>
---@param pseudo? table<string, string> { ["AWS::Region"] = "us-east-1" }
---@return adt.cfn.Evaluated  # raises: usage "BadParameter"
function Template:evaluate(given, pseudo)
  local scope = scope_of(self, given, pseudo)
  local conditions = {}
  for name in pairs(scope.conditions) do
    local holds = resolve.condition(scope, name)
    conditions[name] = holds == resolve.UNKNOWN and "unknown" or holds
  end
  return {
    conditions = conditions,
    resources = listed(scope, self.resources, function(id, resource, perhaps)
      return { id = id, type = resource.Type, properties = resolve.value(scope, resource.Properties or {}), perhaps = perhaps }
    end),
    outputs = listed(scope, self.outputs, function(id, output, perhaps)
      return { id = id, value = resolve.value(scope, output.Value),
        export = output.Export and resolve.value(scope, output.Export.Name), perhaps = perhaps }
    end),
  }
end

--- The capabilities that the template asks for, as far as it can be seen: roles and their kind need one by name.
---@return string? "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"
function Template:capability()
  local wanted
  local NAMED = { RoleName = true, UserName = true, GroupName = true, ManagedPolicyName = true, InstanceProfileName = true }
  for _, resource in pairs(self.resources) do
    if resource.Type:match "^AWS::IAM::" and not resource.Type:match "ServiceLinkedRole$" then
      wanted = wanted or "CAPABILITY_IAM"
      for name in pairs(type(resource.Properties) == "table" and resource.Properties or {}) do
        if NAMED[name] and not resource.Type:match "Policy$" then wanted = "CAPABILITY_NAMED_IAM" end
      end
    end
  end
  return wanted
end


return M
