#!/bin/sh
# tests/suites/historian.sh: the historian over HTTP: import, export, rules, queries, SQL; the same on a PostgreSQL
# server, and what holds when that server is away; and that with the extension timescaledb, where there is one.
cd "$(dirname "$0")/../.." || exit 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0 passed=0 failed=0 skipped=0
part() { # part COMMAND...: its output, and its last line into the sums
    "$@" >"$log" 2>&1 || code=1
    cat "$log"
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    [ -n "$line" ] || failed=$((failed + 1)) # it says nothing: it broke off
    passed=$((passed + $(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p;t;s/.*/0/p')))
    failed=$((failed + $(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p;t;s/.*/0/p')))
    skipped=$((skipped + $(echo "$line" | sed -nE 's/.* ([0-9]+) skipped.*/\1/p;t;s/.*/0/p')))
}
part node tests/e2e/historian.mjs "$@"
part env STORE=postgres node tests/e2e/historian.mjs "$@"
part node tests/e2e/historian_pg.mjs "$@"
part env STORE=timescale node tests/e2e/historian.mjs "$@"
part env STORE=timescale node tests/e2e/historian_pg.mjs "$@"
[ "$skipped" = 0 ] && skipped="" || skipped=", $skipped skipped"
echo "$passed passed, $failed failed$skipped"
[ "$failed" = 0 ] || code=1
exit $code
