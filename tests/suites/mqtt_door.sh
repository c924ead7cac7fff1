#!/bin/sh
# tests/suites/mqtt_door.sh: who gets into the broker, with foreign clients: Debian's mosquitto_pub
# and mosquitto_sub, curl, and OpenSSL's certificates. Users, tokens, rules, TLS, renewal.
set -u
cd "$(dirname "$0")/../.."
tutti=${BUILD:-$PWD/build}/tutti
for program in mosquitto_sub curl openssl; do
    command -v $program >/dev/null && continue
    echo "mqtt_door: skipped, $program is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
done
dir=$(mktemp -d)
server=""
passed=0 failed=0
stop() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null
    server=""
}
trap 'stop; rm -rf "$dir"' EXIT

is() { # is NAME GOT WANTED
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: $2, not $3"
    fi
}

until_true() { # until_true COMMAND...: at most a minute
    tries=0
    until "$@" >/dev/null 2>&1 || [ $tries -gt 600 ]; do
        tries=$((tries + 1))
        timeout 0.1 tail -f /dev/null
    done
}

start() { # start NAME=VALUE...: the server, its ports in $http $plain $secure
    : >"$dir/out"
    : >"$dir/err"
    env TUTTI_ADMIN_PASSWORD='the boss 1' "$@" "$tutti" serve --data "$dir/data" \
        --http 127.0.0.1:0 --mqtt 127.0.0.1:0 >"$dir/out" 2>"$dir/err" &
    server=$!
    until_true sh -c "grep -q 'Tutti runs' '$dir/out' || grep -q '^tutti: ' '$dir/err'"
    http=$(grep -o 'http://[^ /]*' "$dir/out")
    plain=$(sed -n 's/.*MQTT port \([0-9]*\).*/\1/p' "$dir/out")
    secure=$(sed -n 's/.*listens with TLS  *port=\([0-9]*\).*/\1/p' "$dir/err")
}

sign_in() { # sign_in NAME PASSWORD: prints the token
    curl -s -X POST "$http/api/v1/auth/login" -H 'content-type: application/json' \
        -d "{\"name\":\"$1\",\"password\":\"$2\",\"bearer\":true}" |
        sed -n 's/.*"token":"\([^"]*\)".*/\1/p'
}

api() { # api METHOD PATH [BODY]
    curl -s -X "$1" "$http/api/v1/$2" -H "authorization: Bearer $token" \
        -H 'content-type: application/json' ${3:+-d "$3"}
}

# What a publish came to: ok, refused at the door, or not allowed (the reason code of PUBACK).
pub() { # pub PORT TOPIC OPTION...
    port=$1 topic=$2
    shift 2
    mosquitto_pub -h localhost -p "$port" -t "$topic" -m 1 -q 1 -V 5 "$@" >"$dir/pub" 2>&1
    case $?:$(cat "$dir/pub") in
    *"Bad User Name"* | *"Connection error: Not authorized"*) echo refused ;;
    *"Not authorized"*) echo "not allowed" ;;
    0:*) echo ok ;;
    *) cat "$dir/pub" ;;
    esac
}

# ---- certificates
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2>/dev/null; }
key "$dir/ca.key"
openssl req -x509 -key "$dir/ca.key" -out "$dir/ca.pem" -subj /CN=ca -days 2
printf 'subjectAltName=DNS:localhost' >"$dir/names"
for name in localhost admin stranger; do
    key "$dir/$name.key"
    openssl req -new -key "$dir/$name.key" -out "$dir/$name.csr" -subj "/CN=$name"
    openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
        -days 2 -out "$dir/$name.pem" -extfile "$dir/names" 2>/dev/null
done
openssl req -x509 -key "$dir/admin.key" -out "$dir/forged.pem" -subj /CN=admin -days 2

# ---- users, tokens and rules
start
until_true sh -c "curl -sf -X POST $http/api/v1/auth/login -H 'content-type: application/json' \
    -d '{\"name\":\"admin\",\"password\":\"the boss 1\"}'" # it is being made
