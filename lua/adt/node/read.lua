--- Bounded reading below a root: what cannot be had is nil and a reason in a few words, never an error.
local cfs = require "adt.c.fs"

local M = {}

local MAX_TEXT = 1 << 20 -- bytes of one file; what the kernel tells is far shorter

---@class adt.node.Reader
---@field root string "" for this machine
local Reader = {}
Reader.__index = Reader

--- What stands for a fact that cannot be had.
---@param reason string
---@return { missing: string }
function M.missing(reason)
  return { missing = reason }
end

--- Whether a fact is there.
---@param fact any
---@return boolean
function M.known(fact)
  return fact ~= nil and not (type(fact) == "table" and fact.missing ~= nil)
end

--- Reads below a root.
---@param root? string default "/"
---@return adt.node.Reader
function M.new(root)
  root = (root or "/"):gsub("/+$", "")
  return setmetatable({ root = root }, Reader)
end

local WORDS = { ENOENT = "is not there", EACCES = "may not be read", EPERM = "may not be read", EOVERFLOW = "is too long",
  ENOTDIR = "is no folder" }

local function reason(name, err)
  return name .. " " .. (WORDS[err.code] or "cannot be read: " .. err.message)
end

--- Where `name` lies.
---@param name string from the root
---@return string
function Reader:path(name)
  return self.root .. name
end

--- The content of a file without the line ends and blanks at its end.
---@param name string
---@param max? integer bytes
---@return string? text
---@return string? reason
function Reader:text(name, max)
  local text, err = cfs.read(self:path(name), max or MAX_TEXT)
  if not text then
    return nil, reason(name, err)
  end
  return (text:gsub("%s+$", ""))
end

--- A whole number that a file holds.
---@param name string
---@return integer? number
---@return string? reason
function Reader:integer(name)
  local text, why = self:text(name, 4096)
  if not text then
    return nil, why
  end
  local number = math.tointeger(tonumber(text))
  if not number then
    return nil, name .. " holds no number"
  end
  return number
end

--- The names in a folder, sorted.
---@param name string
---@return string[]? names
---@return string? reason
function Reader:list(name)
  local names, err = cfs.list(self:path(name))
  if not names then
    return nil, reason(name, err)
  end
  table.sort(names)
  return names
end

--- Whether something is there.
---@param name string
---@return boolean
function Reader:exists(name)
  return (cfs.stat(self:path(name), true) or nil) ~= nil
end

--- The last part of what a symbolic link says, nil where none is.
---@param name string
---@return string?
function Reader:link(name)
  local target = cfs.readlink(self:path(name))
  return target and target:match "([^/]+)/*$"
end

return M
