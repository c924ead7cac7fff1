// tests/bench/explore.mjs: Explore in a real browser over a plant of TOPICS (10,000) topics, each published HZ (10) times
// a second, with the server, the load and the browser on this machine. Told are, of OPENINGS (10) openings by the
// address, milliseconds from the navigation to the first row and to the first value; then, with the page left open for
// SECONDS (60), what it and the server hold, at the begin and at the end, and the frames the page was late with.
// Nothing may grow: that is asserted, times are only told.
//   node tests/bench/explore.mjs [open] [stay]
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { cleanUp, field, packet, password, Tutti, until } from '../e2e/lib.mjs';
import { openBrowser } from '../ui/e2e/harness.mjs';

const TOPICS = Number(process.env.TOPICS ?? 10000);
const HZ = Number(process.env.HZ ?? 10);
const OPENINGS = Number(process.env.OPENINGS ?? 10);
const SECONDS = Number(process.env.SECONDS ?? 60);
const LOOK_S = Math.min(30, SECONDS / 6);
const MACHINE_TOPICS = 100;
const WAITING_MAX = 256 << 10; // bytes that a server which is behind has not taken: the machine's turn is left out

// ---- the load: a connection for each machine, whose values leave together as one buffer; machines take turns ----

/** Packets of one machine, whose digits are written anew each time, and where each ends. */
function machinePackets(machine, count) {
  const packets = Array.from({ length: count }, (_, i) =>
    packet(0x30, field(`plant/line${machine % 10}/machine${machine}/value${i}`), Buffer.from('000.000')));
  let end = 0;
  return { bytes: Buffer.concat(packets), ends: packets.map((one) => (end += one.length)) };
}

function write({ socket, bytes, ends }, round) {
  const copy = Buffer.from(bytes);
  ends.forEach((end, i) => {
    for (let at = 1, rest = (round * 7 + i * 13) % 1000; at <= 3; at++, rest = Math.floor(rest / 10)) copy[end - at] = 48 + (rest % 10);
    copy[end - 5] = 49 + (i % 9);
  });
  socket.write(copy);
}

function load(port) {
  const machines = Array.from({ length: Math.ceil(TOPICS / MACHINE_TOPICS) }, (_, number) => {
    const socket = createConnection({ port, host: '127.0.0.1' }).setNoDelay(true).resume();
    socket.on('error', () => process.exit(0)).on('close', () => process.exit(0));
    socket.write(packet(0x10, field('MQTT'), Buffer.from([4, 2, 0, 0]), field(`machine${number}`)));
    return { socket, ...machinePackets(number, Math.min(MACHINE_TOPICS, TOPICS - number * MACHINE_TOPICS)) };
  });
  const begin = performance.now();
  let turn = 0;
  let left = 0;
  setInterval(() => {
    for (const due = ((performance.now() - begin) / 1000) * HZ * machines.length; turn < due; turn++) {
      const machine = machines[turn % machines.length];
      if (machine.socket.writableLength > WAITING_MAX) left++;
      else write(machine, Math.floor(turn / machines.length));
    }
  }, 2);
  setInterval(() => process.send({ turn, left }), 1000);
}

// ---- what is measured ----

