# shellcheck shell=bash
# peer.sh - what up and down of the single-folder peers share: the folder, its ports and its end
#
# Before it is sourced: here (the peer's folder), PEER (its name), MARK (a variable that every process of it carries, whose
# value is the peer's folder).

PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s %s: %s\n' "$PEER" "${0##*/}" "$*" >&2; }

# shellcheck source=tests/peers/processes.sh
. "${BASH_SOURCE[0]%/*}/processes.sh"

# use_dir DIR: the folder that everything is in
use_dir() {
    DIR=$(realpath -m "$1")
    MARKED=$MARK=$DIR
    # From here on every child is recognised by this.
    export "${MARKED?}"
}

# is_peer: DIR was made by up
is_peer() { [ "$(cat "$DIR/run/peer" 2>/dev/null)" = "$PEER" ] || [ -e "$DIR/run/keeper.pid" ]; }

# launch NAME COMMAND...: in a session of its own and in the foreground there, so that its pid is known at once
launch() {
    local name=$1
    shift
    setsid "$@" </dev/null >"$DIR/log/$name.out" 2>&1 9>&- &
    echo $! >"$DIR/run/$name.pid"
}

# hold_ports COUNT: the keeper comes before all else; from here on the peer ends with its owner, however far it has come.
hold_ports() {
    [[ $PORT =~ ^[0-9]+$ && $OWNER =~ ^[0-9]+$ ]] || die 64 "PORT and OWNER are numbers"
    PORT=$("$here/../keeper" "$DIR" "$1" "$PORT" "$OWNER" "$here/down" --wipe) || exit 75
    mkdir -p "$DIR"/{run,log} || die 73 "cannot make $DIR"
    echo "$PEER" >"$DIR/run/peer"
    lock
    keeper_alive || die 75 "the owner, process $OWNER, is gone"
}

keeper_gone() { ! keeper_alive; }

# end_keeper: last of all, since it does the rest should this be killed half-way. It may be this very process.
end_keeper() {
    local pid
    if keeper_alive && [ "$pid" != $$ ]; then
        kill -KILL "$pid"
        await 5 keeper_gone
    fi
    rm -f "$DIR/run/keeper.pid"
}

# new_folder: DIR is empty, or was left by a peer that is down, whose memory is gone and whose folder with it
new_folder() {
    keeper_alive && die 73 "$DIR is up already; take it down first: $here/down $DIR"
    if is_peer; then
        rm -rf --one-file-system "$DIR"
    elif [ -n "$(ls -A "$DIR" 2>/dev/null)" ]; then
        die 73 "$DIR holds something else"
    fi
}

# certificate FILE KEY: for localhost and what is below it
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1" -keyout "$2" -out "$1" 2>/dev/null
}

# take_down WORDS...: the whole of a `down`; the peer's own end_all does the rest
take_down() {
    local wipe=
    [[ ${1:--} != -* && $# -le 2 && ${2:---wipe} = --wipe ]] || { usage >&2 && exit 64; }
    [ $# -lt 2 ] || wipe=yes
    use_dir "$1"
    [ -e "$DIR" ] || exit 0
    is_peer || die 66 "$DIR is no folder of up"
    lock
    end_all
    end_keeper
    [ -z "$wipe" ] || rm -rf --one-file-system "$DIR"
}
