// tests/norms/limits.mjs: each limit of the broker that is a setting is met, by clients of both versions, and what is
// promised happens at it. Servers with small limits, one after the other.
//   tests/suites/mqtt_limits.sh [WORDS]
import assert from 'node:assert/strict';
import { run, test, Tutti, until } from '../e2e/lib.mjs';
import * as b from './bytes.mjs';
import { Bed } from './bed.mjs';

const QUOTA = 0x97;
// `limits`: settings without TUTTI_MQTT_; `fn` is asked with a Bed of each version.
function limit(what, limits, fn) {
  test(what, async () => {
    const env = Object.fromEntries(Object.entries(limits).map(([name, value]) => [`TUTTI_MQTT_${name}`, `${value}`]));
    const tutti = await Tutti.new(['serve'], { env });
    for (const version of [5, 4]) {
      const bed = new Bed(version, 'tcp', tutti);
      await fn(bed, tutti);
      bed.done();
      await until('its clients are gone', async () => (await clients(tutti)).every((c) => !c.connected));
    }
    await tutti.kill('SIGTERM');
  });
}
const clients = async (tutti) => (await tutti.get('mqtt/clients')).clients;
const client = async (tutti, id) => (await clients(tutti)).find((c) => c.client === id);
// How often a client broke a rule.
async function broken(tutti) {
  const answer = await fetch(`http://127.0.0.1:${tutti.http}/metrics`, { headers: { authorization: `Bearer ${tutti.token}` } });
  return Number(/^tutti_mqtt_protocol_errors_total (\d+)/m.exec(await answer.text())[1]);
}
// A refused QoS 1 message: 5.0 is told, 3.1.1 has no word for it and is disconnected unanswered.
async function refused(t, topic, payload, o = {}) {
  const p = await t.connect();
  p.send(b.publish(t.version, topic, payload, { qos: 1, id: 1, ...o }));
  if (t.five) assert.equal((await p.next(b.PUBACK)).reason, QUOTA);
  else await p.refused();
}

limit('KEEP_ALIVE_MAX: announced, and kept to', { KEEP_ALIVE_MAX: '1s' }, async (t) => {
  const c = await t.connect({ keep: t.five ? 600 : 1 });
  if (t.five) assert.equal(c.connack.props.serverKeepAlive, 1);
  const began = Date.now();
  await c.refused(0x8d);
  assert.ok(Date.now() - began >= 1400, 'one and a half of it');
});

limit('SESSION_EXPIRY: announced, then the session is over', { SESSION_EXPIRY: '1s' }, async (t, tutti) => {
  const c = await t.keep();
  if (t.five) assert.equal(c.connack.props.sessionExpiry, 1);
  c.drop();
  await until('it is over', async () => !(await client(tutti, c.clientId)));
});

limit('PACKET_BYTES: up to the last byte', { PACKET_BYTES: 2048 }, async (t) => {
  const c = await t.connect();
  if (t.five) assert.equal(c.connack.props.maxPacket, 2048);
  const head = b.publish(t.version, t.topic(), '', { qos: 1, id: 1 }).length + 1;
  const of = (bytes) => b.publish(t.version, t.topic(), 'x'.repeat(bytes - head), { qos: 1, id: 1 });
  assert.equal(of(2048).length, 2048);
  c.send(of(2048));
  await c.next(b.PUBACK);
  c.send(of(2049));
  await c.refused(0x95);
});

limit('CONNECT_BYTES: of who did not say yet who it is', { CONNECT_BYTES: 1024 }, async (t, tutti) => {
  await t.connect({ will: { topic: t.topic(), payload: 'x'.repeat(900) } });
  assert.equal(await t.refusal(b.connect(t.version, { id: t.id(), will: { topic: t.topic(), payload: 'x'.repeat(1024) } })), null);
  // Of one that will be 100000 bytes none is waited for: a client that is silent breaks no rule.
  const before = await broken(tutti);
  const c = await t.open();
  c.send(Buffer.from([0x10, 0xa0, 0x8d, 0x06]));
  await c.ends();
  assert.equal(await broken(tutti), before + 1);
});

limit('RECEIVE_MAX: one more ends the connection, or waits', { RECEIVE_MAX: 5 }, async (t) => {
  const c = await t.connect();
  if (t.five) assert.equal(c.connack.props.receiveMax, 5);
  for (let id = 1; id <= 5; id++) c.send(b.publish(t.version, t.topic(), 'x', { qos: 2, id }));
  for (let id = 1; id <= 5; id++) assert.equal((await c.next(b.PUBREC)).id, id);
  c.send(b.publish(t.version, t.topic(), 'x', { qos: 2, id: 6 }));
  if (t.five) await c.refused(0x93);
  else assert.equal((await c.next(b.PUBREC)).id, 6); // 3.1.1 knows no such limit
});

limit('TOPIC_ALIAS_MAX: announced, and one more is refused', { TOPIC_ALIAS_MAX: 3 }, async (t) => {
  if (!t.five) return;
  const c = await t.connect();
  assert.equal(c.connack.props.aliasMax, 3);
  await c.publish(t.topic(), 'x', { qos: 1, props: { alias: 3 } });
  c.send(b.publish(5, t.topic(), 'x', { props: { alias: 4 } }));
  await c.refused(0x94);
});

