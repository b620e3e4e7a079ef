--- AWS signatures: the public suite byte for byte, botocore beside us, and what the Lua face takes and refuses.
local base64 = require "adt.base64"
local fs = require "adt.fs"
local json = require "adt.json"
local process = require "adt.process"
local secret = require "adt.secret"
local sign = require "adt.aws.sign"
local suite = require "sigv4_suite"
local support = require "support"
local testpython = require "testpython"
local time = require "adt.time"

local refusal = support.refusal

after_each(support.no_leaks)

local CREDENTIALS = { access_key = "AKIDEXAMPLE", secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }
local SUITE_TIME = 1440938160

-- Options of a small request, with `more` in them.
local function request(more)
  local o = { url = "https://example.amazonaws.com/", service = "service", region = "us-east-1", time = SUITE_TIME,
    credentials = CREDENTIALS }
  for key, value in pairs(more or {}) do o[key] = value end
  return o
end

local function value_of(headers, name)
  for _, header in ipairs(headers) do
    if header.name:lower() == name:lower() then return header.value end
  end
end

-- --- the public suite ------------------------------------------------------------------------------------------------

describe("the public signing suite", function()
  local vectors = os.getenv "ADT_VECTORS"
  if not vectors then
    pending "needs ADT_VECTORS, the folder of public vectors"
    return
  end
  local names = {}
  for _, path in ipairs(fs.glob(vectors .. "/sigv4/*/context.json")) do names[#names + 1] = path:match "([^/]+)/context" end
  assert(#names > 0, "no cases in " .. vectors)
  for _, name in ipairs(names) do
    for _, form in ipairs(suite.FORMS) do
      it(("passes %s as a %s"):format(name, form), function()
        local verdict, what = suite.check(suite.reader(("%s/sigv4/%s"):format(vectors, name)), form)
        assert.equal("passed", verdict, what)
      end)
    end
  end
end)

-- --- botocore --------------------------------------------------------------------------------------------------------

local random = { state = 20150830 }

-- 0 to n-1, the same in each run.
function random.below(n)
  random.state = (random.state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff
  return (random.state >> 33) % n
end

function random.of(list)
  return list[random.below(#list) + 1]
end

-- Up to `most` of the list's members, one after the other.
function random.text(list, most)
  local parts = {}
  for i = 1, random.below(most + 1) do parts[i] = random.of(list) end
  return table.concat(parts)
end

local PLAIN = { "a", "Z", "0", "-", ".", "_", "~", "name", "key-1" }
local ODD = { " ", "é", "ሴ", "%41", "%2F", "%", "(", ")", "=", ":", "@", "!", "$", "'", "*", "+", ",", ";", "&", "\"", "[", "x" }
local ESCAPED = { "a", "b", "%20", "%2F", "%E1%88%B4", "%3D", "%26", "~", "-", "%2B", "10", "." }
local VALUES = { "a", "  ", "b c", "\t", "\"x   y\"", "é", ",", ";", "=" }

local function a_path(s3)
  local parts = {}
  for i = 1, random.below(5) do
    parts[i] = random.of { "..", ".", "", random.text(s3 and ESCAPED or ODD, 6), random.text(PLAIN, 3) }
  end
  return "/" .. table.concat(parts, "/")
end

local function a_query(unique)
  local parts, seen = {}, {}
  for _ = 1, random.below(6) do
    local name = random.text(ESCAPED, 3)
    -- botocore keeps one value of a name when it presigns, and takes an empty pair for a parameter.
    if name ~= "" and not (unique and seen[name]) then
      seen[name] = true
      parts[#parts + 1] = name .. (random.below(5) > 0 and "=" .. random.text(ESCAPED, 4) or "")
    end
  end
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

local function some_headers()
  local list = {}
  for _ = 1, random.below(6) do
    list[#list + 1] = { random.of { "X-Amz-Meta-A", "X-Amz-Target", "Content-Type", "My-Header", "Range", "User-Agent",
      "x-amzn-trace-id", "Expect", "Accept" }, random.text(VALUES, 5) }
  end
  return list
end

local function a_case(form)
  local s3 = form == "stream" or random.below(2) == 0
  local host = random.of { "example.amazonaws.com", "Bucket.s3.Amazonaws.com", "localhost:9000", "[::1]:8080",
    "example.com:443" }
  return {
    form = form, method = random.of { "GET", "PUT", "POST", "DELETE", "HEAD" },
    url = "https://" .. host .. a_path(s3) .. a_query(form == "presign"), headers = some_headers(),
    body = (form == "stream" or form == "headers") and random.text({ "some body ", "é", "0123456789" }, 2000) or "",
    service = s3 and "s3" or random.of { "ec2", "sts", "iam" }, region = random.of { "us-east-1", "eu-west-3" },
    time = 1400000000 + random.below(800000000), access_key = random.of { "AKIDEXAMPLE", "ASIAEXAMPLE" },
    secret = random.of { "a secret of one day", ("long"):rep(40), "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
    token = random.below(2) == 0 and "a/token+of==" .. random.text(PLAIN, 20) or nil,
    unsigned = form == "headers" and random.below(4) == 0 or nil, expires = 1 + random.below(604800), chunk = 8192,
  }
end

-- The options of adt.aws.sign for a case.
local function ours(case)
  local headers = {}
  for _, header in ipairs(case.headers) do
    headers[header[1]] = headers[header[1]] or {}
    table.insert(headers[header[1]], header[2])
  end
  return {
    method = case.method, url = case.url, headers = headers, service = case.service, region = case.region,
    time = case.time, credentials = { access_key = case.access_key, secret = case.secret, token = case.token },
  }
end

local compare = {}

function compare.headers(case, theirs)
  local o = ours(case)
  if case.unsigned then o.payload = "unsigned" else o.body = case.body end
  assert.equal(theirs.canonical, sign.explain(o).canonical_request)
  assert.equal(theirs.authorization, value_of(sign.headers(o), "authorization"))
end

function compare.presign(case, theirs)
  local o = ours(case)
  o.expires = case.expires
  assert.equal(theirs.canonical, sign.explain(o).canonical_request)
  assert.equal(theirs.url:match "X%-Amz%-Signature=%x+$", sign.presign(o):match "X%-Amz%-Signature=%x+$")
end

function compare.stream(case, theirs)
  local o = ours(case)
  local body = base64.decode(theirs.body)
  o.length, o.chunk, o.payload, o.trailers = #case.body, case.chunk, "unsigned", { "x-amz-checksum-crc32" }
  o.content_length = false
  local stream <close> = sign.stream(o)
  local parts = {}
  for at = 1, #case.body, 1000 do parts[#parts + 1] = stream:chunk(case.body:sub(at, at + 999)) end
  parts[#parts + 1] = stream:finish { ["x-amz-checksum-crc32"] = body:match "\r\nx%-amz%-checksum%-crc32:([^\r]+)\r\n\r\n$"
    or body:match "^0\r\nx%-amz%-checksum%-crc32:([^\r]+)" }
  assert.equal(body, table.concat(parts))
  assert.equal(#body, stream.length)
  assert.equal(theirs.authorization, value_of(stream.headers, "authorization"))
end

describe("botocore", function()
  it("signs 500 random requests as we do", function()
    local python, why = testpython.find "botocore"
    if not python then
      pending(why)
      return
    end
    local cases = {}
    for i = 1, 500 do
      local case = a_case(i <= 300 and "headers" or i <= 450 and "presign" or "stream")
      if case.form == "stream" then
        -- What the stream adds by itself.
        for _, header in ipairs { { "Content-Encoding", "aws-chunked" }, { "X-Amz-Trailer", "x-amz-checksum-crc32" },
          { "X-Amz-Decoded-Content-Length", tostring(#case.body) } } do
          table.insert(case.headers, header)
        end
      end
      cases[i] = case
    end
    local answer = json.decode(process.run { python, "tests/lua/botocore_oracle.py", input = json.encode(cases) }.stdout)
    assert.equal(#cases, #answer)
    for i, case in ipairs(cases) do
      if case.form == "stream" then
        for _ = 1, 3 do table.remove(case.headers) end
      end
      local ok, err = pcall(compare[case.form], case, answer[i])
      assert(ok, ("case %d: %s\n%s"):format(i, json.encode(case), tostring(err)))
    end
  end)
end)

-- --- the Lua face ----------------------------------------------------------------------------------------------------

describe("signing", function()
  it("returns the headers to be sent, the host that was signed first", function()
    local headers = sign.headers(request { url = "https://EXAMPLE.amazonaws.com:443/" })
    assert.same({ name = "Host", value = "example.amazonaws.com" }, headers[1])
    assert.equal("20150830T123600Z", value_of(headers, "x-amz-date"))
    assert.matches("Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31$",
      value_of(headers, "authorization"))
    assert.is_nil(value_of(sign.headers(request { headers = { host = "example.amazonaws.com" } }), "host"))
  end)

  it("counts the clock of the server, and reads ours where no time is given", function()
    assert.equal("20150830T124600Z", value_of(sign.headers(request { clock_offset = 600 }), "x-amz-date"))
    local o = request()
    o.time = nil
    local stamp = value_of(sign.headers(o), "x-amz-date")
    local age = time.now() - time.parse(stamp:gsub("^(....)(..)(..T..)(..)(..Z)$", "%1-%2-%3:%4:%5"))
    assert.is_true(age >= 0 and age < 60)
  end)

  it("takes secrets and numbers where they may be", function()
    local plain = sign.headers(request { headers = { ["Content-Length"] = "3", ["X-Amz-K"] = "opaque value" } })
    local opaque = sign.headers(request {
      headers = { ["Content-Length"] = 3, ["X-Amz-K"] = secret.new("k", "opaque value") },
      credentials = { access_key = CREDENTIALS.access_key, secret = secret.new("secret", CREDENTIALS.secret) },
    })
    assert.same(plain, opaque)
    local both = { secret.new("k", "one value"), 2 }
    assert.same(sign.headers(request { headers = { ["X-Amz-K"] = { "one value", "2" } } }),
      sign.headers(request { headers = { ["X-Amz-K"] = both } }))
  end)

  it("by S3's rules follows from the service, or from the option", function()
    assert.equal("UNSIGNED-PAYLOAD", value_of(sign.headers(request { service = "s3", payload = "unsigned" }),
      "x-amz-content-sha256"))
    assert.is_nil(value_of(sign.headers(request { service = "s3", s3 = false }), "x-amz-content-sha256"))
    assert.matches("\n/a/%.%./b\n", sign.explain(request { s3 = true, url = "https://h/a/../b" }).canonical_request)
  end)

  it("leaves anonymous requests as they are", function()
    assert.same({}, sign.headers(request { credentials = "anonymous" }))
    assert.equal("https://h/?a", sign.presign(request { credentials = "anonymous", url = "https://h/?a" }))
    assert.equal("UnknownOption", refusal(sign.headers, request { credentials = "anonymous", nothing = 1 }).code)
    assert.equal("BadArgument", refusal(sign.explain, request { credentials = "anonymous" }).code)
    assert.equal("BadArgument", refusal(sign.stream, { url = "https://h/", credentials = "anonymous", length = 1 }).code)
  end)

  it("derives keys anew after they were forgotten", function()
    local before = sign.headers(request())
    sign.forget "AKIDEXAMPLE"
    assert.same(before, sign.headers(request()))
    sign.forget()
    assert.same(before, sign.headers(request()))
  end)

  it("refuses what it does not know, and never tells a secret", function()
    local function code(more) return refusal(sign.headers, request(more)).code end
    assert.matches("did you mean 'region'", refusal(sign.headers, request { regoin = "x" }).hint)
    assert.equal("UnknownOption", refusal(sign.headers, request { expires = 60 }).code)
    assert.equal("UnknownOption", code { credentials = { access_key = "a", secret = "b", session_token = "c" } })
    assert.equal("BadUrl", code { url = "https://user:pass@h/" })
    assert.equal("BadUrl", code { url = "h/" })
    assert.equal("AlreadySigned", code { headers = { ["X-Amz-Date"] = "x" } })
    assert.equal("BadHeader", code { headers = { ["X-A"] = "a\r\nX-B: c" } })
    assert.equal("BadArgument", code { headers = { "X-A: a" } })
    assert.equal("BadArgument", code { headers = { a = true } })
    assert.equal("BadArgument", code { body = {} })
    assert.equal("BadArgument", code { method = 7 })
    assert.equal("BadArgument", code { [1] = "GET" })
    assert.equal("BadArgument", code { credentials = "none" })
    assert.equal("BadArgument", code { s3 = "yes" })
    assert.equal("BadArgument", code { time = 1 / 0 })
    assert.equal("BadArgument", code { url = "https://h/\0" })
    assert.equal("BadArgument", code { headers = { ["a\0b"] = "c" } })
    assert.equal("BadArgument", code { headers = { a = "b\0c" } })
    assert.equal("BadArgument", code { headers = { a = io.stderr } })
    assert.equal("UnknownOption", code { length = 1 })
    assert.equal("BadArgument", refusal(sign.headers, nil).code)
    assert.equal("BadPayload", code { payload = "signed" })
    assert.equal("NoScope", refusal(sign.headers, { url = "https://h/", credentials = CREDENTIALS, region = "r" }).code)
    local expired = { access_key = "AK", secret = "s", expires = SUITE_TIME }
    assert.equal("auth", refusal(sign.headers, request { credentials = expired }).cause)
    local hidden = "the\1secret of nobody"
    for _, key in ipairs { "access_key", "secret", "token" } do
      local credentials = { access_key = "AK", secret = "secret", token = "token" }
      credentials[key] = key == "secret" and ("x"):rep(2000) .. hidden or hidden
      local err = refusal(sign.headers, request { credentials = credentials })
      assert.is_nil(tostring(err):find("nobody", 1, true))
    end
  end)
end)

describe("presigned URLs", function()
  it("keep the caller's URL and last as long as asked", function()
    local url = sign.presign(request { url = "https://example.amazonaws.com?a=b", expires = 60 })
    assert.matches("^https://example%.amazonaws%.com/%?a=b&X%-Amz%-Algorithm=.*&X%-Amz%-Expires=60&X%-Amz%-Signature=%x+$", url)
    assert.equal(sign.explain(request { url = "https://example.amazonaws.com?a=b", expires = 60 }).signature,
      url:match "Signature=(%x+)$")
    assert.equal("BadExpires", refusal(sign.presign, request { expires = 604801 }).code)
    assert.equal("BadPayload", refusal(sign.presign, request { service = "s3", body = "x" }).code)
  end)

  it("carry the token behind the signature where that is asked", function()
    local credentials = { access_key = "AK", secret = "some secret", token = "to/ken" }
    local url = sign.presign(request { credentials = credentials, token_after = true })
    assert.matches("&X%-Amz%-Signature=%x+&X%-Amz%-Security%-Token=to%%2Fken$", url)
    credentials.token = nil
    assert.equal(sign.presign(request { credentials = credentials }), (url:gsub("&X%-Amz%-Security%-Token=.*$", "")))
  end)
end)

describe("bodies in pieces", function()
  local function stream(more)
    local o = request { method = "PUT", service = "s3", length = 20000, chunk = 8192 }
    for key, value in pairs(more or {}) do o[key] = value end
    return sign.stream(o)
  end

  it("come out the same however they go in", function()
    local body, all = ("0123456789"):rep(2000), {}
    for _, step in ipairs { 1, 999, 8192, 20000 } do
      local s <close> = stream { trailers = { "x-amz-checksum-sha1", "x-amz-checksum-crc32" } }
      local parts = {}
      for at = 1, #body, step do parts[#parts + 1] = s:chunk(body:sub(at, at + step - 1)) end
      parts[#parts + 1] = s:finish { ["x-amz-checksum-sha1"] = ("A"):rep(27) .. "=", ["x-amz-checksum-crc32"] = "AAAAAA==" }
      all[#all + 1] = table.concat(parts)
      assert.equal(all[1], all[#all])
      assert.equal(s.length, #all[#all])
      assert.equal(tostring(s.length), value_of(s.headers, "content-length"))
    end
    assert.equal(4, select(2, all[1]:gsub("%x+;chunk%-signature=%x+\r\n", "")))
    assert.matches("\r\n0;chunk%-signature=%x+\r\nx%-amz%-checksum%-crc32:AAAAAA==\r\nx%-amz%-checksum%-sha1:A+=\r\n" ..
      "x%-amz%-trailer%-signature:%x+\r\n\r\n$", all[1])
  end)

  it("append their encoding to the request's own", function()
    local s <close> = stream { headers = { ["content-encoding"] = "gzip", ["Content-Length"] = "20000" } }
    assert.equal("gzip,aws-chunked", value_of(s.headers, "content-encoding"))
    assert.equal("20000", value_of(s.headers, "x-amz-decoded-content-length"))
    assert.equal("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", value_of(s.headers, "x-amz-content-sha256"))
  end)

  it("must be as long as was said, and end with what was said", function()
    local s <close> = stream { trailers = { "x-amz-checksum-crc32" } }
    assert.equal("BadLength", refusal(s.finish, s, { ["x-amz-checksum-crc32"] = "AAAAAA==" }).code)
    assert.equal("BadLength", refusal(s.chunk, s, ("x"):rep(20001)).code)
    assert.equal("", s:chunk "some")
    s:chunk(("x"):rep(19996))
    assert.equal("BadTrailer", refusal(s.finish, s).code)
    assert.equal("UnknownOption", refusal(s.finish, s, { ["x-amz-checksum-crc32"] = "AAAAAA==", other = "x" }).code)
    s:close()
    assert.equal("BadArgument", refusal(s.chunk, s, "x").code)
    assert.equal("BadTrailer", refusal(stream, { trailers = { "x-amz-checksum-crc3c" } }).code)
    assert.equal("BadStream", refusal(stream, { payload = "unsigned" }).code)
    assert.equal("BadStream", refusal(stream, { chunk = 100 }).code)
    assert.equal("BadPayload", refusal(stream, { payload = ("0"):rep(64) }).code)
    assert.equal("BadArgument", refusal(stream, { length = -1 }).code)
  end)
end)

describe("tokens for EKS", function()
  it("are what the verifier takes", function()
    local token, expires = sign.eks_token { cluster = "train", region = "eu-west-1", credentials = CREDENTIALS, time = SUITE_TIME }
    assert.equal(SUITE_TIME + 840, expires)
    local url = base64.decode(token:match "^k8s%-aws%-v1%.([%w_-]+)$")
    local query = url:match "^https://sts%.eu%-west%-1%.amazonaws%.com/%?(.*)$"
    local names = {}
    for name in query:gmatch "([^&=]+)=" do names[#names + 1] = name end
    assert.same({ "Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders",
      "X-Amz-Expires", "X-Amz-Signature" }, names)
    assert.matches("X%-Amz%-SignedHeaders=host%%3Bx%-k8s%-aws%-id&X%-Amz%-Expires=60&", query)
    assert.is_true(#token <= 4096)
  end)

  it("know the other partitions, and that a token may be too long", function()
    local function url(region)
      return base64.decode(sign.eks_token { cluster = "c", region = region, credentials = CREDENTIALS }:match "%.(.*)$")
    end
    assert.matches("^https://sts%.cn%-north%-1%.amazonaws%.com%.cn/", url "cn-north-1")
    assert.matches("^https://sts%.us%-gov%-west%-1%.amazonaws%.com/", url "us-gov-west-1")
    local long = { access_key = "AK", secret = "some secret", token = ("t"):rep(4000) }
    assert.equal("TokenTooLong", refusal(sign.eks_token, { cluster = "c", region = "r", credentials = long }).code)
    assert.equal("BadArgument", refusal(sign.eks_token, { region = "r", credentials = long }).code)
  end)
end)
