// tests/e2e/faults.mjs: disks that are full, broken or lie, under a whole Lite process.
//
// A full disk is real: a tmpfs of a few hundred KiB in a mount namespace of the process, filled and
// emptied from outside by way of /proc/PID/root. What no tmpfs can do (EIO, short writes, failing
// syncs) comes from fault_io.so. Held everywhere: nothing that was acknowledged is lost, state, log
// and numbers name the trouble, other pipelines go on, and it ends by itself.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { build, check, folder, password, Publisher, run, skip, start, test, Tutti, until } from './lib.mjs';

const SMALL = '64m';
const number = (n) => JSON.stringify({ seq: n, v: n % 100, pad: 'x'.repeat(100) });
const quiet = (ms) => new Promise((r) => setTimeout(r, ms)); // only where NOTHING must happen

const program = (sink, name = 'copy') => `
pipeline ${name} {
  from mqtt "in/${name}" qos 1 as json { seq: i64, v: f64, pad: string(200) }
  into ${sink}
  on error into dead
}
`;

// A process that sees a small disk at `where` (below its folder). The disk belongs to a name space
// that a sleeping process keeps, so it outlives the one under test.
async function onSmallDisk(where) {
  if (process.getuid() !== 0) skip('only root may mount a disk');
  const cwd = folder();
  const at = path.join(cwd, where);
  mkdirSync(at);
  const mount = `mount -t tmpfs -o size=${SMALL} tmpfs "$0" && echo there && exec sleep 3600`;
  const holder = start('unshare', ['-m', 'sh', '-c', mount, at]);
  // Containers and chroots often let nobody mount, not even root.
  let gone = false;
  holder.exited.then(() => (gone = true));
  await until('the disk', () => gone || holder.out.includes('there'));
  if (gone) skip(`no disk can be mounted here: ${holder.out.trim()}`);
  const before = ['nsenter', '-m', '-t', String(holder.pid), 'sh', '-c', 'cd "$0" && exec "$@"', cwd];
  const tutti = await Tutti.new(['serve'], { before, cwd });
  return Object.assign(tutti, { disk: `/proc/${holder.pid}/root${at}` });
}
// Leaves room for `left` KiB only.
function fill(tutti, left) {
  writeFileSync(`${tutti.disk}/reserve`, Buffer.alloc(left << 10));
  spawnSync('dd', ['if=/dev/zero', `of=${tutti.disk}/filler`, 'bs=4k'], { stdio: 'ignore' });
  rmSync(`${tutti.disk}/reserve`);
}
const empty = (tutti) => rmSync(`${tutti.disk}/filler`);
const rows = (text) => text.split('\n').filter((line) => line).map((line) => JSON.parse(line).seq);

async function stalled(tutti, pub, pipeline = 'copy') {
  const seen = await until('the trouble is named', async () => {
    const n = await tutti.get(`pipelines/${pipeline}`);
    return n.error && n.waiting > 0 && n;
  });
  const before = pub.acked.size;
  await quiet(300);
  check(pub.acked.size - before <= 1024, 'publishers wait');
  return seen;
}

// `all`: each row once, in order; else every acknowledged one at least once.
function whole(text, pub, all) {
  const list = rows(text);
  if (all) check(list.length === pub.limit && list.every((seq, i) => seq === i), `${list.length} of ${pub.limit}`);
  const have = new Set(list);
  for (const seq of pub.acked) check(have.has(seq), `${seq} was acknowledged and is lost`);
}

