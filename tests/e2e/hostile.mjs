// tests/e2e/hostile.mjs: one Lite process and everything that must not hurt it: bad records, bad
// MQTT packets, bad HTTP and WebSocket bytes. All tests share the process: what an earlier one broke
// shows in a later one. Reasons are those of docs/language.md; HTTP rules are RFC 9112, WebSocket
// rules RFC 6455, MQTT rules the OASIS standard. HOSTILE_SEED repeats a run.
import net from 'node:net';
import { check, field, packet, Publisher, run, test, Tutti, until } from './lib.mjs';

const seed = Number(process.env.HOSTILE_SEED ?? 20261124);
let state = seed >>> 0;
function random(n) { // mulberry32
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % n;
}
const pick = (list) => list[random(list.length)];

const program = `
pipeline press {
  from mqtt "plant/+/press" qos 1 as json {
    ts: time
    machine: string(16)
    temp: f64 [degC] in -60..400
    state: enum { RUN, STOP }
    seq: i64
  }
  time ts order 1s max ahead 1h
  where state == RUN
  window tumble 10s by machine { n = count()  hottest = max(temp) }
  into historian press_10s key (machine, start)
  on late into uns "late/press"
  on error into dead
}
pipeline canary {
  from mqtt "canary/in" qos 1 as json { v: i64 }
  into uns "canary/out"
  on error into dead
}
`;

// Event time runs on from two hours ago, 10 ms a record, so a window holds many records.
const base = Math.floor(Date.now() / 10000) * 10000 - 7200_000;
const at = (ms) => new Date(base + ms).toISOString();
const record = (n, more = {}) => ({ ts: at(n * 10), machine: `press-${n % 3}`, temp: 20 + (n % 50), state: 'RUN', seq: n, ...more });
const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
const text = (n, more) => JSON.stringify(record(n, more));
const big = 'x'.repeat(500_000);

// What is sent, in turn: name, how it ends, its bytes.
const kinds = [
  ['good', 'held', (n) => text(n)],
  ['filtered', 'filtered', (n) => text(n, { state: 'STOP' })],
  ['broken JSON', 'bad_json', (n) => text(n).slice(0, 20 + (n % 30))],
  ['no JSON', 'bad_json', () => '\u0000\u0001'],
  ['empty', 'bad_json', () => ''],
  ['wrong type', 'bad_value', (n) => text(n, { machine: 5 })],
  ['not a number', 'bad_number', (n) => text(n, { temp: n % 2 ? 'hot' : true })],
  ['not whole', 'bad_number', (n) => text(n, { seq: n + 0.5 })],
  ['good again', 'held', (n) => text(n, { extra: [1, { a: null }] })],
  ['out of range', 'range', (n) => text(n, { temp: 401 })],
  ['bad enum', 'bad_enum', (n) => text(n, { state: 'RUNNING' })],
  ['missing field', 'missing_field', (n) => JSON.stringify(without(record(n), 'machine'))],
  ['bad time', 'bad_time', (n) => text(n, { ts: '2026-13-01T00:00:00Z' })],
  ['future time', 'future_time', (n) => text(n, { ts: new Date(Date.now() + 86400_000).toISOString() })],
  ['too long', 'too_long', (n) => text(n, { machine: 'press-press-press' })],
  ['not UTF-8', 'bad_json', (n) => Buffer.from(text(n, { machine: 'pr\u00ff' }), 'latin1')],
];
const rare = [
  ['500 KB good', 'held', (n) => text(n, { note: big })],
  ['late', 'late', (n) => text(n, { ts: at(-3600_000) })],
];
// Sent behind the others, one by one: an answer of the API holds only so many bytes.
const large = [
  ['too_long', (n) => text(n, { machine: big })],
  ['bad_json', (n) => text(n, { note: big }).slice(0, -2)],
];
const total = 1200; // all dead letters fit one answer of the API
const kindOf = (n) => (n % 100 === 99 ? rare[Math.floor(n / 100) % rare.length] : kinds[n % kinds.length]);

