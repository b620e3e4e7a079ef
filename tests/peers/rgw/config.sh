# shellcheck shell=bash
# config.sh - a Ceph of one monitor, one store in memory and one gateway, all on loopback

write_config() {
    mkdir -p "$DIR"/{etc,mon,osd,rgw}
    certificate "$DIR/etc/tls.crt" "$DIR/etc/tls.key" || die 70 "openssl made no certificate"
    cat "$DIR/etc/tls.crt" "$DIR/etc/tls.key" >"$DIR/etc/tls.pem"
    FSID=$(</proc/sys/kernel/random/uuid)
    cat >"$CEPH_CONF" <<CONF
[global]
fsid = $FSID
mon initial members = a
mon host = [v1:127.0.0.1:$((PORT + 2))]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
ms bind ipv6 = false
ms bind port min = $((PORT + 3))
ms bind port max = $((PORT + PORTS - 1))
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
run dir = $DIR/run
log file = $DIR/log/\$name.log
admin socket = $DIR/run/\$name.asok
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush update on start = false
osd class update on start = false
mon allow pool size one = true
mon warn on pool no redundancy = false
osd objectstore = memstore
memstore device bytes = $((MEM_GB << 30))
osd memory target = 1073741824
debug ms = 0
[mon.a]
mon data = $DIR/mon
mon data avail crit = 1
mon data avail warn = 2
paxos propose interval = 0.05
mon max pg per osd = 1000
[osd.0]
osd data = $DIR/osd
osd class load list = *
osd max write size = 256
osd mon shutdown timeout = 0.1
[client.rgw]
rgw data = $DIR/rgw
rgw frontends = beast endpoint=127.0.0.1:$PORT ssl_endpoint=127.0.0.1:$((PORT + 1)) ssl_certificate=$DIR/etc/tls.pem
rgw enable ops log = false
rgw enable usage log = false
rgw run sync thread = false
rgw dns name = localhost
rgw thread pool size = 64
rgw gc obj min wait = 2
rgw gc processor period = 3
rgw gc processor max time = 3
CONF
}

write_env() {
    local env="$DIR/env.new"
    cat >"$env" <<ENV
export S3_ENDPOINT=http://127.0.0.1:$PORT
export S3_ENDPOINT_TLS=https://localhost:$((PORT + 1))
export S3_CA=$DIR/etc/tls.crt
export AWS_ACCESS_KEY_ID=ADTTESTACCESSKEY000a
export AWS_SECRET_ACCESS_KEY=adttestsecretkey00000000000000000000000a
export S3_SECOND_ACCESS_KEY_ID=ADTTESTACCESSKEY000b
export S3_SECOND_SECRET_ACCESS_KEY=adttestsecretkey00000000000000000000000b
export AWS_DEFAULT_REGION=us-east-1
export AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=/dev/null
export AWS_SHARED_CREDENTIALS_FILE=/dev/null
ENV
    mv "$env" "$DIR/env"
}
