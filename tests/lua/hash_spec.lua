--- Digests, base64 and random names.
local base64 = require "adt.base64"
local fs = require "adt.fs"
local hash = require "adt.hash"
local random = require "adt.random"
local support = require "support"
local task = require "adt.task"

local refusal = support.refusal

after_each(support.no_leaks)

describe("digests", function()
  it("are those of the standards", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hash.sha256 "abc")
    assert.equal("a9993e364706816aba3e25717850c26c9cd0d89d", hash.sha1 "abc")
    assert.equal("900150983cd24fb0d6963f7d28e17f72", hash.md5 "abc")
    assert.equal("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
      hash.hmac_sha256("key", "The quick brown fox jumps over the lazy dog"))
  end)

  it("come as bytes when asked", function()
    assert.equal("\xba\x78\x16\xbf", hash.sha256("abc", { raw = true }):sub(1, 4))
    assert.equal(32, #hash.hmac_sha256("", "", { raw = true }))
    assert.matches("unknown option", refusal(hash.sha256, "abc", { hex = true }).message)
    assert.equal("usage", refusal(hash.sha256, nil).cause)
    assert.equal("usage", refusal(hash.hmac_sha256, "key").cause)
  end)

  it("of files wait on a thread", function()
    local dir <close> = fs.tempdir()
    local name, text = dir.path .. "/big", ("0123456789abcdef"):rep(500000)
    fs.write(name, text)
    local turns, digest = 0, nil
    task.race {
      function() digest = hash.sha256_file(name) end,
      function() while true do task.yield() turns = turns + 1 end end,
    }
    assert.equal(hash.sha256(text), digest)
    assert.is_true(turns > 0)
    assert.equal("ENOENT", refusal(hash.sha256_file, dir.path .. "/none").code)
    assert.equal("EISDIR", refusal(hash.sha256_file, dir.path).code)
  end)

  it("are checks of S3, too", function()
    assert.same({ "cbf43926", "e3069283", "ae8b14860a799888" },
      { hash.crc32 "123456789", hash.crc32c "123456789", hash.crc64nvme "123456789" })
    assert.equal("\xcb\xf4\x39\x26", hash.crc32("123456789", { raw = true }))
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/nine", "123456789")
    assert.equal("e3069283", hash.file(dir.path .. "/nine", "crc32c"))
    assert.equal(hash.sha256 "123456789", hash.file(dir.path .. "/nine"))
    assert.matches("did you mean 'crc64nvme'?", refusal(hash.file, dir.path .. "/nine", "crc64nvm").hint, 1, true)
  end)

  it("are made of parts", function()
    for _, kind in ipairs { "sha256", "crc64nvme" } do
      local tally = hash.new(kind)
      tally:add "1234"
      tally:add ""
      tally:add "56789"
      assert.equal(hash[kind] "123456789", tally:finish())
      assert.equal(hash[kind] "", tally:finish())
    end
    assert.equal("usage", refusal(hash.new, "crc").cause)
    assert.equal("usage", refusal(hash.new("crc32").add, hash.new "crc32", 5).cause)
  end)

  it("are compared as a whole", function()
    assert.is_true(hash.equal("abc", "abc"))
    assert.is_false(hash.equal("abc", "abd") or hash.equal("abc", "ab"))
  end)
end)

describe("base64", function()
  it("goes there and back", function()
    assert.equal("Zm9vYg==", base64.encode "foob")
    assert.equal("-_8", base64.encode("\xfb\xff", { url = true }))
    for n = 0, 50 do
      local bytes = random.bytes(n)
      assert.equal(bytes, base64.decode(base64.encode(bytes)))
      assert.equal(bytes, base64.decode(base64.encode(bytes, { url = true })))
    end
  end)

  it("refuses what it is not", function()
    for _, text in ipairs { "Z", "Z g=", "Zh==", "Zg==\n", "Zg!=" } do
      local err = refusal(base64.decode, text)
      assert.same({ "usage", "BadBase64" }, { err.cause, err.code })
    end
  end)
end)

describe("random names", function()
  it("have one form and never meet", function()
    local seen = {}
    for _ = 1, 2000 do
      local id = random.id()
      assert.matches("^R[0-9a-hjkmnp-tv-z]+$", id)
      assert.equal(13, #id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
    assert.matches("^%x+$", random.hex(8))
    assert.equal(16, #random.hex(8))
    assert.equal("", random.bytes(0))
    assert.is_false(random.bytes(16) == random.bytes(16))
  end)

  it("sort by time over decades", function()
    local clock = require "adt.c.clock"
    local last = random.id()
    local turned = 0
    for _, step in ipairs { 0, 0.004, 1, 3600, 86400, 365 * 86400, 10 * 365 * 86400, 40 * 365 * 86400 } do
      clock.turn(step)
      turned = turned + step
      local id = random.id()
      assert.is_true(last < id, last .. " " .. id)
      last = id
    end
    clock.turn(-turned)
    -- A clock that is set back does not set back the names of this process.
    assert.is_true(last < random.id())
  end)
end)
