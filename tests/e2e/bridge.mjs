// tests/e2e/bridge.mjs: bridges between a whole Tutti process and other brokers: Mosquitto, and a second
// Tutti where the other side has to survive kill -9 with all that it acknowledged.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { check, folder, freePort, Publisher, run, skip, test, Tutti, until } from './lib.mjs';
import { client, connected, gone, has_mosquitto, Mosquitto, plainly, put, state } from './bridge_peer.mjs';

const need_mosquitto = () => has_mosquitto || skip('mosquitto is not installed');
const versions = ['5.0', '3.1.1'];
const texts = (c) => c.got.map((g) => `${g.topic} ${g.text}`);
const there = (m, more) => ({ name: 'm', host: '127.0.0.1', port: m.port ?? m.mqtt, ...more });
const down = async (...all) => {
  for (const one of all) await one.kill('SIGTERM');
};
const same = (got, want, what) =>
  check(JSON.stringify(got) === JSON.stringify(want), `${what}: ${JSON.stringify(got)} and not ${JSON.stringify(want)}`);
// Everything that was under way is there: a last message on the same way has come.
async function settled(from, to, topic, qos = 1) {
  const mark = `end ${Math.random()}`;
  await from.publishAsync(topic, mark, { qos });
  await until('the last one came', () => to.got.some((g) => g.text === mark));
  to.got = to.got.filter((g) => g.text !== mark);
  from.got = from.got.filter((g) => g.text !== mark);
}

for (const version of versions)
  test(`both ways, all QoS, prefixes, nothing comes back, ${version}`, async () => {
    need_mosquitto();
    const m = await Mosquitto.new();
    const t = await Tutti.new();
    await put(t, there(m, {
      version,
      topics: [
        { direction: 'both', filter: 'a/#', qos: 2 },
        { direction: 'out', filter: '+/up', local_prefix: 'site/', remote_prefix: 'plant/7/', qos: 1 },
        { direction: 'in', filter: 'set/#', local_prefix: 'from/', remote_prefix: 'plant/7/', qos: 0 }],
    }));
    await connected(t, 'm');
    const far = await client(m.port), near = await client(t.mqtt);
    await far.subscribeAsync('#', { qos: 2 });
    await near.subscribeAsync('#', { qos: 2 });
    for (const qos of [0, 1, 2]) {
      await near.publishAsync(`a/near${qos}`, 'x', { qos });
      await far.publishAsync(`a/far${qos}`, 'x', { qos });
      await near.publishAsync(`site/p${qos}/up`, 'x', { qos });
      await far.publishAsync(`plant/7/set/${qos}`, 'x', { qos });
      await near.publishAsync(`site/p${qos}/down`, 'x', { qos });
    }
    await settled(near, far, 'a/end');
    await settled(far, near, 'a/end');
    const list = (c) => c.got.map((g) => `${g.topic} ${g.packet.qos}`).filter((s) => !s.startsWith('a/end')).sort();
    same(list(far), [
      'a/far0 0', 'a/far1 1', 'a/far2 2', 'a/near0 0', 'a/near1 1', 'a/near2 2', 'plant/7/p0/up 0', 'plant/7/p1/up 1',
      'plant/7/p2/up 1', 'plant/7/set/0 0', 'plant/7/set/1 1', 'plant/7/set/2 2'], 'there');
    same(list(near), [
      'a/far0 0', 'a/far1 1', 'a/far2 2', 'a/near0 0', 'a/near1 1', 'a/near2 2', 'from/set/0 0', 'from/set/1 0', 'from/set/2 0',
      'site/p0/down 0', 'site/p0/up 0', 'site/p1/down 1', 'site/p1/up 1', 'site/p2/down 2', 'site/p2/up 2'], 'here');
    // Counted when it is acknowledged, which may be after it has come.
    const s = await until('counted', async () => {
      const now = await state(t, 'm');
      return now.sent >= 7 && now.received >= 7 && now.round_trip_ms > 0 && now;
    });
    check(s.sent === 7 && s.received === 7, `sent ${s.sent}, received ${s.received}`);
    check(s.since_ms > 1e12 && s.connects === 1, JSON.stringify(s));
    await down(t, m);
  });

test('a 3.1.1 broker that knows no bridges: what goes out does not come back', async () => {
  const far_t = await Tutti.new(), t = await Tutti.new();
  await put(t, there(await plainly(far_t.mqtt), { version: '3.1.1', topics: [{ direction: 'both', filter: 'a/#', qos: 1 }] }));
  await connected(t, 'm');
  const near = await client(t.mqtt), far = await client(far_t.mqtt);
  await near.subscribeAsync('a/#', { qos: 1 });
  for (let i = 0; i < 50; i++) {
    await near.publishAsync('a/x', `${i % 3}`, { qos: 1 });
    await far.publishAsync('a/y', `${i % 3}`, { qos: 1 });
  }
  await settled(far, near, 'a/z');
  same([near.got.filter((g) => g.topic === 'a/x').length, near.got.filter((g) => g.topic === 'a/y').length], [50, 50], 'here');
  await until('they came back and were not taken', async () => (await state(t, 'm')).dropped.loop >= 50);
  await down(t, far_t);
});

for (const version of ['mqttv311', 'mqttv50'])
  test(`a Mosquitto that is bridged to this broker, as it comes: nothing comes back, ${version}`, async () => {
    need_mosquitto();
    const t = await Tutti.new();
    const here = await client(t.mqtt);
    await here.subscribeAsync('$SYS/broker/connection/#', { qos: 1 });
    const m = await Mosquitto.new(['connection b', `address 127.0.0.1:${t.mqtt}`, `bridge_protocol_version ${version}`,
      'remote_clientid plant', 'topic a/# both 1']);
    const said = (text) => until(`its state is ${text}`, () => here.got.at(-1)?.text === text);
    await said('1');
    same(here.got.map((g) => g.topic), ['$SYS/broker/connection/plant/state'], 'where it says so');
    here.got = [];
    const there_ = await client(m.port);
    await there_.subscribeAsync('a/#', { qos: 1 });
    await here.subscribeAsync('a/#', { qos: 1, rap: true });
    for (let i = 0; i < 10; i++) {
      await here.publishAsync('a/here', `${i}`, { qos: 1 });
      await there_.publishAsync('a/there', `${i}`, { qos: 1, retain: i === 0 });
    }
    await settled(here, there_, 'a/z');
    await settled(there_, here, 'a/z');
    for (const c of [here, there_]) same([c.got.length, new Set(texts(c)).size], [20, 20], 'each once');
    check(here.got.some((g) => g.topic === 'a/there' && g.packet.retain), 'the retain flag goes along');
    await m.kill('SIGKILL');
    await said('0');
    await down(t);
  });

