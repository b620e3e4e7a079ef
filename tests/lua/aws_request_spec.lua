--- Models and requests from Lua: what a model tells, what wrong parameters are told, secrets on their way.
local awsmodel = require "adt.c.awsmodel"
local json = require "adt.json"
local secret = require "adt.secret"
local support = require "support"

after_each(support.no_leaks)

local SHAPES = {
  Input = { type = "structure", required = { "Name" }, members = {
    Name = { shape = "String" }, Count = { shape = "Integer" }, Ratio = { shape = "Double" }, On = { shape = "Boolean" },
    At = { shape = "Time" }, Data = { shape = "Blob" }, Filters = { shape = "Filters" }, Labels = { shape = "Labels" },
    Choice = { shape = "Choice" }, Tree = { shape = "Tree" }, Free = { shape = "Free" },
    Events = { shape = "Events" }, ClientToken = { shape = "String", idempotencyToken = true },
  } },
  Filters = { type = "list", member = { shape = "Filter" } },
  Filter = { type = "structure", members = { Name = { shape = "String" }, Values = { shape = "Strings" } } },
  Strings = { type = "list", member = { shape = "String" } },
  Labels = { type = "map", key = { shape = "String" }, value = { shape = "String" } },
  Choice = { type = "structure", union = true, members = { A = { shape = "String" }, B = { shape = "String" } } },
  Events = { type = "structure", eventstream = true, members = { A = { shape = "Filter" } } },
  Tree = { type = "structure", members = { Down = { shape = "Tree" } } },
  Free = { type = "structure", document = true, members = {} },
  String = { type = "string" }, Integer = { type = "integer" }, Double = { type = "double" }, Boolean = { type = "boolean" },
  Time = { type = "timestamp" }, Blob = { type = "blob" },
  Put = { type = "structure", required = { "Bucket", "Body" }, payload = "Body", members = {
    Bucket = { shape = "String", location = "uri", locationName = "Bucket" },
    Key = { shape = "String", location = "uri", locationName = "Key" },
    Type = { shape = "String", location = "header", locationName = "Content-Type" },
    Meta = { shape = "Labels", location = "headers", locationName = "x-meta-" },
    Body = { shape = "Blob", streaming = true },
  } },
  Host = { type = "structure", required = { "Account" }, members = { Account = { shape = "String", hostLabel = true } } },
  Gone = { type = "structure", members = {}, exception = true },
}

local OPERATIONS = {
  DescribeThings = { input = { shape = "Input" }, output = { shape = "Filter" }, errors = { { shape = "Gone" } } },
  PutThing = { input = { shape = "Put" }, http = { method = "PUT", requestUri = "/{Bucket}/{Key+}?fixed" },
    httpChecksum = { requestAlgorithmMember = "Type", requestChecksumRequired = true } },
  OpenDoor = { authtype = "none", endpoint = { hostPrefix = "{Account}." }, input = { shape = "Host" },
    requestcompression = { encodings = { "gzip" } } },
}

local function metadata(protocol, more)
  local t = { protocol = protocol, apiVersion = "2026-01-01", endpointPrefix = "things", serviceId = "Things", targetPrefix = "T",
    jsonVersion = "1.1" }
  for key, value in pairs(more or {}) do t[key] = value end
  return t
end

local function service(protocol, more)
  return assert(awsmodel.load(json.encode { metadata = metadata(protocol, more), operations = OPERATIONS, shapes = SHAPES }, "things"))
end

local json_service = service "json"

-- The error of a request that must be refused.
local function refused(params, model, operation)
  local request, err = (model or json_service):request(operation or "DescribeThings", params)
  assert.is_nil(request)
  assert.equal("usage", err.cause)
  return err
end

