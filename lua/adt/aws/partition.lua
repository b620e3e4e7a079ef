--- AWS's partitions: which one a region belongs to, and under which domains its services live.
local M = {}

---@class adt.aws.Partition
---@field name string "aws", "aws-cn", "aws-us-gov", ...
---@field suffix string domain of the services
---@field dual_suffix string domain of those that have IPv6, too
---@field global_region string where services without regions are signed for

local function partition(name, suffix, dual_suffix, global_region)
  return { name = name, suffix = suffix, dual_suffix = dual_suffix, global_region = global_region }
end

local AWS = partition("aws", "amazonaws.com", "api.aws", "us-east-1")

-- By how their regions begin; one that begins like none of these belongs to the first partition.
local PARTITIONS = {
  ["cn-"] = partition("aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-northwest-1"),
  ["us-gov-"] = partition("aws-us-gov", "amazonaws.com", "api.aws", "us-gov-west-1"),
  ["us-iso-"] = partition("aws-iso", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1"),
  ["us-isob-"] = partition("aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1"),
  ["eu-isoe-"] = partition("aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1"),
  ["us-isof-"] = partition("aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1"),
  ["eusc-"] = partition("aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1"),
}

--- The partition of a region, also of one that this program has not heard of.
---@param region string
---@return adt.aws.Partition
function M.of(region)
  for prefix, found in pairs(PARTITIONS) do
    if region:sub(1, #prefix) == prefix then return found end
  end
  return AWS
end

return M
