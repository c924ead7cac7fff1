#!/bin/sh
# tests/suites/page.sh: programs as a reader of the language's page writes them (tests/lang/page).
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
TUTTI=${BUILD:-$top/build}/tutti exec node "$top/tests/lang/page/run.mjs"
