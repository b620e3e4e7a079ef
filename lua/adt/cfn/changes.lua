--- Change sets: made, read, deleted; what each would do to each resource, for plans.
local errors = require "adt.error"
local events = require "adt.cfn.events"
local guard = require "adt.guard"
local json = require "adt.json"
local pending = require "adt.pending"
local place = require "adt.cfn.place"
local s3 = require "adt.s3"
local task = require "adt.task"
local template = require "adt.cfn.template"
local time = require "adt.time"

local M = {}

-- Resources that hold data: what replaces or removes them loses it.
local HOLDS_DATA = {
  ["AWS::S3::Bucket"] = true, ["AWS::FSx::FileSystem"] = true, ["AWS::FSx::Volume"] = true, ["AWS::EFS::FileSystem"] = true,
  ["AWS::EC2::Volume"] = true, ["AWS::RDS::DBInstance"] = true, ["AWS::RDS::DBCluster"] = true, ["AWS::DynamoDB::Table"] = true,
  ["AWS::DynamoDB::GlobalTable"] = true, ["AWS::Logs::LogGroup"] = true, ["AWS::ECR::Repository"] = true,
  ["AWS::SecretsManager::Secret"] = true, ["AWS::KMS::Key"] = true, ["AWS::APS::Workspace"] = true, ["AWS::Redshift::Cluster"] = true,
  ["AWS::ElastiCache::CacheCluster"] = true, ["AWS::S3Express::DirectoryBucket"] = true,
}

--- Whether resources of a type hold data.
---@param kind string
---@return boolean
function M.holds_data(kind)
  return HOLDS_DATA[kind] or false
end

-- --- what is sent ----------------------------------------------------------------------------------------------------

local function in_bucket(where, spec)
  local bucket = spec.bucket
  if not bucket then
    errors.raise { cause = "usage", code = "TemplateTooLarge", where = spec.template.file,
      message = ("the template has %d bytes; CloudFormation takes %d with a request, more from a bucket"):format(spec.template.size, template.INLINE),
      hint = "name a bucket: bucket = \"NAME\"" }
  end
  local client = where.service and nil or place.client(where, "s3")
  if not client then
    errors.raise { cause = "usage", code = "BadArgument", message = "a template from a bucket needs the options of clients, not a client" }
  end
  local key = ("adtlua/templates/%s.template"):format(spec.template.digest)
  local url = s3.url(bucket, key)
  if not s3.exists(url, { client = client }) then
    s3.put({ text = spec.template.text }, url, { client = client })
  end
  return ("%s/%s/%s"):format(client.endpoint:gsub("/$", ""), bucket, key)
end

