--- What a stage gets as `ctx`: the only door to the outside.
local errors = require "adt.error"
local fs = require "adt.fs"
local path = require "adt.path"
local pending = require "adt.pending"

local plain = require("adt.output.value").plain

local M = {}

local LONGEST_EVIDENCE = 2000

---@class adt.Context
---@field id? string of the run; nil in a plan that belongs to no run
---@field dir string the run's folder; in a plan of no run, a text that stands for it
---@field mode "do"|"plan"|"down"
---@field name string of what outlives the run (--name)
---@field target adt.Target
---@field params? table the recipe's parameters
---@field adopts? boolean what stands under its name is taken as it is, whoever made it (ctx:use)
---@field door adt.Door
---@field run? adt.Run
---@field recipe adt.Recipe
---@field upto? string the stage that was asked for by its name
---@field emit fun(event: table)
local Context = {}
Context.__index = Context

---@param fields table
---@return adt.Context
function M.new(fields)
  fields.checks = {}
  return setmetatable(fields, Context)
end

--- Changes the world outside, once. See adt.door for what happens in each mode.
---@param name string unique in the run
---@param options adt.StepOptions
---@param f fun(key: string): any makes it; gives the key to what it makes; returns plain data
---@return any result
function Context:step(name, options, f)
  if type(options) == "function" then
    options, f = {}, options
  end
  return self.door:step(name, options, f)
end

--- Submits a job and returns its handle; `:wait()` follows it to its end.
---@param spec adt.JobSpec
---@return adt.JobHandle
function Context:job(spec)
  return require("adt.jobstep").submit(self, spec)
end

--- Does something to a node, once: { node = "n3", to = "drain", reason = "..." }. `down` resumes what was drained.
---@param name string unique in the run
---@param spec adt.Act
---@return { node: string, to: string, reason: string }
function Context:act(name, spec)
  return require("adt.act").step(self, name, spec)
end

--- A CloudFormation stack, made once and deleted by `down`: { template = "vpc/vpc.yaml", parameters = { ... } }.
---@param name string unique in the run
---@param spec adt.StackSpec
---@return adt.StackResult
function Context:stack(name, spec)
  return require("adt.stack").step(self, name, spec)
end

--- A Python virtual environment with these packages, made once per set of packages on this machine.
---@param packages string[]|{ python: string?, requirements: string? }
---@return string python path of its interpreter
function Context:venv(packages)
  return require("adt.python").venv(self, packages)
end

--- A Python of this machine that can import these modules: a question, not a step.
---@param modules string[]|{ candidates: string[]?, hint: string? }
---@return string python path of the interpreter
function Context:python(modules)
  return require("adt.python").find(modules)
end

--- A copy of the folder templates/NAME in the run's folder, its @{...} filled where `values` are given.
---@param name string
---@param values? table<string, any>
---@return { path: string, digest: string }
function Context:template(name, values)
  return require("adt.snapshot").template(self, name, values)
end

--- A snapshot of source code in the run's folder, with its digest.
---@param dir string
---@param options? { dirty: "include"|"refuse" }
---@return { path: string, digest: string }
function Context:code(dir, options)
  return require("adt.snapshot").code(self, dir, options)
end

--- Runs another recipe's deploy and build under this run, its steps named after it, and returns what the last one gave.
---@param name string recipe, looked for beside this one
---@param params? table
---@param options? { name: string? } the name under which it stands, default the recipe's: what is there already is used
--- as it is, and left by `down`
---@return any results of its deploy stage
function Context:use(name, params, options)
  return require("adt.use").use(self, name, params, options)
end

local CAUSES = { "check", "node" }

local function cause_of(options)
  if options == nil then
    return nil
  end
  errors.check_options("ctx:check", options, { "cause" })
  local cause = options.cause
  if cause ~= nil and cause ~= "check" and cause ~= "node" then
    errors.raise { cause = "usage", code = "BadArgument", message = ("ctx:check: '%s' is no cause of a check"):format(tostring(cause)),
      hint = "known: " .. table.concat(CAUSES, ", ") }
  end
  return cause ~= "check" and cause or nil
end

--- Records a check with its evidence. The stage fails at its end if any failed: exit 8, or 7 when every one that failed
--- was of a node.
---@param name string a sentence that should hold
---@param ok any
---@param evidence? any what the reader needs to believe it
---@param options? { cause: "check"|"node" } what is at fault when it does not hold, default "check"
---@return boolean ok
function Context:check(name, ok, evidence, options)
  local cause = cause_of(options)
  local found = pending.find { ok, evidence }
  if found then
    pending.stop(found)
  end
  local record = { type = "check", stage = self.stage, name = plain(tostring(name)), ok = not not ok,
    cause = cause, evidence = M.evidence(evidence) }
  table.insert(self.checks, record)
  if self.mode == "do" then
    self.run:record(record)
  end
  if self.mode ~= "down" then
    self.emit(record)
  end
  return record.ok
end

--- The checks that do not hold, and what their failure is called.
---@package
---@param stage? string of this stage alone
---@return string[] names
---@return "check"|"node" cause "node" when each of them is of a node
function Context:failures(stage)
  local names, nodes = {}, 0
  for _, check in ipairs(self.checks) do
    if not check.ok and (stage == nil or check.stage == stage) then
      names[#names + 1] = check.name
      nodes = nodes + (check.cause == "node" and 1 or 0)
    end
  end
  return names, #names > 0 and nodes == #names and "node" or "check"
end

--- As check(), but ends the stage at once when it does not hold.
---@param name string
---@param ok any
---@param evidence? any
function Context:require(name, ok, evidence)
  if not self:check(name, ok, evidence) then
    errors.raise { cause = "check", code = "CheckFailed", message = "this must hold and does not: " .. tostring(name),
      where = self.stage }
  end
end

--- A line for whoever watches.
---@param text string
---@param ... any for string.format
function Context:note(text, ...)
  self.emit { type = "note", level = "info", text = tostring(select("#", ...) > 0 and text:format(...) or text) }
end

--- A text that belongs to the result: a table, a plot.
---@param text string
function Context:summary(text)
  self.emit { type = "summary", text = tostring(text) }
end

--- A check's evidence as it is journalled: plain data, and short.
---@param value any
---@return any
function M.evidence(value)
  if type(value) == "string" or type(value) == "userdata" or type(value) == "table" and getmetatable(value) ~= nil then
    value = tostring(value)
    value = #value > LONGEST_EVIDENCE and value:sub(1, LONGEST_EVIDENCE) .. "..." or value
  end
  return plain(value)
end

--- How a run ended, in a few words: what went wrong, or how much was checked.
---@param err? adt.Error
---@return string
function Context:verdict(err)
  if err then
    return err.message
  end
  local n = #self.checks
  return n == 0 and "done; nothing was checked" or ("%d check%s passed"):format(n, n == 1 and "" or "s")
end

--- The folder of a recipe's templates: beside the recipe's folder, or below it.
---@param name string
---@return string
function Context:template_dir(name)
  if not name:match("^[%w_][%w_.-]*$") then
    errors.raise { cause = "usage", message = ("'%s' is no name of a template folder"):format(name) }
  end
  local here = path.dir(self.file)
  local tried = {}
  for _, dir in ipairs { path.join(here, "templates", name), path.join(here, "..", "templates", name), path.join(here, name) } do
    dir = path.normalize(dir)
    tried[#tried + 1] = dir
    if fs.exists(dir) then
      return dir
    end
  end
  errors.raise { cause = "usage", code = "NoTemplate", message = ("there are no templates '%s'"):format(name),
    hint = "looked for " .. table.concat(tried, ", ") }
end

return M
