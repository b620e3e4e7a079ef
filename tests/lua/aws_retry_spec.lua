--- Retries: exact sequences of waits and quota, which errors and operations are repeated, and what rates of faults cost.
local errors = require "adt.error"
local json = require "adt.json"
local process = require "adt.process"
local ratelimit = require "adt.aws.ratelimit"
local retry = require "adt.aws.retry"

local function policy(mode, attempts, random)
  local now = 0
  return retry.new { mode = mode, attempts = attempts, clock = function() return now end, random = random or function() return 0.5 end },
    function(seconds) now = now + seconds end
end

local function status(number, code)
  return { status = number, code = code or "InternalError" }
end

-- The waits until there are no more, and why.
local function waits(p, outcome, repeatable)
  local call, list = p:call("ec2", repeatable or "always"), {}
  while true do
    local delay = p:failed(call, outcome)
    if not delay then return list, call.reason end
    list[#list + 1] = delay
  end
end

describe("waits between attempts", function()
  it("double up to 20 seconds, times a random share", function()
    assert.same({ 0.5, 1, 2, 4, 8, 10, 10, 10, 10 }, (waits(policy "patient", status(500))))
    assert.same({ 0.5, 1 }, (waits(policy "standard", status(500))))
    assert.same({ 0.25, 0.5, 1, 2 }, (waits(policy("legacy", nil, function() return 0.25 end), status(500))))
    assert.same({}, (waits(policy "off", status(500))))
    assert.same({ 0.5 }, (waits(policy("standard", 2), status(500))))
  end)

  it("follow x-amz-retry-after within five seconds of their own", function()
    local function with(hint)
      local outcome = status(503)
      outcome.retry_after = hint
      return (waits(policy("standard", 2), outcome))[1]
    end
    assert.same({ 0.5, 3, 5.5, 0.5 }, { with(0.1), with(3), with(60), with(nil) })
    assert.same({ 1.5, 0 }, { retry.hint "1500", retry.hint "0" })
    for _, text in ipairs { "-1", "x", "", "1.5", ("9"):rep(30) } do
      assert.is_nil(retry.hint(text))
    end
  end)
end)

describe("the quota", function()
  it("loses 5 for a retry, 10 after a time-out, and ends retries when it is empty", function()
    local p = policy "standard"
    local call = p:call("ec2", "always")
    p:failed(call, status(500))
    assert.equal(495, p.tokens)
    p:failed(call, { retryable = true, timeout = true })
    assert.equal(485, p.tokens)
    p:succeeded(call)
    assert.equal(495, p.tokens)
    local first = p:call("ec2", "always")
    p:succeeded(first)
    assert.equal(496, p.tokens)
    local seen
    for _ = 1, 60 do
      local _, reason = waits(p, status(500))
      seen = reason
    end
    assert.equal("Quota", seen)
    assert.equal(1, p.tokens)
    for _ = 1, 600 do p:succeeded(p:call("ec2", "always")) end
    assert.equal(500, p.tokens)
  end)

  it("gets back all that a patient call has spent, once it succeeds", function()
    for mode, left in pairs { patient = 500, standard = 495 } do
      local p = policy(mode)
      local call = p:call("ec2", "always")
      p:failed(call, status(500))
      p:failed(call, status(500))
      p:succeeded(call)
      assert.equal(left, p.tokens)
    end
  end)
end)

describe("an answer", function()
  local function reason(outcome, repeatable)
    return select(2, waits(policy "standard", outcome, repeatable))
  end

  it("is tried again by its status, its code, and what the model says", function()
    for _, outcome in ipairs { status(500), status(502), status(503), status(504), status(400, "ThrottlingException"),
      status(400, "RequestTimeout"), status(429, ""), status(400, "SlowDown"), status(400, "PriorRequestNotComplete"),
      { status = 400, code = "X", retryable = true }, { status = 400, code = "X", throttling = true }, { retryable = true } } do
      assert.equal("Attempts", reason(outcome))
    end
    for _, outcome in ipairs { status(400, "ValidationError"), status(403, "AccessDenied"), status(501, "NotImplemented"), status(404, "NoSuchKey"),
      { retryable = false } } do
      assert.equal("NotRetryable", reason(outcome))
    end
  end)

  it("means something else in some services", function()
    local p = policy "standard"
    assert.is_number(p:failed(p:call("sts", "always"), status(400, "IDPCommunicationError")))
    assert.is_nil(p:failed(p:call("ec2", "always"), status(400, "IDPCommunicationError")))
    assert.is_number(p:failed(p:call("s3", "always"), status(400, "BadDigest")))
  end)

  it("that mostly means a quota or a mistyped name is not waited for with all patience", function()
    local function tries(outcome) return #waits(policy "patient", outcome) + 1 end
    assert.equal(3, tries(status(400, "LimitExceededException")))
    assert.equal(10, tries(status(429, "LimitExceededException")))
    assert.equal(10, tries { status = 400, code = "LimitExceededException", throttling = true })
    assert.equal(3, tries { code = "CouldNotResolveHost", retryable = true })
    assert.equal(5, tries { code = "CouldNotConnect", retryable = true })
    assert.equal(1, #waits(policy("patient", 2), status(400, "LimitExceededException")))
  end)
end)

describe("an operation", function()
  local function how(name, fields, params)
    local operation = { name = name, method = "POST", read_only = false, idempotency = {} }
    for key, value in pairs(fields or {}) do operation[key] = value end
    return retry.repeatable(operation, params or {})
  end

  it("may be repeated if it reads, has a token, or does the same twice", function()
    assert.equal("always", how("DescribeX", { read_only = true }))
    assert.equal("always", how("RunInstances", { idempotency = { "ClientToken" } }))
    assert.equal("always", how("CreateStack", nil, { ClientRequestToken = "t" }))
    assert.equal("always", how("DeleteCluster"))
    assert.equal("always", how("CreateThing", { method = "PUT" }))
    assert.equal("answered", how("CreateStack"))
    assert.equal("answered", how("SendCommand"))
    assert.equal("undone", how("PurchaseCapacityBlock"))
  end)

  it("that costs money each time is repeated only where it was throttled or never sent", function()
    local p = policy "standard"
    local function again(outcome) return p:failed(p:call("ec2", "undone"), outcome) ~= nil end
    assert.is_false(again(status(500)))
    assert.is_false(again(status(503, "")))
    assert.is_true(again(status(503, "RequestLimitExceeded")))
    assert.is_true(again { retryable = true })
    assert.is_false(again { retryable = false })
    local call = p:call("ec2", "undone")
    p:failed(call, status(500))
    assert.equal("MayHaveHappened", call.reason)
  end)
end)

describe("settings", function()
  local function env(variables) return function(name) return variables[name] end end

  it("come from the call, the environment, the profile", function()
    local profile = { get = function(_, key) return ({ retry_mode = "adaptive", max_attempts = "7" })[key] end }
    assert.same({ nil, nil }, { retry.settings(nil, env {}) })
    assert.same({ "adaptive", 7 }, { retry.settings(nil, env {}, profile) })
    assert.same({ "standard", 4 }, { retry.settings(nil, env { AWS_RETRY_MODE = "Standard", AWS_MAX_ATTEMPTS = "4" }, profile) })
    assert.same({ "off", 2 }, { retry.settings({ mode = "off", attempts = 2 }, env { AWS_RETRY_MODE = "standard" }, profile) })
  end)

  it("are refused where they are none", function()
    local _, err = errors.try(retry.settings, nil, env { AWS_MAX_ATTEMPTS = "many" })
    assert.same({ "config", "BadSetting" }, { err.cause, err.code })
    _, err = errors.try(policy, "standrad")
    assert.equal("did you mean 'standard'?", err.hint)
    _, err = errors.try(policy, "standard", 0)
    assert.equal("BadArgument", err.code)
  end)
end)

describe("the adaptive mode", function()
  it("waits for nothing until it is throttled", function()
    local p = policy "adaptive"
    for _ = 1, 1000 do
      assert.equal(0, p:admit())
      p:succeeded(p:call("ec2", "always"))
    end
  end)

  it("makes callers queue at its rate afterwards", function()
    local p, pass = policy "adaptive"
    for _ = 1, 20 do
      pass(0.1)
      p:succeeded(p:call("ec2", "always"))
    end
    p:failed(p:call("ec2", "always"), status(400, "Throttling"))
    local rate = p.limit.fill
    assert(rate > 5 and rate < 8, rate)
    local first = 0
    while first == 0 do first = p:admit() end
    local second = p:admit()
    assert.is_true(math.abs(second - first - 1 / rate) < 1e-9)
  end)

  it("has the rates of botocore's for the same events", function()
    local python, missing = require("testpython").find "botocore"
    if not python then pending(missing) return end
    local events, now = {}, 1000
    for i = 1, 400 do
      now = i == 1 and now or now + math.random() * (i % 100 < 20 and 1.5 or 0.1)
      events[i] = { now, math.random() < 0.07 and "throttled" or "ok" }
    end
    local theirs = json.decode(process.run { python, "tests/lua/botocore_ratelimit.py", input = json.encode(events) }.stdout)
    local at = events[1][1]
    local limit = ratelimit.new(function() return at end)
    local enabled = false
    for i, event in ipairs(events) do
      at = event[1]
      limit:note(event[2] == "throttled")
      enabled = enabled or event[2] == "throttled"
      assert.is_true(math.abs(limit.measured - theirs[i].measured) < 1e-6)
      -- Before the first throttled answer nobody asks for the rate.
      assert(not enabled or math.abs(limit.fill - theirs[i].fill) < 1e-6 * theirs[i].fill,
        ("event %d: %g, not %g"):format(i, limit.fill, theirs[i].fill))
    end
  end)
end)

describe("faults in a share of all answers", function()
  -- 20,000 calls, one after the other.
  local function simulate(mode, share)
    local p = policy(mode, nil, math.random)
    local sent, failed, calls = 0, 0, 20000
    for _ = 1, calls do
      local call, delay = p:call("ec2", "always"), 0
      while delay do
        sent = sent + 1
        if math.random() >= share then
          p:succeeded(call)
          break
        end
        delay = p:failed(call, math.random() < 0.5 and status(500) or { retryable = true })
        failed = failed + (delay and 0 or 1)
      end
    end
    return sent / calls, failed
  end

  it("of 5 and 20 % fail no patient call, and cost at most 1.3 times the requests", function()
    for _, share in ipairs { 0.05, 0.2 } do
      local cost, failed = simulate("patient", share)
      assert.equal(0, failed)
      assert.is_true(cost <= 1.3)
    end
  end)

  it("of 50 % cost the two requests that they must, and fail a call in a thousand", function()
    local cost, failed = simulate("patient", 0.5)
    assert.is_true(cost < 2.05)
    assert.is_true(failed < 60, "failed: " .. failed)
  end)

  it("of 100 % cost a request a call once the quota is spent", function()
    local cost, failed = simulate("patient", 1)
    assert.equal(20000, failed)
    assert.is_true(cost < 1.01)
  end)
end)
