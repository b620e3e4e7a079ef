--- What is told about a run, on a terminal and as JSON.
local output = require "adt.output"
local errors = require "adt.error"
local json = require "adt.json"
local metrics = require "adt.metrics"
local clock = require "adt.c.clock"
local secret = require "adt.c.secret"
local support = require "support"

-- A stream that remembers; `fail_after` writes it fails with that errno.
local function stream(fail_after, code)
  local s = { text = "" }
  function s:write(text)
    if fail_after then
      fail_after = fail_after - 1
      if fail_after < 0 then return nil, "no such luck", code end
    end
    self.text = self.text .. text
    return self
  end
  function s:flush() return self end
  return s
end

local function shown(events, options)
  options = options or {}
  options.stream, options.errors = options.stream or stream(), options.errors or stream()
  local out = output.new(options)
  for _, e in ipairs(events) do out:event(e) end
  out:close()
  return options.stream.text, options.errors.text
end

local function failure()
  return errors.new { cause = "program", message = "rank 1 was killed by signal 11", where = "a.lua:5",
    hint = "read its log", inner = errors.new { cause = "node", message = "the node lost its memory" } }
end

local function a_run(err)
  return {
    { type = "run", run = "R1", recipe = "cpu_ddp", kind = "test-case", mode = "do", folder = "/runs/R1",
      params = { steps = 60, data = "it's" } },
    { type = "stage", stage = "build", state = "begin" },
    { type = "step", stage = "build", step = "venv", state = "doing" },
    { type = "step", stage = "build", step = "venv", state = "done", seconds = 3.21, detail = "torch 2.8" },
    { type = "stage", stage = "build", state = "end", ok = true, seconds = 64.4 },
    { type = "stage", stage = "run", state = "begin" },
    { type = "step", stage = "run", step = "train", state = "doing" },
    { type = "line", job = "train", rank = 0, text = "\27[31mstep 1\27[0m" },
    { type = "metrics", job = "train", step = 1, total = 2, values = { loss = 5.5, ["tokens/s"] = 10 } },
    { type = "metrics", job = "train", step = 2, total = 2, values = { loss = 2.5, ["tokens/s"] = 20 } },
    { type = "step", stage = "run", step = "train", state = err and "failed" or "done", seconds = 3700 },
    { type = "stage", stage = "run", state = "end", ok = not err, seconds = 5, error = err },
    { type = "check", stage = "validate", name = "loss falls", ok = not err, evidence = metrics.series { 5.5, 2.5 } },
    { type = "end", run = "R1", ok = not err, exit = err and 6 or 0, seconds = 70, error = err, verdict = "it is so" },
  }
end

