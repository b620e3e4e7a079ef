--- The help of a recipe: its parameters as text or as JSON Schema, from its head alone.
local json = require "adt.json"
local options = require "adt.options"
local param = require "adt.param"

local M = {}

local function sorted_names(params)
  local names = {}
  for name in pairs(params) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function kind_of(def)
  if def.type == "enum" then
    return table.concat(def.values, "|")
  elseif def.type == "list" then
    return def.of.type .. ",..."
  end
  return def.type:upper()
end

local function notes(def)
  local parts = {}
  if def.min or def.max then
    parts[#parts + 1] = ("%s to %s"):format(def.min or "", def.max or "any"):gsub("^ to", "at most"):gsub(" to any$", " or more")
  end
  if def.default ~= nil then
    parts[#parts + 1] = "default " .. param.text(def, def.default)
  elseif def.type == "secret" and def.env then
    parts[#parts + 1] = "from " .. def.env
  end
  if def.default == nil then
    parts[#parts + 1] = def.optional and "optional" or "required"
  end
  return table.concat(parts, ", ")
end

local function flag_lines(flags, lines)
  lines[#lines + 1] = "flags:"
  for _, name in ipairs(sorted_names(flags)) do
    local flag = flags[name]
    local left = (flag.short and "-" .. flag.short .. ", " or "") .. "--" .. name .. (flag.value and " VALUE" or "")
    lines[#lines + 1] = ("  %-28s %s"):format(left, flag.help)
  end
end

local function as_text(head, file)
  local lines = { ("%s - %s"):format(head.name, head.summary), "",
    ("usage: adtlua %s [%s|plan|down] [--parameter value ...]"):format(file, table.concat(head.stages, "|")), "" }
  local names = sorted_names(head.params)
  if #names > 0 then
    lines[#lines + 1] = "parameters:"
    for _, name in ipairs(names) do
      local def = head.params[name]
      local flag = "--" .. name:gsub("_", "-") .. (def.type == "bool" and "" or " " .. kind_of(def))
      lines[#lines + 1] = ("  %-28s %s"):format(flag, (def.help or ""))
      local more = notes(def)
      if more ~= "" then
        lines[#lines + 1] = (" "):rep(31) .. "(" .. more .. ")"
      end
    end
    lines[#lines + 1] = ""
  end
  flag_lines(options.RUN, lines)
  return table.concat(lines, "\n"):gsub(" +\n", "\n") .. "\n"
end

--- Prints the flags of a command.
---@param flags table<string, adt.Flag>
function M.flags(flags)
  local lines = { "" }
  flag_lines(flags, lines)
  if next(flags) then
    io.write(table.concat(lines, "\n"), "\n")
  end
end

--- The head as JSON Schema of its parameters.
---@param head table
---@return table
function M.schema(head)
  local properties, required = {}, {}
  for _, name in ipairs(sorted_names(head.params)) do
    local def = head.params[name]
    properties[name] = param.schema(def)
    if def.default == nil and not def.optional then
      required[#required + 1] = name
    end
  end
  return { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", title = head.name, description = head.summary,
    type = "object", additionalProperties = false, properties = properties, required = json.array(required),
    ["x-adtlua"] = { kind = head.kind, api = head.api, stages = json.array(head.stages) } }
end

--- Prints the help.
---@param head table
---@param file string
---@param words string[]
---@return integer exit status
function M.show(head, file, words)
  local given = options.parse(words, options.RUN, head.params)
  if given.output == "json" then
    io.write(json.encode(M.schema(head), { pretty = true }), "\n")
  else
    io.write(as_text(head, file))
  end
  return 0
end

return M
