#!/bin/sh
# runtime/web/build.sh: builds the pages into runtime/web/dist, from where they are embedded.
# Does nothing when no source has changed since the last build; runs `npm ci` only when the lock
# file changed. Fails when a page is over its size budget (budget.mjs prints the table).
set -eu
cd "$(dirname "$0")"
sources="package-lock.json package.json vite.config.ts hints.ts tsconfig.json index.html budget.mjs build.sh"

stamp=$(find src public $sources -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1)
if [ -f dist/index.html ] && [ "$(cat .built 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi
command -v npm >/dev/null || { echo "web: npm is missing (Debian package npm)" >&2; exit 1; }

lock=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.lock-hash 2>/dev/null)" != "$lock" ]; then
    echo "web: installing the packages of the lock file"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >.npm.log 2>&1 || { cat .npm.log >&2; exit 1; }
    rm -f .npm.log
    echo "$lock" >node_modules/.lock-hash
fi
echo "web: building the pages"
node node_modules/typescript/bin/tsc --noEmit
node node_modules/vite/bin/vite.js build --logLevel warn
node budget.mjs
echo "$stamp" >.built
