--- Cases of the public suites that give parameters: is the request that we build the one that is expected?
local json = require "adt.json"

local M = {}

-- What suites that fill idempotency tokens expect in their place.
local TOKEN = "00000000-0000-4000-8000-000000000000"

-- --- bodies in a form that hides what is free: the order of members and of a map's entries ----------------------------

local function entities(text)
  local named = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }
  return (text:gsub("&(#?x?)(%w+);", function(kind, word)
    if kind == "" then return named[word] end
    return utf8.char(tonumber(word, kind == "#x" and 16 or 10))
  end))
end

-- A small reader of the XML that the suites hold: elements, attributes, text.
local function parse_xml(text)
  local root = { children = {}, text = "" }
  local stack, at = { root }, 1
  for before, tag, next_at in text:gmatch "([^<]*)<([^>]*)>()" do
    local top = stack[#stack]
    top.text = top.text .. entities(before)
    if tag:find "^/" then
      if top.name ~= tag:sub(2):match "^%s*(.-)%s*$" then return nil end
      stack[#stack] = nil
    elseif not tag:find "^[?!]" then
      local node = { name = tag:match "^[^%s/]+", attributes = {}, children = {}, text = "" }
      for key, value in tag:gmatch "([%w:_.-]+)%s*=%s*[\"']([^\"']*)[\"']" do
        table.insert(node.attributes, key .. "=" .. entities(value))
      end
      table.sort(node.attributes)
      table.insert(top.children, node)
      if not tag:find "/$" then stack[#stack + 1] = node end
    end
    at = next_at
  end
  if #stack ~= 1 or #root.children ~= 1 or text:sub(at):find "%S" then return nil end
  return root.children[1]
end

-- Entries of a map: every one has two children, a key and a value.
local function are_entries(children)
  for _, child in ipairs(children) do
    if #child.children ~= 2 then return false end
  end
  return #children > 1
end

local function xml_form(node)
  local groups, names = {}, {}
  for _, child in ipairs(node.children) do
    if not groups[child.name] then
      groups[child.name] = {}
      table.insert(names, child.name)
    end
    table.insert(groups[child.name], child)
  end
  table.sort(names)
  local parts = {}
  for _, name in ipairs(names) do
    local forms = {}
    for i, child in ipairs(groups[name]) do forms[i] = xml_form(child) end
    if are_entries(groups[name]) then table.sort(forms) end
    parts[#parts + 1] = table.concat(forms)
  end
  local text = #node.children > 0 and node.text:match "^%s*(.-)%s*$" or node.text
  return ("<%s %s>%s%s</>"):format(node.name, table.concat(node.attributes, " "), text, table.concat(parts))
end

-- A form's fields as a tree along the dots of their names.
local function parse_form(text)
  local root = {}
  for name, value in text:gmatch "([^&=]+)=?([^&]*)" do
    local node = root
    for part in name:gmatch "[^.]+" do
      node[part] = node[part] or {}
      node = node[part]
    end
    if node[""] then return nil end
    node[""] = value
  end
  return root
end

local function keys_of(node)
  local keys = {}
  for key in pairs(node) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    local x, y = math.tointeger(tonumber(a)), math.tointeger(tonumber(b))
    if x and y then return x < y end
    return a < b
  end)
  return keys
end

local function form_form(node)
  if type(node) == "string" then return node end
  local keys, parts, entries = keys_of(node), {}, true
  for i, key in ipairs(keys) do
    parts[i] = form_form(node[key])
    entries = entries and key == tostring(i) and type(node[key]) == "table" and #keys_of(node[key]) == 2
  end
  if entries and #keys > 1 then
    table.sort(parts)
  end
  for i, key in ipairs(keys) do parts[i] = key .. "=" .. parts[i] end
  return "{" .. table.concat(parts, "&") .. "}"
end

local function decode(text)
  local ok, value = pcall(json.decode, text)
  if ok then return { value } end
end

local function same_body(protocol, expected, got, suite)
  if expected == got then return true end
  if expected == "" or got == "" then return false end
  if protocol == "json" or protocol == "rest-json" then
    local a, b = decode(expected), decode(got)
    return a ~= nil and b ~= nil and suite.same(a, b)
  elseif protocol == "rest-xml" then
    local a, b = parse_xml(expected), parse_xml(got)
    return a ~= nil and b ~= nil and xml_form(a) == xml_form(b)
  end
  local a, b = parse_form(expected), parse_form(got)
  return a ~= nil and b ~= nil and form_form(a) == form_form(b)
end

-- --- the rest of a request -------------------------------------------------------------------------------------------

-- Parameters of a query sorted by name; values of one name keep their order.
local function uri_form(uri)
  local path, query = uri:match "^([^?]*)%??(.*)$"
  local pairs_of = {}
  for pair in query:gmatch "[^&]+" do
    pairs_of[#pairs_of + 1] = ("%s %04d %s"):format(pair:match "^[^=]*", #pairs_of, pair)
  end
  table.sort(pairs_of)
  for i, pair in ipairs(pairs_of) do pairs_of[i] = pair:gsub("^%S* %d+ ", "") end
  return path .. "?" .. table.concat(pairs_of, "&")
end

local function uri_of(c, request)
  local base = (c.suite.clientEndpoint or ""):match "^https?://[^/]*(/.*)$" or ""
  local uri = base:gsub("/$", "") .. request.path
  return request.query ~= "" and uri .. "?" .. request.query or uri
end

local function lower(headers)
  local t = {}
  for name, value in pairs(headers) do t[name:lower()] = value end
  return t
end

-- The body's media type may be one that the service's own language knows and the description does not tell.
local function is_blob_payload(c)
  local input = c.case.given.input
  local shape = input and c.suite.shapes[input.shape]
  local member = shape and shape.payload and shape.members[shape.payload]
  return member ~= nil and c.suite.shapes[member.shape].type == "blob"
end

-- Whether the header comes from a list, whose separators are free.
local function is_list(c, name)
  local input = c.case.given.input
  for member_name, member in pairs(input and c.suite.shapes[input.shape].members or {}) do
    if member.location == "header" and (member.locationName or member_name):lower() == name:lower() then
      return c.suite.shapes[member.shape].type == "list"
    end
  end
  return false
end

local function same_header(c, name, expected, got, operation)
  name = name:lower()
  if name == "content-md5" then -- added when the request is sent, as every checksum
    return operation.checksum_required
  elseif name == "content-encoding" and operation.gzip then -- as is compression
    return expected == "gzip" or expected == (got or "") .. ", gzip"
  elseif got and is_list(c, name) then
    return expected:gsub(", ", ",") == got:gsub(", ", ",")
  elseif name == "content-type" then
    return got == expected or got == expected .. "; charset=utf-8" or (got == "application/octet-stream" and is_blob_payload(c))
  end
  return got == expected
end

local function check_headers(c, request, operation, suite)
  local expected, headers = c.case.serialized, lower(request.headers)
  for name, value in pairs(expected.headers or {}) do
    if not same_header(c, name, value, headers[name:lower()], operation) then
      return suite.differs("header " .. name, value, headers[name:lower()])
    end
  end
  for _, name in ipairs(expected.forbidHeaders or {}) do
    if headers[name:lower()] then return suite.differs("header " .. name, "none", headers[name:lower()]) end
  end
  -- How the body is framed is decided when the request is sent: it needs a body, or a method that is due one.
  local framed = { ["content-length"] = request.body or request.method ~= "GET", ["transfer-encoding"] = operation.streaming_input }
  for _, name in ipairs(expected.requireHeaders or {}) do
    name = name:lower()
    if not (headers[name] or framed[name]) then return suite.differs("header " .. name, "any", nil) end
  end
end

--- Checks a case: nil when it passes, else what differs.
---@param c aws.Case
---@param suite table
---@return string?
function M.check(c, suite)
  local expected = c.case.serialized
  local model, name = suite.model(c)
  local request, err = model:request(name, c.case.params, TOKEN)
  if not request then
    return ("refused: %s: %s (%s)"):format(err.code, err.message, err.where or "")
  end
  if expected.method and expected.method ~= request.method then
    return suite.differs("method", expected.method, request.method)
  end
  local uri = uri_of(c, request)
  if expected.uri and uri_form(expected.uri) ~= uri_form(uri) then
    return suite.differs("uri", expected.uri, uri)
  end
  if expected.body and not same_body(c.protocol, expected.body, request.body or "", suite) then
    return suite.differs("body", expected.body, request.body)
  end
  local host = request.host_prefix .. ((c.suite.clientEndpoint or ""):match "^https?://([^/]*)" or "")
  if expected.host and expected.host ~= host then return suite.differs("host", expected.host, host) end
  return check_headers(c, request, model:operation(name), suite)
end

return M
