--- `adtlua test [FILES] [-s] [--keep-artifacts]`: *_test.lua files, and each recipe with its smallest parameters on local.
local bare = require "adt.c.bare"
local errors = require "adt.error"
local fs = require "adt.fs"
local path = require "adt.path"
local process = require "adt.process"
local time = require "adt.time"
local units = require "adt.units"

local M = { summary = "test recipes with their smallest parameters", args = "[FILE|FOLDER...]" }

M.flags = {
  show = { short = "s", help = "show the output of what runs" },
  ["keep-artifacts"] = { help = "keep the folder with the runs" },
  ["report-junit"] = { value = true, help = "write the outcome as JUnit XML" },
}

local function is_recipe(file)
  return file:match("%.lua$") and not file:match("_test%.lua$")
end

local function files_below(words)
  local files = {}
  for _, word in ipairs(#words > 0 and words or { "recipes" }) do
    local st = fs.stat(word)
    if not st then
      errors.raise { cause = "usage", message = ("there is no file or folder '%s'"):format(word) }
    elseif st.type == "directory" then
      for _, name in ipairs(fs.list(word)) do
        if name:match("%.lua$") then files[#files + 1] = path.join(word, name) end
      end
    else
      files[#files + 1] = word
    end
  end
  return files
end

local function cases_of(file)
  local test = require "adt.test"
  test.cases = {}
  local chunk, err = loadfile(file)
  if not chunk then
    errors.raise { cause = "usage", code = "BadTest", message = err }
  end
  chunk()
  return test.cases
end

local function recipe_words(file, head)
  local words = { process.self().exe, file, "-y", "--target", "local" }
  for name, value in pairs(head.smallest or {}) do
    words[#words + 1] = ("--%s=%s"):format(name:gsub("_", "-"), tostring(value))
  end
  return words
end

-- In a process of its own, with a state folder of its own: as a user would run it.
local function run_recipe(file, head, state_dir, show)
  local words = recipe_words(file, head)
  words.check, words.stderr = false, "stdout"
  words.env = { XDG_STATE_HOME = state_dir, CI = "1" }
  local result = process.run(words)
  if show then io.write(result.stdout) end
  if not result.ok then
    errors.raise { cause = "check", code = "RecipeFailed", message = ("%s: %s"):format(file, result.text),
      hint = result.stdout:sub(-1500) }
  end
end

local function collect(files, state_dir, show)
  local tests = {}
  for _, file in ipairs(files) do
    if file:match("_test%.lua$") then
      for _, case in ipairs(cases_of(file)) do
        tests[#tests + 1] = { suite = file, title = case.title, f = case.f }
      end
    elseif is_recipe(file) then
      local head, err = bare.read(file)
      if err then
        tests[#tests + 1] = { suite = file, title = "its head can be read", f = function() error(err, 0) end }
      elseif head then
        tests[#tests + 1] = { suite = file, title = ("%s passes with its smallest parameters"):format(head.name),
          f = function() run_recipe(file, head, state_dir, show) end }
      end
    end
  end
  return tests
end

local function run_tests(tests)
  local failed, events = 0, {}
  for _, t in ipairs(tests) do
    local started = time.monotonic()
    local ok, err = xpcall(t.f, errors.handler)
    local seconds = time.monotonic() - started
    io.write(("%s %s: %s (%s)\n"):format(ok and "ok    " or "FAILED", t.suite, t.title, units.duration(seconds)))
    if not ok then
      failed = failed + 1
      io.write("       ", tostring(err):gsub("\n", "\n       "), "\n")
    end
    events[#events + 1] = { type = "check", stage = t.suite, name = t.title, ok = ok, evidence = not ok and tostring(err) or nil }
  end
  return failed, events
end

--- Runs the tests.
---@param given table<string, string|true> flags
---@param rest string[]
---@return integer exit status 8 when a test failed, 2 when there was none
function M.run(given, rest)
  local folder = fs.tempdir "adtlua-test"
  local put_away <close> = setmetatable({}, { __close = function()
    if given["keep-artifacts"] then
      io.write("runs are kept in ", folder.path, "\n")
    else
      fs.remove(folder.path, { recursive = true })
    end
  end })
  local tests = collect(files_below(rest), folder.path, given.show)
  if #tests == 0 then
    errors.raise { cause = "usage", code = "NoTests", message = "there is nothing to test here",
      hint = "name recipes or *_test.lua files" }
  end
  local failed, events = run_tests(tests)
  if given["report-junit"] then
    require("adt.junit").write(given["report-junit"], events)
  end
  io.write(("%d passed, %d failed, 0 skipped\n"):format(#tests - failed, failed))
  return failed > 0 and 8 or 0, put_away
end

return M
