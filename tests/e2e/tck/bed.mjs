// tests/e2e/tck/bed.mjs: where statements of Sparkplug and their tests are declared, payloads field by
// field, and a broker that writes down what one client says.
//
// A payload is taken apart here by the numbers of sparkplug_b.proto (3.0, 6.4.1), so that a field that
// is not there is seen as such; packets are read and written by npm's mqtt-packet.
import net from 'node:net';
import { createRequire } from 'node:module';
import { until } from '../lib.mjs';

const packets = createRequire(import.meta.url)('mqtt-packet');

export const rows = []; // { file, ids, what, fn }
let file = '';
export const entering = (name) => (file = name);
/** `ids` without tck-id-, a space between; `fn` gets what its scenario saw. */
export const tck = (ids, what, fn) => rows.push({ file, ids: ids.split(/\s+/).filter(Boolean).map((id) => `tck-id-${id}`), what, fn });

// ---- payloads ----

function* fields(bytes) {
  let at = 0;
  const varint = () => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('a payload is cut off');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (wire === 0) yield [tag >> 3, varint()];
    else {
      const len = wire === 2 ? Number(varint()) : wire === 1 ? 8 : 4;
      if (at + len > bytes.length || wire === 3 || wire === 4) throw new Error('a payload is cut off');
      yield [tag >> 3, bytes.subarray(at, (at += len))];
    }
  }
}

const FORMS = { 10: 'int', 11: 'long', 12: 'float', 13: 'double', 14: 'boolean', 15: 'string', 16: 'bytes', 17: 'dataset', 18: 'template' };
const read = { int: Number, long: Number, float: (b) => b.readFloatLE(), double: (b) => b.readDoubleLE(), boolean: (v) => v !== 0n, string: String };

function properties(bytes) {
  const keys = [];
  const values = [];
  for (const [number, value] of fields(bytes)) {
    if (number === 1) keys.push(value.toString());
    if (number === 2) {
      const one = {};
      for (const [n, v] of fields(value)) n === 1 ? (one.type = Number(v)) : n === 3 ? (one.int = Number(v)) : (one.other = n);
      values.push(one);
    }
  }
  return { keys, values };
}

function metric(bytes) {
  const m = {};
  for (const [number, value] of fields(bytes)) {
    if (number === 1) m.name = value.toString();
    else if (number === 2) m.alias = Number(value);
    else if (number === 3) m.timestamp = Number(value);
    else if (number === 4) m.datatype = Number(value);
    else if (number === 5) m.historical = value !== 0n;
    else if (number === 7) m.null = value !== 0n;
    else if (number === 9) m.properties = properties(value);
    else if (FORMS[number]) Object.assign(m, { form: FORMS[number], value: (read[FORMS[number]] ?? ((v) => v))(value) });
  }
  return m;
}

export function payload(bytes) {
  const p = { metrics: [] };
  for (const [number, value] of fields(bytes)) {
    if (number === 1) p.timestamp = Number(value);
    if (number === 2) p.metrics.push(metric(value));
    if (number === 3) p.seq = Number(value);
  }
  return p;
}

// ---- a broker that writes down ----

export class Recorder {
  /** version 4: it refuses 5.0. `retained`: topic -> payload. */
  static async new(version = 5) {
    const r = Object.assign(new Recorder(), { version, conns: [], retained: new Map(), ids: 0, open: 0, most: 0 });
    r.server = net.createServer((socket) => r.take(socket));
    await new Promise((resolve) => r.server.listen(0, '127.0.0.1', resolve));
    r.port = r.server.address().port;
    return r;
  }

  take(socket) {
    const parser = packets.parser({ protocolVersion: this.version });
    const conn = { said: [], acked: new Set(), filters: [], socket };
    conn.send = (packet) => socket.write(packets.generate(packet, { protocolVersion: this.version }));
    parser.on('packet', (p) => this.packet(conn, p));
    parser.on('error', () => socket.destroy());
    socket.on('error', () => {});
    socket.on('data', (bytes) => parser.parse(bytes));
    socket.on('close', () => {
      if (conn.connect) this.open--;
      conn.closed = true;
    });
  }

  packet(conn, p) {
    if (p.cmd === 'connect' && p.protocolVersion !== this.version) {
      conn.socket.end(packets.generate({ cmd: 'connack', returnCode: 1, sessionPresent: false }, { protocolVersion: 4 }));
    } else if (p.cmd === 'connect') {
      conn.connect = p;
      this.most = Math.max(this.most, ++this.open);
      this.conns.push(conn);
      conn.send({ cmd: 'connack', reasonCode: 0, returnCode: 0, sessionPresent: false });
    } else if (p.cmd === 'subscribe') {
      conn.said.push(p);
      conn.filters.push(...p.subscriptions);
      conn.send({ cmd: 'suback', messageId: p.messageId, granted: p.subscriptions.map((s) => s.qos) });
      for (const [topic, text] of this.retained) if (p.subscriptions.some((s) => s.topic === topic)) this.publish(topic, text, { retain: true, conn });
    } else if (p.cmd === 'publish') {
      const [, group, kind, node, device] = p.topic.split('/');
      conn.said.push({ ...p, group, kind, node, device, at: Date.now(), p: payload(p.payload) });
      if (p.qos) conn.send({ cmd: 'puback', messageId: p.messageId });
    } else if (p.cmd === 'puback') conn.acked.add(p.messageId);
    else if (p.cmd === 'pingreq') conn.send({ cmd: 'pingresp' });
    else if (p.cmd === 'disconnect') conn.disconnect = conn.said.push(p) && p;
  }

  get now() {
    return this.conns.at(-1);
  }

  /** Sends with QoS 1 and waits until it is acknowledged: all before it was heard as well. */
  async publish(topic, bytes, { retain = false, conn = this.now } = {}) {
    const messageId = (this.ids++ % 60000) + 1;
    conn.acked.delete(messageId);
    conn.send({ cmd: 'publish', topic, payload: Buffer.from(bytes), qos: 1, retain, dup: false, messageId });
    await until(`${topic} is acknowledged`, () => conn.acked.has(messageId) || conn.closed);
  }

  state(host, online, timestamp) {
    const topic = `spBv1.0/STATE/${host}`;
    const text = JSON.stringify({ online, timestamp });
    this.retained.set(topic, text);
    return this.publish(topic, text);
  }

  of(kind, conn = this.now) {
    return conn.said.filter((m) => m.kind === kind);
  }
}
