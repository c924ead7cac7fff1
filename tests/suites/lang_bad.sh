#!/bin/sh
# tests/suites/lang_bad.sh: every bad program gives exactly the codes at the places it names.
# The first lines of tests/lang/bad/*.tutti say `# expect: CODE line:col  CODE line:col ...`.
# Also: the code is known to `tutti explain`, and --json names the same findings.
set -u
cd "$(dirname "$0")/../.."
tutti=${ASAN_BUILD:-$PWD/build-asan}/tutti
quick=${BUILD:-$PWD/build}/tutti # for what says the same without the sanitizer
passed=0 failed=0

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

found() { # the findings of files as `FILE CODE line:col`
    "$tutti" check "$@" 2>&1 | awk '
        /^(error|warning)\[/ { code = substr($1, index($1, "[") + 1); sub(/\].*/, "", code); next }
        code != "" && match($0, /:[0-9]+:[0-9]+ \|/) {
            path = substr($0, 1, RSTART - 1); sub(/^ */, "", path)
            print path " " code " " substr($0, RSTART + 1, RLENGTH - 3); code = ""
        }
        /AddressSanitizer|runtime error/ { print "crash" }'
}

of() { # of FILE: its findings in a list of them
    awk -v file="$1" '$1 == file { print $2 ($3 == "" ? "" : " ") $3 }' "$2" | sort
}

# Ten files in one go, for the sanitized command takes long to start. It stops at 50 findings: then, and
# when it crashed, each by itself.
group() {
    found "$@" >"$dir/group"
    if [ "$(wc -l <"$dir/group")" -lt 50 ] && ! grep -q crash "$dir/group"; then
        cat "$dir/group"
        return
    fi
    for one in "$@"; do
        found "$one" | sed "s|^crash|$one crash|"
    done
}
set -- tests/lang/bad/*.tutti
while [ $# -gt 10 ]; do
    group "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" "${10}"
    shift 10
done >"$dir/all"
group "$@" >>"$dir/all"
for file in tests/lang/bad/*.tutti; do
    want=$(sed -n 's/^# expect: //p' "$file" | sed 's/  */ /g' |
        awk '{ for (i = 1; i < NF; i += 2) print $i " " $(i + 1) }' | sort)
    have=$(of "$file" "$dir/all")
    if [ "$want" != "$have" ]; then # what stands behind all other errors is not told beside them
        found "$file" | sed "s|^crash|$file crash|" >"$dir/one"
        have=$(of "$file" "$dir/one")
    fi
    if [ -n "$want" ] && [ "$want" = "$have" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  want: %s\n  have: %s\n' "$file" "$(echo "$want" | tr '\n' ',')" \
            "$(echo "$have" | tr '\n' ',')"
    fi
done
for code in $(sed -n 's/^# expect: //p' tests/lang/bad/*.tutti | tr ' ' '\n' | grep -E '^[A-Z][0-9]{3}$' | sort -u); do
    if "$quick" explain "$code" | grep -q "^$code: "; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "tutti explain $code says nothing"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
