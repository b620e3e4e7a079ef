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

  it("and its key are for their owner's eyes only", function()
    local dir <close> = support.tempdir()
    ask("key", { XDG_STATE_HOME = dir / "s" })
    local modes = support.run { "stat", "-c", "%a", dir / "s/adtlua", dir / "s/adtlua/key" }.stdout
    assert.equal("700\n600\n", modes)
  end)

  it("has one key, whoever asks first", function()
    local dir <close> = support.tempdir()
    local words = { "/bin/sh", "-c", 'for i in 1 2 3 4 5 6; do "$0" -e "print(require [[adt.state]].key())" & done; wait', support.program(),
      env = { XDG_STATE_HOME = tostring(dir) } }
    local keys = {}
    for key in support.run(words).stdout:gmatch "%x+" do keys[#keys + 1] = key end
    assert.equal(6, #keys)
    for _, key in ipairs(keys) do assert.equal(keys[1], key) end
    assert.equal(64, #keys[1])
  end)

  it("is refused with a key that is none", function()
    local dir <close> = support.tempdir()
    ask("key", { XDG_STATE_HOME = tostring(dir) })
    support.write(dir / "adtlua/key", "short")
    assert.matches("^nil\tconfig\t.*adtlua/key does not hold a key of 64 digits; remove it", ask("key", { XDG_STATE_HOME = tostring(dir) }))
  end)
end)
