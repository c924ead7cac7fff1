// tests/norms/end.mjs: chapters 3.12 to 3.15, 4.8 (3.1.1), 4.12 and 4.13: pings, ends, AUTH, errors.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

norm('MQTT-3.12.4-1', 'MQTT-3.12.4-1', 'every PINGREQ is answered', async (t) => {
  const c = await t.connect();
  c.send(b.pingreq(), b.pingreq(), b.pingreq());
  for (let i = 0; i < 3; i++) assert.deepEqual((await c.next(b.PINGRESP)).bytes, Buffer.from([0xd0, 0]));
  await t.breaks(Buffer.from([0xc0, 1, 0]), 0x81);
});

norm('', 'MQTT-3.14.0-1', 'no DISCONNECT comes before a CONNECT was accepted', async (t) => {
  for (const bytes of [b.pingreq(), b.connect(5, { id: t.id(), flags: 3 }), b.packet(0x10, b.str('MQTT')),
    b.connect(5, { id: t.id(), props: { authMethod: 'none' } }), b.auth(0x18, { authMethod: 'none' }), Buffer.alloc(5, 255)]) {
    const answer = await t.refusal(bytes); // fails for anything but CONNACK
    if (answer) assert.ok(answer.reason >= 0x80);
  }
});

norm('MQTT-3.14.1-1', 'MQTT-3.14.1-1', 'DISCONNECT with flags is an error, so the will is published', async (t) => {
  const w = await t.connect();
  await w.subscribe(t.topic(), 0);
  for (const first of [0xe1, 0xe2, 0xe8, 0xef]) {
    const c = await t.connect({ will: { topic: t.topic(), payload: 'x' } });
    c.send(b.packet(first));
    await c.refused(0x81);
    await w.message();
  }
});

norm('', 'MQTT-3.14.2-1', 'DISCONNECT knows its listed reasons only', async (t) => {
  for (const reason of [0x01, 0x05, 0x87, 0x8e, 0xff]) await t.breaks(b.disconnect(5, reason), 0x81, 0x82);
  const c = await t.connect();
  await c.bye(0x93);
});

norm('', 'MQTT-3.14.2-2', 'the broker sends no session expiry with DISCONNECT', async (t) => {
  const one = await t.keep();
  await t.keep({ id: one.clientId });
  const two = await t.connect();
  two.send(b.publish(5, 'a/#'));
  const three = await t.connect();
  three.send(b.disconnect(5, 0, { sessionExpiry: 10 })); // from 0 to more is an error
  for (const c of [one, two, three])
    for (const p of await c.ends()) assert.equal(p.props.sessionExpiry, undefined);
});

norm('MQTT-3.14.4-1 MQTT-3.14.4-2', 'MQTT-3.14.4-1 MQTT-3.14.4-2', 'behind a DISCONNECT nothing counts, and the connection ends', async (t) => {
  const w = await t.connect();
  await w.subscribe(t.topic(), 0);
  const c = await t.connect();
  c.send(b.disconnect(t.version), b.publish(t.version, t.topic(), 'too late'), b.pingreq());
  assert.deepEqual(await c.ends(), []);
  await w.silent();
  if (!t.five) return;
  const d = await t.connect();
  d.send(b.publish(5, 'a/#'), b.publish(5, t.topic(), 'too late'), b.pingreq());
  const came = await d.ends();
  assert.deepEqual(came.map((p) => p.name), ['DISCONNECT'], 'nothing behind it');
  await w.silent();
});

norm('', 'MQTT-3.15.1-1', 'AUTH with flags ends the connection', async (t) => {
  for (const first of [0xf1, 0xf2, 0xf8]) await t.breaks(b.packet(first, b.u8(0x18), b.props({ authMethod: 'x' })), 0x81);
});

norm('', 'MQTT-3.15.2-1', 'AUTH knows its listed reasons only', async (t) => {
  for (const reason of [0x01, 0x80, 0x8c]) await t.breaks(b.auth(reason, { authMethod: 'x' }), 0x81, 0x82);
});

norm('', 'MQTT-4.12.0-1', 'an authentication method that is not known is refused', async (t) => {
  for (const method of ['none', 'scram-sha-256', 'GS2-KRB5', '']) {
    const answer = await t.refusal(b.connect(5, { id: t.id(), props: { authMethod: method, authData: 'x' } }));
    assert.ok([0x8c, 0x87].includes(answer.reason), `${answer.reason}`);
  }
});

