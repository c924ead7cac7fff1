// tests/e2e/broker.mjs: kill -9 of a whole Tutti process under MQTT load, and what is there afterwards.
// The clients are npm's mqtt, so the protocol is a third party's.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import mqtt from 'mqtt';
import { build, check, folder, Publisher, run, start, test, Tutti, until } from './lib.mjs';

// No reconnecting of its own: the test says when a client comes back. Acknowledgements of what is in
// flight are mqtt.js' own affair; it keeps them in its stores, which a second connect may go on with.
function client(tutti, id, options = {}) {
  const c = mqtt.connect({
    host: '127.0.0.1', port: tutti.mqtt, protocolVersion: 5, clientId: id, reconnectPeriod: 0,
    clean: false, properties: { sessionExpiryInterval: 3600 }, ...options });
  c.on('error', () => {});
  c.got = [];
  c.on('message', (topic, payload, packet) => c.got.push({ topic, text: payload.toString(), packet }));
  c.ready = new Promise((resolve, reject) => { c.on('connect', resolve); c.on('close', () => reject(new Error(`${id} closed`))); });
  c.ready.catch(() => {});
  return c;
}
const gone = (c) => new Promise((resolve) => c.end(true, {}, resolve));
const clean = { clean: true, properties: {} };

async function away(tutti, id, filter, qos, options) {
  const c = client(tutti, id, options);
  await c.ready;
  await c.subscribeAsync(filter, { qos });
  await c.endAsync();
}

async function again(tutti) {
  check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await tutti.up();
}

