#!/bin/sh
# tests/suites/mqtt_limits.sh: what the broker does at each of its limits that is a setting.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
export BUILD
cd "$top/tests/norms" || exit 1
. ../npm.sh
cd "$top" && exec node tests/norms/limits.mjs "$@"
