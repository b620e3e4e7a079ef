--- What the target `slurm` asks for, refuses and makes of Slurm's words, without a cluster.
local carry = require "adt.slurm.carry"
local directives = require "adt.slurm.directives"
local jobs = require "adt.job"
local state = require "adt.slurm.state"
local support = require "support"

local function job(spec)
  spec[1] = spec[1] or "j"
  spec.cmd = spec.cmd or not spec.roles and { "true" } or nil
  return jobs.check(spec)
end

local function lines(spec, settings)
  return directives.of(job(spec), settings or {}, "KEY", "/fsx/run") .. "\n"
end

describe("a #SBATCH line", function()
  it("carries no character that would need quoting, wherever it comes from", function()
    for _, bad in ipairs { "a b", "a\nb", "a\n#SBATCH --uid=0", "a'b", 'a"b', "$HOME", "`id`", "a\\b", "a#b", "a\0b", "é", "", "\t" } do
      local err = support.refusal(directives.value, "--comment", bad)
      assert.same({ "usage", "BadDirective" }, { err.cause, err.code })
      for _, where in ipairs { "slurm", "settings", "dir" } do
        err = support.refusal(function()
          local j = job { slurm = where == "slurm" and { partition = bad } or nil }
          directives.of(j, where == "settings" and { partition = bad } or {}, "KEY", where == "dir" and "/fsx/" .. bad .. "x y" or "/fsx")
        end)
        assert.same({ "usage", "BadDirective" }, { err.cause, err.code }, where .. bad)
      end
    end
    assert.matches("at most 4096", support.refusal(directives.value, "--comment", ("x"):rep(4097)).message)
    assert.matches("not a boolean", support.refusal(directives.value, "--nice", true).message)
    for _, good in ipairs { "p5,p4d", "n[1-4]", "a&b|c", "gpu:h100:8", "user@example.com", "now+1hour", "50%", "!x", "1-02:00:00" } do
      assert.equal(good, directives.value("x", good))
    end
    assert.equal("2", directives.value("x", 2))
    assert.equal("0.5", directives.value("x", 0.5))
  end)

  it("has times as Slurm reads them, rounded up to a second", function()
    for seconds, text in pairs { [1] = "00:00:01", [59.2] = "00:01:00", [90] = "00:01:30", [3600] = "01:00:00", [86399] = "23:59:59",
      [86400] = "1-00:00:00", [90000] = "1-01:00:00", [40 * 86400 + 61] = "40-00:01:01" } do
      assert.equal(text, directives.time(seconds))
    end
    assert.matches("#SBATCH --time=02:00:00\n", lines { limit = "2h" }, 1, true)
    assert.is_nil(lines({}):find "%-%-time")
  end)

  it("is what the job says before what the target says, and a flag can be taken back", function()
    local settings = { partition = "p5", account = "ml", exclusive = true, mem = "10G", wait_all_nodes = true }
    local text = lines({ nodes = 2, slurm = { partition = "p4", exclusive = false, mem = 0 } }, settings)
    assert.matches("--partition=p4\n", text, 1, true)
    assert.matches("--account=ml\n", text, 1, true)
    assert.matches("--mem=0\n", text, 1, true)
    assert.matches("--wait-all-nodes=1\n", text, 1, true)
    assert.is_nil(text:find("exclusive", 1, true))
    assert.is_nil(lines({ nodes = 2, slurm = { wait_all_nodes = false } }):find("wait-all-nodes", 1, true))
    assert.matches("--exclusive=user\n", lines { slurm = { exclusive = "user" } }, 1, true)
  end)

  it("asks for the accelerators of whole nodes, and for processors per task", function()
    local text = lines { launch = "torchrun", nodes = 2, per_node = { gpu = 8, cpu = 96 } }
    for _, line in ipairs { "nodes=2", "ntasks-per-node=1", "gpus-per-node=8", "cpus-per-task=96", "exclusive", "wait-all-nodes=1", "no-requeue" } do
      assert.matches("#SBATCH --" .. line .. "\n", text, 1, true)
    end
    text = lines { launch = "per_gpu", per_node = { gpu = 8, cpu = 96 } }
    assert.matches("--ntasks-per-node=8\n", text, 1, true)
    assert.matches("--cpus-per-task=12\n", text, 1, true)
    assert.matches("--gres=neuron:16\n", lines { per_node = { neuron = 16 } }, 1, true)
    assert.is_nil(lines({ per_node = { gpu = 1 } }):find("exclusive", 1, true))
    assert.matches("#SBATCH --requeue\n", lines { retry = { on = { "node" }, max = 1 } }, 1, true)
    assert.matches("#SBATCH --no-requeue\n", lines { retry = { on = { "program" }, max = 1 } }, 1, true)
  end)

  it("names jobs that must have ended by their numbers alone", function()
    local text = lines { after = { { id = "12@R0000000000AA/jobs/a-1" }, { id = "34" } } }
    assert.matches("--dependency=afterok:12:34\n", text, 1, true)
    assert.matches("--kill-on-invalid-dep=yes\n", text, 1, true)
  end)

  it("with a name that sbatch does not have is refused with the nearest", function()
    local err = support.refusal(job, { slurm = { partitoin = "x" } })
    assert.equal("usage", err.cause)
    assert.matches("partition", err.hint)
  end)
end)

