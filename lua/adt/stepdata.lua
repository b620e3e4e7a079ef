--- What goes into a step and comes out of it, as the journal can hold it: digests of inputs, results, keys.
local errors = require "adt.error"
local hash = require "adt.hash"
local json = require "adt.json"
local pending = require "adt.pending"
local secret = require "adt.secret"

local M = {}

local DEPTH = 100 -- of nested tables; json.decode has the same ceiling in reserve

local function bad_input(where, what)
  errors.raise { cause = "usage", code = "BadInputs",
    message = ("the inputs of a step must be plain data; %s is %s"):format(where, what),
    hint = "give what decides about the result: names, numbers, digests of files" }
end

--- Data with a run's folder named otherwise, wherever it stands in a text: the run may have been copied.
---@param value any
---@param from string
---@param to string
---@return any
function M.relocate(value, from, to)
  if type(value) == "string" then
    local at, pieces, start = value:find(from, 1, true), {}, 1
    while at do
      local after = value:sub(at + #from, at + #from)
      pieces[#pieces + 1] = value:sub(start, at - 1) .. (after:find "[%w_.-]" and from or to)
      start = at + #from
      at = value:find(from, start, true)
    end
    return start > 1 and table.concat(pieces) .. value:sub(start) or value
  elseif type(value) ~= "table" then
    return value
  end
  for k, v in pairs(value) do value[k] = M.relocate(v, from, to) end
  return value
end

local function plain_inputs(key, value, where, depth)
  local kind = type(value)
  if secret.is(value) then
    return "<secret " .. hash.hmac_sha256(key, value:reveal()) .. ">"
  elseif pending.is(value) then
    return tostring(value)
  elseif kind == "function" or kind == "userdata" and value ~= json.null or kind == "thread" then
    bad_input(where, "a " .. kind)
  elseif kind ~= "table" or value == json.null then
    return value
  elseif depth > DEPTH then
    bad_input(where, "nested too deeply, or inside itself")
  end
  local copy = {}
  for k, v in pairs(value) do
    copy[k] = plain_inputs(key, v, where .. "." .. tostring(k), depth + 1)
  end
  return copy
end

--- The digest of all inputs and of each by name: the same wherever the run's folder lies. The key keeps short inputs
--- from being guessed.
---@param run adt.Run
---@param inputs table
---@return string
---@return table<string, string>
function M.digests(run, inputs)
  local key, each, all = run:key(), {}, {}
  for name, value in pairs(inputs) do
    local plain = M.relocate(plain_inputs(key, value, tostring(name), 1), run.dir, "<run>")
    local text, err = errors.try(json.encode, { plain })
    if not text then
      bad_input(tostring(name), "not (" .. err.message .. ")")
    end
    each[tostring(name)] = hash.hmac_sha256(key, text):sub(1, 32)
    all[#all + 1] = tostring(name) .. "=" .. each[tostring(name)]
  end
  table.sort(all)
  return hash.hmac_sha256(key, table.concat(all, "\n")):sub(1, 32), each
end

--- The names of the inputs that differ, for people.
---@param before? table<string, string>
---@param now table<string, string>
---@return string
function M.changed(before, now)
  local names = {}
  for name, digest in pairs(now) do
    if not before or before[name] ~= digest then names[#names + 1] = name end
  end
  for name in pairs(before or {}) do
    if now[name] == nil then names[#names + 1] = name end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

local function bad_result(name, why, inner)
  errors.raise { cause = "usage", code = "BadResult", inner = inner,
    message = ("step '%s' returns what cannot be journalled: %s"):format(name, why),
    hint = "return plain data: texts, numbers, booleans and tables of these; what the step did stands, and a resume asks its find" }
end

local function scan(name, value, where, depth)
  if secret.is(value) then
    errors.raise { cause = "usage", code = "SecretInResult",
      message = ("step '%s' returns a secret (%s); results are journalled"):format(name, where),
      hint = "return where the secret is kept, not the secret" }
  elseif pending.is(value) then
    pending.stop(value)
  elseif type(value) == "table" then
    if depth > DEPTH then
      bad_result(name, where:sub(1, 60) .. "... is nested too deeply, or inside itself")
    end
    for k, v in pairs(value) do scan(name, v, where .. "." .. tostring(k), depth + 1) end
  end
end

--- A step's result as a resume will see it: by way of JSON. Raises cause "usage" for what the journal cannot hold.
---@param name string of the step
---@param result any
---@return any
function M.result(name, result)
  scan(name, result, "result", 1)
  local text, err = errors.try(json.encode, { result })
  if not text then
    bad_result(name, err.message, err)
  elseif require("adt.c.secret").redact(text) ~= text then
    errors.raise { cause = "usage", code = "SecretInResult",
      message = ("step '%s' returns a text with a secret in it; results are journalled"):format(name),
      hint = "return where the secret is kept, not the secret" }
  end
  return json.decode(text)[1]
end

--- The key that a step gives to what it makes: letters, digits, '_', '.' and '-', and different for each step and time.
---@param run string id of the run
---@param name string of the step
---@param n integer
---@return string
function M.key(run, name, n)
  local slug = name:gsub("[^%w_.-]+", "-")
  if slug ~= name then
    slug = slug .. "-" .. hash.sha256(name):sub(1, 8)
  end
  return ("%s-%s-%d"):format(run, slug, n)
end

return M
