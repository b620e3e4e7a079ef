--- What a run checked as JUnit XML, the form that CI systems read.
local fs = require "adt.fs"
local output = require "adt.output"
local time = require "adt.time"

local M = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

-- XML has no way at all to write most control characters, and readers refuse what is not UTF-8.
local function escape(value)
  local text = tostring(value)
  if not utf8.len(text) then
    text = text:gsub("[\x80-\xFF]", "?")
  end
  text = text:gsub("[\0-\8\11\12\14-\31\127]", "?"):gsub("\xEF\xBF[\xBE\xBF]", "?"):gsub("\xED[\xA0-\xBF][\x80-\xBF]", "?")
  return (text:gsub('[&<>"]', ENTITIES):gsub("[\t\n\r]", function(c) return ("&#%d;"):format(c:byte()) end))
end

local function evidence(value)
  if value == nil then
    return ""
  end
  return type(value) == "table" and require("adt.json").encode(value) or tostring(value)
end

local function case(suite, name, seconds, kind, message, text)
  local open = ('    <testcase classname="%s" name="%s" time="%.3f"'):format(escape(suite), escape(name), seconds or 0)
  if not kind then
    return open .. "/>"
  end
  return ('%s>\n      <%s message="%s">%s</%s>\n    </testcase>'):format(open, kind, escape(message), escape(text or ""), kind)
end

-- A check that failed is a failure; a stage that ended by an error is an error, unless that only counts its checks.
local function cases_of(events)
  local cases, failures, mistakes, run, seconds = {}, 0, 0, "adtlua", 0
  for _, e in ipairs(events) do
    if e.type == "run" then
      run = e.recipe or run
    elseif e.type == "end" then
      seconds = e.seconds or seconds
    elseif e.type == "check" then
      failures = failures + (e.ok and 0 or 1)
      cases[#cases + 1] = case(e.stage or run, e.name, e.seconds, not e.ok and "failure" or nil, e.name, evidence(e.evidence))
    elseif e.type == "stage" and e.state == "end" then
      local broken = not e.ok and e.error and e.error.code ~= "CheckFailed"
      mistakes = mistakes + (broken and 1 or 0)
      cases[#cases + 1] = case(run, "stage " .. e.stage, e.seconds, broken and "error" or nil,
        broken and e.error.message, broken and output.paragraph(e.error))
    end
  end
  return cases, failures, mistakes, run, seconds
end

--- The document.
---@param events adt.Event[] of one run; its checks and the ends of its stages become test cases
---@return string
function M.document(events)
  local cases, failures, mistakes, run, seconds = cases_of(events)
  local totals = ('tests="%d" failures="%d" errors="%d" skipped="0" time="%.3f"'):format(#cases, failures, mistakes, seconds)
  local lines = { '<?xml version="1.0" encoding="UTF-8"?>', ("<testsuites %s>"):format(totals),
    ('  <testsuite name="%s" %s timestamp="%s">'):format(escape(run), totals, escape(time.iso(time.now()))) }
  table.move(cases, 1, #cases, #lines + 1, lines)
  lines[#lines + 1] = "  </testsuite>"
  lines[#lines + 1] = "</testsuites>"
  return table.concat(lines, "\n") .. "\n"
end

--- Writes the document to a file, whole or not at all. Secrets are redacted.
---@param file string
---@param events adt.Event[]
function M.write(file, events)
  fs.write(file, require("adt.c.secret").redact(M.document(events)), { atomic = true })
end

return M
