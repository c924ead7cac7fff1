// tests/e2e/tck/run.mjs: the statements of Sparkplug 3.0 against our edge node, host and server.
//   node tests/e2e/tck/run.mjs [WORDS]   only tests whose line holds these words
import { cleanUp } from '../lib.mjs';
import { rows } from './bed.mjs';
import * as edge from './edge.mjs';
import * as host from './host.mjs';
import * as server from './server.mjs';
import { table, tableCounts, tableFaults } from './tables.mjs';

const stories = [['edge', '5.0', () => edge.story(5)], ['edge', '3.1.1', () => edge.story(4)], ['host', '', host.story], ['server', '', server.story]];
const only = process.argv[2] ?? '';
let passed = 0;
let failed = 0;
const count = (ok, line, error) => {
  ok ? passed++ : failed++;
  if (!ok) console.log(`FAIL  ${line}${error ? `\n      ${error.stack?.split('\n').slice(0, 14).join('\n      ') ?? error}` : ''}`);
};
for (const [file, version, story] of stories) {
  const tests = rows.filter((row) => row.file === file).map((row) => ({ ...row, line: `${file} ${version} ${row.ids.join(' ')}: ${row.what}` })).filter((t) => t.line.includes(only));
  if (!tests.length) continue;
  let log;
  try {
    log = await story();
  } catch (error) {
    count(false, `${file} ${version}: the story`, error);
    continue;
  }
  for (const t of tests) {
    try {
      t.fn(log);
      count(true);
    } catch (error) {
      count(false, t.line, error);
    }
  }
}
await cleanUp();
const text = table();
const faults = tableFaults(text, rows);
count(!faults.length, `statements.md: ${faults.join('\n      ')}`);
const { all, reasons } = tableCounts(text);
console.log(`${all} statements, ${all - reasons} with tests, ${reasons} with a reason`);
// The check itself: a missing test, a missing row and an empty reason are found.
const sample = [{ ids: ['tck-id-a', 'tck-id-b'], file: 'edge' }];
count(tableFaults('| tck-id-a | both | host |\n| tck-id-c | edge | |\n| tck-id-d | host | reason: no |\n', sample).length === 4, 'the check of the table');
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
