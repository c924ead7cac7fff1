#!/bin/sh
# tests/suites/historian.sh: the historian over HTTP: import, export, rules, queries, SQL; the same on a PostgreSQL
# server, and what holds when that server is away.
cd "$(dirname "$0")/../.." || exit 1
code=0
node tests/e2e/historian.mjs "$@" || code=1
STORE=postgres node tests/e2e/historian.mjs "$@" || code=1
node tests/e2e/historian_pg.mjs "$@" || code=1
exit $code
