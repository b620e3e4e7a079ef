--- Objects of S3 against the strict AWS of tests/peers/aws: whole or not at all, checked, taken up again; and as files.
local awspeer = require "awspeer"
local fs = require "adt.fs"
local guard = require "adt.guard"
local hash = require "adt.hash"
local http = require "adt.http"
local random = require "adt.random"
local s3 = require "adt.s3"
local support = require "support"

local why = awspeer.missing()
local refusal = support.refusal
local peer, dir, how

setup(function()
  if why then return end
  peer = awspeer.start { tls = true }
end)
teardown(function() if peer then peer:__close() end end)
before_each(function()
  if why then
    pending(why)
    return
  end
  peer:reset()
  peer:control { buckets = { bkt = {} } }
  dir = support.tempdir()
  how = { endpoint = peer.url, region = "us-east-1", credentials = peer.keys }
end)
after_each(function()
  if dir then getmetatable(dir).__close(dir) end
  dir = nil
  if peer then awspeer.no_leaks() end
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

local function requests(operation)
  local found = {}
  for _, one in ipairs(peer:log()) do
    if one.operation == operation then found[#found + 1] = one end
  end
  return found
end

local function header(request, name)
  for _, one in ipairs(request.headers) do
    if one[1]:lower() == name then return one[2] end
  end
end

local function names_in(folder)
  return (fs.list(tostring(folder)))
end

describe("an object", function()
  it("goes there and comes back, whatever its size", function()
    for _, size in ipairs { 0, 1, 8191, 8192, 8193, 5 * 1024 * 1024 } do
      local bytes = noise(size)
      fs.write(dir / "out", bytes)
      local put = s3.put(dir / "out", "s3://bkt/" .. size, how)
      assert.equal(size, put.size)
      local got = s3.get("s3://bkt/" .. size, dir / "in", how)
      assert.equal(size, got.size)
      assert.equal(put.etag, got.etag)
      assert.equal(hash.sha256(bytes), hash.file(dir / "in"))
      assert.equal(bytes, (s3.get("s3://bkt/" .. size, nil, how)))
      assert.same({ "in", "out" }, names_in(dir))
    end
    for _, one in ipairs(peer:log()) do
      assert.equal(one.service == "s3" and true or one.verified, one.verified)
    end
  end)

  it("has any key that S3 takes", function()
    local keys = { "a b", "a+b", "ünï/cødé", "/leading", "a//b", "a/../b", "..", "./x", "what?x=1&y=2", "50%", "quote'\"<>&", "tilde~",
      "trailing/", "#hash", "a\\b" }
    for i, key in ipairs(keys) do
      s3.put({ text = "text " .. i }, "s3://bkt/" .. key, how)
      assert.equal("text " .. i, (s3.get("s3://bkt/" .. key, nil, how)), key)
    end
    local listed = {}
    for entry in s3.list("s3://bkt", how) do listed[#listed + 1] = entry.key end
    table.sort(keys)
    table.sort(listed)
    assert.same(keys, listed)
    assert.equal(#keys, s3.delete(s3.list("s3://bkt", how), how))
    assert.is_nil(s3.list("s3://bkt", how)())
  end)

  it("is refused under a name that is none", function()
    for _, name in ipairs { "bkt/key", "s3://", "s3:///key", "s3://bkt", "s3://bkt/", "s3://b@d/key" } do
      assert.equal("BadUrl", refusal(s3.put, { text = "" }, name, how).code, name)
    end
    assert.equal("usage", refusal(s3.get, 5, nil, how).cause)
    assert.equal("ENOENT", refusal(s3.put, dir / "none", "s3://bkt/k", how).code)
    assert.matches("unknown option", refusal(s3.put, { text = "" }, "s3://bkt/k", { content_typ = "x" }).message)
    assert.equal("BadUrl", refusal(s3.put, { text = "" }, "s3://bkt/" .. ("k"):rep(1025), how).code)
  end)

  it("keeps what it was said to be", function()
    s3.put({ text = "{}" }, "s3://bkt/k", with { content_type = "application/json", metadata = { color = "blue" } })
    local head = s3.head("s3://bkt/k", how)
    assert.same({ "application/json", "blue", 2 }, { head.content_type, head.metadata.color, head.size })
    assert.is_true(s3.exists("s3://bkt/k", how))
    assert.is_nil(s3.head("s3://bkt/none", how))
    assert.is_false(s3.exists("s3://bkt/none", how))
    assert.equal("NoSuchKey", refusal(s3.get, "s3://bkt/none", nil, how).code)
    assert.equal("NoSuchKey", refusal(s3.get, "s3://bkt/none", dir / "none", how).code)
    assert.same({}, names_in(dir))
  end)

  it("is made once when that is asked for", function()
    s3.put({ text = "first" }, "s3://bkt/k", with { if_none_match = "*" })
    local err = refusal(s3.put, { text = "second" }, "s3://bkt/k", with { if_none_match = "*" })
    assert.equal("PreconditionFailed", err.code)
    assert.equal("first", (s3.get("s3://bkt/k", nil, how)))
  end)

  it("comes from a function, and goes to one", function()
    local n, seen = 0, {}
    local progress = {}
    s3.put(function() n = n + 1 return n <= 20 and ("%05d"):format(n):rep(20000) or nil end, "s3://bkt/k",
      with { size = 2000000, progress = function(done, total) progress[#progress + 1] = { done, total } end })
    assert.same({ 2000000, 2000000 }, progress[#progress])
    local object = s3.get("s3://bkt/k", function(piece) seen[#seen + 1] = piece end, how)
    local text = table.concat(seen)
    assert.same({ 2000000, "00001", "00020" }, { object.size, text:sub(1, 5), text:sub(-5) })
    assert.matches("needs its size", refusal(s3.put, function() end, "s3://bkt/k", how).message)
    assert.equal("BadLength", refusal(s3.put, function() return ("x"):rep(2000000) end, "s3://bkt/long", with { size = 1500000 }).code)
    assert.is_false(s3.exists("s3://bkt/long", how))
  end)

  it("is no larger in memory than was said", function()
    s3.put({ text = ("x"):rep(1000) }, "s3://bkt/k", how)
    assert.equal("EOVERFLOW", refusal(s3.get, "s3://bkt/k", nil, with { max = 999 }).code)
    assert.equal(1000, #s3.get("s3://bkt/k", nil, with { max = 1000 }))
  end)

  it("is not written while a plan is made, and may be read", function()
    s3.put({ text = "x" }, "s3://bkt/k", how)
    guard.planning(function()
      assert.equal("x", (s3.get("s3://bkt/k", nil, how)))
      for _, try in ipairs {
        function() s3.put({ text = "" }, "s3://bkt/k", how) end,
        function() s3.get("s3://bkt/k", dir / "file", how) end,
        function() s3.delete("s3://bkt/k", how) end,
      } do
        assert.equal("WriteInPlan", refusal(try).code)
      end
    end)
  end)
end)

describe("a body on its way", function()
  local big

  before_each(function()
    if why then return end
    big = ("0123456789abcdef"):rep(3 << 16)
    fs.write(dir / "big", big)
  end)

  local function payload()
    local log = requests "PutObject"
    return header(log[#log], "x-amz-content-sha256")
  end

  it("is checked by what the server keeps, in the form that suits the way", function()
    for _, kind in ipairs { "crc32", "crc32c", "crc64nvme", "sha1", "sha256" } do
      s3.put(dir / "big", "s3://bkt/" .. kind, with { checksum = kind, trailers = true })
      assert.equal("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", payload())
      assert.equal(kind, s3.get("s3://bkt/" .. kind, dir / "back", how).verified)
      assert.equal(big, fs.read(dir / "back"))
      assert.equal(kind, select(2, s3.get("s3://bkt/" .. kind, nil, how)).verified)
    end
    s3.put(dir / "big", "s3://bkt/k", how)
    assert.equal("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", payload())
    assert.equal("crc32", s3.get("s3://bkt/k", dir / "back", how).verified)
    s3.put(dir / "big", "s3://bkt/k", with { sign_body = false })
    assert.equal("UNSIGNED-PAYLOAD", payload())
    s3.put(dir / "big", "s3://bkt/k", with { checksum = false })
    local puts = requests "PutObject"
    assert.is_nil(header(puts[#puts], "x-amz-checksum-crc32"))
    assert.is_nil(s3.get("s3://bkt/k", dir / "back", with { checksum = false }).verified)
    assert.matches("did you mean 'crc32c'", refusal(s3.put, dir / "big", "s3://bkt/k", with { checksum = "crc32cc" }).hint)
  end)

  it("tells how far it is, both ways", function()
    local last
    local function note(done, total)
      assert.is_true(done <= total and (not last or done > last))
      last = done
    end
    s3.put(dir / "big", "s3://bkt/k", with { progress = note })
    assert.equal(#big, last)
    last = nil
    s3.get("s3://bkt/k", dir / "back", with { progress = note })
    assert.equal(#big, last)
    assert.equal(big, fs.read(dir / "back"))
  end)

  it("is sent again from a file when the server was busy", function()
    peer:control { operation = "PutObject", fault = "status", count = 2 }
    s3.put(dir / "big", "s3://bkt/k", how)
    assert.equal(big, (s3.get("s3://bkt/k", nil, how)))
    assert.equal(3, #requests "PutObject")
  end)

  it("goes to the region of its bucket", function()
    peer:control { buckets = { far = { region = "eu-west-1" } } }
    s3.put(dir / "big", "s3://far/k", how)
    assert.equal(#big, s3.get("s3://far/k", dir / "back", how).size)
  end)

  it("never follows a redirect to another host", function()
    peer:control { fault = "redirect", to = peer.other .. "/bkt/k", operation = "PutObject" }
    peer:control { fault = "redirect", to = peer.other .. "/bkt/k", operation = "GetObject" }
    local port = tonumber(peer.other:match "%d+$")
    assert.is_truthy(refusal(s3.put, dir / "big", "s3://bkt/k", how))
    assert.is_truthy(refusal(s3.get, "s3://bkt/k", dir / "back", how))
    for _, one in ipairs(peer:log()) do assert.not_equal(port, one.port) end
    assert.same({ "big" }, names_in(dir))
  end)

  it("travels over TLS in one pass, and is read twice where the server knows no trailers", function()
    local tls = { client = require("adt.aws").client("s3", { endpoint = peer.tls, region = "us-east-1", credentials = peer.keys, ca = peer.ca }) }
    for form, trailers in pairs { ["STREAMING-UNSIGNED-PAYLOAD-TRAILER"] = true, ["UNSIGNED-PAYLOAD"] = false } do
      s3.put(dir / "big", "s3://bkt/k", { client = tls.client, trailers = trailers })
      assert.equal(form, payload())
      assert.equal("crc32", s3.get("s3://bkt/k", dir / "back", tls).verified)
    end
  end)

  it("is an error when the file changes meanwhile, and no object", function()
    for _, trailers in ipairs { true, false } do
      local err = refusal(s3.put, dir / "big", "s3://bkt/changed", with { trailers = trailers, progress = function(done)
        if done < 2 << 20 then fs.append(dir / "big", "more") end
      end })
      assert.equal("FileChanged", err.code)
      assert.is_false(s3.exists("s3://bkt/changed", how))
    end
  end)
end)

describe("a download that goes wrong", function()
  local bytes

  before_each(function()
    if why then return end
    bytes = noise(3 << 20)
    s3.put({ text = bytes }, "s3://bkt/k", how)
  end)

  it("is taken up where the connection broke", function()
    for _, target in ipairs { "file", "progress", "text" } do
      peer:control { operation = "GetObject", fault = "cut", how = "reset", bytes = 1 << 20, count = 2 }
      local before = #requests "GetObject"
      if target == "text" then
        assert.equal(hash.sha256(bytes), hash.sha256((s3.get("s3://bkt/k", nil, how))))
      else
        local more = target == "progress" and { progress = function() end } or {}
        assert.equal("crc32", s3.get("s3://bkt/k", dir / "back", with(more)).verified)
        assert.equal(hash.sha256(bytes), hash.file(dir / "back"))
      end
      local log = requests "GetObject"
      assert.equal(3, #log - before)
      assert.matches("^bytes=%d+%-$", header(log[#log], "range"))
      assert.is_string(header(log[#log], "if-match"))
    end
  end)

  it("leaves nothing when it may not be taken up", function()
    for _, form in ipairs { "reset", "close" } do
      peer:reset()
      peer:control { buckets = { bkt = {} } }
      s3.put({ text = bytes }, "s3://bkt/k", how)
      peer:control { operation = "GetObject", fault = "cut", how = form, bytes = 1 << 20 }
      local err = refusal(s3.get, "s3://bkt/k", dir / "back", with { resume = false })
      assert.is_true(err.cause == "service" or err.cause == "timeout")
      assert.same({}, names_in(dir))
    end
  end)

  it("gives up when nothing more comes", function()
    peer:control { operation = "GetObject", fault = "cut", bytes = 1 << 20, count = 1 }
    peer:control { operation = "GetObject", fault = "cut", bytes = 0 }
    assert.is_truthy(refusal(s3.get, "s3://bkt/k", dir / "back", how))
    assert.same({}, names_in(dir))
  end)

  it("is an error when the object was replaced meanwhile", function()
    peer:control { operation = "GetObject", fault = "cut", bytes = 1 << 20, count = 1 }
    local err = refusal(s3.get, "s3://bkt/k", function()
      s3.put({ text = "another" }, "s3://bkt/k", how)
    end, how)
    assert.equal("ObjectChanged", err.code)
  end)

  it("is noticed by its checksum", function()
    for _, target in ipairs { "file", "progress", "text", "function" } do
      peer:control { operation = "GetObject", fault = "corrupt", count = 1 }
      local to = target == "text" and nil or target == "function" and function() end or dir / "back"
      local more = target == "progress" and { progress = function() end } or {}
      assert.equal("BadChecksum", refusal(s3.get, "s3://bkt/k", to, with(more)).code, target)
      assert.same({}, names_in(dir))
    end
  end)

  it("leaves the old file when the disk is full", function()
    local mount = support.run { "mount", "-t", "tmpfs", "-o", "size=1m", "none", tostring(dir) }
    if mount.status ~= 0 then
      pending "mounting needs to be root"
      return
    end
    local ok, err = pcall(function()
      fs.write(dir / "back", "old")
      for _, more in ipairs { {}, { progress = function() end } } do
        local full = refusal(s3.get, "s3://bkt/k", dir / "back", with(more))
        assert.same({ "quota", "ENOSPC" }, { full.cause, full.code })
        assert.same({ "back" }, names_in(dir))
        assert.equal("old", fs.read(dir / "back"))
      end
    end)
    support.run { "umount", tostring(dir) }
    assert(ok, err)
  end)
end)

describe("many objects", function()
  it("are listed page by page and deleted by the thousand", function()
    for i = 1, 25 do s3.put({ text = "" }, ("s3://bkt/many/%03d"):format(i), how) end
    local n, last = 0, ""
    for entry in s3.list("s3://bkt/many/", with { page = 10 }) do
      assert.is_true(entry.key > last)
      n, last = n + 1, entry.key
    end
    assert.equal(25, n)
    assert.equal(3, #requests "ListObjectsV2")
    local some = s3.list("s3://bkt/many/", with { page = 10 })
    some()
    assert.equal(4, #requests "ListObjectsV2")
    assert.equal("many/011", s3.list("s3://bkt/", with { start_after = "many/010" })().key)
    local urls = {}
    for i = 1, 1001 do urls[i] = ("s3://bkt/many/%03d"):format(i) end
    assert.equal(1001, s3.delete(urls, how))
    assert.equal(2, #requests "DeleteObjects")
    assert.is_nil(s3.list("s3://bkt", how)())
  end)

  it("that could not be deleted are named", function()
    peer:control { operation = "DeleteObjects", fault = "answer", status = 200, body = [[<?xml version="1.0"?><DeleteResult>
      <Error><Key>a</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>]],
      headers = { ["Content-Type"] = "application/xml" } }
    local err = refusal(s3.delete, { "s3://bkt/a", "s3://bkt/b" }, how)
    assert.same({ "DeleteFailed", 1, 1 }, { err.code, err.deleted, #err.failures })
    assert.same({ url = "s3://bkt/a", code = "AccessDenied", message = "Access Denied" }, err.failures[1])
  end)

  it("are shown by folder", function()
    for _, key in ipairs { "p/a", "p/b/c", "p/b/d", "p/e" } do s3.put({ text = "" }, "s3://bkt/" .. key, how) end
    local found = {}
    for entry in s3.list("s3://bkt/p/", with { delimiter = "/" }) do found[#found + 1] = entry.key or entry.prefix end
    table.sort(found)
    assert.same({ "p/a", "p/b/", "p/e" }, found)
  end)
end)

describe("a copy that fails with status 200", function()
  it("is an error", function()
    peer:control { operation = "CopyObject", fault = "answer", status = 200, headers = { ["Content-Type"] = "application/xml" },
      body = [[<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>]] }
    peer:control { operation = "PutObject", fault = "answer", status = 200, headers = { ["Content-Type"] = "application/xml" },
      body = [[<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>]] }
    assert.equal("AccessDenied", refusal(s3.copy, "s3://bkt/a", "s3://bkt/b", how).code)
  end)
end)

describe("a presigned URL", function()
  it("is used by whoever holds it", function()
    local put = s3.presign("s3://bkt/a b+ü", with { method = "put", expires = 60 })
    assert.equal(200, http.request({ url = put, method = "PUT", body = "hello" }).status)
    local got = http.get(s3.presign("s3://bkt/a b+ü", how))
    assert.same({ 200, "hello" }, { got.status, got.body })
    assert.equal(403, http.get(put).status)
    assert.equal("usage", refusal(s3.presign, "s3://bkt/k", with { method = "post" }).cause)
  end)
end)
