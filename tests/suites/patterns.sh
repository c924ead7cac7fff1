#!/bin/sh
# tests/suites/patterns.sh: random patterns behind `matches` against Node's RegExp. SEED repeats a run,
# ROUNDS makes it longer.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
seed=${SEED:-20261128} # the same on every machine; SEED=$(date +%s) tries others
echo "seed $seed"
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 node "$top/tests/lang/patterns.js" "$tutti" "$dir" "$seed" "${ROUNDS:-8}"
