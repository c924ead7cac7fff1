// tests/e2e/postgres.mjs: connections to a real PostgreSQL: questions, and rows into its tables.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, check, folder, freePort, run, test, Tutti, until } from './lib.mjs';
import { Postgres } from './postgres_server.mjs';

const tutti = path.join(build, 'tutti');
const engines = execFileSync(tutti, ['run', '--engine', 'list'], { encoding: 'utf8' })
  .split('\n').filter(Boolean).map((line) => line.split(' ')[0]);

// Runs a program in batch: { code, out, err }.
export function batch(text, input, { engine = 'interp', env = {}, cwd = folder(), args = [] } = {}) {
  writeFileSync(path.join(cwd, 'p.tutti'), text);
  const child = spawn(tutti, ['run', '--batch', '--engine', engine, '--cache', path.join(cwd, 'cache'), ...args, 'p.tutti'],
    { cwd, env: { ...process.env, ...env } });
  const result = { out: '', err: '' };
  child.stdout.on('data', (d) => (result.out += d));
  child.stderr.on('data', (d) => (result.err += d));
  child.stdin.on('error', () => {});
  child.stdin.end(input.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)) + '\n').join(''));
  return new Promise((done) => child.on('close', (code) => done({ code, ...result })));
}
const errors = (result) => result.err.split('\n').filter((l) => l.startsWith('{')).map((l) => JSON.parse(l));

const operators = `
create table operator(station text, name text, level numeric(6,2), since timestamptz, day date, wall timestamp,
  here boolean, shift interval, card bytea, n bigint, small smallint, x double precision, note varchar(20), mood text);
insert into operator values
 ('s1', 'Ada', 2.50, '2026-01-02 04:04:05.25+01', '2026-01-02', '2026-01-02 03:04:05', true, '1 day 02:03:04.5', '\\x00ff',
  9007199254740993, 7, 0.1, 'a "b", c', null),
 ('it''s', 'Bob', 0, '1999-12-31 23:59:59.123456+00', '1999-12-31', '1999-12-31 23:59:59', false, '-00:00:01', '', -1, -7,
  -1e300, 'Ünï', 'x');`;
const all = `type Op = { name: string(64), level: decimal(2), since: time, day: time, wall: time, here: bool, shift: duration,
  card: bytes(8), n: i64, small: i32, x: f64, note: string(20), mood: string(4)? }
connection erp = postgres env("ERP_URL") { pool: 2 }
pipeline p {
  from stdin as json { station: string(64) }
  ask op = erp sql "select * from operator where station = {station}" as Op timeout 5s else error nobody
  keep op
  into stdout
  on error into dead
}`;

test('values are parameters, columns come as their types, on every engine', async () => {
  const pg = await Postgres.new();
  pg.sql(operators);
  const want = [
    '{"op":{"name":"Ada","level":2.5,"since":"2026-01-02T03:04:05.250Z","day":"2026-01-02T00:00:00Z","wall":"2026-01-02T03:04:05Z",' +
      '"here":true,"shift":"1d2h3m4s500ms","card":"AP8=","n":9007199254740993,"small":7,"x":0.1,"note":"a \\"b\\", c"}}',
    '{"op":{"name":"Bob","level":0,"since":"1999-12-31T23:59:59.123456Z","day":"1999-12-31T00:00:00Z","wall":"1999-12-31T23:59:59Z",' +
      '"here":false,"shift":"-1s","card":"","n":-1,"small":-7,"x":-1e+300,"note":"Ünï","mood":"x"}}',
  ].join('\n') + '\n';
  for (const engine of engines) {
    const got = await batch(all, [{ station: 's1' }, { station: "it's" }, { station: "x'; drop table operator; --" }],
      { engine, env: { ERP_URL: pg.url() } });
    check(got.out === want, `${engine}: ${got.out}${got.err}`);
    check(got.code === 0 && errors(got).length === 1 && errors(got)[0].reason === 'nobody', `${engine}: ${got.err}`);
  }
  check(pg.sql('select count(*) from operator') === '2', 'nothing was pasted');
  await pg.end();
});

