--- Open files: reading and writing in pieces, locks, and waiting until the disk has it.
local c = require "adt.c.file"
local clock = require "adt.c.clock"
local errors = require "adt.error"
local guard = require "adt.guard"
local path = require "adt.path"
local task = require "adt.c.task"

local M = {}

local MAX_READ = 64 * 1024 * 1024
local READ_SIZE = 64 * 1024

---@class adt.File
---@field path string
---@field c adt.c.File
local File = {}
File.__index = File

-- The path is what a reader of the message needs, and C knows the descriptor alone.
local function file_check(self, ok, ...)
  local value, err = ...
  if not ok then
    if errors.is(value) then
      error(value, 0)
    end
    errors.raise { cause = "usage", code = "BadArgument", message = ("'%s': %s"):format(self.path, tostring(value)) }
  end
  if value == nil and err ~= nil then
    err.where = err.where or self.path
    error(err, 0)
  end
  return ...
end

local function method(name)
  return function(self, ...)
    return file_check(self, pcall(self.c[name], self.c, ...))
  end
end

local file_read = method "read"

--- Up to `n` bytes from where the file stands, or nil at its end; "all": the rest, at most 64 MiB.
---@param n? integer|"all" default 64 KiB
---@return string?
function File:read(n)
  if n ~= "all" then
    return file_read(self, n)
  end
  local parts, left = {}, MAX_READ
  for bytes in function() return file_read(self, READ_SIZE) end do
    left = left - #bytes
    if left < 0 then
      errors.raise {
        cause = "usage", code = "EOVERFLOW", message = ("'%s' is larger than %d bytes"):format(self.path, MAX_READ),
      }
    end
    parts[#parts + 1] = bytes
  end
  return table.concat(parts)
end

--- Up to `n` bytes from `offset`, or nil at the end of the file; where it stands does not change.
---@type fun(self: adt.File, offset: integer, n?: integer): string?
File.pread = method "pread"

--- Writes all of `text`.
---@type fun(self: adt.File, text: string)
File.write = method "write"

--- Moves to `offset` from the start.
---@type fun(self: adt.File, offset: integer)
File.seek = method "seek"

--- The size in bytes.
---@type fun(self: adt.File): integer
File.size = method "size"

--- Cuts or extends it.
---@type fun(self: adt.File, size: integer)
File.truncate = method "truncate"

--- Waits until what was written is durable.
---@type fun(self: adt.File)
File.sync = method "sync"

--- The descriptor.
---@type fun(self: adt.File): integer
File.fileno = method "fileno"

---@class adt.LockOptions
---@field wait? boolean|number wait for it, at most so many seconds; default false

-- Asked again and again, since a thread that waits in the kernel could not be cancelled.
local function take_lock(self, name, kind, options)
  options = options or {}
  errors.check_options("file:" .. name, options, { "wait" })
  local limit = options.wait == true and math.huge or options.wait or 0
  local give_up = clock.monotonic() + limit
  local pause = 0.01
  while true do
    if file_check(self, pcall(self.c[name], self.c, kind)) then
      return true
    end
    local left = give_up - clock.monotonic()
    if left <= 0 then
      return false
    end
    task.sleep(math.min(pause, left))
    pause = math.min(pause * 2, 0.5)
  end
end

--- Locks the whole file between processes and between open files of one process (fcntl). Gone when the file is closed.
---@param kind? "exclusive"|"shared"|"none" default "exclusive"; "none" unlocks
---@param options? adt.LockOptions
---@return boolean got false when another holds it
function File:lock(kind, options)
  return take_lock(self, "lock", kind, options)
end

--- As :lock(), by flock(2): children to whom the file is passed hold it, too.
---@param kind? "exclusive"|"shared"|"none"
---@param options? adt.LockOptions
---@return boolean got
function File:flock(kind, options)
  return take_lock(self, "flock", kind, options)
end

local file_close = method "close"

--- Closes it; raises what could not be written until now. Closing twice is harmless.
function File:close()
  file_close(self)
end
File.__close = File.close

function File:__tostring()
  return ("file (%s)"):format(self.path)
end

--- Opens a file. It is not inherited by children, but may be given to one as a standard stream.
---@param name string
---@param mode? "r"|"r+"|"w"|"w+"|"a"|"a+"|"x"|"x+" default "r"; x: it must not be there yet
---@param options? { mode?: integer } permissions of a new file, default 384 (0600)
---@return adt.File
function M.open(name, mode, options)
  options = options or {}
  errors.check_options("fs.open", options, { "mode" })
  if mode and mode ~= "r" then
    guard.check("fs.open for writing")
  end
  local self = setmetatable({ path = path.check(name) }, File)
  self.c = file_check(self, pcall(c.open, name, mode or "r", options.mode))
  return self
end

return M
