// tests/bench/recovery.mjs: how soon a whole Tutti is back after kill -9 under 50,000 QoS 1 publishes a second, and
// whether anything acknowledged is lost, with MIB (1000) of data of each kind in its folder: queues of sessions that
// are away, retained messages, history, dead letters, a write-ahead log that a long reader kept from being
// checkpointed, and a mix of them as a plant would have it. Prints milliseconds and CPU time; asserts no time.
//   node recovery.mjs [WORD...]   only cases with such a name; ROUNDS=3 kills each, the median is told
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../../', import.meta.url));
const build = process.env.BUILD?.startsWith('/') ? process.env.BUILD : join(top, process.env.BUILD ?? 'build');
const tool = (name) => join(build, 'tests-tools', name);
const mib = Number(process.env.MIB ?? 1000);
const rounds = Number(process.env.ROUNDS ?? 3);
const GOAL_MS = 1000;
const WAIT_MS = 120000;
const password = 'correct-horse-battery';
const PAYLOAD = 1024;
const retainedOf = (some) => Math.floor((some * 1048576) / PAYLOAD);

// In MiB. `held`: a reader that holds a snapshot while the load runs, so that the logs only grow.
const cases = {
  'nothing kept': {},
  'queues': { queued: mib },
  'queues of shared messages': { queued: mib, shared: true },
  'retained': { retained: mib },
  'history': { history: mib },
  'log not checkpointed': { held: true, seconds: 30 },
  'a mix': { queued: mib * 0.3, retained: mib * 0.2, history: mib * 0.5, pipelines: true },
};

const program = `
type Load = json
pipeline counts {
  from mqtt "load/+" qos 1 as text
  window count 5000 { n = count() }
  into uns "bench/counts"
  on error into dead
}
`;

const running = new Set();
const folder = mkdtempSync(join(process.env.DIR ?? tmpdir(), 'tutti-recovery-'));