test('values of every type, lists of rows, and null', async () => {
  const pg = await Postgres.new();
  pg.sql("create table t(i int, f float8, d numeric, at timestamptz, ok boolean, word text, span interval)");
  pg.sql("insert into t select g, g / 2.0, g * 1.25, '2026-01-01T00:00:00Z'::timestamptz + g * interval '1 s', g > 2, 'w' || g, g * interval '1 minute' from generate_series(1, 5) g");
  const program = (where, type = '{ i: i32 }') => `
connection erp = postgres "${pg.url()}"
pipeline p {
  from stdin as json { i: i32, f: f64, d: decimal(2), at: time, ok: bool, word: string(8)?, span: duration }
  ask got = erp sql "select i from t where ${where} order by i" as [${type}; 3]
  let n = len(got)
  keep n, got
  into stdout
  on error into dead
}`;
  const record = { i: 2, f: 1.5, d: 2.5, at: '2026-01-01T00:00:03Z', ok: true, word: 'w4', span: '3m' };
  const ask = async (where, want, more = {}) => {
    const got = await batch(program(where), [{ ...record, ...more }]);
    check(got.out === want, `${where}: ${got.out}${got.err}`);
  };
  await ask('i = {i}', '{"n":1,"got":[{"i":2}]}\n');
  await ask('f <= {f}', '{"n":3,"got":[{"i":1},{"i":2},{"i":3}]}\n');
  await ask('d = {d}', '{"n":1,"got":[{"i":2}]}\n');
  await ask('at >= {at}', '{"n":3,"got":[{"i":3},{"i":4},{"i":5}]}\n');
  await ask('ok = {ok}', '{"n":3,"got":[{"i":3},{"i":4},{"i":5}]}\n');
  await ask('word = {word}', '{"n":1,"got":[{"i":4}]}\n');
  await ask('{word}::text is null and i < 3', '{"n":2,"got":[{"i":1},{"i":2}]}\n', { word: null });
  await ask('span = {span}', '{"n":1,"got":[{"i":3}]}\n');
  await ask('i > 9', '{"n":0,"got":[]}\n');
  const refused = async (where, want, type) => {
    const got = await batch(program(where, type), [record]);
    check(got.err.includes(want), `${want}: ${got.out}${got.err}`);
    check(errors(got)[0]?.reason === 'no_answer', got.err);
  };
  await refused('i > 0', 'ask got: more than 3 rows');
  await refused("word = '{word}'", 'ask got: a field between quotes is text and no value');
  await refused('nope = 1', 'ask got: column "nope" does not exist');
  await refused('i = 1', 'ask got: the answer has no column who', '{ who: i32 }');
  await refused("i = 1; select 1 --", 'ask got: cannot insert multiple commands into a prepared statement');
  const writes = await batch(`connection erp = postgres "${pg.url()}"
pipeline p { from stdin as json { i: i32 }  ask got = erp sql "insert into t(i) values({i}) returning i" as { i: i32 }  into stdout  on error into dead }`, [{ i: 9 }]);
  check(writes.err.includes('cannot execute INSERT in a read-only transaction'), writes.err);
  check(pg.sql('select count(*) from t') === '5', 'a question changes nothing');
  await pg.end();
});

test('what can be wrong with the connection is said', async () => {
  const pg = await Postgres.new({ erp: 'right' });
  const ask = async (url, want, env = {}, settings = '') => {
    const got = await batch(`connection erp = postgres ${url} ${settings}
pipeline p { from stdin as json { i: i32 }  ask got = erp sql "select {i}::int4 as i" as { i: i32 } timeout 5s  keep got  into stdout  on error into dead }`,
      [{ i: 1 }], { env });
    check(want.test(got.out + got.err), `${want}: ${got.out}${got.err}`);
    check(!/right|wrong/.test(got.err), 'no secret is printed');
  };
  await ask('env("NO_SUCH_URL")', /connection erp: the environment variable NO_SUCH_URL is not set/);
  const closed = await freePort();
  await ask(`"postgres://boss@127.0.0.1:${closed}/postgres"`, /connection erp: .*127\.0\.0\.1.*port \d+ failed: Connection refused/);
  await ask(`"${pg.url('erp', 'wrong')}"`, /connection erp: .*password authentication failed for user "erp"/);
  await ask(`"${pg.url('erp')}"`, /"got":\{"i":1\}/, { SECRET: 'right' }, '{ password: env("SECRET") }');
  await ask(`"${pg.url().replace(/postgres$/, 'nope')}"`, /database "nope" does not exist/);
  const dir = folder();
  writeFileSync(path.join(dir, 'libpq.so.5'), 'no library');
  await ask(`"${pg.url()}"`, /PostgreSQL needs libpq.so.5, which is not here: install the package libpq5/, { LD_LIBRARY_PATH: dir });
  await pg.end();
});

