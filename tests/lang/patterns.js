// Random patterns over random texts: what `matches` says against RegExp of JavaScript.
// patterns.js TUTTI DIR SEED ROUNDS; closes with `N passed, N failed`.
'use strict';
const fs = require('fs');
const { spawnSync } = require('child_process');
const [tutti, dir, seedText, rounds] = process.argv.slice(2);

let state = BigInt(seedText) * 2862933555777941757n + 3037000493n;
function random(n) {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(n));
}
const pick = (list) => list[random(list.length)];
// The V8 of Node.js 18 takes half of a sign outside the basic plane where `^[^a]` stands; ECMAScript does not.
const whole = /^[^a]-$/u.test('😀-');
if (!whole) console.log('this JavaScript splits signs in two: they are left out');
const letters = ['a', 'b', 'c', '1', '2', ' ', '-', 'ä', '€', whole ? '😀' : 'ö', 'B'];

function set() {
  let s = '[' + (random(4) ? '' : '^');
  for (let n = 1 + random(3); n > 0; n--)
    s += pick(['a', 'b-c', '0-9', 'ä', 'a-ä', '€-😀', '\\d', '\\w', '\\s', 'A-Z', '\\-', '\\]']);
  return s + ']';
}
function pattern(depth) {
  const kind = random(depth > 3 ? 4 : 9);
  if (kind < 2) return pick(letters);
  if (kind === 2) return pick(['.', '\\d', '\\w', '\\s', '\\D', '\\W', '\\S', '\\x61', '\\.']);
  if (kind === 3) return set();
  if (kind === 4) return `(${pattern(depth + 1)}|${pattern(depth + 1)})`;
  if (kind === 5) return `(?:${pattern(depth + 1)})${pick(['*', '+', '?', '{2}', '{1,3}', '{2,}', '*?'])}`;
  if (kind === 6) return pick(['^', '$', '']) + pattern(depth + 1);
  return pattern(depth + 1) + pattern(depth + 1);
}
function text() {
  let s = '';
  for (let n = random(12); n > 0; n--) s += pick(letters);
  return s;
}
// \d \w \s are ASCII here; JavaScript's \s takes more, but only signs that no text above has.
const quote = (p) => 'raw "' + p.replace(/\\/g, '\\\\').replace(/"/g, '\\"') + '"';

let passed = 0, failed = 0;
for (let round = 0; round < Number(rounds); round++) {
  const patterns = [];
  while (patterns.length < 60) {
    const p = pick(['', '', '^', '(?i)']) + pattern(0) + pick(['', '', '$']);
    if (p.length < 200 && !(p.startsWith('(?i)') && /[^\x00-\x7f]/.test(p))) patterns.push(p);
  }
  const source = 'type In = { s: string(200) }\npipeline p {\n  from stdin as json In\n  let ' +
    patterns.map((p, i) => `m${i} = s matches ${quote(p)}`).join('\n      ') +
    '\n  drop s\n  into stdout\n  on error drop\n}\n';
  const file = `${dir}/p${round}.tutti`;
  fs.writeFileSync(file, source);
  const texts = Array.from({ length: 200 }, text);
  const input = texts.map((s) => JSON.stringify({ s }) + '\n').join('');
  const run = spawnSync(tutti, ['run', '--batch', '--engine', 'interp', file], { input, maxBuffer: 1 << 28 });
  if (run.status !== 0) {
    if (/too large a table/.test(run.stderr)) continue;
    console.log(String(run.stderr).slice(0, 2000));
    failed++;
    continue;
  }
  const rows = String(run.stdout).trim().split('\n').map((l) => JSON.parse(l));
  patterns.forEach((p, i) => {
    const any = p.startsWith('(?i)');
    const re = new RegExp(any ? p.slice(4) : p, any ? 'ui' : 'u');
    const wrong = texts.findIndex((s, n) => re.test(s) !== rows[n][`m${i}`]);
    if (wrong < 0) { passed++; return; }
    failed++;
    console.log(`${p} in ${JSON.stringify(texts[wrong])}: ${rows[wrong][`m${i}`]}`);
  });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
