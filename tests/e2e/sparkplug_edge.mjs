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
  static async new(lines = []) {
    const m = new Mosquitto();
    m.port = await freePort();
    m.conf = path.join(folder(), 'mosquitto.conf');
    writeFileSync(m.conf, [`listener ${m.port} 127.0.0.1`, 'allow_anonymous true', 'user root', ...lines, ''].join('\n'));
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
    Object.assign(h, { id, events: [], alias: {}, values: {}, late: [], other: [], faults: [], seq: null, born: false, bdseq: [] });
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
      const before = this.values[name]?.type;
      if (before && m.type && m.type !== before) this.other.push(`${name} ${before} ${m.type}`);
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

test('the types that schemas declare: in the first birth, over records, and anew when a schema changes', async () => {
  const broker = await Mosquitto.new();
  const host = await Host.new(broker.port);
  const tutti = await Tutti.new(['serve'], { env: env(broker) });
  const schema = async (name, text, filter) => {
    const saved = await tutti.call('PUT', `schemas/${name}`, { text, incompatible: true });
    check(saved.status === 200 && saved.body.ok, JSON.stringify(saved.body));
    if (!filter) return;
    const bound = await tutti.call('PUT', 'schema-bindings', { filter, schema: name, mode: 'soft' });
    check(bound.status === 200, JSON.stringify(bound.body));
  };
  for (const [name, type] of Object.entries({ n: 'i32', big: 'i64', u: 'u32', ubig: 'u64', f: 'f32', d: 'f64', b: 'bool', s: 'string(20)', e: 'enum { red, green }', t: 'time' }))
    await schema(name, `type T = ${type}`, `acme/line1/${name}`);
  await schema('motor', 'type Motor = { rpm: i32, load: f32, on: bool }', 'acme/line1/motor');
  const c = await publisher(tutti);
  const send = async (values) => {
    for (const [name, text] of Object.entries(values)) await c.publishAsync(`acme/line1/${name}`, text, { qos: 1 });
  };
  await send({
    n: '-7', big: '-9007199254740993', u: '2000000000', ubig: '9007199254740993', f: '0.5', d: '3', b: 'true', s: '"grün"', e: '"red"',
    t: '"2026-01-02T03:04:05.678Z"', motor: '{"rpm":1500,"load":0.25,"on":true}', free: '5' });
  const got = (name) => host.values[`line1/${name}`];
  const type = (name, want, value) =>
    until(`${name} is ${want} ${value}`, () => got(name)?.type === want && String(got(name).value) === String(value)).catch((e) => {
      throw new Error(`${e.message}: ${JSON.stringify(got(name))}`);
    });
  await type('n', 'Int32', -7);
  await type('big', 'Int64', '-9007199254740993');
  await type('u', 'UInt32', 2000000000);
  await type('ubig', 'UInt64', '9007199254740993');
  await type('f', 'Float', 0.5);
  await type('d', 'Double', 3);
  await type('b', 'Boolean', true);
  await type('s', 'String', 'grün');
  await type('e', 'String', 'red');
  await until('DateTime', () => got('t')?.type === 'DateTime');
  check(Number(got('t').value) === Date.parse('2026-01-02T03:04:05.678Z'), `${got('t').value}`);
  await type('motor/rpm', 'Int32', 1500);
  await type('motor/load', 'Float', 0.25);
  await type('motor/on', 'Boolean', true);
  await type('free', 'Double', 5);
  check(!host.other.length, `a type changed: ${host.other}`);
  await send({ n: '2.5' }); // does not fit
  await until('bad', () => got('n').quality === 0 && got('n').value === null);
  await send({ n: '8' });
  await until('good', () => got('n').quality === 192 && got('n').value === 8);
  const births = host.events.filter((e) => e === 'NBIRTH').length;
  await schema('n', 'type T = f64');
  await type('n', 'Double', 8);
  check(host.events.filter((e) => e === 'NBIRTH').length > births, 'born anew');
  await schema('free', 'type T = i64', 'acme/line1/free');
  await type('free', 'Int64', 5);
  check(!host.faults.length, JSON.stringify(host.faults));
  c.end(true);
  await tutti.kill('SIGTERM');
  await host.gone();
  await broker.kill('SIGTERM');
});

test('TLS with a client certificate; a wrong authority, a wrong name and a missing file are said', async () => {
  const dir = folder();
  const at = (name) => path.join(dir, name);
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  for (const name of ['ca', 'other'])
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`);
  for (const [name, more] of [['server', ['-addext', 'subjectAltName=IP:127.0.0.1']], ['device', []]]) {
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, ...more);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-out', `${name}.pem`, '-copy_extensions', 'copy');
  }
  const broker = await Mosquitto.new([`cafile ${at('ca.pem')}`, `certfile ${at('server.pem')}`, `keyfile ${at('server.key')}`, 'require_certificate true']);
  const plain = await freePort(); // the host's own door, of the same broker
  await broker.kill('SIGTERM');
  writeFileSync(broker.conf, `listener ${plain} 127.0.0.1\nallow_anonymous true\n`, { flag: 'a' });
  await broker.up();
  const host = await Host.new(plain);
  const tls = { TUTTI_SPARKPLUG_EDGE: `mqtts://127.0.0.1:${broker.port}`, TUTTI_SPARKPLUG_EDGE_CA: at('ca.pem'), TUTTI_SPARKPLUG_EDGE_CERT: at('device.pem'), TUTTI_SPARKPLUG_EDGE_KEY: at('device.key') };
  for (const [more, reason] of [
    [{ TUTTI_SPARKPLUG_EDGE_CA: at('other.pem') }, /the server's certificate: .*(issuer|self.signed)/],
    [{ TUTTI_SPARKPLUG_EDGE: `mqtts://localhost:${broker.port}` }, /the server's certificate: hostname mismatch/],
    [{ TUTTI_SPARKPLUG_EDGE_CA: at('missing.pem') }, /missing.pem cannot be used/],
    [{ TUTTI_SPARKPLUG_EDGE_CERT: '', TUTTI_SPARKPLUG_EDGE_KEY: '' }, /certificate/]]) {
    const wrong = await Tutti.new(['serve'], { env: env(broker, { ...tls, ...more }) });
    await until(`the reason is ${reason}`, async () => reason.test((await edge(wrong)).reason)).catch(async (e) => {
      throw new Error(`${e.message}: ${(await edge(wrong)).reason}`);
    });
    await wrong.kill('SIGTERM');
  }
  const tutti = await Tutti.new(['serve'], { env: env(broker, tls) });
  const c = await publisher(tutti);
  for (let i = 0; i < 300; i++) await c.publishAsync(`acme/line1/long-name-to-fill-packets-${i}`, `"${'x'.repeat(500)}"`, { qos: 1 });
  await host.is('line1/long-name-to-fill-packets-299', 'x'.repeat(500));
  await until('all', () => Object.keys(host.values).filter((name) => name.includes('fill')).length === 300);
  const births = host.events.filter((e) => e === 'NBIRTH').length;
  await host.command('spBv1.0/Plant/NCMD/Tutti', [{ name: 'Node Control/Rebirth', type: 'Boolean', value: true }]);
  await until('commands come too', () => host.events.filter((e) => e === 'NBIRTH').length > births);
  const dead = host.events.length;
  await tutti.kill('SIGTERM');
  await until('NDEATH on a stop', () => host.events.slice(dead).includes('NDEATH'));
  check(!host.faults.length, JSON.stringify(host.faults));
  c.end(true);
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
