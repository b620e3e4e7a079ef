--- A job that prints a line now and then for some seconds: how much memory does following it take?
local adt = require "adt"

return adt.recipe {
  name = "follow", kind = "test-case", api = 1,
  summary = "one process that prints lines for a while",
  params = { lines = adt.int { default = 200, min = 1, max = 100000, help = "lines, twenty a second" } },

  run = function(ctx, p)
    local script = "i=0; while [ $i -lt $1 ]; do i=$((i + 1)); echo \"step $i loss $i.5\"; sleep 0.05; done"
    return ctx:job { "lines", cmd = { "/bin/sh", "-c", script, "sh", tostring(p.lines) }, limit = "10m" }:wait()
  end,

  validate = function(ctx, _, results)
    ctx:check("the job ended well", results.run.exit == 0, results.run.exit)
  end,
}
