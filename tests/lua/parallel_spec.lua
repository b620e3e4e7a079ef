--- The division of ranks: what is derived, and which rule refuses what.
local parallel = require "adt.parallel"
local support = require "support"

describe("a division of ranks", function()
  it("gives data parallelism what is left, and counts micro batches", function()
    local p = parallel.check { world = 64, tp = 8, pp = 2, global_batch = 256, micro_batch = 2, heads = 64, kv_heads = 8, layers = 80 }
    assert.same({ tp = 8, pp = 2, cp = 1, ep = 1, vp = 1, dp = 4, micro_batches = 32 }, p)
  end)

  it("is refused with the rule that does not hold", function()
    for text, spec in pairs {
      ["10 ranks cannot be divided by tp x pp x cp = 4"] = { world = 10, tp = 2, pp = 2 },
      ["tp x pp x cp x dp = 2 x 3, and there are 8 ranks"] = { world = 8, tp = 2, dp = 3 },
      ["100 samples of the global batch cannot be divided among micro batch x dp = 16"] = { world = 8, global_batch = 100, micro_batch = 2 },
      ["6 heads of keys and values cannot be divided among tp = 4"] = { world = 4, tp = 4, heads = 32, kv_heads = 6 },
      ["30 layers cannot be divided among pp x vp = 8"] = { world = 4, pp = 4, vp = 2, layers = 30 },
      ["4095 tokens of a sample cannot be divided among cp = 2"] = { world = 2, cp = 2, sequence = 4095 },
      ["4 ranks of data and context parallelism cannot be divided among ep = 3"] = { world = 4, ep = 3 },
      ["virtual stages (vp = 2) need a pipeline"] = { world = 4, vp = 2 },
      ["tp must be a whole number above 0, not 0"] = { world = 4, tp = 0 },
      ["the world size is missing"] = { tp = 1 },
    } do
      local err = support.refusal(parallel.check, spec)
      assert.same({ "usage", "BadParallelism", text }, { err.cause, err.code, err.message })
    end
  end)

  it("refuses a size that it does not know, naming the nearest", function()
    assert.matches("micro_batch", tostring(support.refusal(parallel.check, { world = 1, microbatch = 2 }).hint))
  end)
end)