local function parameters_of(spec)
  local list = {}
  for name, value in pairs((spec.template:values(spec.parameters))) do
    list[#list + 1] = { ParameterKey = name, ParameterValue = value }
  end
  table.sort(list, function(a, b) return a.ParameterKey < b.ParameterKey end)
  return list
end

local NESTED = "AWS::CloudFormation::Stack"

local function has_nested(tpl)
  for _, resource in pairs(tpl.resources) do
    if resource.Type == NESTED then return true end
  end
  return false
end

local function request(where, spec, kind, name, before, planning)
  local large = spec.template.size > template.INLINE
  return {
    StackName = spec.name, ChangeSetName = name, ClientToken = name, ChangeSetType = kind,
    TemplateBody = not large and spec.template.text or nil, TemplateURL = large and in_bucket(where, spec) or nil,
    Parameters = parameters_of(spec), Capabilities = spec.capabilities, IncludeNestedStacks = planning and has_nested(spec.template) or nil,
    Tags = place.tags(spec.tags, spec.owner, before), Description = ("adtlua %s, %s"):format(spec.owner.recipe, spec.owner.name),
  }
end

-- --- what is refused -------------------------------------------------------------------------------------------------

local function lacking(spec, text)
  local list = text:match "%[(.-)%]" or text:match "CAPABILITY_[%u_]+" or spec.template:capability() or "CAPABILITY_IAM"
  return errors.new { cause = "usage", code = "InsufficientCapabilities", where = spec.template.file,
    message = ("stack '%s' makes what needs %s, which nobody has allowed"):format(spec.name, list),
    hint = ("after reading what it makes, add capabilities = { \"%s\" }"):format(list:gsub("%s*,%s*", "\", \"")) }
end

-- The place in the template of what the service complains of: the line of the first resource that it names.
local function line_of(tpl, text)
  for id in text:gmatch "[%w:]+" do
    if tpl.resources[id] then
      local n = 0
      for line in (tpl.text .. "\n"):gmatch "(.-)\n" do
        n = n + 1
        if line:match("^%s*[\"']?" .. id .. "[\"']?%s*:") then return ("%s:%d"):format(tpl.file, n), id end
      end
    end
  end
  return tpl.file
end

local function refused(spec, text, inner)
  if text:find "[Rr]equires capabilities" or inner and inner.code:find "InsufficientCapabilities" then return lacking(spec, text) end
  local at, id = line_of(spec.template, text)
  return errors.new { cause = "usage", code = "TemplateRefused", where = at, resource = id, inner = inner,
    message = ("CloudFormation refuses the template of stack '%s': %s"):format(spec.name, text),
    hint = "mend the template or its parameters" }
end

-- --- making one ------------------------------------------------------------------------------------------------------

local NOTHING = { "didn't contain changes", "No updates are to be performed", "no changes", "contains no changes" }

local function has_nothing(answer)
  for _, text in ipairs(NOTHING) do
    if (answer.StatusReason or ""):find(text, 1, true) then return true end
  end
  return false
end

M.has_nothing = has_nothing

--- What is known of a change set; nil when there is none.
---@param cf adt.aws.Client
---@param name string its ARN, or its name
---@param stack? string
---@param values? boolean with the values of properties
---@return table?
function M.read(cf, name, stack, values)
  local all
  local ok, err = pcall(function()
    for page in cf:pages("DescribeChangeSet", { ChangeSetName = name, StackName = stack, IncludePropertyValues = values or nil }) do
      if not all then
        all = page
        all.Changes = all.Changes or {}
      else
        for _, change in ipairs(page.Changes or {}) do table.insert(all.Changes, change) end
      end
    end
  end)
  if ok then return all end
  if errors.is(err) and (err.code:find "ChangeSetNotFound" or place.is_missing(err)) then return nil end
  error(err, 0)
end

local LONGEST = 900

--- Waits until a change set is made, or was found to be nothing.
---@param cf adt.aws.Client
---@param id string
---@param stack string
---@param values? boolean
---@return table? answer nil when it is gone
function M.made(cf, id, stack, values)
  local deadline, pause = time.monotonic() + LONGEST, math.min(0.3, events.poll.first)
  while true do
    local answer = M.read(cf, id, stack, values)
    if not answer or not answer.Status:match "_IN_PROGRESS$" and not answer.Status:match "_PENDING$" then return answer end
    if time.monotonic() > deadline then
      errors.raise { cause = "timeout", code = "ChangeSetTimeout", where = stack,
        message = ("the change set of stack '%s' was not made in %d s"):format(stack, LONGEST), hint = "resume the run: it is looked for again" }
    end
    task.sleep(pause)
    pause = math.min(pause * events.poll.factor, events.poll.most)
  end
end

local DEEPEST = 16

-- The change sets of the stacks in it, and of those in these: each at the change of its stack, as `inner`.
local function expand(cf, answer, depth)
  for _, change in ipairs(answer.Changes) do
    local r = change.ResourceChange
    if r and r.ChangeSetId and depth < DEEPEST then
      r.inner = M.read(cf, r.ChangeSetId, nil, true)
      if r.inner then expand(cf, r.inner, depth + 1) end
    end
  end
end

-- Of a change set that failed because of one in it, that one's reason.
local function reason_of(cf, answer)
  local inner = (answer.StatusReason or ""):match "^Nested change set (arn:%S+)"
  local set = inner and M.read(cf, inner)
  return set and set.StatusReason and ("%s: %s"):format(set.StackName, set.StatusReason) or answer.StatusReason
end

--- Makes a change set and waits for it. Its failure is raised as what it means, and leaves nothing.
---@param where adt.aws.ClientOptions|adt.aws.Client
---@param cf adt.aws.Client
---@param spec adt.cfn.Spec
---@param kind "CREATE"|"UPDATE"
---@param name string also the token of the request
---@param before? table<string, string> the tags of the stack
---@param planning? boolean with the values of properties, and with what becomes of the stacks in it; it cannot be executed
---@return table? answer nil when there is nothing to change
function M.make(where, cf, spec, kind, name, before, planning)
  local asked = request(where, spec, kind, name, before, planning)
  local ok, made = pcall(cf.CreateChangeSet, cf, asked)
  if not ok then
    if errors.is(made) and (made.code == "ValidationError" or made.code:find "InsufficientCapabilities") then
      local text = made.message:gsub("^cloudformation CreateChangeSet: ", "")
      error(refused(spec, text, made), 0)
    end
    error(made, 0)
  end
  local answer = M.made(cf, made.Id, made.StackId, planning)
  if answer and planning then expand(cf, answer, 0) end
  if answer and answer.Status ~= "FAILED" then return answer end
  if answer and has_nothing(answer) then
    M.delete(cf, answer)
    return nil
  end
  local reason = answer and reason_of(cf, answer) or "its change set is gone"
  if kind == "CREATE" then cf:DeleteStack { StackName = made.StackId } elseif answer then M.delete(cf, answer) end
  error(refused(spec, reason, nil), 0)
end

-- Stacks that are there only because a change set with the stacks in it was asked for.
local function in_review(answer, list)
  for _, change in ipairs(answer.Changes) do
    local r = change.ResourceChange
    if r and r.inner then
      if r.Action == "Add" then list[#list + 1] = r.inner.StackId end
      in_review(r.inner, list)
    end
  end
  return list
end

--- Deletes a change set and those of the stacks in it; the stacks stay as they are.
---@param cf adt.aws.Client
---@param answer table
function M.delete(cf, answer)
  local added = in_review(answer, {})
  local ok, err = pcall(cf.DeleteChangeSet, cf, { ChangeSetName = answer.ChangeSetId, StackName = answer.StackId })
  if not ok and not (errors.is(err) and (err.code:find "ChangeSetNotFound" or place.is_missing(err))) then error(err, 0) end
  for _, id in ipairs(added) do
    local stack = place.describe(cf, id)
    if stack and stack.status == "REVIEW_IN_PROGRESS" then cf:DeleteStack { StackName = id } end
  end
end

-- --- what it would do ------------------------------------------------------------------------------------------------

---@class adt.cfn.Change
---@field action "add"|"modify"|"remove"|"import"
---@field id string logical id
---@field kind string type
---@field physical? string
---@field replacement? "yes"|"perhaps"
---@field data_loss? boolean
---@field properties? { name: string, before: any, after: any, recreates: string? }[]
---@field within? string logical ids of the stacks in the stack that it is in, "Inner/Deeper"
---@field perhaps? boolean something that is not known yet decides whether it is made

local REPLACEMENT = { True = "yes", Conditional = "perhaps" }

local function property(detail)
  local target = detail.Target or {}
  local name = target.Attribute ~= "Properties" and target.Attribute or target.Name
  return { name = (target.Path or ""):gsub("^/Properties/", "") ~= "" and (target.Path:gsub("^/Properties/", "")) or name or "?",
    before = target.BeforeValue, after = target.AfterValue,
    recreates = target.RequiresRecreation ~= "Never" and target.RequiresRecreation or nil }
end

-- The same property may stand there twice: as changed itself, and by what it refers to. "Automatic" is no property: a
-- stack in a stack is always looked at.
local function properties(r)
  local list, seen = {}, {}
  for _, detail in ipairs(r.Details or {}) do
    local p = property(detail)
    if detail.ChangeSource == "Automatic" then
      seen[p.name] = seen[p.name] or p
    elseif not seen[p.name] then
      seen[p.name] = p
      list[#list + 1] = p
    elseif p.before or p.after then
      seen[p.name].before, seen[p.name].after = seen[p.name].before or p.before, seen[p.name].after or p.after
    end
  end
  return #list > 0 and list or nil
end

local function context_difference(r)
  local ok, before = pcall(json.decode, r.BeforeContext or "")
  local ok2, after = pcall(json.decode, r.AfterContext or "")
  if not ok or not ok2 then return nil end
  local list = {}
  local a, b = before.Properties or {}, after.Properties or {}
  local names = {}
  for name in pairs(a) do names[name] = true end
  for name in pairs(b) do names[name] = true end
  for name in pairs(names) do
    local x, y = a[name] ~= nil and json.encode(a[name]) or nil, b[name] ~= nil and json.encode(b[name]) or nil
    if x ~= y then list[#list + 1] = { name = name, before = x, after = y } end
  end
  table.sort(list, function(one, other) return one.name < other.name end)
  return #list > 0 and list or nil
end

--- A resource's change as plans show it.
---@param change table of DescribeChangeSet
---@return adt.cfn.Change?
function M.of(change)
  local r = change.ResourceChange
  if not r then return nil end
  local action = r.Action:lower()
  local one = { action = action, id = r.LogicalResourceId, kind = r.ResourceType, physical = r.PhysicalResourceId,
    replacement = REPLACEMENT[r.Replacement] }
  one.properties = properties(r)
  if not one.properties and action == "modify" then one.properties = context_difference(r) end
  local retained = r.PolicyAction == "Retain" or r.PolicyAction == "ReplaceAndRetain"
  if HOLDS_DATA[one.kind] and not retained and (action == "remove" or one.replacement) then one.data_loss = true end
  return one
end

local ORDER = { remove = 1, modify = 2, add = 3, import = 4, dynamic = 5 }

-- A stack in it that was only looked at, and in which nothing is to change.
local function is_untouched(r, one)
  return one.kind == NESTED and one.action == "modify" and not one.properties and r.inner and r.inner.Status == "FAILED" and M.has_nothing(r.inner)
end

local function sorted(answer)
  local list, inner = {}, {}
  for _, change in ipairs(answer.Changes) do
    local one = M.of(change)
    if one and not is_untouched(change.ResourceChange, one) then
      list[#list + 1] = one
      inner[one] = change.ResourceChange.inner
    end
  end
  table.sort(list, function(a, b)
    if a.action ~= b.action then return (ORDER[a.action] or 9) < (ORDER[b.action] or 9) end
    return a.id < b.id
  end)
  return list, inner
end

--- The changes of a change set, removals first; those of a stack in it follow that stack.
---@param answer table of DescribeChangeSet, with `inner` at the changes of stacks
---@param within? string
---@return adt.cfn.Change[]
function M.listed(answer, within)
  local all = {}
  local list, inner = sorted(answer)
  for _, one in ipairs(list) do
    one.within = within
    all[#all + 1] = one
    if inner[one] then
      for _, deeper in ipairs(M.listed(inner[one], (within and within .. "/" or "") .. one.id)) do all[#all + 1] = deeper end
    end
  end
  return all
end

-- Outputs are in no change set: nothing changes for sure where the template is the same.
local function same_template(cf, spec)
  local ok, answer = pcall(cf.GetTemplate, cf, { StackName = spec.name })
  return ok and answer.TemplateBody == spec.template.text
end

local function additions(spec, region)
  local list = {}
  for _, resource in ipairs(spec.template:evaluate(spec.parameters, { ["AWS::Region"] = region, ["AWS::StackName"] = spec.name }).resources) do
    list[#list + 1] = { action = "add", id = resource.id, kind = resource.type, perhaps = resource.perhaps }
  end
  return list
end

local HEALED = { ROLLBACK_COMPLETE = true, ROLLBACK_FAILED = true, CREATE_FAILED = true, REVIEW_IN_PROGRESS = true, DELETE_FAILED = true }

-- A change set is asked for and taken away again: the stack itself stays as it is, so a plan may do it.
local function asked(where, cf, spec, stack)
  local answer = guard.asking(M.make, where, cf, spec, "UPDATE", place.token("plan-" .. place.token_base(spec.owner.key)), stack.tags, true)
  if not answer then return { what = "none", list = {}, stack = stack } end
  guard.asking(M.delete, cf, answer)
  local list = M.listed(answer)
  if #list == 0 and #answer.Changes > 0 and same_template(cf, spec) then return { what = "none", list = {}, stack = stack } end
  return { what = "update", list = list, stack = stack }
end

---@class adt.cfn.Changes
---@field what "create"|"recreate"|"update"|"none"|"unknown" recreate: a failed attempt of ours is deleted first
---@field list adt.cfn.Change[] each resource's change; removals first
---@field stack? adt.cfn.Stack what is there
---@field on? string what it depends on, when that is not known yet

--- What deploying would do. For a new stack the template tells it, and nothing is made; for one that is there a change
--- set is made, read and deleted again.
---@param where adt.aws.ClientOptions|adt.aws.Client
---@param spec adt.cfn.Spec
---@return adt.cfn.Changes  # raises: usage "StackTaken", "BadParameter", "TemplateRefused", "InsufficientCapabilities"
function M.changes(where, spec)
  local cf = place.client(where)
  local stack = place.describe(cf, spec.name)
  if not stack or stack.status == "DELETE_COMPLETE" then
    return { what = "create", list = additions(spec, cf.region) }
  end
  if stack.status ~= "REVIEW_IN_PROGRESS" then place.check_owner(stack, spec.owner) end
  if HEALED[stack.status] then
    return { what = "recreate", list = additions(spec, cf.region), stack = stack }
  end
  local on = pending.find(spec.parameters or {})
  if on then return { what = "unknown", list = {}, stack = stack, on = tostring(on) } end
  if stack.status:match "_IN_PROGRESS$" then return { what = "unknown", list = {}, stack = stack, on = "what is under way: " .. stack.status } end
  return asked(where, cf, spec, stack)
end

return M
