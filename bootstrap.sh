#!/usr/bin/env bash
# bootstrap.sh - from a fresh Debian or Ubuntu to a running adtlua: installs what is missing, builds, goes on
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<'TEXT'
usage: ./bootstrap.sh [-y] VERB
  run RECIPE [args]   build, install what the recipe needs, run it
  test [args]         build, install what the tests need, run them (args: see tests/run --help)
  build               install the compilers and libraries, build build/release/adtlua
  install [PREFIX]    build and install (default: /usr/local)
  shell               build and open the prompt
  -y                  install packages without asking (also when nobody is at the terminal)
TEXT
}

say() { printf 'bootstrap: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# cmake 3.22, ninja and the libraries that the rooms link.
build_packages=(gcc libc6-dev cmake ninja-build pkg-config liblua5.4-dev libuv1-dev libyajl-dev libyaml-dev libssl-dev
    libcurl4-openssl-dev zlib1g-dev)
test_packages=(clang clang-tidy clang-format lua5.4 lua-busted lua-check lua-filesystem lua-cjson shellcheck hyperfine
    git openssl python3 python3-venv python3-torch python3-jsonschema procps curl
    munge slurmctld slurmd slurm-client slurm-wlm-jwt-plugin slurmrestd slurmdbd slurm-wlm-mysql-plugin mariadb-server
    radosgw ceph-mon ceph-osd ceph-common)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "packages must be installed, and neither root nor sudo is at hand: $*"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() {
    local package
    for package in "$@"; do
        is_installed "$package" || printf '%s\n' "$package"
    done
}

agreed() {
    [ "$yes" = yes ] || [ ! -t 0 ] && return 0
    local answer
    read -r -p "bootstrap: install $* ? [Y/n] " answer
    [[ $answer =~ ^([yY].*)?$ ]]
}

updated=no
apt_get() {
    if [ "$updated" = no ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 || die "apt-get update failed"
        updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 ||
        die "apt-get could not install: $*"
}

enabled_units() {
    command -v systemctl >/dev/null || return 0
    { systemctl list-unit-files --state=enabled --no-legend --no-pager 2>/dev/null || true; } | awk '{ print $1 }' | sort
}

# apt_get for daemons that the tests run themselves: none of them starts, neither now nor with the machine.
apt_get_quietly() {
    local policy=/usr/sbin/policy-rc.d remove_policy=: before units
    before=$(enabled_units)
    if [ ! -e "$policy" ]; then
        remove_policy="as_root rm -f $policy"
        # shellcheck disable=SC2064 # what it is now
        trap "$remove_policy" EXIT
        printf '#!/bin/sh\n# put here by bootstrap.sh while it installs packages\nexit 101\n' |
            as_root install -m 755 /dev/stdin "$policy"
    fi
    apt_get "$@"
    $remove_policy
    trap - EXIT
    mapfile -t units < <(comm -13 <(printf '%s\n' "$before") <(enabled_units))
    [ ${#units[@]} -eq 0 ] || as_root systemctl disable --quiet "${units[@]}" >&2
}

install=apt_get
need() {
    local missing
    mapfile -t missing < <(missing_of "$@")
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null ||
        die "this machine has no apt-get; install these by hand, then try again: ${missing[*]}"
    agreed "${missing[@]}" || die "nothing was installed"
    "$install" "${missing[@]}"
}

# The sanitizers' and fuzzers' runtime is a package of the default clang's version; older releases ship it with clang.
clang_runtime() {
    local version
    version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]\+\).*/\1/p' | head -n 1)
    if [ -n "$version" ] && apt-cache show "libclang-rt-$version-dev" >/dev/null 2>&1; then
        printf 'libclang-rt-%s-dev\n' "$version"
    fi
}

build() {
    need "${build_packages[@]}"
    (cd "$here" && cmake --preset release >/dev/null && cmake --build --preset release >&2)
}

program=$here/build/release/adtlua

run_recipe() {
    [ $# -gt 0 ] || { usage >&2; exit 2; }
    build
    local wanted
    mapfile -t wanted < <("$program" doctor --packages "$1")
    [ ${#wanted[@]} -eq 0 ] || need "${wanted[@]}"
    exec "$program" "$@"
}

# build/python: what the tests need from PyPI, of the versions in tests/python.txt. Without it they take a Python of the
# machine that has these modules, or leave out what needs them.
test_python() {
    local dir=$here/build/python list=$here/tests/python.txt
    cmp -s "$list" "$dir/made-of" && return
    say "making $dir"
    rm -rf "$dir"
    if /usr/bin/python3 -m venv "$dir" >&2 && "$dir/bin/python3" -m pip install --quiet --disable-pip-version-check --no-input \
        --no-compile -r "$list" >&2; then
        cp "$list" "$dir/made-of"
    else
        say "no $dir: what needs botocore or moto is tested with the machine's own Python, or not at all"
        rm -rf "$dir"
    fi
}

run_tests() {
    install=apt_get_quietly
    need "${test_packages[@]}"
    local runtime
    runtime=$(clang_runtime)
    [ -z "$runtime" ] || need "$runtime"
    build
    test_python
    exec "$here/tests/run" "$@"
}

yes=no
if [ "${1:-}" = -y ]; then
    yes=yes
    shift
fi
verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
run) run_recipe "$@" ;;
test) run_tests "$@" ;;
build) build ;;
install)
    build
    cmake --install "$here/build/release" --prefix "${1:-/usr/local}"
    ;;
shell)
    build
    exec "$program"
    ;;
-h | --help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
