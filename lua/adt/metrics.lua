--- Numbers of a training job: read from its log lines by a grammar, kept as series by step.
local errors = require "adt.error"
local term = require "adt.term"

local M = {}

local LINE_MAX = 65536 -- bytes; longer lines hold no metrics

--- One record of a log: step, total, loss, lr, step_time (seconds), grad_norm, epoch, ["tokens/s"], ["samples/s"] ...
---@class adt.metrics.Record
---@field step? integer
---@field total? integer
---@field loss? number

--- Reads the lines of one log (of one rank, in order).
---@class adt.metrics.Grammar
---@field name string
local Grammar = {}
Grammar.__index = Grammar

--- Takes a line without line end and prefixes (see clean).
---@param line string
---@return adt.metrics.Record? record nil when the line holds, or completes, none
function Grammar:feed(line)
  if #line > LINE_MAX then
    return nil
  end
  return self.read(line)
end

--- What is left when the log has ended.
---@return adt.metrics.Record?
function Grammar:finish()
  return self.rest and self.rest() or nil
end

--- A line as it stands in a log as the lines that a grammar reads: split at carriage returns (progress bars), without
--- escape sequences and without the prefixes of `srun -l`, Ray and SkyPilot. None for lines of more than 64 KiB.
---@param line string
---@return string[]
function M.clean(line)
  local lines = {}
  if #line > LINE_MAX then
    return lines
  end
  for part in term.strip(line):gmatch("[^\r\n]+") do
    part = part:gsub("^%([^)]*pid=%d+%) ", ""):gsub("^ *%d+: ", "")
    lines[#lines + 1] = part:gsub("^%([^)]*pid=%d+%) ", "")
  end
  return lines
end

--- A number as programs print it: with nan and inf, thousands separators, or K, M, B, T behind it; else nil.
---@param text? string
---@return number?
function M.number(text)
  if not text or #text > 64 then
    return nil
  end
  local sign, word = text:match("^([-+]?)(%a+)$")
  if word then
    word = word:lower()
    if word == "nan" then
      return 0 / 0
    elseif word == "inf" or word == "infinity" then
      return sign == "-" and -math.huge or math.huge
    end
    return nil
  end
  local digits, unit = text:gsub(",", ""):match("^([-+.%deE]+)([KMBT]?)$")
  local value = digits and tonumber(digits)
  if value and unit ~= "" then
    value = value * ({ K = 1e3, M = 1e6, B = 1e9, T = 1e12 })[unit]
  end
  return value
end

--- A record as JSON can hold it: nan and inf as text, which a store reads again.
---@param record adt.metrics.Record
---@return table
function M.plain(record)
  local copy = {}
  for name, v in pairs(record) do
    if v ~= v then
      v = "nan"
    elseif v == math.huge or v == -math.huge then
      v = v > 0 and "inf" or "-inf"
    end
    copy[name] = v
  end
  return copy
end

-- { pattern = Lua pattern, fields = { name of each capture } }; without a field "step" the matches are counted.
local function from_pattern(given)
  errors.check_options("metrics.grammar", given, { pattern = true, fields = true })
  local ok, message = pcall(string.find, "", given.pattern)
  if not ok or type(given.fields) ~= "table" or #given.fields == 0 then
    errors.raise {
      cause = "usage", code = "BadGrammar",
      message = "a grammar of one's own needs a Lua pattern and the names of its captures"
        .. (ok and "" or ": " .. tostring(message)),
      hint = 'for example { pattern = "step (%d+) loss (%S+)", fields = { "step", "loss" } }',
    }
  end
  local count = 0
  return function(line)
    local found = table.pack(line:match(given.pattern))
    if found[1] == nil then
      return nil
    end
    count = count + 1
    local record = { step = count }
    for i, name in ipairs(given.fields) do
      record[name] = M.number(tostring(found[i]))
    end
    record.step = math.tointeger(record.step)
    return record.step and record
  end
end

--- A grammar by name, of one's own by a pattern, or as a function of the line that returns a record or nil. A table
--- with a name gives options: { "hf_trainer_dict", logging_steps = 10 }. Raises `usage` for an unknown name or a bad
--- pattern.
---@param spec string|table|fun(line: string): adt.metrics.Record?
---@return adt.metrics.Grammar
function M.grammar(spec)
  if type(spec) == "function" then
    return setmetatable({ name = "function", read = spec }, Grammar)
  elseif type(spec) == "table" and spec[1] == nil then
    return setmetatable({ name = "pattern", read = from_pattern(spec) }, Grammar)
  end
  local name, options = spec, {}
  if type(spec) == "table" then
    name = spec[1]
    for k, v in pairs(spec) do
      if k ~= 1 then options[k] = v end
    end
  end
  local grammars = require "adt.metrics.grammars"
  local make = grammars[name]
  if not make then
    local names = M.grammars()
    local near = errors.nearest(tostring(name), names)
    errors.raise {
      cause = "usage", code = "UnknownGrammar", message = ("no log grammar is called '%s'"):format(tostring(name)),
      hint = near and ("did you mean '%s'?"):format(near) or "known: " .. table.concat(names, ", "),
    }
  end
  errors.check_options("metrics.grammar", options, name == "hf_trainer_dict" and { "logging_steps" } or {})
  local read, rest = make(options)
  return setmetatable({ name = name, read = read, rest = rest }, Grammar)
end

--- The names of the grammars that are there.
---@return string[] sorted
function M.grammars()
  local names = {}
  for name in pairs(require "adt.metrics.grammars") do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- A series of numbers; see adt.metrics.series.
---@param list number[]
---@return adt.Series
function M.series(list)
  return require("adt.metrics.series").new(list)
end

--- Collects the records of one job; see adt.metrics.store.
---@param records? table[] what it begins with, also as `plain` writes them
---@return adt.metrics.Store
function M.store(records)
  local store = require("adt.metrics.store").new()
  for _, record in ipairs(records or {}) do store:add(record) end
  return store
end

return M
