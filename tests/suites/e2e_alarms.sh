#!/bin/sh
# tests/suites/e2e_alarms.sh: alarms declared by programs and schemas in a whole Lite process.
cd "$(dirname "$0")/../.." && exec node tests/e2e/alarms.mjs "$@"
