--- One parameter of each type, and a stage that prints what it was given, byte for byte.
local adt = require "adt"

return adt.recipe {
  name = "params", kind = "test-case", api = 1, summary = "every type of parameter",
  smallest = { count = 1 },
  params = {
    count = adt.int { default = 2, min = 1, max = 10, help = "how many" },
    ratio = adt.number { default = 0.5, min = 0, max = 1 },
    loud = adt.bool { default = false },
    word = adt.string { default = "word" },
    pick = adt.enum { "small", "large", default = "small" },
    numbers = adt.list { of = adt.int { min = 1 }, default = { 1, 2 }, max = 3 },
    limit = adt.duration { default = "2h", min = "1s", max = "3h" },
    size = adt.size { default = "1GiB" },
    file = adt.path { optional = true },
    hosts = adt.hostlist { default = "n[1-2]" },
    token = adt.secret { env = "TEST_TOKEN", optional = true },
  },

  run = function(ctx, p)
    local told = ctx:job { "tell", cmd = { "printf", "<%s>\\n", p.word, p.count } }:wait()
    ctx:check("the program ran", told.exit == 0)
    local file = adt.path.join(ctx.dir, "word")
    ctx:step("word", { inputs = { word = p.word } }, function() adt.fs.write(file, p.word) end)
  end,
}
