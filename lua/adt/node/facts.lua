--- What this machine says of itself: each fact is asked in a child process of its own and within a time limit, so that a
--- dead file system or a driver that hangs becomes a value of the table and not a hang.
---
--- A fact that cannot be had is { missing = reason }, never zero and never absent; `hang` is true where nobody answered.
local errors = require "adt.error"
local json = require "adt.json"
local process = require "adt.process"
local read = require "adt.node.read"
local task = require "adt.task"
local term = require "adt.term"
local time = require "adt.time"

local M = {}

local MOST_ANSWER = 4 << 20 -- bytes of one fact

---@alias adt.node.Fact table|{ missing: string, hang: boolean? }
---@alias adt.node.Facts table<string, adt.node.Fact>

-- Name, and the module below adt.node.gather that knows it.
local FACTS = {
  { "host", "machine" }, { "boot", "machine" }, { "kernel", "machine" }, { "instance", "machine" }, { "cpu", "machine" },
  { "memory", "machine" }, { "hugepages", "machine" }, { "limits", "machine" }, { "ptrace", "machine" }, { "clock", "machine" },
  { "pci", "devices" }, { "verbs", "devices" }, { "disks", "devices" }, { "modules", "software" }, { "driver", "software" },
  { "libraries", "software" }, { "services", "software" }, { "mounts", "storage" }, { "kernel_log", "log" },
}

-- Seconds that one fact may take: all are asked side by side, and a machine under load is slow without being sick.
local EACH, SPEED = 20, 30

---@class adt.node.FactOptions
---@field root? string where the machine's files lie; default "/"
---@field within? number seconds for all of them together, default 40
---@field each? number seconds that one fact may take, default 20 (30 for a mount's speed)
---@field only? string[] these facts alone
---@field mounts? string[] mount points that matter besides those that are found
---@field speed? boolean write and read a file of 64 MiB on each of `mounts`
---@field since? number seconds since 1970: earlier lines of the kernel's log do not count; default since boot

local OPTIONS = { "root", "within", "each", "only", "mounts", "speed", "since" }

--- In the child: calls the function that standard input names and prints what it returns.
---@package
function M.answer()
  local request = json.decode(io.read "a")
  local value, err = errors.try(function()
    return require(request.module)[request.name](read.new(request.root), request.options or {})
  end)
  -- What files hold may be any bytes.
  io.write(json.encode(require("adt.output.value").plain { value = value, error = err and err.message or nil }))
end

local function collect(child)
  local parts, size = {}, 0
  for bytes in function() return (child:read "stdout") end do
    size = size + #bytes
    if size > MOST_ANSWER then
      return nil, ("an answer of more than %d bytes"):format(MOST_ANSWER)
    end
    parts[#parts + 1] = bytes
  end
  return table.concat(parts)
end

local function talk(child, request)
  -- A child that dies at once does not read; what it left unsaid shows below.
  errors.try(function() child:write(request) child:close_stdin() end)
  local text, why = collect(child)
  if not text then
    return read.missing(why)
  end
  local answer = errors.try(json.decode, text)
  if type(answer) ~= "table" then
    local ended = child:wait()
    return read.missing(text == "" and "the process that asked ended with " .. ended.text
      or "no answer but '" .. term.clean(text:sub(1, 60)) .. "'")
  end
  return answer.value or read.missing(answer.error or "no answer")
end

--- Asks a function of a module in a child process: what it returns, or { missing = reason } when it raises, dies or has
--- not answered in time; then it is killed, and not waited for, since it may hang in the kernel.
---@param request { module: string, name: string, root: string?, options: table? }
---@param seconds number
---@return adt.node.Fact
function M.ask(request, seconds)
  local started, child = pcall(process.spawn, { process.self().exe, "-E", "-e", 'require("adt.node.facts").answer()',
    stdin = "pipe", stdout = "pipe", stderr = "null", dies_with_parent = true, read_only = true })
  if not started then
    return read.missing("no process could be started: " .. tostring(child))
  end
  local _ <close> = child
  local answer
  task.race {
    function() answer = talk(child, json.encode(request)) end,
    function() task.sleep(seconds) end,
  }
  if answer then
    return answer
  end
  child:kill "KILL"
  return { missing = ("no answer within %g s"):format(math.floor(seconds * 10 + 0.5) / 10), hang = true }
end

local function limits_of(options)
  local deadline = time.deadline(options.within or 40)
  return function(seconds)
    return math.min(seconds, options.each or seconds, deadline:left())
  end
end

local function wanted(options)
  if not options.only then
    return FACTS
  end
  local by_name, names, list = {}, {}, {}
  for i, fact in ipairs(FACTS) do
    by_name[fact[1]], names[i] = fact, fact[1]
  end
  for i, name in ipairs(options.only) do
    if not by_name[name] then
      local near = errors.nearest(name, names)
      errors.raise { cause = "usage", code = "NoFact", message = ("there is no fact '%s'"):format(name),
        hint = near and ("did you mean '%s'?"):format(near) or "known: " .. table.concat(names, ", ") }
    end
    list[i] = by_name[name]
  end
  return list
end

local function details(fact, options)
  if fact == "mounts" then
    return { paths = options.mounts }
  elseif fact == "kernel_log" then
    return { since = options.since, now = time.now() }
  end
end

-- A mount may hang alone: each is asked by a process of its own.
local function visit_mounts(mounts, options, limit)
  local visits = {}
  for path, mount in pairs(mounts) do
    if read.known(mount) then
      visits[#visits + 1] = { mount, "room", { path = path }, EACH }
    end
  end
  for _, path in ipairs(options.speed and options.mounts or {}) do
    if read.known(mounts[path]) then
      visits[#visits + 1] = { mounts[path], "speed", { path = path }, SPEED }
    end
  end
  task.map(visits, function(visit)
    local mount, name, details_of, seconds = table.unpack(visit)
    mount[name] = M.ask({ module = "adt.node.gather.storage", name = name, root = options.root, options = details_of }, limit(seconds))
  end)
end

--- Gathers the facts of this machine, side by side.
---@param options? adt.node.FactOptions
---@return adt.node.Facts
function M.gather(options)
  options = options or {}
  errors.check_options("facts.gather", options, OPTIONS)
  local facts, limit = {}, limits_of(options)
  task.map(wanted(options), function(fact)
    local name, module = table.unpack(fact)
    facts[name] = M.ask({ module = "adt.node.gather." .. module, name = name, root = options.root, options = details(name, options) },
      limit(EACH))
    if name == "mounts" and read.known(facts.mounts) then
      visit_mounts(facts.mounts, options, limit)
    end
  end)
  return facts
end

return M