test('a full disk under a file sink: one pipeline waits, others go on, no byte is lost', async () => {
  const tutti = await onSmallDisk('out');
  fill(tutti, 300);
  await tutti.deploy('copy.tutti', program('file "out/copy.ndjson"'));
  await tutti.deploy('other.tutti', program('file "other.ndjson"', 'other'));
  const pub = await new Publisher(tutti.mqtt, 'in/copy', number).connect();
  const seen = await stalled(tutti, pub);
  check(/out\/copy\.ndjson.*No space left/.test(seen.error), seen.error);
  check(/pipeline=copy.*No space left/.test(tutti.child.out), `the log says it: ${tutti.child.out}`);
  const metrics = await (await fetch(`http://127.0.0.1:${tutti.http}/metrics`)).text();
  check(/^tutti_engine_troubled 1$/m.test(metrics), 'the numbers say it');
  const other = await new Publisher(tutti.mqtt, 'in/other', number).connect();
  other.limit = 500;
  await until('the other pipeline goes on', () => other.acked.size === 500);
  other.close();
  pub.limit = pub.next;
  const first = readFileSync(`${tutti.disk}/copy.ndjson`, 'utf8');
  empty(tutti);
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const text = readFileSync(`${tutti.disk}/copy.ndjson`, 'utf8');
  check(text.startsWith(first), 'what was written stays');
  whole(text, pub, true);
  await until('the trouble is over', async () => (await tutti.get('pipelines/copy')).error === null);
  console.log(`      ${pub.limit} messages, ${first.length} bytes fitted at first`);
  pub.close();
  check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
});

test('killed on a full disk: every acknowledged row is there, and no line is torn', async () => {
  const tutti = await onSmallDisk('out');
  fill(tutti, 300);
  await tutti.deploy('copy.tutti', program('file "out/copy.ndjson"'));
  const pub = await new Publisher(tutti.mqtt, 'in/copy', number).connect();
  await stalled(tutti, pub);
  await tutti.kill('SIGKILL');
  empty(tutti);
  await tutti.up();
  await pub.connect();
  pub.limit = pub.next + 100;
  pub.fill();
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const text = readFileSync(`${tutti.disk}/copy.ndjson`, 'utf8');
  const torn = text.split('\n').filter((line) => line && !line.endsWith('}'));
  check(torn.length <= 1, `torn: ${torn.length}`);
  whole(torn.length ? text.replace(`${torn[0]}\n`, '') : text, pub, false);
  pub.close();
  await tutti.kill('SIGTERM');
});

test('a new version, or a stop, gives what could not be written to the dead letters', async () => {
  const tutti = await onSmallDisk('out');
  fill(tutti, 200);
  await tutti.deploy('copy.tutti', program('file "out/copy.ndjson"'));
  const pub = await new Publisher(tutti.mqtt, 'in/copy', number).connect();
  await stalled(tutti, pub);
  await tutti.deploy('copy.tutti', program('file "elsewhere.ndjson"'));
  const goal = pub.next + 100;
  await until('it goes on', () => pub.acked.size > goal);
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const dead = (await tutti.get('pipelines/copy/dead?limit=1000')).rows;
  check(dead.every((r) => r.reason === 'sink_refused' && /no such sink/.test(r.message)), JSON.stringify(dead[0]));
  const written = rows(readFileSync(`${tutti.disk}/copy.ndjson`, 'utf8'));
  const moved = rows(readFileSync(path.join(tutti.cwd, 'elsewhere.ndjson'), 'utf8'));
  const refused = dead.map((r) => JSON.parse(r.raw).seq);
  check(refused.length > 0, 'some were refused');
  const all = [...written, ...refused, ...moved].sort((a, b) => a - b);
  check(all.length === pub.limit && all.every((seq, i) => seq === i), 'each row once, in one of three places');
  pub.close();
  await tutti.kill('SIGTERM');
});

test('stopped on a full disk: the rows lie in the dead-letter table before it says so', async () => {
  const tutti = await onSmallDisk('out');
  fill(tutti, 200);
  await tutti.deploy('copy.tutti', program('file "out/copy.ndjson"'));
  const pub = await new Publisher(tutti.mqtt, 'in/copy', number).connect();
  await stalled(tutti, pub);
  const { status, body } = await tutti.call('POST', 'pipelines/copy/stop', {});
  check(status === 200 && body.state === 'stopped' && body.waiting === 0, JSON.stringify(body));
  const written = rows(readFileSync(`${tutti.disk}/copy.ndjson`, 'utf8'));
  const dead = await tutti.get('pipelines/copy/dead?limit=1000');
  const refused = dead.rows.map((r) => JSON.parse(r.raw).seq);
  check(refused.length > 0 && dead.rows.every((r) => /stopped before/.test(r.message)), JSON.stringify(dead.rows[0]));
  const all = [...written, ...refused].sort((a, b) => a - b);
  check(all.every((seq, i) => seq === i), 'each row once, in the file or in the table');
  check(all.length === body.out, `${body.out} counted as out`);
  pub.close();
  await tutti.kill('SIGTERM');
});

