--- What adt.fs does when a path begins with "s3://": objects as files, and what their keys have before a slash as folders.
---
--- A folder is there when an object is below it. The object whose key is the folder's own with a slash stands for it alone.
local errors = require "adt.error"
local fs = require "adt.fs"
local path = require "adt.path"
local s3 = require "adt.s3"
local task = require "adt.task"

local M = {}

local AT_ONCE = 8 -- objects under way when a folder is copied

local function usage(code, name, message, hint)
  errors.raise { cause = "usage", code = code, where = name, message = message, hint = hint }
end

local function missing(name)
  usage("ENOENT", name, ("'%s' is not there"):format(name))
end

-- The name with a slash at its end, unless it names a bucket.
local function folder(name)
  local bucket, key = s3.parse(name)
  return s3.url(bucket, (key == "" or key:sub(-1) == "/") and key or key .. "/")
end

function M.read(name, max)
  return (s3.get(name, nil, { max = max }))
end

function M.write(name, text, options)
  if options.mode then
    usage("BadArgument", name, "fs.write: an object has no permission bits, so mode says nothing")
  end
  s3.put({ text = text }, name)
end

--- False when an object is there already.
function M.create(name, text, options)
  if options.mode then
    usage("BadArgument", name, "fs.create: an object has no permission bits, so mode says nothing")
  end
  local ok, err = pcall(s3.put, { text = text }, name, { if_none_match = "*" })
  if ok then
    return true
  elseif errors.is(err) and (err.code == "PreconditionFailed" or err.status == 412) then
    return false
  end
  error(err, 0)
end

local function is_folder(name)
  return s3.list(folder(name), { page = 1 })() ~= nil
end

--- { type, size, mtime }, or nil.
function M.stat(name)
  local _, key = s3.parse(name)
  local object = key ~= "" and s3.head(name)
  if object then
    return { type = "file", size = object.size, mtime = object.modified }
  end
  return is_folder(name) and { type = "directory", size = 0, mtime = 0 } or nil
end

--- Names and types, in the order of the names. What has an empty name, as in "a//b", is in no folder's list.
function M.list(name)
  local base = folder(name)
  local names, types, any = {}, {}, false
  for entry in s3.list(base, { delimiter = "/" }) do
    any = true
    local short = entry.url:sub(#base + 1):gsub("/$", "")
    if short ~= "" then
      if not types[short] then names[#names + 1] = short end
      types[short] = entry.prefix and "directory" or types[short] or "file"
    end
  end
  local _, key = s3.parse(name)
  if not any and key ~= "" then missing(name) end
  table.sort(names)
  return names, types
end

function M.remove(name, recursive)
  local _, key = s3.parse(name)
  if recursive then
    if key:find "^/*$" then
      usage("BadPath", name, "fs.remove: this would empty the whole bucket", "delete its objects with adt.s3.delete, and the bucket by DeleteBucket")
    end
    local removed = s3.head(name) and s3.delete(name) or 0
    return removed + s3.delete(s3.list(folder(name))) > 0
  elseif not s3.exists(name) then
    if is_folder(name) then
      usage("ENOTEMPTY", name, ("'%s' has objects below it"):format(name), "recursive = true removes them")
    end
    return false
  end
  s3.delete(name)
  return true
end

-- --- copying ---------------------------------------------------------------------------------------------------------

-- The rest of a key as a path below a folder here. A key can say "..", and must not lead out of it.
local function safe(url, rest)
  for part in (rest .. "/"):gmatch "([^/]*)/" do
    if part == "" or part == "." or part == ".." or part:find "%z" then
      usage("BadKey", url, ("'%s' cannot become a file: its key has an empty name, '.' or '..' in it"):format(url),
        "get it under a name of your choice with adt.s3.get")
    end
  end
  return rest
end

-- The objects below a folder, as { url, rest of the key }; its own marker left out.
local function below(name)
  local base, found = folder(name), {}
  for entry in s3.list(base) do
    local rest = entry.url:sub(#base + 1)
    if rest ~= "" and rest:sub(-1) ~= "/" then
      found[#found + 1] = { url = entry.url, rest = rest }
    end
  end
  return found
end

local function fetch_tree(from, to)
  local found = below(from)
  for _, one in ipairs(found) do
    one.target = path.join(to, safe(one.url, one.rest))
  end
  fs.mkdir(to)
  task.map(found, { at_once = AT_ONCE }, function(one)
    fs.mkdir(path.dir(one.target))
    s3.get(one.url, one.target)
  end)
end

local function send_tree(from, to)
  local found, base = {}, folder(to)
  for name, kind in fs.walk(from) do
    if kind == "file" then
      found[#found + 1] = name
    elseif kind ~= "directory" then
      usage("BadArgument", name, ("'%s' is a %s, which S3 has not"):format(name, kind))
    end
  end
  task.map(found, { at_once = AT_ONCE }, function(name)
    s3.put(name, base .. name:sub(#from + 1):gsub("^/+", ""))
  end)
end

local function is_remote(name)
  return name:find "^s3://" ~= nil
end

local function copy_within(from, to)
  if s3.parse(from) and select(2, s3.parse(from)) ~= "" and s3.exists(from) then
    s3.copy(from, to)
    return
  end
  local found = below(from)
  if #found == 0 then missing(from) end
  task.map(found, { at_once = AT_ONCE }, function(one) s3.copy(one.url, folder(to) .. one.rest) end)
end

--- Copies an object or a folder; one of the two names may be a path here.
function M.copy(from, to)
  if is_remote(from) and is_remote(to) then
    copy_within(from, to)
  elseif is_remote(from) then
    local st = M.stat(from)
    if not st then missing(from) end
    if st.type == "file" then s3.get(from, to) else fetch_tree(from, to) end
  else
    local st = fs.stat(from)
    if not st then missing(from) end
    if st.type == "directory" then send_tree(from, to) else s3.put(from, to) end
  end
end

return M
