#!/bin/sh
# tests/suites/e2e_schemas.sh: schemas on topics in a whole Lite process.
cd "$(dirname "$0")/../.." && exec node tests/e2e/schemas.mjs "$@"
