// tests/e2e/historian_pg.mjs: the historian on a PostgreSQL server that comes and goes, with kill -9 in between.
// STORE=timescale: the same with the extension timescaledb, and what holds with it alone.
import { hasTimescale, noTimescale, Postgres } from './postgres_server.mjs';
import { check, Publisher, run, test, Tutti, until } from './lib.mjs';

const timescale = process.env.STORE === 'timescale';
if (timescale && !hasTimescale()) {
  console.log(`skip  the historian on timescaledb: ${noTimescale}\n0 passed, 0 failed, 1 skipped`);
  process.exit(0);
}
const kind = timescale ? 'timescaledb' : 'partitions';
const up = (pg, env = {}) => Tutti.new(['serve'], { env: { TUTTI_UNS_HISTORIAN: pg.url(), TUTTI_UNS_UPKEEP_EVERY: '300ms', ...env } });
const stats = async (tutti) => (await tutti.get('uns/stats')).historian;
const settled = (tutti) => until('all is on the server', async () => (await stats(tutti)).waiting === 0, 120000);
const iso = (ms) => new Date(ms).toISOString();
const send = (tutti, rows) => tutti.call('POST', 'historian/import', { csv: `path,time,value\n${rows.map((r) => `${r.join(',')}\n`).join('')}` });

test('acknowledged points reach the server, which was away, and after kills of both', async () => {
  const pg = await Postgres.new({}, timescale);
  const tutti = await up(pg);
  // Each its own time: two points of the same time are one.
  const begin = Math.floor(Date.now() / 1000) - 1800;
  const time = (n) => new Date((begin + Math.floor(n / 1e6)) * 1000).toISOString().replace('.000Z', `.${String(n % 1e6).padStart(6, '0')}Z`);
  const pub = await new Publisher(tutti.mqtt, 'away/x', (n) => `{"value":${n},"ts":"${time(n)}"}`, 5).connect();
  pub.fill();
  await until('some', () => pub.acked.size > 500);
  await pg.down();
  const before = pub.acked.size;
  await until('acknowledged while it is away', () => pub.acked.size > before + 1000);
  pub.limit = pub.next + 2000;
  await until('says so', async () => (await stats(tutti)).state === 'away');
  const { waiting, error, since } = await stats(tutti);
  check(waiting > 0 && error.length > 5 && since > 1e12, `${waiting} ${error} ${since}`);
  const asked = await tutti.call('GET', 'historian/points/away/x');
  check(asked.status >= 500, `a question says that the server is away: ${asked.status}`);
  check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await until('seen', () => !pub.open);
  pub.close();
  await tutti.up();
  await pg.up();
  await settled(tutti);
  const missing = pg.sql(`select generate_series(0, ${pub.next}) except select value::int from tutti_samples where path = 'away/x'`);
  const lost = missing.split('\n').map(Number).filter((n) => pub.acked.has(n));
  console.log(`      ${pub.acked.size} acknowledged`);
  check(!lost.length, `lost: ${lost.length}, first ${lost[0]}`);
  check((await stats(tutti)).state === 'up' && (await stats(tutti)).kind === kind, 'up');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
});

// The figure is true with the answer, not when the server is tried next.
test('what waits is counted at once', async () => {
  const pg = await Postgres.new({}, timescale);
  const tutti = await up(pg);
  const waiting = async () => (await stats(tutti)).waiting;
  const begin = Date.now() - 3600000;
  const rows = (from, count) => Array.from({ length: count }, (_, i) => ['n/a', iso(begin + (from + i) * 1000), i]);
  await send(tutti, rows(0, 100));
  await settled(tutti);
  await pg.down();
  for (let n = 100; n < 500; n += 100) { // the server is tried at longer and longer intervals
    await send(tutti, rows(n, 100));
    check((await waiting()) === n, `${await waiting()} of ${n} wait`);
    if (n === 100) await until('away', async () => (await stats(tutti)).state === 'away');
  }
  check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await tutti.up();
  check((await waiting()) === 400, `after a kill ${await waiting()} of 400`);
  await pg.up();
  await settled(tutti);
  check(pg.sql("select count(*) from tutti_samples where path = 'n/a'") === '500', 'all are there');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
});

