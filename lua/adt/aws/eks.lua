--- Tokens for the API servers of EKS clusters, made here: nothing is sent but what the credentials' source needs.
local client = require "adt.aws.client"
local errors = require "adt.error"
local secret = require "adt.secret"
local sign = require "adt.aws.sign"

local M = {}

---@class adt.aws.EksTokenOptions
---@field cluster string its name
---@field region? string of the cluster
---@field profile? string
---@field credentials? adt.aws.Credentials|adt.aws.Provider
---@field client? adt.aws.Client of STS, instead of the three above: keeps credentials, and knows the service's clock

---@class adt.aws.EksToken
---@field token adt.Secret
---@field expires number seconds since the epoch; 14 minutes on

--- Makes a token for the caller's identity.
---@param options adt.aws.EksTokenOptions
---@return adt.aws.EksToken  # raises: usage, config, auth "NoCredentials", "TokenTooLong"
function M.token(options)
  errors.check_options("aws.eks_token", options, { "cluster", "region", "profile", "credentials", "client" })
  if type(options.cluster) ~= "string" or options.cluster == "" then
    errors.raise { cause = "usage", code = "BadArgument", message = "aws.eks_token: cluster is the name of an EKS cluster" }
  end
  local sts = options.client
    or client("sts", { region = options.region, profile = options.profile, credentials = options.credentials })
  local keys = sts:keys()
  if keys == "anonymous" then
    errors.raise { cause = "usage", code = "BadArgument", message = "aws.eks_token: a token says who asks, so it needs credentials" }
  end
  local token, expires = sign.eks_token { cluster = options.cluster, region = sts.region, credentials = keys,
    endpoint = sts.endpoint, clock_offset = sts.skew:offset(sts.endpoint:match "^%a+://([^/]+)") }
  return { token = secret.new("EKS token", token), expires = expires }
end

return M
