// tests/e2e/modbus.mjs: a Modbus device with faults: every bad answer is counted and explained.
//
// The device is npm modbus-serial behind a relay that can hold, cut and spoil its answers. Texts and
// numbers expected are those of the Modbus application protocol 1.1b3 (exceptions 02, 06) and of
// the register map: u is a float in holding 0 and 1, big end first, in 0..500 V; n is in 0..100.
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { createRequire } from 'node:module';
import { check, freePort, run, test, Tutti, until } from './lib.mjs';

const { ServerTCP } = createRequire(import.meta.url)('modbus-serial');

class Device {
  static async new() {
    const device = new Device();
    device.registers = new Map();
    device.set({ u: 230.5, n: 7 });
    const inner = await freePort();
    device.port = await freePort();
    const fails = () => (device.exception ? Promise.reject({ modbusErrorCode: device.exception }) : null);
    const refused = (at) => (device.refuses?.has(at) ? Promise.reject({ modbusErrorCode: 2 }) : null);
    const register = async (at) => (await fails(), await refused(at), device.registers.get(at) ?? 0);
    device.server = new ServerTCP(
      { getHoldingRegister: register, getInputRegister: register }, { host: '127.0.0.1', port: inner, unitID: 255 });
    device.server.on('socketError', () => {});
    device.relay = net.createServer((client) => {
      const up = net.connect(inner, '127.0.0.1');
      client.on('data', (data) => up.write(data));
      up.on('data', (data) => device.spoil(data, (bytes) => client.write(bytes)));
      for (const one of [client, up]) one.on('error', () => {}).on('close', () => (client.destroy(), up.destroy()));
    });
    await new Promise((resolve) => device.relay.listen(device.port, '127.0.0.1', resolve));
    return device;
  }

  set({ u, n }) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatBE(u);
    [bytes.readUInt16BE(0), bytes.readUInt16BE(2)].forEach((word, i) => this.registers.set(i, word));
    this.registers.set(4, n);
  }

  spoil(data, send) {
    if (this.mode === 'slow') return;
    if (this.mode === 'short') send(data.subarray(0, data.length - 3));
    else if (this.mode === 'foreign') send(Buffer.concat([Buffer.from([0x12, 0x34]), data.subarray(2)]));
    else if (this.mode === 'noise') send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    else send(data);
  }
}

// An answer that is late is an error, too: `patience` is more than a busy machine needs for one.
async function bench(patience = '20s') {
  const device = await Device.new();
  const tutti = await Tutti.new();
  await tutti.deploy('meter.tutti', `
map Meter modbus unit 1 every 20ms {
  u: f32 be at holding 0 [V] in 0..500
  n: u16 at holding 4 in 0..100
}
pipeline meter {
  from modbus "tcp://127.0.0.1:${device.port}" map Meter timeout ${patience}
  into uns "meter"
  on error into dead
}
`);
  const seen = () => tutti.get('pipelines/meter');
  const values = async () => {
    const before = (await seen()).out;
    await until('values', async () => (await seen()).out > before + 3);
  };
  const newest = async () => (await tutti.get('pipelines/meter/dead?limit=1')).rows[0];
  await values();
  check((await seen()).error === null && (await seen()).errors === 0, 'all is well at first');
  return { device, tutti, seen, values, newest };
}

// `named`: the state says it too; what is wrong with one value only is wrong with the record only.
async function fault(b, reason, message, begin, end, named = true) {
  const before = (await b.seen()).errors;
  begin();
  await until('it is counted', async () => (await b.seen()).errors > before + 1);
  const row = await b.newest();
  check(row.reason === reason, `${reason}: ${JSON.stringify(row)}`);
  check(row.stage === 'from' && message.test(row.message), `${message}: ${JSON.stringify(row)}`);
  if (named) {
    const { state, error } = await b.seen();
    check(state === 'running' && message.test(error), `the state names it: ${error}`);
    const { connections } = await b.tutti.get('connectors');
    check(connections.length === 1 && connections[0].stored === false, JSON.stringify(connections));
    check(connections[0].state !== 'connected' && connections[0].errors > 0, JSON.stringify(connections));
  }
  end();
  await b.values();
  await until('the trouble is over', async () => (await b.seen()).error === null);
  return row;
}

