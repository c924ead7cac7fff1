#!/bin/sh
# tests/suites/lsp.sh: the language server with a client from npm; LSP_STORM and LSP_SEED change the storm.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
ASAN_BUILD=${ASAN_BUILD:-$top/build-asan}
export BUILD ASAN_BUILD
cd "$top/tests/lsp" || exit 1
. ../npm.sh
exec node run.mjs "$@"
