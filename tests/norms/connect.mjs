// tests/norms/connect.mjs: chapter 3.1: CONNECT, without sessions (session.mjs) and wills (will.mjs).
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

norm('MQTT-3.1.0-1', 'MQTT-3.1.0-1', 'whatever comes before CONNECT ends the connection, without an answer', async (t) => {
  const v = t.version;
  for (const bytes of [b.pingreq(), b.publish(v, 'a', 'x'), b.subscribe(v, 1, [['a', 0]]), b.disconnect(v),
    b.packet(0x20, b.u8(0, 0)), b.ack(v, b.PUBACK, 1), b.auth(0)])
    assert.equal(await t.refusal(bytes), null);
});

norm('MQTT-3.1.0-2', 'MQTT-3.1.0-2', 'a second CONNECT ends the connection', async (t) => {
  await t.breaks(b.connect(t.version, { id: t.id() }), 0x82);
});

norm('MQTT-3.1.2-1', 'MQTT-3.1.2-1', 'another protocol name is not served', async (t) => {
  for (const name of ['MQTX', 'mqtt', 'MQT', 'MQTTT', '']) {
    const answer = await t.refusal(b.connect(t.version, { id: t.id(), name }));
    if (answer) assert.equal(answer.reason, 0x84);
  }
});

norm('MQTT-3.1.2-2', 'MQTT-3.1.2-2', 'an unknown protocol level is refused', async (t) => {
  for (const level of [0, 2, 6, 127, 0x80, 0x85, 255]) {
    const answer = await t.refusal(b.connect(t.version, { id: t.id(), level }), { version: 4 });
    assert.deepEqual(answer?.bytes, Buffer.from([0x20, 2, 0, 1]));
  }
});

norm('MQTT-3.1.2-3', 'MQTT-3.1.2-3', 'the reserved connect flag must be 0', async (t) => {
  await t.malformed(b.connect(t.version, { id: t.id(), flags: 3 }));
  await t.malformed(b.connect(t.version, { id: t.id(), first: 0x11 }));
});

norm('MQTT-3.1.2-18', 'MQTT-3.1.2-16', 'no user name flag, no user name', async (t) => {
  await t.malformed(b.connect(t.version, { payload: Buffer.concat([b.str(t.id()), b.str('me')]) }));
});

norm('MQTT-3.1.2-19', 'MQTT-3.1.2-17', 'a user name flag needs a user name', async (t) => {
  await t.malformed(b.connect(t.version, { id: t.id(), flags: 0x82 }));
});

norm('MQTT-3.1.2-20', 'MQTT-3.1.2-18', 'no password flag, no password', async (t) => {
  await t.malformed(b.connect(t.version, { flags: 0x82,
    payload: Buffer.concat([b.str(t.id()), b.str('me'), b.str('secret')]) }));
});

norm('MQTT-3.1.2-21', 'MQTT-3.1.2-19', 'a password flag needs a password', async (t) => {
  await t.malformed(b.connect(t.version, { flags: 0xc2,
    payload: Buffer.concat([b.str(t.id()), b.str('me')]) }));
});

norm('MQTT-3.1.2-22', '', 'a password without a user name is refused', async (t) => {
  await t.malformed(b.connect(4, { flags: 0x42, payload: Buffer.concat([b.str(t.id()), b.str('secret')]) }));
});

norm('MQTT-3.1.2-24', 'MQTT-3.1.2-22 MQTT-3.2.2-22', 'silence of one and a half keep alives is taken as a dead peer', async (t) => {
  const watch = await t.connect();
  await watch.subscribe(t.topic('gone'), 0);
  const c = await t.connect({ keep: 4, will: { topic: t.topic('gone'), payload: 'dead' } });
  const begin = Date.now();
  await c.fence(); // any packet counts
  const came = await c.ends();
  const ms = Date.now() - begin;
  assert.ok(ms >= 5900, `ended after ${ms} ms`);
  assert.deepEqual(came.map((p) => p.reason), t.five ? [0x8d] : []);
  assert.equal((await watch.message()).text, 'dead');
});

