--- The strict AWS of tests/peers/aws: what it takes from botocore and from us, what it refuses, and how it misbehaves on request.
local awspeer = require "awspeer"
local errors = require "adt.error"
local http = require "adt.http"
local json = require "adt.json"
local lfs = require "lfs"
local process = require "adt.process"
local sign = require "adt.aws.sign"
local support = require "support"
local system = require "system"
local task = require "adt.task"
local testpython = require "testpython"
local time = require "adt.time"

local why = awspeer.missing()
local peer

setup(function() peer = not why and awspeer.start { tls = true } end)
teardown(function() if peer then peer:__close() end end)
before_each(function()
  if why then
    pending(why)
  else
    peer:reset()
  end
end)
after_each(function() if peer then awspeer.no_leaks() end end)

local function last()
  local log = peer:log()
  return log[#log]
end

local function code_of(response)
  return response.body:match "<Code>(.-)</Code>" or response.body:match '"__type": "(.-)"' or response.headers["x-amzn-ErrorType"]
end

-- Sends what our signer signs. `change` may spoil the request in between.
local function send(o, change)
  local given = { url = o.url, method = o.method, headers = o.headers, body = o.body, payload = o.payload, service = o.service or "s3",
    region = o.region or "us-east-1", credentials = o.credentials or peer.keys, time = o.time, clock_offset = o.clock_offset }
  local headers = {}
  for name, value in pairs(o.headers or {}) do headers[name] = value end
  for _, header in ipairs(sign.headers(given)) do headers[header.name] = header.value end
  local request = { url = o.url, method = o.method, headers = headers, body = o.body, ca = peer.ca }
  if change then change(request) end
  return http.request(request)
end

local function whoami(more, change)
  local o = { url = peer.url .. "/", method = "POST", service = "sts", body = "Action=GetCallerIdentity&Version=2011-06-15",
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } }
  for k, v in pairs(more or {}) do o[k] = v end
  return send(o, change)
end

local function bucket(name, region)
  peer:control { buckets = { [name] = { region = region } } }
  return peer.url .. "/" .. name
end

describe("botocore as a client of the fake", function()
  local made

  before_each(function()
    if made then return end
    local result = process.run { testpython.find "botocore", "tests/peers/aws/boto_client.py", peer.url, peer.tls, peer.ca,
      peer.keys.access_key, peer.keys.secret, timeout = 60 }
    made = json.decode(result.stdout)
  end)

  it("gets what it asks for by every protocol, in pages and by presigned URLs", function()
    assert.equal("123456789012", made.account)
    assert.same({ 10, 100, 100, 1, "ASIA" }, { made.post, made.pages, made.parameters, made.ecr, made.assumed })
    assert.is_true(made.get)
    assert.equal("5678901234", made.range)
    assert.same({ "a key/with ünicode & +plus/./../x", "t" }, made.list)
    assert.equal(2, made.deleted)
    assert.is_true(made["presigned get"])
    assert.equal(200, made["presigned put"])
  end)

  it("uploads in chunks with a trailer over TLS", function()
    for _, algorithm in ipairs { "CRC32", "SHA256", "SHA1" } do
      assert.equal(made.put, made["trailer " .. algorithm])
    end
  end)

  it("is refused for a wrong secret, in each protocol's words", function()
    assert.same({ sts = { 403, "SignatureDoesNotMatch" }, ec2 = { 401, "AuthFailure" }, ssm = { 400, "InvalidSignatureException" },
      eks = { 403, "InvalidSignatureException" }, s3 = { 403, "SignatureDoesNotMatch" } }, made["wrong secret"])
    assert.same({ 403, "SignatureDoesNotMatch" }, made.tampered)
    assert.same({ 403, "SignatureDoesNotMatch" }, made["presigned, other key"])
    assert.same({ 403, "AccessDenied" }, made["presigned, too old"])
    assert.same({ 412, "PreconditionFailed" }, made["if-none-match"])
  end)

  it("may be five minutes off, and fifteen with S3", function()
    local good, skewed = { { 200 }, { 200 } }, { 403, "RequestTimeTooSkewed" }
    for _, service in ipairs { "sts", "ec2", "ssm", "eks", "s3" } do
      assert.same(good, made["4 min"][service])
    end
    for service, words in pairs { sts = { 403, "SignatureDoesNotMatch" }, ec2 = { 400, "RequestExpired" },
      ssm = { 400, "InvalidSignatureException" }, eks = { 403, "InvalidSignatureException" } } do
      assert.same({ words, words }, made["6 min"][service])
    end
    assert.same(good, made["14 min"].s3)
    assert.same({ skewed, skewed }, made["16 min"].s3)
  end)
end)

