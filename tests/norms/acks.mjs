// tests/norms/acks.mjs: chapters 3.4 to 3.7 and 4.3: acknowledgements and the flows of QoS 1 and 2.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

norm('', 'MQTT-3.4.2-1 MQTT-3.5.2-1 MQTT-3.6.2-1 MQTT-3.7.2-1', 'acknowledgements of the broker use the listed reasons', async (t) => {
  const c = await t.connect(); // bytes.mjs refuses any other
  await c.subscribe(t.topic(), 2);
  for (const topic of [t.topic(), t.topic('nobody'), '$denied'])
    for (const qos of [1, 2]) await c.publish(topic, 'x', { qos });
  c.puback(await c.message());
  const m = await c.message();
  c.send(b.ack(5, b.PUBREC, m.id), b.ack(5, b.PUBREC, m.id), b.ack(5, b.PUBREC, 999));
  assert.deepEqual([(await c.next(b.PUBREL)).reason, (await c.next(b.PUBREL)).reason, (await c.next(b.PUBREL)).reason],
    [0, 0, 0x92]);
  c.send(b.ack(5, b.PUBCOMP, m.id), b.ack(5, b.PUBREL, 999));
  assert.equal((await c.next(b.PUBCOMP)).reason, 0x92);
});

norm('', 'MQTT-4.3.3-4', 'a PUBREC that says of an unknown message that it failed is answered with nothing', async (t) => {
  const c = await t.connect();
  c.send(b.ack(5, b.PUBREC, 999, 0x80), b.ack(5, b.PUBREC, 998, 0x87));
  for (const p of await c.fence()) assert.fail(`${p.name} came`);
});

norm('', 'MQTT-3.4.2-1 MQTT-3.5.2-1 MQTT-3.6.2-1 MQTT-3.7.2-1', 'reasons that are not listed end the connection', async (t) => {
  for (const [type, reason] of [[b.PUBACK, 0x92], [b.PUBREC, 0x01], [b.PUBREL, 0x10], [b.PUBCOMP, 0x80]])
    await t.breaks(b.ack(5, type, 1, reason), 0x81, 0x82);
});

const small = 24; // bytes: room for an acknowledgement, none for words
norm('', ['3.4.2-2', '3.4.2-3', '3.5.2-2', '3.5.2-3', '3.6.2-2', '3.6.2-3', '3.7.2-2', '3.7.2-3', '3.9.2-1', '3.9.2-2',
  '3.11.2-1', '3.11.2-2', '3.14.2-3', '3.14.2-4'].map((n) => `MQTT-${n}`).join(' '),
'texts and user properties never make a packet larger than the client takes', async (t) => {
  const c = await t.connect({ props: { maxPacket: small } });
  const v = 5, topic = t.topic();
  c.send(b.publish(v, '$denied', 'x', { qos: 1, id: 1 }), b.publish(v, '$denied', 'x', { qos: 2, id: 2 }),
    b.publish(v, topic, 'x', { qos: 1, id: 3 }), b.ack(v, b.PUBREC, 9), b.ack(v, b.PUBREL, 9),
    b.subscribe(v, 4, [[topic, 0]]), b.unsubscribe(v, 5, [topic, 'none']));
  for (const p of await c.fence()) assert.ok(p.bytes.length <= small, `${p.name}: ${p.bytes.length} bytes`);
  c.send(b.publish(v, 'a/#', 'x'));
  for (const p of await c.ends()) assert.ok(p.bytes.length <= small);
});

norm('MQTT-3.6.1-1', 'MQTT-3.6.1-1', 'PUBREL with other flags ends the connection', async (t) => {
  for (const first of [0x60, 0x61, 0x63, 0x64, 0x6a]) await t.breaks(b.packet(first, b.u16(1)), 0x81);
});

norm('MQTT-4.3.2-1', 'MQTT-4.3.2-2 MQTT-4.3.2-3', 'QoS 1 goes out unmarked and stays open until its PUBACK', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 1);
  await c.publish(t.topic(), 'x', { qos: 1 });
  const m = await c.message();
  assert.deepEqual([m.qos, m.dup], [1, 0]);
  c.drop();
  const again = await t.keep({ id: c.clientId });
  assert.equal((await again.message()).id, m.id);
  again.puback(m);
  await again.fence();
  again.drop();
  await (await t.keep({ id: c.clientId })).silent();
});

norm('MQTT-4.3.2-2', 'MQTT-4.3.2-4 MQTT-4.3.2-5', 'PUBACK carries the identifier; the same identifier later is a new message', async (t) => {
  const c = await t.connect();
  const w = await t.connect();
  await w.subscribe(t.topic(), 0);
  for (const dup of [false, true, true]) await c.publish(t.topic(), 'x', { qos: 1, id: 4711, dup });
  assert.equal((await w.fence()).length, 3);
});

