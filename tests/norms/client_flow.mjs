// tests/norms/client_flow.mjs: our client's messages: identifiers, sending again, order, flow control.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';
import { Client } from './client_bed.mjs';

const only = { transports: ['tcp'] };
const names = (came) => came.map((p) => `${p.name}${p.id ? ` ${p.id}` : ''}`);

norm('MQTT-2.3.1-2 MQTT-2.3.1-1', 'MQTT-2.2.1-3', 'our client uses no identifier that is in use, also after 65535 of them', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected();
  k.say('pub 1 0 t held');
  const held = await wire.message();
  let seen = 0;
  const problems = [];
  const take = () => {
    const acks = [];
    for (const p of wire.inbox.splice(0)) {
      if (p.type !== b.PUBLISH) continue;
      if (!p.id || p.id === held.id) problems.push(p.id);
      seen++;
      acks.push(b.ack(t.version, b.PUBACK, p.id));
    }
    if (acks.length) wire.send(...acks);
    return problems.length || seen === 65600;
  };
  k.say('flood 65600 t');
  await wire.wait('65600 messages', take, 300000);
  assert.deepEqual(problems, []);
  k.say('sub 1 t'); // after the wrap: requests use the same identifiers
  const request = await wire.pick(b.SUBSCRIBE);
  assert.ok(request.id && request.id !== held.id);
}, { ...only, ms: 360000 });

norm('MQTT-2.3.1-3 MQTT-3.3.1-1 MQTT-4.4.0-1 MQTT-4.6.0-1 MQTT-4.3.2-1 MQTT-4.3.3-1', 'MQTT-3.3.1-1 MQTT-4.4.0-1 MQTT-4.6.0-1 MQTT-4.3.2-2 MQTT-4.3.2-3 MQTT-4.3.3-2 MQTT-4.3.3-3 MQTT-4.3.3-5 MQTT-4.3.3-6', 'our client sends open messages again: same identifiers, same order, marked', async (t) => {
  const k = await Client.new(t, '--id', 'me', '--keep', '--expiry', '100');
  const wire = await k.connected();
  for (const [i, qos] of [1, 2, 2, 1].entries()) k.say(`pub ${qos} 0 t ${i}`);
  const first = [];
  for (let i = 0; i < 4; i++) first.push(await wire.message());
  assert.ok(first.every((p) => !p.dup));
  wire.send(b.ack(t.version, b.PUBREC, first[1].id), b.ack(t.version, b.PUBACK, first[3].id));
  await wire.next(b.PUBREL);
  await k.line('sent 3: ');
  assert.deepEqual(await k.fence(wire), [], 'nothing again while the connection lives');
  wire.drop();
  const again = await k.connected({ present: 1 });
  const came = [await again.next(), await again.next(), await again.next()];
  assert.deepEqual(names(came), [`PUBLISH ${first[0].id}`, `PUBREL ${first[1].id}`, `PUBLISH ${first[2].id}`]);
  assert.deepEqual([came[0].dup, came[2].dup], [1, 1]);
}, only);

norm('', 'MQTT-4.4.0-2 MQTT-4.3.3-4', 'our client takes a refusal for an end', async (t) => {
  const k = await Client.new(t, '--id', 'me', '--keep', '--expiry', '100');
  const wire = await k.connected();
  k.say('pub 1 0 t one', 'pub 2 0 t two');
  wire.send(b.ack(5, b.PUBACK, (await wire.message()).id, 0x87), b.ack(5, b.PUBREC, (await wire.message()).id, 0x97));
  await k.line('sent one: ');
  await k.line('sent two: ');
  assert.deepEqual(await k.fence(wire), [], 'no PUBREL');
  wire.drop();
  assert.deepEqual(await k.fence(await k.connected({ present: 1 })), []);
}, only);

norm('MQTT-4.5.0-2 MQTT-4.6.0-2 MQTT-4.6.0-3 MQTT-2.3.1-6', 'MQTT-4.5.0-2 MQTT-4.6.0-2 MQTT-4.6.0-3 MQTT-2.2.1-5', 'our client acknowledges in the order of arrival, whatever order the program has', async (t) => {
  const k = await Client.new(t, '--hold');
  const wire = await k.connected();
  const ids = [9, 3, 500, 1];
  for (const [i, id] of ids.entries()) wire.send(b.publish(t.version, 't', 'x', { qos: 1 + (i % 2), id }));
  await k.line('msg 3');
  k.say('ack 3', 'ack 2', 'ack 1');
  assert.deepEqual(names(await k.fence(wire)), [], 'the first one is missing');
  k.say('ack 0');
  assert.deepEqual(names(await k.fence(wire)), ['PUBACK 9', 'PUBREC 3', 'PUBACK 500', 'PUBREC 1']);
}, only);

