--- The public protocol-compliance suites as a list of cases, and each as what our own code makes of it.
local awsmodel = require "adt.c.awsmodel"
local fs = require "adt.fs"
local json = require "adt.json"

local M = {}

---@class aws.Case
---@field title string file, suite and name
---@field direction "input"|"output"
---@field suite table metadata, shapes, clientEndpoint
---@field case table given, params and serialized; or given, response and result or error
---@field legacy boolean of the older form
---@field protocol string

local FOLDERS = { { "input", "input" }, { "output", "output" }, { "legacy/input", "input" }, { "legacy/output", "output" } }

local function add_file(cases, folder, direction, path)
  for i, suite in ipairs(json.decode(fs.read(path), { name = path })) do
    for j, case in ipairs(suite.cases) do
      cases[#cases + 1] = {
        title = ("%s/%s %q %s"):format(folder, path:match "[^/]*$", suite.description or "", case.id or ("%d:%d"):format(i - 1, j - 1)),
        direction = direction, suite = suite, case = case, legacy = folder:find "^legacy" ~= nil,
        protocol = suite.metadata.protocol,
      }
    end
  end
end

--- Every case under a folder, or those of one direction.
---@param dir string
---@param only? "input"|"output"
---@return aws.Case[]
function M.cases(dir, only)
  local cases = {}
  for _, folder in ipairs(FOLDERS) do
    local paths = fs.glob(("%s/%s/*.json"):format(dir, folder[1]))
    table.sort(paths)
    for _, path in ipairs(paths) do
      if not only or only == folder[2] then add_file(cases, folder[1], folder[2], path) end
    end
  end
  return cases
end

--- The model of a case's service, which has the one operation that the case gives; and its name.
---@param c aws.Case
---@return userdata model
---@return string operation
function M.model(c)
  local name = c.case.given and c.case.given.name or "OperationName"
  local text = json.encode { metadata = c.suite.metadata, shapes = c.suite.shapes, operations = { [name] = c.case.given } }
  local model, err = awsmodel.load(text, c.title)
  if not model then error(err.message, 0) end
  return model, name
end

--- Checks a case: nil when it passes, else what differs.
---@param c aws.Case
---@return string?
function M.check(c)
  local ok, what = pcall(function()
    return require("aws_protocol_" .. c.direction).check(c, M)
  end)
  if ok then return what end
  return type(what) == "table" and what.message or tostring(what)
end

--- What differs, as a line.
---@return string
function M.differs(what, expected, got)
  local function text(v)
    return type(v) == "string" and v or json.encode(v)
  end
  return ("%s: expected %s / got %s"):format(what, text(expected), got == nil and "nothing" or text(got))
end

--- Whether two plain values are the same.
---@return boolean
function M.same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not M.same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

return M
