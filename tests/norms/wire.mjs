// tests/norms/wire.mjs: one connection as a client of the broker, over TCP or WebSocket. It does
// nothing by itself: no pings, no acknowledgements. Every wait has a deadline, none is a pause.
import assert from 'node:assert/strict';
import net from 'node:net';
import WebSocket from 'ws';
import * as b from './bytes.mjs';

export const WAIT_MS = Number(process.env.WAIT_MS ?? 60000);

export class Wire {
  constructor(version) {
    this.version = version;
    this.inbox = []; // packets in order of arrival
    this.rest = Buffer.alloc(0);
    this.over = false;
    this.waiters = new Set();
    this.lastId = 0;
    this.fromServer = true;
  }

  // Over a socket that is there. `fromServer`: who the other side is.
  static over(version, socket, fromServer) {
    const wire = new Wire(version);
    wire.fromServer = fromServer;
    socket.setNoDelay(true);
    socket.on('data', (data) => wire.feed(data));
    socket.on('error', () => {});
    socket.on('close', () => wire.end());
    wire.write = (bytes) => socket.write(bytes);
    wire.drop = () => socket.destroy();
    wire.stop = () => socket.pause(); // reads no more
    return wire;
  }

  static async tcp(version, port) {
    const socket = net.connect(port, '127.0.0.1');
    const wire = Wire.over(version, socket, true);
    await new Promise((resolve) => socket.on('connect', resolve));
    return wire;
  }

  // `protocols`: what is offered.
  static async ws(version, port, protocols = ['mqtt']) {
    const wire = new Wire(version);
    const ws = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, protocols);
    wire.ws = ws;
    ws.on('message', (data, binary) => {
      if (!binary) wire.broken = new Error('the server sent a text frame');
      wire.feed(data);
    });
    ws.on('error', (error) => (wire.refusal = error));
    ws.on('close', (code) => {
      wire.code = code;
      wire.end();
    });
    wire.write = (bytes) => ws.readyState === WebSocket.OPEN && ws.send(bytes);
    wire.drop = () => ws.terminate();
    await new Promise((resolve) => ws.on('open', resolve).on('close', resolve));
    return wire;
  }

  feed(data) {
    this.rest = Buffer.concat([this.rest, data]);
    for (let len; (len = b.frame(this.rest)); this.rest = this.rest.subarray(len)) {
      try {
        this.inbox.push(b.parse(this.version, Buffer.from(this.rest.subarray(0, len)), this.fromServer));
      } catch (error) {
        this.broken ??= new Error(`${error.message}: ${this.rest.subarray(0, len).toString('hex')}`);
      }
    }
    this.wake();
  }

  end() {
    this.over = true;
    this.wake();
  }

  wake() {
    for (const look of [...this.waiters]) look();
  }

  // Resolves with the first true value of `look`, which is asked again whenever something came.
  wait(what, look, ms = WAIT_MS) {
    const try_ = () => {
      if (this.broken) throw this.broken;
      return look();
    };
    return new Promise((resolve, reject) => {
      const done = (fn, value) => {
        clearTimeout(timer);
        this.waiters.delete(again);
        fn(value);
      };
      const again = () => {
        try {
          const value = try_();
          if (value) done(resolve, value);
        } catch (error) {
          done(reject, error);
        }
      };
      const timer = setTimeout(() => done(reject, new Error(
        `not within ${ms} ms: ${what}${this.over ? ' (the connection ended)' : ''}; here: [${
          this.inbox.map((p) => p.name)}]`)), ms);
      this.waiters.add(again);
      again();
    });
  }

  send(...parts) {
    this.write(Buffer.concat(parts));
  }

  // The next packet, whatever it is.
  async next(type, ms) {
    const p = await this.wait(type ? b.NAMES[type] : 'a packet', () => {
      if (this.over && !this.inbox.length) throw new Error(`the connection ended before ${b.NAMES[type]}`);
      return this.inbox.shift();
    }, ms);
    if (type) assert.equal(p.name, b.NAMES[type], `${p.bytes.toString('hex')} came`);
    return p;
  }

  // The first packet of a type; those of other types stay.
  pick(type, ms) {
    return this.wait(b.NAMES[type], () => {
      const at = this.inbox.findIndex((p) => p.type === type);
      if (at < 0 && this.over) throw new Error(`the connection ended before ${b.NAMES[type]}`);
      return at < 0 ? null : this.inbox.splice(at, 1)[0];
    }, ms);
  }

  message(ms) {
    return this.next(b.PUBLISH, ms);
  }

  // All that comes until an answer to a ping: what was under way is here then.
  async fence() {
    this.send(b.pingreq());
    await this.pick(b.PINGRESP);
    return this.inbox.splice(0);
  }

  async silent(what = 'nothing comes') {
    assert.deepEqual((await this.fence()).map((p) => `${p.name} ${p.topic ?? ''} ${p.text ?? ''}`), [], what);
  }

  // The server ends the connection; returns what came before.
  async ends(ms) {
    await this.wait('the end of the connection', () => this.over, ms);
    return this.inbox.splice(0);
  }

  // The end after an error: version 5 may say why, and only with one of the reasons.
  async refused(...reasons) {
    const came = await this.ends();
    if (this.version < 5) assert.deepEqual(came.map((p) => p.name), [], 'the end without a word');
    for (const p of came) {
      assert.equal(p.name, 'DISCONNECT');
      if (reasons.length) assert.ok(reasons.includes(p.reason), `reason ${p.reason.toString(16)}`);
    }
  }

  id() {
    return (this.lastId = (this.lastId % 65535) + 1);
  }

  async subscribe(filter, options = 0, props = {}) {
    const id = this.id();
    this.send(b.subscribe(this.version, id, [[filter, options]], props));
    const p = await this.pick(b.SUBACK);
    assert.equal(p.id, id);
    assert.equal(p.codes.length, 1);
    assert.ok(p.codes[0] <= 2, `subscription refused: ${p.codes[0]}`);
    return p;
  }

  async unsubscribe(filter) {
    const id = this.id();
    this.send(b.unsubscribe(this.version, id, [filter]));
    const p = await this.pick(b.UNSUBACK);
    assert.equal(p.id, id);
    return p;
  }

  // Publishes and waits until the broker has it.
  async publish(topic, payload = 'x', o = {}) {
    const id = o.qos ? (o.id ?? this.id()) : 0;
    this.send(b.publish(this.version, topic, payload, { ...o, id }));
    if (!o.qos) {
      this.send(b.pingreq());
      await this.pick(b.PINGRESP);
      return null;
    }
    const first = await this.pick(o.qos === 1 ? b.PUBACK : b.PUBREC);
    assert.equal(first.id, id);
    if (o.qos === 1 || first.reason >= 0x80) return first;
    this.send(b.ack(this.version, b.PUBREL, id));
    const last = await this.pick(b.PUBCOMP);
    assert.equal(last.id, id);
    return last;
  }

  puback(p, reason) {
    this.send(b.ack(this.version, b.PUBACK, p.id, reason));
  }

  // Takes a QoS 2 message to its end.
  async finish2(p) {
    this.send(b.ack(this.version, b.PUBREC, p.id));
    const rel = await this.pick(b.PUBREL);
    assert.equal(rel.id, p.id);
    this.send(b.ack(this.version, b.PUBCOMP, p.id));
  }

  async bye(reason, props) {
    this.send(b.disconnect(this.version, reason, props));
    await this.ends();
  }
}
