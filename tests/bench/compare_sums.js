// tests/bench/compare_sums.js: do two outputs of the other shapes say the same? Count and sum per key.
'use strict';
const fs = require('fs');
const [, , fileA, fileB] = process.argv;
const read = (file) => {
  const sums = new Map();
  for (const line of fs.readFileSync(file, 'utf8').trim().split('\n')) {
    const row = JSON.parse(line);
    const sum = sums.get(row.k) ?? { n: 0, s: 0 };
    sums.set(row.k, { n: sum.n + row.n, s: sum.s + row.s });
  }
  return sums;
};
const a = read(fileA), b = read(fileB);
let wrong = a.size === b.size ? 0 : 1;
for (const [key, x] of a) {
  const y = b.get(key);
  if (!y || x.n !== y.n || Math.abs(x.s - y.s) > 1e-9 * Math.max(1, Math.abs(x.s))) wrong++;
}
console.log(`${fileB}: ${a.size} and ${b.size} keys, ${wrong ? `${wrong} differ` : 'the same'}`);
process.exit(wrong ? 1 : 0);
