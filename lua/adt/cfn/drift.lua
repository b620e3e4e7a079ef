--- Drift: what of a stack is no longer as its template says.
local errors = require "adt.error"
local events = require "adt.cfn.events"
local guard = require "adt.guard"
local place = require "adt.cfn.place"
local task = require "adt.task"
local time = require "adt.time"

local M = {}

local LONGEST = 600

---@class adt.cfn.Drift
---@field status "IN_SYNC"|"DRIFTED"|"UNKNOWN"
---@field resources adt.cfn.DriftedResource[]

---@class adt.cfn.DriftedResource
---@field id string logical id
---@field kind string
---@field physical string
---@field status "MODIFIED"|"DELETED"
---@field differences { path: string, expected: string, actual: string, how: string }[]

local function detected(cf, id, name)
  local deadline, pause = time.monotonic() + LONGEST, events.poll.first
  while true do
    local answer = cf:DescribeStackDriftDetectionStatus { StackDriftDetectionId = id }
    if answer.DetectionStatus == "DETECTION_COMPLETE" then return answer.StackDriftStatus end
    if answer.DetectionStatus == "DETECTION_FAILED" then
      errors.raise { cause = "service", code = "DriftFailed", where = name,
        message = ("the drift of stack '%s' cannot be told: %s"):format(name, answer.DetectionStatusReason or "no reason is known") }
    elseif time.monotonic() > deadline then
      errors.raise { cause = "timeout", code = "DriftTimeout", where = name,
        message = ("the drift of stack '%s' was not told in %d s"):format(name, LONGEST), hint = "ask again later" }
    end
    task.sleep(pause)
    pause = math.min(pause * events.poll.factor, events.poll.most)
  end
end

local function of(one)
  local differences = {}
  for _, d in ipairs(one.PropertyDifferences or {}) do
    differences[#differences + 1] = { path = d.PropertyPath, expected = d.ExpectedValue, actual = d.ActualValue, how = d.DifferenceType }
  end
  return { id = one.LogicalResourceId, kind = one.ResourceType, physical = one.PhysicalResourceId, status = one.StackResourceDriftStatus,
    differences = differences }
end

--- Has CloudFormation compare each resource with the template. Changes nothing, and may be asked in a plan.
---@param where adt.aws.ClientOptions|adt.aws.Client
---@param name string
---@return adt.cfn.Drift  # resources that differ or are gone
function M.drift(where, name)
  local cf = place.client(where)
  local begun = guard.asking(cf.DetectStackDrift, cf, { StackName = name })
  local result = { status = detected(cf, begun.StackDriftDetectionId, name), resources = {} }
  local token
  repeat -- its model does not tell that it comes in pages
    local page = cf:DescribeStackResourceDrifts { StackName = name, NextToken = token,
      StackResourceDriftStatusFilters = { "MODIFIED", "DELETED" } }
    for _, one in ipairs(page.StackResourceDrifts or {}) do table.insert(result.resources, of(one)) end
    token = page.NextToken
  until not token
  return result
end

return M
