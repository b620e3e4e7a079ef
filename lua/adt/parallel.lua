--- Degrees of parallelism: whether they fit the machines, the batch and the model, before anything is submitted.
---
---   local d = adt.parallel.check { world = p.nodes * 8, tp = 8, pp = 2, global_batch = 512, micro_batch = 1, heads = 64, layers = 80 }
---   print(d.dp, d.accumulation)
local errors = require "adt.error"

local M = {}

---@class adt.Parallel
---@field world integer processes, usually one per accelerator
---@field tp? integer tensor parallel (1)
---@field pp? integer pipeline parallel (1)
---@field cp? integer context parallel (1)
---@field dp? integer data parallel; derived when it is left out
---@field ep? integer expert parallel (1), laid over data and context parallel ranks as Megatron does
---@field vp? integer model chunks per pipeline stage (1)
---@field global_batch? integer samples per step
---@field micro_batch? integer samples per forward pass (1)
---@field heads? integer attention heads
---@field kv_heads? integer groups of keys and values
---@field layers? integer
---@field sequence? integer tokens of a sample

---@class adt.Degrees
---@field world integer
---@field tp integer
---@field pp integer
---@field cp integer
---@field dp integer
---@field ep integer
---@field vp integer
---@field micro_batch integer
---@field accumulation? integer micro-batches of each data parallel rank per step, where global_batch is known
---@field layers_per_stage? integer of one pipeline rank, where layers is known

local FIELDS = { "world", "tp", "pp", "cp", "dp", "ep", "vp", "global_batch", "micro_batch", "heads", "kv_heads", "layers", "sequence" }

-- What stands for a degree that nobody gave.
local ONE = { tp = 1, pp = 1, cp = 1, ep = 1, vp = 1, micro_batch = 1 }

local function fail(rule, hint)
  errors.raise { cause = "usage", code = "BadParallel", message = "parallel degrees: " .. rule, hint = hint }
end

local function numbers(spec)
  errors.check_options("parallel.check", spec, FIELDS)
  local d = {}
  for _, name in ipairs(FIELDS) do
    local value = spec[name]
    if value == nil then
      value = ONE[name]
    elseif math.type(value) ~= "integer" or value < 1 then
      fail(("%s must be a whole number above 0, not %s"):format(name, tostring(value)))
    end
    d[name] = value
  end
  if not d.world then
    fail("world, the number of processes, is missing", "write world = nodes * gpus per node")
  end
  return d
end

-- The numbers that divide n and lie next to what was asked for.
local function nearest_divisors(n, wanted)
  local below, above
  for candidate = math.min(wanted, n), 1, -1 do
    if n % candidate == 0 then
      below = candidate
      break
    end
  end
  for candidate = wanted + 1, n do
    if n % candidate == 0 then
      above = candidate
      break
    end
  end
  return above and ("%d or %d"):format(below, above) or tostring(below)
end

-- Each group of model parallel processes is one data parallel rank.
local function check_world(d)
  local model = d.tp * d.pp * d.cp
  if d.world % model ~= 0 then
    fail(("world %d must be a multiple of tp x pp x cp = %d x %d x %d = %d"):format(d.world, d.tp, d.pp, d.cp, model),
      ("%s processes would do"):format(d.world < model and model or ("%d or %d"):format(d.world // model * model, (d.world // model + 1) * model)))
  end
  local derived = d.world // model
  if d.dp and d.dp ~= derived then
    fail(("world %d must be tp x pp x cp x dp = %d x %d x %d x %d = %d"):format(d.world, d.tp, d.pp, d.cp, d.dp, model * d.dp),
      ("dp = %d, or leave it out"):format(derived))
  end
  d.dp = derived
  if d.dp * d.cp % d.ep ~= 0 then
    fail(("ep %d must divide dp x cp = %d x %d = %d"):format(d.ep, d.dp, d.cp, d.dp * d.cp),
      ("ep = %s"):format(nearest_divisors(d.dp * d.cp, d.ep)))
  end
end

local function check_batch(d)
  if not d.global_batch then return end
  local step = d.micro_batch * d.dp
  if d.global_batch % step ~= 0 then
    fail(("global_batch %d must be a multiple of micro_batch x dp = %d x %d = %d"):format(d.global_batch, d.micro_batch, d.dp, step),
      ("global_batch = %d"):format(math.max(1, (d.global_batch + step - 1) // step) * step))
  end
  d.accumulation = d.global_batch // step
end

local function divides(what, n, by, degree)
  if n and n % by ~= 0 then
    fail(("%s %d must be a multiple of %s = %d"):format(what, n, degree, by), ("%s = %s"):format(degree, nearest_divisors(n, by)))
  end
end

local function check_model(d)
  divides("heads", d.heads, d.tp, "tp")
  divides("kv_heads", d.kv_heads, d.tp, "tp")
  divides("heads", d.heads, d.kv_heads or 1, "kv_heads")
  divides("layers", d.layers, d.pp * d.vp, "pp x vp")
  divides("sequence", d.sequence, d.cp, "cp")
  if d.vp > 1 and d.pp == 1 then
    fail(("vp %d needs pipeline stages to interleave, and pp is 1"):format(d.vp), "pp = 2 or more, or vp = 1")
  end
  d.layers_per_stage = d.layers and d.layers // d.pp
end

--- Checks degrees of parallelism and completes them.
---@param spec adt.Parallel
---@return adt.Degrees # raises: usage "BadParallel", naming the rule, with numbers that would hold as its hint
function M.check(spec)
  local d = numbers(spec)
  check_world(d)
  check_model(d)
  check_batch(d)
  return { world = d.world, tp = d.tp, pp = d.pp, cp = d.cp, dp = d.dp, ep = d.ep, vp = d.vp, micro_batch = d.micro_batch,
    accumulation = d.accumulation, layers_per_stage = d.layers_per_stage }
end

return M
