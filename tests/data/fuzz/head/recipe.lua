local adt = require "adt"
return adt.recipe {
  name = "a", kind = "test-case", api = 1, summary = "s",
  params = { n = adt.int { default = 1, min = 1 }, k = adt.enum { "a", "b", default = "a" }, d = adt.duration { default = "1h" },
    l = adt.list { of = adt.size {}, optional = true }, p = adt.path {}, t = adt.secret { env = "X", optional = true } },
  run = function(ctx, p) return ctx:step("x", {}, function() return 1 end) end,
}
