--- Degrees of parallelism: what fits, what follows from it, and what is said of what does not fit.
local parallel = require "adt.parallel"
local support = require "support"

local function refused(spec)
  local err = support.refusal(parallel.check, spec)
  assert.same({ "usage", "BadParallel" }, { err.cause, err.code })
  return err
end

describe("parallel degrees", function()
  it("that are left out are one, and data parallelism is what is left of the world", function()
    assert.same({ world = 8, tp = 1, pp = 1, cp = 1, dp = 8, ep = 1, vp = 1, micro_batch = 1 }, parallel.check { world = 8 })
    local d = parallel.check { world = 128, tp = 8, pp = 4, cp = 2, global_batch = 512, micro_batch = 2, layers = 80, heads = 64, kv_heads = 8,
      sequence = 8192 }
    assert.same({ 2, 128, 20 }, { d.dp, d.accumulation, d.layers_per_stage })
  end)

  it("of published runs hold", function()
    for _, spec in ipairs {
      { world = 16, tp = 4, pp = 4, global_batch = 64, heads = 64, kv_heads = 8, layers = 80 }, -- llama2 70b on 2 nodes
      { world = 16, tp = 4, pp = 2, global_batch = 288, micro_batch = 1, layers = 36, heads = 24 }, -- gpt3, 2 nodes
      { world = 128, tp = 4, pp = 8, vp = 3, global_batch = 256, micro_batch = 1, layers = 96, heads = 96 },
      { world = 8, tp = 2, cp = 2, pp = 2, dp = 1, sequence = 4096 },
      { world = 64, ep = 8, global_batch = 1024, micro_batch = 4 },
    } do
      local d = parallel.check(spec)
      assert.equal(d.world, d.tp * d.pp * d.cp * d.dp)
    end
  end)

  it("that do not fit are refused by the rule, with numbers that would do", function()
    for text, case in pairs {
      ["world 12 must be a multiple of tp x pp x cp = 8 x 1 x 1 = 8"] = { "8 or 16 processes", { world = 12, tp = 8 } },
      ["world 8 must be a multiple of tp x pp x cp = 4 x 8 x 1 = 32"] = { "32 processes", { world = 8, tp = 4, pp = 8 } },
      ["world 16 must be tp x pp x cp x dp = 4 x 2 x 1 x 4 = 32"] = { "dp = 2", { world = 16, tp = 4, pp = 2, dp = 4 } },
      ["ep 3 must divide dp x cp = 8 x 1 = 8"] = { "ep = 2 or 4", { world = 8, ep = 3 } },
      ["global_batch 100 must be a multiple of micro_batch x dp = 4 x 8 = 32"] = { "global_batch = 128",
        { world = 8, global_batch = 100, micro_batch = 4 } },
      ["heads 20 must be a multiple of tp = 8"] = { "tp = 5 or 10", { world = 8, tp = 8, heads = 20 } },
      ["kv_heads 4 must be a multiple of tp = 8"] = { "tp = 4", { world = 8, tp = 8, heads = 32, kv_heads = 4 } },
      ["heads 32 must be a multiple of kv_heads = 5"] = { "kv_heads = 4 or 8", { world = 8, heads = 32, kv_heads = 5 } },
      ["layers 30 must be a multiple of pp x vp = 8"] = { "pp x vp = 6 or 10", { world = 8, pp = 4, vp = 2, layers = 30 } },
      ["sequence 1001 must be a multiple of cp = 8"] = { "cp = 7 or 11", { world = 8, cp = 8, sequence = 1001 } },
      ["vp 2 needs pipeline stages"] = { "pp = 2 or more", { world = 8, vp = 2 } },
    } do
      local err = refused(case[2])
      assert.matches(text, err.message, 1, true)
      assert.matches(case[1], err.hint, 1, true)
    end
  end)

  it("must be whole numbers above 0, and known", function()
    for _, value in ipairs { 0, -1, 1.5, "8", true } do
      assert.matches("tp must be a whole number above 0", refused({ world = 8, tp = value }).message, 1, true)
    end
    assert.matches("world, the number of processes, is missing", refused({ tp = 8 }).message, 1, true)
    local err = support.refusal(parallel.check, { world = 8, pt = 2 })
    assert.equal("usage", err.cause)
    assert.matches("'[tp]p'", err.hint)
  end)
end)
