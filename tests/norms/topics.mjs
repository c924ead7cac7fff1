// tests/norms/topics.mjs: chapters 4.7 and 4.8 (5.0): names, filters, shared subscriptions.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

// The filter alone: refused in SUBACK, or the packet is malformed.
async function refusedFilter(t, filter) {
  const c = await t.connect();
  c.send(b.subscribe(t.version, 1, [[filter, 0]]));
  await c.wait('an answer', () => c.over || c.inbox.length);
  const p = c.inbox.shift();
  if (!p) return;
  if (p.type === b.SUBACK) assert.ok(p.codes[0] >= 0x80, `${filter} was granted`);
  else assert.ok([0x81, 0x82, 0x8f].includes(p.reason), `${p.name} ${p.reason}`);
}

// What of `names` a filter lets through.
async function through(t, filter, names) {
  const c = await t.connect();
  await c.subscribe(t.topic(filter), 0);
  for (const name of names) await c.publish(t.topic(name), name);
  return (await c.fence()).map((m) => m.text);
}

norm('MQTT-4.7.1-2', 'MQTT-4.7.1-1', '# stands alone or behind a slash, at the end', async (t) => {
  for (const filter of ['a#', 'a/#/b', '#/a', 'a/b#', '##', 'a/#b']) await refusedFilter(t, filter);
  assert.deepEqual(await through(t, 'a/#', ['a', 'a/', 'a/b', 'a/b/c', 'ab', 'b']), ['a', 'a/', 'a/b', 'a/b/c']);
});

norm('MQTT-4.7.1-3', 'MQTT-4.7.1-2', '+ is a whole level, anywhere', async (t) => {
  for (const filter of ['a+', '+a', 'a/+b', 'a/b+/c', '++']) await refusedFilter(t, filter);
  assert.deepEqual(await through(t, '+/b/+', ['a/b/c', '/b/', 'a/b', 'a/b/c/d', 'b/c']), ['a/b/c', '/b/']);
  assert.deepEqual(await through(t, '+', ['x', '', 'x/y', '/']), ['x', '']);
});

norm('MQTT-4.7.3-1', 'MQTT-4.7.3-1', 'names and filters have at least one character', async (t) => {
  await t.breaks(b.publish(t.version, ''), 0x81, 0x82, 0x90);
  await t.breaks(b.subscribe(t.version, 1, [['', 0]]), 0x81, 0x82, 0x8f);
  await t.breaks(b.unsubscribe(t.version, 1, ['']), 0x81, 0x82, 0x8f);
});

norm('MQTT-4.7.3-3', 'MQTT-4.7.3-3', 'names and filters are at most 65535 bytes; the broker takes 4096 and says so', async (t) => {
  const c = await t.connect();
  const long = `${t.topic()}/`.padEnd(4096, 'x');
  await c.subscribe(long, 0);
  await c.publish(long, 'x');
  assert.equal((await c.message()).topic, long);
  c.send(b.subscribe(t.version, 9, [['y'.repeat(65535), 0]]));
  assert.ok((await c.next(b.SUBACK)).codes[0] >= 0x80);
  await t.breaks(b.publish(t.version, 'y'.repeat(65535), 'x'), 0x90);
});

norm('MQTT-4.7.3-3', 'MQTT-4.7.3-3', 'names and filters have 256 levels at most', async (t) => {
  const c = await t.connect();
  const deep = (levels) => t.topic().padEnd(levels - t.topic().split('/').length + t.topic().length, '/');
  await c.subscribe(deep(256), 0);
  await c.publish(deep(256), 'x');
  assert.equal((await c.message()).topic, deep(256));
  c.send(b.subscribe(t.version, 9, [[deep(257), 0]]));
  assert.ok((await c.next(b.SUBACK)).codes[0] >= 0x80);
  await t.breaks(b.publish(t.version, deep(257), 'x'), 0x90);
});

norm('MQTT-4.7.3-4', 'MQTT-4.7.3-4', 'names are compared as they are, byte for byte', async (t) => {
  const names = ['é', 'e\u0301', 'Ａ', 'A', 'a', 'a ', ' a', 'a//b', 'a/b', 'a/', '/a', 'a/../b', 'a/./b', '%61', 'ß', 'ss'];
  for (const name of names) assert.deepEqual(await through(t, name, names), [name]);
});

