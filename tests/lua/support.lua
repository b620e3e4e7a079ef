--- What the specs share: nothing lives on after a test, folders of their own, the program run as a user runs it.
local c = require "adt.c.task"
local system = require "system"
local lfs = require "lfs"

local M = {}

local NOTHING = { op = 0, child = 0, stream = 0, task = 0 }

--- What the engine has under way, after what nobody refers to has been collected and the loop has turned.
---@return table<string, integer>
function M.live()
  local live
  for _ = 1, 20 do
    collectgarbage()
    collectgarbage()
    c.yield()
    live = c.live()
    local quiet = true
    for _, n in pairs(live) do
      quiet = quiet and n == 0
    end
    if quiet then
      break
    end
    system.sleep(0.01)
  end
  return live
end

--- For after_each: fails if an op, child, stream or task has outlived the test.
function M.no_leaks()
  require("luassert").same(NOTHING, M.live())
end

--- The structured error that a call must raise.
---@param f function
---@return adt.Error
function M.refusal(f, ...)
  local assert = require "luassert"
  local ok, err = pcall(f, ...)
  assert.is_false(ok, "it was accepted")
  assert.is_true(require("adt.error").is(err), tostring(err))
  return err
end

--- A word for the shell.
---@param text string
---@return string
function M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

---@param path string
---@return string
function M.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return (file:read "a")
end

---@param path string
---@param text string
function M.write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function remove_tree(path)
  local mode = lfs.symlinkattributes(path, "mode")
  if mode == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then
        remove_tree(path .. "/" .. name)
      end
    end
    lfs.rmdir(path)
  elseif mode then
    os.remove(path)
  end
end

--- A new empty folder, removed when the variable goes out of scope: `local dir <close> = support.tempdir()`.
--- `dir / "name"` is a path in it, tostring(dir) its own.
---@return table
function M.tempdir()
  local path = os.tmpname()
  assert(os.remove(path))
  assert(lfs.mkdir(path))
  return setmetatable({ path = path }, {
    __close = function() remove_tree(path) end,
    __div = function(_, name) return path .. "/" .. name end,
    __tostring = function() return path end,
  })
end

local self_path

--- The program that runs this test.
---@return string
function M.program()
  if not self_path then
    local file <close> = assert(io.popen("readlink /proc/$PPID/exe"))
    self_path = file:read "l"
  end
  return self_path
end

---@class support.Result
---@field code integer exit status; 128 + the signal that ended it
---@field stdout string
---@field stderr string

--- Runs a program to its end, outside of this one's engine.
--- `command` is an argument list; its fields `stdin` (text), `env` (name to value; false unsets), `cwd` and `before`
--- (shell words put before it, such as "timeout 5") are options.
---@param command table
---@return support.Result
function M.run(command)
  local dir <close> = M.tempdir()
  M.write(dir / "in", command.stdin or "")
  local words = {}
  for i, word in ipairs(command) do
    words[i] = M.quote(word)
  end
  local unset, set = { "env" }, {}
  for name, value in pairs(command.env or {}) do
    if value then
      set[#set + 1] = M.quote(name .. "=" .. value)
    else
      unset[#unset + 1] = "-u " .. name
    end
  end
  local line = ("%s { %s %s %s ; } <%s >%s 2>%s"):format(
    command.cwd and "cd " .. M.quote(command.cwd) .. " &&" or "",
    table.concat(unset, " ") .. " " .. table.concat(set, " "), command.before or "", table.concat(words, " "),
    M.quote(dir / "in"), M.quote(dir / "out"), M.quote(dir / "err"))
  local _, how, code = os.execute(line)
  return {
    code = how == "signal" and 128 + code or code,
    stdout = M.read(dir / "out"),
    stderr = M.read(dir / "err"),
  }
end

--- Runs this very program: `support.adtlua { "-e", "print(1)" }`.
---@param arguments table as for run()
---@return support.Result
function M.adtlua(arguments)
  local command = {}
  for k, v in pairs(arguments) do
    command[k] = v
  end
  table.insert(command, 1, M.program())
  return M.run(command)
end

--- A place of its own for flow specs: a folder with recipes and a state folder, the program run in it.
--- `local s <close> = support.scene()`; s.path, s:recipe(name, text), s:run { words... }, s:ids(), s:journal(), s:path_of(name).
---@return table
function M.scene()
  local dir = M.tempdir()
  local scene = { path = tostring(dir), state = dir / "state", env = { XDG_STATE_HOME = dir / "state", XDG_CACHE_HOME = dir / "cache",
    XDG_CONFIG_HOME = dir / "config", CI = "1" } }
  function scene.path_of(_, name) return dir / name end
  function scene.recipe(_, name, text)
    M.write(dir / name, text)
    return dir / name
  end
  function scene.run(self, words)
    local all = { cwd = words.cwd or self.path, stdin = words.stdin, before = words.before, env = {} }
    for k, v in pairs(self.env) do all.env[k] = v end
    for k, v in pairs(words.env or {}) do all.env[k] = v end
    table.move(words, 1, #words, 1, all)
    return M.adtlua(all)
  end
  function scene.ids(self)
    local ids, runs = {}, self.state .. "/adtlua/runs"
    if lfs.attributes(runs) then
      for name in lfs.dir(runs) do
        if name:match "^R" then ids[#ids + 1] = name end
      end
    end
    table.sort(ids)
    return ids
  end
  function scene.folder(self)
    local ids = self:ids()
    return self.state .. "/adtlua/runs/" .. ids[#ids]
  end
  function scene.journal(self)
    local records = {}
    for line in M.read(self:folder() .. "/journal.ndjson"):gmatch "[^\n]+" do
      records[#records + 1] = require("adt.json").decode(line)
    end
    return records
  end
  return setmetatable(scene, { __close = function() getmetatable(dir).__close(dir) end })
end

return M
