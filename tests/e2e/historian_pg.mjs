// tests/e2e/historian_pg.mjs: the historian on a PostgreSQL server that comes and goes, with kill -9 in between.
import { Postgres } from './postgres_server.mjs';
import { check, Publisher, run, test, Tutti, until } from './lib.mjs';

const up = (pg, env = {}) => Tutti.new(['serve'], { env: { TUTTI_UNS_HISTORIAN: pg.url(), TUTTI_UNS_UPKEEP_EVERY: '300ms', ...env } });
const stats = async (tutti) => (await tutti.get('uns/stats')).historian;
const settled = (tutti) => until('all is on the server', async () => (await stats(tutti)).waiting === 0, 120000);
const iso = (ms) => new Date(ms).toISOString();
const send = (tutti, rows) => tutti.call('POST', 'historian/import', { csv: `path,time,value\n${rows.map((r) => `${r.join(',')}\n`).join('')}` });

test('acknowledged points reach the server, which was away, and after kills of both', async () => {
  const pg = await Postgres.new();
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
  check((await stats(tutti)).state === 'up' && (await stats(tutti)).kind === 'partitions', 'up');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await pg.end();
});

test('a point written again is replaced, weeks are partitions, old ones are dropped', async () => {
  const pg = await Postgres.new();
  const tutti = await up(pg, { TUTTI_UNS_RETENTION: '3650d' }); // or the old week may go while we look
  const now = Date.now();
  const old = now - 100 * 86400000;
  await send(tutti, [['w/a', iso(old), 1], ['w/a', iso(now - 60000), 1], ['w/b', iso(now - 60000), 5]]);
  await settled(tutti);
  await send(tutti, [['w/a', iso(now - 60000), 2]]);
  await settled(tutti);
  check(pg.sql("select value from tutti_samples where path = 'w/a' order by time") === '1\n2', 'replaced');
  const weeks = () => Number(pg.sql("select count(*) from pg_inherits where inhparent = 'tutti_points'::regclass"));
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
  const pg = await Postgres.new();
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

await run();
