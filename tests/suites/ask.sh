#!/bin/sh
# tests/suites/ask.sh: questions to real counterparts: a file made by the sqlite3 tool, a historian's
# file, an HTTP server in Node that fails first, and one that answers only when enough questions are there
# at once (nothing here looks at a clock). On every engine.
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
sqlite3 works.db <<'SQL'
create table machine(id text primary key, line text, tool text, rated real, owner text);
insert into machine values ('m1','A','T1',100,'ada'), ('m2','A','T2',50,'bob'), ('m3','B','T3',80,null);
create table operator(name text primary key, phone text, boss text);
insert into operator values ('ada','030 1','cleo'), ('bob',null,'cleo'), ('cleo','030 3',null);
create table bom(product text, part text, qty int);
insert into bom values ('P1','bolt',4), ('P1','nut',4), ('P2','rod',1), ('P3','bolt',2), ('P3','rod',2), ('P3','cap',1);
create table stock(part text primary key, have int, bin text);
insert into stock values ('bolt',100,'B1'), ('nut',3,'B2'), ('rod',0,'B3');
create table tariff(hour int primary key, price real);
insert into tariff values (10,0.25), (11,0.5), (12,1.0);
create table limits(line text primary key, hi real, lo real);
insert into limits values ('A',60,10), ('B',40,5);
SQL
printf 'id,site,shift\nm1,berlin,early\nm2,berlin,late\nm3,bonn,early\n' >sites.csv
printf 'reach,n,lines\n1,3,2\n1,3,2\n' >want_report.csv
# The historian's file is made by a server that numbers are published to.
wait_for() { # wait_for COMMAND...
    n=0
    until "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        [ $n -lt 1000 ] || { echo "ask: waited in vain: $*"; exit 1; }
        node -e 'setTimeout(() => {}, 50)'
    done
}
"$tutti" serve --data data --http 127.0.0.1:0 --mqtt 127.0.0.1:0 >serve.log 2>&1 &
server=$!
wait_for grep -q 'MQTT port [0-9]' serve.log
web_port=$(sed -nE 's|.*http://127.0.0.1:([0-9]+)/.*|\1|p' serve.log | head -n 1)
mqtt_port=$(sed -nE 's|.*MQTT port ([0-9]+).*|\1|p' serve.log | head -n 1)
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
// Questions come in groups (?g=): how many are still to come is told by /start/N, how many were there at once by /most.
const groups = new Map();
function four(g, res, id) {
  g.open++;
  g.left--;
  g.most = Math.max(g.most, g.open);
  g.held.push(() => { g.open--; res.end(JSON.stringify({ w: id * id })); });
  if (g.open < 4 && g.left > 0) return;
  for (const answer of g.held.splice(0).reverse()) answer();
}
createServer((req, res) => {
  let body = '';
  req.on('data', (d) => (body += d));
  req.on('end', () => {
    const url = new URL(req.url, 'http://x');
    const id = decodeURIComponent(url.pathname.slice(6));
    const answer = (code, value) => { res.writeHead(code); res.end(typeof value === 'string' ? value : JSON.stringify(value)); };
    const [, kind, number] = url.pathname.split('/');
    const name = url.searchParams.get('g') ?? '';
    if (kind === 'start') { groups.set(name, { left: Number(number), open: 0, most: 0, held: [] }); return answer(200, 'ok'); }
    const g = groups.get(name);
    if (kind === 'most') return answer(200, `${g.most}\n`);
    if (kind === 'four') return four(g, res, Number(number));
    if (kind === 'held') {
      g.left--;
      if (number === '1') g.held.push(() => answer(200, { w: 1 }));
      else answer(200, { w: Number(number) });
      if (g.left === 0) for (const last of g.held.splice(0)) last();
      return;
    }
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
sed "s/PORT/$port/" "$top/tests/lang/ask/many.tutti" >many.tutti
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
cat >tell.mjs <<'JS'
const r = await fetch(`http://127.0.0.1:${process.argv[2]}${process.argv[3]}`);
process.stdout.write(await r.text());
JS
# Twelve are asked about: 13 and 14 have n = 2, 5 divides by zero.
: >many
for id in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    n=1
    case $id in 13 | 14) n=2 ;; esac
    printf '{"id":%s,"n":%s}\n' $id $n >>many
done
cat >want_many <<'OUT'
{"id":1,"part":{"w":1}}
{"id":2,"part":{"w":4},"step":3}
{"id":3,"part":{"w":9},"step":5}
{"id":4,"part":{"w":16},"step":7}
{"id":6,"part":{"w":36},"step":20}
{"id":7,"part":{"w":49},"step":13}
{"id":8,"part":{"w":64},"step":15}
{"id":9,"part":{"w":81},"step":17}
{"id":10,"part":{"w":100},"step":19}
{"id":11,"part":{"w":121},"step":21}
{"id":12,"part":{"w":144},"step":23}
{"id":15,"part":{"w":225},"step":81}
OUT
for id in 1 2 3 4 5 6 7 8 9; do printf '{"id":%s,"n":9}\n' $id; done >loose
for id in 2 3 4 5 6 7 8 9 1; do printf '{"id":%s,"part":{"w":%s}}\n' $id $id; done >want_loose
node -e 'let t = Date.UTC(2026, 10, 23, 10), s = 7;
const r = (n) => (s = (s * 48271) % 2147483647) % n;
for (let i = 0; i < 400; i++) { t += r(400); if (r(90) === 0) t += r(20000);
  console.log(JSON.stringify({ ts: new Date(t - (r(4) ? 0 : r(5000))).toISOString(), k: "k" + r(3), i: r(40) })); }' >timed
# One question behind another: 5 divides by zero in front of both, 6 is refused between them.
for id in 1 2 3 4 6 7 8 9 10 11 12 15; do [ $id = 6 ] || echo $id; done |
    awk '{ a = $1 * $1; b = a * a; printf "{\"id\":%d,\"a\":%d,\"b\":%d", $1, a, b; if (NR > 1) printf ",\"step\":%d", b - last; print "}"; last = b }' >want_chain
# Nine windows of one to nine records: eight close while records come, the ninth at the end.
node -e 'for (let w = 0; w < 9; w++) for (let i = 0; i <= w; i++) console.log(JSON.stringify({ ts: new Date(Date.UTC(2026, 10, 23, 10) + w * 10000 + i).toISOString(), k: "k", v: 1 }));' >windows
node -e 'for (let w = 0; w < 9; w++) console.log(JSON.stringify({ start: new Date(Date.UTC(2026, 10, 23, 10) + w * 10000).toISOString().replace(".000", ""), n: w + 1, w: (w + 1) ** 2 }));' >want_windows
# Three clocks, a record of each in turn, three seconds apart: a window closes when its own clock has passed it.
node -e 'for (let i = 1; i <= 12; i++) console.log(JSON.stringify({ ts: new Date(Date.UTC(2026, 10, 23, 10) + i * 3000).toISOString(), k: "cab"[i % 3], v: i }));' >clocks
cat >want_clocks <<'OUT'
{"k":"a","n":1,"s":1}
{"k":"b","n":1,"s":4}
{"k":"c","n":1,"s":9}
{"k":"a","n":1,"s":16}
{"k":"b","n":1,"s":25}
{"k":"c","n":1,"s":36}
{"k":"b","n":1,"s":64}
{"k":"c","n":1,"s":81}
{"k":"a","n":1,"s":49}
{"k":"a","n":1,"s":100}
{"k":"b","n":1,"s":121}
{"k":"c","n":1,"s":144}
OUT
printf 'web_down\nweb_down\nweb_down\nweb_down\n' >want_reasons

# A question as long as a screen: 6,000 blanks before the condition.
blanks=$(printf '%6000s' '')
sed "s/ where path/$blanks where path/" "$top/tests/lang/ask/samples.tutti" >long.tutti

"$tutti" test --cache cache "$top/tests/lang/ask/works.tutti" >log 2>&1 || cat log
grep -E '^[0-9]+ passed' log >got
echo '22 passed, 0 failed' >want
check "programs of a plant, restarted anywhere, on every engine" got want
i=0
until [ $i = 3000 ]; do i=$((i + 1)) && echo "{\"i\":$i}"; done >numbers

for engine in $("$tutti" run --engine list | cut -d" " -f1); do
    "$tutti" test --engine "$engine" --cache cache "$top/tests/lang/ask/sql.tutti" >log 2>&1 || cat log
    grep -E '^[0-9]+ passed' log >got
    echo '5 passed, 0 failed' >want
    check "$engine sql" got want
    "$tutti" run --batch --data data --engine "$engine" --cache cache "$top/tests/lang/ask/historian.tutti" <lines >got 2>stderr
    check "$engine historian" got want_rows
    "$tutti" run --batch --data data --engine "$engine" --cache cache "$top/tests/lang/ask/samples.tutti" <paths >got 2>stderr
    check "$engine samples" got want_samples
    "$tutti" run --batch --data data --engine "$engine" --cache cache long.tutti <paths >got 2>stderr
    check "$engine long question" got want_samples
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
    node tell.mjs "$port" /start/12 >/dev/null
    "$tutti" run --batch --pipeline ordered --engine "$engine" --cache cache many.tutti <many >got 2>stderr
    check "$engine four at once, in order" got want_many
    sed -E 's/.*"reason":"([a-z_]*)".*/\1/' errors.ndjson >got
    echo div_zero >want
    check "$engine fails in front of a question" got want
    node tell.mjs "$port" /most >got
    echo 4 >want
    check "$engine never more than the limit, never less" got want
    node tell.mjs "$port" /start/9 >/dev/null
    "$tutti" run --batch --pipeline loose --engine "$engine" --cache cache many.tutti <loose >loose_out 2>stderr
    # The ninth can only be asked when six have gone on; 1 has its answer after that.
    head -n 6 loose_out | grep -c '"id":1,' >got
    echo 0 >want
    check "$engine unordered: the one that waits holds up nobody" got want
    sort loose_out >got
    sort want_loose >want
    check "$engine unordered: all of them" got want
    overlaps() { # overlaps PIPELINE INPUT GROUP=QUESTIONS...: never more than four of a group at once, never less
        name=$1 input=$2
        shift 2
        for group; do node tell.mjs "$port" "/start/${group#*=}?g=${group%=*}" >/dev/null; done
        "$tutti" run --batch --pipeline "$name" --engine "$engine" --cache cache many.tutti <"$input" >got 2>stderr
        check "$engine $name" got "want_$name"
        for group; do
            node tell.mjs "$port" "/most?g=${group%=*}" >got
            echo 4 >want
            check "$engine $name: four at once" got want
        done
    }
    overlaps chain many a=12 b=11
    sed -E 's/.*"reason":"([a-z_]*)".*/\1/' errors.ndjson >got
    printf 'div_zero\nodd_one\n' >want
    check "$engine fails in front of a question, and between two" got want
    overlaps windows windows rows=9
    overlaps clocks clocks clocks=12
    "$tutti" run --batch --stats --pipeline stops --engine "$engine" --cache cache "$top/tests/lang/ask/stops.tutti" <numbers 2>&1 >/dev/null |
        sed -nE 's/.*"in":([0-9]+),"emitted":([0-9]+).*"errors":([0-9]+),"rows.*/\1 \2 \3/p' | awk '{ print $1 - $2 - $3, ($1 > 900), ($1 < 3000) }' >got
    echo '0 1 1' >want
    check "$engine stopped while records wait: each that was read is accounted for" got want
    "$tutti" run --batch --pipeline loose --engine "$engine" --cache cache "$top/tests/lang/ask/stops.tutti" <numbers 2>stderr | sort >got
    sed 's/ unordered//' "$top/tests/lang/ask/stops.tutti" >ordered.tutti
    "$tutti" run --batch --pipeline loose --engine "$engine" --cache cache ordered.tutti <numbers 2>stderr | sort >want
    check "$engine unordered behind unordered: the same rows" got want
    wc -l <got >rows
    echo 3000 >want
    check "$engine unordered behind unordered: all of them" rows want
    for limit in 1 16; do
        sed "s/limit 16/limit $limit/" many.tutti >timed.tutti
        rm -f late.ndjson
        "$tutti" run --batch --stats --pipeline timed --engine "$engine" --cache cache timed.tutti <timed >"rows$limit" 2>stderr
        tail -n 1 stderr | sed 's/"learnt.*//' >>"rows$limit"
        sed -E 's/"at":"[^"]*"//' errors.ndjson >>"rows$limit"
        cat late.ndjson >>"rows$limit"
    done
    check "$engine windows behind answers" rows16 rows1
    wc -l <rows1 >got
    [ "$(cat got)" -gt 100 ] || check "$engine windows behind answers: there is something to compare" got /dev/null
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
