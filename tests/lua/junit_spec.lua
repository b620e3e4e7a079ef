--- JUnit files.
local junit = require "adt.junit"
local errors = require "adt.error"
local secret = require "adt.c.secret"
local support = require "support"

local function events(err)
  return {
    { type = "run", run = "R1", recipe = "a<b", mode = "do" },
    { type = "stage", stage = "build", state = "begin", t = 0 },
    { type = "step", stage = "build", step = "venv", state = "doing" },
    { type = "step", stage = "build", step = "venv", state = "done", seconds = 3.25 },
    { type = "step", stage = "build", step = "data", state = "pending" },
    { type = "stage", stage = "build", state = "end", ok = true, seconds = 4 },
    { type = "line", job = "x", text = "not in the report" },
    { type = "check", stage = "validate", name = 'loss "falls"', ok = true },
    { type = "check", stage = "validate", name = "bytes", ok = false, evidence = "a<b>&\27[2J\0]]>\255\u{FFFE}\r\n end" },
    { type = "stage", stage = "validate", state = "end", ok = false, seconds = 1, error = err },
    { type = "end", ok = false, exit = 8, seconds = 5, error = err },
  }
end

local function render(list)
  local collector = junit.collector()
  for _, e in ipairs(list) do collector:event(e) end
  return collector:render()
end

describe("a JUnit report", function()
  it("has a suite for each stage and a case for each check and step", function()
    local err = errors.new { cause = "check", message = "1 check failed" }
    assert.equal([=[
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="a&lt;b R1" tests="4" failures="1" errors="0" skipped="1" time="5.000">
  <testsuite name="build" tests="2" failures="0" errors="0" skipped="1" time="4.000" timestamp="1970-01-01T00:00:00Z">
    <testcase classname="build" name="step venv" time="3.250"/>
    <testcase classname="build" name="step data" time="0.000">
      <skipped/>
    </testcase>
  </testsuite>
  <testsuite name="validate" tests="2" failures="1" errors="0" skipped="0" time="1.000">
    <testcase classname="validate" name="loss &quot;falls&quot;" time="0.000"/>
    <testcase classname="validate" name="bytes" time="0.000">
      <failure message="the check failed" type="check">a&lt;b&gt;&amp;[2J]]&gt;]=] .. "\u{FFFD}&#13;\n end" .. [=[</failure>
    </testcase>
  </testsuite>
</testsuites>
]=], render(events(err)))
  end)

  it("is XML that a parser reads, whatever the evidence holds", function()
    local list = events()
    for byte = 0, 255 do
      list[#list + 1] = { type = "check", stage = "b" .. string.char(byte), name = string.char(byte) .. "x", ok = false,
        evidence = string.char(byte, 0x80, 0xED, 0xA0, 0x80) }
    end
    local dir <close> = support.tempdir()
    junit.write(dir / "r.xml", list)
    local result = support.run { "python3", "-c",
      "import sys, xml.dom.minidom as m; print(len(m.parse(sys.argv[1]).getElementsByTagName('failure')))", dir / "r.xml" }
    assert.same({ 0, "257\n", "" }, { result.code, result.stdout, result.stderr })
  end)

  it("tells a stage that failed for another reason than its checks", function()
    local text = render(events(errors.new { cause = "timeout", message = "took longer than 5 s", hint = "raise limit" }))
    assert.matches('<error message="took longer than 5 s" type="timeout">took longer than 5 s; raise limit</error>', text)
    assert.matches('errors="1"', text)
  end)

  it("never shows success when the run ended outside of a stage", function()
    local text = render { { type = "end", ok = false, error = errors.new { cause = "usage", message = "no" } } }
    assert.matches('tests="1" failures="0" errors="1"', text)
  end)

  it("shows a step that began and did not end", function()
    local text = render { { type = "step", stage = "run", step = "train", state = "doing" } }
    assert.matches('<error message="the step did not end"', text)
  end)

  it("holds no secret", function()
    secret.add("hunter2-hunter2")
    local text = render { { type = "check", stage = "a", name = "hunter2-hunter2", ok = false, evidence = "hunter2-hunter2" } }
    secret.forget()
    assert.is_nil(text:find("hunter2", 1, true))
  end)

  it("is written through links and into pipes, which stay", function()
    local dir <close> = support.tempdir()
    support.write(dir / "real", "")
    assert(require("lfs").link(dir / "real", dir / "link", true))
    junit.write(dir / "link", { { type = "check", stage = "a", name = "b", ok = true } })
    assert.equal("link", require("lfs").symlinkattributes(dir / "link", "mode"))
    assert.matches('name="b"', support.read(dir / "real"))
    local result = support.run { "sh", "-c", "mkfifo " .. support.quote(dir / "pipe") .. " && { cat "
      .. support.quote(dir / "pipe") .. " & " .. support.quote(support.program()) .. " -e " .. support.quote(
      'require("adt.junit").write(arg[1], { { type = "check", stage = "a", name = "b", ok = true } })') .. " /dev/null "
      .. support.quote(dir / "pipe") .. "; wait; }" }
    assert.matches('name="b"', result.stdout)
    assert.equal("", result.stderr)
  end)
end)
