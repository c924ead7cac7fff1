#!/bin/sh
# tests/suites/lang_blame.sh: 6,000 good programs with one damaged token: the first error stands beside
# the damage in at least 90 of 100. BLAME_CASES, BLAME_SEED and BLAME_SHOW change or show that.
set -u
cd "$(dirname "$0")/../.."
tool=${ASAN_BUILD:-$PWD/build-asan}/tests-tools/damage_tokens
# shellcheck disable=SC2046
"$tool" "${BLAME_CASES:-6000}" "${BLAME_SEED:-332}" 90 --show "${BLAME_SHOW:-0}" \
    $(find examples stdlib tests/lang/good tests/lang/batch -name '*.tutti' | sort) && exit 0
exit 1
