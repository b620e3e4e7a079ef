--- Text files with holes.
local template = require "adt.template"
local secrets = require "adt.secret"
local support = require "support"

local function refused(...)
  local ok, err = pcall(template.fill, ...)
  assert.is_false(ok)
  return err
end

describe("a template", function()
  it("fills @{name} and nothing else", function()
    assert.equal("a=1 b=x ${c} $(d) @e {f} @{ g} @{h-i} @{a|} @{1}",
      template.fill("a=@{a} b=@{b} ${c} $(d) @e {f} @{ g} @{h-i} @{a|} @{1}", { a = 1, b = "x" }))
  end)

  it("has @@{ for a literal @{", function()
    assert.equal("@{a} @1 @{ @@{a|sh}", template.fill("@@{a} @@@{a|sh} @@{ @@@{a|sh}", {}):gsub("@@{a|sh}", "@1", 1))
    assert.equal("1@{a}", template.fill("@{a}@@{a}", { a = 1 }))
  end)

  it("does not fill what a value holds", function()
    assert.equal("@{b} 2", template.fill("@{a} @{b}", { a = "@{b}", b = 2 }))
    assert.equal("%1 %0", template.fill("@{a}", { a = "%1 %0" }))
  end)

  it("quotes by filter", function()
    local value = [[it's "$(rm -rf /)" `x` \]]
    assert.equal([['it'\''s "$(rm -rf /)" `x` \']], template.fill("@{v|sh}", { v = value }))
    assert.equal([["it's \"$(rm -rf /)\" `x` \\"]], template.fill("@{v|json}", { v = value }))
    assert.equal([["it's \"$(rm -rf /)\" `x` \\"]], template.fill("@{v|toml}", { v = value }))
    assert.equal([["it's \"$(rm -rf /)\" `x` \\"]], template.fill("@{v|yaml}", { v = value }))
    assert.equal([["it's \"\$(rm -rf /)\" `x` \\"]], template.fill("@{v|docker}", { v = value }))
  end)

  it("names the line and the nearest name of a hole without a value", function()
    local err = refused("one\ntwo @{nodez}", { nodes = 1 }, { name = "job.sh" })
    assert.same({ "usage", "MissingValue", "job.sh:2", "did you mean 'nodes'?" }, { err.cause, err.code, err.where, err.hint })
  end)

  it("names a value that nothing uses", function()
    local err = refused("@{nodes}", { nodes = 1, nodez = 2 })
    assert.same({ "UnusedValue", "no @{nodez} stands in the template", "did you mean 'nodes'?" },
      { err.code, err.message, err.hint })
  end)

  it("names an unknown filter", function()
    local err = refused("@{a|jsn}", { a = 1 })
    assert.same({ "UnknownFilter", "template:1", "did you mean 'json'?" }, { err.code, err.where, err.hint })
  end)

  it("refuses NUL bytes, more than 64 KiB and secrets, with the line", function()
    for _, value in ipairs { "a\0b", ("x"):rep(65537), secrets.new("t", "hunter2-hunter2"), {}, print } do
      for _, hole in ipairs { "\n@{a}", "\n@{a|sh}", "\n@{a|docker}" } do
        local err = refused(hole, { a = value })
        assert.same({ "BadValue", "template:2" }, { err.code, err.where })
        assert.is_nil(tostring(err):find("hunter2", 1, true))
      end
    end
    require("adt.c.secret").forget()
    assert.equal(("x"):rep(65536), template.fill("@{a}", { a = ("x"):rep(65536) }))
  end)

  it("takes what prints itself, as pending values do", function()
    local pending = setmetatable({}, { __tostring = function() return "<vpc.VpcId>" end })
    assert.equal("<vpc.VpcId> '<vpc.VpcId>'", template.fill("@{a} @{a|sh}", { a = pending }))
  end)

  it("tells the names that it has", function()
    assert.same({ "a", "b" }, template.names("@{b|sh} @{a} @@{c} @{d e} @{a}"))
  end)

  it("is read from a file", function()
    local dir <close> = support.tempdir()
    support.write(dir / "t", "x=@{x|sh}\n")
    support.write(dir / "empty", "")
    assert.equal("x='1'\n", template.file(dir / "t", { x = 1 }))
    assert.equal("", template.file(dir / "empty", {}))
    local _, err = pcall(template.file, dir / "t", {})
    assert.equal(dir / "t" .. ":1", err.where)
    for _, path in ipairs { dir / "missing", tostring(dir) } do
      _, err = pcall(template.file, path, {})
      assert.equal("config", err.cause)
      assert.is_truthy(tostring(err):find(path, 1, true))
    end
  end)

  it("leaves bytes at random as they are, or says why not, in linear time", function()
    math.randomseed(7)
    local parts = { "@", "{", "}", "|", "@{a}", "@{a|sh}", "\n", "\0", "\255", "a", "@@{", "${" }
    for _ = 1, 3000 do
      local text = {}
      for i = 1, math.random(0, 30) do text[i] = parts[math.random(#parts)] end
      local joined = table.concat(text)
      local ok, result = pcall(template.fill, joined, { a = "v" })
      if ok then
        assert.is_truthy(result:find("v", 1, true))
      else
        assert.equal("adt.Error", getmetatable(result).__name)
      end
    end
    local start = os.clock()
    template.fill(("@{"):rep(500000), {})
    template.fill("@{" .. ("a"):rep(1000000), {})
    assert.is_true(os.clock() - start < 1)
  end)
end)
