// tests/bench/peer_formats.mjs FORMAT FILE: the work item in Node.js on records in a format of bytes, by the
// usual packages of npm (those of tests/formats): @msgpack/msgpack, cborg, protobufjs.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../formats/', import.meta.url));
const { take, end } = createRequire(import.meta.url)('./press_work.js');
const [, , format, path] = process.argv;
const bytes = readFileSync(path);

if (format === 'msgpack') {
  for (const r of require('@msgpack/msgpack').decodeMulti(bytes)) take(r, r.ts.getTime());
} else if (format === 'cbor') {
  const { decodeFirst } = await import(new URL('../formats/node_modules/cborg/cborg.js', import.meta.url));
  const tags = [(text) => new Date(text)];
  for (let rest = bytes, r; rest.length; take(r, r.ts.getTime())) [r, rest] = decodeFirst(rest, { tags });
} else {
  const protobuf = require('protobufjs'), root = new protobuf.Root();
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto').nested);
  protobuf.parse(readFileSync(new URL('press.proto', import.meta.url), 'utf8'), root);
  const Press = root.lookupType('Press'), reader = protobuf.Reader.create(bytes), names = ['RUN', 'IDLE', 'FAULT'];
  while (reader.pos < reader.len) {
    const r = Press.decodeDelimited(reader);
    const { machine, temp, pressure, rpm } = r;
    take({ machine, temp, pressure, rpm, state: names[r.state] }, Number(r.ts.seconds) * 1000 + r.ts.nanos / 1e6);
  }
}
end();
