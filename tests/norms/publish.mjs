// tests/norms/publish.mjs: chapter 3.3: PUBLISH: flags, topic, properties, who gets what.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

norm('MQTT-3.3.1-2', 'MQTT-3.3.1-2 MQTT-4.3.1-1', 'QoS 0 is never marked as sent again', async (t) => {
  await t.breaks(b.publish(t.version, t.topic(), 'x', { dup: true }), 0x81, 0x82);
  const c = await t.connect();
  await c.subscribe(t.topic(), 0);
  await c.publish(t.topic(), 'x', { qos: 1, dup: true });
  const m = await c.message();
  assert.deepEqual([m.qos, m.dup], [0, 0]);
});

norm('MQTT-4.3.1-1', '', 'QoS 0 goes out with QoS 0 and without the mark', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 2);
  c.send(b.publish(4, t.topic(), 'x'));
  assert.equal((await c.message()).flags, 0);
});

norm('MQTT-3.3.1-3', 'MQTT-3.3.1-3', 'the mark of a publisher is not passed on', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 2);
  for (const qos of [1, 2]) {
    await c.publish(t.topic(), 'x', { qos, dup: true });
    const m = await c.message();
    assert.deepEqual([m.qos, m.dup], [qos, 0]);
  }
});

norm('MQTT-3.3.1-4', 'MQTT-3.3.1-4', 'QoS 3 ends the connection', async (t) => {
  await t.breaks(b.publish(t.version, t.topic(), 'x', { qos: 3, id: 1 }), 0x81);
});

norm('MQTT-3.3.2-1', 'MQTT-3.3.2-1', 'the topic comes first and is UTF-8', async (t) => {
  await t.breaks(b.publish(t.version, Buffer.from('ff', 'hex')), 0x81, 0x90);
  await t.breaks(b.packet(0x30), 0x81);
  await t.breaks(b.packet(0x30, b.u16(5), Buffer.from('ab')), 0x81);
});

norm('MQTT-3.3.2-2 MQTT-4.7.1-1', 'MQTT-3.3.2-2 MQTT-4.7.0-1', 'a topic name with a wildcard is refused', async (t) => {
  for (const topic of ['a/#', '+', 'a/+/b', 'a+', '#', 'a#b']) {
    const c = await t.connect();
    c.send(b.publish(t.version, topic, 'x', { qos: 1, id: 1 }));
    const came = await c.ends();
    for (const p of came) assert.ok([0x90, 0x81].includes(p.reason), `${p.name} ${p.reason}`);
  }
});

norm('MQTT-3.3.2-3', 'MQTT-3.3.2-3', 'the topic that arrives matches the filter', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic('+/b/#'), 0);
  for (const tail of ['a/b', 'a/b/c/d', 'a/c', 'b', '/b', 'a/B']) await c.publish(t.topic(tail), tail);
  assert.deepEqual((await c.fence()).map((m) => [m.topic, m.text]),
    ['a/b', 'a/b/c/d', '/b'].map((tail) => [t.topic(tail), tail]));
});

norm('', 'MQTT-3.3.2-4 MQTT-3.3.2-15 MQTT-3.3.2-16 MQTT-3.3.2-17 MQTT-3.3.2-18 MQTT-3.3.2-20', 'what describes the message reaches every subscriber unchanged', async (t) => {
  const user = [['z', '1'], ['a', 'ü'], ['z', ''], ['', 'x'], ['z', '1']];
  const given = { format: 1, response: 'answers/here', correlation: Buffer.from([0, 255, 1]), user, content: 'text/plain' };
  const online = await t.connect();
  const offline = await t.keep();
  const aliases = await t.connect({ props: { aliasMax: 5 } });
  for (const c of [online, offline, aliases]) await c.subscribe(t.topic(), 1);
  await offline.bye();
  const p = await t.connect();
  await p.publish(t.topic(), 'x', { qos: 1, props: { ...given, expiry: 100, alias: 3 } });
  await p.publish(t.topic(), 'kept', { qos: 1, retain: true, props: given });
  const late = await t.connect();
  await late.subscribe(t.topic(), 1);
  for (const c of [online, await t.keep({ id: offline.clientId }), aliases, late]) {
    const { expiry, alias, ...rest } = (await c.message()).props;
    assert.deepEqual(rest, given);
    if (c === online) assert.ok(expiry <= 100 && alias === undefined);
  }
  await p.publish(t.topic(), '', { retain: true });
});

norm('', 'MQTT-3.3.2-5 MQTT-3.3.2-6', 'a message expires while it waits; what is left of its time goes with it', async (t) => {
  const c = await t.keep();
  await c.subscribe(t.topic('+'), 1);
  await c.bye();
  const p = await t.connect();
  await p.publish(t.topic('short'), 'x', { qos: 1, props: { expiry: 1 } });
  await p.publish(t.topic('long'), 'x', { qos: 1, props: { expiry: 10000 } });
  await p.publish(t.topic('kept'), 'x', { qos: 1, retain: true, props: { expiry: 1 } });
  await p.subscribe(t.topic('clock'), 0);
  (await t.keep({ will: { topic: t.topic('clock'), props: { willDelay: 2 } } })).drop();
  await p.message();
  const again = await t.keep({ id: c.clientId });
  const came = [await again.message(), ...await again.fence()]; // what waited may come behind an answer to a ping
  assert.deepEqual(came.map((m) => m.topic), [t.topic('long')]);
  const { expiry } = came[0].props;
  assert.ok(expiry >= 5000 && expiry <= 9999, `${expiry} s left`);
  await p.subscribe(t.topic('kept'), 0);
  await p.silent('a retained message expires too');
});

