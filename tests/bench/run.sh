#!/bin/sh
# tests/bench/run.sh: what `make bench` runs: the same work by hand in C, by Tutti, by cJSON and by
# Node.js, in turn in one run. Prints CPU ratios to the hand-written limit, peak memory for an input
# four times as long, and whether all outputs say the same. Asserts nothing about time.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$top" && cd "${BUILD:-build}" && pwd)
rounds=${ROUNDS:-7}
records=${RECORDS:-2000000}
dir=$build/bench
mkdir -p "$dir"
cd "$dir"
flags="-O2 -std=c17 -D_GNU_SOURCE -ffp-contract=off"
cc=${CC:-gcc}
for name in gen limit bench; do
    # shellcheck disable=SC2086
    "$cc" $flags -o "bench_$name" "$top/tests/bench/$name.c"
done
peers=""
if echo '#include <cjson/cJSON.h>' | "$cc" -E -x c - >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    "$cc" $flags -o bench_cjson "$top/tests/bench/peer_cjson.c" -lcjson
    peers=cjson
fi
echo "bench: writing $records records"
./bench_gen "$records" >records.ndjson
rm -f stderr.log
set -- "limit_lazy=./bench_limit lazy" "limit_record=./bench_limit record" \
    "tutti_lazy=$build/tutti run --batch $top/tests/bench/press_lazy.tutti" \
    "tutti_record=$build/tutti run --batch $top/tests/bench/press.tutti" \
    "interp_record=$build/tutti run --batch --engine interp $top/tests/bench/press.tutti"
[ -z "$peers" ] || set -- "$@" "cjson=./bench_cjson"
set -- "$@" "node=node $top/tests/bench/peer_node.js"
./bench_bench "$rounds" records.ndjson "$@"
for name in limit_record tutti_lazy tutti_record interp_record $peers node; do
    node "$top/tests/bench/compare.js" limit_lazy.out "$name.out"
done
echo "bench: the same with four times the input (memory must not grow)"
./bench_gen $((records * 4)) >records4.ndjson
./bench_bench 1 records4.ndjson "limit_lazy=./bench_limit lazy" \
    "tutti_record=$build/tutti run --batch $top/tests/bench/press.tutti"
rm -f records4.ndjson
(cd "$top/tests/lsp" && BUILD=$build node latency.mjs)
