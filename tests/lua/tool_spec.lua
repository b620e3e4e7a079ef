--- Programs of others: found, their version checked, run by argv.
local errors = require "adt.error"
local support = require "support"
local tool = require "adt.tool"

local function fake(dir, text)
  support.write(dir / "packer", "#!/bin/sh\n" .. text)
  os.execute("chmod +x " .. dir / "packer")
  return dir / "packer"
end

local function find(spec)
  return errors.try(tool.find, spec)
end

describe("adt.tool", function()
  after_each(support.no_leaks)

  it("finds a program and runs it by argv, streaming nothing to a shell", function()
    local dir <close> = support.tempdir()
    local packer = tool.find { fake(dir, 'printf "<%s>" "$@"') }
    assert.equal("<build><$(x) 'y'>", packer:run({ "build", "$(x) 'y'" }).stdout)
    local _, err = errors.try(packer.run, packer, { "x", chekc = false })
    assert.equal("usage", err.cause)
  end)

  it("says what to do when the program is not there", function()
    local _, err = find { "no-such-program", hint = "install the package of dreams" }
    assert.same({ "config", "the program 'no-such-program' is not on this machine", "install the package of dreams" },
      { err.cause, err.message, err.hint })
    _, err = find { "no-such-program" }
    assert.matches("put its folder on PATH", err.hint)
  end)

  it("holds a version to its rule", function()
    local dir <close> = support.tempdir()
    local path = fake(dir, "echo Packer v1.10.2; echo noise >&2")
    for rule, holds in pairs { [">=1.9"] = true, [">=1.10.2"] = true, [">=1.10.3"] = false, ["<2"] = true, ["==1.10.2"] = true,
      [">1.10.2"] = false, ["<=1.9"] = false, [">= 1.2"] = true } do
      local found, err = find { path, version = rule }
      assert.equal(holds, found ~= nil, rule)
      if not holds then
        assert.same({ "config", path .. " is version 1.10.2, and " .. rule .. " is needed" }, { err.cause, err.message })
      else
        assert.equal("1.10.2", found.version)
      end
    end
  end)

  it("asks for the version as it is told, and refuses a program that tells none", function()
    local dir <close> = support.tempdir()
    local path = fake(dir, '[ "$1" = version ] && echo 3.1')
    assert.equal("3.1", tool.find({ path, version = ">=3", version_args = { "version" } }).version)
    local _, err = find { path, version = ">=3" }
    assert.matches("is version unknown", err.message)
  end)

  it("refuses what is no rule, no name, or an unknown option", function()
    for _, case in ipairs { { { "sh", version = "1.9" }, 'write ">=1.9"' }, { { "sh", version = 2 }, 'write ">=1.9"' },
      { { "sh", verson = ">1" }, "did you mean 'version'?" }, { {}, "needs the name of a program" } } do
      local _, err = find(case[1])
      assert.equal("usage", err.cause, tostring(err))
      assert.truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end
  end)
end)