norm('', 'MQTT-4.12.0-6', 'who names no method gets neither AUTH nor a method', async (t) => {
  const c = await t.connect();
  assert.equal(c.connack.props.authMethod, undefined);
  assert.equal(c.connack.props.authData, undefined);
  await c.silent();
});

norm('', 'MQTT-4.12.0-7', 'AUTH of a client that named no method ends the connection', async (t) => {
  for (const reason of [0x00, 0x18, 0x19]) await t.breaks(b.auth(reason, { authMethod: 'x' }), 0x82);
});

norm('MQTT-4.8.0-1', 'MQTT-4.13.1-1 MQTT-4.13.2-1', 'malformed packets and protocol errors end the connection', async (t) => {
  const v = t.version;
  const wrong = [Buffer.from('00 00'.replace(' ', ''), 'hex'), Buffer.from('30ffffffff01', 'hex'), b.packet(0x40, b.u8(1)),
    b.packet(0x20, b.u8(0, 0)), b.packet(0x90, b.u16(1), b.u8(0)), b.packet(0xb0, b.u16(1)), b.packet(0xd0),
    b.publish(v, 'a', 'x', { qos: 1, id: 0 }), b.packet(0xc0, b.u8(1)), b.ack(v, b.PUBACK, 0)];
  if (t.five) wrong.push(b.publish(5, 'a', 'x', { props: { receiveMax: 1 } }), b.publish(5, 'a', 'x', { props: { format: 2 } }),
    b.publish(5, 'a', 'x', { props: [['expiry', 1], ['expiry', 1]] }), b.subscribe(5, 1, [['a', 0]], { subId: 0 }),
    b.publish(5, 'a', 'x', { props: Buffer.from('7e00', 'hex') }), b.disconnect(5, 0, { reason: Buffer.from([255]) }));
  for (const bytes of wrong) await t.breaks(bytes, 0x81, 0x82, 0x90, 0x95);
});

norm('MQTT-4.8.0-2', '', 'what cannot be done now ends the connection, so that it is sent again', async (t) => {
  // Larger than the broker takes: no code of 3.1.1 could say so.
  await t.breaks(b.publish(4, t.topic(), Buffer.alloc((1 << 20) + 1), { qos: 1, id: 1 }));
});

norm('', 'MQTT-3.2.2-15', 'a packet above the maximum of the broker ends the connection', async (t) => {
  const c = await t.connect();
  const max = c.connack.props.maxPacket;
  assert.ok(max > 0);
  await c.subscribe(t.topic(), 0);
  const fits = max - t.topic().length - 2 - 1 - 1 - b.varint(max).length;
  c.send(b.publish(5, t.topic(), Buffer.alloc(fits, 65)));
  assert.equal((await c.message()).payload.length, fits, 'exactly the maximum goes through');
  c.send(b.publish(5, t.topic(), Buffer.alloc(fits + 1, 65)));
  await c.refused(0x95);
});

norm('MQTT-7.1.1-1', 'MQTT-4.2.0-1', 'packets may arrive in any pieces', async (t) => {
  const { version: v, ports } = t;
  const port = ports.steps ?? ports.mqtt; // there, what is not freed is found at the end
  const clock = await t.connect({ port });
  const all = Buffer.concat([b.connect(v, { id: t.id() }), b.subscribe(v, 1, [[t.topic(), 0]]), b.publish(v, t.topic(), 'x')]);
  const hello = b.connect(v, { id: t.id() }).length;
  for (const cuts of [[5, hello + 3], [1, hello - 1, hello + 1], [hello, hello + 2], [hello + 4]]) {
    const c = await t.open({ port });
    let at = 0;
    for (const cut of [...cuts, all.length]) {
      c.send(all.subarray(at, cut));
      at = cut;
      await clock.fence(); // the broker has read so far
    }
    for (const name of ['CONNACK', 'SUBACK', 'PUBLISH']) assert.equal((await c.next()).name, name);
  }
}, { transports: ['tcp'] });

norm('MQTT-7.0.0-2 MQTT-7.1.1-1', 'MQTT-4.2.0-1', 'a plain client needs nothing beside the standard', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 2);
  const big = Buffer.alloc(300000, 'abcdefg');
  await c.publish(t.topic(), big, { qos: 1 });
  assert.ok((await c.message()).payload.equals(big), 'all bytes, in order');
});
