#!/bin/sh
# tests/suites/sparkplug_tck.sh: every normative statement of Sparkplug 3.0 (tests/e2e/tck).
cd "$(dirname "$0")/../e2e" || exit 1
npm_options=--omit=optional
. ../npm.sh
cd ../.. && exec node tests/e2e/tck/run.mjs "$@"
