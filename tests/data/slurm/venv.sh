#!/bin/bash
# job 'train' of R0000000000AA-train-1, made by adtlua; `adtlua status` tells what became of it
#SBATCH --job-name=train
#SBATCH --comment=adtlua:R0000000000AA-train-1
#SBATCH --chdir=/fsx/state/adtlua/runs/R0000000000AA/jobs/train-1
#SBATCH --output=/fsx/state/adtlua/runs/R0000000000AA/jobs/train-1/slurm-%j.out
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --nodes=2
#SBATCH --time=02:00:00
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=2
#SBATCH --exclusive
#SBATCH --mem=100M
#SBATCH --wait-all-nodes=1

# shellcheck disable=SC2016 # what stands in quotes reaches the program as it is
set -u
dir=/fsx/state/adtlua/runs/R0000000000AA/jobs/train-1
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
export PYTHONUNBUFFERED=1 ADT_JOB=train ADT_JOB_DIR="$dir" ADT_KEY=R0000000000AA-train-1

# HyperPod replaces a broken node and starts the step again.
auto_resume=()
[ -d /opt/sagemaker_cluster ] && auto_resume=(--auto-resume=1)

# Where ranks meet: at the first node, by the address that the cluster has for it.
address() {
    scontrol show node "$1" | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p'
}
MASTER_ADDR=$(address "$SLURMD_NODENAME")
export MASTER_ADDR=${MASTER_ADDR:-$(hostname)} MASTER_PORT=$((10000 + SLURM_JOB_ID % 5000))

cd /fsx/code || exit 75

run() {
    while [ -e "$out/attempt-$attempt" ]; do attempt=$((attempt + 1)); done
    if [ "$attempt" -gt 4 ]; then
        echo "adtlua: this would be attempt $attempt of 4" >&2
        finish 75
    fi
    mkdir "$out/attempt-$attempt" || finish 75
    export ADT_ATTEMPT=$attempt ADT_ATTEMPT_DIR=$out/attempt-$attempt
    srun --nodes=2 --ntasks=2 --ntasks-per-node=1 --kill-on-bad-exit=1 "${auto_resume[@]}" \
        /fsx/venvs/a1b2/bin/python -m torch.distributed.run --nnodes="$SLURM_JOB_NUM_NODES" --nproc_per_node=2 --rdzv_id="$SLURM_JOB_ID" \
        --rdzv_backend=c10d --rdzv_endpoint="$MASTER_ADDR:$MASTER_PORT" --max_restarts=0 --no_python \
        bash "$dir/rank.sh" main /fsx/venvs/a1b2/bin/python -u train.py
}

run
status=$?
finish "$status"
