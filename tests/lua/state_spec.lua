--- Where files of ours live, and the key of the state folder.
local support = require "support"

local SCRIPT = [[
local state = require "adt.state"
local ok, err = require("adt.error").try(state[%q])
print(ok, err and err.cause, err and tostring(err))
]]

local function ask(what, env)
  return support.adtlua { "-e", SCRIPT:format(what), env = env }.stdout
end

describe("the state folder", function()
  it("is where XDG says, or below the home, and relative paths do not count", function()
    assert.matches("^/s/adtlua\t", ask("dir", { XDG_STATE_HOME = "/s" }))
    assert.matches("^/h/%.local/state/adtlua\t", ask("dir", { XDG_STATE_HOME = false, HOME = "/h" }))
    assert.matches("^/h/%.local/state/adtlua\t", ask("dir", { XDG_STATE_HOME = "s", HOME = "/h" }))
    assert.matches("^/c/adtlua\t", ask("cache", { XDG_CACHE_HOME = "/c" }))
    assert.matches("^/h/%.config/adtlua\t", ask("config", { XDG_CONFIG_HOME = false, HOME = "/h" }))
  end)

  it("is asked for when neither variable says where", function()
    assert.matches("^nil\tconfig\tneither XDG_STATE_HOME nor HOME.*; set XDG_STATE_HOME", ask("dir", { XDG_STATE_HOME = false, HOME = false }))
  end)

  it("is for its owner's eyes only", function()
    local dir <close> = support.tempdir()
    support.adtlua { "-e", "local s = require 'adt.state' s.make(s.runs())", env = { XDG_STATE_HOME = dir / "s" } }
    assert.equal("700\n700\n", support.run({ "stat", "-c", "%a", dir / "s/adtlua", dir / "s/adtlua/runs" }).stdout)
  end)
end)
