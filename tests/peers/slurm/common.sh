# shellcheck shell=bash
# common.sh - what up, down and ctl share: the folder, and processes started, seen and ended by their pid

# Jobs of other users read the configuration.
umask 022

# Debian's daemons live where an ordinary user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

# Whoever has sourced a cluster's env hands SLURM_CONF on; with it these scripts would find themselves among its clients.
[ -z "${SLURM_CONF:-}" ] || exec env -u SLURM_CONF "$0" "$@"

# A test may itself run inside of a job of a real cluster: nothing of that one may reach this one.
unset "${!SLURM@}" "${!SBATCH_@}" "${!SALLOC_@}" "${!SQUEUE_@}" "${!SINFO_@}" "${!SACCT_@}"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    local status=$1
    shift
    say "$@"
    exit "$status"
}

# use_dir DIR: the folder that everything is in
use_dir() {
    DIR=$(realpath -m "$1")
    CONF=$DIR/etc/slurm.conf
}

# is_cluster: DIR was made by up
is_cluster() { [ -e "$DIR/run/settings" ] || [ -e "$DIR/run/keeper.pid" ]; }

# lock: up, down and ctl take turns; what they start does not hold it
lock() { exec 9>"$DIR/run/lock" && flock 9; }

# await SECONDS COMMAND...: until the command succeeds
await() {
    local tries=$(($1 * 50))
    shift
    until "$@"; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.02
    done
}

# ours PID: the process lives and was started for this cluster. kill -0 would not do: it succeeds on a zombie (whose
# environment reads empty) and on a stranger who has been given the number since.
ours() {
    local words word
    { mapfile -d '' -t words <"/proc/$1/environ"; } 2>/dev/null || return 1
    for word in "${words[@]}"; do
        [ "$word" = "SLURM_CONF=$CONF" ] && return 0
    done
    return 1
}

# pid_of NAME: into $pid, the live daemon's
pid_of() {
    pid=
    [ -s "$DIR/run/$1.pid" ] || return 1
    pid=$(<"$DIR/run/$1.pid")
    ours "$pid"
}

alive() {
    local pid
    pid_of "$1"
}

gone() { ! ours "$1"; }

# listening PORT: asked of the kernel, since a connection that says nothing fills the daemon's log with errors
listening() {
    grep -q ":$(printf %04X "$1") 0*:0000 0A " /proc/net/tcp
}

# launch NAME COMMAND...: in a session of its own and in the foreground there, so that its pid is known at once
launch() {
    local name=$1
    shift
    # A shell's background jobs ignore SIGINT and SIGQUIT, and every job of the cluster would inherit that.
    SLURM_CONF=$CONF setsid env --default-signal=INT,QUIT "$@" </dev/null >"$DIR/log/$name.out" 2>&1 9>&- &
    echo $! >"$DIR/run/$name.pid"
}

# came_up NAME SECONDS COMMAND...: waits for a launched daemon; its last words when it ends instead
came_up() {
    local name=$1 seconds=$2
    shift 2
    # Not `alive`: between fork and exec a daemon still has this shell's environment.
    ready_or_dead() { "$@" || ! kill -0 "$(<"$DIR/run/$name.pid")" 2>/dev/null; }
    if await "$seconds" ready_or_dead "$@" && alive "$name"; then
        return 0
    fi
    say "$name did not come up; the end of its log:"
    tail -q -n 5 "$DIR/log/$name.log" "$DIR/log/$name.out" >&2 2>/dev/null
    return 1
}

# end NAME SIGNAL [SECONDS]: the daemon is gone afterwards, by force after that time
end() {
    local name=$1 signal=$2 seconds=${3:-10} pid
    if pid_of "$name"; then
        kill -"$signal" "$pid"
        # One that is stopped hears no signal but KILL.
        kill -CONT "$pid" 2>/dev/null
        await "$seconds" gone "$pid" || kill -KILL "$pid" 2>/dev/null
        await 5 gone "$pid" || say "$name, process $pid, does not end"
    fi
    rm -f "$DIR/run/$name.pid"
}

# carriers: the processes that have this cluster in their environment
carriers() {
    grep -lzFx "SLURM_CONF=$CONF" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
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

# keeper_alive: it holds the ports and watches the owner; it is not of the cluster's environment, so its words tell
keeper_alive() {
    local words
    [ -s "$DIR/run/keeper.pid" ] || return 1
    pid=$(<"$DIR/run/keeper.pid")
    { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || return 1
    [[ "${words[*]}" = */keeper\ $DIR\ * ]]
}