token=$(sign_in admin 'the boss 1')
api POST auth/users '{"name":"vera","password":"vera secret","roles":["view"]}' >/dev/null
is "this machine, no name" "$(pub "$plain" a)" ok
is "right password" "$(pub "$plain" a -u admin -P 'the boss 1')" ok
is "wrong password" "$(pub "$plain" a -u admin -P 'the boss 2')" refused
is "no password" "$(pub "$plain" a -u admin)" refused
is "token" "$(pub "$plain" a -u admin -P "$token")" ok
is "somebody else's token" "$(pub "$plain" a -u vera -P "$token")" refused
is "a viewer publishes" "$(pub "$plain" a -u vera -P 'vera secret')" "not allowed"
is "the broker's own topics" "$(pub "$plain" '$SYS/a' -u admin -P 'the boss 1')" "not allowed"
is "rules of another version" \
    "$(api PUT authz/rules '{"version":7,"rules":[]}' | grep -c 'read them again')" 1
is "a wrong rule" \
    "$(api PUT authz/rules '{"version":1,"rules":[{"who":"all","may":"read","path":"a"}]}' |
        grep -c 'rule 1 is about')" 1
api PUT authz/rules '{"version":1,"rules":[
    {"who":"user:vera","may":"write","path":"home/%u/#"},
    {"who":"everyone","may":"read","path":"public/#"}]}' >/dev/null
is "allowed by the new rules" "$(pub "$plain" home/vera/x -u vera -P 'vera secret')" ok
is "not allowed by them" "$(pub "$plain" home/adam/x -u vera -P 'vera secret')" "not allowed"
is "nor the anonymous" "$(pub "$plain" a)" "not allowed"
is "which rule" "$(api GET 'authz/check?user=vera&role=view&may=write&path=home/vera/x')" \
    '{"allowed":true,"rule":1}'
is "subscription that no rule covers" \
    "$(mosquitto_sub -p "$plain" -t '#' -V 5 -W 60 -E 2>&1 | grep -c 'Not authorized\|denied')" 1
is "a viewer may not see the rules" \
    "$(token=$(sign_in vera 'vera secret') && api GET authz/rules | grep -c '"rules"')" 0
stop
start
token=$(sign_in admin 'the boss 1')
is "rules hold after a restart" "$(pub "$plain" a)" "not allowed"
api PUT authz/rules '{"version":2,"rules":[{"who":"role:admin","may":"read write","path":"#"}]}' >/dev/null
stop

# ---- TLS
start TUTTI_MQTT_TLS=127.0.0.1:0
is "TLS without a certificate is said" "$(grep -c 'TUTTI_MQTT_TLS_CERT' "$dir/err")" 1
wait "$server"
is "and ends the start" "$?" 2
server=""
start TUTTI_MQTT_TLS=127.0.0.1:0 TUTTI_MQTT_TLS_CERT="$dir/localhost.pem" TUTTI_MQTT_TLS_KEY="$dir/admin.key"
is "a key of another certificate is said" "$(grep -c 'is not the one of the certificate' "$dir/err")" 1
wait "$server"
server=""
start TUTTI_MQTT_ANONYMOUS=off TUTTI_MQTT_TLS=127.0.0.1:0 TUTTI_MQTT_TLS_CERT="$dir/localhost.pem" \
    TUTTI_MQTT_TLS_KEY="$dir/localhost.key" TUTTI_MQTT_TLS_CLIENT_CA="$dir/ca.pem"
tls="--cafile $dir/ca.pem"
is "password over TLS" "$(pub "$secure" a $tls -u admin -P 'the boss 1')" ok
is "nobody over TLS" "$(pub "$secure" a $tls)" refused
is "a user's certificate" "$(pub "$secure" a $tls --cert "$dir/admin.pem" --key "$dir/admin.key")" ok
is "a certificate of no user" \
    "$(pub "$secure" a $tls --cert "$dir/stranger.pem" --key "$dir/stranger.key")" refused
is "a certificate nobody signed" \
    "$(pub "$secure" a $tls --cert "$dir/forged.pem" --key "$dir/admin.key" | grep -c -i 'error')" 1
is "plain MQTT at the TLS port" "$(pub "$secure" a -u admin -P 'the boss 1' | grep -c -i error)" 1
for version in tls1 tls1_1; do
    is "$version" "$(openssl s_client -connect "127.0.0.1:$secure" -$version -cipher 'ALL:@SECLEVEL=0' \
        </dev/null 2>&1 | grep -c 'Cipher is (NONE)')" 1
