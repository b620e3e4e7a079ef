# shellcheck shell=bash
# needs.sh - what must be installed, and what a folder must be like, before a cluster can start

plugin() { compgen -G "/usr/lib/*/slurm*/$1" >/dev/null; }

# missing_packages: Debian's names of what is not here; bootstrap.sh test installs them all
missing_packages() {
    local program
    need_program() { command -v "$1" >/dev/null || echo "$2"; }
    need_program munged munge
    need_program sinfo slurm-client
    for program in slurmctld slurmd; do
        need_program $program $program
    done
    plugin auth_jwt.so || echo slurm-wlm-jwt-plugin
    if [ "$ACCT" = dbd ]; then
        need_program slurmdbd slurmdbd
        need_program mariadbd mariadb-server
        plugin accounting_storage_mysql.so || echo slurm-wlm-mysql-plugin
    fi
    if [ "$REST" = 1 ]; then
        need_program slurmrestd slurmrestd
    fi
}

check_packages() {
    local missing
    missing=$(missing_packages | sort -u | tr '\n' ' ')
    [ -z "$missing" ] || die 69 "not installed: ${missing% }"
}

check_values() {
    [[ $N =~ ^[1-9][0-9]*$ && $N -le 1024 ]] || die 64 "the number of nodes is 1 to 1024, not '$N'"
    [[ $ACCT =~ ^(none|dbd)$ ]] || die 64 "ACCT is none or dbd, not '$ACCT'"
    [[ $REST =~ ^[01]$ ]] || die 64 "REST is 0 or 1, not '$REST'"
    local name
    for name in CPUS MEM GPUS PORT OWNER; do
        [[ ${!name} =~ ^[0-9]+$ ]] || die 64 "$name is a number, not '${!name}'"
    done
    [ "$CPUS" -gt 0 ] && [ "$MEM" -ge "$CPUS" ] || die 64 "a node has CPUS=1 or more, and MEM=1 or more for each"
    [ -z "$TEST_USER" ] || id "$TEST_USER" >/dev/null 2>&1 || die 67 "there is no user '$TEST_USER' (TEST_USER)"
}

check_folder() {
    local d=$DIR
    # Slurm reads blanks and % in paths as its own, and a socket's path has at most 107 bytes.
    [[ $DIR =~ ^[A-Za-z0-9_./+-]+$ ]] || die 64 "Slurm cannot use this path: $DIR"
    [ ${#DIR} -le 80 ] || die 64 "a shorter path is needed, the sockets' paths would be too long: $DIR"
    is_cluster || [ -z "$(ls -A "$DIR" 2>/dev/null)" ] || die 73 "$DIR holds something else"
    # munged refuses a socket that ordinary users cannot reach, and their jobs could not write.
    while [ "$d" != / ]; do
        d=$(dirname "$d")
        [ ! -d "$d" ] || [[ $(stat -Lc %A "$d") =~ [xt]$ ]] ||
            die 77 "other users cannot enter $d: choose a folder elsewhere, such as in /tmp"
    done
}
