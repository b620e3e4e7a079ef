--- JMESPath as paginators and waiters speak it: own cases, and python's jmespath on every expression that botocore has.
local jmespath = require "adt.aws.jmespath"
local json = require "adt.json"
local process = require "adt.process"
local support = require "support"
local testpython = require "testpython"

local refusal = support.refusal

after_each(support.no_leaks)

local DATA = json.decode [=[{
  "a": {"b": {"c": 7}, "list": [1, 2, 3], "none": null, "Odd name": "x", "empty": [], "flag": false},
  "rows": [{"s": "UP", "n": 1, "t": [1, 2]}, {"s": "DOWN", "n": 2, "t": [3]}, {"n": 3}, {"s": null, "n": 4, "t": [[5]]}],
  "map": {"y": {"v": 2}, "x": {"v": 1}, "z": {}},
  "text": "häuser"
}]=]

-- expression, what it finds as JSON
local CASES = {
  { "a.b.c", "7" }, { "a . b\n. c", "7" }, { 'a."Odd name"', '"x"' }, { "a.none", "null" }, { "nothing.at.all", "null" },
  { "a.list[0]", "1" }, { "a.list[-1]", "3" }, { "a.list[3]", "null" }, { "a.list[-4]", "null" }, { "a.b[0]", "null" },
  { "rows[].s", '["UP","DOWN"]' }, { "rows[*].s", '["UP","DOWN"]' }, { "rows[].t", "[[1,2],[3],[[5]]]" },
  { "rows[].t[]", "[1,2,3,[5]]" }, { "rows[].t[][]", "[1,2,3,5]" }, { "rows[*].t[0]", "[1,3,[5]]" },
  { "rows[].t | [0]", "[1,2]" }, { "rows[].t[0] | [1]", "3" }, { "a.b[].c", "null" }, { "a.empty[].x", "[]" },
  { "map.*.v", "[1,2]" }, { "a.list.*", "null" }, { "rows[?s == 'UP'].n", "[1]" }, { "rows[?s != 'UP'].n", "[2,3,4]" },
  { "rows[?n > `1` && n <= `3`].n", "[2,3]" }, { "rows[?!s].n", "[3,4]" }, { "rows[?s].n | [-1]", "2" },
  { "rows[?t[?@ == `2`]].n", "[1]" }, { "rows[?s == 'UP' || n == `4`].n", "[1,4]" }, { "a.b[?c]", "null" },
  { "rows[?t][].n", "[1,2,4]" }, { "rows[?n == `1`].t[]", "[1,2]" },
  { "a.none || a.b.c", "7" }, { "a.empty || 'x'", '"x"' }, { "a.flag || a.none", "null" }, { "a.b.c && a.list[0]", "1" },
  { "a.flag && a.b", "false" }, { "!(a.flag)", "true" }, { "!(a.b.c)", "false" }, { "!a.flag", "null" }, { "a.b.c == `7` && !(a.none)", "true" },
  { "a.none || a.b.c && 'y'", '"y"' }, { "(a.none || a.b).c", "7" }, { "a.list == `[1, 2, 3]`", "true" },
  { "a.b == `{\"c\": 7.0}`", "true" }, { "a.b == `{\"c\": 7, \"d\": 1}`", "false" }, { "text > `1`", "null" },
  { "length(rows)", "4" }, { "length(text)", "6" }, { "length(a)", "6" }, { "length(a.empty)", "0" },
  { "length(rows[?s == 'UP']) == `1`", "true" }, { "contains(a.list, `2`)", "true" }, { "contains(text, 'user')", "true" },
  { "starts_with(text, 'h')", "true" }, { "ends_with(text, 'ser')", "true" }, { "ends_with(text, '')", "true" },
  { "keys(map)", '["x","y","z"]' }, { "values(a.b)", "[7]" }, { "not_null(a.none, a.b.c, text)", "7" },
  { "[a.b.c, a.none]", "[7,null]" }, { "a.{n: b.c, l: list[0]}", '{"l":1,"n":7}' }, { "rows[].[n, s]",
    '[[1,"UP"],[2,"DOWN"],[3,null],[4,null]]' }, { "rows[0].{\"a b\": n}", '{"a b":1}' }, { "@.a.b.c", "7" },
  { "'it\\'s'", '"it\'s"' }, { "`\"\\`\"`", '"`"' },
}

describe("an expression", function()
  it("finds what JMESPath says", function()
    for _, case in ipairs(CASES) do
      local found = jmespath.search(case[1], DATA)
      assert.equal(json.encode(json.decode(case[2])), json.encode(found == nil and json.null or found), case[1])
    end
  end)

  it("that is none is refused with its place", function()
    for expression, said in pairs {
      [""] = "the end", ["a."] = "name is missing", ["a[?b"] = "']' is missing", ["a b"] = "b is not expected",
      ["'open"] = "closing '", ["`{`"] = "no JSON", ["sum(a)"] = "sum%(%) is not part", ["length(a, b)"] = "takes 1 argument",
      ["a[1:2]"] = "']' is missing", ["a[:2]"] = "slices", ["a[b]"] = "b is not expected", ["a || "] = "the end",
      ["a # b"] = "'#' has no meaning", ["{a b}"] = "':' is missing", ["a[99999999999999999999]"] = "out of range",
    } do
      local err = refusal(jmespath.compile, expression)
      assert.equal("BadExpression", err.code, expression)
      assert.matches(said, err.message, 1, false, expression)
      assert.equal(expression, err.where)
    end
    assert.equal("BadExpression", refusal(jmespath.compile, nil).code)
    assert.matches("deeper", refusal(jmespath.compile, ("("):rep(1000)).message)
    assert.equal("BadExpression", refusal(jmespath.compile, ("a"):rep(5000)).code)
  end)

  it("whose function gets another type says so", function()
    assert.matches("length%(%) takes .*, not null", refusal(jmespath.search, "length(a)", {}).message)
    assert.equal("JmesPathType", refusal(jmespath.search, "keys(a)", { a = 1 }).code)
    assert.equal("JmesPathType", refusal(jmespath.search, "starts_with(a, 'x')", { a = 1 }).code)
  end)

  it("is read once", function()
    assert.equal(jmespath.compile "rows[].n", jmespath.compile "rows[].n")
  end)
end)

it("every expression of botocore finds what python's jmespath finds", function()
  local python, why = testpython.find("botocore", "jmespath")
  if not python then
    pending(why)
    return
  end
  local made = process.run { python, "tests/lua/jmespath_oracle.py" }
  local cases, seen = json.decode(made.stdout), {}
  for _, case in ipairs(cases) do
    local ok, found = pcall(jmespath.search, case.expression, case.data)
    local what = case.expression .. " on " .. json.encode(case.data)
    if case.error then
      assert.is_false(ok, what)
    else
      assert.is_true(ok, what .. ": " .. tostring(found))
      assert.equal(json.encode(case.result), json.encode(found == nil and json.null or found), what)
    end
    seen[case.expression] = true
  end
  local count = 0
  for _ in pairs(seen) do count = count + 1 end
  assert.is_true(count > 2000, count .. " expressions")
end)
