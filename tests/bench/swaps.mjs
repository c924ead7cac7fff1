// tests/bench/swaps.mjs: hot swaps under load, by the ten thousand (`make soak`).
//
// A Lite process runs one pipeline over a steady QoS 1 publisher while its program is replaced again
// and again, as a server really does it: most texts are ones it has seen (their objects come from the
// cache), one in FRESH_EVERY is new and starts on the interpreter, and of these one in TUNE_EVERY is
// left alone until its C object takes over. Wanted: every message in the file once and in order, and
// what the process holds (memory, objects mapped, open files, stored versions) as after warming up.
//
//   SWAPS=10000 BUILD=build node tests/bench/swaps.mjs
import { createReadStream, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { check, Publisher, run, test, Tutti, until } from '../e2e/lib.mjs';

const SWAPS = Number(process.env.SWAPS ?? 10000);
const WARM = Math.min(1000, Math.floor(SWAPS / 4));
const TEXTS = 8; // among which a user toggles
const FRESH_EVERY = 50;
const TUNE_EVERY = 10;
// What may be held more at the end than after warming up: the page caches of SQLite fill with
// history and log, up to 2 MB a connection. A leak of 1 KB a swap would be 9 MB.
const GROWTH_MB = 6;

const program = (extra) => `
pipeline copy {
  from mqtt "in/seq" qos 1 as json { seq: i64, v: f64 }
  ${extra}
  into file "out.ndjson"
  on error into dead
}
`;

function held(tutti) {
  const at = `/proc/${tutti.child.pid}`;
  const maps = readFileSync(`${at}/maps`, 'utf8').split('\n');
  const size = (name) => statSync(path.join(tutti.data, name), { throwIfNoEntry: false })?.size ?? 0;
  const mb = (names) => names.reduce((sum, name) => sum + size(name), 0) / 1048576;
  const count = (list, test) => list.filter(test).length;
  return {
    rss_mb: tutti.rss_mb(),
    objects: new Set(maps.filter((l) => l.includes('/cache/')).map((l) => l.split(/\s+/)[5])).size,
    maps: maps.length,
    threads: readdirSync(`${at}/task`).length,
    files: count(readdirSync(`${at}/fd`), (fd) => {
      try {
        return !readlinkSync(`${at}/fd/${fd}`).startsWith('socket:'); // of our own requests
      } catch {
        return false; // closed meanwhile
      }
    }),
    store_mb: mb(['tutti.db', 'tutti.db-wal']),
    logs_mb: mb(['logs.db', 'logs.db-wal']),
    cache_mb: mb(readdirSync(path.join(tutti.data, 'cache')).map((file) => `cache/${file}`)),
  };
}

async function judge(file, wanted) {
  let next = 0;
  for await (const line of readline.createInterface({ input: createReadStream(file) })) {
    const { seq } = JSON.parse(line);
    check(seq === next, `row ${next} is message ${seq}`);
    next++;
  }
  check(next === wanted, `${wanted} sent, ${next} written`);
}

test(`${SWAPS} hot swaps under load: nothing lost, nothing twice, nothing kept`, async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('copy.tutti', program(''));
  const pub = await new Publisher(tutti.mqtt, 'in/seq', (n) => `{"seq":${n},"v":${n % 100}}`).connect();
  const objects = () => readdirSync(path.join(tutti.data, 'cache')).filter((f) => f.endsWith('.so')).length;
  const times = { known: [], fresh: [] };
  let fresh = 0;
  let tuned = 0;
  let warm;
  const tune = async () => {
    const before = objects();
    await until('its object', () => objects() > before, 60000);
    tuned++;
  };
  const swap = async (kind, extra) => {
    const begin = performance.now();
    await tutti.deploy('copy.tutti', program(extra));
    times[kind].push(performance.now() - begin);
  };
  for (let i = 0; i < TEXTS; i++) {
    await swap('fresh', `let w = v + ${i}`);
    await tune();
  }
  const first = performance.now();
  const sent = pub.next;
  for (let i = 0; i < SWAPS; i++) {
    if (i === WARM) warm = held(tutti);
    if (i % FRESH_EVERY === FRESH_EVERY - 1) {
      await swap('fresh', `let w = v * ${++fresh}`);
      if (fresh % TUNE_EVERY === 0) await tune();
    } else {
      await swap('known', `let w = v + ${i % TEXTS}`);
    }
    if (process.env.VERBOSE && i % 500 === 0) console.log(i, JSON.stringify(held(tutti)));
  }
  const seconds = (performance.now() - first) / 1000;
  const rate = (pub.next - sent) / seconds;
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const end = held(tutti);
  await judge(path.join(tutti.cwd, 'out.ndjson'), pub.limit);
  const seen = await tutti.get('pipelines/copy');
  check(seen.in === pub.limit && seen.out === pub.limit && seen.errors === 0, `counters: ${JSON.stringify(seen)}`);
  const { versions } = await tutti.get('pipelines/copy/versions');
  const middle = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)].toFixed(1);
  const worst = Math.max(...times.known, ...times.fresh).toFixed(0);
  console.log(`      ${SWAPS} swaps in ${seconds.toFixed(0)} s, ${fresh} of new texts, ${tuned} from interpreter to object`);
  console.log(`      ${pub.limit} messages (${rate.toFixed(0)} a second), each once and in order`);
  console.log(`      save to running: median ${middle(times.known)} ms from the cache, ${middle(times.fresh)} ms new, worst ${worst} ms`);
  console.log(`      after ${WARM} swaps: ${JSON.stringify(warm)}`);
  console.log(`      at the end:       ${JSON.stringify(end)}`);
  check(end.rss_mb - warm.rss_mb < GROWTH_MB, `memory grew from ${warm.rss_mb} to ${end.rss_mb} MB`);
  check(versions.length === 100, `100 versions are stored (keep_versions), not ${versions.length}`);
  pub.close();
  check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
});

await run();
