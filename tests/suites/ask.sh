#!/bin/sh
# tests/suites/ask.sh: questions to real counterparts: a file made by the sqlite3 tool, a historian's
# file, an HTTP server in Node that fails first. On every engine.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tutti=${ASAN_BUILD:-$top/build-asan}/tutti
[ -x "$tutti" ] || tutti=${BUILD:-$top/build}/tutti
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
passed=0 failed=0
check() { # name got want
    if cmp -s "$2" "$3"; then passed=$((passed + 1)); else
        echo "FAIL $1"
        diff "$3" "$2" | head -20
        failed=$((failed + 1))
    fi
}

sqlite3 plant.db <<'SQL'
create table operator(name text, phone text, station text, level real, since text);
insert into operator values
 ('Ada', '030 1', 's1', 2.25, '2026-01-02T03:04:05Z'), ('Bob', null, 's1', 3.5, '2026-01-02T03:04:05Z'),
 ('Cleo "C", jr', null, 's3', 2.5, '2026-01-02T03:04:05Z'), ('Quo', '030 4', 'it''s', 4, '2026-01-02T03:04:05Z');
SQL
# The historian's file is made by a server that numbers are published to.
wait_for() { # wait_for COMMAND...
    n=0
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ $n -lt 400 ] || { echo "ask: waited in vain: $*"; exit 1; }
        node -e 'setTimeout(() => {}, 50)'
    done
}
free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'; }
web_port=$(free_port) mqtt_port=$(free_port)
"$tutti" serve --data data --http "127.0.0.1:$web_port" --mqtt "127.0.0.1:$mqtt_port" >serve.log 2>&1 &
server=$!
wait_for curl -fs "http://127.0.0.1:$web_port/readyz"
printf '%s\n' 71.25 72.5 '{"value":-3,"quality":"bad"}' |
    mosquitto_pub -h 127.0.0.1 -p "$mqtt_port" -q 1 -t line/speed -l
mosquitto_pub -h 127.0.0.1 -p "$mqtt_port" -q 1 -t line/other -m 9
kill "$server"
wait "$server"
server=
printf '%s\n' '{"path":"line/speed"}' '{"path":"line/none"}' '{"path":"line/other"}' >paths
cat >want_samples <<'OUT'
{"path":"line/speed","value":71.25,"quality":"good"}
{"path":"line/speed","value":72.5,"quality":"good"}
{"path":"line/speed","value":-3,"quality":"bad"}
{"path":"line/other","value":9,"quality":"good"}
OUT
sqlite3 data/history.db <<'SQL'
create table "h_press"(line text, machine text, power real, at integer);
insert into "h_press" values ('A','m1',10,1767323045000000000), ('A','m1',20,1767323046500000000),
 ('A','m2',5,1767323045000000000), ('B','m9',1,1767323045000000000), ('A','m1',1000,1);
SQL
printf '%s\n' '{"line":"A"}' '{"line":"C"}' '{"line":"B"}' >lines
cat >want_rows <<'OUT'
{"line":"A","machine":"m1","kw":15,"last":"2026-01-02T03:04:06.500Z"}
{"line":"A","machine":"m2","kw":5,"last":"2026-01-02T03:04:05Z"}
{"line":"B","machine":"m9","kw":1,"last":"2026-01-02T03:04:05Z"}
OUT
cat >server.mjs <<'JS'
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
let busy = 0;
createServer((req, res) => {
  let body = '';
  req.on('data', (d) => (body += d));
  req.on('end', () => {
    const url = new URL(req.url, 'http://x');
    const id = decodeURIComponent(url.pathname.slice(6));
    const answer = (code, value) => { res.writeHead(code); res.end(typeof value === 'string' ? value : JSON.stringify(value)); };
    if (req.method === 'POST') {
      const { id, n } = JSON.parse(body);
      return answer(200, [...Array(n).keys()].map((v) => ({ v, id })));
    }
    if (id === 'busy' && busy++ % 3 < 2) return answer(503, 'later');
    if (id === 'never') return; // no answer
    if (id === 'odd') return answer(200, { id, weight: 'heavy' });
    if (id === 'gone') return answer(404, '');
    if (id === 'text') return answer(200, '<html>');
    answer(200, { id, weight: Number(url.searchParams.get('n')) / 4, note: id === 'busy' ? null : `a "${id}", b` });
  });
}).listen(0, '127.0.0.1', function () { writeFileSync('port', `${this.address().port}\n`); });
JS
node server.mjs &
server=$!
n=0
until [ -s port ] || [ $n -gt 400 ]; do n=$((n + 1)); node -e 'setTimeout(() => {}, 25)'; done
port=$(cat port)
sed "s/PORT/$port/" "$top/tests/lang/ask/web.tutti" >web.tutti
for id in a busy 'x y/z&?' odd gone text never; do printf '{"id":"%s","n":3}\n' "$id"; done >ids
cat >want_web <<'OUT'
{"id":"a","n":3,"part":{"id":"a","weight":0.75,"note":"a \"a\", b"}}
{"id":"busy","n":3,"part":{"id":"busy","weight":0.75}}
{"id":"x y/z&?","n":3,"part":{"id":"x y/z&?","weight":0.75,"note":"a \"x y/z&?\", b"}}
OUT
cat >want_sent <<'OUT'
{"id":"q\"\\","total":3,"v":0}
{"id":"q\"\\","total":3,"v":1}
{"id":"q\"\\","total":3,"v":2}
OUT
printf 'web_down\nweb_down\nweb_down\nweb_down\n' >want_reasons

for engine in $("$tutti" run --engine list | cut -d" " -f1); do
    "$tutti" test --engine "$engine" --cache cache "$top/tests/lang/ask/sql.tutti" >log 2>&1 || cat log
    grep -E '^[0-9]+ passed' log >got
    echo '5 passed, 0 failed' >want
    check "$engine sql" got want
    "$tutti" run --batch --data data --engine "$engine" --cache cache "$top/tests/lang/ask/historian.tutti" <lines >got 2>stderr
    check "$engine historian" got want_rows
    "$tutti" run --batch --data data --engine "$engine" --cache cache "$top/tests/lang/ask/samples.tutti" <paths >got 2>stderr
    check "$engine samples" got want_samples
    "$tutti" run --batch --engine "$engine" --cache cache "$top/tests/lang/ask/historian.tutti" <lines >got 2>stderr
    check "$engine no historian: no rows" got /dev/null
    grep -c no_history stderr >got
    echo 3 >want
    check "$engine no historian: errors" got want
    "$tutti" run --batch --pipeline web --engine "$engine" --cache cache web.tutti <ids >got 2>stderr
    check "$engine http get" got want_web
    sed -E 's/.*"reason":"([a-z_]*)".*/\1/' errors.ndjson >got
    check "$engine http errors" got want_reasons
    printf '%s\n' '{"id":"q\"\\","n":3}' '{"id":"many","n":6}' |
        "$tutti" run --batch --pipeline sent --engine "$engine" --cache cache web.tutti >got 2>stderr
    check "$engine http post" got want_sent
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
