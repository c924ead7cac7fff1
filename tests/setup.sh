#!/bin/sh
# tests/setup.sh: installs what the build and the tests need and is missing. Says what it does.
set -eu
packages="build-essential cmake ninja-build pkg-config re2c lemon clang clang-format libclang-rt-14-dev
libuv1-dev libsqlite3-dev libsodium-dev libcjose-dev libjansson-dev libssl-dev zlib1g-dev libzstd-dev
libmodbus-dev libmosquitto-dev libnats-dev libcmocka-dev
nodejs npm chromium mosquitto mosquitto-clients nats-server curl procps"
missing=""
for name in $packages; do
    case "$(dpkg-query -W -f='${Status}' "$name" 2>/dev/null)" in
        *"ok installed") ;;
        *) # a newer node from another source brings its own npm
           if [ "$name" = npm ] && command -v npm >/dev/null; then continue; fi
           missing="$missing $name" ;;
    esac
done
if [ -n "$missing" ]; then
    echo "setup: installing$missing"
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
