// tests/e2e/bridge_peer.mjs: the other side of bridges: a Mosquitto that the test starts, and clients.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import mqtt from 'mqtt';
import { folder, freePort, start, until } from './lib.mjs';

export const mosquitto = '/usr/sbin/mosquitto';
export const has_mosquitto = spawnSync(mosquitto, ['-h']).error === undefined;

// `lines`: more of its configuration.
export class Mosquitto {
  static async new(lines = [], { dir = folder(), port = null } = {}) {
    const m = new Mosquitto();
    Object.assign(m, { dir, lines, port: port ?? (await freePort()) });
    await m.up();
    return m;
  }

  async up() {
    const conf = path.join(this.dir, 'mosquitto.conf');
    writeFileSync(conf, [
      'per_listener_settings false', `listener ${this.port} 127.0.0.1`,
      ...(this.lines.some((l) => l.startsWith('allow_anonymous')) ? [] : ['allow_anonymous true']),
      'persistence true', `persistence_location ${this.dir}/`,
      'max_queued_messages 0', 'log_dest stderr', 'user root', ...this.lines, ''].join('\n'));
    this.child = start(mosquitto, ['-c', conf]);
    await until('mosquitto runs', () => /mosquitto version .* running/.test(this.child.out));
    return this;
  }

  kill(signal = 'SIGTERM') {
    this.child.kill(signal);
    return this.child.exited;
  }
}

// A relay to a broker of 3.1.1 that refuses whoever says that it is a bridge, as brokers do that know none.
export async function plainly(to) {
  const relay = net.createServer((near) => {
    const far = net.connect(to, '127.0.0.1');
    near.on('error', () => {}).on('close', () => far.destroy());
    far.on('error', () => {}).on('close', () => near.destroy());
    far.pipe(near);
    near.once('data', (hello) => {
      const level = hello[1] & 0x80 ? 9 : 8;
      if (hello[level] & 0x80) return near.end(Buffer.from([0x20, 2, 0, 1]));
      far.write(hello);
      near.pipe(far);
    });
  });
  await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));
  relay.unref();
  return { port: relay.address().port };
}

// A client of npm's mqtt; `got` are its messages.
export async function client(port, { version = 5, id, clean = true, ...options } = {}) {
  const c = mqtt.connect({
    host: '127.0.0.1', port, protocolVersion: version, clientId: id ?? `c${Math.random().toString(16).slice(2)}`, clean,
    reconnectPeriod: 0, ...(version === 5 && !clean ? { properties: { sessionExpiryInterval: 3600 } } : {}), ...options });
  c.on('error', () => {});
  c.setMaxListeners(0);
  c.got = [];
  c.on('message', (topic, payload, packet) => c.got.push({ topic, text: payload.toString(), packet }));
  await new Promise((resolve, reject) => {
    c.on('connect', resolve);
    c.on('close', () => reject(new Error(`${id ?? 'client'} closed`)));
  });
  return c;
}

export const gone = (c) => new Promise((resolve) => c.end(true, {}, resolve));

export async function put(tutti, { name, ...conf }, want = 200) {
  const { status, body } = await tutti.call('PUT', `bridges/${name}`, conf);
  if (status !== want) throw new Error(`PUT bridges/${name}: ${status} ${JSON.stringify(body)}`);
  return body.error?.text;
}

export const state = (tutti, name) => tutti.get(`bridges/${name}`);

export const connected = (tutti, name) =>
  until(`bridge ${name} is connected`, async () => {
    const s = await state(tutti, name);
    return s.state === 'connected' ? s : null;
  });
