--- Credentials of a role that a profile assumes: `role_arn`, with `source_profile` (in chains) or `credential_source`.
local errors = require "adt.error"
local refresh = require "adt.aws.refresh"
local role = require "adt.aws.source.role"
local shared = require "adt.aws.source.shared"

local M = { name = "assume-role" }

-- Sources by the names of `credential_source`.
local NAMED = { Environment = "env", EcsContainer = "container", Ec2InstanceMetadata = "imds" }
-- What a source profile may use, in order; not the environment, which is not of that profile.
local OF_PROFILE = { "web_identity", "sso", "shared", "process", "config" }

local MOST_ROLES = 32 -- in a chain

local function source_module(name)
  if name == "shared" then return shared.credentials end
  if name == "config" then return shared.config end
  return (require("adt.aws.source." .. name))
end

local function assumes(profile)
  return profile:text "role_arn" ~= nil and profile:text "web_identity_token_file" == nil
end

local function named(ctx, name)
  local module = NAMED[name]
  if not module then
    local names = { "Environment", "EcsContainer", "Ec2InstanceMetadata" }
    local near = errors.nearest(name, names)
    role.bad(ctx.profile, ("has the credential_source '%s'"):format(name),
      near and ("did you mean '%s'?"):format(near) or "known: " .. table.concat(names, ", "))
  end
  local source = source_module(module)
  local fetch, reason = (source.read or source.find)(ctx)
  if not fetch then
    role.bad(ctx.profile, ("has credential_source = %s, which gives none: %s"):format(name, reason))
  end
  return function()
    local found, why = fetch()
    if not found then
      errors.raise { cause = "auth", code = "NoSourceCredentials",
        message = ("credential_source = %s of the profile '%s' gives none: %s"):format(name, ctx.profile.name, why) }
    end
    return found
  end
end

local find_role

-- The credentials of the profile that `ctx` is for, which another one names as its source.
local function of_profile(ctx, chain)
  local profile = ctx.profile
  if not shared.has_keys(profile) and assumes(profile) then
    return find_role(ctx, chain)
  end
  local reasons = {}
  for _, name in ipairs(OF_PROFILE) do
    local source = source_module(name)
    local fetch, reason = source.find(ctx, true)
    if fetch then return fetch end
    reasons[#reasons + 1] = ("%s: %s"):format(source.name, reason)
  end
  role.bad(profile, "is a source_profile and gives no credentials: " .. table.concat(reasons, "; "),
    "give it keys, or a role, an sso_session or a credential_process of its own")
end

-- A name that comes again closes the circle; a profile may name itself when it has keys.
local function from_profile(ctx, name, chain)
  local other = ctx.profile:other(name, ("source_profile of the profile '%s'"):format(ctx.profile.name))
  if name == ctx.profile.name then
    if not shared.has_keys(other) then
      role.bad(ctx.profile, "is its own source_profile and has no keys", "name a profile with keys, or use credential_source")
    end
    return of_profile(ctx.with(other), chain)
  end
  local way = table.move(chain, 1, #chain, 1, {})
  way[#way + 1] = name
  for _, seen in ipairs(chain) do
    if seen == name then
      role.bad(ctx.profile, "closes a circle of source_profile: " .. table.concat(way, " -> "), "one of them needs credentials of its own")
    end
  end
  if #way > MOST_ROLES then
    role.bad(ctx.profile, ("is in a chain of source_profile that has more than %d profiles"):format(MOST_ROLES))
  end
  return of_profile(ctx.with(other), way)
end

local function source_of(ctx, chain)
  local profile = ctx.profile
  local name, kind = profile:text "source_profile", profile:text "credential_source"
  if name and kind then
    role.bad(profile, "has both source_profile and credential_source", "keep one of them")
  elseif not name and not kind then
    role.bad(profile, "has a role_arn and neither source_profile nor credential_source", "one of them says who assumes the role")
  end
  return kind and named(ctx, kind) or from_profile(ctx, name, chain)
end

-- The code of the device, which only a person has.
local function code_of(ctx, serial)
  local code = ctx.mfa_code
  if type(code) == "function" then code = code(serial) end
  if type(code) ~= "string" or not code:match "^%d%d%d%d%d%d$" then
    errors.raise { cause = "auth", code = "MfaNeeded", final = true,
      message = ("the profile '%s' needs the six digits of the device %s%s"):format(ctx.profile.name, serial,
        code ~= nil and ", and what was given is none" or ""),
      hint = "pass them: credentials.default { profile = NAME, mfa_code = \"123456\" }, or a function that asks for them" }
  end
  return code
end

function find_role(ctx, chain)
  local profile = ctx.profile
  local arn, serial = profile:text "role_arn", profile:text "mfa_serial"
  local duration = role.duration(profile)
  local provider = refresh.new { fetch = source_of(ctx, chain), now = ctx.now }
  local sts
  return function()
    sts = sts or ctx.client("sts", { credentials = provider })
    local code = serial and code_of(ctx, serial)
    return role.assume("assume-role", arn, function()
      return sts:AssumeRole {
        RoleArn = arn, RoleSessionName = role.session_name(profile:text "role_session_name"),
        ExternalId = profile:text "external_id", DurationSeconds = duration, SerialNumber = serial, TokenCode = code,
      }
    end)
  end
end

---@param ctx adt.aws.SourceContext
---@return (fun(): adt.aws.ServedCredentials)? fetch
---@return string? reason
function M.find(ctx)
  if not assumes(ctx.profile) then
    return nil, ctx.profile:text "role_arn" and ("the role of the profile '%s' is assumed with a web identity"):format(ctx.profile.name)
      or ("the profile '%s' has no role_arn"):format(ctx.profile.name)
  end
  return find_role(ctx, { ctx.profile.name })
end

return M
