--- Words of a command line into flags, parameters and the rest.
local errors = require "adt.error"

local M = {}

---@class adt.Flag
---@field value? boolean takes a value
---@field many? boolean may be given again: its values are a list
---@field short? string
---@field help string

--- Flags of every recipe run. Parameters may not have these names (adt.recipe refuses them).
---@type table<string, adt.Flag>
M.RUN = {
  target = { value = true, help = "where jobs run (default: local, or as adtlua.yaml says)" },
  name = { value = true, help = "name of what outlives the run" },
  run = { value = true, help = "go on with this run" },
  params = { value = true, help = "file with parameters, YAML or JSON" },
  output = { value = true, short = "o", help = "text, json or ndjson" },
  ["report-junit"] = { value = true, help = "write the checks as JUnit XML" },
  yes = { short = "y", help = "do not ask before what costs or deletes" },
  changed = { help = "go on although the recipe has changed since" },
  ["take-over"] = { help = "go on although another process owns the run" },
  ["with-data"] = { help = "down: also what holds data" },
  detach = { help = "leave once jobs are submitted" },
  propagate = { help = "exit with the job program's own status" },
  ["exit-code"] = { help = "plan: exit 10 if there is something to do" },
  verbose = { short = "v", help = "show more" },
  help = { short = "h", help = "show this" },
}

local function short_names(flags)
  local short = {}
  for name, flag in pairs(flags) do
    if flag.short then short[flag.short] = name end
  end
  return short
end

local function unknown(word, flags, params)
  local names = {}
  for name in pairs(flags) do names[#names + 1] = name end
  for name in pairs(params or {}) do names[#names + 1] = (name:gsub("_", "-")) end
  table.sort(names)
  local near = errors.nearest(word:gsub("^%-+", ""), names)
  errors.raise { cause = "usage", code = "UnknownFlag", message = ("unknown flag or parameter '%s'"):format(word),
    hint = near and ("did you mean --%s?"):format(near) or "--help lists them" }
end

--- Splits words. `--name value`, `--name=value`, `-o value`, `-ovalue`, `-yovalue`; for a bool parameter `--name` and `--no-name`.
---@param words string[]
---@param flags table<string, adt.Flag>
---@param params? table<string, adt.Param>
---@return table<string, string|true|string[]> given flags
---@return table<string, string|boolean> values of parameters, as written
---@return string[] rest
function M.parse(words, flags, params)
  local short = short_names(flags)
  local given, values, rest, i = {}, {}, {}, 0
  local function value_of(word, inline)
    if inline then
      return inline
    end
    i = i + 1
    if words[i] == nil then
      errors.raise { cause = "usage", code = "MissingValue", message = ("'%s' needs a value"):format(word) }
    end
    return words[i]
  end
  local function no_value(word, inline)
    if inline then
      errors.raise { cause = "usage", code = "UnwantedValue", message = ("'%s' takes no value"):format(word:match "^[^=]*") }
    end
    return true
  end
  local function long(word)
    local name, inline = word:match("^%-%-([^=]+)=(.*)$")
    name = name or word:sub(3)
    local flag, key = flags[name], name:gsub("-", "_")
    if flag and flag.many then
      given[name] = given[name] or {}
      table.insert(given[name], value_of(word, inline))
    elseif flag then
      given[name] = flag.value and value_of(word, inline) or no_value(word, inline)
    elseif params and params[key] then
      if params[key].type == "bool" and not inline then
        values[key] = true
      else
        values[key] = value_of(word, inline)
      end
    elseif params and key:match("^no_") and params[key:sub(4)] and params[key:sub(4)].type == "bool" then
      values[key:sub(4)] = not no_value(word, inline)
    else
      unknown(word, flags, params)
    end
  end
  -- `-yo json`: flags without a value may stand together, one with a value takes what follows.
  local function short_flags(word)
    for at = 2, #word do
      local name = short[word:sub(at, at)]
      if not name then
        unknown(word, flags, params)
      elseif flags[name].value then
        given[name] = value_of(word, at < #word and word:sub(at + 1) or nil)
        return
      end
      given[name] = true
    end
  end
  while i < #words do
    i = i + 1
    local word = words[i]
    if word == "--" then
      table.move(words, i + 1, #words, #rest + 1, rest)
      break
    elseif word:match("^%-%-.") then
      long(word)
    elseif word:match("^%-%a") then
      short_flags(word)
    else
      rest[#rest + 1] = word
    end
  end
  return given, values, rest
end

return M
