// Independent oracle of hop windows: random lengths, steps and lateness, records out of order, late ones
// and jumps in time. Here every window keeps the records it got, as they came, and computes when it closes.
//   node oracle_hop.js TUTTI FOLDER SEED ROUNDS ENGINE
const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');
const [tutti, folder, seedText, rounds, engine] = process.argv.slice(2);
let state = (BigInt(seedText) * 2654435761n) & ((1n << 64n) - 1n) | 1n;
const mask = (1n << 64n) - 1n;
const random = (n) => {
  state ^= (state << 13n) & mask; state ^= state >> 7n; state ^= (state << 17n) & mask;
  return Number((state >> 11n) % BigInt(n));
};
const pick = (list) => list[random(list.length)];
const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');

function program(size, every, order) {
  return `type R = { ts: time, k: string(8), x: f64, i: i64?, s: string(6) }
pipeline hops {
  from stdin as json R
  time ts order ${order}ms
  window hop ${size}ms every ${every}ms by k {
    n = count()  above = count(where x > 0)  s = sum(x)  a = mean(x)  lo = min(x)  hi = max(x)
    f = first(s)  l = last(s)  d = distinct(s)  si = sum(i)  ai = mean(i)  fi = first(i)  li = last(i)
    de = delta(i)  ra = rate(i)  sd = stddev(x)  some = list(i, 3)  tw = time_weighted(x)  q = quantile(x, 0.7)
    small = min(s)  great = max(s)
  }
  into stdout
  on late into file "late.ndjson"
  on error into file "errors.ndjson"
}
`;
}

function records() {
  let clock = Date.UTC(2026, 10, 23, 10) - random(20000);
  const out = [], step = pick([30, 300, 3000]), keys = 1 + random(4), behind = pick([0, 500, 5000, 40000]);
  for (let n = 0; n < 700; n++) {
    clock += random(step);
    if (random(150) === 0) clock += random(400000);
    const r = { ts: clock - (random(3) ? 0 : random(behind + 1)), k: pick(['', 'a', 'é', 'b'].slice(0, keys)),
      x: pick([() => random(100000) / 77 - 300, () => -0, () => 0, () => random(1e9) / 1e7, () => 0.1])() };
    if (random(4)) r.i = random(2000) - 1000;
    r.s = `s${random(60)}`;
    out.push(r);
  }
  return out;
}

