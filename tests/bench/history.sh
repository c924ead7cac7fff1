#!/bin/sh
# tests/bench/history.sh BUILD [POINTS]: the history against a row per point in SQLite and, where
# Debian's packages are installed, against PostgreSQL 15 and VictoriaMetrics: points per CPU second,
# bytes per point, and how long questions take. Each batch of 10,000 points is on disk when it is
# acknowledged, except for VictoriaMetrics, which syncs in its own time. Asserts nothing.
set -eu
build=$1 points=${2:-10000000}
dir=$(mktemp -d)
server=
pg=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$pg" ] || kill -QUIT "$pg" 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT INT TERM
"$build/tests-tools/history" series "$points" 10000 "$dir/series.db"
"$build/tests-tools/history" rolled "$points" 10000 "$dir/rolled.db"
"$build/tests-tools/history" rows "$points" 10000 "$dir/rows.db"
free_port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }
hz=$(getconf CLK_TCK)

# PostgreSQL counts the CPU of its ended workers in its own children's time; it never runs as root.
postgres_bench() {
    bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
    if [ -z "$bin" ]; then
        echo "history: postgresql is not installed and was left out"
        return
    fi
    mkdir "$dir/pg" && chmod 755 "$dir" && as=
    [ "$(id -u)" != 0 ] || { chown postgres "$dir/pg"; as="setpriv --reuid=postgres --regid=postgres --clear-groups"; }
    cd "$dir/pg"
    $as "$bin/initdb" -D "$dir/pg/data" -U boss -A trust -E UTF8 --locale=C >/dev/null
    $as "$bin/postgres" -D "$dir/pg/data" -k "$dir/pg" -c listen_addresses= >"$dir/pg.log" 2>&1 &
    pg=$!
    sql() { psql -X -q -A -t -h "$dir/pg" -U boss -d postgres "$@"; }
    tries=0
    until sql -c 'select 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { echo "history: postgres does not start"; return; }
        sleep 0.1
    done
    sql -c 'create table points(series int, t bigint, value float8, quality smallint, primary key(series, t))'
    pg_ticks() { cat /proc/[0-9]*/stat 2>/dev/null | awk -v p="$pg" '{ sub(/^.*\) /, "") } $2 == p { sum += $12 + $13 } END { print sum + 0 }'; }
    own() { sed 's/^.*) //' "/proc/$pg/stat" | awk '{ print $12 + $13 + $14 + $15 }'; }
    before=$(($(own) + $(pg_ticks)))
    "$build/tests-tools/history" copy "$points" 10000 - | sql
    sql -c checkpoint
    used=$(($(own) + $(pg_ticks) - before))
    bytes=$(sql -c "select pg_total_relation_size('points')")
    end=$(((1795428000 + points / 100 - 1) * 1000000000))
    minute="select t / 60000000000, avg(value) from points where t > $((end - 3600000000000)) and"
    ms() { sql -c '\timing on' -c "$1" -c "$1" -c "$1" | awk '/^Time:/ { print $2 }' | sort -n | sed -n 2p; }
    awk -v points="$points" -v ticks="$used" -v hz="$hz" -v bytes="$bytes" \
        -v one="$(ms "$minute series = 1 group by 1")" -v all="$(ms "$minute true group by series, 1")" \
        -v whole="$(ms "select min(value), max(value) from points where series = 1 group by t / $((points * 10000))")" 'BEGIN {
        printf "postgres %9.0f points/CPU s  %6.2f bytes/point  hour of one %7.3f ms  of all %8.3f ms  whole %8.3f ms\n",
            points / (ticks / hz), bytes / points, one, all, whole }'
    cd /
}
case $build in /*) ;; *) build=$PWD/$build ;; esac
postgres_bench
command -v victoria-metrics >/dev/null || {
    echo "history: victoria-metrics is not installed and was left out"
    exit 0
}
port=$(free_port)
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
awk -v points="$points" -v ticks="$used" -v hz="$hz" -v bytes="$bytes" 'BEGIN {
    printf "victoria %9.0f points/CPU s  %6.2f bytes/point\n", points / (ticks / hz), bytes / points }'
