# shellcheck shell=bash
# config.sh - the configuration files of a cluster

# The lines that CONF_EXTRA may replace. No cgroups anywhere: a container or a test machine has none to give.
conf_defaults() {
    cat <<TEXT
ClusterName=adt
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$CTLD_PORT
SlurmUser=$ME
SlurmdUser=$ME
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/munge.sock
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$DIR/etc/jwt.key
CredType=cred/munge
StateSaveLocation=$DIR/state
SlurmctldPidFile=$DIR/run/slurmctld.own
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdPidFile=$DIR/run/%n.own
SlurmdLogFile=$DIR/log/%n.log
SlurmdSpoolDir=$DIR/spool/%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=$((MEM / CPUS))
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
ReturnToService=2
MpiDefault=none
PropagateResourceLimits=NONE
MailProg=/bin/true
KillWait=2
CompleteWait=0
UnkillableStepTimeout=20
MinJobAge=300
MaxJobCount=50000
MaxArraySize=10001
SlurmctldTimeout=30
SlurmdTimeout=30
SlurmctldDebug=info
SlurmdDebug=info
JobCompType=jobcomp/filetxt
JobCompLoc=$DIR/log/jobcomp.txt
TopologyPlugin=topology/tree
GresTypes=gpu
TEXT
    conf_accounting
}

conf_accounting() {
    if [ "$ACCT" = none ]; then
        echo "AccountingStorageType=accounting_storage/none"
        return
    fi
    # Connections to slurmdbd take munge's socket from AccountingStoragePass; AuthInfo is not read there.
    cat <<TEXT
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$DIR/munge/munge.sock
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations,limits,qos
AccountingStoreFlags=job_comment
TEXT
}

# A key given twice would make every command print an error, so CONF_EXTRA's lines take the place of the defaults.
conf_merged() {
    conf_defaults | EXTRA=$CONF_EXTRA awk -F= '
        BEGIN {
            n = split(ENVIRON["EXTRA"], lines, "\n")
            for (i = 1; i <= n; i++) { key = lines[i]; sub(/[ =].*/, "", key); replaced[tolower(key)] = 1 }
        }
        !(tolower($1) in replaced)
        END { print ENVIRON["EXTRA"] }'
}

conf_nodes() {
    local i gres='' extra
    [ "$GPUS" -eq 0 ] || gres="Gres=gpu:$GPUS"
    for ((i = 1; i <= N; i++)); do
        extra=NODE_EXTRA_n$i
        echo "NodeName=n$i NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((PORT + 2 + i)) CPUs=$CPUS RealMemory=$MEM" \
            "$gres State=UNKNOWN $NODE_EXTRA ${!extra:-}"
    done
    echo "PartitionName=main Nodes=n[1-$N] Default=YES MaxTime=INFINITE DefaultTime=10 State=UP"
    echo "PartitionName=short Nodes=n[1-$N] Default=NO MaxTime=1 PriorityTier=10 State=UP"
}

# Any character device can stand for a GPU.
conf_gres() {
    local g
    [ "$GPUS" -gt 0 ] || return 0
    mkdir -p "$DIR/dev"
    for ((g = 0; g < GPUS; g++)); do
        ln -sf /dev/null "$DIR/dev/gpu$g"
    done
    echo "AutoDetect=off"
    echo "NodeName=n[1-$N] Name=gpu File=$DIR/dev/gpu[0-$((GPUS - 1))]"
}

# Two leaf switches, so that jobs may ask for one.
conf_topology() {
    local half=$(((N + 1) / 2))
    echo "SwitchName=leaf0 Nodes=n[1-$half]"
    if [ "$N" -gt "$half" ]; then
        echo "SwitchName=leaf1 Nodes=n[$((half + 1))-$N]"
        echo "SwitchName=spine Switches=leaf[0-1]"
    else
        echo "SwitchName=spine Switches=leaf0"
    fi
}

conf_dbd() {
    cat <<TEXT
AuthType=auth/munge
AuthInfo=socket=$DIR/munge/munge.sock
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$DIR/etc/jwt.key
DbdHost=$HOST
DbdAddr=127.0.0.1
DbdPort=$DBD_PORT
SlurmUser=$ME
PidFile=$DIR/run/slurmdbd.own
LogFile=$DIR/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
CommitDelay=1
DebugLevel=info
TEXT
}

make_key() {
    [ -s "$2" ] || (umask 077 && head -c "$1" /dev/urandom >"$2")
}

write_config() {
    make_key 128 "$DIR/munge/munge.key"
    make_key 32 "$DIR/etc/jwt.key"
    { conf_merged && conf_nodes; } >"$CONF"
    conf_gres >"$DIR/etc/gres.conf"
    conf_topology >"$DIR/etc/topology.conf"
    # Read by the daemons although nothing uses cgroups.
    echo "CgroupPlugin=cgroup/v1" >"$DIR/etc/cgroup.conf"
    if [ "$ACCT" = dbd ]; then
        (umask 077 && conf_dbd >"$DIR/etc/slurmdbd.conf")
    fi
}

# What a client needs; beside SLURM_CONF the names are this peer's own.
write_env() {
    local name
    {
        echo "export SLURM_CONF=$CONF"
        echo "export PEER_DIR=$DIR"
        for name in etc log run spool state; do
            echo "export PEER_${name^^}=$DIR/$name"
        done
        echo "export PEER_MUNGE_SOCKET=$DIR/munge/munge.sock"
        echo "export PEER_CTLD_PORT=$CTLD_PORT"
        [ "$ACCT" = none ] || echo "export PEER_DBD_PORT=$DBD_PORT"
        if [ "$REST" = 1 ]; then
            echo "export PEER_REST_SOCKET=$DIR/rest/sock"
            echo "export PEER_REST_URL=http://127.0.0.1:$REST_PORT"
            echo "export PEER_REST_API=$REST_API"
            echo "export PEER_REST_USER=$REST_USER"
        fi
    } >"$DIR/env"
}

# settings: everything of up that down, ctl and a second up go by
write_settings() {
    local name
    for name in N PORT ACCT REST REST_USER REST_API TEST_USER; do
        printf '%s=%q\n' "$name" "${!name}"
    done >"$DIR/run/settings"
}

# The block of ports: three for the daemons of all, then one for each node.
name_ports() {
    CTLD_PORT=$PORT DBD_PORT=$((PORT + 1)) REST_PORT=$((PORT + 2))
}
