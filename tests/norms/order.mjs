// tests/norms/order.mjs: chapters 4.5, 4.6 and 4.9: who gets a message, in which order, how many at once.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

norm('MQTT-4.5.0-1', 'MQTT-4.5.0-1', 'a message is kept for every client whose subscription matches', async (t) => {
  const here = await t.connect(), away = await t.keep(), other = await t.keep();
  for (const c of [here, away]) await c.subscribe(t.topic('a/+'), 1);
  await other.subscribe(t.topic('b'), 1);
  await away.bye();
  await other.bye();
  await (await t.connect()).publish(t.topic('a/x'), 'x', { qos: 1 });
  assert.equal((await here.message()).text, 'x');
  assert.equal((await (await t.keep({ id: away.clientId })).message()).text, 'x');
  await (await t.keep({ id: other.clientId })).silent();
});

norm('MQTT-4.6.0-1', '', 'what is sent again keeps its order', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  for (let i = 0; i < 30; i++) await p.publish(t.topic(), `${i}`, { qos: 1 + (i % 2) });
  for (let i = 0; i < 30; i++) await c.message();
  for (let round = 0; round < 2; round++) {
    c.drop();
    const again = await t.keep({ id: c.clientId });
    for (let i = 0; i < 30; i++) assert.equal((await again.message()).text, `${i}`);
    again.drop();
  }
});

norm('MQTT-4.6.0-2 MQTT-4.6.0-3 MQTT-4.6.0-4', '', 'the broker acknowledges in the order it received', async (t) => {
  const c = await t.connect();
  const v = t.version;
  const ids = [9, 3, 500, 1, 44];
  c.send(...ids.map((id) => b.publish(v, t.topic(), 'x', { qos: 1, id })), ...ids.map((id) => b.publish(v, t.topic(), 'x', { qos: 2, id: id + 1 })));
  const came = await c.fence();
  assert.deepEqual(came.filter((p) => p.type === b.PUBACK).map((p) => p.id), ids);
  assert.deepEqual(came.filter((p) => p.type === b.PUBREC).map((p) => p.id), ids.map((id) => id + 1));
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  for (let i = 0; i < 5; i++) await p.publish(t.topic(), 'x', { qos: 2 });
  const got = (await c.fence()).map((m) => m.id);
  c.send(...[4, 0, 2, 1, 3].map((i) => b.ack(v, b.PUBREC, got[i])));
  assert.deepEqual((await c.fence()).map((m) => m.id), [4, 0, 2, 1, 3].map((i) => got[i]), 'PUBREL in the order of PUBREC');
});

norm('MQTT-4.6.0-5 MQTT-4.6.0-6', 'MQTT-4.6.0-5 MQTT-4.6.0-6', 'messages of one publisher keep their order, per topic and QoS', async (t) => {
  const subs = [];
  for (let i = 0; i < 3; i++) subs.push(await t.connect());
  for (const c of subs) await c.subscribe(t.topic('+'), 2);
  const p = await t.connect();
  const count = 60;
  for (let i = 0; i < count; i++) {
    const qos = i % 3;
    p.send(b.publish(t.version, t.topic(`t${i % 2}`), `${i}`, { qos, id: i + 1 }));
    if (qos === 2) p.send(b.ack(t.version, b.PUBREL, i + 1));
  }
  await p.fence();
  for (const c of subs) {
    const seen = new Map();
    for (let i = 0; i < count; i++) {
      const m = await c.message();
      const key = `${m.topic} ${m.qos}`;
      assert.ok(Number(m.text) > (seen.get(key) ?? -1), `${key}: ${m.text} came late`);
      seen.set(key, Number(m.text));
      if (m.qos === 1) c.puback(m);
      if (m.qos === 2) c.send(b.ack(t.version, b.PUBREC, m.id), b.ack(t.version, b.PUBCOMP, m.id));
    }
  }
});

norm('', 'MQTT-3.3.4-9 MQTT-4.9.0-1 MQTT-4.9.0-2', 'no more messages are open than the receive maximum says', async (t) => {
  const c = await t.connect({ props: { receiveMax: 3 } });
  await c.subscribe(t.topic(), 2);
  const p = await t.connect();
  for (let i = 0; i < 10; i++) await p.publish(t.topic(), `${i}`, { qos: 1 + (i % 2) });
  let open = await c.fence();
  assert.equal(open.length, 3);
  for (let i = 0; i < 10; i++) {
    const m = open.shift();
    assert.equal(m.text, `${i}`);
    if (m.qos === 1) c.puback(m);
    else {
      c.send(b.ack(5, b.PUBREC, m.id));
      const came = await c.fence();
      assert.deepEqual(came.map((x) => x.name), ['PUBREL'], 'PUBREC alone gives no place free');
      c.send(b.ack(5, b.PUBCOMP, m.id));
    }
    open = open.concat(await c.fence());
    assert.equal(open.length, Math.min(3, 9 - i));
  }
});

norm('', 'MQTT-3.3.4-10 MQTT-4.9.0-3', 'a used up receive maximum holds back nothing else', async (t) => {
  const c = await t.connect({ props: { receiveMax: 1 } });
  await c.subscribe(t.topic(), 1);
  await c.publish(t.topic(), '1', { qos: 1 });
  await c.publish(t.topic(), '2', { qos: 1 });
  await c.message();
  await c.publish(t.topic(), 'qos 0', { qos: 0 });
  assert.equal((await c.message()).text, 'qos 0');
  await c.subscribe(t.topic('other'), 1);
  await c.unsubscribe(t.topic('other'));
  await c.publish(t.topic('other'), 'x', { qos: 2 });
  await c.silent();
});

norm('', 'MQTT-3.3.4-7', 'a client that sends more than the broker can take is disconnected', async (t) => {
  const c = await t.connect();
  const max = c.connack.props.receiveMax ?? 65535;
  for (let id = 1; id <= max; id++) c.send(b.publish(5, t.topic(), 'x', { qos: 2, id }));
  assert.equal((await c.fence()).filter((p) => p.type === b.PUBREC).length, max, 'as many as were announced');
  c.send(b.publish(5, t.topic(), 'x', { qos: 2, id: max + 1 }));
  await c.refused(0x93);
});
