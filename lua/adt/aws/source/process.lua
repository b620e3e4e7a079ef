--- Credentials that a program prints: `credential_process = PROGRAM ARGUMENTS` of a profile, run without a shell.
local errors = require "adt.error"
local form = require "adt.aws.source.form"
local process = require "adt.process"

local M = { name = "process" }

local TIMEOUT = 60
local MAX_OUTPUT = 1 << 20

-- One character behind a backslash; within double quotes only some lose it.
local function escaped(line, i, quoted)
  local c = line:sub(i + 1, i + 1)
  if quoted and not c:find '^["\\]' then return "\\" .. c end
  return c
end

--- The words of a command as a shell splits them: blanks, quotes and backslashes; nothing else is special. Nil when a quote
--- does not end.
---@param line string
---@return string[]?
function M.split(line)
  local words, word, quote, i = {}, nil, nil, 1
  while i <= #line do
    local c = line:sub(i, i)
    if quote == "'" and c ~= "'" then
      word = word .. c
    elseif c == quote then
      quote = nil
    elseif c == "\\" then
      if i == #line then return nil end
      word = (word or "") .. escaped(line, i, quote)
      i = i + 1
    elseif quote then
      word = word .. c
    elseif c == '"' or c == "'" then
      quote, word = c, word or ""
    elseif c:find "%s" then
      words[#words + 1], word = word, nil
    else
      word = (word or "") .. c
    end
    i = i + 1
  end
  words[#words + 1] = word
  return not quote and words or nil
end

local function fail(ctx, code, message, hint, final)
  errors.raise { cause = "auth", code = code, where = ctx.profile.files.config, final = final,
    message = ("credential_process of the profile '%s': %s"):format(ctx.profile.name, message), hint = hint }
end

local function run(ctx, words)
  local command = table.move(words, 1, #words, 1, {
    timeout = TIMEOUT, max_output = MAX_OUTPUT, check = false, read_only = true,
  })
  local result, err = errors.try(process.run, command)
  if not result then
    -- A program that is not there is a setting to be mended; its arguments may be secrets and are not told.
    local missing = err.cause == "usage"
    if err.cause == "cancelled" then error(err, 0) end
    fail(ctx, missing and "ProcessNotFound" or "ProcessFailed",
      missing and ("the program '%s' cannot be run"):format(form.masked(words[1])) or form.masked(err.message),
      missing and "name it with its whole path, or put it on PATH" or nil)
  end
  if not result.ok then
    local said = form.masked(result.stderr)
    fail(ctx, "ProcessFailed", result.text .. (said ~= "" and ": " .. said or ""), "run it by hand to see what it says")
  end
  return result.stdout
end

local function fetch(ctx, words)
  local what = ("credential_process of the profile '%s'"):format(ctx.profile.name)
  local answer = form.object(what, run(ctx, words), "ProcessFailed")
  if answer.Version ~= 1 then
    fail(ctx, "ProcessFailed", "its answer must say \"Version\": 1", "this version of its output is not known here")
  end
  return form.credentials("process", what, {
    access_key = answer.AccessKeyId, secret = answer.SecretAccessKey, token = answer.SessionToken,
    expires = answer.Expiration, account = answer.AccountId,
  })
end

---@param ctx adt.aws.SourceContext
---@return (fun(): adt.aws.ServedCredentials)? fetch
---@return string? reason
function M.find(ctx)
  local line = ctx.profile:text "credential_process"
  if not line then
    return nil, ("the profile '%s' has no credential_process"):format(ctx.profile.name)
  end
  local words = M.split(line)
  if not words or not words[1] then
    errors.raise { cause = "config", code = "BadProcess", where = ctx.profile.files.config,
      message = ("credential_process of the profile '%s' has a quote or a backslash that does not end"):format(ctx.profile.name),
      hint = "it is split as a shell would do, and runs without one" }
  end
  return function() return fetch(ctx, words) end
end

return M
