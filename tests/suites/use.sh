#!/bin/sh
# tests/suites/use.sh: programs that use other files: names and findings, each file parsed once, and one
# text that carries them all into a Lite file and back. The rows were worked out by hand from
# tests/lang/use/plant.tutti: 8 = 4 * (4 / 1000 * 500), 2 = 4 - 2.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
check() { # check NAME COMMAND...
    name=$1
    shift
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $name"; fi
}
said() { # said FILE LINE: a finding stands there exactly once
    [ "$(grep -cF "$2" "$1")" = 1 ]
}
cd "$dir" || exit 1

"$tutti" test --cache . "$top/tests/lang/use/plant.tutti" >out 2>&1
check "names of other files" grep -qx '1 passed, 0 failed' out
check "a folder with used files" "$tutti" check "$top/tests/lang/use"

printf 'use "b.tutti"\nconst a = 1\n' >a.tutti
printf 'use "./a.tutti"\nconst b = 2\n' >b.tutti
"$tutti" check a.tutti >err 2>&1
check "a circle: exit code" [ $? = 1 ]
check "a circle" said err 'error[N010] `./a.tutti` uses this file itself'
check "a circle: in which file" said err 'b.tutti:1:5 |'

mkdir lib
printf 'const bad = nope\nfn f(x: f64) -> f64 = x + "t"\n' >lib/e.tutti
rest='pipeline p {\n  from stdin as json { x: f64 }\n  let y = f(x)\n  into stdout\n  on error drop\n}\n'
printf "use \"lib/e.tutti\"\n$rest" >d.tutti
printf "use \"./lib/../lib/e.tutti\"\n$rest" >d2.tutti
"$tutti" check . >err 2>&1
check "findings of a used file name that file" said err 'lib/e.tutti:2:25 |'
check "and stand once, however many use it" [ "$(grep -c 'N001' err)" = 1 ]
printf 'pipeline (\n' >lib/e.tutti
"$tutti" check d.tutti >err 2>&1
check "a used file that does not parse" said err 'lib/e.tutti:1:10 |'
check "hides no more findings" [ "$(grep -c '^error' err)" = 1 ]
printf 'const limit = 1\nfn f(x: f64) -> f64 = x\n' >lib/e.tutti
printf 'fn f(x: f64) -> f64 = x + 1\n' >lib/g.tutti
printf "use \"lib/e.tutti\"\nuse \"lib/g.tutti\"\n$rest" >d.tutti
"$tutti" check d.tutti >err 2>&1
check "two files declare one name" said err 'error[N002] two used files declare `f`'
printf "use \"lib/e.tutti\"\nuse \"lib/g.tutti\" as g\n$rest" | sed 's/f(x)/f(x) + g.f(x)/' >d.tutti
check "as tells them apart" "$tutti" check d.tutti
i=0
while [ $i -lt 20 ]; do
    printf 'use "deep%d.tutti"\n' $((i + 1)) >"deep$i.tutti"
    i=$((i + 1))
done
printf 'const end = 1\n' >deep20.tutti
"$tutti" check deep0.tutti >err 2>&1
check "files inside files have a limit" said err 'error[T018]'

mkdir plant away
cp -r "$top/tests/lang/use/." plant/
rm d.tutti d2.tutti
printf '{"id":"a","speed":1,"load":{"now":4},"kind":"FAST"}\n{"id":"b","speed":1,"load":{"now":11},"kind":"FAST"}\n' >in
printf '{"id":"a","twice":8,"over":2,"per":6.283185307179586,"now":4}\n' >want
"$tutti" run --batch --cache . plant/plant.tutti <in >out 2>err
check "--batch" cmp out want
"$tutti" build plant/plant.tutti --target lite -o away/plant 2>err
rm -r plant
(cd away && ./plant --batch <../in >../out 2>../err)
check "a Lite file carries what its program uses" cmp out want

# A .proto file and what it imports: seen from the program's file, carried along, part of the cache's key.
mkdir -p proto/lib away
printf 'syntax = "proto3"; import "lib/b.proto"; message A { b.B b = 1; }\n' >proto/a.proto
printf 'syntax = "proto3"; package b; message B { int32 n = 1; }\n' >proto/lib/b.proto
printf 'pipeline p {\n  from stdin as protobuf { b: { n: i32 } } proto "a.proto" message A\n  into stdout\n  on error drop\n}\n' >proto/p.tutti
printf '\004\012\002\010\007' >in
printf '{"b":{"n":7}}\n' >want
"$tutti" run --batch --cache . proto/p.tutti <in >out 2>err
check "a .proto file" cmp out want
"$tutti" build proto/p.tutti --target lite -o away/proto 2>err
(cd away && mv ../proto gone && ./proto --batch <../in >../out 2>../err && mv gone ../proto)
check "a Lite file carries .proto files" cmp out want
sed -i 's/= 1/= 2/' proto/lib/b.proto
printf '{"b":{"n":0}}\n' >want
"$tutti" run --batch --cache . proto/p.tutti <in >out 2>err
check "another .proto file, another program" cmp out want
printf 'message B { int32 n = 1 }\n' >proto/lib/b.proto
"$tutti" check proto/p.tutti 2>err
check "its findings name the file and the line" said err 'proto/lib/b.proto:1:25 |'
rm proto/lib/b.proto
"$tutti" check proto/p.tutti 2>err
check "an import that is not there" said err 'proto/a.proto:1:27 |'
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