done
for version in tls1_2 tls1_3; do
    is "$version" "$(openssl s_client -connect "127.0.0.1:$secure" -$version </dev/null 2>&1 |
        grep -c 'Cipher is (NONE)')" 0
done
# A large message goes through records and partial writes.
openssl rand 900000 >"$dir/big"
: >"$dir/subscribed"
mosquitto_sub -h localhost -p "$secure" $tls --cert "$dir/admin.pem" --key "$dir/admin.key" \
    -t big -C 1 -N -W 60 -i big-reader >"$dir/got" &
reader=$!
until_true sh -c "curl -s '$http/api/v1/mqtt/clients' -H 'authorization: Bearer $(sign_in admin 'the boss 1')' | grep -q 'big-reader.*\"subscriptions\":1'"
mosquitto_pub -h localhost -p "$secure" $tls -u admin -P 'the boss 1' -t big -q 1 -f "$dir/big"
wait "$reader"
is "900,000 bytes over TLS" "$(cmp "$dir/big" "$dir/got" && echo same)" same
stop

# ---- pages, API and WebSockets over TLS
start TUTTI_HTTP_TLS=127.0.0.1:0
is "TLS without a certificate is said" \
    "$(grep -c 'TUTTI_HTTP_TLS_CERT and TUTTI_HTTP_TLS_KEY' "$dir/err")" 1
stop
start TUTTI_MQTT_ANONYMOUS=any TUTTI_HTTP_TLS=127.0.0.1:0 TUTTI_HTTP_TLS_CERT="$dir/localhost.pem" \
    TUTTI_HTTP_TLS_KEY="$dir/localhost.key"
site="https://localhost:$secure"
over() { curl -s --cacert "$dir/ca.pem" "$@"; }
until_true sh -c "[ \"\$(curl -s '$http/readyz')\" = ok ]"
is "the same pages" "$(over "$site/" | cksum)" "$(curl -s "$http/" | cksum)"
signed_in() {
    over -i -X POST "$site/api/v1/auth/login" -H 'content-type: application/json' \
        -d '{"name":"admin","password":"the boss 1"}' | grep -i '^set-cookie:'
}
until_true signed_in
is "the cookie goes over TLS only" "$(signed_in | grep -c '; Secure')" 1
is "who is not trusted" "$(curl -s "$site/"; echo $?)" 60
head -c 900000 /dev/zero | tr '\0' ' ' >"$dir/spaces"
is "a long body, which is refused in words" "$(over -X POST "$site/api/v1/auth/login" \
    -H 'content-type: application/json' --data-binary "@$dir/spaces" | grep -c '"error"')" 1
# OpenSSL says so when the connection ends and TLS does not.
printf 'GET /readyz HTTP/1.1\r\nHost: localhost:%s\r\nConnection: close\r\n\r\n' "$secure" |
    timeout 60 openssl s_client -quiet -ign_eof -connect "127.0.0.1:$secure" >"$dir/got" 2>"$dir/tls"
is "the end is said" "$(grep -c '^HTTP/1.1 200' "$dir/got") $(grep -c 'unexpected eof' "$dir/tls")" "1 0"
# A frame with CONNECT of 3.1.1, masked by zeros; CONNACK comes in a frame of its own. Then PINGREQ.
hex() { od -An -v -tx1 "$dir/ws" | tr -d ' \n'; }
answered() { hex | grep -q '0d0a0d0a820420020000'; }
pinged() { hex | grep -q '0d0a0d0a8204200200008202d000'; }
: >"$dir/ws"
{
    printf 'GET /mqtt HTTP/1.1\r\nHost: localhost:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' "$secure"
    printf 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
    printf 'Sec-WebSocket-Protocol: mqtt\r\n\r\n\202\217\0\0\0\0\020\015\0\004MQTT\004\002\0\074\0\001w'
    until_true answered
    printf '\202\202\0\0\0\0\300\0'
    until_true pinged
    printf '\210\200\0\0\0\0'
} | timeout 60 openssl s_client -quiet -ign_eof -connect "127.0.0.1:$secure" >"$dir/ws" 2>"$dir/tls"
is "MQTT over WebSocket over TLS" "$(pinged && echo ok)" ok
stop

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
