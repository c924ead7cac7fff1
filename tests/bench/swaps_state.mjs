// tests/bench/swaps_state.mjs: the pipelines that remember of swaps.mjs, and what they have to write.
//
// Message n carries the number n >> 1 (each comes twice), five milliseconds of event time a number. What
// each row must be is worked out here from the numbers alone, with nothing of Tutti's: a memory, a join, a
// window or a `dedupe` that one of the swaps lost, repeated or moved shows as a row that differs.
//
// `part` is the pipeline whose state is kept in part: its versions come in two shapes (WIDE_EVERY swaps
// each) with other aggregates, so its window begins anew where the shape changes while its `prev` goes
// on. Its rows say which version made them, and so where it changed.
import { check } from '../e2e/lib.mjs';

export const NAMES = 3;
export const WIDE_EVERY = 100;
const STEP_MS = 5;
const BASE_MS = 1700000000000;
const WIDE = 1 << 20; // in `ver`

export const record = (n) => {
  const seq = n >> 1;
  return `{"t":${BASE_MS + seq * STEP_MS},"seq":${seq},"who":"m${seq % NAMES}","v":${(seq * 7) % 100}}`;
};
export const reference = (n) => `{"who":"m${n % NAMES}","rev":${Math.floor(n / NAMES)}}`;

export const program = (version, wide) => `
type Event = { t: time(ms), seq: i64, who: string(4), v: i64 }
type Ref = { who: string(4), rev: i64 }

pipeline steps {
  from mqtt "in/seq" qos 1 as json Event
  join last mqtt "in/ref" qos 1 as json Ref on ref.who == who else error no_ref
  let ver = ${version}
      step = delta(seq)
      before = prev(v)
      up = v < 20 becomes true
      rev = ref.rev
  keep seq, who, ver, step, before, up, rev
  into file "steps.ndjson"
  on error into dead
}

pipeline once {
  from mqtt "in/seq" qos 1 as json Event
  time t order 0s
  dedupe by seq within 10s
  let ver = ${version}
  keep seq, ver
  into file "once.ndjson"
  on error into dead
}

pipeline windows {
  from mqtt "in/seq" qos 1 as json Event
  time t order 0s
  window tumble 1s by who { n = count()  total = sum(seq)  lo = first(seq)  hi = last(v) }
  let ver = ${version}
  into file "windows.ndjson"
  window hop 10s every 5s { rows = count()  n = sum(n)  best = max(total) }
  into file "hops.ndjson"
  on late into file "late.ndjson"
  on error into dead
}

pipeline part {
  from mqtt "in/seq" qos 1 as json Event
  let ver = ${version + (wide ? WIDE : 0)}
      last = prev(seq)
  keep seq, who, ver, last
  into file "part.ndjson"
  window count 50 by who { n = count()  total = sum(seq)${wide ? '  hi = max(seq)' : ''}  made_by = last(ver) }
  into file "part_windows.ndjson"
  on error into dead
}
`;

const time = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');

function same(what, at, got, want) {
  const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
  check(g === w, `${what}, row ${at}: want ${w}\n  got ${g}`);
}

// The versions that rows name are among those that ran, in their order.
function order(what, versions) {
  let at = 0;
  return (ver) => {
    while (at < versions.length && versions[at] !== ver) at++;
    check(at < versions.length, `${what}: version ${ver} came after a later one`);
  };
}

async function judgeSteps(rows, sent, changes, versions) {
  const before = (n) => (n ? JSON.parse(record(n - 1)) : null);
  const ran = order('steps', versions);
  let n = 0;
  let rev = 0;
  for await (const row of rows) {
    const { seq, who, v } = JSON.parse(record(n));
    const last = before(n);
    while (changes[rev + 1] <= n) rev++;
    ran(row.ver);
    const want = { seq, who, ver: row.ver };
    if (last) Object.assign(want, { step: seq - last.seq, before: last.v });
    same('steps', n++, row, { ...want, up: v < 20 && !(last && last.v < 20), rev });
  }
  check(n === sent, `steps: ${sent} sent, ${n} rows`);
}

async function judgeOnce(rows, sent, versions) {
  const ran = order('once', versions);
  let seq = 0;
  for await (const row of rows) {
    ran(row.ver);
    same('once', seq, row, { seq: seq++, ver: row.ver });
  }
  check(seq === (sent + 1) >> 1, `once: ${sent} sent, ${seq} rows`);
}

