--- A job of each form that the target `slurm` writes, in sizes that a test cluster of four nodes with two GPUs can hold;
--- their renderings stand in tests/data/slurm.
local directives = require "adt.slurm.directives"
local jobs = require "adt.job"
local restbody = require "adt.slurm.restbody"
local script = require "adt.slurm.script"
local secret = require "adt.secret"

local M = {}

--- What the form `hidden` passes as its token; it must be nowhere.
M.SECRET = "a-token-that-nobody-sees"

local FOLDER = "/fsx/state/adtlua/runs/R0000000000AA/jobs/"

--- The jobs; `after` is the id of the one that must have ended.
---@param after? string
---@return table<string, adt.JobSpec>
function M.specs(after)
  return {
    plain = { "prep", cmd = { "python3", "prep.py", "--note", "it's $(not) `run`" }, limit = "10m", env = { OUT = "/fsx/data" } },
    torchrun = { "train", cmd = { "python3", "train.py", "--steps", 50 }, launch = "torchrun", nodes = 4, per_node = { gpu = 2 },
      limit = "2h", files = "/fsx/code" },
    ranks = { "train", cmd = { "python3", "train.py" }, launch = "ranks", nodes = 2, per_node = { procs = 2, cpu = 4 }, limit = "1d1h" },
    per_gpu = { "train", cmd = { "python3", "pretrain.py" }, launch = "per_gpu", nodes = 2, per_node = { gpu = 2 }, limit = "90s" },
    per_node = { "sweep", cmd = { "sh", "-c", 'hostname; echo "$SLURM_NODEID"' }, launch = "per_node", nodes = 3, per_node = { gpu = 1 } },
    mpi = { "allreduce", cmd = { "/opt/nccl-tests/build/all_reduce_perf", "-b", "8", "-e", "16G" }, launch = "mpi", nodes = 2,
      per_node = { gpu = 2 }, limit = "20m" },
    roles = { "grpo", launch = "torchrun", per_node = { gpu = 2 }, limit = "4h", roles = {
      server = { cmd = { "vllm", "serve", "model" }, nodes = 1, procs = 1, service = true },
      trainer = { cmd = { "python3", "grpo.py" }, nodes = 3 } } },
    array = { "shard", cmd = { "sh", "-c", 'python3 tokenize.py --shard "$ADT_ARRAY_INDEX"' }, array = "0-7%2", per_node = { cpu = 2 },
      after = after and { id = after }, limit = "30m", slurm = { nice = 10 } },
    container = { "train", cmd = { "python3", "train.py" }, launch = "torchrun", nodes = 2, per_node = { gpu = 2 }, limit = "2h",
      image = "/fsx/images/pytorch.sqsh", mounts = { ["/fsx/data"] = "/data", ["/fsx/ckpt"] = "/ckpt:rw" },
      artefacts = { "/ckpt/*/.metadata" } },
    venv = { "train", cmd = { "/fsx/venvs/a1b2/bin/python", "-u", "train.py" }, launch = "torchrun", nodes = 2, per_node = { gpu = 2 },
      files = "/fsx/code", limit = "2h", resume = "checkpoint", retry = { on = { "node", "preempted" }, max = 3 } },
    hidden = { "train", cmd = { "python3", "train.py" }, launch = "ranks", nodes = 2, per_node = { procs = 2 }, limit = "1h",
      secrets = { HF_TOKEN = secret.new("token", M.SECRET) }, wrap = { cmd = { "nsys", "profile", "-o", "rank %q{RANK}" }, ranks = { 0, 3 } },
      retry = { on = { "program" }, max = 2 } },
  }
end

-- As a target's description would set them.
local SETTINGS = { default = { mem = "100M" }, container = { mem = "100M", partition = "main", exclusive = "user" } }

--- Each form, rendered.
---@param after? string
---@return table<string, { job: table, dir: string, batch: string, rank: string, parts: table[] }>
function M.all(after)
  local forms = {}
  for name, spec in pairs(M.specs(after or "4711@R0000000000AA/jobs/prep-1")) do
    local job = jobs.check(spec)
    local key, dir = ("R0000000000AA-%s-1"):format(job.name), FOLDER .. job.name .. "-1"
    local settings = SETTINGS[name] or SETTINGS.default
    forms[name] = { job = job, dir = dir, batch = script.batch(job, settings, key, dir), rank = script.rank(job),
      parts = directives.parts(job, settings, key, dir) }
  end
  return forms
end

--- The body with which slurmrestd is asked for a form.
---@param form table
---@param version integer
---@return string json
function M.body(form, version)
  return restbody.encode(form.parts, form.batch, { PATH = "/usr/bin:/bin" }, version)
end

return M
