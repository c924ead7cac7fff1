// tests/norms/run.mjs: all tests against one `tutti serve`, on both transports, and the tables.
//   node tests/norms/run.mjs [WORDS]   only tests whose line holds these words
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Tutti } from '../e2e/lib.mjs';
import { entering, norms, runAll } from './bed.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);
const FILES = ['data', 'connect', 'will', 'session', 'publish', 'retain', 'acks', 'subscribe', 'order', 'topics', 'end',
  'websocket'];
for (const name of FILES) {
  entering(`${name}.mjs`);
  await import(`./${name}.mjs`);
}
const only = process.argv[2] ?? '';
const NAMES = { 4: '3.1.1', 5: '5.0' };
const title = ({ row, version, transport }) =>
  `${NAMES[version]} ${transport} ${row.ids[version].join(' ')}: ${row.what}`;

const jobs = [];
for (const row of norms)
  for (const version of [4, 5])
    if (row.ids[version].length) for (const transport of row.transports) jobs.push({ row, version, transport });
const chosen = jobs.filter((job) => title(job).includes(only));

const tutti = await Tutti.new();
const results = await runAll(chosen, tutti);
await tutti.kill('SIGTERM');
let failed = 0;
for (const job of results) {
  if (process.env.TIMES) console.log(`${String(job.ms).padStart(6)} ms ${title(job)}`);
  if (!job.error) continue;
  failed++;
  console.log(`FAIL  ${title(job)}\n      ${job.row.file}: ${job.error.stack?.split('\n').slice(0, 14).join('\n      ')}`);
}
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
