--- What a Slurm cluster can carry of a job, and the rules that hold before anything is created.
local directives = require "adt.slurm.directives"
local errors = require "adt.error"
local fs = require "adt.fs"
local hostlist = require "adt.hostlist"
local path = require "adt.path"
local pending = require "adt.pending"

local M = {}

local RETRIES = { program = true, fabric = true, node = true, preempted = true }

local function refuse(job, what, hint)
  errors.raise { cause = "usage", code = "TargetCannot", hint = hint,
    message = ("job '%s': target 'slurm' cannot carry %s"):format(job.name, what) }
end

local function below_any(file, folders)
  for _, dir in ipairs(folders) do
    if file == dir or path.is_below(file, dir) then return true end
  end
  return false
end

-- In a container only what is mounted outlives the job.
local function check_container(target, job)
  if target.container ~= "pyxis" then
    refuse(job, "an image without pyxis", "say container: pyxis in the target's description if `srun --help` shows --container-image")
  elseif job.image:sub(1, 1) ~= "/" or not job.image:match "%.sqsh$" then
    refuse(job, ("the image '%s'"):format(job.image), "import it into a squash file that all nodes see: enroot import -o /path/image.sqsh")
  end
  local mounted = {}
  for _, to in pairs(job.mounts or {}) do
    mounted[#mounted + 1] = tostring(to):match "^[^:]+"
  end
  if job.files then mounted[#mounted + 1] = tostring(job.files) end
  for _, list in ipairs { job.artefacts, job.collect } do
    for _, pattern in ipairs(list) do
      if pattern:sub(1, 1) == "/" and not below_any(pattern, mounted) then
        refuse(job, ("a result at %s, which is not mounted into the container"):format(pattern), "add its folder to mounts")
      end
    end
  end
end

-- EFA's variables and devices mean nothing where there are none, and hide a wrong instance type.
local function check_efa(target, job)
  local profile = target.instance and require("adt.node.profiles").find(target.instance)
  local wants = job.per_node.efa
  for name in pairs(job.env) do
    wants = wants or name:match "^FI_" and name
  end
  if wants and profile and profile.efa == 0 then
    refuse(job, ("%s on %s, which has no EFA"):format(math.type(wants) and "per_node.efa" or wants, target.instance),
      "leave it out, or use an instance type with EFA")
  end
end

--- Raises usage for what this target cannot carry.
---@param target table container, instance
---@param job table
function M.check(target, job)
  if job.launch == "external" then
    refuse(job, 'launch = "external"', "submit it in a step of its own, and follow it with ctx.target:adopt(id)")
  elseif job.array and #job.roles > 1 then
    refuse(job, "an array of heterogeneous jobs")
  elseif job.mounts and next(job.mounts) and not job.image then
    refuse(job, "mounts without an image", "there is no container: paths are the node's own")
  end
  for _, cause in ipairs(job.retry.on) do
    if not RETRIES[cause] then
      refuse(job, ("retry.on = '%s'"):format(cause), "it retries on node, preempted, program, fabric")
    end
  end
  if job.image and not pending.is(job.image) then
    check_container(target, job)
  end
  check_efa(target, job)
  if job.files and not pending.is(job.files) and not fs.exists(job.files) then
    errors.raise { cause = "usage", message = ("job '%s': the folder %s is not there"):format(job.name, job.files) }
  end
end

--- Whether a plan does not know the job to its end yet.
---@param job table
---@return boolean
function M.is_pending(job)
  return pending.find { job.roles, job.env, job.files, job.image, job.mounts, job.after } ~= nil
end

local function no_capacity(code, message, hint)
  errors.raise { cause = "capacity", code = code, message = message, hint = hint }
end

-- The processors of the largest node of a partition; nil when they are not known.
local function largest(partition, nodes)
  local inside, most = {}, nil
  for _, name in ipairs(partition.nodes and hostlist.expand(partition.nodes) or {}) do inside[name] = true end
  for _, node in ipairs(nodes) do
    if inside[node.name] and node.cpus then most = math.max(most or 0, node.cpus) end
  end
  return most
end

local function check_node_size(job, settings, partition, nodes)
  local most = largest(partition, nodes)
  for _, role in ipairs(job.roles) do
    local tasks, each = directives.tasks(job, role, settings)
    if most and tasks * each > most and not directives.option(job, settings, "overcommit") then
      no_capacity("NodeTooSmall", ("job '%s' needs %d processors on a node (%d process%s of %d); the largest node of partition %s has %d")
        :format(job.name, tasks * each, tasks, tasks == 1 and "" or "es", each, partition.name, most),
        "ask for less per node, or another partition: sinfo -o '%P %D %c'")
    end
  end
end

local function check_partition_size(job, settings, p, list_nodes)
  local nodes, most = 0, math.min(p.total_nodes or math.huge, p.max_nodes or math.huge)
  for _, role in ipairs(job.roles) do nodes = nodes + role.nodes end
  if nodes > most then
    no_capacity("TooManyNodes", ("job '%s' needs %d nodes; partition %s has %d for one job"):format(job.name, nodes, p.name, most),
      "ask for fewer nodes, or another partition: sinfo -s")
  elseif job.limit and p.max_time and job.limit > p.max_time then
    errors.raise { cause = "config", code = "LimitTooLong", hint = "a shorter limit, or another partition: sinfo -s",
      message = ("job '%s' asks for %s; partition %s ends jobs after %s"):format(job.name, directives.time(job.limit), p.name,
        directives.time(p.max_time)) }
  end
  check_node_size(job, settings, p, list_nodes())
end

--- Raises capacity when no node could ever be enough: Slurm would take the job and let it wait for good.
---@param job table
---@param settings table
---@param partitions table[]
---@param list_nodes fun(): table[]
function M.fits(job, settings, partitions, list_nodes)
  local wanted, names = directives.option(job, settings, "partition"), {}
  for _, p in ipairs(partitions) do
    names[#names + 1] = p.name
    if (wanted == nil and p.default) or p.name == wanted then
      return check_partition_size(job, settings, p, list_nodes)
    end
  end
  if wanted and not wanted:find(",", 1, true) then
    local near = errors.nearest(wanted, names)
    errors.raise { cause = "config", code = "NoPartition", message = ("job '%s': there is no partition '%s'"):format(job.name, wanted),
      hint = near and ("did you mean '%s'?"):format(near) or "partitions: " .. table.concat(names, ", ") }
  end
end

-- It stands on #SBATCH lines, where a percent sign starts one of Slurm's own patterns.
local PLAIN_PATH = "^[%w_.,:/@+=~-]+$"

--- The run's folder must lie where nodes see it, and have a path that Slurm takes as it is.
---@param target table
---@param dir string
function M.check_folder(target, dir)
  if not dir:match(PLAIN_PATH) then
    errors.raise { cause = "config", code = "BadFolder",
      message = ("the path of the run's folder has characters that Slurm does not take as they are: %q"):format(dir),
      hint = "set XDG_STATE_HOME to a path of letters, digits and _ . , : / @ + = ~ -; a link to the folder will do" }
  end
  if target.shared and not path.is_below(dir, target.shared) then
    errors.raise { cause = "config", code = "NotShared", message = ("the run's folder %s does not lie below %s"):format(dir, target.shared),
      hint = ("set XDG_STATE_HOME=%s/state, so that nodes see it"):format(target.shared) }
  end
end

return M
