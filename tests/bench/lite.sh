#!/bin/sh
# tests/bench/lite.sh: what people wait for: start-up, idle memory, save to running under load.
# Prints the figures of the end-to-end tests that also check them; run it on a quiet machine.
cd "$(dirname "$0")/../.." || exit 1
node tests/e2e/engine.mjs 'ready within' | grep rss
node tests/e2e/engine.mjs 'QoS 1 under' | grep -E 'save to running'
node tests/e2e/engine.mjs 'SIGTERM under load' | grep -E 'stopped'
