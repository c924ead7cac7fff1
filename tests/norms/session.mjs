// tests/norms/session.mjs: sessions, CONNACK and what comes after a reconnect (3.1.2.4, 3.2, 4.1, 4.4).
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

norm('MQTT-3.1.2-4 MQTT-3.2.2-2 MQTT-3.1.4-3', 'MQTT-3.1.2-5 MQTT-3.2.2-3 MQTT-3.1.4-4', 'who comes back without a clean start finds its session', async (t) => {
  const c = await t.keep();
  assert.equal(c.connack.present, 0);
  await c.subscribe(t.topic(), 1);
  await c.bye();
  const again = await t.keep({ id: c.clientId });
  assert.equal(again.connack.present, 1);
  await again.publish(t.topic(), 'still subscribed');
  assert.equal((await again.message()).text, 'still subscribed');
});

norm('MQTT-3.1.2-4 MQTT-3.2.2-3', 'MQTT-3.1.2-6 MQTT-3.2.2-3', 'without a session a new one is made', async (t) => {
  assert.equal((await t.keep()).connack.present, 0);
});

norm('MQTT-3.1.2-5', 'MQTT-3.1.2-23', 'messages of QoS 1 and 2 wait for who is away', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic('+'), 2);
  await c.bye();
  const p = await t.connect();
  for (const qos of [1, 2]) await p.publish(t.topic(`q${qos}`), `qos ${qos}`, { qos });
  const again = await t.keep({ id: c.clientId });
  const one = await again.message();
  assert.equal(one.text, 'qos 1');
  again.puback(one);
  const two = await again.message();
  assert.equal(two.text, 'qos 2');
  await again.finish2(two);
  await again.silent();
});

norm('MQTT-3.1.2-6 MQTT-3.2.2-1', 'MQTT-3.1.2-4 MQTT-3.2.2-2', 'a clean start finds nothing of before', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 1);
  await c.bye();
  const p = await t.connect();
  await p.publish(t.topic(), 'waits', { qos: 1 });
  const again = await t.connect({ id: c.clientId, clean: true });
  assert.equal(again.connack.present, 0);
  await p.publish(t.topic(), 'nobody', { qos: 1 });
  await again.silent();
  await again.bye();
  if (!t.five) assert.equal((await t.keep({ id: c.clientId })).connack.present, 0, 'nor was it kept');
});

norm('MQTT-3.1.2-7', '', 'retained messages outlive the session of their publisher', async (t) => {
  const c = await t.connect();
  await c.publish(t.topic(), 'kept', { retain: true });
  await c.bye();
  const other = await t.connect();
  await other.subscribe(t.topic(), 0);
  assert.equal((await other.message()).text, 'kept');
  await other.publish(t.topic(), '', { retain: true });
});

norm('MQTT-3.1.3-2', 'MQTT-3.1.3-2', 'the client identifier names the session, letter for letter', async (t) => {
  const a = await t.keep({ id: `${t.id()}a` });
  await a.bye();
  assert.equal((await t.keep({ id: a.clientId.replace(/a$/, 'A') })).connack.present, 0);
  assert.equal((await t.keep({ id: `${a.clientId} ` })).connack.present, 0);
  assert.equal((await t.keep({ id: a.clientId })).connack.present, 1);
});

norm('MQTT-3.2.0-1', 'MQTT-3.2.0-1 MQTT-3.2.0-2', 'CONNACK is the first packet, and comes once', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 1);
  await c.bye();
  const p = await t.connect();
  await p.publish(t.topic(), 'waits', { qos: 1 });
  const again = await t.open();
  again.send(b.connect(t.version, { id: c.clientId, clean: false, props: { sessionExpiry: 60 } }), b.pingreq());
  await again.next(b.CONNACK);
  await again.pick(b.PINGRESP);
  const came = [await again.message(), ...await again.fence()]; // what waited may come behind an answer to a ping
  assert.deepEqual(came.map((m) => m.name), ['PUBLISH']);
});

norm('MQTT-3.2.2-4 MQTT-3.2.2-5', 'MQTT-3.2.2-1 MQTT-3.2.2-6 MQTT-3.2.2-7 MQTT-3.2.2-8', 'a refusal says no session and ends the connection', async (t) => {
  const bad = t.five ? b.connect(5, { id: t.id(), clean: false, props: { authMethod: 'none' } })
    : b.connect(4, { id: '', clean: false });
  const answer = await t.refusal(bad); // and its reason is one of the list: bytes.mjs
  assert.equal(answer.ackFlags, 0);
  assert.ok(answer.reason);
  const c = await t.connect();
  assert.equal(c.connack.ackFlags, 0);
});

norm('', 'MQTT-3.2.2-7', 'a refusal arrives although the client sends on', async (t) => {
  const bytes = b.connect(5, { id: t.id(), props: { authMethod: 'none' } });
  const answer = await t.refusal(Buffer.concat([bytes, Buffer.alloc(600000, 0xc0)]));
  assert.equal(answer?.reason, 0x8c);
});

norm('MQTT-3.2.2-6', '', 'what no return code describes ends without CONNACK', async (t) => {
  assert.equal(await t.refusal(b.connect(4, { id: t.id(), flags: 3 })), null);
});

