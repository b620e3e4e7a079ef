--- The checks and steps of a run as JUnit XML, for CI systems: one testsuite a stage.
local errors = require "adt.error"
local fs = require "adt.fs"
local value = require "adt.output.value"

local M = {}

local TEXT_MAX = 65536 -- bytes of one failure's text

-- XML 1.0 has no way to write control characters, surrogates, U+FFFE and U+FFFF, not even by number.
local function xml_text(text)
  text = value.redact(text)
  if #text > TEXT_MAX then
    text = text:sub(1, TEXT_MAX) .. "..."
  end
  if not utf8.len(text) then
    local parts, from = {}, 1
    while true do
      local _, bad = utf8.len(text, from)
      parts[#parts + 1] = text:sub(from, bad and bad - 1 or -1)
      if not bad then break end
      from = bad + 1
    end
    text = table.concat(parts, "\u{FFFD}")
  end
  return (text:gsub("[%z\1-\8\11\12\14-\31\127]", ""):gsub("\xEF\xBF[\xBE\xBF]", ""))
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }
local ATTRIBUTE = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\n"] = "&#10;", ["\r"] = "&#13;",
  ["\t"] = "&#9;" }

local function body(text)
  -- A carriage return would be read as a line feed.
  return (xml_text(text):gsub("[&<>]", ENTITIES):gsub("\r", "&#13;"))
end

local function attribute(name, text)
  return (' %s="%s"'):format(name, xml_text(tostring(text)):gsub('[&<>"\n\r\t]', ATTRIBUTE))
end

---@class adt.junit.Case
---@field name string
---@field seconds? number
---@field outcome "passed"|"failed"|"error"|"skipped"
---@field kind? string of a failure: the cause
---@field message? string
---@field text? string

---@class adt.junit.Collector
local Collector = {}
Collector.__index = Collector

--- What takes the events of a run (see adt.output) and keeps what the report needs.
---@return adt.junit.Collector
function M.collector()
  return setmetatable({ suites = {}, by_name = {} }, Collector)
end

