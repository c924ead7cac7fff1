#!/bin/sh
# tests/suites/recheck.sh: every pipeline of tests/lang/batch with its records, restarted anywhere, in any
# batches and on every engine (`check P ...`): the bytes that come out must be those of the plain run, and every
# record accounted for. SEED repeats a run of random batches.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
seed=${SEED:-$(date +%s)}
passed=0 failed=0
echo "seed $seed"
cd "$top" || exit 1 # programs name files as seen from the top
cp tests/lang/batch/*.c "$dir" # files in C lie beside the program
for program in tests/lang/batch/*.tutti; do
    name=$(basename "$program" .tutti)
    cp "$program" "$dir/$name.tutti"
    for pipeline in $(sed -nE 's/^pipeline ([a-z_0-9]+).*/\1/p' "$program"); do
        cat >>"$dir/$name.tutti" <<END
test $pipeline "its records" { in from "tests/lang/batch/$name.in" }
check $pipeline restart anywhere, split batches anywhere, every engine
END
    done
    if "$tutti" test --cache "$dir" --seed "$seed" "$dir/$name.tutti" >"$dir/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        head -40 "$dir/log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