test('a point written again is replaced, weeks are partitions, old ones are dropped', async () => {
  const pg = await Postgres.new({}, timescale);
  const tutti = await up(pg, { TUTTI_UNS_RETENTION: '3650d' }); // or the old week may go while we look
  const now = Date.now();
  const old = now - 100 * 86400000;
  await send(tutti, [['w/a', iso(old), 1], ['w/a', iso(now - 60000), 1], ['w/b', iso(now - 60000), 5]]);
  await settled(tutti);
  await send(tutti, [['w/a', iso(now - 60000), 2]]);
  await settled(tutti);
  check(pg.sql("select value from tutti_samples where path = 'w/a' order by time") === '1\n2', 'replaced');
  const weeks = () => Number(pg.sql(timescale ? "select count(*) from show_chunks('tutti_points')" :
    "select count(*) from pg_inherits where inhparent = 'tutti_points'::regclass"));
  check(weeks() === 2, `partitions: ${weeks()}`);
  check(pg.sql("select count(*) from tutti_samples where path = 'w/a' and abs(extract(epoch from time) - " + (now - 60000) / 1000 + ') < 0.001') === '1', 'times');
  // An import keeps retention away for a minute; a new process knows nothing of it.
  await tutti.kill('SIGTERM');
  tutti.env.TUTTI_UNS_RETENTION = '30d';
  await tutti.up();
  await until('the old week is gone', () => weeks() === 1, 120000);
  const points = await tutti.get(`historian/points/w/a?from=0`);
  check(JSON.stringify(points.value) === '[2]', JSON.stringify(points.value));
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
});

test('what a file held goes to the server that is set later; without it SQL says what is missing', async () => {
  const pg = await Postgres.new({}, timescale);
  const tutti = await Tutti.new();
  const begin = Date.now() - 3600000;
  const rows = [];
  for (let i = 0; i < 9000; i++) rows.push(['m/a', iso(begin + i * 100), i]);
  await send(tutti, rows);
  await tutti.kill('SIGTERM');
  tutti.env = { TUTTI_UNS_HISTORIAN: pg.url() };
  await tutti.up();
  await until('moved', () => { try { return pg.sql('select count(*) from tutti_points') === '9000'; } catch { return false; } }, 120000);
  const answer = await tutti.call('POST', 'historian/sql', { sql: "select count(*), sum(value) from samples where path = 'm/a'" });
  check(JSON.stringify(answer.body.rows) === `[[9000,${(8999 * 9000) / 2}]]`, JSON.stringify(answer.body));
  await tutti.kill('SIGTERM');
  await pg.end();
});

// Tables of `into historian` stay in the data folder: neither writing nor reading them knows of the server.
test('tables are written and read as a source while the server is there, away and after a kill', async () => {
  const pg = await Postgres.new({}, timescale);
  const tutti = await up(pg);
  await tutti.deploy('t.tutti', `
pipeline writer { from mqtt "t/in" qos 1 as json { n: i64 }  into historian counted key (n)  on error into dead }
pipeline reader { from historian counted since 1d as { n: i64 }  into historian copied key (n)  on error into dead }`);
  const pub = await new Publisher(tutti.mqtt, 't/in', (n) => `{"n":${n}}`, 20).connect();
  const more = async (limit) => {
    pub.limit = limit;
    pub.fill();
    await until('acknowledged', () => pub.acked.size === limit);
    await until('copied', async () => (await tutti.get('uns/tables')).tables.find((t) => t.name === 'copied')?.rows === limit);
  };
  await more(200);
  await pg.down();
  await more(400);
  check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await until('seen', () => !pub.open);
  await tutti.up();
  await pub.connect();
  await more(600);
  await pg.up();
  await more(800);
  pub.close();
  const answer = await until('the server answers again', async () => {
    const { status, body } = await tutti.call('POST', 'historian/sql', { sql: 'select count(*), sum(n) from copied' });
    return status === 200 && body;
  });
  check(JSON.stringify(answer.rows) === `[[800,${(799 * 800) / 2}]]`, JSON.stringify(answer));
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
});

