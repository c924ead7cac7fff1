// tests/e2e/lib.mjs: what the end-to-end tests share: a Tutti process, its API, an MQTT publisher.
// Node's own modules only. The publisher writes MQTT 3.1.1 (OASIS, 2014) byte by byte, so that it
// is a peer of its own and not our code again.
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

export const build = path.resolve(process.env.BUILD ?? 'build');
// ENGINE=jit runs all of it on that engine; nothing said is the preset.
const engine = process.env.ENGINE ? ['--engine', process.env.ENGINE] : [];
export const password = 'correct-horse-battery';
const folders = [];
const running = new Set();

export function folder() {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'tutti-e2e-'));
  folders.push(dir);
  return dir;
}

// A port for a server that is started, killed and started again. It lies below those the system gives
// to clients, so nobody takes it while its server is away; a UDP socket of the same number keeps it
// from suites beside this one for as long as this process lives.
const portsEnd = Number(/^\d+/.exec(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'))[0]);
const portsBegin = portsEnd > 20000 ? 10000 : 1024;

const bound = (socket, event, bind) =>
  new Promise((resolve) => {
    socket.once('error', () => resolve(false)).once(event, () => resolve(true));
    bind();
  });

export async function freePort() {
  for (let tries = 0; tries < 1000; tries++) {
    const port = portsBegin + Math.floor(Math.random() * (portsEnd - portsBegin));
    const claim = dgram.createSocket('udp4').unref();
    if (!(await bound(claim, 'listening', () => claim.bind({ port, address: '127.0.0.1', exclusive: true })))) continue;
    const probe = net.createServer();
    const free = await bound(probe, 'listening', () => probe.listen(port, '127.0.0.1'));
    if (free) return new Promise((resolve) => probe.close(() => resolve(port)));
    claim.close();
  }
  throw new Error('no port is free');
}

// The deadline only bounds hanging: how long something takes on a busy machine is nobody's business here.
export async function until(what, check, ms = 60000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((r) => setTimeout(r, 10));
  }
}

export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.out = '';
  child.stdout?.on('data', (d) => (child.out += d));
  child.stderr?.on('data', (d) => (child.out += d));
  running.add(child);
  child.exited = new Promise((resolve) =>
    child.on('exit', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal);
    }),
  );
  child.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal))); // `out` is whole
  return child;
}

export class Tutti {
  constructor(data, http, mqtt, cwd) {
    Object.assign(this, { data, http, mqtt, cwd });
  }

  // `before`: words in front of the command; `env`: more of the environment; `program`: a Lite file.
  static async new(args = ['serve'], { before = [], env = {}, cwd = folder(), program } = {}) {
    const tutti = new Tutti(path.join(cwd, 'data'), await freePort(), await freePort(), cwd);
    Object.assign(tutti, { before, env, program });
    await tutti.up(args);
    return tutti;
  }

  async up(args = ['serve']) {
    const begin = performance.now();
    const [command, ...rest] = [
      ...(this.before ?? []), this.program ?? path.join(build, 'tutti'), ...args, ...engine, '--data', this.data,
      '--http', `127.0.0.1:${this.http}`, '--mqtt', `127.0.0.1:${this.mqtt}`];
    this.child = start(command, rest, {
      cwd: this.cwd,
      env: { ...process.env, TUTTI_ADMIN_PASSWORD: password, ...this.env },
    });
    let gone = null;
    this.child.exited.then((code) => (gone = code));
    await until('readyz', async () => {
      if (gone !== null) throw new Error(`tutti ended with ${gone}: ${this.child.out}`);
      return fetch(`http://127.0.0.1:${this.http}/readyz`).then((r) => r.ok, () => false);
    }, 60000);
    this.ready_ms = performance.now() - begin;
    // The first password is hashed on a pool thread while the process is already there.
    this.token = await until('signing in', async () => {
      this.token = null;
      return (await this.call('POST', 'auth/login', { name: 'admin', password, bearer: true })).body.token;
    });
    return this;
  }

