#!/bin/sh
# tests/suites/e2e_broker.sh: what of the broker survives kill -9; its npm clients are locked in tests/e2e.
cd "$(dirname "$0")/../e2e" || exit 1
lock=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.lock-hash 2>/dev/null)" != "$lock" ]; then
    if ! npm ci --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error >&2; then
        echo "npm ci failed"
        echo "0 passed, 1 failed"
        exit 1
    fi
    echo "$lock" >node_modules/.lock-hash
fi
cd ../.. && exec node tests/e2e/broker.mjs "$@"
