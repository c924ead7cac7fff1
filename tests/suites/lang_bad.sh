#!/bin/sh
# tests/suites/lang_bad.sh: every bad program gives exactly the codes at the places it names.
# The first lines of tests/lang/bad/*.tutti say `# expect: CODE line:col  CODE line:col ...`.
# Also: the code is known to `tutti explain`, and --json names the same findings.
set -u
cd "$(dirname "$0")/../.."
tutti=${ASAN_BUILD:-$PWD/build-asan}/tutti
passed=0 failed=0

found() { # the findings of one file as `CODE line:col`, sorted
    "$tutti" check "$1" 2>&1 | awk '
        /^(error|warning)\[/ { code = substr($1, index($1, "[") + 1); sub(/\].*/, "", code); next }
        code != "" && match($0, /:[0-9]+:[0-9]+ \|/) {
            print code " " substr($0, RSTART + 1, RLENGTH - 3); code = ""
        }
        /AddressSanitizer|runtime error/ { print "crash" }' | sort
}
for file in tests/lang/bad/*.tutti; do
    want=$(sed -n 's/^# expect: //p' "$file" | sed 's/  */ /g' |
        awk '{ for (i = 1; i < NF; i += 2) print $i " " $(i + 1) }' | sort)
    have=$(found "$file")
    if [ -n "$want" ] && [ "$want" = "$have" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  want: %s\n  have: %s\n' "$file" "$(echo "$want" | tr '\n' ',')" \
            "$(echo "$have" | tr '\n' ',')"
    fi
done
for code in $(sed -n 's/^# expect: //p' tests/lang/bad/*.tutti | tr ' ' '\n' | grep -E '^[A-Z][0-9]{3}$' | sort -u); do
    if "$tutti" explain "$code" | grep -q "^$code: "; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "tutti explain $code says nothing"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
