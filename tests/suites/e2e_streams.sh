#!/bin/sh
# tests/suites/e2e_streams.sh: joins, asks, triggers, replies and used files in a whole Lite process.
cd "$(dirname "$0")/../.." && exec node tests/e2e/streams.mjs "$@"