norm('MQTT-4.3.3-1', 'MQTT-4.3.3-2 MQTT-4.3.3-4 MQTT-4.3.3-5', 'QoS 2 goes out unmarked; PUBREC is answered with PUBREL', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 2);
  await c.publish(t.topic(), 'x', { qos: 2 });
  const m = await c.message();
  assert.deepEqual([m.qos, m.dup], [2, 0]);
  await c.silent();
  c.send(b.ack(t.version, b.PUBREC, m.id));
  const rel = await c.next(b.PUBREL);
  assert.deepEqual(rel.bytes, Buffer.from([0x62, 2, m.id >> 8, m.id & 255]));
  c.send(b.ack(t.version, b.PUBCOMP, m.id));
  await c.silent();
});

norm('', 'MQTT-4.3.3-4', 'a PUBREC that refuses ends the exchange', async (t) => {
  const c = await t.connect({ props: { receiveMax: 1 } });
  await c.subscribe(t.topic(), 2);
  await c.publish(t.topic(), 'one', { qos: 2 });
  await c.publish(t.topic(), 'two', { qos: 2 });
  c.send(b.ack(5, b.PUBREC, (await c.message()).id, 0x80));
  assert.equal((await c.message()).text, 'two', 'no PUBREL, and the next may come');
});

norm('MQTT-4.3.3-2', 'MQTT-4.3.3-8 MQTT-4.3.3-10 MQTT-4.3.3-11 MQTT-4.3.3-12', 'QoS 2 arrives once, however often it is sent before PUBREL', async (t) => {
  const v = t.version;
  const w = await t.connect();
  await w.subscribe(t.topic(), 0);
  const c = await t.keep();
  const send = async (wire, dup) => {
    wire.send(b.publish(v, t.topic(), 'x', { qos: 2, id: 7, dup }));
    const rec = await wire.next(b.PUBREC);
    assert.deepEqual([rec.id, rec.reason & 0x80], [7, 0]);
  };
  await send(c, false);
  await send(c, true);
  c.drop();
  const again = await t.keep({ id: c.clientId });
  await send(again, true);
  for (let i = 0; i < 2; i++) {
    again.send(b.ack(v, b.PUBREL, 7));
    assert.equal((await again.next(b.PUBCOMP)).id, 7);
  }
  assert.equal((await w.fence()).length, 1);
  await send(again, false);
  assert.equal((await w.fence()).length, 1, 'after PUBCOMP it is a new message');
});

norm('', 'MQTT-4.3.3-9', 'after a PUBREC that refuses, the identifier is free', async (t) => {
  const c = await t.connect();
  c.send(b.publish(5, '$denied', 'x', { qos: 2, id: 7 }));
  assert.ok((await c.next(b.PUBREC)).reason >= 0x80);
  const w = await t.connect();
  await w.subscribe(t.topic(), 0);
  c.send(b.publish(5, t.topic(), 'x', { qos: 2, id: 7 }));
  assert.equal((await c.next(b.PUBREC)).reason, 0);
  assert.equal((await w.message()).text, 'x');
});

norm('', 'MQTT-4.3.3-7 MQTT-4.3.3-13', 'expiry ends no exchange that has begun', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  p.send(b.publish(5, t.topic(), 'x', { qos: 2, id: 3, props: { expiry: 6 } }));
  await p.next(b.PUBREC);
  const m = await c.message();
  await p.subscribe(t.topic('clock'), 0);
  (await t.keep({ will: { topic: t.topic('clock'), props: { willDelay: 8 } } })).drop();
  await p.message();
  c.send(b.ack(5, b.PUBREC, m.id));
  assert.deepEqual([(await c.next(b.PUBREL)).id], [m.id]);
  c.send(b.ack(5, b.PUBCOMP, m.id));
  p.send(b.ack(5, b.PUBREL, 3));
  assert.deepEqual([(await p.next(b.PUBCOMP)).reason], [0], 'the receiver goes on too');
});

norm('', 'MQTT-4.3.3-7', 'a message that was sent does not expire before it is sent again', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  await p.publish(t.topic(), 'x', { qos: 2, props: { expiry: 6 } });
  const m = await c.message();
  c.drop();
  await p.subscribe(t.topic('clock'), 0);
  (await t.keep({ will: { topic: t.topic('clock'), props: { willDelay: 8 } } })).drop();
  await p.message();
  const again = await t.keep({ id: c.clientId });
  const n = await again.message();
  assert.deepEqual([n.id, n.dup], [m.id, 1]);
  await again.finish2(n);
});
