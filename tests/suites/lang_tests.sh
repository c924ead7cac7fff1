#!/bin/sh
# tests/suites/lang_tests.sh: programs with test blocks of their own: tests/lang/state (functions and
# stages with memory, windows, time), tests/lang/streams (splits, lists, joins, asks, other triggers)
# and tests/lang/files (records, tables and wanted rows in files).
# What they expect was worked out by hand.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
cd "$top" || exit 1
for program in "$top"/tests/lang/state/*.tutti "$top"/tests/lang/streams/*.tutti "$top"/tests/lang/files/*.tutti; do
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

# A wanted file that is not what comes out: the first line that differs is shown; --update writes it.
mkdir -p "$dir/x/tests/lang" && cp -r "$top/tests/lang/files" "$dir/x/tests/lang/"
cd "$dir/x" || exit 1
sed 's/^b,40$/b,41/' "$top/tests/lang/files/high.want" >tests/lang/files/high.want
file() { # file NAME COMMAND...: what is wanted of such a file
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        cat "$dir/log"
        failed=$((failed + 1))
    fi
}
"$tutti" test --cache "$dir" --engine interp tests/lang/files/files.tutti >"$dir/log" 2>&1
file "a wrong file fails its test" [ $? = 1 ]
file "no other test fails" grep -qx '7 passed, 1 failed' "$dir/log"
file "the line is named" grep -q '  tests/lang/files/high.want line 3:' "$dir/log"
file "what came is shown" grep -qx '  got  b,40' "$dir/log"
"$tutti" test --cache "$dir" --engine interp --update tests/lang/files/files.tutti >"$dir/log" 2>&1
file "--update passes" [ $? = 0 ]
file "--update writes what came out" cmp tests/lang/files/high.want "$top/tests/lang/files/high.want"
rm tests/lang/files/hot.ndjson
"$tutti" test --cache "$dir" --engine interp --only 'rows of a table' tests/lang/files/files.tutti >"$dir/log" 2>&1
file "a file that is not there fails its test" grep -q 'tests/lang/files/hot.ndjson: No such file' "$dir/log"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
