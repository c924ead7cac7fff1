// tests/norms/data.mjs: chapters 1.5 and 2: strings, integers, fixed headers, identifiers, properties.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

const ILL = ['c328', 'eda080', 'edbfbf', 'ff', 'c0af', 'e28228', 'f4908080', 'e282'];

norm('MQTT-1.5.3-1', 'MQTT-1.5.4-1', 'ill-formed UTF-8 and halves of surrogates end the connection', async (t) => {
  for (const hex of ILL)
    await t.breaks(b.publish(t.version, Buffer.concat([Buffer.from('a'), Buffer.from(hex, 'hex')])), 0x81, 0x90);
  await t.malformed(b.connect(t.version, { id: Buffer.from('c328', 'hex') }));
});

norm('MQTT-1.5.3-2 MQTT-4.7.3-2', 'MQTT-1.5.4-2 MQTT-4.7.3-2', 'U+0000 in a string ends the connection', async (t) => {
  await t.breaks(b.publish(t.version, 'a\0b'), 0x81, 0x90);
  await t.breaks(b.subscribe(t.version, 1, [['a\0b', 0]]), 0x81, 0x8f);
  await t.breaks(b.unsubscribe(t.version, 1, ['a\0b']), 0x81, 0x8f);
  await t.malformed(b.connect(t.version, { id: 'a\0b' }));
});

norm('MQTT-1.5.3-3', 'MQTT-1.5.4-3', 'U+FEFF is a character like others and stays', async (t) => {
  const c = await t.connect();
  const topic = `${t.topic()}/\ufeffx`;
  await c.subscribe(topic, 0);
  await c.subscribe(`${t.topic()}/x`, 0);
  c.send(b.publish(t.version, topic, 'bom'));
  assert.equal((await c.message()).topic, topic);
  await c.silent('the topic without it is another');
});

norm('', 'MQTT-1.5.5-1', 'variable byte integers are as short as they can be, longer ones are refused', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 0);
  const head = t.topic().length + 3;
  for (const body of [127, 128, 16383, 16384]) {
    c.send(b.publish(5, t.topic(), Buffer.alloc(body - head, 65)));
    const p = await c.message();
    assert.equal(p.bytes.length, 1 + b.varint(body).length + body);
  }
  await t.breaks(Buffer.from('c08000', 'hex'), 0x81);
  await t.breaks(b.packet(0x30, b.str('a'), Buffer.from('8000', 'hex')), 0x81);
  await t.breaks(Buffer.from('30ffffffff7f', 'hex'), 0x81, 0x95);
});

norm('', 'MQTT-1.5.7-1', 'both strings of a pair are UTF-8', async (t) => {
  for (const user of [[[Buffer.from('ff', 'hex'), 'v']], [['k', Buffer.from('ff', 'hex')]], [['k\0', 'v']]])
    await t.breaks(b.publish(5, t.topic(), '', { props: { user } }), 0x81);
});

norm('MQTT-2.2.2-1 MQTT-2.2.2-2', 'MQTT-2.1.3-1', 'other values of reserved flags end the connection', async (t) => {
  const v = t.version;
  const right = [b.subscribe(v, 1, [['a', 0]]), b.unsubscribe(v, 1, ['a']), b.pingreq(), b.disconnect(v),
    ...[b.PUBACK, b.PUBREC, b.PUBREL, b.PUBCOMP].map((type) => b.ack(v, type, 1))];
  if (t.five) right.push(b.auth(0x18, { authMethod: 'x' }));
  for (const bytes of right)
    for (const bit of [1, 2, 4, 8]) {
      const wrong = Buffer.from(bytes);
      wrong[0] ^= bit;
      await t.breaks(wrong, 0x81);
    }
  for (const type of [0x00, ...(t.five ? [] : [0xf0])]) await t.breaks(Buffer.from([type, 0]), 0x81, 0x82);
});

norm('MQTT-2.2.2-1', 'MQTT-2.1.3-1', 'the broker sets reserved flags as they are listed', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 2);
  await c.publish(t.topic(), 'one', { qos: 1 });
  await c.publish(t.topic(), 'two', { qos: 2 });
  c.puback(await c.message());
  await c.finish2(await c.message());
  await c.unsubscribe(t.topic());
  await c.silent(); // bytes.mjs refuses any packet whose flags are others
  assert.equal(c.connack.bytes[0], 0x20);
});

