--- Objects of S3 on their way here: to a file under another name, to a function or into memory; checked, and taken up
--- again where a connection broke.
local base64 = require "adt.base64"
local body = require "adt.aws.body"
local cfs = require "adt.c.fs"
local errors = require "adt.error"
local file = require "adt.file"
local hash = require "adt.hash"
local path = require "adt.path"
local random = require "adt.random"
local task = require "adt.c.task"

local M = {}

local IN_VAIN = 5 -- attempts in a row that brought nothing
local HEADER = "x-amz-checksum-"

-- What one download knows: `done` bytes arrived, of `size` in all; `etag` of what they are part of.
local function begin(call, params, options)
  local d = { call = call, params = {}, done = 0, resume = options.resume ~= false, progress = options.progress,
    where = ("s3://%s/%s"):format(params.Bucket, params.Key), verify = options.checksum ~= false }
  for name, value in pairs(params) do d.params[name] = value end
  return d
end

local function fail(d, cause, code, message, hint)
  errors.raise { cause = cause, code = code, where = d.where, message = message, hint = hint }
end

local function total_of(headers)
  local whole = headers["content-range"]
  if whole then
    return tonumber(whole:match "/(%d+)$"), tonumber(whole:match "^bytes (%d+)%-")
  end
  return tonumber(headers["content-length"]), 0
end

-- Looks at the head of a response, once for each attempt.
local function look(d, headers)
  local size, from = total_of(headers)
  if d.began and (from ~= d.done or size ~= d.size) then
    fail(d, "service", "BadRange", ("the server was asked for the object from byte %d on and sent other bytes"):format(d.done))
  elseif not d.began then
    d.began, d.size, d.etag, d.headers = true, size, headers.etag, headers
    d.kind, d.value = body.announced(headers)
  end
end

-- --- one attempt after the other -------------------------------------------------------------------------------------

local function attempt(d, sink)
  local params = {}
  for name, value in pairs(d.params) do params[name] = value end
  if d.began then
    params.Range, params.IfMatch = ("bytes=%d-"):format(d.done), d.etag
  elseif d.verify then
    params.ChecksumMode = "ENABLED"
  end
  return d.call("GetObject", params, { to = sink(d) })
end

local function gone_on(d, err)
  if not errors.is(err) then
    return false
  elseif err.code == "PreconditionFailed" or err.status == 412 then
    fail(d, "service", "ObjectChanged", "the object was replaced while it was being read")
  elseif err.status == 416 and d.size == d.done then
    return true
  end
  return d.resume and d.etag ~= nil and err.retryable and (err.cause == "service" or err.cause == "timeout")
end

-- Asks until all is there. `arrived(d)` says how many bytes are, after a failure.
local function fetch(d, sink, arrived)
  local in_vain = 0
  while true do
    local ok, result = pcall(attempt, d, sink)
    local before = d.done
    d.done = arrived(d)
    if ok then
      d.result = d.result or result
      if not d.began or d.done == d.size then
        return d.result
      end
    elseif not (d.began and gone_on(d, result)) then
      error(result, 0)
    elseif d.done == d.size then
      return d.result
    end
    in_vain = d.done > before and 0 or in_vain + 1
    if in_vain >= IN_VAIN or not d.resume then
      if not ok then error(result, 0) end
      fail(d, "service", "Truncated", ("the object ended after %d bytes of %s"):format(d.done, tostring(d.size)))
    end
    task.sleep(math.min(0.1 * 2 ^ in_vain, 5))
  end
end

local function verify(d, tally)
  if not (d.verify and d.kind and tally) then
    return nil
  end
  local got = base64.encode(tally:finish { raw = true })
  if got ~= d.value then
    errors.raise { cause = "service", code = "BadChecksum", where = d.where, retryable = true,
      message = ("the %s of what arrived is %s, and the object's is %s"):format(body.CHECKSUMS[d.kind], got, d.value),
      hint = "it was damaged on its way or on the disk: ask again" }
  end
  return d.kind
end

-- --- to a function, into memory --------------------------------------------------------------------------------------