function up(dir, onLine) {
  const child = spawn(join(build, 'tutti'), ['serve', '--data', dir, '--http', '127.0.0.1:0', '--mqtt', '127.0.0.1:0'], {
    env: { ...process.env, TUTTI_ADMIN_PASSWORD: password, TUTTI_MQTT_RETAINED: '10000000',
      TUTTI_MQTT_RETAINED_BYTES: '16GiB', TUTTI_MQTT_QUEUE_BYTES: '32GiB', TUTTI_MQTT_DURABLE_BYTES: '16GiB', TUTTI_MQTT_DURABLE_QUEUE: '10000000' },
    stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const server = { child, from: performance.now(), log: '', text: '' };
  child.stderr.on('data', (bytes) => { server.log += bytes; });
  child.exited = new Promise((resolve) => child.on('exit', (code, signal) => { running.delete(child); resolve(code ?? signal); }));
  server.ready = new Promise((resolve, reject) => {
    child.exited.then((code) => reject(new Error(`tutti ended with ${code}: ${server.log}`)));
    child.stdout.on('data', (bytes) => {
      server.text += bytes;
      const found = /127.0.0.1:(\d+)\/ +MQTT port (\d+)/.exec(server.text);
      if (!found) return;
      Object.assign(server, { http: Number(found[1]), mqtt: Number(found[2]) });
      onLine?.(server);
      resolve(server);
    });
  });
  server.ready.catch(() => {});
  return server.ready;
}

const since = (server) => performance.now() - server.from;
function cpuMs(server) {
  let ns = 0;
  for (const task of readdirSync(`/proc/${server.child.pid}/task`))
    ns += Number(readFileSync(`/proc/${server.child.pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return ns / 1e6;
}
const rssMib = (server) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) / 1024;

async function call(server, method, where, body, token) {
  const answer = await fetch(`http://127.0.0.1:${server.http}/api/v1/${where}`, { method, body: body && JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${text.slice(0, 200)}`);
  return text ? JSON.parse(text) : {};
}

async function signIn(server) {
  for (const end = Date.now() + 30000; ; ) {
    const { token } = await call(server, 'POST', 'auth/login', { name: 'admin', password, bearer: true }).catch(() => ({}));
    if (token) return token;
    if (Date.now() > end) throw new Error('nobody can sign in');
  }
}

// ---- MQTT 3.1.1, as far as it is needed here ----

function field(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}
const packet = (head, ...parts) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(body.length > 127 ? [head, body.length & 127 | 128, body.length >> 7] : [head, body.length]), body]);
};

// `on` is called with each packet: first byte, body.
function client(port, id, clean, on) {
  const socket = net.connect(port, '127.0.0.1');
  let buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.write(packet(0x10, field('MQTT'), Buffer.from([4, clean ? 2 : 0, 0, 60]), field(id)));
  socket.on('data', (data) => {
    buffer = buffer.length ? Buffer.concat([buffer, data]) : data;
    let at = 0;
    for (;;) {
      let rest = 0, head = 1;
      do rest |= (buffer[at + head] & 127) << (7 * (head - 1)); while (buffer[at + head++] & 128 && at + head < buffer.length);
      if (!(buffer.length - at >= 2) || buffer.length - at < head + rest) break;
      const body = buffer.subarray(at + head, at + head + rest);
      on(socket, buffer[at], body);
      at += head + rest;
    }
    buffer = buffer.subarray(at);
  });
  return socket;
}
function acked(socket, first, body) {
  if ((first >> 1 & 3) === 0) return;
  const topic = body.readUInt16BE(0);
  socket.write(Buffer.from([0x40, 2, body[2 + topic], body[3 + topic]]));
}
const within = (promise, what) => Promise.race([promise, new Promise((_, reject) => setTimeout(reject, WAIT_MS, new Error(`${what}: not within ${WAIT_MS} ms`)))]);

// A client that subscribes; resolves with the time of the first and of the last of `count` messages.
const subscriber = (server, filter, count) => within(new Promise((resolve) => {
  let got = 0, first = 0;
  const socket = client(server.mqtt, `probe-${filter.length}-${Math.random()}`, true, (own, head, body) => {
    if (head >> 4 === 2) own.write(packet(0x82, Buffer.from([0, 1]), field(filter), Buffer.from([1])));
    if (head >> 4 !== 3) return;
    acked(own, head, body);
    first ||= since(server);
    if (++got !== count) return;
    socket.destroy();
    resolve([first, since(server)]);
  });
}), filter);

// The session of a client that was away: CONNACK and the first of what waits for it.
const session = (server, id, waits) => within(new Promise((resolve, reject) => {
  let present = 0, got = 0;
  const socket = client(server.mqtt, id, false, (own, head, body) => {
    if (head >> 4 === 2) {
      if (body[0] !== 1) reject(new Error(`${id}: the session is lost`));
      present = since(server);
      if (waits) return;
      own.destroy();
      resolve([present, NaN]);
    }
    if (head >> 4 !== 3) return;
    if (++got < 100) return;
    socket.destroy(); // nothing is acknowledged: all of it stays
    resolve([present, since(server)]);
  });
}), id);

// Rules and users are read when it listens already; on a busy machine that may take a moment.
async function lets(server) {
  for (const end = Date.now() + WAIT_MS; ; ) {
    const code = await new Promise((resolve) => {
      const socket = client(server.mqtt, 'probe-lets', true, (own, head, body) => { own.destroy(); resolve(body[1]); });
      socket.on('close', () => resolve(-1));
    });
    if (code === 0) return;
    if (Date.now() > end) throw new Error('nobody is let in');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const publish = (server) => within(new Promise((resolve) => {
  let answered = 0, delivered = 0;
  const end = (socket) => { if (answered && delivered) { socket.destroy(); resolve([answered, delivered]); } };
  client(server.mqtt, 'probe-publish', true, (own, head, body) => {
    if (head >> 4 === 2) own.write(packet(0x82, Buffer.from([0, 1]), field('probe/x'), Buffer.from([1])));
    if (head >> 4 === 9) own.write(packet(0x33, field('probe/x'), Buffer.from([0, 2]), Buffer.from(String(Date.now()))));
    if (head >> 4 === 4) answered ||= since(server);
    if (head >> 4 === 3) { acked(own, head, body); delivered ||= since(server); }
    end(own);
  });
}), 'publish');

// ---- one case ----

function hold(file) {
  const child = spawn(tool('mqtt_start'), [file, 'hold'], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  child.exited = new Promise((resolve) => child.on('exit', () => { running.delete(child); resolve(); }));
  return new Promise((resolve) => child.stdout.once('data', () => resolve(child)));
}

async function fill(dir, what) {
  const server = await up(dir);
  const token = await signIn(server);
  if (what.pipelines) await call(server, 'POST', 'pipelines', { file: 'bench.tutti', text: program }, token);
  server.child.kill('SIGTERM');
  await server.child.exited;
  const run = (name, ...args) => execFileSync(tool(name), args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  if (what.queued || what.retained)
    run('mqtt_start', join(dir, 'mqtt.db'), 'build', Math.floor(what.queued ?? 0), Math.floor(what.retained ?? 0), PAYLOAD,
      ...(what.shared ? [2, 'shared'] : []));
  if (what.history) run('history', 'noise', Math.floor((what.history * 1048576) / 8.5), 100000, join(dir, 'history.db'));
  execFileSync('sync'); // what was filled in so is no part of what is measured
  return token;
}

const bytesIn = (dir) => readdirSync(dir, { withFileTypes: true }).reduce((sum, entry) =>
  sum + (entry.isDirectory() ? bytesIn(join(dir, entry.name)) : statSync(join(dir, entry.name)).size), 0);
const sizes = (dir) => readdirSync(dir).filter((n) => /db(-wal|-ahead)?$/.test(n))
  .map((n) => [n, Math.round(statSync(join(dir, n)).size / 1048576)]).filter(([, size]) => size > 0).map((pair) => pair.join(' ')).join(', ');

// What this round left would be taken for something of the next one.
async function forget(server, token) {
  await call(server, 'POST', 'mqtt/clients/end', { client: 'load-sub0', forget: true }, token);
  await within(new Promise((resolve) => {
    client(server.mqtt, 'probe-forget', true, (own, head) => {
      if (head >> 4 === 2) own.write(packet(0x33, field('load/0'), Buffer.from([0, 1])));
      if (head >> 4 !== 4) return;
      own.destroy();
      resolve();
    });
  }), 'forget');
}

// Loads, kills, starts; every time is from the start of the process.
async function round(dir, what, token, number) {
  const acks = join(folder, 'acked');
  let server = await up(dir);
  await lets(server);
  const args = ['-p', server.mqtt, '-P', '20', '-w', '500', '-d', process.env.SECONDS ?? what.seconds ?? 4, '-D', '1', '-R', server.child.pid, '-k', acks];
  const holders = await Promise.all((what.held ? ['mqtt.db', 'history.db'] : []).map((name) => hold(join(dir, name))));
  const load = await new Promise((resolve, reject) => {
    const child = spawn(tool('mqtt_durable'), args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (bytes) => { text += bytes; });
    child.on('exit', (code) => (code ? reject(new Error(`load: ${code} ${server.log}`)) : resolve(text)));
  });
  await server.child.exited;
  const rate = Number(/(\d+) acknowledged\/s/.exec(load)?.[1] ?? 0);
  const held = sizes(dir);
  for (const child of holders) child.kill('SIGKILL');
  await Promise.all(holders.map((child) => child.exited));
  server = await up(dir);
  const times = { ready: since(server) };
  times.ready_cpu = cpuMs(server);
  const some = retainedOf(what.retained ?? 0);
  const history = (async () => {
    const path = what.history ? 'bench/7' : 'load/0';
    const { t } = await call(server, 'GET', `historian/points/${path}?from=-72h&limit=100`, undefined, token);
    if (!t.length) throw new Error('the history is lost');
    return since(server);
  })();
  const [own, answer, asked, part, exact] = await Promise.all([
    session(server, what.queued ? 'session-1' : 'load-sub0', Boolean(what.queued)), publish(server), history,
    some ? subscriber(server, 'plant/line7/machine3/#', Math.floor((some - 307) / 10000) + 1) : [],
    some ? subscriber(server, `plant/line${some % 100}/machine${Math.floor(some / 100) % 100}/value${Math.floor(some / 10000)}`, 1) : []]);
  Object.assign(times, { session: own[0], queue: own[1], acked: answer[0], delivered: answer[1], history: asked,
    'retained, a part': part[1], 'retained, one': exact[1] });
  times.cpu = cpuMs(server);
  if (some) times['retained, first of all'] = (await subscriber(server, 'plant/#', 1))[0];
  if (await until(server, /retained messages are read[^\n]*/)) times['all read'] = since(server);
  times.rss_mib = rssMib(server);
  let checked;
  try {
    checked = execFileSync(tool('mqtt_durable'), ['-p', server.mqtt, '-c', acks].map(String), { encoding: 'utf8' });
  } catch (error) {
    throw new Error(`after the kill: ${error.message}\n${server.log}`);
  }
  if (process.env.VERBOSE) console.log(`  round ${number}: ${rate}/s, ${held}, load ${loadavg()[0].toFixed(1)}: ${JSON.stringify(times, (k, v) => (typeof v === 'number' ? Math.round(v) : v))}\n${checked}`);
  await forget(server, token);
  server.child.kill('SIGTERM');
  await server.child.exited;
  return { rate, times, held };
}

async function until(server, words) {
  for (const end = Date.now() + WAIT_MS; !words.test(server.log);) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const goalFor = ['session', 'queue', 'acked', 'delivered', 'history', 'retained, a part', 'retained, one'];

async function main() {
  const words = process.argv.slice(2);
  const missed = [];
  for (const [name, what] of Object.entries(cases)) {
    if (words.length && !words.some((word) => name.includes(word))) continue;
    const dir = join(folder, 'data');
    const token = await fill(dir, what);
    const results = [];
    const before = bytesIn(dir);
    for (let i = 0; i < rounds; i++) results.push(await round(dir, what, token, i));
    const of = (key) => median(results.map((one) => one.times[key]).filter((one) => one !== undefined && !Number.isNaN(one)));
    console.log(`${name}: ${Math.round(before / 1048576)} MiB, ${median(results.map((one) => one.rate))} acknowledged/s before the kill; ` +
      `files at the last kill, MiB: ${results.at(-1).held}`);
    for (const key of Object.keys(results[0].times)) {
      const value = of(key);
      if (value === undefined) continue;
      const bad = goalFor.includes(key) && value > GOAL_MS;
      console.log(`  ${key.padEnd(24)} ${Math.round(value).toString().padStart(7)}${key.endsWith('mib') ? ' MiB' : ' ms'}${goalFor.includes(key) ? `  goal ${GOAL_MS}` : ''}${bad ? '  MISSED' : ''}`);
      if (bad) missed.push(`${name}: ${key} ${Math.round(value)} ms, goal ${GOAL_MS}`);
    }
    rmSync(dir, { recursive: true, force: true });
  }
  for (const line of missed) console.log(`missed: ${line}`);
}

try {
  await main();
} catch (error) {
  console.error(`recovery: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
