// tests/norms/bed.mjs: where statements and their tests are declared and run.
//
// norm(ids of 3.1.1, ids of 5.0, what holds, test, options): one test for statements of one or both
// versions; it runs once per version that it names and per transport. Each run gets a Bed.
import assert from 'node:assert/strict';
import * as b from './bytes.mjs';
import { Wire, WAIT_MS } from './wire.mjs';

export const norms = [];
export let file = '';
export function entering(name) {
  file = name;
}

const split = (ids) => ids.split(' ').filter(Boolean);
export function norm(v4, v5, what, fn, options = {}) {
  const row = { file, ids: { 4: split(v4), 5: split(v5) }, what, fn, transports: ['tcp', 'ws'], ...options };
  norms.push(row);
}

let serial = 0;
export class Bed {
  constructor(version, transport, ports) {
    Object.assign(this, { version, transport, ports, five: version === 5 });
    this.serial = ++serial;
    this.prefix = `norm/${process.pid}/${serial}`;
    this.wires = [];
    this.ends = []; // what else has to go
    this.ids = 0;
  }

  topic(name = 't') {
    return `${this.prefix}/${name}`;
  }

  id() {
    return `n${process.pid}x${this.serial}x${++this.ids}`;
  }

  // A connection without CONNECT.
  async open(o = {}) {
    const version = o.version ?? this.version;
    const wire = this.transport === 'tcp' ? await Wire.tcp(version, o.port ?? this.ports.mqtt)
      : await Wire.ws(version, this.ports.http, o.protocols);
    this.wires.push(wire);
    return wire;
  }

  // A connection that was accepted.
  async connect(o = {}) {
    const wire = await this.open(o);
    wire.clientId = o.id ?? this.id();
    wire.send(b.connect(wire.version, { ...o, id: wire.clientId }));
    wire.connack = await wire.next(b.CONNACK);
    assert.equal(wire.connack.reason, 0, 'accepted');
    return wire;
  }

  // One whose session stays when it goes.
  keep(o = {}) {
    return this.connect({ ...o, clean: o.clean ?? false,
      props: this.five ? { sessionExpiry: 300, ...o.props } : {} });
  }

  // What the broker answers to a CONNECT made of these: CONNACK, or null when it just ends.
  async refusal(bytes, o = {}) {
    const wire = await this.open(o);
    wire.send(bytes);
    const came = await wire.ends();
    assert.ok(came.length <= 1, `${came.map((p) => p.name)}`);
    if (came[0]) assert.equal(came[0].name, 'CONNACK');
    return came[0] ?? null;
  }

  // Malformed: 3.1.1 ends without CONNACK, 5.0 may say a reason of 0x80 and above.
  async malformed(bytes) {
    const answer = await this.refusal(bytes);
    if (this.five) assert.ok(!answer || (answer.reason >= 0x80 && !answer.present));
    else assert.equal(answer, null, 'no CONNACK');
  }

  // Bytes after an accepted CONNECT that have to end the connection.
  async breaks(bytes, ...reasons) {
    const wire = await this.connect();
    wire.send(bytes);
    await wire.refused(...reasons);
  }

  done() {
    for (const wire of this.wires) wire.drop();
    for (const end of this.ends) end();
  }
}

async function once(row, version, transport, ports) {
  const bed = new Bed(version, transport, ports);
  let timer;
  try {
    await Promise.race([row.fn(bed), new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('not done in time')), row.ms ?? 3 * WAIT_MS);
    })]);
    return null;
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
    bed.done();
  }
}

// Runs all of `list` ({ row, version, transport }), `width` at a time; returns [job, error] pairs.
export async function runAll(list, ports, width = 16) {
  const results = [];
  let at = 0;
  const worker = async () => {
    while (at < list.length) {
      const job = list[at++];
      const begin = Date.now();
      const error = await once(job.row, job.version, job.transport, ports);
      results.push({ ...job, error, ms: Date.now() - begin });
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
