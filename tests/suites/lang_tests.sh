#!/bin/sh
# tests/suites/lang_tests.sh: programs with test blocks of their own: tests/lang/state (functions and
# stages with memory, windows, time) and tests/lang/streams (splits, lists, joins, asks, other triggers).
# What they expect was worked out by hand.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
for program in "$top"/tests/lang/state/*.tutti "$top"/tests/lang/streams/*.tutti; do
    "$tutti" test --cache "$dir" "$program" >"$dir/log" 2>&1
    code=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$dir/log" | tail -n 1)
    p=$(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p')
    f=$(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p')
    if [ "$code" != 0 ] || [ "${p:-0}" = 0 ]; then
        echo "FAIL $program"
        cat "$dir/log"
        [ "${f:-0}" -gt 0 ] || f=1
    fi
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
