// tests/e2e/sparkplug_edge.mjs: Tutti as an edge node of Sparkplug on Mosquitto; the host is a script
// that decodes with Eclipse Tahu's package (npm sparkplug-payload) and keeps what a host has to keep.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import mqtt from 'mqtt';
import { check, folder, freePort, run, skip, start, test, Tutti, until } from './lib.mjs';

const require = createRequire(import.meta.url);
const payloads = require('sparkplug-payload').get('spBv1.0');

class Mosquitto {
  static async new() {
    const m = new Mosquitto();
    m.port = await freePort();
    m.conf = path.join(folder(), 'mosquitto.conf');
    writeFileSync(m.conf, `listener ${m.port} 127.0.0.1\nallow_anonymous true\n`);
    await m.up();
    return m;
  }
  async up() {
    try {
      execFileSync('sh', ['-c', 'command -v mosquitto || [ -x /usr/sbin/mosquitto ]']);
    } catch {
      skip('there is no mosquitto');
    }
    this.child = start('sh', ['-c', `PATH=$PATH:/usr/sbin exec mosquitto -c ${this.conf}`]);
    await until('mosquitto', () => /mosquitto version .* running/.test(this.child.out));
  }
  kill(signal) {
    this.child.kill(signal);
    return this.child.exited;
  }
}

// What a host knows: birth, aliases, sequence. `events` has each message in words.
class Host {
  static async new(port, id) {
    const h = new Host();
    Object.assign(h, { id, events: [], alias: {}, values: {}, late: [], faults: [], seq: null, born: false, bdseq: [] });
    const will = id ? { topic: `spBv1.0/STATE/${id}`, payload: JSON.stringify({ online: false, timestamp: (h.ts = Date.now()) }), qos: 1, retain: true } : undefined;
    h.c = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 100, will, clean: true });
    h.c.on('error', () => {});
    h.c.on('message', (topic, payload) => h.take(topic.split('/'), payload));
    h.c.on('connect', () => {
      h.c.subscribe('spBv1.0/+/+/+/#');
      if (id) h.state(true);
    });
    await until('the host', () => h.c.connected);
    return h;
  }
  state(online) {
    return this.c.publishAsync(`spBv1.0/STATE/${this.id}`, JSON.stringify({ online, timestamp: online ? this.ts : Date.now() }), { qos: 1, retain: true });
  }
  take([, group, kind, node, device], bytes) {
    if (group === 'STATE' || kind.endsWith('CMD')) return;
    const p = payloads.decodePayload(bytes);
    this.events.push(`${kind}${device ? `:${device}` : ''}`);
    if (group !== 'Plant' || node !== 'Tutti') this.faults.push(`${group}/${node}`);
    const metrics = p.metrics ?? [];
    const bd = metrics.find((m) => m.name === 'bdSeq');
    if (kind === 'NDEATH') {
      if (Number(bd.value) === this.bdseq.at(-1)) this.born = false;
      else this.faults.push(`NDEATH ${bd.value} of ${this.bdseq}`);
      return;
    }
    const seq = Number(p.seq);
    if (kind === 'NBIRTH') {
      this.born = true;
      this.alias = {};
      this.bdseq.push(Number(bd.value));
      if (seq !== 0) this.faults.push(`NBIRTH with ${seq}`);
      if (!metrics.some((m) => m.name === 'Node Control/Rebirth' && m.value === false)) this.faults.push('no rebirth control');
    } else if (seq !== (this.seq + 1) % 256) {
      this.faults.push(`${kind}: ${seq} behind ${this.seq}`);
    }
    this.seq = seq;
    for (const m of metrics) {
      const alias = m.alias === undefined || m.alias === null ? 0 : Number(m.alias);
      if (kind.endsWith('BIRTH')) {
        if (alias) this.alias[alias] = `${device ?? ''}/${m.name}`;
      } else if (m.name) {
        this.faults.push(`a name in ${kind}`);
      }
      const name = alias ? this.alias[alias] : `${device ?? ''}/${m.name}`;
      if (!name) this.faults.push(`alias ${alias} was not born`);
      if (m.isHistorical) this.late.push([name, m.value, Number(m.timestamp)]);
      else this.values[name] = { value: m.value, type: m.type, ts: Number(m.timestamp), quality: m.properties?.Quality?.value };
    }
  }
  command(topic, metrics) {
    return this.c.publishAsync(topic, Buffer.from(payloads.encodePayload({ timestamp: Date.now(), metrics })));
  }
  is(name, value, ms) {
    return until(`${name} = ${value}`, () => this.values[name]?.value === value, ms);
  }
  gone() {
    return new Promise((resolve) => this.c.end(true, {}, resolve));
  }
}

