#!/bin/sh
# tests/suites/lang_mutate.sh: 20,000 damaged programs; MUTATE_COUNT and MUTATE_SEED change that.
set -u
cd "$(dirname "$0")/../.."
tool=${ASAN_BUILD:-$PWD/build-asan}/tests-tools/mutate_programs
# shellcheck disable=SC2046
"$tool" "${MUTATE_COUNT:-20000}" "${MUTATE_SEED:-332}" \
    $(find examples tests/lang -name '*.tutti' | sort) && exit 0
echo "0 passed, 1 failed"
exit 1
