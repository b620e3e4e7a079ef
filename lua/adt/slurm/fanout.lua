--- One program on many nodes at once: a step of one allocation, with an answer for each node. A node that is down, busy
--- or silent, or answers garbage, is a value like any other.
local cli = require "adt.slurm.cli"
local errors = require "adt.error"
local base64 = require "adt.base64"
local hostlist = require "adt.hostlist"
local nodes = require "adt.slurm.nodes"
local process = require "adt.process"
local random = require "adt.random"
local task = require "adt.task"
local time = require "adt.time"
local units = require "adt.units"
local ctask = require "adt.c.task"

local M = {}

local TIMEOUT, MAX_OUTPUT = 60, 1 << 20

-- What has been sent already when the time is up still comes in.
local LATE = 1

-- `srun --label` breaks lines after 1024 bytes, so output travels in short lines of base64, each with a word that no
-- program can guess, and the exit status at the end. Both streams share one pipe, so each line is one write.
local WRAPPER = [[
n=$1; shift
enc() { base64 -w 900 | awk -v "p=$n $1" '{ print p, $0; fflush() }'; }
exec 4>&1
echo "$n node $SLURMD_NODENAME"
code=$( { { { "$@" 3>&- 4>&- 5>&- </dev/null; echo "$?" >&3; } 2>&1 >&5 5>&- | enc e >&4; } 5>&1 | enc o >&4; } 3>&1 )
echo "$n exit $code"
]]

local function failure(cause, code, message)
  return errors.new { cause = cause, code = code, message = message }
end