test('exceptions of the device', async () => {
  const b = await bench();
  const ends = () => (b.device.exception = 0);
  await fault(b, 'source_failed', /^(source: )?holding 0\.\.4: .*busy/i, () => (b.device.exception = 6), ends);
  await fault(b, 'source_failed', /illegal data address/i, () => (b.device.exception = 2), ends);
  const n = await b.seen();
  await b.tutti.call('POST', 'pipelines/meter/stop', {});
  const last = await b.seen();
  check(last.in === last.out + last.errors, `${last.in} polls, ${last.out} values, ${last.errors} errors`);
  check(last.in >= n.in, 'counted on');
  const { body } = await b.tutti.call('POST', 'pipelines/meter/dead/replay', {});
  check(body.replayed === undefined || body.replayed === 0, 'nothing of that can be replayed');
});

test('answers that cannot be used', async () => {
  const b = await bench('2s');
  const ends = () => (b.device.mode = '');
  await fault(b, 'source_failed', /timed out/i, () => (b.device.mode = 'slow'), ends);
  await fault(b, 'source_failed', /holding 0\.\.4/, () => (b.device.mode = 'short'), ends);
  await fault(b, 'source_failed', /holding 0\.\.4/, () => (b.device.mode = 'foreign'), ends);
  await fault(b, 'source_failed', /holding 0\.\.4/, () => (b.device.mode = 'noise'), ends);
});

test('values out of range, and no value', async () => {
  const b = await bench();
  const ends = () => b.device.set({ u: 230.5, n: 7 });
  const high = await fault(b, 'range', /outside/, () => b.device.set({ u: 700.25, n: 7 }), ends, false);
  check(high.field === 'u' && JSON.parse(high.raw).u === 700.25, JSON.stringify(high));
  const low = await fault(b, 'range', /outside/, () => b.device.set({ u: 1, n: 101 }), ends, false);
  check(low.field === 'n' && JSON.parse(low.raw).n === 101, JSON.stringify(low));
  const none = await fault(b, 'missing_field', /missing/, () => b.device.set({ u: NaN, n: 7 }), ends, false);
  check(none.field === 'u' && JSON.parse(none.raw).u === null, JSON.stringify(none));
});

test('`on error` and `stop above` apply to polls as to any record', async () => {
  const device = await Device.new();
  const tutti = await Tutti.new();
  device.exception = 2;
  await tutti.deploy('meter.tutti', `
map Meter modbus unit 1 every 10ms { n: u16 at holding 4 }
pipeline meter {
  from modbus "tcp://127.0.0.1:${device.port}" map Meter timeout 20s
  into uns "meter"
  on error into file "errors.ndjson" stop above 50% in 1s
}`);
  const failed = await until('it stops itself', async () => {
    const n = await tutti.get('pipelines/meter');
    return n.state === 'failed' && n;
  });
  check(/stop above/.test(failed.error) && failed.out === 0 && failed.errors === failed.in, JSON.stringify(failed));
});

// Holding 0 and 1 hold u, 4 holds n, 40 (another request) holds m: n is read * 0.5 - 10.
async function tags(device, tutti, stale, plain = '') {
  await tutti.deploy('meter.tutti', `
map Meter modbus unit 1 every 20ms stale ${stale} {
  u: tag f32 be at holding 0 [V] in 0..500
  n: tag u16 at holding 4 scale 0.5 offset -10
  m: tag u16 at holding 40 ?
  ${plain}
}
pipeline meter {
  from modbus "tcp://127.0.0.1:${device.port}" map Meter timeout 2s
  into file "tags.ndjson"
  on error into dead
}
`);
}
const rows = (tutti) => {
  const file = path.join(tutti.cwd, 'tags.ndjson');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1).map(JSON.parse) : [];
};
// The newest row, once it is as wanted; how it came to be is checked by the caller.
const row = (tutti, what, wanted) => until(what, () => {
  const last = rows(tutti).at(-1);
  return last && wanted(last) && last;
});
const is = (tag, value, quality) => check(tag?.value === value && tag?.quality === quality, `${value} ${quality}: ${JSON.stringify(tag)}`);

