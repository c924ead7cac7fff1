// tests/e2e/learn.mjs: a running server learns the order of keys from its records: counters say so, no
// record is lost or doubled, and the rows are those that the same records give without learning.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { check, Publisher, run, test, Tutti, until } from './lib.mjs';

const program = `
pipeline copy {
  from mqtt "in/press" qos 1 as json { seq: i64, machine: string(16), temp: f64, state: enum { RUN, IDLE }, note: string(40)? }
  let hot = temp > 20
  into file "out.ndjson"
  on error into dead
}
`;

const value = (n) => ({ seq: n, machine: `press-${n % 64}`, temp: (n % 4000) / 8 - 100, state: n % 5 ? 'RUN' : 'IDLE' });
// What the program writes of record n: fields in the order of the declaration.
const row = (n) => {
  const v = value(n);
  return JSON.stringify({ seq: v.seq, machine: v.machine, temp: v.temp, state: v.state, hot: v.temp > 20 });
};
const shapes = [
  (v) => `{ "state": "${v.state}", "temp": ${v.temp}, "machine": "${v.machine}", "seq": ${v.seq} }`,
  (v) => `{"unit":"degC","seq":${v.seq},"state":"${v.state}","machine":"${v.machine}","raw":[1,2],"temp":${v.temp}}`,
];

const copy = (tutti) => tutti.get('pipelines/copy');

test('another order than the declared one is learnt while records come in', async () => {
  // Compiled from the start: the interpreter learns by itself, from the first records on.
  const tutti = await Tutti.new(['serve', '--engine', 'cc']);
  await tutti.deploy('copy.tutti', program);
  let shape = 0;
  const pub = await new Publisher(tutti.mqtt, 'in/press', (n) => shapes[shape](value(n))).connect();
  const before = await until('records in another order', async () => {
    const now = await copy(tutti);
    return now.in > 200 && now;
  });
  check(before.learnt === 0 || before.missed > 0, `first the declaration's order is tried: ${JSON.stringify(before)}`);
  const first = await until('the order is learnt', async () => {
    const now = await copy(tutti);
    return now.learnt > 2000 && now;
  });
  check(first.version === 1, 'the version is the same');
  // A device changes: both orders are known after a while, and the first is not forgotten.
  shape = 1;
  const second = await until('a second order is learnt', async () => {
    const now = await copy(tutti);
    return now.layouts.length === 2 && now;
  }, 120000);
  const learnt = second.learnt, missed = second.missed;
  shape = 0;
  await until('the first one still fits', async () => (await copy(tutti)).learnt > learnt + 3000);
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const last = await until('all counted', async () => {
    const now = await copy(tutti);
    return now.in === pub.limit && now;
  });
  check(last.learnt + last.missed === last.in, `all are counted: ${JSON.stringify(last)}`);
  check(last.missed - missed < (last.in - second.in) / 10 + 500, 'hardly any record misses once both are known');
  const out = readFileSync(path.join(tutti.cwd, 'out.ndjson'), 'utf8').trimEnd().split('\n');
  check(out.length === pub.limit, `${pub.limit} sent, ${out.length} written`);
  check(out.every((line, n) => line === row(n)), 'every row, in order, byte by byte');
  console.log(`      ${pub.limit} records, ${last.missed} read in any order, layouts ${last.layouts}`);
  pub.close();
  await tutti.kill('SIGTERM');
});

// How often there may have been a learning by then: the pause after each is twice the one before, 5 s at first.
function learnings(seconds) {
  let most = 1;
  for (let pause = 5, next = 5; next <= seconds; pause *= 2, next += pause) most++;
  return most;
}

test('records without any order are not learnt for ever', async () => {
  const tutti = await Tutti.new();
  let state = 20261128;
  const random = (below) => (state = (state * 48271) % 2147483647) % below; // Lehmer's
  const begin = performance.now();
  await tutti.deploy('copy.tutti', program);
  const shuffled = (n) => {
    const members = Object.entries({ ...value(n), ...Object.fromEntries([...'abcdef'].map((k) => [k + (n % 97), 1])) });
    for (let i = members.length - 1; i > 0; i--) {
      const other = random(i + 1);
      [members[i], members[other]] = [members[other], members[i]];
    }
    return JSON.stringify(Object.fromEntries(members));
  };
  const pub = await new Publisher(tutti.mqtt, 'in/press', shuffled).connect();
  const swaps = () => tutti.child.out.split('the shapes of records are learnt').length - 1;
  await until('learnt once, in vain', () => swaps() >= 1, 120000);
  const from = (await copy(tutti)).in, end = performance.now() + 4000;
  await until('some seconds and thousand records more', async () =>
    performance.now() > end && (await copy(tutti)).in > from + 5000, 120000);
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const times = swaps(), seconds = (performance.now() - begin) / 1000;
  check(times <= learnings(seconds), `${times} times learnt within ${seconds} s`);
  pub.close();
  await tutti.kill('SIGTERM');
});

await run();
