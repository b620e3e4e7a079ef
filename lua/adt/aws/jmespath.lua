--- JMESPath, as far as AWS's paginators and waiters speak it: fields, indices, flattening, wildcards, filters, comparisons,
--- `&&`, `||`, `!`, pipes, literals, multiselects and a few functions. Slices and `&expressions` are not part of it.
local errors = require "adt.error"
local forms = require "adt.aws.jmesforms"
local json = require "adt.json"

local M = {}

local NULL = json.null
local MAX_LENGTH, MAX_DEPTH, MAX_KEPT = 4096, 64, 2000

-- --- words -----------------------------------------------------------------------------------------------------------

-- How strongly each word binds what stands before it.
local BINDS = {
  ["|"] = 1, ["||"] = 2, ["&&"] = 3, ["=="] = 5, ["!="] = 5, ["<"] = 5, [">"] = 5, ["<="] = 5, [">="] = 5,
  ["[]"] = 9, ["*"] = 20, ["[?"] = 21, ["."] = 40, ["!"] = 45, ["{"] = 50, ["["] = 55,
}
local PROJECTION_ENDS = 10

local SYMBOLS = { "[?", "[]", "||", "&&", "==", "!=", "<=", ">=", ".", "*", "[", "]", "{", "}", "(", ")", ",", ":", "<",
  ">", "!", "|", "@" }

local function bad(expression, at, message)
  errors.raise {
    cause = "config", code = "BadExpression", where = expression,
    message = ("JMESPath, byte %d: %s"):format(at, message),
  }
end

-- The text up to the next `quote` that no backslash precedes, and where it ends.
local function quoted(expression, at, quote)
  local i = at + 1
  while i <= #expression do
    local char = expression:sub(i, i)
    if char == quote then
      return expression:sub(at + 1, i - 1), i + 1
    end
    i = i + (char == "\\" and 2 or 1)
  end
  bad(expression, at, "the closing " .. quote .. " is missing")
end

local function literal(expression, at, text)
  local value, err = errors.try(json.decode, text)
  if err then
    bad(expression, at, "no JSON: " .. text)
  end
  return value
end

