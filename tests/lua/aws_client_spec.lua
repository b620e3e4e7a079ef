--- Clients of AWS against the strict fake of tests/peers/aws: calls, and every way in which they go wrong.
local aws = require "adt.aws"
local awspeer = require "awspeer"
local csecret = require "adt.c.secret"
local errors = require "adt.error"
local guard = require "adt.guard"
local json = require "adt.json"
local support = require "support"
local task = require "adt.task"
local time = require "adt.time"

local why = awspeer.missing()
local peer

setup(function() peer = not why and awspeer.start { tls = true } end)
teardown(function() if peer then peer:__close() end end)
before_each(function()
  if why then pending(why) else peer:reset() end
end)
after_each(function() if peer then awspeer.no_leaks() end end)

-- A client that does not wait between attempts.
local function client(service, options)
  local o = { region = "us-east-1", endpoint = peer.url, credentials = peer.keys }
  for key, value in pairs(options or {}) do o[key] = value end
  local made = aws.client(service, o)
  made.retries.random = function() return 0 end
  return made
end

local function last()
  local log = peer:log()
  return log[#log], #log
end

-- The error of a call, and how many requests it has cost.
local function failing(f, ...)
  local before = #peer:log()
  local result, err = errors.try(f, ...)
  assert.is_nil(result)
  return err, #peer:log() - before
end

describe("a call", function()
  it("is signed, sent and read, in every protocol", function()
    assert.equal("123456789012", client("sts"):GetCallerIdentity().Account)
    assert.is_table(client("ec2"):DescribeSubnets({}).Subnets)
    assert.is_table(client("ssm"):DescribeParameters({}).Parameters)
    assert.is_table(client("eks"):ListClusters({}).clusters)
    assert.is_table(client("s3"):ListBuckets({}).Buckets)
    for _, request in ipairs(peer:log()) do
      assert.is_true(request.verified, request.why)
    end
  end)

  it("gives its answer alone to adt.try, and the response behind it to who uses call()", function()
    local ec2 = client "ec2"
    local values = table.pack(errors.try(ec2.DescribeSubnets, ec2, {}))
    assert.same({ 1, nil }, { values.n, values[2] })
    assert.equal(200, select(2, ec2:call("DescribeSubnets", {})).status)
  end)

  it("is known to change nothing by its method and its verb", function()
    for service, cases in pairs {
      ec2 = { DescribeSubnets = true, CreateVpc = false, GetConsoleOutput = true, ModifyVpcAttribute = false },
      s3 = { PutObject = false, HeadObject = true, ListObjectsV2 = true, DeleteObjects = false },
      sts = { AssumeRole = true, GetCallerIdentity = true }, ecr = { BatchGetImage = true, BatchDeleteImage = false },
      logs = { FilterLogEvents = true }, eks = { CreateCluster = false },
    } do
      for name, reads in pairs(cases) do
        assert.equal(reads, client(service):plan(name).info.read_only, name)
      end
    end
  end)

  it("tells who it is, and which attempt this is", function()
    local ec2 = client "ec2"
    peer:control { fault = "throttle", count = 1 }
    local result, response = ec2:call("DescribeSubnets", {})
    assert.is_table(result.Subnets)
    assert.equal(200, response.status)
    local log = peer:log()
    local function header(request, name)
      for key, value in pairs(request.headers) do
        if type(value) == "table" then key, value = value[1], value[2] end
        if key:lower() == name then return value end
      end
    end
    assert.equal(2, #log)
    assert.equal("attempt=1; max=10", header(log[1], "amz-sdk-request"))
    assert.equal("attempt=2; max=10", header(log[2], "amz-sdk-request"))
    assert.equal(header(log[1], "amz-sdk-invocation-id"), header(log[2], "amz-sdk-invocation-id"))
    assert.truthy(header(log[1], "user-agent"):match "^adtlua/%d")
  end)

  it("names the nearest operation, member and option when one is misspelt", function()
    local ec2 = client "ec2"
    local err, sent = failing(function() return ec2:DescribeSubnet {} end)
    assert.same({ "usage", "UnknownOperation" }, { err.cause, err.code })
    assert.truthy((err.hint):find "DescribeSubnets")
    assert.truthy(failing(function() return ec2:describe_subnets {} end).hint:find "DescribeSubnets")
    err = failing(ec2.call, ec2, "DescribeSubnets", { Filtres = {} })
    assert.same({ "usage", "UnknownMember", "did you mean 'Filters'?" }, { err.cause, err.code, err.hint })
    assert.equal("did you mean 'timeout'?", failing(ec2.call, ec2, "DescribeSubnets", {}, { timeuot = 1 }).hint)
    assert.equal("did you mean 'region'?", failing(aws.client, "ec2", { regoin = "x" }).hint)
    assert.truthy(failing(aws.client, "ec", {}).hint:find "ec2")
    assert.equal(0, sent)
  end)

  it("refuses to change anything while a plan is made, and reads then", function()
    local ec2 = client "ec2"
    guard.planning(function()
      assert.is_table(ec2:DescribeSubnets({}).Subnets)
      local err = failing(ec2.call, ec2, "DeleteSubnet", { SubnetId = "subnet-1" })
      assert.same({ "usage", "WriteInPlan" }, { err.cause, err.code })
      assert.is_string((client("s3"):presign("PutObject", { Bucket = "box", Key = "k" })))
    end)
  end)

  it("ends at once when it is cancelled, in a request or between two", function()
    local ec2 = aws.client("ec2", { region = "us-east-1", endpoint = peer.url, credentials = peer.keys })
    for _, fault in ipairs { { fault = "silence", seconds = 30 }, { fault = "throttle" } } do
      peer:control(fault)
      ec2.retries.random = function() return 1 end
      local began = time.monotonic()
      local ended = task.race {
        function() ec2:DescribeSubnets {} return "answered" end,
        function() task.sleep(0.2) return "cancelled" end,
      }
      assert.equal("cancelled", ended)
      assert.is_true(time.monotonic() - began < 2)
      peer:reset()
    end
  end)
end)

describe("pages and waiters", function()
  it("iterate over all that there is", function()
    local count, pages = 0, 0
    local ec2 = client "ec2"
    peer:control { services = { items = 25 } }
    for page in ec2:pages("DescribeInstances", { MaxResults = 10 }) do
      pages = pages + 1
      for _, reservation in ipairs(page.Reservations) do count = count + #reservation.Instances end
    end
    assert.same({ 3, 25 }, { pages, count })
    local items = 0
    for _ in ec2:items("DescribeInstances", { MaxResults = 10 }, { key = "Reservations[].Instances[]" }) do items = items + 1 end
    assert.equal(count, items)
  end)

  it("name the nearest where there is none", function()
    local ec2 = client "ec2"
    assert.equal("NotPaged", failing(ec2.pages, ec2, "DeleteSubnet").code)
    local err = failing(ec2.wait, ec2, "InstanceRuning", {})
    assert.equal("UnknownWaiter", err.code)
    assert.truthy(err.hint:find "InstanceRunning")
  end)
end)

describe("faults", function()
  it("that pass are not seen: throttling, bursts of 5xx, resets, HTML, cut answers", function()
    local ec2, ssm = client "ec2", client "ssm"
    local faults = {
      { fault = "throttle", count = 4 }, { fault = "status", status = 503, html = true, count = 3 },
      { fault = "error", status = 500, count = 5 }, { fault = "reset", count = 3 }, { fault = "hangup", when = "after", count = 2 },
      { fault = "html", count = 2 }, { fault = "truncate", count = 2 }, { fault = "cut", count = 2 },
      { fault = "status", status = 502, count = 1 },
    }
    for _, fault in ipairs(faults) do
      for _, call in ipairs { function() return ec2:DescribeSubnets({}).Subnets end, function() return ssm:DescribeParameters({}).Parameters end } do
        peer:reset()
        peer:control(fault)
        assert.is_table(call())
        assert.equal(fault.count + 1, #peer:log(), json.encode(fault))
      end
    end
  end)

  it("that stay end as one error, with what to do", function()
    local ec2 = client("ec2", { retry = { mode = "standard" } })
    peer:control { fault = "throttle" }
    local err, sent = failing(ec2.call, ec2, "DescribeSubnets", {})
    assert.same({ "service", "RequestLimitExceeded", true, 3, 3, 503 },
      { err.cause, err.code, err.retryable, err.attempts, sent, err.status })
    assert.equal("ec2 DescribeSubnets: Request limit exceeded. (after 3 attempts)", err.message)
    assert.equal(peer.url, err.where)
    assert.truthy(err.hint:find "adaptive")
    assert.is_string(err.request_id)
  end)

  it("wait as long as the service asks, if it asks for little", function()
    local ssm = client "ssm"
    peer:control { fault = "throttle", retry_after = 300, count = 1 }
    local began = time.monotonic()
    ssm:DescribeParameters {}
    assert.is_true(time.monotonic() - began >= 0.3)
  end)

  it("of an HTML page tell its status, type and beginning", function()
    local ec2 = client("ec2", { retry = { attempts = 1 } })
    peer:control { fault = "html" }
    local err = failing(ec2.call, ec2, "DescribeSubnets", {})
    assert.equal("service", err.cause)
    assert.truthy(err.message:find("^ec2 DescribeSubnets: ") and err.message:find "html")
    peer:reset()
    peer:control { fault = "status", status = 404, html = true }
    err = failing(ec2.call, ec2, "DescribeSubnets", {})
    assert.same({ "service", "HTTP404", 404 }, { err.cause, err.code, err.status })
  end)

  it("of names and certificates are told, not tried for long", function()
    local ec2 = client("ec2", { endpoint = peer.tls })
    local err = failing(ec2.call, ec2, "DescribeSubnets", {})
    assert.same({ "config", "PeerFailedVerification" }, { err.cause, err.code })
    assert.truthy(err.message:find "^ec2 DescribeSubnets: ")
    assert.is_table(client("ec2", { endpoint = peer.tls, ca = peer.ca }):DescribeSubnets({}).Subnets)
    local nowhere = client("ec2", { endpoint = "http://no-such-host.invalid" })
    err = failing(nowhere.call, nowhere, "DescribeSubnets", {})
    assert.same({ "CouldNotResolveHost", 3 }, { err.code, err.attempts })
  end)

  it("in silence are a time-out", function()
    local ec2 = client("ec2", { timeout = 0.2, retry = { mode = "off" } })
    peer:control { fault = "silence", seconds = 4 }
    local err = failing(ec2.call, ec2, "DescribeSubnets", {})
    assert.same({ "timeout", "TotalTimeout" }, { err.cause, err.code })
  end)

  it("of what cannot be done twice without harm leave it unknown", function()
    local ec2 = client "ec2"
    local params = { CapacityBlockOfferingId = "cb-1", InstancePlatform = "Linux/UNIX" }
    peer:control { fault = "reset", operation = "PurchaseCapacityBlock" }
    local err, sent = failing(ec2.call, ec2, "PurchaseCapacityBlock", params)
    assert.same({ "unknown", false, 1 }, { err.cause, err.retryable, sent })
    assert.truthy(err.hint:find "may have been done")
    peer:reset()
    peer:control { fault = "error", status = 500, operation = "PurchaseCapacityBlock" }
    err, sent = failing(ec2.call, ec2, "PurchaseCapacityBlock", params)
    assert.same({ "InternalError", 1, false }, { err.code, sent, err.retryable })
    peer:reset()
    peer:control { fault = "throttle", operation = "PurchaseCapacityBlock" }
    err, sent = failing(ec2.call, ec2, "PurchaseCapacityBlock", params)
    assert.same({ "RequestLimitExceeded", 10 }, { err.code, sent })
  end)

  it("repeat the same token", function()
    local ec2 = client "ec2"
    peer:control { fault = "reset", operation = "RunInstances", count = 2 }
    peer:control { fault = "answer", operation = "RunInstances", status = 200,
      body = "<RunInstancesResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'><reservationId>r-1</reservationId></RunInstancesResponse>",
      headers = { ["Content-Type"] = "text/xml" } }
    assert.equal("r-1", ec2:RunInstances({ MinCount = 1, MaxCount = 1, ImageId = "ami-1" }).ReservationId)
    local log = peer:log()
    assert.equal(3, #log)
    assert.equal(log[1].sha256, log[3].sha256)
  end)
end)

describe("5, 20 and 50 % of faults", function()
  -- What is left of a share when an earlier rule has taken its own.
  local function rules(share, kinds)
    local left, each = 100, share / #kinds
    for _, kind in ipairs(kinds) do
      kind.percent = each / left * 100
      peer:control(kind)
      left = left - each
    end
  end

  -- Half of all requests failing costs two a call at least.
  for _, case in ipairs { { 5, 1.3 }, { 20, 1.3 }, { 50, 2.4 } } do
    it(("at %d %% fail no idempotent call"):format(case[1]), function()
      local ec2 = client("ec2", { timeout = { connect = 5, first = 1.5, total = 10 } })
      rules(case[1], { { fault = "error", status = 500 }, { fault = "reset" }, { fault = "silence", seconds = 4 } })
      local list = {}
      for i = 1, 200 do list[i] = i end
      task.map(list, { at_once = 32 }, function() ec2:DescribeSubnets {} end)
      local cost = #peer:log() / 200
      assert(cost > 1 and cost <= case[2], cost)
    end)
  end
end)

describe("a wrong clock", function()
  it("is corrected by what the service says, and stays so", function()
    local sts = client "sts"
    peer:control { clock = 3600 }
    assert.is_table(sts:GetCallerIdentity())
    assert.equal(2, #peer:log())
    sts:GetCallerIdentity()
    assert.equal(3, #peer:log())
    assert.is_true(math.abs(sts.skew:offset(peer.url:match "//(.*)$") - 3600) < 3)
    peer:control { clock = 0 }
    sts:GetCallerIdentity()
    assert.equal(5, #peer:log())
    sts:GetCallerIdentity()
    assert.equal(6, #peer:log())
  end)

  it("is corrected for S3, and for presigned URLs", function()
    local s3 = client "s3"
    peer:control { clock = -7200 }
    s3:ListBuckets {}
    local url = s3:presign("ListBuckets", {}, { expires = 60 })
    assert.equal(200, require("adt.http").get(url).status)
  end)

  it("is no excuse for a wrong key", function()
    local sts = client("sts", { credentials = { access_key = peer.keys.access_key, secret = "wrong-wrong-wrong" } })
    local err, sent = failing(sts.call, sts, "GetCallerIdentity")
    assert.same({ "auth", "SignatureDoesNotMatch", 1 }, { err.cause, err.code, sent })
    assert.is_nil(err.message:find "[Cc]anonical [Ss]tring")
  end)
end)

describe("credentials", function()
  local function provider(list)
    local p = { at = 1, refused = {} }
    function p:get() return list[self.at] end
    function p:invalidate(key)
      self.refused[#self.refused + 1] = key
      self.at = math.min(self.at + 1, #list)
    end
    return p
  end

  it("that have ended are asked for anew, once", function()
    local p = provider { { access_key = peer.keys.access_key, secret = peer.keys.secret, source = "old" },
      { access_key = peer.keys.access_key, secret = peer.keys.secret, source = "new" } }
    local sts = client("sts", { credentials = p })
    peer:control { fault = "expired", count = 1 }
    assert.is_table(sts:GetCallerIdentity())
    assert.same({ peer.keys.access_key }, p.refused)
    peer:reset()
    peer:control { fault = "expired" }
    local err, sent = failing(sts.call, sts, "GetCallerIdentity")
    assert.same({ "auth", 2 }, { err.cause, sent })
    assert.truthy(err.code:find "^ExpiredToken")
    assert.truthy(err.hint:find "sign in again")
  end)

  it("that are wrong are not tried again", function()
    local sts = client("sts", { credentials = { access_key = "AKIAWRONGWRONGWRONG0", secret = "x" } })
    local err, sent = failing(sts.call, sts, "GetCallerIdentity")
    assert.same({ "auth", "InvalidClientTokenId", 1 }, { err.cause, err.code, sent })
    local anonymous = client("sts", { credentials = "anonymous" })
    err = failing(anonymous.call, anonymous, "GetCallerIdentity")
    assert.same({ "auth", true }, { err.cause, err.hint:find "anonymous" ~= nil })
  end)

  it("are in no error and no log, whatever the service sends back", function()
    local token = "MARKED-session-token-0123456789"
    local keys = { access_key = "AKIAMARKEDMARKEDMARK", secret = "MARKED-secret-key-0123456789", token = token }
    peer:control { keys = { [keys.access_key] = { secret = keys.secret, token = token } } }
    local sts = client("sts", { credentials = keys, retry = { mode = "off" } })
    sts:GetCallerIdentity()
    for _, body in ipairs { ("<Error><Code>X</Code><Message>you sent %s and %s</Message></Error>"):format(keys.secret, token),
      ("<html>%s %s</html>"):format(keys.secret, token) } do
      for _, status in ipairs { 400, 403, 200 } do
        peer:control { fault = "answer", status = status, body = body, count = 1 }
        local err = failing(sts.call, sts, "GetCallerIdentity")
        local text = json.encode { err.message, err.hint or "", err.where or "", tostring(err) }
        assert.is_nil(text:find("MARKED-s", 1, true), text)
      end
    end
    csecret.forget(keys.secret)
  end)
end)

describe("S3", function()
  it("puts and gets, and a failure's body does not go where the object should", function()
    local s3 = client "s3"
    peer:control { buckets = { box = {} } }
    s3:PutObject { Bucket = "box", Key = "a//b c", Body = "hello" }
    s3:PutObject({ Bucket = "box", Key = "big" }, { body = ("x"):rep(3000000) })
    local parts = {}
    s3:GetObject({ Bucket = "box", Key = "a//b c" }, { to = function(piece) parts[#parts + 1] = piece end })
    assert.equal("hello", table.concat(parts))
    assert.equal("hello", s3:GetObject({ Bucket = "box", Key = "a//b c" }).Body)
    parts = {}
    local dir <close> = support.tempdir()
    local err = failing(s3.call, s3, "GetObject", { Bucket = "box", Key = "none" }, { to = function(piece) parts[1] = piece end })
    assert.same({ "service", "NoSuchKey", 404, {} }, { err.cause, err.code, err.status, parts })
    failing(s3.call, s3, "GetObject", { Bucket = "box", Key = "none" }, { to = { file = dir / "f" } })
    assert.is_false(require("adt.fs").exists(dir / "f"))
    s3:GetObject({ Bucket = "box", Key = "big" }, { to = { file = dir / "f" } })
    assert.equal(3000000, require("adt.fs").stat(dir / "f").size)
  end)

  it("is signed anew for the region of a bucket, which is remembered", function()
    for _, answer in ipairs { 301, 400 } do
      peer:reset()
      peer:control { region_answer = answer }
      peer:control { buckets = { far = { region = "eu-west-1" } } }
      local s3 = client "s3"
      s3:PutObject { Bucket = "far", Key = "k", Body = "1" }
      local after = #peer:log()
      assert.equal(2, after)
      s3:PutObject { Bucket = "far", Key = "k", Body = "2" }
      assert.equal(3, #peer:log())
    end
  end)

  it("goes to a bucket's region where a redirect names it, not to where the redirect points", function()
    local s3 = client "s3"
    peer:control { buckets = { far = { region = "eu-west-1" } } }
    peer:control { fault = "answer", status = 307, count = 1,
      headers = { Location = peer.other .. "/far/k", ["x-amz-bucket-region"] = "eu-west-1" } }
    s3:PutObject { Bucket = "far", Key = "k", Body = "1" }
    local request, count = last()
    assert.same({ 2, true }, { count, request.verified })
    peer:control { fault = "answer", status = 301, headers = { ["x-amz-bucket-region"] = "evil.example/" } }
    assert.equal(301, failing(s3.call, s3, "GetObject", { Bucket = "near", Key = "k" }).status)
  end)

  it("fails where a 200 ends as an error, and tries again", function()
    local s3 = client "s3"
    peer:control { buckets = { box = {} } }
    peer:control { fault = "error200", count = 1 }
    peer:control { fault = "answer", body = "<CopyObjectResult><ETag>&quot;1&quot;</ETag></CopyObjectResult>" }
    local result = s3:CopyObject { Bucket = "box", Key = "b", CopySource = "box/a" }
    assert.equal('"1"', result.CopyObjectResult.ETag)
    assert.equal(2, #peer:log())
  end)

  it("is never followed to another host", function()
    local s3 = client "s3"
    peer:control { buckets = { box = {} } }
    peer:control { fault = "redirect", to = peer.other .. "/box/a" }
    local err, sent = failing(s3.call, s3, "GetObject", { Bucket = "box", Key = "a" })
    assert.equal(1, sent)
    assert.truthy(err.hint:find "redirects are not followed")
    assert.truthy(last().target == nil or last().fault)
  end)

  it("does not send a function's body twice", function()
    local s3 = client "s3"
    peer:control { buckets = { box = {} } }
    peer:control { fault = "reset", when = "after" }
    local given = false
    local err, sent = failing(s3.call, s3, "PutObject", { Bucket = "box", Key = "a" }, { body_size = 5, body = function()
      if given then return nil end
      given = true
      return "hello"
    end })
    assert.equal("service", err.cause)
    assert.equal(1, sent)
  end)
end)

describe("presigned URLs", function()
  it("work for query and REST, and are refused for JSON", function()
    local http = require "adt.http"
    assert.equal(200, http.get((client("sts"):presign("GetCallerIdentity"))).status)
    local s3 = client "s3"
    peer:control { buckets = { box = {} } }
    s3:PutObject { Bucket = "box", Key = "k", Body = "text" }
    assert.equal("text", http.get((s3:presign("GetObject", { Bucket = "box", Key = "k" }))).body)
    local ssm = client "ssm"
    assert.equal("CannotPresign", failing(ssm.presign, ssm, "GetParameter", { Name = "x" }).code)
  end)
end)

describe("log-ins", function()
  it("for ECR are a user and a secret", function()
    local login = aws.ecr_login { region = "us-east-1", endpoint = peer.url, credentials = peer.keys }
    assert.equal("123456789012.dkr.ecr.us-east-1.amazonaws.com", login.registry)
    assert.equal("AWS", login.user)
    assert.is_true(#login.password:reveal() > 100)
    assert.equal("<secret>", tostring(login.password))
    assert.is_true(login.expires > time.now() + 40000)
    assert.equal("BadArgument", failing(aws.ecr_login, { registry = "me" }).code)
  end)

  it("for EKS are tokens that a cluster takes", function()
    local made = aws.eks_token { cluster = "demo", region = "us-east-1", credentials = peer.keys }
    local ok, no = peer:eks_token(made.token:reveal(), "demo")
    assert(ok, no)
    assert.is_false((peer:eks_token(made.token:reveal(), "other")))
    assert.equal("BadArgument", failing(aws.eks_token, { region = "us-east-1" }).code)
  end)
end)
