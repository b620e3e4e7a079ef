--- The events of a stack and of the stacks in it, as they come, until it has ended.
local errors = require "adt.error"
local place = require "adt.cfn.place"
local task = require "adt.task"
local time = require "adt.time"

local M = {}

--- How often is asked: the first pause, the longest, and what each is longer by. Asking too often is throttled for the
--- whole account.
M.poll = { first = 0.5, most = 5, factor = 1.6 }

--- Seconds for which nobody may answer before the state counts as unknown.
M.patience = 600

---@class adt.cfn.Follow
---@field name string
---@field id string
---@field token? string of the request: events from its own on
---@field seen? string id of the last event before the request, instead
---@field emit? fun(event: table)
---@field deleting? boolean it ends when the stack is gone
---@field patience? number seconds

-- --- living through what passes -------------------------------------------------------------------------------------

-- Errors of calls know their attempts; others are of stacks.
local function passes(err)
  if not errors.is(err) or not err.attempts or err.cause == "auth" or err.cause == "usage" or err.cause == "cancelled" then return false end
  return err.retryable or err.status == nil and (err.cause == "service" or err.cause == "timeout" or err.cause == "unknown")
    or math.type(err.status) ~= nil and err.status >= 500 or err.code == "Throttling"
end

M.passes = passes

--- What an error during an operation means for who follows it: the stack goes on by itself.
---@param err adt.Error
---@param what string
---@return adt.Error
function M.lost(err, what)
  if not errors.is(err) then return err end
  if err.cause == "auth" then
    return errors.new { cause = "auth", code = err.code, where = err.where, request_id = err.request_id, inner = err,
      message = ("%s goes on, but can be followed no longer: %s"):format(what, err.message),
      hint = (err.hint and err.hint .. "; then " or "") .. "resume the run: it goes on with the same stack" }
  elseif passes(err) then
    return errors.new { cause = "unknown", code = "LostConnection", where = err.where, inner = err,
      message = ("what became of %s is not known: %s"):format(what, err.message),
      hint = "resume the run when the connection is back: it goes on with the same stack" }
  end
  return err
end

-- --- reading ---------------------------------------------------------------------------------------------------------

--- The id of the newest event of a stack.
---@param cf adt.aws.Client
---@param id string
---@return string?
function M.mark(cf, id)
  local answer = cf:DescribeStackEvents { StackName = id }
  local newest = (answer.StackEvents or {})[1]
  return newest and newest.EventId
end

-- Events come newest first: pages are read until one that was seen.
local function unseen(cf, watch)
  local list = {}
  for page in cf:pages("DescribeStackEvents", { StackName = watch.id }) do
    for _, event in ipairs(page.StackEvents or {}) do
      if event.EventId == watch.seen or watch.since and event.Timestamp < watch.since then return list end
      list[#list + 1] = event
    end
  end
  return list
end

-- Without a mark the token tells where our request begins.
local function from_token(list, token)
  local last = #list
  while last > 0 and list[last].ClientRequestToken ~= token do last = last - 1 end
  if last == 0 then return list end
  return table.move(list, 1, last, 1, {})
end

local function fresh(cf, watch)
  local ok, list = pcall(unseen, cf, watch)
  if not ok then
    if place.is_missing(list) then return {} end
    error(list, 0)
  end
  if #list > 0 then
    local newest = list[1].EventId
    if not watch.seen and watch.token then list = from_token(list, watch.token) end
    watch.seen = newest
  end
  local ordered = {}
  for i = #list, 1, -1 do ordered[#ordered + 1] = list[i] end
  return ordered
end

-- --- following -------------------------------------------------------------------------------------------------------

local Follower = {}
Follower.__index = Follower

local function note_state(self, watch, event)
  local status = event.ResourceStatus
  if event.PhysicalResourceId == watch.id then
    if watch.root then self.begun = true end
    if status:match "ROLLBACK" then watch.rolling_back = watch.rolling_back or event.Timestamp end
  elseif event.ResourceType == "AWS::CloudFormation::Stack" and (event.PhysicalResourceId or "") ~= ""
    and not self.watched[event.PhysicalResourceId] then
    self.watched[event.PhysicalResourceId] = true
    -- A new stack's own first event may be a little older than the one that names it.
    local slack = status:match "^CREATE_" and 1 or 0
    table.insert(self.watches, { id = event.PhysicalResourceId, name = event.LogicalResourceId, since = event.Timestamp - slack,
      within = (watch.within and watch.within .. "/" or "") .. event.LogicalResourceId })
  end
  if status:match "_FAILED$" and event.PhysicalResourceId ~= watch.id then
    local since = self.watches[1].rolling_back
    event.rolling_back = since ~= nil and (watch.root or event.Timestamp > since) or nil
    table.insert(self.failures, event)
  elseif status == "DELETE_SKIPPED" then
    table.insert(self.skipped, event)
  end
end

local function tell(self, watch, event)
  if not self.emit then return end
  self.emit { type = "resource", stack = watch.name, within = watch.within, resource = event.LogicalResourceId, kind = event.ResourceType,
    state = event.ResourceStatus, reason = event.ResourceStatusReason, id = event.PhysicalResourceId ~= "" and event.PhysicalResourceId or nil,
    at = event.Timestamp }
end

-- The stacks that events make known are read in the same round.
local function round(self)
  local i, n = 1, 0
  while self.watches[i] do
    for _, event in ipairs(fresh(self.cf, self.watches[i])) do
      n = n + 1
      note_state(self, self.watches[i], event)
      tell(self, self.watches[i], event)
    end
    i = i + 1
  end
  return n
end

local GRACE = 30

-- What is described may be of before the request: only an event of it, or time, makes an end believable.
local function has_ended(self, stack)
  if not stack then return self.deleting or self.begun or time.monotonic() - self.started > GRACE end
  if stack.status:match "_IN_PROGRESS$" then return false end
  return self.begun or time.monotonic() - self.started > GRACE
end

local function ask(self)
  local stack = place.describe(self.cf, self.id)
  local n = round(self)
  return { stack = stack, n = n }
end

--- Follows a stack until it has ended, telling each event. Lives through throttling and lost connections.
---@param cf adt.aws.Client
---@param o adt.cfn.Follow
---@return adt.cfn.Stack? stack nil when it is gone
---@return table[] failures events of resources that failed, oldest first
---@return table[] skipped events of resources that were left when the stack was deleted
--- Raises: unknown "LostConnection" after `patience`; auth when the credentials have ended.
function M.follow(cf, o)
  local self = setmetatable({ cf = cf, id = o.id, emit = o.emit, deleting = o.deleting, started = time.monotonic(), failures = {}, skipped = {},
    watched = { [o.id] = true }, watches = { { id = o.id, name = o.name, token = o.token, seen = o.seen, root = true } } }, Follower)
  local pause, silent = M.poll.first, nil
  while true do
    local ok, now = pcall(ask, self)
    if ok then
      silent = nil
      if has_ended(self, now.stack) then return now.stack, self.failures, self.skipped end
      pause = now.n > 0 and M.poll.first or math.min(pause * M.poll.factor, M.poll.most)
    else
      silent = silent or time.monotonic()
      if not passes(now) or time.monotonic() - silent > (o.patience or M.patience) then
        error(M.lost(now, ("stack '%s'"):format(o.name)), 0)
      end
      pause = M.poll.most
    end
    task.sleep(pause)
  end
end

return M
