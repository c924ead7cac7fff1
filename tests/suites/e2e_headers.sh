#!/bin/sh
# tests/suites/e2e_headers.sh: meta.headers, from requests and messages, in a whole Lite process.
cd "$(dirname "$0")/../.." && exec node tests/e2e/headers.mjs "$@"
