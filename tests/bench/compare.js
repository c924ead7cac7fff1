// tests/bench/compare.js: do two outputs say the same? Rows by (machine, start); numbers within 0.006
// (the hand-written limit prints two decimals), p95 within its bin of 4 and 1 %.
'use strict';
const fs = require('fs');
const [, , fileA, fileB] = process.argv;
const read = (file) => new Map(fs.readFileSync(file, 'utf8').trim().split('\n').map((l) => {
  const r = JSON.parse(l);
  r.start = typeof r.start === 'string' ? Date.parse(r.start) : r.start;
  return [`${r.machine}@${r.start}`, r];
}));
const a = read(fileA), b = read(fileB);
let wrong = 0;
for (const [key, x] of a) {
  const y = b.get(key);
  const near = (name, by) => Math.abs(x[name] - y[name]) <= by;
  if (y && x.n === y.n && near('avg', 0.006) && near('lo', 0.006) && near('hi', 0.006) && near('power', 0.006) &&
      near('p95', 4 + Math.abs(y.p95) * 0.01)) continue;
  if (wrong++ < 3) console.log(`differs: ${JSON.stringify(x)} and ${JSON.stringify(y)}`);
}
if (a.size !== b.size) wrong++;
console.log(`${fileB}: ${a.size} and ${b.size} rows, ${wrong ? wrong + ' differ' : 'the same'}`);
process.exit(wrong ? 1 : 0);
