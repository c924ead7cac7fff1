#!/bin/sh
# tests/suites/e2e_windows.sh: kill -9 while windows are open; CRASH_ROUNDS for a long run.
cd "$(dirname "$0")/../.." && exec node tests/e2e/windows.mjs "$@"