-- Those that can take a step now; the others are answered at once.
local function split(target, names, answers)
  local known, able = {}, {}
  for _, node in ipairs(target.client:nodes()) do known[node.name] = node end
  for i, name in ipairs(names) do
    local node = known[name]
    local why, code = nodes.why_not(node)
    if node and not why then
      able[#able + 1] = name
    else
      answers[i] = { node = name, ok = false, error = failure(node and "node" or "usage", code or "NoNode",
        ("node %s %s"):format(name, why or "does not exist")) }
    end
  end
  return able
end

local function words_of(target, able, nonce, argv, timeout)
  local settings = target.settings
  local words = { "srun", "--label", "--job-name=adtlua-" .. nonce, ("--nodes=%d"):format(#able), "--nodelist=" .. hostlist.fold(able),
    ("--ntasks=%d"):format(#able), "--ntasks-per-node=1", "--overcommit", "--mem=128M", "--no-kill", "--kill-on-bad-exit=0", "--wait=0", "--chdir=/",
    "--input=none", ("--time=%d"):format(math.ceil(timeout / 60) + 1) }
  if process.env "SLURM_JOB_ID" then
    words[#words + 1] = "--overlap"
  else
    words[#words + 1] = ("--immediate=%d"):format(math.max(1, math.ceil(timeout / 2)))
    for _, name in ipairs { "partition", "account", "qos", "reservation" } do
      if settings[name] then words[#words + 1] = ("--%s=%s"):format(name, settings[name]) end
    end
  end
  table.move({ "/bin/sh", "-c", WRAPPER, "adtlua", nonce }, 1, 5, #words + 1, words)
  for _, word in ipairs(argv) do words[#words + 1] = math.type(word) and units.number(word) or word end
  return words
end

-- --- answers ---------------------------------------------------------------------------------------------------------

---@class adt.slurm.Hearing
local Hearing = {}
Hearing.__index = Hearing

local function hearing(nonce, most)
  return setmetatable({ nonce = nonce, most = most, tasks = {}, nodes = {}, complaints = {}, blamed = {}, ended = 0,
    started = time.monotonic() }, Hearing)
end

function Hearing:keep(from, stream, text)
  local bytes = errors.try(base64.decode, text)
  if not bytes then
    from.garbage = true
  elseif from.size + #bytes > self.most then
    from.cut = true
  else
    from.size = from.size + #bytes
    table.insert(from[stream], bytes)
  end
end

--- A line of one task: its node, a piece of its output, or its end.
function Hearing:line(text)
  local label, rest = text:match "^ *(%d+): ?(.*)$"
  local what, value = (rest or ""):match("^" .. self.nonce .. " (%a+) ?(.*)$")
  if not what then
    return
  end
  local from = self.tasks[label]
  if what == "node" then
    from = { node = value, o = {}, e = {}, size = 0 }
    self.tasks[label], self.nodes[value] = from, from
  elseif not from then
    return
  elseif what == "exit" then
    from.code, from.seconds = math.tointeger(tonumber(value)), time.monotonic() - self.started
    from.garbage = from.garbage or not from.code
    self.ended = self.ended + 1
  elseif what == "o" or what == "e" then
    self:keep(from, what, value)
  end
end

--- What `srun` says of nodes that it could not use.
function Hearing:complaint(text)
  if #self.complaints < 100 then
    table.insert(self.complaints, (text:gsub("^srun: error: ", ""):gsub("^srun: ", "")))
  end
  local node, why = text:match "failed on node (%S+): (.*)$"
  if node then self.blamed[node] = why end
end

local function answer(name, from, late)
  local stdout, stderr = table.concat(from.o), table.concat(from.e)
  local a = { node = name, ok = from.code == 0, code = from.code, stdout = stdout, stderr = stderr, seconds = from.seconds,
    cut = from.cut, late = late }
  if from.code and from.code > 128 then a.signal = from.code - 128 end
  if from.garbage then
    a.ok, a.error = false, failure("node", "Garbage", ("node %s answered with bytes that make no sense"):format(name))
  end
  return a
end

local function silence(self, name, timeout)
  local from, why = self.nodes[name], self.blamed[name]
  local text = why and "could not be reached: " .. why or from and ("had not finished after %g s"):format(timeout)
    or ("did not answer within %g s"):format(timeout)
  local said = self.complaints[1]
  if not why and not from and said and self.over then text = "was not asked: " .. said end
  return { node = name, ok = false, stdout = from and table.concat(from.o), stderr = from and table.concat(from.e),
    error = failure("node", "NoAnswer", ("node %s %s"):format(name, text)) }
end

-- --- one round -------------------------------------------------------------------------------------------------------

local function listen(self, child)
  task.all {
    function() for text in child:lines "stdout" do self:line(text) end end,
    function() for text in child:lines "stderr" do self:complaint(text) end end,
  }
  child:wait()
  self.over = true
end

-- Until all have answered or the time is up; whatever then still runs on the nodes is ended.
local function round(target, able, argv, timeout, most)
  local nonce = random.hex(8)
  local self = hearing(nonce, most)
  local words = words_of(target, able, nonce, argv, timeout)
  words.clear_env, words.env = true, cli.environment()
  words.stdin, words.stdout, words.stderr = "null", "pipe", "pipe"
  local child <close> = process.spawn(words)
  task.race {
    function() listen(self, child) end,
    function()
      ctask.sleep(timeout)
      self.answered = self.ended
      errors.try(process.run, { "scancel", "--quiet", "--name=adtlua-" .. nonce, timeout = 10, clear_env = true, env = cli.environment() })
      ctask.sleep(LATE)
    end,
  }
  return self
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
  local timeout, most = options.timeout or TIMEOUT, options.max_output or MAX_OUTPUT
  local answers, deadline = {}, time.monotonic() + timeout
  local able = split(target, names, answers)
  local found, last = {}, nil
  -- One node that cannot be reached ends the step of all: the others are asked once more without it.
  for _ = 1, 3 do
    local left = deadline - time.monotonic()
    if #able == 0 or left <= 0.1 then break end
    last = round(target, able, argv, left, most)
    local again, blamed = {}, false
    for _, name in ipairs(able) do
      local from = last.nodes[name]
      blamed = blamed or last.blamed[name] ~= nil
      if from and from.code then
        found[name] = answer(name, from, last.answered and from.seconds > left or nil)
      elseif last.blamed[name] then
        found[name] = silence(last, name, timeout)
      else
        again[#again + 1] = name
      end
    end
    able = again
    if not blamed then break end
  end
  for i, name in ipairs(names) do
    answers[i] = answers[i] or found[name] or silence(last or hearing("", 0), name, timeout)
  end
  return answers
end

return M
