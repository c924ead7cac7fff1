// tests/e2e/tables.mjs: `from historian`: what is in a table, then what is written to it, each row once, in the order
// of writing, over stops, new versions and kill -9. What must come is counted here and not by the server.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { build, check, Publisher, run, test, Tutti, until } from './lib.mjs';

const writer = `
pipeline writer {
  from mqtt "in/row" qos 1 as json { id: i64, machine: string(8), at: time, kw: f64?, on: bool, tags: json(64) }
  into historian press_10s key (machine, id)
  on error into dead
}`;
const columns = 'id: i64, machine: string(8), at: time, kw: f64?, on: bool, tags: json(64)';
const reader = (middle = '', sink = 'into file "out.ndjson"') => `
pipeline reader {
  from historian press_10s as { ${columns} }
  ${middle}
  ${sink}
  on error into file "bad.ndjson"
}`;
const make = (n, kw = n / 4) => JSON.stringify({
  id: n, machine: `m${n % 3}`, at: new Date(1.7e12 + n * 1000).toISOString(), ...(n % 5 ? { kw } : {}), on: n % 2 === 0, tags: [n] });
// A time has no zeros behind its seconds (docs/language.md).
const row = (n, kw = n / 4) => make(n, kw).replace('.000Z', 'Z');
const lines = (tutti, file = 'out.ndjson') => {
  try { return readFileSync(path.join(tutti.cwd, file), 'utf8').split('\n').slice(0, -1); } catch { return []; }
};
const same = (have, want, what) => {
  const at = have.findIndex((l, i) => l !== want[i]);
  check(have.length === want.length && at < 0, `${what}: ${have.length} of ${want.length}; ${at < 0 ? '' : `${at}: ${have[at]} and not ${want[at]}`}`);
};
const list = (from, to) => Array.from({ length: to - from }, (_, n) => row(from + n));

async function publish(tutti, count, from = 0, window = 100) {
  const pub = new Publisher(tutti.mqtt, 'in/row', make, window);
  Object.assign(pub, { next: from, limit: from + count });
  await pub.connect();
  await until('all are acknowledged', () => pub.acked.size === count);
  pub.close();
}
const problem = async (tutti, name = 'reader') => JSON.stringify((await tutti.get(`pipelines/${name}`)));

