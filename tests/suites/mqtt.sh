#!/bin/sh
# tests/suites/mqtt.sh: the embedded broker with foreign clients: Debian's mosquitto_pub and
# mosquitto_sub. Each case compares what a subscriber printed with what has to come out.
set -u
cd "$(dirname "$0")/../.."
build=${ASAN_BUILD:-${BUILD:-$PWD/build}}
[ -x "$build/tests-tools/mqtt_broker" ] || build=${BUILD:-$PWD/build}
if ! command -v mosquitto_sub >/dev/null; then
    echo "mqtt: skipped, mosquitto-clients is not installed"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
dir=$(mktemp -d)
passed=0 failed=0
"$build/tests-tools/mqtt_broker" 127.0.0.1:0 --attach 'acked/#' --deny-subscribe secret \
    >"$dir/broker.out" 2>"$dir/broker.err" &
broker=$!
trap 'kill $broker 2>/dev/null; rm -rf "$dir"' EXIT
until_there() { # until_there WORD FILE: at most a minute
    tries=0
    until grep -q "$1" "$2" 2>/dev/null || [ $tries -gt 600 ]; do
        tries=$((tries + 1))
        timeout 0.1 tail -f /dev/null
    done
}
until_there '^port' "$dir/broker.out"
port=$(sed -n 's/^port //p' "$dir/broker.out")

check() { # check NAME FILE EXPECTED: the file's lines are the expected ones
    if [ "$(cat "$2")" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "mqtt: $1: expected \"$3\", got \"$(cat "$2")\""
    fi
}

# Subscribes, waits until the broker has the subscription (the marker comes through), publishes.
sub() { # sub FILE COUNT ARGS...: starts a subscriber that ends after COUNT messages
    file=$1 count=$2
    shift 2
    rm -f "$dir/$file.raw" # or the marker of an earlier case would be taken for this one's
    mosquitto_sub -p "$port" -W 90 -C $((count + 1)) -t marker/now "$@" >"$dir/$file.raw" &
    sub=$!
    # The marker is retained: it arrives with the subscription, whichever comes first.
    until_there marker "$dir/$file.raw"
}

done_sub() { # done_sub FILE: waits for the subscriber and takes the marker out
    wait "$sub"
    grep -v marker "$dir/$1.raw" >"$dir/$1"
}

pub() { mosquitto_pub -p "$port" "$@"; }

pub -r -t marker/now -m marker
for version in mqttv311 mqttv5; do
    for qos in 0 1 2; do
        sub "out$qos" 1 -V $version -q $qos -t "case/$version/+"
        pub -V $version -q $qos -t "case/$version/$qos" -m "hello $qos"
        done_sub "out$qos"
        check "$version qos $qos" "$dir/out$qos" "hello $qos"
    done
done

pub -r -q 1 -t keep/a -m kept
sub retained 1 -q 1 -t 'keep/#' -F '%r %p'
done_sub retained
sed 's/^1 marker$//' "$dir/retained" >"$dir/retained.only"
check "retained comes marked" "$dir/retained.only" "1 kept"
pub -r -n -t keep/a
sub cleared 1 -t 'keep/#' -t after
pub -t after -m end
done_sub cleared
check "an empty payload clears" "$dir/cleared" "end"

sub will 1 -t wills/+
mosquitto_sub -p "$port" -t marker/now --will-topic wills/a --will-payload gone --will-qos 1 -W 90 \
    >"$dir/victim" &
victim=$!
until_there marker "$dir/victim"
kill -9 $victim
wait $victim 2>/dev/null
done_sub will
check "a will is published when its client dies" "$dir/will" "gone"

sub acked 1 -q 1 -t acked/x
pub -q 2 -t acked/x -m through
done_sub acked
check "an attachment that acks lets QoS 2 through" "$dir/acked" "through"

pub -q 1 -t '$SYS/forged' -m no 2>/dev/null
sub sys 1 -t '$SYS/forged' -t after2
pub -t after2 -m end
done_sub sys
check "clients do not publish to \$ topics" "$dir/sys" "end"

sub v5 1 -V mqttv5 -t props -F '%R %D %C %P %p'
pub -V mqttv5 -t props -m p -D publish response-topic back/here -D publish correlation-data 77 \
    -D publish content-type text/plain -D publish user-property k v
done_sub v5
check "properties pass through" "$dir/v5" "back/here 77 text/plain k:v p"

kill $broker
wait $broker
code=$?
echo "$code$(cat "$dir/broker.err")" >"$dir/end"
check "SIGTERM ends it cleanly" "$dir/end" "0"
trap 'rm -rf "$dir"' EXIT
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
