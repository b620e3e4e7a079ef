--- A bucket for training: its name by S3's rules, and the checks of a live one, each with its evidence.
local aws = require "adt.aws"
local errors = require "adt.error"
local json = require "adt.json"
local pending = require "adt.pending"

local M = {}

local function usage(message, hint)
  errors.raise { cause = "usage", code = "BadBucketName", message = message, hint = hint }
end

-- --- names -----------------------------------------------------------------------------------------------------------

--- HyperPod's execution policies read only buckets whose names begin so.
M.LIFECYCLE = "sagemaker-"

local BEGINNINGS = { "xn--", "sthree-", "amzn-s3-demo-" }
local ENDS = { "-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3" }

local function problem(name)
  if #name < 3 or #name > 63 then return ("has %d characters"):format(#name), "3 to 63" end
  if not name:match "^[a-z0-9][a-z0-9.-]*[a-z0-9]$" then
    return "has characters that no bucket has", "small letters, digits, '-' and '.', a letter or digit first and last"
  end
  if name:find("..", 1, true) then return "has two dots in a row", "one at a time" end
  if name:match "^%d+%.%d+%.%d+%.%d+$" then return "looks like an address", "have a letter in it" end
  for _, text in ipairs(BEGINNINGS) do
    if name:sub(1, #text) == text then return ("begins with '%s', which S3 keeps for itself"):format(text), "begin it otherwise" end
  end
  for _, text in ipairs(ENDS) do
    if name:sub(-#text) == text then return ("ends with '%s', which S3 keeps for itself"):format(text), "end it otherwise" end
  end
end

--- Refuses a name that S3 would refuse.
---@param name string
---@return string name  # raises: usage "BadBucketName"
function M.check_name(name)
  local what, hint = problem(name)
  if what then usage(("'%s' is no name of a bucket: it %s"):format(name, what), hint) end
  return name
end

--- The bucket's name: the one given, or PREFIX-ACCOUNT-REGION, which nobody else has.
---@param o { name: string?, prefix: string, purpose: "data"|"lifecycle", region: string?, profile: string? }
---@return string  # raises: usage "BadBucketName"; what STS raises
function M.name(o)
  local name = o.name
  if not name then
    local prefix = o.prefix
    if o.purpose == "lifecycle" and prefix:sub(1, #M.LIFECYCLE) ~= M.LIFECYCLE then prefix = M.LIFECYCLE .. prefix end
    local sts = aws.client("sts", { region = o.region, profile = o.profile })
    name = ("%s-%s-%s"):format(prefix, sts:GetCallerIdentity({}).Account, sts.region)
  end
  M.check_name(name)
  if o.purpose == "lifecycle" and name:sub(1, #M.LIFECYCLE) ~= M.LIFECYCLE then
    usage(("'%s' cannot hold lifecycle scripts: HyperPod reads only buckets that begin with '%s'"):format(name, M.LIFECYCLE),
      ("did you mean '%s%s'?"):format(M.LIFECYCLE, name))
  end
  return name
end

-- --- checks ----------------------------------------------------------------------------------------------------------

---@class adt.aws.BucketCheck
---@field ctx adt.Context
---@field s3 adt.aws.Client
---@field name string
local Check = {}
Check.__index = Check

--- The questions about the bucket of a stack of templates/s3. In a plan they wait for the stack.
---@param ctx adt.Context
---@param stack adt.StackResult
---@param options? adt.aws.ClientOptions
---@return adt.aws.BucketCheck
function M.of(ctx, stack, options)
  local found = pending.find { stack, stack.outputs }
  if found then pending.stop(found) end
  local where = {}
  for key, value in pairs(options or {}) do where[key] = value end
  where.region = where.region or stack.region
  return setmetatable({ ctx = ctx, where = where, s3 = aws.client("s3", where), name = stack.outputs.Bucket }, Check)
end

-- What is not set is an error of S3; here it is an answer.
local function ask(self, operation)
  local answer, err = errors.try(self.s3[operation], self.s3, { Bucket = self.name })
  if answer ~= nil then return answer end
  if err.status == 404 then return {}, err.code end
  error(err, 0)
end

local BLOCKS = { "BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets" }

--- Nobody outside can read it: all four blocks, and no access lists.
function Check:private()
  local block = ask(self, "GetPublicAccessBlock").PublicAccessBlockConfiguration or {}
  local on = {}
  for _, name in ipairs(BLOCKS) do
    if block[name] then on[#on + 1] = name end
  end
  self.ctx:check("all four blocks of public access are on", #on == #BLOCKS, ("%s: %s"):format(self.name, #on > 0 and table.concat(on, ", ") or "none"))
  local rules = (ask(self, "GetBucketOwnershipControls").OwnershipControls or {}).Rules or {}
  local owner = rules[1] and rules[1].ObjectOwnership or "not set"
  self.ctx:check("the bucket's owner owns its objects, without access lists", owner == "BucketOwnerEnforced", owner)
end

local function list(value)
  return type(value) == "table" and value or { value }
end

local function has(values, wanted)
  for _, value in ipairs(list(values)) do
    if value == wanted then return true end
  end
  return false
end

local function denies_plain(self, statement)
  local secure = ((statement.Condition or {}).Bool or {})["aws:SecureTransport"]
  local arn = statement.Resource and list(statement.Resource)[1] or ""
  local partition = arn:match "^arn:([^:]+):" or "aws"
  local own = ("arn:%s:s3:::%s"):format(partition, self.name)
  local who = type(statement.Principal) == "table" and statement.Principal.AWS or statement.Principal
  return statement.Effect == "Deny" and tostring(secure) == "false" and has(statement.Action, "s3:*") and has(who, "*")
    and has(statement.Resource, own) and has(statement.Resource, own .. "/*")
end

--- Requests without TLS are denied, on the bucket and on its objects.
function Check:only_tls()
  local text = ask(self, "GetBucketPolicy").Policy
  local sid
  for _, statement in ipairs(text and list(json.decode(text).Statement) or {}) do
    if denies_plain(self, statement) then sid = statement.Sid or "a statement" end
  end
  self.ctx:check("requests without TLS are denied", sid ~= nil, sid and ("%s of the policy"):format(sid) or text and "no statement does" or "there is no policy")
end

--- What is written is encrypted.
function Check:encrypted()
  local rules = (ask(self, "GetBucketEncryption").ServerSideEncryptionConfiguration or {}).Rules or {}
  local by = ((rules[1] or {}).ApplyServerSideEncryptionByDefault or {}).SSEAlgorithm
  self.ctx:check("objects are encrypted by default", by ~= nil, by or "not set")
end

--- Versions are kept, or not, as asked.
---@param wanted boolean
function Check:versions(wanted)
  local status = ask(self, "GetBucketVersioning").Status
  self.ctx:check(wanted and "versions are kept" or "versions are not kept", (status == "Enabled") == wanted, status or "never enabled")
end

--- It is in the region that was asked for.
function Check:location()
  local answer = ask(self, "GetBucketLocation").LocationConstraint
  local region = (answer == nil or answer == "") and "us-east-1" or answer == "EU" and "eu-west-1" or answer
  self.ctx:check("the bucket is in " .. self.s3.region, region == self.s3.region, region)
end

return M
