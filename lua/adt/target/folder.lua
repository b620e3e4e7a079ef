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

-- What somebody has packed away cannot be read on.
local PACKED = { gz = true, bz2 = true, xz = true, zst = true, lz4 = true }

local function by_number(a, b)
  local x, y = tonumber(a), tonumber(b)
  if x and y then return x < y end
  return a < b
end

-- The ranks that have logs in a folder, and the files that each one's earlier output was rotated away to.
local function logs_in(folder)
  local ranks, older = {}, {}
  for _, name in ipairs(fs.list(folder)) do
    local rank, rest = name:match "^rank%-(.-)%.log(.*)$"
    if rest == "" then
      ranks[#ranks + 1] = rank
    elseif rank and rest:find "^[.-]" and not PACKED[rest:match "%w+$"] then
      older[rank] = older[rank] or {}
      table.insert(older[rank], path.join(folder, name))
    end
  end
  table.sort(ranks, by_number)
  return ranks, older
end

--- Adds the logs of a folder's attempts to a list, in the order in which they began.
---@param files table[] { attempt, rank, name, file, older }
---@param dir string
---@param prefix? string of the ranks' names ("3." for task 3 of an array)
function M.rank_logs(files, dir, prefix)
  prefix = prefix or ""
  for attempt = 1, MOST_ATTEMPTS do
    local folder = path.join(dir, "attempt-" .. attempt)
    if not fs.exists(folder) then return end
    local ranks, older = logs_in(folder)
    for _, rank in ipairs(ranks) do
      local label = prefix ~= "" and prefix .. rank or tonumber(rank) or rank
      files[#files + 1] = { attempt = attempt, rank = label, name = ("%d/%s"):format(attempt, label),
        file = path.join(folder, ("rank-%s.log"):format(rank)), older = older[rank] }
    end
  end
end

-- The files that a log consists of, oldest first: what was rotated away, then what has its name now.
local function parts_of(log)
  local parts = {}
  for _, file in ipairs(log.older or {}) do
    local st = fs.stat(file)
    if st then parts[#parts + 1] = { file = file, ino = st.ino, size = st.size, mtime = st.mtime } end
  end
  table.sort(parts, function(a, b) return a.mtime < b.mtime end)
  local st = fs.stat(log.file)
  if st then parts[#parts + 1] = { file = log.file, ino = st.ino, size = st.size } end
  return parts
end

local function index_of(parts, inode)
  for i, part in ipairs(parts) do
    if part.ino == inode then return i end
  end
end

-- The part that a cursor stands in, and where in it.
local function place_of(log, cursor, options)
  local offset, inode, parts = cursor[log.name], cursor[log.name .. " inode"], parts_of(log)
  if not offset then
    local last = parts[#parts]
    if last and options.tail then return parts, #parts, math.max(0, last.size - options.tail) end
    return parts, 1, 0
  end
  local at = index_of(parts, inode)
  if inode and not at then
    -- It may have been rotated since its folder was listed.
    local _, older = logs_in(path.dir(log.file))
    log.older = older[path.name(log.file):match "^rank%-(.-)%.log$"]
    parts = parts_of(log)
    at = index_of(parts, inode)
  end
  -- A folder that was copied has other inodes: the log is the same, unless it has become shorter.
  return parts, at or #parts, offset
end

local function read(file, offset, most)
  local handle <close> = fs.open(file, "r")
  return handle:pread(offset, most) or ""
end

-- The next piece of a log: the rest of the file that was being read, then what has taken its place.
local function next_piece(log, cursor, options)
  local parts, at, offset = place_of(log, cursor, options)
  while at < #parts and parts[at].size <= offset do
    at, offset = at + 1, 0
  end
  local part = parts[at]
  if not part then
    return ""
  elseif part.size < offset then
    -- It was truncated: what is there now is new.
    offset = 0
  end
  local text = ""
  if part.size > offset then
    text = errors.try(read, part.file, offset, math.min(part.size - offset, options.max or PIECE))
    local now = fs.stat(part.file)
    -- Renamed under our hands: the next look finds it under its new name.
    if not text or not now or now.ino ~= part.ino then return "" end
  end
  cursor[log.name], cursor[log.name .. " inode"] = offset + #text, part.ino
  return text
end

--- New output since a cursor (nil: from the beginning): pieces, and the next cursor.
---@param files { attempt: integer, rank: any, name: string, file: string, older: string[]? }[]
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

--- The same for all files of a folder's attempts, rotated ones included.
---@param dir string
---@param values table<string, string>
function M.mask_attempts(dir, values)
  for attempt = 1, MOST_ATTEMPTS do
    local folder = path.join(dir, "attempt-" .. attempt)
    if not fs.exists(folder) then return end
    for _, name in ipairs(fs.list(folder)) do
      errors.try(M.mask, path.join(folder, name), values)
    end
  end
end

---@class adt.target.Files
---@field get fun(name: string, to: string) copies one out
---@field put fun(from: string, name: string) copies one in
---@field list fun(name: string?): string[] names in a folder of it
---@field stat fun(name: string): table? nil when it is not there

--- Files below a job's folder, by names relative to it.
---@param dir string
---@return adt.target.Files
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
