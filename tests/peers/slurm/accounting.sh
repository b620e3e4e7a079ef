# shellcheck shell=bash
# accounting.sh - slurmdbd and the MariaDB below it

mariadb_sql() { mariadb --no-defaults -u root -S "$DIR/run/mysqld.sock" "$@"; }

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
        # With SLURM_CONF it is ended like a client, should this script and its owner be killed meanwhile.
        SLURM_CONF=$CONF mariadb-install-db "${options[@]}" "${user[@]}" --force --auth-root-authentication-method=normal --skip-test-db \
            >"$DIR/log/mariadb-install.out" 2>&1 || {
            say "mariadb-install-db failed, see $DIR/log/mariadb-install.out"
            return 1
        }
    fi
    launch mariadbd mariadbd "${options[@]}" "${user[@]}" --socket="$DIR/run/mysqld.sock" --pid-file="$DIR/run/mariadbd.own" \
        --skip-networking --skip-log-bin --performance-schema=off
    came_up mariadbd 20 mariadb_answers || return
    mariadb_sql -e "create database if not exists slurm_acct;
        create user if not exists slurm@localhost identified by 'slurm';
        grant all on slurm_acct.* to slurm@localhost"
}

start_dbd() {
    alive slurmdbd && return
    launch slurmdbd env MYSQL_UNIX_PORT="$DIR/run/mysqld.sock" slurmdbd -D
    came_up slurmdbd 30 listening "$DBD_PORT"
}

# One account for everybody here, and a QOS `tiny` that refuses at submission what is beyond it. Few calls: each request to
# slurmdbd takes 90 ms, the kernel's delayed acknowledgements, whatever it asks.
add_accounts() {
    local list=$DIR/etc/accounts user
    [ ! -e "$list" ] || return 0
    {
        echo "Cluster - 'adt':DefaultQOS='normal':QOS='normal,tiny'"
        echo "Parent - 'root'"
        echo "Account - 'default':Description='default':Organization='default'"
        echo "Parent - 'default'"
        printf '%s\n' "$ME" "$TEST_USER" "$REST_USER" | sort -u | while read -r user; do
            [ -z "$user" ] || echo "User - '$user':DefaultAccount='default'"
        done
    } >"$list.new"
    # A list is taken from an administrator only, who must be in there: root is from the start.
    if [ "$(id -u)" -ne 0 ]; then
        sacctmgr_do add cluster adt && sacctmgr_do add user "$ME" account=root adminlevel=admin || return
    fi
    sacctmgr_do add qos tiny MaxJobsPerUser=1 MaxSubmitJobsPerUser=2 MaxTRESPerJob=cpu=2 MaxWall=00:10:00 \
        Flags=DenyOnLimit && sacctmgr_do load "$list.new" && mv "$list.new" "$list"
}

sacctmgr_do() {
    SLURM_CONF=$CONF sacctmgr -i "$@" >>"$DIR/log/sacctmgr.out" 2>&1 && return
    say "sacctmgr $1 failed:"
    tail -n 5 "$DIR/log/sacctmgr.out" >&2
    return 1
}
