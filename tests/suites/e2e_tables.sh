#!/bin/sh
# tests/suites/e2e_tables.sh: `from historian`: tables as sources, in a whole Lite process.
cd "$(dirname "$0")/../.." && exec node tests/e2e/tables.mjs "$@"
