// tests/bench/swaps.mjs: hot swaps under load, by the ten thousand (`make soak`).
//
// A Lite process runs a program over a steady QoS 1 publisher while that program is replaced again
// and again, as a server really does it: most texts are ones it has seen (their objects come from the
// cache), one in FRESH_EVERY is new and starts on the interpreter, and of these one in TUNE_EVERY is
// left alone until its C object takes over. Two tests: a pipeline that remembers nothing, and four that
// remember (swaps_state.mjs says what, and works out every row by itself). Wanted: every row once, in
// order and as calculated, and what the process holds (memory, objects mapped, open files, threads,
// stored state) as after warming up.
//
//   SWAPS=10000 BUILD=build node tests/bench/swaps.mjs [part of a test's name]
import { createReadStream, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { check, Publisher, run, test, Tutti, until } from '../e2e/lib.mjs';
import * as state from './swaps_state.mjs';

const SWAPS = Number(process.env.SWAPS ?? 10000);
const WARM = Math.min(1000, Math.floor(SWAPS / 4));
const TEXTS = 8; // among which a user toggles
const FRESH_EVERY = 50;
const TUNE_EVERY = 10;
const SAMPLES = 100; // of what is held, spread over the run
// What may be held more at the end than after warming up: the page caches of SQLite fill with
// history and log, up to 2 MB a connection. A leak of 1 KB a swap would be 9 MB.
const GROWTH_MB = 6;

const program = (version) => `
pipeline copy {
  from mqtt "in/seq" qos 1 as json { seq: i64, v: f64 }
  let w = v ${version < TEXTS ? '+' : '*'} ${version}
  into file "out.ndjson"
  on error into dead
}
`;

function held(tutti) {
  const at = `/proc/${tutti.child.pid}`;
  const maps = readFileSync(`${at}/maps`, 'utf8').split('\n');
  const size = (name) => statSync(path.join(tutti.data, name), { throwIfNoEntry: false })?.size ?? 0;
  const mb = (names) => Number((names.reduce((sum, name) => sum + size(name), 0) / 1048576).toFixed(2));
  const inside = (dir) => {
    try {
      return readdirSync(path.join(tutti.data, dir)).map((file) => `${dir}/${file}`);
    } catch {
      return []; // of a program that remembers nothing
    }
  };
  const count = (list, test) => list.filter(test).length;
  return {
    rss_mb: Number(tutti.rss_mb().toFixed(2)),
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
    state_mb: mb(inside('engine')),
    cache_mb: mb(inside('cache')),
  };
}

// The curve is flat: at no time of its last quarter is there GROWTH_MB more memory than at some time
// of the first quarter after warming up; objects, maps, threads and files are of the same number but
// for the few of the version that is being made; state on disk stays below what one journal may be.
function flat(curve) {
  const quarter = Math.max(1, Math.floor(curve.length / 4));
  const most = (list, what) => Math.max(...list.map((h) => h[what]));
  const early = curve.slice(0, quarter);
  const late = curve.slice(-quarter);
  const more = { rss_mb: GROWTH_MB, objects: 4, maps: 40, threads: 2, files: 8, state_mb: 64 };
  for (const [what, room] of Object.entries(more)) {
    const [before, after] = [most(early, what), most(late, what)];
    check(after - before < room, `${what} grew from ${before} to ${after}`);
  }
}

async function* rows(tutti, name) {
  for await (const line of readline.createInterface({ input: createReadStream(path.join(tutti.cwd, name)) }))
    yield JSON.parse(line);
}

const middle = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]?.toFixed(1);

