#!/bin/sh
# tests/suites/stdlib.sh: the standard library: its tests, its reference in docs/stdlib.md, and that each
# function is known to a program and to `tutti explain`.
set -u
cd "$(dirname "$0")/../.." || exit 1
tutti=${ASAN_BUILD:-$PWD/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$PWD/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
check() { # check NAME: of the last command
    if [ $? = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $1"; fi
}
"$tutti" test --cache "$dir" stdlib >"$dir/log" 2>&1
check "tutti test stdlib"
cat "$dir/log"
"$tutti" explain --stdlib | diff - docs/stdlib.md
check "docs/stdlib.md is what tutti explain --stdlib says"
"$tutti" fmt --check stdlib
check "stdlib is formatted"
for name in $(sed -n 's/^### //p' docs/stdlib.md); do
    "$tutti" explain "$name" | grep -q "^fn $name("
    check "tutti explain $name"
done
cat >"$dir/own.tutti" <<'END'
fn scale(x: f64, y: f64) -> f64 = x * y
pipeline own {
  from stdin as json { x: f64, on: bool }
  let a = scale(x, 2)  b = normalize(x, 0, 4)  up = rising(on)
  into stdout
  on error drop
}
test own "a name the program declares goes before the library's" {
  in { x: 2, on: true }
  expect stdout { a: 4, b: 0.5, up: true }
}
END
"$tutti" test --cache "$dir" "$dir/own.tutti" >/dev/null
check "a program's own name wins"
printf 'pipeline p { from stdin as json { n: i32 }  let a = lag2(n)  into stdout  on error drop }\n' >"$dir/inner.tutti"
! "$tutti" check "$dir/inner.tutti" >/dev/null 2>&1
check "what has no example is the file's own"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
