#!/bin/sh
# tests/suites/e2e-faults.sh: a whole Lite process on disks that are full, broken or lie.
cd "$(dirname "$0")/../.." && exec node tests/e2e/faults.mjs "$@"