local function suite_of(self, name)
  name = name or "run"
  local suite = self.by_name[name]
  if not suite then
    suite = { name = name, cases = {}, steps = {} }
    self.by_name[name] = suite
    self.suites[#self.suites + 1] = suite
  end
  return suite
end

local function failure(err, outcome)
  err = errors.from(err)
  return { outcome = outcome, kind = err.cause, message = err.message, text = value.paragraph(err) }
end

local STEPS = {
  done = "passed", resumed = "passed", kept = "passed", undone = "passed", planned = "skipped", pending = "skipped",
  failed = "failed",
}

local function evidence_text(evidence)
  return type(evidence) == "string" and evidence or value.short(evidence)
end

local TAKE = {}

function TAKE.run(self, e)
  self.name = table.concat({ e.recipe or "run", e.run }, " ")
end

function TAKE.stage(self, e)
  local suite = suite_of(self, e.stage)
  if e.state == "begin" then
    suite.t = e.t
    return
  end
  suite.seconds = e.seconds
  suite.ended = { name = "the stage ends well", seconds = e.seconds, outcome = "passed" }
  if not e.ok then
    local told = e.error and failure(e.error, "error") or { outcome = "error", message = "the stage failed" }
    suite.ended.outcome, suite.ended.kind = "error", told.kind
    suite.ended.message, suite.ended.text = told.message, told.text
    suite.ended.checks = told.kind == "check" or e.error ~= nil and e.error.code == "CheckFailed"
  end
end

function TAKE.step(self, e)
  local suite = suite_of(self, e.stage)
  local case = suite.steps[e.step]
  if not case then
    case = { name = "step " .. e.step }
    suite.steps[e.step] = case
    table.insert(suite.cases, case)
  end
  case.seconds, case.message = e.seconds, e.detail
  case.outcome, case.kind, case.text = STEPS[e.state], nil, nil
  if e.error then
    for k, v in pairs(failure(e.error, "failed")) do case[k] = v end
  end
end

function TAKE.check(self, e)
  table.insert(suite_of(self, e.stage).cases, {
    name = e.name, outcome = e.ok and "passed" or "failed", kind = e.cause or "check", seconds = e.seconds,
    message = not e.ok and "the check failed" or nil,
    text = not e.ok and e.evidence ~= nil and evidence_text(e.evidence) or nil,
  })
end

TAKE["end"] = function(self, e)
  self.seconds, self.error = e.seconds, e.error
end

--- Takes an event; those that no report shows are ignored.
---@param event adt.Event
function Collector:event(event)
  local take = TAKE[event.type]
  if take then
    take(self, event)
  end
end

-- A failed check or step fails its stage too; that is told once.
local function cases_of(suite)
  local cases = table.move(suite.cases, 1, #suite.cases, 1, {})
  local told = false
  for _, case in ipairs(cases) do
    if not case.outcome then
      case.outcome, case.message = "error", "the step did not end"
    end
    told = told or case.outcome == "failed"
  end
  local ended = suite.ended
  if ended and (#cases == 0 or ended.outcome == "error" and not (told and (ended.checks or not ended.kind))) then
    cases[#cases + 1] = ended
  end
  return cases
end

local TAGS = { failed = "failure", error = "error", skipped = "skipped" }

local function add_case(out, suite, case)
  local head = "    <testcase" .. attribute("classname", suite.name) .. attribute("name", case.name)
    .. attribute("time", ("%.3f"):format(case.seconds or 0))
  local tag = TAGS[case.outcome]
  if not tag then
    out[#out + 1] = head .. "/>"
    return
  end
  out[#out + 1] = head .. ">"
  local inner = "      <" .. tag .. (case.message and attribute("message", case.message) or "")
    .. (tag ~= "skipped" and attribute("type", case.kind or "program") or "")
  out[#out + 1] = inner .. (case.text and ">" .. body(case.text) .. "</" .. tag .. ">" or "/>")
  out[#out + 1] = "    </testcase>"
end

local function counts(cases)
  local count = { failed = 0, error = 0, skipped = 0, passed = 0 }
  for _, case in ipairs(cases) do count[case.outcome] = count[case.outcome] + 1 end
  return attribute("tests", #cases) .. attribute("failures", count.failed) .. attribute("errors", count.error)
    .. attribute("skipped", count.skipped)
end

-- What ended the run outside of any stage must not look like success.
local function add_run_error(self)
  for _, suite in ipairs(self.suites) do
    for _, case in ipairs(cases_of(suite)) do
      if case.outcome == "failed" or case.outcome == "error" then return end
    end
  end
  local case = failure(self.error, "error")
  case.name = "the run ends well"
  table.insert(suite_of(self, "run").cases, case)
end

--- The report as text.
---@return string
function Collector:render()
  if self.error then
    add_run_error(self)
    self.error = nil
  end
  local out, all = {}, {}
  for _, suite in ipairs(self.suites) do
    local cases = cases_of(suite)
    table.move(cases, 1, #cases, #all + 1, all)
    out[#out + 1] = "  <testsuite" .. attribute("name", suite.name) .. counts(cases)
      .. attribute("time", ("%.3f"):format(suite.seconds or 0))
      .. (suite.t and attribute("timestamp", os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(suite.t))) or "") .. ">"
    for _, case in ipairs(cases) do add_case(out, suite, case) end
    out[#out + 1] = "  </testsuite>"
  end
  table.insert(out, 1, '<?xml version="1.0" encoding="UTF-8"?>')
  table.insert(out, 2, "<testsuites" .. attribute("name", self.name or "adtlua") .. counts(all)
    .. attribute("time", ("%.3f"):format(self.seconds or 0)) .. ">")
  out[#out + 1] = "</testsuites>\n"
  return table.concat(out, "\n")
end

--- Writes the report of a collector or of a list of events; the file is whole or not there. Raises what fs.write raises.
---@param path string
---@param events adt.junit.Collector|adt.Event[]
function M.write(path, events)
  local collector = events
  if getmetatable(events) ~= Collector then
    collector = M.collector()
    for _, event in ipairs(events) do collector:event(event) end
  end
  -- Links (/dev/stdout is one) and pipes are written through, not replaced.
  local there = fs.stat(path, { follow = false })
  fs.write(path, collector:render(), { atomic = not there or there.type == "file", mode = tonumber("644", 8) })
end

return M
