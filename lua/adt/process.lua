--- Child processes without a shell, and this process and others by pid and start time.
local cchild = require "adt.c.child"
local clock = require "adt.c.clock"
local secret = require "adt.c.secret"
local ctask = require "adt.c.task"
local errors = require "adt.error"
local pending = require "adt.pending"
local guard = require "adt.guard"
local pid = require "adt.pid"
local task = require "adt.task"

local M = {}

local MAX_OUTPUT = 64 * 1024 * 1024
local KILL_AFTER = 2 -- seconds between SIGTERM and SIGKILL
local WRITE_SIZE = 1024 * 1024

---@alias adt.Stdio "null" | "inherit" | "pipe" | "stdout" | file* | adt.File | { file: string, append?: boolean }

---@class adt.SpawnOptions
---@field [integer] string|number the program, looked up on PATH unless it holds a slash, and its arguments
---@field env? table<string, string|number|false> added to our environment; false removes a variable
---@field clear_env? boolean start from an empty environment
---@field cwd? string
---@field stdin? adt.Stdio default "null"
---@field stdout? adt.Stdio default "inherit"
---@field stderr? adt.Stdio default "inherit"; "stdout": wherever stdout goes
---@field detached? boolean its own session; it outlives the handle and this process
---@field gated? boolean it starts to run at :go(); ends by itself if we die before
---@field dies_with_parent? boolean SIGKILL when this process ends
---@field read_only? boolean it changes nothing: allowed while a plan is made, and not journalled
---@field limits? table<"as"|"core"|"cpu"|"fsize"|"memlock"|"nofile"|"nproc"|"stack", integer|"unlimited">

---@class adt.Exit
---@field code? integer 0-255, nil when a signal ended it
---@field signal? string "SIGKILL"
---@field ok boolean ended with code 0
---@field text string "exit 3", "killed by SIGKILL"

---@class adt.Process
---@field pid integer
---@field program string
local Process = {}
Process.__index = Process

local SPAWN_OPTIONS = {
  env = true, clear_env = true, cwd = true, stdin = true, stdout = true, stderr = true, detached = true, gated = true,
  dies_with_parent = true, limits = true, read_only = true,
}

local function usage(message, hint)
  errors.raise { cause = "usage", code = "BadArgument", message = message, hint = hint }
end

-- The words of the command as strings; what is not one names its place.
local function words(what, options)
  local argv = {}
  for i = 1, #options do
    local v = options[i]
    if pending.is(v) then
      pending.stop(v)
    elseif type(v) ~= "string" and math.type(v) == nil then
      usage(("%s: argument %d of the program must be a string or a number, not a %s"):format(what, i - 1, type(v)))
    end
    argv[i] = tostring(v)
  end
  if not argv[1] then
    usage(what .. ": no program is named", "pass the program and its arguments as a list: { \"ls\", \"-l\" }")
  end
  return argv
end

local function variables(what, env)
  if type(env) ~= "table" then
    usage(what .. ": env must be a table of names and values")
  end
  local out = {}
  for name, value in pairs(env) do
    if type(name) ~= "string" or (value ~= false and type(value) ~= "string" and math.type(value) == nil) then
      usage(("%s: env maps names to strings, numbers or false; '%s' is a %s"):format(what, tostring(name), type(value)))
    end
    out[name] = value and tostring(value)
  end
  return out
end

local function exit_of(code, signal)
  return {
    code = code, signal = signal, ok = code == 0,
    text = signal and "killed by " .. signal or "exit " .. code,
  }
end

-- Misuse raises plain errors in C; for callers it is a usage error like any other.
local function start(what, argv, options)
  local ok, handle, err = pcall(cchild.spawn, argv, options)
  if not ok then
    if errors.is(handle) then error(handle, 0) end
    usage(what .. ": " .. tostring(handle))
  end
  return errors.check(handle, err)
end

