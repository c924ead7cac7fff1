#!/bin/sh
# tests/bench/history.sh: the history against a row per point in SQLite and, where Debian's package
# victoria-metrics is installed, against VictoriaMetrics: points per CPU second, bytes per point, and
# how long questions take. Each batch of 10,000 points is on disk when it is acknowledged, except for
# VictoriaMetrics, which syncs in its own time. Asserts nothing.
set -eu
build=$1 points=${2:-10000000}
dir=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT INT TERM
"$build/tests-tools/history" series "$points" 10000 "$dir/series.db"
"$build/tests-tools/history" rows "$points" 10000 "$dir/rows.db"
command -v victoria-metrics >/dev/null || {
    echo "history: victoria-metrics is not installed and was left out"
    exit 0
}
port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
# Points of another day than today's: the retention must hold them.
victoria-metrics -storageDataPath "$dir/vm" -httpListenAddr "127.0.0.1:$port" -retentionPeriod 100y \
    >"$dir/vm.log" 2>&1 &
server=$!
tries=0
until curl -fs "http://127.0.0.1:$port/health" >/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "history: victoria-metrics does not start"; exit 1; }
    sleep 0.1
done
ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }
before=$(ticks)
"$build/tests-tools/history" lines "$points" 10000 "$port"
curl -fs "http://127.0.0.1:$port/internal/force_flush" >/dev/null
curl -fs "http://127.0.0.1:$port/internal/force_merge" >/dev/null
# Merging goes on in the background: wait until a second passes without work.
work=$(ticks)
while sleep 1 && now=$(ticks) && [ $((now - work)) -gt 5 ]; do work=$now; done
used=$(($(ticks) - before))
bytes=$(du -sb "$dir/vm/data" "$dir/vm/indexdb" 2>/dev/null | awk '{ sum += $1 } END { print sum }')
awk -v points="$points" -v ticks="$used" -v hz="$(getconf CLK_TCK)" -v bytes="$bytes" 'BEGIN {
    printf "victoria %9.0f points/CPU s  %6.2f bytes/point\n", points / (ticks / hz), bytes / points }'
