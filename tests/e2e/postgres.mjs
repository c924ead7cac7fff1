// tests/e2e/postgres.mjs: connections to a real PostgreSQL: questions, and rows into its tables.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { batch, engines, errors } from './batch.mjs';
import { check, folder, freePort, run, test, Tutti, until } from './lib.mjs';
import { Postgres } from './postgres_server.mjs';

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
  ask op = erp sql "select * from operator where station = {station}" as Op timeout 50s else error nobody
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
pipeline p { from stdin as json { i: i32 }  ask got = erp sql "select {i}::int4 as i" as { i: i32 } timeout 50s  keep got  into stdout  on error into dead }`,
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
pipeline p { from stdin as json { i: i32 }  ask got = erp sql "select pg_sleep(600), {i}::int4 as i" as { i: i32 } timeout 8s else error slow  into stdout  on error into dead }`,
    [{ i: 1 }, { i: 2 }]);
  check(errors(got).length === 2 && errors(got)[0].reason === 'slow', got.err);
  check(/ask got: (canceling statement due to statement timeout|no answer in time)/.test(got.err), got.err);
  await until('nothing sleeps any more', () => pg.sql("select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' and pid <> pg_backend_pid() and state = 'active'") === '0');
  await pg.end();
});

test('several questions at once share the pool, and answers keep their order', async () => {
  const pg = await Postgres.new();
  const program = `connection erp = postgres "${pg.url()}" { pool: 3 }
pipeline p { from stdin as json { n: i32 }
  ask got = erp sql "with s as materialized (select pg_sleep(0.05)) select {n}::int4 as n, (select count(*) from pg_stat_activity where application_name = 'tutti' and state = 'active') as active from s"
      as { n: i32, active: i32 } timeout 60s limit 8 else error down
  keep n, got  into stdout  on error into dead }`;
  const got = await batch(program, Array.from({ length: 60 }, (_, n) => ({ n })));
  const rows = got.out.split('\n').filter(Boolean).map((l) => JSON.parse(l));
  check(rows.length === 60 && rows.every((r, i) => r.n === i && r.got.n === i), got.out + got.err);
  const most = Math.max(...rows.map((r) => r.got.active));
  check(most === 2 || most === 3, `at once: ${most}`);
  await pg.end();
});

test('in a server: one pool for all pipelines, and connections come back by themselves', async () => {
  const pg = await Postgres.new();
  pg.sql('create table seen(station text primary key, n int); insert into seen values (\'a\', 1)');
  const tutti = await Tutti.new(['serve'], { env: { ERP_URL: pg.url() } });
  const one = (i) => `
pipeline slow${i} { from http post "/slow${i}" public as json { i: i32 }
  ask got = erp sql "select {i}::int4 as i, pg_sleep(0.3)" as { i: i32 } timeout 60s else error down
  reply 200 { i: got.i }  on error reply 503 { reason: error.reason } }`;
  await tutti.deploy('erp.tutti', `connection erp = postgres env("ERP_URL") { pool: 2 }${[1, 2, 3, 4, 5, 6].map(one).join('')}
pipeline seen { from http post "/seen" public as json { station: string(8) }
  ask got = erp sql "select n from seen where station = {station}" as { n: i32 } timeout 20s retry 3 backoff 50ms else error down
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

const row = `type Row = { id: i32, name: string(16), v: f64?, at: time, ok: bool, b: bytes(8)?, p: decimal(2), sub: { a: i32, b: string(4)? },
  xs: [i32; 4], d: duration, big: i64 }
connection erp = postgres env("ERP_URL")
`;
const records = [
  { id: 1, name: 'old', at: '2026-01-01T00:00:00Z', ok: true, p: 1, sub: { a: 1 }, xs: [], d: '1s', big: 1 },
  { id: 2, name: 'it\'s "b"; \\', v: 1e-7, at: '2026-01-01T01:02:03.456Z', ok: false, b: 'AP8=', p: 12.34, sub: { a: -1, b: 'ü' }, xs: [1, 2],
    d: '1h30m', big: '9007199254740993' },
  { id: 1, name: 'new', at: '2026-01-01T00:00:00Z', ok: true, p: 1, sub: { a: 1 }, xs: [], d: '1s', big: 1 },
].map((r) => JSON.stringify(r).replace('"9007199254740993"', '9007199254740993'));
const create = `create table t(id int primary key, name text, v double precision, at timestamptz, ok boolean, b bytea, p numeric,
  "sub.a" int, "sub.b" text, xs json, d interval, big bigint, since timestamptz default now())`;

test('rows into a table: every type, the key replaces, on every engine', async () => {
  const pg = await Postgres.new();
  pg.sql(create);
  for (const engine of engines) {
    const got = await batch(`${row}pipeline p { from stdin as json Row  into erp table "t" key (id)  on error into dead }`, records,
      { engine, env: { ERP_URL: pg.url() } });
    check(got.code === 0 && got.out === '' && got.err === '', `${engine}: ${JSON.stringify(got)}`);
    const rows = pg.sql(`select id, name, v, at at time zone 'UTC', ok, encode(b, 'hex'), p, "sub.a", "sub.b", xs, d, big, since is not null from t order by id`);
    check(rows === `1|new||2026-01-01 00:00:00|t||1|1||[]|00:00:01|1|t
2|it's "b"; \\|1e-07|2026-01-01 01:02:03.456|f|00ff|12.34|-1|ü|[1,2]|01:30:00|9007199254740993|t`, `${engine}: ${rows}`);
  }
  await pg.end();
});

