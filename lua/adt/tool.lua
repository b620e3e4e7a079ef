--- Programs of others that a recipe drives: found, their version checked, run by argv.
local errors = require "adt.error"
local process = require "adt.process"

local M = {}

---@class adt.Tool
---@field program string
---@field path string
---@field version? string
local Tool = {}
Tool.__index = Tool

local FIELDS = { "version", "version_args", "hint" }

local function numbers(text)
  local list = {}
  for n in text:gmatch("%d+") do list[#list + 1] = tonumber(n) end
  return list
end

local function compare(a, b)
  local x, y = numbers(a), numbers(b)
  for i = 1, math.max(#x, #y) do
    if (x[i] or 0) ~= (y[i] or 0) then
      return (x[i] or 0) < (y[i] or 0) and -1 or 1
    end
  end
  return 0
end

local HOLDS = {
  [">="] = function(c) return c >= 0 end, [">"] = function(c) return c > 0 end, ["<="] = function(c) return c <= 0 end,
  ["<"] = function(c) return c < 0 end, ["=="] = function(c) return c == 0 end,
}

local function check_version(tool, spec)
  local op, wanted = tostring(spec.version):match("^([<>=]=?)%s*(%d[%d.]*)$")
  if not HOLDS[op] then
    errors.raise { cause = "usage", message = ("adt.tool: '%s' is no version rule"):format(spec.version), hint = 'write ">=1.9"' }
  end
  local words = { tool.path, read_only = true, check = false, timeout = 30, stderr = "stdout" }
  table.move(spec.version_args or { "--version" }, 1, #(spec.version_args or { "" }), 2, words)
  local said = process.run(words).stdout
  tool.version = said:match("%d+%.[%d.]*%d") or said:match("%d+")
  if not tool.version or not HOLDS[op](compare(tool.version, wanted)) then
    errors.raise { cause = "config", code = "ToolVersion", hint = spec.hint,
      message = ("%s is version %s, and %s is needed"):format(tool.path, tool.version or "unknown", spec.version) }
  end
end

--- Finds a program: `adt.tool { "packer", version = ">=1.9", hint = "..." }`. Raises cause "config" when it is not there
--- or too old.
---@param spec { [1]: string, version: string?, version_args: string[]?, hint: string? }
---@return adt.Tool
function M.find(spec)
  if type(spec) ~= "table" or type(spec[1]) ~= "string" or spec[1] == "" then
    errors.raise { cause = "usage", message = "adt.tool needs the name of a program", hint = 'write adt.tool { "packer" }' }
  end
  errors.check_options("adt.tool", spec, FIELDS)
  local found = process.find(spec[1])
  if not found then
    errors.raise { cause = "config", code = "NoTool", message = ("the program '%s' is not on this machine"):format(spec[1]),
      hint = spec.hint or "install it, or put its folder on PATH" }
  end
  local tool = setmetatable({ program = spec[1], path = found }, Tool)
  if spec.version then
    check_version(tool, spec)
  end
  return tool
end

--- Runs the program with these words; `process.run` with its options.
---@param words adt.RunOptions
---@return adt.RunResult
function Tool:run(words)
  local all = {}
  for k, v in pairs(words) do
    all[type(k) == "number" and k + 1 or k] = v
  end
  all[1] = self.path
  return process.run(all)
end

return M
