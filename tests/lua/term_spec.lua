--- Tables, plots and widths for the terminal.
local term = require "adt.term"
local support = require "support"

-- Evaluates Lua in the program with an environment of its own; what it prints.
local function inside(env, code)
  local all = { LC_ALL = false, LC_CTYPE = false, LANG = false, NO_COLOR = false, CLICOLOR = false, CLICOLOR_FORCE = false,
    CI = false, TERM = "xterm", COLUMNS = false }
  for k, v in pairs(env) do all[k] = v end
  local result = support.run { support.program(), "-e", "local term = require 'adt.term' io.write(tostring(" .. code .. "))",
    env = all }
  assert.equal("", result.stderr)
  return result.stdout
end

-- The same on a terminal of its own, made by Python.
local PTY = [[
import os, pty, sys, fcntl, termios, struct
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 77, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
out = b''
while True:
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    out += piece
os.waitpid(pid, 0)
sys.stdout.buffer.write(out)
]]

local function on_terminal(env, code)
  local all = { NO_COLOR = false, CLICOLOR = false, CLICOLOR_FORCE = false, CI = false, TERM = "xterm", COLUMNS = "50" }
  for k, v in pairs(env) do all[k] = v end
  local result = support.run { "python3", "-c", PTY, support.program(), "-e", "local term = require 'adt.term' " .. code,
    env = all }
  assert.equal("", result.stderr)
  return result.stdout
end

describe("the terminal", function()
  after_each(support.no_leaks)

  it("is asked by descriptor or file", function()
    assert.equal("true true false\r\n77 33\r\n", on_terminal({},
      "print(term.isatty(1), term.isatty(io.stdout), term.isatty(99)) print(term.width(), term.height())"):gsub("\t", " "))
    assert.equal("false", inside({}, "term.isatty(io.stdout)"))
    local file = assert(io.open("/dev/null"))
    file:close()
    assert.is_false(term.isatty(file))
    assert.has_error(function() term.isatty {} end)
  end)

  it("that is not there is 80 columns wide, or what COLUMNS says", function()
    assert.equal("80", inside({}, "term.width()"))
    assert.equal("50", inside({ COLUMNS = "50" }, "term.width()"))
    assert.equal("80", inside({ COLUMNS = "-5" }, "term.width()"))
  end)

  it("tells UTF-8 by the first of LC_ALL, LC_CTYPE, LANG that is set", function()
    for _, case in ipairs {
      { {}, "false" }, { { LANG = "C.UTF-8" }, "true" }, { { LANG = "de_DE.utf8" }, "true" },
      { { LC_ALL = "C", LANG = "C.UTF-8" }, "false" }, { { LC_ALL = "", LC_CTYPE = "en_US.UTF-8", LANG = "C" }, "true" },
    } do
      assert.equal(case[2], inside(case[1], "term.utf8()"))
    end
  end)
end)

describe("colours", function()
  it("follow NO_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM and CI, then the terminal", function()
    for _, case in ipairs {
      { {}, "true" }, { { NO_COLOR = "1" }, "false" }, { { NO_COLOR = "" }, "true" }, { { TERM = "dumb" }, "false" },
      { { CLICOLOR = "0" }, "false" }, { { CI = "true" }, "false" }, { { TERM = false }, "false" },
      { { CLICOLOR_FORCE = "1", TERM = "dumb", CI = "1" }, "true" }, { { CLICOLOR_FORCE = "0" }, "false" },
      { { CLICOLOR_FORCE = "1", NO_COLOR = "1" }, "false" },
    } do
      assert.equal(case[2], on_terminal(case[1], "io.write(tostring(term.colour()))"))
    end
    assert.equal("false", inside({}, "term.colour()"))
    assert.equal("true", inside({ CLICOLOR_FORCE = "1" }, "term.colour()"))
  end)

  it("obey the user's own choice before all", function()
    assert.equal("true", inside({ NO_COLOR = "1" }, "(term.colour(true) and term.colour())"))
    assert.equal("false", inside({ CLICOLOR_FORCE = "1" }, "(term.colour(false) or term.colour())"))
  end)

  it("are painted only where they are on", function()
    assert.equal("\27[31mx\27[0m", term.paint("red", "x", true))
    assert.equal("x", term.paint("red", "x", false))
    assert.equal("", term.paint("red", "", true))
    local _, err = pcall(term.paint, "rd", "x")
    assert.equal("UnknownStyle", err.code)
  end)
end)

