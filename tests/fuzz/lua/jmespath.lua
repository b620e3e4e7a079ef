--- Any expression and any JSON: a value or a structured error, and the same each time.
local errors = require "adt.error"
local jmespath = require "adt.aws.jmespath"
local json = require "adt.json"

local SAMPLE = json.decode '{"a": [{"b": 1, "c": "x"}, {"b": null}, [2, [3]]], "b": {"a": "text", "c": false}, "c": []}'

return function(bytes)
  local expression, rest = bytes:match "^([^\0]*)%z?(.*)$"
  local search = jmespath.compile(expression)
  local value = errors.try(json.decode, rest) or SAMPLE
  local once, err = errors.try(search, value)
  assert(not err or err.code == "JmesPathType", err)
  local again = errors.try(search, value)
  assert(once == again or json.encode(once) == json.encode(again), "another answer the second time")
end
