#!/bin/sh
# tests/suites/http.sh: the HTTP server answers another implementation (curl) correctly.
set -u
program=${ASAN_BUILD:-build-asan}/http_peer
[ -x "$program" ] || program=${BUILD:-build}/http_peer
dir=$(mktemp -d)
passed=0 failed=0
mkfifo "$dir/in" "$dir/port"
"$program" <"$dir/in" >"$dir/port" 2>"$dir/err" &
pid=$!
exec 9>"$dir/in"
trap 'exec 9>&-; wait "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
read -r port <"$dir/port"
base=http://127.0.0.1:$port

check() { # check NAME WANT GOT
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: want $2, got $3"
    fi
}
status() { curl -s -o /dev/null -m 60 -w '%{http_code}' "$@"; }

head -c 900000 /dev/urandom >"$dir/body"
check get hello "$(curl -s -m 60 "$base/")"
check head 200 "$(status -I "$base/")"
check unknown 404 "$(status "$base/nope")"
check method 405 "$(status -X DELETE "$base/")"
check dots 400 "$(status --path-as-is "$base/../etc/passwd")"
check stream 3145728 "$(curl -s -m 60 "$base/stream" | wc -c | tr -d ' ')"
check stream10 3145728 "$(curl -s -0 -m 60 "$base/stream" | wc -c | tr -d ' ')"
curl -s -m 60 --data-binary "@$dir/body" "$base/echo" | cmp -s - "$dir/body"
check length-body 0 $?
curl -s -m 60 -H 'Transfer-Encoding: chunked' --data-binary "@$dir/body" "$base/echo" | cmp -s - "$dir/body"
check chunked-body 0 $?
cat "$dir/body" "$dir/body" >"$dir/big"
check too-large 413 "$(status -H 'Expect:' --data-binary "@$dir/big" "$base/echo")"
check keep-alive 1 "$(curl -s -o /dev/null -o /dev/null -o /dev/null -m 60 -w '%{num_connects}\n' \
    "$base/" "$base/" "$base/" | awk '{n += $1} END {print n}')"
exec 9>&-
wait "$pid"
check stops-cleanly 0 $?
[ -s "$dir/err" ] && cat "$dir/err"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
