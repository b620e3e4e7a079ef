--- Where a service is: what the user has configured, else the host that AWS's rules give for the region.
local errors = require "adt.error"
local partition = require "adt.aws.partition"

local M = {}

---@class adt.aws.EndpointOptions
---@field service string "ec2"
---@field metadata { service_id: string, endpoint_prefix: string, signing_name: string } of the service's model
---@field region? string needed unless the service has none
---@field profile? { get: fun(self, key: string): string?, services: fun(self): table? } of the shared files
---@field endpoint? string URL that goes before all that is configured
---@field fips? boolean
---@field dual_stack? boolean hosts that have IPv6, too
---@field rules? fun(): table? the service's own rule set, instead of the rules here
---@field environ? fun(name: string): string? the process's environment unless given

---@class adt.aws.Endpoint
---@field url string without '/' at its end
---@field signing_region string
---@field signing_name string
---@field configured boolean somebody has named the URL: it is not AWS's own by the rules
---@field source string who has named it: "AWS_ENDPOINT_URL_EC2", "rules"
---@field partition adt.aws.Partition
---@field service string
---@field fips boolean
---@field dual_stack boolean

local OPTIONS = { service = true, metadata = true, region = true, profile = true, endpoint = true, fips = true,
  dual_stack = true, environ = true, rules = true }

local function config(code, message, hint)
  errors.raise { cause = "config", code = code, message = message, hint = hint }
end

-- --- what is configured ----------------------------------------------------------------------------------------------

local function setting(o, option, variable, key)
  if o[option] ~= nil then return o[option] end
  local text = o.environ(variable) or (o.profile and o.profile:get(key))
  return text ~= nil and text:lower() == "true"
end

