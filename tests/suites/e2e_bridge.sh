#!/bin/sh
# tests/suites/e2e_bridge.sh: bridges to Mosquitto and to other Tuttis; its npm client is locked in tests/e2e.
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/bridge.mjs "$@"
