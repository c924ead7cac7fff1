// tests/norms/client.mjs: what binds a client, shown on ours: connections, sessions, limits, errors.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';
import { Client } from './client_bed.mjs';

const only = { transports: ['tcp'] };
const names = (came) => came.map((p) => `${p.name}${p.id ? ` ${p.id}` : ''}`);

norm('MQTT-3.1.0-1 MQTT-7.0.0-1 MQTT-7.1.2-1', 'MQTT-3.1.0-1', 'our client sends CONNECT first, and nothing behind it before CONNACK', async (t) => {
  const k = await Client.new(t, '--id', 'me', '--user', 'u', '--password', 'p');
  k.say('sub 1 a', 'pub 1 0 a x');
  const wire = await k.accept();
  const { protocol, level, clientId, user, password, connectFlags } = wire.hello;
  assert.deepEqual([protocol, level, clientId, user, `${password}`, connectFlags], ['MQTT', t.version, 'me', 'u', 'p', 0xc2]);
  assert.deepEqual(wire.inbox, []);
  k.welcome(wire);
  await wire.pick(b.SUBSCRIBE);
  await wire.pick(b.PUBLISH);
}, only);

norm('MQTT-3.1.3-7', '', 'our client asks for no session without an identifier', async (t) => {
  const wire = await (await Client.new(t, '--keep')).accept();
  assert.deepEqual([wire.hello.clientId, wire.hello.connectFlags & 2], ['', 2]);
}, only);

norm('MQTT-3.1.2-22', '', 'our client sends no password without a user name', async (t) => {
  const wire = await (await Client.new(t, '--id', 'me', '--password', 'p')).accept();
  assert.equal(wire.hello.connectFlags & 0xc0, 0);
}, only);

norm('MQTT-3.1.2-23', 'MQTT-3.1.2-20', 'our client pings when it has nothing else to say', async (t) => {
  const k = await Client.new(t, '--keep-alive', '1');
  const wire = await k.connected();
  await wire.next(b.PINGREQ);
}, only);

norm('', 'MQTT-3.1.2-21 MQTT-3.2.2-21', 'our client keeps to the keep alive of the server', async (t) => {
  const k = await Client.new(t, '--keep-alive', '6000');
  const wire = await k.connected({ props: { serverKeepAlive: 1 } });
  await wire.next(b.PINGREQ);
  wire.drop();
  assert.equal((await k.accept()).hello.keep, 6000, 'its own wish is what it was');
}, only);

norm('', 'MQTT-3.2.2-4', 'our client ends a connection whose session it cannot know', async (t) => {
  const k = await Client.new(t, '--id', 'me');
  const wire = await k.accept();
  k.welcome(wire, { present: 1 });
  const came = await wire.ends();
  assert.ok(came.every((p) => p.type === b.DISCONNECT), names(came).join());
}, only);

norm('', 'MQTT-3.2.2-5', 'our client starts anew when the server lost its session', async (t) => {
  const k = await Client.new(t, '--id', 'me', '--keep', '--expiry', '100');
  const wire = await k.connected();
  k.say('pub 1 0 t one', 'pub 2 0 t two');
  const one = await wire.message(), two = await wire.message();
  wire.send(b.ack(5, b.PUBREC, two.id), b.publish(5, 'in', 'first', { qos: 2, id: 7 }));
  await wire.next(b.PUBREL);
  await wire.next(b.PUBREC);
  await k.line('msg');
  wire.drop();
  const again = await k.connected();
  const m = await again.message();
  assert.deepEqual([m.text, m.dup, m.qos], ['one', 0, 1], 'a new message, not one sent again');
  assert.ok(one);
  assert.deepEqual(names(await k.fence(again)), [], 'no PUBREL for what the server forgot');
  again.send(b.publish(5, 'in', 'another', { qos: 2, id: 7 }));
  assert.match(await k.line('msg'), /another/);
}, only);

norm('', 'MQTT-3.2.2-11', 'our client refuses to publish above the maximum QoS', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected({ props: { maxQos: 1 } });
  k.say('pub 2 0 t two', 'pub 1 0 t one');
  assert.match(await k.line('sent two: '), /QoS/);
  assert.deepEqual((await k.fence(wire)).map((p) => p.text), ['one']);
}, only);

norm('', 'MQTT-3.2.2-14', 'our client refuses to publish retained messages that the server does not keep', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected({ props: { retainAvailable: 0 } });
  k.say('pub 1 1 t kept', 'pub 0 1 t kept0', 'pub 1 0 t one');
  assert.match(await k.line('sent kept: '), /retain/);
  assert.deepEqual((await k.fence(wire)).map((p) => p.text), ['one']);
}, only);

norm('', 'MQTT-3.2.2-15', 'our client sends no packet above the maximum of the server', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected({ props: { maxPacket: 40 } });
  const fits = 'y'.repeat(40 - 2 - 3 - 2 - 1);
  k.say(`pub 1 0 t ${fits}z`, `pub 0 0 t ${fits}zzz`, `pub 1 0 t ${fits}`, `sub 1 ${'f'.repeat(60)}`);
  assert.match(await k.line(`sent ${fits}z: `), /large/);
  assert.deepEqual((await k.fence(wire)).map((p) => p.text), [fits]);
}, only);

norm('', 'MQTT-3.2.2-17 MQTT-3.2.2-18 MQTT-3.3.2-9 MQTT-3.3.4-6', 'our client sends neither aliases nor subscription identifiers', async (t) => {
  for (const props of [{}, { aliasMax: 5 }]) {
    const k = await Client.new(t);
    const wire = await k.connected({ props });
    k.say('sub 1 t', 'pub 1 0 t x', 'pub 1 0 t x', 'pub 0 0 t x');
    for (const p of await k.fence(wire)) assert.deepEqual([p.props.alias, p.props.subId], [undefined, undefined]);
  }
}, only);