// Swaps `file` SWAPS times; `text(version, i)` is its program at the i-th swap, `shapes` those swaps whose
// texts are compiled beforehand. Answers with the versions in their order.
async function swap(tutti, file, pub, text, shapes, between) {
  const objects = () => readdirSync(path.join(tutti.data, 'cache')).filter((f) => f.endsWith('.so')).length;
  const times = { known: [], fresh: [] };
  const versions = [];
  const curve = [];
  let fresh = 0;
  let tuned = 0;
  const tune = async (before) => {
    await until('its object', () => objects() > before, 60000);
    tuned++;
  };
  const one = async (kind, version, i) => {
    const begin = performance.now();
    versions.push(version);
    await tutti.deploy(file, text(version, i));
    times[kind].push(performance.now() - begin);
  };
  for (const at of shapes)
    for (let i = 0; i < TEXTS; i++) {
      const before = objects();
      await one('fresh', i, at);
      await tune(before);
    }
  const first = performance.now();
  const sent = pub.next;
  for (let i = 0; i < SWAPS; i++) {
    if (i >= WARM && (i - WARM) % Math.max(1, Math.floor((SWAPS - WARM) / SAMPLES)) === 0) curve.push(held(tutti));
    if (i % FRESH_EVERY === FRESH_EVERY - 1) {
      const before = objects();
      await one('fresh', TEXTS + ++fresh, i);
      if (fresh % TUNE_EVERY === 0) await tune(before);
    } else {
      await one('known', i % TEXTS, i);
    }
    await between(i);
    if (process.env.VERBOSE && i % 500 === 0) console.log(i, pub.next, JSON.stringify(held(tutti)));
  }
  const seconds = (performance.now() - first) / 1000;
  const rate = (pub.next - sent) / seconds;
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit, 60000);
  curve.push(held(tutti));
  const worst = Math.max(...times.known, ...times.fresh).toFixed(0);
  console.log(`      ${SWAPS} swaps in ${seconds.toFixed(0)} s, ${fresh} of new texts, ${tuned} from interpreter to object`);
  console.log(`      ${pub.limit} messages (${rate.toFixed(0)} a second)`);
  console.log(`      save to running: median ${middle(times.known)} ms from the cache, ${middle(times.fresh)} ms new, worst ${worst} ms`);
  const tenths = curve.filter((_, i) => i % Math.ceil(curve.length / 10) === 0).map((h) => h.rss_mb);
  console.log(`      memory, MB: ${tenths.join(' ')}`);
  console.log(`      after ${WARM} swaps: ${JSON.stringify(curve[0])}`);
  console.log(`      at the end:       ${JSON.stringify(curve.at(-1))}`);
  return { versions, curve };
}

// `counts`: the records each pipeline has to have read.
async function finish(tutti, pub, counts, deploys) {
  for (const [name, count] of Object.entries(counts)) {
    const seen = await tutti.get(`pipelines/${name}`);
    check(seen.in === count && seen.errors === 0, `${name}: of ${count} records ${JSON.stringify(seen)}`);
    const { versions } = await tutti.get(`pipelines/${name}/versions`);
    check(versions.length === Math.min(100, deploys), `${Math.min(100, deploys)} versions are stored (keep_versions), not ${versions.length}`);
  }
  pub.close();
  check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
}

test(`${SWAPS} hot swaps under load: nothing lost, nothing twice, nothing kept`, async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('copy.tutti', program(0));
  const pub = await new Publisher(tutti.mqtt, 'in/seq', (n) => `{"seq":${n},"v":${n % 100}}`).connect();
  const { versions, curve } = await swap(tutti, 'copy.tutti', pub, program, [0], () => {});
  let next = 0;
  for await (const { seq } of rows(tutti, 'out.ndjson')) {
    check(seq === next, `row ${next} is message ${seq}`);
    next++;
  }
  check(next === pub.limit, `${pub.limit} sent, ${next} written`);
  flat(curve);
  await finish(tutti, pub, { copy: pub.limit }, versions.length);
});

test(`${SWAPS} hot swaps of pipelines that remember: every row as calculated`, async () => {
  const tutti = await Tutti.new();
  const wide = (i) => Math.floor(i / state.WIDE_EVERY) % 2 === 1;
  const text = (version, i) => state.program(version, wide(i));
  await tutti.deploy('state.tutti', text(0, 0));
  const refs = new Publisher(tutti.mqtt, 'in/ref', state.reference);
  refs.limit = state.NAMES;
  refs.keep_alive_s = 0; // five hundred swaps lie between two of its messages
  await refs.connect();
  const rest = async (pub) => {
    pub.limit = pub.next;
    await until('all acknowledged', () => pub.acked.size === pub.next, 60000);
  };
  await rest(refs);
  const pub = await new Publisher(tutti.mqtt, 'in/seq', state.record, 50).connect();
  const changes = [0]; // from which message on each revision of the reference data holds
  const { versions, curve } = await swap(tutti, 'state.tutti', pub, text, [0, state.WIDE_EVERY], async (i) => {
    if (i % Math.ceil(SWAPS / 20) !== 1) return;
    await rest(pub);
    changes.push(pub.next);
    refs.limit += state.NAMES;
    refs.fill();
    check(refs.next === changes.length * state.NAMES, 'the new revision is on its way');
    await rest(refs);
    pub.limit = Infinity;
    pub.fill();
  });
  const told = await state.judge((name) => rows(tutti, name), pub.limit, changes, versions);
  console.log(`      ${told}`);
  flat(curve);
  const all = pub.limit;
  await finish(tutti, pub, { steps: all + refs.limit, once: all, windows: all, part: all }, versions.length);
});

await run();
