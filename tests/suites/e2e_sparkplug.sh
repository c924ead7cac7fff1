#!/bin/sh
# tests/suites/e2e_sparkplug.sh: Sparkplug B against Eclipse Tahu's packages (npm, locked in tests/e2e).
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/sparkplug.mjs "$@"
