#!/bin/sh
# tests/suites/e2e_learn.sh: learning the shapes of records in a whole Lite process.
cd "$(dirname "$0")/../.." && exec node tests/e2e/learn.mjs "$@"
