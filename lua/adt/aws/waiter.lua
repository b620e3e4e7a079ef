--- Waits until a resource has a state, by the waiter rules of the models.
---
--- The first acceptor that fits an answer decides. Pauses begin at an eighth of the rule's delay, double until they reach
--- it, and are shortened by up to a quarter at random, so that many who wait do not ask at once. Without a limit of the
--- caller's own it ends after as long as the rule's attempts would have taken.
local clock = require "adt.c.clock"
local errors = require "adt.error"
local forms = require "adt.aws.jmesforms"
local jmespath = require "adt.aws.jmespath"
local sight = require "adt.aws.sight"
local task = require "adt.task"

local M = {}

---@class adt.aws.WaitOptions
---@field timeout? number seconds at most; the rule's delay times its attempts unless given
---@field delay? number seconds of the longest pause; the rule's unless given
---@field attempts? integer calls at most; as many as fit into the time unless given
---@field on_try? fun(response: table?, attempt: integer, err: adt.Error?) called after each call

local MATCHERS = { path = true, pathAll = true, pathAny = true, status = true, error = true }
local STATES = { success = true, failure = true, retry = true }
local FIRST_PAUSE, JITTER = 1 / 8, 1 / 4

-- What never came from the service is no state of a resource.
local OURS = { usage = true, config = true, cancelled = true, internal = true, program = true, node = true }

local function bad_rule(name, message)
  errors.raise { cause = "config", code = "BadModel", message = ("the waiter %s: %s"):format(name, message) }
end

local function search(expression, response)
  local find = jmespath.compile(expression)
  local value, err = errors.try(find, response)
  -- The length of what is not there yet, say: not the state that is waited for.
  if err and err.code ~= "JmesPathType" then
    error(err, 0)
  end
  return value
end

local FITS = {
  path = function(acceptor, response)
    local value = response and search(acceptor.argument, response)
    return value ~= nil and forms.same(value, acceptor.expected)
  end,
  pathAll = function(acceptor, response)
    local list = response and search(acceptor.argument, response)
    for _, value in ipairs(type(list) == "table" and list or {}) do
      if not forms.same(value, acceptor.expected) then
        return false
      end
    end
    return type(list) == "table" and list[1] ~= nil
  end,
  pathAny = function(acceptor, response)
    local list = response and search(acceptor.argument, response)
    for _, value in ipairs(type(list) == "table" and list or {}) do
      if forms.same(value, acceptor.expected) then
        return true
      end
    end
    return false
  end,
  -- Answers tell no status; one that is no error has some 2xx.
  status = function(acceptor, _, err)
    if err then
      return err.status == acceptor.expected
    end
    return acceptor.expected // 100 == 2
  end,
  error = function(acceptor, _, err)
    if type(acceptor.expected) == "boolean" then
      return (err ~= nil) == acceptor.expected
    end
    return err ~= nil and err.code == acceptor.expected
  end,
}

local function check_rule(name, rule)
  if type(rule) ~= "table" or type(rule.operation) ~= "string" or type(rule.acceptors) ~= "table" then
    bad_rule(name, "it has no operation or no acceptors")
  elseif math.type(rule.delay) == nil or math.type(rule.maxAttempts) == nil or rule.delay <= 0 or rule.maxAttempts < 1 then
    bad_rule(name, "its delay and maxAttempts must be numbers above 0")
  end
  for _, acceptor in ipairs(rule.acceptors) do
    local matcher = type(acceptor) == "table" and acceptor.matcher
    if not MATCHERS[matcher] or not STATES[acceptor.state] or acceptor.expected == nil then
      bad_rule(name, ("an acceptor is not known: matcher %s"):format(tostring(matcher)))
    elseif matcher == "status" and math.type(acceptor.expected) ~= "integer" then
      bad_rule(name, "the status that an acceptor expects must be a number")
    elseif matcher:find "^path" then
      jmespath.compile(acceptor.argument)
    end
  end
end

local function check_options(options)
  errors.check_options("waiter.wait", options, { "timeout", "delay", "attempts", "on_try" })
  for _, key in ipairs { "timeout", "delay", "attempts" } do
    local value = options[key]
    if value ~= nil and (type(value) ~= "number" or value <= 0 or value ~= value) then
      errors.raise { cause = "usage", code = "BadArgument", message = ("waiter.wait: %s must be a number above 0"):format(key) }
    end
  end
  if options.on_try ~= nil and type(options.on_try) ~= "function" then
    errors.raise { cause = "usage", code = "BadArgument", message = "waiter.wait: on_try must be a function" }
  end
end

