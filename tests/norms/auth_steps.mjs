// tests/norms/auth_steps.mjs: enhanced authentication (3.15, 4.12) with the method TEST of
// tests/mqtt/broker_main.c: "hello", "question", "answer", "welcome".
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

const only = { transports: ['tcp'], needs: 'steps' };
const say = (data, reason = 0x18, method = 'TEST') => b.auth(reason, { authMethod: method, authData: data });
const text = (p) => p.props.authData?.toString();

async function begin(t, data = 'hello', o = {}) {
  const c = await t.open({ port: t.ports.steps });
  c.send(b.connect(5, { id: t.id(), ...o, props: { authMethod: 'TEST', authData: data, ...o.props } }));
  return c;
}
async function enter(t, o) {
  const c = await begin(t, 'hello', o);
  await c.next(b.AUTH);
  c.send(say('answer'));
  assert.equal((await c.next(b.CONNACK)).reason, 0);
  return c;
}

norm('', 'MQTT-4.12.0-2 MQTT-4.12.0-5 MQTT-3.15.2-1 MQTT-3.2.0-1', 'the broker asks with 24 until it knows enough, then CONNACK: the method in all of them', async (t) => {
  const c = await begin(t);
  for (const answer of ['more', 'more', 'answer']) {
    const p = await c.next(b.AUTH);
    assert.deepEqual([p.reason, p.props.authMethod, text(p)], [0x18, 'TEST', 'question']);
    c.send(say(answer));
  }
  const p = await c.next(b.CONNACK);
  assert.deepEqual([p.reason, p.props.authMethod, text(p)], [0, 'TEST', 'welcome']);
  await c.subscribe(t.topic(), 1);
  await c.publish(t.topic(), 'x', { qos: 1 });
  assert.equal((await c.message()).text, 'x');
}, only);

norm('', 'MQTT-4.12.0-2 MQTT-3.2.0-1', 'an answer of the hook that takes a turn holds back what comes behind', async (t) => {
  const c = await begin(t);
  await c.next(b.AUTH);
  c.send(say('later'), b.subscribe(5, 1, [[t.topic(), 0]]), b.publish(5, t.topic(), 'x'));
  assert.equal((await c.next(b.CONNACK)).reason, 0);
  await c.next(b.SUBACK);
  await c.message();
}, only);

norm('', 'MQTT-4.12.0-1', 'a method that the hook does not know is refused', async (t) => {
  const answer = await t.refusal(b.connect(5, { id: t.id(), props: { authMethod: 'test' } }), { port: t.ports.steps });
  assert.equal(answer.reason, 0x8c);
}, only);

norm('', 'MQTT-4.12.0-4', 'a wrong answer at any step is refused and ends the connection', async (t) => {
  const at = await begin(t, 'wrong');
  assert.equal((await at.next(b.CONNACK)).reason, 0x87);
  assert.deepEqual(await at.ends(), []);
  const c = await begin(t);
  await c.next(b.AUTH);
  c.send(say('wrong'), b.publish(5, t.topic(), 'x'));
  assert.equal((await c.next(b.CONNACK)).reason, 0x87);
  assert.deepEqual(await c.ends(), []);
}, only);

norm('', 'MQTT-4.12.0-3 MQTT-4.12.0-5 MQTT-3.15.2-1 MQTT-3.15.1-1', 'an answer with another reason, another method or flags is refused', async (t) => {
  for (const bytes of [say('answer', 0x00), say('answer', 0x19), say('answer', 0x18, 'OTHER'), b.auth(0x18, { authData: 'answer' }),
    b.packet(0xf1, b.u8(0x18), b.props({ authMethod: 'TEST', authData: 'answer' }))]) {
    const c = await begin(t);
    await c.next(b.AUTH);
    c.send(bytes);
    assert.ok([0x81, 0x82].includes((await c.next(b.CONNACK)).reason));
    assert.deepEqual(await c.ends(), []);
  }
}, only);

norm('', 'MQTT-3.1.2-30 MQTT-3.14.0-1 MQTT-3.1.4-6', 'during an exchange only AUTH and DISCONNECT are taken', async (t) => {
  for (const bytes of [b.pingreq(), b.publish(5, t.topic(), 'x'), b.subscribe(5, 1, [['a', 0]]), b.connect(5, { id: t.id() })]) {
    const c = await begin(t);
    await c.next(b.AUTH);
    c.send(bytes, say('answer'));
    assert.equal((await c.next(b.CONNACK)).reason, 0x82);
    assert.deepEqual(await c.ends(), []);
  }
  const c = await begin(t);
  await c.next(b.AUTH);
  c.send(b.disconnect(5));
  assert.deepEqual(await c.ends(), []);
}, only);

norm('', 'MQTT-4.12.1-1 MQTT-4.12.0-5', 'who is in may show once more who it is, with the same method, and goes on meanwhile', async (t) => {
  const c = await enter(t);
  for (let round = 0; round < 2; round++) {
    c.send(say('hello', 0x19));
    assert.deepEqual([(await c.next(b.AUTH)).reason], [0x18]);
    await c.silent();
    c.send(say('answer'));
    const p = await c.next(b.AUTH);
    assert.deepEqual([p.reason, p.props.authMethod, text(p)], [0, 'TEST', 'welcome']);
  }
  for (const bytes of [say('hello', 0x19, 'OTHER'), say('answer', 0x18), b.auth(0x19), say('hello', 0)]) {
    const d = await enter(t);
    d.send(bytes);
    await d.refused(0x82);
  }
}, only);

norm('', 'MQTT-4.12.1-2', 'who fails then is told and disconnected, also as somebody else', async (t) => {
  for (const answer of ['wrong', 'who']) {
    const c = await enter(t);
    c.send(say('hello', 0x19));
    await c.next(b.AUTH);
    c.send(say(answer));
    await c.refused(0x87);
  }
}, only);

norm('', 'MQTT-3.15.2-2 MQTT-3.15.2-3', 'AUTH is never larger than the client takes', async (t) => {
  const c = await begin(t, 'hello', { props: { maxPacket: 21 } }); // the question has 22
  assert.deepEqual((await c.ends()).map((p) => p.bytes.length), []);
  const d = await begin(t, 'hello', { props: { maxPacket: 22 } });
  assert.equal((await d.next(b.AUTH)).bytes.length, 22);
}, only);

norm('', 'MQTT-4.12.0-6', 'beside it, who names no method gets none', async (t) => {
  const c = await t.connect({ port: t.ports.steps });
  assert.equal(c.connack.props.authMethod, undefined);
  c.send(say('hello', 0x19));
  await c.refused(0x82);
}, only);