/** In the page: when the first row stood there, and the first value; then frames that came late, and long tasks. */
function watch() {
  const bench = { row: 0, value: 0, frames: 0, late: 0, tasks: 0 };
  globalThis.bench = bench;
  bench.seen = new Promise((resolve) => {
    const look = () => {
      if (!bench.row && document.querySelector('[role=treeitem]')) bench.row = performance.now();
      if (/\d/.test(document.querySelector('.tree-value')?.textContent ?? '')) bench.value = performance.now();
      if (bench.value) resolve({ row: bench.row, value: bench.value });
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  bench.begin = () => {
    let last = performance.now();
    const frame = (now) => {
      bench.frames++;
      if (now - last > 50) bench.late++;
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    new PerformanceObserver((list) => (bench.tasks += list.getEntries().length)).observe({ type: 'longtask' });
  };
  bench.take = () => {
    const { frames, late, tasks } = bench;
    Object.assign(bench, { frames: 0, late: 0, tasks: 0 });
    return { frames, late, tasks };
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const told = (values) => `median ${Math.round(median(values))} ms, ${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))}`;

async function signIn(page, url) {
  const answer = await page.context().request.post(`${url}/api/v1/auth/login`, { data: { name: 'admin', password }, headers: { origin: url } });
  if (!answer.ok()) throw new Error(`sign in: ${answer.status()} ${await answer.text()}`);
}

/** CPU ms of a process so far. */
function cpuMs(pid) {
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return ns / 1e6;
}

/** Processes that draw pages. A page that is opened by its address gets one of its own. */
async function renderers(browser) {
  const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
}

async function openings(page, url) {
  const browser = await page.context().browser().newBrowserCDPSession();
  const [rows, values, cpu] = [[], [], []];
  for (let i = 0; i < OPENINGS; i++) {
    await page.goto('about:blank');
    const before = new Set(await renderers(browser));
    await page.goto(`${url}/uns`);
    const { row, value } = await page.evaluate(() => globalThis.bench.seen);
    rows.push(row);
    values.push(value);
    cpu.push(Math.max(...(await renderers(browser)).filter((pid) => !before.has(pid)).map(cpuMs)));
  }
  console.log(`open, to the first row:   ${told(rows)} (${rows.map(Math.round).join(' ')})`);
  console.log(`open, to the first value: ${told(values)}`);
  console.log(`CPU of the page until then: ${told(cpu)}`);
}

const inside = { heap_kb: 'JSHeapUsedSize', nodes: 'Nodes', listeners: 'JSEventListeners' };

/** What page and server hold: that of the page after its garbage went, and of a tree asked for anew when the link was away. */
async function held(tutti, page, tools) {
  await tools.send('HeapProfiler.collectGarbage');
  const { metrics } = await tools.send('Performance.getMetrics');
  const of = (name) => metrics.find((one) => one.name === name).value;
  return { heap_kb: Math.round(of(inside.heap_kb) / 1024), nodes: of(inside.nodes), listeners: of(inside.listeners),
    server_mb: Math.round(tutti.rss_mb()), ...(await page.evaluate(() => globalThis.bench.take())) };
}

async function stay(tutti, page, url) {
  const tools = await page.context().newCDPSession(page);
  await tools.send('Performance.enable');
  await page.goto(`${url}/uns`);
  await page.evaluate(() => globalThis.bench.seen.then(() => globalThis.bench.begin()));
  const looks = [];
  for (let at = 0; at <= SECONDS; at += LOOK_S) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_S * 1000));
    looks.push(await held(tutti, page, tools));
    console.log(`${String(Math.round(at + LOOK_S)).padStart(4)} s ${JSON.stringify(looks.at(-1))}`);
  }
  const grown = Object.entries({ heap_kb: 1024, nodes: 50, listeners: 20, server_mb: 16 })
    .filter(([what, most]) => looks.at(-1)[what] - looks[1][what] > most);
  for (const [what, most] of grown) console.log(`GREW: ${what} from ${looks[1][what]} to ${looks.at(-1)[what]}, more than ${most}`);
  return grown.length === 0;
}

async function main() {
  const words = process.argv.slice(2);
  const tutti = await Tutti.new(['serve']);
  const url = `http://127.0.0.1:${tutti.http}`;
  const peer = spawn(process.execPath, [fileURLToPath(import.meta.url), 'load', String(tutti.mqtt)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let sent = { turn: 0, left: 0 };
  peer.on('message', (message) => (sent = message));
  try {
    await until('all names are there', async () => (await tutti.get('uns/stats')).values >= TOPICS);
    const before = { publishes: (await tutti.get('uns/stats')).publishes, cpu: cpuMs(tutti.child.pid) };
    const began = performance.now();
    const { browser, page } = await openBrowser();
    await page.addInitScript(watch);
    await signIn(page, url);
    const wanted = (what) => words.length === 0 || words.includes(what);
    if (process.env.TRACE) await browser.startTracing(page, { path: process.env.TRACE });
    if (wanted('open')) await openings(page, url);
    if (process.env.TRACE) await browser.stopTracing();
    if (wanted('stay') && !(await stay(tutti, page, url))) process.exitCode = 1;
    await browser.close();
    const seconds = (performance.now() - began) / 1000;
    const publishes = (await tutti.get('uns/stats')).publishes - before.publishes;
    console.log(`${Math.round(publishes / seconds)} values/s taken with ${Math.round((cpuMs(tutti.child.pid) - before.cpu) / seconds / 10)} % of a processor; ` +
      `${sent.left} of ${sent.turn} turns of machines left out; load of the machine ${loadavg()[0].toFixed(1)} on ${cpus().length}`);
  } finally {
    peer.kill();
    await cleanUp();
  }
}

if (process.argv[2] === 'load') load(Number(process.argv[3]));
else await main();
