// tests/e2e/tables.mjs: `from historian`: what is in a table, then what is written to it, each row once, in the order
// of writing, over stops, new versions and kill -9. What must come is counted here and not by the server.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
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
async function replace(tutti, n, kw) {
  const pub = new Publisher(tutti.mqtt, 'in/row', (i) => make(i, kw), 1);
  Object.assign(pub, { next: n, limit: n + 1 });
  await pub.connect();
  await until('it is acknowledged', () => pub.acked.size === 1);
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
  await replace(tutti, 7, 99.5);
  await until('the row that changed', () => lines(tutti).length >= 11);
  // Read in one piece: the order of writing is neither that of the ids nor that of the places in the table.
  check((await tutti.call('POST', 'pipelines/reader/stop')).status === 200, 'stops');
  await publish(tutti, 1, 10);
  for (const n of [4, 3]) await replace(tutti, n, 99.5);
  check((await tutti.call('POST', 'pipelines/reader/start')).status === 200, 'starts');
  await until('a new one, and two that changed', () => lines(tutti).length >= 14);
  same(lines(tutti).slice(10), [row(7, 99.5), row(10), row(4, 99.5), row(3, 99.5)], 'what changed, once');
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
  await replace(tutti, 3, 99.5); // written last
  const text = path.join(tutti.cwd, 'r.tutti');
  writeFileSync(text, reader('', 'into stdout'));
  const batch = (engine, ...more) => spawnSync(path.join(build, 'tutti'), ['run', '--batch', '--engine', engine, ...more, text], { encoding: 'utf8', cwd: tutti.cwd, input: '' });
  const engines = spawnSync(path.join(build, 'tutti'), ['run', '--engine', 'list'], { encoding: 'utf8' }).stdout.trim().split('\n').map((l) => l.split(' ')[0]);
  check(engines.includes('interp') && engines.includes('cc'), engines.join());
  for (const engine of engines) {
    const { status, stdout, stderr } = batch(engine, '--data', tutti.data);
    check(status === 0, `${engine}: ${status} ${stderr}`);
    same(stdout.split('\n').slice(0, -1), [...list(0, 3), ...list(4, 1505), row(3, 99.5)], engine);
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

const since = (moment, ...more) => reader(...more).replace('press_10s as', `press_10s since ${moment} as`);
const history = (tutti, sql) => execFileSync('sqlite3', [path.join(tutti.data, 'history.db'), sql], { encoding: 'utf8' });
const engineNames = () => spawnSync(path.join(build, 'tutti'), ['run', '--engine', 'list'], { encoding: 'utf8' }).stdout.trim().split('\n').map((l) => l.split(' ')[0]);
const batchOf = (tutti, engine, text) => {
  const file = path.join(tutti.cwd, 'b.tutti');
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync(path.join(build, 'tutti'), ['run', '--batch', '--engine', engine, '--data', tutti.data, file], { encoding: 'utf8', cwd: tutti.cwd, input: '' });
  check(status === 0, `${engine}: ${status} ${stderr}`);
  return stdout.split('\n').slice(0, -1);
};

test('since: rows written from a moment on; the place counts from then on', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('writer.tutti', writer);
  await publish(tutti, 50);
  const moment = new Date(Date.now() + 1).toISOString();
  await until('the next millisecond', () => Date.now() > Date.parse(moment));
  await publish(tutti, 30, 50);
  await tutti.deploy('reader.tutti', since(moment));
  await until('what was written since', () => lines(tutti).length >= 30);
  await publish(tutti, 10); // as they were: no news
  await publish(tutti, 20, 80);
  await until('and what came then', () => lines(tutti).length >= 50);
  same(lines(tutti), list(50, 100), 'nothing of before');
  // Another moment is none of a pipeline that has a place.
  await tutti.deploy('reader.tutti', since('2020-01-01T00:00:00Z'));
  await publish(tutti, 1, 100);
  await until('it goes on', () => lines(tutti).length >= 51);
  same(lines(tutti), list(50, 101), 'goes on where it was');
  for (const engine of engineNames()) {
    same(batchOf(tutti, engine, since(moment, '', 'into stdout')), list(50, 101), `${engine}: since an instant`);
    same(batchOf(tutti, engine, since('1d', '', 'into stdout')), list(0, 101), `${engine}: since yesterday`);
    same(batchOf(tutti, engine, since('0s', '', 'into stdout')), [], `${engine}: since now`);
  }
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

// Nothing is acknowledged before the kill: the moment it began must not be that of the next start.
test('since an age: counted once, also when it is killed before the first row', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('writer.tutti', writer);
  await publish(tutti, 40);
  await tutti.deploy('reader.tutti', since('0s'));
  await tutti.deploy('sums.tutti', `
pipeline sums {
  from historian press_10s since 0s as { ${columns} }
  time at order 0s
  window tumble 1000s { n = count()  sum = sum(id) }
  into file "sums.ndjson"
  on error into dead
}`);
  await until('both run', async () => (await tutti.get('pipelines')).pipelines.every((p) => p.state === 'running'));
  check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await tutti.up();
  check((await tutti.call('POST', 'pipelines/reader/stop')).status === 200, 'stops');
  check((await tutti.call('POST', 'pipelines/sums/stop')).status === 200, 'stops');
  await publish(tutti, 60, 40);
  check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await tutti.up();
  await tutti.call('POST', 'pipelines/reader/start');
  await tutti.call('POST', 'pipelines/sums/start');
  await until('what was written meanwhile', () => lines(tutti).length >= 60);
  await publish(tutti, 1, 2000);
  await until('the window, and the row that closed it', () => lines(tutti, 'sums.ndjson').length > 0 && lines(tutti).length >= 61);
  same(lines(tutti), [...list(40, 100), row(2000)], 'nothing of before, nothing lost');
  const want = JSON.parse(lines(tutti, 'sums.ndjson')[0]);
  check(want.n === 60 && want.sum === (40 + 99) * 30, `the window has them once: ${JSON.stringify(want)}`);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

// As versions before numbers, and those whose numbers were no times, left their files.
test('rows of older versions: first those without a number, then those with a small one', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('writer.tutti', writer);
  await publish(tutti, 700);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  history(tutti, 'alter table h_press_10s drop column "#"; update record_tables set wrote = 0');
  for (const engine of engineNames()) {
    same(batchOf(tutti, engine, reader('', 'into stdout')), list(0, 700), `${engine}: by row id`);
    same(batchOf(tutti, engine, since('9999d', '', 'into stdout')), [], `${engine}: none says when it was written`);
  }
  await tutti.up();
  await tutti.deploy('reader.tutti', reader());
  await until('the old rows', () => lines(tutti).length >= 700);
  const pub = new Publisher(tutti.mqtt, 'in/row', (n) => make(n, n === 3 ? 99.5 : n / 4), 1);
  Object.assign(pub, { next: 3, limit: 4 });
  await pub.connect();
  await until('one is replaced', () => lines(tutti).length >= 701);
  pub.close();
  await publish(tutti, 50, 700);
  await until('and new ones', () => lines(tutti).length >= 751);
  const all = [...list(0, 700), row(3, 99.5), ...list(700, 750)];
  same(lines(tutti), all, 'each once');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  for (const engine of engineNames()) {
    const now = all.filter((l, i) => i !== 3);
    same(batchOf(tutti, engine, reader('', 'into stdout')), now, `${engine}: old ones, then by number`);
    same(batchOf(tutti, engine, since('1d', '', 'into stdout')), now.slice(699), `${engine}: those that say when`);
  }
  // Numbers that were counted: the next write is a time again, behind all of them.
  history(tutti, `update h_press_10s set "#" = (select count(*) from h_press_10s o where (o."#", o.rowid) <= (h_press_10s."#", h_press_10s.rowid)) + 1 where "#" is not null;
update record_tables set wrote = (select max("#") from h_press_10s)`);
  check(Number(history(tutti, 'select max("#") from h_press_10s')) === 52, 'counted');
  await tutti.up();
  const at = new Date(Date.now()).toISOString();
  await tutti.deploy('other.tutti', since(at, '', 'into file "other.ndjson"').replace('reader', 'other'));
  await publish(tutti, 20, 750);
  await until('new ones', () => lines(tutti, 'other.ndjson').length >= 20);
  same(lines(tutti, 'other.ndjson'), list(750, 770), 'not the counted ones');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

run();
