--- Calls AWS in every way that may tell a secret: works, fails, logs, starts programs and jobs, keeps errors in steps.
local adt = require "adt"

-- Everything that an error or an answer holds, as a file that nothing has redacted.
local function dump(value, depth, seen)
  if type(value) ~= "table" then return tostring(value) end
  if seen[value] or depth > 8 then return "..." end
  seen[value] = true
  local parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = tostring(k) .. "=" .. dump(v, depth + 1, seen) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- The error of a call that must fail: its fields, its text and the traceback where it was raised.
local function failure(what, f)
  local ok, text = xpcall(f, function(err)
    return dump(err, 0, {}) .. "\n" .. tostring(err) .. "\n" .. debug.traceback(tostring(err), 1)
  end)
  assert(not ok, what .. " did not fail")
  adt.log.debug("failed as asked", { what = what, error = text })
  return what .. ": " .. text .. "\n"
end

return adt.recipe {
  name = "aws_calls", kind = "test-case", api = 1, summary = "calls AWS and tells nothing",
  params = {
    canary = adt.string { default = "none", help = "what must be found, so that the search is known to work" },
    dump = adt.bool { default = true, help = "the job prints its environment" },
    dead = adt.string { help = "a URL where nobody listens" },
    crash = adt.bool { default = false },
  },
  run = function(ctx, p)
    local who = ctx:step("who", {}, function() return adt.aws.whoami() end)
    local sts, s3 = adt.aws.client "sts", adt.s3
    local login = adt.aws.ecr_login()
    local token = adt.aws.eks_token { cluster = "demo" }
    local url = s3.presign "s3://bkt/object"
    adt.log.debug("have", { who = who.arn, password = login.password, url = url, token = tostring(token.token), login = dump(login, 0, {}) })
    adt.log.warn(("what was presigned: %s"):format(url))

    local errors = failure("refused", function() sts:GetCallerIdentity {} end)
      .. failure("garbled", function() sts:GetCallerIdentity {} end)
      .. failure("of S3", function() s3.get "s3://bkt/none" end)
      .. failure("presigned", function() adt.http.get(p.dead .. url:match "^https?://[^/]+(.*)$") end)
      .. failure("in a text", function() return "x" .. login.password end)
    adt.fs.write(ctx.dir .. "/errors", errors)
    adt.try(function()
      ctx:step("fails", {}, function() s3.get "s3://bkt/none" end)
    end)

    -- A program of the recipe, the supervisor and the rank: what each was given.
    local script = "tr '\\0' '\\n' </proc/self/cmdline; tr '\\0' '\\n' </proc/$PPID/cmdline; echo " .. p.canary
    if p.dump then
      script = script .. "; tr '\\0' '\\n' </proc/self/environ; tr '\\0' '\\n' </proc/$PPID/environ"
    end
    adt.fs.write(ctx.dir .. "/child", adt.process.run({ "sh", "-c", script, read_only = true }).stdout)
    ctx:note("seen: " .. p.canary)
    local job = ctx:job({ "look", cmd = adt.sh(script) }):wait()
    if p.crash then s3.get "s3://bkt/none" end
    return job
  end,
  validate = function(ctx, _, results)
    ctx:check("the job ended well", results.run.state == "done", results.run.state)
  end,
}
