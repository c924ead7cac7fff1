// Independent oracle of records that fail: whole sums at the limits of i64 and u64 in windows of every kind.
// Here each window keeps its records, and one that any of its windows cannot take is in none of them.
//   node oracle_failing.js TUTTI FOLDER SEED ROUNDS ENGINE
const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');
const [tutti, folder, seedText, rounds, engine] = process.argv.slice(2);
const mask = (1n << 64n) - 1n;
let state = (BigInt(seedText) * 2654435761n) & mask | 1n;
const random = (n) => {
  state ^= (state << 13n) & mask; state ^= state >> 7n; state ^= (state << 17n) & mask;
  return Number((state >> 11n) % BigInt(n));
};
const pick = (list) => list[random(list.length)];
const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');
const most = (1n << 63n) - 1n, parts = [most, -most - 1n, most / 2n, -(most / 2n), most / 3n, 1n, -1n, 0n, 7n];

const program = (size, extra) => `type R = { ts: time, k: string(8), id: i64, x: i64, u: u64?, d: decimal(2)? }
pipeline sums {
  from stdin as json R
  time ts order 100h
  window ${size} by k${extra} {
    n = count()  lo = min(x)  s = sum(x)  f = first(id)  l = last(id)  us = sum(u)  m = sum(d)  q = quantile(id, 0.5)${size.startsWith('count') ? '' : '  ids = list(id, 50)'}
  }
  into stdout
  on error into file "errors.ndjson"
}
`;
function records() {
  const out = [];
  let clock = Date.UTC(2026, 10, 23, 10);
  for (let id = 0; id < 300; id++) {
    clock += random(4000);
    const r = { ts: clock - random(20000), k: pick(['a', 'b']), id, x: random(3) ? BigInt(random(2000) - 1000) : pick(parts) };
    if (random(3) === 0) r.u = random(4) ? BigInt(random(100)) : pick([mask, mask / 2n, mask - 3n]);
    if (random(3) === 0) r.d = random(4) ? BigInt(random(10000)) : pick(parts);
    out.push(r);
  }
  return out;
}
const decimal = (v) => {
  const size = v < 0n ? -v : v, rest = String(size % 100n).padStart(2, '0').replace(/0+$/, '');
  return `${v < 0n ? '-' : ''}${size / 100n}${rest ? `.${rest}` : ''}`;
};
const text = (r) => `{"ts":"${iso(r.ts)}","k":"${r.k}","id":${r.id},"x":${r.x}${r.u === undefined ? '' : `,"u":${r.u}`}${r.d === undefined ? '' : `,"d":${decimal(r.d)}`}}`;

// ---- the rules ----
const total = (list, name) => list.reduce((s, r) => s + (r[name] ?? 0n), 0n);
const fits = (list) => [total(list, 'x'), total(list, 'd')].every((v) => v <= most && v >= -most - 1n) && total(list, 'u') <= mask;
function expected(list, kind, size, every) {
  const rows = [], failed = [], windows = { a: [], b: [] };
  for (const r of list) {
    const all = windows[r.k];
    let into;
    if (kind === 'count') {
      into = all.filter((w) => w.list.length < size);
      if (!into.length) into = [{ list: [] }];
    } else if (kind === 'session') {
      const near = all.filter((w) => r.ts - w.to < size && w.from - r.ts < size);
      const from = Math.min(r.ts, ...near.map((w) => w.from)), to = Math.max(r.ts, ...near.map((w) => w.to));
      const joined = { from, to, list: near.flatMap((w) => w.list).sort((p, q) => p.id - q.id), near };
      into = [joined];
    } else {
      into = [];
      for (let start = Math.floor(r.ts / every) * every; start + size > r.ts; start -= every)
        into.push(all.find((w) => w.start === start) ?? { start, list: [] });
    }
    if (!into.every((w) => fits([...w.list, r]))) { failed.push(r.id); continue; }
    for (const w of into) {
      w.list.push(r);
      if (w.near) windows[r.k] = windows[r.k].filter((o) => !w.near.includes(o));
      w.near = undefined;
      if (!windows[r.k].includes(w)) windows[r.k].push(w);
    }
  }
  for (const [k, all] of Object.entries(windows)) {
    for (const w of all) {
      const ids = w.list.map((r) => r.id);
      const from = kind === 'count' ? w.list[0].ts : w.from ?? w.start, to = kind === 'count' ? w.list.at(-1).ts : w.to === undefined ? w.start + size : w.to + size;
      const own = w.list.filter((r) => r.d !== undefined);
      rows.push({ k, from, to, text: `{"k":"${k}","start":"${iso(from)}","end":"${iso(to)}","n":${ids.length},"lo":${w.list.reduce((m, r) => (r.x < m ? r.x : m), most)},` +
        `"s":${total(w.list, 'x')},"f":${ids[0]},"l":${ids.at(-1)},"us":${total(w.list, 'u')},"m":${decimal(total(own, 'd'))}`, ids });
    }
  }
  return { rows, failed };
}

