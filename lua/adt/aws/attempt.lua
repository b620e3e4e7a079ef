--- One attempt of a call: where it goes, what it carries, its signature, and what came back.
local body = require "adt.aws.body"
local clock = require "adt.c.clock"
local csecret = require "adt.c.secret"
local endpoint = require "adt.aws.endpoint"
local errors = require "adt.error"
local http = require "adt.http"
local sign = require "adt.aws.sign"

local M = {}

---@class adt.aws.Call
---@field plan adt.aws.Plan
---@field built table what the model made of the parameters
---@field bucket? string of S3
---@field how adt.aws.CallOptions
---@field source? adt.aws.Source of the body
---@field begun? boolean bytes of the answer were handed on
---@field id string of the call, the same for all of its attempts
---@field access_key? string that signed last
---@field host? string that was asked last

-- --- where -----------------------------------------------------------------------------------------------------------

-- Endpoint, URL without query.
local function place(client, call)
  local at, path = client.at, call.built.path
  local base = at.url
  if call.bucket then
    at = client.buckets[call.bucket] or at
    local found, in_path = endpoint.bucket(at, call.bucket, client.path_style)
    base, path = found, in_path and path or path:match "^/[^/]*(/.*)$" or "/"
  elseif call.built.host_prefix ~= "" and not endpoint.is_bare(base) then
    base = base:gsub("^(%a+://)", "%1" .. call.built.host_prefix, 1)
  end
  call.host = base:match "^%a+://([^/]+)"
  return at, base .. path
end

local function with_query(url, query)
  return query ~= "" and url .. "?" .. query or url
end

-- --- what ------------------------------------------------------------------------------------------------------------

-- Puts headers in place of those of their names, in any case.
local function put(headers, list)
  for _, header in ipairs(list) do
    if headers[header.name] == nil then
      local lower = header.name:lower()
      for name in pairs(headers) do
        if name:lower() == lower then
          headers[name] = nil
          break
        end
      end
    end
    headers[header.name] = header.value
  end
end

-- The options of adt.aws.sign, without the body.
local function to_sign(client, call, at, url, headers)
  local s3 = at.signing_name == "s3"
  local keys = call.plan.info.unsigned_request and "anonymous" or client:keys()
  call.access_key = keys ~= "anonymous" and keys.access_key or nil
  return {
    url = url, method = call.built.method, headers = headers, service = at.signing_name, region = at.signing_region,
    credentials = keys, clock_offset = client.skew:offset(call.host), s3 = s3,
  }
end

-- The body of an upload, or one whose checksum must be sent.
local function prepare(client, call, options)
  local info, how = call.plan.info, call.how
  local member = info.checksum_algorithm_member
  local asked = how.checksum
  if asked == nil and member and type(call.params[member]) == "string" then asked = call.params[member] end
  return body.prepare {
    source = call.source, sign = options, scheme = options.url:match "^%a+", checksum = asked,
    supported = member ~= nil, required = info.checksum_required, sign_body = how.sign_body, trailers = how.trailers,
    progress = how.progress, calculation = client.checksums,
  }
end

-- Signs, and leaves the request's body in `request`.
local function finish(client, call, request, options)
  local prepared
  if call.source then
    prepared = prepare(client, call, options)
    put(request.headers, prepared.headers)
    request.body, request.body_size = prepared.body, prepared.body_size
    if prepared.signed then return prepared end
    options.payload = prepared.payload
    if not options.payload then options.body = request.body end
  else
    request.body, options.body = call.built.body, call.built.body
    if call.plan.info.unsigned_payload and request.url:sub(1, 6) == "https:" then
      options.body, options.payload = nil, "unsigned"
    end
  end
  for _, header in ipairs(sign.headers(options)) do
    request.headers[header.name] = header.value
  end
  return prepared
end

-- Where the answer's body goes; notes that bytes were handed on, after which nothing can be sent again.
local function sink(call)
  local to = call.how.to
  if type(to) == "function" then
    return function(piece, response)
      call.begun = true
      to(piece, response)
    end
  elseif type(to) == "table" and to.open then
    local copy = {}
    for name, value in pairs(to) do copy[name] = value end
    copy.head = function(response)
      call.begun = true
      if to.head then to.head(response) end
    end
    return copy
  end
  return to
end