let tutti;
const text_of = (where) =>
  fetch(`http://127.0.0.1:${tutti.http}/${where}`, { headers: { authorization: `Bearer ${tutti.token}` } }).then((r) => r.text());
const metric = async (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await text_of('metrics'))?.[1] ?? NaN);

// The same process still takes a value and gives it back; no sanitizer has spoken.
let beat = 0;
async function alive(where) {
  check(tutti.child.exitCode === null && tutti.child.signalCode === null, `${where}: the process ended: ${tutti.child.out.slice(-4000)}`);
  const v = ++beat;
  const pub = new Publisher(tutti.mqtt, 'canary/in', () => JSON.stringify({ v }));
  pub.limit = 1;
  await pub.connect();
  await until(`${where}: the canary is acknowledged`, () => pub.acked.size === 1);
  await until(`${where}: the canary is read`, async () => {
    const { status, body } = await tutti.call('GET', 'uns/value/canary/out/v');
    return status === 200 && body.value === v;
  });
  pub.close();
  check(!/AddressSanitizer|runtime error:|LeakSanitizer/.test(tutti.child.out), `${where}: ${tutti.child.out.slice(-4000)}`);
}

test('every bad record has its reason, and the counters add up', async () => {
  tutti = await Tutti.new();
  await tutti.deploy('hostile.tutti', program);
  const want = { held: 0, filtered: 0, late: 0 };
  for (let n = 0; n < total; n++) want[kindOf(n)[1]] = (want[kindOf(n)[1]] ?? 0) + 1;
  const pub = new Publisher(tutti.mqtt, 'plant/a/press', (n) =>
    n < total ? kindOf(n)[2](n) : n < total + large.length ? large[n - total][1](n) : text(n, { ts: at(3600_000) }));
  pub.limit = total;
  await pub.connect();
  await until('all acknowledged', () => pub.acked.size === total, 120000);
  // Acknowledged means kept: the dead letters are there now.
  const { rows, total: letters } = await tutti.get('pipelines/press/dead?limit=1000');
  const seen = {};
  for (const { reason } of rows) seen[reason] = (seen[reason] ?? 0) + 1;
  const bad = total - want.held - want.filtered - want.late;
  check(letters === bad && rows.length === bad, `${bad} dead letters, not ${letters} (${rows.length} rows)`);
  for (const reason of new Set([...Object.keys(want), ...Object.keys(seen)])) {
    if (['held', 'filtered', 'late'].includes(reason)) continue;
    check(seen[reason] === want[reason], `${reason}: ${want[reason]} sent, ${seen[reason]} kept: ${JSON.stringify(seen)}`);
  }
  check(rows.some((r) => r.reason === 'range' && r.field === 'temp' && JSON.parse(r.raw).temp === 401), 'raw and field are kept');
  check(rows.every((r) => r.raw !== undefined && r.message), 'every letter has its raw bytes and a message');
  check(rows.some((r) => r.raw.includes('pr\ufffd')), 'bytes that are not UTF-8 show as U+FFFD');
  // The numbers are copied four times a second; they catch up and lose nothing.
  let now;
  const begin = Date.now();
  await until('the counters catch up', async () => (now = await tutti.get('pipelines/press')).in >= total)
    .catch((error) => { throw new Error(`${error.message}: in ${now.in} of ${total}`); });
  console.log(`      ${total} records, ${bad} dead letters; counters complete ${Date.now() - begin} ms after the last acknowledgement`);
  check(now.in === total, `in ${now.in}, sent ${total}`);
  for (const [name, number] of [['held', want.held], ['filtered', want.filtered], ['late', want.late], ['errors', bad]]) {
    check(now[name] === number, `${name} ${now[name]}, not ${number}`);
  }
  check(now.state === 'running', 'it goes on');
  const late = await until('late records', async () => {
    const { status, body } = await tutti.call('GET', 'uns/value/late/press/seq');
    return status === 200 && body.count === want.late && body;
  });
  check(late.quality === 'good', 'late records go where they should');
  for (const [reason] of large) {
    pub.limit++;
    pub.fill();
    await until(`500 KB, ${reason}: acknowledged`, () => pub.acked.size === pub.limit);
    const newest = (await tutti.get('pipelines/press/dead?limit=1')).rows[0];
    check(newest.reason === reason && newest.raw.length > 0, `500 KB: ${newest.reason}, not ${reason}`);
  }
  // One record an hour on closes all windows: every good record was counted by one of them.
  pub.limit++;
  pub.fill();
  await until('acknowledged', () => pub.acked.size === pub.limit);
  const counted = async () => {
    const page = await tutti.get('uns/tables/press_10s?limit=5000');
    const n = page.columns.findIndex((c) => c.name === 'n');
    return page.rows.reduce((sum, row) => sum + row[n], 0);
  };
  check((await counted()) === want.held, `the windows hold ${await counted()} of ${want.held} good records`);
  pub.close();
  await alive('records');
});