limit('FILTERS_PER_SESSION: one more is not granted, a known one is', { FILTERS_PER_SESSION: 4 }, async (t) => {
  const c = await t.connect();
  for (let i = 0; i < 4; i++) await c.subscribe(t.topic(`${i}`), 1);
  c.send(b.subscribe(t.version, 9, [[t.topic('more'), 1], [t.topic('3'), 0]]));
  assert.deepEqual((await c.next(b.SUBACK)).codes, [t.five ? QUOTA : 0x80, 0]);
  await c.unsubscribe(t.topic('0'));
  await c.subscribe(t.topic('more'), 1);
});

limit('SESSION_QUEUE: the rest is dropped and counted', { SESSION_QUEUE: 5 }, async (t, tutti) => {
  if (!t.five) return; // 3.1.1 has no receive maximum: all goes to the client
  const c = await t.connect({ props: { receiveMax: 1 } });
  await c.subscribe(t.topic(), 1);
  const p = await t.connect();
  for (let i = 0; i < 10; i++) await p.publish(t.topic(), `${i}`, { qos: 1 });
  const now = await client(tutti, c.clientId);
  assert.deepEqual([now.inflight, now.queued, now.dropped], [1, 5, 4]);
  for (let i = 0; i < 6; i++) {
    const m = await c.message();
    assert.equal(m.text, `${i}`);
    c.puback(m);
  }
  await c.silent();
});

limit('SESSION_QUEUE_BYTES: the rest is dropped and counted', { SESSION_QUEUE_BYTES: 4096 }, async (t, tutti) => {
  if (!t.five) return;
  const c = await t.connect({ props: { receiveMax: 1 } });
  await c.subscribe(t.topic(), 1);
  const p = await t.connect();
  for (let i = 0; i < 10; i++) await p.publish(t.topic(), `${i}`.padEnd(1000), { qos: 1 });
  const now = await client(tutti, c.clientId);
  assert.ok(now.queued >= 2 && now.queued <= 4 && now.dropped === 9 - now.queued, JSON.stringify(now));
});

limit('DURABLE_QUEUE: the publisher is told', { DURABLE_QUEUE: 5 }, async (t, tutti) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 1);
  c.drop();
  const p = await t.connect();
  for (let i = 0; i < 5; i++) await p.publish(t.topic(), `${i}`, { qos: 1 });
  await refused(t, t.topic(), 'more');
  await tutti.call('POST', 'mqtt/clients/end', { client: c.clientId, forget: true });
});

limit('SESSIONS: one more is refused', { SESSIONS: 3 }, async (t, tutti) => {
  const all = [];
  for (let i = 0; i < 3; i++) all.push(await t.keep());
  const answer = await t.refusal(b.connect(t.version, { id: t.id() }));
  assert.equal(answer.reason, t.five ? QUOTA : 3);
  for (const c of all) await tutti.call('POST', 'mqtt/clients/end', { client: c.clientId, forget: true });
  await t.connect();
});

limit('CONNECTIONS: one more is not let in, until one goes', { CONNECTIONS: 3 }, async (t) => {
  const all = [];
  for (let i = 0; i < 3; i++) all.push(await t.connect());
  const more = await t.open();
  more.send(b.connect(t.version, { id: t.id() }));
  const came = await more.ends();
  assert.ok(came.every((p) => p.name === 'CONNACK' && p.reason), `${came.map((p) => p.name)}`);
  await all[0].bye();
  await until('there is room', async () => {
    const c = await t.open();
    c.send(b.connect(t.version, { id: t.id() }));
    await c.wait('an answer', () => c.inbox.length || c.over);
    return c.inbox[0]?.reason === 0;
  });
});

limit('RETAINED: one more is refused, another of a topic is not', { RETAINED: 3 }, async (t) => {
  const p = await t.connect();
  for (let i = 0; i < 3; i++) await p.publish(t.topic(`${i}`), 'x', { qos: 1, retain: true });
  await refused(t, t.topic('more'), 'x', { retain: true });
  await p.publish(t.topic('2'), 'y', { qos: 1, retain: true });
  for (let i = 0; i < 3; i++) await p.publish(t.topic(`${i}`), '', { qos: 1, retain: true });
  await p.publish(t.topic('more'), 'x', { qos: 1, retain: true });
  await p.publish(t.topic('more'), '', { qos: 1, retain: true });
});

limit('RETAINED_BYTES: one more is refused', { RETAINED_BYTES: 4096 }, async (t) => {
  const p = await t.connect();
  await p.publish(t.topic('a'), 'x'.repeat(3000), { qos: 1, retain: true });
  await refused(t, t.topic('b'), 'x'.repeat(3000), { retain: true });
  await p.publish(t.topic('a'), '', { qos: 1, retain: true });
});

limit('QUEUE_BYTES: of all messages in memory', { QUEUE_BYTES: '1MiB', SESSION_QUEUE_BYTES: '8MiB' }, async (t) => {
  if (!t.five) return;
  const c = await t.connect({ props: { receiveMax: 1 } });
  await c.subscribe(t.topic(), 1);
  const p = await t.connect();
  for (let i = 0; i < 10; i++) await p.publish(t.topic(), 'x'.repeat(100000), { qos: 1 });
  await refused(t, t.topic(), 'x'.repeat(100000));
});

limit('STALLED: who takes nothing is disconnected', { STALLED: '1s' }, async (t, tutti) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 0);
  c.stop();
  const p = await t.connect();
  await until('it is gone', async () => {
    for (let i = 0; i < 20; i++) p.send(b.publish(t.version, t.topic(), 'x'.repeat(100000)));
    await p.fence();
    return !(await client(tutti, c.clientId));
  });
});

await run();