// ---- the rules ----
const least = (list) => list.reduce((m, x) => (x < m ? x : m));
const greatest = (list) => list.reduce((m, x) => (x > m ? x : m));
const add = (list) => list.reduce((s, x) => s + x, 0);
function stddev(list) { // Welford, in the order of arrival
  let n = 0, mean = 0, m2 = 0;
  for (const x of list) { const d = x - mean; n++; mean += d / n; m2 += d * (x - mean); }
  return n > 1 ? Math.sqrt(m2 / (n - 1)) : 0;
}
function weighted(list, end) {
  let area = 0, first, last, at;
  for (const r of list) {
    if (at === undefined) first = r.ts;
    else if (r.ts < at) continue;
    else area += last * ((r.ts - at) * 1e6);
    last = r.x; at = r.ts;
  }
  const until = Math.max(end, at), ns = (until - first) * 1e6;
  return ns ? (area + last * ((until - at) * 1e6)) / ns : last;
}
function row(k, start, size, list) {
  const xs = list.map((r) => r.x), whole = list.filter((r) => r.i !== undefined), is = whole.map((r) => r.i), texts = list.map((r) => r.s);
  let early, late; // of equal times the first that came, and the last
  for (const r of whole) { if (!early || r.ts < early.ts) early = r; if (!late || r.ts >= late.ts) late = r; }
  const some = (v) => (whole.length ? v() : undefined);
  const sorted = [...xs].sort((p, q) => p - q);
  return { text: JSON.stringify({ k, start: iso(start), end: iso(start + size), n: list.length, above: xs.filter((x) => x > 0).length,
    s: add(xs), a: add(xs) / xs.length, lo: least(xs), hi: greatest(xs), f: texts[0], l: texts[texts.length - 1], d: new Set(texts).size,
    si: add(is), ai: some(() => add(is) / is.length), fi: is[0], li: is[is.length - 1], de: some(() => late.i - early.i),
    ra: some(() => (late.ts > early.ts ? (late.i - early.i) / ((late.ts - early.ts) * 1e6 / 1e9) : undefined)),
    sd: stddev(xs), some: is.slice(0, 3), tw: weighted(list, start + size), q: 0, small: least(texts), great: greatest(texts) },
  (key, v) => (Object.is(v, -0) ? 0 : v)), q: sorted[Math.ceil(0.7 * sorted.length) - 1] };
}
function expected(list, size, every, order) {
  const out = [], late = [], open = new Map();
  let mark = -Infinity;
  const close = (until) => {
    for (const w of [...open.keys()].sort((a, b) => a - b)) {
      if (w + size > until) continue;
      const keys = [...open.get(w)].sort((a, b) => Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0])));
      open.delete(w);
      for (const [k, got] of keys) out.push(row(k, w, size, got));
    }
  };
  for (const r of list) {
    if (r.ts - order > mark) { mark = r.ts - order; close(mark); }
    let taken = false;
    for (let w = Math.floor(r.ts / every) * every; w + size > r.ts; w -= every) {
      if (w + size <= mark) continue;
      if (!open.has(w)) open.set(w, new Map());
      if (!open.get(w).has(r.k)) open.get(w).set(r.k, []);
      open.get(w).get(r.k).push(r);
      taken = true;
    }
    if (!taken) late.push(JSON.stringify({ ...r, ts: iso(r.ts) }, (key, v) => (Object.is(v, -0) ? 0 : v)));
  }
  close(Infinity);
  return { out, late };
}

let passed = 0, failed = 0;
const same = (what, got, want) => { if (got === want) { passed++; return; } failed++; if (failed < 20) console.log(`FAIL ${what}\n  got  ${got}\n  want ${want}`); };
for (let round = 0; round < Number(rounds); round++) {
  const every = pick([1000, 500, 3000, 7, 1000, 60000]), many = pick([1, 2, 3, 10, 60]);
  const size = every * many + (random(2) ? 0 : random(every)), order = pick([0, 500, 2000, 20000]);
  const list = records(), file = path.join(folder, `hop${round}.tutti`), late = path.join(folder, 'late.ndjson');
  fs.writeFileSync(file, program(size, every, order));
  fs.rmSync(late, { force: true });
  const p = spawnSync(tutti, ['run', '--batch', '--engine', engine, '--cache', folder, file], { input: list.map((r) => JSON.stringify({ ...r, ts: iso(r.ts) }).replace('"x":0,', Object.is(r.x, -0) ? '"x":-0,' : '"x":0,')).join('\n'), cwd: folder, maxBuffer: 1 << 28 });
  const what = `hop ${size}ms every ${every}ms order ${order}ms`;
  same(`${what}: exit`, p.status, 0);
  const got = p.stdout.toString().split('\n').slice(0, -1), want = expected(list, size, every, order);
  same(`${what}: rows`, got.length, want.out.length);
  for (let i = 0; i < Math.min(got.length, want.out.length); i++) {
    const q = Number((/"q":([^,]*)/.exec(got[i]) || [])[1]), w = want.out[i]; // within 1 % of the exact one
    const near = Math.abs(q - w.q) <= 0.01 * Math.abs(w.q) + 1e-300;
    if (!near) same(`${what}: quantile ${i}`, q, w.q);
    if (got[i].replace(/"q":[^,]*/, '"q":0') !== w.text) { same(`${what}: row ${i}`, got[i], w.text); break; }
  }
  same(`${what}: late`, fs.existsSync(late) ? fs.readFileSync(late, 'utf8') : '', want.late.map((l) => `${l}\n`).join(''));
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