const env = (broker, more = {}) => ({
  TUTTI_SPARKPLUG_EDGE: `mqtt://127.0.0.1:${broker.port}`, TUTTI_SPARKPLUG_EDGE_GROUP: 'Plant', TUTTI_SPARKPLUG_EDGE_NODE: 'Tutti',
  TUTTI_SPARKPLUG_EDGE_PATHS: 'acme/line1/#=line1; acme/line2/#=line2; acme/info/#', TUTTI_SPARKPLUG_EDGE_EVERY: '100ms', ...more });
async function publisher(tutti) {
  const c = mqtt.connect(`mqtt://127.0.0.1:${tutti.mqtt}`, { reconnectPeriod: 100 });
  c.on('error', () => {});
  await new Promise((resolve) => c.on('connect', resolve));
  return c;
}
const edge = async (tutti) => (await tutti.get('sparkplug')).edge;

test('births, aliases, sequence, types, quality; a rebirth and commands of the host', async () => {
  const broker = await Mosquitto.new();
  const host = await Host.new(broker.port);
  const tutti = await Tutti.new(['serve'], { env: env(broker, { TUTTI_SPARKPLUG_EDGE_WRITES: 'true' }) });
  const c = await publisher(tutti);
  await c.publishAsync('acme/line1/oven/temp', JSON.stringify({ value: 71.25, quality: 'good', time: '2026-01-01T00:00:00Z' }), { qos: 1 });
  await c.publishAsync('acme/line1/run', 'true', { qos: 1 });
  await c.publishAsync('acme/line2/recipe', '"grün"', { qos: 1 });
  await c.publishAsync('acme/info/site', '"Berlin"', { qos: 1 });
  await c.publishAsync('acme/other', '5', { qos: 1 });
  await host.is('line1/oven/temp', 71.25);
  await host.is('line1/run', true);
  await host.is('line2/recipe', 'grün');
  await host.is('/site', 'Berlin');
  check(host.values['line1/oven/temp'].type === 'Double' && host.values['line1/run'].type === 'Boolean' && host.values['/site'].type === 'String', JSON.stringify(host.values));
  check(!JSON.stringify(host.values).includes('other'), 'only what was chosen');
  for (let i = 0; i < 40; i++) {
    await c.publishAsync('acme/line1/oven/temp', `${i}`, { qos: 1 });
    await host.is('line1/oven/temp', i);
  }
  await c.publishAsync('acme/line1/oven/temp', '{"value":5,"quality":"bad"}', { qos: 1 });
  await until('bad', () => host.values['line1/oven/temp'].quality === 0);
  await c.publishAsync('acme/line1/oven/temp', '{"value":6,"quality":"good"}', { qos: 1 });
  await until('good', () => host.values['line1/oven/temp'].quality === 192);
  const births = host.bdseq.length;
  await host.command('spBv1.0/Plant/NCMD/Tutti', [{ name: 'Node Control/Rebirth', type: 'Boolean', value: true }]);
  await until('born again', () => host.bdseq.length === births + 1);
  await until('with devices', () => host.events.lastIndexOf('DBIRTH:line2') > host.events.lastIndexOf('NBIRTH'));
  check(new Set(host.bdseq).size === 1, `a rebirth keeps the bdSeq: ${host.bdseq}`);
  await c.subscribeAsync('acme/line1/run');
  const heard = new Promise((resolve) => c.on('message', (topic, payload) => resolve(`${topic}=${payload}`)));
  await host.command('spBv1.0/Plant/DCMD/Tutti/line1', [{ name: 'run', type: 'Boolean', value: false }]);
  check((await heard) === 'acme/line1/run=false', 'a command is a publish in the namespace');
  await host.is('line1/run', false);
  check(!host.faults.length, JSON.stringify(host.faults));
  const dead = host.events.length;
  await c.endAsync(true);
  await tutti.kill('SIGTERM');
  await until('NDEATH on a stop', () => host.events.slice(dead).includes('NDEATH') && !host.born);
  check(!host.faults.length, JSON.stringify(host.faults));
  await host.gone();
  await broker.kill('SIGTERM');
});

