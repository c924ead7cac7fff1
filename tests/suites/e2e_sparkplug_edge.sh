#!/bin/sh
# tests/suites/e2e_sparkplug_edge.sh: our edge node on Mosquitto against Eclipse Tahu's packages (npm, locked in tests/e2e).
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/sparkplug_edge.mjs "$@"
