--- What targets share whose jobs live in the run's folder: the logs of ranks by byte offset, and files below it.
local errors = require "adt.error"
local fs = require "adt.fs"
local path = require "adt.path"

local M = {}

local MOST_ATTEMPTS = 1000

-- What is read of one log at a time.
local PIECE = 1 << 20

-- Shorter secrets would be found in innocent text (as adt.c.secret has it).
local SHORTEST_SECRET = #"<secret>"

--- Adds the logs of a folder's attempts to a list, in the order in which they began.
---@param files table[] { attempt, rank, name, file }
---@param dir string
---@param prefix? string of the ranks' names ("3." for task 3 of an array)
function M.rank_logs(files, dir, prefix)
  prefix = prefix or ""
  for attempt = 1, MOST_ATTEMPTS do
    local folder = path.join(dir, "attempt-" .. attempt)
    if not fs.exists(folder) then return end
    local ranks = {}
    for _, name in ipairs(fs.list(folder)) do
      ranks[#ranks + 1] = name:match("^rank%-(.+)%.log$")
    end
    table.sort(ranks, function(a, b)
      local x, y = tonumber(a), tonumber(b)
      if x and y then return x < y end
      return a < b
    end)
    for _, rank in ipairs(ranks) do
      local label = prefix ~= "" and prefix .. rank or tonumber(rank) or rank
      files[#files + 1] = { attempt = attempt, rank = label, name = ("%d/%s"):format(attempt, label),
        file = path.join(folder, ("rank-%s.log"):format(rank)) }
    end
  end
end

local function read(file, offset, most)
  local handle <close> = fs.open(file, "r")
  return handle:pread(offset, most) or ""
end

-- A log that somebody has rotated away goes on under another name in its folder; what was not read of it comes first.
local function rotated(log, inode)
  local name = path.name(log.file)
  for _, other in ipairs(fs.list(path.dir(log.file))) do
    if other ~= name and other:sub(1, #name + 1) == name .. "." then
      local file = path.join(path.dir(log.file), other)
      local st = fs.stat(file)
      if st and st.ino == inode then return file, st.size end
    end
  end
end

-- The next piece of a log: the rest of the file that was being read, then what has taken its place.
local function next_piece(log, cursor, options)
  local st = fs.stat(log.file)
  local mark = log.name .. " inode"
  local offset, inode = cursor[log.name], cursor[mark]
  if not st then
    return ""
  elseif inode and inode ~= st.ino then
    local file, size = rotated(log, inode)
    if file and size > (offset or 0) then
      local text = read(file, offset or 0, math.min(size - (offset or 0), options.max or PIECE))
      cursor[log.name] = (offset or 0) + #text
      return text
    end
    -- Without such a file the folder was copied and the log is the same, unless it has become shorter.
    offset = (file or st.size < (offset or 0)) and 0 or offset or 0
  elseif not offset then
    offset = options.tail and math.max(0, st.size - options.tail) or 0
  elseif st.size < offset then
    -- It was truncated: what is there now is new.
    offset = 0
  end
  cursor[mark] = st.ino
  local text = st.size > offset and read(log.file, offset, math.min(st.size - offset, options.max or PIECE)) or ""
  cursor[log.name] = offset + #text
  return text
end

--- New output since a cursor (nil: from the beginning): pieces, and the next cursor.
---@param files { attempt: integer, rank: any, name: string, file: string }[]
---@param options? { cursor: table?, rank: any, max: integer?, tail: integer? } tail: without a cursor, the last bytes alone
---@return { rank: any, attempt: integer, name: string, text: string }[]
---@return table cursor byte offsets by log name
function M.read(files, options)
  options = options or {}
  local cursor, pieces = {}, {}
  for name, offset in pairs(options.cursor or {}) do cursor[name] = offset end
  for _, log in ipairs(files) do
    if options.rank == nil or tostring(options.rank) == tostring(log.rank) then
      local text = next_piece(log, cursor, options)
      if text ~= "" then
        pieces[#pieces + 1] = { rank = log.rank, attempt = log.attempt, name = log.name, text = text }
      end
    end
  end
  return pieces, cursor
end

--- What a rank has printed of its secrets is overwritten in place, so that whoever reads the log by offsets stays right.
---@param file string
---@param values table<string, string>
function M.mask(file, values)
  local handle <close> = fs.open(file, "r+")
  local longest, offset = 0, 0
  for _, value in pairs(values) do longest = math.max(longest, #value) end
  while true do
    local text = handle:pread(offset, 1 << 20)
    if not text then return end
    for _, value in pairs(values) do
      local at = #value >= SHORTEST_SECRET and text:find(value, 1, true)
      while at do
        handle:seek(offset + at - 1)
        handle:write("<secret>" .. ("*"):rep(#value - #"<secret>"))
        at = text:find(value, at + #value, true)
      end
    end
    if #text < 1 << 20 then return end
    offset = offset + #text - longest + 1
  end
end

---@class adt.JobFiles
---@field get fun(name: string, to: string)
---@field put fun(from: string, name: string)
---@field list fun(name: string?): string[]
---@field stat fun(name: string): adt.Stat?

--- Files below a job's folder, by names relative to it.
---@param dir string
---@return adt.JobFiles
function M.files(dir)
  local function at(name)
    local full = path.normalize(path.join(dir, name))
    if full ~= dir and full:sub(1, #dir + 1) ~= dir .. "/" then
      errors.raise { cause = "usage", message = ("'%s' lies outside of the job's folder"):format(name) }
    end
    return full
  end
  return {
    get = function(name, to) fs.copy(at(name), to) end,
    put = function(from, name) fs.copy(from, at(name)) end,
    list = function(name) return fs.list(at(name or ".")) end,
    stat = function(name) return fs.stat(at(name)) end,
  }
end

return M
