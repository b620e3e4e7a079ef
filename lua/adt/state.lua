--- Where runs, caches and this user's settings live on disk.
local errors = require "adt.error"
local fs = require "adt.fs"
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

--- $XDG_STATE_HOME/adtlua: run folders.
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
  local _, err = errors.try(fs.mkdir, dir, { parents = true, mode = 448 })
  if err then
    errors.raise { cause = "config", code = err.code, inner = err,
      message = ("cannot make the folder %s: %s"):format(dir, err.message),
      hint = "free space or permissions there, or set XDG_STATE_HOME to a folder that you may write to" }
  end
  return dir
end

return M
