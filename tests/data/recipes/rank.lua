--- One job whose ranks do what a test asks for, in shell.
local adt = require "adt"

return adt.recipe {
  name = "rank", kind = "test-case", api = 1, summary = "ranks that behave as told",
  params = {
    script = adt.string { help = "what each rank runs, as a shell line" },
    ranks = adt.int { default = 2, min = 1, max = 16 },
    limit = adt.duration { default = "60s" },
    retry = adt.list { optional = true, help = "causes after which the job is started again" },
    artefact = adt.string { optional = true },
    word = adt.string { optional = true, help = "reaches the rank as WORD" },
    token = adt.secret { env = "RANK_TOKEN", optional = true },
  },
  run = function(ctx, p)
    return ctx:job { "train", cmd = adt.sh(p.script), launch = "torchrun", per_node = { procs = p.ranks }, limit = p.limit,
      retry = p.retry and { on = p.retry, max = 2 }, artefacts = { p.artefact }, env = { WORD = p.word },
      secrets = { TOKEN = p.token }, metrics = { pattern = "step (%d+) loss (%S+)", fields = { "step", "loss" } } }:wait()
  end,
  validate = function(ctx, p, results)
    ctx:check("the job ended well", results.run.state == "done", results.run.state)
  end,
}