--- Starts a program. It runs in a process group of its own, with no descriptor beyond its standard streams and without
--- our ADTLUA_PARAM_* variables. The handle is closed by <close> or the collector, which ends the group unless detached.
--- Inside a step it waits at its gate until the journal knows its pid: should we die, a resume waits for it to end.
---@param options adt.SpawnOptions
---@return adt.Process  # raises: usage (not found, not executable, bad argument)
function M.spawn(options)
  errors.check_options("process.spawn", options, SPAWN_OPTIONS)
  local argv = words("process.spawn", options)
  if not options.read_only then
    guard.check("process.spawn")
  end
  local given = {}
  for name in pairs(SPAWN_OPTIONS) do
    given[name] = options[name]
  end
  given.read_only = nil
  local step = not options.read_only and not options.gated and ctask.locals().step
  given.gated = options.gated or step and true or nil
  given.env = given.env and variables("process.spawn", given.env)
  for _, name in ipairs { "stdin", "stdout", "stderr" } do
    local stream = given[name]
    given[name] = type(stream) == "table" and stream.c or stream
  end
  local handle = start("process.spawn", argv, given)
  local id, ticks = handle:pid()
  local process = setmetatable({ pid = id, program = argv[1], ticks = ticks, c = handle }, Process)
  if step then
    step.child(process)
    process:go()
  end
  return process
end

--- When it started, in clock ticks since boot: with the pid it names this process for good.
---@return integer
function Process:start_time()
  return self.ticks
end

--- Opens the gate of a gated process: now it runs its program.
function Process:go()
  errors.check(self.c:go())
end

--- Waits for its end.
---@return adt.Exit
function Process:wait()
  local ended, code, signal = self.c:wait()
  errors.check(ended, code)
  return exit_of(code, signal)
end

--- How it ended, or nil while it runs. Does not wait.
---@return adt.Exit?
function Process:ended()
  local ended, code, signal = self.c:ended()
  return ended and exit_of(code, signal) or nil
end

--- Sends a signal to its process group; nothing happens when it has ended.
---@param signal? string|integer default "TERM"
function Process:kill(signal)
  errors.check(self.c:kill(signal))
end

---@class adt.LineOptions
---@field cr? "strip"|"split"|"keep" a carriage return: dropped before the newline (default), ends a line, or is kept

--- Iterates over complete lines, waiting for them; with "both" the second value tells the stream. A line over 1 MiB is
--- cut and ends in " [... cut]"; bytes that are not UTF-8 pass untouched.
---@param which? "stdout"|"stderr"|"both" default "stdout"
---@param options? adt.LineOptions
---@return fun(): string?, ("stdout"|"stderr")?
function Process:lines(which, options)
  options = options or {}
  errors.check_options("process:lines", options, { "cr" })
  return function()
    return errors.check(self.c:line(which or "stdout", options.cr))
  end
end

--- The bytes that are there, waiting for the first; nil at the end.
---@param which? "stdout"|"stderr"|"both" default "stdout"
---@return string? bytes, ("stdout"|"stderr")? stream
function Process:read(which)
  return errors.check(self.c:read(which or "stdout"))
end

