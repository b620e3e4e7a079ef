--- Responses: the public suites' output half, and answers that are not what the protocol says.
local awsmodel = require "adt.c.awsmodel"
local json = require "adt.json"
local suite = require "aws_protocol_suite"
local support = require "support"

after_each(support.no_leaks)

describe("the public suites of responses", function()
  it("pass in every case, those of the older form too", function()
    local vectors = os.getenv "ADT_VECTORS"
    if not vectors then
      pending "needs ADT_VECTORS, the folder of public vectors"
      return
    end
    local cases = suite.cases(vectors .. "/aws_protocols", "output")
    assert.is_true(#cases > 0)
    for _, case in ipairs(cases) do
      local what = suite.check(case)
      assert.is_nil(what, what and ("%s: %s"):format(case.title, what))
    end
  end)
end)

-- --- own cases -------------------------------------------------------------------------------------------------------

local SHAPES = {
  S = { type = "string" }, I = { type = "integer" }, B = { type = "boolean" }, T = { type = "timestamp" }, X = { type = "blob" },
  F = { type = "double" }, L = { type = "list", member = { shape = "S", locationName = "item" } },
  Times = { type = "list", member = { shape = "T" } },
  M = { type = "map", key = { shape = "S" }, value = { shape = "S" } },
  Sparse = { type = "map", key = { shape = "S" }, value = { shape = "S" }, sparse = true },
  Any = { type = "structure", document = true, members = {} },
  U = { type = "structure", union = true, members = { s = { shape = "S" }, i = { shape = "I" } } },
  O = { type = "structure", members = {
    name = { shape = "S" }, count = { shape = "I" }, on = { shape = "B" }, at = { shape = "T" }, raw = { shape = "X" },
    ratio = { shape = "F" }, list = { shape = "L" }, map = { shape = "M" }, sparse = { shape = "Sparse" }, any = { shape = "Any" },
    union = { shape = "U" }, inner = { shape = "O" }, flat = { shape = "L", flattened = true, locationName = "Flat" },
    flatmap = { shape = "M", flattened = true, locationName = "FlatMap" },
    times = { shape = "Times", location = "header", locationName = "X-Times" },
    code = { shape = "I", location = "statusCode" } } },
  Raw = { type = "structure", payload = "Body", members = { Body = { shape = "X" } } },
  Denied = { type = "structure", exception = true, retryable = { throttling = true },
    members = { Message = { shape = "S" }, inner = { shape = "O" }, wait = { shape = "I" } } },
}

local function model(protocol)
  local function operation(name, output)
    return { name = name, http = { method = "POST", requestUri = "/" }, output = output, errors = { { shape = "Denied" } } }
  end
  return assert(awsmodel.load(json.encode {
    metadata = { protocol = protocol, serviceId = "EC2", endpointPrefix = "ec2" }, shapes = SHAPES,
    operations = { Get = operation("Get", { shape = "O", resultWrapper = protocol == "query" and "GetResult" or nil }),
      GetRaw = operation("GetRaw", { shape = "Raw" }), Delete = operation "Delete" },
  }, protocol))
end

local XML, JSON = { ["content-type"] = "text/xml" }, { ["content-type"] = "application/json" }

-- The message of an answer that cannot be read.
local function refused(m, body, headers, operation, status)
  local result, err = m:response(operation or "Get", status or 200, headers or XML, body)
  assert.is_nil(result)
  assert.equal("service", err.cause)
  assert.is_true(err.retryable)
  return err
end

local function read(m, body, headers, operation)
  return assert(m:response(operation or "Get", 200, headers or {}, body))
end

local PAGE = "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>"

describe("an answer in the wrong language", function()
  it("is named with its status, type and beginning when it is an HTML page", function()
    local err = refused(model "ec2", PAGE, { ["content-type"] = "text/html" }, "Get", 200)
    assert.equal("NotXml", err.code)
    assert.equal('EC2 Get: the answer is no XML but an HTML page (status 200, text/html): '
      .. '"<!doctype html> <html lang=en> <title>500 Internal Server Er..."', err.message)
  end)

  for _, protocol in ipairs { "query", "ec2", "json", "rest-json", "rest-xml" } do
    it(("is no success in %s, not even where nothing is due"):format(protocol), function()
      for _, operation in ipairs { "Get", "Delete" } do
        for _, page in ipairs { PAGE, "\n <HTML><body/></HTML>" } do
          assert.match("but an HTML page", refused(model(protocol), page, {}, operation).message)
        end
      end
    end)
  end

  it("is refused when it is JSON where XML is due, or the other way round, or words", function()
    assert.equal("NotXml", refused(model "query", "{}", JSON).code)
    assert.equal("NotJson", refused(model "json", "<a/>").code)
    assert.match(': "Service Unavailable"$', refused(model "rest-json", "Service Unavailable", {}).message)
  end)

  it("is refused when it is empty where XML is due, and read as nothing in JSON and REST", function()
    assert.match("the answer is empty", refused(model "ec2", " \n").message)
    assert.same({}, read(model "json", " \n"))
    assert.same({ code = 200 }, read(model "rest-xml", ""))
    assert.same({}, read(model "query", "", {}, "Delete"))
  end)

  it("is refused when it declares a document type", function()
    local err = refused(model "rest-xml", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<a><name>&x;</name></a>')
    assert.match("document type declaration", err.message)
    assert.equal("line 1, column 1", err.where)
  end)

  it("shows nothing of a body that may hold secrets", function()
    for _, body in ipairs { '{"name":"hunter2', '{"count":"hunter2"}', '{"name":"x"}hunter2' } do
      local err = refused(model "json", body, JSON)
      assert.is_nil((err.message .. tostring(err.hint)):find "hunter2")
    end
    assert.is_nil(refused(model "ec2", "<a><name>hunter2</nam></a>").message:find "hunter2")
  end)
end)

describe("an answer that is cut", function()
  it("is refused at every one of its places", function()
    local bodies = {
      query = '<?xml version="1.0"?><GetResponse><GetResult><name>a&amp;b</name><list><item>1</item></list></GetResult>'
        .. "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetResponse>",
      ec2 = "<GetResponse><!-- c --><Flat>1</Flat><name><![CDATA[x]]></name><Flat>2</Flat></GetResponse>",
      ["rest-xml"] = "<O xmlns:a='u'><FlatMap><key>k</key><value>v</value></FlatMap><inner><name/></inner></O>",
      json = '{"name":"a\\u00e9","list":["x",null],"inner":{"count":12.5},"no":[{}]}',
      ["rest-json"] = '{"any":{"a":[1,true]},"union":{"i":1}}',
    }
    for protocol, body in pairs(bodies) do
      local m = model(protocol)
      read(m, body)
      for n = 1, #body - 1 do
        refused(m, body:sub(1, n))
      end
    end
  end)
end)

describe("an answer of the wrong form", function()
  it("is refused with the member's name and the place, not the value", function()
    local err = refused(model "json", '{"name":"x",\n "count":"many"}', JSON)
    assert.equal("WrongType", err.code)
    assert.match("count is not an integer", err.message)
    assert.match("^line 2, column", err.where)
    err = refused(model "ec2", "<a>\n<at>yesterday</at></a>")
    assert.match("at is not a time", err.message)
    assert.match("^line 2, column", err.where)
    for _, body in ipairs { '{"list":{}}', '{"list":"a"}', '{"inner":[]}', '{"map":[1]}', '{"name":{}}', '{"on":1}', '{"raw":"?"}',
      '{"at":true}', "[]", '"text"', "1" } do
      assert.equal("WrongType", refused(model "json", body, JSON).code)
    end
  end)

  it("is refused when a union has no member or several", function()
    for _, union in ipairs { "{}", '{"s":"x","i":1}', '{"s":"x","new":1}', '{"s":null}', '{"__type":"s"}' } do
      assert.match("U, of which one member is due", refused(model "rest-json", '{"union":' .. union .. "}", JSON).message)
    end
    assert.equal("WrongType", refused(model "rest-xml", "<O><union/></O>").code)
  end)

  it("is refused when a query's result is missing", function()
    assert.match("there is no <GetResult> in the answer's <Other>", refused(model "query", "<Other><x/></Other>").message)
  end)

  it("is refused when it is too deep, whether anybody asked for it or not", function()
    local inner = ("<inner>"):rep(126) .. ("</inner>"):rep(126)
    read(model "ec2", "<a>" .. inner .. "</a>")
    assert.equal("TooDeep", refused(model "ec2", "<a><inner><inner>" .. inner .. "</inner></inner></a>").code)
    assert.equal("TooDeep", refused(model "ec2", ("<x>"):rep(300) .. ("</x>"):rep(300)).code)
    local objects = ('{"inner":'):rep(127) .. "{}" .. ("}"):rep(127)
    read(model "json", objects)
    assert.equal("TooDeep", refused(model "json", '{"inner":' .. objects .. "}").code)
    assert.equal("TooDeep", refused(model "json", '{"no":' .. ("["):rep(300) .. ("]"):rep(300) .. "}").code)
  end)
end)

describe("an answer", function()
  it("keeps scattered items of flattened lists and maps together, and the first of equal members", function()
    local o = read(model "rest-xml", "<O><Flat>1</Flat><name>a</name><Flat>2</Flat><FlatMap><value>v</value><key>k</key></FlatMap>"
      .. "<name>b</name><item>3</item><FlatMap><key>l</key><value>w</value></FlatMap></O>")
    assert.same({ flat = { "1", "2", "3" }, name = "a", flatmap = { k = "v", l = "w" }, code = 200 }, o)
  end)

  it("has empty lists and maps where they are there and empty", function()
    assert.same({ list = {}, map = {}, code = 200 }, read(model "rest-xml", "<O><list/><map></map></O>"))
    assert.equal('{"code":200,"list":[],"map":{}}', json.encode(read(model "rest-json", '{"list":[],"map":{}}')))
  end)

  it("leaves out nulls, but for those in lists and sparse maps", function()
    local o = read(model "json", '{"name":null,"list":["a",null],"map":{"x":null},"sparse":{"x":null},"any":{"x":null}}')
    assert.same({ list = { "a", json.null }, map = {}, sparse = { x = json.null }, any = { x = json.null } }, o)
  end)

  it("names a union's member that the model does not know", function()
    assert.same({ union = { SDK_UNKNOWN_MEMBER = { name = "new" } } }, read(model "json", '{"union":{"__type":"t","new":{"deep":[1]}}}'))
    assert.same({ union = { SDK_UNKNOWN_MEMBER = { name = "new" } } }, read(model "ec2", "<O><union><new><a/></new></union></O>"))
  end)

  it("has times of every form as seconds", function()
    local forms = {
      ["1398796238"] = 1398796238, ["1398796238.25"] = 1398796238.25, ["1.398796238e9"] = 1398796238, ["-1.5"] = -1.5,
      ["2014-04-29T18:30:38Z"] = 1398796238, ["2014-04-29T18:30:38.000Z"] = 1398796238, ["2014-04-29t18:30:38.123456z"] = 1398796238.123456,
      ["2014-04-29T20:30:38+02:00"] = 1398796238, ["2014-04-29T16:00:38.5-0230"] = 1398796238.5, ["20140429T183038Z"] = 1398796238,
      ["2014-04-29"] = 1398729600, ["2014-04-29 18:30"] = 1398796200, ["Tue, 29 Apr 2014 18:30:38 GMT"] = 1398796238,
      ["Tue, 29 Apr 2014 18:30:38.5 GMT"] = 1398796238.5, ["29 Apr 2014 20:30:38 +0200"] = 1398796238,
      ["Tuesday, 29-Apr-2014 18:30:38 UTC"] = 1398796238, ["1969-12-31T23:59:58.5Z"] = -1.5, ["0001-01-01T00:00:00Z"] = -62135596800,
      ["9999-12-31T23:59:59Z"] = 253402300799, ["2000-02-29T00:00:00Z"] = 951782400,
    }
    local m = model "ec2"
    for text, seconds in pairs(forms) do
      assert.equal(seconds, read(m, "<O><at> " .. text .. "\n</at></O>").at, text)
    end
    for _, text in ipairs { "2014-13-01", "2014-04-32", "2014-04-29T25:00:00Z", "2014-04-29T18:30:38X", "Tue, 29 Foo 2014 18:30:38 GMT",
      "2014-04", "1e999", "nan", "2014-04-29T18:30:38.Z", "--1" } do
      assert.equal("WrongType", refused(m, "<O><at>" .. text .. "</at></O>").code, text)
    end
  end)

  it("splits lists of dates in headers at the commas between them", function()
    local o = read(model "rest-json", "", { ["X-TIMES"] = "Tue, 29 Apr 2014 18:30:38 GMT, 2014-04-29T18:30:38Z,1398796238" })
    assert.same({ 1398796238, 1398796238, 1398796238 }, o.times)
  end)

  it("has numbers as they are written", function()
    local o = read(model "json", '{"count":9223372036854775807,"ratio":5}')
    assert.equal("integer", math.type(o.count))
    assert.equal("float", math.type(o.ratio))
    assert.equal(1e20, read(model "ec2", "<O><count>100000000000000000000</count></O>").count)
    assert.same({ name = "5" }, read(model "json", '{"name":5}'))
    assert.same({}, read(model "ec2", "<O><count/><on> </on><at/></O>"))
  end)

  it("takes bytes of any kind in base64, line ends in it or not", function()
    assert.equal("\0\xFF\x01hello", read(model "ec2", "<O><raw>\n AP8B\n aGVsbG8=\n</raw></O>").raw)
  end)

  it("does not look at a body that went elsewhere", function()
    assert.same({ code = 206 }, model "rest-xml":response("Get", 206, {}, nil, true))
  end)
end)

describe("a failure", function()
  local ERROR = "<Error><Code>Denied</Code><Message>no &amp; never</Message><inner><name>x</name></inner><RequestId>r</RequestId>"
    .. "<HostId>h</HostId></Error>"

  it("may begin with 200 where the protocol is rest-xml", function()
    local m = model "rest-xml"
    assert.is_true(m:is_failure("Get", 200, {}, '<?xml version="1.0"?>\n\n  ' .. ERROR))
    assert.is_true(m:is_failure("Delete", 200, {}, ERROR))
    assert.is_false(m:is_failure("Get", 200, {}, "<Errors/>"))
    assert.is_false(m:is_failure("Get", 200, {}, "<O><Error/></O>"))
    assert.is_false(m:is_failure("GetRaw", 200, {}, ERROR))
    assert.is_false(model "ec2":is_failure("Get", 200, {}, ERROR))
    assert.is_true(m:is_failure("Get", 304, {}, ""))
  end)

  it("has its code, words, ids and members", function()
    local f = model "rest-xml":failure("Get", 200, {}, ERROR)
    assert.same({ code = "Denied", message = "no & never", request_id = "r", host_id = "h", type = "", shape = "Denied", retryable = true,
      throttling = true, fields = { Message = "no & never", inner = { name = "x" } } }, f)
  end)

  it("is known by its code without an operation, and has no members without a shape", function()
    local m = model "json"
    local f = m:failure(nil, 400, {}, '{"wait":5,"message":"m","__type":"a#Denied:http://x"}')
    assert.same({ "Denied", "m", { wait = 5 } }, { f.code, f.message, f.fields })
    f = m:failure("Get", 400, { ["x-amzn-requestid"] = "r" }, '{"__type":"Odd","wait":5}')
    assert.same({ code = "Odd", message = "", request_id = "r", host_id = "", type = "", retryable = false, throttling = false, fields = {} }, f)
  end)

  it("keeps its code when its members are not of the shape", function()
    local f = model "json":failure("Get", 400, {}, '{"__type":"Denied","wait":"a while","message":"m"}')
    assert.same({ "Denied", "m", {} }, { f.code, f.message, f.fields })
  end)

  it("takes the code of an older protocol from its header", function()
    local f = model "json":failure("Get", 400, { ["x-amzn-query-error"] = "AWS.Gone;Sender" }, '{"__type":"Denied","wait":1}')
    assert.same({ "AWS.Gone", "Sender", "Denied", { wait = 1 } }, { f.code, f.type, f.shape, f.fields })
  end)

  it("in XML is understood where JSON is spoken", function()
    local f = model "json":failure("Get", 403, XML, "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>"
      .. "<Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>")
    assert.same({ "SignatureDoesNotMatch", "m", "Sender", "r" }, { f.code, f.message, f.type, f.request_id })
  end)

  it("that says nothing of the kind has no code and the beginning of what came", function()
    for _, protocol in ipairs { "query", "ec2", "json", "rest-json", "rest-xml" } do
      local m = model(protocol)
      local f = m:failure("Get", 500, {}, PAGE)
      assert.same({ "", "<!doctype html> <html lang=en> <title>500 Internal Server Error</title>", {} }, { f.code, f.message, f.fields })
      f = m:failure("Get", 404, { ["x-amz-request-id"] = "r", ["x-amz-id-2"] = "h" }, "")
      assert.same({ "", "", "r", "h" }, { f.code, f.message, f.request_id, f.host_id })
      f = m:failure("Get", 503, {}, "slow \0down\xFF")
      assert.equal("slow down", f.message)
      f = m:failure("Get", 503, {}, "<Error><Code>Cut")
      assert.same({ "", "<Error><Code>Cut" }, { f.code, f.message })
    end
  end)
end)

describe("reading", function()
  it("survives each allocation that fails, and keeps nothing", function()
    local fault = require "adt.c.fault"
    local xml, rest = model "rest-xml", model "rest-json"
    local body = "<O><name>a&amp;b</name><Flat>1</Flat><raw>eA==</raw><Flat>2</Flat><FlatMap><value>v</value><key>k</key></FlatMap></O>"
    local function work()
      read(xml, body)
      read(rest, '{"map":{"k\\n":"v"},"raw":"eA==","union":{"new":1}}', { ["x-times"] = "1, 2" })
      rest:failure("Get", 400, {}, '{"code":"Denied","message":"m","wait":1}')
      xml:failure("Get", 400, {}, "<Error><Code>Denied</Code><Message>m</Message></Error>")
    end
    work()
    local live, failures = fault.alloc_after(-1), 0
    for n = 0, 1000 do
      fault.alloc_after(n)
      local ok, err = pcall(work)
      assert.equal(live, fault.alloc_after(-1))
      if ok then break end
      failures = failures + 1
      assert.matches("memory", tostring(type(err) == "table" and err.message or err))
    end
    assert.is_true(failures > 40, failures)
  end)
end)
