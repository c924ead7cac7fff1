// tests/gen/gen.mjs: random well-typed programs and records through every engine.
//
//   node gen.mjs TUTTI COMPARE FOLDER [--seed N] [--programs N] [--pipelines N] [--only REGEXP] [--engine NAME]
//
// Each program holds some pipelines; what the checker refuses is taken out (too much of it is a fault
// of the generator). COMPARE (tests/gen/compare.c) says whether the engines agree; when they do not, the
// pipeline and its records are made as small as they go and shown. Closes with `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { makePipeline, programText, pipelineText } from './program.mjs';
import { shrink } from './shrink.mjs';

const words = process.argv.slice(2);
const option = (name, preset) => { const i = words.indexOf(`--${name}`); return i < 0 ? preset : Number(words.splice(i, 2)[1]); };
const seed = option('seed', Math.floor(Date.now() / 1000));
const text = (name) => { const i = words.indexOf(`--${name}`); return i < 0 ? null : words.splice(i, 2)[1]; };
const only = new RegExp(text('only') ?? ''), engine = text('engine');
const programs = option('programs', 6), size = option('pipelines', 12), plans = option('plans', 5);
const [tutti, compare, folder] = words;
console.log(`seed ${seed}`);

// Pipelines that do not compile, by the lines of their errors.
function refused(file, list) {
  const out = spawnSync(tutti, ['check', '--json', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  let found = [];
  try { found = JSON.parse(out.stdout || '[]'); } catch { console.log(out.stdout, out.stderr); }
  if (out.status !== 0 && !found.length) throw new Error(`check: ${out.status} ${out.signal} ${out.stderr}`);
  const starts = [];
  let line = 1;
  for (const p of list) { starts.push(line); line += pipelineText(p).split('\n').length; }
  const bad = new Map();
  for (const d of found.filter((x) => x.severity === 'error')) {
    let i = starts.length - 1;
    while (i > 0 && starts[i] > d.line) i--;
    if (!bad.has(i)) bad.set(i, `${d.code} ${d.message} (${d.line - starts[i] + 1}:${d.column})`);
  }
  return bad;
}

export function write(dir, list) {
  fs.rmSync(dir, { recursive: true, force: true });
  fs.mkdirSync(dir, { recursive: true });
  const file = path.join(dir, 'program.tutti');
  fs.writeFileSync(file, programText(list));
  for (const p of list) if (p.proto) fs.writeFileSync(path.join(dir, `${p.name}.proto`), p.proto);
  for (const p of list) fs.writeFileSync(path.join(dir, `${p.name}.in`), Buffer.concat(p.records.flatMap((b) => [b, Buffer.from('\n')])));
  return file;
}

export function run(dir, list, planSeed) {
  const file = write(dir, list);
  const bad = refused(file, list);
  if (bad.size) return { code: 3, bad, file };
  const out = spawnSync(compare, ['--seed', String(planSeed), '--plans', String(plans), ...(engine ? ['--engine', engine] : []), file, dir], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return { code: out.status ?? 9, text: `${out.stdout}${out.stderr}${out.error ?? ""}`.slice(0, 6000), file };
}

let passed = 0, failed = 0, made = 0, thrown = 0;
const why = new Map();
for (let n = 0; n < programs; n++) {
  const dir = path.join(folder, `p${n}`);
  let list = Array.from({ length: size }, (_, i) => makePipeline(seed * 1000 + n * size + i, `p${n}_${i}`)).filter((p) => only.test(pipelineText(p)));
  made += list.length;
  let result = null;
  for (let turn = 0; turn < 20; turn++) {
    result = run(dir, list, seed + n);
    if (result.code !== 3) break;
    thrown += result.bad.size;
    for (const [i, text] of result.bad) { const key = text.replace(/[`(].*/, ''); why.set(key, (why.get(key) ?? 0) + 1); if (process.env.GEN_WHY) console.log(`${list[i].name}: ${text}\n${pipelineText(list[i])}`); }
    list = list.filter((_, i) => !result.bad.has(i));
    if (!list.length) break;
  }
  if (result.code === 0) { passed += list.length; fs.rmSync(dir, { recursive: true, force: true }); continue; }
  console.log(`program ${n}: ${result.text}`);
  failed++;
  for (const p of list) {
    const one = run(dir, [p], seed + n);
    if (one.code === 0) { passed++; continue; }
    const small = shrink(p, (q) => run(dir, [q], seed + n).code === one.code);
    const last = run(dir, [small], seed + n);
    console.log(`---- seed ${p.seed} (run ${seed}), smallest:\n${pipelineText(small)}---- records\n${small.records.map((b) => b.toString('latin1')).join('\n')}\n---- ${last.text}`);
    write(path.join(folder, `failed-${p.seed}`), [small]);
    break;
  }
}
console.log(`${thrown} of ${made} pipelines did not compile`);
for (const [text, count] of [...why].sort((a, b) => b[1] - a[1]).slice(0, 12)) console.log(`  ${count} ${text}`);
if (thrown * 2 > made) { failed++; console.log('more than half did not compile: the generator does not know the language'); }
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