test('a row the database refuses is set aside, alone', async () => {
  const pg = await Postgres.new();
  pg.sql('create schema plant; create table plant.t(n smallint check (n <> 700), word text not null)');
  const program = `connection erp = postgres "${pg.url()}"
pipeline p { from stdin as json { n: i64, word: string(8) }  into erp table "plant.t"  on error into dead }`;
  const input = Array.from({ length: 2500 }, (_, i) => ({ n: i, word: 'w' }));
  input.splice(1234, 0, { n: 40000, word: 'w' }); // out of range
  input.push({ n: 3000, word: 'a\u0000b' }); // no such text in PostgreSQL
  const got = await batch(program, input);
  const dead = errors(got);
  check(got.code === 0 && dead.length === 3 && dead.every((d) => d.reason === 'sink_conflict' && d.stage === 'postgres'), got.err);
  check(/violates check constraint/.test(dead[0].message) && JSON.parse(dead[0].row).n === 700, got.err);
  check(/40000.*out of range|out of range/.test(dead[1].message) && JSON.parse(dead[1].row).n === 40000, got.err);
  check(pg.sql('select count(*), count(distinct n), max(n) from plant.t') === '2499|2499|2499', pg.sql('select count(*) from plant.t'));
  await pg.end();
});

test('a table that does not fit is said before anything runs', async () => {
  const pg = await Postgres.new({ erp: 'x' });
  const say = async (into, want, url = pg.url()) => {
    const got = await batch(`connection erp = postgres "${url}"
pipeline p { from stdin as json { id: i32, v: f64 }  into erp table ${into}  on error into dead }`, [{ id: 1, v: 2 }]);
    check(got.code === 2 && got.err.includes(want), `${want}: ${JSON.stringify(got)}`);
  };
  await say('"t" key (id)', 'there is no table t; write: create table "t"("id" integer, "v" double precision, primary key("id"))');
  pg.sql('create table t(id int)');
  await say('"t"', 'table t has no column v, and the rows have it; write: alter table t add column "v" double precision');
  pg.sql('alter table t add column v double precision');
  await say('"t" key (id)', 'table t has no unique index on the key; write: create unique index on t ("id")');
  pg.sql('create unique index on t(id, v); create unique index on t(v)');
  await say('"t" key (id)', 'no unique index on the key');
  pg.sql('create unique index on t(id); alter table t add column must text not null');
  await say('"t" key (id)', 'column must of table t must have a value, and the rows have no such field');
  pg.sql('alter table t drop column must; grant select, insert on t to erp');
  await say('"t" key (id)', 'the user of connection erp may not update table t', pg.url('erp', 'x'));
  const fine = await batch(`connection erp = postgres "${pg.url('erp', 'x')}"
pipeline p { from stdin as json { id: i32, v: f64 }  into erp table "t"  on error into dead }`, [{ id: 1, v: 2 }]);
  check(fine.code === 0 && pg.sql('select * from t') === '1|2', JSON.stringify(fine));
  await pg.end();
});