norm('', 'MQTT-3.3.2-7', 'an alias of an earlier connection means nothing', async (t) => {
  const c = await t.keep();
  await c.publish(t.topic(), 'x', { qos: 1, props: { alias: 1 } });
  await c.bye();
  const again = await t.keep({ id: c.clientId });
  again.send(b.publish(5, '', 'x', { props: { alias: 1 } }));
  await again.refused(0x82); // 3.3.2.3.4
});

norm('', 'MQTT-3.3.2-8 MQTT-3.3.2-9 MQTT-3.2.2-17', 'alias 0 and aliases above the maximum end the connection', async (t) => {
  const c = await t.connect();
  const max = c.connack.props.aliasMax;
  for (const alias of [0, max + 1, 65535])
    await t.breaks(b.publish(5, t.topic(), 'x', { props: { alias } }), 0x94);
});

norm('', 'MQTT-3.3.2-12', 'every alias up to the announced maximum is taken, and can be given anew', async (t) => {
  const c = await t.connect();
  const max = c.connack.props.aliasMax;
  assert.ok(max > 0);
  await c.subscribe(`${t.prefix}/#`, 0);
  const check = async (topic, text) => {
    const m = await c.message();
    assert.deepEqual([m.topic, m.text, m.props.alias], [topic, text, undefined]);
  };
  for (let alias = 1; alias <= max; alias++) {
    c.send(b.publish(5, t.topic(alias), 'first', { props: { alias } }), b.publish(5, '', 'second', { props: { alias } }));
    await check(t.topic(alias), 'first');
    await check(t.topic(alias), 'second');
  }
  c.send(b.publish(5, t.topic('new'), 'anew', { props: { alias: 1 } }), b.publish(5, '', 'again', { props: { alias: 1 } }));
  await check(t.topic('new'), 'anew');
  await check(t.topic('new'), 'again');
});

norm('', 'MQTT-3.3.2-13 MQTT-3.3.2-14 MQTT-3.3.2-19', 'response topic and content type are UTF-8, the first without wildcards', async (t) => {
  for (const props of [{ response: Buffer.from('ff', 'hex') }, { response: 'a/+' }, { response: '#' }, { response: 'a\0' },
    { content: Buffer.from('c3', 'hex') }, { content: 'a\0' }])
    await t.breaks(b.publish(5, t.topic(), 'x', { props }), 0x81, 0x82, 0x90);
});

norm('MQTT-3.3.4-1', 'MQTT-3.3.4-1', 'each QoS has its answer', async (t) => {
  const c = await t.connect();
  c.send(b.publish(t.version, t.topic(), 'x'), b.publish(t.version, t.topic(), 'x', { qos: 1, id: 1 }),
    b.publish(t.version, t.topic(), 'x', { qos: 2, id: 2 }));
  assert.deepEqual((await c.fence()).map((p) => [p.name, p.id]), [['PUBACK', 1], ['PUBREC', 2]]);
});

norm('MQTT-3.3.5-1', 'MQTT-3.3.4-2', 'overlapping subscriptions: the highest QoS among them', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic('a/#'), 0);
  await c.subscribe(t.topic('+/b'), 2);
  await c.subscribe(t.topic('a/b'), 1);
  await c.publish(t.topic('a/b'), 'x', { qos: 2 });
  const first = await c.message();
  assert.equal(first.qos, 2);
  await c.finish2(first);
  for (const p of await c.fence()) assert.equal(p.topic, t.topic('a/b'));
});

norm('', 'MQTT-3.3.4-3 MQTT-3.3.4-4 MQTT-3.3.4-5', 'subscription identifiers of all that match go with the message', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic('a/#'), 1, { subId: 1 });
  await c.subscribe(t.topic('+/b'), 0, { subId: 268435455 });
  await c.subscribe(t.topic('a/b'), 1);
  await c.publish(t.topic('a/b'), 'x', { qos: 1 });
  const came = await c.fence();
  const ids = came.flatMap((p) => p.props.subId ?? []).sort((x, y) => x - y);
  assert.deepEqual(ids, [1, 268435455]);
  if (came.length > 1) assert.equal(came.length, 3, 'one copy, or one for each');
  await c.subscribe(t.topic('a/#'), 1, { subId: 77 });
  await c.publish(t.topic('a/other'), 'x', { qos: 1 });
  assert.deepEqual((await c.message()).props.subId, [77], 'the identifier of a renewed subscription');
});

norm('', 'MQTT-3.3.4-6', 'a subscription identifier in the PUBLISH of a client ends its connection', async (t) => {
  const c = await t.connect();
  await c.subscribe(t.topic(), 0);
  for (const subId of [9, [1, 2], 268435455])
    await t.breaks(b.publish(5, t.topic(), 'x', { props: { subId } }), 0x82);
  assert.deepEqual(await c.fence(), []);
});

norm('MQTT-3.3.5-2', '', 'a forbidden publish is acknowledged or ends the connection', async (t) => {
  const c = await t.connect();
  c.send(b.publish(4, '$forbidden', 'x', { qos: 1, id: 5 }));
  await c.wait('an answer', () => c.over || c.inbox.length);
  if (!c.over) assert.equal((await c.next(b.PUBACK)).id, 5);
});
