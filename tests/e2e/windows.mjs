// tests/e2e/windows.mjs: kill -9 while windows are open. Numbered records go in with QoS 1, windows
// list the numbers they counted, and sets are compared: what was acknowledged is in a window, what
// was not sent is in none, and behind `dedupe` nothing is in two. CRASH_ROUNDS sets another number
// of kills (preset 20).
import { closeSync, existsSync, openSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs';
import path from 'node:path';
import { check, Publisher, run, start, test, Tutti, until } from './lib.mjs';

const rounds = Number(process.env.CRASH_ROUNDS ?? 20);
const STEP_MS = 5;
const record = (n) => JSON.stringify({ t: 1700000000000 + n * STEP_MS, seq: n, who: `m${n % 3}` });

// `more` makes another version of the same windows.
const program = (more) => `
type Event = { t: time(ms), seq: i64, who: string(4) }
pipeline by_event {
  from mqtt "in/seq" qos 1 as json Event
  time t order 200ms
  let twice = seq * ${more}
  window tumble 1s by who { n = count()  seqs = list(seq, 1000)  last = max(twice) }
  into file "event.ndjson"
  drop seqs
  into historian event key (who, start)
  on late into file "late.ndjson"
  on error into dead
}
pipeline once {
  from mqtt "in/seq" qos 1 as json Event
  dedupe by seq within 1h
  window count 50 { n = count()  seqs = list(seq, 50)  total = sum(seq) }
  into file "once.ndjson"
  on error into dead
}
pipeline by_arrival {
  from mqtt "in/seq" qos 1 as json Event
  dedupe by seq within 1h
  window tumble 300ms { n = count()  seqs = list(seq, 5000) }
  into file "arrival.ndjson"
  on error into dead
}
`;

const rows = (tutti, name) =>
  existsSync(path.join(tutti.cwd, name))
    ? readFileSync(path.join(tutti.cwd, name), 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l))
    : [];

// How often each number is in a list.
function counts(list) {
  const seen = new Map();
  for (const n of list) seen.set(n, (seen.get(n) ?? 0) + 1);
  return seen;
}

function compare(name, list, sent, exact) {
  const seen = counts(list);
  const lost = [...sent].filter((n) => !seen.has(n));
  const ghosts = [...seen.keys()].filter((n) => !sent.has(n));
  const twice = [...seen].filter(([, times]) => times > 1).map(([n]) => n);
  check(!lost.length, `${name}: ${lost.length} of ${sent.size} are in no window, first ${lost.slice(0, 5)}`);
  check(!ghosts.length, `${name}: ${ghosts.length} nobody sent, first ${ghosts.slice(0, 5)}`);
  if (exact) check(!twice.length, `${name}: ${twice.length} are counted twice, first ${twice.slice(0, 5)}`);
  return twice.length;
}

// A row that comes again is the same row; keeps the first of each.
function first(name, list, key, again_max, same = (a, b) => JSON.stringify(a) === JSON.stringify(b)) {
  const kept = new Map();
  let again = 0;
  for (const row of list) {
    const old = kept.get(key(row));
    if (old) {
      again++;
      check(same(old, row), `${name}: ${JSON.stringify(old)} came again as ${JSON.stringify(row)}`);
    }
    kept.set(key(row), old ?? row);
  }
  check(again <= again_max, `${name}: ${again} rows came again after ${rounds} kills`);
  return [...kept.values()];
}

async function finish(tutti, pub) {
  await until('all acknowledged', () => pub.acked.size === pub.next);
  const sent = new Set(pub.acked);
  pub.make = (n) => JSON.stringify({ t: 1700000000000 + (n + 100000) * STEP_MS, seq: 1000000 + n, who: `m${n % 3}` });
  pub.limit = pub.next + 60; // event time goes on, and the last window of 50 fills
  pub.fill();
  await until('the end is acknowledged', () => pub.acked.size === pub.next);
  return sent;
}

async function judge(tutti, sent, versions) {
  await until('every window has closed', () =>
    new Set(rows(tutti, 'arrival.ndjson').flatMap((r) => r.seqs).filter((n) => n < 1000000)).size >= sent.size &&
    new Set(rows(tutti, 'once.ndjson').flatMap((r) => r.seqs).filter((n) => n < 1000000)).size >= sent.size);
  // A row on its way while a new version came is made again by that one: then `last`, the one field
  // that names the version, is of either.
  const plain = ({ last, ...row }) => JSON.stringify(row);
  const by_a_version = (row) => row.seqs.some((n) => Array.from({ length: versions }, (_, i) => n * (i + 1)).includes(row.last));
  const real = (list) => list.flatMap((r) => r.seqs).filter((n) => n < 1000000);
  const event = first('event', rows(tutti, 'event.ndjson'), (r) => `${r.who} ${r.start}`, rounds * 3,
    (a, b) => plain(a) === plain(b));
  for (const r of rows(tutti, 'event.ndjson')) {
    check(r.n === r.seqs.length, `event: n ${r.n}, ${r.seqs.length} numbers`);
    check(by_a_version(r), `event: last ${r.last} is no number of the window times one of ${versions} versions`);
  }
  const late = rows(tutti, 'late.ndjson').map((r) => r.seq).filter((n) => n < 1000000);
  const twice = compare('event', [...real(event), ...late], sent, false);
  check(twice <= rounds * 20, `event: ${twice} numbers twice, more than was on the way`);
  const once = first('once', rows(tutti, 'once.ndjson'), (r) => r.start, rounds);
  for (const r of once) check(r.total === r.seqs.reduce((a, b) => a + b, 0), `once: the sum of ${JSON.stringify(r)}`);
  compare('once', real(once), sent, true);
  const order = real(once);
  check(order.every((n, i) => !i || n > order[i - 1]), 'once: in the order they were sent');
  compare('arrival', real(first('arrival', rows(tutti, 'arrival.ndjson'), (r) => r.start, rounds)), sent, true);
  const table = await tutti.get('uns/tables/event?limit=5000');
  check(table.rows.length === counts(rows(tutti, 'event.ndjson').map((r) => `${r.who} ${r.start}`)).size, 'the historian has the same windows');
  return { windows: event.length + once.length, twice };
}

