--- The door for plain scripts: `local ctx <close> = adt.run "my_sweep"` gives a context whose steps are journalled.
local config = require "adt.config"
local context = require "adt.context"
local door = require "adt.door"
local errors = require "adt.error"
local output = require "adt.output"
local run = require "adt.run"

local M = {}

local OPTIONS = { "resume", "target", "output" }

local function finish(ctx, err)
  local names, cause = ctx:failures()
  local failed = #names
  if err == nil and failed > 0 then
    err = errors.new { cause = cause, code = "CheckFailed", message = ("%d of %d checks failed"):format(failed, #ctx.checks) }
  end
  local exit = err and errors.exit_code(errors.from(err)) or 0
  local verdict = ctx:verdict(err and errors.from(err))
  ctx.run:record({ type = "end", state = err and "failed" or "ok", exit = exit, verdict = verdict }, true)
  -- The error itself goes on, and whoever handles it or the program tells it; a document holds it too.
  ctx.emit { type = "end", run = ctx.run.id, ok = not err, exit = exit, verdict = verdict,
    error = err and ctx.out.format ~= "text" and errors.from(err) or nil }
  ctx.run:close()
  ctx.out:finish()
  ctx.out:close()
  return failed > 0 and err
end

--- Begins a run for a plain script, or goes on with one (`resume = ID`, or the variable ADTLUA_RESUME). Leaving its scope
--- ends it; failed checks are raised then.
---@param name string
---@param options? { resume: string?, target: string?, output: "text"|"json"|"ndjson"? }
---@return adt.Context
function M.run(name, options)
  options = options or {}
  errors.check_options("adt.run", options, OPTIONS)
  if type(name) ~= "string" or not name:match("^%l[%w_-]*$") then
    errors.raise { cause = "usage", message = "adt.run needs a name of letters, digits, '_' and '-'" }
  end
  local conf = config.load()
  local target = config.make_target(conf, options.target)
  local out = output.new { format = options.output or "text" }
  local function emit(event) out:event(event) end
  local resume = options.resume or os.getenv "ADTLUA_RESUME"
  local file = require("adt.path").absolute(arg and arg[0] or ".")
  local r = resume and run.open(resume) or run.create {
    recipe = name, kind = "script", file = file, name = name, target = target.name, params = {},
    version = require("adt.c.startup").version, host = require("adt.process").self().host,
  }
  r:record({ type = "begin", mode = "do" }, true)
  local ctx = context.new { recipe = { name = name }, file = file, mode = "do", run = r, id = r.id, dir = r.dir, name = name,
    target = target, emit = emit, stage = "run", resumed_after_end = r.finished ~= nil }
  ctx.out = out
  ctx.door = door.new { mode = "do", run = r, emit = emit }
  emit { type = "run", run = r.id, recipe = name, kind = "script", params = {}, folder = r.dir, mode = resume and "resume" or "do" }
  local class = getmetatable(ctx)
  return setmetatable(ctx, {
    __index = class.__index,
    __close = function(_, err)
      local failure = finish(ctx, err)
      if failure and err == nil then
        error(failure, 0)
      end
    end,
  })
end

return M