norm('', 'MQTT-3.1.2-24', 'nothing larger than the maximum packet size of the client is sent', async (t) => {
  const max = 130;
  const p = await t.connect();
  for (const how of ['payload', 'properties']) {
    const c = await t.connect({ props: { maxPacket: max, aliasMax: 10 } });
    await c.subscribe(t.topic(`${how}/+`), 0);
    // From above down, so that the first topics that fit are those that get an alias.
    for (let size = max + 10; size > max - 10; size--) {
      const topic = t.topic(`${how}/${size}`);
      const text = 'x'.repeat(size - topic.length - 5 - (how === 'payload' ? 0 : 3));
      if (how === 'payload') await p.publish(topic, text);
      else await p.publish(topic, '', { props: { content: text } });
    }
    const came = await c.fence();
    assert.ok(came.length >= 9, `${how}: ${came.length} came`);
    for (const m of came) assert.ok(m.bytes.length <= max, `${m.bytes.length} bytes`);
  }
  const c = await t.connect({ props: { maxPacket: max } });
  const rows = Array.from({ length: 200 }, (_, i) => [t.topic(`many${i}`), 0]);
  c.send(b.subscribe(5, 7, rows), b.pingreq());
  for (const m of await c.ends()) assert.ok(m.bytes.length <= max, `${m.name} of ${m.bytes.length} bytes`);
});

norm('', 'MQTT-3.1.2-25', 'a message that is too large counts as delivered', async (t) => {
  const c = await t.connect({ props: { maxPacket: 100, receiveMax: 1 } });
  const p = await t.connect();
  await c.subscribe(t.topic(), 2);
  for (const qos of [0, 1, 2]) {
    await p.publish(t.topic(), 'x'.repeat(200), { qos });
    await p.publish(t.topic(), `after ${qos}`, { qos });
    const m = await c.message();
    assert.equal(m.text, `after ${qos}`);
    if (qos === 1) c.puback(m);
    if (qos === 2) await c.finish2(m);
  }
  await c.silent();
});

norm('', 'MQTT-3.1.2-26 MQTT-3.3.2-8 MQTT-3.3.2-11', 'aliases of the broker lie between 1 and the maximum of the client', async (t) => {
  const c = await t.connect({ props: { aliasMax: 2 } });
  await c.subscribe(`${t.prefix}/#`, 0);
  const names = new Map();
  for (let i = 0; i < 12; i++) {
    await c.publish(t.topic(`long/topic/${i % 4}`), `${i % 4}`);
    const m = await c.message();
    const { alias } = m.props;
    if (alias !== undefined) assert.ok(alias >= 1 && alias <= 2, `alias ${alias}`);
    if (m.topic && alias) names.set(alias, m.topic);
    assert.equal(m.topic || names.get(alias), t.topic(`long/topic/${m.text}`));
  }
});

norm('', 'MQTT-3.1.2-27', 'without an alias maximum the broker uses no aliases', async (t) => {
  for (const props of [{}, { aliasMax: 0 }]) {
    const c = await t.connect({ props });
    await c.subscribe(t.topic(), 0);
    for (let i = 0; i < 3; i++) {
      await c.publish(t.topic(), 'x');
      const m = await c.message();
      assert.equal(m.props.alias, undefined);
      assert.equal(m.topic, t.topic());
    }
  }
});

norm('', 'MQTT-3.1.2-28', 'response information comes to nobody who did not ask', async (t) => {
  for (const props of [{}, { wantResponse: 0 }, { wantResponse: 1 }]) {
    const c = await t.connect({ props });
    if (!props.wantResponse) assert.equal(c.connack.props.responseInfo, undefined);
  }
  await t.malformed(b.connect(5, { id: t.id(), props: { wantResponse: 2 } }));
});

norm('', 'MQTT-3.1.2-29', 'who wants no problem information gets no reason text in acknowledgements', async (t) => {
  const c = await t.connect({ props: { wantProblem: 0 } });
  const bare = (p) => {
    assert.equal(p.props.reason, undefined);
    assert.equal(p.props.user, undefined);
  };
  bare(await c.publish('$not/allowed', 'x', { qos: 1 }));
  bare(await c.publish('$not/allowed', 'x', { qos: 2 }));
  c.send(b.ack(5, b.PUBREL, 999), b.subscribe(5, 1, [[t.topic(), 1]]), b.unsubscribe(5, 2, ['none']));
  bare(await c.next(b.PUBCOMP));
  bare(await c.next(b.SUBACK));
  bare(await c.next(b.UNSUBACK));
  await t.malformed(b.connect(5, { id: t.id(), props: { wantProblem: 2 } }));
});

norm('MQTT-3.1.3-3', 'MQTT-3.1.3-3', 'a CONNECT without a client identifier is refused', async (t) => {
  await t.malformed(b.connect(t.version, { payload: Buffer.alloc(0) }));
});

norm('MQTT-3.1.3-4', 'MQTT-3.1.3-4', 'the client identifier is UTF-8', async (t) => {
  await t.malformed(b.connect(t.version, { id: Buffer.from('ff', 'hex') }));
  await t.connect({ id: `${t.id()}ü€😀` });
});