describe("clean text", function()
  it("holds no control character but tab, no C1, nothing that reorders, only UTF-8", function()
    assert.equal("plain \t text é 日本 😀 \\", term.clean("plain \t text é 日本 😀 \\"))
    assert.equal([[\x1B[2J\x00\x0D\x0A\x7F]], term.clean("\27[2J\0\r\n\127"))
    assert.equal("a\nb", term.clean("a\nb", true))
    assert.equal([[\x9B31m \xFF\xC3 \xED\xA0\x80 \xC0\x80]], term.clean("\xC2\x9B31m \xFF\xC3 \xED\xA0\x80 \xC0\x80"))
    assert.equal([[\u{202E}x\u{2066}\u{2028}]], term.clean("\u{202E}x\u{2066}\u{2028}"))
    assert.equal("\u{2022}\u{A0}\u{E9}", term.clean("\u{2022}\u{A0}\u{E9}"))
  end)

  it("is what cleaning makes of any bytes, and cleaning again changes nothing", function()
    math.randomseed(11)
    local stop = os.clock() + 0.5
    local n = 0
    repeat
      local bytes = {}
      for i = 1, math.random(0, 60) do
        bytes[i] = string.char(math.random(3) == 1 and math.random(0, 255) or math.random(0x7F, 0xF5))
      end
      local text = term.clean(table.concat(bytes))
      assert.is_truthy(utf8.len(text))
      assert.is_nil(text:find("[%z\1-\8\10-\31\127]"))
      assert.is_nil(text:find("\xC2[\x80-\x9F]"))
      assert.equal(text, term.clean(text))
      n = n + 1
    until os.clock() > stop or n == 5000
    assert.is_true(n > 100)
  end)

  it("is made in linear time", function()
    local start = os.clock()
    term.clean(("\255"):rep(300000))
    term.strip(("\27["):rep(300000))
    term.strip(("\27]0;"):rep(100000))
    -- Squared it would take minutes; sanitizers on a busy machine may take seconds.
    assert.is_true(os.clock() - start < 20)
  end)

  it("loses escape sequences by strip", function()
    assert.equal("red link title x", term.strip("\27[1;31mred\27[0m \27]8;;http://x\27\\link\27]8;;\27\\ \27]0;t\7title \27Mx"))
    assert.equal("\27[\27 x", term.strip("\27[\27 x"))
  end)
end)

describe("display width", function()
  it("counts columns", function()
    for text, cells in pairs {
      [""] = 0, abc = 3, ["é"] = 1, ["e\u{301}"] = 1, ["日本"] = 4, ["😀"] = 2, ["✅"] = 2, ["│┤⣀"] = 3, ["a\tb"] = 9,
      ["\27[31mred\27[0m"] = 3, ["a\u{200B}b"] = 2, ["한글"] = 4, ["\255\254"] = 2, ["ﾊ"] = 1, ["Ａ"] = 2, ["👍🏽"] = 2,
    } do
      assert.equal(cells, term.cells(text), ("%q"):format(text))
    end
  end)

  it("cuts without breaking a character", function()
    assert.equal("abc", term.cut("abc", 3))
    assert.equal("ab…", term.cut("abcd", 3, "…"))
    assert.equal("a...", term.cut("abcdef", 4, "..."))
    assert.equal("日…", term.cut("日本語", 4, "…"))
    assert.equal("ab", term.cut("abcdef", 2, "..."))
    assert.equal("", term.cut("日本", 1, ""))
    assert.equal("\27[31mab…\27[0m", term.cut("\27[31mabcdef\27[0m", 3, "…"))
  end)

  it("wraps at spaces", function()
    assert.equal("aa bb\n  cc\n  dddddddddd", term.wrap("aa bb cc dddddddddd", 6, "  "))
    assert.equal("", term.wrap("", 10))
  end)
end)

describe("a table", function()
  it("aligns by display width, numbers right", function()
    assert.equal("run    s  note\n----  --  ----\nR1     5  a b\n日本  10", term.table(
      { { "R1", 5, "a\nb" }, { "日本", 10 } }, { header = { "run", "s", "note" }, ascii = true }))
    assert.equal("ab  ab\n a   b", term.table({ { "ab", "ab" }, { "a", "b" } }, { align = { "right", "right" } }))
    assert.equal("abcd\n a", term.table({ { "abcd" }, { "a" } }, { align = { "centre" } }))
    assert.equal("", term.table {})
  end)

  it("cuts the widest columns to fit", function()
    local text = term.table({ { "R1", ("x"):rep(50), ("y"):rep(30) } }, { max_width = 40, ascii = true })
    assert.equal("R1  " .. ("x"):rep(14) .. "...  " .. ("y"):rep(14) .. "...", text)
    assert.equal(40, term.cells(text))
  end)

  it("shows no control sequence and refuses what it does not know", function()
    assert.equal("\\x1B[2J", term.table { { "\27[2J" } })
    local _, err = pcall(term.table, {}, { heder = {} })
    assert.matches("header", err.hint)
    _, err = pcall(term.table, { { 1 } }, { align = { "middle" } })
    assert.equal("BadAlign", err.code)
  end)
end)

describe("a plot", function()
  it("draws a line", function()
    assert.equal(table.concat({
      "loss", "3 +**", "  |  **", "  |    **", "  |      **", "0 +        **", "  +----------", "   1        4",
    }, "\n"), term.plot({ 3, 2, 1, 0 }, { width = 10, height = 5, label = "loss", ascii = true }))
    assert.equal("1 ┤  ⡠⠊\n0 ┤⡠⠊\n  └────\n   1  2", (term.plot({ 0, 1 }, { width = 4, height = 2, ascii = false })))
  end)

  it("takes a constant, one point, and none", function()
    assert.equal("7 +****\n  +----\n   1  3", term.plot({ 7, 7, 7 }, { width = 4, height = 1, ascii = true }))
    assert.equal("7 +*\n  +----\n   1", term.plot({ 7 }, { width = 4, height = 1, ascii = true }))
    assert.equal("(no values)", term.plot {})
    assert.equal("(no finite values)\n(2 of 2 values not finite)", term.plot { 0 / 0, math.huge })
  end)

  it("leaves gaps where values are not finite and says so", function()
    local text = term.plot({ 1, 0 / 0, 1 }, { width = 5, height = 1, ascii = true })
    assert.equal("1 +*   *\n  +-----\n   1   3\n(1 of 3 values not finite)", text)
  end)

  it("keeps the extremes of a million points", function()
    local points = {}
    for i = 1, 1000000 do points[i] = 0 end
    points[500001], points[500002] = 9, -9
    local start = os.clock()
    local text = term.plot(points, { width = 11, height = 3, ascii = true })
    assert.is_true(os.clock() - start < 2)
    assert.equal(" 9 +     *\n   |***********\n-9 +     *\n   +-----------\n    1   1000000", text)
  end)

  it("spans the whole range of numbers", function()
    local text = term.plot({ -1.7e308, 1.7e308 }, { width = 3, height = 3, ascii = true })
    assert.equal(" 1.7e+308 +  *\n          | *\n-1.7e+308 +*\n          +---\n           1 2", text)
  end)

  it("refuses sizes that are none", function()
    for _, options in ipairs { { width = 0 }, { height = 1.5 }, { width = 5000 }, { hight = 3 } } do
      local _, err = pcall(term.plot, { 1 }, options)
      assert.equal("usage", err.cause)
    end
  end)
end)
