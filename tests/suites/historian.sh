#!/bin/sh
# tests/suites/historian.sh: the historian over HTTP: import, export, rules, queries, SQL.
cd "$(dirname "$0")/../.." && exec node tests/e2e/historian.mjs "$@"
