--- The sign-ins of `aws login` (`login_session` of a profile), which are not read here: this says so.
local M = { name = "login" }

---@param ctx adt.aws.SourceContext
---@return nil, string reason
function M.find(ctx)
  if ctx.profile:text "login_session" then
    return nil, ("the profile '%s' has a login_session, and adtlua does not read the sign-ins of 'aws login'; "
      .. "credential_process = aws configure export-credentials does"):format(ctx.profile.name)
  end
  return nil, ("the profile '%s' has no login_session"):format(ctx.profile.name)
end

return M
