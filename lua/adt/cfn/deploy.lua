--- Deploying a stack through a change set: whatever state it is in, in the end there is one, and it is what was asked for.
local errors = require "adt.error"
local changes = require "adt.cfn.changes"
local events = require "adt.cfn.events"
local failure = require "adt.cfn.failure"
local place = require "adt.cfn.place"

local M = {}

---@class adt.cfn.Spec
---@field name string of the stack
---@field template adt.cfn.Template
---@field parameters? table<string, any>
---@field capabilities? string[] "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"
---@field tags? table<string, string>
---@field bucket? string where a template of more than 51,200 bytes is put
---@field protect? boolean termination protection; nil leaves it as it is
---@field owner adt.cfn.Owner
---@field emit? fun(event: table)
---@field patience? number seconds for which nobody may answer

---@class adt.cfn.Result
---@field name string
---@field id string
---@field region? string
---@field outputs table<string, string>

local DEAD = { ROLLBACK_COMPLETE = true, ROLLBACK_FAILED = true, CREATE_FAILED = true, DELETE_FAILED = true }

local function result_of(d, stack)
  return { name = stack.name, id = stack.id, region = d.cf.region, outputs = stack.outputs }
end

local function note(d, text, ...)
  if d.spec.emit then d.spec.emit { type = "note", level = "info", text = text:format(...) } end
end

local function busy(stack)
  errors.raise { cause = "busy", code = "StackBusy", where = stack.name,
    message = ("stack '%s' is %s, by somebody else"):format(stack.name, stack.status),
    hint = "wait until that has ended, then run it again; an update can be stopped by `aws cloudformation cancel-update-stack`" }
end

-- --- ends ------------------------------------------------------------------------------------------------------------

local function is_good(status)
  return status == "CREATE_COMPLETE" or status == "UPDATE_COMPLETE" or status == "IMPORT_COMPLETE"
end

local function set_protection(d, stack)
  local wanted = d.spec.protect
  if wanted ~= nil and wanted ~= stack.protected then
    d.cf:UpdateTerminationProtection { StackName = stack.id, EnableTerminationProtection = wanted }
  end
end

local function follow(d, stack, o)
  o = o or {}
  return events.follow(d.cf, { name = stack.name, id = stack.id, token = o.token, seen = o.seen, emit = d.spec.emit, deleting = o.deleting,
    patience = d.spec.patience })
end

local function finish(d, stack, failures)
  if not stack or not is_good(stack.status) then
    if not stack or stack.status == "DELETE_COMPLETE" then
      errors.raise { cause = "cancelled", code = "StackGone", where = d.spec.name,
        message = ("somebody has deleted stack '%s' while it was made"):format(d.spec.name), hint = "run it again" }
    end
    error(failure.of_deploy(stack, failures), 0)
  end
  set_protection(d, stack)
  return result_of(d, stack)
end

-- --- one operation ---------------------------------------------------------------------------------------------------

local function is_running(err)
  return errors.is(err) and (err.code:find "InvalidChangeSetStatus" ~= nil or err.code:find "OperationInProgress" ~= nil)
end

-- Executed once whatever happens: a second request for the same change set is refused by the service.
local function execute(d, set, seen)
  d.begun = true
  local ok, err = pcall(d.cf.ExecuteChangeSet, d.cf, { ChangeSetName = set.ChangeSetId, StackName = set.StackId,
    ClientRequestToken = set.ChangeSetName })
  if not ok and not is_running(err) then error(err, 0) end
  local stack, failures = follow(d, { name = d.spec.name, id = set.StackId }, { token = set.ChangeSetName, seen = seen })
  return finish(d, stack, failures)
end

local function create(d)
  local set = changes.make(d.where, d.cf, d.spec, "CREATE", place.token(d.base))
  if not set then
    errors.raise { cause = "service", code = "NothingToCreate", message = ("stack '%s' would have no resource"):format(d.spec.name),
      hint = "look at the template's conditions" }
  end
  return execute(d, set)
end

local function update(d, stack)
  local seen = events.mark(d.cf, stack.id)
  local set = changes.make(d.where, d.cf, d.spec, "UPDATE", place.token(d.base), stack.tags)
  if not set then
    note(d, "stack '%s' is as it should be", stack.name)
    set_protection(d, stack)
    return result_of(d, stack)
  end
  return execute(d, set, seen)
end

local function remove(d, stack, why)
  note(d, "stack '%s' is %s, %s: it is deleted and made anew", stack.name, stack.status, why)
  local seen = events.mark(d.cf, stack.id)
  d.begun = true
  d.cf:DeleteStack { StackName = stack.id, ClientRequestToken = place.token(d.base) }
  local last, failures = follow(d, stack, { seen = seen, deleting = true })
  if last and last.status ~= "DELETE_COMPLETE" then error(failure.of_deletion(last, failures), 0) end
end

-- --- stacks that were never made -------------------------------------------------------------------------------------

-- The change sets of a stack in review tell whose it is: the stack itself has no tags yet.
local function review(d, stack)
  local mine
  local ours = place.is_ours(stack.tags, d.spec.owner)
  for summary in d.cf:items("ListChangeSets", { StackName = stack.id }) do
    local set = changes.read(d.cf, summary.ChangeSetId, stack.id)
    local tags = {}
    for _, tag in ipairs(set and set.Tags or {}) do tags[tag.Key] = tag.Value end
    if set and place.is_ours(tags, d.spec.owner) then
      ours = true
      if place.is_token(set.ChangeSetName, d.base) then mine = set end
    end
  end
  return ours, mine
