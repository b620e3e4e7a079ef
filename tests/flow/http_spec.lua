--- HTTP against a server that is strict about what it is sent and misbehaves when told to.
local http = require "adt.http"
local errors = require "adt.error"
local guard = require "adt.guard"
local hash = require "adt.hash"
local httppeer = require "httppeer"
local json = require "adt.json"
local process = require "adt.process"
local support = require "support"
local task = require "adt.task"
local time = require "adt.time"

local refusal = support.refusal
local peer

setup(function() peer = httppeer.start { tls = true } end)
teardown(function() getmetatable(peer).__close(peer) end)
after_each(httppeer.no_leaks)

local function echo(options)
  options.url = options.url or peer.url .. "/echo"
  return json.decode(http.request(options).body)
end

local function header(request, name)
  for _, h in ipairs(request.headers) do
    if h[1]:lower() == name then return h[2] end
  end
end

local function within(seconds, f, ...)
  local began = time.monotonic()
  local result = f(...)
  local took = time.monotonic() - began
  assert.is_true(took < seconds, ("it took %g s"):format(took))
  return result
end

describe("a request", function()
  it("is GET, with our name and no more headers than it needs", function()
    local r = http.get(peer.url .. "/echo?a=1&b=%20")
    assert.same({ 200, "OK", true, "1.1", "127.0.0.1", 0 }, { r.status, r.reason, r.ok, r.version, r.address, r.redirects })
    local seen = json.decode(r.body)
    assert.same({ "GET", "/echo?a=1&b=%20", 0 }, { seen.method, seen.target, seen.size })
    local names = {}
    for i, h in ipairs(seen.headers) do names[i] = h[1] end
    assert.same({ "Host", "User-Agent", "Accept" }, names)
    assert.matches("^adtlua/%d", header(seen, "user-agent"))
    assert.same({ #r.body, 0, peer.url .. "/echo?a=1&b=%20" }, { r.received, r.sent, r.url })
  end)

  it("carries the headers that it is given: lists, numbers, empty ones, secrets", function()
    local secret = require("adt.secret").new("token", "a-very-secret-token")
    local seen = echo { headers = { ["X-B"] = { "1", "2" }, ["x-a"] = 7, Empty = "", Authorization = secret } }
    local got = {}
    for i = 4, #seen.headers do got[#got + 1] = table.concat(seen.headers[i], "=") end
    assert.same({ "Authorization=a-very-secret-token", "Empty=", "X-B=1", "X-B=2", "x-a=7" }, got)
    require("adt.c.secret").forget()
  end)

  it("has any method, and a length where the method needs one", function()
    for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND" } do
      local seen = echo { method = method }
      local needs = method == "POST" or method == "PUT" or method == "PATCH"
      assert.same({ method, needs and "0" or nil }, { seen.method, header(seen, "content-length") })
    end
    local r = http.request { url = peer.url .. "/echo", method = "HEAD" }
    assert.same({ 200, "", "strict" }, { r.status, r.body, r.headers["x-server"] })
  end)

  it("sends a body from memory, of any bytes", function()
    local body = ("\0\r\n\xff"):rep(2000000)
    for _, method in ipairs { "POST", "PUT", "DELETE" } do
      local seen = echo { method = method, body = body }
      assert.same({ method, #body, hash.sha256(body) }, { seen.method, seen.size, seen.sha256 })
    end
    assert.same({ "POST", "small", "5" }, (function()
      local seen = echo { body = "small" }
      return { seen.method, seen.body, header(seen, "content-length") }
    end)())
    assert.is_nil(header(echo { body = "small" }, "expect"))
  end)

  it("sends a file without reading it into memory", function()
    local dir <close> = support.tempdir()
    process.run { "sh", "-c", "head -c 50000000 /dev/urandom >" .. support.quote(dir / "in") }
    local seen = echo { method = "PUT", body = { file = dir / "in" } }
    assert.same({ 50000000, hash.sha256_file(dir / "in") }, { seen.size, seen.sha256 })
  end)

  it("sends what a function gives, chunked or of a known size; the function may wait", function()
    local function source(count, piece)
      return function()
        task.sleep(0.001)
        count = count - 1
        return count >= 0 and piece or nil
      end
    end
    local seen = echo { body = source(10, "ten bytes.") }
    assert.same({ 100, "chunked" }, { seen.size, header(seen, "transfer-encoding") })
    seen = echo { body = source(3, ("x"):rep(3000000)), body_size = 9000000 }
    assert.same({ 9000000, "9000000" }, { seen.size, header(seen, "content-length") })
    assert.equal(0, echo({ body = source(0) }).size)
  end)

  it("ends when the function fails, gives too little or what is no string", function()
    local err = refusal(http.request, { url = peer.url .. "/echo", body = function()
      errors.raise { cause = "node", message = "the disk is gone" }
    end })
    assert.equal("the disk is gone", err.message)
    err = refusal(http.request, { url = peer.url .. "/echo", body_size = 10, body = (function()
      local n = 0
      return function() n = n + 1 return n == 1 and "short" or nil end
    end)() })
    assert.same({ "usage", "BodyTooShort" }, { err.cause, err.code })
    assert.equal("usage", refusal(http.request, { url = peer.url .. "/echo", body = function() return {} end }).cause)
  end)

  it("hears an answer that comes before its body is sent", function()
    local r = within(5, http.request, { url = peer.url .. "/early", body = ("x"):rep(20000000) })
    assert.equal(413, r.status)
  end)

  it("sends neither cookies nor what ~/.netrc holds", function()
    local home = process.env "HOME"
    support.write(home .. "/.netrc", "machine 127.0.0.1 login joe password secret\ndefault login joe password secret\n")
    finally(function() os.remove(home .. "/.netrc") end)
    assert.is_nil(header(echo {}, "authorization"))
    assert.is_nil(header(echo {}, "cookie"))
  end)

  it("keeps dots in the path as they are", function()
    assert.equal(404, http.get(peer.url .. "/a/../echo").status)
  end)
end)

describe("misuse", function()
  it("is a usage error that names the option", function()
    local cases = {
      { { url = peer.url, tiemout = 1 }, "unknown option 'tiemout'" },
      { {}, "url says what" },
      { { url = peer.url, timeout = { conect = 1 } }, "conect" },
      { { url = peer.url, timeout = -1 }, "above 0" },
      { { url = peer.url, headers = { "x" } }, "names to values" },
      { { url = peer.url, headers = { A = {} , B = true } }, "the header 'B'" },
      { { url = peer.url, headers = { A = "x\r\nEvil: 1" } }, "line break" },
      { { url = peer.url, headers = { ["A B"] = "x" } }, "its name is none" },
      { { url = peer.url, headers = { ["Content-Length"] = 3 } }, "follows from the body" },
      { { url = peer.url, method = "GET / HTTP" }, "the method" },
      { { url = peer.url, method = "CONNECT" }, "the method" },
      { { url = peer.url, body = 5 }, "body must be" },
      { { url = peer.url, body = { path = "x" } }, "unknown option 'path'" },
      { { url = peer.url, body_size = 5 }, "body_size" },
      { { url = peer.url, http = "3" }, "must be \"1.1\" or \"2\"" },
      { { url = peer.url, http = "2" }, "https only" },
      { { url = peer.url, proxy = true }, "proxy" },
      { { url = peer.url, max_body = 0 }, "max_body" },
      { { url = "ftp://localhost/" }, "http:// or https://" },
      { { url = "localhost/x" }, "can be requested" },
      { { url = "http://a b/" }, "can be requested" },
      { { url = "file:///etc/passwd" }, "http:// or https://" },
    }
    for _, case in ipairs(cases) do
      local err = refusal(http.request, case[1])
      assert.equal("usage", err.cause, tostring(err))
      assert.is_true(tostring(err):find(case[2], 1, true) ~= nil, tostring(err))
    end
  end)

  it("of a URL with a password tells nobody the password", function()
    local err = refusal(http.get, "http://joe:hunter22@127.0.0.1/?sig=abcdef")
    assert.equal("usage", err.cause)
    assert.is_nil((tostring(err) .. (err.where or "")):find("hunter22", 1, true))
  end)
end)

describe("a response", function()
  it("has its headers in order, looked up in any case, the last head's and the trailer's", function()
    local r = http.get(peer.url .. "/interim")
    assert.same({ "ok", "a, b", "t", nil }, { r.body, r.headers["X-TWO"], r.headers["x-trailer"], r.headers.link })
    assert.same({ name = "x-two", value = "b" }, r.headers[2])
    assert.equal("one two", http.get(peer.url .. "/malformed?kind=fold").headers["x-long"])
  end)

  it("is a value whatever its status; check makes it an error", function()
    for _, code in ipairs { 204, 301, 304, 400, 404, 500, 503 } do
      assert.equal(code, http.get(peer.url .. "/status?code=" .. code).status)
    end
    local function failure(code, options)
      options = options or {}
      options.check = true
      return refusal(http.get, peer.url .. "/status?code=" .. code .. "&sig=hunter22", options)
    end
    local err = failure(404)
    assert.same({ "service", "HTTP404", 404, false }, { err.cause, err.code, err.status, err.retryable })
    assert.equal(peer.url .. "/status", err.where)
    assert.same({ "auth", "auth" }, { failure(401).cause, failure(403).cause })
    assert.same({ true, true, true }, { failure(500).retryable, failure(503).retryable, failure(429).retryable })
    assert.is_false(failure(500, { method = "POST" }).retryable)
    assert.equal(200, http.get(peer.url .. "/echo", { check = true }).status)
  end)

  it("tells how long each part took", function()
    local t = http.get(peer.url .. "/slow?first=0.05&gap=0.05&count=2").timing
    assert.is_true(t.first >= 0.05 and t.first < t.total and t.total >= 0.15 and t.total < 3, json.encode(t))
  end)

  it("is uncompressed when asked for", function()
    assert.equal("\31\139", http.get(peer.url .. "/gzip?size=100").body:sub(1, 2))
    assert.equal(("\0"):rep(100), http.get(peer.url .. "/gzip?size=100", { compressed = true }).body)
  end)
end)

describe("connections", function()
  local function count() return tonumber(http.get(peer.url .. "/connections").body) end

  it("are kept and used again", function()
    local before = count()
    for i = 1, 50 do
      assert.is_true(http.get(peer.url .. "/echo").reused, "request " .. i)
    end
    echo { body = ("x"):rep(100000) }
    http.get(peer.url .. "/status?code=500")
    assert.equal(before, count())
  end)

  it("over a UNIX socket are kept, too, and are none over TCP", function()
    local first = echo { url = "http://localhost/echo", unix = peer.unix }
    local second = echo { url = "http://localhost/echo", unix = peer.unix, body = "x" }
    assert.same({ first.connection, first.request + 1 }, { second.connection, second.request })
    assert.equal("localhost", header(second, "host"))
    assert.not_equal(first.connection, echo({}).connection)
  end)

  it("are as many as requests at the same time, and then stay", function()
    local before = count()
    local results = task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function() return http.get(peer.url .. "/slow?first=0.1").body end)
    assert.equal("xxxxxxxx", table.concat(results))
    local after = count()
    assert.is_true(after - before <= 8)
    task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function() return http.get(peer.url .. "/slow?first=0.1").body end)
    assert.equal(after, count())
  end)

  it("that break under a request have it sent again only if that does no harm", function()
    local own <close> = httppeer.start() -- where only one connection is kept
    local function lost(id, options)
      echo { url = own.url .. "/echo" }
      options.url = own.url .. "/lost?id=" .. id
      return errors.try(http.request, options)
    end
    local function seen(id) return http.get(own.url .. "/seen?id=" .. id).body end
    assert.equal("first", lost("get", {}).body)
    local r, err = lost("post", { body = "x" })
    assert.is_nil(r)
    assert.same({ "service", false }, { err.cause, err.retryable })
    assert.matches("may have been carried out", err.hint)
    assert.equal("1", seen "post")
    assert.equal("first", lost("again", { body = "x", idempotent = true }).body)
    assert.equal("2", seen "again")
    r, err = lost("empty", { method = "POST" })
    assert.is_nil(r)
    assert.equal("service", err.cause)
    assert.equal("1", seen "empty")
  end)
end)

describe("a failure", function()
  it("says whose fault it was, where, and whether to try again", function()
    local dead = peer.url:gsub("%d+$", require("adt.c.net").free_port())
    local cases = {
      { { url = dead .. "/x?sig=hunter22" }, "service", "CouldNotConnect", true },
      { { url = dead .. "/x?sig=hunter22", body = "x" }, "service", "CouldNotConnect", true },
      { { url = "http://localhost/x?sig=hunter22", unix = "/nowhere/sock" }, "service", "CouldNotConnect", true },
      { { url = "http://no-such-host.invalid/x?sig=hunter22" }, "service", "CouldNotResolveHost", true },
      { { url = peer.other .. "/cut?how=nothing&sig=hunter22" }, "service", "GotNothing", true },
      { { url = peer.other .. "/cut?how=reset&sig=hunter22" }, "service", "RecvError", true },
      { { url = peer.other .. "/cut?how=length&sig=hunter22" }, "service", "PartialBody", true },
      { { url = peer.other .. "/cut?how=chunk&sig=hunter22" }, "service", "PartialBody", true },
      { { url = peer.other .. "/cut?how=nothing&sig=hunter22", body = "x" }, "service", "GotNothing", false },
      { { url = peer.other .. "/malformed?kind=ssh&sig=hunter22" }, "service", "WeirdServerReply", false },
      { { url = peer.other .. "/malformed?kind=zero&sig=hunter22" }, "service", "WeirdServerReply", false },
      { { url = peer.other .. "/malformed?kind=gzip&sig=hunter22", compressed = true }, "service", "BadContentEncoding", false },
    }
    for i, case in ipairs(cases) do
      local err = within(5, refusal, http.request, case[1])
      assert.same({ case[2], case[3], case[4] }, { err.cause, err.code, err.retryable }, i .. ": " .. tostring(err))
      assert.equal(case[1].url:match "^[^?]*", err.where)
      assert.is_nil((tostring(err) .. err.message):find("hunter22", 1, true))
    end
    for _, kind in ipairs { "status", "length", "chunk" } do
      assert.equal("service", within(5, refusal, http.get, peer.other .. "/malformed?kind=" .. kind).cause)
    end
  end)

  it("of TLS is one of the configuration, with libcurl's words and what to do", function()
    local err = refusal(http.get, peer.tls .. "/echo")
    assert.same({ "config", "PeerFailedVerification", false }, { err.cause, err.code, err.retryable })
    assert.matches("self.signed", err.message)
    assert.matches("ca names a file", err.hint)
    err = refusal(http.get, peer.tls:gsub("localhost", "127.0.0.1") .. "/echo", { ca = peer.ca })
    assert.equal("PeerFailedVerification", err.code)
    err = refusal(http.get, peer.tls .. "/echo", { ca = "/nowhere/ca.pem" })
    assert.same({ "config", "BadCaFile" }, { err.cause, err.code })
    err = refusal(http.get, (peer.url:gsub("^http", "https")) .. "/echo", { timeout = 1 })
    assert.is_true(err.cause == "config" or err.cause == "service" or err.cause == "timeout", tostring(err))
  end)

  it("where there is no libcurl names the package, and the program starts all the same", function()
    local dir <close> = support.tempdir()
    support.write(dir / "libcurl.so.4", "no library")
    local r = support.adtlua { "-e", [[
      local r, err = require("adt.error").try(require("adt.http").get, "http://127.0.0.1/")
      print(r, err.cause, err.code, err.hint)]], env = { LD_LIBRARY_PATH = tostring(dir) } }
    assert.same({ 0, "" }, { r.code, r.stderr })
    assert.matches("^nil\tconfig\tNoLibcurl\t.*apt%-get install libcurl4", r.stdout)
  end)
end)

describe("TLS", function()
  it("is checked against the authority that is named, or not at all when told so", function()
    local r = http.get(peer.tls .. "/echo", { ca = peer.ca })
    assert.same({ 200, "1.1", true }, { r.status, r.version, r.timing.tls > 0 })
    assert.is_true(http.get(peer.tls .. "/echo", { ca = peer.ca }).reused)
    assert.equal(200, http.get(peer.tls .. "/echo", { insecure = true }).status)
    assert.equal("config", refusal(http.get, peer.tls .. "/echo").cause, "a kept connection is none for who checks")
  end)

  it("carries HTTP/2: many requests at once over one connection", function()
    local first = http.get(peer.h2 .. "/", { ca = peer.ca })
    assert.same({ 200, "2", "" }, { first.status, first.version, first.reason })
    local number = first.body:match "connection (%d+)$"
    local bodies = task.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, function(i)
      return http.request({ url = peer.h2 .. "/", ca = peer.ca, body = i % 2 == 0 and "body" or nil }).body
    end)
    local streams = {}
    for _, body in ipairs(bodies) do
      assert.equal(number, body:match "connection (%d+)$")
      streams[body] = true
    end
    assert.equal(10, (function() local n = 0 for _ in pairs(streams) do n = n + 1 end return n end)())
  end)

  it("tells when HTTP/2 was demanded and is not there; 1.1 can be demanded, too", function()
    local err = refusal(http.get, peer.tls .. "/echo", { ca = peer.ca, http = "2" })
    assert.same({ "config", "NoHttp2" }, { err.cause, err.code })
    assert.equal("2", http.get(peer.h2 .. "/", { ca = peer.ca, http = "2" }).version)
    assert.equal("1.1", http.get(peer.tls .. "/echo", { ca = peer.ca, http = "1.1" }).version)
  end)
end)

describe("a proxy", function()
  local target = "http://far.invalid/x"
  it("is used when it is named", function()
    local seen = json.decode(http.get("http://far.invalid/echo", { proxy = peer.url }).body)
    assert.equal("http://far.invalid/echo", seen.target)
  end)

  it("comes from the environment, as curl has it, unless told otherwise", function()
    local old = process.env "http_proxy"
    finally(function() process.setenv("http_proxy", old) process.setenv("no_proxy", nil) end)
    process.setenv("http_proxy", peer.url)
    assert.equal(404, http.get(target).status)
    assert.equal("CouldNotResolveHost", refusal(http.get, target, { proxy = false }).code)
    process.setenv("no_proxy", "far.invalid")
    assert.equal("CouldNotResolveHost", refusal(http.get, target).code)
    assert.equal(200, http.get("http://localhost/echo", { unix = peer.unix }).status)
  end)

  it("that refuses a tunnel is the service's fault, and its password stays ours", function()
    local err = refusal(http.get, "https://far.invalid/", { proxy = peer.url:gsub("//", "//joe:hunter22@") })
    assert.equal("service", err.cause)
    assert.is_nil((tostring(err)):find("hunter22", 1, true))
    err = refusal(http.get, "http://far.invalid/", { proxy = "http://joe:hunter22@bad host:x" })
    assert.is_nil((tostring(err)):find("hunter22", 1, true))
  end)
end)

describe("redirects", function()
  local function redirect(to, status, from)
    return (from or peer.url) .. "/redirect?status=" .. (status or 302) .. "&to=" .. to:gsub("[^%w]", function(c)
      return ("%%%02x"):format(c:byte())
    end)
  end

  it("are not followed unless asked for, and then so many at most", function()
    local r = http.get(redirect "/echo")
    assert.same({ 302, "/echo", "elsewhere", 0 }, { r.status, r.headers.location, r.body, r.redirects })
    r = http.get(redirect "/echo?a=1", { follow = 1 })
    assert.same({ 200, peer.url .. "/echo?a=1", 1 }, { r.status, r.url, r.redirects })
    local twice = redirect(redirect("/echo", 302, ""))
    assert.equal(302, http.get(twice, { follow = 1 }).status)
    assert.equal(200, http.get(twice, { follow = 2 }).status)
  end)

  it("keep the method and body or not, as the status says", function()
    for _, case in ipairs { { 301, "GET", 0 }, { 302, "GET", 0 }, { 303, "GET", 0 }, { 307, "POST", 4 }, { 308, "POST", 4 } } do
      local seen = echo { url = redirect("/echo", case[1]), body = "body", follow = 1, headers = { ["Content-Type"] = "a/b" } }
      assert.same({ case[2], case[3], case[3] > 0 and "a/b" or nil }, { seen.method, seen.size, header(seen, "content-type") })
    end
    assert.equal("PUT", echo({ url = redirect("/echo", 301), method = "PUT", body = "x", follow = 1 }).method)
    local err = refusal(http.request, { url = redirect("/echo", 307), follow = 1, body = function() return nil end })
    assert.equal("CannotRepeat", err.code)
  end)

  it("take no token to another host or port, and never from https to http", function()
    local headers = { Authorization = "Bearer x", ["X-Amz-Security-Token"] = "x", ["X-SLURM-USER-TOKEN"] = "x", Cookie = "x",
      Accept = "a/b", ["X-Any"] = "x" }
    local here = echo { url = redirect "/echo", headers = headers, follow = 1 }
    assert.same({ "Bearer x", "x", "a/b" }, { header(here, "authorization"), header(here, "x-any"), header(here, "accept") })
    local there = echo { url = redirect(peer.other .. "/echo"), headers = headers, follow = 1 }
    local names = {}
    for i, h in ipairs(there.headers) do names[i] = h[1] end
    assert.same({ "Host", "User-Agent", "Accept" }, names)
    local err = refusal(http.get, redirect(peer.url .. "/echo", 302, peer.tls), { ca = peer.ca, follow = 1 })
    assert.equal("InsecureRedirect", err.code)
    assert.equal("BadRedirect", refusal(http.get, redirect "file:///etc/passwd", { follow = 1 }).code)
  end)
end)

describe("limits", function()
  it("of time end a request, each by its own name", function()
    local cases = {
      { { url = peer.deaf .. "/", timeout = { connect = 0.2 } }, "ConnectTimeout" },
      { { url = peer.url .. "/slow?first=10", timeout = { first = 0.2 } }, "FirstByteTimeout" },
      { { url = peer.url .. "/slow?gap=10", timeout = { idle = 0.2 } }, "IdleTimeout" },
      { { url = peer.url .. "/slow?gap=0.05&count=1000", timeout = 0.3 }, "TotalTimeout" },
      { { url = peer.url .. "/stall", body = ("x"):rep(50000000), timeout = { idle = 0.3 } }, "IdleTimeout" },
    }
    for _, case in ipairs(cases) do
      local err = within(5, refusal, http.request, case[1])
      assert.same({ "timeout", case[2], case[1].body == nil }, { err.cause, err.code, err.retryable }, tostring(err))
    end
    assert.equal("xxxxx", http.get(peer.url .. "/slow?gap=0.1&count=5", { timeout = { idle = 0.4, first = 0.4 } }).body)
  end)

  it("of time do not count while it is us who dawdle", function()
    local n = 0
    local seen = echo { timeout = { idle = 0.15, first = 5 }, body = function()
      n = n + 1
      task.sleep(0.3)
      return n < 3 and "piece" or nil
    end }
    assert.equal(10, seen.size)
    local total = 0
    http.request { url = peer.url .. "/big?size=20000000", timeout = { idle = 0.15 }, to = function(bytes)
      if total == 0 then task.sleep(0.5) end
      total = total + #bytes
    end }
    assert.equal(20000000, total)
  end)

  it("of size end a request whose head or body is larger", function()
    assert.equal(200, http.get(peer.url .. "/heads?count=500&size=100").status)
    for _, query in ipairs { "count=20000&size=10", "count=5&size=90000" } do
      local err = refusal(http.get, peer.url .. "/heads?" .. query)
      assert.same({ "service", "HeadTooLarge" }, { err.cause, err.code })
    end
    local err = refusal(http.get, peer.url .. "/big?size=1001", { max_body = 1000 })
    assert.same({ "service", "BodyTooLarge", false }, { err.cause, err.code, err.retryable })
    assert.equal(1000, #http.get(peer.url .. "/big?size=1000", { max_body = 1000 }).body)
    assert.equal("BodyTooLarge", refusal(http.get, peer.url .. "/big?size=70000000").code)
    assert.equal("BodyTooLarge", refusal(http.get, peer.url .. "/gzip?size=80000000", { compressed = true }).code)
    assert.equal("BodyTooLarge", refusal(http.request, { url = peer.url .. "/big?size=2000", max_body = 1000, to = print }).code)
  end)
end)

describe("a body that goes elsewhere", function()
  -- What /big sends.
  local function all_bytes(n)
    local row = {}
    for i = 0, 255 do row[i + 1] = string.char(i) end
    return table.concat(row):rep(n // 256 + 1):sub(1, n)
  end

  it("into a file is there when it is complete, and not before", function()
    local dir <close> = support.tempdir()
    local to = { file = dir / "out", mode = tonumber("640", 8) }
    local r = http.request { url = peer.url .. "/big?size=3000000", to = to }
    assert.same({ 200, nil, 3000000 }, { r.status, r.body, r.received })
    local fs = require "adt.fs"
    assert.is_true(fs.read(dir / "out") == all_bytes(3000000))
    assert.same({ 3000000, tonumber("640", 8) }, { fs.stat(dir / "out").size, fs.stat(dir / "out").mode & 511 })
    for _, how in ipairs { "length", "chunk", "head", "nothing", "reset" } do
      refusal(http.request, { url = peer.other .. "/cut?how=" .. how, to = { file = dir / "none" } })
    end
    assert.equal(404, http.request({ url = peer.url .. "/nothing", to = { file = dir / "none" } }).status)
    assert.equal("no such page", http.request({ url = peer.url .. "/nothing", to = { file = dir / "none" } }).body)
    refusal(http.request, { url = peer.url .. "/status?code=500", to = { file = dir / "none" }, check = true })
    task.race {
      function() http.request { url = peer.url .. "/slow?gap=0.1&count=100", to = { file = dir / "none" } } end,
      function() task.sleep(0.2) end,
    }
    assert.same({ "out" }, fs.list(tostring(dir)))
    local err = refusal(http.request, { url = peer.url .. "/echo", to = { file = dir / "no" .. "/such/folder" } })
    assert.equal("usage", err.cause)
  end)

  it("into a file that cannot take it is an error of this machine", function()
    if not require("adt.fs").exists "/dev/full" then pending "needs /dev/full" end
    local file <close> = require("adt.file").open("/dev/full", "w")
    local c = require "adt.c.http"
    local handle <close> = c.start { url = peer.url .. "/big?size=100000", to = file.c, connect = 5 }
    local ok, err = handle:wait "end"
    assert.is_nil(ok)
    assert.same({ "quota", "ENOSPC" }, { err.cause, err.code })
  end)

  it("to a function comes in pieces; an error of the function ends the request", function()
    local pieces, size = {}, 0
    local r = http.request { url = peer.url .. "/big?size=5000000&chunked=1", to = function(bytes)
      size = size + #bytes
      pieces[#pieces + 1] = bytes
    end }
    assert.same({ 5000000, nil }, { size, r.body })
    assert.is_true(table.concat(pieces) == all_bytes(5000000))
    local err = refusal(http.request, { url = peer.url .. "/big?size=5000000", to = function()
      errors.raise { cause = "node", message = "enough" }
    end })
    assert.equal("enough", err.message)
    assert.equal("no such page", http.request({ url = peer.url .. "/nothing", to = error }).body)
  end)

  it("is not taken from the network faster than it is read, and needs little memory", function()
    local r = support.adtlua { "-", stdin = [[
      local http, task = require "adt.http", require "adt.task"
      local url = ...
      local function rss()
        local file <close> = io.open "/proc/self/status"
        return tonumber(file:read("a"):match "VmHWM:%s+(%d+)") / 1024
      end
      http.get(url .. "/connections")
      local before, size, taken = rss(), 0, nil
      http.request { url = url .. "/big?size=268435456", to = function(bytes)
        if not taken then
          task.sleep(0.5)
          taken = tonumber(http.get(url .. "/taken").body)
        end
        size = size + #bytes
      end }
      print(size, taken < 32 * 1024 * 1024, rss() - before < 24)
      size = 0
      local stream <close> = http.open { url = url .. "/big?size=268435456&chunked=1" }
      for bytes in stream:chunks() do size = size + #bytes end
      print(size, stream.status, rss() - before < 24)
      ]], peer.url }
    assert.same({ 0, "", "268435456\ttrue\ttrue\n268435456\t200\ttrue\n" }, { r.code, r.stderr, r.stdout })
  end)

  it("is read as it comes, and left when enough was read", function()
    local pieces = {}
    do
      local stream <close> = http.open { url = peer.url .. "/slow?gap=0.05&count=100" }
      assert.same({ 200, "100" }, { stream.status, stream.headers["content-length"] })
      for bytes in stream:chunks() do
        pieces[#pieces + 1] = bytes
        if #pieces == 3 then break end
      end
    end
    assert.same({ "x", "x", "x" }, pieces)
    local stream <close> = http.open { url = peer.url .. "/echo", body = "x" }
    assert.equal("POST", json.decode(stream:read()).method)
    assert.same({ nil, nil }, { stream:read(), stream:read() })
    assert.is_true(stream.timing.total > 0)
    assert.equal("usage", refusal(http.open, { url = peer.url, to = print }).cause)
    assert.equal("HTTP404", refusal(http.open, { url = peer.url .. "/nothing", check = true }).code)
  end)
end)

describe("while a plan is made", function()
  it("what asks is sent, what changes is refused unless it is read_only", function()
    guard.planning(function()
      assert.equal(200, http.get(peer.url .. "/echo").status)
      assert.equal("GET", http.request({ url = peer.url .. "/redirect?to=/status%3fcode=200", follow = 1 }).ok and "GET")
      local err = refusal(http.request, { url = peer.url .. "/echo", body = "x" })
      assert.same({ "usage", "WriteInPlan" }, { err.cause, err.code })
      assert.equal("WriteInPlan", refusal(http.request, { url = peer.url .. "/echo", method = "DELETE" }).code)
      assert.equal("WriteInPlan", refusal(http.open, { url = peer.url .. "/echo", method = "PUT" }).code)
      assert.equal(200, http.request({ url = peer.url .. "/echo", body = "x", read_only = true }).status)
      assert.equal("WriteInPlan", refusal(http.request, { url = peer.url .. "/echo", to = { file = "/tmp/never" } }).code)
    end)
  end)
end)