// A chunk at a time, as the jobs do it: whoever compresses many at once may wait for us while we wait for it.
const compress = async (pg) => {
  for (const chunk of pg.sql("select c from show_chunks('tutti_points') c union all select c from show_chunks('tutti_rolls') c").split('\n').filter(Boolean))
    await until(`${chunk} is compressed`, () => {
      try {
        pg.sql(`select compress_chunk('${chunk}', true)`);
        return true;
      } catch (error) {
        if (!/deadlock detected/.test(error.message)) throw error;
        return false;
      }
    });
};
const day = 86400000;
const hour = 3600000;
const near = (a, b) => a === b || (typeof a === 'number' && typeof b === 'number' && Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a)));
// Every column the same, means to nine digits: they are sums of floating numbers.
const same = (a, b, what) => {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  const alike = (p, q) => (Array.isArray(p) ? Array.isArray(q) && p.length === q.length && p.every((v, i) => alike(v, q[i])) : near(p, q));
  check(Object.keys(a).length > 0 && Object.keys(a).every((k) => alike(a[k], b[k])), `${what}: ${x.slice(0, 900)} or ${y.slice(0, 900)}`);
};

test('minutes and hours on the server are those of the file, also when the points are gone', async () => {
  const pg = await Postgres.new({}, timescale);
  const env = { TUTTI_UNS_RETENTION: '1d', TUTTI_UNS_UPKEEP_EVERY: '300ms' };
  const file = await Tutti.new(['serve'], { env });
  const server = await up(pg, env);
  const both = [file, server];
  const begin = Math.floor(Date.now() / day) * day - 30 * day;
  const rows = [];
  for (let i = 0; i < 10 * 144; i++) rows.push(['ro/a', iso(begin + i * 600000 + (i % 7) * 1000), (i * 37) % 501, i % 10 ? 'good' : i % 20 ? 'bad' : 'uncertain']);
  const ten = begin + 10 * hour;
  rows.push(['ro/h', iso(ten), 2, 'good'], ['ro/h', iso(ten + 30 * 60000), 4, 'good'], ['ro/h', iso(ten + 45 * 60000), 9, 'bad']);
  // Many of today: points are there, and roll-ups answer because they are too many.
  const now = Math.floor(Date.now() / hour) * hour;
  for (let i = 0; i < 52000; i++) rows.push(['ro/many', iso(now - 6 * hour + i * 400), (i * 7919) % 1000 / 10, 'good']);
  const put = async (tutti, list) => {
    for (let i = 0; i < list.length; i += 15000) {
      const { body } = await tutti.call('POST', 'historian/import', { csv: `path,time,value,quality\n${list.slice(i, i + 15000).map((r) => `${r.join(',')}\n`).join('')}` });
      check(body.written === list.slice(i, i + 15000).length, JSON.stringify(body).slice(0, 300));
    }
  };
  for (const tutti of both) await put(tutti, rows);
  await settled(server);
  const steps = `historian/steps/ro/a?from=${begin - hour}&to=${begin + 11 * day}&step=`;
  const questions = [`${steps}6h`, `${steps}7h`, `${steps}30m`, `historian/steps/ro/h?from=${ten}&to=${ten + 3 * hour}&step=1m`, `historian/steps/ro/h?from=${ten}&to=${ten + 3 * hour}&step=1h`,
    `historian/steps/ro/many?from=${now - 6 * hour}&to=${now}&step=1h`, `historian/steps/ro/many?from=${now - 6 * hour}&to=${now}&step=1m`,
    `uns/history/ro/a?from=${begin}&to=${begin + 11 * day - 1}&pixels=11`,
    `historian/at/ro/a?times=${encodeURIComponent(JSON.stringify([iso(begin - 1), iso(begin + 3 * day + 12345), iso(begin + 20 * day)]))}`];
  const points = [];
  for (const q of questions) points.push(await file.get(q)); // no roll-up is worked out yet, or they say the same
  await until('hours are worked out', () => pg.sql("select count(*) from tutti_by_hour where path = 'ro/many'") === '6' && pg.sql('select count(*) from tutti_stale where t <= ' + (now - hour) + '000000') === '0', 60000);
  check(pg.sql(`select mean, min, max, first, last, count, quality, good_ratio from tutti_by_hour where path = 'ro/h'`) === '2.6666666666666665|2|9|2|9|3|bad|0.6666666666666666', pg.sql("select * from tutti_by_hour where path = 'ro/h'"));
  check(pg.sql(`select string_agg(concat_ws(' ', extract(minute from time), coalesce(mean::text, '-'), count), ',' order by time) from tutti_by_minute where path = 'ro/h'`) === '0 2 1,30 4 1,45 - 1', 'minutes by hand');
  const compare = async (when) => {
    for (const [i, q] of questions.entries()) {
      const [a, b] = [await file.get(q), await server.get(q)];
      if (when !== 'points') { delete points[i].source; }
      same(points[i], b, `${when}, ${q}, by points and the server`);
      delete a.source;
      same(a, b, `${when}, ${q}, file and server`);
    }
  };
  const many = await server.get(questions[5]);
  check(many.source === 'hours', `many points are answered by ${many.source}`);
  await compare('there');
  if (timescale) {
    await compress(pg);
    await compare('compressed');
  }
  // An import keeps retention away for a minute; a new process knows nothing of it.
  for (const tutti of both) {
    await tutti.kill('SIGTERM');
    await tutti.up();
  }
  const left = async (tutti) => (await tutti.get('historian/points/ro/a?from=0&limit=1')).t.length;
  await until('points are gone', async () => !(await left(file)) && !(await left(server)), 60000);
  check((await server.get(questions[0])).source === 'hours' && (await server.get(questions[2])).source === 'minutes', 'roll-ups answer');
  await compare('gone');
  // Late ones: a minute that has none is filled, an hour that has one stays; the same points again change nothing.
  const late = [['ro/h', iso(ten + 20 * 60000), 77, 'good'], ['ro/h', iso(ten + 1000), 88, 'good'], ['ro/h', iso(ten + 90 * 60000), 5, 'good']];
  for (const tutti of both) await put(tutti, [...late, ...rows.slice(0, 300)]);
  await settled(server);
  await until('late points are worked out', () => pg.sql('select count(*) from tutti_stale where t <= ' + (now - hour) + '000000') === '0', 60000);
  for (const q of questions) {
    const [a, b] = [await file.get(q), await server.get(q)];
    delete a.source;
    same(a, b, `late, ${q}`);
  }
  const filled = await server.get(questions[3]);
  check(JSON.stringify([filled.max[0], filled.max[20], filled.max[90]]) === '[2,77,5]', JSON.stringify(filled.max));
  // A file whose points are gone gets a server: its roll-ups go along.
  const second = await Postgres.new({}, timescale);
  const before = await file.get(questions[0]);
  check((await file.kill('SIGTERM')) === 0, 'ends');
  file.env = { ...env, TUTTI_UNS_HISTORIAN: second.url() };
  await file.up();
  await until('moved', () => { try { return second.sql('select count(*) from tutti_kept where series > 0') !== '0'; } catch { return false; } }, 60000);
  await settled(file);
  same(before, await file.get(questions[0]), 'moved');
  for (const tutti of both) check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
  await second.end();
});