test('error records into a table; a SQLite file and its table are made', async () => {
  const cwd = folder();
  const program = `${row.replace(/connection.*/, '')}pipeline p { from stdin as json Row  into sqlite "s.db" table "t" key (id)  on error into sqlite "s.db" table "bad" }`;
  const sqlite = (text) => execFileSync('sqlite3', ['s.db', text], { cwd, encoding: 'utf8' });
  for (const engine of engines) {
    const got = await batch(program, [...records, { id: 'x' }], { cwd, engine });
    check(got.code === 0 && got.err === '', JSON.stringify(got));
    const rows = sqlite('select *, hex(b), typeof(b), typeof(p), typeof(id) from t order by id');
    check(rows.replace(/\0/g, '').replace(/\uFFFD/g, '') === `1|new||2026-01-01T00:00:00Z|1||1|1||[]|1s|1||null|integer|integer
2|it's "b"; \\|1.0e-07|2026-01-01T01:02:03.456Z|0||12.34|-1|ü|[1,2]|1h30m|9007199254740993|00FF|blob|real|integer
`, `${engine}: ${rows}`);
  }
  check(sqlite('select reason, field, pipeline, stage, raw from bad limit 1') === 'missing_field|name|p|from|{"id":"x"}\n' ||
    sqlite('select reason, raw from bad limit 1') === 'bad_number|{"id":"x"}\n', sqlite('select * from bad limit 1'));
  check(sqlite('select count(*) from bad') === `${engines.length}\n`, 'one for each run');
  sqlite('create table old(id integer, v text); create table strict1(id integer primary key, v integer) strict');
  const say = async (into, want, type = '{ id: i32, v: string(8) }', input = { id: 1, v: 'x' }) => {
    const got = await batch(`pipeline p { from stdin as json ${type}  into sqlite ${into}  on error into dead }`, [input], { cwd });
    check(got.err.includes(want), `${want}: ${JSON.stringify(got)}`);
  };
  await say('"s.db" table "old" key (id)', 'table old has no unique index on the key; write: create unique index');
  await say('"s.db" table "old"', 'table old has no column named w, and the rows have it; write: alter table old add column w real', '{ id: i32, w: f64 }', { id: 1, w: 2 });
  await say('"s.db" table "strict1"', 'cannot store TEXT value in INTEGER column strict1.v');
  await say('"no/such/folder/s.db" table "t"', 'unable to open database file');
  writeFileSync(path.join(cwd, 'text.db'), 'this is a text of more than a hundred bytes, and no database at all, as everybody can see who looks at it.');
  await say('"text.db" table "t"', 'file is not a database');
});

test('in a server: rows wait for a database that is away, in order, and nothing is lost', async () => {
  const pg = await Postgres.new();
  pg.sql('create table t(id int primary key, v int); create table log(n serial, v int check (v <> 5))');
  const tutti = await Tutti.new(['serve'], { env: { ERP_URL: pg.url() } });
  const program = `connection erp = postgres env("ERP_URL") { pool: 2 }
pipeline p { from http post "/p" public as json { id: i32, v: i32 }
  into erp table "t" key (id)  keep v  into erp table "log"  into sqlite "kept.db" table "kept"
  reply 200 { v: v }  on error into dead }`;
  const wrong = await tutti.call('POST', 'pipelines', { file: 'p.tutti', text: program.replace('"log"', '"lag"') });
  check(wrong.status === 400 && /pipeline p: into erp: there is no table lag; write: create table/.test(JSON.stringify(wrong.body)), JSON.stringify(wrong));
  await tutti.deploy('p.tutti', program);
  const post = async (id, v) => {
    const answer = await fetch(`http://127.0.0.1:${tutti.http}/p`, { method: 'POST', body: JSON.stringify({ id, v }) });
    return answer.status;
  };
  check((await post(1, 1)) === 200, 'there');
  check(pg.sql('select * from t') === '1|1', 'when it is answered the row is in the table');
  await pg.down();
  const waiting = [2, 3, 4].map((v) => post(1, v));
  await until('it is said', async () => /erp does not take rows: /.test((await tutti.get('pipelines/p')).error ?? ''));
  await pg.up();
  check((await Promise.all(waiting)).join() === '200,200,200', 'answered then');
  await until('and over', async () => !(await tutti.get('pipelines/p')).error);
  check(pg.sql('select count(*) from log') === '4', pg.sql('select * from log'));
  check(pg.sql('select v from t') === pg.sql('select v from log order by n desc limit 1'), 'the last one counts');
  check((await post(2, 5)) === 200, 'refused by one table');
  const dead = (await tutti.get('pipelines/p/dead')).rows;
  check(dead.length === 1 && /violates check constraint/.test(JSON.stringify(dead[0])), JSON.stringify(dead));
  check(pg.sql('select v from t where id = 2') === '5', 'the other has it');
  const kept = execFileSync('sqlite3', [path.join(tutti.cwd, 'kept.db'), 'select count(*), max(v) from kept'], { encoding: 'utf8' });
  check(kept === '5|5\n', kept);
  await tutti.deploy('p.tutti', program.replace('into sqlite', 'into sqlite')
    .replace('reply 200 { v: v }', 'reply 201 { v: v }'));
  await until('the new version answers', async () => (await post(3, 6)) === 201);
  check(pg.sql('select v from t where id = 3') === '6', 'and writes');
  await pg.down();
  void post(4, 7).catch(() => {});
  await until('it waits again', async () => /erp does not take rows: /.test((await tutti.get('pipelines/p')).error ?? ''));
  check((await tutti.kill('SIGTERM')) === 0, 'it stops although rows wait');
  await pg.end();
});

await run();
