--- Which AWS region calls go to, and what says so.
local errors = require "adt.error"
local profiles = require "adt.aws.profile"

local M = {}

---@class adt.aws.RegionOptions
---@field region? string explicit
---@field profile? string|adt.aws.Profile
---@field environ? table<string, string> instead of this process's environment
---@field metadata? boolean false: the instance's metadata is not asked

local OPTIONS = { "region", "profile", "environ", "metadata" }

local function checked(name, source)
  -- It becomes part of host names.
  if type(name) ~= "string" or #name > 63 or not name:match "^%w[%w%-]*$" then
    errors.raise { cause = source == "option" and "usage" or "config", code = "BadRegion",
      message = ("'%s', from %s, is no region"):format(tostring(name):sub(1, 80), source),
      hint = "regions look like us-east-1" }
  end
  return name, source
end

local function none(profile, reasons)
  errors.raise { cause = "config", code = "NoRegion",
    message = ("no AWS region is known: AWS_REGION and AWS_DEFAULT_REGION are not set; %s; %s"):format(
      ("the profile '%s' has no region%s"):format(profile.name,
        #profile.read == 0 and (", as there is no file " .. (profile.files.config or "without a home folder")) or ""),
      reasons),
    hint = "pass region = \"us-east-1\", set AWS_REGION, or write region = us-east-1 below the profile" }
end

--- Finds the region: the option, AWS_REGION, AWS_DEFAULT_REGION, the profile's `region`, the metadata of the instance
--- this runs on.
---@param options? adt.aws.RegionOptions
---@return string name
---@return string source "option", "AWS_REGION", "AWS_DEFAULT_REGION", "profile NAME" or "imds"
--- Raises config "NoRegion", which says what was looked at, and "BadRegion".
function M.find(options)
  options = options or {}
  errors.check_options("region.find", options, OPTIONS)
  if options.region ~= nil then
    return checked(options.region, "option")
  end
  local getenv = profiles.getenv(options.environ)
  for _, variable in ipairs { "AWS_REGION", "AWS_DEFAULT_REGION" } do
    if getenv(variable) then
      return checked(getenv(variable), variable)
    end
  end
  local profile = options.profile
  if type(profile) ~= "table" then
    profile = profiles.load { profile = profile, environ = options.environ }
  end
  local name = profile:text "region"
  if name then
    return checked(name, ("profile %s"):format(profile.name))
  end
  if options.metadata == false then
    none(profile, "the instance's metadata was not asked")
  end
  local found, err = errors.try(require("adt.aws.source.imds").region, { environ = options.environ, profile = profile })
  if not found then
    none(profile, err.message)
  end
  return checked(found, "imds")
end

return M