test('roll-ups go by their rules', async () => {
  const pg = await Postgres.new({}, timescale);
  const tutti = await up(pg);
  const begin = Math.floor(Date.now() / day) * day - 40 * day;
  await send(tutti, [['ru/a', iso(begin), 1], ['ru/a', iso(begin + 35 * day), 2], ['no/a', iso(begin), 1]]);
  const levels = (path) => pg.sql(`select string_agg(distinct level::text, '' order by level::text) from tutti_rolls join tutti_series on id = series where path = '${path}'`);
  await until('worked out', () => levels('ru/a') === '01' && levels('no/a') === '01', 30000);
  const rule = (pattern, minutes, hours) => ({ pattern, raw: '1y', minutes, hours });
  await tutti.call('PUT', 'historian/rules', { rules: [rule('ru/#', '10d', '1y'), rule('no/#', 'none', 'none')] });
  await tutti.kill('SIGTERM');
  await tutti.up();
  await until('unwanted ones go', () => levels('no/a') === '' && pg.sql("select count(*) from tutti_by_minute where path = 'ru/a'") === '1', 30000);
  check(pg.sql("select count(*) from tutti_by_hour where path = 'ru/a'") === '2', 'hours stay');
  await tutti.call('PUT', 'historian/rules', { rules: [rule('no/#', 'none', 'forever')] });
  await until('wanted ones come', () => levels('no/a') === '1', 30000);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
});

const jobs = (pg) => pg.sql("select string_agg(concat(hypertable_name, ' ', proc_name), ',' order by hypertable_name, proc_name) from timescaledb_information.jobs where proc_name = 'policy_compression'");
const only = (what, fn) => timescale && test(what, fn);