// It takes 20 messages of QoS 2 at once when nothing else is set, cannot say so in 3.1.1, and closes at one more.
for (const whose of ['our bridge', 'its bridge'])
  test(`a burst of QoS 2 by 3.1.1 to a Mosquitto with its presets, each exactly once: ${whose}`, async () => {
    need_mosquitto();
    const t = await Tutti.new();
    const m = await Mosquitto.new(whose === 'our bridge' ? [] : ['connection b', `address 127.0.0.1:${t.mqtt}`,
      'bridge_protocol_version mqttv311', 'topic n/# in 2', 'notifications false', 'restart_timeout 1']);
    const far = await client(m.port), near = await client(t.mqtt, { version: 4 }), count = 1000;
    if (whose === 'our bridge') {
      await put(t, there(m, { version: '3.1.1', topics: [{ direction: 'out', filter: 'n/#', qos: 2 }] }));
      await connected(t, 'm');
    }
    await far.subscribeAsync('#', { qos: 2 });
    await until('it is bridged', async () => {
      await near.publishAsync('n/first', '', { qos: 2 });
      return far.got.length > 0;
    });
    await Promise.all(Array.from({ length: count }, (_, i) => near.publishAsync('n/x', String(i), { qos: 2 })));
    await near.publishAsync('n/end', '', { qos: 2 });
    await until('the last one', () => far.got.some((g) => g.topic === 'n/end'));
    same(far.got.filter((g) => g.topic === 'n/x').map((g) => g.text), Array.from({ length: count }, (_, i) => String(i)), 'there');
    check(far.got.every((g) => g.packet.qos === 2), 'as QoS 2');
    await Promise.all([gone(far), gone(near)]);
    await down(t, m);
  });

test('the state of a Mosquitto is for those who may write, or have a rule', async () => {
  const t = await Tutti.new();
  const topic = '$SYS/broker/connection/x/state';
  const rules = async (...list) => {
    const { version } = await t.get('authz/rules');
    const { status } = await t.call('PUT', 'authz/rules', { version, rules: list });
    check(status === 200, `rules: ${status}`);
  };
  const c = await client(t.mqtt);
  const code = (where) => c.publishAsync(where, '1', { qos: 1 }).then(() => 0, (e) => e.code);
  check((await code(topic)) !== 0x87, 'whoever may write all');
  for (const other of ['$SYS/broker/uptime', '$SYS/broker/connection//state', '$SYS/broker/connection/x/y/state', '$SYS/broker/connection/x/stat'])
    check((await code(other)) === 0x87, other);
  await rules({ who: 'anonymous', may: 'read write', path: 'plant/#' });
  await until('the rules hold', async () => (await code(topic)) === 0x87);
  await rules({ who: 'anonymous', may: 'write', path: '$SYS/broker/connection/+/state' });
  await until('the rule holds', async () => (await code(topic)) !== 0x87);
  await down(t);
});

test('properties of MQTT 5.0 come over, the expiry interval counted down', async () => {
  need_mosquitto();
  const m = await Mosquitto.new(['max_topic_alias 10']);
  const t = await Tutti.new();
  await put(t, there(m, { enabled: false, topics: [{ direction: 'both', filter: 'a/#', qos: 1 }] }));
  const near = await client(t.mqtt), far = await client(m.port);
  await near.subscribeAsync('a/far', { qos: 1 });
  await far.subscribeAsync('a/near', { qos: 1 });
  const properties = {
    payloadFormatIndicator: true, contentType: 'text/plain', responseTopic: 'a/answer', correlationData: Buffer.from([1, 0, 2]),
    userProperties: { unit: 'bar', who: ['x', 'y'] }, messageExpiryInterval: 100 };
  const same_properties = (got, more) => {
    const { messageExpiryInterval, userProperties, ...rest } = got;
    const { messageExpiryInterval: a, userProperties: b, ...want } = properties;
    same(JSON.stringify(rest, Object.keys(rest).sort()), JSON.stringify(want, Object.keys(want).sort()), 'properties');
    same({ ...userProperties }, { ...b, ...more }, 'user properties');
    check(messageExpiryInterval <= a && messageExpiryInterval > 0, `expires in ${messageExpiryInterval}`);
    return messageExpiryInterval;
  };
  for (let i = 0; i < 5; i++) await near.publishAsync('a/near', `n${i}`, { qos: 1, properties });
  await until('a second passed', () => new Promise((r) => setTimeout(() => r(true), 1100)));
  const { status } = await t.call('POST', 'bridges/m/enable', { enabled: true });
  check(status === 200, `enable: ${status}`);
  await connected(t, 'm');
  await far.publishAsync('a/far', 'f', { qos: 1, properties });
  await until('both', () => near.got.length === 1 && far.got.length === 5);
  const { id } = await t.get('bridges');
  check(same_properties(far.got[4].packet.properties, { 'tutti-via': id }) < 100, 'it was not counted down while it waited');
  same_properties(near.got[0].packet.properties, {});
  await put(t, there(m, { mark: false, topics: [{ direction: 'out', filter: 'a/near', qos: 1 }] }));
  await connected(t, 'm');
  await near.publishAsync('a/near', 'bare', { qos: 1 });
  await until('bare', () => far.got.length === 6);
  check(!far.got[5].packet.properties?.userProperties, 'no mark was wanted');
  await down(t, m);
});