// All windows of one second that the last event time has closed, as the page orders them.
function seconds(sent) {
  const windows = new Map();
  let now = 0;
  for (let n = 0; n < sent; n++) {
    const { t, seq, who, v } = JSON.parse(record(n));
    const start = Math.floor(t / 1000) * 1000;
    const key = `${start} ${who}`;
    const w = windows.get(key) ?? { who, start, n: 0, total: 0, lo: seq };
    windows.set(key, w);
    w.n++;
    w.total += seq;
    w.hi = v;
    now = t;
  }
  const closed = [...windows.values()].filter((w) => w.start + 1000 <= now);
  closed.sort((a, b) => a.start - b.start || (a.who < b.who ? -1 : 1));
  return { closed, now };
}

async function judgeWindows(rows, hops, sent, versions) {
  const { closed, now } = seconds(sent);
  const ran = order('windows', versions);
  let at = 0;
  for await (const row of rows) {
    check(at < closed.length, `windows: ${JSON.stringify(row)} is one too many`);
    const { who, start, n, total, lo, hi } = closed[at];
    ran(row.ver);
    const want = { who, start: time(start), end: time(start + 1000), n, total, lo, hi, ver: row.ver };
    same('windows', at++, row, want);
  }
  check(at === closed.length, `windows: ${closed.length} have closed, ${at} rows`);
  const sums = new Map();
  for (const w of closed)
    for (let start = Math.floor((w.start + 1000) / 5000) * 5000; start > w.start + 1000 - 10000; start -= 5000) {
      const sum = sums.get(start) ?? { rows: 0, n: 0, best: -1 };
      sums.set(start, { rows: sum.rows + 1, n: sum.n + w.n, best: Math.max(sum.best, w.total) });
    }
  const ended = [...sums].filter(([start]) => start + 10000 <= now).sort(([a], [b]) => a - b);
  let hop = 0;
  for await (const row of hops) {
    check(hop < ended.length, `hops: ${JSON.stringify(row)} is one too many`);
    const [start, sum] = ended[hop];
    same('hops', hop++, row, { start: time(start), end: time(start + 10000), ...sum });
  }
  check(hop === ended.length, `hops: ${ended.length} have closed, ${hop} rows`);
  return at + hop;
}

async function judgePart(rows, windows, sent, versions) {
  const ran = order('part', versions);
  const wanted = [];
  let open = new Map();
  let shape = null;
  let changed = 0;
  let n = 0;
  for await (const row of rows) {
    const { seq, who } = JSON.parse(record(n));
    ran(row.ver % WIDE);
    const last = n & 1 ? seq : seq - NAMES; // of the same name: the window's key is the memory's, too
    same('part', n++, row, { seq, who, ver: row.ver, ...(last < 0 ? {} : { last }) });
    const wide = row.ver >= WIDE;
    if (shape !== null && shape !== wide) {
      open = new Map();
      changed++;
    }
    shape = wide;
    const w = open.get(who) ?? { n: 0, total: 0 };
    open.set(who, { n: w.n + 1, total: w.total + seq });
    if (w.n + 1 < 50) continue;
    open.delete(who);
    wanted.push({ who, n: 50, total: w.total + seq, ...(wide ? { hi: seq } : {}), made_by: row.ver });
  }
  check(n === sent, `part: ${sent} sent, ${n} rows`);
  let at = 0;
  for await (const { start, end, ...row } of windows) {
    check(at < wanted.length && start <= end, `part: ${JSON.stringify(row)} is one too many`);
    same('part, windows', at, row, wanted[at++]);
  }
  check(at === wanted.length, `part: ${wanted.length} windows are full, ${at} rows`);
  return { changed, full: at };
}

// Compares all that was written; `read(file)` gives its rows one by one.
export async function judge(read, sent, changes, versions) {
  await judgeSteps(read('steps.ndjson'), sent, changes, versions);
  await judgeOnce(read('once.ndjson'), sent, versions);
  const closed = await judgeWindows(read('windows.ndjson'), read('hops.ndjson'), sent, versions);
  const { changed, full } = await judgePart(read('part.ndjson'), read('part_windows.ndjson'), sent, versions);
  return `${closed + full} rows of windows as calculated; state kept in part ${changed} times, ${changes.length} revisions joined`;
}
