#!/bin/sh
# tests/suites/layouts.sh: records in several shapes are read by learnt layouts (the counters of
# --stats say how many by which), line ends with CR change nothing, and every shape gives the rows that
# the same record gives alone, read in any order.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
passed=0 failed=0
good() { # good NAME CONDITION...
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name"
        cat stats
    fi
}
stat() { node -e 'const s = JSON.parse(require("fs").readFileSync("stats", "utf8")); console.log(JSON.stringify(s[process.argv[1]]))' "$1"; }

program() { # program CHECK
    cat >"$1.tutti" <<END
type In = { t: time, k: string(8), v: f64, n: i64?, s: enum { ON, OFF } }
pipeline p {
  from stdin as json In check $1
  keep t, k, v, n, s
  into stdout
  on error into file "errors.ndjson"
}
END
}

# Five shapes; the fifth is rare, so four layouts do not hold it.
lines() { # lines COUNT: with what is expected in "want"
    awk -v count="$1" 'BEGIN {
        for (i = 0; i < count; i++) {
            t = sprintf("2026-11-23T10:%02d:%02d.%03dZ", i / 60 % 60, i % 60, i % 1000)
            k = "k" i % 100; v = (i % 7 - 3) * 0.5; s = i % 2 ? "ON" : "OFF"; n = i * 37
            fraction = i % 1000 ? sprintf(".%03dZ", i % 1000) : "Z"
            shown = substr(t, 1, 19) fraction
            row = "{\"t\":\"" shown "\",\"k\":\"" k "\",\"v\":" v
            if (i % 50 == 49) { print "{\"extra\":[1,{\"a\":\"]\"}],\"s\":\"" s "\",\"t\":\"" t "\",\"v\":" v ",\"k\":\"" k "\"}"; row = row }
            else if (i % 5 == 0) { print "{\"t\":\"" t "\",\"k\":\"" k "\",\"v\":" v ",\"n\":" n ",\"s\":\"" s "\"}"; row = row ",\"n\":" n }
            else if (i % 5 == 1) { print "{\"s\":\"" s "\",\"n\":" n ",\"v\":" v ",\"k\":\"" k "\",\"t\":\"" t "\"}"; row = row ",\"n\":" n }
            else if (i % 5 == 2) { print "{ \"t\": \"" t "\", \"k\": \"" k "\", \"v\": " v ", \"s\": \"" s "\" }" }
            else { print "{\"t\":\"" t "\",\"k\":\"" k "\",\"v\":" v ",\"n\":null,\"s\":\"" s "\",\"more\":true}" }
            print row ",\"s\":\"" s "\"}" >"want"
        }
    }'
}

lines 5000 >in
sed 's/$/\r/' in >in.crlf
sed 's/^/ /' in >in.spaced
: >errors.ndjson
for check in record lazy strict; do
    program "$check"
    for input in in in.crlf; do
        "$tutti" run --batch --stats --cache "$dir" "$check.tutti" <"$input" >got 2>stats
        good "$check $input: rows" cmp got want
        good "$check $input: four layouts" [ "$(stat learnt) $(stat missed)" = "4900 100" ]
        good "$check $input: each layout" [ "$(stat layouts)" = "[1900,1000,1000,1000]" ]
    done
    "$tutti" run --batch --stats --cache "$dir" "$check.tutti" <in.spaced >got 2>stats
    good "$check in any order: rows" cmp got want
done
good "no errors" [ ! -s errors.ndjson ]
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