test('retained messages: what is there goes over once, what is new as retained, an end ends', async () => {
  need_mosquitto();
  const m = await Mosquitto.new();
  const t = await Tutti.new();
  const near = await client(t.mqtt), far = await client(m.port);
  await near.publishAsync('out/old', '1', { qos: 1, retain: true });
  await near.publishAsync('out/zero', '0', { qos: 0, retain: true });
  await near.publishAsync('never/old', '1', { qos: 1, retain: true });
  await far.publishAsync('in/old', '2', { qos: 1, retain: true });
  await put(t, there(m, {
    topics: [
      { direction: 'out', filter: 'out/#', qos: 1 }, { direction: 'in', filter: 'in/#', qos: 1 },
      { direction: 'out', filter: 'never/#', qos: 1, retain: 'never' }],
  }));
  await connected(t, 'm');
  const stored = async (port, filter) => {
    const c = await client(port);
    await c.subscribeAsync(filter, { qos: 1 });
    await c.subscribeAsync('none', { qos: 0 });
    await c.publishAsync('none', 'end');
    await until('end', () => c.got.some((g) => g.text === 'end'));
    const got = c.got.filter((g) => g.packet.retain).map((g) => `${g.topic} ${g.text}`).sort();
    await gone(c);
    return got.join();
  };
  await until('over', async () => (await stored(m.port, '#')).includes('out/old 1') && (await stored(t.mqtt, 'in/#')) !== '');
  await near.publishAsync('out/new', '3', { qos: 1, retain: true });
  await near.publishAsync('never/new', '3', { qos: 1, retain: true });
  await far.publishAsync('in/new', '4', { qos: 1, retain: true });
  await until('in/new', async () => (await stored(t.mqtt, 'in/#')) === 'in/new 4,in/old 2');
  await until('out/new', async () => (await stored(m.port, '#')) === 'in/new 4,in/old 2,never/new 3,out/new 3,out/old 1,out/zero 0');
  await near.publishAsync('out/old', '', { qos: 1, retain: true });
  await far.publishAsync('in/old', '', { qos: 1, retain: true });
  await until('ended there', async () => !(await stored(m.port, '#')).includes('out/old'));
  await until('ended here', async () => (await stored(t.mqtt, 'in/#')) === 'in/new 4');
  await down(t, m);
});

// Numbers per topic; `last` of each, and how often each came.
class Numbers {
  constructor() {
    this.count = new Map();
    this.last = new Map();
    this.disorder = 0;
  }

  take(topic, text) {
    const key = `${topic} ${text}`;
    const times = this.count.get(key) ?? 0;
    this.count.set(key, times + 1);
    if (times) return;
    const number = Number(text);
    if (number < (this.last.get(topic) ?? -1)) this.disorder++;
    this.last.set(topic, number);
  }

  get twice() {
    return [...this.count.values()].reduce((sum, n) => sum + n - 1, 0);
  }
}

function counting(c) {
  const numbers = new Numbers();
  c.removeAllListeners('message');
  c.on('message', (topic, payload) => numbers.take(topic, payload.toString()));
  return numbers;
}

