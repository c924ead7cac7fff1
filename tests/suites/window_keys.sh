#!/bin/sh
# tests/suites/window_keys.sh: the look-up of a window's slot that is inlined (one key, tumbling) gives
# what the called one gives: the same records grouped by one key, and by that key and a constant, for
# which there is only the called one. Keys of 0 to 20 bytes, more of them than the inlined look-up has
# places, times that swing over the borders of windows, also by arrival in the wrong window (late).
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
passed=0 failed=0

program() { # program NAME KEYS TYPE-OF-K
    cat >"$1.tutti" <<END
type In = { t: time(ms), k: $3, j: i32, v: f64 }
pipeline p {
  from stdin as json In
  time t order 2s
  window tumble 1s by $2 { n = count()  sum = sum(v)  last = last(v) }
  into stdout
  on late into file "late-$1.ndjson"
  on error into file "errors-$1.ndjson"
}
END
}

records() { # records KEYS QUOTE: 40,000 lines, Lehmer's generator
    awk -v keys="$1" -v quote="$2" 'BEGIN {
        state = 42; pad = "abcdefghijklmnopqrst"
        for (i = 0; i < 40000; i++) {
            state = (state * 48271) % 2147483647; k = state % keys
            state = (state * 48271) % 2147483647; t = 1000000 + i + state % 4000
            text = keys > 100 ? sprintf("machine-%d", k) substr(pad, 1, k % 4) : substr(pad, 1, k)
            text = quote == "" ? k : quote text quote
            printf "{\"t\":%d,\"k\":%s,\"j\":7,\"v\":%d}\n", t, text, i
        }
    }'
}

same() { # same NAME TYPE KEYS QUOTE
    program one k "$2"
    program two "k, j" "$2"
    rm -f late-*.ndjson
    records "$3" "$4" >in
    "$tutti" run --batch --cache "$dir" one.tutti <in >one.out 2>err || cat err
    "$tutti" run --batch --cache "$dir" two.tutti <in | sed 's/,"j":7//' >two.out
    sed 's/,"j":7//' late-two.ndjson >late-two.cut
    sed 's/,"j":7//' late-one.ndjson >late-one.cut
    if cmp one.out two.out && cmp late-one.cut late-two.cut && [ "$(wc -l <one.out)" -gt 30 ] &&
        [ -s late-one.cut ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1"
    fi
}

same "21 texts of 0 to 20 bytes" "string(20)" 21 '"'
same "5000 texts" "string(20)" 5000 '"'
same "3000 numbers" "i64" 3000 ""
same "one key" "string(20)" 1 '"'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