-- The word at a place: its kind, value and where the next begins.
local function word(expression, at)
  local name = expression:match("^[%a_][%w_]*", at)
  if name then
    return "name", name, at + #name
  end
  local number = expression:match("^%-?%d+", at)
  if number then
    return "number", math.tointeger(number) or bad(expression, at, "a number out of range"), at + #number
  end
  local char = expression:sub(at, at)
  if char == '"' then
    local text, after = quoted(expression, at, '"')
    return "quoted", literal(expression, at, '"' .. text .. '"'), after
  elseif char == "'" then
    local text, after = quoted(expression, at, "'")
    return "literal", (text:gsub("\\'", "'")), after
  elseif char == "`" then
    local text, after = quoted(expression, at, "`")
    return "literal", literal(expression, at, (text:gsub("\\`", "`"))), after
  end
  for _, symbol in ipairs(SYMBOLS) do
    if expression:sub(at, at + #symbol - 1) == symbol then
      return symbol, symbol, at + #symbol
    end
  end
  bad(expression, at, ("'%s' has no meaning here"):format(char))
end

local function words_of(expression)
  local words, at = {}, expression:find("%S") or #expression + 1
  while at <= #expression do
    local kind, value, after = word(expression, at)
    words[#words + 1] = { kind = kind, value = value, at = at }
    at = expression:find("%S", after) or #expression + 1
  end
  words[#words + 1] = { kind = "end", value = "the end", at = #expression + 1 }
  return words
end

-- --- sentences: operator precedence, as in JMESPath's own description ------------------------------------------------

local Parser = {}
Parser.__index = Parser

function Parser:fail(message)
  local now = self.words[self.i]
  bad(self.expression, now.at, message or ("%s is not expected here"):format(now.value))
end

function Parser:kind()
  return self.words[self.i].kind
end

function Parser:next()
  local now = self.words[self.i]
  self.i = self.i + 1
  return now
end

function Parser:expect(kind)
  if self:kind() ~= kind then
    self:fail(("'%s' is missing"):format(kind))
  end
  return self:next()
end

function Parser:list(close, one)
  local out = {}
  repeat
    out[#out + 1] = one()
  until self:kind() ~= "," or not self:next()
  self:expect(close)
  return out
end

function Parser:multiselect_list()
  local parts = self:list("]", function() return self:sentence(0) end)
  return function(v)
    if v == NULL then
      return NULL
    end
    local out = json.array()
    for i, part in ipairs(parts) do
      out[i] = part(v)
    end
    return out
  end
end

function Parser:multiselect_hash()
  local parts = self:list("}", function()
    local key = self:next()
    if key.kind ~= "name" and key.kind ~= "quoted" then
      self.i = self.i - 1
      self:fail "a key is missing"
    end
    self:expect ":"
    return { key.value, self:sentence(0) }
  end)
  return function(v)
    if v == NULL then
      return NULL
    end
    local out = {}
    for _, part in ipairs(parts) do
      out[part[1]] = part[2](v)
    end
    return out
  end
end

function Parser:call(name)
  local known = forms.FUNCTIONS[name.value]
  if not known then
    bad(self.expression, name.at, ("the function %s() is not part of this subset"):format(name.value))
  end
  self:expect "("
  local arguments = self:list(")", function() return self:sentence(0) end)
  if #arguments ~= known[1] and not (known[3] and #arguments > known[1]) then
    bad(self.expression, name.at, ("%s() takes %d argument%s"):format(name.value, known[1], known[1] == 1 and "" or "s"))
  end
  return function(v)
    local values = {}
    for i, argument in ipairs(arguments) do
      values[i] = argument(v)
    end
    return known[2](table.unpack(values, 1, #arguments))
  end
end

function Parser:after_dot(binds)
  local kind = self:kind()
  if kind == "[" then
    self:next()
    return self:multiselect_list()
  elseif kind == "{" then
    self:next()
    return self:multiselect_hash()
  elseif kind == "name" or kind == "quoted" or kind == "*" then
    return self:sentence(binds)
  end
  self:fail "a name is missing behind the dot"
end

-- What is applied to each element of a projection.
function Parser:projected(binds)
  local kind = self:kind()
  if (BINDS[kind] or 0) < PROJECTION_ENDS then
    return forms.identity
  elseif kind == "[" or kind == "[?" then
    return self:sentence(binds)
  elseif kind == "." then
    self:next()
    return self:after_dot(binds)
  end
  self:fail()
end

-- Behind "[": an index, "*]" or, where nothing stands before it, a multiselect.
function Parser:bracket(left, first)
  local kind = self:kind()
  if kind == "number" then
    local n = self:next().value
    self:expect "]"
    return forms.chain(left, forms.index(n))
  elseif kind == "*" and self.words[self.i + 1].kind == "]" then
    self.i = self.i + 2
    return forms.projection(left, self:projected(BINDS["*"]))
  elseif kind == ":" or not first then
    self:fail(kind == ":" and "slices are not part of this subset" or nil)
  end
  return self:multiselect_list()
end

function Parser:filter(left)
  local condition = self:sentence(0)
  self:expect "]"
  local right = self:kind() == "[]" and forms.identity or self:projected(BINDS["[?"])
  return forms.filter_projection(left, condition, right)
end

function Parser:first()
  local now = self:next()
  local kind = now.kind
  if kind == "name" then
    return self:kind() == "(" and self:call(now) or forms.field(now.value)
  elseif kind == "quoted" then
    return forms.field(now.value)
  elseif kind == "literal" then
    return function() return now.value end
  elseif kind == "@" then
    return forms.identity
  elseif kind == "*" then
    return forms.value_projection(forms.identity, self:projected(BINDS["*"]))
  elseif kind == "[" then
    return self:bracket(forms.identity, true)
  elseif kind == "[]" then
    return forms.projection(forms.flatten(forms.identity), self:projected(BINDS["[]"]))
  elseif kind == "[?" then
    return self:filter(forms.identity)
  elseif kind == "{" then
    return self:multiselect_hash()
  elseif kind == "(" then
    local inner = self:sentence(0)
    self:expect ")"
    return inner
  elseif kind == "!" then
    local inner = self:sentence(BINDS["!"])
    return function(v) return not forms.truth(inner(v)) end
  end
  self.i = self.i - 1
  self:fail()
end

function Parser:more(left)
  local kind = self:next().kind
  if kind == "." then
    if self:kind() == "*" then
      self:next()
      return forms.value_projection(left, self:projected(BINDS["."]))
    end
    return forms.chain(left, self:after_dot(BINDS["."]))
  elseif kind == "|" then
    return forms.chain(left, self:sentence(BINDS["|"]))
  elseif kind == "||" then
    local right = self:sentence(BINDS["||"])
    return function(v)
      local value = left(v)
      return forms.truth(value) and value or right(v)
    end
  elseif kind == "&&" then
    local right = self:sentence(BINDS["&&"])
    return function(v)
      local value = left(v)
      if not forms.truth(value) then
        return value
      end
      return right(v)
    end
  elseif kind == "[" then
    return self:bracket(left)
  elseif kind == "[]" then
    return forms.projection(forms.flatten(left), self:projected(BINDS["[]"]))
  elseif kind == "[?" then
    return self:filter(left)
  elseif BINDS[kind] == BINDS["=="] then
    return forms.comparison(kind, left, self:sentence(BINDS[kind]))
  end
  self.i = self.i - 1
  self:fail()
end

function Parser:sentence(binds)
  self.depth = self.depth + 1
  if self.depth > MAX_DEPTH then
    self:fail("deeper than " .. MAX_DEPTH .. " levels")
  end
  local left = self:first()
  while binds < (BINDS[self:kind()] or 0) do
    left = self:more(left)
  end
  self.depth = self.depth - 1
  return left
end

local kept, kept_count = {}, 0

--- Reads an expression; what is read is kept.
---
--- Raises (cause config): "BadExpression". The function it returns gives nil where JMESPath has null, and raises
--- "JmesPathType" where a function gets a value of a type that it does not take, such as the length of what is missing.
---@param expression string
---@return fun(value: any): any
function M.compile(expression)
  local found = kept[expression]
  if found then
    return found
  end
  if type(expression) ~= "string" or #expression > MAX_LENGTH then
    errors.raise {
      cause = "config", code = "BadExpression",
      message = ("a JMESPath expression is a string of at most %d bytes"):format(MAX_LENGTH),
    }
  end
  local parser = setmetatable({ expression = expression, words = words_of(expression), i = 1, depth = 0 }, Parser)
  local run = parser:sentence(0)
  if parser:kind() ~= "end" then
    parser:fail()
  end
  local function search(value)
    local result = run(value == nil and NULL or value)
    if result == NULL then
      return nil
    end
    return result
  end
  if kept_count >= MAX_KEPT then
    kept, kept_count = {}, 0
  end
  kept[expression], kept_count = search, kept_count + 1
  return search
end

--- What an expression finds in a value.
---@param expression string
---@param value any
---@return any
function M.search(expression, value)
  return M.compile(expression)(value)
end

return M
