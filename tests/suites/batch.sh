#!/bin/sh
# tests/suites/batch.sh: programs of tests/lang/batch through `tutti run --batch`: the bytes that come
# out are compared with NAME.out (or, where rows of several sinks may mix, as sorted lines with
# NAME.sorted), the counters with NAME.counts, the reasons and fields of errors with NAME.fields, files
# it writes with those in NAME.files, the records that its error files hold with NAME.named. All were written by hand from the exact rules of the language. Each case also runs through a pipe,
# where input arrives in parts; and all of it on every engine there is.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
check() { # check NAME GOT WANT
    if cmp -s "$2" "$3"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        diff "$2" "$3" | head -20
    fi
}
cd "$dir" || exit 1
ln -s "$top/tests" tests # programs name files as seen from the top
for engine in $("$tutti" run --engine list | cut -d" " -f1); do
for program in "$top"/tests/lang/batch/*.tutti; do
    name=$(basename "$program" .tutti)
    base=$top/tests/lang/batch/$name
    "$tutti" run --batch --engine "$engine" --cache "$dir" "$program" <"$base.in" >got 2>stderr || { cat stderr; echo "exit $?" >>got; }
    if [ -f "$base.out" ]; then
        check "$engine $name" got "$base.out"
        { head -n 1 "$base.in"; tail -n +2 "$base.in"; } | cat | \
            "$tutti" run --batch --engine "$engine" --cache "$dir" "$program" >got 2>stderr
        check "$engine $name from a pipe" got "$base.out"
    fi
    if [ -f "$base.sorted" ]; then
        sort "$base.sorted" >want
        sort got >sorted
        check "$engine $name" sorted want
        { head -n 1 "$base.in"; tail -n +2 "$base.in"; } | cat | \
            "$tutti" run --batch --engine "$engine" --cache "$dir" "$program" 2>stderr | sort >got
        check "$engine $name from a pipe" got want
    fi
    if [ -f "$base.counts" ]; then
        "$tutti" run --batch --stats --engine "$engine" --cache "$dir" "$program" <"$base.in" 2>&1 >/dev/null | sed -nE \
            's/.*"pipeline":"([a-z_]*)","in":([0-9]*),"emitted":([0-9]*),"state":([0-9]*),"filtered":([0-9]*),"late":([0-9]*),"errors":([0-9]*),"rows":([0-9]*),.*/\1 in \2 emitted \3 state \4 filtered \5 late \6 errors \7 rows \8/p' >counts
        check "$engine $name: counters" counts "$base.counts"
    fi
    if [ -d "$base.files" ]; then
        for want in "$base.files"/*; do
            check "$engine $name: file $(basename "$want")" "$(basename "$want")" "$want"
            rm -f "$(basename "$want")"
        done
    fi
    if [ -f "$base.named" ]; then
        for file in dead-*.ndjson; do sed -E "s/.*\"raw\":\"(.*)\"\}\$/$file \1/; s/\\\\\"/\"/g" "$file"; rm -f "$file"; done >names
        check "$engine $name: error files" names "$base.named"
    fi
    if [ -f "$base.fields" ]; then
        sed -E 's/^\{"reason":"([a-z_]*)"(,"field":"([^"]*)")?.*/\1 \3/; s/ $/ -/' got >fields
        check "$engine $name: reasons" fields "$base.fields"
    fi
done
done

# Error records in another format: a row of their fields. `at` is the moment of the run.
cat >formats.tutti <<'END'
type R = { n: i32 }
pipeline formats {
  from stdin as json R
  let x = 10 div n
  into stdout
  on error into file "errors.csv" as csv and file "errors.mp" as msgpack
}
pipeline back {
  from file "errors.mp" as msgpack { reason: string(20), field: string(20)?, stage: string(10), raw: string(40)? }
  into file "back.ndjson"
  on error into file "none.ndjson"
}
END
cat >want.csv <<'END'
reason,field,message,pipeline,stage,at,raw
div_zero,x,division by zero,formats,let,T,"{""n"":0}"
bad_json,,the record is not well-formed,formats,from,T,"{""n"""
END
printf '%s\n' '{"reason":"div_zero","field":"x","stage":"let","raw":"{\"n\":0}"}' \
    '{"reason":"bad_json","stage":"from","raw":"{\"n\""}' >want.back
for engine in $("$tutti" run --engine list | cut -d" " -f1); do
    printf '{"n":5}\n{"n":0}\n{"n"\n' | "$tutti" run --batch --engine "$engine" --cache "$dir" --pipeline formats formats.tutti >/dev/null 2>stderr
    sed -E 's/,[0-9]{4}-[0-9T:.-]*Z,/,T,/' errors.csv >got
    check "$engine: error records as csv" got want.csv
    "$tutti" run --batch --engine "$engine" --cache "$dir" --pipeline back formats.tutti </dev/null >/dev/null 2>stderr
    check "$engine: error records as msgpack" back.ndjson want.back
    rm -f errors.csv errors.mp back.ndjson
done

# Lines longer than one read, and about as long: from a file, from a pipe, the last one unended.
cat >long.tutti <<'END'
type L = { text: string(1000000), n: i32 }
pipeline long {
  from stdin as json L
  keep n
  into stdout
  on error drop
}
END
for n in 10 300000 5 262143 262144 262145 100 524270 900000 4096 999999 4095 1; do
    printf '{"text":"%s","n":%s}\n' "$(head -c $n /dev/zero | tr '\0' x)" $n
    echo "{\"n\":$n}" >&3
done >long.in 3>long.want
printf '{"text":"","n":0}' >>long.in
echo '{"n":0}' >>long.want
"$tutti" run --batch --engine interp long.tutti <long.in >got 2>&1
check "long lines" got long.want
cat long.in | "$tutti" run --batch --engine interp long.tutti >got 2>&1
check "long lines from a pipe" got long.want
{ head -c 17000000 /dev/zero | tr '\0' ' '; cat long.in; } |
    "$tutti" run --batch --engine interp long.tutti >/dev/null 2>got
grep -o 'a record is longer than 16 MiB' got >told
echo 'a record is longer than 16 MiB' >want
check "a line that is too long" told want
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