// One connection: what it says, and, when `end` is set, our FIN behind it. Resolves with what came back
// when the server has closed; a connection the server keeps is an error.
function talk(port, parts, { end = true, ms = 60000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    const got = [];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`not closed within ${ms} ms after ${Buffer.concat(parts).subarray(-60).toString('hex')}, got ${Buffer.concat(got).subarray(-40).toString('hex')}`));
    }, ms);
    socket.on('data', (d) => got.push(d));
    socket.on('error', () => {}); // a reset: the server closed while we still wrote
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(got));
    });
    for (const part of parts) socket.write(part);
    if (end) socket.end();
  });
}

async function pool(count, width, one) {
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < count) await one(next++);
  }));
}

const b = (...list) => Buffer.from(list);
const connect4 = (name) => packet(0x10, field('MQTT'), b(4, 2, 0, 60), field(name));
const connect5 = (name) => packet(0x10, field('MQTT'), b(5, 2, 0, 60, 5, 0x11, 0, 0, 0, 9), field(name));
const will = packet(0x10, field('MQTT'), b(4, 0xee, 0, 60), field('w'), field('junk/will'), field('gone'), field('u'), field('p'));

function valid(five) {
  const props = five ? b(0) : b();
  return [
    five ? connect5('again') : connect4('again'),
    will,
    packet(0x20, b(0, 0), props),
    packet(0x30, field('junk/a'), five ? b(6, 1, 1, 3, 0, 1, 0x61) : props, Buffer.from('{"v":1}')),
    packet(0x32, field('junk/b'), b(0, 7), props, Buffer.from('1')),
    packet(0x35, field('junk/c'), b(0, 8), props, Buffer.from('1')),
    ...[0x40, 0x50, 0x62, 0x70].map((head) => packet(head, b(0, 8), five ? b(0x10, 0) : b())),
    packet(0x82, b(0, 9), props, field('junk/+/x'), b(1), field('$share/g/junk/#'), b(2)),
    packet(0x90, b(0, 9), props, b(1)),
    packet(0xa2, b(0, 10), props, field('junk/+/x')),
    packet(0xb0, b(0, 10), props),
    packet(0xc0), packet(0xd0), packet(0xe0), packet(0xf0, five ? b(0x18, 0) : b()),
  ];
}

function mutate(bytes) {
  let out = Buffer.from(bytes);
  for (let i = random(3); i >= 0; i--) {
    const where = random(out.length || 1);
    switch (random(5)) {
      case 0: out = out.subarray(0, where); break;
      case 1: if (out.length) out[where] = random(256); break;
      case 2: if (out.length) out[where] ^= 1 << random(8); break;
      case 3: out = Buffer.concat([out.subarray(0, where), b(random(256), random(256)), out.subarray(where)]); break;
      default: out = Buffer.concat([out, out.subarray(where)]);
    }
  }
  return out;
}