describe("output as text", function()
  after_each(support.no_leaks)

  it("reads well without a colour or a terminal", function()
    local text, complaints = shown(a_run())
    assert.equal([[
run R1: cpu_ddp (test-case)
  data = it's
  steps = 60
  folder /runs/R1
stage build
  doing    venv
  done     venv (3.2 s): torch 2.8
stage build done (1 min 4 s)
stage run
  doing    train
[train.0] step 1
  done     train (1 h 1 min)
stage run done (5.0 s)
  ok       loss falls: 2 values, 5.5 -> 2.5
success (1 min 10 s): it is so
]], text)
    assert.equal("", complaints)
  end)

  it("tells an error once, as one paragraph", function()
    local text, complaints = shown(a_run(failure()))
    assert.equal("error: a.lua:5: rank 1 was killed by signal 11, because the node lost its memory; read its log\n",
      complaints)
    assert.matches("\n  FAILED   train %(1 h 1 min%)\nstage run FAILED %(5.0 s%)\n  FAILED   loss falls: ", text)
    assert.matches("\nFAILED %(1 min 10 s%): it is so %[exit 6%]\n$", text)
  end)

  it("says what a plan would do and where it ends", function()
    local text = shown {
      { type = "run", recipe = "vpc", mode = "plan" },
      { type = "step", step = "vpc", state = "planned", detail = "would be made" },
      { type = "rendered", step = "job", name = "job.sh", text = "#!/bin/sh\necho \27[2J\n" },
      { type = "plan_end", text = "from here it depends on vpc" },
    }
    assert.equal("plan: vpc\n  would do vpc: would be made\n  --- job.sh of job\n  | #!/bin/sh\n  | echo \\x1B[2J\n"
      .. "the plan ends here: from here it depends on vpc\n", text)
  end)

  it("lets no text of a job reach the terminal as commands", function()
    local text = shown {
      { type = "line", job = "a", text = "x\27]0;title\7y\27[5;5H\rz\155\xC2\x9Bq\27" },
      { type = "line", job = "a", text = ("long "):rep(4000) },
    }
    assert.is_nil(text:find("[%z\1-\8\11-\31\127]"))
    assert.matches("^%[a%] xy\\x0Dz\\x9B\\x9Bq\\x1B\n", text)
    assert.matches("%.%.%. %(3616 bytes more%)\n$", text)
  end)

  it("redacts known secrets everywhere", function()
    secret.add("hunter2-hunter2")
    local events = {
      { type = "line", job = "a", text = "token hunter2-hunter2" },
      { type = "note", level = "warn", text = "hunter2-hunter2", hint = "hunter2-hunter2" },
      { type = "check", name = "hunter2-hunter2", ok = true, evidence = { ["hunter2-hunter2"] = "hunter2-hunter2" } },
      { type = "rendered", step = "s", name = "n", text = "export A=hunter2-hunter2" },
      { type = "summary", text = "hunter2-hunter2" },
      { type = "end", ok = false, exit = 1, verdict = "hunter2-hunter2",
        error = errors.new { cause = "program", message = "hunter2-hunter2", inner = "hunter2-hunter2" } },
    }
    for _, format in ipairs { "text", "json", "ndjson" } do
      local text, complaints = shown(events, { format = format })
      assert.is_nil((text .. complaints):find("hunter2", 1, true), format)
    end
    secret.forget()
  end)

  it("keeps quiet when the reader has gone", function()
    local gone = stream(2, 32)
    local out = output.new { stream = gone, errors = stream() }
    for _, e in ipairs(a_run()) do out:event(e) end
    assert.is_true(out.broken)
    out:close()
    assert.equal("run R1: cpu_ddp (test-case)\n  data = it's\n", gone.text)
  end)

  it("raises at the end when the disk was full", function()
    local out = output.new { stream = stream(1, 28), errors = stream() }
    for _, e in ipairs(a_run()) do out:event(e) end
    local _, err = pcall(out.close, out)
    assert.same({ "service", "OutputFailed" }, { err.cause, err.code })
  end)

  it("refuses options, formats and events that it does not know", function()
    local _, err = pcall(output.new, { fromat = "text" })
    assert.matches("format", err.hint)
    _, err = pcall(output.new, { format = "xml" })
    assert.equal("UnknownFormat", err.code)
    _, err = pcall(output.new { stream = stream() }.event, output.new { stream = stream() }, { type = "stag" })
    assert.matches("stage", err.hint)
  end)
end)

