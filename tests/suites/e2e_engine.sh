#!/bin/sh
# tests/suites/e2e_engine.sh: a whole Lite process, from outside: deploy, hot swaps, kill -9, faults.
cd "$(dirname "$0")/../.." && exec node tests/e2e/engine.mjs "$@"