test('a table that is not there is waited for; then all of it in order, then what is written', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('reader.tutti', reader());
  await until('it says that it waits', async () => /there is no table press_10s yet/.test(await problem(tutti)));
  await tutti.deploy('writer.tutti', writer);
  await publish(tutti, 2000);
  await until('all rows', () => lines(tutti).length >= 2000);
  same(lines(tutti), list(0, 2000), 'each once, in the order of writing');
  await until('nothing is wrong any more', async () => !/there is no table/.test(await problem(tutti)));
  const begin = Date.now();
  await publish(tutti, 1, 2000);
  await until('one more', () => lines(tutti).length === 2001);
  check(Date.now() - begin < 5000, 'the writer wakes it');
  check(lines(tutti, 'bad.ndjson').length === 0, `none failed: ${lines(tutti, 'bad.ndjson')[0]}`);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

test('a row that is replaced comes again as it is now; the same row does not', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('writer.tutti', writer);
  await publish(tutti, 10);
  await tutti.deploy('reader.tutti', reader());
  await until('ten rows', () => lines(tutti).length === 10);
  await publish(tutti, 10); // as they were
  const pub = new Publisher(tutti.mqtt, 'in/row', (n) => make(n, 99.5), 1);
  Object.assign(pub, { next: 3, limit: 5 });
  await pub.connect();
  await until('two rows more', () => lines(tutti).length >= 12);
  await publish(tutti, 1, 10);
  await until('and a new one', () => lines(tutti).length >= 13);
  same(lines(tutti).slice(10), [row(3, 99.5), row(4, 99.5), row(10)], 'what changed, once');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

test('after a stop, a new version and a restart it goes on where it was', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('writer.tutti', writer);
  await tutti.deploy('reader.tutti', reader());
  await publish(tutti, 700);
  await until('rows', () => lines(tutti).length === 700);
  check((await tutti.call('POST', 'pipelines/reader/stop')).status === 200, 'stops');
  await publish(tutti, 300, 700);
  check((await tutti.call('POST', 'pipelines/reader/start')).status === 200, 'starts');
  await until('rows of meanwhile', () => lines(tutti).length >= 1000);
  await tutti.deploy('reader.tutti', reader('where id >= 0'));
  await tutti.deploy('reader.tutti', reader('where id >= 0').replace(', on: bool', ', on: bool?')); // the same table
  await publish(tutti, 200, 1000);
  await until('rows of the new version', () => lines(tutti).length >= 1200);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await tutti.up();
  await publish(tutti, 100, 1200);
  await until('rows behind the restart', () => lines(tutti).length >= 1300);
  same(lines(tutti), list(0, 1300), 'each once');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

// Rows into a table with a key of their own: what comes twice is there once. Beside it windows, which the journal brings
// back: a row that came twice would count twice.
test('kill -9 at any moment: no row is lost, and none counts twice in a window', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('writer.tutti', writer);
  await tutti.deploy('readers.tutti', `
pipeline copies {
  from historian press_10s as { ${columns} }
  into historian copies key (machine, id)
  on error into dead
}
pipeline counts {
  from historian press_10s as { ${columns} }
  time at order 0s
  window tumble 100s by machine { n = count()  sum = sum(id) }
  into historian counts key (machine, start)
  on error into dead
}`);
  const total = 6000;
  const pub = new Publisher(tutti.mqtt, 'in/row', make, 100);
  pub.limit = total;
  await pub.connect();
  for (let kill = 1; kill <= 5; kill++) {
    await until('some more', () => pub.acked.size >= kill * 1000);
    await tutti.kill('SIGKILL');
    await tutti.up();
    await pub.connect();
  }
  await until('all are acknowledged', () => pub.acked.size === total);
  const rows = async (table, limit = 5000) => (await tutti.get(`uns/tables/${table}?limit=${limit}`));
  const count = async (name) => (await tutti.get('uns/tables')).tables.find((t) => t.name === name)?.rows ?? 0;
  await until('all copies', async () => (await count('copies')) === total);
  await until('all windows but the last', async () => (await count('counts')) >= (total / 100 - 1) * 3);
  const have = new Map((await rows('counts')).rows.map(([machine, start, , n, sum]) => [`${machine} ${start}`, `${n} ${sum}`]));
  const want = new Map();
  for (let n = 0; n < total - 100; n++) {
    const start = new Date(1.7e12 + Math.floor(n / 100) * 100000).toISOString().replace('.000Z', 'Z');
    const key = `m${n % 3} ${start}`;
    const [k, s] = (want.get(key) ?? '0 0').split(' ').map(Number);
    want.set(key, `${k + 1} ${s + n}`);
  }
  for (const [key, value] of want) check(have.get(key) === value, `window ${key}: ${have.get(key)} and not ${value}`);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

test('a column that is not there, or of another type', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('writer.tutti', writer);
  await publish(tutti, 3);
  await tutti.deploy('reader.tutti', reader().replace('kw: f64?', 'kw: f64?, extra: i32'));
  await until('it names the column', async () => /table press_10s has no column extra: write extra: i64\? if it may be missing; its columns are id, machine/.test(await problem(tutti)));
  await tutti.deploy('reader.tutti', reader().replace('kw: f64?', 'kw: f64?, extra: i32?'));
  await until('three rows', () => lines(tutti).length === 3);
  await tutti.call('POST', 'pipelines', { file: 'other.tutti', text: 'pipeline other { from historian press_10s as { machine: i32 }  into file "o"  on error drop }' });
  await until('it failed', async () => (await tutti.get('pipelines/other')).state === 'failed');
  check(/column machine of table press_10s is string\(64\) and is read as i64: write machine: string/.test(await problem(tutti, 'other')), await problem(tutti, 'other'));
  const circle = await tutti.call('POST', 'pipelines', { file: 'c.tutti', text: `pipeline c { from historian copies as { id: i64 }  into historian press_10s key (id)  on error drop }
pipeline d { from historian press_10s as { id: i64 }  into historian copies key (id)  on error drop }` });
  check(circle.status === 400 && circle.body.problems[0].code === 'S037', `a circle in one program: ${JSON.stringify(circle.body)}`);
  await tutti.deploy('d.tutti', 'pipeline d { from historian press_10s as { id: i64 }  into historian more key (id)  on error drop }');
  const back = await tutti.call('POST', 'pipelines', { file: 'c.tutti', text: 'pipeline c { from historian more as { id: i64 }  into historian press_10s key (id)  on error drop }' });
  check(back.status === 409 && /circle/.test(JSON.stringify(back.body)), `a circle of two programs: ${back.status} ${JSON.stringify(back.body)}`);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

test('a batch reads the table of a data folder to its end, on every engine', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('writer.tutti', writer);
  await publish(tutti, 1500);
  await publish(tutti, 5, 1500);
  const text = path.join(tutti.cwd, 'r.tutti');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(text, reader('', 'into stdout'));
  const batch = (engine, ...more) => spawnSync(path.join(build, 'tutti'), ['run', '--batch', '--engine', engine, ...more, text], { encoding: 'utf8', cwd: tutti.cwd, input: '' });
  const engines = spawnSync(path.join(build, 'tutti'), ['run', '--engine', 'list'], { encoding: 'utf8' }).stdout.trim().split('\n').map((l) => l.split(' ')[0]);
  check(engines.includes('interp') && engines.includes('cc'), engines.join());
  for (const engine of engines) {
    const { status, stdout, stderr } = batch(engine, '--data', tutti.data);
    check(status === 0, `${engine}: ${status} ${stderr}`);
    same(stdout.split('\n').slice(0, -1), list(0, 1505), engine);
  }
  const all = await tutti.call('POST', 'historian/sql', { sql: 'select * from press_10s limit 1' });
  check(all.status === 200 && all.body.columns.join() === 'id,machine,at,kw,on,tags', `its columns: ${JSON.stringify(all.body)}`);
  writeFileSync(text, reader('', 'into stdout').replace('press_10s', 'press'));
  const none = batch('interp', '--data', tutti.data);
  check(none.status !== 0 && /there is no table press yet.*there are press_10s/.test(none.stderr), `${none.status} ${none.stderr}`);
  const without = batch('interp', '--data', path.join(tutti.cwd, 'nowhere'));
  check(without.status !== 0 && /nowhere\/history.db is no historian/.test(without.stderr), without.stderr);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

run();
