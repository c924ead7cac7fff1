// tests/norms/will.mjs: the will inside CONNECT (3.1.2.5 to 3.1.2.7, 3.1.3) and when it is published.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

async function watcher(t, topic = t.topic('will'), qos = 2) {
  const w = await t.connect();
  await w.subscribe(topic, qos);
  return w;
}
const will = (t, o = {}) => ({ topic: t.topic('will'), payload: 'gone', ...o });

norm('MQTT-3.1.2-8', 'MQTT-3.1.2-7 MQTT-3.1.2-8', 'the will is published when its connection is lost or cut for an error', async (t) => {
  const w = await watcher(t);
  for (const how of ['drop', 'error']) {
    const c = await t.connect({ will: will(t, { payload: how }) });
    if (how === 'drop') c.drop();
    else c.send(Buffer.from('0000', 'hex'));
    assert.equal((await w.message()).text, how);
  }
  if (!t.five) return;
  const c = await t.connect({ will: will(t, { payload: 'with 4' }) });
  await c.bye(0x04);
  assert.equal((await w.message()).text, 'with 4');
});

norm('MQTT-3.1.2-9', 'MQTT-3.1.2-9', 'a will flag needs topic and message', async (t) => {
  const v = t.version, none = t.five ? b.u8(0) : Buffer.alloc(0);
  await t.malformed(b.connect(v, { id: t.id(), flags: 6 }));
  await t.malformed(b.connect(v, { flags: 6, payload: Buffer.concat([b.str(t.id()), none, b.str('a')]) }));
  if (t.five) await t.malformed(b.connect(v, { flags: 6, payload: Buffer.concat([b.str(t.id()), b.str('a'), b.str('x')]) }));
});

norm('MQTT-3.1.2-10', 'MQTT-3.1.2-10', 'once published or given up, a will is not published again', async (t) => {
  const w = await watcher(t);
  const c = await t.keep({ will: will(t) });
  c.drop();
  assert.equal((await w.message()).text, 'gone');
  const again = await t.keep({ id: c.clientId });
  again.drop();
  const last = await t.keep({ id: c.clientId, will: will(t) });
  await last.bye();
  (await t.keep({ id: c.clientId })).drop();
  await (await t.keep({ id: c.clientId })).bye();
  await w.silent();
});

norm('MQTT-3.1.2-11', '', 'without a will flag there is no will in the payload', async (t) => {
  await t.malformed(b.connect(4, { payload: Buffer.concat([b.str(t.id()), b.str('a'), b.str('x')]) }));
  await t.malformed(b.connect(4, { id: t.id(), flags: 0x3a }));
});

norm('MQTT-3.1.2-12', '', 'without a will flag nothing is published', async (t) => {
  const w = await watcher(t, `${t.prefix}/#`);
  const c = await t.connect();
  c.drop();
  await (await t.connect({ id: c.clientId })).bye();
  await w.silent();
});

norm('MQTT-3.1.2-13', 'MQTT-3.1.2-11', 'without a will flag the will QoS is 0', async (t) => {
  for (const flags of [0x0a, 0x12, 0x1a]) await t.malformed(b.connect(t.version, { id: t.id(), flags }));
});

norm('MQTT-3.1.2-14', 'MQTT-3.1.2-12', 'the will QoS is 0, 1 or 2, never 3', async (t) => {
  await t.malformed(b.connect(t.version, { id: t.id(), will: will(t, { qos: 3 }) }));
  const w = await watcher(t);
  for (const qos of [0, 1, 2]) {
    (await t.connect({ will: will(t, { qos }) })).drop();
    const m = await w.message();
    assert.equal(m.qos, qos);
    if (qos === 1) w.puback(m);
    if (qos === 2) await w.finish2(m);
  }
});

norm('MQTT-3.1.2-15', 'MQTT-3.1.2-13', 'without a will flag will retain is 0', async (t) => {
  await t.malformed(b.connect(t.version, { id: t.id(), flags: 0x22 }));
});

norm('MQTT-3.1.2-16', 'MQTT-3.1.2-14', 'a will without retain is not kept', async (t) => {
  const w = await watcher(t);
  (await t.connect({ will: will(t) })).drop();
  assert.equal((await w.message()).retain, 0);
  await w.subscribe(t.topic('will'), 0);
  await w.silent();
});

