--- A job as a batch script: one form for every way of launching, so that what runs can be read.
---
--- The script takes the job once (its claim holds the job's id; a second job of the same run ends there), gives each
--- attempt a folder of its own, starts every rank through one small wrapper, and writes the exit status into the job's
--- folder as its last act: where accounting is off or forgets, that file is the answer.
local directives = require "adt.slurm.directives"
local path = require "adt.path"
local pending = require "adt.pending"
local quote = require "adt.quote"

local M = {}

-- sbatch takes a script with a carriage return before a newline for one of another system, and refuses it.
local function word(value)
  local text = pending.is(value) and tostring(value) or value
  if type(text) == "string" and text:match "^[%w_./:@%%+,-]+$" then
    return text
  end
  return (quote.sh(text):gsub("\r", "'$'\\r''"))
end

local function words(list)
  local out = {}
  for i, value in ipairs(list) do out[i] = word(value) end
  return table.concat(out, " ")
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- --- the batch script ------------------------------------------------------------------------------------------------

-- A requeued job keeps its id, and the tasks of an array share theirs.
local CLAIM = [[
# A second job of the same run and step ends here; one that was requeued has its old id and goes on.
mkdir -p "$dir/claim.$job" && echo "$job" >"$dir/claim.$job/job"
if ! mv -T "$dir/claim.$job" "$dir/claim" 2>/dev/null; then
    owner=$(cat "$dir/claim/job" 2>/dev/null)
    rm -rf "$dir/claim.$job"
    if [ -z "$owner" ]; then
        echo "adtlua: $dir cannot be written on $(hostname); nothing was started" >&2
        exit 75
    elif [ "$owner" != "$job" ]; then
        echo "adtlua: job $owner has already started this; nothing is done here" >&2
        exit 0
    fi
fi
]]

local FINISH = [[
# The last act, read where the cluster keeps no accounts.
finish() {
@secrets    printf '{"job":"%s","attempt":%d,"exit":%d,"ended":%d}\n' "$job" "$attempt" "$1" "$(date +%s)" >"$out/.exit.$job" &&
        mv "$out/.exit.$job" "$out/exit.json"
    exit "$1"
}
]]

local ADDRESS = [[
# Where ranks meet: at the first node, by the address that the cluster has for it.
address() {
    scontrol show node "$1" | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p'
}
MASTER_ADDR=$(address "$SLURMD_NODENAME")
export MASTER_ADDR=${MASTER_ADDR:-$(hostname)} MASTER_PORT=$((10000 + SLURM_JOB_ID % 5000))
]]

local ATTEMPT = [[
    while [ -e "$out/attempt-$attempt" ]; do attempt=$((attempt + 1)); done
    if [ "$attempt" -gt @max ]; then
        echo "adtlua: this would be attempt $attempt of @max" >&2
        finish 75
    fi
    mkdir "$out/attempt-$attempt" || finish 75
    export ADT_ATTEMPT=$attempt ADT_ATTEMPT_DIR=$out/attempt-$attempt
]]

local AUTO_RESUME = [[
# HyperPod replaces a broken node and starts the step again.
auto_resume=()
[ -d /opt/sagemaker_cluster ] && auto_resume=(--auto-resume=1)
]]

local function environment(job, key)
  local lines = { "unset SLURM_JWT", "# Since 22.05 a step does not ask by itself for what its job asked for.",
    '[ -z "${SLURM_CPUS_PER_TASK:-}" ] || export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK',
    ('export PYTHONUNBUFFERED=1 ADT_JOB=%s ADT_JOB_DIR="$dir" ADT_KEY=%s'):format(word(job.name), word(key)) }
  if job.array then
    lines[#lines + 1] = "export ADT_ARRAY_INDEX=$SLURM_ARRAY_TASK_ID"
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The job's own variables win over ours, and its secrets over both.
local function own_environment(job)
  local lines = {}
  for _, name in ipairs(sorted_keys(job.env)) do
    lines[#lines + 1] = ("export %s=%s"):format(name, word(job.env[name]))
  end
  if next(job.secrets) then
    lines[#lines + 1] = "# " .. table.concat(sorted_keys(job.secrets), ", ")
    lines[#lines + 1] = "# shellcheck source=/dev/null"
    lines[#lines + 1] = '. "$dir/secrets" || exit 75'
  end
  return #lines > 0 and table.concat(lines, "\n") .. "\n" or nil
end

local function upper(role)
  return role.name:upper()
end

-- Each role meets at its own first node.
local function role_hosts(job)
  local lines = {}
  for i, role in ipairs(job.roles) do
    local name = upper(role)
    lines[#lines + 1] = ([[
ADT_ROLE_%s_HOST=$(address "$(scontrol show hostnames "$SLURM_JOB_NODELIST_HET_GROUP_%d" | head -n 1)")
export ADT_ROLE_%s_HOST ADT_ROLE_%s_PORT=$((10000 + (SLURM_JOB_ID + %d) %% 5000))]]):format(name, i - 1, name, name, i)
  end
  return #job.roles > 1 and table.concat(lines, "\n") .. "\n" or nil
end

local function uses_agent(job, role)
  return job.launch == "torchrun" and role.nodes * role.procs > 1
end

-- torchrun's agent starts one wrapper per rank; its options are spelled as every version of it knows them.
local function torchrun(job, role)
  local python = type(role.cmd[1]) == "string" and path.name(role.cmd[1]):match("^python[%d.]*$") and role.cmd[1] or "python3"
  local nnodes, endpoint = '"$SLURM_JOB_NUM_NODES"', '"$MASTER_ADDR:$MASTER_PORT"'
  if #job.roles > 1 then
    nnodes, endpoint = tostring(role.nodes), ('"$ADT_ROLE_%s_HOST:$ADT_ROLE_%s_PORT"'):format(upper(role), upper(role))
  end
  return ([[%s -m torch.distributed.run --nnodes=%s --nproc_per_node=%d --rdzv_id="$SLURM_JOB_ID" \
        --rdzv_backend=c10d --rdzv_endpoint=%s --max_restarts=0 --no_python \
        ]]):format(word(python), nnodes, role.procs, endpoint)
end

local function container(job)
  if not job.image then
    return ""
  end
  local mounts = { '"$dir:$dir"' }
  if job.files then
    mounts[#mounts + 1] = word(("%s:%s"):format(tostring(job.files), tostring(job.files)))
  end
  for _, from in ipairs(sorted_keys(job.mounts or {})) do
    mounts[#mounts + 1] = word(from .. ":" .. job.mounts[from])
  end
  return (" \\\n        --container-image=%s --container-mounts=%s"):format(word(job.image), table.concat(mounts, ","))
end

-- One `srun` per role: its tasks are the ranks, or one agent per node that starts them.
local function launch(job, role, index)
  local agent = uses_agent(job, role)
  local parts = { "    srun" }
  if #job.roles > 1 then
    parts[#parts + 1] = ("--het-group=%d"):format(index - 1)
  end
  -- All three: a part of a heterogeneous job may find another role's number of tasks in its environment.
  local tasks = agent and 1 or role.procs
  parts[#parts + 1] = ("--nodes=%d --ntasks=%d --ntasks-per-node=%d --kill-on-bad-exit=1"):format(role.nodes, role.nodes * tasks, tasks)
  if job.launch == "mpi" then
    parts[#parts + 1] = "--mpi=pmix"
  end
  if job.resume == "checkpoint" then
    parts[#parts + 1] = '"${auto_resume[@]}"'
  end
  return table.concat(parts, " ") .. container(job) .. " \\\n        " .. (agent and torchrun(job, role) or "") ..
    ('bash "$dir/rank.sh" %s %s'):format(role.name, words(role.cmd))
end

-- `wait -n` would be shorter; some bashes miss a child that has ended before.
local WATCH = [=[
# Until all that are no service have ended, or one of the roles has failed: then the others are ended. The worst status
# of those that ended by themselves counts.
watch() {
    local trainers=$1 services=$2 status=0 code pid left=1
    while [ -n "$left" ] && [ "$status" -eq 0 ]; do
        left=''
        for pid in $trainers $services; do
            if kill -0 "$pid" 2>/dev/null; then
                [[ " $services " = *" $pid "* ]] || left=1
            else
                wait "$pid"
                code=$?
                [ "$code" -le "$status" ] || status=$code
            fi
        done
        [ -z "$left" ] || sleep 0.5
    done
    for pid in $trainers; do
        kill "$pid" 2>/dev/null && wait "$pid"
    done
    return "$status"
}
]=]

local STOP = [[
# Tells a service to end, as its owner would; srun would kill it at once.
stop() {
    local step=$ADT_ATTEMPT_DIR/$1.step pid=$2
    [ ! -e "$step" ] || scancel --quiet --signal=TERM "$(cat "$step")"
    for _ in {1..50}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill "$pid" 2>/dev/null
    wait "$pid"
}
]]

local function has_service(job)
  for _, role in ipairs(job.roles) do
    if role.service then return true end
  end
  return false
end

local function launch_roles(job)
  local lines, trainers, services, stops = { "    local status" }, {}, {}, {}
  for i, role in ipairs(job.roles) do
    lines[#lines + 1] = ("%s &\n    local pid_%s=$!"):format(launch(job, role, i), role.name)
    table.insert(role.service and services or trainers, "$pid_" .. role.name)
    if role.service then
      stops[#stops + 1] = ('    stop %s "$pid_%s"'):format(role.name, role.name)
    end
  end
  lines[#lines + 1] = ('    watch "%s" "%s"\n    status=$?'):format(table.concat(trainers, " "), table.concat(services, " "))
  table.move(stops, 1, #stops, #lines + 1, lines)
  lines[#lines + 1] = '    return "$status"'
  return table.concat(lines, "\n")
end

local function retries_program(job)
  for _, on in ipairs(job.retry.on) do
    if on == "program" or on == "fabric" then return job.retry.max > 0 end
  end
  return false
end

local function main(job)
  local again = ""
  if retries_program(job) then
    again = ([[
while [ "$status" -ne 0 ] && [ "$attempt" -le %d ]; do
    run
    status=$?
done
]]):format(job.retry.max)
  end
  return "run() {\n" .. ATTEMPT:gsub("@max", tostring(job.retry.max + 1)) ..
    (#job.roles > 1 and launch_roles(job) or launch(job, job.roles[1], 1)) .. "\n}\n\nrun\nstatus=$?\n" .. again ..
    'finish "$status"\n'
end

--- The batch script of a job.
---@param job table from adt.job
---@param settings table of the target: partition, account, ...
---@param key string of the run and step
---@param dir string the job's folder, the same on every node
---@return string
function M.batch(job, settings, key, dir)
  local text = {}
  local function add(part)
    if part then text[#text + 1] = part end
  end
  add(("#!/bin/bash\n# job '%s' of %s, made by adtlua; `adtlua status` tells what became of it\n%s\n"):format(job.name, key,
    directives.of(job, settings, key, dir)))
  add(("# shellcheck disable=SC2016 # what stands in quotes reaches the program as it is\n" ..
    "set -u\ndir=%s\njob=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}\n"):format(word(dir)))
  add(CLAIM)
  add((job.array and 'out=$dir/task-$SLURM_ARRAY_TASK_ID\nmkdir -p "$out"\n' or "out=$dir\n") .. 'attempt=1\nrm -f "$out/exit.json"\n')
  -- The tasks of an array end at different times; their secrets are removed by whoever follows the job.
  add((FINISH:gsub("@secrets", next(job.secrets) and not job.array and '    rm -f "$dir/secrets"\n' or "")))
  add(environment(job, key))
  add(job.resume == "checkpoint" and AUTO_RESUME)
  add(ADDRESS)
  add(role_hosts(job))
  add(own_environment(job))
  add("cd " .. (job.files and word(job.files) or '"$dir"') .. " || exit 75\n")
  add(#job.roles > 1 and WATCH)
  add(has_service(job) and STOP)
  add(main(job))
  return table.concat(text, "\n")
end

-- --- the wrapper of each rank ----------------------------------------------------------------------------------------

local RANK = [[
#!/bin/bash
# one rank of job '@name': gives it its place in the world and its log, runs it, and notes how it ended
set -u
role=$1
shift
]]

-- An agent has given its ranks their places already.
local PLACE = [[
agent=${RANK:+yes}
if [ -z "$agent" ]; then
    export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID NODE_RANK=$SLURM_NODEID GROUP_RANK=$SLURM_NODEID
    export WORLD_SIZE=$SLURM_NTASKS LOCAL_WORLD_SIZE=$((SLURM_NTASKS / SLURM_NNODES))
    [ "$WORLD_SIZE" -eq 1 ] || export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
]]

local ROLE_PLACE = [[
    host=ADT_ROLE_${role^^}_HOST port=ADT_ROLE_${role^^}_PORT
    export MASTER_ADDR=${!host} MASTER_PORT=${!port}
]]

local LOG = [[
export ADT_ROLE=$role
log=$ADT_ATTEMPT_DIR/rank-@label
exec >>"$log.log" 2>&1
]]

-- By this the batch script finds the step that it tells to end.
local STEP = [=[
[ "$RANK" -ne 0 ] || echo "$SLURM_JOB_ID.$SLURM_STEP_ID" >"$ADT_ATTEMPT_DIR/$role.step"
]=]

-- Slurm's signals reach the program as they reach us, who must live on for its status; an agent tells us alone to end.
local WAIT = [[
child='' seen=''
trap 'seen=1; [ -z "$agent" ] || [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
trap 'seen=1' HUP INT QUIT USR1 USR2
(trap - INT QUIT && exec "$@") &
child=$!
while
    seen=''
    wait "$child"
    status=$?
    [ -n "$seen" ]
do :; done
echo "$status" >"$log.exit"
exit "$status"
]]

local function wrap(job)
  if not job.wrap then
    return ""
  end
  local set = "set -- " .. words(job.wrap.cmd) .. ' "$@"'
  if not job.wrap.ranks then
    return set .. "\n"
  end
  return ("case $RANK in\n%s) %s ;;\nesac\n"):format(table.concat(job.wrap.ranks, " | "), set)
end

--- The wrapper that every rank of a job is started through.
---@param job table
---@return string
function M.rank(job)
  local many = #job.roles > 1
  return table.concat {
    (RANK:gsub("@name", { ["@name"] = job.name })), PLACE, many and ROLE_PLACE or "", "fi\n",
    (LOG:gsub("@label", many and "$role-$RANK" or "$RANK")), has_service(job) and STEP or "", wrap(job), WAIT,
  }
end

--- Both texts, as `plan` shows them.
---@param job table
---@param settings table
---@param key string
---@param dir string
---@return string
function M.render(job, settings, key, dir)
  return ("%s\n# --- rank.sh, beside it ---\n\n%s"):format(M.batch(job, settings, key, dir), M.rank(job))
end

return M
