#!/bin/sh
# tests/suites/e2e_broker.sh: what of the broker survives kill -9; its npm clients are locked in tests/e2e.
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/broker.mjs "$@"