norm('MQTT-3.1.3-5', 'MQTT-3.1.3-5', 'identifiers of 1 to 23 letters and digits are taken', async (t) => {
  const own = (t.transport + t.version).replace(/\W/g, '');
  const pid = process.pid.toString(36);
  await t.connect({ id: { tcp4: 'a', tcp5: 'B', ws4: '7', ws5: 'z' }[own] });
  for (const tail of ['0123456789', 'abcdefghijklm', 'nopqrstuvwxyz', 'ABCDEFGHIJKLM', 'NOPQRSTUVWXYZ'])
    await t.connect({ id: `${own}${pid}${tail}`.slice(0, 23) });
});

norm('MQTT-3.1.3-6', 'MQTT-3.1.3-6 MQTT-3.2.2-16', 'an empty identifier is replaced by one of its own', async (t) => {
  const all = [];
  for (let i = 0; i < 3; i++) {
    const c = await t.connect({ id: '' });
    await c.subscribe(t.topic(), 0);
    all.push(c);
  }
  if (t.five) {
    const names = all.map((c) => c.connack.props.assignedId);
    assert.ok(names.every((n) => n?.length > 0));
    assert.equal(new Set(names).size, 3);
  }
  await all[0].publish(t.topic(), 'to all');
  for (const c of all) assert.equal((await c.message()).text, 'to all');
});

norm('', 'MQTT-3.1.3-7', 'the assigned identifier is the one of the session', async (t) => {
  const c = await t.keep({ id: '' });
  const id = c.connack.props.assignedId;
  assert.equal(c.connack.present, 0);
  await c.subscribe(t.topic(), 1);
  await c.bye();
  const again = await t.keep({ id });
  assert.equal(again.connack.present, 1);
  assert.equal(again.connack.props.assignedId, undefined);
  await again.publish(t.topic(), 'kept');
  assert.equal((await again.message()).text, 'kept');
});

norm('MQTT-3.1.3-7 MQTT-3.1.3-8 MQTT-3.1.3-9', '', 'an empty identifier with a session to keep is answered with 2', async (t) => {
  const answer = await t.refusal(b.connect(4, { id: '', clean: false }));
  assert.deepEqual(answer.bytes, Buffer.from([0x20, 2, 0, 2]));
});

norm('MQTT-3.1.3-11', 'MQTT-3.1.3-12', 'the user name is UTF-8', async (t) => {
  for (const hex of ILL) await t.malformed(b.connect(t.version, { id: t.id(), user: Buffer.from(hex, 'hex') }));
});
const ILL = ['ff', 'eda080', 'c0af'];

norm('MQTT-3.1.4-1', 'MQTT-3.1.4-1', 'a CONNECT of a wrong form ends the connection', async (t) => {
  const v = t.version, id = t.id();
  const good = b.connect(v, { id });
  await t.malformed(b.packet(0x10, good.subarray(2), b.u8(0))); // one byte too many
  await t.malformed(b.packet(0x10, good.subarray(2, -1)));
  if (!t.five) return;
  const wrong = [{ receiveMax: 0 }, { maxPacket: 0 }, { alias: 1 }, { authData: 'x' }, [['receiveMax', 1], ['receiveMax', 1]],
    Buffer.from('7f', 'hex'), Buffer.from('1100', 'hex'), { assignedId: 'x' }, { willDelay: 1 }];
  for (const props of wrong) {
    const answer = await t.refusal(b.connect(5, { id, props }));
    assert.ok(!answer || [0x81, 0x82].includes(answer.reason), `${answer?.reason}`);
  }
});

norm('MQTT-3.1.4-2', 'MQTT-3.1.4-3', 'a client that comes twice: the earlier connection goes', async (t) => {
  const one = await t.connect();
  const two = await t.connect({ id: one.clientId });
  const came = await one.ends();
  assert.deepEqual(came.map((p) => p.reason), t.five ? [0x8e] : []);
  await two.silent();
});

norm('MQTT-3.1.4-5', 'MQTT-3.1.4-6', 'behind a refused CONNECT nothing is looked at', async (t) => {
  const watch = await t.connect();
  await watch.subscribe(t.topic(), 0);
  const late = b.publish(t.version, t.topic(), 'forbidden');
  const bad = t.five ? b.connect(5, { id: t.id(), props: { authMethod: 'nobody-knows-it' } })
    : b.connect(4, { id: '', clean: false });
  const answer = await t.refusal(Buffer.concat([bad, late, late]));
  assert.equal(answer.reason, t.five ? 0x8c : 2);
  await watch.silent();
});

norm('MQTT-3.1.4-4', 'MQTT-3.1.4-5', 'a valid CONNECT is answered with 0', async (t) => {
  const c = await t.connect();
  if (!t.five) assert.deepEqual(c.connack.bytes, Buffer.from([0x20, 2, 0, 0]));
  assert.equal(c.connack.reason, 0);
});
