// tests/e2e/formats.mjs: formats of bytes in a whole Lite process: messages, requests, files, what
// failed and is tried again. The bytes are written out here, after the formats' specifications.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { check, Publisher, run, start, test, Tutti, until } from './lib.mjs';

// {"n": i} for 0 <= i < 24: what differs is the first byte of a map of one and of a text of one.
const formats = {
  msgpack: (i) => Buffer.from([0x81, 0xa1, 0x6e, i]),
  cbor: (i) => Buffer.from([0xa1, 0x61, 0x6e, i]),
  protobuf: (i) => Buffer.from([0x08, i]), // field 1, with `optional` also a zero is written
};
// What stands behind a type, and what comes with the program (compiler/bundle.h).
const words = { protobuf: ' proto "n.proto" message N' };
const carried = { protobuf: '#: file n.proto\nsyntax = "proto3"; message N { optional int32 n = 1; }\n' };
// In a file a message of protobuf stands behind its length.
const inFile = (format, record) => (format === 'protobuf' ? Buffer.concat([Buffer.from([record.length]), record]) : record);

async function dead(tutti, name, count) {
  return until(`${count} dead letters of ${name}`, async () => {
    const got = await tutti.get(`pipelines/${name}/dead`);
    return got.total >= count && got.rows;
  });
}

for (const [format, record] of Object.entries(formats)) {
  const how = words[format] ?? '', along = carried[format] ?? '';
  const kept = (i) => inFile(format, record(i));
  test(`${format}: messages in and out, also such that end like a line`, async () => {
    const tutti = await Tutti.new();
    await tutti.deploy('copy.tutti', `
pipeline copy { from mqtt "in" as ${format} { n: i32 in 0..20 }${how}  into mqtt "out" as ${format}${how}  into file "out.bin" as ${format}${how}  on error into dead }
${along}`);
    const sub = start('mosquitto_sub', ['-p', String(tutti.mqtt), '-q', '1', '-t', 'out', '-F', '%x']);
    const all = Array.from({ length: 22 }, (_, i) => record(i));
    const publisher = await new Publisher(tutti.mqtt, 'in', (i) => all[i % all.length]).connect();
    const ok = all.slice(0, 21);
    const seen = () => new Set(sub.out.split('\n').slice(0, -1));
    await until('every row', () => ok.every((b) => seen().has(b.toString('hex')))); // its first may be any of them
    publisher.limit = publisher.next;
    await until('all acknowledged', () => publisher.acked.size === publisher.limit); // written, then
    publisher.close();
    check(seen().size === 21, [...seen()].join(' '));
    const file = readFileSync(path.join(tutti.cwd, 'out.bin'));
    check(ok.every((b, i) => file.includes(kept(i))) && file.length % kept(0).length === 0, 'rows stand back to back');
    const [{ reason, field, raw }] = await dead(tutti, 'copy', 1);
    check(reason === 'range' && field === 'n' && raw === record(21).toString('base64'), `${reason} ${field} ${raw}`);
    await tutti.kill('SIGTERM');
  });

  test(`${format}: what failed goes through the next version`, async () => {
    const tutti = await Tutti.new();
    const text = (most) => `
pipeline late { from http post "/in" public as ${format} { n: i32 in 0..${most} }${how}  into file "rows.ndjson"  on error into dead }
${along}`;
    await tutti.deploy('late.tutti', text(5));
    const post = (body) => fetch(`http://127.0.0.1:${tutti.http}/in`, { method: 'POST', body, headers: { authorization: `Bearer ${tutti.token}` } });
    check((await post(record(4))).status === 204, 'a record is answered');
    const refused = await post(record(9));
    check(refused.status === 422 && (await refused.json()).reason === 'range', `422, not ${refused.status}`);
    await dead(tutti, 'late', 1);
    await tutti.deploy('late.tutti', text(9));
    const { body } = await tutti.call('POST', 'pipelines/late/dead/replay', {});
    check(body.replayed === 1, JSON.stringify(body));
    const rows = path.join(tutti.cwd, 'rows.ndjson');
    await until('the row', () => readFileSync(rows, 'utf8') === '{"n":4}\n{"n":9}\n');
    await tutti.kill('SIGTERM');
  });

  test(`${format}: a file that grows, and one that is broken`, async () => {
    const tutti = await Tutti.new();
    const grows = path.join(tutti.cwd, 'grows.bin');
    writeFileSync(grows, Buffer.concat([kept(1), kept(2), kept(3).subarray(0, 2)]));
    const broken = path.join(tutti.cwd, 'broken.bin');
    writeFileSync(broken, Buffer.concat([kept(1), Buffer.alloc(20, format === 'msgpack' ? 0xc1 : 0xff), kept(2)]));
    await tutti.deploy('files.tutti', `
pipeline grows { from file "grows.bin" follow as ${format} { n: i32 }${how}  into file "grown.ndjson"  on error into dead }
pipeline broken { from file "broken.bin" follow as ${format} { n: i32 }${how}  into file "rows.ndjson"  on error into dead }
${along}`);
    const has = (name, text) => until(name, () => {
      try {
        return readFileSync(path.join(tutti.cwd, name), 'utf8') === text;
      } catch {
        return false;
      }
    });
    await has('grown.ndjson', '{"n":1}\n{"n":2}\n');
    appendFileSync(grows, Buffer.concat([kept(3).subarray(2), kept(10)]));
    await has('grown.ndjson', '{"n":1}\n{"n":2}\n{"n":3}\n{"n":10}\n');
    await has('rows.ndjson', '{"n":1}\n');
    const [{ reason }] = await dead(tutti, 'broken', 1);
    check(reason === 'bad_record', reason);
    const { error } = await until('the problem', async () => {
      const got = await tutti.get('pipelines/broken');
      return got.error && got;
    });
    check(/broken.bin: a record is broken; what follows was not read/.test(error), error);
    await tutti.kill('SIGTERM');
  });
}

await run();