describe("a model", function()
  it("tells its metadata", function()
    local m = service("rest-json", { signingName = "sign", globalEndpoint = "g", protocols = { "smithy-rpc-v2-cbor", "rest-json", "json" } })
    assert.same({ protocol = "rest-json", service_id = "Things", endpoint_prefix = "things", signing_name = "sign",
      api_version = "2026-01-01", json_version = "1.1", target_prefix = "T", global_endpoint = "g", query_compatible = false },
      m:metadata())
    assert.equal("things", json_service:metadata().signing_name)
  end)

  it("tells its operations and their traits", function()
    assert.same({ "DescribeThings", "OpenDoor", "PutThing" }, json_service:operations())
    assert.is_nil(json_service:operation "None")
    local op = json_service:operation "DescribeThings"
    assert.same({ "ClientToken" }, op.idempotency)
    assert.same({ "At", "Choice", "ClientToken", "Count", "Data", "Events", "Filters", "Free", "Labels", "Name", "On", "Ratio",
      "Tree" }, op.input_members)
    op = json_service:operation "PutThing"
    assert.same({ "PUT", "Body", "Type", true, false },
      { op.method, op.streaming_input, op.checksum_algorithm_member, op.checksum_required, op.unsigned_request })
    op = json_service:operation "OpenDoor"
    assert.same({ "{Account}.", true, true }, { op.host_prefix, op.unsigned_request, op.gzip })
  end)

  it("is refused when something in it is missing, with its name and the place", function()
    local function wrong(change)
      local text = { metadata = metadata "json", operations = OPERATIONS, shapes = { Input = SHAPES.Strings, String = SHAPES.String } }
      change(text)
      local m, err = awsmodel.load(json.encode(text), "things.json")
      assert.is_nil(m)
      assert.equal("config", err.cause)
      return err
    end
    local err = wrong(function() end)
    assert.matches("things.json", err.message, 1, true)
    assert.matches("is no structure", err.message, 1, true)
    assert.equal("DescribeThings", err.where)
    err = wrong(function(t) t.shapes.Input = { type = "list", member = { shape = "Lost" } } end)
    assert.matches("the shape 'Lost' is missing", err.message, 1, true)
    assert.equal("Input", err.where)
    assert.matches("'maybe' is not known", wrong(function(t) t.shapes.Input = { type = "maybe" } end).message, 1, true)
    assert.matches("'soap' is not known", wrong(function(t) t.metadata.protocol = "soap" end).message, 1, true)
    assert.matches("keys of a map", wrong(function(t)
      t.shapes.Input = { type = "map", key = { shape = "Input" }, value = { shape = "String" } }
    end).message, 1, true)
    local _, bad = awsmodel.load("{", "things.json")
    assert.equal("BadJson", bad.code)
  end)
end)

describe("a request", function()
  it("holds what the model says, in its order", function()
    local r = assert(json_service:request("DescribeThings", { Name = "ü\n", Count = 3.0, Ratio = 1, At = "2026-01-31T12:00:00+01:00",
      Data = "\0\255", Labels = { b = "2", a = "1" }, Free = { { 1, json.null }, [2] = "x" } }, "the-token"))
    assert.equal("POST", r.method)
    assert.equal("/", r.path)
    assert.same({ ["X-Amz-Target"] = "T.DescribeThings", ["Content-Type"] = "application/x-amz-json-1.1" }, r.headers)
    assert.same({ At = 1769857200, ClientToken = "the-token", Count = 3, Data = "AP8=", Free = { { 1, json.null }, "x" },
      Labels = { a = "1", b = "2" }, Name = "ü\n", Ratio = 1 }, json.decode(r.body))
    assert.matches('"Labels": {"a": "1", "b": "2"}', r.body, 1, true)
    assert.matches([["Name": "\u00fc\n"]], r.body, 1, true)
  end)

  it("keeps a token that is given, and has none that nobody gives", function()
    local function token(given, filled)
      return json.decode(json_service:request("DescribeThings", { Name = "n", ClientToken = given }, filled).body).ClientToken
    end
    assert.equal("mine", token("mine", "theirs"))
    assert.equal("theirs", token(nil, "theirs"))
    assert.equal("theirs", token(json.null, "theirs"))
    assert.is_nil(token(nil, nil))
  end)

  it("leaves a streaming body to its caller, or takes it", function()
    local m = service "rest-xml"
    local r = assert(m:request("PutThing", { Bucket = "b", Key = "a b/c", Meta = { x = "1" } }))
    assert.same({ method = "PUT", path = "/b/a%20b/c", query = "fixed", host_prefix = "", streaming = true,
      headers = { ["x-meta-x"] = "1" } }, r)
    r = assert(m:request("PutThing", { Bucket = "b", Key = "k", Body = "bytes \0", Type = "text/x" }))
    assert.same({ "bytes \0", false, "text/x" }, { r.body, r.streaming, r.headers["Content-Type"] })
  end)

  it("takes an empty table for an empty list and an empty map", function()
    local r = assert(json_service:request("DescribeThings", { Name = "n", Filters = {}, Labels = {}, Tree = json.array {} }))
    assert.same('{"Filters": [], "Labels": {}, "Name": "n", "Tree": {}}', r.body)
  end)

  it("fills the host's prefix and refuses what is no part of a host", function()
    assert.equal("a-1.", json_service:request("OpenDoor", { Account = "a-1" }).host_prefix)
    assert.equal("BadHostLabel", refused({ Account = "evil.com/" }, nil, "OpenDoor").code)
    assert.equal("MissingMember", refused({}, nil, "OpenDoor").code)
  end)
end)