norm('MQTT-3.1.2-17', 'MQTT-3.1.2-15', 'a will with retain is kept', async (t) => {
  const w = await watcher(t);
  (await t.connect({ will: will(t, { retain: true }) })).drop();
  assert.equal((await w.message()).retain, 0);
  const late = await t.connect();
  await late.subscribe(t.topic('will'), 0);
  const m = await late.message();
  assert.equal(m.text, 'gone');
  assert.equal(m.retain, 1);
  await late.publish(t.topic('will'), '', { retain: true });
});

norm('MQTT-3.1.3-1', 'MQTT-3.1.3-1', 'the fields of the payload have one order', async (t) => {
  const w = await watcher(t);
  const none = t.five ? b.u8(0) : Buffer.alloc(0);
  const id = t.id();
  const c = await t.open();
  c.send(b.connect(t.version, { flags: 0xc6, payload: Buffer.concat([b.str(id), none,
    b.str(t.topic('will')), b.str('in order'), b.str('someone'), b.str('secret')]) }));
  assert.equal((await c.next(b.CONNACK)).reason, 0);
  const other = await t.connect({ id });
  assert.equal((await w.message()).text, 'in order');
  await other.silent();
});

norm('', 'MQTT-3.1.3-9', 'who comes back before the delay is over prevents the will', async (t) => {
  const w = await watcher(t);
  const late = will(t, { props: { willDelay: 2 } });
  const c = await t.keep({ will: late });
  c.drop();
  const again = await t.keep({ id: c.clientId });
  assert.equal(again.connack.present, 1);
  // The clock of a second will that nobody prevents tells when the first would have come.
  (await t.keep({ will: { ...late, payload: 'clock' } })).drop();
  assert.equal((await w.message()).text, 'clock');
  await w.silent();
});

norm('', 'MQTT-3.1.2-8', 'a will waits for its delay or the end of the session', async (t) => {
  const w = await watcher(t);
  const begin = Date.now();
  (await t.keep({ will: will(t, { payload: 'delay', props: { willDelay: 2 } }) })).drop();
  await w.silent();
  assert.equal((await w.message()).text, 'delay');
  assert.ok(Date.now() - begin >= 1950);
  const c = await t.keep({ will: will(t, { payload: 'session', props: { willDelay: 300 } }) });
  c.drop();
  await t.connect({ id: c.clientId, clean: true });
  assert.equal((await w.message()).text, 'session');
  (await t.connect({ will: will(t, { payload: 'no session', props: { willDelay: 300 } }) })).drop();
  assert.equal((await w.message()).text, 'no session');
});

norm('', 'MQTT-3.1.3-10', 'user properties of a will keep their order', async (t) => {
  const user = [['b', '1'], ['a', '2'], ['b', '3'], ['', '4']];
  const w = await watcher(t);
  (await t.connect({ will: will(t, { props: { user, format: 1, content: 'text', willDelay: 0,
    response: 'back/to', correlation: 'c' } }) })).drop();
  const m = await w.message();
  assert.deepEqual(m.props, { user, format: 1, content: 'text', response: 'back/to', correlation: Buffer.from('c') });
});

norm('MQTT-3.1.3-10', 'MQTT-3.1.3-11', 'the will topic is UTF-8, and a topic name', async (t) => {
  for (const topic of [Buffer.from('ff', 'hex'), 'a\0', '', 'a/#', '+'])
    await t.malformed(b.connect(t.version, { id: t.id(), will: { topic } }));
});

norm('MQTT-3.14.4-3', 'MQTT-3.14.4-3', 'DISCONNECT without a reason to publish discards the will', async (t) => {
  const w = await watcher(t);
  await (await t.connect({ will: will(t) })).bye();
  if (t.five) await (await t.connect({ will: will(t) })).bye(0);
  await w.silent();
});

norm('MQTT-3.14.4-3', 'MQTT-3.14.4-3', 'a connection that another takes over leaves its will', async (t) => {
  const w = await watcher(t);
  const c = await t.connect({ will: will(t, { payload: 'taken over' }) });
  await t.connect({ id: c.clientId });
  assert.equal((await w.message()).text, 'taken over');
});
