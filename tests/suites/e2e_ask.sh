#!/bin/sh
# tests/suites/e2e_ask.sh: many questions at once in a whole Lite process, to a server that holds answers back.
cd "$(dirname "$0")/../.." && exec node tests/e2e/ask.mjs "$@"
