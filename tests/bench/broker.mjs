// tests/bench/broker.mjs: the embedded broker beside Mosquitto, in turn in one run: deliveries per second of CPU time
// of the broker's process, latency, memory. The load is tests/bench/mqtt_load.c for both. Asserts that nothing is
// lost, doubled or out of order, and says what misses its goal; time and memory fail nothing.
//   node broker.mjs [WORD...]   only cases whose name has a word; ROUNDS=3 rounds, the median counts
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../../', import.meta.url));
const build = process.env.BUILD?.startsWith('/') ? process.env.BUILD : join(top, process.env.BUILD ?? 'build');
const load = join(build, 'tests-tools/mqtt_load');
const rounds = Number(process.env.ROUNDS ?? 3);
const RUN_MS = 120000;
const READY_MS = 60000;

// goal: ours / theirs for `more`, theirs / ours for `less`; max: of ours, whatever theirs is.
const more = (field, goal) => ({ field, unit: 'a CPU s', better: 'more', goal });
const less = (field, unit, goal, max) => ({ field, unit, better: 'less', goal, max });
const cases = [];
const fan = (name, args, goal) => cases.push({ name, args: `fan ${args}`, looks: [more('per_cpu_s', goal)] });
for (const bytes of [64, 1024]) {
  fan(`50 -> 1, QoS 0, ${bytes} B`, `-P 50 -S 1 -q 0 -s ${bytes} -n 100000`, 5.9);
  fan(`50 -> 1, QoS 1, ${bytes} B`, `-P 50 -S 1 -q 1 -s ${bytes} -n 50000`, 2.1);
  fan(`1 -> 100, QoS 0, ${bytes} B`, `-P 1 -S 100 -q 0 -s ${bytes} -n 200000`, 2.5);
  fan(`1 -> 100, QoS 1, ${bytes} B`, `-P 1 -S 100 -q 1 -s ${bytes} -n 100000`, 2.0);
}
fan('50 -> 1, QoS 2, 64 B', '-P 50 -S 1 -q 2 -s 64 -n 30000', 2);
fan('1 -> 100, QoS 2, 64 B', '-P 1 -S 100 -q 2 -s 64 -n 50000', 2);
fan('50 -> 1, QoS 0, 64 B, one at a time', '-P 50 -S 1 -q 0 -s 64 -n 50000 -w 1');
fan('1 -> 100, QoS 0, 64 B, one at a time', '-P 1 -S 100 -q 0 -s 64 -n 100000 -w 1');
for (const qos of [0, 1]) {
  cases.push({ name: `20,000 deliveries a second, 10 -> 10, QoS ${qos}`,
    args: `fan -P 10 -S 10 -q ${qos} -s 64 -r 2000 -d 5`,
    looks: [less('p99_us', 'us, 99 %', 1), less('p50_us', 'us, median'), more('per_cpu_s')] });
}
cases.push({ name: '10,000 idle connections', args: 'idle -n 10000 -d 3', fresh: true,
  looks: [less('bytes_each', 'B each', undefined, 2048), less('connect_s', 's'), less('idle_cpu_share', 'of a CPU')] });
// The namespace keeps a value, its times and its place in a tree for each topic, which Mosquitto has not: once without.
const alone = { TUTTI_UNS_PATH_COUNT_MAX: '1' };
for (const [qos, window, env] of [[0, 100, alone], [1, 100, alone], [1, 1000, alone], [0, 100], [1, 100]]) {
  cases.push({ name: `100,000 retained, QoS ${qos}${qos ? `, ${window} unanswered` : ''}${env ? '' : ', namespace'}`,
    args: `retain -n 100000 -s 64 -q ${qos} -w ${window}`, fresh: true, env,
    looks: [less('load_s', 's', 3), less('bytes_each', 'B each', undefined, 600), less('cpu_s', 's of CPU'),
      less('replay_cpu_s', 's of CPU, replay')] });
}
cases.push({ name: '10,000 filters with wildcards', args: 'wild -n 10000 -P 100 -m 100000', fresh: true,
  looks: [less('us_each', 'us of CPU a publish', 3)] });

const dir = mkdtempSync(join(tmpdir(), 'tutti-broker-'));
const running = new Set();

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function answers(port) {
  for (const until = Date.now() + READY_MS; Date.now() < until;) {
    const there = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
      socket.on('error', () => setTimeout(resolve, 20, false));
    });
    if (there) return port;
  }
  throw new Error('mosquitto does not start');
}

function says(child, words) {
  return new Promise((resolve, reject) => {
    let text = '';
    const late = setTimeout(() => reject(new Error(`tutti does not start: ${text}`)), READY_MS);
    child.stdout.on('data', (bytes) => {
      text += bytes;
      const found = words.exec(text);
      if (!found) return;
      clearTimeout(late);
      resolve(Number(found[1]));
    });
  });
}

