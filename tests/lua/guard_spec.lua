--- While a plan is made nothing is written: what would change something outside of a step raises.
local errors = require "adt.error"
local fs = require "adt.fs"
local guard = require "adt.guard"
local process = require "adt.process"
local support = require "support"

describe("while a plan is made", function()
  it("a write outside a step raises", function()
    local dir <close> = support.tempdir()
    support.write(dir / "file", "x")
    local file = dir / "file"
    local writes = {
      write = function() fs.write(file, "") end, append = function() fs.append(file, "") end,
      create = function() fs.create(dir / "new", "") end, mkdir = function() fs.mkdir(dir / "new") end,
      create_dir = function() fs.create_dir(dir / "new") end, remove = function() fs.remove(file) end,
      rename = function() fs.rename(file, dir / "new") end, copy = function() fs.copy(file, dir / "new") end,
      link = function() fs.link(file, dir / "new") end, symlink = function() fs.symlink(file, dir / "new") end,
      chmod = function() fs.chmod(file, 0) end, truncate = function() fs.truncate(file, 0) end,
      tempdir = function() fs.tempdir() end, open = function() fs.open(file, "a") end, openw = function() fs.open(file, "r+") end,
      spawn = function() process.spawn { "true" } end, run = function() process.run { "true" } end,
    }
    local task = require "adt.task"
    for name, write in pairs(writes) do
      for _, how in ipairs { write, function() task.all { write } end } do
        local _, err = errors.try(guard.planning, how)
        assert.equal("WriteInPlan", err and err.code, name)
        assert.matches("put it into ctx:step", err.hint)
      end
    end
    assert.same({ "file" }, (fs.list(tostring(dir))))
    -- What only asks is allowed, and afterwards everything is.
    assert.equal("x", guard.planning(fs.read, file))
    assert.equal("hi\n", guard.planning(process.run, { "echo", "hi", read_only = true }).stdout)
    guard.planning(function() fs.open(file):close() end)
    fs.write(file, "y")
  end)

  it("every function of adt.fs is known to write or to ask", function()
    local asks = { "read", "stat", "exists", "is_dir", "is_file", "list", "walk", "match", "glob", "readlink", "realpath", "space",
      "cwd", "temp" }
    local writes = { "write", "append", "create", "mkdir", "create_dir", "remove", "rename", "copy", "link", "symlink", "chmod",
      "truncate", "tempdir", "open" }
    local known = {}
    for _, list in ipairs { asks, writes } do
      for _, name in ipairs(list) do known[name] = true end
    end
    for name, value in pairs(fs) do
      assert.is_true(type(value) ~= "function" or known[name] == true, name)
    end
  end)
end)