describe("our signer, as the fake judges it,", function()
  it("signs headers, for S3 and for others", function()
    assert.equal(200, whoami().status)
    local url = bucket "bucket"
    assert.equal(200, send({ url = url .. "/a%20b/%C3%BC/../+c", method = "PUT", body = "hello" }).status)
    assert.equal("hello", send({ url = url .. "/a%20b/%C3%BC/../+c" }).body)
    assert.equal(200, send({ url = url .. "?list-type=2&prefix=a%20b" }).status)
    for _, entry in ipairs(peer:log()) do
      assert.is_true(entry.verified, entry.why)
    end
  end)

  it("presigns, with a session token", function()
    peer:control { keys = { ASIATEST = { secret = "s", token = "the/session+token==" } } }
    local keys = { access_key = "ASIATEST", secret = "s", token = "the/session+token==" }
    local url = bucket "bucket"
    local o = { url = url .. "/x?response-content-type=a%2Fb", method = "PUT", service = "s3", region = "us-east-1", credentials = keys,
      expires = 60 }
    assert.equal(200, http.request({ url = sign.presign(o), method = "PUT", body = "x" }).status)
    assert.equal(403, http.request({ url = sign.presign(o) }).status)
    keys.token = "another"
    assert.equal("InvalidToken", code_of(http.request { url = sign.presign(o), method = "PUT", body = "x" }))
    o.time = time.now() - 61
    keys.token = "the/session+token=="
    local late = http.request { url = sign.presign(o), method = "PUT", body = "x" }
    assert.same({ 403, "AccessDenied" }, { late.status, code_of(late) })
    assert.matches("Request has expired", late.body)
  end)

  it("makes tokens that EKS takes, for that cluster only", function()
    local token = sign.eks_token { cluster = "c1", region = "us-east-1", credentials = peer.keys }
    assert.is_true(peer:eks_token(token, "c1"))
    local ok, reason = peer:eks_token(token, "c2")
    assert.is_false(ok)
    assert.matches("mismatch", reason)
    token = sign.eks_token { cluster = "c1", region = "us-east-1", credentials = peer.keys, time = time.now() - 901 }
    assert.matches("older than 15 minutes", select(2, peer:eks_token(token, "c1")))
  end)

  it("is found out when anything was changed on the way", function()
    local spoilt = {
      { function(r) r.body = r.body:gsub("06%-15$", "06-15&x=1") end, 403, "SignatureDoesNotMatch" },
      { function(r) r.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8" end, 403, "SignatureDoesNotMatch" },
      { function(r) r.headers.Authorization = nil end, 403, "MissingAuthenticationToken" },
      { function(r) r.headers.Authorization = r.headers.Authorization:gsub("Signature=.", "Signature=g") end, 403, "SignatureDoesNotMatch" },
      { function(r) r.headers.Authorization = r.headers.Authorization:gsub("host;", "") end, 403, "IncompleteSignature" },
      { function(r) r.headers["X-Amz-Security-Token"] = "t" end, 403, "InvalidClientTokenId" },
      { function(r)
        r.headers.Authorization = r.headers.Authorization:gsub("content%-type;", "")
      end, 403, "SignatureDoesNotMatch" },
      { function(r) r.url = r.url .. "?x=1" end, 403, "SignatureDoesNotMatch" },
    }
    for i, case in ipairs(spoilt) do
      local response = whoami(nil, case[1])
      assert.same({ i, case[2], case[3] }, { i, response.status, code_of(response) })
      local entry = last()
      assert.same({ false, "string", "sts", "GetCallerIdentity" }, { entry.verified, type(entry.why), entry.service, entry.operation })
    end
  end)

  it("is refused for a wrong service, region, key or day", function()
    local function refused(more) return (whoami(more).body:match "<Message>(.-)</Message>") end
    assert.equal("Credential should be scoped to correct service: 'sts'. ", refused { service = "ec2" })
    assert.equal("Credential should be scoped to a valid region. ", refused { region = "eu-west-1" })
    assert.equal("The security token included in the request is invalid.", refused { credentials = { access_key = "AKIANONE", secret = "x" } })
    assert.matches("^Signature expired: %d+T%d+Z is now earlier than", refused { clock_offset = -301 })
    assert.matches("^Signature not yet current: %d+T%d+Z is still later than", refused { clock_offset = 302 })
    local far = whoami({ url = ("http://sts.eu-west-1.localhost:%d/"):format(peer.port), region = "eu-west-1" })
    assert.equal(200, far.status)
  end)
end)

-- A PUT in aws-chunked encoding; change(bytes) may spoil the encoded body.
local function upload(o, change)
  local body = o.body
  local stream <close> = sign.stream { url = o.url, method = "PUT", service = "s3", region = "us-east-1", credentials = peer.keys,
    length = #body, chunk = 8192, payload = o.payload, content_length = not o.unsized, trailers = o.trailers and { o.trailers[1] } or nil }
  local encoded = { stream:chunk(body) }
  encoded[2] = stream:finish(o.trailers and { [o.trailers[1]] = o.trailers[2] } or nil)
  local bytes = table.concat(encoded)
  assert.equal(stream.length, #bytes)
  local headers = {}
  for _, header in ipairs(stream.headers) do
    -- It follows from the body.
    if header.name ~= "Content-Length" then headers[header.name] = header.value end
  end
  if change then bytes = change(bytes) end
  local sent
  -- What comes from a function goes out in HTTP's own chunks.
  local function source()
    local piece = not sent and bytes or nil
    sent = true
    return piece
  end
  return http.request { url = o.url, method = "PUT", headers = headers, body = o.unsized and source or bytes, ca = peer.ca }
end

describe("a body in chunks", function()
  local body = ("0123456789"):rep(2500)
  local CHECKSUM = {}

  local function checksums()
    if CHECKSUM.crc32c then return CHECKSUM end
    local script = "import sys,base64; sys.path.insert(0,'tests/peers/aws'); sys.dont_write_bytecode=True; import checksums\n"
      .. "for n in checksums.MAKERS:\n  m=checksums.MAKERS[n](); m.update(b'0123456789'*2500); print(n, base64.b64encode(m.digest()).decode())"
    for name, value in process.run({ testpython.find "botocore", "-c", script }).stdout:gmatch "(%S+) (%S+)\n" do
      CHECKSUM[name] = value
    end
    return CHECKSUM
  end

  it("is taken signed and unsigned, with every trailer, over TLS and without", function()
    local sums = checksums()
    local name = bucket "bucket"
    assert.equal(200, upload({ url = name .. "/k", body = body }).status)
    assert.equal(200, upload({ url = name .. "/empty", body = "" }).status)
    assert.equal(200, upload({ url = name .. "/unsized", body = body, unsized = true }).status)
    local entry, framing = last(), {}
    for _, header in ipairs(entry.headers) do framing[header[1]:lower()] = header[2] end
    assert.same({ nil, "chunked", #body }, { framing["content-length"], framing["transfer-encoding"], entry.size })
    for _, algorithm in ipairs { "crc32", "crc32c", "crc64nvme", "sha1", "sha256" } do
      for _, payload in ipairs { false, "unsigned" } do
        local trailer = "x-amz-checksum-" .. algorithm
        for _, url in ipairs { name, peer.tls .. "/bucket" } do
          local response = upload { url = url .. "/k", body = body, payload = payload or nil, trailers = { trailer, sums[algorithm] } }
          assert.same({ 200, sums[algorithm] }, { response.status, response.headers[trailer] }, response.body)
        end
      end
    end
    local got = send { url = name .. "/k", headers = { ["x-amz-checksum-mode"] = "ENABLED" } }
    assert.same({ body, sums.sha256 }, { got.body, got.headers["x-amz-checksum-sha256"] })
  end)

  it("is refused when a byte, a signature, a checksum or a length is wrong, and then nothing is stored", function()
    local sums = checksums()
    local url = bucket "bucket" .. "/bad"
    local crc = { "x-amz-checksum-crc32c", sums.crc32c }
    local cases = {
      { nil, function(b) return (b:gsub("0123456789", "0123456788", 1)) end, "SignatureDoesNotMatch" },
      { nil, function(b) return (b:gsub("(.*chunk%-signature=)%x(%x*)\r\n", "%1g%2\r\n")) end, "InvalidRequest" },
      { crc, function(b) return (b:gsub("crc32c:.", "crc32c:+")) end, "SignatureDoesNotMatch" },
      { { crc[1], sums.crc32 }, nil, "BadDigest" },
      { crc, function(b) return (b:gsub("x%-amz%-checksum%-crc32c", "x-amz-checksum-crc32d")) end, "MalformedTrailerError" },
      { nil, function(b) return b:sub(1, -3) .. "x\n" end, "IncompleteBody" },
    }
    for i, case in ipairs(cases) do
      local response = upload({ url = url, body = body, trailers = case[1] }, case[2])
      assert.same({ i, case[3] }, { i, code_of(response) })
      assert.is_true(response.status >= 400)
    end
    local unsigned = upload({ url = url, body = body, trailers = { crc[1], sums.crc32 }, payload = "unsigned" })
    assert.equal("BadDigest", code_of(unsigned))
    assert.equal(404, send({ url = url }).status)
  end)

  it("of plain bytes is held to its hash and its checksum header", function()
    local sums, url = checksums(), bucket "bucket" .. "/plain"
    local function put(headers, change) return send({ url = url, method = "PUT", body = body, headers = headers }, change) end
    assert.equal("XAmzContentSHA256Mismatch", code_of(put({}, function(r) r.body = body:gsub("9$", "8") end)))
    assert.equal("BadDigest", code_of(put { ["x-amz-checksum-crc64nvme"] = "AAAAAAAAAAA=" }))
    assert.equal("InvalidRequest", code_of(put { ["x-amz-checksum-crc32"] = "AAAA" }))
    assert.equal("AccessDenied", code_of(put({}, function(r) r.headers["x-amz-meta-k"] = "not signed" end)))
    assert.equal(200, put({ ["x-amz-checksum-crc64nvme"] = sums.crc64nvme }).status)
  end)
end)

describe("buckets of the fake", function()
  it("know their region, and say so to who signs for another", function()
    local url = bucket("far", "eu-west-1")
    local response = send { url = url .. "/x" }
    assert.same({ 400, "AuthorizationHeaderMalformed" }, { response.status, code_of(response) })
    assert.equal("eu-west-1", response.headers["x-amz-bucket-region"])
    assert.equal("eu-west-1", response.body:match "<Region>(.-)</Region>")
    peer:control { region_answer = 301 }
    response = send { url = url .. "/x", method = "HEAD" }
    assert.same({ 301, "eu-west-1" }, { response.status, response.headers["x-amz-bucket-region"] })
    assert.equal(404, send({ url = url .. "/x", region = "eu-west-1" }).status)
  end)

  it("are found by name and region of the host, too", function()
    bucket("bucket", "eu-west-1")
    local function at(host) return ("http://%s.localhost:%d/k"):format(host, peer.port) end
    assert.equal(200, send({ url = at "bucket.s3.eu-west-1", method = "PUT", body = "x", region = "eu-west-1" }).status)
    assert.equal("x", send({ url = at "bucket", region = "eu-west-1" }).body)
    local other = send { url = at "bucket.s3.us-west-2", region = "us-west-2" }
    assert.same({ 301, "PermanentRedirect", "eu-west-1" }, { other.status, code_of(other), other.headers["x-amz-bucket-region"] })
  end)

  it("list in pages and folders, and give ranges", function()
    local url = bucket "bucket"
    for _, key in ipairs { "a", "b/1", "b/2", "c", "d%26" } do
      assert.equal(200, send({ url = url .. "/" .. key, method = "PUT", body = "0123456789" }).status)
    end
    local seen, token = {}, nil
    for _ = 1, 4 do
      local more = token and "&continuation-token=" .. token:gsub("=", "%%3D") or ""
      local body = send({ url = url .. "?delimiter=%2F&list-type=2&max-keys=2" .. more }).body
      for name in body:gmatch "<Key>(.-)</Key>" do seen[#seen + 1] = name end
      for name in body:gmatch "<CommonPrefixes><Prefix>(.-)</Prefix>" do seen[#seen + 1] = name end
      token = body:match "<NextContinuationToken>(.-)</NextContinuationToken>"
      if not token then break end
    end
    assert.same({ "a", "b/", "c", "d&amp;" }, seen)
    for range, expected in pairs { ["bytes=2-4"] = "234", ["bytes=-3"] = "789", ["bytes=8-"] = "89", ["bytes=8-100"] = "89" } do
      local response = send { url = url .. "/a", headers = { Range = range } }
      assert.same({ 206, expected }, { response.status, response.body })
    end
    assert.equal("InvalidRange", code_of(send { url = url .. "/a", headers = { Range = "bytes=10-" } }))
  end)

  it("keep objects of any size, and give them back", function()
    local dir <close> = support.tempdir()
    bucket "bucket"
    support.write(dir / "big", ("x"):rep(24 << 20))
    for _, base in ipairs { peer.url, peer.tls } do
      local at = base .. "/bucket/big"
      assert.equal(200, send({ url = at, method = "PUT", payload = "unsigned" }, function(r)
        r.body = { file = dir / "big" }
      end).status)
      local response = send({ url = at }, function(r) r.to = { file = dir / "copy" } end)
      assert.same({ 200, 24 << 20 }, { response.status, lfs.attributes(dir / "copy", "size") })
    end
  end)
end)

describe("the fake misbehaves by rule", function()
  it("and throttles so many calls, in each protocol's words", function()
    peer:control { fault = "throttle", service = "sts", count = 2, retry_after = 1500 }
    local response = whoami()
    assert.same({ 400, "Throttling", "1500" }, { response.status, code_of(response), response.headers["x-amz-retry-after"] })
    assert.equal(400, whoami().status)
    assert.equal(200, whoami().status)
    peer:control { fault = "throttle", service = "s3" }
    response = send { url = peer.url .. "/bucket/x" }
    assert.same({ 503, "SlowDown" }, { response.status, code_of(response) })
  end)

  it("or fails some of the calls, the same ones each time", function()
    local runs = {}
    for run = 1, 2 do
      peer:reset()
      peer:control { seed = 7, rules = { { fault = "status", status = 502, percent = 30 } } }
      local failed = 0
      for _ = 1, 60 do
        failed = failed + (whoami().status == 502 and 1 or 0)
      end
      runs[run] = failed
    end
    assert.is_true(runs[1] > 5 and runs[1] < 40)
    assert.equal(runs[1], runs[2])
  end)

  it("and breaks connections before, after and in the middle of its answer", function()
    local url = bucket "bucket" .. "/k"
    for _, fault in ipairs { "reset", "hangup" } do
      for _, at in ipairs { "before", "after" } do
        peer:control { rules = { { fault = fault, when = at, method = "PUT" } } }
        local ok, err = pcall(send, { url = url .. at, method = "PUT", body = "hello" })
        assert.same({ false, "service" }, { ok, err.cause })
        peer:control { rules = {} }
        assert.equal(at == "after" and 200 or 404, send({ url = url .. at }).status)
      end
    end
    for _, how in ipairs { "reset", "close" } do
      peer:control { rules = { { fault = "cut", method = "GET", bytes = 3, how = how } } }
      local ok, err = pcall(send, { url = url .. "after" })
      assert.same({ false, "service" }, { ok, err.cause })
    end
    peer:control { rules = { { fault = "truncate", bytes = 3 } } }
    assert.equal("hel", send({ url = url .. "after" }).body)
    peer:control { rules = { { fault = "corrupt", at = 0 } } }
    assert.equal("iello", send({ url = url .. "after" }).body)
  end)

  it("and answers late, with pages, with redirects, with errors that call themselves 200", function()
    local url = bucket "bucket" .. "/k"
    peer:control { rules = { { fault = "silence", count = 1 } } }
    local ok, err = pcall(http.get, url, { timeout = { first = 0.2 } })
    assert.same({ false, "timeout" }, { ok, err.cause })
    peer:control { rules = { { fault = "slow", service = "s3", first = 0.2 } } }
    local begun = system.monotime()
    send { url = url }
    assert.is_true(system.monotime() - begun >= 0.2)
    peer:control { rules = { { fault = "html" } } }
    assert.same({ 200, "text/html" }, { whoami().status, whoami().headers["content-type"] })
    peer:control { rules = { { fault = "redirect", to = peer.other .. "/elsewhere" } } }
    assert.same({ 307, peer.other .. "/elsewhere" }, { whoami().status, whoami().headers.location })
    peer:control { rules = { { fault = "error200", method = "PUT" } } }
    local response = send { url = url, method = "PUT", body = "x" }
    assert.same({ 200, "InternalError" }, { response.status, code_of(response) })
    peer:control { rules = { { fault = "expired" } } }
    assert.same({ 403, "ExpiredToken" }, { whoami().status, code_of(whoami()) })
  end)

  it("and its clock is off as far as one likes", function()
    peer:control { clock = 3600 }
    assert.equal("RequestTimeTooSkewed", code_of(send { url = bucket "bucket" }))
    local response = whoami { clock_offset = 3600 }
    assert.equal(200, response.status)
    local offset = time.parse_http and time.parse_http(response.headers.date) or nil
    assert.is_true(offset == nil or math.abs(offset - time.now() - 3600) < 5)
  end)

  it("but takes no rule that it does not know", function()
    for _, rule in ipairs { { fault = "thunder" }, { fault = "reset", byte = 3 }, { cloc = 3 } } do
      assert.is_false(pcall(peer.control, peer, rule))
    end
  end)
end)

describe("credentials from the fake", function()
  local function get(path, headers, method, body)
    return http.request { url = peer.url .. path, method = method, headers = headers, body = body }
  end

  local function works(keys)
    return whoami({ credentials = keys }).status == 200
  end

  it("come by IMDSv2 with a token, by v1 only where that is on", function()
    local root = "/latest/meta-data/iam/security-credentials/"
    assert.equal(401, get(root).status)
    assert.equal(400, get("/latest/api/token", {}, "PUT").status)
    local token = get("/latest/api/token", { ["x-aws-ec2-metadata-token-ttl-seconds"] = 1 }, "PUT").body
    local header = { ["x-aws-ec2-metadata-token"] = token }
    local role = get(root, header).body
    local found = json.decode(get(root .. role, header).body)
    assert.equal("Success", found.Code)
    assert.is_true(works { access_key = found.AccessKeyId, secret = found.SecretAccessKey, token = found.Token })
    peer:control { clock = 2 }
    assert.equal(401, get(root, header).status)
    peer:control { clock = 0, imds = { v1 = true, token_status = 403 } }
    assert.equal(403, get("/latest/api/token", { ["x-aws-ec2-metadata-token-ttl-seconds"] = 1 }, "PUT").status)
    assert.equal(200, get(root).status)
  end)

  it("come from the container's endpoint to who may have them", function()
    peer:control { container = { authorization = "Bearer x" } }
    assert.equal(401, get("/v1/credentials").status)
    local found = json.decode(get("/v1/credentials", { Authorization = "Bearer x" }).body)
    assert.is_true(works { access_key = found.AccessKeyId, secret = found.SecretAccessKey, token = found.Token })
    assert.is_false(works { access_key = found.AccessKeyId, secret = found.SecretAccessKey, token = "old" })
  end)

  it("come from SSO, whose token is renewed once for each refresh token", function()
    local function portal(token)
      return get("/federation/credentials?role_name=Admin&account_id=123456789012", { ["x-amz-sso_bearer_token"] = token })
    end
    local function renew(refresh)
      return get("/token", { ["Content-Type"] = "application/json" }, "POST",
        json.encode { clientId = "client", clientSecret = "client-secret", grantType = "refresh_token", refreshToken = refresh })
    end
    assert.equal(401, portal("wrong").status)
    assert.equal(200, portal("sso-access-token").status)
    local new = json.decode(renew("refresh-token").body)
    assert.same({ 400, "InvalidGrantException" }, { renew("refresh-token").status, renew("refresh-token").headers["x-amzn-ErrorType"] })
    assert.equal(401, portal("sso-access-token").status)
    local found = json.decode(portal(new.accessToken).body).roleCredentials
    assert.is_true(works { access_key = found.accessKeyId, secret = found.secretAccessKey, token = found.sessionToken })
  end)

  it("come from STS by a web identity, unsigned, and end", function()
    local function assume(token)
      return get("/", { ["Content-Type"] = "application/x-www-form-urlencoded" }, "POST", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
        .. "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&RoleSessionName=me&DurationSeconds=900&WebIdentityToken=" .. token)
    end
    assert.equal("InvalidIdentityToken", code_of(assume "wrong"))
    local body = assume("web-identity-token").body
    local keys = { access_key = body:match "<AccessKeyId>(.-)<", secret = body:match "<SecretAccessKey>(.-)<",
      token = body:match "<SessionToken>(.-)<" }
    assert.is_true(works(keys))
    peer:control { clock = 901 }
    assert.equal("ExpiredToken", code_of(whoami { credentials = keys, clock_offset = 901 }))
  end)
end)

describe("a fake AWS", function()
  it("lets a cluster go through its states", function()
    peer:control { services = { clusters = { c1 = { "CREATING", "CREATING", "ACTIVE" } } } }
    local states = {}
    for i = 1, 4 do
      states[i] = json.decode(send({ url = peer.url .. "/clusters/c1", service = "eks" }).body).cluster.status
    end
    assert.same({ "CREATING", "CREATING", "ACTIVE", "ACTIVE" }, states)
    local none = send { url = peer.url .. "/clusters/c2", service = "eks" }
    assert.same({ 404, "ResourceNotFoundException" }, { none.status, code_of(none) })
  end)

  it("answers many at once, and stands beside another", function()
    local second <close> = awspeer.start { region = "eu-west-1", keys = { access_key = "AKIAOTHER", secret = "x" } }
    assert.not_equal(peer.port, second.port)
    local jobs = {}
    for i = 1, 40 do
      jobs[i] = function() return whoami().status end
    end
    for _, status in ipairs { task.all(jobs) } do
      assert.equal(200, status)
    end
    assert.equal(403, whoami({ url = second.url .. "/", region = "eu-west-1" }).status)
    assert.equal(200, whoami({ url = second.url .. "/", region = "eu-west-1", credentials = second.keys }).status)
  end)

  it("ends with the process that started it", function()
    local script = [[
      package.path = "tests/lua/?.lua;" .. package.path
      local fake = require("awspeer").start()
      print(fake.process.pid)
      io.stdout:flush()
      os.execute("kill -KILL $PPID")
    ]]
    local result = support.adtlua { "-e", script }
    local pid = result.stdout:match "%d+"
    assert.is_string(pid, result.stderr)
    for _ = 1, 100 do
      local handle = io.open("/proc/" .. pid .. "/cmdline")
      local words = handle and handle:read "a" or ""
      if handle then handle:close() end
      if not words:find "peers/aws/fake" then return end
      system.sleep(0.05)
    end
    errors.raise { cause = "program", message = "the fake outlives its owner" }
  end)
end)
