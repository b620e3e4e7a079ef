--- How the ranks of a training are divided, and the rules that hold before anything is created.
---
--- The world is tensor x pipeline x context x data; experts are spread over ranks of data (and context) parallelism. The
--- rules are Megatron-LM's, which the other frameworks share.
local errors = require "adt.error"

local M = {}

---@class adt.Parallel
---@field world integer ranks in all
---@field tp? integer tensor parallel size (1)
---@field pp? integer pipeline parallel size (1)
---@field cp? integer context parallel size (1)
---@field dp? integer data parallel size; what is left of the world when it is not given
---@field ep? integer expert parallel size (1)
---@field vp? integer virtual pipeline stages of each rank (1)
---@field global_batch? integer samples per optimiser step
---@field micro_batch? integer samples of one forward pass (1)
---@field heads? integer attention heads
---@field kv_heads? integer groups of keys and values
---@field layers? integer
---@field sequence? integer tokens of a sample

local FIELDS = { "world", "tp", "pp", "cp", "dp", "ep", "vp", "global_batch", "micro_batch", "heads", "kv_heads", "layers", "sequence" }

local function refuse(message, hint, ...)
  errors.raise { cause = "usage", code = "BadParallelism", message = message:format(...), hint = hint }
end

local function divides(number, what, size, of)
  if number and number % size ~= 0 then
    refuse("%d %s cannot be divided among %s = %d", ("choose %s so that it divides %d"):format(of, number), number, what, of, size)
  end
end

local function check_sizes(spec)
  errors.check_options("parallel.check", spec, FIELDS)
  for _, name in ipairs(FIELDS) do
    local value = spec[name]
    if value ~= nil and (math.type(value) ~= "integer" or value < 1) then
      refuse("%s must be a whole number above 0, not %s", nil, name, tostring(value))
    end
  end
  if not spec.world then
    refuse("the world size is missing", "nodes times processes per node")
  end
end

local function data_parallel(spec, model)
  if spec.world % model ~= 0 then
    refuse("%d ranks cannot be divided by tp x pp x cp = %d", "use a multiple of that many ranks, or smaller sizes", spec.world, model)
  end
  local dp = spec.world // model
  if spec.dp and spec.dp ~= dp then
    refuse("tp x pp x cp x dp = %d x %d, and there are %d ranks", ("dp must be %d"):format(dp), model, spec.dp, spec.world)
  end
  return dp
end

--- Checks a division of ranks and completes it.
---@param spec adt.Parallel
---@return { tp: integer, pp: integer, cp: integer, dp: integer, ep: integer, vp: integer, micro_batches: integer? } sizes
--- micro_batches: of each rank and optimiser step. Raises usage, naming the rule that does not hold.
function M.check(spec)
  check_sizes(spec)
  local p = { tp = spec.tp or 1, pp = spec.pp or 1, cp = spec.cp or 1, ep = spec.ep or 1, vp = spec.vp or 1 }
  p.dp = data_parallel(spec, p.tp * p.pp * p.cp)
  divides(p.dp * p.cp, "ranks of data and context parallelism", p.ep, "ep")
  divides(spec.heads, "attention heads", p.tp, "tp")
  divides(spec.kv_heads, "heads of keys and values", p.tp, "tp")
  divides(spec.layers, "layers", p.pp * p.vp, "pp x vp")
  divides(spec.sequence, "tokens of a sample", p.cp, "cp")
  if p.vp > 1 and p.pp == 1 then
    refuse("virtual stages (vp = %d) need a pipeline", "leave vp out, or set pp above 1", p.vp)
  end
  if spec.global_batch then
    local step = (spec.micro_batch or 1) * p.dp
    divides(spec.global_batch, "samples of the global batch", step, "micro batch x dp")
    p.micro_batches = spec.global_batch // step
  end
  return p
end

return M