only('hypertables, their jobs, and what others can ask', async () => {
  const pg = await Postgres.new({}, true);
  const tutti = await up(pg, { TUTTI_UNS_RETENTION: '365d' });
  const now = Date.now();
  const minute = Math.floor(now / 60000) * 60000;
  await send(tutti, [['hy/a', iso(minute - 60 * day), 7], ['hy/a', iso(minute - 120000), 1], ['hy/a', iso(minute - 90000), 4], ['hy/a', iso(minute - 80000), 4]]);
  await settled(tutti);
  check(pg.sql("select string_agg(concat(hypertable_name, ' ', compression_enabled), ',' order by hypertable_name) from timescaledb_information.hypertables where hypertable_name like 'tutti%'") ===
    'tutti_points t,tutti_rolls t', 'hypertables');
  check(jobs(pg) === 'tutti_points policy_compression,tutti_rolls policy_compression', jobs(pg));
  const refresh = Number(pg.sql("select job_id from timescaledb_information.jobs where proc_name = 'policy_refresh_continuous_aggregate'"));
  // The server runs it by itself, too, and of two at once one is refused.
  const ran = (job) => until('the job has run', () => {
    try {
      pg.sql(`call run_job(${job})`);
      return true;
    } catch (e) {
      if (/due to a concurrent refresh/.test(e.message)) return false;
      throw e;
    }
  });
  // At once, and the same when the job has run.
  const live = () => pg.sql(`select average, min, max, first, last, count, quality, extract(epoch from time)::bigint from tutti_live_by_minute where path = 'hy/a' and t_ns >= tutti_ns(now() - interval '1 hour') order by time`);
  const want = `3|1|4|1|4|3|good|${minute / 1000 - 120}`;
  check(live() === want, live());
  await ran(refresh);
  check(live() === want, live());
  check(pg.sql('select count(*) from tutti_minutes') === '2', 'minutes of both months');
  // The compression's own job takes the old week; what comes for it later is there as well, and once.
  pg.sql(`call run_job(${pg.sql("select job_id from timescaledb_information.jobs where hypertable_name = 'tutti_points' and proc_name = 'policy_compression'")})`);
  const compressed = () => pg.sql("select count(*) from timescaledb_information.chunks where hypertable_name = 'tutti_points' and is_compressed");
  check(compressed() === '1', `compressed: ${compressed()}`);
  for (let round = 0; round < 2; round++) {
    await send(tutti, [['hy/a', iso(minute - 60 * day), 9], ['hy/a', iso(minute - 60 * day + 1000), 5], ['hy/b', iso(minute - 60 * day), 3]]);
    await settled(tutti);
  }
  check(pg.sql(`select string_agg(concat(path, ' ', value), ',' order by path, time) from tutti_samples where t_ns < tutti_ns(now() - interval '30 days')`) === 'hy/a 9,hy/a 5,hy/b 3', 'late ones');
  await ran(refresh);
  check(pg.sql(`select average from tutti_live_by_minute where path = 'hy/a' order by time limit 1`) === '7', 'their minute is worked out anew');
  // Chunks and what was worked out of them go by the rules.
  await until('worked out', () => pg.sql(`select count(*) from tutti_stale where t < ${minute - day}000000`) === '0');
  await tutti.kill('SIGTERM');
  tutti.env.TUTTI_UNS_RETENTION = '30d';
  tutti.env.TUTTI_UNS_MINUTES_RETENTION = '30d';
  tutti.env.TUTTI_UNS_HOURS_RETENTION = '30d';
  await tutti.up();
  const chunks = (table) => Number(pg.sql(`select count(*) from show_chunks('${table}')`));
  await until('gone', () => chunks('tutti_points') === 1 && chunks('tutti_rolls') <= 1);
  await ran(refresh);
  check(live() === want && pg.sql("select count(*) from tutti_live_by_minute where t_ns < tutti_ns(now() - interval '30 days')") === '0', 'minutes follow');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
});

// A statement of timescaledb may unpack 100,000 points of compressed chunks, unless it says otherwise.
only('any number of points of a compressed week are replaced', async () => {
  const pg = await Postgres.new({}, true);
  const tutti = await up(pg, { TUTTI_UNS_RETENTION: '365d' });
  const begin = Math.floor(Date.now() / (7 * day)) * 7 * day - 28 * day;
  const count = 150000;
  const row = (i, value) => ['re/a', iso(begin + i * 4000), value];
  for (let i = 0; i < count; i += 15000) await send(tutti, Array.from({ length: 15000 }, (_, k) => row(i + k, i + k)));
  await settled(tutti);
  await compress(pg);
  await send(tutti, Array.from({ length: 15000 }, (_, k) => row(k * 10, -1)));
  // What waits is counted when it is taken, a moment after the answer.
  await until('all are replaced', () => pg.sql("select count(*) filter (where value = -1) from tutti_samples") === '15000');
  check(pg.sql('select count(*) from tutti_samples') === `${count}`, 'none is there twice');
  check((await stats(tutti)).state === 'up', JSON.stringify(await stats(tutti)));
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
});

