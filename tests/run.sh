#!/bin/sh
# tests/run.sh: runs every suite and adds up. A suite is a program that closes with the line
# `N passed, N failed[, N skipped]`; one that does not, or exits non-zero, counts as a failure.
#   tests/run.sh            all suites
#   tests/run.sh mqtt lang  only suites whose name holds one of the words
set -u
cd "$(dirname "$0")/.."
top=$(pwd)
build=$top/${BUILD:-build}
asan=$top/${ASAN_BUILD:-build-asan}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# The leak checker looks into the thread-local memory of libraries that were unloaded, as compiled
# pipelines are, and ends by a fault where that memory is gone; it needs not follow it.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}intercept_tls_get_addr=0"
passed=0 failed=0 skipped=0 broken=""

wanted() {
    [ -z "$words" ] && return 0
    for word in $words; do case "$1" in *"$word"*) return 0 ;; esac; done
    return 1
}

suite() { # suite NAME COMMAND...
    name=$1
    shift
    wanted "$name" || return 0
    start=$(date +%s)
    mkdir -p "$out/cwd"
    (cd "$out/cwd" && "$@") >"$out/log" 2>&1 # tests leave their files in a folder that goes
    code=$?
    rm -rf "$out/cwd"
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$out/log" | tail -n 1)
    p=$(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p')
    f=$(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p')
    s=$(echo "$line" | sed -nE 's/.* ([0-9]+) skipped.*/\1/p')
    [ -n "$line" ] || { p=0; f=1; }
    [ "$code" = 0 ] || [ "$f" -gt 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
    printf '%-34s %5s passed %3s failed %4ss\n' "$name" "$p" "$f" "$(($(date +%s) - start))"
    if [ "$f" -gt 0 ]; then
        broken="$broken $name"
        echo "---- $name (exit $code)"
        tail -n 60 "$out/log"
        echo "----"
    fi
}

words="$*"
for program in "$asan"/tests/test_*; do
    [ -x "$program" ] && suite "unit/$(basename "$program")" "$program"
done
for script in "$top"/tests/suites/*.sh; do
    [ -x "$script" ] && suite "$(basename "$script" .sh)" env BUILD="$build" ASAN_BUILD="$asan" "$script"
done

[ -z "$broken" ] || echo "failed suites:$broken"
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