test('a named pipe without a reader waits for one', async () => {
  const tutti = await Tutti.new();
  const fifo = path.join(tutti.cwd, 'fifo');
  check(spawnSync('mkfifo', [fifo]).status === 0, 'mkfifo');
  await tutti.deploy('copy.tutti', program('file "fifo"'));
  const pub = await new Publisher(tutti.mqtt, 'in/copy', number).connect();
  await stalled(tutti, pub);
  pub.limit = pub.next;
  const reader = start('cat', [fifo]);
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  await until('all read', () => rows(reader.out).length === pub.limit);
  whole(reader.out, pub, true);
  pub.close();
  await tutti.kill('SIGTERM');
});

test('a window of 150,000 keys closes at once: every row arrives at every sink', async () => {
  const tutti = await Tutti.new();
  const keys = 150000;
  const pad = 'k'.repeat(60);
  const lines = Array.from({ length: keys }, (_, i) => `{"key":"${pad}${i}","v":${i}}`);
  writeFileSync(path.join(tutti.cwd, 'in.ndjson'), `${lines.join('\n')}\n`);
  await tutti.deploy('many.tutti', `
pipeline many {
  from file "in.ndjson" as json { key: string(80), v: i64 }
  window count 1000000 by key { n = count()  v = sum(v) }
  into file "many.ndjson"
  into historian many key (key)
  on error into dead
}`);
  const table = async () => (await tutti.get('uns/tables')).tables.find((t) => t.name === 'many')?.rows ?? 0;
  await until('the rows', async () => (await table()) === keys, 300000);
  const out = readFileSync(path.join(tutti.cwd, 'many.ndjson'), 'utf8');
  check(out.length > 17 << 20, `${out.length} bytes`);
  check(new Set(out.trimEnd().split('\n').map((line) => JSON.parse(line).v)).size === keys, 'each key once');
  await tutti.kill('SIGTERM');
});

// ---- the store ----

const keep = `
pipeline keep {
  from mqtt "in/keep" qos 1 as json { seq: i64, v: f64, pad: string(200) }
  into historian kept key (seq)
  on error into dead
}
`;
const kept = async (tutti) => (await tutti.get('uns/tables')).tables.find((t) => t.name === 'kept')?.rows ?? 0;

test('a full disk under the store: publishers wait, people can look, it goes on by itself', async () => {
  const tutti = await onSmallDisk('data');
  await tutti.deploy('keep.tutti', keep);
  const pub = await new Publisher(tutti.mqtt, 'in/keep', number).connect();
  await until('some rows', () => pub.acked.size > 200);
  fill(tutti, 100);
  const seen = await stalled(tutti, pub, 'keep');
  check(/full/i.test(seen.error), seen.error);
  check(/pipeline=keep.*full/i.test(tutti.child.out), 'the log says it');
  check((await kept(tutti)) >= pub.acked.size, 'what was acknowledged can be read while the disk is full');
  empty(tutti);
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  check((await kept(tutti)) === pub.limit, `${pub.limit} acknowledged, ${await kept(tutti)} rows`);
  await until('the trouble is over', async () => (await tutti.get('pipelines/keep')).error === null);
  pub.close();
  check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
});

