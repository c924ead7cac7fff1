// tests/norms/subscribe.mjs: chapters 3.8 to 3.11: SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

const FLAGS = [0, 1, 3, 4, 6, 8, 10, 15];

norm('MQTT-3.8.1-1', 'MQTT-3.8.1-1', 'SUBSCRIBE with other flags ends the connection', async (t) => {
  for (const flags of FLAGS) await t.breaks(b.subscribe(t.version, 1, [[t.topic(), 0]], {}, 0x80 | flags), 0x81);
});

norm('MQTT-3.8.3-1', 'MQTT-3.8.3-1', 'filters are UTF-8', async (t) => {
  for (const hex of ['ff', 'eda080', 'c0af'])
    await t.breaks(b.subscribe(t.version, 1, [['ok', 0], [Buffer.from(hex, 'hex'), 0]]), 0x81, 0x8f);
  const c = await t.connect();
  await c.subscribe(t.topic('ü/€/😀/+'), 0);
  await c.publish(t.topic('ü/€/😀/x'), 'x');
  assert.equal((await c.message()).topic, t.topic('ü/€/😀/x'));
});

norm('MQTT-3.8.3-2', '', 'filters with wildcards are served', async (t) => {
  const c = await t.connect();
  for (const filter of ['#', '+/#', '+']) assert.equal((await c.subscribe(t.topic(filter), 0)).codes[0], 0);
});

norm('MQTT-3.8.3-3', 'MQTT-3.8.3-2', 'a SUBSCRIBE without a filter ends the connection', async (t) => {
  await t.breaks(b.subscribe(t.version, 1, []), 0x81, 0x82);
  await t.breaks(b.packet(0x82, b.u16(1), t.five ? b.u8(0) : Buffer.alloc(0), b.str('a')), 0x81);
});

norm('MQTT-3.8.3-4', 'MQTT-3.8.3-5', 'reserved bits and QoS 3 end the connection', async (t) => {
  const wrong = t.five ? [0x03, 0x40, 0x80, 0xc1, 0x30] : [0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff];
  for (const options of wrong) await t.breaks(b.subscribe(t.version, 1, [[t.topic(), options]]), 0x81, 0x82);
});

norm('', 'MQTT-3.8.3-3', 'No Local: nothing comes back to the client identifier that sent it', async (t) => {
  const c = await t.keep();
  const other = await t.connect();
  await c.subscribe(t.topic(), 4 | 1);
  await other.subscribe(t.topic(), 1);
  await c.publish(t.topic(), 'own', { qos: 1 });
  await c.silent();
  assert.equal((await other.message()).text, 'own');
  await other.publish(t.topic(), 'foreign', { qos: 1 });
  const foreign = await c.message();
  assert.equal(foreign.text, 'foreign');
  c.puback(foreign); // or it comes again, whenever it does
  await c.bye();
  const again = await t.keep({ id: c.clientId });
  await again.publish(t.topic(), 'own', { qos: 1, retain: true });
  await again.silent('nor after coming back');
  await again.subscribe(t.topic(), 4);
  await again.silent('nor as a retained message');
  await again.bye(0, { sessionExpiry: 0 });
  const fresh = await t.connect({ id: c.clientId });
  await fresh.subscribe(t.topic(), 4);
  await fresh.silent('nor in another session of the same identifier');
  await fresh.publish(t.topic(), '', { retain: true });
});

norm('', 'MQTT-3.8.3-4', 'No Local on a shared subscription ends the connection', async (t) => {
  await t.breaks(b.subscribe(5, 1, [[`$share/g/${t.topic()}`, 4]]), 0x82);
});

norm('MQTT-3.8.4-1 MQTT-3.8.4-2', 'MQTT-3.8.4-1 MQTT-3.8.4-2', 'SUBSCRIBE is answered under its identifier', async (t) => {
  const c = await t.connect();
  c.send(b.subscribe(t.version, 12345, [[t.topic(), 0]]));
  assert.equal((await c.next(b.SUBACK)).id, 12345);
});

norm('MQTT-3.8.4-3', 'MQTT-3.8.4-3 MQTT-3.8.4-4', 'the same filter again replaces the subscription; retained messages come again, none is lost', async (t) => {
  const c = await t.connect();
  const p = await t.connect();
  await p.publish(t.topic(), 'kept', { retain: true, qos: 1 });
  await c.subscribe(t.topic(), 0);
  assert.equal((await c.message()).text, 'kept');
  for (let i = 0; i < 20; i++) {
    c.send(b.subscribe(t.version, 10 + i, [[t.topic(), 1]]));
    p.send(b.publish(t.version, t.topic(), `${i}`, { qos: 1, id: 1 + i }));
  }
  await p.fence();
  const came = (await c.fence()).filter((m) => m.type === b.PUBLISH);
  assert.equal(came.filter((m) => m.text === 'kept').length, 20);
  assert.deepEqual(came.filter((m) => m.text !== 'kept').map((m) => m.text), [...Array(20).keys()].map(String));
  await c.publish(t.topic(), 'last', { qos: 1, retain: true });
  assert.deepEqual((await c.fence()).map((m) => [m.text, m.qos]), [['last', 1]], 'one subscription, of QoS 1');
  await c.publish(t.topic(), '', { retain: true });
});

