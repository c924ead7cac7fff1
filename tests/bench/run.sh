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
engines=interp_record
jit=
if [ -f "$build/tutti-jit.so" ]; then
    jit=$build/tutti-jit.so
    set -- "$@" "jit_record=$build/tutti run --batch --engine jit $top/tests/bench/press.tutti"
    engines="$engines jit_record"
fi
[ -z "$peers" ] || set -- "$@" "cjson=./bench_cjson"
set -- "$@" "node=node $top/tests/bench/peer_node.js"
./bench_bench "$rounds" records.ndjson "$@"
for name in limit_record tutti_lazy tutti_record $engines $peers node; do
    node "$top/tests/bench/compare.js" limit_lazy.out "$name.out"
done
echo "bench: one record in ten is kept, which its first three fields decide"
./bench_gen "$records" rare >rare.ndjson
./bench_bench "$rounds" rare.ndjson \
    "tutti_record=$build/tutti run --batch $top/tests/bench/press.tutti" \
    "tutti_lazy=$build/tutti run --batch $top/tests/bench/press_lazy.tutti" \
    "interp_record=$build/tutti run --batch --engine interp $top/tests/bench/press.tutti" \
    "interp_lazy=$build/tutti run --batch --engine interp $top/tests/bench/press_lazy.tutti"
for name in tutti_lazy interp_record interp_lazy; do
    node "$top/tests/bench/compare.js" tutti_record.out "$name.out"
done
rm -f rare.ndjson
echo "bench: 1, 2, 4 pipelines on one source, which decode it once; and 4 that read types of their own"
head -n $((records / 2)) records.ndjson >half.ndjson
many() { # many COUNT [apart]
    sed '/^pipeline/,$d' "$top/tests/bench/press.tutti"
    for i in $(seq "$1"); do
        own=Press
        [ -z "${2:-}" ] || { own=Press$i && sed -n "s/^type Press/type $own/; /^type/,/^}/p" "$top/tests/bench/press.tutti"; }
        sed -n "/^pipeline/,\$p" "$top/tests/bench/press.tutti" |
            sed "s/press_stats/press_$i/; s/json Press/json $own/"
    done
}
for n in 1 2 4; do many "$n" >"shared_$n.tutti"; done
many 4 apart >apart_4.tutti
./bench_bench "$rounds" half.ndjson "pipelines_1=$build/tutti run --batch shared_1.tutti" \
    "pipelines_2=$build/tutti run --batch shared_2.tutti" \
    "pipelines_4=$build/tutti run --batch shared_4.tutti" "apart_4=$build/tutti run --batch apart_4.tutti"
cmp pipelines_4.out apart_4.out
rm -f half.ndjson
echo "bench: the same with four times the input (memory must not grow)"
./bench_gen $((records * 4)) >records4.ndjson
./bench_bench 1 records4.ndjson "limit_lazy=./bench_limit lazy" \
    "tutti_record=$build/tutti run --batch $top/tests/bench/press.tutti" \
    ${jit:+"jit_record=$build/tutti run --batch --engine jit $top/tests/bench/press.tutti"}
rm -f records4.ndjson
if [ "$jit" ]; then
    echo "bench: ${SWAPS:-2000} programs compiled and freed by the JIT (memory must not grow)"
    for kind in quick full; do
        "$build/jit_swaps" "$jit" "$top/tests/bench/press.tutti" "${SWAPS:-2000}" "$kind" 4096
    done
fi
if echo '#include <simdjson.h>' | "${CXX:-g++}" -std=c++17 -E -x c++ - >/dev/null 2>&1; then
    "${CXX:-g++}" -O2 -std=c++17 -c -o simdjson_peer.o "$top/tests/bench/peer_simdjson.cpp"
    # shellcheck disable=SC2086
    "$cc" $flags -c -o simdjson_loop.o "$top/tests/bench/peer_simdjson.c"
    "${CXX:-g++}" -o bench_simdjson simdjson_loop.o simdjson_peer.o -lsimdjson
    for how in shuffled moved spaced; do
        echo "bench: records of an order nobody has learnt: $how"
        ./bench_gen $((records / 2)) "$how" >any.ndjson
        ./bench_bench "$rounds" any.ndjson "simdjson=./bench_simdjson" \
            "tutti_lazy=$build/tutti run --batch $top/tests/bench/press_lazy.tutti" \
            "tutti_record=$build/tutti run --batch $top/tests/bench/press.tutti"
        for name in tutti_lazy tutti_record; do
            node "$top/tests/bench/compare.js" simdjson.out "$name.out"
        done
    done
    rm -f any.ndjson
    # shellcheck disable=SC2086
    "$cc" $flags -o bench_gen_shapes "$top/tests/bench/gen_shapes.c"
    "${CXX:-g++}" -O2 -std=c++17 -o bench_shapes "$top/tests/bench/peer_shapes.cpp" -lsimdjson
    for shape in nested arrays texts floats wide csv; do
        echo "bench: another shape, by simdjson (CSV by hand) and by Tutti: $shape"
        count=$((records / 5))
        [ "$shape" != wide ] || count=$((records / 40))
        ./bench_gen_shapes "$shape" "$count" >shape.in
        ./bench_bench "$rounds" shape.in "by_hand=./bench_shapes $shape" \
            "tutti=$build/tutti run --batch $top/tests/bench/shapes/$shape.tutti"
        node "$top/tests/bench/compare_sums.js" by_hand.out tutti.out
    done
    rm -f shape.in
fi
echo "bench: the same records in other formats, by Tutti and by npm's @msgpack/msgpack, cborg and protobufjs"
"$top/tests/bench/formats.sh" "$build" "$rounds" "$((records / 4))"
echo "bench: hop windows, 60 of which hold each record, against tumbling ones with as many rows"
sed 's/ avg = mean(temp_f) //; s/ power = mean(power)//' "$top/tests/bench/press.tutti" >tumble.tutti
sed 's/tumble 10s/hop 10m every 10s/' tumble.tutti >hop_shared.tutti
sed 's/tumble 10s/hop 10m every 10s/' "$top/tests/bench/press.tutti" >hop_means.tutti
./bench_bench "$rounds" records.ndjson "tumble=$build/tutti run --batch tumble.tutti" \
    "hop_shared=$build/tutti run --batch hop_shared.tutti" \
    "tumble_means=$build/tutti run --batch $top/tests/bench/press.tutti" \
    "hop_means=$build/tutti run --batch hop_means.tutti"
echo "bench: until a program runs"
rm -rf ready_objects && mkdir ready_objects
"$build/tests-tools/ready" "$top/tests/bench/press.tutti" "$(head -n 1 records.ndjson)" ready_objects
(cd "$top/tests/lsp" && BUILD=$build node latency.mjs)
echo "bench: a Lite process: start-up, idle memory, save to running, stop"
BUILD=$build "$top/tests/bench/lite.sh"
echo "bench: the history: ${POINTS:-2000000} points of 100 series, written and asked"
"$top/tests/bench/history.sh" "$build" "${POINTS:-2000000}"
echo "bench: the embedded broker beside Mosquitto"
BUILD=$build node "$top/tests/bench/broker.mjs"
if command -v chromium >/dev/null; then
    echo "bench: Explore in a browser over 10,000 topics at 10 Hz: opened ten times, then open for a minute"
    (cd "$top/tests/ui" && . ./install.sh)
    BUILD=$build node "$top/tests/bench/explore.mjs"
fi
echo "bench: back after kill -9 with ${MIB:-100} MiB of a kind"
BUILD=$build MIB=${MIB:-100} node "$top/tests/bench/recovery.mjs"
