#!/bin/sh
# tests/suites/oracle.sh: random records through tests/lang/oracle.tutti, through hop windows of any kind, and
# through windows whose sums overflow, against oracles in JavaScript that were written from the rules alone, on every engine. SEED repeats a run, ROUNDS makes it longer.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
seed=${SEED:-20261128} # the same on every machine; SEED=$(date +%s) tries others
echo "seed $seed"
passed=0 failed=0
for engine in $("$tutti" run --engine list | cut -d" " -f1); do
    for script in oracle oracle_hop oracle_failing; do
        out=$(ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 node "$top/tests/lang/$script.js" "$tutti" "$dir" \
            "$seed" "${ROUNDS:-6}" "$engine")
        echo "$engine: $script: $out"
        line=$(echo "$out" | grep -E '^[0-9]+ passed, [0-9]+ failed')
        p=$(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p')
        f=$(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p')
        passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
    done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
