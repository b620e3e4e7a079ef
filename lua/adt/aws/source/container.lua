--- Credentials of a container: ECS tasks (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI) and EKS Pod Identity (..._FULL_URI).
local chttp = require "adt.c.http"
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local form = require "adt.aws.source.form"
local fs = require "adt.fs"
local http = require "adt.http"
local task = require "adt.task"

local M = { name = "container" }

local RELATIVE, FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
local TOKEN, TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
local ECS = "http://169.254.170.2"
local HOSTS = { ["169.254.170.2"] = true, ["169.254.170.23"] = true, ["fd00:ec2::23"] = true, ["::1"] = true, localhost = true }
local TRIES, PAUSE, TIMEOUT = 3, 1, 2

local function bad(message, hint)
  errors.raise { cause = "config", code = "BadContainerUri", message = message, hint = hint }
end

--- The URL to ask. Over http the token goes to this machine and the metadata hosts only.
---@param relative? string
---@param full? string
---@return string url
---@return boolean plain http
function M.url(relative, full)
  if relative then
    if relative:sub(1, 1) ~= "/" then
      bad(RELATIVE .. " must begin with a slash", "it is a path, not a URL")
    end
    local url, err = chttp.url(ECS .. relative)
    if not url then
      bad(("%s is no path: %s"):format(RELATIVE, err.message))
    end
    return url.url, true
  end
  local url, err = chttp.url(full)
  if not url then
    bad(("%s is no URL: %s"):format(FULL, err.message))
  end
  local host = url.host:lower():gsub("^%[(.*)%]$", "%1")
  if url.scheme == "http" and not HOSTS[host] and not host:match "^127%.%d+%.%d+%.%d+$" then
    bad(("%s names the host '%s', to which no token is sent over http"):format(FULL, host),
      "http is for this machine, 169.254.170.2, 169.254.170.23 and fd00:ec2::23; use https")
  end
  return url.url, url.scheme == "http"
end

-- The file is read again each time: the platform replaces the token before it ends.
local function token_of(ctx)
  local file, value = ctx.getenv(TOKEN_FILE), ctx.getenv(TOKEN)
  local name = file and TOKEN_FILE or TOKEN
  if file then
    local text, err = errors.try(fs.read, file, { max = 64 * 1024 })
    if not text then
      errors.raise { cause = "config", code = "NoTokenFile", where = file, inner = err,
        message = ("the file that %s names cannot be read: %s"):format(TOKEN_FILE, err.message) }
    end
    value = text:gsub("%s+$", "")
  end
  if value and (value == "" or value:find "%c") then
    errors.raise { cause = "config", code = "BadToken",
      message = name .. (value == "" and " gives an empty token" or " gives a token with control characters, which is refused") }
  end
  if value then csecret.add(value) end
  return value
end

local function ask(url, plain, token)
  local response = http.request {
    url = url, headers = { Accept = "application/json", Authorization = token }, max_body = 1 << 20,
    timeout = { connect = TIMEOUT, first = TIMEOUT, total = 3 * TIMEOUT }, proxy = plain and false or nil,
  }
  if response.status ~= 200 then
    errors.raise { cause = "auth", code = "ContainerFailed", status = response.status,
      retryable = response.status >= 500 or response.status == 429,
      message = ("the container's credentials endpoint answered %d: %s"):format(response.status, form.masked(response.body)) }
  end
  local ok, answer = pcall(form.object, "the container's credentials endpoint", response.body, "ContainerFailed")
  if not ok then
    answer.retryable = true
    error(answer, 0)
  end
  return answer
end

local function fetch(ctx, url, plain)
  local token, answer, err = token_of(ctx), nil, nil
  for try = 1, TRIES do
    answer, err = errors.try(ask, url, plain, token)
    if answer or not err.retryable and err.cause ~= "timeout" then break end
    if try < TRIES then task.sleep(ctx.pause or PAUSE) end
  end
  if not answer then
    if err.code == "ContainerFailed" or err.cause == "cancelled" then error(err, 0) end
    errors.raise { cause = "auth", code = "ContainerFailed", inner = err, where = chttp.url(url).where,
      message = "the container's credentials endpoint cannot be asked: " .. err.message }
  end
  return form.credentials("container", "the container's credentials endpoint", {
    access_key = answer.AccessKeyId, secret = answer.SecretAccessKey, token = answer.Token, expires = answer.Expiration,
    account = answer.AccountId, names = { token = "Token" },
  })
end

---@param ctx adt.aws.SourceContext
---@return (fun(): adt.aws.ServedCredentials)? fetch
---@return string? reason
function M.find(ctx)
  local relative, full = ctx.getenv(RELATIVE), ctx.getenv(FULL)
  if not relative and not full then
    return nil, ("neither %s nor %s is set"):format(RELATIVE, FULL)
  end
  local url, plain = M.url(relative, full)
  return function() return fetch(ctx, url, plain) end
end

return M
