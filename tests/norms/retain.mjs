// tests/norms/retain.mjs: chapter 3.3.1.3: retained messages.
import assert from 'node:assert/strict';
import { norm } from './bed.mjs';

const kept = async (t, topic, options = 0) => {
  const c = await t.connect();
  await c.subscribe(topic, options);
  return (await c.fence()).map((m) => [m.topic, m.text, m.retain, m.qos]);
};
const clear = async (t, ...topics) => {
  const c = await t.connect();
  for (const topic of topics) await c.publish(topic, '', { retain: true });
};

norm('MQTT-3.3.1-5 MQTT-3.3.1-6 MQTT-3.3.1-8', 'MQTT-3.3.1-5 MQTT-3.3.1-9', 'the last retained message of each topic waits for new subscribers', async (t) => {
  const p = await t.connect();
  for (const qos of [0, 1, 2]) {
    await p.publish(t.topic(`q${qos}`), 'old', { qos, retain: true });
    await p.publish(t.topic(`q${qos}`), 'new', { qos, retain: true });
  }
  assert.deepEqual((await kept(t, t.topic('#'), 2)).sort(),
    [0, 1, 2].map((qos) => [t.topic(`q${qos}`), 'new', 1, qos]));
  await clear(t, t.topic('q0'), t.topic('q1'), t.topic('q2'));
});

norm('MQTT-3.3.1-7', '', 'a retained message of QoS 0 replaces the one before', async (t) => {
  const p = await t.connect();
  await p.publish(t.topic(), 'one', { qos: 1, retain: true });
  await p.publish(t.topic(), 'zero', { retain: true });
  assert.deepEqual(await kept(t, t.topic(), 1), [[t.topic(), 'zero', 1, 0]]);
  await clear(t, t.topic());
});

norm('MQTT-3.3.1-9', 'MQTT-3.3.1-12', 'a standing subscription gets it without the flag', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 1);
  await c.publish(t.topic(), 'x', { qos: 1, retain: true });
  assert.equal((await c.message()).retain, 0);
  await clear(t, t.topic());
});

norm('', 'MQTT-3.3.1-13', 'Retain As Published passes the flag on as it was', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 8);
  await c.publish(t.topic(), 'x', { retain: true });
  await c.publish(t.topic(), 'y');
  assert.deepEqual([(await c.message()).retain, (await c.message()).retain], [1, 0]);
  await clear(t, t.topic());
});

norm('MQTT-3.3.1-10 MQTT-3.3.1-11', 'MQTT-3.3.1-6 MQTT-3.3.1-7', 'an empty one is delivered, removes the retained one and is not kept', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 0);
  await c.publish(t.topic(), 'kept', { retain: true });
  await c.publish(t.topic(), '', { retain: true });
  assert.deepEqual((await c.fence()).map((m) => m.text), ['kept', '']);
  assert.deepEqual(await kept(t, t.topic()), []);
});

norm('MQTT-3.3.1-12', 'MQTT-3.3.1-8', 'a message without the flag leaves the retained one alone', async (t) => {
  const p = await t.connect();
  await p.publish(t.topic(), 'kept', { retain: true });
  await p.publish(t.topic(), 'passes by');
  await p.publish(t.topic(), '');
  await p.publish(t.topic('other'), 'passes by');
  assert.deepEqual(await kept(t, t.topic()), [[t.topic(), 'kept', 1, 0]]);
  assert.deepEqual(await kept(t, t.topic('other')), []);
  await clear(t, t.topic());
});

norm('', 'MQTT-3.3.1-9 MQTT-3.3.1-10 MQTT-3.3.1-11', 'Retain Handling says when retained messages are sent', async (t) => {
  const p = await t.connect();
  await p.publish(t.topic(), 'kept', { retain: true });
  const c = await t.connect();
  const comes = async (handling) => {
    await c.subscribe(t.topic(), handling << 4);
    return (await c.fence()).length;
  };
  assert.equal(await comes(2), 0);
  assert.equal(await comes(1), 0, 'the subscription was there');
  assert.equal(await comes(0), 1);
  await c.unsubscribe(t.topic());
  assert.equal(await comes(1), 1, 'it was new');
  assert.equal(await comes(0), 1, 'always');
  await clear(t, t.topic());
});
