#!/bin/sh
# tests/suites/tools.sh: options, infer, explain, graph, import, diff, deploy, replay, bench and fmt, each with real runs.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
ASAN_BUILD=${ASAN_BUILD:-$top/build-asan}
export BUILD ASAN_BUILD
exec node "$top/tests/tools/run.mjs" "$@"
