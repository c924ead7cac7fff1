// tests/norms/websocket.mjs: chapter 6: MQTT inside WebSocket frames.
import assert from 'node:assert/strict';
import net from 'node:net';
import * as b from './bytes.mjs';
import { norm } from './bed.mjs';

const only = { transports: ['ws'] };

norm('MQTT-6.0.0-1', 'MQTT-6.0.0-1', 'a text frame ends the connection; the broker sends binary ones', async (t) => {
  const w = await t.connect();
  await w.subscribe(t.topic('#'), 0);
  const c = await t.connect({ will: { topic: t.topic('will'), payload: 'text' } });
  c.ws.send(b.publish(t.version, t.topic('text'), 'as text').toString('latin1'));
  c.send(b.publish(t.version, t.topic('behind'), 'behind it'));
  await c.ends();
  assert.equal(c.code, 1003);
  assert.equal((await w.message()).text, 'text', 'the will, and nothing of what came behind');
  await w.silent();
  const fresh = await t.open();
  fresh.ws.send(b.connect(t.version, { id: t.id() }).toString('latin1'));
  assert.deepEqual(await fresh.ends(), []);
}, only);

norm('MQTT-6.0.0-2', 'MQTT-6.0.0-2', 'packets may be split over frames, or be many in one', async (t) => {
  const v = t.version;
  const c = await t.open();
  const all = Buffer.concat([b.connect(v, { id: t.id() }), b.subscribe(v, 1, [[t.topic(), 1]]),
    b.publish(v, t.topic(), 'one', { qos: 1, id: 2 }), b.publish(v, t.topic(), 'two'), b.pingreq()]);
  const names = ['CONNACK', 'SUBACK', 'PUBLISH', 'PUBACK', 'PUBLISH', 'PINGRESP'];
  for (const byte of all) c.send(Buffer.from([byte]));
  for (const p of [...names]) assert.equal((await c.next()).name, p);
  const one = await t.open();
  one.send(all.subarray(0, 5));
  one.send(Buffer.alloc(0));
  one.send(all.subarray(5));
  for (const p of names) assert.equal((await one.next()).name, p);
  const pieces = await t.connect(); // one message of several frames
  const ping = Buffer.concat([b.pingreq(), b.pingreq()]);
  pieces.ws.send(ping.subarray(0, 1), { binary: true, fin: false });
  pieces.ws.send(ping.subarray(1, 3), { binary: true, fin: false });
  pieces.ws.ping();
  pieces.ws.send(ping.subarray(3), { binary: true, fin: true });
  await pieces.next(b.PINGRESP);
  await pieces.next(b.PINGRESP);
}, only);

norm('MQTT-6.0.0-2', 'MQTT-6.0.0-2', 'a frame may hold a thousand packets', async (t) => {
  const c = await t.connect();
  c.send(Buffer.concat(Array.from({ length: 1000 }, () => b.pingreq())));
  for (let i = 0; i < 1000; i++) await c.next(b.PINGRESP);
}, only);

norm('MQTT-6.0.0-3', 'MQTT-6.0.0-3', 'who does not offer the subprotocol mqtt is not let in', async (t) => {
  for (const protocols of [[], ['mqttv3.1'], ['MQTT'], ['mqttx']]) {
    const c = await t.open({ protocols });
    assert.ok(c.over);
    assert.match(`${c.refusal?.message}`, /400/);
  }
}, only);

norm('MQTT-6.0.0-4', 'MQTT-6.0.0-4', 'the subprotocol that is chosen is mqtt', async (t) => {
  for (const protocols of [['mqtt'], ['chat', 'mqtt'], ['mqtt', 'chat']])
    assert.equal((await t.open({ protocols })).ws.protocol, 'mqtt');
}, only);

norm('MQTT-6.0.0-1', 'MQTT-6.0.0-1', 'the WebSocket is closed when MQTT ends, and MQTT when the WebSocket does', async (t) => {
  const c = await t.connect();
  c.send(b.disconnect(t.version));
  await c.ends();
  assert.equal(c.code, 1000);
  const w = await t.connect();
  await w.subscribe(t.topic(), 0);
  for (const end of [(x) => x.ws.close(1000), (x) => x.ws.terminate(), (x) => x.ws.close()]) {
    const d = await t.connect({ will: { topic: t.topic(), payload: 'gone' } });
    end(d);
    await w.message();
  }
}, only);

// Frames as no library writes them: without a mask, with reserved bits, a broken order.
async function raw(t, ...frames) {
  const socket = net.connect(t.ports.http, '127.0.0.1');
  t.wires.push({ drop: () => socket.destroy() });
  let head = Buffer.alloc(0);
  const ended = new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
  await new Promise((resolve) => {
    socket.on('data', (data) => {
      head = Buffer.concat([head, data]);
      if (head.includes('\r\n\r\n')) resolve();
    });
    socket.write('GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
  });
  assert.match(head.toString('latin1'), /^HTTP\/1.1 101 /);
  socket.write(Buffer.concat(frames));
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error('the connection stays')), 60000)));
  await Promise.race([ended, late]).finally(() => clearTimeout(timer));
}
const masked = (first, body) => Buffer.concat([b.u8(first, 0x80 | body.length, 0, 0, 0, 0), body]);

norm('MQTT-6.0.0-1', 'MQTT-6.0.0-1', 'frames that break RFC 6455 end the connection', async (t) => {
  const connect = b.connect(t.version, { id: 'a' });
  await raw(t, b.u8(0x82, connect.length), connect);
  await raw(t, masked(0xc2, connect));
  await raw(t, masked(0x83, connect));
  await raw(t, masked(0x80, connect));
  await raw(t, masked(0x09, Buffer.alloc(2)));
  await raw(t, masked(0x02, connect), masked(0x82, connect));
  await raw(t, masked(0x81, connect));
}, only);
