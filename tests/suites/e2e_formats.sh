#!/bin/sh
# tests/suites/e2e_formats.sh: formats of bytes in a whole Lite process: messages, requests, files, replay.
cd "$(dirname "$0")/../.." && exec node tests/e2e/formats.mjs "$@"
