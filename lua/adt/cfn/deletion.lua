--- Deleting a stack: only our own, and what would stop it is told before anything is begun.
local errors = require "adt.error"
local events = require "adt.cfn.events"
local failure = require "adt.cfn.failure"
local place = require "adt.cfn.place"

local M = {}

---@class adt.cfn.Deletion
---@field name string
---@field id? string
---@field owner adt.cfn.Owner
---@field with_data? boolean buckets of the stack are emptied
---@field emit? fun(event: table)
---@field patience? number

-- --- what is in it ---------------------------------------------------------------------------------------------------

-- What the stack holds, and what the stacks in it hold: `stack` is the id of the one that does, `outer` that one's resource.
local function resources(cf, id, list, outer)
  for one in cf:items("ListStackResources", { StackName = id }) do
    if one.ResourceStatus ~= "DELETE_COMPLETE" and (one.PhysicalResourceId or "") ~= "" then
      list[#list + 1] = one
      one.stack, one.outer = id, outer
      if one.ResourceType == "AWS::CloudFormation::Stack" and one.PhysicalResourceId ~= id then
        resources(cf, one.PhysicalResourceId, list, one)
      end
    end
  end
  return list
end

local function ids_of(list, kind)
  local ids = {}
  for _, one in ipairs(list) do
    if one.ResourceType == kind then ids[#ids + 1] = one.PhysicalResourceId end
  end
  return ids
end

local function note(d, text, ...)
  if d.emit then d.emit { type = "note", level = "info", text = text:format(...) } end
end

-- --- exports ---------------------------------------------------------------------------------------------------------

local function importers(cf, export)
  local ok, answer = pcall(cf.ListImports, cf, { ExportName = export })
  if ok then return answer.Imports or {} end
  if errors.is(answer) and answer.code == "ValidationError" then return {} end
  error(answer, 0)
end

local function check_exports(cf, stack)
  local used = {}
  for _, export in ipairs(stack.exports) do
    local by = importers(cf, export)
    if #by > 0 then used[#used + 1] = ("%s by %s"):format(export, table.concat(by, ", ")) end
  end
  if #used > 0 then
    errors.raise { cause = "busy", code = "ExportInUse", where = stack.name,
      message = ("stack '%s' gives what other stacks use: %s"):format(stack.name, table.concat(used, "; ")), hint = "take those down first" }
  end
end

-- --- buckets ---------------------------------------------------------------------------------------------------------

local function is_missing(err)
  return errors.is(err) and (err.code == "NoSuchBucket" or err.status == 404)
end

-- How many a bucket holds, up to a page: objects, older versions, unfinished uploads.
local function held(client, bucket)
  local ok, versions = pcall(client.ListObjectVersions, client, { Bucket = bucket, MaxKeys = 1000 })
  if not ok then
    if is_missing(versions) then return nil end
    error(versions, 0)
  end
  local uploads = client:ListMultipartUploads { Bucket = bucket, MaxUploads = 1000 }
  return #(versions.Versions or {}) + #(versions.DeleteMarkers or {}), #(uploads.Uploads or {}), versions.IsTruncated or uploads.IsTruncated
end

local function delete_versions(client, bucket, answer)
  local list = {}
  for _, members in ipairs { answer.Versions or {}, answer.DeleteMarkers or {} } do
    for _, one in ipairs(members) do list[#list + 1] = { Key = one.Key, VersionId = one.VersionId } end
  end
  for at = 1, #list, 1000 do
    local batch = table.move(list, at, math.min(at + 999, #list), 1, {})
    local done = client:DeleteObjects { Bucket = bucket, Delete = { Objects = batch, Quiet = true } }
    local failed = (done.Errors or {})[1]
    if failed then
      errors.raise { cause = failed.Code == "AccessDenied" and "auth" or "service", code = failed.Code, where = bucket,
        message = ("bucket '%s' cannot be emptied: %s: %s"):format(bucket, failed.Key, failed.Message or failed.Code),
        hint = "empty it, then say down again" }
    end
  end
  return #list
end

local function empty(d, client, bucket)
  local total = 0
  while true do
    local ok, answer = pcall(client.ListObjectVersions, client, { Bucket = bucket, MaxKeys = 1000 })
    if not ok then
      if is_missing(answer) then return end
      error(answer, 0)
    end
    local n = delete_versions(client, bucket, answer)
    total = total + n
    if n > 0 then note(d, "bucket '%s': %d objects and versions deleted", bucket, total) end
    if n == 0 then break end
  end
  local uploads = 0
  for upload in client:items("ListMultipartUploads", { Bucket = bucket }, { key = "Uploads" }) do
    client:AbortMultipartUpload { Bucket = bucket, Key = upload.Key, UploadId = upload.UploadId }
    uploads = uploads + 1
  end
  if uploads > 0 then note(d, "bucket '%s': %d unfinished uploads ended", bucket, uploads) end
end

-- Whether a template retains the resource, or the stack that holds it: then it stays, with what is in it. A template that
-- cannot be read raises, since what it means to keep would be emptied.
local function is_retained(d, one)
  local kept = d.kept[one.stack]
  if not kept then
    kept = {}
    local text = d.cf:GetTemplate { StackName = one.stack }.TemplateBody
    for name, resource in pairs(require("adt.cfn.template").parse(text).resources) do
      kept[name] = resource.DeletionPolicy == "Retain" or resource.DeletionPolicy == "RetainExceptOnCreate"
    end
    d.kept[one.stack] = kept
  end
  return kept[one.LogicalResourceId] or one.outer ~= nil and is_retained(d, one.outer)
end

local function check_bucket(d, one)
  local client, bucket = place.client(d.where, "s3"), one.PhysicalResourceId
  local objects, uploads, more = held(client, bucket)
  if not objects or objects + uploads == 0 or is_retained(d, one) then return end
  if not d.with_data then
    errors.raise { cause = "usage", code = "BucketNotEmpty", where = bucket,
      message = ("bucket '%s' holds %s%d objects and versions and %d unfinished uploads"):format(bucket, more and "more than " or "",
        objects, uploads),
      hint = "save what is worth it; --with-data deletes all of it with the stack" }
  end
  table.insert(d.buckets, function() empty(d, client, bucket) end)
end

local function check_buckets(d, list)
  for _, one in ipairs(list) do
    if one.ResourceType == "AWS::S3::Bucket" then check_bucket(d, one) end
  end
end

-- --- network interfaces ----------------------------------------------------------------------------------------------

local function whose(one)
  local at = one.Attachment or {}
  local what = one.InterfaceType and one.InterfaceType ~= "interface" and one.InterfaceType .. " " or ""
  local text = ("%s: %s%s"):format(one.NetworkInterfaceId, what, one.Description ~= "" and one.Description or "no description")
  if at.InstanceId then text = text .. ", of instance " .. at.InstanceId end
  if (one.RequesterId or "") ~= "" then text = text .. ", made by " .. one.RequesterId end
  return text
end

-- Interfaces that the stack's own NAT gateways have; endpoints' name the endpoint.
local function of_stack(ec2, list)
  local own, gateways = {}, ids_of(list, "AWS::EC2::NatGateway")
  if #gateways > 0 then
    for gateway in ec2:items("DescribeNatGateways", { Filter = { { Name = "nat-gateway-id", Values = gateways } } }) do
      for _, address in ipairs(gateway.NatGatewayAddresses or {}) do own[address.NetworkInterfaceId or ""] = true end
    end
  end
  return own
end

-- Interfaces that go with the stack are such, or name one of its resources.
local function goes_along(one, list, own)
  if own[one.NetworkInterfaceId] then return true end
  local at = one.Attachment or {}
  for _, resource in ipairs(list) do
    local id = resource.PhysicalResourceId
    if id == one.NetworkInterfaceId or id == at.InstanceId or (#id > 6 and (one.Description or ""):find(id, 1, true)) then return true end
  end
  return false
end

local function check_interfaces(d, list)
  local found, seen, ec2, own = {}, {}
  for _, kind in ipairs { { "AWS::EC2::VPC", "vpc-id" }, { "AWS::EC2::Subnet", "subnet-id" }, { "AWS::EC2::SecurityGroup", "group-id" } } do
    local ids = ids_of(list, kind[1])
    if #ids > 0 then
      ec2 = ec2 or place.client(d.where, "ec2")
      own = own or of_stack(ec2, list)
      for one in ec2:items("DescribeNetworkInterfaces", { Filters = { { Name = kind[2], Values = ids } } }) do
        if not seen[one.NetworkInterfaceId] and not goes_along(one, list, own) then found[#found + 1] = whose(one) end
        seen[one.NetworkInterfaceId] = true
      end
      if kind[1] == "AWS::EC2::VPC" then break end
    end
  end
  if #found > 0 then
    table.sort(found)
    errors.raise { cause = "busy", code = "InterfacesInUse", where = d.stack.name, interfaces = found,
      message = ("%d network interface%s in the network of stack '%s' %s still in use: %s"):format(#found, #found == 1 and "" or "s", d.stack.name,
        #found == 1 and "is" or "are", table.concat(found, "; ")),
      hint = "end what they belong to (file systems, clusters, load balancers, instances), then say down again" }
  end
end

-- --- deleting --------------------------------------------------------------------------------------------------------

local function check(d)
  local stack = d.stack
  if stack.protected then
    errors.raise { cause = "usage", code = "Protected", where = stack.name,
      message = ("stack '%s' is protected against its deletion"):format(stack.name),
      hint = ("if it is really to go: `aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name %s`")
        :format(stack.name) }
  end
  check_exports(d.cf, stack)
  local list = resources(d.cf, stack.id, {})
  check_interfaces(d, list)
  check_buckets(d, list)
end

local function follow(d, o)
  return events.follow(d.cf, { name = d.stack.name, id = d.stack.id, seen = o.seen, emit = d.emit, deleting = o.deleting, patience = d.patience })
end

-- What is being updated can only be deleted afterwards.
local function settle(d)
  local status = d.stack.status
  if not status:match "_IN_PROGRESS$" or status:match "^DELETE_" or status == "CREATE_IN_PROGRESS" or status == "REVIEW_IN_PROGRESS" then return end
  note(d, "stack '%s' is %s; it is deleted when that has ended", d.stack.name, status)
  d.stack = (follow(d, { seen = events.mark(d.cf, d.stack.id) }))
end

local function is_gone(stack)
  return not stack or stack.status == "DELETE_COMPLETE"
end

local function request(d)
  if d.stack.status == "DELETE_IN_PROGRESS" then return nil end
  if d.stack.status ~= "REVIEW_IN_PROGRESS" then check(d) end
  for _, empty_it in ipairs(d.buckets) do empty_it() end
  local seen = events.mark(d.cf, d.stack.id)
  d.cf:DeleteStack { StackName = d.stack.id, ClientRequestToken = place.token(place.token_base(d.owner.key)) }
  return seen
end

-- A stack in review has no tags: it is whatever the caller has found out about it.
local function is_allowed(d)
  if d.stack.status ~= "REVIEW_IN_PROGRESS" or next(d.stack.tags) ~= nil then place.check_owner(d.stack, d.owner) end
end

--- Deletes a stack with what is in it, and follows that to its end. One that is gone already is a success. What the
--- template retains is left, and told.
---@param where adt.aws.ClientOptions|adt.aws.Client
---@param o adt.cfn.Deletion
--- Raises: usage "StackTaken", "Protected", "BucketNotEmpty"; busy "InterfacesInUse", "ExportInUse"; by its reason
--- "DeleteFailed"; unknown "LostConnection".
function M.delete(where, o)
  local cf = place.client(where)
  local d = { where = where, cf = cf, owner = o.owner, emit = o.emit, with_data = o.with_data, patience = o.patience, buckets = {},
    kept = {}, stack = place.describe(cf, o.id or o.name) }
  if is_gone(d.stack) then return end
  is_allowed(d)
  settle(d)
  if is_gone(d.stack) then return end
  local seen = request(d)
  local last, failures, skipped = follow(d, { seen = seen, deleting = true })
  for _, event in ipairs(skipped) do
    note(d, "%s (%s) is left, as the template says: %s", event.LogicalResourceId, event.ResourceType, event.PhysicalResourceId)
  end
  if not is_gone(last) then error(failure.of_deletion(last, failures), 0) end
end

return M
