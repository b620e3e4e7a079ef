--- Answers that come in pages, by the paginator rules of the models: an iterator of pages, or of what they hold.
local errors = require "adt.error"
local forms = require "adt.aws.jmesforms"
local jmespath = require "adt.aws.jmespath"
local json = require "adt.json"

local M = {}

--- Whoever makes calls: `adt.aws.client`.
---@class adt.aws.Caller
---@field call fun(self: adt.aws.Caller, operation: string, params: table): table raises

---@class adt.aws.PageOptions
---@field page_size? integer|string entries that the service may put on a page at most (a few services want text)

---@class adt.aws.ItemOptions: adt.aws.PageOptions
---@field max_items? integer stop after so many
---@field key? string where the items are, as JMESPath: "Reservations[].Instances[]"; the rule's own unless given

local function usage(code, message, hint)
  errors.raise { cause = "usage", code = code, message = message, hint = hint }
end

-- A field of a rule as a list of strings.
local function texts(rule, field, operation)
  local value = rule[field]
  local list = type(value) == "table" and value or { value }
  for _, text in ipairs(list) do
    if type(text) ~= "string" then
      errors.raise { cause = "config", code = "BadModel", message = ("the paginator of %s: bad '%s'"):format(operation, field) }
    end
  end
  return list
end

local function compiled(list)
  local out = {}
  for i, text in ipairs(list) do
    out[i] = jmespath.compile(text)
  end
  return out
end

local function plan_of(operation, rule)
  local plan = {
    input = texts(rule, "input_token", operation), output = compiled(texts(rule, "output_token", operation)),
    more = compiled(texts(rule, "more_results", operation))[1], results = texts(rule, "result_key", operation),
    limit = texts(rule, "limit_key", operation)[1],
  }
  if #plan.input == 0 or #plan.input ~= #plan.output then
    errors.raise {
      cause = "config", code = "BadModel",
      message = ("the paginator of %s has %d input tokens and %d output tokens"):format(operation, #plan.input, #plan.output),
    }
  end
  return plan
end

-- What the next call needs beside its parameters: tokens by member, or nil when this was the last page.
local function next_tokens(plan, page)
  if plan.more then
    local more = plan.more(page)
    if more == nil or not forms.truth(more) then
      return nil
    end
  end
  local tokens = {}
  for i, find in ipairs(plan.output) do
    local token = find(page)
    if token ~= nil and forms.truth(token) then
      tokens[plan.input[i]] = token
    end
  end
  return next(tokens) and tokens
end

local function first_params(operation, params, plan, options)
  local out = {}
  for name, value in pairs(params or {}) do
    out[name] = value
  end
  local size = options.page_size
  if size ~= nil then
    local number = math.tointeger(tonumber(size))
    if not plan.limit then
      usage("NoPageSize", ("%s lets no one choose the size of a page"):format(operation))
    elseif not number or number < 1 then
      usage("BadArgument", "page_size must be a whole number from 1")
    end
    out[plan.limit] = size
  end
  return out
end

local function repeated(operation, calls)
  errors.raise {
    cause = "service", code = "RepeatedToken",
    message = ("%s: after %d pages the service named a page that it had named before"):format(operation, calls),
    hint = "what came so far may not be all: ask again, with other parameters",
  }
end

local function pages_of(client, operation, params, plan, options)
  local args, calls, mark, done, circle = first_params(operation, params, plan, options), 0, nil, false, false
  return function()
    if circle then
      circle, done = false, true
      repeated(operation, calls)
    elseif done then
      return nil
    end
    local page = client:call(operation, args)
    local tokens = next_tokens(plan, page)
    calls = calls + 1
    if not tokens then
      done = true
      return page
    end
    -- Brent's way: the mark moves on at powers of two, so that a circle of any length is seen.
    if mark and forms.same(mark, tokens) then
      circle = true
    elseif calls & (calls - 1) == 0 then
      mark = tokens
    end
    for _, name in ipairs(plan.input) do
      args[name] = tokens[name]
    end
    return page
  end
end

--- The rule by which an operation comes in pages.
---
--- Raises: usage ("NotPaged"), config.
---@param found adt.aws.Model
---@param operation string
---@return table
function M.rule(found, operation)
  local rule = found.paginators()[operation]
  if not rule then
    usage("NotPaged", ("%s %s does not come in pages"):format(found.service, operation), "call it itself")
  end
  return rule
end

--- An iterator of pages, each fetched when it is asked for: `for page in pages.iterate(...) do`.
---
--- Raises, when called: usage, config (a bad rule); while it iterates: what the calls raise, and service "RepeatedToken".
---@param client adt.aws.Caller
---@param operation string
---@param params table? a token among them: begins there
---@param rule table a paginator of the model
---@param options? adt.aws.PageOptions
---@return fun(): table?
function M.iterate(client, operation, params, rule, options)
  options = options or {}
  errors.check_options("pages.iterate", options, { "page_size" })
  return pages_of(client, operation, params, plan_of(operation, rule), options)
end

-- Where an operation's items are, as JMESPath.
local function item_key(operation, plan, key)
  if key == nil and #plan.results == 1 then
    return plan.results[1]
  elseif key == nil then
    usage("SeveralKeys", ("the pages of %s hold items at %s"):format(operation, table.concat(plan.results, ", ")),
      "say which: key = '...', or iterate over the pages")
  elseif type(key) ~= "string" then
    usage("BadArgument", "key must be a JMESPath expression, such as 'Reservations[].Instances[]'")
  end
  return key
end

--- An iterator of what the pages hold; the next page is fetched when the items of one are spent.
---
--- Raises as `iterate`, and usage "SeveralKeys" where the rule has several kinds of items and no `key` says which.
---@param client adt.aws.Caller
---@param operation string
---@param params table?
---@param rule table
---@param options? adt.aws.ItemOptions
---@return fun(): any
function M.items(client, operation, params, rule, options)
  options = options or {}
  errors.check_options("pages.items", options, { "page_size", "max_items", "key" })
  local left = options.max_items or math.huge
  if type(left) ~= "number" or left < 0 then
    usage("BadArgument", "max_items must be a number from 0")
  end
  local plan = plan_of(operation, rule)
  local find = jmespath.compile(item_key(operation, plan, options.key))
  local next_page = pages_of(client, operation, params, plan, options)
  local items, at = {}, 0
  return function()
    while left > 0 do
      at = at + 1
      local item = items[at]
      if item == json.null then
        goto continue
      elseif item ~= nil then
        left = left - 1
        return item
      end
      do
        local page = next_page()
        if not page then
          return nil
        end
        local found = find(page)
        -- One that is no list is an item itself.
        items, at = type(found) == "table" and (found[1] ~= nil or next(found) == nil) and found or { found }, 0
      end
      ::continue::
    end
  end
end

return M
