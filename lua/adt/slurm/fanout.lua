--- One program on many nodes at once, with an answer for each. A node that is down, busy or silent, or answers garbage,
--- is a value like any other.
---
--- Each node has a step of its own. One step for all would be quicker to start, but a node that says nothing then spoils
--- it for the others: Slurm cannot end the step where its messages meet, and drains that healthy node ("Kill task
--- failed"), as seen with 22.05.
local cli = require "adt.slurm.cli"
local errors = require "adt.error"
local nodes = require "adt.slurm.nodes"
local process = require "adt.process"
local random = require "adt.random"
local task = require "adt.task"
local time = require "adt.time"
local units = require "adt.units"
local ctask = require "adt.c.task"

local M = {}

local TIMEOUT, MAX_OUTPUT, AT_ONCE = 60, 1 << 20, 64

-- What has been sent already when the time is up still comes in.
local LATE = 1

-- An srun that was killed keeps its node until its time limit. Should we die, this one still takes all of them back.
local KEEPER = [[read -r _ && exit; exec scancel --quiet --name="$1"]]

local function failure(cause, code, message)
  return errors.new { cause = cause, code = code, message = message }
end

local function environment()
  local env = cli.environment()
  -- Inside of a job its own nodes are asked, beside what runs there.
  env.SLURM_JOB_ID = process.env "SLURM_JOB_ID"
  return env
end

local function words_of(target, name, mark, argv, timeout)
  local settings = target.settings
  local words = { "srun", "--job-name=" .. mark, "--nodes=1", "--ntasks=1", "--nodelist=" .. name, "--overcommit", "--mem=128M",
    "--chdir=/", "--input=none", ("--time=%d"):format(math.ceil(timeout / 60) + 1) }
  if process.env "SLURM_JOB_ID" then
    words[#words + 1] = "--overlap"
  else
    words[#words + 1] = ("--immediate=%d"):format(math.max(1, math.ceil(timeout / 2)))
    for _, option in ipairs { "partition", "account", "qos", "reservation" } do
      if settings[option] then words[#words + 1] = ("--%s=%s"):format(option, settings[option]) end
    end
  end
  -- By way of a shell, which says 127 where there is no such program.
  table.move({ "/bin/sh", "-c", 'exec "$@"', "adtlua" }, 1, 4, #words + 1, words)
  for _, word in ipairs(argv) do words[#words + 1] = math.type(word) and units.number(word) or word end
  return words
end

-- --- one node --------------------------------------------------------------------------------------------------------

-- Reads a stream to its end and keeps no more than there is room for.
local function read(child, stream, heard, most)
  while true do
    local bytes = child:read(stream)
    if not bytes then return end
    local room = most - heard.size
    if #bytes > room then
      heard.cut, bytes = true, bytes:sub(1, room)
    end
    heard.size = heard.size + #bytes
    table.insert(heard[stream], bytes)
  end
end

local function listen(child, heard, most)
  task.all {
    function() read(child, "stdout", heard, most) end,
    function() read(child, "stderr", heard, most) end,
  }
  heard.ended = child:wait()
  heard.seconds = time.monotonic() - heard.started
end

local BUSY = { "busy", "queued and waiting", "Requested nodes", "step creation temporarily disabled" }

-- What srun says itself is no part of the program's words; it tells whether the program ran at all.
local function sort_out(heard)
  local own, rest = {}, {}
  for line in table.concat(heard.stderr):gmatch "[^\n]*\n?" do
    table.insert(line:match "^srun: " and own or rest, line)
  end
  heard.said = table.concat(own)
  return table.concat(rest)
end

local function not_started(name, heard)
  local why = heard.said:match "failed on node [^\n]*" or heard.said:gsub("srun: error: ", ""):gsub("srun: ", "")
  why = why:gsub("^failed on node %S+: ", ""):gsub("%s+$", ""):gsub("\n", "; ")
  for _, pattern in ipairs(BUSY) do
    if why:find(pattern, 1, true) then
      return failure("capacity", "NodeBusy", ("node %s is busy: %s"):format(name, why))
    end
  end
  return failure("node", "NoAnswer", ("node %s could not be reached: %s"):format(name, why))
end

local function answer(name, heard, timeout)
  local stderr, ended = sort_out(heard), heard.ended
  local a = { node = name, ok = false, stdout = table.concat(heard.stdout), stderr = stderr, cut = heard.cut, late = heard.late,
    seconds = heard.seconds }
  -- What ends after its time, and not well, was ended by us.
  if not ended or heard.late and ended.code ~= 0 then
    local what = a.stdout == "" and stderr == "" and "did not answer within" or "had not finished after"
    a.error = failure("node", "NoAnswer", ("node %s %s %g s"):format(name, what, timeout))
  elseif ended.code ~= 0 and not heard.said:find("task 0: ", 1, true) then
    a.error = not_started(name, heard)
  else
    a.ok, a.code = ended.code == 0, ended.code
    if ended.code > 128 then a.signal = ended.code - 128 end
  end
  return a
end

-- Those that are late are ended together.
local function end_all(fleet)
  if not fleet.ended then
    fleet.ended = true
    errors.try(process.run, { "scancel", "--quiet", "--name=" .. fleet.mark, timeout = 10, clear_env = true, env = cli.environment() })
  end
end

local function ask(fleet, name)
  local left, timeout = fleet.deadline - time.monotonic(), fleet.timeout
  local heard = { stdout = {}, stderr = {}, size = 0, said = "", started = time.monotonic() }
  if left <= 0 then return answer(name, heard, timeout) end
  local words = words_of(fleet.target, name, fleet.mark, fleet.argv, timeout)
  words.clear_env, words.env, words.stdin, words.stdout, words.stderr = true, environment(), "null", "pipe", "pipe"
  local child <close> = process.spawn(words)
  task.race {
    function() listen(child, heard, fleet.most) end,
    function()
      ctask.sleep(left)
      heard.late = true
      end_all(fleet)
      ctask.sleep(LATE)
    end,
  }
  return answer(name, heard, timeout)
end

-- --- all of them -----------------------------------------------------------------------------------------------------

-- The answer for a node that cannot take a step now.
local function at_once(node, name)
  local why, code = nodes.why_not(node)
  if not node or why then
    local cause = not node and "usage" or code == "NodeBusy" and "capacity" or "node"
    return { node = name, ok = false, error = failure(cause, code or "NoNode", ("node %s %s"):format(name, why or "does not exist")) }
  end
end

--- Runs a program once per node.
---@param target table
---@param names string[]
---@param argv (string|number)[]
---@param options? { timeout: number?, max_output: integer? } seconds for all of them together (60); bytes of each (1 MiB)
---@return table[] answers { node, ok, code, signal, stdout, stderr, seconds, late, cut, error }, in the order of the names
function M.run(target, names, argv, options)
  options = options or {}
  errors.check_options("exec", options, { "timeout", "max_output" })
  local timeout = options.timeout or TIMEOUT
  local fleet = { target = target, argv = argv, timeout = timeout, deadline = time.monotonic() + timeout,
    most = options.max_output or MAX_OUTPUT, mark = "adtlua-" .. random.hex(8) }
  local known = {}
  for _, node in ipairs(target.client:nodes()) do known[node.name] = node end
  -- Should this be cancelled, the pipe ends with it, too.
  local keeper <close> = process.spawn { "/bin/sh", "-c", KEEPER, "adtlua", fleet.mark, stdin = "pipe", stdout = "null", stderr = "null",
    detached = true, clear_env = true, env = cli.environment() }
  local answers = task.map(names, { at_once = AT_ONCE }, function(name)
    return at_once(known[name], name) or ask(fleet, name)
  end)
  keeper:write "\n"
  keeper:wait()
  return answers
end

return M