for (const signal of ['SIGKILL', 'SIGTERM']) {
  test(`started again after ${signal} while the disk is full to the last byte`, async () => {
    const tutti = await onSmallDisk('data');
    await tutti.deploy('keep.tutti', keep);
    const pub = await new Publisher(tutti.mqtt, 'in/keep', number).connect();
    await until('some rows', () => pub.acked.size > 200);
    fill(tutti, 0);
    await stalled(tutti, pub, 'keep');
    await tutti.kill(signal);
    await until('the publisher sees it', () => !pub.open);
    await tutti.up();
    check((await kept(tutti)) >= pub.acked.size, `${pub.acked.size} acknowledged, ${await kept(tutti)} rows`);
    check((await tutti.get('pipelines/keep')).state === 'running', 'the pipeline is back');
    await pub.connect();
    empty(tutti);
    pub.limit = pub.next + 100;
    pub.fill();
    await until('all acknowledged', () => pub.acked.size === pub.limit);
    check((await kept(tutti)) === pub.limit, `${pub.limit} acknowledged, ${await kept(tutti)} rows`);
    pub.close();
    await tutti.kill('SIGTERM');
  });
}

test('a history on a disk that fills again and again: each time is said, and its end; no acknowledged sample is lost', async () => {
  const tutti = await onSmallDisk('data');
  const pubs = [];
  for (let k = 0; k < 4; k++)
    pubs.push(await new Publisher(tutti.mqtt, (n) => `h/${k}/${n % 100}`, String, 2000).connect());
  pubs.forEach((p) => p.fill());
  const acked = () => pubs.reduce((sum, p) => sum + p.acked.size, 0);
  const said = (words) => tutti.child.out.split(words).length - 1;
  for (let round = 1; round <= 3; round++) {
    const before = acked();
    await until('samples are kept', () => acked() > before + 20000);
    const told = said('values not stored');
    fill(tutti, 0);
    await until('the log says it', () => said('values not stored') > told);
    // Room inside the files may let a few more batches through; then several tries in a row fail.
    const failures = async () => (await tutti.get('uns/stats')).write_failures;
    await until('it stands', async () => {
      const [tries, lines] = [await failures(), said('values not stored')];
      await until('three more tries', async () => (await failures()) >= tries + 3);
      return said('values not stored') === lines; // and a try says nothing of its own
    });
    empty(tutti);
    await until('and that it is over', () => said('values are stored again') === said('values not stored'));
  }
  for (const p of pubs) p.limit = p.next;
  await until('all acknowledged', () => pubs.every((p) => p.acked.size === p.next));
  await tutti.kill('SIGKILL');
  await tutti.up();
  const out = path.join(tutti.cwd, 'all.csv');
  const env = { ...process.env, TUTTI_URL: `http://127.0.0.1:${tutti.http}`, TUTTI_USER: 'admin', TUTTI_PASSWORD: password };
  const exported = start(path.join(build, 'tutti'), ['history', 'export', '--filter', 'h/#', '-o', out], { env });
  check((await exported.ended) === 0, exported.out);
  const have = pubs.map(() => new Set());
  for (const [, k, n] of readFileSync(out, 'utf8').matchAll(/^h\/(\d)\/\d+,[^,]*,(\d+),/gm)) have[k].add(Number(n));
  pubs.forEach((p, k) => check([...p.acked].every((n) => have[k].has(n)), `${k}: ${p.acked.size} acknowledged, ${have[k].size} there`));
  console.log(`      ${acked()} samples acknowledged`);
  pubs.forEach((p) => p.close());
  check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
});

// ---- faults no file system can be asked for ----

async function withFaults() {
  const control = path.join(folder(), 'control');
  const set = (mode, text = '') => writeFileSync(control, `${mode} ${text}`.padEnd(4096, '\0'), { flag: existsSync(control) ? 'r+' : 'w' });
  set('none');
  const env = { LD_PRELOAD: path.resolve(process.env.ASAN_BUILD ?? 'build-asan', 'tests-tools/fault_io.so'), FAULT_IO: control };
  const tutti = await Tutti.new(['serve'], { env });
  return Object.assign(tutti, { set });
}

