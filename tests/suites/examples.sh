#!/bin/sh
# tests/suites/examples.sh: every example passes `tutti check` and its own tests on every engine; so do the good
# programs of tests/lang that have tests. Every pipeline of an example has a test and is checked with restarts
# anywhere, batches split anywhere and every engine; a check says how many tests it repeated.
set -u
cd "$(dirname "$0")/../.."
tutti=${BUILD:-$PWD/build}/tutti
passed=0 failed=0
for file in $(git ls-files --cached --others --exclude-standard 'examples/*.tutti') \
    $(grep -l '^test ' tests/lang/good/*.tutti); do
    if ! "$tutti" check "$file"; then
        echo "$file: does not compile"
        failed=$((failed + 1))
        continue
    fi
    case "$file" in examples/*)
        out=$("$tutti" test "$file" 2>&1)
        for pipeline in $(sed -nE 's/^pipeline ([A-Za-z_0-9]+).*/\1/p' "$file"); do
            if grep -qxE "check $pipeline restart anywhere, split batches anywhere, every engine" "$file" &&
                echo "$out" | grep -qE "^check $pipeline: [1-9][0-9]* tests?, [1-9][0-9]+ runs"; then
                passed=$((passed + 1))
            else
                failed=$((failed + 1))
                echo "$file: pipeline $pipeline is not checked with restarts, batches and engines"
            fi
        done ;;
    esac
    for engine in $("$tutti" run --engine list | cut -d" " -f1); do
        out=$("$tutti" test --engine "$engine" "$file" 2>&1)
        echo "$engine $file: $out"
        line=$(echo "$out" | grep -E '^[0-9]+ passed, [0-9]+ failed' | tail -n 1)
        p=$(echo "$line" | sed -nE 's/^([0-9]+) passed.*/\1/p')
        f=$(echo "$line" | sed -nE 's/.* ([0-9]+) failed.*/\1/p')
        [ -n "$line" ] && [ "${p:-0}" -gt 0 ] || f=$((${f:-0} + 1)) # no tests is a failure too
        passed=$((passed + ${p:-0})) failed=$((failed + f))
    done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
