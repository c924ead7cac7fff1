#!/bin/sh
# tests/suites/check.sh: the house rules: the checker tests itself, then reads the tree; every
# header compiles alone; formatting is that of clang-format.
set -u
cd "$(dirname "$0")/../.."
build=${BUILD:-$PWD/build}
passed=0 failed=0

step() { # step NAME COMMAND...
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "check: $name failed"
    fi
}

files() {
    git ls-files --cached --others --exclude-standard "$@" | while read -r f; do
        [ -f "$f" ] && echo "$f"
    done
}

tree() { files | "$build/house_check"; }

# What lies at the top, and nothing that a program left there or a compiler made.
top() {
    stray=$({ files | grep -v / | grep -vxE '\..*|CMakeLists\.txt|LICENSE|Makefile|README\.md'
        files | grep / | cut -d/ -f1 | sort -u | grep -vxE '\.ci|compiler|runtime|stdlib|examples|tests|docs'
        files | grep -E '\.(so|o|a)$'; } || :)
    [ -z "$stray" ] || { echo "does not belong here: $stray"; return 1; }
}

headers() {
    bad=0
    llvm=$(llvm-config-14 --includedir 2>/dev/null || :)
    for header in $(files 'runtime/*.h' 'compiler/*.h' 'tests/*.h'); do
        [ -n "$llvm" ] || [ "$header" != compiler/emit_llvm/jit_int.h ] || continue
        "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -fsyntax-only -Iruntime -I. -Itests -I"$build/gen" \
            ${llvm:+-isystem "$llvm"} -x c "$header" || bad=1
    done
    return "$bad"
}

format() {
    files '*.c' '*.h' | xargs -r clang-format --dry-run -Werror
}

step "self-test of the checker" "$build/house_check" --self-test
step "house rules" tree
step "the top of the tree" top
step "headers compile alone" headers
step "clang-format" format
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