norm('', 'MQTT-3.3.2-10', 'our client takes every alias up to what it announced', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected();
  const max = wire.hello.props.aliasMax;
  assert.ok(max > 0);
  for (let alias = 1; alias <= max; alias++) {
    wire.send(b.publish(5, `t/${alias}`, 'x', { props: { alias } }), b.publish(5, '', 'y', { props: { alias } }));
    await k.line(`msg ${2 * alias - 2} 0 t/${alias} x`);
    await k.line(`msg ${2 * alias - 1} 0 t/${alias} y`);
  }
  wire.send(b.publish(5, 't', 'x', { props: { alias: max + 1 } }));
  await wire.ends();
}, only);

norm('', 'MQTT-4.12.0-7', 'our client answers no AUTH, for it named no method', async (t) => {
  const k = await Client.new(t);
  const wire = await k.accept();
  assert.equal(wire.hello.props.authMethod, undefined);
  wire.send(b.auth(0x18, { authMethod: 'SCRAM-SHA-1', authData: 'x' }));
  assert.ok((await wire.ends()).every((p) => p.type === b.DISCONNECT));
  const later = await k.connected();
  later.send(b.auth(0x18, { authMethod: 'SCRAM-SHA-1', authData: 'x' }));
  assert.ok((await later.ends()).every((p) => p.type === b.DISCONNECT));
}, only);

norm('MQTT-4.8.0-1 MQTT-1.5.3-1 MQTT-1.5.3-2 MQTT-2.2.2-2 MQTT-3.3.1-4', 'MQTT-4.13.1-1 MQTT-1.5.4-1 MQTT-1.5.4-2 MQTT-2.1.3-1 MQTT-3.3.1-4', 'our client ends a connection on which a server errs', async (t) => {
  const v = t.version;
  const wrong = [b.packet(0x00), b.publish(v, 'a', 'x', { qos: 3, id: 1 }), b.publish(v, Buffer.from('ff', 'hex')), b.publish(v, 'a\0'),
    b.publish(v, 'a/#'), b.publish(v, 'a', 'x', { dup: true }), b.packet(0x20, b.u8(0, 0), t.five ? b.u8(0) : b.u8()),
    b.packet(0x91, b.u16(1), b.u8(0, 0)), b.packet(0xc0), b.packet(0x41, b.u16(1)), b.packet(0x60, b.u16(1)), b.packet(0xd1),
    b.packet(0x30, b.u16(9)), Buffer.from('30ffffffff01', 'hex'), b.publish(v, 'a', 'x', { qos: 1, id: 0 }),
    b.subscribe(v, 1, [['a', 0]]), b.connect(v, { id: 'x' })];
  if (t.five) wrong.push(b.publish(5, 'a', 'x', { props: { receiveMax: 1 } }), b.publish(5, 'a', 'x', { props: { subId: 0 } }),
    b.publish(5, '', 'x', { props: { alias: 3 } }), b.publish(5, 'a', 'x', { props: { alias: 0 } }), b.publish(5, ''),
    b.disconnect(5, 0x04), b.packet(0x41, b.u16(1)));
  const k = await Client.new(t);
  for (const bytes of wrong) {
    const wire = await k.connected();
    wire.send(bytes);
    assert.ok((await wire.ends()).every((p) => p.type === b.DISCONNECT), bytes.toString('hex'));
  }
}, only);

norm('MQTT-3.2.2-5', 'MQTT-4.13.2-1 MQTT-3.2.2-7', 'our client leaves after a refusal or a DISCONNECT', async (t) => {
  const k = await Client.new(t);
  const wire = await k.accept();
  k.welcome(wire, { reason: t.five ? 0x87 : 5 });
  assert.deepEqual(await wire.ends(), []);
  assert.match(await k.line('state waiting'), /not authorized/);
  if (!t.five) return;
  const later = await k.connected();
  later.send(b.disconnect(5, 0x8b));
  assert.deepEqual(await later.ends(), []);
}, only);

norm('MQTT-3.14.4-1 MQTT-3.14.4-2', 'MQTT-3.14.4-1 MQTT-3.14.4-2', 'our client ends with DISCONNECT, and nothing behind it', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected();
  k.say('pub 0 0 t x', 'quit');
  assert.deepEqual(names(await wire.ends()), ['PUBLISH', 'DISCONNECT']);
  assert.equal(await k.child.exited, 0);
}, only);

norm('MQTT-3.8.1-1 MQTT-3.10.1-1 MQTT-3.8.3-3 MQTT-3.10.3-2 MQTT-4.7.1-1 MQTT-4.7.1-2 MQTT-4.7.1-3 MQTT-4.7.3-1', 'MQTT-3.8.1-1 MQTT-3.10.1-1 MQTT-3.8.3-2 MQTT-3.10.3-2 MQTT-4.7.0-1 MQTT-4.7.1-1 MQTT-4.7.1-2', 'our client sends only filters and names that are ones', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected();
  for (const filter of ['a#', 'a/#/b', 'a+', '+a', '#/a']) {
    k.say(`sub 1 ${filter}`);
    assert.match(await k.line('refused'), /not a topic filter/);
  }
  for (const topic of ['a/#', '+', '#']) {
    k.say(`pub 1 0 ${topic} x`);
    await k.line('refused');
  }
  k.say('sub 1 a/+/#', 'unsub a/+/#'); // bytes.mjs looks at flags and form
  const came = await k.fence(wire);
  assert.deepEqual(came.map((p) => [p.name, `${p.filters}`]), [['SUBSCRIBE', 'a/+/#,1'], ['UNSUBSCRIBE', 'a/+/#']]);
}, only);
