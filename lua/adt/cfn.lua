--- CloudFormation: stacks made, changed and deleted, and the reasons when that fails. In recipes, ctx:stack is the way.
---
--- `where` is a table of the options of adt.aws.client: { region = "us-east-1" }.
local changes = require "adt.cfn.changes"
local deletion = require "adt.cfn.deletion"
local deploy = require "adt.cfn.deploy"
local drift = require "adt.cfn.drift"
local errors = require "adt.error"
local place = require "adt.cfn.place"
local template = require "adt.cfn.template"

local M = {}

local SPEC = { "name", "template", "parameters", "capabilities", "tags", "bucket", "protect", "owner", "emit", "patience" }
local DELETION = { "name", "id", "owner", "with_data", "emit", "patience" }
local OWNER = { "recipe", "name", "run", "key" }

local function checked(what, given, known)
  if type(given) ~= "table" then errors.raise { cause = "usage", code = "BadArgument", message = what .. " takes a table" } end
  errors.check_options(what, given, known)
  if type(given.owner) ~= "table" or not given.owner.recipe or not given.owner.name then
    errors.raise { cause = "usage", code = "BadArgument", message = what .. ": owner must name the recipe and its name",
      hint = "owner = { recipe = \"mine\", name = \"mine\" }: only stacks with these tags are touched" }
  end
  errors.check_options(what .. ": owner", given.owner, OWNER)
end

--- A spec with its template read. Raises usage for what cannot be.
---@param given table
---@return adt.cfn.Spec
function M.spec(given)
  checked("cfn.deploy", given, SPEC)
  local spec = {}
  for key, value in pairs(given) do spec[key] = value end
  if type(spec.name) ~= "string" or not spec.name:match "^%a[%w-]*$" or #spec.name > 128 then
    errors.raise { cause = "usage", code = "BadName", message = ("'%s' is no name of a stack"):format(tostring(spec.name)),
      hint = "letters, digits and '-', a letter first, at most 128" }
  end
  if type(spec.template) == "string" then spec.template = template.read(spec.template) end
  spec.template:values(spec.parameters)
  return spec
end

--- Makes a stack, or makes it what the spec says, through a change set, and follows it to its end. "Nothing to change" is
--- a success. A stack of somebody else is refused; what a failed attempt of ours has left is deleted first.
---@param where adt.aws.ClientOptions
---@param spec table as adt.cfn.Spec; `template` may be a file
---@return adt.cfn.Result
--- Raises: usage ("StackTaken", "BadParameter", "BadTemplate", "TemplateRefused", "TemplateTooLarge",
--- "InsufficientCapabilities"), busy "StackBusy", by the reason of the first resource that failed "StackRolledBack",
--- "StackFailed", "StackRollbackFailed"; service "StackStuck"; unknown "LostConnection"; auth.
function M.deploy(where, spec)
  return deploy.deploy(where, M.spec(spec))
end

--- What deploying would do; see adt.cfn.changes.
---@param where adt.aws.ClientOptions
---@param spec table
---@return adt.cfn.Changes
function M.changes(where, spec)
  return changes.changes(where, M.spec(spec))
end

--- What is known of a stack; nil when there is none.
---@param where adt.aws.ClientOptions
---@param name string
---@return adt.cfn.Stack?
function M.describe(where, name)
  local stack = place.describe(place.client(where), name)
  if stack and stack.status == "DELETE_COMPLETE" then return nil end
  return stack
end

--- The outputs of a stack by their names; nil when there is none.
---@param where adt.aws.ClientOptions
---@param name string
---@return table<string, string>?
function M.outputs(where, name)
  local stack = M.describe(where, name)
  return stack and stack.outputs
end

--- The resources of a stack.
---@param where adt.aws.ClientOptions
---@param name string
---@return table<string, { kind: string, physical: string, status: string }> by logical id
function M.resources(where, name)
  local found = {}
  for one in place.client(where):items("ListStackResources", { StackName = name }) do
    found[one.LogicalResourceId] = { kind = one.ResourceType, physical = one.PhysicalResourceId, status = one.ResourceStatus }
  end
  return found
end

--- Deletes a stack of ours; see adt.cfn.deletion.
---@param where adt.aws.ClientOptions
---@param o adt.cfn.Deletion
function M.delete(where, o)
  checked("cfn.delete", o, DELETION)
  deletion.delete(where, o)
end

--- What of a stack is no longer as its template says.
---@param where adt.aws.ClientOptions
---@param name string
---@return adt.cfn.Drift
function M.drift(where, name)
  return drift.drift(where, name)
end

--- Reads a template file; see adt.cfn.template.
---@param file string
---@return adt.cfn.Template
function M.template(file)
  return template.read(file)
end

return M
