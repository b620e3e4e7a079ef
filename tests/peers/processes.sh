# shellcheck shell=bash
# processes.sh - what every peer's scripts know: daemons started in DIR, recognised by their environment, ended by their pid
#
# Before its functions are called: say WORDS..., DIR, and MARKED, the variable that every process of the peer carries, as
# NAME=VALUE.

die() {
    local status=$1
    shift
    say "$@"
    exit "$status"
}

# lock: scripts take turns; what they start does not hold it
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

# ours PID: the process lives and was started for this peer. kill -0 would not do: it succeeds on a zombie (whose
# environment reads empty) and on a stranger who has been given the number since.
ours() {
    local words word
    { mapfile -d '' -t words <"/proc/$1/environ"; } 2>/dev/null || return 1
    for word in "${words[@]}"; do
        [ "$word" = "$MARKED" ] && return 0
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

# came_up NAME SECONDS COMMAND...: waits for a launched daemon; its last words when it ends instead
came_up() {
    local name=$1 seconds=$2
    shift 2
    # Not `alive`: between fork and exec a daemon still has this shell's environment.
    # shellcheck disable=SC2317 # await calls it
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

# keeper_alive: it holds the ports and watches the owner; it is not of the peer's environment, so its words tell
keeper_alive() {
    local words
    [ -s "$DIR/run/keeper.pid" ] || return 1
    pid=$(<"$DIR/run/keeper.pid")
    { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || return 1
    [[ "${words[*]}" = */keeper\ $DIR\ * ]]
}
