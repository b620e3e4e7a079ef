--- What people and programs see of a run: events in, text or JSON out.
---
--- An event is a plain table with a `type`:
---   run      run, recipe, kind, params, folder, mode = "do" | "resume" | "plan" | "down"
---   stage    stage, state = "begin" | "end", ok, seconds, error
---   step     stage, step, state = "doing" | "done" | "resumed" | "planned" | "kept" | "undone" | "failed" | "pending",
---            detail, seconds, error, kind ("job": done means that it was started)
---   job      stage, job, state = "begin" | "end", ok, seconds, detail
---   line     stage, job, rank, text      one line that a job printed
---   metrics  stage, job, step, total, values = { loss =, ["tokens/s"] = ... }
---   resource stage, step, stack, within, resource, kind, state, reason, id    what became of one resource of a stack
---   change  stage, step, stack, within, action, resource, kind, id, replacement, data_loss, perhaps, properties   of a plan
---   note     level = "info" | "warn" | "error", text, hint
---   check    stage, name, ok, evidence
---   plan_end text
---   rendered step, name, text            what a plan would hand to another program
---   summary  text
---   end      run, ok, exit, seconds, error, verdict
--- `t`, seconds since the epoch, is added where it is missing.
local clock = require "adt.c.clock"
local errors = require "adt.error"
local value = require "adt.output.value"

local M = {}

---@class adt.Event
---@field type string
---@field t? number

---@class adt.output.Options
---@field format? "text"|"json"|"ndjson" ("text")
---@field verbose? boolean print each line and number of a job also where a live line shows the last one
---@field stream? file*|table where it goes: anything with write and flush (io.stdout)
---@field errors? file*|table where text for people about failures goes (io.stderr)
---@field live? boolean redraw lines in place (nil: on a terminal that can)

---@class adt.Output
---@field broken boolean nobody reads any more; what comes is dropped
---@field failure? string why writing failed, when it was not that
local Output = {}
Output.__index = Output

local OPTIONS = { format = true, verbose = true, stream = true, errors = true, live = true }
local FORMATS = { text = "adt.output.text", json = "adt.output.document", ndjson = "adt.output.document" }
local TYPES = {
  run = true, stage = true, step = true, job = true, line = true, metrics = true, note = true, check = true, plan_end = true,
  resource = true, change = true, rendered = true, summary = true, ["end"] = true,
}

local EPIPE = 32

--- Makes what turns events into output. Raises `usage` for unknown options.
---@param options? adt.output.Options
---@return adt.Output
function M.new(options)
  options = options or {}
  errors.check_options("output.new", options, OPTIONS)
  local format = options.format or "text"
  if not FORMATS[format] then
    errors.raise {
      cause = "usage", code = "UnknownFormat", message = ("unknown output format '%s'"):format(tostring(format)),
      hint = "the formats are text, json and ndjson",
    }
  end
  local self = setmetatable({
    format = format, stream = options.stream or io.stdout, errors = options.errors or io.stderr,
    broken = false, closed = false,
  }, Output)
  self.form = require(FORMATS[format]).new(self, options)
  return self
end

--- Takes an event. Never raises because of what it writes to: see `broken` and `failure`.
---@param event adt.Event
function Output:event(event)
  if not TYPES[event.type] then
    local names = {}
    for name in pairs(TYPES) do names[#names + 1] = name end
    local near = type(event.type) == "string" and errors.nearest(event.type, names)
    errors.raise {
      cause = "usage", code = "UnknownEvent", message = ("no event is called '%s'"):format(tostring(event.type)),
      hint = near and ("did you mean '%s'?"):format(near) or nil,
    }
  end
  if self.closed then
    return
  end
  event.t = event.t or M.now()
  self.form:event(event)
end

--- Redraws live lines (their running times); for a timer of about a second. Nothing where there are none.
function Output:tick()
  if not self.closed then
    self.form:tick()
  end
end

--- Ends what is under way: live lines are removed, the JSON document is written. Later events are still taken in text
--- and ndjson.
function Output:finish()
  if not self.closed then
    self.form:finish()
  end
end

--- Finishes; what comes later is dropped. The streams stay open. Raises when writing failed for another reason than a
--- reader that went away, so that a full disk is no success.
function Output:close()
  self:finish()
  self.closed = true
  if self.failure then
    errors.raise {
      cause = "service", code = "OutputFailed", message = "the output could not be written: " .. self.failure,
      hint = "the run itself is complete in its folder",
    }
  end
end

--- Writes text to the stream at once.
---@package
---@param text string
function Output:write(text)
  if self.broken or self.failure then
    return
  end
  local ok, message, code = self.stream:write(text)
  if ok then
    ok, message, code = self.stream:flush()
  end
  -- A flush of Lua gives the file or true; streams of others may give nothing.
  if not ok and message then
    if code == EPIPE then
      self.broken = true
    else
      self.failure = message
    end
  end
end

--- Writes text for people to the stream of errors; what cannot be written there is lost.
---@package
---@param text string
function Output:complain(text)
  self.errors:write(text)
  self.errors:flush()
end

--- Seconds since the epoch.
---@return number
M.now = clock.now

--- An error as one paragraph, as the program prints it.
---@param err adt.Error|any
---@return string
M.paragraph = value.paragraph

return M