describe("output on a terminal", function()
  -- The lines that a screen shows: carries out carriage return, erase line, cursor up and colours.
  local function emulate(text)
    local lines, at = { "" }, 1
    local i = 1
    while i <= #text do
      local stop = select(2, text:find("^\27%[2K", i))
      if stop then
        lines[at] = ""
      else
        stop = select(2, text:find("^\27%[1A", i))
        if stop then
          at = at - 1
        else
          stop = select(2, text:find("^\27%[%d*m", i)) or i
          local char = text:sub(i, i)
          if char == "\n" then
            at = at + 1
            lines[at] = lines[at] or ""
          elseif char ~= "\r" and char ~= "\27" then
            lines[at] = lines[at] .. char
          end
        end
      end
      i = stop + 1
    end
    return lines
  end

  it("redraws a line for each thing under way and leaves only finished things", function()
    local s = stream()
    local out = output.new { stream = s, errors = stream(), live = true }
    local events = a_run()
    for i = 1, 9 do out:event(events[i]) end
    clock.turn(60)
    out:tick()
    clock.turn(-60)
    local lines = emulate(s.text)
    assert.matches("^run  1 min 0 s$", lines[#lines - 2])
    assert.matches("^  train  1 min 0 s", lines[#lines - 1])
    assert.matches("^  train  1 min 0 s  %[[#.]+%]  step 1/2  loss 5.5  tokens/s 10$", lines[#lines])
    assert.equal("stage run", lines[#lines - 3])
    for i = 10, #events do out:event(events[i]) end
    out:close()
    lines = emulate(s.text)
    assert.same({ "run R1: cpu_ddp (test-case)", "  data = it's", "  steps = 60", "  folder /runs/R1", "stage build",
      "  done     venv (3.2 s): torch 2.8", "stage build done (1 min 4 s)", "stage run", "  done     train (1 h 1 min)",
      "stage run done (5.0 s)", "  ok       loss falls: 2 values, 5.5 -> 2.5", "success (1 min 10 s): it is so", "" }, lines)
  end)

  it("shows the last lines of a job that failed", function()
    local s = stream()
    local out = output.new { stream = s, errors = stream(), live = true }
    out:event { type = "step", step = "train", state = "doing" }
    for i = 1, 30 do out:event { type = "line", job = "train", rank = 1, text = "line " .. i } end
    out:event { type = "step", step = "train", state = "failed" }
    out:close()
    local text = table.concat(emulate(s.text), "\n")
    assert.matches("  last lines of train:\n  | %[train%.1%] line 11\n.*\n  | %[train%.1%] line 30\n  FAILED   train", text)
    assert.is_nil(text:find("line 10\n", 1, true))
  end)

  it("keeps a job's line while it runs, after the step that started it", function()
    local s, t = stream(), 100
    local out = output.new { stream = s, errors = stream(), live = true }
    local function event(e)
      e.t = t
      out:event(e)
    end
    event { type = "stage", stage = "run", state = "begin" }
    event { type = "step", stage = "run", step = "train", kind = "job", state = "doing" }
    event { type = "step", stage = "run", step = "train", kind = "job", state = "done" }
    event { type = "line", stage = "run", job = "train", text = "hello\tyou" }
    event { type = "line", stage = "run", job = "other", text = "x" }
    event { type = "job", stage = "run", job = "other", state = "end", ok = false, seconds = 2, detail = "exit 3" }
    local lines = emulate(s.text)
    assert.same({ "stage run", "  started  train", "  last lines of other:", "  | [other] x", "  FAILED   other (2.0 s): exit 3" },
      table.move(lines, 1, 5, 1, {}))
    assert.matches("^  train  .*  hello you$", lines[7])
    event { type = "stage", stage = "run", state = "end", ok = false }
    out:close()
    lines = emulate(s.text)
    assert.same({ "  last lines of train:", "  | [train] hello\tyou", "stage run FAILED", "" }, table.move(lines, 6, 9, 1, {}))
  end)

  it("redraws at most about ten times a second", function()
    local s = stream()
    local out = output.new { stream = s, errors = stream(), live = true }
    out:event { type = "step", step = "train", state = "doing" }
    for i = 1, 1000 do out:event { type = "metrics", job = "train", step = i, total = 1000, values = { loss = 1 } } end
    local _, drawings = s.text:gsub("\27%[2K", "")
    assert.is_true(drawings <= 10, drawings)
    out:close()
  end)

  it("prints every line as well when asked to", function()
    local text = shown(a_run(), { live = true, verbose = true })
    assert.matches("%[train%.0%] step 1\n", text)
    assert.matches("%[train%] step 1/2  loss 5%.5  tokens/s 10\n", text)
  end)
end)

describe("output for programs", function()
  it("as ndjson is one object an event, with version and time", function()
    local text = shown(a_run(failure()), { format = "ndjson" })
    local seen = {}
    for line in text:gmatch("[^\n]+") do
      local e = json.decode(line)
      assert.equal(1, e.v)
      assert.equal("number", type(e.t))
      seen[#seen + 1] = e
    end
    assert.equal(14, #seen)
    assert.equal("step 1", seen[8].text)
    assert.same({ cause = "program", message = "rank 1 was killed by signal 11", where = "a.lua:5", hint = "read its log",
      inner = { cause = "node", message = "the node lost its memory" } }, seen[14].error)
    assert.same({ n = 2, first = 5.5, last = 2.5, min = 2.5, max = 5.5, mean = 4.0, finite = true }, seen[13].evidence)
  end)

  it("as json is one document at the end", function()
    local s = stream()
    local out = output.new { format = "json", stream = s, errors = stream() }
    for _, e in ipairs(a_run()) do out:event(e) end
    assert.equal("", s.text)
    out:finish()
    out:close()
    local doc = json.decode(s.text)
    assert.same({ 1, "R1", "cpu_ddp", "do", true, 0 }, { doc.v, doc.run, doc.recipe, doc.mode, doc.ok, doc.exit })
    assert.same({ { stage = "build", state = "end", ok = true, seconds = 64.4 },
      { stage = "run", state = "end", ok = true, seconds = 5 } }, { doc.stages[1], doc.stages[2] })
    assert.equal(2, #doc.steps)
    assert.equal("torch 2.8", doc.steps[1].detail)
    assert.same({ n = 2, first = 5.5, last = 2.5, min = 2.5, max = 5.5, mean = 4.0 }, doc.metrics.train.values.loss)
    assert.equal("loss falls", doc.checks[1].name)
    assert.is_nil(s.text:find('"lines"', 1, true))
  end)

  it("keeps empty lists as lists", function()
    local text = shown({}, { format = "json" })
    assert.equal('{"checks":[],"jobs":[],"metrics":{},"notes":[],"rendered":[],"stages":[],"steps":[],"v":1}\n', text)
  end)

  it("holds any value that a recipe gives", function()
    local loop = {}
    loop.again, loop.twice = loop, loop
    local text = shown({ { type = "check", name = "odd \255", ok = true, evidence = {
      nan = 0 / 0, inf = -math.huge, f = print, null = json.null, empty = json.array {}, mixed = { 1, 2, x = 3 },
      sparse = { [1] = 1, [5] = 5 }, [true] = 1, loop = loop, text = "\255\0", series = metrics.series {} } } },
      { format = "ndjson" })
    local e = json.decode(text).evidence
    assert.same({ "nan", "-inf", "\\xFF\\x00" }, { e.nan, e.inf, e.text })
    assert.equal(json.null, e.null)
    assert.matches('"empty":%[%]', text)
    assert.same({ ["1"] = 1, ["2"] = 2, x = 3 }, e.mixed)
    assert.same({ ["1"] = 1, ["5"] = 5 }, e.sparse)
    assert.matches("^function", e.f)
  end)

  it("tells people on the other stream why a run failed", function()
    local text, complaints = shown(a_run(failure()), { format = "json" })
    assert.equal(6, json.decode(text).exit)
    assert.matches("^error: a%.lua:5: rank 1", complaints)
  end)
end)

describe("the program's standard output", function()
  it("ends quietly when its reader goes", function()
    local result = support.run { "sh", "-c", support.quote(support.program()) .. [[ -e '
      local out = require("adt.output").new {}
      for i = 1, 20000 do out:event { type = "line", job = "a", text = ("x"):rep(100) } end
      out:close()
      io.stderr:write(tostring(out.broken))' | head -n 1]] }
    assert.equal("[a] " .. ("x"):rep(100) .. "\n", result.stdout)
    assert.is_true(result.stderr == "true" or result.stderr == "", result.stderr)
  end)

  it("has no control sequence when it is a file", function()
    local result = support.run { support.program(), "-e", [[
      local out = require("adt.output").new {}
      out:event { type = "stage", stage = "a", state = "begin" }
      out:event { type = "stage", stage = "a", state = "end", ok = true, seconds = 1 }
      out:close()]], env = { TERM = "xterm", CI = false, NO_COLOR = false, CLICOLOR_FORCE = false } }
    assert.equal("stage a\nstage a done (1.0 s)\n", result.stdout)
  end)
end)
