#!/bin/sh
# tests/setup.sh: installs what is missing of the Debian packages. Says what it does.
#   tests/setup.sh        what building and running need
#   tests/setup.sh test   and what the tests need: brokers, browsers, other compilers
# A broker that is installed for the tests is not started as a service of this machine.
set -eu
packages="build-essential cmake ninja-build pkg-config re2c lemon curl ca-certificates
libuv1-dev libsqlite3-dev libsodium-dev libcjose-dev libjansson-dev libssl-dev zlib1g-dev
libmodbus-dev libmosquitto-dev libnats-dev nodejs npm"
[ "${1:-}" != test ] || packages="$packages libcmocka-dev nats-server mosquitto
mosquitto-clients clang llvm-14-dev clang-format libclang-rt-14-dev chromium procps git libcjson-dev
libsimdjson-dev sqlite3 postgresql-15 victoria-metrics openssl"

installed() {
    case "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" in *"ok installed") return 0 ;; esac
    [ "$1" = npm ] && command -v npm >/dev/null # a newer node brings its own
}

missing=""
for name in $packages; do installed "$name" || missing="$missing $name"; done
[ -n "$missing" ] || exit 0

echo "setup: installing$missing"
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # asked by the installation of a service whether it may start
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    trap '$sudo rm -f "$policy"' EXIT
fi
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing \
    >/dev/null
