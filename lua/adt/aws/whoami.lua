--- Who we are to AWS, where that comes from, and why the other sources did not serve.
local credentials = require "adt.aws.credentials"
local errors = require "adt.error"
local region = require "adt.aws.region"

local M = {}

---@class adt.aws.WhoamiOptions
---@field profile? string
---@field region? string
---@field endpoint? string of STS
---@field verify? boolean false: STS is not asked, so arn and user_id are nil and the account only where the source says it
---@field environ? table<string, string> instead of this process's environment

---@class adt.aws.Identity
---@field account? string
---@field arn? string
---@field user_id? string
---@field source string that served: "env", "assume-role", "sso", "imds" ...
---@field access_key string its id, which is no secret
---@field expires? number seconds since the epoch
---@field region? string
---@field region_source? string what names it, or why there is none
---@field profile string
---@field tried adt.aws.Tried[] the sources before the one that served, and why each did not
---@field warnings string[] what was ignored in the files

local OPTIONS = { "profile", "region", "endpoint", "verify", "environ" }

--- Finds the credentials anew and asks STS whose they are.
---@param options? adt.aws.WhoamiOptions
---@return adt.aws.Identity
--- Raises auth "NoCredentials", which tells every source; auth and service errors of STS; config for bad files.
function M.whoami(options)
  options = options or {}
  errors.check_options("aws.whoami", options, OPTIONS)
  local tried = {}
  local given = { profile = options.profile, region = options.region, endpoint = options.endpoint, environ = options.environ }
  local resolved = credentials.resolve(given, tried)
  local found = resolved.credentials
  local who = { source = resolved.source, access_key = found.access_key, expires = found.expires, account = found.account,
    profile = resolved.profile.name, tried = tried, warnings = resolved.profile.warnings }
  local ok, name, source = pcall(region.find, {
    region = options.region, profile = resolved.profile, environ = options.environ, metadata = options.verify ~= false,
  })
  if ok then
    who.region, who.region_source = name, source
  elseif errors.is(name) and name.code == "NoRegion" then
    who.region_source = name.message
  else
    error(name, 0)
  end
  if options.verify ~= false then
    local sts = credentials.client(given, resolved.profile, "sts", {
      credentials = { access_key = found.access_key, secret = found.secret, token = found.token }, region = who.region,
    })
    local answer = sts:GetCallerIdentity {}
    who.account, who.arn, who.user_id = answer.Account, answer.Arn, answer.UserId
  end
  return who
end

return M
