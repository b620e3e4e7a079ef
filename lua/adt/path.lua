--- Paths as text: joining, splitting, normalising. Nothing here looks at the file system but `absolute` and `expand`.
local cfs = require "adt.c.fs"
local process = require "adt.c.process"
local errors = require "adt.error"
local pending = require "adt.pending"

local M = {}

--- The path itself, checked: raises a usage error for what is not a string or holds a NUL byte.
---@param path any
---@return string
function M.check(path)
  if pending.is(path) then
    pending.stop(path)
  elseif type(path) ~= "string" then
    errors.raise { cause = "usage", code = "BadPath", message = ("a path must be a string, not a %s"):format(type(path)) }
  end
  if path:find("\0", 1, true) then
    errors.raise { cause = "usage", code = "BadPath", message = "a path must not hold a NUL byte" }
  end
  return path
end

--- Whether it begins at the root.
---@param path string
---@return boolean
function M.is_absolute(path)
  return M.check(path):sub(1, 1) == "/"
end

--- Joins parts with slashes; a part that begins at the root replaces those before it; empty parts do not count.
---@param ... string
---@return string
function M.join(...)
  local joined = ""
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    -- What a plan would make has no text yet, but a place below it can be named.
    if pending.is(part) or pending.is(joined) then
      return pending.join(joined, select(i, ...))
    end
    M.check(part)
    if part:sub(1, 1) == "/" then
      joined = part
    elseif part ~= "" then
      joined = (joined == "" or joined:sub(-1) == "/") and joined .. part or joined .. "/" .. part
    end
  end
  return joined
end

-- Without slashes at the end, but for the root.
local function trimmed(path)
  return #path > 1 and path:match("^(.-)/*$"):gsub("^$", "/") or path
end

--- The folder part: "a/b" of "a/b/c", "." of "c", "/" of "/c".
---@param path string
---@return string
function M.dir(path)
  local dir = trimmed(M.check(path)):match("^(.*)/[^/]*$")
  if not dir then
    return "."
  end
  return dir == "" and "/" or trimmed(dir)
end

--- The last name: "c" of "a/b/c" and of "a/b/c/"; "/" of the root.
---@param path string
---@return string
function M.name(path)
  local t = trimmed(M.check(path))
  return t == "/" and "/" or t:match("[^/]*$")
end

--- The extension with its dot, of the last name: ".gz" of "a.tar.gz"; "" of "a" and of ".bashrc".
---@param path string
---@return string
function M.ext(path)
  return M.name(path):match("^.+(%.[^.]*)$") or ""
end

--- The last name without its extension.
---@param path string
---@return string
function M.stem(path)
  local name = M.name(path)
  return name:sub(1, #name - #M.ext(name))
end

--- Without ".", "..", doubled slashes and a slash at the end. As text: where "a" is a link, "a/.." is not "." on disk.
---@param path string
---@return string
function M.normalize(path)
  local absolute = M.is_absolute(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
      parts[#parts] = nil
    elseif part == ".." and not absolute or part ~= "." and part ~= ".." then
      parts[#parts + 1] = part
    end
  end
  local text = table.concat(parts, "/")
  if absolute then
    return "/" .. text
  end
  return text == "" and "." or text
end

--- From the root, normalised.
---@param path string
---@param base? string default: the working folder
---@return string
function M.absolute(path, base)
  M.check(path)
  if path:sub(1, 1) == "/" then
    return M.normalize(path)
  end
  return M.normalize(M.join(base and M.absolute(base) or errors.check(cfs.cwd()), path))
end

--- The way from the folder `base` to `path`.
---@param path string
---@param base? string default: the working folder
---@return string
function M.relative(path, base)
  local from, to = {}, {}
  for part in M.absolute(base or "."):gmatch("[^/]+") do from[#from + 1] = part end
  for part in M.absolute(path):gmatch("[^/]+") do to[#to + 1] = part end
  local same = 0
  while same < #from and same < #to and from[same + 1] == to[same + 1] do
    same = same + 1
  end
  local parts = {}
  for _ = same + 1, #from do parts[#parts + 1] = ".." end
  table.move(to, same + 1, #to, #parts + 1, parts)
  return #parts > 0 and table.concat(parts, "/") or "."
end

--- Whether `path` is `base` or lies below it, as text.
---@param path string
---@param base string
---@return boolean
function M.is_below(path, base)
  path, base = M.absolute(path), M.absolute(base)
  return path == base or base == "/" or path:sub(1, #base + 1) == base .. "/"
end

--- A leading "~" or "~/" becomes the home folder. "~name" is not touched.
---@param path string
---@return string  # raises: config, when no home folder is known
function M.expand(path)
  local rest = M.check(path):match("^~(.*)$")
  if not rest or (rest ~= "" and rest:sub(1, 1) ~= "/") then
    return path
  end
  local home = process.env("HOME") or process.self().home
  if not home or home == "" then
    errors.raise {
      cause = "config", code = "NoHome", message = "the home folder of this user is not known",
      hint = "set the environment variable HOME",
    }
  end
  return rest == "" and home or (trimmed(home) == "/" and "" or trimmed(home)) .. rest
end

return M
