// tests/norms/client_bed.mjs: our own client (tests/mqtt/client_main.c) against a server that is
// scripted here: it answers only what a test tells it to.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import * as b from './bytes.mjs';
import { Wire, WAIT_MS } from './wire.mjs';

const builds = [process.env.ASAN_BUILD ?? 'build-asan', process.env.BUILD ?? 'build'];
export const tool = (name) => builds.map((dir) => path.resolve(dir, 'tests-tools', name)).find((at) => existsSync(at));

export class Client {
  static async new(t, ...args) {
    const client = new Client();
    Object.assign(client, { version: t.version, lines: [], sockets: [], waiters: new Set(), fences: 0, rest: '' });
    const server = net.createServer((socket) => {
      client.sockets.push(Wire.over(t.version, socket, false));
      t.wires.push(client.sockets.at(-1));
      client.wake();
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const version = t.five ? ['--no-fallback'] : ['--v4'];
    const child = spawn(tool('mqtt_client'), [`${server.address().port}`, ...version, ...args],
      { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdout.on('data', (data) => client.hear(data));
    child.stdin.on('error', () => {});
    child.exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
    t.ends.push(() => {
      child.kill('SIGKILL');
      server.close();
    });
    client.child = child;
    return client;
  }

  hear(data) {
    const lines = (this.rest + data).split('\n');
    this.rest = lines.pop();
    this.lines.push(...lines);
    this.wake();
  }

  wake() {
    for (const look of [...this.waiters]) look();
  }

  wait(what, look) {
    return new Promise((resolve, reject) => {
      const again = () => {
        const value = look();
        if (value === undefined) return;
        clearTimeout(timer);
        this.waiters.delete(again);
        resolve(value);
      };
      const timer = setTimeout(() => reject(new Error(`not within ${WAIT_MS} ms: ${what}; said: ${
        this.lines.slice(-10).join(' | ')}`)), WAIT_MS);
      this.waiters.add(again);
      again();
    });
  }

  // The next line that starts so, without the start; lines before it are forgotten.
  line(start) {
    return this.wait(`the line "${start}"`, () => {
      const at = this.lines.findIndex((l) => l.startsWith(start));
      return at < 0 ? undefined : this.lines.splice(0, at + 1).at(-1).slice(start.length);
    });
  }

  say(...lines) {
    this.child.stdin.write(lines.map((l) => `${l}\n`).join(''));
  }

  // The next connection of the client, up to its CONNECT.
  async accept() {
    const wire = await this.wait('a connection', () => this.sockets.shift());
    wire.hello = await wire.next(b.CONNECT);
    return wire;
  }

  async connected({ props = {}, present = 0 } = {}) {
    const wire = await this.accept();
    this.welcome(wire, { props, present });
    await this.line('state connected');
    return wire;
  }

  welcome(wire, { props = {}, present = 0, reason = 0 } = {}) {
    wire.send(b.packet(0x20, b.u8(present, reason), ...(this.version === 5 ? [b.props(props)] : [])));
  }

  // All that the client sent so far: a message of QoS 0 goes last.
  async fence(wire) {
    const topic = `fence/${++this.fences}`;
    this.say(`pub 0 0 ${topic} x`);
    await wire.wait('the fence', () => wire.inbox.some((p) => p.topic === topic));
    const at = wire.inbox.findIndex((p) => p.topic === topic);
    const came = wire.inbox.splice(0, at + 1);
    came.pop();
    return came;
  }
}