norm('', 'MQTT-3.2.2-9 MQTT-3.2.2-10', 'all QoS are served, so no maximum is announced', async (t) => {
  const c = await t.connect();
  assert.equal(c.connack.props.maxQos, undefined);
  for (const qos of [0, 1, 2]) assert.equal((await c.subscribe(t.topic(qos), qos)).codes[0], qos);
});

norm('', 'MQTT-3.2.2-19 MQTT-3.2.2-20', 'CONNACK keeps to the maximum packet size', async (t) => {
  for (const maxPacket of [2, 10, 17, 18, 40]) {
    const wire = await t.open();
    wire.send(b.connect(5, { id: t.id(), props: { maxPacket } }), b.disconnect(5));
    for (const p of await wire.ends()) assert.ok(p.bytes.length <= maxPacket);
  }
});

norm('MQTT-4.1.0-1 MQTT-4.1.0-2', 'MQTT-4.1.0-1', 'a session lives as long as its connection', async (t) => {
  const c = await t.connect({ props: { sessionExpiry: 0 } });
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  for (let i = 0; i < 50; i++) await p.publish(t.topic(), `${i}`, { qos: 1 });
  for (let i = 0; i < 50; i++) assert.equal((await c.message()).text, `${i}`);
});

norm('', 'MQTT-4.1.0-2', 'a session ends when its expiry has passed', async (t) => {
  const c = await t.keep({ props: { sessionExpiry: 1 } });
  await c.bye();
  const clock = await t.connect();
  await clock.subscribe(t.topic('clock'), 0);
  // Another session with the same expiry ends later; the will that waits for its end is the clock.
  (await t.keep({ props: { sessionExpiry: 1 }, will: { topic: t.topic('clock'), props: { willDelay: 9 } } })).drop();
  await clock.message();
  assert.equal((await t.keep({ id: c.clientId })).connack.present, 0);
  const shorter = await t.keep();
  await shorter.bye(0, { sessionExpiry: 0 });
  assert.equal((await t.keep({ id: shorter.clientId })).connack.present, 0);
});

norm('MQTT-4.4.0-1 MQTT-3.3.1-1 MQTT-2.3.1-4', 'MQTT-4.4.0-1 MQTT-3.3.1-1 MQTT-4.3.2-3 MQTT-4.3.3-3', 'what was not acknowledged comes again, marked, with its identifier and order', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  for (const i of [0, 1, 2, 3]) await p.publish(t.topic(), `${i}`, { qos: 1 + (i % 2) });
  const first = [];
  for (let i = 0; i < 4; i++) first.push(await c.message());
  assert.ok(first.every((m) => !m.dup));
  c.puback(first[0]);
  await c.silent('nothing is sent again while the connection lives');
  c.drop();
  const again = await t.keep({ id: c.clientId });
  for (const m of first.slice(1)) {
    const n = await again.message();
    assert.deepEqual([n.text, n.id, n.dup, n.qos], [m.text, m.id, 1, m.qos]);
  }
  await again.silent();
});

norm('MQTT-4.4.0-1 MQTT-4.3.3-1', 'MQTT-4.4.0-1 MQTT-4.3.3-5 MQTT-4.3.3-6', 'a PUBREL without answer comes again, and its message does not', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 2);
  await (await t.connect()).publish(t.topic(), 'two', { qos: 2 });
  const m = await c.message();
  c.send(b.ack(t.version, b.PUBREC, m.id));
  await c.next(b.PUBREL);
  c.drop();
  const again = await t.keep({ id: c.clientId });
  assert.equal((await again.next(b.PUBREL)).id, m.id);
  again.send(b.ack(t.version, b.PUBCOMP, m.id));
  await again.silent();
  again.drop();
  await (await t.keep({ id: c.clientId })).silent();
});

norm('', 'MQTT-4.4.0-1 MQTT-3.3.4-9 MQTT-4.9.0-2', 'sending again keeps to the receive maximum of the new connection', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  for (let i = 0; i < 6; i++) await p.publish(t.topic(), `${i}`, { qos: 1 + (i % 2) });
  for (let i = 0; i < 6; i++) await c.message();
  c.drop();
  const again = await t.keep({ id: c.clientId, props: { receiveMax: 2 } });
  await p.publish(t.topic(), '6', { qos: 1 });
  const open = [await again.message(), await again.message(), ...await again.fence()];
  assert.deepEqual(open.map((m) => m.text), ['0', '1'], 'two at most');
  for (let i = 0; i < 7; i++) {
    const m = open.shift() ?? (await again.message());
    assert.equal(m.text, `${i}`);
    if (m.qos === 1) again.puback(m);
    else await again.finish2(m);
  }
  await again.silent();
});

norm('MQTT-4.3.2-1', 'MQTT-4.4.0-2', 'a message that was refused with a reason is not sent again', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  for (const qos of [1, 2]) await p.publish(t.topic(), `${qos}`, { qos });
  const [one, two] = [await c.message(), await c.message()];
  c.send(b.ack(t.version, b.PUBACK, one.id, 0x83));
  if (t.five) c.send(b.ack(5, b.PUBREC, two.id, 0x83));
  else await c.finish2(two);
  await c.silent();
  c.drop();
  await (await t.keep({ id: c.clientId })).silent();
});