test('kill -9 under load: nothing acknowledged is lost, order holds, QoS 1', async () => {
  const tutti = await Tutti.new();
  await away(tutti, 'sub', 'load/+', 1);
  const pubs = [];
  for (let i = 0; i < 4; i++) {
    const pub = new Publisher(tutti.mqtt, `load/${i}`, (n) => String(n), 50);
    pubs.push(await pub.connect());
  }
  pubs.forEach((p) => p.fill());
  for (let round = 0; round < 5; round++) {
    const goal = pubs.map((p) => p.acked.size + 500);
    await until('some acknowledged', () => pubs.every((p, i) => p.acked.size >= goal[i]));
    await again(tutti);
    await until('seen', () => pubs.every((p) => !p.open));
    for (const p of pubs) await p.connect();
  }
  for (const p of pubs) p.limit = p.next;
  await until('all acknowledged', () => pubs.every((p) => p.acked.size === p.next));
  const total = pubs.reduce((sum, p) => sum + p.next, 0);
  const sub = client(tutti, 'sub');
  const { sessionPresent } = await sub.ready;
  check(sessionPresent, 'the session is there');
  const seen = pubs.map(() => new Set());
  const last = pubs.map(() => -1);
  let read = 0;
  await until('all are there', () => {
    for (; read < sub.got.length; read++) {
      const { topic, text } = sub.got[read];
      const p = Number(topic.slice(5));
      const n = Number(text);
      // What a publisher sent again after a crash may come again, in the order it was sent again.
      if (!seen[p].has(n)) {
        check(n > last[p], `publisher ${p}: ${n} came after ${last[p]}`);
        last[p] = n;
      }
      seen[p].add(n);
    }
    return seen.reduce((sum, s) => sum + s.size, 0) === total;
  });
  console.log(`      ${total} messages over 5 kills, ${sub.got.length - total} came twice`);
  await gone(sub);
  pubs.forEach((p) => p.close());
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

// Reads mqtt.db as of now until it is killed: what is written meanwhile cannot be taken from the log into the file.
async function reader(tutti) {
  const child = start(path.join(build, 'tests-tools/mqtt_start'), [path.join(tutti.data, 'mqtt.db'), 'hold'],
    { stdio: ['pipe', 'pipe', 'pipe'] });
  await until('it reads', () => child.out.includes('held'));
  return child;
}

test('kill -9 with a long log that a reader held: all is there, asked for first, and the log gets short', async () => {
  const SHORT = 16 * 1048576; // what a log may keep of its size
  const TOPICS = 3000;
  const filler = 'x'.repeat(1000);
  const tutti = await Tutti.new();
  await away(tutti, 'one', 'load/+', 1);
  await away(tutti, 'two', 'load/+', 1); // bodies are shared
  const holder = await reader(tutti);
  const log = () => statSync(path.join(tutti.data, 'mqtt.db-wal')).size;
  const kept = client(tutti, 'kept', clean);
  await kept.ready;
  for (let n = 0; n < TOPICS; n += 100) // a broker lets 256 wait
    await Promise.all(Array.from({ length: 100 }, (_, i) => kept.publishAsync(`kept/${(n + i) % 10}/${n + i}`, String(n + i), { qos: 1, retain: true })));
  await gone(kept);
  const pub = await new Publisher(tutti.mqtt, 'load/0', (n) => `${n} ${filler}`, 100).connect();
  pub.fill();
  await until('the log is long', () => log() > 2 * SHORT);
  holder.kill('SIGKILL');
  await holder.exited;
  await again(tutti);
  await until('seen', () => !pub.open);
  const early = client(tutti, 'early', clean);
  await early.ready;
  await early.subscribeAsync([`kept/9/${TOPICS - 1}`, 'kept/3/+'], { qos: 1 });
  await until('what was asked for', () => early.got.length === TOPICS / 10 + 1);
  check(new Set(early.got.map(({ text }) => text)).size === early.got.length, 'each once');
  await gone(early);
  await pub.connect();
  await until('the log is short', () => log() <= SHORT);
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.next);
  for (const id of ['one', 'two']) {
    const sub = client(tutti, id);
    check((await sub.ready).sessionPresent, 'the session is there');
    const seen = new Set();
    await until('all are there', () => {
      for (const { text } of sub.got.splice(0)) seen.add(parseInt(text, 10));
      return seen.size === pub.next;
    });
    await gone(sub);
  }
  pub.close();
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
});

// Faults that no file system can be asked for: tests/e2e/fault_io.c. SQLite's own files of the broker are hit.
for (const mode of ['enospc', 'eio', 'sync']) {
  test(`${mode} on the broker's file: nothing is acknowledged, that is said, and all of it is there afterwards`, async () => {
    const cwd = folder();
    const control = path.join(cwd, 'control');
    const set = (text) => writeFileSync(control, text.padEnd(4096, '\0'), { flag: existsSync(control) ? 'r+' : 'w' });
    set('none');
    const tutti = await Tutti.new(['serve'], { cwd, env: { FAULT_IO: control, TUTTI_MQTT_SYS_INTERVAL: '250ms',
      LD_PRELOAD: path.resolve(process.env.ASAN_BUILD ?? 'build-asan', 'tests-tools/fault_io.so') } });
    await away(tutti, 'sub', 'load/+', 1);
    const pub = await new Publisher(tutti.mqtt, 'load/0', (n) => String(n), 100).connect();
    pub.fill();
    const failures = () => stat(tutti, 'tutti_mqtt_store_failures_total');
    for (const killed of [false, true]) {
      await until('some', () => pub.acked.size > 300);
      const sys = client(tutti, 'sys', clean);
      await sys.ready;
      await sys.subscribeAsync('$SYS/broker/store/state');
      const says = () => sys.got.at(-1)?.text;
      await until('it says ok', () => says() === 'ok');
      set(`${mode} /mqtt.db`);
      await until('it says refused', () => says() === 'refused');
      check(tutti.child.out.includes('not stored, nothing is acknowledged'), 'the log says it');
      const acked = pub.acked.size;
      const failed = await failures();
      await until('it was tried again', async () => (await failures()) > failed + 1);
      check(pub.acked.size === acked, `${pub.acked.size - acked} were acknowledged`);
      if (killed) await tutti.kill('SIGKILL');
      set('none');
      if (killed) {
        await until('seen', () => !pub.open);
        await tutti.up();
        await pub.connect();
      } else {
        await until('it says ok again', () => says() === 'ok');
      }
      await gone(sys);
      await until('it goes on', () => pub.acked.size > acked + 200);
    }
    pub.limit = pub.next;
    await until('all acknowledged', () => pub.acked.size === pub.next);
    const sub = client(tutti, 'sub');
    check((await sub.ready).sessionPresent, 'the session is there');
    const seen = new Set();
    await until('all are there', () => {
      for (const { text } of sub.got.splice(0)) seen.add(Number(text));
      return seen.size === pub.next;
    });
    await gone(sub);
    pub.close();
    await tutti.kill('SIGTERM');
  });
}

test('kill -9: QoS 2 from end to end comes once', async () => {
  const tutti = await Tutti.new();
  await away(tutti, 'sub', 'once/#', 2);
  const wanted = 400;
  let next = 0;
  const done = new Set();
  let given_up = 0;
  const texts = [];
  const keeps = () => ({ incomingStore: new mqtt.Store({ clean: false }), outgoingStore: new mqtt.Store({ clean: false }) });
  const stores = { sub: keeps(), pub: keeps() };
  const sub = client(tutti, 'sub', stores.sub);
  const pub = client(tutti, 'pub', stores.pub);
  sub.on('message', (topic, payload) => texts.push(payload.toString()));
  const both = () => until('both are there', () => sub.connected && pub.connected);
  const fill = (limit) => {
    while (next < limit) {
      const n = next++;
      pub.publish('once/x', String(n), { qos: 2 }, (error) => { if (error) given_up++; else done.add(n); });
    }
  };
  await both();
  for (let round = 1; round <= 4; round++) {
    const before = texts.length;
    fill((wanted / 4) * round);
    await until('some are there', () => texts.length >= before + 40);
    await again(tutti);
    await until('seen', () => !pub.connected && !sub.connected);
    sub.reconnect(stores.sub); // without them it would start with empty ones
    pub.reconnect(stores.pub); // sends what is unfinished again, from its store
    await both();
  }
  // What the client itself gave up, because its connection broke before it was sent, was not promised.
  await until('all are answered or given up', () => done.size + given_up === wanted);
  await until('all that was finished is there', () => { const there = new Set(texts); return [...done].every((n) => there.has(String(n))); });
  await until('and finished', async () => (await stat(tutti, 'tutti_mqtt_queued')) === 0);
  check(texts.length === new Set(texts).size, `${texts.length - new Set(texts).size} came twice`);
  check(texts.every((t, i) => !i || Number(texts[i - 1]) < Number(t)), 'in order');
  console.log(`      ${done.size} messages over 4 kills`);
  await gone(pub);
  await gone(sub);
  await tutti.kill('SIGTERM');
});

async function stat(tutti, name) {
  const text = await (await fetch(`http://127.0.0.1:${tutti.http}/metrics`, { headers: { authorization: `Bearer ${tutti.token}` } })).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

test('expiry goes on while the process is down', async () => {
  const tutti = await Tutti.new();
  await away(tutti, 'long', 'e/#', 1);
  await away(tutti, 'short', 'e/#', 1, { properties: { sessionExpiryInterval: 1 } });
  const pub = client(tutti, 'pub', clean);
  await pub.ready;
  await pub.publishAsync('e/x', 'old', { qos: 1, properties: { messageExpiryInterval: 1 } });
  await pub.publishAsync('e/x', 'new', { qos: 1, properties: { messageExpiryInterval: 1000 } });
  await gone(pub);
  const from = Date.now();
  await tutti.kill('SIGKILL');
  await until('both are over', () => Date.now() > from + 2200);
  await tutti.up();
  const short = client(tutti, 'short', { properties: { sessionExpiryInterval: 1 } });
  check(!(await short.ready).sessionPresent, 'a session that expired is gone');
  const long = client(tutti, 'long');
  check((await long.ready).sessionPresent, 'the other is there');
  await until('the message', () => long.got.length === 1);
  check(long.got[0].text === 'new', 'only what has not expired');
  check(long.got[0].packet.properties.messageExpiryInterval < 1000, 'its time went on');
  await gone(short);
  await gone(long);
  await tutti.kill('SIGTERM');
});

test('retained messages are there after kill -9, with their properties', async () => {
  const tutti = await Tutti.new();
  const pub = client(tutti, 'pub', clean);
  await pub.ready;
  for (let i = 0; i < 300; i++) {
    pub.publish(`r/${i % 100}`, `old ${i}`, { qos: 1, retain: true });
  }
  await pub.publishAsync('r/1', 'last', { qos: 1, retain: true, properties: { contentType: 'text/plain', userProperties: { a: 'b' }, messageExpiryInterval: 500 } });
  await pub.publishAsync('r/2', '', { qos: 1, retain: true });
  await again(tutti);
  const sub = client(tutti, 'sub', clean);
  await sub.ready;
  await sub.subscribeAsync('r/#', { qos: 1 });
  await until('all', () => sub.got.length === 99);
  const one = sub.got.find((m) => m.topic === 'r/1');
  check(one.text === 'last' && one.packet.retain, `r/1 is ${one.text}`);
  check(one.packet.properties.contentType === 'text/plain' && one.packet.properties.userProperties.a === 'b', 'its properties');
  check(one.packet.properties.messageExpiryInterval <= 500, 'its expiry');
  check(sub.got.find((m) => m.topic === 'r/3').text === 'old 203', 'the newest of each');
  check(!sub.got.some((m) => m.topic === 'r/2'), 'a cleared one stays away');
  await gone(sub);
  await tutti.kill('SIGTERM');
});

// How many different values of `path` from lo to hi the history has, for each question; asked of the file by a program.
function historyOf(tutti, questions) {
  writeFileSync(path.join(tutti.cwd, 'ask.tutti'), `
pipeline ask_all {
  from file "asks.ndjson" as json { path: string(64), lo: i64, hi: i64 }
  ask part = historian sql "select count(distinct value) as n from samples where path = {path} and value >= {lo} and value <= {hi}" as { n: i64 } timeout 60s
  let n = part.n
  on error into file "bad.ndjson"
  into file "answers.ndjson"
}
`);
  writeFileSync(path.join(tutti.cwd, 'asks.ndjson'), questions.map((q) => JSON.stringify(q) + '\n').join(''));
  execFileSync(path.join(build, 'tutti'), ['run', 'ask.tutti', '--batch', '--data', tutti.data], { cwd: tutti.cwd });
  const rows = readFileSync(path.join(tutti.cwd, 'answers.ndjson'), 'utf8').trim().split('\n').map((l) => JSON.parse(l));
  check(rows.length === questions.length, `${rows.length} answers`);
  return rows.map((row) => row.n);
}

// Every point of what was acknowledged.
test('kill -9 under load: no acknowledged point of the history is lost', async () => {
  const tutti = await Tutti.new();
  const lives = [];
  let from = 0;
  for (let round = 0; round < 4; round++) {
    const pub = new Publisher(tutti.mqtt, 'plant/count', (n) => String(n), 500);
    pub.next = from;
    await pub.connect();
    pub.fill();
    await until('some acknowledged', () => pub.acked.size >= 3000);
    await again(tutti);
    await until('seen', () => !pub.open);
    lives.push({ lo: from, hi: Math.max(...pub.acked), count: pub.acked.size });
    from = pub.next;
    pub.close();
  }
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  const found = historyOf(tutti, lives.map(({ lo, hi }) => ({ path: 'plant/count', lo, hi })));
  for (const [i, life] of lives.entries()) {
    check(life.count === life.hi - life.lo + 1, 'acknowledged without a gap');
    check(found[i] === life.count, `${life.count} acknowledged from ${life.lo} on, ${found[i]} in the history`);
  }
  console.log(`      ${found.reduce((sum, n) => sum + n, 0)} points over 4 kills`);
});

// As fast as the broker takes them, from a client in C: what it acknowledged is in the session, retained, and a point
// of the history each.
test('kill -9 at full speed: nothing acknowledged is lost', async () => {
  const tutti = await Tutti.new();
  const tool = path.join(build, 'tests-tools/mqtt_durable');
  const counts = path.join(tutti.cwd, 'acked');
  const killed = execFileSync(tool, ['-p', tutti.mqtt, '-P', '10', '-w', '1000', '-d', '1', '-D', '1', '-R', tutti.child.pid, '-k', counts],
    { encoding: 'utf8' });
  check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
  await tutti.up();
  const checked = execFileSync(tool, ['-p', tutti.mqtt, '-c', counts], { encoding: 'utf8' });
  console.log(`      ${killed.trim()}; ready after ${tutti.ready_ms.toFixed(0)} ms\n      ${checked.trim()}`);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  const acked = readFileSync(counts, 'utf8').trim().split('\n').map(Number);
  check(acked.length === 10 && acked.every((n) => n > 100), `acknowledged: ${acked.join()}`);
  const found = historyOf(tutti, acked.map((n, i) => ({ path: `load/${i}`, lo: 0, hi: n - 1 })));
  for (const [i, n] of acked.entries()) check(found[i] === n, `load/${i}: ${n} acknowledged, ${found[i]} in the history`);
});

test('a damaged record is set aside, the broker starts and says so', async () => {
  const tutti = await Tutti.new();
  await away(tutti, 'sub', 'd/#', 1);
  const pub = client(tutti, 'pub', clean);
  await pub.ready;
  for (const text of ['before', 'DAMAGED-HERE', 'after']) await pub.publishAsync('d/x', text, { qos: 1 });
  await gone(pub);
  check((await tutti.kill('SIGTERM')) === 0, 'ends, and the log is folded into the file');
  const file = path.join(tutti.data, 'mqtt.db');
  const at = readFileSync(file).indexOf('DAMAGED-HERE');
  check(at > 0 && at < statSync(file).size, 'the record is in the file');
  const fd = openSync(file, 'r+');
  writeSync(fd, 'X', at + 3);
  closeSync(fd);
  await tutti.up();
  const sub = client(tutti, 'sub');
  check((await sub.ready).sessionPresent, 'the session is there');
  await until('the others', () => sub.got.length === 2);
  check(sub.got.map((m) => m.text).join() === 'before,after', sub.got.map((m) => m.text).join());
  await until('it is said', () => /damaged/.test(tutti.child.out));
  await gone(sub);
  await tutti.kill('SIGTERM');
});

const damagedOf = (tutti, name) => readdirSync(tutti.data).filter((file) => file.startsWith(`${name}.damaged-`) && !file.endsWith('-wal'));

test('a file damaged in its structure is kept aside, and the broker starts', async () => {
  const tutti = await Tutti.new();
  await away(tutti, 'sub', 'd/#', 1);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  const file = path.join(tutti.data, 'mqtt.db');
  const bytes = readFileSync(file);
  writeFileSync(file, Buffer.concat([bytes.subarray(0, 4096), Buffer.alloc(bytes.length - 4096, 0x5a)]));
  await tutti.up();
  const [aside, ...more] = damagedOf(tutti, 'mqtt.db');
  check(aside && !more.length && tutti.child.out.includes(aside), `it is said: ${aside}`);
  check(/was salvaged/.test(tutti.child.out), 'and what was done');
  check(statSync(path.join(tutti.data, aside)).size === bytes.length, 'the old file is there');
  await away(tutti, 'sub', 'd/#', 1);
  await again(tutti);
  const sub = client(tutti, 'sub');
  check((await sub.ready).sessionPresent, 'the new one keeps');
  await gone(sub);
  await tutti.kill('SIGTERM');
});

test('a damaged history is salvaged, and goes on', async () => {
  const tutti = await Tutti.new();
  const pub = client(tutti, 'pub', clean);
  await pub.ready;
  for (let n = 0; n < 300; n++) await pub.publishAsync(`h/${n % 30}`, String(n), { qos: 1 });
  await gone(pub);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  const file = path.join(tutti.data, 'history.db');
  const bytes = readFileSync(file);
  bytes.fill(0x5a, bytes.length >> 1);
  writeFileSync(file, bytes);
  await tutti.up();
  const [aside] = damagedOf(tutti, 'history.db');
  check(aside && tutti.child.out.includes(aside), `it is said: ${aside}`);
  const later = client(tutti, 'later', clean);
  await later.ready;
  await later.publishAsync('h/new', '7', { qos: 1 });
  await gone(later);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  await tutti.up();
  check(damagedOf(tutti, 'history.db').length === 1, 'the new file is sound');
  await tutti.kill('SIGTERM');
});

// A session with 40 messages, killed; `when` waits for the moment.
async function killedWith40(when) {
  const tutti = await Tutti.new();
  await away(tutti, 'sub', 't/#', 1);
  const pub = client(tutti, 'pub', clean);
  await pub.ready;
  for (let n = 0; n < 40; n++) await pub.publishAsync('t/x', String(n), { qos: 1 });
  await when(tutti);
  await tutti.kill('SIGKILL');
  await gone(pub);
  return tutti;
}

async function comeAs(tutti, wanted) {
  await tutti.up();
  const sub = client(tutti, 'sub');
  check((await sub.ready).sessionPresent, 'the session is there');
  await until('those that are there', () => sub.got.length >= wanted);
  check(sub.got.every((m, i) => m.text === String(i)), 'a prefix, without a gap');
  await gone(sub);
  await tutti.kill('SIGTERM');
}

const PAGE = 4096; // a record of the log ahead begins on a page: 'TLG1', and its number at 16

test('a torn record ends the log ahead of the store', async () => {
  const tutti = await killedWith40(() => {});
  const file = path.join(tutti.data, 'mqtt.db-ahead');
  const bytes = readFileSync(file);
  let last = { number: -1n };
  for (let at = 0; at < bytes.length; at += PAGE) {
    if (bytes.toString('latin1', at, at + 4) !== 'TLG1') continue;
    const number = bytes.readBigUInt64LE(at + 16);
    if (number > last.number) last = { number, at };
  }
  check(last.number > 30n, 'it was found');
  bytes.fill(0, last.at + 40, last.at + 60);
  writeFileSync(file, bytes);
  await comeAs(tutti, 39);
});

test('what a torn write-ahead log lost is still in the log ahead', async () => {
  const wal = (tutti) => path.join(tutti.data, 'mqtt.db-wal');
  const tutti = await killedWith40(async (server) => {
    const size = statSync(wal(server)).size;
    await client(server, 'more', clean).publishAsync('t/x', '40', { qos: 1 });
    await until('it came into the file', () => statSync(wal(server)).size > size);
  });
  const bytes = readFileSync(wal(tutti));
  writeFileSync(wal(tutti), bytes.subarray(0, bytes.length - 5000));
  await comeAs(tutti, 41);
});

// A client without keep alive whose machine went dark says nothing for ever: the system has to ask. Of the
// server's sockets /proc/net/tcp tells which timer runs: 02 is that question.
test('connections of MQTT and WebSocket whose client went dark are found by the system', async () => {
  const tutti = await Tutti.new();
  const silent = client(tutti, 'silent', { ...clean, keepalive: 0 });
  const pages = mqtt.connect({ protocol: 'ws', host: '127.0.0.1', port: tutti.http, path: '/mqtt', clientId: 'pages', keepalive: 0, reconnectPeriod: 0 });
  await silent.ready;
  await new Promise((resolve, reject) => pages.on('connect', resolve).on('error', reject));
  const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');
  const timers = (port) => readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
    .filter((f) => f[1] === `0100007F:${hex(port)}` && f[3] === '01').map((f) => f[5].slice(0, 2));
  for (const [what, port] of [['MQTT', tutti.mqtt], ['WebSocket', tutti.http]])
    await until(`the system watches ${what}`, () => timers(port).length > 0 && timers(port).every((timer) => timer === '02'));
  await gone(silent);
  await gone(pages);
  await tutti.kill('SIGTERM');
});

await run();
