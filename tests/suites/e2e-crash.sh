#!/bin/sh
# tests/suites/e2e-crash.sh: kill -9 of a Lite process, again and again; CRASH_ROUNDS for a long run.
cd "$(dirname "$0")/../.." && exec node tests/e2e/crash.mjs "$@"
