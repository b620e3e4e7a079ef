--- Credentials that are renewed ahead of time: the sequences that the AWS SDKs share, with a clock of our own; and tasks.
local ctask = require "adt.c.task"
local errors = require "adt.error"
local log = require "adt.log"
local refresh = require "adt.aws.refresh"
local support = require "support"
local task = require "adt.task"

local DAY = 86400

setup(function() log.configure { level = "off" } end)
teardown(function() log.configure { level = "warn" } end)
after_each(support.no_leaks)

-- A provider whose source does what `scene.answer` says: a lifetime in seconds, or an error's fields.
local function scene(first)
  local s = { now = 1000000, calls = 0, answer = first or DAY, backoff = 420 }
  s.provider = refresh.new {
    now = function() return s.now end,
    backoff = function() return s.backoff end,
    fetch = function()
      s.calls = s.calls + 1
      if type(s.answer) == "table" then errors.raise(s.answer) end
      return { access_key = "AKID" .. s.calls, secret = "secret-of-test", source = "test",
        expires = s.answer ~= math.huge and s.now + s.answer or nil }
    end,
  }
  return s
end

local FAILS = { cause = "service", code = "Down", message = "the source is down" }
local FINAL = { cause = "auth", code = "SignIn", message = "sign in again", final = true }

-- The scene with credentials that have `left` seconds of a day.
local function with(left)
  local s = scene(DAY)
  assert.equal("AKID1", s.provider:get().access_key)
  s.now = s.now + DAY - left
  return s
end

local VALID, ADVISORY, MANDATORY, EXPIRED = 20000, 1800, 30, -100

-- Which credentials get() gives, and how often the source was asked in all.
local function gets(s, key, calls)
  assert.same({ key, calls }, { s.provider:get().access_key, s.calls })
end

describe("credentials", function()
  it("that are good for long are served, and nobody is asked", function()
    gets(with(VALID), "AKID1", 1)
  end)

  for name, left in pairs { advisory = ADVISORY, mandatory = MANDATORY, ["past their end"] = EXPIRED } do
    it(("that are %s are renewed"):format(name), function()
      local s = with(left)
      gets(s, "AKID2", 2)
      gets(s, "AKID2", 2)
    end)

    it(("that are %s go on when that fails, and the source has its peace"):format(name), function()
      local s = with(left)
      s.answer = FAILS
      gets(s, "AKID1", 2)
      s.now = s.now + 300
      gets(s, "AKID1", 2)
      s.now, s.answer = s.now + 125, DAY
      gets(s, "AKID3", 3)
    end)

    it(("that are %s go on when the source gives such as have ended"):format(name), function()
      local s = with(left)
      s.answer = 0
      gets(s, "AKID1", 2)
      gets(s, "AKID1", 2)
    end)

    it(("that are %s end with an error that more tries would not mend, and the next call asks again"):format(name), function()
      local s = with(left)
      s.answer = FINAL
      assert.equal("SignIn", support.refusal(s.provider.get, s.provider).code)
      assert.equal("SignIn", support.refusal(s.provider.get, s.provider).code)
      assert.equal(3, s.calls)
      s.answer = DAY
      gets(s, "AKID4", 4)
    end)
  end

  it("that never were are an error, and the next call asks again", function()
    for _, failure in ipairs { FAILS, FINAL } do
      local s = scene(failure)
      assert.equal(failure.code, support.refusal(s.provider.get, s.provider).code)
      s.answer = DAY
      gets(s, "AKID2", 2)
    end
  end)

  it("that have ended when they first come are an error", function()
    local s = scene(-1)
    assert.same("ExpiredCredentials", support.refusal(s.provider.get, s.provider).code)
  end)

  it("are renewed 5, 15 or 60 minutes ahead, by how long they last", function()
    for _, case in ipairs { { 600, 300 }, { 1200, 300 }, { 1230, 900 }, { 5399, 900 }, { 5400, 3600 }, { 21600, 3600 } } do
      local s = scene(case[1])
      s.provider:get()
      s.now = s.now + case[1] - case[2] - 1
      gets(s, "AKID1", 1)
      s.now = s.now + 1
      gets(s, "AKID2", 2)
    end
  end)

  it("have the window of the last ones", function()
    local s = scene(21600)
    s.provider:get()
    s.now, s.answer = s.now + 18060, 600
    gets(s, "AKID2", 2)
    s.now = s.now + 299
    gets(s, "AKID2", 2)
    s.now = s.now + 1
    gets(s, "AKID3", 3)
  end)

  it("without an end are asked for once", function()
    local s = scene(math.huge)
    s.provider:get()
    s.now = s.now + 1000 * DAY
    gets(s, "AKID1", 1)
  end)

  it("that were refused are renewed, once", function()
    local s = with(VALID)
    s.provider:invalidate "AKID1"
    gets(s, "AKID2", 2)
    gets(s, "AKID2", 2)
  end)

  it("that were refused go on when that fails", function()
    local s = with(VALID)
    s.provider:invalidate "AKID1"
    s.answer = FAILS
    gets(s, "AKID1", 2)
  end)

  it("that were refused while the source has its peace wait for its end", function()
    local s = with(EXPIRED)
    s.answer = FAILS
    gets(s, "AKID1", 2)
    s.now = s.now + 60
    s.provider:invalidate "AKID1"
    gets(s, "AKID1", 2)
    s.now, s.answer = s.now + 425, DAY
    gets(s, "AKID3", 3)
  end)

  it("are not renewed when others than those were refused", function()
    local s = with(ADVISORY)
    gets(s, "AKID2", 2)
    s.provider:invalidate "AKID1"
    gets(s, "AKID2", 2)
  end)

  it("that are served past their end say no end, so that signers take them", function()
    local s = with(EXPIRED)
    s.answer = FAILS
    assert.is_nil(s.provider:get().expires)
    assert.is_number(with(VALID).provider:get().expires)
  end)

  it("are a copy that changes nothing", function()
    local s = with(VALID)
    s.provider:get().access_key = "other"
    gets(s, "AKID1", 1)
  end)
end)

