--- The place of the suite of targets that is a private Slurm cluster: one for all tests of a file.
local busted = require "busted"
local cluster = require "cluster"
local support = require "support"

local M = {}

local REFUSES = {
  ['launch = "external", cmd = { "true" }'] = 'cannot carry launch = "external"',
  ['mounts = { ["/a"] = "/b" }, cmd = { "true" }'] = "cannot carry mounts without an image",
  ['image = "/x.sqsh", cmd = { "true" }'] = "cannot carry an image without pyxis",
  ['files = "/no/such/folder", cmd = { "true" }'] = "the folder /no/such/folder is not there",
  ['retry = { on = { "timeout" }, max = 1 }, cmd = { "true" }'] = "cannot carry retry.on = 'timeout'",
  ['slurm = { partition = "mian" }, cmd = { "true" }'] = "there is no partition 'mian'",
  ['nodes = 5, cmd = { "true" }'] = "needs 5 nodes",
  ['slurm = { partition = "a b" }, cmd = { "true" }'] = "characters that a #SBATCH line cannot carry",
  ['array = 2, roles = { a = { cmd = { "true" } }, b = { cmd = { "true" } } }'] = "an array of heterogeneous jobs",
}

-- Two clusters of one machine would give the same ports to jobs of the same number.
local function first_job_id()
  local file <close> = assert(io.popen "echo $PPID")
  return 1000 + file:read "n" % 3000
end

--- A place; place.cluster is there while its tests run.
---@param options cluster.Options
---@param settings? fun(c: cluster.Cluster): string further settings of the target
---@return table
function M.new(options, settings)
  local why = cluster.missing(options)
  local place = { kind = "slurm", nodes = options.nodes, refuses = REFUSES, settings = "" }

  function place.env()
    return place.cluster:environment()
  end

  function place.texts(dir)
    return support.read(dir .. "/job.sh") .. "\n# --- rank.sh, beside it ---\n\n" .. support.read(dir .. "/rank.sh")
  end

  function place.left(s)
    local left = {}
    for line in place.cluster:output("squeue", "-h", "-o", "%i %T %Z"):gmatch "[^\n]+" do
      if line:find(s.path, 1, true) then left[#left + 1] = line end
    end
    return left
  end

  -- Starts the cluster before the tests that f declares, and ends it after them.
  function place.around(f)
    busted.setup(function()
      if why then return end
      options.conf = options.conf or {}
      options.conf.FirstJobId = first_job_id()
      place.cluster = cluster.start(options)
      place.settings = "mem: 100M" .. (settings and ", " .. settings(place.cluster) or "")
    end)
    busted.teardown(function()
      if place.cluster then place.cluster:close() end
    end)
    busted.before_each(function()
      if why then busted.pending(why) end
    end)
    f()
  end

  function place.declare(name)
    busted.describe("on a cluster,", function()
      place.around(function() require("target_suite").suite(name, place) end)
    end)
  end

  return place
end

return M
