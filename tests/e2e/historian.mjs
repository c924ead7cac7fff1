// tests/e2e/historian.mjs: the historian over HTTP: import, export, retention rules, points, steps, moments, SQL.
// The same expectations hold for a history in the file and for one on a PostgreSQL server (STORE=postgres), also with
// the extension timescaledb (STORE=timescale).
// What is expected is worked out here from the points that were sent, by the definitions of the docs.
import { readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { hasTimescale, noTimescale, Postgres } from './postgres_server.mjs';
import { build, check, password, Publisher, run, skip, test, Tutti, until } from './lib.mjs';

const T0 = Date.parse('2026-03-01T00:00:00Z');
const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');
const equal = (got, want, what) => {
  const a = JSON.stringify(got);
  const b = JSON.stringify(want);
  check(a === b, `${what}: ${a?.slice(0, 600)} instead of ${b?.slice(0, 600)}`);
};

async function raw(tutti, method, where, body, type) {
  return fetch(`http://127.0.0.1:${tutti.http}/api/v1/historian/${where}`, {
    method, body, headers: { authorization: `Bearer ${tutti.token}`, ...(type ? { 'content-type': type } : {}) } });
}
const csv = async (tutti, text, line) =>
  (await raw(tutti, 'POST', `import${line ? `?line=${line}` : ''}`, text, 'text/csv')).json();
const lines = (rows) => `path,time,value,quality\r\n${rows.map((r) => `${r.join(',')}\r\n`).join('')}`;
const ask = (tutti, where) => tutti.get(`historian/${where}`);
const sql = async (tutti, body) => (await tutti.call('POST', 'historian/sql', body));

// One server for all tests, started by the first that runs; each test brings the points it looks at.
let tutti;
let pg;
const timescale = process.env.STORE === 'timescale';
const remote = timescale || process.env.STORE === 'postgres';
if (timescale && !hasTimescale()) {
  console.log(`skip  the historian on timescaledb: ${noTimescale}\n0 passed, 0 failed, 1 skipped`);
  process.exit(0);
}
const historian = (name, fn) => test(name, async () => {
  if (!tutti) {
    if (remote) pg = await Postgres.new({}, timescale);
    tutti = await Tutti.new(['serve'], { env: { TUTTI_UNS_UPKEEP_EVERY: '300ms', TUTTI_UNS_RETENTION: '3650d', ...(remote ? { TUTTI_UNS_HISTORIAN: pg.url() } : {}) } });
  }
  await fn();
});
// What was written has left the file for the server.
const settled = () => !remote || until('all is on the server', async () => {
  const { historian } = await tutti.get('uns/stats');
  check(historian.state === 'up', JSON.stringify(historian));
  return historian.waiting === 0;
});

// 4 from 00:00, 10 from 00:02, 20 (bad) from 00:06, 0 from 00:13 on, minutes. Twice is once.
async function stX() {
  const p = [[0, 4, 'good'], [2, 10, 'good'], [6, 20, 'bad'], [13, 0, 'good']];
  equal((await csv(tutti, lines(p.map(([m, v, q]) => ['st/x', iso(T0 + m * 60000), v, q])))).written, 4, 'st/x');
  await settled();
}

historian('lines that are wrong are told with their number, the others are written, twice is once', async () => {
  const text = 'time,value,path,quality,more\r\n' +
    '2026-03-01T00:00:00Z,1.5,"plant/a ""x"", y",,z\r\n' +
    'soon,1,plant/b,good,\r\n' +
    '2026-03-01T00:00:01Z,abc,plant/b,good,\r\n' +
    '\r\n' +
    '1772323202000,true,plant/b,bad,\r\n' +
    '2026-03-01T00:00:03Z,4,plant/b,fine,\r\n' +
    '2026-03-01T00:00:04Z,4,plant/+,good,\r\n' +
    '2026-03-01T00:00:05Z,4,plant/b,good\r\n' +
    '2026-03-01T00:00:06Z,7,plant/b,"unc"ertain,\n' +
    '2026-03-01T00:00:06Z,-7e2,plant/b,"uncertain" ,';
  for (let round = 0; round < 3; round++) {
    if (round === 2) await settled();
    const answer = await csv(tutti, text);
    equal([answer.lines, answer.written, answer.refused], [8, 3, 6], 'counts');
    equal(answer.errors.map((e) => e.line), [3, 4, 7, 8, 9, 10], 'lines');
    check(answer.errors[1].text === 'value "abc" is no number', answer.errors[1].text);
    const points = await ask(tutti, `points/plant/b?from=2026-03-01T00:00:00Z&to=2026-03-01T01:00:00Z`);
    equal([points.t, points.value, points.quality], [['2026-03-01T00:00:02Z', '2026-03-01T00:00:06Z'], [1, -700],
      ['bad', 'uncertain']], 'points');
  }
  check((await raw(tutti, 'POST', 'import', 'path,time\r\n', 'text/csv')).status === 400, 'a header without value');
  check((await raw(tutti, 'POST', 'import', 'x', 'text/plain')).status === 400, 'another type of body');
});

historian('an export comes back as it went, over many pages', async () => {
  const rows = [];
  for (let i = 0; i < 40000; i++)
    rows.push([i % 2 ? 'line/"q",1'.replaceAll('"', '') .replace(',', '_') : 'line/two', iso(T0 + i * 1000), (i % 977) / 8, i % 50 ? 'good' : 'bad']);
  for (let at = 0; at < rows.length; at += 10000)
    equal((await csv(tutti, lines(rows.slice(at, at + 10000)), at + 2)).refused, 0, 'refused');
  await settled();
  const answer = await raw(tutti, 'GET', `export?filter=line/%23&from=${T0}&to=${T0 + 1e8}`);
  check(answer.headers.get('content-type').startsWith('text/csv'), 'type');
  const text = await answer.text();
  const got = text.split('\r\n');
  check(got.shift() === 'path,time,value,quality' && got.pop() === '', 'header and end');
  equal(got.slice().sort(), rows.map((r) => r.join(',')).sort(), 'lines');
  await csv(tutti, lines([['"quoted/a ""x"", y"', '2026-03-01T00:00:00Z', 1.5, 'good']]));
  await settled();
  const quoted = await (await raw(tutti, 'GET', 'export?filter=quoted/%2B&from=0')).text();
  check(quoted.includes('"quoted/a ""x"", y",2026-03-01T00:00:00Z,1.5,good\r\n'), quoted.slice(0, 200));
  check((await raw(tutti, 'GET', 'export?filter=a/%23/b')).status === 400, 'no filter');
});

historian('steps weigh by time, carry the last value on, and know the worst quality', async () => {
  await stX();
  const s = await ask(tutti, `steps/st/x?from=${T0}&to=${T0 + 20 * 60000}&step=5m`);
  equal(s.t, [0, 5, 10, 15].map((m) => iso(T0 + m * 60000)), 't');
  equal(s.mean, [(4 * 2 + 10 * 3) / 5, 10, 0, 0], 'mean: what was bad weighs nothing');
  equal([s.min, s.max, s.count], [[4, 20, 0, null], [10, 20, 0, null], [2, 1, 1, 0]], 'min, max, count');
  equal(s.quality, ['good', 'bad', 'good', 'good'], 'quality');
  equal(s.good_ratio, [1, 0, 1, null], 'share of good points');
  const at = await ask(tutti, `at/st/x?method=linear&times=${encodeURIComponent(JSON.stringify([iso(T0 - 1), iso(T0 + 60000), iso(T0 + 4 * 60000), iso(T0 + 14 * 60000)]))}`);
  equal([at.value, at.quality], [[null, 7, 15, 0], [null, 'good', 'bad', 'uncertain']], 'linear');
  const last = await tutti.call('POST', 'historian/at', { path: 'st/x', times: [iso(T0 + 60000), T0 + 6 * 60000] });
  equal([last.body.value, last.body.from], [[4, 20], [iso(T0), iso(T0 + 6 * 60000)]], 'last');
  check((await tutti.call('GET', 'historian/at/st/x?from=-10m&to=now&step=5m')).status === 200, 'now');
  check((await tutti.call('GET', `historian/steps/st/x?step=5x`)).status === 400, 'no step');
  check((await tutti.call('GET', `historian/steps/st/x?step=1d&zone=Mars/North`)).status === 400, 'no zone');
  check((await tutti.call('GET', `historian/steps/st/x?from=${T0}&to=${T0 + 1e9}&step=1s`)).status === 413, 'too many');
});

// Sixty minutes ago 5, ten minutes of it bad, then good again, bad once more by null, good 7 for the last twenty minutes.
historian('the same number with another quality leaves a point', async () => {
  const now = Math.floor(Date.now() / 60000) * 60000;
  const at = (m) => iso(now - m * 60000);
  const sent = [[{ value: 5, quality: 'good', ts: at(50) }], [{ value: 5, quality: 'good', ts: at(49.5) }], [{ value: 5, quality: 'bad', ts: at(40) }],
    [{ value: 5, quality: 'bad', ts: at(39.5) }], [{ value: 5, quality: 'good', ts: at(30) }], [{ value: null, quality: 'bad', ts: at(28) }],
    [{ value: null, ts: at(27.5) }], [{ value: 7, quality: 'good', ts: at(20) }], [{ value: 7, quality: 'uncertain', ts: at(10) }]];
  for (const [value] of sent) check((await tutti.call('POST', 'uns/publish', { path: 'qu/x', value })).status === 200, 'published');
  await settled();
  const points = await ask(tutti, `points/qu/x?from=${now - 3600000}&to=${now}`);
  equal([points.t, points.value, points.quality], [[50, 40, 30, 28, 20, 10].map(at), [5, 5, 5, 5, 7, 7],
    ['good', 'bad', 'good', 'bad', 'good', 'uncertain']], 'points');
  const s = await ask(tutti, `steps/qu/x?from=${now - 60 * 60000}&to=${now}&step=60m`);
  const hours = s.t.map(Date.parse);
  const known = [[50, 40, 5], [30, 28, 5], [20, 0, 7]]; // minutes ago, from and to: what was not bad
  const mean = hours.map((t) => {
    let area = 0;
    let width = 0;
    for (const [from, to, value] of known) {
      const span = Math.max(0, Math.min(now - to * 60000, t + 3600000) - Math.max(now - from * 60000, t));
      area += value * span;
      width += span;
    }
    return width ? area / width : null;
  });
  s.mean.forEach((m, i) => check(mean[i] === null ? m === null : Math.abs(m - mean[i]) < 1e-3, `mean ${i}: ${m} ${mean[i]}`));
  const ratio = await sql(tutti, { sql: "select sum(good_ratio * count), sum(count) from steps('qu/x', ?1, ?2, '60m')", params: [iso(now - 3600000), iso(now)] });
  equal(ratio.body.rows, [[3, 6]], 'three of six are good');
  const drawn = await tutti.get(`uns/history/qu/x?from=${now - 3600000}&to=${now}`);
  equal([drawn.raw, drawn.bad, drawn.gap], [true, [0, 1, 0, 1, 0, 1], [false, true, false, true, false, false]], 'gaps');
  const pixels = await tutti.get(`uns/history/qu/x?from=${now - 3600000}&to=${now - 1}&pixels=4`); // 15 minutes each
  equal([pixels.count, pixels.bad, pixels.gap], [[1, 1, 3, 1], [0, 1, 1, 1], [false, true, false, false]], 'pixels');
  [[5], [5], [(5 * 2 + 7 * 5) / 7], [7]].forEach(([m], i) => check(Math.abs(pixels.mean[i] - m) < 1e-6, `pixel ${i}: ${pixels.mean[i]} ${m}`));
});

// What a Modbus tag says while its device is away: the last value, its time, another quality (docs/language.md).
historian('a new quality with the time of the old value counts from now on', async () => {
  const ts = iso(Date.now() - 600000);
  for (const quality of ['good', 'uncertain', 'bad', 'bad', 'good']) await tutti.call('POST', 'uns/publish', { path: 'qu/old', value: { value: 3, quality, ts } });
  await settled();
  const points = await ask(tutti, 'points/qu/old?from=-1h');
  equal([points.value, points.quality], [[3, 3, 3, 3], ['good', 'uncertain', 'bad', 'good']], 'points');
  equal(points.t[0], ts, 'what was good stays so');
  check(points.t.slice(1).every((t) => Date.now() - Date.parse(t) < 60000), `from now on: ${points.t}`);
});

// 2026-03-29 has 23 hours in Berlin (02:00 becomes 03:00), 2026-10-25 has 25.
historian('days and months begin where they begin in the zone', async () => {
  await stX();
  const s = await ask(tutti, 'steps/st/x?from=2026-03-28T12:00:00Z&to=2026-03-31T00:00:00Z&step=1d&zone=Europe/Berlin');
  equal(s.t, ['2026-03-27T23:00:00Z', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z', '2026-03-30T22:00:00Z'], 'days');
  const m = await ask(tutti, 'steps/st/x?from=2026-03-05T00:00:00Z&to=2026-05-02T00:00:00Z&step=1mo&zone=Europe/Berlin');
  equal(m.t, ['2026-02-28T23:00:00Z', '2026-03-31T22:00:00Z', '2026-04-30T22:00:00Z'], 'months');
  const w = await ask(tutti, 'steps/st/x?from=2026-03-04T00:00:00Z&to=2026-03-10T00:00:00Z&step=1w');
  equal(w.t, ['2026-03-02T00:00:00Z', '2026-03-09T00:00:00Z'], 'weeks begin on Monday');
  const i = await ask(tutti, 'steps/st/x?from=2026-03-04T01:20:00Z&to=2026-03-04T03:00:00Z&step=1h&zone=Asia/Kolkata');
  equal(i.t, ['2026-03-04T00:30:00Z', '2026-03-04T01:30:00Z', '2026-03-04T02:30:00Z'], 'hours of +05:30');
});

historian('SQL: samples, steps, parameters, limits, and nothing but questions', async () => {
  await stX();
  const one = await sql(tutti, { sql: 'select count(*) as n, max(value) as top from samples where path = ?1 and time >= ?2',
    params: ['st/x', T0 * 1e6] });
  equal(one.body, { columns: ['n', 'top'], rows: [[4, 20]], more: false }, 'samples');
  const steps = await sql(tutti, { sql: "select time / 1000000 as t, mean, good_ratio from steps(:p, :a, :b, '5m') where mean > 7",
    params: { p: 'st/x', a: iso(T0), b: iso(T0 + 20 * 60000) } });
  check(steps.body.rows, JSON.stringify(steps.body));
  equal(steps.body.rows, [[T0, 38 / 5, 1], [T0 + 5 * 60000, 10, 0]], 'steps');
  const joined = await sql(tutti, { sql: "select p.path, sum(s.count) from paths p, steps(p.path, 0, 'now', '1y') s where p.path like 'st/%' group by 1" });
  equal(joined.body.rows, [['st/x', 4]], 'joined');
  const since = await sql(tutti, { sql: `select count(*) from samples where path = 'st/x' and time > unixepoch('${iso(T0)}') * 1000000000` });
  equal(since.body.rows, [[3]], 'behind a time');
  const rows = await (await raw(tutti, 'POST', 'sql.csv', JSON.stringify({ sql: "select 'a,\"b' as \"x y\", 1.5, null" }), 'application/json')).text();
  check(rows === 'x y,1.5,null\r\n"a,""b",1.5,\r\n', rows);
  await csv(tutti, lines(Array.from({ length: 11 }, (_, i) => ['many/x', iso(T0 + i * 1000), i, 'good'])));
  const many = await sql(tutti, { sql: "select time from samples where path = 'many/x'", limit: 10 });
  check(many.body.rows.length === 10 && many.body.more === true, 'limit');
  const refused = {
    'delete from series': 'one select', 'select 1; select 2': 'one select', 'pragma table_info(series)': 'one select',
    'select * from last': 'there is no table last', 'select * from sqlite_master': 'there is no table sqlite_master',
    'select * from quarantine': 'there is no table', "attach 'x' as y": 'one select', 'create temp table x(a)': 'one select',
    'select * from series_data': 'there is no table', 'select * from pragma_table_info(1)': '',
    "select time from samples where path = 'st/x' and time >= '-1h'": 'time is a number of nanoseconds', "select time from samples where time < '2026-01-01T00:00:00Z'": 'unixepoch',
    'select ?1': 'params says nothing', 'selec': 'syntax error', "select * from steps('a')": '',
    "select load_extension('x')": '', "select * from steps('st/x', 0, 'now', '7q')": 'step',
    '': '' };
  for (const [text, words] of Object.entries(refused)) {
    const { status, body } = await sql(tutti, { sql: text });
    check(status === 400 && body.error.text.includes(words), `${text}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
  }
  const slow = await sql(tutti, { sql: 'with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n', timeout: 300 });
  check(slow.status === 504, `slow: ${slow.status}`);
  const huge = await sql(tutti, { sql: 'select hex(zeroblob(2000000))' });
  check(huge.status === 413, `huge: ${huge.status} ${JSON.stringify(huge.body).slice(0, 200)}`);
});

const cli = (args, env = {}) => spawnSync(path.join(build, 'tutti'), ['history', ...args], {
  cwd: tutti.cwd, encoding: 'utf8', env: { ...process.env, TUTTI_URL: `http://127.0.0.1:${tutti.http}`, TUTTI_PASSWORD: password, ...env } });

historian('tutti history: import in parts, export, sql', async () => {
  const rows = [];
  for (let i = 0; i < 30000; i++) rows.push(['cli/a', iso(T0 + i * 1000), i, 'good']);
  const file = path.join(tutti.cwd, 'in.csv');
  writeFileSync(file, lines(rows));
  let done = cli(['import', file]);
  check(done.status === 0 && done.stderr.includes('30000 points written, 0 lines left out'), `${done.status} ${done.stderr}`);
  const out = path.join(tutti.cwd, 'out.csv');
  done = cli(['export', '--filter', 'cli/+', '-o', out]);
  check(done.status === 0 && done.stderr.includes('30000 points'), `${done.status} ${done.stderr}`);
  check(readFileSync(out, 'utf8') === lines(rows), 'the file came back');
  rows[29990][2] = 'x';
  writeFileSync(file, lines([...rows, ['"two\nlines"', 'x', 1, '']]));
  done = cli(['import', file]);
  check(done.status === 1 && done.stderr.includes(`${file}:29992: value "x" is no number`) &&
    done.stderr.includes(`${file}:30002: time`), `${done.status} ${done.stderr}`);
  done = cli(['sql', "select path, count(*) as \"n,m\", 'a\"b' from samples where path = 'cli/a'"]);
  check(done.stdout === 'path,"n,m",\'a"b\'\r\ncli/a,30000,"a""b"\r\n'.replace(`'a"b'`, `"'a""b'"`), done.stdout);
  check(cli(['sql', 'select nothing']).status !== 0 && cli(['export'], { TUTTI_URL: 'http://127.0.0.1:9' }).status === 2, 'failures');
  check(cli(['import', 'none.csv']).status === 2 && cli(['what']).status === 2 && cli(['import', '-o', 'x', 'y']).status === 2, 'usage');
});

// 5 at 100 s, then what is older: 7 at 40, 5 at 50 (bad), then 7 at 101. None says that another is nothing new.
historian('points that come late by MQTT are points of their own', async () => {
  const start = Math.floor(Date.now() / 1000) - 2 * 86400; // days old: a gateway that was cut off
  const list = [[100, 5], [40, 7], [50, 5, 'bad'], [40, 7], [101, 7], [60, 7], [101, 7], [30, 5], [102, 7]];
  const pub = await new Publisher(tutti.mqtt, 'late/x', (n) =>
    JSON.stringify({ value: list[n][1], quality: list[n][2] ?? 'good', ts: iso((start + list[n][0]) * 1000) }), 1).connect();
  pub.limit = list.length;
  pub.fill();
  await until('all are there', () => pub.acked.size === list.length);
  pub.close();
  const points = await tutti.get(`historian/points/late/x?from=${start * 1000}`);
  equal([points.t.map((t) => Date.parse(t) / 1000 - start), points.value, points.quality],
    [[30, 40, 50, 60, 100, 101], [5, 7, 5, 7, 5, 7], ['good', 'good', 'bad', 'good', 'good', 'good']], 'each at its time; 102 as 101');
});

// Points of 40 days; the rule keeps none of them, so all that is left is minutes and hours.
historian('points go by their rule, roll-ups answer the same, late points count once', async () => {
  if (remote) skip('a server keeps points by weeks: historian_pg.mjs looks at that');
  const day = 86400000;
  const begin = Math.floor(Date.now() / day) * day - 60 * day;
  const rows = [];
  for (let i = 0; i < 40 * 144; i++) rows.push(['ro/a', iso(begin + i * 600000 + (i % 7) * 1000), (i * 37) % 501, i % 100 ? 'good' : 'bad']);
  equal((await csv(tutti, lines(rows))).written, rows.length, 'written');
  const where = `steps/ro/a?from=${begin}&to=${begin + 40 * day}&step=6h`;
  const before = await ask(tutti, where);
  check(before.source === 'points', before.source);
  const pixels = `uns/history/ro/a?from=${begin}&to=${begin + 40 * day - 1}&pixels=40`;
  const drawn = await tutti.get(pixels);
  const rules = [{ pattern: 'ro/+', raw: '1d', minutes: '50d', hours: 'forever' }, { pattern: 'none/#', raw: 'forever', minutes: 'none', hours: 'none' }];
  const set = await tutti.call('PUT', 'historian/rules', { rules });
  equal([set.status, set.body.rules], [200, rules], 'rules');
  for (const wrong of [{ pattern: 'a/#/b', raw: '1d', minutes: '1d', hours: '1d' }, { pattern: 'a', raw: '1 day', minutes: '1d', hours: '1d' }, { pattern: 'a', raw: 'none', minutes: 'none', hours: 'none' }])
    check((await tutti.call('PUT', 'historian/rules', { rules: [wrong] })).status === 400, JSON.stringify(wrong));
  // An import keeps retention away for a minute; a new process knows nothing of it.
  check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
  delete tutti.env.TUTTI_UNS_RETENTION; // the preset
  await tutti.up();
  const { rest, rules: kept } = await ask(tutti, 'rules');
  equal([kept, rest], [rules, { raw: '30d', minutes: '1y', hours: '10y' }], 'rules after a kill');
  await until('points are gone', async () => {
    return (await ask(tutti, `points/ro/a?from=0&limit=1`)).t.length === 0;
  }, 120000);
  const after = await ask(tutti, where);
  check(after.source === 'minutes' || after.source === 'hours', after.source);
  for (const name of ['t', 'min', 'max', 'first', 'last', 'count', 'quality']) equal(after[name], before[name], name);
  after.mean.forEach((m, i) => check(Math.abs(m - before.mean[i]) < 1e-9, `mean ${i}: ${m} ${before.mean[i]}`));
  const again = await tutti.get(pixels);
  for (const name of ['t', 'min', 'max', 'last', 'count', 'bad']) equal(again[name], drawn[name], `pixels ${name}`);
  // The same points once more, and one in a minute between them: their buckets are closed at every level. Where
  // nothing was a late point still fills its bucket.
  for (let round = 0; round < 2; round++) {
    await csv(tutti, lines(rows.slice(0, 1000)));
    await csv(tutti, lines([['ro/a', iso(begin - 7200000), 7777, 'good'], ['ro/a', iso(begin + 1000), 8888, 'good']]));
    const late = await ask(tutti, `steps/ro/a?from=${begin - 6 * 3600000}&to=${begin + 40 * day}&step=6h`);
    equal([late.max[0], late.count], [7777, [1, ...before.count]], 'one more and no other');
  }
  const value = await ask(tutti, `at/ro/a?times=${encodeURIComponent(JSON.stringify([iso(begin + 10 * day)]))}`);
  equal(value.value, [(1439 * 37) % 501], 'last known from roll-ups');
});

test('the end', async () => {
  if (!tutti) return;
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  if (pg) await pg.end();
});

await run(true);