test('tck-id-topics-nbirth-bdseq-increment: bdSeq goes on over kill -9, the will is the death of that birth', async () => {
  const broker = await Mosquitto.new();
  const host = await Host.new(broker.port);
  const tutti = await Tutti.new(['serve'], { env: env(broker) });
  const c = await publisher(tutti);
  await c.publishAsync('acme/line1/x', '1', { qos: 1 });
  await host.is('line1/x', 1);
  for (let round = 0; round < 3; round++) {
    const before = host.bdseq.at(-1);
    await tutti.kill('SIGKILL');
    await until('the will', () => !host.born);
    await tutti.up();
    await until('born', () => host.born);
    check(host.bdseq.at(-1) === (before + 1) % 256, `${host.bdseq}`);
  }
  check(!host.faults.length, JSON.stringify(host.faults));
  c.end(true);
  await tutti.kill('SIGTERM');
  await host.gone();
  await broker.kill('SIGTERM');
});

test('the primary host: nothing before it is online, what came meanwhile follows as historical', async () => {
  const broker = await Mosquitto.new();
  const tutti = await Tutti.new(['serve'], { env: env(broker, { TUTTI_SPARKPLUG_EDGE_PRIMARY: 'scada' }) });
  const c = await publisher(tutti);
  await c.publishAsync('acme/line1/x', '0', { qos: 1 });
  await until('waiting', async () => (await edge(tutti)).state === 'waiting');
  const host = await Host.new(broker.port, 'scada');
  await host.is('line1/x', 0);
  check(host.events[0] === 'NBIRTH', `${host.events}`);
  await host.state(false);
  await until('the death', () => !host.born);
  const seen = host.events.length;
  await until('away or waiting', async () => (await edge(tutti)).state !== 'born');
  for (let i = 1; i <= 5; i++) {
    const { kept_bytes: before } = await edge(tutti);
    await c.publishAsync('acme/line1/x', `${i}`, { qos: 1 });
    // The first of them is the newest that was not said; it is kept when the second comes.
    await until('kept', async () => i === 1 || (await edge(tutti)).kept_bytes > before);
    await until('unsaid', async () => (await edge(tutti)).unsaid === 1);
  }
  check(!host.events.slice(seen).length, 'silence while the host is offline');
  host.ts = Date.now();
  await host.state(true);
  await host.is('line1/x', 5);
  await until('late values', () => host.late.length >= 4);
  check(JSON.stringify(host.late.map(([n, v]) => [n, v])) === JSON.stringify([1, 2, 3, 4].map((v) => ['line1/x', v])), JSON.stringify(host.late));
  check(!host.faults.length, JSON.stringify(host.faults));
  // The broker goes: it comes back, with another bdSeq.
  const last = host.bdseq.at(-1);
  await broker.kill('SIGKILL');
  await until('away', async () => (await edge(tutti)).state === 'away');
  await broker.up();
  await until('born again', () => host.bdseq.at(-1) !== last && host.born);
  c.end(true);
  await tutti.kill('SIGTERM');
  await host.gone();
  await broker.kill('SIGTERM');
});

test('our edge node and our host: the namespace of one process in the other', async () => {
  const central = await Tutti.new(['serve'], { env: { TUTTI_SPARKPLUG_HOST: 'central' } });
  const tutti = await Tutti.new(['serve'], { env: env({ port: central.mqtt }, { TUTTI_SPARKPLUG_EDGE_PRIMARY: 'central' }) });
  const c = await publisher(tutti);
  await c.publishAsync('acme/line1/oven/temp', '180.5', { qos: 1 });
  await until('over there', async () => (await central.call('GET', 'uns/value/sparkplug/Plant/Tutti/line1/oven/temp')).body.value === 180.5);
  await central.kill('SIGKILL');
  await c.publishAsync('acme/line1/oven/temp', '181', { qos: 1 });
  await central.up();
  await until('again', async () => (await central.call('GET', 'uns/value/sparkplug/Plant/Tutti/line1/oven/temp')).body.value === 181);
  await tutti.kill('SIGKILL');
  await until('dead', async () => (await central.call('GET', 'uns/value/sparkplug/Plant/Tutti/line1/oven/temp')).body.quality === 'uncertain');
  check((await central.get('sparkplug')).nodes[0].state === 'dead', 'dead');
  c.end(true);
  await central.kill('SIGTERM');
});

await run();