test('100,000 messages wait on the disk, survive kill -9, and go over in order', async () => {
  need_mosquitto();
  const total = Number(process.env.BRIDGE_MESSAGES ?? 100000), topics = 10;
  const port = await freePort();
  const t = await Tutti.new();
  await put(t, there({ port }, { version: '5.0', topics: [{ direction: 'out', filter: 'n/#', qos: 1 }] }));
  const pubs = [];
  for (let i = 0; i < topics; i++) {
    const pub = new Publisher(t.mqtt, `n/${i}`, (n) => String(n), 200);
    pub.limit = total / topics;
    pubs.push(await pub.connect());
  }
  pubs.forEach((p) => p.fill());
  await until('all are acknowledged', () => pubs.every((p) => p.acked.size === total / topics), 300000);
  let s = await until('the error says why, and when it tries again', async () => {
    const now = await state(t, 'm'); // in the middle of a try there is no next one
    return /refused/.test(now.error) && now.next_try_ms > 0 && now;
  });
  check(s.queued === total && s.state !== 'connected', `${s.queued} wait, ${s.state}`);
  check((await t.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await t.up();
  s = await state(t, 'm');
  check(s.queued === total, `${s.queued} are there after the kill`);
  await t.call('POST', 'bridges/m/enable', { enabled: false }); // until somebody listens there
  const m = await Mosquitto.new([], { port });
  const far = await client(port);
  const numbers = counting(far);
  await far.subscribeAsync('n/#', { qos: 1 });
  await t.call('POST', 'bridges/m/enable', { enabled: true });
  const begin = performance.now();
  await until('all are there', () => numbers.count.size === total, 300000).catch(async (e) => {
    throw new Error(`${e.message}: ${numbers.count.size}, ${JSON.stringify(await state(t, 'm'))} ${m.child.out.slice(-500)}`);
  });
  console.log(`      ${total} went over within ${Math.round(performance.now() - begin)} ms, ${numbers.twice} twice`);
  check(numbers.disorder === 0, `${numbers.disorder} came out of order`);
  check(numbers.twice === 0, `${numbers.twice} came twice without a loss of the connection`);
  await until('none waits', async () => (await state(t, 'm')).queued === 0);
  await down(t, m);
});

// Who is killed, while numbers go both ways. `qos` 2: each exactly once.
async function kills(qos, who, version) {
  const far_t = await Tutti.new(), t = await Tutti.new();
  await put(t, there(far_t, {
    version, topics: [{ direction: 'out', filter: 'n/#', qos }, { direction: 'in', filter: 'f/#', qos }],
  }));
  await connected(t, 'm');
  const sides = { near: t, far: far_t };
  const reader = async (side, filter) => {
    const c = await client(side.mqtt, { id: 'reader', clean: false });
    await c.subscribeAsync(filter, { qos });
    return c;
  };
  // Durable readers, away meanwhile: what their broker has for them is read at the end.
  await gone(await reader(far_t, 'n/#'));
  await gone(await reader(t, 'f/#'));
  // Publishers of QoS 2 are npm's mqtt, which goes on with what it has stored.
  const writer = (side, topic) => {
    const w = { topic, next: 0, done: 0, stop: false };
    w.loop = (async () => {
      let c = null, store = {};
      const open = async () => {
        for (;;) {
          try {
            c = await client(side.mqtt, { id: `w-${topic}`, clean: false, ...store });
            store = { incomingStore: c.incomingStore, outgoingStore: c.outgoingStore };
            c.options.reconnectPeriod = 0;
            return;
          } catch {
            await new Promise((r) => setTimeout(r, 50));
          }
        }
      };
      await open();
      while (!w.stop) {
        if (!c.connected) await open();
        const n = w.next++;
        for (;;) {
          const ok = await Promise.race([
            c.publishAsync(topic, String(n), { qos }).then(() => true, () => false),
            new Promise((r) => c.once('close', () => r(false)))]);
          if (ok) break;
          // The exchange goes on in the client's store; it ends there.
          await open();
          if (qos === 2 || c.outgoingStore._inflights?.size) await until('its store is empty', () => !c.outgoingStore._inflights.size || !c.connected);
          if (c.connected) break;
        }
        w.done = n + 1;
      }
      await gone(c);
    })();
    return w;
  };
  const writers = [writer(t, 'n/x'), writer(far_t, 'f/x')];
  for (let round = 0; round < 3; round++) {
    const goal = writers.map((w) => w.done + 100);
    await until('some went', () => writers.every((w, i) => w.done >= goal[i]), 120000);
    check((await sides[who].kill('SIGKILL')) === 'SIGKILL', 'killed');
    await sides[who].up();
  }
  writers.forEach((w) => (w.stop = true));
  await Promise.all(writers.map((w) => w.loop));
  await t.call('POST', 'bridges/m/enable', { enabled: true }); // not to wait for the back-off
  await connected(t, 'm');
  const ends = [[far_t, 'n/#', writers[0]], [t, 'f/#', writers[1]]];
  for (const [side, filter, w] of ends) {
    const c = await client(side.mqtt, { id: 'reader', clean: false });
    const numbers = new Numbers();
    const read = () => c.got.splice(0).forEach((g) => numbers.take(g.topic, g.text));
    await until(`all of ${filter}`, () => (read(), numbers.count.size >= w.next), 120000).catch((e) => {
      throw new Error(`${e.message}: ${numbers.count.size} of ${w.next}`);
    });
    await until('none waits', async () => (await state(t, 'm')).queued === 0);
    read();
    console.log(`      ${filter}: ${w.next} numbers over 3 kills, ${numbers.twice} twice`);
    check(numbers.count.size === w.next, `${numbers.count.size} of ${w.next}`);
    check(qos < 2 || numbers.twice === 0, `${numbers.twice} came twice with QoS 2`);
    await gone(c);
  }
  await down(t, far_t);
}
for (const version of versions) {
  test(`the other broker is killed: QoS 1, none lost, ${version}`, () => kills(1, 'far', version));
  test(`the other broker is killed: QoS 2, each exactly once, ${version}`, () => kills(2, 'far', version));
  test(`our broker is killed: QoS 1, none lost, ${version}`, () => kills(1, 'near', version));
  test(`our broker is killed: QoS 2, each exactly once, ${version}`, () => kills(2, 'near', version));
}

test('a full buffer: the oldest give way, the newest are not taken, or the publisher is told', async () => {
  const port = await freePort();
  const t = await Tutti.new();
  const near = await client(t.mqtt);
  const total = 3000, filler = 'x'.repeat(200);
  for (const buffer_policy of ['drop_oldest', 'drop_newest', 'refuse']) {
    await put(t, there({ port }, { buffer_policy, buffer_bytes: 200000, topics: [{ direction: 'out', filter: 'n/#', qos: 1 }] }));
    let refused = 0;
    const done = [];
    for (let i = 0; i < total; i++) {
      done.push(near.publishAsync('n/x', `${i} ${filler}`, { qos: 1 }).catch((e) => (refused += e.code === 0x97)));
      if (done.length === 200) await Promise.all(done.splice(0));
    }
    await Promise.all(done);
    const s = await until('at its bound', async () => {
      const now = await state(t, 'm');
      return now.queued_bytes <= 200000 + 1000 && now;
    });
    const dropped = s.dropped.oldest + s.dropped.newest;
    check(s.queued > 300 && s.queued + dropped + refused === total, `${buffer_policy}: ${JSON.stringify(s)}, ${refused} refused`);
    check((buffer_policy === 'refuse') === refused > 0, `${buffer_policy}: ${refused} refused`);
    check((buffer_policy === 'drop_oldest') === s.dropped.oldest > 0, `${buffer_policy}: ${JSON.stringify(s.dropped)}`);
    check((buffer_policy === 'drop_newest') === s.dropped.newest > 0, `${buffer_policy}: ${JSON.stringify(s.dropped)}`);
    const far_t = await Tutti.new();
    const far = await client(far_t.mqtt);
    await far.subscribeAsync('n/#', { qos: 1 });
    await put(t, there(far_t, { buffer_policy, buffer_bytes: 200000, topics: [{ direction: 'out', filter: 'n/#', qos: 1 }] }));
    await until('it is empty', async () => (await state(t, 'm')).queued === 0 && far.got.length >= s.queued);
    const numbers = far.got.map((g) => Number(g.text.split(' ')[0]));
    check(numbers.length === s.queued && numbers.every((n, i) => !i || n > numbers[i - 1]), `${buffer_policy}: ${numbers.length} came of ${s.queued}`);
    check(buffer_policy !== 'drop_oldest' || numbers.at(-1) === total - 1, `the last is ${numbers.at(-1)}`);
    check(buffer_policy === 'drop_oldest' || numbers[0] === 0, `the first is ${numbers[0]}`);
    await gone(far);
    await down(far_t);
    await t.call('DELETE', 'bridges/m');
  }
  await down(t);
});

test('what waits too long is dropped, and counted', async () => {
  const port = await freePort();
  const t = await Tutti.new();
  await put(t, there({ port }, { buffer_age_s: 1, topics: [{ direction: 'out', filter: 'n/#', qos: 1 }] }));
  const near = await client(t.mqtt);
  for (let i = 0; i < 20; i++) await near.publishAsync('n/x', String(i), { qos: 1 });
  await near.publishAsync('n/x', 'zero', { qos: 0 });
  const s = await until('all are gone', async () => {
    const now = await state(t, 'm');
    return now.queued === 0 && now;
  });
  check(s.dropped.age === 20 && s.dropped.away === 1, JSON.stringify(s.dropped));
  await down(t);
});

function certificates(dir) {
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const ca = (name) => openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`);
  const sign = (name, extra) => {
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, ...extra);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-out', `${name}.pem`, ...(extra.length ? ['-copy_extensions', 'copy'] : []));
  };
  ca('ca');
  ca('other');
  sign('server', ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']);
  sign('elsewhere', ['-addext', 'subjectAltName=IP:192.0.2.1,DNS:elsewhere.example']);
  sign('device', []);
  return (name) => path.join(dir, name);
}

test('TLS with a client certificate; a wrong authority, a wrong name and a missing file are said', async () => {
  need_mosquitto();
  const at = certificates(folder());
  const secured = (name) => Mosquitto.new([`cafile ${at('ca.pem')}`, `certfile ${at(`${name}.pem`)}`, `keyfile ${at(`${name}.key`)}`, 'require_certificate true']);
  const m = await secured('server'), elsewhere = await secured('elsewhere');
  const t = await Tutti.new();
  const conf = (more) => there(m, {
    tls: true, ca_file: at('ca.pem'), cert_file: at('device.pem'), key_file: at('device.key'),
    topics: [{ direction: 'both', filter: 'a/#', qos: 1 }], ...more });
  const error = async (more, pattern) => {
    await put(t, conf(more));
    await until(`the error says ${pattern}`, async () => pattern.test((await state(t, 'm')).error)).catch(async (e) => {
      throw new Error(`${e.message}: ${(await state(t, 'm')).error}`);
    });
  };
  check(/missing.pem cannot be used/.test(await put(t, conf({ ca_file: at('missing.pem') }), 400)), 'a missing file');
  check(/is not the one of/.test(await put(t, conf({ key_file: at('server.key') }), 400)), 'another key');
  await error({ ca_file: at('other.pem') }, /the server's certificate: .*(issuer|self.signed)/);
  await error({ port: elsewhere.port }, /the server's certificate: IP address mismatch/);
  await error({ port: elsewhere.port, host: 'localhost' }, /the server's certificate: hostname mismatch/);
  await put(t, conf({ host: 'localhost' }));
  await connected(t, 'm');
  await put(t, conf({}));
  await connected(t, 'm');
  const tls = { protocol: 'mqtts', ca: execFileSync('cat', [at('ca.pem')]), cert: execFileSync('cat', [at('device.pem')]), key: execFileSync('cat', [at('device.key')]) };
  const far = await client(m.port, tls), near = await client(t.mqtt);
  await far.subscribeAsync('a/#', { qos: 1 });
  await near.subscribeAsync('a/#', { qos: 1 });
  const big = 'x'.repeat(100000);
  for (let i = 0; i < 50; i++) {
    await near.publishAsync('a/n', big, { qos: 1 });
    await far.publishAsync('a/f', big, { qos: 1 });
  }
  await until('all', () => far.got.length === 100 && near.got.length === 100);
  check([...far.got, ...near.got].every((g) => g.text === big), 'the same bytes');
  await down(t, m, elsewhere);
});

test('a test says whether a bridge would connect, and stores nothing', async () => {
  need_mosquitto();
  const at = certificates(folder());
  const m = await Mosquitto.new([`cafile ${at('ca.pem')}`, `certfile ${at('server.pem')}`, `keyfile ${at('server.key')}`, 'require_certificate true']);
  const far_t = await Tutti.new([...'serve'.split(' ')], { env: { TUTTI_MQTT_ANONYMOUS: 'off' } });
  const t = await Tutti.new();
  const topics = [{ direction: 'out', filter: 'a/#' }];
  const ask = async (conf, want = 200) => {
    const { name, ...rest } = { ...conf, topics };
    const { status, body } = await t.call('POST', `bridges/${name}/test`, rest);
    check(status === want, `${status} ${JSON.stringify(body)}`);
    return body;
  };
  for (const version of versions) {
    const conf = there(far_t, { version, user: 'admin', password: 'correct-horse-battery' });
    const good = await ask(conf);
    check(good.connected && good.error === '' && good.ms >= 0, JSON.stringify(good));
    const bad = await ask({ ...conf, password: 'very-wrong' });
    check(!bad.connected && bad.error_code === 0x86 && /wrong user or password/.test(bad.error), JSON.stringify(bad));
  }
  const secured = there(m, { host: 'localhost', tls: true, ca_file: at('ca.pem'), cert_file: at('device.pem'), key_file: at('device.key') });
  check((await ask(secured)).connected, 'by TLS');
  check(/the server's certificate: .*(issuer|self.signed)/.test((await ask({ ...secured, ca_file: at('other.pem') })).error), 'another authority');
  check(/missing.pem cannot be used/.test(JSON.stringify(await ask({ ...secured, ca_file: at('missing.pem') }, 400))), 'a missing file');
  check(/connection refused/.test((await ask(there({ port: await freePort() }, {}))).error), 'nobody there');
  check(!(await ask(there({ port: t.http }, {}))).connected, 'no broker');
  same((await t.get('bridges')).bridges, [], 'what is stored');
  // A bridge that runs stays: the test has a client id of its own. Its password is for its own broker only.
  const own = there(far_t, { user: 'admin', topics });
  await put(t, { ...own, password: 'correct-horse-battery' });
  await connected(t, 'm');
  check((await ask(own)).connected, 'with the stored password');
  check((await ask({ ...own, host: 'localhost' })).error_code >= 0x86, 'the stored password went to another host');
  const { connects } = await state(t, 'm');
  check(connects === 1, `the bridge that runs was thrown out: connected ${connects} times`);
  await down(t, m, far_t);
});

test('a wrong password is said in words, never given out, and kept when it is not named', async () => {
  const far_t = await Tutti.new([...'serve'.split(' ')], { env: { TUTTI_MQTT_ANONYMOUS: 'off' } });
  const t = await Tutti.new();
  const topics = [{ direction: 'out', filter: 'a/#', qos: 1 }];
  for (const version of versions) {
    const begin = Date.now();
    await put(t, there(far_t, { version, user: 'admin', password: 'very-wrong', topics }));
    const s = await until('it is refused and waits', async () => {
      const now = await state(t, 'm');
      return now.error && now.state === 'waiting' && now;
    });
    check(/the server refuses the connection: wrong user or password \(0x86\)/.test(s.error) && s.error_code === 0x86, s.error);
    check(s.next_try_ms > begin, JSON.stringify(s));
  }
  await put(t, there(far_t, { user: 'admin', password: 'correct-horse-battery', topics }));
  await connected(t, 'm');
  await put(t, there(far_t, { user: 'admin', notify: 'bridge/state', topics }));
  await connected(t, 'm');
  check((await t.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await t.up();
  await connected(t, 'm');
  const all = JSON.stringify(await t.get('bridges'));
  check(!all.includes('correct-horse') && all.includes('"secret":true'), all);
  check(!t.child.out.includes('correct-horse'), 'the log is silent about it');
  await put(t, there(far_t, { user: 'admin', password: '', topics }));
  await until('refused without', async () => /0x8[67]/.test((await state(t, 'm')).error));
  await down(t, far_t);
});

for (const version of versions)
  test(`two Tuttis bridged at one another: no circles, ${version === '5.0' ? 'each message once' : 'and twice is said'}, ${version}`, async () => {
    const one = await Tutti.new(), two = await Tutti.new();
    const topics = [{ direction: 'both', filter: 'a/#', qos: 1 }];
    await put(one, there(two, { version, topics }));
    await put(two, there(one, { version, topics }));
    await connected(one, 'm');
    await connected(two, 'm');
    const a = await client(one.mqtt), b = await client(two.mqtt);
    await a.subscribeAsync('a/#', { qos: 1 });
    await b.subscribeAsync('a/#', { qos: 1 });
    for (let i = 0; i < 20; i++) {
      await a.publishAsync('a/one', `${i}`, { qos: 1 });
      await b.publishAsync('a/two', `${i}`, { qos: 1 });
    }
    const came = (c, topic) => new Set(c.got.filter((g) => g.topic === topic).map((g) => g.text)).size;
    await until('all came over', () => came(b, 'a/one') === 20 && came(a, 'a/two') === 20);
    // Quiet: nothing moves any more.
    let before = -1;
    await until('it is quiet', async () => {
      const s = [await state(one, 'm'), await state(two, 'm')];
      const now = s.reduce((n, x) => n + x.sent + x.received, 0);
      await new Promise((r) => setTimeout(r, 300));
      const quiet = now === before && s.every((x) => x.queued === 0);
      before = now;
      return quiet;
    });
    const count = (c, topic) => c.got.filter((g) => g.topic === topic).length;
    const counts = [count(a, 'a/one'), count(b, 'a/two'), count(a, 'a/two'), count(b, 'a/one')];
    check(counts[0] === 20 && counts[1] === 20, `where it was published: ${counts}`);
    if (version === '5.0') {
      check(counts[2] === 20 && counts[3] === 20, `over two ways, each once: ${counts}`);
    } else {
      check(counts[2] <= 40 && counts[3] <= 40, `pushed and pulled, at most twice: ${counts}`);
      for (const t of [one, two]) await until('it is said', async () => /brings what this one fetches \(a\/#\).*"version" to 5.0/.test((await state(t, 'm')).error));
    }
    await down(one, two);
  });

test('two Tuttis bridged at one another: the way that is there is taken, none is lost, none comes twice', async () => {
  const one = await Tutti.new(), two = await Tutti.new();
  const topics = [{ direction: 'both', filter: 'a/#', qos: 2, local_prefix: 'x/', remote_prefix: 'x/' }];
  const back = [{ direction: 'in', filter: 'a/copied', qos: 2, local_prefix: 'copy/', remote_prefix: 'x/' }, // another name: another way
    { direction: 'both', filter: '#', qos: 2, local_prefix: 'x/a/', remote_prefix: 'x/a/' }]; // written otherwise, the same
  await put(one, there(two, { topics }));
  await put(two, there(one, { topics: back }));
  await connected(one, 'm');
  await connected(two, 'm');
  const a = await client(one.mqtt), b = await client(two.mqtt);
  await b.subscribeAsync('#', { qos: 2 });
  let n = 0;
  const some = async (count) => {
    for (let i = 0; i < count; i++) await a.publishAsync('x/a/n', `${n++}`, { qos: 2 });
  };
  const came = () => b.got.filter((g) => g.topic === 'x/a/n').map((g) => Number(g.text));
  const enable = (t, enabled) => t.call('POST', 'bridges/m/enable', { enabled });
  await some(20); // both ways are there
  await until('the first', () => came().length >= 20);
  await enable(one, false); // only theirs
  await some(20);
  await until('pulled', () => came().length >= 40);
  await enable(two, false); // none: it waits in ours
  await until('theirs has left', async () => (await one.get('mqtt/clients')).clients.some((c) => c.client.startsWith('tutti-') && !c.connected));
  await some(20);
  check((await state(one, 'm')).queued >= 20, 'it waits'); // what went before may be unanswered
  await enable(two, true); // pulled again
  await connected(two, 'm');
  await some(20);
  await until('pulled past what waits', () => came().length >= 60);
  await enable(one, true);
  await connected(one, 'm');
  await some(20);
  await until('all', () => new Set(came()).size === n);
  await until('none waits', async () => (await state(one, 'm')).queued === 0);
  check(came().length === n, `${came().length} came of ${n}`);
  b.got = [];
  await a.publishAsync('x/a/copied', 'x', { qos: 2 });
  await until('under both names', () => b.got.length === 2);
  same(texts(b).sort(), ['copy/a/copied x', 'x/a/copied x'], 'under both names');
  await down(one, two);
});

test('messages of QoS 0 wait as well when the bridge is to keep them', async () => {
  need_mosquitto();
  const port = await freePort();
  const t = await Tutti.new();
  const conf = { keep_qos0: true, topics: [{ direction: 'out', filter: 'zero/#', qos: 0 }, { direction: 'out', filter: 'n/#', qos: 2 }] };
  await put(t, there({ port }, conf));
  const near = await client(t.mqtt);
  for (let i = 0; i < 50; i++) await near.publishAsync(`n/${i % 2}`, `${i}`, { qos: 0 });
  await near.publishAsync('zero/x', 'x', { qos: 0 });
  await near.publishAsync('n/0', '50', { qos: 1 });
  const s = await state(t, 'm');
  check(s.queued === 51 && s.dropped.away === 1, JSON.stringify(s));
  check((await t.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await t.up();
  await t.call('POST', 'bridges/m/enable', { enabled: false });
  const m = await Mosquitto.new([], { port });
  const far = await client(port), again = await client(t.mqtt);
  await far.subscribeAsync('#', { qos: 2 });
  await t.call('POST', 'bridges/m/enable', { enabled: true });
  await until('all are there', () => far.got.length >= 51);
  await again.publishAsync('n/0', '51', { qos: 0 });
  await settled(again, far, 'n/0');
  same(far.got.map((g) => `${g.text} ${g.packet.qos}`), [...Array(52).keys()].map((i) => `${i} 1`), 'in order, as QoS 1');
  await down(t, m);
});

test('a ring of three ends where it began', async () => {
  const all = [await Tutti.new(), await Tutti.new(), await Tutti.new()];
  for (let i = 0; i < 3; i++) await put(all[i], there(all[(i + 1) % 3], { topics: [{ direction: 'out', filter: 'a/#', qos: 1 }] }));
  for (const t of all) await connected(t, 'm');
  const readers = [];
  for (const t of all) {
    const c = await client(t.mqtt);
    await c.subscribeAsync('a/#', { qos: 1 });
    readers.push(c);
  }
  for (let i = 0; i < 10; i++) await readers[0].publishAsync('a/x', `${i}`, { qos: 1 });
  await until('round', async () => (await state(all[2], 'm')).dropped.loop === 10);
  await until('each', () => readers.every((r) => r.got.length >= 10));
  same(readers.map((r) => r.got.length), [10, 10, 10], 'each once');
  await down(...all);
});

test('a ring of three by 3.1.1 is noticed and said', async () => {
  const all = [await Tutti.new(), await Tutti.new(), await Tutti.new()];
  const ring = (i, version) => put(all[i], there(all[(i + 1) % 3], { version, topics: [{ direction: 'out', filter: 'a/#', qos: 0 }] }));
  for (let i = 0; i < 3; i++) await ring(i, '3.1.1');
  for (const t of all) await connected(t, 'm');
  const c = await client(all[0].mqtt);
  await c.publishAsync('a/x', 'x', { qos: 0 });
  await until('it is said', async () => (await Promise.all(all.map((t) => state(t, 'm')))).some((s) => /on a\/x came from other bridges \d+ times.*ring/.test(s.error)));
  await down(...all);
});

test('the notification topic says 1, 0 when it is disabled, and by the will when we die', async () => {
  need_mosquitto();
  const m = await Mosquitto.new();
  const t = await Tutti.new();
  const far = await client(m.port);
  await far.subscribeAsync('state/t', { qos: 1 });
  await put(t, there(m, { notify: 'state/t', topics: [{ direction: 'out', filter: 'a/#' }] }));
  await until('1', () => far.got.at(-1)?.text === '1');
  await t.call('POST', 'bridges/m/enable', { enabled: false });
  await until('0', () => far.got.at(-1)?.text === '0');
  check((await state(t, 'm')).state === 'disabled', 'disabled');
  await t.call('POST', 'bridges/m/enable', { enabled: true });
  await until('1 again', () => far.got.at(-1)?.text === '1');
  await t.kill('SIGKILL');
  await until('0 by the will', () => far.got.at(-1)?.text === '0');
  await down(m);
});

test('what a schema refuses is counted and not sent again', async () => {
  need_mosquitto();
  const m = await Mosquitto.new();
  const t = await Tutti.new();
  check((await t.call('PUT', 'schemas/bar', { text: 'type Bar = f64 [bar] in 0..5' })).status === 200, 'schema');
  check((await t.call('PUT', 'schema-bindings', { filter: 'a/#', schema: 'bar', mode: 'strict' })).status === 200, 'bound');
  for (const version of versions) {
    await put(t, there(m, { version, topics: [{ direction: 'in', filter: 'a/#', qos: 2 }] }));
    await connected(t, 'm');
    const far = await client(m.port), near = await client(t.mqtt);
    await near.subscribeAsync('a/#', { qos: 2 });
    for (const qos of [1, 2]) {
      await far.publishAsync('a/x', '99', { qos });
      await far.publishAsync('a/x', '3', { qos });
    }
    await until('the good ones', () => near.got.length === 2);
    const s = await until('the others', async () => {
      const now = await state(t, 'm');
      return now.dropped.unfit + now.received >= 4 && now;
    });
    check(version === '3.1.1' || (s.dropped.unfit === 2 && /payload format invalid \(0x99\)/.test(s.error)), JSON.stringify(s));
    same(texts(near), ['a/x 3', 'a/x 3'], 'what came in');
    await gone(near);
    await gone(far);
  }
  await down(t, m);
});

test('topics change while it runs: what is no more is unsubscribed on both sides', async () => {
  need_mosquitto();
  const m = await Mosquitto.new(['log_type all']);
  const t = await Tutti.new();
  const topics = (...list) => list.map((filter) => ({ direction: 'both', filter, qos: 1 }));
  await put(t, there(m, { topics: topics('a/#', 'b/#') }));
  await connected(t, 'm');
  await put(t, there(m, { topics: topics('b/#', 'c/#') }));
  await connected(t, 'm');
  await until('Mosquitto was told', () => /UNSUBSCRIBE[^]*a\/#/.test(m.child.out));
  const far = await client(m.port), near = await client(t.mqtt);
  await far.subscribeAsync('#', { qos: 1 });
  await near.subscribeAsync('#', { qos: 1 });
  for (const topic of ['a', 'b', 'c']) {
    await far.publishAsync(`${topic}/far`, 'x', { qos: 1 });
    await near.publishAsync(`${topic}/near`, 'x', { qos: 1 });
  }
  await settled(near, far, 'c/end');
  await settled(far, near, 'c/end');
  const others = (c, who) => texts(c).filter((x) => x.includes(who)).sort();
  same(others(far, 'near'), ['b/near x', 'c/near x'], 'there');
  same(others(near, 'far'), ['b/far x', 'c/far x'], 'here');
  for (const [more, pattern] of [
    [{ topics: [] }, /topics/], [{ topics: topics('a/#/b') }, /"a\/#\/b" is no topic filter/],
    [{ topics: [{ direction: 'up', filter: 'a' }] }, /direction: write in, out or both/], [{ topics: topics('a'), version: '4' }, /5.0 or 3.1.1/],
    [{ topics: [{ direction: 'in', filter: 'a', prefix: 'x' }] }, /no member "prefix"/], [{ topics: topics('a'), buffer_policy: 'x' }, /drop_oldest/],
    [{ topics: topics('a'), ca_file: '/x' }, /set "tls" to true/], [{ topics: [{ direction: 'in', filter: 'a', local_prefix: '+/' }] }, /prefix "\+\/" has a wildcard/]])
    check(pattern.test(await put(t, there(m, more), 400)), `${pattern}: ${await put(t, there(m, more), 400)}`);
  check((await t.call('PUT', 'bridges/a+b', { host: 'x', topics: topics('a') })).status === 400, 'no name');
  check((await t.call('DELETE', 'bridges/m')).status === 200, 'removed');
  check((await t.call('GET', 'bridges/m')).status === 404, 'gone');
  const { clients } = await t.get('mqtt/clients');
  check(!clients.some((c) => c.client.startsWith('$bridge/')), 'its session is gone');
  await down(t, m);
});

test('the other broker takes QoS 1 at most, small packets, and no subscription: said and counted', async () => {
  need_mosquitto();
  const dir = folder();
  const acl = path.join(dir, 'acl');
  execFileSync('sh', ['-c', `printf 'topic readwrite a/#\\ntopic deny b/#\\n' > ${acl}`]);
  const m = await Mosquitto.new(['max_qos 1', 'max_packet_size 2000', `acl_file ${acl}`]);
  const t = await Tutti.new();
  await put(t, there(m, { topics: [{ direction: 'out', filter: 'a/#', qos: 2 }, { direction: 'both', filter: 'b/#', qos: 1 }] }));
  await connected(t, 'm');
  const far = await client(m.port), near = await client(t.mqtt);
  await far.subscribeAsync('a/#', { qos: 1 });
  for (let i = 0; i < 20; i++) await near.publishAsync('a/x', `${i}`, { qos: 2 });
  // Mosquitto closes behind what it refuses: those before have to be acknowledged, or they come again.
  await until('none waits', async () => (await state(t, 'm')).queued === 0);
  await near.publishAsync('a/x', 'x'.repeat(3000), { qos: 1 });
  await near.publishAsync('b/x', 'x', { qos: 1 });
  await settled(near, far, 'a/end', 2);
  same(far.got.map((g) => g.text), [...Array(20).keys()].map(String), 'all came');
  const s = await until('none waits', async () => {
    const now = await state(t, 'm');
    return now.queued === 0 && now;
  });
  check(s.dropped.too_large === 1 && s.dropped.refused === 1, JSON.stringify(s));
  // Mosquitto 2.0.11 closes the connection after it said so.
  await until('it is said', () => /the server refused a message: not authorized \(0x87\)/.test(t.child.out));
  await down(t, m);
});

test('$SYS, the statistics and the reserved client ids', async () => {
  const far_t = await Tutti.new(), t = await Tutti.new();
  await put(t, there(far_t, { topics: [{ direction: 'out', filter: 'a/#', qos: 1 }] }));
  const s = await connected(t, 'm');
  check(s.remote_id === (await far_t.get('bridges')).id, `which Tutti it is: ${s.remote_id}`);
  const near = await client(t.mqtt);
  for (let i = 0; i < 7; i++) await near.publishAsync('a/x', 'x', { qos: 1 });
  await until('sent', async () => (await state(t, 'm')).sent === 7);
  await near.subscribeAsync('$SYS/broker/bridge/#', { qos: 0 });
  await until('counters', () => near.got.some((g) => g.topic === '$SYS/broker/bridge/m/messages/sent' && g.text === '7'));
  check(near.got.some((g) => g.topic === '$SYS/broker/bridge/m/state' && g.text === 'connected'), JSON.stringify(texts(near)));
  const metrics = await fetch(`http://127.0.0.1:${t.http}/metrics`).then((r) => r.text());
  check(/^tutti_bridges_sent 7$/m.test(metrics) && /^tutti_bridges_connected 1$/m.test(metrics), metrics);
  for (const version of [4, 5]) {
    const refused = await client(t.mqtt, { id: '$bridge/m', version }).then(() => false, () => true);
    check(refused, 'nobody else may be a bridge');
  }
  // An administrator may end its connection; it comes back, with what waits.
  check((await t.call('POST', 'mqtt/clients/end', { client: '$bridge/m', forget: true })).status === 200, 'ended');
  await until('it is back', async () => (await state(t, 'm')).connects === 2);
  await down(t, far_t);
});

run();