only('servers that have less of it', async () => {
  const cases = [
    ['not in shared_preload_libraries', { shared_preload_libraries: '' }, 'partitions'],
    ['the license of the Apache build', { 'timescaledb.license': 'apache' }, 'timescaledb'],
  ];
  for (const [what, settings, want] of cases) {
    const pg = await Postgres.new({}, true, settings);
    const tutti = await up(pg);
    for (let start = 0; start < 2; start++) {
      await send(tutti, [['le/a', iso(Date.now() - 60000), start]]);
      await settled(tutti);
      check((await stats(tutti)).kind === want, `${what}: ${(await stats(tutti)).kind}`);
      check((await tutti.get('historian/points/le/a?from=-1h')).value.length === start + 1, what);
      await tutti.kill('SIGTERM');
      await tutti.up();
    }
    await tutti.kill('SIGTERM');
    await pg.end();
  }
});

// A user who may not make extensions, in a schema of its own; where somebody made it before, that is used.
only('a user with one schema', async () => {
  for (const made of [false, true]) {
    const pg = await Postgres.new({ plant: 'secret' }, true);
    pg.sql('create schema plant authorization plant; alter role plant set search_path = plant; revoke create on database postgres from public');
    if (made) pg.sql('create schema ts; create extension timescaledb schema ts; grant usage on schema ts to public');
    const tutti = await Tutti.new(['serve'], { env: { TUTTI_UNS_HISTORIAN: pg.url('plant', 'secret'), TUTTI_UNS_UPKEEP_EVERY: '300ms', TUTTI_UNS_RETENTION: '30d' } });
    const now = Date.now();
    await send(tutti, [['us/a', iso(now - 100 * day), 1], ['us/a', iso(now - 60000), 2]]);
    await settled(tutti);
    check((await stats(tutti)).kind === (made ? 'timescaledb' : 'partitions'), (await stats(tutti)).kind);
    await tutti.kill('SIGTERM');
    await tutti.up();
    await until('the old week is gone', () => pg.sql('select count(*) from plant.tutti_points') === '1');
    await tutti.kill('SIGTERM');
    await pg.end();
  }
});

test('a server that says nothing: questions fail in time and say why, others go on', async () => {
  const pg = await Postgres.new({}, timescale);
  const tutti = await up(pg, { TUTTI_UNS_HISTORIAN_WAIT: '1s' });
  await send(tutti, [['w/a', iso(Date.now() - 60000), 1]]);
  await settled(tutti);
  check((await tutti.get('historian/points/w/a')).value.length === 1, 'there');
  pg.signal('SIGSTOP');
  for (const [method, where, body] of [['GET', 'historian/points/w/a'], ['GET', 'historian/steps/w/a?step=1m'], ['GET', 'historian/at/w/a?step=1h'], ['GET', 'uns/history/w/a'],
    ['POST', 'historian/sql', { sql: "select count(*) from samples where path = 'w/a'" }]]) {
    const start = Date.now();
    const answer = await tutti.call(method, where, body);
    const text = answer.body?.error?.text ?? '';
    check(answer.status === 503 && text.includes('PostgreSQL server of the history does not answer'), `${where}: ${answer.status} ${text}`);
    check(Date.now() - start < 5000, `${where}: ${Date.now() - start} ms`);
    const other = Date.now();
    await tutti.get('uns/tables');
    check(Date.now() - other < 5000, 'others go on');
  }
  pg.signal('SIGCONT');
  await until('answers again', async () => (await tutti.call('GET', 'historian/points/w/a')).status === 200, 15000);
  await pg.down();
  const refused = await tutti.call('GET', 'historian/points/w/a');
  check(refused.status === 503 && /does not answer: .*(refused|closed|terminat)/.test(refused.body.error.text), JSON.stringify(refused.body));
  await tutti.kill('SIGTERM');
  await pg.up();
  await pg.end();
});

await run();
