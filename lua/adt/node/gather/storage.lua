--- Facts of mounted file systems: what is mounted, whether it answers and how much room it has, and how fast it is.
local cfs = require "adt.c.fs"
local read = require "adt.node.read"

local M = {}

local missing = read.missing

local SHARED = { lustre = true, nfs = true, nfs4 = true, beegfs = true, gpfs = true, wekafs = true, ceph = true, cifs = true, smb3 = true,
  ["9p"] = true, glusterfs = true }
local MOST = 64 -- mounts that are looked at

local function unescape(text)
  return (text:gsub("\\(%d%d%d)", function(octal) return string.char(tonumber(octal, 8) & 255) end))
end

local function of_interest(mount, wanted)
  return wanted[mount.path] or SHARED[mount.type] or mount.type:find "^fuse" and mount.type ~= "fusectl" or mount.path == "/"
    or mount.path == "/dev/shm" or mount.path == "/tmp" or mount.source:find "^/dev/nvme" or mount.source:find "^/dev/md"
end

--- What is mounted that jobs may depend on, and what was asked for. Asking the kernel for this never waits for a server.
---@param r adt.node.Reader
---@param options { paths: string[]? }
function M.mounts(r, options)
  local text, why = r:text("/proc/self/mounts", 4 << 20)
  if not text then
    return missing(why)
  end
  local wanted, by_path, n = {}, {}, 0
  for _, path in ipairs(options.paths or {}) do wanted[path] = true end
  for source, path, kind, flags in text:gmatch "(%S+) (%S+) (%S+) (%S+)[^\n]*" do
    local mount = { path = unescape(path), source = unescape(source), type = kind, options = flags }
    if of_interest(mount, wanted) then
      mount.ro = ("," .. flags .. ","):find(",ro,", 1, true) ~= nil
      -- What is mounted over something else hides it.
      if by_path[mount.path] or n < MOST then
        n = by_path[mount.path] and n or n + 1
        by_path[mount.path] = mount
      end
    end
  end
  for path in pairs(wanted) do
    by_path[path] = by_path[path] or missing "nothing is mounted there"
  end
  return by_path
end

--- Whether a mounted file system answers, and its room in bytes.
---@param r adt.node.Reader
---@param options { path: string }
function M.room(r, options)
  local at = r:path(options.path)
  local stat, err = cfs.stat(at, true)
  if not stat then
    return missing(err and err.message or "its folder is not there")
  elseif stat.type ~= "directory" then
    return missing("it is a " .. stat.type .. " and no folder")
  end
  local free, total = cfs.space(at)
  if not free then
    return missing(total.message)
  end
  return { free = free, total = total }
end

local PIECE = 1 << 20

local function write_all(file, bytes)
  local piece = require("adt.random").bytes(PIECE)
  for _ = 1, bytes // PIECE do
    file:write(piece)
  end
  file:sync()
end

local function read_all(file)
  local total = 0
  for at = 0, math.maxinteger, PIECE do
    local piece = file:pread(at, PIECE)
    if not piece then return total end
    total = total + #piece
  end
end

--- Writes a file without a name, waits until the disk has it, and reads it again; nothing is left behind, however this
--- ends. What is read may come from memory.
---@param r adt.node.Reader
---@param options { path: string, bytes: integer? } default 64 MiB
function M.speed(r, options)
  local fs, time, path = require "adt.fs", require "adt.time", require "adt.path"
  local bytes = options.bytes or 64 << 20
  local room = cfs.space(r:path(options.path))
  if room and room < 4 * bytes then
    return missing(("%d bytes are free, which is too little to try"):format(room))
  end
  local name = path.join(r:path(options.path), (".adtlua-speed-%d-%d"):format(require("adt.process").self().pid, time.now() * 1e6 // 1))
  local file <close> = fs.open(name, "x+")
  fs.remove(name)
  local began = time.monotonic()
  write_all(file, bytes)
  local written = time.monotonic()
  local got = read_all(file)
  local ended = time.monotonic()
  if got ~= bytes then
    return missing(("%d of %d bytes came back"):format(got, bytes))
  end
  return { bytes = bytes, write = bytes / math.max(written - began, 1e-6), read = bytes / math.max(ended - written, 1e-6) }
end

return M
