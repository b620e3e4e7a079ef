#!/bin/bash
# job 'grpo' of R0000000000AA-grpo-1, made by adtlua; `adtlua status` tells what became of it
#SBATCH --job-name=grpo
#SBATCH --comment=adtlua:R0000000000AA-grpo-1
#SBATCH --chdir=/fsx/state/adtlua/runs/R0000000000AA/jobs/grpo-1
#SBATCH --output=/fsx/state/adtlua/runs/R0000000000AA/jobs/grpo-1/slurm-%j.out
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --time=04:00:00
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=2
#SBATCH --exclusive
#SBATCH --mem=100M
#SBATCH --wait-all-nodes=1
#SBATCH hetjob
#SBATCH --job-name=grpo
#SBATCH --comment=adtlua:R0000000000AA-grpo-1
#SBATCH --nodes=3
#SBATCH --time=04:00:00
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=2
#SBATCH --exclusive
#SBATCH --mem=100M
#SBATCH --wait-all-nodes=1

# shellcheck disable=SC2016 # what stands in quotes reaches the program as it is
set -u
dir=/fsx/state/adtlua/runs/R0000000000AA/jobs/grpo-1
job=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}

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

out=$dir
attempt=1
rm -f "$out/exit.json"

# The last act, read where the cluster keeps no accounts.
finish() {
    printf '{"job":"%s","attempt":%d,"exit":%d,"ended":%d}\n' "$job" "$attempt" "$1" "$(date +%s)" >"$out/.exit.$job" &&
        mv "$out/.exit.$job" "$out/exit.json"
    exit "$1"
}

unset SLURM_JWT
# Since 22.05 a step does not ask by itself for what its job asked for.
[ -z "${SLURM_CPUS_PER_TASK:-}" ] || export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
export PYTHONUNBUFFERED=1 ADT_JOB=grpo ADT_JOB_DIR="$dir" ADT_KEY=R0000000000AA-grpo-1

# Where ranks meet: at the first node, by the address that the cluster has for it.
address() {
    scontrol show node "$1" | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p'
}
MASTER_ADDR=$(address "$SLURMD_NODENAME")
export MASTER_ADDR=${MASTER_ADDR:-$(hostname)} MASTER_PORT=$((10000 + SLURM_JOB_ID % 5000))

ADT_ROLE_SERVER_HOST=$(address "$(scontrol show hostnames "$SLURM_JOB_NODELIST_HET_GROUP_0" | head -n 1)")
export ADT_ROLE_SERVER_HOST ADT_ROLE_SERVER_PORT=$((10000 + (SLURM_JOB_ID + 1) % 5000))
ADT_ROLE_TRAINER_HOST=$(address "$(scontrol show hostnames "$SLURM_JOB_NODELIST_HET_GROUP_1" | head -n 1)")
export ADT_ROLE_TRAINER_HOST ADT_ROLE_TRAINER_PORT=$((10000 + (SLURM_JOB_ID + 2) % 5000))

cd "$dir" || exit 75

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

run() {
    while [ -e "$out/attempt-$attempt" ]; do attempt=$((attempt + 1)); done
    if [ "$attempt" -gt 1 ]; then
        echo "adtlua: this would be attempt $attempt of 1" >&2
        finish 75
    fi
    mkdir "$out/attempt-$attempt" || finish 75
    export ADT_ATTEMPT=$attempt ADT_ATTEMPT_DIR=$out/attempt-$attempt
    local status
    srun --het-group=0 --nodes=1 --ntasks=1 --ntasks-per-node=1 --kill-on-bad-exit=1 \
        bash "$dir/rank.sh" server vllm serve model &
    local pid_server=$!
    srun --het-group=1 --nodes=3 --ntasks=3 --ntasks-per-node=1 --kill-on-bad-exit=1 \
        python3 -m torch.distributed.run --nnodes=3 --nproc_per_node=2 --rdzv_id="$SLURM_JOB_ID" \
        --rdzv_backend=c10d --rdzv_endpoint="$ADT_ROLE_TRAINER_HOST:$ADT_ROLE_TRAINER_PORT" --max_restarts=0 --no_python \
        bash "$dir/rank.sh" trainer python3 grpo.py &
    local pid_trainer=$!
    watch "$pid_trainer" "$pid_server"
    status=$?
    stop server "$pid_server"
    return "$status"
}

run
status=$?
finish "$status"
