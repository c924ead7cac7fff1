// Independent oracle: makes random records, runs both pipelines of oracle.tutti, computes the rows in
// plain JavaScript from the rules of the language, and compares bytes, reasons and the counters.
//   node oracle.js TUTTI FOLDER SEED ROUNDS ENGINE
const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');
const [tutti, folder, seedText, rounds, engine] = process.argv.slice(2);
let state = BigInt(seedText) | 1n;
const mask = (1n << 64n) - 1n;
const random = (n) => {
  state ^= (state << 13n) & mask; state ^= state >> 7n; state ^= (state << 17n) & mask;
  return Number((state >> 11n) % BigInt(n));
};
const pick = (list) => list[random(list.length)];
const fields = ['ts', 'key', 'line', 'temp', 'count', 'state', 'seq', 'note'];
const number = () => pick([() => String(random(30000) / 100 - 50), () => String(random(300)), () => (random(1e9) / 1e7).toString(),
  () => (random(2000) / 7 - 30).toString(), () => '1.5e1', () => '2.5E+1', () => '0.0625', () => '1e-7', () => '-0', () => '12345e-2',
  () => '99.99999999999999999999', () => '3.00', () => '301', () => '-50.5', () => '123456.75e-3'])();
const text = (max) => { let s = ''; for (let n = random(max + 1); n > 0; n--) s += pick(['a', 'B', '7', ' ', 'é', '"', '\\', '\n', '/', '😀', '\u0001', '-']); return s; };
const escaped = (s) => { let t = JSON.stringify(s); if (random(4) === 0) t = t.replace(/[a7é]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')); return t; };
let clock = Date.UTC(2026, 10, 23, 10);
const value = (name) => {
  switch (name) {
    case 'ts': clock += random(40); return JSON.stringify(new Date(clock - random(3500) * (random(3) === 0)).toISOString().replace('.000Z', pick(['Z', '.000Z'])).replace('Z', random(20) ? 'Z' : '+00:00'));
    case 'key': return random(9) ? JSON.stringify('press-' + random(7)) : escaped(text(4));
    case 'line': return escaped(pick(['A', 'B', 'line-1', 'ü']));
    case 'temp': return number();
    case 'count': return pick(['1', '7', '100', '0', '1e2', '5.0', '-3', '2147483647', '2147483648', '1.5']);
    case 'state': return JSON.stringify(pick(['RUN', 'RUN', 'RUN', 'IDLE', 'FAULT', random(9) ? 'RUN' : 'STOP']));
    case 'seq': return String(random(1e6));
    default: return escaped(text(9));
  }
};
const wrong = () => pick(['null', 'true', '[1,{"a":[]}]', '{"x":{}}', '"text"', '17']);
const junk = ['', '   ', '{', '{"ts":12', '[]', 'x', '{"a":01}', '{"a":"\\x"}', '{"a":1}}', '{"a":"\t"}', '{"a":1,}', '{"a":.1}', '{"a":"\\ud800"}'];
const record = () => {
  if (random(60) === 0) return pick(junk);
  const order = fields.filter((f) => f !== 'seq' && f !== 'note' ? random(150) : random(4));
  if (random(5) === 0) order.sort(() => random(3) - 1);
  if (random(4) === 0) order.splice(random(order.length + 1), 0, 'extra');
  const gap = random(5) ? '' : ' ';
  return '{' + gap + order.map((f) => `"${f}"${gap}:${gap}` + (f === 'extra' || random(200) === 0 ? wrong() : value(f))).join(gap + ',' + gap) + gap + '}';
};
// ---- the rules, again ----
const bytes = (s) => Buffer.byteLength(s);
const time = (s) => {
  const m = typeof s === 'string' && /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(s);
  const t = m ? Date.parse(s) : NaN;
  return Number.isNaN(t) ? undefined : t;
};
const lone = (v) => typeof v === 'string' ? /[\uD800-\uDFFF]/u.test(v) : v && typeof v === 'object' ? Object.entries(v).some(([k, x]) => lone(k) || lone(x)) : false;
const decode = (line) => {
  let r;
  try { r = JSON.parse(line); } catch { return { reason: 'bad_json' }; }
  if (r === null || typeof r !== 'object' || Array.isArray(r) || lone(r)) return { reason: 'bad_json' };
  const v = {};
  for (const f of fields) {
    const x = r[f] === undefined ? null : r[f];
    const optional = f === 'seq' || f === 'note';
    if (x === null) { if (optional) continue; return { reason: 'missing_field', field: f }; }
    const bad = (reason) => ({ reason, field: f });
    if (f === 'ts') { if (time(x) === undefined) return bad('bad_time'); v.ts = time(x); continue; }
    if (f === 'temp' || f === 'count' || f === 'seq') {
      if (typeof x !== 'number') return bad('bad_number');
      if (f !== 'temp' && !Number.isInteger(x)) return bad('bad_number');
      if (f === 'count' && (x > 2147483647 || x < -2147483648)) return bad('range');
      if (f === 'temp' && !(x >= -50 && x <= 300)) return bad('range');
      v[f] = x; continue;
    }
    if (f === 'state') { if (!['RUN', 'IDLE', 'FAULT'].includes(x)) return bad('bad_enum'); v.state = x; continue; }
    if (typeof x !== 'string') return bad('bad_value');
    if (bytes(x) > { key: 12, line: 8, note: 24 }[f]) return bad('too_long');
    v[f] = x;
  }
  return { v };
};
const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');
const js = (o) => JSON.stringify(o, (k, x) => x === undefined ? undefined : Object.is(x, -0) ? 0 : x);
const num = (x) => String(Object.is(x, -0) ? 0 : x);
function rows(lines) {
  const out = [], errors = [], n = { in: 0, filtered: 0, emitted: 0, late: 0, state: 0, errors: 0 };
  for (const line of lines) {
    if (line.trim() === '') continue;
    n.in++;
    const d = decode(line);
    if (d.reason) { errors.push([d.reason, d.field]); n.errors++; continue; }
    const { v } = d;
    if (!(v.state !== 'IDLE' && v.temp >= -20)) { n.filtered++; continue; }
    if (v.count === 0) { errors.push(['div_zero', 'ratio']); n.errors++; continue; }
    const t = `${v.key}/${v.line}: ${num(v.temp)} ${v.seq ?? -1}`;
    out.push(js({ ts: iso(v.ts), key: v.key, state: v.state, temp: v.temp, f: v.temp * 1.8 + 32, ratio: v.temp / v.count, count: v.count, seq: v.seq, note: v.note, text: t }));
    n.emitted++;
  }
  return { out, errors, n };
}
function sums(lines) {
  const out = [], errors = [], n = { in: 0, filtered: 0, emitted: 0, late: 0, state: 0, errors: 0 }, open = new Map();
  let mark = -Infinity;
  const close = (until) => {
    for (const w of [...open.keys()].sort((a, b) => a - b)) {
      if (w + 5000 > until) continue;
      const keys = open.get(w); open.delete(w);
      for (const [key, a] of [...keys].sort((x, y) => Buffer.compare(Buffer.from(x[0]), Buffer.from(y[0])))) {
        const sorted = [...a.all].sort((x, y) => x - y);
        out.push({ text: js({ key, start: iso(w), end: iso(w + 5000), n: a.all.length, s: a.s, a: a.s / a.all.length, lo: sorted[0], hi: sorted[sorted.length - 1], first: a.first, last: a.last, p90: 0, hot: a.hot }), p90: sorted[Math.ceil(0.9 * sorted.length) - 1] });
      }
    }
  };
  for (const line of lines) {
    if (line.trim() === '') continue;
    n.in++;
    const d = decode(line);
    const needed = d; // late records are written whole, so every field is needed
    if (needed.reason) { errors.push([needed.reason, needed.field]); n.errors++; continue; }
    const { v } = needed;
    if (v.ts - 2000 > mark) { mark = v.ts - 2000; close(mark); }
    if (v.state !== 'RUN') { n.filtered++; continue; }
    const w = Math.floor(v.ts / 5000) * 5000;
    if (w + 5000 <= mark) { n.late++; continue; }
    n.state++;
    if (!open.has(w)) open.set(w, new Map());
    const keys = open.get(w);
    if (!keys.has(v.key)) keys.set(v.key, { all: [], s: 0, hot: 0, first: v.count });
    const a = keys.get(v.key);
    a.all.push(v.temp); a.s += v.temp; a.last = v.count; a.hot += v.temp > 100 ? 1 : 0;
  }
  close(Infinity);
  return { out, errors, n };
}
const run = (pipeline, input) => {
  const p = spawnSync(tutti, ['run', '--batch', '--stats', '--engine', engine, '--cache', folder, '--pipeline', pipeline, path.join(__dirname, 'oracle.tutti')], { input, cwd: folder, maxBuffer: 1 << 28 });
  if (p.status !== 0) throw new Error(`exit ${p.status}: ${p.stderr}`);
  return { out: p.stdout.toString().split('\n').slice(0, -1), stats: JSON.parse(p.stderr.toString().trim().split('\n').pop()), errors: fs.readFileSync(path.join(folder, 'errors.ndjson'), 'utf8').split('\n').slice(0, -1).map((l) => JSON.parse(l)) };
};
let passed = 0, failed = 0;
const same = (what, got, want) => { if (got === want) { passed++; return; } failed++; if (failed < 20) console.log(`FAIL ${what}\n  got  ${got}\n  want ${want}`); };
for (let round = 0; round < Number(rounds); round++) {
  const lines = []; for (let i = 0; i < 3000; i++) lines.push(record());
  const input = lines.join('\n') + (random(2) ? '\n' : '');
  for (const [name, rule] of [['rows', rows], ['sums', sums]]) {
    const got = run(name, input), want = rule(lines);
    const law = got.stats;
    same(`${name} rows`, got.out.length, want.out.length);
    let bad = 0;
    for (let i = 0; i < Math.min(got.out.length, want.out.length) && bad < 3; i++) {
      let g = got.out[i], w = want.out[i];
      if (name === 'sums') { // the quantile is within 1 % of the exact one
        const p = Number(/"p90":([^,]*)/.exec(g)[1]);
        if (Math.abs(p - w.p90) > 0.01 * Math.abs(w.p90) + 1e-300) { bad++; same(`${name} ${i} p90`, p, w.p90); }
        g = g.replace(/"p90":[^,]*/, '"p90":0'); w = w.text;
      }
      if (g !== w) { bad++; same(`${name} row ${i}`, g, w); }
    }
    if (!bad) passed++;
    same(`${name} errors`, JSON.stringify(got.errors.map((e) => [e.reason, e.field])), JSON.stringify(want.errors));
    for (const k of ['in', 'emitted', 'state', 'filtered', 'late', 'errors']) same(`${name} ${k}`, law[k], want.n[k]);
    same(`${name} law`, law.in, law.emitted + law.state + law.filtered + law.late + law.errors);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