describe("before anything is created, the target", function()
  local HERE = { settings = {} }

  local function refused(target, spec)
    return support.refusal(carry.check, target, job(spec))
  end

  it("refuses what it cannot carry, saying what to do instead", function()
    for text, spec in pairs {
      ['launch = "external"'] = { launch = "external" },
      ["an array of heterogeneous jobs"] = { array = 2, roles = { a = { cmd = { "x" } }, b = { cmd = { "x" } } } },
      ["mounts without an image"] = { mounts = { ["/a"] = "/b" } },
      ["retry.on = 'capacity'"] = { retry = { on = { "capacity" }, max = 1 } },
      ["an image without pyxis"] = { image = "/x.sqsh" },
    } do
      local err = refused(HERE, spec)
      assert.same({ "usage", "TargetCannot" }, { err.cause, err.code })
      assert.matches("cannot carry " .. text, err.message, 1, true)
      assert.is_true(err.hint ~= nil or text:find "heterogeneous" ~= nil)
    end
    assert.matches("is not there", refused(HERE, { files = "/no/such/folder" }).message)
    carry.check(HERE, job { retry = { on = { "program", "fabric", "node", "preempted" }, max = 1 } })
  end)

  it("refuses an image that is no squash file, and results that would stay in a container", function()
    local pyxis = { container = "pyxis", settings = {} }
    for _, image in ipairs { "nvcr.io/nvidia/pytorch:24.01", "image.sqsh", "/fsx/image.tar" } do
      assert.matches("enroot import", refused(pyxis, { image = image }).hint)
    end
    local mounts = { ["/fsx/ckpt"] = "/ckpt:rw" }
    local err = refused(pyxis, { image = "/x.sqsh", mounts = mounts, artefacts = { "/out/*.pt" } })
    assert.matches("/out/*.pt, which is not mounted", err.message, 1, true)
    err = refused(pyxis, { image = "/x.sqsh", mounts = mounts, collect = { "/ckpt2/a" } })
    assert.matches("/ckpt2/a, which is not mounted", err.message, 1, true)
    carry.check(pyxis, job { image = "/x.sqsh", mounts = mounts, artefacts = { "/ckpt/*/.metadata", "relative/*" } })
  end)

  it("asks for EFA, and sets its variables, only where an instance type has it", function()
    local without, with, maybe = { instance = "g5.xlarge" }, { instance = "p5.48xlarge" }, { instance = "g5.8xlarge" }
    assert.matches("per_node.efa on g5.xlarge, which has no EFA", refused(without, { per_node = { efa = 1 } }).message, 1, true)
    assert.matches("FI_PROVIDER on g5.xlarge", refused(without, { env = { FI_PROVIDER = "efa" } }).message, 1, true)
    for _, target in ipairs { with, maybe, HERE } do
      carry.check(target, job { per_node = { efa = 1 }, env = { FI_PROVIDER = "efa" } })
    end
    carry.check(without, job { env = { NCCL_DEBUG = "INFO" } })
  end)

  it("refuses what its partition could never hold", function()
    local partitions = { { name = "main", default = true, total_nodes = 4, max_time = math.huge },
      { name = "short", total_nodes = 4, max_nodes = 2, max_time = 60 } }
    local function nodes() return {} end
    local function fits(spec, settings) return carry.fits(job(spec), settings or {}, partitions, nodes) end
    fits { nodes = 4, limit = "100d" }
    fits({ nodes = 2, limit = "60s" }, { partition = "short" })
    local err = support.refusal(fits, { nodes = 5 })
    assert.same({ "capacity", "TooManyNodes" }, { err.cause, err.code })
    err = support.refusal(fits, { roles = { a = { cmd = { "x" }, nodes = 2 }, b = { cmd = { "x" } } }, slurm = { partition = "short" } })
    assert.matches("needs 3 nodes; partition short has 2", err.message)
    err = support.refusal(fits, { limit = "61s" }, { partition = "short" })
    assert.same({ "config", "LimitTooLong" }, { err.cause, err.code })
    err = support.refusal(fits, { slurm = { partition = "shrt" } })
    assert.same({ "config", "NoPartition", "did you mean 'short'?" }, { err.cause, err.code, err.hint })
    fits { slurm = { partition = "main,short" } }
  end)

  it("refuses a run's folder that nodes do not see", function()
    local target = { shared = "/fsx/me" }
    carry.check_folder(target, "/fsx/me/state/adtlua/runs/R1/jobs/a-1")
    for _, dir in ipairs { "/root/state/a-1", "/fsx/menace/a-1" } do
      local err = support.refusal(carry.check_folder, target, dir)
      assert.same({ "config", "NotShared" }, { err.cause, err.code })
      assert.matches("XDG_STATE_HOME=/fsx/me/state", err.hint, 1, true)
    end
    carry.check_folder({}, "/anywhere")
  end)

  it("knows its own options, and refuses others and senseless ones", function()
    local new = require("adt.target.slurm").new
    for text, spec in pairs {
      ["unknown option 'partitoin'"] = { partitoin = "p" }, ["'soon' is no duration"] = { patience = "soon" },
      ["container 'docker' is not known"] = { container = "docker" }, ["shared must be the path"] = { shared = "fsx" },
      ["rest needs either url or socket"] = { rest = {} }, ["is no http://host:port"] = { rest = { url = "ftp://x" } },
      ["characters that a #SBATCH line cannot carry"] = { account = "a b" },
    } do
      spec.kind = "slurm"
      local err = support.refusal(new, spec)
      assert.equal("usage", err.cause)
      assert.matches(text, err.message, 1, true)
    end
    assert.equal(90, new({ kind = "slurm", patience = "90s" }).patience)
  end)
end)

