// tests/norms/auth.mjs: who is let in (3.1.4): users of the process under test.
import assert from 'node:assert/strict';
import { password } from '../e2e/lib.mjs';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

norm('MQTT-3.2.2-4 MQTT-3.2.2-5 MQTT-3.1.4-5', 'MQTT-3.1.4-2 MQTT-3.1.4-6 MQTT-3.2.2-7', 'who does not show that it is who it says is refused, and nothing it sends counts', async (t) => {
  const w = await t.connect();
  await w.subscribe(t.topic(), 0);
  for (const wrong of [{ user: 'admin', password: 'wrong' }, { user: 'admin' }]) {
    const answer = await t.refusal(Buffer.concat([b.connect(t.version, { id: t.id(), ...wrong }),
      b.publish(t.version, t.topic(), 'x')]));
    assert.deepEqual([answer.present, answer.reason], [0, t.five ? 0x86 : 4]);
  }
  await w.silent();
});

norm('MQTT-3.1.4-4', 'MQTT-3.1.4-5', 'the right password lets in; packets sent meanwhile wait for it', async (t) => {
  const c = await t.open();
  c.send(b.connect(t.version, { id: t.id(), user: 'guest', password }), b.subscribe(t.version, 1, [[t.topic(), 0]]),
    b.publish(t.version, t.topic(), 'x'));
  assert.equal((await c.next(b.CONNACK)).reason, 0);
  await c.next(b.SUBACK);
  assert.equal((await c.message()).text, 'x');
});
