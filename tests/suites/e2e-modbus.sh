#!/bin/sh
# tests/suites/e2e-modbus.sh: a Modbus device with faults; its npm package is locked in tests/e2e.
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/modbus.mjs "$@"
