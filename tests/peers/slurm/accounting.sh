# shellcheck shell=bash
# accounting.sh - slurmdbd and the MariaDB below it

mariadb_sql() { mariadb --no-defaults -S "$DIR/run/mysqld.sock" "$@"; }

mariadb_answers() { mariadb_sql -e 'select 1' >/dev/null 2>&1; }

# A private server on a socket in DIR, without a TCP port, which keeps nothing safe from a power cut: it is fast so.
start_mariadb() {
    alive mariadbd && return
    local user=() data=$DIR/mysql
    local options=(--no-defaults --datadir="$data" --innodb-buffer-pool-size=32M --innodb-log-file-size=8M
        --innodb-flush-log-at-trx-commit=0 --innodb-lock-wait-timeout=900 --innodb-doublewrite=0
        --innodb-flush-method=nosync)
    [ "$(id -u)" -ne 0 ] || user=(--user=root)
    if [ ! -d "$data/mysql" ]; then
        mkdir -p "$data"
        mariadb-install-db "${options[@]}" "${user[@]}" --force --auth-root-authentication-method=normal --skip-test-db \
            >"$DIR/log/mariadb-install.out" 2>&1 || {
            say "mariadb-install-db failed, see $DIR/log/mariadb-install.out"
            return 1
        }
    fi
    launch mariadbd mariadbd "${options[@]}" "${user[@]}" --socket="$DIR/run/mysqld.sock" --pid-file="$DIR/run/mariadbd.own" \
        --skip-networking --skip-log-bin --performance-schema=off
    came_up mariadbd 20 mariadb_answers
    mariadb_sql -e "create database if not exists slurm_acct;
        create user if not exists slurm@localhost identified by 'slurm';
        grant all on slurm_acct.* to slurm@localhost"
}

start_dbd() {
    alive slurmdbd && return
    launch slurmdbd env MYSQL_UNIX_PORT="$DIR/run/mysqld.sock" slurmdbd -D
    came_up slurmdbd 30 listening "$DBD_PORT"
}

# One account for everybody here, and a QOS `tiny` that refuses at submission what is beyond it.
add_accounts() {
    local users=$ME user
    for user in "$TEST_USER" "$REST_USER"; do
        [ -z "$user" ] || [[ ,$users, = *,$user,* ]] || users+=,$user
    done
    [ ! -e "$DIR/run/accounts" ] || return 0
    SLURM_CONF=$CONF sacctmgr -i >"$DIR/log/sacctmgr.out" 2>&1 <<TEXT
add cluster adt
add qos tiny MaxJobsPerUser=1 MaxSubmitJobsPerUser=2 MaxTRESPerJob=cpu=2 MaxWall=00:05:00 Flags=DenyOnLimit
add account default Description=default Organization=default QOS=normal,tiny
add user $users DefaultAccount=default
TEXT
    touch "$DIR/run/accounts"
}