for (const mode of ['enospc', 'eio', 'half', 'sync']) {
  test(`${mode} on a file sink: each row once`, async () => {
    const tutti = await withFaults();
    await tutti.deploy('copy.tutti', program('file "copy.ndjson"'));
    const pub = await new Publisher(tutti.mqtt, 'in/copy', number).connect();
    await until('some', () => pub.acked.size > 300);
    for (let round = 0; round < 3; round++) {
      tutti.set(mode, '/copy.ndjson');
      await stalled(tutti, pub);
      tutti.set('none');
      const before = pub.acked.size;
      await until('it goes on', () => pub.acked.size > before + 200);
    }
    pub.limit = pub.next;
    await until('all acknowledged', () => pub.acked.size === pub.limit);
    whole(readFileSync(path.join(tutti.cwd, 'copy.ndjson'), 'utf8'), pub, true);
    pub.close();
    await tutti.kill('SIGTERM');
  });

  test(`${mode} on the store: nothing acknowledged is lost, also by kill -9`, async () => {
    const tutti = await withFaults();
    await tutti.deploy('keep.tutti', keep);
    const pub = await new Publisher(tutti.mqtt, 'in/keep', number).connect();
    await until('some', () => pub.acked.size > 200);
    for (let round = 0; round < 3; round++) {
      tutti.set(mode, '/data/');
      const seen = await stalled(tutti, pub, 'keep');
      if (!round) console.log(`      ${seen.error}`);
      if (round) {
        await tutti.kill(round === 1 ? 'SIGKILL' : 'SIGTERM');
        await until('the publisher sees it', () => !pub.open);
        tutti.set('none');
        await tutti.up();
        check((await kept(tutti)) >= pub.acked.size, `${pub.acked.size} acknowledged, ${await kept(tutti)} rows`);
        await pub.connect();
      }
      tutti.set('none');
      const before = pub.acked.size;
      await until('it goes on', () => pub.acked.size > before + 200);
    }
    pub.limit = pub.next;
    await until('all acknowledged', () => pub.acked.size === pub.limit);
    check((await kept(tutti)) === pub.limit, `${pub.limit} acknowledged, ${await kept(tutti)} rows`);
    pub.close();
    await tutti.kill('SIGTERM');
  });
}

test('a cache that cannot be written is done without; no room at all is said', async () => {
  const tutti = await withFaults();
  await tutti.deploy('copy.tutti', program('file "copy.ndjson"'));
  tutti.set('enospc', '/data/cache/');
  await tutti.deploy('copy.tutti', program('file "two.ndjson"')); // by a folder for temporary files
  tutti.set('enospc', '.c'); // wherever the text goes
  const { status, body } = await tutti.call('POST', 'pipelines', { file: 'copy.tutti', text: program('file "three.ndjson"') });
  // Without a C compiler's files it runs on the interpreter; where it cannot, it says why.
  check(status === 200 || /No space left/.test(JSON.stringify(body)), `${status} ${JSON.stringify(body)}`);
  const pub = await new Publisher(tutti.mqtt, 'in/copy', number).connect();
  await until('what runs goes on', () => pub.acked.size > 100);
  tutti.set('none');
  await tutti.deploy('copy.tutti', program('file "three.ndjson"'));
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  pub.close();
  await tutti.kill('SIGTERM');
});

test('short writes are no fault', async () => {
  const tutti = await withFaults();
  tutti.set('short', tutti.cwd);
  await tutti.deploy('copy.tutti', program('file "copy.ndjson"'));
  await tutti.deploy('keep.tutti', keep);
  for (const name of ['copy', 'keep']) {
    const pub = await new Publisher(tutti.mqtt, `in/${name}`, number).connect();
    pub.limit = 500;
    pub.fill();
    await until('all acknowledged', () => pub.acked.size === 500);
    if (name === 'copy') whole(readFileSync(path.join(tutti.cwd, 'copy.ndjson'), 'utf8'), pub, true);
    pub.close();
  }
  check((await kept(tutti)) === 500, 'all rows');
  check((await tutti.get('pipelines/copy')).error === null && (await tutti.get('pipelines/keep')).error === null, 'no trouble');
  await tutti.kill('SIGTERM');
});

run();
