--- Files and folders. Recursive removal, copying and syncing wait; everything else is done when it returns. While a plan
--- is made, what would change something raises cause "usage", code "WriteInPlan".
---
--- "s3://bucket/key" is a path to read, write, create, stat, list, walk, remove and copy; these wait then. What objects have
--- not, as modes, links, folders of their own and renaming, raises cause "usage", code "NotForObjects".
local cfs = require "adt.c.fs"
local process = require "adt.c.process"
local errors = require "adt.error"
local file = require "adt.file"
local guard = require "adt.guard"
local path = require "adt.path"

local M = {}

local MAX_READ = 64 * 1024 * 1024

---@alias adt.FileType "file" | "directory" | "link" | "fifo" | "socket" | "device"

---@class adt.Stat
---@field type adt.FileType
---@field size integer bytes
---@field mtime number seconds since the epoch
---@field mode integer permission bits
---@field uid integer
---@field gid integer
---@field ino integer
---@field dev integer
---@field nlink integer

-- Passes a value on; raises where C returned an error or raised for misuse, the caller's fault in both.
local function check(what, ok, ...)
  local value, err = ...
  if not ok then
    if errors.is(value) then
      error(value, 0)
    end
    errors.raise { cause = "usage", code = "BadArgument", message = what .. ": " .. tostring(value) }
  end
  if value == nil and err ~= nil then
    error(err, 0)
  end
  return ...
end

local function call(what, f, ...)
  return check(what, pcall(f, ...))
end

-- What changes the world: refused outside of a step while a plan is made.
local function change(what, f, ...)
  guard.check(what)
  return call(what, f, ...)
end

-- Objects of S3: nothing of AWS is loaded until one is named.
local function remote(name)
  return type(name) == "string" and name:find "^s3://" and require "adt.aws.s3files" or nil
end

-- A path on a disk, for what objects have not.
local function disk(what, name, instead)
  if remote(name) then
    errors.raise { cause = "usage", code = "NotForObjects", where = name, message = what .. ": an object of S3 has no such thing",
      hint = instead }
  end
  return path.check(name)
end

local function options_of(what, options, known)
  if options == nil then
    return {}
  end
  if type(options) ~= "table" then
    errors.raise { cause = "usage", code = "BadArgument", message = what .. ": the options must be a table" }
  end
  errors.check_options(what, options, known)
  return options
end

--- The whole content of a file.
---@param name string
---@param options? { max?: integer } bytes, default 64 MiB
---@return string  # raises: usage (not there, not a file, EOVERFLOW: larger than max), node (disk errors)
function M.read(name, options)
  options = options_of("fs.read", options, { "max" })
  local objects = remote(name)
  if objects then
    return objects.read(name, options.max or MAX_READ)
  end
  return call("fs.read", cfs.read, path.check(name), options.max or MAX_READ)
end

---@class adt.WriteOptions
---@field mode? integer permissions, default 384 (0600)
---@field atomic? boolean all or nothing, under its name at once; default true. A link is replaced, not followed
---@field sync? boolean durable on return (waits); default false
---@field parents? boolean make the folders above (0700); default false

--- Writes a whole file. When it fails an atomic write leaves nothing behind and the old file as it was.
---@param name string
---@param text string
---@param options? adt.WriteOptions
--- Raises: usage, quota (full disk), node.
function M.write(name, text, options)
  options = options_of("fs.write", options, { "mode", "atomic", "sync", "parents" })
  local objects = remote(name)
  if objects then
    objects.write(name, text, options)
    return
  end
  change("fs.write", cfs.write, path.check(name), text, options)
end

--- Adds to the end of a file, which is made (0600) if it is not there.
---@param name string
---@param text string
---@param options? { mode?: integer, sync?: boolean, parents?: boolean }
function M.append(name, text, options)
  options = options_of("fs.append", options, { "mode", "sync", "parents" })
  change("fs.append", cfs.write, disk("fs.append", name, "write the object as a whole with fs.write"), text, {
    mode = options.mode, sync = options.sync, parents = options.parents, append = true, atomic = false,
  })
end

--- Makes a file that must not be there yet.
---@param name string
---@param text string
---@param options? { mode?: integer }
---@return boolean made false when something is there already
function M.create(name, text, options)
  options = options_of("fs.create", options, { "mode" })
  local objects = remote(name)
  if objects then
    return objects.create(name, text, options)
  end
  return change("fs.create", cfs.create, path.check(name), text, options.mode or 384)
end

