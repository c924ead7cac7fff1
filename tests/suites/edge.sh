#!/bin/sh
# tests/suites/edge.sh: the HTTP edge of a whole Lite process, asked by curl; values come from
# mosquitto_pub. Also: what was answered is still there after kill -9, and SIGTERM ends with 0.
set -u
program=${ASAN_BUILD:-build-asan}/lite_peer
[ -x "$program" ] || program=${BUILD:-build}/lite_peer
dir=$(mktemp -d)
passed=0 failed=0 pid=

start() {
    rm -f "$dir/out"
    mkfifo "$dir/out"
    "$program" --data "$dir/data" --http 127.0.0.1:0 --mqtt 127.0.0.1:0 >"$dir/out" 2>"$dir/err" &
    pid=$!
    exec 8<"$dir/out"
    read -r line <&8 # the line says both ports; end of file when it could not start
    base=$(echo "$line" | sed -nE 's|.*(http://127.0.0.1:[0-9]+)/.*|\1|p')
    mqtt=$(echo "$line" | sed -nE 's|.*MQTT port ([0-9]+).*|\1|p')
    api=$base/api/v1
}
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null; rm -rf "$dir"' EXIT

check() { # check NAME WANT GOT
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: want $2, got $3"
    fi
}
holds() { # holds NAME PART TEXT
    case $3 in
        *"$2"*) passed=$((passed + 1)) ;;
        *) failed=$((failed + 1)); echo "FAIL $1: no $2 in $3" ;;
    esac
}
status() { curl -s -o /dev/null -m 60 -w '%{http_code}' "$@"; }
get() { curl -s -m 60 -b "$dir/cookies" "$@"; }
json='Content-Type: application/json'
publish() { mosquitto_pub -h 127.0.0.1 -p "$mqtt" -q 1 -t "$1" -m "$2"; }

start
check healthz ok "$(curl -s "$base/healthz")"
check readyz ok "$(curl -s "$base/readyz")"
holds first-run '"setup":true' "$(curl -s "$api/auth/state")"
check rebinding 421 "$(status -H 'Host: evil.example' "$base/healthz")"
check anonymous 401 "$(status "$api/uns")"
check short-password 400 "$(status -H "$json" -d '{"password":"x"}' "$api/auth/setup")"
answer=$(curl -s -m 60 -c "$dir/cookies" -H "$json" -d '{"password":"correct horse 1"}' "$api/auth/setup")
holds setup '"roles":["view","operate","engineer","admin"]' "$answer"
case $answer in *session*) check no-session-in-body none "$answer" ;; esac
holds cookie '#HttpOnly_127.0.0.1' "$(cat "$dir/cookies")"
check setup-once 409 "$(status -H "$json" -d '{"password":"correct horse 2"}' "$api/auth/setup")"
check wrong-password 401 "$(status -H "$json" -d '{"name":"admin","password":"wrong horse 1"}' "$api/auth/login")"
token=$(curl -s -m 60 -H "$json" -d '{"name":"admin","password":"correct horse 1","bearer":true}' \
    "$api/auth/login" | sed -nE 's/.*"token":"([^"]+)".*/\1/p')
check bearer 200 "$(status -H "Authorization: Bearer $token" "$api/uns")"
check bad-bearer 401 "$(status -H "Authorization: Bearer x$token" "$api/uns")"

publish plant/press-01/temp 71.25
publish plant/press-01/temp 80
publish plant/press-02 '{"temp":{"value":60,"quality":"bad"},"state":"RUN"}'
holds tree '"path":"plant/press-02/state"' "$(get "$api/uns?prefix=plant&depth=0")"
holds value '"value":80,' "$(get "$api/uns/value/plant/press-01/temp")"
holds quality '"quality":"bad"' "$(get "$api/uns/value/plant/press-02/temp")"
holds history '"last":[71.25,80]' "$(get "$api/uns/history/plant/press-01/temp?from=-5m")"
holds search '"total":1' "$(get "$api/uns/search?q=state")"
holds overview '"plant/press-01/temp","plant/press-02/temp"' "$(get "$api/dashboards/overview")"
check unknown-parameter 400 "$(status -b "$dir/cookies" "$api/uns?nope=1")"
check not-there 404 "$(status -b "$dir/cookies" "$api/uns/value/none")"

board='{"title":"Line","version":0,"definition":{"columns":12,"widgets":[]}}'
own="Origin: $base"
check foreign-page 403 "$(status -b "$dir/cookies" -X PUT -H "$json" -H 'Origin: http://evil' -d "$board" "$api/dashboards/line")"
check no-origin 403 "$(status -b "$dir/cookies" -X PUT -H "$json" -d "$board" "$api/dashboards/line")"
check save 200 "$(status -b "$dir/cookies" -X PUT -H "$json" -H "$own" -d "$board" "$api/dashboards/line")"
check save-twice 409 "$(status -b "$dir/cookies" -X PUT -H "$json" -H "$own" -d "$board" "$api/dashboards/line")"

metrics=$(curl -s "$base/metrics")
holds metrics-paths 'tutti_uns_values 3' "$metrics"
holds metrics-mqtt 'tutti_mqtt_received_total 3' "$metrics"
holds openapi '"operationId":"uns.history"' "$(get "$api/openapi.json")"
holds modules '"name":"dashboards"' "$(get "$api/modules")"
# The connection stays: it is ended when the answer is there.
curl -s -i -N -m 60 -b "$dir/cookies" -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
    -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$base/ws" >"$dir/ws" &
socket=$!
tries=0
until grep -aq '^HTTP.*[0-9]' "$dir/ws" || ! kill -0 $socket 2>/dev/null || [ $tries -gt 600 ]; do
    tries=$((tries + 1))
    timeout 0.1 tail -f /dev/null
done
kill $socket 2>/dev/null
wait $socket 2>/dev/null
holds events '101 Switching Protocols' "$(tr -d '\0' <"$dir/ws")"
check socket-needs-sign-in 401 "$(status -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
    -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$base/ws")"

# The question for history has brought all values before it to the disk.
kill -9 "$pid"
wait "$pid" 2>/dev/null
start
holds signed-in-after-kill '"name":"admin"' "$(get "$api/auth/state")"
holds value-after-kill '"value":80,' "$(get "$api/uns/value/plant/press-01/temp")"
holds history-after-kill '"last":[71.25,80]' "$(get "$api/uns/history/plant/press-01/temp?from=-5m")"
holds dashboard-after-kill '"version":1' "$(get "$api/dashboards/line")"
own="Origin: $base"
check logout 200 "$(status -b "$dir/cookies" -c "$dir/after" -X POST -H "$own" "$api/auth/logout")"
check signed-out 401 "$(status -b "$dir/cookies" "$api/uns")"
kill -TERM "$pid"
wait "$pid"
check sigterm 0 $?
pid=
grep -v ' info ' "$dir/err" | head -20
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
