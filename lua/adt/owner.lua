--- One owner per run: who may write its journal, told by a lock and by what the owner file says.
local cfault = require "adt.c.fault"
local ctask = require "adt.c.task"
local errors = require "adt.error"
local fs = require "adt.fs"
local json = require "adt.json"
local path = require "adt.path"
local process = require "adt.process"
local time = require "adt.time"

local M = {}

---@class adt.Owner
---@field dir string
---@field me table host, boot_id, pid, start_time
---@field handle? adt.File locked
---@field lock_file? string where the mount has no locks
local Owner = {}
Owner.__index = Owner

-- A child between fork and exec still holds the lock of a parent that was killed; it ends by itself, within this time.
local LAST_HOLDER = 10

local function describe(who)
  return who and ("process %s on %s"):format(tostring(who.pid), tostring(who.host)) or "another process"
end

local function refuse(dir, who, why)
  errors.raise { cause = "busy", code = "Owned", where = dir,
    message = ("this run belongs to %s, which %s"):format(describe(who), why),
    hint = "wait for it or end it there; --take-over overrides when you know that it is gone" }
end

local function identity()
  local me = process.self()
  return { host = me.host, boot_id = me.boot_id, pid = me.pid, start_time = me.start_time }
end

local function same(a, b)
  return a and b and a.pid == b.pid and a.start_time == b.start_time and a.host == b.host and a.boot_id == b.boot_id
end

-- Who the file names; nil when it is not there or names nobody. That it cannot be read says nothing, and is raised.
local function read(file)
  local text, err = errors.try(fs.read, file, { max = 4096 })
  if err and err.code ~= "ENOENT" and err.code ~= "EOVERFLOW" then
    error(err, 0)
  end
  local who, why
  if text then
    who, why = errors.try(json.decode, text)
  end
  if why and why.code == "ENOMEM" then
    error(why, 0)
  end
  return type(who) == "table" and math.type(who.pid) and who or nil
end

-- Somebody on another host cannot be seen, so counts as alive.
local function alive(who)
  local me = process.self()
  return who.host ~= me.host or who.boot_id == me.boot_id and process.alive(who.pid, who.start_time)
end

-- What the file says counts where a lock cannot be trusted: another host of an NFS mount without locks, or a copy.
local function check_last_owner(dir, file)
  local who = read(file)
  if who and not same(who, identity()) and alive(who) then
    refuse(dir, who, who.host ~= process.self().host and "cannot be seen from here" or "is alive")
  end
end

-- A mount without locks gets a file that only one can create. It is left behind by an owner that was killed; of several
-- who find that out, the one that renames the dead owner's file away goes on.
local function lock_by_file(dir, lock, take_over)
  local mine = json.encode(identity())
  for _ = 1, 3 do
    if fs.create(lock, mine) then
      return lock
    end
    local who = read(lock)
    if who and alive(who) and not take_over then
      refuse(dir, who, who.host ~= process.self().host and "cannot be seen from here" or "is alive")
    end
    local stale = ("%s.%d"):format(lock, process.self().pid)
    if errors.try(function() fs.rename(lock, stale) return true end) then
      local taken = read(stale)
      if not take_over and taken and alive(taken) then
        errors.try(fs.link, stale, lock)
        fs.remove(stale)
        refuse(dir, taken, "is alive")
      end
      fs.remove(stale)
    end
  end
  refuse(dir, read(lock), "has just become its owner")
end

local function without_locks(err)
  return err.code == "ENOLCK" or err.code == "ENOTSUP" or err.code == "EOPNOTSUPP" or err.code == "ENOSYS"
end

local function lock(handle)
  if cfault.hit "owner.nolock" then
    return nil, errors.new { cause = "config", code = "ENOLCK", message = "no locks available" }
  end
  return errors.try(handle.lock, handle, "exclusive", { wait = false })
end

-- Locked by nobody who lives: it is a child of the dead owner that has not reached its end yet.
local function lock_after_death(handle, file)
  local deadline = time.monotonic() + LAST_HOLDER
  local locked, err = lock(handle)
  while not locked and not err and time.monotonic() < deadline do
    local who = read(file)
    if who and alive(who) then break end
    ctask.sleep(0.01)
    locked, err = lock(handle)
  end
  return locked, err
end

local function take(owner, take_over)
  local file = path.join(owner.dir, "owner")
  owner.handle = fs.open(path.join(owner.dir, "lock"), "a+")
  local locked, err
  if take_over then
    locked, err = lock(owner.handle)
  else
    locked, err = lock_after_death(owner.handle, file)
  end
  if err and without_locks(err) then
    owner.lock_file = lock_by_file(owner.dir, path.join(owner.dir, "lock.file"), take_over)
  elseif err then
    error(err, 0)
  elseif not locked and not take_over then
    refuse(owner.dir, read(file), "is alive")
  end
  if not take_over then
    check_last_owner(owner.dir, file)
  end
  fs.write(file, json.encode(owner.me), { atomic = true })
  owner.held = true
end

--- Becomes the owner of the run in `dir`. Raises cause "busy" when somebody else is, or may be.
---@param dir string
---@param take_over? boolean
---@return adt.Owner
function M.acquire(dir, take_over)
  local owner = setmetatable({ dir = dir, me = identity() }, Owner)
  local _, err = errors.try(take, owner, take_over)
  if err then
    owner:close()
    error(err, 0)
  end
  return owner
end

--- Whether the owner that the file of `dir` names is alive, as far as can be seen.
---@param dir string
---@return boolean alive
---@return table? who
function M.alive(dir)
  local who = errors.try(read, path.join(dir, "owner"))
  if not who then
    return false
  end
  return alive(who), who
end

--- Raises cause "busy" when somebody has taken the run over meanwhile: two must not go on side by side.
function Owner:check()
  local who = read(path.join(self.dir, "owner"))
  if not same(who, self.me) then
    errors.raise { cause = "busy", code = "TakenOver", where = self.dir,
      message = ("this run was taken over by %s"):format(describe(who)),
      hint = "it goes on there; this process has stopped" }
  end
end

--- Gives the run up: the next owner need not ask who we were.
function Owner:close()
  local ours = self.held and same(errors.try(read, path.join(self.dir, "owner")), self.me)
  self.held = false
  if ours then
    errors.try(fs.remove, path.join(self.dir, "owner"))
  end
  if self.lock_file and same(errors.try(read, self.lock_file), self.me) then
    errors.try(fs.remove, self.lock_file)
  end
  self.lock_file = nil
  if self.handle then
    self.handle:close()
  end
end

Owner.__close = Owner.close

return M
