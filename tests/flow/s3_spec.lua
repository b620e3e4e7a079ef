--- Objects of S3 against a real server, Ceph's RADOS Gateway: bodies of every size and form, odd keys, many keys, memory.
local fs = require "adt.fs"
local hash = require "adt.hash"
local http = require "adt.http"
local random = require "adt.random"
local rgwpeer = require "rgwpeer"
local s3 = require "adt.s3"
local sign = require "adt.aws.sign"
local support = require "support"
local task = require "adt.task"

local why = rgwpeer.missing()
local refusal = support.refusal
local peer, dir, how

local function make_bucket(name)
  local url, headers = peer.url .. "/" .. name, {}
  for _, header in ipairs(sign.headers { url = url, method = "PUT", service = "s3", region = peer.region, credentials = peer.keys }) do
    headers[header.name] = header.value
  end
  assert.equal(200, http.request({ url = url, method = "PUT", headers = headers }).status)
end

setup(function()
  if why then return end
  peer = rgwpeer.start()
  make_bucket "bkt"
end)
teardown(function() if peer then peer:close() end end)
before_each(function()
  if why then
    pending(why)
    return
  end
  dir = support.tempdir()
  how = { endpoint = peer.url, region = peer.region, credentials = peer.keys }
end)
after_each(function()
  if dir then getmetatable(dir).__close(dir) end
  dir = nil
  if not why then support.no_leaks() end
end)

local function with(more)
  local options = {}
  for name, value in pairs(how) do options[name] = value end
  for name, value in pairs(more) do options[name] = value end
  return options
end

local function noise(size)
  local parts = {}
  for i = 1, size >> 20 do parts[i] = random.bytes(1 << 20) end
  return table.concat(parts) .. random.bytes(size & 0xfffff)
end

describe("an object on a real server", function()
  it("goes there and comes back in every size and form", function()
    for _, size in ipairs { 0, 1, 8191, 8192, 8193, 256 * 1024, 5 * 1024 * 1024, 5 * 1024 * 1024 + 1 } do
      local bytes = noise(size)
      fs.write(dir / "out", bytes)
      for form, more in pairs { default = {}, unsigned = { sign_body = false }, bare = { checksum = false }, seen = { progress = function() end } } do
        local put = s3.put(dir / "out", "s3://bkt/k", with(more))
        assert.equal(hash.md5(bytes), (put.etag:gsub('"', "")), form)
        s3.get("s3://bkt/k", dir / "in", with { progress = more.progress })
        assert.equal(hash.sha256(bytes), hash.file(dir / "in"), form)
      end
      local at = 1
      s3.put(function()
        local piece = at <= size and bytes:sub(at, at + 99999) or nil
        at = at + 100000
        return piece
      end, "s3://bkt/k", with { size = size })
      assert.equal(hash.sha256(bytes), hash.sha256((s3.get("s3://bkt/k", nil, how))))
    end
  end)

  it("has any key", function()
    local keys = { "a b", "a+b", "ünï/cødé", "/leading", "a//b", "a/../b", "..", "what?x=1&y=2", "50%", "quote'\"<>&", "trailing/" }
    for i, key in ipairs(keys) do
      s3.put({ text = "text " .. i }, "s3://bkt/odd/" .. key, how)
      assert.equal("text " .. i, (s3.get("s3://bkt/odd/" .. key, nil, how)), key)
    end
    local listed = {}
    for entry in s3.list("s3://bkt/odd/", how) do listed[#listed + 1] = entry.key:sub(5) end
    table.sort(keys)
    table.sort(listed)
    assert.same(keys, listed)
    assert.equal(#keys, s3.delete(s3.list("s3://bkt/odd/", how), how))
  end)

  it("is copied, described and presigned", function()
    s3.put({ text = "hello" }, "s3://bkt/from here+ü", with { content_type = "text/x-test", metadata = { color = "blue" } })
    s3.copy("s3://bkt/from here+ü", "s3://bkt/to", how)
    local head = s3.head("s3://bkt/to", how)
    assert.same({ "text/x-test", "blue", 5 }, { head.content_type, head.metadata.color, head.size })
    assert.equal("hello", http.get(s3.presign("s3://bkt/to", how)).body)
    assert.equal(200, http.request({ url = s3.presign("s3://bkt/put", with { method = "put" }), method = "PUT", body = "x" }).status)
    assert.equal("x", (s3.get("s3://bkt/put", nil, how)))
    assert.equal("NoSuchKey", refusal(s3.copy, "s3://bkt/none", "s3://bkt/to", how).code)
  end)

  it("is one of 2,500, listed lazily and deleted", function()
    local keys = {}
    for i = 1, 2500 do keys[i] = ("s3://bkt/many/%04d"):format(i) end
    task.map(keys, { at_once = 16 }, function(url) s3.put({ text = "" }, url, how) end)
    local n = 0
    for entry in s3.list("s3://bkt/many/", how) do
      n = n + 1
      assert.equal(keys[n], entry.url)
    end
    assert.equal(2500, n)
    assert.equal(2500, s3.delete(s3.list("s3://bkt/many/", how), how))
    assert.is_nil(s3.list("s3://bkt/many/", how)())
  end)

  it("of 256 MiB takes little memory", function()
    support.run { "truncate", "-s", "256M", dir / "big" }
    support.write(dir / "program.lua", [[
      local s3 = require "adt.s3"
      local how = { endpoint = arg[2], region = "us-east-1",
        credentials = { access_key = os.getenv "AWS_ACCESS_KEY_ID", secret = os.getenv "AWS_SECRET_ACCESS_KEY" } }
      s3.put(arg[1] .. "/big", "s3://bkt/big", how)
      s3.get("s3://bkt/big", arg[1] .. "/back", how)
      for line in io.lines "/proc/self/status" do
        local peak = line:match "^VmHWM:%s*(%d+)"
        if peak then print(peak) end
      end
    ]])
    local ran = support.adtlua { dir / "program.lua", tostring(dir), peer.url,
      env = { AWS_ACCESS_KEY_ID = peer.keys.access_key, AWS_SECRET_ACCESS_KEY = peer.keys.secret } }
    assert.equal("", ran.stderr)
    assert.is_true(tonumber(ran.stdout) < 48 * 1024, ran.stdout .. " KiB")
    assert.equal(hash.file(dir / "big", "crc64nvme"), hash.file(dir / "back", "crc64nvme"))
  end)

  it("of somebody else is refused", function()
    s3.put({ text = "mine" }, "s3://bkt/k", how)
    local other = with { credentials = peer.other_keys }
    assert.equal("AccessDenied", refusal(s3.get, "s3://bkt/k", dir / "in", other).code)
    assert.same({}, (fs.list(tostring(dir))))
  end)
end)