-- Where a URL can be named, the first going before the others.
local function configured(o)
  if o.endpoint then return o.endpoint, "option endpoint" end
  if setting(o, "ignored", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") then return nil end
  local id = o.metadata.service_id:gsub("[ %-]", "_")
  local name = "AWS_ENDPOINT_URL_" .. id:upper()
  for _, variable in ipairs { name, "AWS_ENDPOINT_URL" } do
    local url = o.environ(variable)
    if url and url ~= "" then return url, variable end
  end
  if not o.profile then return nil end
  local section = (o.profile:services() or {})[id:lower()]
  if section and section.endpoint_url then return section.endpoint_url, "services section, " .. id:lower() end
  local url = o.profile:get "endpoint_url"
  if url then return url, "endpoint_url of the profile" end
end

local function checked(url, source)
  local scheme, host, path = url:match "^(%a+)://([%w%.%-%[%]:_]+)([^?#@%s%c]*)$"
  scheme = scheme and (path == "" or path:sub(1, 1) == "/") and scheme:lower()
  if scheme ~= "http" and scheme ~= "https" then
    config("BadEndpoint", ("the endpoint '%s' (%s) is no URL such as https://host:port"):format(url:gsub("//[^/]*@", "//"), source),
      "it has a scheme and a host, without user and query")
  end
  return ("%s://%s%s"):format(scheme, host, (path:gsub("/+$", "")))
end

-- --- AWS's own hosts -------------------------------------------------------------------------------------------------

-- Prefixes of services whose FIPS host in aws-us-gov is the ordinary one.
local GOV_IS_FIPS = {}
for name in ("cloudformation sts ec2 batch eks ssm logs servicequotas monitoring autoscaling portal.sso oidc imagebuilder "
  .. "access-analyzer elasticloadbalancing organizations"):gmatch "%S+" do
  GOV_IS_FIPS[name] = true
end

-- Hosts of a partition that has one for all of its regions: plain, dual-stack, FIPS, both.
local function global(name, prefix)
  local hosts = {
    aws = { "%s.amazonaws.com", "%s.global.api.aws", "%s-fips.amazonaws.com", "%s-fips.global.api.aws" },
    ["aws-us-gov"] = { "%s.us-gov.amazonaws.com", "%s.us-gov.api.aws", "%s.us-gov.amazonaws.com", "%s.us-gov.api.aws" },
    ["aws-cn"] = { prefix == "iam" and "%s.cn-north-1.amazonaws.com.cn" or "%s.amazonaws.com.cn",
      "%s.global.api.amazonwebservices.com.cn", "%s-fips.amazonaws.com.cn", "%s-fips.api.amazonwebservices.com.cn" },
  }
  return hosts[name]
end

-- Regions of services that are in few places only: any other one is served, and signed for, by the first.
local PLACES = {
  ["api.pricing"] = { "us-east-1", "ap-south-1", "eu-central-1" },
  ["api.ecr-public"] = { "us-east-1", "us-west-2" },
}

local function place(prefix, region, part)
  local places = part.name == "aws" and PLACES[prefix]
  if not places then return region end
  for _, name in ipairs(places) do
    if name == region then return region end
  end
  return places[1]
end

local function label(prefix, o, fips)
  local mark = fips and "-fips" or ""
  if prefix == "api.sagemaker" and fips and not o.dual_stack and (o.part.name == "aws" or o.part.name == "aws-us-gov") then
    return "api-fips.sagemaker"
  elseif (prefix == "batch" or prefix == "eks") and fips and not o.dual_stack and o.part.name == "aws" then
    return "fips." .. prefix
  elseif (prefix == "api.ecr" or prefix == "api.ecr-public") and o.dual_stack and not (prefix == "api.ecr-public" and fips) then
    return prefix:sub(5) .. mark
  end
  return prefix .. mark
end

-- Differences from what all others do.
local SPECIAL = {}

function SPECIAL.s3(o)
  if o.fips and o.part.name == "aws-cn" then
    config("NoFips", "S3 has no FIPS endpoints in aws-cn", "leave fips away")
  end
  return ("s3%s.%s%s.%s"):format(o.fips and "-fips" or "", o.dual_stack and "dualstack." or "", o.region, o.part.suffix)
end

SPECIAL["eks-auth"] = function(o)
  return ("eks-auth%s.%s.%s"):format(o.fips and "-fips" or "", o.region, o.part.dual_suffix)
end

function SPECIAL.signin(o)
  local domains = { aws = "aws.amazon.com", ["aws-cn"] = "amazonaws.cn", ["aws-us-gov"] = "amazonaws-us-gov.com" }
  local domain = not o.fips and not o.dual_stack and domains[o.part.name]
  return domain and ("%s.signin.%s"):format(o.region, domain)
end

-- Its dual-stack hosts are the plain ones.
function SPECIAL.secretsmanager(o)
  local plain = o.part.name == "aws" or o.part.name == "aws-us-gov" or o.part.name == "aws-cn" and not o.fips
  return o.dual_stack and plain and ("secretsmanager%s.%s.%s"):format(o.fips and "-fips" or "", o.region, o.part.suffix)
end

local GLOBAL = { iam = true, route53 = true }

-- Host and signing region.
local function by_rules(o)
  local prefix, part = o.metadata.endpoint_prefix, o.part
  local region = place(prefix, o.region, part)
  local which = 1 + (o.dual_stack and 1 or 0) + (o.fips and 2 or 0)
  local hosts = GLOBAL[prefix] and global(part.name, prefix)
  if hosts then
    local signed_for = prefix == "iam" and part.name == "aws-cn" and not o.fips and "cn-north-1" or part.global_region
    return hosts[which]:format(prefix), signed_for
  end
  local host = SPECIAL[prefix] and SPECIAL[prefix](o)
  if host then return host, region end
  local gov = o.fips and part.name == "aws-us-gov" and GOV_IS_FIPS[prefix]
  local fips = o.fips and not (gov and (not o.dual_stack or prefix == "monitoring"))
  return ("%s.%s.%s"):format(label(prefix, o, fips), region, o.dual_stack and part.dual_suffix or part.suffix), region
end

-- A service that is not built in: as the folder with its model says.
local function by_rule_set(o)
  local set = o.rules()
  if not set then return by_rules(o) end
  local found = require("adt.aws.rules").resolve(set, o)
  local host = found.url:match "^https://(%w[%w%.%-]*/?[%w%.%-/]*)$"
  if not host then
    config("BadModel", ("the endpoint rules of %s give '%s', which is no URL of AWS"):format(o.service, found.url))
  end
  return host, found.region or o.region, found.name
end

-- --- both ------------------------------------------------------------------------------------------------------------

local function environment(name)
  return require("adt.process").env(name)
end

--- Finds the URL of a service, and what its requests are signed for.
---@param options adt.aws.EndpointOptions
---@return adt.aws.Endpoint  # raises: config "NoRegion", "BadRegion", "BadEndpoint", "NoFips"
function M.resolve(options)
  errors.check_options("aws.endpoint.resolve", options, OPTIONS)
  local o = { environ = environment }
  for key, value in pairs(options) do o[key] = value end
  o.fips = setting(o, "fips", "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
  o.dual_stack = setting(o, "dual_stack", "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
  local prefix = o.metadata.endpoint_prefix
  if not o.region and GLOBAL[prefix] then o.region = "us-east-1" end
  if not o.region then
    config("NoRegion", ("aws %s: no region is known"):format(o.service),
      "give region = \"us-east-1\", or set AWS_REGION, or region in the profile")
  end
  -- It becomes part of a host name, so it must not be able to name another host.
  if not o.region:match "^%w[%w%-]*$" or #o.region > 63 then
    config("BadRegion", ("'%s' is no region"):format(o.region), "regions look like us-east-1")
  end
  o.part = partition.of(o.region)
  local url, source = configured(o)
  local host, signing_region, signing_name = (o.rules and by_rule_set or by_rules)(o)
  if url and o.fips and o.endpoint then
    config("FipsAndEndpoint", "a FIPS endpoint and an endpoint of one's own exclude each other", "leave one of fips and endpoint away")
  end
  return { url = url and checked(url, source) or "https://" .. host, source = source or "rules", configured = url ~= nil,
    signing_region = signing_region, signing_name = signing_name or o.metadata.signing_name, partition = o.part, service = o.service,
    fips = o.fips, dual_stack = o.dual_stack, region = o.region }
end

-- --- S3: the bucket in the host, or in the path ----------------------------------------------------------------------

local function is_address(host)
  return host:match "^%d+%.%d+%.%d+%.%d+$" ~= nil or host:sub(1, 1) == "["
end

--- Whether a host cannot have names of its own put before it: an IP address, "localhost", any name without a dot.
---@param url string
---@return boolean
function M.is_bare(url)
  local host = url:match "^%a+://(%[[^%]]*%])" or url:match "^%a+://([^/:]+)"
  return is_address(host) or not host:find(".", 1, true)
end

local function hostable(bucket)
  return #bucket >= 3 and #bucket <= 63 and bucket:match "^[%l%d][%l%d%-]*[%l%d]$" ~= nil
end

--- The URL at which a bucket's paths begin, and whether the bucket stays in the path.
---@param endpoint adt.aws.Endpoint of S3
---@param bucket string
---@param path_style? boolean true: always in the path; false: in the host wherever its name allows
---@return string url, boolean in_path  # raises: usage "BucketKind" for access points and directory buckets
function M.bucket(endpoint, bucket, path_style)
  if bucket:sub(1, 4) == "arn:" or bucket:match "%-%-x%-s3$" or bucket:match "%-%-xa%-s3$" or bucket:match "%.mrap$" then
    errors.raise { cause = "usage", code = "BucketKind",
      message = ("s3: '%s' is an access point or a directory bucket, and these are not supported"):format(bucket),
      hint = "use a general purpose bucket's own name; an access point has an alias that works as one" }
  end
  if path_style == nil then path_style = endpoint.configured end
  if path_style or not hostable(bucket) or M.is_bare(endpoint.url) then return endpoint.url, true end
  return (endpoint.url:gsub("^(%a+://)", "%1" .. bucket .. ".", 1)), false
end

return M