norm('', 'MQTT-4.8.2-1 MQTT-4.8.2-2', 'a shared filter is $share, a name of a character or more, a filter', async (t) => {
  for (const filter of ['$share/', '$share/g', '$share//a', '$share/g/', '$share/+/a', '$share/g#/a', '$share/a+b/a', '$share/g/a#'])
    await refusedFilter(t, filter);
  const c = await t.connect();
  await c.subscribe(`$share/g é/${t.topic()}/+`, 0);
  await c.publish(t.topic('t/x'), 'x');
  assert.equal((await c.message()).text, 'x');
});

norm('', 'MQTT-4.8.2-3', 'each member of a group has the QoS that was granted to it; they take turns as they came', async (t) => {
  const subs = [await t.connect(), await t.connect(), await t.connect()];
  for (const [qos, c] of subs.entries()) await c.subscribe(`$share/g/${t.topic()}`, qos);
  const p = await t.connect();
  for (let i = 0; i < 12; i++) await p.publish(t.topic(), `${i}`, { qos: 2 });
  let all = 0;
  for (const [qos, c] of subs.entries()) {
    const came = await c.fence();
    assert.deepEqual(came.map((m) => Number(m.text)), [0, 1, 2, 3].map((i) => 3 * i + qos), 'each has its turn');
    for (const m of came) assert.equal(m.qos, qos);
    all += came.length;
  }
  assert.equal(all, 12, 'each message goes to one of them');
});

const openShared = async (t, qos = 2) => {
  const one = await t.keep(), two = await t.keep(), topic = t.topic(`qos${qos}`);
  for (const c of [one, two]) await c.subscribe(`$share/g/${topic}`, 2);
  await (await t.connect()).publish(topic, 'x', { qos });
  await one.fence().then((came) => (one.got = came));
  await two.fence().then((came) => (two.got = came));
  assert.equal(one.got.length + two.got.length, 1);
  return one.got.length ? [one, two] : [two, one];
};

norm('', 'MQTT-4.8.2-4', 'an open QoS 2 message waits for its member', async (t) => {
  const [mine, other] = await openShared(t);
  mine.drop();
  await other.silent();
  const again = await t.keep({ id: mine.clientId });
  const m = await again.message();
  assert.equal(m.id, mine.got[0].id);
  await again.finish2(m);
  await other.silent();
});

norm('', 'MQTT-4.8.2-5', 'when the session of its member ends, nobody else gets it', async (t) => {
  const [mine, other] = await openShared(t);
  mine.drop();
  await t.connect({ id: mine.clientId, clean: true });
  await other.silent();
});

norm('', 'MQTT-4.8.2-6', 'a message that a member refuses is not given to another', async (t) => {
  for (const [qos, type] of [[1, b.PUBACK], [2, b.PUBREC]]) {
    const [mine, other] = await openShared(t, qos);
    mine.send(b.ack(5, type, mine.got[0].id, 0x80));
    await mine.silent();
    await other.silent();
  }
});

norm('MQTT-4.7.2-1', 'MQTT-4.7.2-1', 'names that start with $ match no filter that starts with a wildcard', async (t) => {
  const c = await t.connect();
  for (const filter of ['#', '+/#', '+/broker/uptime', '+/broker/connection/+/state']) await c.subscribe(filter, 0);
  const sys = await t.connect();
  const state = `$SYS/broker/connection/${t.id()}/state`; // clients may publish it
  await sys.subscribe(state, 0);
  await sys.publish(state, '1', { qos: 1 });
  assert.equal((await sys.pick(b.PUBLISH)).topic, state);
  await sys.unsubscribe(state);
  await sys.subscribe('$SYS/#', 0);
  const m = await sys.message();
  assert.ok(m.topic.startsWith('$SYS/'), m.topic);
  // Two rounds of these topics pass while the first client listens.
  for (let seen = 0; seen < 2;) seen += (await sys.message()).topic === '$SYS/broker/uptime';
  for (const p of await c.fence()) assert.ok(!p.topic.startsWith('$'), p.topic);
});

