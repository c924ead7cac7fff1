// tests/e2e/tck/server.mjs: what our MQTT server owes as one that is Sparkplug compliant (what MQTT says of it
// is in tests/norms) and as one that knows Sparkplug; and an edge node that has several servers.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import mqtt from 'mqtt';
import { password, Tutti, until } from '../lib.mjs';
import { Recorder, entering, tck } from './bed.mjs';
import { settings } from './edge.mjs';

entering('server');
const payloads = createRequire(import.meta.url)('sparkplug-payload').get('spBv1.0');
const { equal, ok } = assert;
const birth = (seq, value) => Buffer.from(payloads.encodePayload({ timestamp: Date.now(), seq, metrics: [{ name: 'a', type: 'Int32', value }] }));
const kept = '$sparkplug/certificates/spBv1.0/G';

async function client(tutti, options = {}) {
  const c = mqtt.connect(`mqtt://127.0.0.1:${tutti.mqtt}`, { reconnectPeriod: 0, ...options });
  c.on('error', () => {});
  c.got = [];
  c.on('message', (topic, body, packet) => c.got.push({ topic, body, retain: packet.retain, qos: packet.qos }));
  await new Promise((resolve) => c.once('connect', resolve));
  return c;
}

async function aware(log) {
  const tutti = await Tutti.new(['serve'], { env: { TUTTI_SPARKPLUG_AWARE: 'true' } });
  const { version, rules } = await tutti.get('authz/rules');
  const put = await tutti.call('PUT', 'authz/rules', { version, rules: [...rules, { who: 'role:view', may: 'read', path: '$sparkplug/#' }] });
  equal(put.status, 200, JSON.stringify(put));
  const c = await client(tutti, { username: 'admin', password });
  await c.subscribeAsync('q/#', { qos: 1 });
  for (const qos of [0, 1]) await c.publishAsync(`q/${qos}`, `${qos}`, { qos });
  await c.publishAsync('q/kept', 'yes', { qos: 1, retain: true });
  const w = await client(tutti, { will: { topic: 'q/will', payload: 'gone', qos: 1, retain: true } });
  w.stream.destroy();
  await until('all', () => c.got.length === 4);
  log.plain = c.got.map((m) => [m.topic, `${m.body}`, m.qos]);
  const late = await client(tutti);
  await late.subscribeAsync('q/#', { qos: 1 });
  await until('retained', () => late.got.length === 2);
  log.retained = late.got.map((m) => [m.topic, m.retain]).sort();
  // Births as they pass, without a host: the last of each, as it was; no other message, no other bytes.
  log.births = { n: birth(0, 2), d: birth(2, 4) };
  await c.publishAsync('spBv1.0/G/NBIRTH/E', birth(0, 1));
  await c.publishAsync('spBv1.0/G/NBIRTH/E', log.births.n);
  await c.publishAsync('spBv1.0/G/DBIRTH/E/D', birth(1, 3));
  await c.publishAsync('spBv1.0/G/DBIRTH/E/D', log.births.d);
  await c.publishAsync('spBv1.0/G/DDATA/E/D', birth(3, 9), { qos: 1 });
  await c.publishAsync('spBv1.0/G/NBIRTH/Bad', 'hello', { qos: 1 });
  await until('kept', async () => (await tutti.get('sparkplug')).host.certificates === 4 && (await tutti.get('sparkplug')).host.uncertified === 1);
  const s = await client(tutti, { username: 'admin', password });
  await s.subscribeAsync('$sparkplug/certificates/#', { qos: 1 });
  await until('both', () => s.got.length >= 2);
  log.certificates = s.got;
  for (const x of [c, late, s]) x.end(true);
  await tutti.kill('SIGTERM');
}

// Two servers: at the first the host was and is offline, at the second it is online.
async function walk(log) {
  const servers = [await Recorder.new(), await Recorder.new()];
  const host = (i, online, ts) => servers[i].retained.set('spBv1.0/STATE/scada', JSON.stringify({ online, timestamp: ts }));
  host(0, false, 2000);
  host(1, true, 1000); // each server has its own timestamps
  const tutti = await Tutti.new(['serve'], { env: settings(servers.map((s) => `mqtt://127.0.0.1:${s.port}`).join('; '), { TUTTI_SPARKPLUG_EDGE_PRIMARY: 'scada' }) });
  await until('born at the second', () => servers[1].conns.length && servers[1].of('NBIRTH').length);
  log.walk = { firstClosed: servers[0].conns.every((c) => c.closed), firstSaid: servers[0].conns.flatMap((c) => c.said.filter((m) => m.kind?.endsWith('BIRTH'))).length };
  host(0, true, 3000);
  await servers[1].state('scada', false, 1000);
  await until('born at the first', () => servers[0].now && servers[0].of('NBIRTH').length);
  log.walk.secondClosed = servers[1].conns.every((c) => c.closed);
  log.walk.bdseq = servers[0].now.connect.will.payload;
  await tutti.kill('SIGTERM');
  for (const s of servers) s.server.close();
}

export async function story() {
  const log = {};
  await aware(log);
  await walk(log);
  return log;
}

tck('conformance-mqtt-qos0 conformance-mqtt-qos1', 'QoS 0 and 1', (log) => assert.deepEqual(log.plain.slice(0, 2), [['q/0', '0', 0], ['q/1', '1', 1]]));
tck('conformance-mqtt-will-messages conformance-mqtt-retained conformance-mqtt-aware-basic', 'wills with retain and QoS 1, retained messages', (log) => {
  ok(log.plain.some(([topic, body, qos]) => topic === 'q/will' && body === 'gone' && qos === 1));
  assert.deepEqual(log.retained, [['q/kept', true], ['q/will', true]]);
});
tck('conformance-mqtt-aware-store', 'births are kept as they passed, without a host here, and nothing else', (log) => {
  equal(log.certificates.length, 2);
  ok(log.certificates.find((m) => m.topic.includes('NBIRTH')).body.equals(log.births.n));
  ok(log.certificates.find((m) => m.topic.includes('DBIRTH')).body.equals(log.births.d));
});
tck('conformance-mqtt-aware-nbirth-mqtt-topic conformance-mqtt-aware-nbirth-mqtt-retain', 'NBIRTH', (log) => ok(log.certificates.some((m) => m.topic === `${kept}/NBIRTH/E` && m.retain)));
tck('conformance-mqtt-aware-dbirth-mqtt-topic conformance-mqtt-aware-dbirth-mqtt-retain', 'DBIRTH', (log) => ok(log.certificates.some((m) => m.topic === `${kept}/DBIRTH/E/D` && m.retain)));
tck('operational-behavior-primary-application-state-with-multiple-servers-walk operational-behavior-edge-node-termination-host-offline-reconnect', 'an edge node goes on to the server where its host is online', (log) => {
  assert.deepEqual([log.walk.firstClosed, log.walk.firstSaid, log.walk.secondClosed], [true, 0, true]);
});
