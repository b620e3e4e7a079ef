--- Ten steps of all kinds, each leaving a line in a diary, so that a test can count what was done how often.
local adt = require "adt"

return adt.recipe {
  name = "ten_steps", kind = "test-case", api = 1,
  summary = "ten steps with and without find, undo, outputs and keep",
  params = {
    dir = adt.path { help = "where the steps leave their traces" },
    word = adt.string { default = "one", help = "an input of two steps" },
    fail = adt.string { optional = true, help = "the step that raises" },
  },

  deploy = function(ctx, p)
    local function trace(name)
      if p.fail == name then
        error("step " .. name .. " was asked to fail")
      end
      adt.fs.append(adt.path.join(p.dir, "diary"), name .. "\n")
    end
    local function file(name) return adt.path.join(p.dir, name) end
    local function make(name, key)
      trace(name)
      adt.fs.write(file(name), key)
      return { file = file(name), key = key }
    end
    local function find(name)
      return function(key)
        if adt.fs.exists(file(name)) and adt.fs.read(file(name)) == key then
          return { file = file(name), key = key }
        end
      end
    end
    local function remove(result) adt.fs.remove(result.file) end

    local bare = ctx:step("bare", function() trace "bare"; return 1 end)
    ctx:step("inputs", { inputs = { word = p.word } }, function() trace "inputs"; return p.word end)
    local found = ctx:step("find", { find = find "find" }, function(key) return make("find", key) end)
    ctx:step("undo", { find = find "undo", undo = remove }, function(key) return make("undo", key) end)
    ctx:step("outputs", { outputs = function(r) return { r.file } end, undo = remove }, function(key) return make("outputs", key) end)
    ctx:step("keep", { find = find "keep", undo = remove, keep = "it holds data" }, function(key) return make("keep", key) end)
    ctx:step("all", { inputs = { word = p.word }, outputs = function(r) return { r.file } end, find = find "all", undo = remove },
      function(key) return make("all", key) end)
    ctx:step("exists", { exists = function() return adt.fs.exists(file "exists") and "there" or nil end },
      function() trace "exists"; adt.fs.write(file "exists", ""); return "there" end)
    ctx:step("child", function()
      trace "child"
      return adt.process.run({ "sh", "-c", "sleep 0.02; echo done" }).stdout
    end)
    return { bare = bare, found = found }
  end,

  run = function(ctx, p, results)
    return ctx:job { "count", cmd = adt.sh [[echo start >> "$STARTS"; echo ran]],
      env = { STARTS = adt.path.join(p.dir, "starts"), FOUND = results.deploy.found.file } }:wait()
  end,

  validate = function(ctx, p, results)
    ctx:check("the job ran", results.run.state == "done", results.run.state)
    ctx:check("it started once", adt.fs.read(adt.path.join(p.dir, "starts")) == "start\n")
    ctx:check("the result of a step is what it was", results.deploy.bare == 1, results.deploy.bare)
  end,
}
