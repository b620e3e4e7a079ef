--- The program behind the command line: recipes with their verbs, and commands.
local errors = require "adt.error"

local M = {}

--- Commands, each a module adt.command.<name> with run(words) and help.
M.COMMANDS = { "compare", "cancel", "config", "doctor", "gc", "help", "history", "list", "logs", "node", "ps", "resume",
  "status", "test", "wait" }

local function is_command(word)
  for _, name in ipairs(M.COMMANDS) do
    if name == word then return true end
  end
  return word == "supervise"
end

-- An error as a person wants it at 3 a.m.: what, where, why, what next.
local function say(err)
  local term = require "adt.term"
  local lines = {}
  for line in ("adtlua: " .. tostring(err)):gmatch "[^\n]+" do
    lines[#lines + 1] = term.clean(line)
  end
  for _, line in ipairs(err.tail or {}) do
    lines[#lines + 1] = "  | " .. term.clean(line)
  end
  if err.traceback and err.cause == "internal" then
    lines[#lines + 1] = err.traceback
  end
  local text = table.concat(lines, "\n") .. "\n"
  io.stdout:flush()
  io.stderr:write(require("adt.c.secret").redact(text))
end

--- Tells an error to whoever watches.
---@param err adt.Error
---@return integer exit status that its cause has
function M.report(err)
  say(err)
  return errors.exit_code(err)
end

-- The whole of a command runs in a task, so that waiting, groups and ^C work the same everywhere.
local function in_task(f, ...)
  local ctask = require "adt.c.task"
  local main = ctask.spawn(function(...)
    return xpcall(f, errors.handler, ...)
  end, ...)
  local joined, ok, result = main:join()
  if not joined then
    ok, result = false, ok
  end
  if ok then
    return result or 0
  end
  return M.report(errors.from(result))
end

local function show_help(name, command)
  io.write(("usage: adtlua %s %s\n\n%s\n"):format(name, command.args, command.summary))
  io.write(command.examples and "\n" .. command.examples .. "\n" or "")
  require("adt.usage").flags(command.flags or require("adt.options").RUN)
  return 0
end

local function wants_help(words)
  for _, word in ipairs(words) do
    if word == "--help" or word == "-h" then return true end
  end
end

-- A command without flags of its own, resume, takes those of the recipe and reads its words itself.
local function run_command(name, words)
  local command = require("adt.command." .. name)
  if wants_help(words) then
    return show_help(name, command)
  elseif not command.flags then
    return command.run(words)
  end
  local given, _, rest = require("adt.options").parse(words, command.flags)
  if command.most and #rest > command.most then
    errors.raise { cause = "usage", code = "TooManyWords", message = ("'%s' is one word too many"):format(rest[command.most + 1]),
      hint = ("usage: adtlua %s %s"):format(name, command.args) }
  end
  return command.run(given, rest)
end

--- Runs a command; called by the program for a first word that is no file.
---@param name string
---@return integer exit status
function M.command(name, ...)
  local words = { ... }
  if name == "supervise" then
    return require("adt.supervisor").main(words[1])
  end
  return in_task(function()
    if not is_command(name) then
      local near = errors.nearest(name, M.COMMANDS)
      errors.raise { cause = "usage", code = "UnknownCommand",
        message = ("'%s' is neither a command nor a file (files have a '/' in them or end in .lua)"):format(name),
        hint = near and ("did you mean '%s'?"):format(near) or "commands: " .. table.concat(M.COMMANDS, ", ") }
    end
    return run_command(name, words)
  end)
end

--- Runs a recipe; called by the program for a file that returned one.
---@param recipe adt.Recipe
---@param file string
---@return integer exit status
function M.run(recipe, file, ...)
  local words = { ... }
  return in_task(function()
    return require("adt.verb").run(recipe, file, words)
  end)
end

--- Shows a recipe's parameters without running it. -1: the file is no recipe, and --help is a word for it.
---@param file string
---@return integer
function M.help(file, ...)
  local head, err = require("adt.head").read(file)
  if head == false then
    return -1
  elseif not head then
    return M.report(err)
  end
  local words = { ... }
  return in_task(function()
    return require("adt.usage").show(head, file, words)
  end)
end

return M