-- Hands on each piece, counted. An attempt's first piece tells what the response is.
local function to_function(d, take)
  local seen
  return function(piece, response)
    if seen ~= response then
      seen = response
      look(d, response.headers)
      d.tally = d.tally or (d.verify and d.kind and hash.new(d.kind)) or nil
    end
    if d.done + #piece > (d.size or math.huge) then
      fail(d, "service", "BadLength", ("the object has more bytes than the %d that were announced"):format(d.size))
    end
    if d.tally then d.tally:add(piece) end
    take(piece)
    d.done = d.done + #piece
    if d.progress then d.progress(d.done, d.size) end
  end
end

local function pieces(d, take)
  local result = fetch(d, function() return to_function(d, take) end, function() return d.done end)
  return result, verify(d, d.tally)
end

--- Gives the object's bytes to a function, piece by piece. What was given is not checked before the end.
---@param call fun(operation: string, params: table, how: table): table
---@param params table of GetObject
---@param take fun(piece: string)
---@param options { resume?: boolean, checksum?: false, progress?: fun(done: integer, total: integer?) }
---@return table result of GetObject
---@return string? kind of the checksum that was right
function M.to_function(call, params, take, options)
  return pieces(begin(call, params, options), take)
end

--- The object's bytes, at most `max`.
---@return string text, table result, string? kind
function M.to_text(call, params, max, options)
  local parts, left, d = {}, max, begin(call, params, options)
  local result, kind = pieces(d, function(piece)
    left = left - #piece
    if left < 0 or (d.size or 0) > max then
      errors.raise { cause = "usage", code = "EOVERFLOW", where = d.where,
        message = ("the object is larger than %d bytes"):format(max), hint = "raise max, or get it into a file" }
    end
    parts[#parts + 1] = piece
  end)
  return table.concat(parts), result, kind
end

-- --- to a file -------------------------------------------------------------------------------------------------------

-- A file beside the target, which takes its name when it is complete.
local Part = {}
Part.__index = Part

function Part:__close()
  pcall(self.file.close, self.file)
  if not self.kept then cfs.remove(self.path) end
end

local function open_part(target, mode)
  local name = path.join(path.dir(target), ".adt-" .. random.hex(8) .. ".part")
  return setmetatable({ path = name, target = target, file = file.open(name, "x", { mode = mode }) }, Part)
end

local function keep(part, sync)
  if sync then part.file:sync() end
  part.file:close()
  errors.check(cfs.rename(part.path, part.target))
  part.kept = true
  if sync then
    local folder <close> = file.open(path.dir(part.target))
    folder:sync()
  end
end

-- In C: a tally for each checksum that may be announced; the response's head chooses.
local function to_open(d, part)
  local tallies, offered = nil, {}
  if d.tally then
    tallies = { { "", d.tally } }
  elseif d.verify and not d.began then
    tallies = {}
    for i, name in ipairs(body.PREFERENCE) do
      offered[name] = hash.new(name)
      tallies[i] = { HEADER .. name, offered[name] }
    end
  end
  return { open = part.file, tallies = tallies, head = function(response)
    look(d, response.headers)
    d.tally = d.tally or offered[d.kind]
  end }
end

local function fetch_into(d, part)
  if d.progress then
    return fetch(d, function() return to_function(d, function(piece) part.file:write(piece) end) end,
      function() return d.done end)
  end
  return fetch(d, function() return to_open(d, part) end, function() return part.file:size() end)
end

--- Writes the object to a file, which is there under its name when all of it arrived and was right, or not at all.
---@param target string
---@param options { resume?: boolean, checksum?: false, progress?: function, mode?: integer, sync?: boolean }
---@return table result, string? kind, integer size
function M.to_file(call, params, target, options)
  local d = begin(call, params, options)
  local part <close> = open_part(path.check(target), options.mode)
  local result = fetch_into(d, part)
  local kind = verify(d, d.tally)
  local size = part.file:size()
  keep(part, options.sync)
  return result, kind, size
end

return M
