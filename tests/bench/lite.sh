#!/bin/sh
# tests/bench/lite.sh: what people wait for: start-up, idle memory, save to running under load.
# Prints figures of the end-to-end tests; `make bench` ends with it.
cd "$(dirname "$0")/../.." || exit 1
node tests/e2e/engine.mjs 'idle below' | grep rss
node tests/e2e/engine.mjs 'QoS 1 under' | grep -E 'save to running'
node tests/e2e/engine.mjs 'SIGTERM under load' | grep -E 'stopped'