-- --- there and back --------------------------------------------------------------------------------------------------

local function headers_of(client, call, track)
  local headers = {}
  for name, value in pairs(call.built.headers) do headers[name] = value end
  headers["amz-sdk-invocation-id"] = call.id
  headers["amz-sdk-request"] = ("attempt=%d; max=%d"):format(track.attempt, client.retries.attempts)
  return headers
end

local function plain_headers(list)
  local out = {}
  for _, header in ipairs(list) do
    local name = header.name:lower()
    out[name] = out[name] and out[name] .. ", " .. header.value or header.value
  end
  return out
end

---@class adt.aws.Problem
---@field err? adt.Error no answer, or one that cannot be read
---@field failure? table the answer says what went wrong
---@field response? adt.http.Response
---@field outcome adt.aws.Outcome
---@field where string

-- What the answer's 2xx body says; nil and the problem if it cannot be read. The error quotes the body's beginning, which
-- must not end in the middle of a secret: nobody would know it there.
local function read(call, response, headers)
  local plan, text = call.plan, response.body or ""
  local result, err = plan.model:response(plan.name, response.status, headers, text, response.body == nil)
  if result == nil then
    err = select(2, plan.model:response(plan.name, response.status, headers, csecret.redact(text), response.body == nil)) or err
    return nil, { err = err, response = response,
      outcome = { code = err.code, retryable = err.retryable and call.repeatable == "always" } }
  end
  return result
end

local function look(client, call, response, middle)
  local plan = call.plan
  local headers = plain_headers(response.headers)
  local text = response.body or ""
  if not plan.model:is_failure(plan.name, response.status, headers, text) then
    client.skew:taken(call.host, headers.date, middle)
    return read(call, response, headers)
  end
  local failure = plan.model:failure(plan.name, response.status, headers, csecret.redact(text))
  return nil, {
    failure = failure, response = response, headers = headers, middle = middle,
    outcome = { status = response.status, code = failure.code, retryable = failure.retryable, throttling = failure.throttling },
  }
end

local function silence(err)
  if not errors.is(err) or (err.cause ~= "service" and err.cause ~= "timeout") and not (err.cause == "config" and err.code) then
    error(err, 0)
  end
  return { err = err, outcome = { code = err.code, retryable = err.retryable, timeout = err.cause == "timeout" } }
end

--- Sends the request once: its result and the response, or nil and the problem.
---@param client adt.aws.Client
---@param call adt.aws.Call
---@param track adt.aws.RetryCall
---@return table? result, adt.http.Response|adt.aws.Problem response or problem
function M.send(client, call, track)
  local at, base = place(client, call)
  local info, how = call.plan.info, call.how
  local request = {
    url = with_query(base, call.built.query), method = call.built.method, headers = headers_of(client, call, track),
    to = sink(call), max_body = how.max_body, timeout = how.timeout or client.timeout, ca = client.ca,
    insecure = client.insecure, proxy = client.proxy, read_only = info.read_only, idempotent = call.repeatable == "always",
  }
  local prepared = finish(client, call, request, to_sign(client, call, at, request.url, request.headers))
  local began, wall = clock.monotonic(), clock.now()
  local ok, response = pcall(http.request, request)
  local problem
  if ok then
    if prepared and prepared.check then prepared.check() end
    local result
    result, problem = look(client, call, response, wall + (clock.monotonic() - began) / 2)
    if not problem then return result, response end
    problem.outcome.retry_after = problem.headers and client.hint(problem.headers["x-amz-retry-after"])
  else
    problem = silence(response)
  end
  problem.where = base:match "^%a+://[^/]+"
  return nil, problem
end

--- The URL of a request that others may send, and the headers that they must send with it.
---@param client adt.aws.Client
---@param call adt.aws.Call
---@param expires integer seconds
---@return string url, table<string, string> headers
function M.presign(client, call, expires)
  local at, base = place(client, call)
  local url, headers = with_query(base, call.built.query), {}
  for name, value in pairs(call.built.headers) do headers[name] = value end
  if call.plan.protocol == "query" or call.plan.protocol == "ec2" then
    url, headers = with_query(base, call.built.body or ""), {}
    call.built.method = "GET"
  end
  local options = to_sign(client, call, at, url, headers)
  options.expires = expires
  return sign.presign(options), headers
end

return M
