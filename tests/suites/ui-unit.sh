#!/bin/sh
# tests/suites/ui-unit.sh: the pages' units: colours' contrast, rings, frames, keys, tree, layout.
set -u
cd "$(dirname "$0")/../ui"
. ./install.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT
node node_modules/vitest/vitest.mjs run --reporter=json --outputFile="$log.json" >"$log" 2>&1
code=$?
[ "$code" = 0 ] || cat "$log"
node -e '
const r = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
console.log(`${r.numPassedTests} passed, ${r.numFailedTests + r.numFailedTestSuites * (r.numFailedTests ? 0 : 1)} failed`);
' "$log.json"
rm -f "$log.json"
exit "$code"
