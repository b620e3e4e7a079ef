--- A recipe from the command line: which run, which mode, which parameters; then its execution with ^C handled.
local config = require "adt.config"
local errors = require "adt.error"
local execute = require "adt.execute"
local hash = require "adt.hash"
local options = require "adt.options"
local output = require "adt.output"
local param = require "adt.param"
local path = require "adt.path"
local run = require "adt.run"
local secret = require "adt.secret"
local ctask = require "adt.c.task"

local M = {}

local SIGINT, SIGTERM = 2, 15

-- --- which verb -----------------------------------------------------------------------------------------------------

local function verb_of(recipe, rest)
  local verb = rest[1]
  if verb == nil then
    return "all"
  end
  local known = { "plan", "down" }
  table.move(recipe.stages, 1, #recipe.stages, 3, known)
  for _, name in ipairs(known) do
    if name == verb and #rest == 1 then
      return verb
    end
  end
  local near = errors.nearest(verb, known)
  errors.raise { cause = "usage", code = "UnknownVerb",
    message = #rest > 1 and ("too many words: '%s'"):format(rest[2])
      or ("recipe '%s' has no verb '%s'"):format(recipe.name, verb),
    hint = near and #rest == 1 and ("did you mean '%s'?"):format(near) or "verbs: " .. table.concat(known, ", ") }
end

-- --- which run ------------------------------------------------------------------------------------------------------

local function printable_params(recipe, values)
  local out = {}
  for name, def in pairs(recipe.params) do
    local value = values[name]
    if value ~= nil then
      out[name] = secret.is(value) and "<secret>" or value
    end
  end
  return out
end

local function same_params(recipe, r, values)
  for name, def in pairs(recipe.params) do
    local before, now = (r.head.params or {})[name], values[name]
    if def.type ~= "secret" and param.text(def, before) ~= param.text(def, now) then
      return false
    end
  end
  return true
end

local function done_before(recipe, r, stage)
  for _, name in ipairs(recipe.stages) do
    if name == stage then
      return true
    end
    local record = r.stages[name]
    if not (record and record.state == "end" and record.ok) then
      return false
    end
  end
end

-- A stage by its own name goes on with the newest run of this recipe in which the stages before it are done with the
-- same parameters and, unless it is the last, this one is not.
local function run_for_stage(recipe, stage, values)
  local last = recipe.stages[#recipe.stages]
  local ids = run.ids()
  for i = #ids, math.max(1, #ids - 200), -1 do
    local r = errors.try(run.read, ids[i])
    if r and r.head.recipe == recipe.name and stage ~= recipe.stages[1] and done_before(recipe, r, stage)
      and same_params(recipe, r, values) then
      local record = r.stages[stage]
      if stage == last or not (record and record.state == "end" and record.ok) then
        return r.id
      end
    end
  end
end

-- Something stands, or was begun and may stand.
local function has_something(r)
  for _, step in pairs(r.steps) do
    if step.n > 0 and not step.undone then return true end
  end
  return false
end

local function newest_run(recipe, name)
  local ids = run.ids()
  for i = #ids, 1, -1 do
    local r = errors.try(run.read, ids[i])
    if r and r.head.recipe == recipe.name and r.head.name == name and has_something(r) then
      return r.id
    end
  end
  errors.raise { cause = "usage", code = "NoRun", message = name == recipe.name and ("no run of '%s' has anything to take back"):format(recipe.name)
      or ("no run of '%s' under the name '%s' has anything to take back"):format(recipe.name, name),
    hint = "give --run ID; `adtlua history` lists the runs"
      .. (recipe.kind == "architecture" and "; a stack whose run folder is gone is not deleted by adtlua: its tags adtlua:recipe and adtlua:name"
        .. " tell which one it is" or "") }
end

-- What a run made is taken back with the parameters that made it: with others there might be steps that it would not see.
local function made_with(recipe, id)
  local r, texts = run.read(id), {}
  for name, value in pairs(r.begun and r.begun.params or r.head.params or {}) do
    local def = recipe.params[name]
    if def and def.type ~= "secret" then texts[name] = param.text(def, value) end
  end
  return texts
end

local function check_unchanged(r, digest, given)
  if r.digest and r.digest ~= digest and not given.changed then
    errors.raise { cause = "usage", code = "RecipeChanged", where = r.head.file,
      message = ("the recipe has changed since run %s began"):format(r.id),
      hint = "--changed goes on with the recipe as it is now; steps whose inputs are the same keep their results" }
  end
end

-- A run that had a secret would do its steps again without it.
local function check_secrets(recipe, values, names)
  for _, name in ipairs(names) do
    if values[name] == nil then
      local variable = recipe.params[name].env or "ADTLUA_PARAM_" .. name:upper()
      errors.raise { cause = "config", code = "MissingSecret",
        message = ("the run had the secret '%s', which is not given now"):format(name), hint = "set the variable " .. variable }
    end
  end
end

-- --- consent --------------------------------------------------------------------------------------------------------

local function ask(question)
  io.stderr:write(question, " [y/N] ")
  local answer = io.read "l"
  return answer and answer:lower():match("^y") ~= nil
end

local function consent_to_down(recipe, id, given)
  if given.yes then
    return
  end
  local term = require "adt.term"
  local r = run.read(id)
  local names = {}
  for i = #r.order, 1, -1 do names[#names + 1] = r.order[i] end
  local what = ("take back what run %s of '%s' made: %s"):format(id, recipe.name, table.concat(names, ", "))
  if term.isatty(0) and term.isatty(2) and not os.getenv("CI") then
    if ask("adtlua: " .. what .. "?") then
      return
    end
    errors.raise { cause = "usage", code = "NoConsent", message = "nothing was done" }
  end
  errors.raise { cause = "usage", code = "NoConsent", message = "down deletes, and nobody is there to agree: " .. what,
    hint = "say -y" }
end

-- --- execution with signals -----------------------------------------------------------------------------------------

local function on_first_signal(x, main, signum)
  local id = x.run and x.run.id
  if id and x.mode == "do" then
    x.emit { type = "note", level = "warn", text = ("stopped following run %s; jobs go on"):format(id),
      hint = ("adtlua wait %s follows it again, adtlua cancel %s ends it, adtlua resume %s goes on"):format(id, id, id) }
  end
  x.signal = signum
  main:cancel()
end

-- Once: stop following, with everything put away in order. Twice: leave now; the journal is on the disk.
local function watch_signal(x, main, signum)
  return ctask.spawn(function()
    ctask.signal(signum)
    on_first_signal(x, main, signum)
    ctask.signal(signum)
    os.exit(128 + signum)
  end)
end

-- Live lines show how long something has been going on, also while nothing is heard of it.
local function keep_ticking(out)
  while true do
    ctask.sleep(0.5)
    out:tick()
  end
end

local function with_signals(x)
  local code, err
  local main = ctask.spawn(function() code, err = execute.execute(x) end)
  local watchers = { watch_signal(x, main, SIGINT), watch_signal(x, main, SIGTERM), ctask.spawn(keep_ticking, x.out) }
  local ok, failure = main:join()
  for _, watcher in ipairs(watchers) do
    watcher:cancel()
    watcher:join()
  end
  if not ok then
    error(failure, 0)
  end
  if x.signal then
    code = 128 + x.signal
  elseif x.propagate and err and err.exit then
    code = err.exit
  end
  return code
end

-- --- putting it together ----------------------------------------------------------------------------------------------

local function make_output(given)
  local out = output.new { format = given.output, verbose = given.verbose or false }
  local collected = given["report-junit"] and {}
  local function emit(event)
    if collected then collected[#collected + 1] = event end
    out:event(event)
  end
  return out, emit, collected
end

local function open_or_create(x, recipe, id, values, given, digest)
  if id then
    x.run = run.open(id, given["take-over"])
    local _, err = errors.try(check_unchanged, x.run, digest, given)
    if err then
      x.run:close()
      error(err, 0)
    end
    x.resumed_after_end = x.run.finished ~= nil and x.run.finished.state ~= "detached"
    return "resume"
  end
  x.run = run.create({
    recipe = recipe.name, kind = recipe.kind, file = x.file, digest = digest, name = x.name, target = x.target.name,
    params = printable_params(recipe, values), version = require("adt.c.startup").version, host = require("adt.process").self().host,
  }, x.file)
  return "do"
end

local function execute_run(x, recipe, id, values, given, digest)
  local out, emit, collected = make_output(given)
  x.out, x.emit = out, emit
  local mode = x.mode
  if mode ~= "plan" then
    mode = open_or_create(x, recipe, id, values, given, digest)
  elseif id then
    x.run = run.read(id)
  end
  local owned <close> = setmetatable({}, { __close = function() if x.run then x.run:close() end end })
  emit { type = "run", run = x.run and x.run.id, recipe = recipe.name, kind = recipe.kind, params = printable_params(recipe, values),
    folder = x.run and x.run.dir, mode = x.mode == "do" and mode or x.mode, target = x.target.name }
  x.begin = { digest = digest, params = printable_params(recipe, values) }
  local code = with_signals(x)
  out:finish()
  if collected then
    require("adt.junit").write(given["report-junit"], collected)
  end
  out:close()
  return code, owned
end

--- Runs a recipe as the words say.
---@param recipe adt.Recipe
---@param file string
---@param words string[]
---@param fixed? { run: string?, params: table?, secrets: string[]?, target: string? } what a command has decided already
---@return integer exit status
function M.run(recipe, file, words, fixed)
  fixed = fixed or {}
  local given, flags, rest = options.parse(words, options.RUN, recipe.params)
  file = path.absolute(file)
  if given.help then
    return require("adt.usage").show(require("adt.recipe").describe(recipe), file, words)
  end
  local verb = verb_of(recipe, rest)
  local conf = config.load()
  local id = fixed.run or given.run and (run.resolve(given.run))
  if verb == "down" then id = id or newest_run(recipe, given.name or recipe.name) end
  for name, text in pairs(fixed.params or verb == "down" and made_with(recipe, id) or {}) do
    if flags[name] == nil then flags[name] = text end
  end
  local values = config.params(recipe, conf, flags, given.params)
  check_secrets(recipe, values, fixed.secrets or {})
  local x = {
    recipe = recipe, file = file, params = values, mode = verb == "plan" and "plan" or verb == "down" and "down" or "do",
    target = config.make_target(conf, given.target or fixed.target), name = given.name or recipe.name, detach = given.detach,
    propagate = given.propagate, exit_code = given["exit-code"], with_data = given["with-data"],
    upto = verb ~= "all" and verb ~= "plan" and verb ~= "down" and verb or nil,
  }
  local digest = hash.sha256_file(file)
  if x.mode == "down" then
    consent_to_down(recipe, id, given)
  elseif x.upto and not id then
    id = run_for_stage(recipe, x.upto, values)
  end
  return (execute_run(x, recipe, id, values, given, digest))
end

return M