end

local function go_on(d, stack)
  local ours, set = review(d, stack)
  if not ours then
    errors.raise { cause = "usage", code = "StackTaken", where = stack.name,
      message = ("stack '%s' is in review: a change set of somebody else waits for its execution"):format(stack.name),
      hint = "it is left as it is; choose another name with --name" }
  end
  set = set and changes.made(d.cf, set.ChangeSetId, stack.id)
  if set and set.Status == "CREATE_COMPLETE" and (set.ExecutionStatus == nil or set.ExecutionStatus == "AVAILABLE") then return execute(d, set) end
  if set and set.ExecutionStatus and set.ExecutionStatus:match "IN_PROGRESS" then return execute(d, set) end
  remove(d, stack, "left by an attempt that never began")
end

-- --- what stands -----------------------------------------------------------------------------------------------------

-- Whose operation is under way: this step's, this run's, or somebody else's.
local function operator(d, stack)
  local token = place.last_token(d.cf, stack.id)
  if place.is_token(token, d.base) then return "step", token end
  local run = d.spec.owner.run
  if run and (token and token:sub(1, #run + 1) == run .. "-" or not token and stack.tags["adtlua:run"] == run) then return "run", token end
  return "other", token
end

--- What an earlier start of this step has come to. Follows it where it is under way.
---@param d table
---@param stack adt.cfn.Stack?
---@return adt.cfn.Result?
local function outcome(d, stack)
  if not stack or not place.is_ours(stack.tags, d.spec.owner) or stack.status == "REVIEW_IN_PROGRESS" then return nil end
  local who, token = operator(d, stack)
  local made = stack.tags["adtlua:key"] == d.spec.owner.key and stack.status:match "^CREATE_"
  if who ~= "step" and not made then return nil end
  local failures
  if stack.status:match "_IN_PROGRESS$" and not stack.status:match "^DELETE_" then
    stack, failures = follow(d, stack, { token = token })
  end
  if stack and is_good(stack.status) then return finish(d, stack, failures or {}) end
end

local function under_way(d, stack)
  local who, token = operator(d, stack)
  if who == "other" then busy(stack) end
  d.begun = true
  note(d, "stack '%s' is %s since before the interruption; it is followed", stack.name, stack.status)
  local last, failures = follow(d, stack, { token = token })
  if who == "step" and last and last.status ~= "DELETE_COMPLETE" and not DEAD[last.status] then return finish(d, last, failures) end
end

local function attempt(d)
  local stack = place.describe(d.cf, d.spec.name)
  if not stack or stack.status == "DELETE_COMPLETE" then return create(d) end
  if stack.status == "REVIEW_IN_PROGRESS" then return go_on(d, stack) end
  place.check_owner(stack, d.spec.owner)
  if DEAD[stack.status] then return remove(d, stack, "left by an attempt that failed") end
  if stack.status == "UPDATE_ROLLBACK_FAILED" then
    errors.raise { cause = "service", code = "StackStuck", where = stack.name,
      message = ("stack '%s' is UPDATE_ROLLBACK_FAILED: %s"):format(stack.name, stack.reason or "an update failed, and its rollback too"),
      hint = (failure.STUCK_HINT:gsub("NAME", stack.name)) }
  end
  if stack.status:match "_IN_PROGRESS$" then return under_way(d, stack) end
  return update(d, stack)
end

local function start(where, spec)
  return { where = where, spec = spec, cf = place.client(where), base = place.token_base(spec.owner.key) }
end

--- Makes the stack what the spec says, and follows it to its end.
---@param where adt.aws.ClientOptions|adt.aws.Client
---@param spec adt.cfn.Spec
---@return adt.cfn.Result
function M.deploy(where, spec)
  local d = start(where, spec)
  local found = outcome(d, place.describe(d.cf, spec.name))
  if found then return found end
  for _ = 1, 4 do
    local ok, result = xpcall(attempt, errors.handler, d)
    -- Who was not allowed to begin has lost nothing.
    if not ok and not d.begun and result.cause == "auth" then error(result, 0) end
    if not ok then error(events.lost(result, ("stack '%s'"):format(spec.name)), 0) end
    if result then return result end
  end
  errors.raise { cause = "unknown", code = "StackUnsettled", where = spec.name,
    message = ("stack '%s' has changed its state again and again"):format(spec.name), hint = "look who else works on it, then run it again" }
end

--- What an interrupted deploy with the same key has come to, followed to its end; nil when it is to be done again.
---@param where adt.aws.ClientOptions|adt.aws.Client
---@param spec adt.cfn.Spec
---@return adt.cfn.Result?
function M.find(where, spec)
  local d = start(where, spec)
  return outcome(d, place.describe(d.cf, spec.name))
end

--- What an interrupted deploy may have left, in whatever state: to be deleted.
---@param where adt.aws.ClientOptions|adt.aws.Client
---@param spec adt.cfn.Spec
---@return adt.cfn.Result?
function M.left(where, spec)
  local d = start(where, spec)
  local stack = place.describe(d.cf, spec.name)
  if not stack or stack.status == "DELETE_COMPLETE" then return nil end
  if stack.status == "REVIEW_IN_PROGRESS" then return (review(d, stack)) and result_of(d, stack) or nil end
  return place.is_ours(stack.tags, spec.owner) and result_of(d, stack) or nil
end

return M