--- Writes all of `text` to its standard input, waiting while the pipe is full.
---@param text string
function Process:write(text)
  for i = 1, #text, WRITE_SIZE do
    errors.check(self.c:write(#text <= WRITE_SIZE and text or text:sub(i, i + WRITE_SIZE - 1)))
  end
end

--- Ends its standard input.
function Process:close_stdin()
  self.c:close_stdin()
end

--- Closes the streams; ends the group (SIGKILL) unless the process has ended or is detached.
function Process:close()
  self.c:close()
end
Process.__close = Process.close

function Process:__tostring()
  return ("process %d (%s)"):format(self.pid, self.program)
end

-- --- run -------------------------------------------------------------------------------------------------------------

---@class adt.RunOptions
---@field [integer] string|number
---@field input? string for its standard input, which is empty otherwise
---@field timeout? number seconds
---@field max_output? integer bytes of both streams together, default 64 MiB
---@field check? boolean raise when it fails, default true
---@field env? table<string, string|number|false>
---@field clear_env? boolean
---@field cwd? string
---@field stderr? "pipe"|"stdout"|"inherit"|"null" default "pipe"
---@field read_only? boolean it changes nothing: allowed while a plan is made, and not journalled
---@field limits? table

---@class adt.RunResult : adt.Exit
---@field stdout string
---@field stderr string
---@field seconds number

local RUN_OPTIONS = {
  input = true, timeout = true, max_output = true, check = true, env = true, clear_env = true, cwd = true,
  stderr = true, limits = true, read_only = true,
}

-- What a program said last, for an error: a few lines without secrets.
local function last_lines(text, count)
  local lines = {}
  for line in text:sub(-4096):gmatch("[^\r\n]+") do
    lines[#lines + 1] = line
  end
  return secret.redact(table.concat(lines, "\n", math.max(1, #lines - count + 1)))
end

local function collect(process, which, state)
  local parts = {}
  while true do
    local bytes = process:read(which)
    if not bytes then
      return table.concat(parts)
    end
    state.left = state.left - #bytes
    if state.left < 0 then
      process:kill "KILL"
      errors.raise {
        cause = "program", code = "TooMuchOutput",
        message = ("'%s' wrote more than %d bytes and was ended"):format(process.program, state.max),
        hint = "raise max_output, or read it with process.spawn and :lines()",
      }
    end
    parts[#parts + 1] = bytes
  end
end

-- A program need not read all of its input; whether it minds shows in how it ends.
local function feed(process, text)
  local ok, err = pcall(process.write, process, text)
  process:close_stdin()
  if not ok and err.code ~= "EPIPE" and err.code ~= "ECONNRESET" then
    error(err, 0)
  end
end

-- Terminates it politely, then not; whoever holds its pipes after that is not waited for.
local function end_late(process)
  process:kill "TERM"
  task.sleep(KILL_AFTER)
  process:kill "KILL"
  pid.kill_group(process.pid, "KILL", process.ticks)
  task.sleep(0.2)
end

local function communicate(process, options, state)
  local result = {}
  local jobs = { function() result.stdout = collect(process, "stdout", state) end }
  if options.stderr == nil or options.stderr == "pipe" then
    jobs[#jobs + 1] = function() result.stderr = collect(process, "stderr", state) end
  end
  if options.input then
    jobs[#jobs + 1] = function() feed(process, options.input) end
  end
  task.all(jobs)
  local exit = process:wait()
  result.code, result.signal, result.ok, result.text = exit.code, exit.signal, exit.ok, exit.text
  result.stderr = result.stderr or ""
  return result
end

local function with_limit(process, options, state)
  if not options.timeout then
    return communicate(process, options, state)
  end
  local late = false
  local result = task.race {
    function() return communicate(process, options, state) end,
    function()
      task.sleep(options.timeout)
      late = true
      end_late(process)
    end,
  }
  if late then
    errors.raise {
      cause = "timeout", code = "Timeout",
      message = ("'%s' had not ended after %g s and was ended"):format(process.program, options.timeout),
    }
  end
  return result
end

local function failure(process, result)
  local said = last_lines(result.stderr ~= "" and result.stderr or result.stdout, 5)
  return {
    cause = "program", code = result.signal or "Exit", exit = result.code,
    message = ("'%s' failed: %s%s"):format(process.program, result.text, said ~= "" and ": " .. said or ""),
  }
end

local function check_run(options)
  errors.check_options("process.run", options, RUN_OPTIONS)
  if options.input ~= nil and type(options.input) ~= "string" then
    usage("process.run: input must be a string")
  end
  if options.timeout ~= nil and not (type(options.timeout) == "number" and options.timeout >= 0) then
    usage("process.run: timeout must be a number of seconds")
  end
  if options.max_output ~= nil and math.type(options.max_output) ~= "integer" then
    usage("process.run: max_output must be a whole number of bytes")
  end
end

--- Runs a program to its end and returns what it wrote. It ends when the program has ended and nobody holds its output
--- open any more.
---@param options adt.RunOptions
---@return adt.RunResult
--- Raises: usage (not found); program, with `exit`, when it failed and `check` is not false; timeout.
function M.run(options)
  check_run(options)
  local given = { stdin = options.input and "pipe" or "null", stdout = "pipe", stderr = options.stderr or "pipe" }
  for _, name in ipairs { "env", "clear_env", "cwd", "limits", "read_only" } do
    given[name] = options[name]
  end
  table.move(options, 1, #options, 1, given)
  local started = clock.monotonic()
  local process <close> = M.spawn(given)
  local max = options.max_output or MAX_OUTPUT
  local result = with_limit(process, options, { max = max, left = max })
  result.seconds = clock.monotonic() - started
  if options.check ~= false and not result.ok then
    errors.raise(failure(process, result))
  end
  return result
end

--- The argv of a shell line, for users who ask for a shell.
---@param line string
---@return string[]
function M.sh(line)
  if type(line) ~= "string" then
    usage("process.sh: the line must be a string")
  end
  return { "/bin/sh", "-c", line }
end

-- The words about processes by pid are words of this module, too.
for name, f in pairs(pid) do
  M[name] = f
end

return M
