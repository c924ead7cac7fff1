#!/bin/sh
# tests/suites/e2e-hostile.sh: bad records, bad MQTT, HTTP and WebSocket bytes against one Lite process;
# with sanitizers where that build is there.
if [ -n "$ASAN_BUILD" ] && [ -x "$ASAN_BUILD/tutti" ]; then
    BUILD=$ASAN_BUILD
    export BUILD
fi
cd "$(dirname "$0")/../.." && exec node tests/e2e/hostile.mjs "$@"
