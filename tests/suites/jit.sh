#!/bin/sh
# tests/suites/jit.sh: the engine jit where other suites do not look: what it says without its plug-in,
# that hundreds of swaps leave no memory behind, that LLVM's own linker serves where ours does not, and
# a whole server on it, with hot swaps, kill -9 and hostile records. (The suites batch, examples, oracle,
# numbers and unit/test_jit run it too.) Without LLVM 14 there is no plug-in, and all but the first part
# is skipped.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 skipped=0

check() { # check NAME COMMAND...
    name=$1
    shift
    if "$@" >"$dir/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        tail -n 20 "$dir/log"
    fi
}

ends() { # ends NAME COMMAND...: a suite of its own: adds its numbers
    name=$1
    shift
    "$@" >"$dir/log" 2>&1
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$dir/log" | tail -n 1)
    p=$(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p')
    f=$(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p')
    passed=$((passed + ${p:-0})) failed=$((failed + ${f:-1}))
    echo "$name: ${line:-no result}"
    [ "${f:-1}" = 0 ] || tail -n 40 "$dir/log"
}

# An executable with no plug-in beside it: what is missing, what to install, exit 2; the rest works.
mkdir -p "$dir/bare/bin"
cp "$build/tutti" "$dir/bare/bin/"
bare=$dir/bare/bin/tutti
says() { # says TEXT COMMAND...: exit 2 and the text
    want=$1
    shift
    "$@" >"$dir/said" 2>&1
    code=$?
    cat "$dir/said"
    [ "$code" = 2 ] && grep -q -- "$want" "$dir/said"
}
check "no plug-in: run says what to install" \
    says "install llvm-14-dev and clang-14" "$bare" run --batch --engine jit "$top/tests/bench/press.tutti"
check "no plug-in: serve says so before it starts" \
    says "needs its plug-in tutti-jit.so" "$bare" serve --engine jit --data "$dir/data"
check "no plug-in: it is not in the list" sh -c "! '$bare' run --engine list | grep -q '^jit'"
check "no plug-in: the others run" sh -c "cd '$top' && '$bare' test --engine interp examples"

if [ ! -f "$build/tutti-jit.so" ]; then
    echo "skipped: tutti-jit.so was not built; it needs llvm-14-dev and clang-14"
    echo "$passed passed, $failed failed, 4 skipped"
    [ "$failed" = 0 ]
    exit
fi

mkdir -p "$dir/bare/lib/tutti"
cp "$build/tutti-jit.so" "$dir/bare/lib/tutti/"
check "the plug-in is found in ../lib/tutti" sh -c "'$bare' run --engine list | grep -q '^jit'"
rm -rf "$dir/bare/lib"
cat >"$dir/other.c" <<'END'
const struct { const char *build; } tutti_jit = {"another build"};
END
if "${CC:-cc}" -shared -fPIC -o "$dir/bare/bin/tutti-jit.so" "$dir/other.c" 2>/dev/null; then
    check "a plug-in of another build is refused" \
        says "belongs to another build" "$bare" test --engine jit "$top/examples"
else
    echo "skipped: a plug-in of another build; there is no C compiler"
    skipped=$((skipped + 1))
fi

# An object is kept beside those of the C engine; a damaged one is not taken but made again.
mkdir -p "$dir/kept"
cat >"$dir/kept.tutti" <<'END'
pipeline kept {
  from stdin as json { t: time, s: string(8), l: [i32; 4]?, n: i32 }
  let sum = sum(l ?? [1])
  keep s, sum, l, n
  into stdout
  on error drop
}
END
for n in 1 2 3 x 5; do
    echo "{\"t\":\"2026-11-11T04:25:41.049Z\",\"s\":\"a$n\",\"l\":[$n,7],\"n\":$n}"
done >"$dir/records"
kept() { # the same bytes as before, and one whole object
    "$build/tutti" run --batch --engine jit --cache "$dir/kept" "$dir/kept.tutti" \
        <"$dir/records" >"$dir/rows" 2>"$dir/said" || return 1
    [ "$(ls "$dir/kept" | wc -l)" = 1 ] && [ "$(ls "$dir/kept"/*.jit | wc -l)" = 1 ] || return 1
    [ -f "$dir/rows.first" ] || cp "$dir/rows" "$dir/rows.first"
    [ -f "$dir/object" ] || cp "$dir/kept"/*.jit "$dir/object"
    [ -s "$dir/rows" ] && cmp "$dir/rows" "$dir/rows.first" && cmp "$dir/kept"/*.jit "$dir/object"
}
check "an object is kept" kept
object=$(ls "$dir/kept"/*.jit)
before=$(stat -c %i "$object") # its time is that of its last use
check "a kept object serves" kept
check "a kept object is not made again" [ "$before" = "$(stat -c %i "$object")" ]
printf 'x' | dd of="$object" bs=1 seek=700 conv=notrunc 2>/dev/null
check "a damaged object is made again" kept
truncate -s 900 "$object"
check "half an object is made again" kept

# Resident memory may vary by some pages; a leak of any object per swap is more.
for speed in quick full; do
    check "300 swaps keep their memory ($speed)" "$build/jit_swaps" "$build/tutti-jit.so" \
        "$top/tests/bench/press.tutti" 300 "$speed" 1500
    cat "$dir/log"
done

# What other processors do: LLVM links. The same rows, an object of its own, swaps that leave nothing.
export TUTTI_JIT_LINK=llvm
rm -rf "$dir/kept" "$dir/object"
mkdir "$dir/kept"
check "linked by LLVM: the same bytes" kept
check "linked by LLVM: a kept object serves" kept
check "linked by LLVM: 100 swaps keep their memory" "$build/jit_swaps" "$build/tutti-jit.so" \
    "$top/tests/bench/press.tutti" 100 full 3000
cat "$dir/log"
check "linked by LLVM: the examples' tests" sh -c "cd '$top' && '$build/tutti' test --engine jit examples"
unset TUTTI_JIT_LINK

cd "$top" || exit 1
ENGINE=jit BUILD=$build export ENGINE BUILD
ends "hostile records on jit" node tests/e2e/hostile.mjs
ends "hot swaps on jit" node tests/e2e/engine.mjs "QoS 1 under"
ends "kill -9 on jit" node tests/e2e/engine.mjs "kill -9 again"
ends "one decoder for several on jit" node tests/e2e/engine.mjs "share a decoder"

if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
