#!/bin/bash
# one rank of job 'allreduce': gives it its place in the world and its log, runs it, and notes how it ended
set -u
role=$1
shift
agent=${RANK:+yes}
if [ -z "$agent" ]; then
    export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID NODE_RANK=$SLURM_NODEID GROUP_RANK=$SLURM_NODEID
    export WORLD_SIZE=$SLURM_NTASKS LOCAL_WORLD_SIZE=$((SLURM_NTASKS / SLURM_NNODES))
    [ "$WORLD_SIZE" -eq 1 ] || export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
fi
export ADT_ROLE=$role
log=$ADT_ATTEMPT_DIR/rank-$RANK
exec >>"$log.log" 2>&1
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
