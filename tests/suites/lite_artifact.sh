#!/bin/sh
# tests/suites/lite_artifact.sh: `tutti build --target lite` makes one file that needs glibc only.
# It gives the same bytes as `tutti run --batch`, refuses damage, and runs as a server inside a root
# folder that holds nothing but itself, the C library and an empty /proc to mount.
set -u
cd "$(dirname "$0")/../.."
top=$PWD
tutti=${BUILD:-$PWD/build}/tutti
dir=$(mktemp -d)
passed=0 failed=0 skipped=0 server=""
cleanup() {
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null
    mountpoint -q "$dir/bare/proc" && umount "$dir/bare/proc"
    rm -rf "$dir"
}
trap cleanup EXIT

check() { # check NAME COMMAND...
    name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $name"; fi
}

cd "$dir" || exit 1
check "it builds" "$tutti" build "$top/examples/press-line" --target lite -o press-line

libraries() { readelf -d press-line | sed -nE 's/.*NEEDED.*\[(.*)\]/\1/p' | sort | tr '\n' ' '; }
check "it needs libc and libm only" [ "$(libraries)" = "libc.so.6 libm.so.6 " ]

i=0
while [ $i -lt 200 ]; do # twelve machines, 20 s of records; press-03 is idle; one line is rubbish
    state=RUN
    [ $((i % 12)) -ne 3 ] || state=IDLE
    printf '{"ts":"2026-11-23T10:00:%02d.%03dZ","machine":"press-%02d","line":"A","temp":%d.5,' \
        $((i / 10)) $((i % 10 * 100)) $((i % 12)) $((40 + i % 7))
    printf '"pressure":3.25,"rpm":1480,"state":"%s","seq":%d}\n' $state $i
    i=$((i + 1))
done >records.ndjson
echo 'ERR 17 sensor bus timeout' >>records.ndjson
mkdir a b
(cd a && "$tutti" run --batch "$top/examples/press-line" <../records.ndjson >out 2>errors)
(cd b && env -i ../press-line --batch <../records.ndjson >out 2>errors)
check "--batch: the same rows" cmp a/out b/out
check "--batch: there are rows" [ "$(wc -l <b/out)" -gt 200 ]
check "--batch: the same files" cmp a/exceptions.ndjson b/exceptions.ndjson

for engine in interp jit; do # where there is one: the texts in the file instead of its code
    "$tutti" run --engine list | grep -q "^$engine " || continue
    mkdir "b-$engine"
    plugin=$(dirname "$tutti")/tutti-jit.so
    (cd "b-$engine" && env -i TUTTI_JIT="$plugin" ../press-line --batch --engine $engine <../records.ndjson >out 2>errors)
    check "--batch --engine $engine: the same rows" cmp a/out "b-$engine/out"
    check "--batch --engine $engine: the same files" cmp a/exceptions.ndjson "b-$engine/exceptions.ndjson"
done
env -i ./press-line --batch --engine none <records.ndjson >said 2>&1
check "an engine that is not there is refused" [ $? = 2 ]
check "and which there are is said" grep -q -- '--engine list' said

cp press-line cut && truncate -s -1 cut
cp press-line changed
size=$(stat -c %s changed)
printf 'X' | dd of=changed bs=1 seek=$((size - 5000)) conv=notrunc 2>/dev/null
refused() { ! env -i "./$1" --help >said 2>&1 && grep -q damaged said; }
check "a changed byte is refused" refused changed
plain() { "./$1" --help | grep -q 'usage: tutti'; } # without its end it is a plain tutti again
check "a cut file does not run its pipelines" plain cut

mkdir -p bare/lib64 bare/lib/x86_64-linux-gnu bare/proc bare/data
cp press-line bare/
for lib in libc.so.6 libm.so.6; do cp -L "/lib/x86_64-linux-gnu/$lib" bare/lib/x86_64-linux-gnu/; done
cp -L /lib64/ld-linux-x86-64.so.2 bare/lib64/
if [ "$(id -u)" = 0 ] && mount -t proc proc bare/proc 2>/dev/null; then
    chroot bare /press-line --data /data/d --http 127.0.0.1:0 --mqtt 127.0.0.1:0 >log 2>&1 &
    server=$!
    tries=0
    until grep -q http_port= log || [ $tries -gt 600 ]; do # a minute
        tries=$((tries + 1))
        kill -0 "$server" 2>/dev/null || break
        timeout 0.1 tail -f /dev/null
    done
    port=$(sed -nE 's/.*http_port=([0-9]+).*/\1/p' log | head -n 1)
    check "bare root: ready" curl -sf -o ready "http://127.0.0.1:$port/readyz"
    page() { curl -sf --compressed "http://127.0.0.1:$port/" | grep -q '<title>'; }
    check "bare root: the page is served" page
    running() {
        curl -sf -c jar -H 'Content-Type: application/json' -d '{"password":"bare root 2026"}' \
            "http://127.0.0.1:$port/api/v1/auth/setup" >setup &&
            curl -sf -b jar "http://127.0.0.1:$port/api/v1/pipelines" >list &&
            [ "$(grep -o '"state":"running"' list | wc -l)" = 4 ]
    }
    check "bare root: all four pipelines run without a compiler" running
    kill -TERM "$server"
    wait "$server"
    check "bare root: SIGTERM ends with 0" [ $? = 0 ]
    server=""
else
    skipped=4
    echo "bare root skipped: mounting /proc needs root"
fi
[ "$failed" = 0 ] || tail -n 20 log 2>/dev/null
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
