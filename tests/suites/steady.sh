#!/bin/sh
# tests/suites/steady.sh: in steady state no operator allocates per record, on any engine (tests/steady).
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
most=32 # calls in 25,200 records: learning a layout takes 7, a buffer that doubles takes 1
cp "$top"/tests/steady/*.tutti "$top"/tests/steady/*.csv "$top"/tests/steady/*.ndjson "$top"/tests/steady/*.proto "$top"/tests/steady/functions.c "$dir" && cd "$dir" || exit 1
sqlite3 parts.db "create table part(id text primary key, site text, rated real);
    insert into part values ('k0', 'north', 1), ('k1', 'south', 99), ('k2', 'north', 50);"
passed=0 failed=0
if ! TUTTI_JIT=$build/tutti-jit.so "$build/tests-tools/steady" operators.tutti "$dir" >"$dir/counts"; then
    echo "steady: it cannot run"
    failed=1
fi
while read -r name engine first rest rows; do
    if [ "$rest" -gt $most ] || [ "$rows" = 0 ]; then
        failed=$((failed + 1))
        echo "FAILED $name on $engine: $first calls at first, $rest later, $rows rows"
    else
        passed=$((passed + 1))
    fi
done <"$dir/counts"
# Every pipeline of the file, as lines and as messages, on the interpreter and every other engine.
pipelines=$(grep -c '^pipeline ' operators.tutti)
engines=$(cut -d ' ' -f 2 "$dir/counts" | sort -u | wc -l)
if [ "$passed" != $((pipelines * 2 * engines)) ] || [ "$engines" -lt 2 ]; then
    failed=$((failed + 1))
    echo "FAILED $pipelines pipelines on $engines engines gave $passed counts"
fi
# Every operation of the row code, every function, every stage and format stands in the file.
for p in $(sed -n 's/^pipeline \([a-z_0-9]*\).*/\1/p' operators.tutti); do
    "$build/tutti" explain --dump=ir operators.tutti "$p"
done 2>&1 | grep -v '^schema' >ir
covered() { # covered WHAT FILE: reads the words that must stand in FILE
    while read -r word; do
        if grep -qE "(^|[^a-zA-Z_.])$word([^a-zA-Z_]|\$)" "$2"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAILED $1 $word is in no pipeline of operators.tutti"
        fi
    done
}
sed -nE 's/^OP\(.*"([a-z_]+)"\).*/\1/p' "$top/compiler/ir/ops.def" >words
covered "the operation" ir <words
sed -nE 's/^BUILTIN\([A-Z0-9_]+, *"([a-z_0-9]+)".*/\1/p' "$top/stdlib/builtins.def" >words
covered "the function" operators.tutti <words
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