test('2,000 connections with broken MQTT packets', async () => {
  const before = await metric('tutti_mqtt_protocol_errors_total');
  // Open and silent, or in the middle of a packet, while all the rest goes on.
  const open = [b(), b(0x10), connect4('half').subarray(0, 9), Buffer.concat([connect4('open'), b(0x30, 0xff)])].map((bytes) => {
    const socket = net.connect(tutti.mqtt, '127.0.0.1').on('error', () => {});
    if (bytes.length) socket.write(bytes);
    return socket;
  });
  await pool(2000, 32, async (i) => {
    const five = i % 2 === 1;
    const parts = i % 8 < 6 ? [five ? connect5(`m${i}`) : connect4(`m${i}`)] : [];
    for (let k = random(4); k >= 0; k--) parts.push(mutate(pick(valid(five))));
    await talk(tutti.mqtt, parts);
  });
  for (const socket of open) socket.destroy();
  await alive('mutants');
  const counted = (await metric('tutti_mqtt_protocol_errors_total')) - before;
  console.log(`      seed ${seed}: ${counted} protocol errors counted`);
  check(counted > 200, `${counted} protocol errors counted`);
});

test('MQTT violations end the connection and are counted', async () => {
  const wrong = {
    'packet type 0': b(0, 0),
    'QoS 3': packet(0x36, field('junk'), b(0, 1)),
    'QoS 0 with DUP': packet(0x38, field('junk')),
    'SUBSCRIBE with flags 0': packet(0x80, b(0, 1), field('junk'), b(0)),
    'SUBSCRIBE without a topic': packet(0x82, b(0, 1)),
    'a second CONNECT': connect4('twice'),
    'a wildcard in a topic name': packet(0x30, field('junk/#')),
    'a topic that is not UTF-8': packet(0x30, b(0, 2, 0xc3, 0x28)),
    'U+0000 in a topic': packet(0x30, b(0, 1, 0)),
    'packet id 0': packet(0x32, field('junk'), b(0, 0)),
    'a topic longer than the packet': b(0x30, 4, 0xff, 0xff, 0x61, 0x61),
    'a length of five bytes': b(0x30, 0xff, 0xff, 0xff, 0xff, 1),
    'a length of 256 MB': b(0x30, 0xff, 0xff, 0xff, 0x7f),
    'a packet only servers send': packet(0x20, b(0, 0)),
  };
  for (const [name, bytes] of Object.entries(wrong)) {
    const before = await metric('tutti_mqtt_protocol_errors_total');
    await talk(tutti.mqtt, [connect4('wrong'), bytes], { end: false }).catch((e) => check(false, `${name}: ${e.message}`));
    check((await metric('tutti_mqtt_protocol_errors_total')) === before + 1, `${name} is counted`);
  }
  for (const bytes of [packet(0xc0), b(0x10, 0xff, 0xff, 0xff, 0x7f), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
    await talk(tutti.mqtt, [bytes], { end: false });
  }
  await alive('violations');
});

const head = (more, first = 'POST /api/v1/pipelines/check HTTP/1.1') => Buffer.from(`${first}\r\nHost: x\r\n${more}\r\n`, 'latin1');

test('bad HTTP requests are refused with 4xx and closed', async () => {
  const wrong = {
    'two lengths': head('Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}'),
    'length and chunks': head('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n'),
    'a negative length': head('Content-Length: -1\r\n'),
    'a length with a sign': head('Content-Length: +2\r\n\r\n{}'),
    'a length past 64 bits': head('Content-Length: 18446744073709551617\r\n'),
    'chunks that are not last': head('Transfer-Encoding: chunked, gzip\r\n'),
    'a bad chunk size': head('Transfer-Encoding: chunked\r\n\r\nxyz\r\n'),
    'a chunk size past 64 bits': head('Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\n'),
    'a chunk without its end': head('Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n'),
    'a blank before the colon': head('Accept : x\r\n'),
    'a folded line': head('Accept: x\r\n y\r\n'),
    'a NUL in a value': head('Accept: a\u0000b\r\n'),
    'a CR in a value': head('Accept: a\rb\r\n'),
    'two hosts': head('Host: y\r\n'),
    'no host': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'bare line feeds': Buffer.from('GET /healthz HTTP/1.1\nHost: x\n\n'),
    'no version': Buffer.from('GET /healthz\r\n\r\n'),
    'no HTTP at all': Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 'latin1'),
    'a giant head': head(`X: ${'a'.repeat(300_000)}\r\n`),
    'a giant target': Buffer.from(`GET /${'a'.repeat(300_000)} HTTP/1.1\r\nHost: x\r\n\r\n`),
    'ten thousand lines': head('A: b\r\n'.repeat(10_000)),
  };
  const before = await metric('tutti_http_bad_requests_total');
  for (const [name, bytes] of Object.entries(wrong)) {
    const answer = (await talk(tutti.http, [bytes], { end: false }).catch((e) => check(false, `${name}: ${e.message}`))).toString('latin1');
    // A server that closes while much is still coming may reset: then no answer arrives.
    const code = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? NaN);
    check((code >= 400 && code < 500) || code === 505 || code === 501 || (!answer && bytes.length > 50_000), `${name}: ${answer.slice(0, 200)}`);
    check(answer.split('HTTP/1.1 ').length <= 2, `${name}: one answer, not ${answer}`);
  }
  const counted = (await metric('tutti_http_bad_requests_total')) - before;
  check(counted >= Object.keys(wrong).length, `${counted} bad requests counted of ${Object.keys(wrong).length}`);
  const good = [
    head('', 'GET /healthz HTTP/1.1'),
    head('Content-Length: 10\r\nContent-Type: application/json\r\n\r\n{"text":""'),
    head('Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n'),
    head('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n', 'GET /ws HTTP/1.1'),
  ];
  await pool(500, 16, async () => {
    const answer = (await talk(tutti.http, [mutate(pick(good))])).toString('latin1');
    check(!/^HTTP\/1\.1 500/.test(answer), `a mutant broke us: ${answer.slice(0, 300)}`);
  });
  await alive('http');
});

