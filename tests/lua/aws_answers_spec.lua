--- Answers of real operations: what we read is what botocore reads.
local awsmodel = require "adt.c.awsmodel"
local json = require "adt.json"
local process = require "adt.process"
local suite = require "aws_protocol_suite"
local support = require "support"

after_each(support.no_leaks)

local answers = require "aws_answers"
local asked

-- What botocore makes of every answer, asked for once; nil where there is no botocore.
local function oracle()
  if asked == nil then
    asked = false
    if process.run({ "python3", "-c", "import botocore", check = false }).ok then
      asked = json.decode(process.run { "python3", "tests/lua/botocore_answers_oracle.py", input = json.encode(answers) }.stdout)
    end
  end
  return asked or nil
end

-- botocore rounds times to microseconds.
local function near(v)
  if math.type(v) == "float" then return math.tointeger(v) or math.floor(v * 1000 + 0.5) / 1000 end
  if type(v) ~= "table" then return v end
  local copy = {}
  for key, value in pairs(v) do copy[key] = near(value) end
  return copy
end

local function compare(what, expected, got)
  if not suite.same(near(expected), near(got)) then error(suite.differs(what, expected, got), 0) end
end

describe("an answer of", function()
  for i, answer in ipairs(answers) do
    it(("%s %s with status %d reads as botocore reads it (%d)"):format(answer.service, answer.operation, answer.status, i), function()
      if not oracle() then
        pending "needs python3 with botocore"
        return
      end
      local expected = oracle()[i]
      local model = assert(awsmodel.load(json.encode(expected.model), answer.service))
      local failed = answer.status >= 300
      assert.equal(failed, model:is_failure(answer.operation, answer.status, answer.headers, answer.body))
      if not failed then
        compare("result", expected.result, assert(model:response(answer.operation, answer.status, answer.headers, answer.body)))
        return
      end
      local failure = model:failure(answer.operation, answer.status, answer.headers, answer.body)
      assert.equal(expected.result.Error.Code, failure.code)
      assert.equal(expected.result.Error.Message or expected.result.Error.message, failure.message)
      assert.equal(expected.request_id or "", failure.request_id)
      compare("fields", expected.fields, failure.fields)
    end)
  end
end)
