--- The journal of a run: one JSON object a line, append-only, durable where it must be, a torn last line dropped.
local cfault = require "adt.c.fault"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"

local M = {}

---@class adt.Journal
---@field path string
---@field size integer of the whole lines in it, in bytes
local Journal = {}
Journal.__index = Journal

-- A line is an intent, a result or some metrics; whatever is larger belongs into a file beside the journal.
local LONGEST_LINE = 8 << 20
local LONGEST_FILE = 1 << 30

local function corrupt(file, line, why)
  errors.raise { cause = "config", code = "CorruptJournal", where = ("%s:%d"):format(file, line),
    message = "the journal of this run is damaged: " .. why,
    hint = "restore it from a copy; `adtlua logs` and the run folder can still be read" }
end

local function parse(file, text)
  local records, line = {}, 0
  for row in text:gmatch("([^\n]*)\n") do
    line = line + 1
    if #row > LONGEST_LINE then
      corrupt(file, line, "a line of more than 8 MiB")
    end
    local record, err = errors.try(json.decode, row)
    if err then
      corrupt(file, line, err.message)
    elseif type(record) ~= "table" or type(record.type) ~= "string" then
      corrupt(file, line, "a line that is no record")
    end
    records[line] = record
  end
  return records
end

--- The records of a journal. What follows the last newline was being written when the writer died and does not count.
---@param file string
---@return table[] records
---@return integer size of what counts, in bytes
function M.read(file)
  local text = fs.read(file, { max = LONGEST_FILE })
  local size = #text
  while size > 0 and text:byte(size) ~= 10 do
    size = size - 1
  end
  return parse(file, text:sub(1, size)), size
end

--- Opens a journal to append to it, dropping a torn last line. The caller owns the run.
---@param file string
---@return adt.Journal
---@return table[] records
function M.open(file)
  local records, size = {}, 0
  if fs.exists(file) then
    records, size = M.read(file)
    if fs.stat(file).size > size then
      fs.truncate(file, size)
    end
  end
  return setmetatable({ path = file, handle = fs.open(file, "a"), size = size }, Journal), records
end

-- A cancelled task must not take a line for lost because it could not wait for the disk.
local function write_line(handle, line, durable)
  handle:write(line)
  if durable then
    require("adt.task").shield(handle.sync, handle)
  end
end

--- Appends a record; with `durable` it is on the disk when this returns (the task waits meanwhile, also a cancelled one).
---@param record table with `type`
---@param durable? boolean
--- Raises config: the disk is full or broken; what was journalled before stays as it was.
function Journal:append(record, durable)
  record.t = record.t or require("adt.time").now()
  local line = require("adt.c.secret").redact(json.encode(record)) .. "\n"
  cfault.hit "journal.before"
  if cfault.hit("journal.torn") then
    self.handle:write(line:sub(1, #line // 2))
    cfault.arm "journal.die:kill"
    cfault.hit "journal.die"
  end
  local _, err = errors.try(write_line, self.handle, line, durable)
  if err then
    -- Half a line in the middle of the file would make the rest unreadable.
    errors.try(fs.truncate, self.path, self.size)
    errors.raise { cause = "config", code = err.code, inner = err,
      message = ("cannot write the journal %s: %s"):format(self.path, err.message),
      hint = "mend that (`df -h` shows full disks), then `adtlua resume`: nothing that was done is lost" }
  end
  self.size = self.size + #line
  cfault.hit "journal.after"
end

--- Closes the file; what was appended durably is on the disk already.
function Journal:close()
  self.handle:close()
end

Journal.__close = Journal.close

return M
