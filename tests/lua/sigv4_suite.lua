--- The public signing suite: its cases read, signed in both forms, and compared artefact by artefact.
local json = require "adt.json"
local sign = require "adt.aws.sign"
local time = require "adt.time"

local M = {}

M.FORMS = { "header", "query" }
local ARTEFACTS = { "canonical-request", "string-to-sign", "signature", "signed-request" }

-- A request as the suite writes it: the first line, the lines of headers, a map of them, the body.
local function parse(text)
  local head, body = text:match "^(.-)\n\n(.*)$"
  head = head or text:gsub("\n$", "")
  local first, rest = head:match "^([^\n]*)\n?(.*)$"
  local headers = {}
  -- A line that begins with a blank folds the one before; \1 keeps its break while lines are told apart.
  for line in rest:gsub("\n([ \t])", "\1%1"):gmatch "[^\n]+" do
    local name, value = line:match "^([^:]+):(.*)$"
    headers[name] = headers[name] or {}
    table.insert(headers[name], (value:gsub("\1", "\n")))
  end
  local method, target = first:match "^(%u+) (.*) HTTP/1%.1$"
  return { method = method, target = target, lines = rest, headers = headers, body = body or "" }
end

local function options_of(r, context, form)
  return {
    method = r.method, url = "https://example.amazonaws.com" .. r.target, headers = r.headers,
    body = context.sign_body and r.body or nil, service = context.service, region = context.region,
    time = time.parse(context.timestamp), normalize = context.normalize, token_after = context.omit_session_token,
    content_sha256 = form == "header" and context.sign_body or nil,
    expires = form == "query" and context.expiration_in_seconds or nil,
    credentials = { access_key = context.credentials.access_key_id, secret = context.credentials.secret_access_key,
      token = context.credentials.token },
  }
end

local function signed_request(r, options, form)
  local lines, target = { r.lines }, r.target
  if form == "query" then
    target = sign.presign(options):match "^https://[^/]*(.*)$"
  else
    for _, header in ipairs(sign.headers(options)) do
      lines[#lines + 1] = header.name .. ":" .. header.value
    end
  end
  return ("%s %s HTTP/1.1\n%s\n\n%s"):format(r.method, target, table.concat(lines, "\n"), r.body)
end

-- The blanks of the caller's own lines are not the signer's doing, nor are empty lines at the end. A token that is not
-- signed may stand anywhere among what signing adds.
local function comparable(text, any_order)
  text = text:gsub("\r?\n[ \t]+", " "):gsub("\n+$", "")
  local head, body = text:match "^(.-)(\n\n.*)$"
  head = (head or text):gsub("\n([^\n:]+):([^\n]*)", function(name, value)
    return ("\n%s:%s"):format(name, value:match "^%s*(.-)%s*$":gsub("[ \t]+", " "))
  end)
  if any_order then
    local parts = {}
    for part in head:gmatch "[^\n&? ]+" do parts[#parts + 1] = part end
    table.sort(parts)
    head = table.concat(parts, "\n")
  end
  return head .. (body or "")
end

-- The first line that differs, as text; nil: none.
local function difference(want, got)
  if want == got then
    return nil
  end
  local n, mine = 0, (got .. "\n"):gmatch "([^\n]*)\n"
  for line in (want .. "\n"):gmatch "([^\n]*)\n" do
    local other = mine()
    n = n + 1
    if line ~= other then
      return ("line %d: expected %q, found %s"):format(n, line, other and ("%q"):format(other) or "no such line")
    end
  end
  return ("line %d: expected the end, found %q"):format(n + 1, mine() or "")
end

local function check(read, form)
  local context = json.decode(read "context.json")
  local r = parse((read "request.txt":gsub("\r\n", "\n")))
  local options = options_of(r, context, form)
  local found = sign.explain(options)
  local made = { ["canonical-request"] = found.canonical_request, ["string-to-sign"] = found.string_to_sign,
    signature = found.signature, ["signed-request"] = signed_request(r, options, form) }
  for _, artefact in ipairs(ARTEFACTS) do
    local want, got = read(("%s-%s.txt"):format(form, artefact)):gsub("\r\n", "\n"), made[artefact]
    if artefact == "signed-request" then
      want, got = comparable(want, options.token_after), comparable(got, options.token_after)
    end
    local what = difference(want, got)
    if what then
      return ("%s-%s, %s"):format(form, artefact, what)
    end
  end
end

--- Signs a case in one form.
---@param read fun(file: string): string? the text of one of its files; nil: it has none
---@param form "header"|"query"
---@return "passed"|"failed"|"skipped"
---@return string? what the artefact and where it differs first, or the file that is missing
function M.check(read, form)
  local needed = { "context.json", "request.txt" }
  for _, artefact in ipairs(ARTEFACTS) do needed[#needed + 1] = ("%s-%s.txt"):format(form, artefact) end
  for _, file in ipairs(needed) do
    if not read(file) then
      return "skipped", "has no " .. file
    end
  end
  local ok, what = pcall(check, read, form)
  if not ok then
    return "failed", ("%s form, signing raises: %s"):format(form, tostring(what))
  end
  return what and "failed" or "passed", what
end

--- Reads the files of a case's folder.
---@param folder string
---@return fun(file: string): string?
function M.reader(folder)
  return function(file)
    local handle <close> = io.open(folder .. "/" .. file, "rb")
    return handle and handle:read "a"
  end
end

return M
