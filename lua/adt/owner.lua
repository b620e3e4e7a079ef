--- One owner per run: who may write its journal, told by a lock and by what the lock file says.
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local process = require "adt.process"

local M = {}

---@class adt.Owner
local Owner = {}
Owner.__index = Owner

local function describe(who)
  return ("process %s on %s"):format(tostring(who.pid), tostring(who.host))
end

local function refuse(dir, who, why)
  errors.raise { cause = "busy", code = "Owned", where = dir,
    message = ("this run belongs to %s, which %s"):format(describe(who), why),
    hint = "wait for it or end it there; --take-over overrides when you know that it is gone" }
end

local function read(file)
  local text = fs.exists(file) and fs.read(file, { max = 4096 }) or ""
  local who = text ~= "" and errors.try(json.decode, text)
  return type(who) == "table" and who.pid and who or nil
end

-- What the file says counts where a lock cannot be trusted: another host of an NFS mount without locks, or a copy.
local function check_last_owner(dir, file, take_over)
  local who = read(file)
  if not who or take_over then
    return
  end
  local me = process.self()
  if who.host ~= me.host then
    refuse(dir, who, "cannot be seen from here")
  elseif who.boot_id == me.boot_id and who.pid ~= me.pid and process.alive(who.pid, who.start_time) then
    refuse(dir, who, "is alive")
  end
end

-- A mount without locks gets a file that only one can create.
local function lock_by_file(dir, file, take_over)
  local lock = file .. ".lock"
  if take_over then
    fs.remove(lock)
  end
  if not fs.create(lock, "") then
    refuse(dir, read(file) or { pid = "?", host = "?" }, "has left its lock file " .. lock)
  end
  return lock
end

--- Becomes the owner of the run in `dir`. Raises cause "busy" when somebody else is, or may be.
---@param dir string
---@param take_over? boolean
---@return adt.Owner
function M.acquire(dir, take_over)
  local file = path.join(dir, "owner")
  local handle = fs.open(file, "a+")
  local owner = setmetatable({ handle = handle, file = file }, Owner)
  local locked, err = errors.try(handle.lock, handle, "exclusive", { wait = false })
  if err and (err.code == "ENOLCK" or err.code == "ENOTSUP" or err.code == "ENOSYS") then
    owner.lock_file = lock_by_file(dir, file, take_over)
  elseif err then
    handle:close()
    error(err, 0)
  elseif not locked and not take_over then
    handle:close()
    refuse(dir, read(file) or { pid = "?", host = "?" }, "is alive")
  end
  local ok, why = errors.try(function()
    check_last_owner(dir, file, take_over)
    return true
  end)
  if not ok then
    owner:close()
    error(why, 0)
  end
  local me = process.self()
  handle:truncate(0)
  handle:write(json.encode { host = me.host, boot_id = me.boot_id, pid = me.pid, start_time = me.start_time })
  owner.held = true
  return owner
end

--- Whether the owner that the file of `dir` names is alive, as far as can be seen.
---@param dir string
---@return boolean alive
---@return table? who
function M.alive(dir)
  local who = read(path.join(dir, "owner"))
  if not who then
    return false
  end
  local me = process.self()
  if who.host ~= me.host then
    return true, who
  end
  return who.boot_id == me.boot_id and process.alive(who.pid, who.start_time), who
end

--- Gives the run up: the next owner need not ask who we were.
function Owner:close()
  if self.held then
    self.handle:truncate(0)
    self.held = false
  end
  if self.lock_file then
    fs.remove(self.lock_file)
    self.lock_file = nil
  end
  self.handle:close()
end

Owner.__close = Owner.close

return M