  async call(method, where, body) {
    const answer = await fetch(`http://127.0.0.1:${this.http}/api/v1/${where}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  }

  async get(where) {
    const { status, body } = await this.call('GET', where);
    if (status !== 200) throw new Error(`GET ${where}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  async deploy(file, text) {
    const { status, body } = await this.call('POST', 'pipelines', { file, text });
    if (status !== 200) throw new Error(`deploy: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  rss_mb() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
  }

  // A compiler that it had started may hold its output open for a while: no kill waits for that.
  kill(signal) {
    this.child.kill(signal);
    return signal === 'SIGKILL' ? this.child.exited : this.child.ended;
  }
}

export function field(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

export function packet(head, ...parts) {
  const body = Buffer.concat(parts);
  const length = [];
  let rest = body.length;
  do {
    length.push((rest % 128) | (rest > 127 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest);
  return Buffer.concat([Buffer.from([head, ...length]), body]);
}

// Publishes with QoS 1, `window` unacknowledged at most; `topic` may be a function of the message's number. What was not acknowledged when a connection
// breaks is sent again on the next one, as a careful client does.
let publishers = 0;
export class Publisher {
  constructor(port, topic, make, window = 50) {
    Object.assign(this, { port, topic, make, window });
    this.id = `e2e-${++publishers}`;
    this.next = 0;
    this.acked = new Set();
    this.flight = new Map(); // packet id -> number
    this.again = [];
    this.limit = Infinity;
    this.pause = 0;
    this.keep_alive_s = 60; // 0: it may be silent for as long as it likes
  }

  connect() {
    return new Promise((resolve, reject) => {
      this.socket = net.connect(this.port, '127.0.0.1');
      this.socket.setNoDelay(true);
      let buffer = Buffer.alloc(0);
      this.socket.on('connect', () =>
        this.socket.write(packet(0x10, field('MQTT'), Buffer.from([4, 2, 0, this.keep_alive_s]), field(this.id))));
      this.socket.on('error', reject);
      this.socket.on('close', () => {
        this.again = [...this.flight.values(), ...this.again];
        this.flight.clear();
        this.open = false;
        reject(new Error(`${this.id}: the connection ended`)); // once it was accepted that says nothing
      });
      this.socket.on('data', (data) => {
        buffer = Buffer.concat([buffer, data]);
        while (buffer.length >= 4) {
          if (buffer[0] === 0x20) {
            this.open = true;
            resolve(this);
          } else if (buffer[0] === 0x40) {
            const id = buffer.readUInt16BE(2);
            this.acked.add(this.flight.get(id));
            this.flight.delete(id);
          }
          buffer = buffer.subarray(4);
        }
        this.fill();
      });
    });
  }

  fill() {
    while (this.open && this.flight.size < this.window) {
      const number = this.again.length ? this.again.shift() : this.next < this.limit ? this.next++ : -1;
      if (number < 0) return;
      let id = (number % 65535) + 1;
      while (this.flight.has(id)) id = (id % 65535) + 1;
      this.flight.set(id, number);
      const topic = typeof this.topic === 'function' ? this.topic(number) : this.topic;
      this.socket.write(
        packet(0x32, field(topic), Buffer.from([id >> 8, id & 255]), Buffer.from(this.make(number))));
    }
  }

  close() {
    this.limit = this.next;
    this.socket.destroy();
  }
}

const tests = [];
export function test(name, fn) {
  tests.push({ name, fn });
}

class Skipped extends Error {}
export function skip(reason) {
  throw new Skipped(reason);
}

export function check(condition, text) {
  if (!condition) throw new Error(text);
}

async function killAll() {
  const left = [...running];
  for (const child of left) child.kill('SIGKILL');
  await Promise.all(left.map((c) => c.exited));
}

export async function cleanUp() {
  await killAll();
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
}

// `keep`: processes live on from one test to the next.
export async function run(keep = false) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const only = process.argv[2];
  for (const { name, fn } of tests) {
    if (only && !name.includes(only)) continue;
    const begin = Date.now();
    try {
      await fn();
      passed++;
      console.log(`ok    ${name} (${Date.now() - begin} ms)`);
    } catch (error) {
      if (error instanceof Skipped) {
        skipped++;
        console.log(`skip  ${name}: ${error.message}`);
      } else {
        failed++;
        console.log(`FAIL  ${name}: ${error.stack}`);
      }
    }
    if (keep) continue;
    await killAll();
  }
  await cleanUp();
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
  process.exit(failed ? 1 : 0); // a test that failed may have left a client that connects again for ever
}
