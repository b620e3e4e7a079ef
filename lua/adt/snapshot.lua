--- Files of a run: templates and source code copied into the run's folder, named by a digest of their content.
local errors = require "adt.error"
local fs = require "adt.fs"
local hash = require "adt.hash"
local path = require "adt.path"
local pending = require "adt.pending"
local process = require "adt.process"

local M = {}

-- A snapshot is copied for every run: what is larger than this belongs on shared storage, by its path.
local MOST_FILES, MOST_BYTES = 20000, 512 << 20

local function relative_files(dir)
  local names = {}
  for file, kind in fs.walk(dir) do
    if kind == "file" and not file:find("/__pycache__/", 1, true) then
      names[#names + 1] = path.relative(file, dir)
    end
  end
  table.sort(names)
  return names
end

local function digest_of(dir, names, extra)
  local parts, bytes = { extra or "" }, 0
  if #names > MOST_FILES then
    errors.raise { cause = "usage", code = "TooLarge", message = ("%s holds %d files; at most %d are copied into a run")
      :format(dir, #names, MOST_FILES), hint = "point at the folder with the program alone" }
  end
  for _, name in ipairs(names) do
    local file = path.join(dir, name)
    bytes = bytes + fs.stat(file).size
    if bytes > MOST_BYTES then
      errors.raise { cause = "usage", code = "TooLarge", message = ("%s holds more than %d MiB; a snapshot is code, not data")
        :format(dir, MOST_BYTES >> 20), hint = "put data on shared storage and pass its path" }
    end
    parts[#parts + 1] = name .. "\0" .. hash.sha256_file(file)
  end
  return hash.sha256(table.concat(parts, "\0"))
end

local function copy_files(from, names, to, convert)
  fs.remove(to, { recursive = true })
  for _, name in ipairs(names) do
    local target = path.join(to, name)
    fs.mkdir(path.dir(target), { parents = true })
    if convert then
      fs.write(target, convert(fs.read(path.join(from, name)), name))
      fs.chmod(target, fs.stat(path.join(from, name)).mode)
    else
      fs.copy(path.join(from, name), target)
    end
  end
end

local function step(ctx, label, from, names, values, convert)
  local digest = digest_of(from, names, values)
  local folder = ctx.mode == "plan" and not ctx.run and pending.new(label) or path.join(ctx.run.dir, "files", (label:gsub(":", "-")))
  local result = ctx.door:pass(label, {
    kind = "files", inputs = { digest = digest }, detail = ("%d files"):format(#names),
    outputs = function(r) return { r.path } end,
    undo = function(r) fs.remove(r.path, { recursive = true }) end,
  }, function()
    copy_files(from, names, folder, convert)
    return { path = folder, digest = digest }
  end)
  return result
end

-- A run that was copied to where its recipe's folders are not: its own snapshot is what it had.
local function snapshot_alone(ctx, label, missing)
  return ctx.door:pass(label, { kind = "files", as_before = true, outputs = function(r) return { r.path } end,
    undo = function(r) fs.remove(r.path, { recursive = true }) end }, function() error(missing, 0) end)
end

-- Each file uses some of the values; one that no file uses is a mistake.
local function refuse_unused(dir, names, values)
  local template, used, holes = require "adt.template", {}, {}
  for _, name in ipairs(names) do
    for _, hole in ipairs(template.names(fs.read(path.join(dir, name)))) do
      used[hole] = true
      holes[#holes + 1] = hole
    end
  end
  for name in pairs(values) do
    if not used[name] then
      local near = errors.nearest(name, holes)
      errors.raise { cause = "usage", code = "UnusedValue", where = dir, message = ("no template uses the value '%s'"):format(name),
        hint = near and ("did you mean '%s'?"):format(near) or "the templates have no such hole" }
    end
  end
end

--- The step behind ctx:template.
---@param ctx adt.Context
---@param name string
---@param values? table<string, any>
function M.template(ctx, name, values)
  local dir, missing = errors.try(ctx.template_dir, ctx, name)
  if not dir then
    return snapshot_alone(ctx, "template:" .. name, missing)
  end
  local convert, digest
  if values then
    local template = require "adt.template"
    digest = require("adt.json").encode(values)
    refuse_unused(dir, relative_files(dir), values)
    convert = function(text, file)
      local own = {}
      for _, hole in ipairs(template.names(text)) do
        -- A name that no value has is told with all that there are.
        own = values[hole] == nil and values or own
        own[hole] = values[hole]
      end
      return template.fill(text, own, { name = file })
    end
  end
  return step(ctx, "template:" .. name, dir, relative_files(dir), digest, convert)
end

local function git_files(dir)
  local result = errors.try(process.run, { "git", "-C", dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard",
    "--deduplicate", check = false, read_only = true, timeout = 60 })
  if not result or not result.ok then
    return nil
  end
  local names = {}
  for name in result.stdout:gmatch("([^\0]+)\0") do
    local st = fs.stat(path.join(dir, name))
    if st and st.type == "file" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function refuse_dirty(dir)
  local result = process.run { "git", "-C", dir, "status", "--porcelain", "--", ".", read_only = true, timeout = 60 }
  if result.stdout ~= "" then
    errors.raise { cause = "usage", code = "DirtyCode", where = dir, message = "the working tree has changes that are not committed: "
      .. result.stdout:match("[^\n]*"), hint = 'commit them, or take them along with dirty = "include"' }
  end
end

--- The step behind ctx:code.
---@param ctx adt.Context
---@param dir string relative to the recipe's folder
---@param options? { dirty: "include"|"refuse" }
function M.code(ctx, dir, options)
  options = options or {}
  errors.check_options("ctx:code", options, { "dirty" })
  if dir:sub(1, 1) ~= "/" then
    dir = path.join(path.dir(ctx.file), dir)
  end
  dir = path.normalize(path.absolute(dir))
  local names = git_files(dir)
  if options.dirty == "refuse" then
    if not names then
      errors.raise { cause = "usage", where = dir, message = 'dirty = "refuse" needs a git checkout, and this is none' }
    end
    refuse_dirty(dir)
  elseif options.dirty ~= nil and options.dirty ~= "include" then
    errors.raise { cause = "usage", message = 'ctx:code: dirty is "include" or "refuse"' }
  end
  return step(ctx, "code:" .. path.name(dir), dir, names or relative_files(dir))
end

return M