norm('MQTT-3.8.4-4 MQTT-3.8.4-5 MQTT-3.9.3-1', 'MQTT-3.8.4-5 MQTT-3.8.4-6 MQTT-3.8.4-7 MQTT-3.9.3-1 MQTT-3.9.3-2', 'several filters have one answer, a code for each in their order', async (t) => {
  const c = await t.connect();
  const rows = [2, 0, 1, 2, 1, 0].map((qos, i) => [t.topic(i), qos]);
  c.send(b.subscribe(t.version, 5, [...rows, [`$share//${t.topic()}`, 1]].slice(0, 6 + !t.five)));
  assert.deepEqual((await c.next(b.SUBACK)).codes, [2, 0, 1, 2, 1, 0, ...(t.five ? [] : [0x80])]);
  for (const [topic, qos] of rows) {
    await c.publish(topic, 'x', { qos: 2 });
    const m = await c.message();
    assert.equal(m.qos, qos);
    if (qos === 1) c.puback(m);
    if (qos === 2) await c.finish2(m);
  }
});

norm('MQTT-3.9.3-2 MQTT-3.8.4-5', 'MQTT-3.9.3-2 MQTT-3.8.4-7', 'a filter that is not granted has a code of failure', async (t) => {
  const c = await t.connect();
  const deep = Array(300).fill('a').join('/');
  c.send(b.subscribe(t.version, 5, [[t.topic(), 1], [deep, 1], [t.topic('b'), 0]]));
  const { codes } = await c.next(b.SUBACK);
  assert.deepEqual([codes[0], codes[2]], [1, 0]);
  assert.ok(t.five ? codes[1] >= 0x80 : codes[1] === 0x80);
});

norm('MQTT-3.8.4-6', 'MQTT-3.8.4-8', 'delivered with the lower of both QoS', async (t) => {
  const c = await t.connect();
  for (const granted of [0, 1, 2]) await c.subscribe(t.topic(`g${granted}`), granted);
  for (const granted of [0, 1, 2])
    for (const sent of [0, 1, 2]) {
      await c.publish(t.topic(`g${granted}`), 'x', { qos: sent });
      const m = await c.message();
      assert.equal(m.qos, Math.min(granted, sent));
      if (m.qos === 1) c.puback(m);
      if (m.qos === 2) await c.finish2(m);
    }
});

norm('MQTT-3.10.1-1', 'MQTT-3.10.1-1', 'UNSUBSCRIBE with other flags ends the connection', async (t) => {
  for (const flags of FLAGS) await t.breaks(b.unsubscribe(t.version, 1, [t.topic()], {}, 0xa0 | flags), 0x81);
});

norm('MQTT-3.10.3-1', 'MQTT-3.10.3-1', 'filters of UNSUBSCRIBE are UTF-8', async (t) => {
  await t.breaks(b.unsubscribe(t.version, 1, ['ok', Buffer.from('ff', 'hex')]), 0x81, 0x8f);
});

norm('MQTT-3.10.3-2', 'MQTT-3.10.3-2', 'an UNSUBSCRIBE without a filter ends the connection', async (t) => {
  await t.breaks(b.unsubscribe(t.version, 1, []), 0x81, 0x82);
});

norm('MQTT-3.10.4-1 MQTT-3.10.4-2', 'MQTT-3.10.4-1 MQTT-3.10.4-2', 'the very same filter is taken away, and no other', async (t) => {
  const c = await t.connect();
  for (const filter of ['+', 'a', 'a/#']) await c.subscribe(t.topic(filter), 0);
  await c.unsubscribe(t.topic('#'));
  await c.unsubscribe(t.topic('A'));
  await c.unsubscribe(t.topic('+'));
  await c.publish(t.topic('b'), 'x');
  await c.silent();
  await c.unsubscribe(t.topic('a/#'));
  await c.publish(t.topic('a'), 'x');
  assert.equal((await c.message()).topic, t.topic('a'));
  await c.unsubscribe(t.topic('a'));
  await c.publish(t.topic('a'), 'x');
  await c.silent();
});

norm('MQTT-3.10.4-3', 'MQTT-3.10.4-3', 'what was begun for it is completed', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic(), 2);
  for (const qos of [1, 2]) await c.publish(t.topic(), `${qos}`, { qos });
  const [one, two] = [await c.message(), await c.message()];
  await c.unsubscribe(t.topic());
  c.drop();
  const again = await t.keep({ id: c.clientId });
  assert.equal((await again.message()).id, one.id);
  again.puback(one);
  await again.finish2(await again.message());
  await again.silent();
  assert.ok(two.id);
});

norm('MQTT-3.10.4-4 MQTT-3.10.4-5', 'MQTT-3.10.4-4 MQTT-3.10.4-5', 'UNSUBSCRIBE is answered under its identifier, also when nothing went', async (t) => {
  const c = await t.connect();
  c.send(b.unsubscribe(t.version, 54321, [t.topic('none')]));
  assert.equal((await c.next(b.UNSUBACK)).id, 54321);
});

norm('MQTT-3.10.4-6', 'MQTT-3.10.4-6 MQTT-3.11.3-1 MQTT-3.11.3-2', 'several filters of UNSUBSCRIBE have one answer in their order', async (t) => {
  const c = await t.connect();
  for (const name of ['a', 'b', 'c']) await c.subscribe(t.topic(name), 0);
  c.send(b.unsubscribe(t.version, 6, ['a', 'none', 'c', 'a'].map((n) => t.topic(n))));
  assert.deepEqual((await c.next(b.UNSUBACK)).codes, t.five ? [0, 0x11, 0, 0x11] : []);
  for (const name of ['a', 'b', 'c']) await c.publish(t.topic(name), name);
  assert.deepEqual((await c.fence()).map((m) => m.text), ['b']);
});
