--- Cases like those of the public signing suite, their canonical forms written by hand, run as the suite is run; and
--- what the runner says of cases that fail or are not whole.
local fs = require "adt.fs"
local hash = require "adt.hash"
local json = require "adt.json"
local process = require "adt.process"
local suite = require "sigv4_suite"
local support = require "support"

after_each(support.no_leaks)

local SECRET, SCOPE = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830/us-east-1/service/aws4_request"
local EMPTY = hash.sha256 ""
local TOKEN = "AQoDYXdzEPT//////////wEXAMPLE+token=="
local TOKEN_ESCAPED = "AQoDYXdzEPT%2F%2F%2F%2F%2F%2F%2F%2F%2F%2FwEXAMPLE%2Btoken%3D%3D"
local UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

-- target: of the first line; lines: the caller's headers but for the host; path, query: the canonical ones, where they
-- are not "/" and nothing; before, after: canonical headers that stand before and behind that of the host,
-- with their names.
local CASES = {
  ["get-vanilla"] = {},
  ["get-vanilla-empty-query-key"] = { target = "/?Param1=value1", query = "Param1=value1" },
  ["get-vanilla-query-order-encoded"] = {
    target = "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", query = "%E1%88%B4=Value1&Param=Value2&Param-3=Value3",
  },
  ["get-vanilla-query-order-key"] = {
    target = "/?Param1=value2&Param1=Value1", query = "Param1=Value1&Param1=value2",
  },
  ["get-vanilla-query-order-value"] = {
    target = "/?Param1=value2&Param1=value1", query = "Param1=value1&Param1=value2",
  },
  ["get-vanilla-query-unreserved"] = {
    target = ("/?%s=%s"):format(UNRESERVED, UNRESERVED), query = ("%s=%s"):format(UNRESERVED, UNRESERVED),
  },
  ["get-vanilla-with-session-token"] = { token = TOKEN },
  ["post-sts-header-after"] = { method = "POST", token = TOKEN, token_after = true },
  ["get-utf8"] = { target = "/ሴ", path = "/%E1%88%B4" },
  ["get-header-value-multiline"] = {
    lines = "My-Header1:value1\n  value2\n     value3\n", after = "my-header1:value1 value2 value3\n", names = "my-header1",
    folded = true,
  },
  ["get-header-value-trim"] = {
    lines = 'My-Header1: value1 \nMy-Header2: "a   b   c" \n',
    after = 'my-header1:value1\nmy-header2:"a b c"\n', names = "my-header1;my-header2",
  },
  ["get-relative-unnormalized"] = { target = "/example/..", path = "/example/..", keep = true },
  ["get-relative-relative-normalized"] = { target = "/example1/example2/../.." },
  ["get-slash-unnormalized"] = { target = "//", path = "//", keep = true },
  ["get-slashes-unnormalized"] = { target = "//example//", path = "//example//", keep = true },
  ["get-slash-dot-slash-unnormalized"] = { target = "/./", path = "/./", keep = true },
  ["get-slash-pointless-dot-normalized"] = { target = "/./example", path = "/example" },
  ["get-space-unnormalized"] = { target = "/example space/", path = "/example%20space/", keep = true },
  ["post-header-key-sort"] = {
    method = "POST", lines = "My-Header1:value1\n", after = "my-header1:value1\n", names = "my-header1",
  },
  ["post-vanilla"] = { method = "POST" },
  ["post-vanilla-query"] = { method = "POST", target = "/?Param1=value1", query = "Param1=value1" },
  ["post-x-www-form-urlencoded-parameters"] = {
    method = "POST", lines = "Content-Type:application/x-www-form-urlencoded; charset=utf-8\nContent-Length:13\n",
    before = "content-length:13\ncontent-type:application/x-www-form-urlencoded; charset=utf-8\n",
    names_before = "content-length;content-type", body = "Param1=value1",
  },
}

local function hmac(key, text)
  return hash.hmac_sha256(key, text, { raw = true })
end