describe("Slurm's reason for waiting", function()
  it("is a sentence with the reason's own word and the job's number", function()
    assert.same({ nil, false }, { state.waiting { id = 7 } })
    assert.same({ nil, false }, { state.waiting { id = 7, reason = "None" } })
    assert.same({ "other jobs hold the nodes (Resources)", false }, { state.waiting { id = 7, reason = "Resources" } })
    local text, never = state.waiting { id = 7, reason = "JobHeldUser" }
    assert.same({ "its owner holds it (JobHeldUser); scontrol release 7", true }, { text, never })
    assert.equal("a limit of the account or QOS is reached (QOSMaxGRESPerUser); sacctmgr show assoc, or sprio -j 7",
      (state.waiting { id = 7, reason = "QOSMaxGRESPerUser" }))
  end)

  it("that is new is told as it is", function()
    assert.same({ "it waits (BrandNewReason)", false }, { state.waiting { id = 7, reason = "BrandNewReason" } })
  end)

  it("tells which jobs will not start by themselves", function()
    local never = { PartitionNodeLimit = true, PartitionTimeLimit = true, BadConstraints = true, DependencyNeverSatisfied = true,
      JobHeldAdmin = true, InvalidAccount = true, Priority = false, Resources = false, Dependency = false, ReqNodeNotAvail = false,
      ["ReqNodeNotAvail, UnavailableNodes:n[1-2]"] = false, AssocGrpCpuLimit = false }
    for reason, expected in pairs(never) do
      local text, says = state.waiting { id = 7, reason = reason }
      assert.equal(expected, says, reason)
      assert.is_nil(text:find("it waits", 1, true), reason)
    end
  end)
end)

