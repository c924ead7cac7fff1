// tests/norms/run.mjs: all tests against one `tutti serve`, on both transports, and the tables.
//   node tests/norms/run.mjs [WORDS]   only tests whose line holds these words
//   BROKER_PORT=1883 node ...          another broker of this machine instead, on TCP: what does a peer do?
import { password, start, until, Tutti } from '../e2e/lib.mjs';
import { entering, norms, runAll } from './bed.mjs';
import { tool } from './client_bed.mjs';
import { table, tableCounts, tableFaults } from './tables.mjs';

const FILES = ['data', 'connect', 'will', 'session', 'publish', 'retain', 'acks', 'subscribe', 'order', 'topics', 'end',
  'websocket', 'client', 'client_flow', 'auth', 'auth_steps'];
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
const other = process.env.BROKER_PORT;
const tools = tool('mqtt_broker') && tool('mqtt_client'); // of a build with tests
const needsTools = (job) => /client|steps/.test(job.row.file);
const wanted = jobs.filter((job) => title(job).includes(only) &&
  (!other || (job.transport === 'tcp' && !/client|auth/.test(job.row.file))));
const chosen = wanted.filter((job) => tools || !needsTools(job));
const skipped = wanted.length - chosen.length;
if (skipped) console.log('skipped: tests of our client and of AUTH, for tests-tools/ is not built');

const tutti = other ? { mqtt: Number(other), kill() {} } : await Tutti.new(['serve'], { env: { TUTTI_MQTT_SYS_INTERVAL: '250ms' } });
// Somebody whose password nobody tries to guess: after some wrong ones a user's right one has to wait as well.
if (!other) await tutti.call('POST', 'auth/users', { name: 'guest', password, roles: ['operate'] });
// The broker alone, with an authentication method.
const steps = tools && start(tool('mqtt_broker'), ['127.0.0.1:0', '--steps']);
if (steps) tutti.steps = Number((await until('the broker alone', () => /^port (\d+)/m.exec(steps.out)))[1]);
const results = await runAll(chosen, tutti);
steps?.kill('SIGTERM');
await tutti.kill('SIGTERM');
const clean = steps ? await steps.exited : 0;
let passed = 0;
let failed = 0;
const count = (ok) => (ok ? passed++ : failed++);
for (const job of results) {
  if (process.env.TIMES) console.log(`${String(job.ms).padStart(6)} ms ${title(job)}`);
  count(!job.error);
  if (job.error)
    console.log(`FAIL  ${title(job)}\n      ${job.row.file}: ${job.error.stack?.split('\n').slice(0, 14).join('\n      ')}`);
}
for (const [version, name] of Object.entries(NAMES)) {
  const text = table(name);
  const { all, reasons } = tableCounts(text);
  const faults = tableFaults(text, version, norms);
  count(!faults.length);
  for (const fault of faults) console.log(`FAIL  statements_${name}.md: ${fault}`);
  const per = ['tcp', 'ws'].map((transport) =>
    `${jobs.filter((j) => j.version === Number(version) && j.transport === transport).length} tests on ${transport}`);
  console.log(`${name}: ${all} statements, ${all - reasons} with tests, ${reasons} with a reason; ${per.join(', ')}`);
}
count(clean === 0);
if (clean !== 0) console.log(`FAIL  the broker alone ended with ${clean}: ${steps.out}`);
// The check itself: a missing test, a missing row and an empty reason are found.
const sample = [{ ids: { 5: ['MQTT-1.1.1-1', 'MQTT-1.1.1-2'] }, file: 'a.mjs' }];
const wrong = '| MQTT-1.1.1-1 | both | b |\n| MQTT-1.1.1-3 | server | |\n| MQTT-1.1.1-4 | client | reason: no |\n';
count(tableFaults(wrong, 5, sample).length === 4);
console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed ? 1 : 0;
