#!/bin/sh
# tests/suites/e2e_notify.sh: alarms told by e-mail, MQTT and webhook; npm packages are locked in tests/e2e.
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/notify.mjs "$@"
