// tests/bench/press_work.js: the work item in JavaScript, whatever the records came in: a Map of windows.
'use strict';
const WINDOW = 10000, LATENESS = 2000, BINS = 128;
const open = new Map();
let maxMs = -Infinity, next = null, out = [];
const fixed = (x) => x.toFixed(2);

function close(number) {
  const window = open.get(number);
  open.delete(number);
  if (!window) return;
  for (const [machine, a] of window) {
    const need = a.n - Math.floor(a.n / 20);
    let seen = 0, bin = 0;
    while (bin < BINS - 1 && (seen += a.bins[bin]) < need) bin++;
    out.push(`{"machine":"${machine}","start":${number * WINDOW},"n":${a.n},"avg":${fixed(a.sum / a.n)},` +
      `"lo":${fixed(a.lo)},"hi":${fixed(a.hi)},"p95":${(bin + 1) * 4 - 64},"power":${fixed(a.power / a.n)}}\n`);
  }
  process.stdout.write(out.join(''));
  out = [];
}

/** One record; `ms` is its time. */
exports.take = (r, ms) => {
  if (r.state !== 'RUN' || !(r.temp > -40)) return;
  const temp = r.temp * 1.8 + 32, power = r.pressure * r.rpm * 0.0167;
  if (ms > maxMs) {
    maxMs = ms;
    if (next === null) next = Math.floor((ms - LATENESS) / WINDOW);
    while (ms - LATENESS >= (next + 1) * WINDOW) close(next++);
  }
  const number = Math.floor(ms / WINDOW);
  if (number < next) return;
  let window = open.get(number);
  if (!window) open.set(number, window = new Map());
  let a = window.get(r.machine);
  if (!a) window.set(r.machine, a = { n: 0, sum: 0, power: 0, lo: temp, hi: temp, bins: new Uint32Array(BINS) });
  a.n++; a.sum += temp; a.power += power;
  if (temp < a.lo) a.lo = temp;
  if (temp > a.hi) a.hi = temp;
  a.bins[Math.min(BINS - 1, Math.max(0, Math.trunc((temp + 64) / 4)))]++;
};

exports.end = () => {
  while (next !== null && next <= Math.floor(maxMs / WINDOW)) close(next++);
};
