#!/bin/sh
# tests/suites/mqtt_norms.sh: every normative statement of MQTT 3.1.1 and 5.0, on TCP and WebSocket.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
ASAN_BUILD=${ASAN_BUILD:-$top/build-asan}
export BUILD ASAN_BUILD
cd "$top/tests/norms" || exit 1
. ../npm.sh
cd "$top" && exec node tests/norms/run.mjs "$@"
