--- A CloudFormation stack as a step: made once whatever interrupts it, found again, changed, and deleted by `down`.
local cfn = require "adt.cfn"
local deploy = require "adt.cfn.deploy"
local errors = require "adt.error"
local path = require "adt.path"
local pending = require "adt.pending"
local place = require "adt.cfn.place"

local M = {}

---@class adt.StackSpec
---@field template string "vpc/vpc.yaml": below the recipe's templates; or an absolute path
---@field parameters? table<string, any> of the template: texts, numbers, booleans, lists
---@field stack? string name of the stack, default the name of what outlives the run (--name)
---@field region? string default the recipe's parameter of that name, then as of every client
---@field profile? string the same
---@field client? adt.aws.ClientOptions more of them: endpoint, credentials, retry
---@field capabilities? string[]
---@field tags? table<string, string>
---@field bucket? string for a template of more than 51,200 bytes
---@field protect? boolean termination protection
---@field keep? boolean|string `down` spares it without --with-data
---@field patience? number seconds for which nobody may answer

---@class adt.StackResult
---@field name string
---@field id string
---@field region? string
---@field outputs table<string, string> also as fields of the result itself
---@field found? boolean another run has made it: this one does not take it down

local SPEC = { "template", "parameters", "stack", "region", "profile", "client", "capabilities", "tags", "bucket", "protect", "keep", "patience" }

local function template_file(ctx, name)
  if name:sub(1, 1) == "/" then return name end
  local folder, rest = name:match "^([^/]+)/(.+)$"
  if not folder then
    errors.raise { cause = "usage", code = "NoTemplate", message = ("'%s' names no template"):format(name),
      hint = "a folder below templates/ and the file in it: \"vpc/vpc.yaml\"" }
  end
  return path.join(ctx:template_dir(folder), rest)
end

local function where_of(ctx, spec)
  local where, params = {}, ctx.params or {}
  for key, value in pairs(spec.client or {}) do where[key] = value end
  where.region = spec.region or where.region or params.region
  where.profile = spec.profile or where.profile or params.profile
  return where
end

local function spec_of(ctx, name, given, emit)
  errors.check_options("ctx:stack", given, SPEC)
  if type(given.template) ~= "string" then
    errors.raise { cause = "usage", code = "BadArgument", message = ("stack '%s' needs a template"):format(name),
      hint = "template = \"vpc/vpc.yaml\"" }
  end
  return cfn.spec { name = given.stack or ctx.name, template = template_file(ctx, given.template), parameters = given.parameters,
    capabilities = given.capabilities, tags = given.tags, bucket = given.bucket, protect = given.protect, patience = given.patience,
    emit = emit, owner = { recipe = ctx.recipe.name, name = ctx.name, run = ctx.id } }
end

local function with_key(spec, key)
  local copy = {}
  for k, v in pairs(spec) do copy[k] = v end
  copy.owner = { recipe = spec.owner.recipe, name = spec.owner.name, run = spec.owner.run, key = key }
  return copy
end

-- The journal holds plain data; in a recipe `net.VpcId` is `net.outputs.VpcId`, as it is in a plan.
local function with_outputs(result)
  if pending.is(result) or type(result) ~= "table" then return result end
  local copy = {}
  for k, v in pairs(result) do copy[k] = v end
  copy.outputs = copy.outputs or {}
  return setmetatable(copy, { __index = copy.outputs })
end

-- --- what is there, for ctx:use --------------------------------------------------------------------------------------

local GOOD = { CREATE_COMPLETE = true, UPDATE_COMPLETE = true, UPDATE_ROLLBACK_COMPLETE = true, IMPORT_COMPLETE = true }

-- A recipe that uses another one takes what stands under that name, whoever made it, and leaves it standing.
local function adopted(ctx, where, spec)
  if not ctx.adopts then return nil end
  local cf = place.client(where)
  local stack = place.describe(cf, spec.name)
  if not stack or not GOOD[stack.status] or stack.tags["adtlua:run"] == ctx.id then return nil end
  place.check_owner(stack, spec.owner)
  return { name = stack.name, id = stack.id, region = cf.region, outputs = stack.outputs, found = true }
