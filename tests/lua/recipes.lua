--- What the specs of recipes and commands share: a home of their own, the tests' recipes, what a run left behind.
local lfs = require "lfs"
local support = require "support"

local M = {}

--- The folder of the tests' own recipes.
M.dir = lfs.currentdir() .. "/tests/data/recipes"

---@param name string
---@return string
function M.path(name)
  return M.dir .. "/" .. name .. ".lua"
end

local Home = {}
Home.__index = Home

--- A home with state, configuration and cache of its own and an empty folder `work` to be in.
---@return table
function M.home()
  local dir = support.tempdir()
  for _, name in ipairs { "work", "config", "config/adtlua" } do
    assert(lfs.mkdir(dir / name))
  end
  -- Configuration is looked for upwards until a checkout's root.
  assert(lfs.mkdir(dir / "work/.git"))
  return setmetatable({ dir = dir, state = dir / "state", work = dir / "work" }, Home)
end

function Home:__close(err)
  os.execute("chmod -R u+rwx " .. support.quote(tostring(self.dir)) .. " 2>/dev/null")
  getmetatable(self.dir).__close(self.dir, err)
end

--- Environment variables of this home, and more.
---@param more? table
---@return table
function Home:env(more)
  local env = {
    HOME = tostring(self.dir), XDG_STATE_HOME = self.state, XDG_CONFIG_HOME = self.dir / "config",
    XDG_CACHE_HOME = self.dir / "cache", CI = false, ADTLUA_RESUME = false,
  }
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

--- Runs the program there; the words and fields of support.adtlua().
---@param command table
---@return support.Result
function Home:run(command)
  local copy = {}
  for k, v in pairs(command) do copy[k] = v end
  copy.env, copy.cwd = self:env(command.env), command.cwd or self.work
  return support.adtlua(copy)
end

--- Runs a shell script in which $ADTLUA is the program.
---@param script string
---@param env? table
---@return support.Result
function Home:shell(script, env)
  env = self:env(env)
  env.ADTLUA = support.program()
  return support.run { "/bin/sh", "-c", script, env = env, cwd = self.work }
end

---@param name string below the home
---@param text string
---@return string path
function Home:write(name, text)
  local path = self.dir / name
  support.write(path, text)
  return path
end

--- The ids of the runs that were begun here.
---@return string[]
function Home:runs()
  local ids = {}
  if lfs.attributes(self.state .. "/adtlua/runs", "mode") == "directory" then
    for name in lfs.dir(self.state .. "/adtlua/runs") do
      if name:match "^R" then ids[#ids + 1] = name end
    end
  end
  table.sort(ids)
  return ids
end

--- The journal of a run as text.
---@param id? string the newest
---@return string
function Home:journal(id)
  local ids = self:runs()
  return support.read(("%s/adtlua/runs/%s/journal.ndjson"):format(self.state, id or ids[#ids]))
end

--- Every file below the home whose content holds `text`.
---@param text string
---@return string
function Home:holding(text)
  local pipe <close> = assert(io.popen(("grep -rlaF -e %s %s 2>/dev/null"):format(
    support.quote(text), support.quote(tostring(self.dir)))))
  return pipe:read "a"
end

return M
