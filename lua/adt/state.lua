--- Where runs, caches and this user's keys live on disk.
local errors = require "adt.error"
local fs = require "adt.fs"
local guard = require "adt.guard"
local path = require "adt.path"

local M = {}

local function base(variable, fallback)
  local dir = os.getenv(variable)
  if dir and dir:sub(1, 1) == "/" then
    return dir
  end
  local home = os.getenv("HOME")
  if not home or home == "" then
    errors.raise { cause = "config", code = "NoHome",
      message = ("neither %s nor HOME says where adtlua may keep its files"):format(variable),
      hint = ("set %s to a folder that you may write to"):format(variable) }
  end
  return path.join(home, fallback)
end

--- $XDG_STATE_HOME/adtlua: run folders and the key of this state folder.
---@return string
function M.dir()
  return path.join(base("XDG_STATE_HOME", ".local/state"), "adtlua")
end

--- $XDG_CACHE_HOME/adtlua: what can be made again.
---@return string
function M.cache()
  return path.join(base("XDG_CACHE_HOME", ".cache"), "adtlua")
end

--- $XDG_CONFIG_HOME/adtlua: the user's own configuration.
---@return string
function M.config()
  return path.join(base("XDG_CONFIG_HOME", ".config"), "adtlua")
end

---@return string
function M.runs()
  return path.join(M.dir(), "runs")
end

--- Makes a folder of ours (0700). Raises cause "config" where that is not possible.
---@param dir string
---@return string dir
function M.make(dir)
  local _, err = errors.try(guard.ours, fs.mkdir, dir, { parents = true, mode = 448 })
  if err then
    errors.raise { cause = "config", code = err.code, inner = err,
      message = ("cannot make the folder %s: %s"):format(dir, err.message),
      hint = "free space or permissions there, or set XDG_STATE_HOME to a folder that you may write to" }
  end
  return dir
end

local key

-- Of two processes that make it at the same moment one wins, and both read the winner's, which is whole when it gets
-- its name.
local function make_key(file)
  local random = require "adt.random"
  local draft = ("%s.%s"):format(file, random.hex(8))
  fs.write(draft, random.hex(32))
  local _, err = errors.try(fs.link, draft, file)
  fs.remove(draft)
  if err and err.code ~= "EEXIST" then
    -- Some mounts have no links.
    fs.create(file, random.hex(32))
  end
end

--- The secret key of this state folder; digests of inputs are made with it, so that a journal that leaves the machine
--- does not let anybody guess a short input. Made at the first use.
---@return string 64 hexadecimal digits
function M.key()
  if key then
    return key
  end
  local file = path.join(M.make(M.dir()), "key")
  if not fs.exists(file) then
    guard.ours(make_key, file)
  end
  key = fs.read(file, { max = 128 })
  if not key:match("^%x+$") or #key ~= 64 then
    errors.raise { cause = "config", code = "BadKey", message = file .. " does not hold a key of 64 digits",
      hint = "remove it; runs made before will then see their inputs as changed" }
  end
  return key
end

return M