--- What is at `name`, or nil when nothing is.
---@param name string
---@param options? { follow?: boolean } default true: what a link points to
---@return adt.Stat?
function M.stat(name, options)
  options = options_of("fs.stat", options, { "follow" })
  local objects = remote(name)
  if objects then
    return objects.stat(name)
  end
  return call("fs.stat", cfs.stat, path.check(name), options.follow ~= false) or nil
end

--- Whether something is at `name`; a link that points nowhere is nothing.
---@param name string
---@return boolean
function M.exists(name)
  return M.stat(name) ~= nil
end

---@param name string
---@return boolean
function M.is_dir(name)
  local st = M.stat(name)
  return st ~= nil and st.type == "directory"
end

---@param name string
---@return boolean
function M.is_file(name)
  local st = M.stat(name)
  return st ~= nil and st.type == "file"
end

local function sorted_list(name)
  local objects = remote(name)
  if objects then
    return objects.list(name)
  end
  local names, types = call("fs.list", cfs.list, name)
  table.sort(names)
  return names, types
end

--- The names in a folder, sorted, without "." and "..".
---@param name string
---@return string[] names, table<string, adt.FileType> types links not followed
function M.list(name)
  return sorted_list(path.check(name))
end

--- Iterates over all below a folder, sorted, folders before their content; links are not followed. What disappears
--- meanwhile is passed over.
---@param name string
---@return fun(): string?, adt.FileType?
function M.walk(name)
  local stack = { { dir = path.check(name), at = 0 } }
  stack[1].names, stack[1].types = sorted_list(name)
  return function()
    while #stack > 0 do
      local top = stack[#stack]
      top.at = top.at + 1
      local entry = top.names[top.at]
      if entry then
        local full, kind = path.join(top.dir, entry), top.types[entry]
        if kind == "directory" then
          local ok, names, types = pcall(sorted_list, full)
          if ok then
            stack[#stack + 1] = { dir = full, at = 0, names = names, types = types }
          elseif names.code ~= "ENOENT" then
            error(names, 0)
          end
        end
        return full, kind
      end
      stack[#stack] = nil
    end
  end
end

--- Whether a path matches a pattern: `*` and `?` within a name, `[a-z]`, `[!a-z]`, `**` for any folders, `\` for the next
--- character itself. Names that begin with a dot are matched by a dot only.
---@param pattern string
---@param name string
---@return boolean
function M.match(pattern, name)
  return cfs.match_path(path.check(pattern), path.check(name))
end

local expand

-- All folders below `base`, itself included; hidden ones and links are not entered.
local function each_folder(base, parts, i, found)
  expand(base, parts, i, found)
  local ok, names, types = pcall(sorted_list, base == "" and "." or base)
  for _, name in ipairs(ok and names or {}) do
    if types[name] == "directory" and name:sub(1, 1) ~= "." then
      each_folder(path.join(base, name), parts, i, found)
    end
  end
end

function expand(base, parts, i, found)
  local part = parts[i]
  if not part then
    if base ~= "" and cfs.stat(base, false) then
      found[base] = true
    end
  elseif part == "**" then
    each_folder(base, parts, i + 1, found)
  elseif not cfs.magic(part) then
    local full = path.join(base, part)
    if i == #parts or cfs.stat(full, true) then
      expand(full, parts, i + 1, found)
    end
  else
    local names = cfs.list(base == "" and "." or base)
    for _, name in ipairs(names or {}) do
      if cfs.match_name(part, name) then
        expand(path.join(base, name), parts, i + 1, found)
      end
    end
  end
end

--- The paths that match a pattern (see `fs.match`), sorted; none when nothing does. Folders that cannot be read count as
--- empty.
---@param pattern string
---@return string[]
function M.glob(pattern)
  local parts, found, out = {}, {}, {}
  for part in disk("fs.glob", pattern, "use fs.walk with fs.match"):gmatch("[^/]+") do
    parts[#parts + 1] = part
  end
  expand(pattern:sub(1, 1) == "/" and "/" or "", parts, 1, found)
  for name in pairs(found) do
    out[#out + 1] = name
  end
  table.sort(out)
  return out
end

--- Makes a folder. With `parents` the ones above, too, and one that is there already is no error.
---@param name string
---@param options? { parents?: boolean, mode?: integer } parents: default true; mode: default 448 (0700)
function M.mkdir(name, options)
  options = options_of("fs.mkdir", options, { "parents", "mode" })
  change("fs.mkdir", cfs.mkdir, disk("fs.mkdir", name, "folders are there with the objects in them"), options.mode or 448, options.parents ~= false)
end

--- Makes a folder that must not be there yet: of several who try, also on network file systems, one gets true.
---@param name string
---@param options? { mode?: integer }
---@return boolean made
function M.create_dir(name, options)
  options = options_of("fs.create_dir", options, { "mode" })
  return change("fs.create_dir", cfs.create_dir, disk("fs.create_dir", name, "fs.create makes an object once"), options.mode or 448)
end

--- Removes a file, a link or an empty folder; with `recursive` a folder with all below it (waits). Links are never
--- followed. Refuses the root, "", "." and "..".
---@param name string
---@param options? { recursive?: boolean }
---@return boolean removed false when nothing was there
function M.remove(name, options)
  options = options_of("fs.remove", options, { "recursive" })
  local objects = remote(name)
  if objects then
    return objects.remove(name, options.recursive)
  end
  return change("fs.remove", options.recursive and cfs.remove_tree or cfs.remove, path.check(name)) == 1
end

--- Renames within a file system; replaces a file that is there.
---@param from string
---@param to string
function M.rename(from, to)
  change("fs.rename", cfs.rename, disk("fs.rename", from, "use fs.copy and fs.remove"), disk("fs.rename", to, "use fs.copy and fs.remove"))
end

--- Copies a file, a link or a folder with all below it; modes are kept, a file replaces a file, folders are merged.
--- Waits.
---@param from string
---@param to string the new name itself, not the folder to put it into
function M.copy(from, to)
  local objects = remote(from) or remote(to)
  if objects then
    objects.copy(path.check(from), path.check(to))
    return
  end
  change("fs.copy", cfs.copy, path.check(from), path.check(to))
end

--- A second name for a file.
---@param from string
---@param to string
function M.link(from, to)
  change("fs.link", cfs.link, disk("fs.link", from, "use fs.copy"), disk("fs.link", to, "use fs.copy"))
end

--- A symbolic link at `name` that says `target`.
---@param target string
---@param name string
function M.symlink(target, name)
  change("fs.symlink", cfs.symlink, path.check(target), disk("fs.symlink", name, "use fs.copy"))
end

--- What a symbolic link says.
---@param name string
---@return string
function M.readlink(name)
  return call("fs.readlink", cfs.readlink, disk("fs.readlink", name))
end

--- From the root, without links. It must be there.
---@param name string
---@return string
function M.realpath(name)
  return call("fs.realpath", cfs.realpath, disk("fs.realpath", name))
end

---@param name string
---@param mode integer permission bits: tonumber("640", 8)
function M.chmod(name, mode)
  change("fs.chmod", cfs.chmod, disk("fs.chmod", name, "who may read an object is said by bucket policies"), mode)
end

--- Cuts or extends a file to `size` bytes.
---@param name string
---@param size integer
function M.truncate(name, size)
  change("fs.truncate", cfs.truncate, disk("fs.truncate", name), size)
end

--- Room on the file system of `name`, for this user.
---@param name string
---@return { free: integer, total: integer } bytes
function M.space(name)
  local free, total = call("fs.space", cfs.space, disk("fs.space", name))
  return { free = free, total = total }
end

--- The working folder.
---@return string
function M.cwd()
  return errors.check(cfs.cwd())
end

--- Where temporary files go: $TMPDIR or /tmp.
---@return string
function M.temp()
  local dir = process.env "TMPDIR"
  return dir and dir ~= "" and dir or "/tmp"
end

---@class adt.TempDir
---@field path string
local TempDir = {}
TempDir.__index = TempDir

--- Removes it with all below it. In place, since a <close> must do it also when its task was cancelled.
function TempDir:close()
  local dir = self.path
  if dir and not self.closed then
    self.closed = true
    errors.check(cfs.remove_now(dir))
  end
end
TempDir.__close = TempDir.close
TempDir.__gc = function(self) pcall(TempDir.close, self) end

--- A new folder (0700) of a name of its own; <close> or the collector removes it.
---@param prefix? string the beginning of its name, default "adtlua-"
---@return adt.TempDir
function M.tempdir(prefix)
  local made = change("fs.tempdir", cfs.tempdir, path.join(M.temp(), path.check(prefix or "adtlua-")))
  return setmetatable({ path = made }, TempDir)
end

--- Opens a file. It is not inherited by children, but may be given to one as a standard stream.
---@param name string
---@param mode? "r"|"r+"|"w"|"w+"|"a"|"a+"|"x"|"x+" default "r"; x: it must not be there yet
---@param options? { mode?: integer } permissions of a new file, default 384 (0600)
---@return adt.File
function M.open(name, mode, options)
  return file.open(disk("fs.open", name, "use adt.s3.get and adt.s3.put"), mode, options)
end

return M