const upgrade = () => head(
  `Authorization: Bearer ${tutti.token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`,
  'GET /ws HTTP/1.1');

test('bad WebSocket frames end the connection', async () => {
  const key = [1, 2, 3, 4];
  const frame = (first, ...bytes) => b(first, 0x80 | bytes.length, ...key, ...bytes.map((x, i) => x ^ key[i % 4]));
  const ping = [...Buffer.from('{"op":"ping","id":1}')];
  const wrong = {
    'not masked': [b(0x81, 2, 0x7b, 0x7d), 1002],
    'reserved bits': [frame(0xc1, ...ping), 1002],
    'a reserved opcode': [frame(0x83, ...ping), 1002],
    'a control frame in parts': [frame(0x09), 1002],
    'a continuation of nothing': [frame(0x80, ...ping), 1002],
    'a message inside a message': [Buffer.concat([frame(0x01, 0x7b), frame(0x81, 0x7d)]), 1002],
    'a control frame of 126 bytes': [b(0x89, 0xfe, 0, 126, ...key), 1002],
    'a length with the top bit': [b(0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, ...key), 1002],
    'a length of 4 GB': [b(0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, ...key), 1009],
    'text that is not UTF-8': [frame(0x81, 0xc3, 0x28), 1007],
    'a close of one byte': [frame(0x88, 3), 1002],
    'a close with code 1005': [frame(0x88, 3, 0xed), 1002],
  };
  for (const [name, [bytes, code]] of Object.entries(wrong)) {
    const answer = await talk(tutti.http, [upgrade(), bytes], { end: false }).catch((e) => check(false, `${name}: ${e.message}`));
    check(answer.toString('latin1').startsWith('HTTP/1.1 101'), `${name}: ${answer.toString('latin1').slice(0, 200)}`);
    const close = answer.lastIndexOf(0x88); // its frame is the last thing sent
    check(close > 0 && answer.readUInt16BE(close + 2) === code, `${name}: code ${code}, not ${answer.subarray(-12).toString('hex')}`);
  }
  await pool(300, 16, async () => {
    await talk(tutti.http, [upgrade(), mutate(frame(0x81, ...ping)), mutate(frame(0x81, ...ping))]);
  });
  await alive('websocket');
  check((await tutti.kill('SIGTERM')) === 0, `SIGTERM ends with 0: ${tutti.child.out.slice(-4000)}`);
});

await run(true);
