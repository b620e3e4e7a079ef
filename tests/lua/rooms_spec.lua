--- The rooms of the house: arrows point downwards only, every file says what it is, none grows out of hand.
local lfs = require "lfs"

local function files_below(folder, pattern, found)
  found = found or {}
  if lfs.attributes(folder, "mode") ~= "directory" then
    return found
  end
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name ~= "." and name ~= ".." then
      if lfs.attributes(path, "mode") == "directory" then
        files_below(path, pattern, found)
      elseif name:find(pattern) then
        found[#found + 1] = path
      end
    end
  end
  table.sort(found)
  return found
end

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  return lines
end

-- { path, line, name, ours } of each #include.
local function includes(path)
  local found = {}
  for n, line in ipairs(lines_of(path)) do
    local open, name = line:match '^%s*#%s*include%s*([<"])([^>"]+)'
    if name then
      found[#found + 1] = { at = path .. ":" .. n, name = name, ours = open == '"' }
    end
  end
  return found
end

local function none(complaints)
  assert.equal("", table.concat(complaints, "\n"))
end

local C, LUA = "%.[ch]$", "%.lua$"

describe("the rooms", function()
  -- A room of core, and the rooms of core that it may look into besides itself.
  local MAY = {
    base = {}, loop = { "base" }, data = { "base" }, net = { "loop", "base" }, probe = { "loop", "base" },
    aws = { "net", "data", "loop", "base" }, slurm = { "net", "data", "loop", "base" },
    k8s = { "net", "data", "loop", "base" },
  }
  -- The only places in core where a library may be named.
  local HOME = {
    ["^uv%.h$"] = "^core/loop/", ["^yajl/"] = "^core/data/json", ["^yaml%.h$"] = "^core/data/yaml", ["^zlib%.h$"] = "^core/data/gzip",
    ["^openssl/"] = "^core/[a-z0-9]+/", ["^curl/"] = "^core/net/", ["^libssh2"] = "^core/net/",
  }

  it("of core are all known", function()
    for name in lfs.dir "core" do
      if not name:find "%." then
        assert.is_table(MAY[name], "core/" .. name .. " has no arrows in this test")
      end
    end
  end)

  it("of core include downwards only", function()
    local complaints = {}
    for _, path in ipairs(files_below("core", C)) do
      local room = path:match "^core/([^/]+)/"
      local allowed = { [room] = true }
      for _, other in ipairs(MAY[room] or {}) do
        allowed[other] = true
      end
      for _, include in ipairs(includes(path)) do
        local other = include.name:match "^([^/]+)/"
        if include.ours and not allowed[other] then
          complaints[#complaints + 1] = include.at .. " includes " .. include.name
        end
      end
    end
    none(complaints)
  end)

  it("of core never see Lua, and each library in its one place", function()
    local complaints = {}
    for _, path in ipairs(files_below("core", C)) do
      for _, include in ipairs(includes(path)) do
        local bad = include.name:find "^lua" or include.name:find "^lauxlib" or include.name:find "^adtL?%.h"
        for pattern, home in pairs(HOME) do
          bad = bad or (include.name:find(pattern) and not path:find(home))
        end
        if bad then
          complaints[#complaints + 1] = include.at .. " includes " .. include.name
        end
      end
    end
    none(complaints)
  end)

  it("above core leave the libraries to core", function()
    local complaints = {}
    for _, path in ipairs(files_below("bindings", C)) do
      for _, include in ipairs(includes(path)) do
        for pattern in pairs(HOME) do
          if include.name:find(pattern) then
            complaints[#complaints + 1] = include.at .. " includes " .. include.name
          end
        end
      end
    end
    none(complaints)
  end)

  it("show the program adt.h alone, and adt.h nothing", function()
    local seen = {}
    for _, include in ipairs(includes "bindings/main.c") do
      seen[#seen + 1] = include.name
    end
    assert.same({ "adt.h" }, seen)
    for _, include in ipairs(includes "bindings/adt.h") do
      assert.is_false(include.ours, include.at)
    end
  end)

  it("are not looked into by what they do not know: nothing includes a test", function()
    for _, folder in ipairs { "core", "bindings" } do
      for _, path in ipairs(files_below(folder, C)) do
        for _, include in ipairs(includes(path)) do
          assert.is_nil(include.name:find "tests?/", include.at)
        end
      end
    end
  end)
end)

describe("Lua modules", function()
  local c_modules = {}
  for _, line in ipairs(lines_of "bindings/modules.h") do
    local name = line:match "^%s+X%(([%w_]+)%)"
    if name then
      c_modules["adt.c." .. name] = true
    end
  end

  local function module_of(path)
    return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
  end

  local modules = {}
  for _, path in ipairs(files_below("lua/adt", LUA)) do
    modules[module_of(path)] = path
  end

  -- { name, at, top } of each require of a constant name; top: it runs when the file is loaded.
  local function requires(path)
    local found = {}
    for n, line in ipairs(lines_of(path)) do
      local code = line:gsub("%-%-.*$", "")
      for name in code:gmatch "require%s*%(?%s*[\"']([%w_.]+)[\"']%s*%f[^%s.\"']" do
        if not name:find "%.$" then
          found[#found + 1] = { name = name, at = path .. ":" .. n, top = code:find "^local" ~= nil }
        end
      end
    end
    return found
  end

  it("require what exists", function()
    local complaints = {}
    for _, folder in ipairs { "lua/adt", "recipes", "examples" } do
      for _, path in ipairs(files_below(folder, LUA)) do
        for _, r in ipairs(requires(path)) do
          if r.name:find "^adt%f[.%z]" and not modules[r.name] and not c_modules[r.name] then
            complaints[#complaints + 1] = r.at .. " requires " .. r.name
          end
        end
      end
    end
    none(complaints)
  end)

  it("of the library need nothing from outside of it", function()
    local complaints = {}
    for _, path in pairs(modules) do
      for _, r in ipairs(requires(path)) do
        if not r.name:find "^adt%f[.%z]" then
          complaints[#complaints + 1] = r.at .. " requires " .. r.name
        end
      end
    end
    none(complaints)
  end)

  it("do not load each other in a circle", function()
    local state, trail = {}, {}
    local function visit(name)
      if state[name] == "done" or not modules[name] then
        return
      end
      trail[#trail + 1] = name
      assert.is_nil(state[name], "a circle: " .. table.concat(trail, " -> "))
      state[name] = "open"
      for _, r in ipairs(requires(modules[name])) do
        if r.top then
          visit(r.name)
        end
      end
      state[name] = "done"
      trail[#trail] = nil
    end
    for name in pairs(modules) do
      visit(name)
    end
  end)

  it("of the library do not know the command line", function()
    local complaints = {}
    for name, path in pairs(modules) do
      if name ~= "adt.cli" and not name:find "^adt%.command%." then
        for _, r in ipairs(requires(path)) do
          if r.name == "adt.cli" or r.name:find "^adt%.command%." then
            complaints[#complaints + 1] = r.at .. " requires " .. r.name
          end
        end
      end
    end
    none(complaints)
  end)

  it("of users, recipes and examples, stay above the C modules", function()
    local complaints = {}
    for _, folder in ipairs { "recipes", "examples" } do
      for _, path in ipairs(files_below(folder, LUA)) do
        for _, r in ipairs(requires(path)) do
          if r.name:find "^adt%.c%." then
            complaints[#complaints + 1] = r.at .. " requires " .. r.name
          end
        end
      end
    end
    none(complaints)
  end)

  it("load without effects: each alone, in a program of its own state", function()
    local support = require "support"
    local names = {}
    for name in pairs(modules) do
      names[#names + 1] = name
    end
    table.sort(names)
    local text = [[
      local c = require "adt.c.task"
      for _, name in ipairs { ... } do
        for loaded in pairs(package.loaded) do
          if loaded:find "^adt%f[.%z]" then package.loaded[loaded] = nil end
        end
        local globals = {}
        for k in pairs(_G) do globals[k] = true end
        local ok, e = pcall(require, name)
        if not ok then print(name, (tostring(e):match "^[^\n]*")) end
        for k in pairs(_G) do if not globals[k] then print(name, "makes the global " .. k) end end
        for kind, n in pairs(c.live()) do if n ~= 0 then print(name, "has under way: " .. kind) end end
      end]]
    local result = support.adtlua { "-", stdin = text, table.unpack(names) }
    assert.same({ 0, "", "" }, { result.code, result.stdout, result.stderr })
  end)

  -- What lies in a folder below lua/adt (commands, grammars, outputs) is called by its module alone.
  it("say what their public functions do and take", function()
    local complaints = {}
    for _, path in pairs(modules) do
      local lines = path:find "^lua/adt/[^/]+$" and lines_of(path) or {}
      for n, line in ipairs(lines) do
        local name, parameters = line:match "^function M%.([%w_]+)%((.-)%)"
        if name then
          local doc, i = {}, n - 1
          while i > 0 and lines[i]:find "^%-%-%-" do
            table.insert(doc, 1, lines[i])
            i = i - 1
          end
          local text = table.concat(doc, "\n")
          if text == "" then
            complaints[#complaints + 1] = ("%s:%d: M.%s has no comment"):format(path, n, name)
          end
          for parameter in parameters:gmatch "[%w_]+" do
            if text ~= "" and parameter ~= "_" and not text:find("@param " .. parameter .. "%f[%W]") then
              complaints[#complaints + 1] = ("%s:%d: M.%s has no @param %s"):format(path, n, name, parameter)
            end
          end
        end
      end
    end
    table.sort(complaints)
    none(complaints)
  end)
end)

describe("files", function()
  local function sources()
    local found = {}
    for _, folder in ipairs { "core", "bindings", "cmake", "lua", "recipes", "examples", "tests" } do
      files_below(folder, C, found)
      files_below(folder, LUA, found)
    end
    return found
  end

  it("open with a sentence that says what they are", function()
    local complaints = {}
    for _, path in ipairs(sources()) do
      local first = lines_of(path)[1] or ""
      local good
      if path:find(LUA) then
        good = first:find "^%-%-%- %S" or first:find "^%-%-%-@meta " or first:find "^#!"
      else
        good = first:find("/* " .. path:match "[^/]+$" .. " - ", 1, true) == 1
      end
      if not good then
        complaints[#complaints + 1] = path .. ": " .. first
      end
    end
    none(complaints)
  end)

  it("have at most 600 lines", function()
    local complaints = {}
    for _, path in ipairs(sources()) do
      local n = #lines_of(path)
      if n > 600 then
        complaints[#complaints + 1] = ("%s has %d lines"):format(path, n)
      end
    end
    none(complaints)
  end)

  it("end with a line end and hold no tab or blank at a line's end", function()
    local complaints = {}
    for _, path in ipairs(sources()) do
      local file <close> = assert(io.open(path, "rb"))
      local text = file:read "a"
      if not text:find "\n$" or text:find "[ \t]\n" or text:find "\t" or text:find "\r" then
        complaints[#complaints + 1] = path
      end
    end
    none(complaints)
  end)
end)