describe("many tasks", function()
  -- A source that takes a while.
  local function slow(s, seconds)
    local fetch = s.provider.fetch
    s.provider.fetch = function()
      ctask.sleep(seconds)
      return fetch()
    end
  end

  local function ask(s, n)
    local jobs = {}
    for i = 1, n do
      jobs[i] = function() return s.provider:get().access_key end
    end
    return { task.all(jobs) }
  end

  it("wait for one answer", function()
    local s = scene(DAY)
    slow(s, 0.05)
    local keys = ask(s, 200)
    for _, key in ipairs(keys) do assert.equal("AKID1", key) end
    assert.same({ 200, 1 }, { #keys, s.calls })
  end)

  it("wait for one when the old ones are about to end, and get one error", function()
    local s = with(MANDATORY)
    slow(s, 0.02)
    for _, key in ipairs(ask(s, 50)) do assert.equal("AKID2", key) end
    assert.equal(2, s.calls)
    s = scene(FAILS)
    slow(s, 0.02)
    local codes = task.map({ 1, 2, 3, 4 }, function() return support.refusal(s.provider.get, s.provider).code end)
    assert.same({ "Down", "Down", "Down", "Down" }, codes)
    assert.equal(1, s.calls)
  end)

  it("go on with the old ones while one renews them ahead of time", function()
    local s = with(ADVISORY)
    slow(s, 0.05)
    local keys = ask(s, 20)
    table.sort(keys)
    assert.same({ "AKID1", "AKID1", "AKID2", 2 }, { keys[1], keys[19], keys[20], s.calls })
  end)

  it("are not harmed when the one who asks is cancelled", function()
    local s = scene(DAY)
    slow(s, 0.05)
    local got
    task.group(function()
      local first = task.spawn(function() pcall(s.provider.get, s.provider) end)
      local second = task.spawn(function() got = s.provider:get().access_key end)
      ctask.sleep(0.01)
      first:cancel()
      pcall(first.join, first)
      second:join()
    end)
    assert.same({ "AKID1", 1 }, { got, s.calls })
  end)
end)