describe("an ended job", function()
  local function ended(fields)
    local result = state.ended(fields)
    return { result.state, result.cause, result.exit, result.signal }
  end

  it("has a cause by what Slurm calls its end", function()
    assert.same({ "done", nil, 0 }, ended { state = "COMPLETED", exit = 0, signal = 0 })
    assert.same({ "failed", "program", 3 }, ended { state = "FAILED", exit = 3, signal = 0 })
    assert.same({ "failed", "program", 0, 11 }, ended { state = "FAILED", exit = 0, signal = 11 })
    assert.same({ "failed", "program", 0, 125 }, ended { state = "FAILED", exit = 0, signal = 125 })
    assert.same({ "failed", "program", 0, 125 }, ended { state = "OUT_OF_MEMORY", exit = 0, signal = 125 })
    assert.same({ "failed", "config", 0, 53 }, ended { state = "FAILED", exit = 0, signal = 53 })
    assert.same({ "failed", "node", 1 }, ended { state = "FAILED", exit = 1, signal = 0, reason = "JobLaunchFailure" })
    assert.same({ "failed", "timeout", 0 }, ended { state = "TIMEOUT", exit = 0, signal = 0 })
    assert.same({ "failed", "timeout" }, ended { state = "DEADLINE" })
    assert.same({ "failed", "node" }, ended { state = "NODE_FAIL" })
    assert.same({ "failed", "node" }, ended { state = "BOOT_FAIL" })
    assert.same({ "failed", "capacity" }, ended { state = "PREEMPTED" })
    assert.same({ "cancelled", "cancelled", 0, 15 }, ended { state = "CANCELLED", exit = 0, signal = 15 })
    assert.same({ "unknown" }, ended { state = "BRAND_NEW" })
  end)

  it("says in a sentence what happened, and what to do", function()
    assert.matches("more memory than it asked for", state.ended({ state = "FAILED", signal = 125 }).message)
    assert.matches("output file could not be made", state.ended({ state = "FAILED", signal = 53 }).message)
    assert.matches("did not end as asked", state.ended({ state = "CANCELLED", reason = "DependencyNeverSatisfied" }).message)
    assert.matches("BRAND_NEW", state.ended({ state = "BRAND_NEW" }).message)
  end)
end)

describe("a refusal of Slurm's", function()
  it("has the cause that the words mean, and silence is none", function()
    for text, cause in pairs {
      ["Batch job submission failed: Invalid partition name specified"] = "config",
      ["Batch job submission failed: Invalid account or account/partition combination specified"] = "config",
      ["Batch job submission failed: Invalid qos specification"] = "config",
      ["Batch job submission failed: Requested node configuration is not available"] = "capacity",
      ["Batch job submission failed: Node count specification invalid"] = "capacity",
      ["Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"] = "quota",
      ["Batch job submission failed: Invalid feature specification"] = "config",
      ["Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)"] = "config",
      ["Batch job submission failed: Access/permission denied"] = "auth",
      ["If munged is up, restart with --num-threads=10"] = "auth",
      ["something that nobody has seen"] = "service",
    } do
      assert.is_false(state.unreached(text), text)
      local got, hint = state.refusal(text)
      assert.equal(cause, got, text)
      assert.is_string(hint)
    end
    for _, text in ipairs { "Unable to contact slurm controller (connect failure)", "Socket timed out on send/recv operation",
      "slurm_load_jobs error: Zero Bytes were transmitted or received", "Connection refused" } do
      assert.is_true(state.unreached(text), text)
    end
  end)
end)
