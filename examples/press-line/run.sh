#!/bin/sh
# examples/press-line/run.sh: the simulated plant and Tutti over it, in the foreground.
# `make run` builds and calls this. Ctrl-C stops everything; all files stay in build/demo.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
http=${HTTP:-127.0.0.1:8080}
mkdir -p "$build/demo"
cd "$build/demo" || exit 1 # where the pipelines' files go
pids=""

stop() {
    trap - INT TERM EXIT
    for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
    for pid in $pids; do wait "$pid" 2>/dev/null; done
    echo "press-line: stopped"
}
trap 'stop; exit 0' INT TERM
trap stop EXIT

"$build/plant/plant_meter" --listen 127.0.0.1:1502 &
pids="$!"
"$build/tutti" run "$top/examples/press-line" --data data --http "$http" --mqtt 127.0.0.1:1883 &
main=$!
pids="$main $pids"
tries=0
until curl -sf -o /dev/null "http://$http/readyz"; do
    kill -0 "$main" 2>/dev/null || exit 1
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { echo "press-line: not ready within 30 s"; exit 1; }
    sleep 0.1
done
"$build/plant/plant_presses" --broker 127.0.0.1:1883 &
pids="$pids $!"
echo
echo "  Tutti runs the press line:  http://$http/"
echo "  Ctrl-C stops it."
echo
wait "$main"