let passed = 0, wrong = 0;
const same = (what, got, want) => { if (got === want) { passed++; return; } wrong++; if (wrong < 20) console.log(`FAIL ${what}\n  got  ${got}\n  want ${want}`); };
for (let round = 0; round < Number(rounds) * 2; round++) {
  const [kind, size, every] = [['count', 3], ['count', 20], ['tumble', 10000, 10000], ['hop', 10000, 3000], ['hop', 60000, 1000], ['session', 900], ['session', 2500]][round % 7];
  const shape = kind === 'count' ? `count ${size}` : kind === 'session' ? `session gap ${size}ms` : kind === 'tumble' ? `tumble ${size}ms` : `hop ${size}ms every ${every}ms`;
  const extra = kind !== 'count' && random(2) ? ' early every 400h' : '';
  const list = records(), file = path.join(folder, 'failing.tutti'), errors = path.join(folder, 'errors.ndjson');
  fs.writeFileSync(file, program(shape, extra));
  fs.rmSync(errors, { force: true });
  const p = spawnSync(tutti, ['run', '--batch', '--engine', engine, '--cache', folder, file], { input: list.map(text).join('\n'), cwd: folder, maxBuffer: 1 << 28 });
  const what = `${shape}${extra}`, want = expected(list, kind, size, every);
  same(`${what}: exit`, p.status, 0);
  const failed = fs.existsSync(errors) ? fs.readFileSync(errors, 'utf8').split('\n').slice(0, -1).map((l) => JSON.parse(l)) : [];
  same(`${what}: errors`, failed.map((f) => `${/"id":(\d+)/.exec(f.raw)[1]} ${f.reason}`).join(), want.failed.map((id) => `${id} overflow`).join());
  const got = p.stdout.toString().split('\n').slice(0, -1).map((line) => ({ line, ids: JSON.parse(/"ids":(\[[^\]]*\])/.exec(line)?.[1] ?? 'null'), q: Number(/"q":([^,}]*)/.exec(line)?.[1]) }));
  const plain = (g) => g.line.replace(/,"q":.*/, '');
  same(`${what}: rows`, got.map(plain).sort().join('\n'), want.rows.map((w) => w.text).sort().join('\n'));
  for (const g of got) {
    const ids = want.rows.find((w) => w.text === plain(g))?.ids ?? [], middle = [...ids].sort((a, b) => a - b)[Math.ceil(ids.length / 2) - 1];
    if (Math.abs(g.q - middle) > 0.01 * middle + 1e-9) same(`${what}: quantile of ${g.line}`, g.q, middle);
    if (g.ids && kind !== 'session') same(`${what}: list`, g.ids.join(), ids.slice(0, 50).join());
  }
}
console.log(`${passed} passed, ${wrong} failed`);
process.exit(wrong ? 1 : 0);
