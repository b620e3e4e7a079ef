--- JSON: what goes in comes out, exactly; what is wrong is refused with its place.
local json = require "adt.json"

local function refusal(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok, "it was accepted")
  return err
end

describe("decoding", function()
  it("keeps integers of 64 bits exact and apart from floats", function()
    local v = json.decode "[9223372036854775807, -9223372036854775808, 1, 1.0, 1e2, -0]"
    assert.same({ "integer", "integer", "integer", "float", "float", "integer" },
      { math.type(v[1]), math.type(v[2]), math.type(v[3]), math.type(v[4]), math.type(v[5]), math.type(v[6]) })
    assert.equal(math.maxinteger, v[1])
    assert.equal(math.mininteger, v[2])
    assert.equal(100.0, v[5])
  end)

  it("rounds, keeps as text or refuses integers beyond 64 bits, as asked", function()
    local text = "[9223372036854775808, -123456789012345678901234567890]"
    assert.same({ 2 ^ 63, -123456789012345678901234567890.0 }, json.decode(text))
    assert.same({ "9223372036854775808", "-123456789012345678901234567890" }, json.decode(text, { big = "string" }))
    local err = refusal(json.decode, text, { big = "error" })
    assert.equal("TooBig", err.code)
    assert.matches("9223372036854775808", err.message, 1, true)
    assert.same({ 1.5 }, json.decode("[1.5]", { big = "string" }))
  end)

  it("keeps null as a value and arrays as arrays", function()
    local v = json.decode '{"a":null,"b":[],"c":{},"d":[null]}'
    assert.equal(json.null, v.a)
    assert.equal(json.null, v.d[1])
    assert.equal('{"a":null,"b":[],"c":{},"d":[null]}', json.encode(v))
    v.d[1] = nil
    assert.equal('{"a":null,"b":[],"c":{},"d":[]}', json.encode(v))
  end)

  it("gives scalars at the top, false and null among them", function()
    assert.equal(false, json.decode "false")
    assert.equal(json.null, json.decode "null")
    assert.equal("a\0b\u{1F639}", json.decode [["a\u0000b\ud83d\ude39"]])
  end)

  it("lets the last of equal keys count, unless told to refuse", function()
    local text = '{"x": {"a": 1},\n "y": [true, null, {"k": 1, "l\\n": 2.5, "l\\n": "z"}]}'
    assert.equal("z", json.decode(text).y[3]["l\n"])
    local err = refusal(json.decode, text, { unique = true, name = "x.json" })
    assert.equal("DuplicateKey", err.code)
    assert.equal("config", err.cause)
    assert.matches("^x.json:2:4%d$", err.where)
    assert.same({ a = { a = { a = 1 } } }, json.decode('{"a":{"a":{"a":1}}}', { unique = true }))
    assert.equal("DuplicateKey", refusal(json.decode, '{"a":null,"a":false}', { unique = true }).code)
  end)

  it("names line, column and surroundings of a mistake", function()
    local err = refusal(json.decode, '{\n  "a": 1,\n  "b": oops\n}')
    assert.equal("BadJson", err.code)
    assert.equal("config", err.cause)
    assert.equal("line 3, column 8", err.where)
    assert.matches("oops", err.message, 1, true)
  end)

  it("refuses what is not JSON to the letter", function()
    for _, text in ipairs {
      "", " ", "[1,]", "{'a':1}", "[01]", "[1] x", "\u{FEFF}[]", [["\ud800"]], '"\xC0\x80"', "[1e999]", "nul",
      "[1] \"", "[1\f]",
    } do
      assert.equal("BadJson", refusal(json.decode, text).code, text)
    end
  end)

  it("holds its ceilings and lets them be moved", function()
    local deep = ("["):rep(513) .. ("]"):rep(513)
    assert.equal("TooDeep", refusal(json.decode, deep).code)
    assert.is_table(json.decode(deep, { max_depth = 513 }))
    assert.is_table(json.decode(("["):rep(4096) .. ("]"):rep(4096), { max_depth = 4096 }))
    assert.equal("TooDeep", refusal(json.decode, ("["):rep(100000)).code)
    assert.equal("TooBig", refusal(json.decode, "[1,2]", { max_size = 4 }).code)
  end)

  it("handles more distinct keys than it remembers, keys with escapes, and long keys", function()
    local parts, want = {}, {}
    for i = 1, 3000 do
      local key = i % 3 == 0 and "esc\\n" .. i or i % 3 == 1 and "k" .. i or ("long"):rep(30) .. i
      parts[i] = ('"%s":%d'):format(key, i)
      want[key:gsub("\\n", "\n")] = i
    end
    assert.same(want, json.decode("{" .. table.concat(parts, ",") .. "}"))
    assert.same({ [""] = { [""] = 1 } }, json.decode '{"":{"":1}}')
  end)

  it("raises on misuse, naming the option", function()
    assert.has_error(function() json.decode({}) end)
    assert.matches("did you mean 'unique'", tostring(refusal(json.decode, "1", { uniqe = true })), 1, true)
    assert.matches("'big' must be", tostring(refusal(json.decode, "1", { big = "maybe" })), 1, true)
    assert.matches("'max_depth' must be 1 to 4096", tostring(refusal(json.decode, "1", { max_depth = 5000 })), 1, true)
  end)

  it("leaves the collector as it found it", function()
    json.decode "[1]"
    assert.is_true(collectgarbage "isrunning")
    collectgarbage "stop"
    json.decode "[1]"
    local running = collectgarbage "isrunning"
    collectgarbage "restart"
    assert.is_false(running)
  end)
end)

