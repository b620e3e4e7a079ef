--- The log: one line each, without secrets, steering nobody's terminal.
local errors = require "adt.error"
local json = require "adt.json"
local log = require "adt.log"
local secret = require "adt.c.secret"
local support = require "support"

local function collector()
  local self = { lines = {} }
  function self.write(_, text) self.lines[#self.lines + 1] = text end
  function self.flush() self.flushed = true end
  return self
end

local stream

before_each(function()
  stream = collector()
  log.configure { stream = stream, level = "debug", format = "text" }
end)

after_each(function()
  log.configure { stream = io.stderr, level = "warn", format = "text" }
  secret.forget()
  support.no_leaks()
end)

describe("a line", function()
  it("has time, level, message and sorted fields", function()
    log.info("started", { nodes = 4, name = "a b", empty = "", ok = true })
    assert.equal(1, #stream.lines)
    assert.matches('^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ info started empty="" name="a b" nodes=4 ok=true\n$', stream.lines[1])
    assert.is_true(stream.flushed)
  end)

  it("cannot be forged or steer a terminal", function()
    log.warn("a\nb\27[2J\r", { ["k\n"] = "v\n\xff\u{9b}31m\u{202e}" })
    local line = stream.lines[1]
    assert.matches([[warn a\nb\x1b[2J\r k\n=v\n\xff\u{9b}31m\u{202e}]], line, 1, true)
    assert.equal(1, select(2, line:gsub("\n", "")))
    assert.matches("ü €", (function() log.info "ü €" return stream.lines[2] end)(), 1, true)
  end)

  it("holds no secret, not even a piece of one at its end", function()
    secret.add "correct-horse-battery"
    log.error("key correct-horse-battery", { v = ("x"):rep(4092) .. "correct-horse-battery", ["correct-horse-battery"] = 1 })
    assert.is_nil(stream.lines[1]:find("correct", 1, true))
    assert.matches("key <secret>", stream.lines[1], 1, true)
    assert.matches("cut]", stream.lines[1], 1, true)
  end)

  it("is JSON when asked", function()
    secret.add "correct-horse-battery"
    log.configure { format = "json" }
    log.info("x\n", { n = 3, level = "mine", bad = "\xff", inf = 1 / 0, pw = "correct-horse-battery" })
    local line = json.decode(stream.lines[1])
    assert.same({ "x\\n", "info", 3, "mine", "\\xff", "inf", "<secret>" },
      { line.message, line.level, line.n, line.field_level, line.bad, line.inf, line.pw })
    assert.matches("}\n$", stream.lines[1])
  end)
end)

describe("levels", function()
  it("hold back what is below", function()
    log.configure { level = "warn" }
    log.debug "no"
    log.info "no"
    log.warn "yes"
    log.error "yes"
    assert.equal(2, #stream.lines)
    assert.is_true(log.enabled "error" and not log.enabled "info")
    log.configure { level = "off" }
    log.error "no"
    assert.equal(2, #stream.lines)
  end)

  it("come from ADTLUA_LOG", function()
    local script = { "-e", "local log = require 'adt.log' log.info 'i' log.warn 'w'" }
    assert.matches("^%S+ warn w\n$", support.adtlua(script).stderr)
    script.env = { ADTLUA_LOG = "INFO" }
    assert.matches("info i\n.*warn w\n$", support.adtlua(script).stderr)
    script.env = { ADTLUA_LOG = "inof" }
    local r = support.adtlua(script)
    assert.matches("ADTLUA_LOG: 'inof'.*did you mean 'info'", r.stderr)
    assert.equal(2, r.code)
  end)

  it("and options that do not exist are refused", function()
    for _, options in ipairs { { level = "wran" }, { format = "xml" }, { colour = true } } do
      local ok, err = pcall(log.configure, options)
      assert.is_true(not ok and errors.is(err) and err.cause == "usage")
    end
  end)
end)
