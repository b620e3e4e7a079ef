--- Where a stack is and whose it is: the client, what is known of a stack, its tags, the tokens of requests.
local aws = require "adt.aws"
local errors = require "adt.error"
local hash = require "adt.hash"
local random = require "adt.random"

local M = {}

---@class adt.cfn.Owner
---@field recipe string
---@field name string --name of what outlives the run
---@field run? string id of the run
---@field key? string of the step

---@class adt.cfn.Stack
---@field name string
---@field id string
---@field status string
---@field reason? string
---@field tags table<string, string>
---@field outputs table<string, string>
---@field exports string[] names
---@field protected boolean
---@field parameters table<string, string>

--- The client for a place: options of adt.aws.client, or a client of CloudFormation.
---@param place adt.aws.ClientOptions|adt.aws.Client
---@param service? string another one at the same place
---@return adt.aws.Client
function M.client(place, service)
  if place.service then return place --[[@as adt.aws.Client]] end
  return aws.client(service or "cloudformation", place)
end

--- Whether an error says that there is no such stack.
---@param err any
---@return boolean
function M.is_missing(err)
  return errors.is(err) and (err.code == "ValidationError" or err.code == "StackNotFoundException")
    and (err.message:find "does not exist" ~= nil or err.message:find "not found" ~= nil)
end

local function described(s)
  local stack = { name = s.StackName, id = s.StackId, status = s.StackStatus, reason = s.StackStatusReason, tags = {}, outputs = {},
    exports = {}, parameters = {}, protected = s.EnableTerminationProtection or false, parent = s.ParentId, created = s.CreationTime }
  for _, tag in ipairs(s.Tags or {}) do stack.tags[tag.Key] = tag.Value end
  for _, p in ipairs(s.Parameters or {}) do stack.parameters[p.ParameterKey] = p.ParameterValue end
  for _, output in ipairs(s.Outputs or {}) do
    stack.outputs[output.OutputKey] = output.OutputValue
    if output.ExportName then table.insert(stack.exports, output.ExportName) end
  end
  return stack
end

--- What is known of a stack; nil when there is none. By its id also one that was deleted is found.
---@param cf adt.aws.Client
---@param name string name or id
---@return adt.cfn.Stack?
function M.describe(cf, name)
  local ok, answer = pcall(cf.DescribeStacks, cf, { StackName = name })
  if ok then
    return answer.Stacks and answer.Stacks[1] and described(answer.Stacks[1]) or nil
  elseif M.is_missing(answer) then
    return nil
  end
  error(answer, 0)
end

--- Whether a stack carries the tags of this recipe and name.
---@param tags table<string, string>
---@param owner adt.cfn.Owner
---@return boolean
function M.is_ours(tags, owner)
  return tags["adtlua:recipe"] == owner.recipe and tags["adtlua:name"] == owner.name
end

--- Refuses a stack that is not ours: it is never touched.
---@param stack { name: string, tags: table<string, string> }
---@param owner adt.cfn.Owner
function M.check_owner(stack, owner)
  if M.is_ours(stack.tags, owner) then return end
  local whose = stack.tags["adtlua:recipe"]
  errors.raise { cause = "usage", code = "StackTaken",
    message = whose and ("stack '%s' belongs to recipe '%s' under the name '%s'"):format(stack.name, whose, tostring(stack.tags["adtlua:name"]))
      or ("there is a stack '%s' that adtlua has not made"):format(stack.name),
    hint = "it is left as it is; choose another name with --name" }
end

--- The tags of a stack: the recipe's own and whose it is. A stack keeps the run and the key that it was made by, since
--- tags that change would change each of its resources.
---@param given? table<string, string>
---@param owner adt.cfn.Owner
---@param before? table<string, string> the stack's tags
---@return { Key: string, Value: string }[]
function M.tags(given, owner, before)
  local all = {}
  for key, value in pairs(given or {}) do all[key] = tostring(value) end
  all["adtlua:recipe"], all["adtlua:name"] = owner.recipe, owner.name
  all["adtlua:run"], all["adtlua:key"] = owner.run, owner.key
  if before then all["adtlua:run"], all["adtlua:key"] = before["adtlua:run"], before["adtlua:key"] end
  local list = {}
  for key, value in pairs(all) do list[#list + 1] = { Key = key, Value = value } end
  table.sort(list, function(a, b) return a.Key < b.Key end)
  return list
end

--- What the tokens of a step's requests begin with: letters, digits and "-", a letter first.
---@param key? string of the step
---@return string
function M.token_base(key)
  key = key or "adt-" .. random.hex(8)
  local base = key:gsub("[^%w]+", "-"):gsub("^[^%a]+", "")
  if base ~= key or #base > 90 then base = base:sub(1, 80) .. "-" .. hash.sha256(key):sub(1, 8) end
  return base
end

--- A token for one request of a step.
---@param base string
---@return string
function M.token(base)
  return base .. "-" .. random.hex(4)
end

--- Whether a token is one of that step's.
---@param token? string
---@param base string
---@return boolean
function M.is_token(token, base)
  return token ~= nil and #token == #base + 9 and token:sub(1, #base) == base and token:find("^%-%x+$", #base + 1) ~= nil
end

--- The token of the last operation on a stack.
---@param cf adt.aws.Client
---@param id string
---@return string?
function M.last_token(cf, id)
  local pages = 0
  for page in cf:pages("DescribeStackEvents", { StackName = id }) do
    for _, event in ipairs(page.StackEvents or {}) do
      if event.PhysicalResourceId == id and event.ResourceStatus:match "_IN_PROGRESS$"
        and not event.ResourceStatus:match "ROLLBACK" and not event.ResourceStatus:match "CLEANUP" then
        return event.ClientRequestToken
      end
    end
    pages = pages + 1
    if pages == 20 then break end
  end
end

return M
