--- The real S3 server of tests/peers/rgw: that it judges signatures, that two stand side by side, that nothing of it stays.
local folderpeer = require "folderpeer"
local http = require "adt.http"
local lfs = require "lfs"
local rgwpeer = require "rgwpeer"
local sign = require "adt.aws.sign"
local support = require "support"
local system = require "system"

local UP, DOWN = "tests/peers/rgw/up", "tests/peers/rgw/down"

local why = rgwpeer.missing()
before_each(function() if why then pending(why) end end)
after_each(support.no_leaks)

local function send(p, o)
  local url = (o.tls and p.tls or p.url) .. o.path
  local headers = {}
  for _, header in ipairs(sign.headers { url = url, method = o.method, body = o.body, service = "s3", region = p.region,
    credentials = o.keys or p.keys, clock_offset = o.clock_offset }) do
    headers[header.name] = header.value
  end
  return http.request { url = url, method = o.method, headers = headers, body = o.body, ca = p.ca }
end

local function code_of(response)
  return response.body:match "<Code>(.-)</Code>"
end

local function nothing_left(dir)
  for _ = 1, 200 do
    if folderpeer.processes("ADT_RGW", dir) == "" and not lfs.attributes(dir) then return true end
    system.sleep(0.05)
  end
  return false, folderpeer.processes("ADT_RGW", dir)
end

describe("a private RADOS Gateway", function()
  it("judges our signatures over HTTP and TLS, and stands beside another", function()
    local a, b
    do
      local first <close> = rgwpeer.start()
      local second <close> = rgwpeer.start()
      a, b = first.dir, second.dir
      assert.equal(200, send(first, { path = "/bucket", method = "PUT" }).status)
      for _, tls in ipairs { false, true } do
        assert.equal(200, send(first, { path = "/bucket/a%20b/+%C3%BC", method = "PUT", body = "hello", tls = tls }).status)
        assert.equal("hello", send(first, { path = "/bucket/a%20b/+%C3%BC", tls = tls }).body)
      end
      local wrong = send(first, { path = "/bucket/x", keys = { access_key = first.keys.access_key, secret = "wrong" } })
      assert.same({ 403, "SignatureDoesNotMatch" }, { wrong.status, code_of(wrong) })
      local late = send(first, { path = "/bucket/x", clock_offset = -1000 })
      assert.same({ 403, "RequestTimeTooSkewed" }, { late.status, code_of(late) })
      assert.equal(403, send(first, { path = "/bucket/x", keys = first.other_keys }).status)
      assert.same({ 404, "NoSuchBucket" }, { send(second, { path = "/bucket/x" }).status, code_of(send(second, { path = "/bucket/x" })) })
    end
    assert.is_true(nothing_left(a))
    assert.is_true(nothing_left(b))
  end)

  it("leaves its logs and nothing else when it is only taken down, and begins anew in that folder", function()
    local dir <close> = support.tempdir()
    local path = tostring(dir)
    for round = 1, 2 do
      assert.equal(0, support.run({ UP, path }).code)
      local p = { url = support.read(dir / "env"):match "S3_ENDPOINT=(%S+)", region = "us-east-1",
        keys = { access_key = "ADTTESTACCESSKEY000a", secret = "adttestsecretkey00000000000000000000000a" } }
      assert.same({ round, 200 }, { round, send(p, { path = "/bucket", method = "PUT" }).status })
      assert.equal(404, send(p, { path = "/bucket/x" }).status)
      assert.equal(200, send(p, { path = "/bucket/x", method = "PUT", body = "1" }).status)
      assert.equal(73, support.run({ UP, path }).code)
      assert.equal(0, support.run({ DOWN, path }).code)
      assert.equal("", folderpeer.processes("ADT_RGW", path))
      assert.is_nil(lfs.attributes(dir / "env"))
      assert.is_not_nil(lfs.attributes(dir / "log/client.rgw.log"))
    end
  end)

  it("ends with its owner, however that goes", function()
    local script = [[
      package.path = "tests/lua/?.lua;" .. package.path
      print(require("rgwpeer").start().dir)
      io.stdout:flush()
      os.execute("kill -KILL $PPID")
    ]]
    local result = support.adtlua { "-e", script }
    local dir = assert(result.stdout:match "%S+", result.stderr)
    assert.is_true(nothing_left(dir))
  end)

  it("says which package is missing", function()
    local bin <close> = support.tempdir()
    for _, name in ipairs { "bash", "dirname", "realpath", "cat" } do
      assert.equal(0, support.run({ "ln", "-s", "/usr/bin/" .. name, bin / name }).code)
    end
    local result = support.run { "/usr/bin/bash", UP, "--check", env = { PATH = tostring(bin) } }
    assert.equal(69, result.code)
    assert.matches("not installed:.*ceph%-osd", result.stderr)
  end)
end)
