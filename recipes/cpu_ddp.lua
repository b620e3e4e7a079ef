--- Trains a small byte-level language model with DistributedDataParallel on CPUs: the whole path of a training job, on
--- any machine, in a minute. Replaces the reference's cpu-ddp case; docs/recipes/cpu_ddp.md tells how it differs.
---
---   adtlua recipes/cpu_ddp.lua                          two ranks on this machine
---   adtlua recipes/cpu_ddp.lua --data ~/books --steps 500 --ranks 4
local adt = require "adt"

local VOCABULARY = 256 -- bytes

return adt.recipe {
  name = "cpu_ddp", kind = "test-case", api = 1,
  summary = "byte-level transformer on CPUs with DistributedDataParallel",
  packages = { "python3-torch", "libopenblas0-serial" }, -- the reference BLAS is three times slower
  smallest = { steps = 20, width = 32, checkpoint_every = 10 },

  params = {
    nodes  = adt.int { default = 1, min = 1, max = 1024, help = "compute nodes" },
    ranks  = adt.int { default = 2, min = 1, max = 256, help = "processes per node" },
    data   = adt.path { optional = true, help = "text file, or folder of text files (default: Python's own library)" },
    steps  = adt.int { default = 60, min = 2, help = "optimiser steps" },
    batch  = adt.int { default = 8, min = 1, help = "sequences per rank and step" },
    context = adt.int { default = 64, min = 8, max = 4096, help = "bytes per sequence" },
    layers = adt.int { default = 2, min = 1, max = 64, help = "transformer blocks" },
    width  = adt.int { default = 64, min = 8, max = 4096, help = "size of the residual stream" },
    lr     = adt.number { default = 3e-3, min = 1e-6, max = 1, help = "peak learning rate" },
    seed   = adt.int { default = 1, min = 1, help = "of the weights and of the batches" },
    checkpoint_every = adt.int { default = 20, min = 1, help = "steps between checkpoints" },
    limit  = adt.duration { default = "30m", help = "the training is ended after this" },
    torch  = adt.enum { "distribution", "venv", default = "distribution", help = "where PyTorch comes from" },
    torch_version = adt.string { default = "2.8.0", pattern = "^[%w.+]+$", help = "for --torch venv" },
  },

  build = function(ctx, p)
    local python
    if p.torch == "venv" then
      python = ctx:venv { "torch==" .. p.torch_version }
    else
      python = ctx:python { "torch>=1.13", hint = "install python3-torch, or say --torch venv" }
    end
    return { python = python, program = ctx:template "cpu_ddp" }
  end,

  run = function(ctx, p, results)
    local cmd = {
      results.build.python, "train.py", "--steps", p.steps, "--batch", p.batch, "--context", p.context,
      "--layers", p.layers, "--width", p.width, "--lr", p.lr, "--seed", p.seed,
      "--checkpoint-dir", ctx.dir .. "/checkpoints", "--checkpoint-every", p.checkpoint_every,
    }
    if p.data then
      table.move({ "--data", adt.path.absolute(p.data) }, 1, 2, #cmd + 1, cmd)
    end
    -- The distribution's torchrun does not start under Python 3.11, so the target gives ranks their places itself.
    return ctx:job { "train",
      cmd = cmd, files = results.build.program, launch = p.torch == "venv" and "torchrun" or "ranks", nodes = p.nodes, per_node = { procs = p.ranks },
      limit = p.limit, retry = { on = { "node", "preempted" }, max = 3 }, resume = "checkpoint", metrics = "cpu_ddp",
      artefacts = { ctx.dir .. "/checkpoints/latest", ctx.dir .. "/checkpoints/step-*.pt" },
    }:wait()
  end,

  -- The verdict that holds for every training case: it ended well, took its steps, learned, and left what it should.
  validate = function(ctx, p, results)
    local job = results.run
    local loss, rate = job.metrics.loss, job.metrics["tokens/s"]
    ctx:check("the job ended well", job.state == "done" and job.exit == 0, job.state)
    ctx:check("every step was trained", #job.metrics:steps() >= p.steps, ("%d of %d"):format(#job.metrics:steps(), p.steps))
    ctx:require("there are losses to look at", #loss > 0, #loss)
    ctx:check("every loss is finite", loss:finite(), loss)
    local start = math.log(VOCABULARY)
    ctx:check("the first loss is near ln 256", math.abs(loss:first() - start) < 0.15 * start,
      ("%.3f against %.3f"):format(loss:first(), start))
    if #loss >= 20 then
      local head, tail = loss:head(0.1):mean(), loss:tail(0.1):mean()
      ctx:check("the loss falls", tail < head, ("%.3f to %.3f"):format(head, tail))
    end
    ctx:check("a checkpoint is there", #job.artefacts >= 2, #job.artefacts .. " files")

    local weights, ranks = {}, p.nodes * p.ranks
    for _, found in ipairs(job:grep "^weights rank (%d+) sha256 (%x+)$") do
      weights[found[1]] = found[2]
    end
    local digests, n = {}, 0
    for _, digest in pairs(weights) do
      digests[digest], n = true, n + 1
    end
    ctx:check("all ranks hold identical weights", n == ranks and next(digests, next(digests)) == nil,
      ("%d ranks, %s"):format(n, (next(digests) or "no digest"):sub(1, 12)))

    ctx:summary(adt.term.plot(loss, { label = "loss" }))
    ctx:note("%.0f tokens/s (median), loss %.3f to %.3f", rate:median(), loss:first(), loss:last())
  end,
}
