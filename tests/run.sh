#!/bin/sh
# tests/run.sh: runs every suite and adds up. A suite is a program that closes with the line
# `N passed, N failed[, N skipped]`; one that does not, or exits non-zero, counts as a failure.
#   tests/run.sh            all suites, two and more side by side: JOBS=1 one after the other
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

# Suites share nothing but the builds: JOBS of them run side by side (as many as there are
# processors), those that take longest first. A worker takes the next one from the queue; each suite
# has a folder of its own below $out, and what it says stands together.
jobs=${JOBS:-$(nproc)}
words="$*"
first="ui-e2e formats tools email mqtt_norms unit/test_broker e2e_engine e2e_broker historian recheck engines"

wanted() {
    [ -z "$words" ] && return 0
    for word in $words; do case "$1" in *"$word"*) return 0 ;; esac; done
    return 1
}

list() { # NAME PROGRAM, one a line
    for program in "$top"/tests/suites/*.sh; do
        [ -x "$program" ] && echo "$(basename "$program" .sh) $program"
    done
    for program in "$asan"/tests/test_*; do
        [ -x "$program" ] && echo "unit/$(basename "$program") $program"
    done
}

queue() {
    for name in $first; do list | grep -E "^$name "; done
    list | grep -vE "^($(echo "$first" | tr ' ' '|')) "
}

suite() { # suite NAME PROGRAM
    name=$1 room=$out/$(echo "$1" | tr / _)
    start=$(date +%s)
    mkdir -p "$room/cwd"
    (cd "$room/cwd" && BUILD="$build" ASAN_BUILD="$asan" "$2") >"$room/log" 2>&1 # its files go
    code=$?
    rm -rf "$room/cwd"
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$room/log" | tail -n 1)
    p=$(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p')
    f=$(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p')
    s=$(echo "$line" | sed -nE 's/.* ([0-9]+) skipped.*/\1/p')
    [ -n "$line" ] || { p=0; f=1; }
    [ "$code" = 0 ] || [ "$f" -gt 0 ] || f=1
    {
        printf '%-34s %5s passed %3s failed %4ss\n' "$name" "$p" "$f" "$(($(date +%s) - start))"
        if [ "$f" -gt 0 ]; then
            echo "---- $name (exit $code)"
            grep -A 8 '^FAIL' "$room/log" | head -n 80 # may stand far from the end
            echo "---- its last lines"
            tail -n 40 "$room/log"
            echo "----"
        fi
    } >"$room/said"
    cat "$room/said" # one write: two workers do not mix
    echo "$name $p $f ${s:-0}" >>"$out/results"
}

take() { # the next of the queue
    flock 9
    IFS= read -r next <"$out/queue" || next=""
    sed -i 1d "$out/queue"
    flock -u 9
    [ -n "$next" ]
}

worker() {
    exec 9>"$out/lock"
    while take; do
        # shellcheck disable=SC2086
        suite $next 9>&-
    done
}

queue | while read -r name program; do
    wanted "$name" && echo "$name $program"
done >"$out/queue"
queued=$(wc -l <"$out/queue")
[ "$queued" -gt 0 ] || { echo "no suite has any of these words in its name: $words"; exit 2; }
: >"$out/results"
begin=$(date +%s)
workers=""
while [ "$jobs" -gt 0 ]; do
    worker &
    workers="$workers $!"
    jobs=$((jobs - 1))
done
# shellcheck disable=SC2086
trap 'kill $workers 2>/dev/null; rm -rf "$out"; exit 130' INT TERM
# shellcheck disable=SC2086
wait $workers

done=$(wc -l <"$out/results")
[ "$done" = "$queued" ] || echo "runner 0 $((queued - done))" >>"$out/results" # a worker was ended
# What failed stands at the end too: a long log is read from there.
awk '$3 > 0 { print $1 }' "$out/results" | while read -r name; do
    cat "$out/$(echo "$name" | tr / _)/said" 2>/dev/null
done
broken=$(awk '$3 > 0 { printf " %s", $1 }' "$out/results")
[ -z "$broken" ] || echo "failed suites:$broken"
echo "in $((($(date +%s) - begin) / 60)) min"
awk '{ p += $2; f += $3; s += $4 }
    END { printf "%d passed, %d failed%s\n", p, f, s ? ", " s " skipped" : ""; exit f > 0 }' "$out/results"