norm('MQTT-2.3.1-1', 'MQTT-2.2.1-3', 'a client that uses identifier 0 is disconnected', async (t) => {
  const v = t.version;
  await t.breaks(b.subscribe(v, 0, [['a', 0]]), 0x81, 0x82);
  await t.breaks(b.unsubscribe(v, 0, ['a']), 0x81, 0x82);
  await t.breaks(b.publish(v, t.topic(), '', { qos: 1, id: 0 }), 0x81, 0x82);
  await t.breaks(b.publish(v, t.topic(), '', { qos: 2, id: 0 }), 0x81, 0x82);
});

norm('MQTT-2.3.1-4', 'MQTT-2.2.1-4 MQTT-4.3.2-1 MQTT-4.3.3-1', 'identifiers of the broker are not 0 and not in use', async (t) => {
  const c = await t.connect();
  const p = await t.connect();
  await c.subscribe(t.topic(), 2);
  const used = new Set();
  const take = async (count) => {
    for (let i = 0; i < count; i++) await p.publish(t.topic(), 'x', { qos: 1 + (i % 2) });
    const got = [];
    for (let i = 0; i < count; i++) got.push(await c.message());
    for (const m of got) {
      assert.ok(m.id > 0 && !used.has(m.id), `identifier ${m.id} is in use`);
      used.add(m.id);
    }
    return got;
  };
  const first = await take(10);
  for (const m of first.filter((x) => x.qos === 1)) {
    c.puback(m);
    used.delete(m.id);
  }
  await take(20);
});

norm('MQTT-2.3.1-5', 'MQTT-2.2.1-2', 'QoS 0 carries no identifier, either way', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 2);
  c.send(b.publish(t.version, t.topic(), Buffer.from([0, 7, 8])));
  const p = await c.message();
  assert.deepEqual(p.bytes, b.publish(t.version, t.topic(), Buffer.from([0, 7, 8])));
});

norm('MQTT-2.3.1-6', 'MQTT-2.2.1-5', 'acknowledgements carry the identifier of their message', async (t) => {
  const c = await t.connect();
  for (const id of [1, 255, 256, 65535]) {
    await c.publish(t.topic(), 'x', { qos: 1, id });
    await c.publish(t.topic(), 'x', { qos: 2, id });
  }
  await c.subscribe(t.topic(), 2);
  await c.publish(t.topic(), 'x', { qos: 2, id: 9 });
  await c.finish2(await c.message());
  await c.silent();
});

norm('MQTT-2.3.1-7', 'MQTT-2.2.1-6', 'SUBACK and UNSUBACK carry the identifier of their request', async (t) => {
  const c = await t.connect();
  for (const id of [1, 255, 256, 65535]) {
    c.send(b.subscribe(t.version, id, [[t.topic(), 1]]), b.unsubscribe(t.version, id, [t.topic()]));
    assert.equal((await c.next(b.SUBACK)).id, id);
    assert.equal((await c.next(b.UNSUBACK)).id, id);
  }
});

norm('', 'MQTT-2.2.2-1', 'no properties are a length of zero, which must not be missing', async (t) => {
  const c = await t.connect();
  c.send(b.subscribe(5, 3, [[t.topic(), 0]]));
  assert.deepEqual((await c.next()).bytes, Buffer.from([0x90, 4, 0, 3, 0, 0]));
  c.send(b.publish(5, t.topic(), 'x'));
  assert.deepEqual((await c.next()).bytes, b.packet(0x30, b.str(t.topic()), b.u8(0), Buffer.from('x')));
  c.send(b.unsubscribe(5, 3, [t.topic()]));
  assert.deepEqual((await c.next()).bytes, Buffer.from([0xb0, 4, 0, 3, 0, 0]));
  await t.breaks(b.packet(0x30, b.str('a')), 0x81);
  await t.breaks(b.packet(0x82, b.u16(1)), 0x81);
});
