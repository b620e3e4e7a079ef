--- The README's own recipe does what the README prints.
local support = require "support"

local readme = support.read "README.md"

-- The first block of a language after a text.
local function block(after, language)
  local at = assert(select(2, readme:find(after, 1, true)), "the README lacks: " .. after)
  return (assert(readme:match("\n```" .. language .. "\n(.-\n)```", at), "no block of " .. language))
end

-- Ranks write when they want; ids, folders and times differ from run to run.
local function comparable(text)
  text = text:gsub("%(%d+%.?%d* ?m?s%)", "(time)"):gsub("R[0-9a-z]+", "RUN", 1):gsub("(folder) [^\n]*", "%1 DIR")
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

describe("the README's recipe", function()
  local function run(dir, words)
    support.write(dir / "count.lua", block("Write this to `count.lua`", "lua"))
    return support.adtlua { "count.lua", cwd = tostring(dir), env = { XDG_STATE_HOME = dir / "state" }, table.unpack(words or {}) }
  end

  it("has about ten lines", function()
    local _, lines = block("Write this to `count.lua`", "lua"):gsub("\n", "")
    assert.is_true(lines <= 13)
  end)

  it("prints what the README says, and succeeds", function()
    local dir <close> = support.tempdir()
    local result = run(dir)
    assert.same({ 0, "" }, { result.code, result.stderr })
    assert.same(comparable(block("`adtlua count.lua` prints:", "text")), comparable(result.stdout))
    assert.matches("\nsuccess %(%d+%.%d s%): 1 check passed\n$", result.stdout)
  end)

  it("refuses what the README says it refuses", function()
    local dir <close> = support.tempdir()
    local result = run(dir, { "--upto", "0" })
    assert.equal(2, result.code)
    local promised = assert(readme:match("%-%-upto 0 +# exit 2: ([^\n]+)"))
    assert.is_truthy(result.stderr:find(promised, 1, true), result.stderr)
  end)

  it("shows its parameters and its plan, and leaves nothing behind by that", function()
    local dir <close> = support.tempdir()
    assert.matches("%-%-upto INT +the last number", run(dir, { "--help" }).stdout)
    local plan = run(dir, { "plan" })
    assert.equal(0, plan.code)
    assert.matches("would do count: 2 processes on local", plan.stdout)
    assert.is_nil(io.open(dir / "state/adtlua/runs"))
  end)
end)

describe("the README", function()
  it("links to files that are there", function()
    for _, file in ipairs { "README.md", "CONTRIBUTING.md" } do
      for target in support.read(file):gmatch("%]%(([^)#]+)") do
        local found = io.open(target)
        assert.is_truthy(target:find("^https?:") or found, file .. " links to " .. target)
        if found then found:close() end
      end
    end
  end)
end)