end

-- --- plan ------------------------------------------------------------------------------------------------------------

local WORDS = { create = "makes a stack of %d resource%s", recreate = "deletes what a failed attempt has left, makes a stack of %d resource%s",
  update = "changes %d resource%s" }

local function detail_of(spec, found)
  local text = (WORDS[found.what] or "may change it"):format(#found.list, #found.list == 1 and "" or "s")
  if found.what == "unknown" then text = text .. ", depending on " .. found.on end
  return ("stack '%s': %s"):format(spec.name, text)
end

local function plan(ctx, name, options, where, spec)
  local there = adopted(ctx, where, spec)
  local found = not there and cfn.changes(where, with_key(spec, "plan")) or nil
  if found and found.what == "none" then
    there = { name = found.stack.name, id = found.stack.id, region = place.client(where).region, outputs = found.stack.outputs }
  end
  options.exists = function() return there end
  options.detail = found and detail_of(spec, found)

  local result = ctx.door:pass(name, options, function() end)
  if not there and pending.is(result) then
    for _, change in ipairs(found.list) do
      ctx.emit { type = "change", stage = ctx.stage, step = (ctx.prefix or "") .. name, stack = spec.name, action = change.action,
        within = change.within, resource = change.id, kind = change.kind, id = change.physical, replacement = change.replacement,
        data_loss = change.data_loss, perhaps = change.perhaps, properties = change.properties }
    end
  end
  return result
end

-- --- the step --------------------------------------------------------------------------------------------------------

local function check_place(before, spec, region)
  if before.name ~= spec.name or before.region ~= region then
    errors.raise { cause = "usage", code = "StackMoved",
      message = ("this run's stack is '%s' in %s; it cannot become '%s' in %s"):format(before.name, tostring(before.region), spec.name,
        tostring(region)),
      hint = "say down first, or begin a new run" }
  end
end

local function undo(ctx, where, spec, result, key)
  if result.found then
    ctx:note("stack '%s' was there before this run; it is left", result.name)
    return
  end
  local there = where
  if result.region and where.region == nil then
    there = {}
    for k, v in pairs(where) do there[k] = v end
    there.region = result.region
  end
  cfn.delete(there, { name = result.name, id = result.id, owner = with_key(spec, key).owner, with_data = ctx.door.with_data, emit = spec.emit,
    patience = spec.patience })
end

--- Makes a stack, or makes it what the spec says. Raises as cfn.deploy and cfn.delete.
---@param ctx adt.Context
---@param name string of the step
---@param given adt.StackSpec
---@return adt.StackResult result, or a pending value in a plan
function M.step(ctx, name, given)
  local where = where_of(ctx, given)
  local function emit(event)
    event.stage, event.step = ctx.stage, (ctx.prefix or "") .. name
    ctx.emit(event)
  end
  local spec = spec_of(ctx, name, given, emit)
  local function gone(record)
    return not record.result.found and cfn.describe(where, record.result.id) == nil
  end
  local options = {
    kind = "stack", keep = given.keep, again = gone,
    inputs = { template = spec.template.digest, parameters = spec.parameters or {}, stack = spec.name, region = where.region or "",
      tags = spec.tags or {}, protect = spec.protect == nil and "" or spec.protect },
    detail = ("stack '%s'"):format(spec.name),
    find = function(key) return (ctx.mode == "down" and deploy.left or deploy.find)(where, with_key(spec, key)) end,
    replace = function(result) check_place(result, spec, place.client(where).region) end,
    undo = function(result, key) undo(ctx, where, spec, result, key) end,
  }
  if ctx.mode == "plan" then return with_outputs(plan(ctx, name, options, where, spec)) end
  return with_outputs(ctx.door:pass(name, options, function(key)
    return adopted(ctx, where, spec) or deploy.deploy(where, with_key(spec, key))
  end))
end

return M
