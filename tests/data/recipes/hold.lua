--- A job that goes on until somebody makes the file `release`, and says that it has begun by the file `begun`.
local adt = require "adt"

return adt.recipe {
  name = "hold", kind = "test-case", api = 1, summary = "waits until it is let go",
  params = {
    dir = adt.path { help = "where the files are" },
    stubborn = adt.bool { default = false, help = "do not end when cancelled" },
  },

  run = function(ctx, p)
    local job = ctx:job { "hold", limit = "5m", env = { DIR = p.dir },
      cmd = adt.sh [[: >"$DIR/begun"; until [ -e "$DIR/release" ]; do sleep 0.02; done; echo let go]] }
    if p.stubborn then
      adt.shield(function()
        while not adt.fs.exists(adt.path.join(p.dir, "begun")) do adt.sleep(0.01) end
        adt.fs.write(adt.path.join(p.dir, "ready"), "")
        while true do adt.sleep(0.05) end
      end)
    end
    return job:wait()
  end,

  validate = function(ctx, p, results)
    ctx:check("it was let go", results.run.state == "done", results.run.state)
  end,
}