describe("parameters that are wrong are told what and where:", function()
  local function at(path, code, params, model, operation)
    local err = refused(params, model, operation)
    assert.same({ path, code }, { err.where, err.code })
    return err
  end

  it("a name that is not known, with the nearest one", function()
    local err = at("$.Filters[2].Nme", "UnknownMember", { Name = "n", Filters = { { Name = "a" }, { Nme = "b" } } })
    assert.equal("did you mean 'Name'?", err.hint)
    assert.matches("DescribeThings has no 'Nme'", err.message, 1, true)
    assert.matches("known: A, B", at("$.Choice.Quarter", "UnknownMember", { Name = "n", Choice = { Quarter = 1 } }).hint, 1, true)
  end)

  it("a member that is needed", function()
    assert.matches("needs 'Name'", at("$", "MissingMember", {}).message, 1, true)
    assert.matches("needs 'Key'", at("$", "MissingMember", { Bucket = "b" }, service "rest-xml", "PutThing").message, 1, true)
  end)

  it("is a table with names, also where a token is to be put into it", function()
    for _, operation in ipairs { "DescribeThings", "PutThing" } do
      local request, err = json_service:request(operation, { "x", "y" }, "token")
      assert.is_nil(request)
      assert.same({ "usage", "WrongType" }, { err.cause, err.code })
      assert.matches("are a table with names", err.message, 1, true)
    end
  end)

  it("a type that does not fit, and nothing is converted", function()
    local function wrong(name, value, needed)
      local err = at("$." .. name, "WrongType", { Name = "n", [name] = value })
      assert.matches(needed, err.message, 1, true)
    end
    wrong("Count", "3", "a whole number here, not a string")
    wrong("Count", 1.5, "not a fraction")
    wrong("Count", 1e300, "not a fraction")
    wrong("Ratio", "1.5", "a number here, not a string")
    wrong("On", 1, "true or false here, not a number")
    wrong("Name", 5, "a string here, not a number")
    wrong("Data", { "x" }, "a string of bytes here, not a list")
    wrong("Filters", { Name = "x" }, "a list here, not a table with names")
    wrong("Labels", { "x" }, "a table with names here, not a list")
    wrong("Tree", "x", "a table with names here, not a string")
    wrong("At", "yesterday", "and this string is none")
    wrong("At", "2026-02-29", "and this string is none")
    wrong("At", 1e18, "and this number is none")
    at("$.Filters[1].Values[2]", "WrongType", { Name = "n", Filters = { { Values = { "a", 7 } } } })
    at('$.Labels["a b"]', "WrongType", { Name = "n", Labels = { ["a b"] = false } })
  end)

  it("text that is no UTF-8", function()
    local err = at("$.Name", "NotUtf8", { Name = "ab\255" })
    assert.matches("byte 3", err.message, 1, true)
    at("$.Free.x", "NotUtf8", { Name = "n", Free = { x = "\192" } })
  end)

  it("a union of none or of two", function()
    at("$.Choice", "BadUnion", { Name = "n", Choice = {} })
    at("$.Choice", "BadUnion", { Name = "n", Choice = { A = "1", B = "2" } })
    assert(json_service:request("DescribeThings", { Name = "n", Choice = { A = "1", B = json.null } }))
  end)

  it("more levels than there are", function()
    local function tree(n)
      local top = {}
      for _ = 2, n do top = { Down = top } end
      return { Name = "n", Tree = top }
    end
    assert(json_service:request("DescribeThings", tree(128)))
    assert.equal("TooDeep", refused(tree(129)).code)
    assert.equal("TooDeep", refused(tree(2000)).code)
  end)

  it("a path's label without text", function()
    at("$.Key", "EmptyLabel", { Bucket = "b", Key = "" }, service "rest-xml", "PutThing")
  end)

  it("what a header cannot carry", function()
    local m = service "rest-json"
    for _, params in ipairs { { Type = "a\r\nb: c" }, { Meta = { x = "\n" } }, { Meta = { ["x y"] = "1" } }, { Meta = { ["x:y"] = "1" } } } do
      params.Bucket, params.Key = "b", "k"
      assert.equal("BadHeader", refused(params, m, "PutThing").code)
    end
  end)

  it("what XML and forms cannot carry", function()
    assert.equal("BadText", refused({ Name = "a\1" }, service "rest-xml").code)
    assert.equal("WrongType", refused({ Name = "a", Free = { 1 } }, service "query").code)
    assert.matches("a&#13;b", service "rest-xml":request("DescribeThings", { Name = "a\rb" }).body, 1, true)
  end)

  it("a stream of events, which nobody can send yet", function()
    at("$.Events", "EventStream", { Name = "n", Events = {} })
  end)

  it("what is no data at all", function()
    assert.equal("BadType", refused({ Name = print }).code)
    assert.equal("$.Name", refused({ Name = print }).where)
    assert.has_error(function() json_service:request("Nothing", {}) end)
  end)
end)

describe("a secret among the parameters", function()
  it("is revealed into the request and nowhere else", function()
    local hidden = secret.new("password", "tr0ub4dor&3-much-longer")
    local r = assert(json_service:request("DescribeThings", { Name = hidden, Data = hidden }))
    assert.same({ Name = hidden:reveal(), Data = "dHIwdWI0ZG9yJjMtbXVjaC1sb25nZXI=" }, json.decode(r.body))
    local err = refused { Name = "n", Count = hidden, Labels = { x = hidden } }
    assert.same({ "$.Count", "WrongType" }, { err.where, err.code })
    assert.is_nil(json.encode(err):find("tr0ub4dor", 1, true))
    assert.has_error(function() json.encode { hidden } end)
  end)
end)
