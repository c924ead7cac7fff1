#!/bin/sh
# tests/suites/share.sh: pipelines that share a decoder give what each gives alone, and a record is
# decoded once. SEED repeats a run, ROUNDS makes it longer.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 exec node "$top/tests/lang/share.mjs" "$tutti" \
    "${SEED:-20261128}" "${ROUNDS:-3}"
