# shellcheck shell=bash
# daemons.sh - how each daemon of Slurm is started, and when it counts as up

start_munged() {
    alive munged && return
    launch munged munged --foreground --socket="$DIR/munge/munge.sock" --key-file="$DIR/munge/munge.key" \
        --pid-file="$DIR/run/munged.own" --log-file="$DIR/log/munged.log" --seed-file="$DIR/munge/seed" --num-threads=4 \
        --origin=127.0.0.1
    came_up munged 5 test -S "$DIR/munge/munge.sock"
}

start_controller() {
    alive slurmctld && return
    launch slurmctld slurmctld -D
    came_up slurmctld 20 listening "$CTLD_PORT"
}

start_node() {
    alive "$1" && return
    mkdir -p "$DIR/spool/$1"
    launch "$1" slurmd -D -N "$1"
}

all_nodes_ready() {
    local ready
    ready=$(SLURM_CONF=$CONF sinfo -h -p main -N -o %T 2>/dev/null | grep -cxE 'idle|mixed|allocated')
    [ "$ready" -eq "$N" ]
}

some_node_ended() {
    local i
    for ((i = 1; i <= N; i++)); do
        kill -0 "$(<"$DIR/run/n$i.pid")" 2>/dev/null || return 0
    done
    return 1
}

start_nodes() {
    local i
    for ((i = 1; i <= N; i++)); do
        start_node "n$i"
    done
    ready_or_ended() { all_nodes_ready || some_node_ended; }
    await 60 ready_or_ended && all_nodes_ready && return
    say "not all nodes are ready; the ends of their logs:"
    SLURM_CONF=$CONF timeout 2 sinfo -N >&2
    tail -n 3 "$DIR"/log/n*.{log,out} >&2
    return 1
}

# slurmrestd NAME AUTHENTICATION ADDRESS [VARIABLE]: as the unprivileged user where there is one to take
launch_rest() {
    local name=$1 authentication=$2 address=$3 as=() api=openapi/$REST_API
    shift 3
    [ "$ACCT" = none ] || api+=,openapi/db$REST_API
    if [ "$(id -u)" -eq 0 ]; then
        as=(setpriv --reuid "$REST_USER" --regid "$(id -g "$REST_USER")" --init-groups)
    fi
    # Without root there is one user only, SlurmUser, whom slurmrestd refuses unless told not to look.
    launch "$name" env SLURMRESTD_SECURITY=disable_user_check "$@" "${as[@]}" slurmrestd -a "$authentication" -s "$api" \
        -t 4 "$address"
}

# Two of them: with SLURM_JWT=daemon every request to slurmctld is made with a token, which breaks rest_auth/local;
# without it tokens are refused.
start_rest() {
    alive slurmrestd-local && alive slurmrestd-jwt && return
    mkdir -p "$DIR/rest"
    [ "$(id -u)" -ne 0 ] || chown "$REST_USER" "$DIR/rest"
    rm -f "$DIR/rest/sock"
    launch_rest slurmrestd-local rest_auth/local "unix:$DIR/rest/sock"
    launch_rest slurmrestd-jwt rest_auth/jwt "127.0.0.1:$REST_PORT" SLURM_JWT=daemon
    came_up slurmrestd-local 10 test -S "$DIR/rest/sock" && came_up slurmrestd-jwt 10 listening "$REST_PORT"
}

# The newest interface that this slurmrestd has, as v0.0.38
newest_rest_api() {
    compgen -G "/usr/lib/*/slurm*/openapi_v*.so" | sed -nE 's/.*openapi_(v[0-9]+)_([0-9]+)_([0-9]+)\.so/\1.\2.\3/p' |
        sort -V | tail -n 1
}
