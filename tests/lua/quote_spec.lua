--- Values as words of other languages.
local quote = require "adt.quote"
local json = require "adt.json"
local support = require "support"

-- Every byte but NUL, and characters that languages treat apart.
local function all_bytes()
  local bytes = {}
  for b = 1, 255 do bytes[b] = string.char(b) end
  return table.concat(bytes)
end

local function all_text()
  local chars = {}
  for code = 1, 0x2FF do chars[#chars + 1] = utf8.char(code) end
  for _, code in ipairs { 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0x1F600, 0x10FFFF, 0xE000 } do chars[#chars + 1] = utf8.char(code) end
  return table.concat(chars)
end

-- What Python's own parser makes of a file, as bytes.
local function python(code, text)
  local dir <close> = support.tempdir()
  support.write(dir / "f", text)
  local result = support.run { "python3", "-c", code, dir / "f" }
  assert.equal("", result.stderr)
  return result.stdout
end

describe("a quoted value", function()
  it("comes out of a shell as its bytes", function()
    local value = all_bytes()
    local result = support.run { "sh", "-c", "printf %s " .. quote.sh(value) }
    assert.equal(value, result.stdout)
    assert.equal("a b|-n|'|\n", support.run { "sh", "-c", quote.argv { "printf", "%s|%s|%s|%s", "a b", "-n", "'", "\n" } }.stdout)
    assert.equal("''", quote.sh "")
  end)

  it("comes out of a JSON parser as it was", function()
    for _, value in ipairs { all_text(), "", 0, -5, 1.5, 1e300, 0.1, true, false, math.maxinteger } do
      assert.equal(value, json.decode(quote.json(value)))
    end
    assert.same({ a = { 1, 2 } }, json.decode(quote.json { a = { 1, 2 } }))
    assert.equal("1.0", quote.json(1.0))
  end)

  it("comes out of a TOML parser as it was", function()
    if support.run({ "python3", "-c", "import tomllib" }).code ~= 0 then
      pending("needs a Python of 3.11 or newer")
      return
    end
    local value = all_text()
    assert.equal(value, python("import sys, tomllib; sys.stdout.buffer.write(tomllib.load(open(sys.argv[1], 'rb'))['a'].encode())",
      "a = " .. quote.toml(value)))
    assert.equal("[1, 1.5, True, inf, nan, -inf]\n", python("import sys, tomllib; print(tomllib.load(open(sys.argv[1], 'rb'))['a'])",
      ("a = [%s, %s, %s, %s, %s, %s]"):format(quote.toml(1), quote.toml(1.5), quote.toml(true), quote.toml(math.huge),
        quote.toml(0 / 0):gsub("^-", ""), quote.toml(-math.huge))))
  end)

  it("comes out of a YAML parser as it was", function()
    local yaml = require "adt.yaml"
    for _, value in ipairs { all_text(), "", "no", "1", "a: b", "- x", "#", "&a", "*a", "!t", "%", 3, 1.5, true } do
      assert.equal(value, yaml.decode("a: " .. quote.yaml(value) .. "\n").a)
    end
    assert.equal(".inf", quote.yaml(math.huge))
  end)

  it("is one ENV value in a Dockerfile", function()
    assert.equal([["a \"b\" \\ \$HOME \${x}"]], quote.docker [[a "b" \ $HOME ${x}]])
    for _, value in ipairs { "a\nb", "a\rb" } do
      local _, err = pcall(quote.docker, value)
      assert.equal("BadValue", err.code)
    end
  end)

  it("is refused where its language cannot hold it", function()
    for _, name in ipairs { "json", "toml", "yaml" } do
      local _, err = pcall(quote[name], "ok\xff")
      assert.matches("byte 3 is not UTF%-8", err.message)
    end
    for _, name in ipairs { "sh", "json", "toml", "yaml", "docker", "text" } do
      local _, err = pcall(quote[name], "a\0b")
      assert.matches("NUL", err.message)
      _, err = pcall(quote[name], nil)
      assert.equal("usage", err.cause)
    end
    local _, err = pcall(quote.json, 0 / 0)
    assert.equal("BadValue", err.code)
  end)
end)
