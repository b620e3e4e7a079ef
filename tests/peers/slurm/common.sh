# shellcheck shell=bash
# common.sh - what up, down and ctl share: the folder, and what runs below its daemons

# Jobs of other users read the configuration.
umask 022

# Debian's daemons live where an ordinary user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

# Whoever has sourced a cluster's env hands SLURM_CONF on; with it these scripts would find themselves among its clients.
[ -z "${SLURM_CONF:-}" ] || exec env -u SLURM_CONF "$0" "$@"

# A test may itself run inside of a job of a real cluster: nothing of that one may reach this one.
unset "${!SLURM@}" "${!SBATCH_@}" "${!SALLOC_@}" "${!SQUEUE_@}" "${!SINFO_@}" "${!SACCT_@}"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# shellcheck source=tests/peers/processes.sh
. "${BASH_SOURCE[0]%/*}/../processes.sh"

# use_dir DIR: the folder that everything is in
use_dir() {
    DIR=$(realpath -m "$1")
    CONF=$DIR/etc/slurm.conf
    MARKED=SLURM_CONF=$CONF
}

# is_cluster: DIR was made by up
is_cluster() { [ -e "$DIR/run/settings" ] || [ -e "$DIR/run/keeper.pid" ]; }

# launch NAME COMMAND...: in a session of its own and in the foreground there, so that its pid is known at once
launch() {
    local name=$1
    shift
    # A shell's background jobs ignore SIGINT and SIGQUIT, and every job of the cluster would inherit that.
    SLURM_CONF=$CONF setsid env --default-signal=INT,QUIT "$@" </dev/null >"$DIR/log/$name.out" 2>&1 9>&- &
    echo $! >"$DIR/run/$name.pid"
}

# carriers: the processes that have this cluster in their environment
carriers() {
    grep -lzFx "$MARKED" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

# steps [NODE]: the step daemons and the jobs' processes, of one node or of all. They outlive their slurmd. A step daemon
# overwrites its environment's end; what tells its node is the log, which it shares with its slurmd.
steps() {
    local pid
    for pid in $(carriers); do
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = slurmstepd ]; then
            [ -z "$(find "/proc/$pid/fd" -lname "$DIR/log/${1:-n*}.log" 2>/dev/null)" ] || echo "$pid"
        elif grep -qz '^SLURM_JOB_ID=' "/proc/$pid/environ" 2>/dev/null &&
            grep -qzx "SLURMD_NODENAME=${1:-n[0-9]*}" "/proc/$pid/environ" 2>/dev/null; then
            echo "$pid"
        fi
    done
}

# with_children PID...: and all that runs below them, whatever environment it has given itself
with_children() {
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v roots="$*" '
        BEGIN { n = split(roots, queue); for (i = 1; i <= n; i++) seen[queue[i]] = 1 }
        # The name in brackets may hold anything: the parent is the second word after it.
        { pid = $1; sub(/.*\) /, ""); below[$2] = below[$2] " " pid }
        END {
            for (i = 1; i <= n; i++) {
                print queue[i]
                m = split(below[queue[i]], more)
                for (j = 1; j <= m; j++) if (!seen[more[j]]++) queue[++n] = more[j]
            }
        }'
}

# kill_all FUNCTION [ARGUMENT]...: what the function lists, until it lists nothing
kill_all() {
    local pids tries
    for tries in {1..100}; do
        mapfile -t pids < <("$@")
        [ ${#pids[@]} -eq 0 ] && return
        mapfile -t pids < <(with_children "${pids[@]}")
        kill -KILL "${pids[@]}" 2>/dev/null
        [ "$tries" -eq 1 ] || sleep 0.02
    done
    say "these do not end: ${pids[*]}"
}