// Both without durable sessions; Mosquitto without its 1,000 waiting messages and 20 unanswered ones, and without
// waiting for more to send, as ours.
const brokers = {
  mosquitto: async (number) => {
    const port = await freePort();
    const conf = join(dir, `mosquitto-${number}.conf`);
    writeFileSync(conf, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n` +
      'max_queued_messages 0\nmax_inflight_messages 1000\nset_tcp_nodelay true\nlog_type error\n');
    return { command: ['mosquitto', '-c', conf], port: () => answers(port) };
  },
  tutti: async (number) => ({
    command: [join(build, 'tutti'), 'serve', '--data', join(dir, `data-${number}`), '--http', '127.0.0.1:0',
      '--mqtt', '127.0.0.1:0'],
    env: { TUTTI_MQTT_CONNECTIONS: '20000', TUTTI_MQTT_SESSIONS: '20000', TUTTI_UNS_PATH_COUNT_MAX: '1000000' },
    port: (child) => says(child, /MQTT port (\d+)/),
  }),
};

let serial = 0;
async function start(name, env) {
  const how = await brokers[name](serial++);
  const child = spawn('sh', ['-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh', ...how.command],
    { env: { ...process.env, ...how.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
  running.add(child);
  return { name, child, port: await how.port(child) };
}

function stop(broker) {
  return new Promise((resolve) => {
    running.delete(broker.child);
    const late = setTimeout(() => broker.child.kill('SIGKILL'), 15000);
    broker.child.on('exit', () => { clearTimeout(late); resolve(); });
    broker.child.kill('SIGTERM');
  });
}

function run(broker, args) {
  return new Promise((resolve, reject) => {
    execFile(load, [...args.split(' '), '-p', broker.port, '-R', broker.child.pid], { timeout: RUN_MS },
      (error, line, reason) => {
        if (error && error.code !== 3) reject(new Error(`${broker.name}: ${args}: ${reason || error.message}`));
        if (error?.code === 3) wrong.push(`${broker.name}: ${args}: ${line}`);
        if (line) resolve(JSON.parse(line));
      });
  });
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const short = (value) => (value >= 1000 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(3)).toString());
const wrong = [];
const missed = [];

function report(test, results) {
  for (const look of test.looks) {
    const [theirs, ours] = ['mosquitto', 'tutti'].map((name) => median(results[name].map((one) => one[look.field])));
    const ratio = look.better === 'more' ? ours / theirs : theirs / ours;
    const met = (look.goal === undefined || ratio >= look.goal) && (look.max === undefined || ours <= look.max);
    let goal = look.goal === undefined ? '' : `goal ${look.goal}`;
    if (look.max !== undefined) goal = `goal at most ${look.max} ${look.unit}`;
    if (!met) missed.push(`${test.name}: ${short(ours)} ${look.unit}, ${goal}`);
    console.log(`${test.name.padEnd(46)} ${short(theirs).padStart(9)} ${short(ours).padStart(9)} ${look.unit.padEnd(20)} ` +
      `${(theirs > 0 && ours > 0 ? ratio.toFixed(ratio < 10 ? 2 : 1) : '-').padStart(6)}  ${goal}${met ? '' : '  MISSED'}`);
  }
}

function memory(broker) {
  const text = readFileSync(`/proc/${broker.child.pid}/smaps_rollup`, 'utf8');
  return Number(/Pss:\s+(\d+)/.exec(text)[1]);
}

async function main() {
  if (spawnSync('mosquitto', ['-h']).error) {
    console.log('broker: mosquitto is not installed (Debian package mosquitto): the comparison was left out');
    return;
  }
  const words = process.argv.slice(2);
  const chosen = cases.filter((test) => !words.length || words.some((word) => test.name.includes(word)));
  const shared = { mosquitto: await start('mosquitto'), tutti: await start('tutti') };
  console.log(`memory of the process that has no client yet: mosquitto ${short(memory(shared.mosquitto))} KiB, ` +
    `tutti serve ${short(memory(shared.tutti))} KiB`);
  console.log(`${''.padEnd(46)} mosquitto     tutti ${''.padEnd(21)} ratio`);
  for (const test of chosen) {
    const results = { mosquitto: [], tutti: [] };
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 ? ['tutti', 'mosquitto'] : ['mosquitto', 'tutti']) {
        const broker = test.fresh ? await start(name, test.env) : shared[name];
        results[name].push(await run(broker, test.args));
        if (test.fresh) await stop(broker);
      }
    }
    report(test, results);
  }
  await Promise.all(Object.values(shared).map(stop));
  for (const line of missed) console.log(`missed: ${line}`);
  for (const line of wrong) console.log(`WRONG, lost, doubled or another QoS: ${line}`);
  if (wrong.length) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(`broker: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const child of running) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
}