test('a statement that takes too long is ended by the server', async () => {
  const pg = await Postgres.new();
  const got = await batch(`connection erp = postgres "${pg.url()}"
pipeline p { from stdin as json { i: i32 }  ask got = erp sql "select pg_sleep(600), {i}::int4 as i" as { i: i32 } timeout 300ms else error slow  into stdout  on error into dead }`,
    [{ i: 1 }, { i: 2 }]);
  check(errors(got).length === 2 && errors(got)[0].reason === 'slow', got.err);
  check(/ask got: (canceling statement due to statement timeout|no answer in time)/.test(got.err), got.err);
  await until('nothing sleeps any more', () => pg.sql("select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid() and state = 'active'") === '0');
  await pg.end();
});

test('in a server: one pool for all pipelines, and connections come back by themselves', async () => {
  const pg = await Postgres.new();
  pg.sql('create table seen(station text primary key, n int); insert into seen values (\'a\', 1)');
  const tutti = await Tutti.new(['serve'], { env: { ERP_URL: pg.url() } });
  const one = (i) => `
pipeline slow${i} { from http post "/slow${i}" public as json { i: i32 }
  ask got = erp sql "select {i}::int4 as i, pg_sleep(0.3)" as { i: i32 } timeout 20s else error down
  reply 200 { i: got.i }  on error reply 503 { reason: error.reason } }`;
  await tutti.deploy('erp.tutti', `connection erp = postgres env("ERP_URL") { pool: 2 }${[1, 2, 3, 4, 5, 6].map(one).join('')}
pipeline seen { from http post "/seen" public as json { station: string(8) }
  ask got = erp sql "select n from seen where station = {station}" as { n: i32 } timeout 2s retry 3 backoff 50ms else error down
  reply 200 { n: got.n }  on error reply 503 { reason: error.reason } }`);
  const post = async (where, body) => {
    const answer = await fetch(`http://127.0.0.1:${tutti.http}/${where}`, { method: 'POST', body: JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
  let most = 0;
  const asked = Promise.all([1, 2, 3, 4, 5, 6].map((i) => post(`slow${i}`, { i })));
  let done = false;
  asked.then(() => (done = true));
  await until('all are answered', async () => {
    most = Math.max(most, Number(pg.sql("select count(*) from pg_stat_activity where application_name = 'tutti'")));
    return done;
  });
  const answers = await asked;
  check(answers.every((a, i) => a.status === 200 && a.body.i === i + 1), JSON.stringify(answers));
  check(most === 2, `two connections, not ${most}`);
  check((await post('seen', { station: 'a' })).body.n === 1, 'asked');
  await pg.down();
  check((await post('seen', { station: 'a' })).status === 503, 'the server is gone');
  check(/ask got: /.test((await tutti.get('pipelines/seen')).error ?? '') ||
    await until('it is shown', async () => /ask got: /.test((await tutti.get('pipelines/seen')).error ?? '')), 'shown');
  await pg.up();
  await until('asked again', async () => (await post('seen', { station: 'a' })).status === 200);
  await until('and over', async () => !(await tutti.get('pipelines/seen')).error);
  await tutti.call('DELETE', 'pipelines/seen');
  await until('its connections are closed', () => pg.sql("select count(*) from pg_stat_activity where application_name = 'tutti'") === '0');
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
  await pg.end();
});

await run();
