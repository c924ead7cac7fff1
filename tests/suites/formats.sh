#!/bin/sh
# tests/suites/formats.sh: formats of bytes against codecs from npm, both ways, on every engine.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
ASAN_BUILD=${ASAN_BUILD:-$top/build-asan}
export BUILD ASAN_BUILD
cd "$top/tests/formats" || exit 1
. ../npm.sh
cd "$top" && exec node tests/formats/run.mjs "$@"