local function first_that_fits(rule, response, err)
  for _, acceptor in ipairs(rule.acceptors) do
    if FITS[acceptor.matcher](acceptor, response, err) then
      return acceptor
    end
  end
end

local function title(client, name)
  return type(client.service) == "string" and client.service .. " " .. name or name
end

local function fail(what, acceptor, response, err)
  local seen = err and ("the call failed with %s: %s"):format(err.code, err.message)
    or acceptor.argument and ("%s is %s"):format(acceptor.argument, sight.text(acceptor.expected))
    or "the call succeeded"
  local reason = response and sight.reason(response, acceptor.expected)
  errors.raise {
    cause = "service", code = "WaiterFailed", inner = err, request_id = err and err.request_id,
    state = acceptor.argument and acceptor.expected or err and err.code, reason = reason,
    message = ("%s will not come: %s%s"):format(what, seen, reason and (" (%s)"):format(reason) or ""),
    hint = "this state does not pass by itself: look at the resource",
  }
end

-- The last state in words, as the rule's first path sees it.
local function last_state(rule, response, err)
  if err then
    return ("the last call failed with %s"):format(err.code or err.message), err.code
  end
  for _, acceptor in ipairs(rule.acceptors) do
    local seen = acceptor.argument and search(acceptor.argument, response)
    if seen ~= nil then
      return ("%s is %s"):format(acceptor.argument, sight.text(seen)), seen
    end
  end
  return "the service tells no state yet"
end

local function give_up(what, rule, tries, seconds, response, err)
  local said, state = last_state(rule, response, err)
  errors.raise {
    cause = "timeout", code = "WaiterTimeout", state = state, inner = err,
    message = ("%s did not come in %d tries and %.3g s: %s"):format(what, tries, seconds, said),
    hint = "wait longer (timeout = seconds, attempts = calls), or see what holds it up",
  }
end

-- Seconds before the call after `attempt`.
local function pause(attempt, longest)
  local whole = math.min(longest, longest * FIRST_PAUSE * 2.0 ^ (attempt - 1))
  return whole * (1 - JITTER * math.random())
end

-- One call: its answer, or the error that the service gave instead.
local function try(client, rule, params)
  local response, err = errors.try(function() return (client:call(rule.operation, params or {})) end)
  if err and OURS[err.cause] then
    error(err, 0)
  end
  return response, err
end

--- The rule of a waiter.
---
--- Raises: usage ("UnknownWaiter"), config.
---@param found adt.aws.Model
---@param name string "ClusterActive"
---@return table
function M.rule(found, name)
  local rules = found.waiters()
  if rules[name] then
    return rules[name]
  end
  local names = {}
  for known in pairs(rules) do
    names[#names + 1] = known
  end
  table.sort(names)
  local near = errors.nearest(tostring(name), names)
  errors.raise {
    cause = "usage", code = "UnknownWaiter", message = ("%s has no waiter '%s'"):format(found.service, tostring(name)),
    hint = (near and ("did you mean '%s'? "):format(near) or "")
      .. (names[1] and "It has " .. table.concat(names, ", ") or "It has none: ask in a loop"),
  }
end

--- Calls the rule's operation until an acceptor decides: the last answer (nil where an error was what was waited for,
--- such as that a resource is not there any more). Waits.
---
--- Raises: service "WaiterFailed" (with `state`, and `reason` where the answer tells one), timeout "WaiterTimeout" (with
--- `state`), config (a bad rule), usage, and errors of calls that no acceptor knows.
---@param client adt.aws.Caller
---@param name string for messages
---@param params table?
---@param rule table a waiter of the model
---@param options? adt.aws.WaitOptions
---@return table? response
function M.wait(client, name, params, rule, options)
  options = options or {}
  check_options(options)
  check_rule(name, rule)
  local what, began = title(client, name), clock.monotonic()
  local longest = options.delay or rule.delay
  local timeout = options.timeout or (not options.attempts and rule.delay * rule.maxAttempts) or math.huge
  local attempt = 0
  while true do
    attempt = attempt + 1
    local response, err = try(client, rule, params)
    if options.on_try then
      options.on_try(response, attempt, err)
    end
    local acceptor = first_that_fits(rule, response, err)
    if acceptor and acceptor.state == "success" then
      return response
    elseif acceptor and acceptor.state == "failure" then
      fail(what, acceptor, response, err)
    elseif err and not acceptor then
      error(err, 0)
    end
    local spent = clock.monotonic() - began
    if attempt >= (options.attempts or math.huge) or spent >= timeout then
      give_up(what, rule, attempt, spent, response, err)
    end
    task.sleep(math.min(pause(attempt, longest), timeout - spent))
  end
end

return M