describe("encoding", function()
  it("sorts keys by their bytes, so equal values give equal text", function()
    assert.equal('{"":0,"B":1,"a":2,"a\\u0000":3,"aa":4,"abcdefgh":5,"abcdefghi":6,"é":7}',
      json.encode { ["é"] = 7, abcdefghi = 6, abcdefgh = 5, aa = 4, ["a\0"] = 3, a = 2, B = 1, [""] = 0 })
    local big, parts = {}, {}
    for i = 1, 12000 do
      local key = ("%05d"):format(i * 7919 % 12007)
      big[key] = i
    end
    for key in json.encode(big):gmatch '"(%d+)":' do parts[#parts + 1] = key end
    assert.equal(12000, #parts)
    for i = 2, #parts do assert(parts[i - 1] < parts[i], parts[i]) end
    assert.same(big, json.decode(json.encode(big)))
  end)

  it("writes numbers in the shortest form that reads back, floats apart from integers", function()
    assert.equal("[1,1.0,-0.0,0.1,0.30000000000000004,1e+100,9007199254740993,5e-324]",
      json.encode { 1, 1.0, -0.0, 0.1, 0.1 + 0.2, 1e100, 9007199254740993, 5e-324 })
  end)

  it("escapes what must be and nothing else", function()
    assert.equal([["\"\\/\b\f\n\r\t\u0000\u001f]] .. "\x7f\u{20AC}\"", json.encode "\"\\/\b\f\n\r\t\0\31\x7f\u{20AC}")
  end)

  it("tells arrays from objects", function()
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(json.array()))
    assert.equal("[[],{}]", json.encode { json.array {}, {} })
    assert.equal("[1,[2]]", json.encode { 1, { 2 } })
  end)

  it("indents on demand", function()
    local value = { a = { 1, {} }, b = json.array() }
    assert.equal('{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}', json.encode(value, { pretty = true }))
    assert.equal('{\n "a": [\n  1,\n  {}\n ],\n "b": []\n}', json.encode(value, { indent = 1 }))
  end)

  it("refuses what JSON cannot hold, with the path", function()
    local cases = {
      { { items = { { cost = 0 / 0 } } }, "NotFinite", "$.items[1].cost" },
      { { -math.huge }, "NotFinite", "$[1]" },
      { { ["a b"] = { f = print } }, "BadType", '$["a b"].f' },
      { { 1, 2, x = 3 }, "MixedKeys", "$" },
      { { a = { [1] = 1, [3] = 3 } }, "MixedKeys", "$.a" },
      { { a = { [1.5] = 1 } }, "MixedKeys", "$.a" },
      { { a = json.array { 1, nil, 3, x = 1 } }, "MixedKeys", "$.a" },
      { { a = "\xFF" }, "NotUtf8", "$.a" },
      { { ["\xFF"] = 1 }, "NotUtf8", nil },
      { io.stdout, "BadType", "$" },
    }
    for _, case in ipairs(cases) do
      local err = refusal(json.encode, case[1])
      assert.equal(case[2], err.code)
      assert.equal("usage", err.cause)
      if case[3] then assert.equal(case[3], err.where) end
    end
  end)

  it("refuses tables inside themselves, and says where", function()
    local t = { a = { b = {} } }
    t.a.b.c = t.a
    local err = refusal(json.encode, t)
    assert.equal("Cycle", err.code)
    assert.equal("$.a.b.c", err.where)
    local deep = {}
    for _ = 1, 600 do deep = { deep } end
    err = refusal(json.encode, deep)
    assert.equal("TooDeep", err.code)
    assert.matches("^%.%.%.%[1%]", err.where)
  end)

  it("writes the same table twice where it stands twice", function()
    local shared = { 1 }
    assert.equal('{"a":[1],"b":[1]}', json.encode { a = shared, b = shared })
  end)

  it("reads back what it wrote, for generated values", function()
    local random = math.random
    math.randomseed(7)
    local function value(depth)
      local kind = random(depth > 4 and 5 or 7)
      if kind == 1 then return random(0) end
      if kind == 2 then return (random() - 0.5) * 10 ^ random(-30, 30) end
      if kind == 3 then return random(2) == 1 end
      if kind == 4 then return json.null end
      if kind == 5 then
        local t = {}
        for i = 1, random(0, 50) do t[i] = utf8.char(random(0, 0xD7FF)) end
        return table.concat(t)
      end
      local t = {}
      for i = 1, random(0, 6) do
        t[kind == 6 and i or tostring(random(1000))] = value(depth + 1)
      end
      return kind == 6 and json.array(t) or t
    end
    for _ = 1, 500 do
      local v = value(0)
      local text = json.encode(v)
      local back = json.decode(text, { unique = true })
      assert.same(v, back)
      assert.equal(text, json.encode(back))
      assert.equal(text, json.encode(json.decode(json.encode(v, { pretty = true }))))
    end
  end)

  it("keeps nothing when it fails", function()
    local bad = { a = ("x"):rep(1000), z = print }
    for _ = 1, 100 do pcall(json.encode, bad) end
    collectgarbage() collectgarbage()
    local before = collectgarbage "count"
    for _ = 1, 1000 do pcall(json.encode, bad) end
    collectgarbage() collectgarbage()
    assert.is_true(collectgarbage "count" - before < 64)
  end)

  it("survives each allocation that fails, and keeps nothing", function()
    local fault = require "adt.c.fault"
    local text = '{"k\\n":[1,2.5,"\\u00e9",{"a":null}],"b":true,"n":123456789012345678901234567890}'
    local value = json.decode(text)
    local function work()
      json.decode(text, { unique = true })
      json.encode(value)
    end
    work()
    local live, failures = fault.alloc_after(-1), 0
    for n = 0, 1000 do
      fault.alloc_after(n)
      local ok, err = pcall(work)
      assert.equal(live, fault.alloc_after(-1))
      if ok then break end
      failures = failures + 1
      assert.matches("memory", tostring(err))
    end
    assert.is_true(failures > 10, failures)
  end)
end)