norm('MQTT-4.6.0-4', 'MQTT-4.6.0-4 MQTT-3.6.2-1', 'our client sends PUBREL in the order of PUBREC', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected();
  k.say('pub 2 0 t a', 'pub 2 0 t b', 'pub 2 0 t c');
  const ids = [(await wire.message()).id, (await wire.message()).id, (await wire.message()).id];
  const order = [2, 0, 1].map((i) => ids[i]);
  wire.send(...order.map((id) => b.ack(t.version, b.PUBREC, id)));
  for (const id of order) {
    const rel = await wire.next(b.PUBREL);
    assert.deepEqual([rel.id, rel.reason], [id, 0]);
  }
  wire.send(...order.map((id) => b.ack(t.version, b.PUBCOMP, id)));
  for (const text of ['c', 'a', 'b']) await k.line(`sent ${text}: `);
}, only);

norm('MQTT-4.3.3-2', 'MQTT-4.3.3-8 MQTT-4.3.3-10 MQTT-4.3.3-11 MQTT-4.3.3-12', 'our client hands over a QoS 2 message once', async (t) => {
  const v = t.version;
  const k = await Client.new(t, '--id', 'me', '--keep', '--expiry', '100');
  const wire = await k.connected();
  const send = (to, text, dup) => to.send(b.publish(v, 't', text, { qos: 2, id: 7, dup }));
  send(wire, 'one', false);
  assert.equal((await wire.next(b.PUBREC)).id, 7);
  send(wire, 'one', true);
  assert.equal((await wire.next(b.PUBREC)).id, 7);
  wire.drop();
  const again = await k.connected({ present: 1 });
  send(again, 'one', true);
  assert.equal((await again.next(b.PUBREC)).id, 7);
  again.send(b.ack(v, b.PUBREL, 7));
  assert.equal((await again.next(b.PUBCOMP)).id, 7);
  send(again, 'two', false);
  await again.next(b.PUBREC);
  await k.line('msg 1 2 t two');
}, only);

norm('MQTT-4.3.2-2', 'MQTT-4.3.2-4 MQTT-4.3.2-5', 'our client takes an identifier after its PUBACK for a new message', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected();
  for (const text of ['a', 'b', 'c']) {
    wire.send(b.publish(t.version, 't', text, { qos: 1, id: 5, dup: text !== 'a' }));
    assert.equal((await wire.next(b.PUBACK)).id, 5);
  }
  await k.line('msg 2 1 t c');
}, only);

norm('', 'MQTT-3.3.4-7 MQTT-4.9.0-1 MQTT-4.9.0-2', 'our client keeps to the receive maximum of the server', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected({ props: { receiveMax: 2 } });
  for (const [i, qos] of [1, 2, 1, 1].entries()) k.say(`pub ${qos} 0 t ${i}`);
  const open = await k.fence(wire);
  assert.deepEqual(open.map((p) => p.text), ['0', '1']);
  wire.send(b.ack(5, b.PUBREC, open[1].id));
  await wire.next(b.PUBREL);
  assert.deepEqual(await k.fence(wire), [], 'PUBREC gives no place free');
  wire.send(b.ack(5, b.PUBACK, open[0].id));
  assert.equal((await wire.message()).text, '2');
  wire.send(b.ack(5, b.PUBCOMP, open[1].id));
  assert.equal((await wire.message()).text, '3');
}, only);

norm('', 'MQTT-3.3.4-8 MQTT-4.9.0-3', 'our client sends all else when its quota is used up', async (t) => {
  const k = await Client.new(t, '--keep-alive', '1');
  const wire = await k.connected({ props: { receiveMax: 1 } });
  k.say('pub 1 0 t one', 'pub 1 0 t two', 'sub 1 a', 'unsub a');
  // Pings may come between: it is a second that nobody counts here.
  assert.equal((await wire.pick(b.PUBLISH)).text, 'one');
  await wire.pick(b.SUBSCRIBE);
  await wire.pick(b.UNSUBSCRIBE);
  wire.send(b.publish(5, 't', 'x', { qos: 1, id: 1 }));
  await wire.pick(b.PUBACK);
  await wire.pick(b.PINGREQ);
  assert.ok(!wire.inbox.some((p) => p.type === b.PUBLISH), 'the second message waits');
}, only);

norm('MQTT-4.3.1-1 MQTT-2.3.1-5 MQTT-3.3.1-2', 'MQTT-4.3.1-1 MQTT-2.2.1-2 MQTT-3.3.1-2 MQTT-2.2.2-1', 'our client sends QoS 0 without mark and identifier', async (t) => {
  const k = await Client.new(t);
  const wire = await k.connected();
  k.say('pub 0 0 t x', 'pub 0 1 t x');
  assert.deepEqual((await wire.next()).bytes, b.publish(t.version, 't', 'x'));
  assert.deepEqual((await wire.next()).bytes, b.publish(t.version, 't', 'x', { retain: true }));
}, only);
