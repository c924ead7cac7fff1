#!/bin/sh
# tests/suites/e2e_alarms.sh: alarms declared by programs and schemas in a whole Lite process.
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/alarms.mjs "$@"