local function signature(text)
  local key = "AWS4" .. SECRET
  for part in SCOPE:gmatch "[^/]+" do key = hmac(key, part) end
  return hash.hmac_sha256(key, text)
end

local function joined(separator, ...)
  local parts = {}
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if part and part ~= "" then parts[#parts + 1] = part end
  end
  return table.concat(parts, separator)
end

local function put_signature(files, form, canonical)
  local text = ("AWS4-HMAC-SHA256\n20150830T123600Z\n%s\n%s"):format(SCOPE, hash.sha256(canonical))
  files[form .. "-canonical-request.txt"], files[form .. "-string-to-sign.txt"] = canonical, text
  files[form .. "-signature.txt"] = signature(text)
  return files[form .. "-signature.txt"]
end

local function put_header_form(files, case)
  local token = case.token and not case.token_after
  local names = joined(";", case.names_before, "host", case.names, case.body and "x-amz-content-sha256", "x-amz-date",
    token and "x-amz-security-token")
  local payload = hash.sha256(case.body or "")
  local found = put_signature(files, "header", joined("\n", case.method or "GET", case.path or "/") .. "\n"
    .. (case.query or "") .. "\n" .. (case.before or "") .. "host:example.amazonaws.com\n" .. (case.after or "")
    .. (case.body and "x-amz-content-sha256:" .. payload .. "\n" or "") .. "x-amz-date:20150830T123600Z\n"
    .. (token and "x-amz-security-token:" .. case.token .. "\n" or "") .. "\n" .. names .. "\n" .. payload)
  local lines = { files.first, "Host:example.amazonaws.com\n" .. (case.lines or "") }
  lines[3] = token and "X-Amz-Security-Token:" .. case.token .. "\n" or ""
  lines[4] = "X-Amz-Date:20150830T123600Z\n" .. (case.body and "x-amz-content-sha256:" .. payload .. "\n" or "")
  lines[5] = ("Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%s, SignedHeaders=%s, Signature=%s\n"):format(
    SCOPE, names, found)
  lines[6] = case.token_after and "X-Amz-Security-Token:" .. case.token .. "\n" or ""
  lines[7] = "\n" .. (case.body or "")
  files["header-signed-request.txt"] = table.concat(lines)
end

local function put_query_form(files, case)
  local names = joined(";", case.names_before, "host", case.names)
  local token = case.token and "X-Amz-Security-Token=" .. TOKEN_ESCAPED
  local signed_token = not case.token_after and token
  local start = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F" .. SCOPE:gsub("/", "%%2F")
    .. "&X-Amz-Date=20150830T123600Z"
  local expires, signed = "X-Amz-Expires=3600", "X-Amz-SignedHeaders=" .. names:gsub(";", "%%3B")
  -- Whatever the cases' own parameters begin with sorts before 'X'.
  local query = joined("&", case.query, start, expires, signed_token, signed)
  local found = put_signature(files, "query", (case.method or "GET") .. "\n" .. (case.path or "/") .. "\n" .. query .. "\n"
    .. (case.before or "") .. "host:example.amazonaws.com\n" .. (case.after or "") .. "\n" .. names .. "\n"
    .. (case.body and hash.sha256(case.body) or EMPTY))
  local target = case.target or "/"
  target = target .. (target:find("?", 1, true) and "&" or "?") .. joined("&", start, signed, expires, signed_token,
    "X-Amz-Signature=" .. found, case.token_after and token)
  files["query-signed-request.txt"] = ("%s %s HTTP/1.1\nHost:example.amazonaws.com\n%s\n%s"):format(case.method or "GET",
    target, case.lines or "", case.body or "")
end

-- The files of a case as the suite has them.
local function files_of(case)
  local files = { first = ("%s %s HTTP/1.1\n"):format(case.method or "GET", case.target or "/") }
  files["request.txt"] = files.first .. "Host:example.amazonaws.com\n" .. (case.lines or "")
    .. (case.body and "\n" .. case.body or "")
  files["context.json"] = json.encode {
    credentials = { access_key_id = "AKIDEXAMPLE", secret_access_key = SECRET, token = case.token },
    expiration_in_seconds = 3600, normalize = not case.keep, region = "us-east-1", service = "service",
    sign_body = case.body ~= nil, timestamp = "2015-08-30T12:36:00Z", omit_session_token = case.token_after or false,
  }
  put_header_form(files, case)
  put_query_form(files, case)
  return files
end

local function reader(files)
  return function(file) return files[file] end
end

local function sorted_names()
  local names = {}
  for name in pairs(CASES) do names[#names + 1] = name end
  table.sort(names)
  return names
end

describe("a case like the suite's", function()
  for _, name in ipairs(sorted_names()) do
    it("signs as written by hand: " .. name, function()
      for _, form in ipairs(suite.FORMS) do
        local verdict, what = suite.check(reader(files_of(CASES[name])), form)
        assert.equal("passed", verdict, what)
      end
    end)
  end

  it("has the canonical request that botocore makes, where it follows the same rules", function()
    if not process.run({ "python3", "-c", "import botocore", check = false }).ok then
      pending "needs python3 with botocore"
      return
    end
    local names, requests = {}, {}
    for _, name in ipairs(sorted_names()) do
      local case = CASES[name]
      -- It keeps no path as it is, knows no folded lines, and leaves no token out.
      if not (case.keep or case.folded or case.token_after or case.body) then
        local headers = {}
        for key, value in (case.lines or ""):gmatch "([^\n:]+):([^\n]*)\n" do headers[#headers + 1] = { key, value } end
        names[#names + 1] = name
        requests[#requests + 1] = { form = "headers", method = case.method or "GET", headers = json.array(headers),
          url = "https://example.amazonaws.com" .. (case.target or "/"), body = "", service = "service",
          region = "us-east-1", time = 1440938160, access_key = "AKIDEXAMPLE", secret = SECRET, token = case.token }
      end
    end
    local answer = json.decode(process.run { "python3", "tests/lua/botocore_oracle.py", input = json.encode(requests) }.stdout)
    for i, name in ipairs(names) do
      assert.equal(files_of(CASES[name])["header-canonical-request.txt"], answer[i].canonical, name)
    end
    assert.is_true(#names > 10)
  end)
end)

describe("the runner of the suite", function()
  local program = fs.realpath "/proc/self/exe"

  local function run(folders)
    local folder <close> = support.tempdir()
    local dir = tostring(folder)
    for name, files in pairs(folders) do
      fs.mkdir(dir .. "/" .. name)
      for file, text in pairs(files) do
        if file ~= "first" then support.write(("%s/%s/%s"):format(dir, name, file), text) end
      end
    end
    local result = process.run { program, "tests/lua/sigv4_vectors.lua", dir, check = false }
    return result.code, result.stdout
  end

  it("counts each case and form, and passes over cases that are not whole", function()
    local whole = files_of(CASES["get-vanilla"])
    local code, text = run { a = whole, b = files_of(CASES["get-utf8"]),
      c = { ["context.json"] = whole["context.json"], ["request.txt"] = whole["request.txt"] } }
    assert.equal(0, code)
    assert.matches("skipped c %(header%): has no header%-canonical%-request%.txt\n", text)
    assert.matches("\n4 passed, 0 failed\n$", text)
  end)

  it("names the artefact of a failing case and where it differs first", function()
    local files = files_of(CASES["get-vanilla-query-order-key"])
    files["header-canonical-request.txt"] = files["header-canonical-request.txt"]:gsub("Param1=Value1", "Param1=Value2")
    files["query-signature.txt"] = ("0"):rep(64)
    local code, text = run { a = files, b = { ["context.json"] = "{" , ["request.txt"] = "" } }
    assert.equal(1, code)
    assert.matches('failed a %(header%): header%-canonical%-request, line 3: expected "Param1=Value2&Param1=value2", found ', text)
    assert.matches('failed a %(query%): query%-signature, line 1: expected "0+", found ', text)
    assert.matches("\n0 passed, 2 failed\n$", text)
  end)
end)
