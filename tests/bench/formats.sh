#!/bin/sh
# tests/bench/formats.sh BUILD ROUNDS RECORDS: the work item on the same records in json, msgpack, cbor and
# protobuf, in turn in one run, and by the usual packages of npm. Ratios are those to json by Tutti.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
rounds=$2 records=$3
mkdir -p "$build/bench"
cd "$build/bench"
(cd "$top/tests/formats" && . ../npm.sh)
"${CC:-gcc}" -O2 -std=c17 -D_GNU_SOURCE -o bench_gen "$top/tests/bench/gen.c"
"${CC:-gcc}" -O2 -std=c17 -D_GNU_SOURCE -o bench_bench "$top/tests/bench/bench.c"
./bench_gen "$records" >format.json
message="proto \"$top/tests/bench/press.proto\" message Press"
press=$top/tests/bench/press.tutti
set -- "json=$build/tutti run --batch $press"
for format in msgpack cbor protobuf; do
    how=$format
    [ "$format" != protobuf ] || how="$format $message"
    {
        sed '/^pipeline/,$d' "$press"
        echo "pipeline write { from stdin as json Press  into stdout as $how  on error drop }"
    } >write.tutti
    "$build/tutti" run --batch write.tutti <format.json >"format.$format"
    sed "s#as json Press#as ${format} Press ${how#"$format"}#" "$press" >"read_$format.tutti"
    printf '#!/bin/sh\nexec "%s/tutti" run --batch read_%s.tutti <format.%s\n' "$build" "$format" "$format" >"run_$format"
    chmod 755 "run_$format"
    set -- "$@" "$format=./run_$format"
done
for format in msgpack cbor protobuf; do
    set -- "$@" "npm_$format=node $top/tests/bench/peer_formats.mjs $format format.$format"
done
./bench_bench "$rounds" format.json "$@"
for format in msgpack cbor protobuf; do
    cmp json.out "$format.out"
    node "$top/tests/bench/compare.js" json.out "npm_$format.out"
done
rm -f format.*
