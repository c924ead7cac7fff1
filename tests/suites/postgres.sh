#!/bin/sh
# tests/suites/postgres.sh: questions to a real PostgreSQL, and rows into its tables.
cd "$(dirname "$0")/../.." && exec node tests/e2e/postgres.mjs "$@"