test(`${rounds} kills: what was acknowledged is in a window`, async () => {
  const tutti = await Tutti.new();
  let version = 1;
  await tutti.deploy('w.tutti', program(version));
  const pub = await new Publisher(tutti.mqtt, 'in/seq', record, 20).connect();
  for (let round = 0; round < rounds; round++) {
    pub.limit = pub.next + 150 + Math.floor(Math.random() * 300);
    pub.fill();
    const goal = pub.acked.size + 1 + Math.floor(Math.random() * 250);
    if (round % 5 === 2) await tutti.deploy('w.tutti', program(++version));
    await until('some acknowledged', () => pub.acked.size >= Math.min(goal, pub.next));
    const signal = round % 6 === 5 ? 'SIGTERM' : 'SIGKILL';
    await tutti.kill(signal);
    await until('the publisher sees it', () => !pub.open);
    await tutti.up();
    await pub.connect();
  }
  const sent = await finish(tutti, pub);
  const { windows, twice } = await judge(tutti, sent, version);
  console.log(`      ${sent.size} records, ${windows} windows; ${twice} records twice where nothing dedupes`);
  pub.close();
  check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
});

const sums = `
pipeline sums {
  from mqtt "in/v" qos 1 as json { v: i64 }
  window count 10 { n = count()  total = sum(v) }
  into historian sums key (total)
  on error into dead
}`;

async function send(tutti, ...values) {
  for (const v of values) {
    const pub = start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', 'in/v', '-m', `{"v":${v}}`]);
    check((await pub.exited) === 0, 'acknowledged');
  }
}
const totals = async (tutti) => (await tutti.get('uns/tables/sums?order=total')).rows.map((r) => r.find((x) => x > 99)).join();

async function killed(tutti) {
  await tutti.kill('SIGKILL');
}

test('a journal that was torn or damaged', async () => {
  const tutti = await Tutti.new();
  const file = path.join(tutti.data, 'engine/sums.journal');
  await tutti.deploy('sums.tutti', sums);
  await send(tutti, 1, 1, 1);
  await killed(tutti);
  // Half an entry behind what was acknowledged: a write that was cut off.
  const whole = readFileSync(file);
  const fd = openSync(file, 'a');
  writeSync(fd, whole.subarray(16, 16 + 50));
  closeSync(fd);
  await tutti.up();
  await send(tutti, 1, 1);
  await killed(tutti);
  await tutti.up();
  await send(tutti, 91, 1, 1, 1, 1);
  check((await totals(tutti)) === '100', `nothing acknowledged is missing: ${await totals(tutti)}`);
  // A byte in the middle: what follows cannot be trusted; it is said and kept.
  await send(tutti, 500, 1, 1, 1);
  await killed(tutti);
  const bytes = readFileSync(file);
  bytes[bytes.length - 3] ^= 1;
  const copy = openSync(file, 'w');
  writeSync(copy, bytes);
  closeSync(copy);
  await tutti.up();
  check(existsSync(`${file}.damaged`), 'the damaged one is kept');
  check(/are damaged: what follows is lost/.test(tutti.child.out), tutti.child.out);
  await send(tutti, 1, 1, 1, 1, 1, 1, 1);
  check((await totals(tutti)) === '100,509', `three of four are there: ${await totals(tutti)}`);
  await tutti.kill('SIGTERM');
});

test('a journal of an older checkpoint counts nothing twice', async () => {
  const tutti = await Tutti.new();
  const file = path.join(tutti.data, 'engine/sums.journal');
  await tutti.deploy('sums.tutti', sums);
  await send(tutti, 100, 1, 1);
  await killed(tutti);
  const old = readFileSync(file);
  await tutti.up();
  await tutti.kill('SIGTERM'); // a checkpoint, and a new journal
  const fd = openSync(file, 'w'); // as if the kill had come between the two
  writeSync(fd, old);
  closeSync(fd);
  await tutti.up();
  await send(tutti, 1, 1, 1, 1, 1, 1, 1);
  check((await totals(tutti)) === '109', `each once: ${await totals(tutti)}`);
  check(statSync(file).size < old.length * 4, 'the old one is gone');
  truncateSync(file, 5); // less than its head
  await killed(tutti);
  await tutti.up();
  check((await tutti.get('pipelines/sums')).state === 'running', 'it runs');
  await tutti.kill('SIGTERM');
});

test('a pipeline that was removed leaves nothing to the next of its name', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('sums.tutti', sums);
  await send(tutti, 100, 1, 1);
  await tutti.call('DELETE', 'pipelines/sums');
  await tutti.deploy('other.tutti', sums);
  await send(tutti, 200, 1, 1, 1, 1, 1, 1, 1, 1, 1);
  check((await totals(tutti)) === '209', `only its own: ${await totals(tutti)}`);
  await tutti.kill('SIGTERM');
});

await run();
