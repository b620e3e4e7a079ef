--- What is deployed, what depends on it, and a line that needs its content.
local adt = require "adt"

return adt.recipe {
  name = "stack", kind = "architecture", api = 1, summary = "a network and what stands in it",
  params = { dir = adt.path {}, size = adt.int { default = 3, min = 1 }, look = adt.bool { default = false } },

  deploy = function(ctx, p)
    local file = adt.path.join(p.dir, ctx.name .. ".net")
    local net = ctx:step("net", { inputs = { size = p.size }, outputs = function() return { file } end,
      undo = function() adt.fs.remove(file) end }, function()
      adt.fs.write(file, tostring(p.size))
      return { id = "net-" .. p.size, size = p.size }
    end)
    ctx:step("store", { keep = "it holds data" }, function() return { id = "store" } end)
    ctx:note("the network is " .. net.id)
    if p.look then
      ctx:note("twice as large: " .. net.size * 2)
      ctx:step("after", function() return true end)
    end
    return net
  end,
}