test('tags have the quality of their registers', async () => {
  const device = await Device.new();
  const tutti = await Tutti.new();
  const before = Date.now();
  device.refuses = new Set([40]);
  await tags(device, tutti, '1h');
  let last = await row(tutti, 'a row without m', (r) => r.u);
  is(last.u, 230.5, 'good');
  is(last.n, 7 * 0.5 - 10, 'good');
  check(last.m === undefined, `m was never read: ${JSON.stringify(last)}`);
  check(Date.parse(last.u.time) >= before && Date.parse(last.u.time) <= Date.now(), last.u.time);
  check((await tutti.get('connectors')).connections[0].state === 'degraded', 'a part is refused');

  device.registers.set(40, 40);
  device.refuses = new Set();
  last = await row(tutti, 'm', (r) => r.m);
  is(last.m, 40, 'good');

  device.registers.set(40, 41);
  device.refuses = new Set([4]);
  last = await row(tutti, 'm is 41, u and n refused', (r) => r.m?.value === 41 && r.u.quality === 'bad');
  is(last.u, 230.5, 'bad'); // u and n are one request
  is(last.n, -6.5, 'bad');
  is(last.m, 41, 'good');
  check(Date.parse(last.u.time) < Date.parse(last.m.time), 'the time is that of the last value');

  device.refuses = new Set();
  device.set({ u: NaN, n: 8 });
  last = await row(tutti, 'no number', (r) => r.n.value === -6 && r.u.quality === 'bad');
  is(last.u, 230.5, 'bad');
  is(last.n, -6, 'good');

  device.mode = 'slow';
  last = await row(tutti, 'no answer', (r) => r.n.quality === 'uncertain');
  is(last.u, 230.5, 'uncertain');
  is(last.n, -6, 'uncertain');
  is(last.m, 41, 'uncertain');
  device.mode = '';
  device.set({ u: 231, n: 9 });
  last = await row(tutti, 'it is back', (r) => r.n.quality === 'good');
  is(last.u, 231, 'good');
  is(last.n, -5.5, 'good');
  const seen = await tutti.get('pipelines/meter');
  check(seen.errors === 0 && seen.in === seen.out, `no record failed: ${JSON.stringify(seen)}`);
});

test('what is stale is bad', async () => {
  const device = await Device.new();
  const tutti = await Tutti.new();
  await tags(device, tutti, '1ms');
  await row(tutti, 'values', (r) => r.u?.quality === 'good');
  device.mode = 'slow';
  is((await row(tutti, 'no answer', (r) => r.u.quality !== 'good')).u, 230.5, 'bad');
  check(!rows(tutti).some((r) => r.u.quality === 'uncertain'), 'the last value is older than 1 ms at once');
});

test('plain registers beside tags fail the record', async () => {
  const device = await Device.new();
  const tutti = await Tutti.new();
  await tags(device, tutti, '1h', 'p: u16 at holding 41');
  device.registers.set(41, 5);
  await row(tutti, 'values', (r) => r.u?.quality === 'good' && r.p === 5);
  device.refuses = new Set([41]);
  await until('it fails', async () => (await tutti.get('pipelines/meter')).errors > 0);
  const dead = (await tutti.get('pipelines/meter/dead?limit=1')).rows[0];
  check(dead.reason === 'source_failed' && /holding 41\.\.41: .*illegal data address/i.test(dead.message), JSON.stringify(dead));
});

run().then(() => process.exit());
