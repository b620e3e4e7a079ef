--- Why a stack failed: the first resource's own reason, its cause, and how the rollback went.
local errors = require "adt.error"

local M = {}

local QUOTA = { "limit exceeded", "limitexceeded", "quota", "maximum number of", "limit .*reached", "exceed.* limit", "toomany" }
local CAPACITY = { "insufficient.*capacity", "insufficientinstancecapacity", "sufficient capacity", "unfulfillablecapacity" }
local AUTH = { "not authorized", "accessdenied", "access denied", "unauthorizedoperation", "status code: 403" }

local HINT = {
  quota = "free some of it, or ask for more in Service Quotas, then run it again",
  capacity = "AWS has none left there now: another zone, another time, or a reservation",
  auth = "the policies of whoever deploys, or of the stack's role, do not allow it",
}

local function any(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
end

--- The cause that a reason tells.
---@param reason string
---@return adt.Cause
function M.cause(reason)
  local text = reason:lower()
  if any(text, AUTH) then return "auth" end
  if any(text, CAPACITY) then return "capacity" end
  if any(text, QUOTA) then return "quota" end
  return "service"
end

-- Resources that were only stopped because another one failed, and those that only hold the one that did.
local function is_echo(event)
  local reason = (event.ResourceStatusReason or ""):lower()
  return reason:find "cancelled" ~= nil or reason:find "^the following resource" ~= nil
end

--- The resource that failed first of its own accord.
---@param failures table[] events, oldest first
---@return table?
function M.first(failures)
  local holder
  for _, event in ipairs(failures) do
    if not is_echo(event) then
      if event.ResourceType ~= "AWS::CloudFormation::Stack" then return event end
      holder = holder or event
    end
  end
  return holder or failures[1]
end

local function sentence(event)
  return ("%s (%s): %s"):format(event.LogicalResourceId, event.ResourceType, event.ResourceStatusReason or event.ResourceStatus)
end

local function halves(failures)
  local made, undone = {}, {}
  for _, event in ipairs(failures) do
    local list = event.rolling_back and undone or made
    list[#list + 1] = event
  end
  return made, undone
end

local ROLLED_BACK = { ROLLBACK_COMPLETE = true, UPDATE_ROLLBACK_COMPLETE = true, IMPORT_ROLLBACK_COMPLETE = true }

--- The error of a stack that did not come to be what was asked for.
---@param stack adt.cfn.Stack
---@param failures table[] events of resources that failed, oldest first; `rolling_back` on those of the rollback
---@return adt.Error
function M.of_deploy(stack, failures)
  local made, undone = halves(failures)
  local first = M.first(made) or M.first(undone)
  local reason = first and sentence(first) or stack.reason or "no reason is known"
  local cause = M.cause(first and first.ResourceStatusReason or reason)
  local fields = { cause = cause, where = stack.name, resource = first and first.LogicalResourceId, stack_status = stack.status }
  if ROLLED_BACK[stack.status] then
    fields.code = "StackRolledBack"
    fields.message = ("stack '%s' failed and was rolled back: %s"):format(stack.name, reason)
    fields.hint = HINT[cause] or "mend what the reason names, then run it again"
  elseif stack.status:match "ROLLBACK_FAILED$" then
    local second = M.first(undone)
    fields.code = "StackRollbackFailed"
    fields.message = ("stack '%s' failed: %s; its rollback failed too: %s"):format(stack.name, reason,
      second and sentence(second) or stack.reason or stack.status)
    fields.hint = stack.status == "UPDATE_ROLLBACK_FAILED" and M.STUCK_HINT or "mend what the second reason names, then run it again"
  else
    fields.code = "StackFailed"
    fields.message = ("stack '%s' is %s: %s"):format(stack.name, stack.status, reason)
    fields.hint = HINT[cause] or "mend what the reason names, then run it again"
  end
  return errors.new(fields)
end

--- What to do with a stack whose rollback of an update failed.
M.STUCK_HINT = "mend what stopped the rollback, then `aws cloudformation continue-update-rollback --stack-name NAME` "
  .. "(--resources-to-skip leaves some as they are), then run it again"

--- The error of a stack that could not be deleted.
---@param stack adt.cfn.Stack
---@param failures table[]
---@return adt.Error
function M.of_deletion(stack, failures)
  local first = M.first(failures)
  local reason = first and sentence(first) or stack.reason or "no reason is known"
  return errors.new { cause = M.cause(first and first.ResourceStatusReason or reason), code = "DeleteFailed", where = stack.name,
    resource = first and first.LogicalResourceId,
    message = ("stack '%s' could not be deleted: %s"):format(stack.name, reason),
    hint = "take away what still uses it, then say down again" }
end

return M
