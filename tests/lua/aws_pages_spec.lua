--- Pages by the models' rules: tokens, ends, circles, items.
local errors = require "adt.error"
local json = require "adt.json"
local models = require "adt.aws.models"
local pages = require "adt.aws.pages"
local support = require "support"

local refusal = support.refusal

after_each(support.no_leaks)

-- A caller whose answers are a list, or made by a function of the parameters; it keeps what it was asked.
local function caller(answers)
  local made = { asked = {} }
  function made.call(self, operation, params)
    local copy = { operation = operation }
    for k, v in pairs(params) do copy[k] = v end
    self.asked[#self.asked + 1] = copy
    local answer = type(answers) == "function" and answers(params) or answers[#self.asked]
    if errors.is(answer) then
      error(answer, 0)
    end
    return answer
  end
  return made
end

local function collect(iterator)
  local out = {}
  for item in iterator do
    out[#out + 1] = item
  end
  return out
end

local RULE = { input_token = "NextToken", output_token = "NextToken", limit_key = "MaxResults", result_key = "Things" }

describe("pages", function()
  it("come until the token is missing, empty or null", function()
    for _, last in ipairs { { Things = { 3 } }, { Things = { 3 }, NextToken = "" }, { Things = { 3 }, NextToken = json.null } } do
      local client, params = caller { { Things = { 1, 2 }, NextToken = "a" }, { NextToken = "b" }, last }, { Filter = "x" }
      assert.equal(3, #collect(pages.iterate(client, "ListThings", params, RULE)))
      assert.same({
        { operation = "ListThings", Filter = "x" }, { operation = "ListThings", Filter = "x", NextToken = "a" },
        { operation = "ListThings", Filter = "x", NextToken = "b" },
      }, client.asked)
      assert.same({ Filter = "x" }, params)
    end
  end)

  it("are fetched when they are asked for, and no more after the last", function()
    local client = caller { { NextToken = "a" }, {} }
    local iterator = pages.iterate(client, "ListThings", nil, RULE)
    assert.equal(0, #client.asked)
    iterator()
    assert.equal(1, #client.asked)
    iterator()
    assert.is_nil(iterator())
    assert.is_nil(iterator())
    assert.equal(2, #client.asked)
  end)

  it("have the size that is asked for", function()
    local client = caller { {} }
    collect(pages.iterate(client, "ListThings", { MaxResults = 7 }, RULE, { page_size = 50 }))
    assert.equal(50, client.asked[1].MaxResults)
    local unlimited = { input_token = "T", output_token = "T", result_key = "R" }
    assert.equal("NoPageSize", refusal(pages.iterate, client, "ListThings", nil, unlimited, { page_size = 5 }).code)
    assert.equal("BadArgument", refusal(pages.iterate, client, "ListThings", nil, RULE, { page_size = 0 }).code)
    assert.matches("page_size", refusal(pages.iterate, client, "ListThings", nil, RULE, { pagesize = 5 }).hint)
  end)

  it("end where the service says that there are no more, whatever the token", function()
    local rule = models.find("iam").paginators().ListRoles
    local client = caller { { IsTruncated = true, Marker = "m" }, { IsTruncated = false, Marker = "stale" } }
    assert.equal(2, #collect(pages.iterate(client, "ListRoles", nil, rule)))
    assert.equal("m", client.asked[2].Marker)
  end)

  it("go on from the last key where S3 gives no marker", function()
    local rule = models.find("s3").paginators().ListObjects
    local client = caller {
      { IsTruncated = true, NextMarker = "n", Contents = { { Key = "a" } } },
      { IsTruncated = true, Contents = { { Key = "o" }, { Key = "p" } } }, { IsTruncated = false },
    }
    collect(pages.iterate(client, "ListObjects", { Bucket = "b" }, rule))
    assert.equal("n", client.asked[2].Marker)
    assert.equal("p", client.asked[3].Marker)
  end)

  it("may need several tokens, of which one may go away", function()
    local rule = models.find("s3").paginators().ListObjectVersions
    local client = caller {
      { IsTruncated = true, NextKeyMarker = "k", NextVersionIdMarker = "v" }, { IsTruncated = true, NextKeyMarker = "l" }, {},
    }
    collect(pages.iterate(client, "ListObjectVersions", { Bucket = "b" }, rule))
    assert.same({ "k", "v" }, { client.asked[2].KeyMarker, client.asked[2].VersionIdMarker })
    assert.same({ "l", nil }, { client.asked[3].KeyMarker, client.asked[3].VersionIdMarker })
  end)

  it("that go round in a circle of any length are an error, after what came", function()
    for length = 1, 9 do
      local n = 0
      local client = caller(function()
        n = n + 1
        return { Things = { n }, NextToken = "t" .. n % length }
      end)
      local seen = 0
      local err = refusal(function()
        for _ in pages.iterate(client, "ListThings", nil, RULE) do seen = seen + 1 end
      end)
      assert.equal("RepeatedToken", err.code)
      assert.equal("service", err.cause)
      assert.equal(seen, #client.asked)
      assert.is_true(seen <= 4 * length + 2, length .. ": " .. seen)
    end
  end)

  it("whose token is a table are the same when they are equal", function()
    local client = caller(function() return { NextToken = { Id = { S = "x" } } } end)
    assert.equal("RepeatedToken", refusal(collect, pages.iterate(client, "Scan", nil, RULE)).code)
    assert.same({ Id = { S = "x" } }, client.asked[2].NextToken)
  end)

  it("pass on what a call raises, and may be asked again", function()
    local client = caller {
      { NextToken = "a" }, errors.new { cause = "service", code = "Throttling", message = "slower" }, { Things = { 1 } },
    }
    local iterator = pages.iterate(client, "ListThings", nil, RULE)
    iterator()
    assert.equal("Throttling", refusal(iterator).code)
    assert.same({ 1 }, iterator().Things)
    assert.equal("a", client.asked[3].NextToken)
  end)

  it("need a rule", function()
    assert.equal("NotPaged", refusal(pages.rule, models.find "sts", "GetCallerIdentity").code)
    assert.equal("Reservations", pages.rule(models.find "ec2", "DescribeInstances").result_key)
    for _, rule in ipairs { {}, { input_token = "a" }, { input_token = { "a", "b" }, output_token = "c" }, { input_token = 3 } } do
      assert.equal("config", refusal(pages.iterate, caller {}, "X", nil, rule).cause)
    end
  end)
end)

describe("items", function()
  it("come out of their pages, across empty ones", function()
    local client = caller { { Things = { 1, 2 }, NextToken = "a" }, { Things = {}, NextToken = "b" }, { NextToken = "c" }, { Things = { 3 } } }
    assert.same({ 1, 2, 3 }, collect(pages.items(client, "ListThings", nil, RULE)))
  end)

  it("stop at max_items without another call", function()
    local client = caller { { Things = { 1, 2 }, NextToken = "a" }, { Things = { 3 } } }
    assert.same({ 1, 2 }, collect(pages.items(client, "ListThings", nil, RULE, { max_items = 2 })))
    assert.equal(1, #client.asked)
    assert.same({}, collect(pages.items(client, "ListThings", nil, RULE, { max_items = 0 })))
    assert.equal("BadArgument", refusal(pages.items, client, "ListThings", nil, RULE, { max_items = -1 }).code)
  end)

  it("of several kinds need a key, and any expression is one", function()
    local rule = models.find("s3").paginators().ListObjectsV2
    local client = function() return caller { { Contents = { { Key = "a" }, { Key = "b" } }, CommonPrefixes = { { Prefix = "p/" } } } } end
    local err = refusal(pages.items, client(), "ListObjectsV2", {}, rule)
    assert.equal("SeveralKeys", err.code)
    assert.matches("Contents, CommonPrefixes", err.message)
    assert.same({ { Prefix = "p/" } }, collect(pages.items(client(), "ListObjectsV2", {}, rule, { key = "CommonPrefixes" })))
    assert.same({ "a", "b" }, collect(pages.items(client(), "ListObjectsV2", {}, rule, { key = "Contents[].Key" })))
    assert.equal("BadExpression", refusal(pages.items, client(), "ListObjectsV2", {}, rule, { key = "Contents[" }).code)
    assert.equal("BadArgument", refusal(pages.items, client(), "ListObjectsV2", {}, rule, { key = 3 }).code)
  end)

  it("that are no list are items themselves", function()
    local client = caller { { Things = { Name = "x" }, NextToken = "a" }, { Things = 7 } }
    assert.same({ { Name = "x" }, 7 }, collect(pages.items(client, "Get", nil, RULE)))
  end)
end)
