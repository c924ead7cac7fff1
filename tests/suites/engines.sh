#!/bin/sh
# tests/suites/engines.sh: can anybody tell the engines apart? Every program of tests/lang/batch with its
# records, a wide type with the hostile records of the fuzz corpus, and programs and records made at
# random (tests/gen) go through all engines under plans that cut, interrupt and move them; all there is
# to see must be the same. SEED repeats a run, PROGRAMS makes it longer (`make fuzz` does).
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
compare=${ASAN_BUILD:-$top/build-asan}/tests-tools/compare
tutti=${BUILD:-$top/build}/tutti
[ -x "$compare" ] || compare=${BUILD:-$top/build}/tests-tools/compare
[ ! -f "${compare%/*/*}/tutti-jit.so" ] || export TUTTI_JIT="${compare%/*/*}/tutti-jit.so"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
seed=${SEED:-20261128} # the same on every machine; SEED=$(date +%s) tries others
passed=0 failed=0
echo "seed $seed"
try() { # try NAME PROGRAM RECORDS
    mkdir -p "$dir/$1"
    for pipeline in $(sed -nE 's/^pipeline ([a-z_0-9]+).*/\1/p' "$2"); do cp "$3" "$dir/$1/$pipeline.in"; done
    if out=$(cd "$top" && "$compare" --seed "$seed" "$2" "$dir/$1" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: $out"
    fi
}

for program in "$top"/tests/lang/batch/*.tutti; do
    try "$(basename "$program" .tutti)" "$program" "${program%.tutti}.in"
done

cat >"$dir/wide.tutti" <<'END'
type Inner = { a: f64?, b: string(8)?, n: { i: i32? }? }
type Wide = {
  a: i64?, b: string(16)?, s: string(8)?, ts: time?, x: f64?, n: i32?, ok: bool?, e: enum { A, RUN, IDLE }?
  inner: Inner?, xs: [f64; 4]?, any: json?, d: duration?, p: decimal(2)?, by: bytes(8)?, t: tag f64?, u: u64?
}
pipeline wide { from stdin as json Wide  into stdout  on error into uns "e" }
pipeline lazy { from stdin as json Wide check lazy  keep a, s, x  into stdout  on error into uns "e" }
pipeline dropped {
  from stdin as json Wide check lazy
  where (a ?? 0) > 1 and e exists or b exists and b starts_with "x" and xs exists and xs[1] > 2
  keep a, s, x, ts, any
  into stdout
  on error into uns "e"
}
pipeline strict { from stdin as json Wide check strict unknown reject  keep a, x  into stdout  on error into uns "e" }
END
cat "$top"/tests/fuzz/corpus/scan/* "$top"/tests/fuzz/corpus/json/* "$top"/tests/lang/batch/*.in >"$dir/hostile" 2>/dev/null
try wide "$dir/wide.tutti" "$dir/hostile"

out=$(node "$top/tests/gen/gen.mjs" "$tutti" "$compare" "$dir/gen" --seed "$seed" --programs "${PROGRAMS:-4}")
echo "$out"
line=$(echo "$out" | grep -aE '^[0-9]+ passed, [0-9]+ failed' | tail -n 1)
p=$(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p')
f=$(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p')
passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
