// tests/e2e/headers.mjs: meta.headers: what stands beside a record, from requests, from the broker
// of the process and from one far away, kept over kill -9 on the way to a pipeline's memory.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import mqtt from 'mqtt';
import { check, run, start, test, Tutti, until } from './lib.mjs';

const client = (port, id) =>
  mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: id, reconnectPeriod: 0 });
const rows = (tutti, file) => {
  try {
    return readFileSync(path.join(tutti.cwd, file), 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
};

const engines = (process.env.ENGINES ?? 'cc interp jit').split(' ');

async function request(tutti, headers) {
  const args = ['-s', '-S', '-o', '-', '-X', 'POST', '--data-binary', '{"n":1}', '-H', 'User-Agent: test'];
  for (const line of headers) args.push('-H', line);
  const child = start('curl', [...args, `http://127.0.0.1:${tutti.http}/in`]);
  const closed = new Promise((done) => child.on('close', done));
  check((await closed) === 0, `curl: ${child.out}`);
  return JSON.parse(child.out);
}

for (const engine of engines) {
  test(`${engine}: fields of a request, without what proves who asks`, async () => {
    const tutti = await Tutti.new(['serve', '--engine', engine]);
    await tutti.deploy('h.tutti', `
pipeline h {
  from http post "/in" as json { n: i32 }
  let line = meta.headers["x-line"] to string(20)  part = meta.headers.accept to string(40)
  reply 200 { line: line, part: part, all: meta.headers }
  on error reply 400 { reason: error.reason, message: error.message }
}`);
    const answer = await request(tutti, [`Authorization: Bearer ${tutti.token}`, 'X-Line: press 7 "west"',
      'Accept: text/a', 'accept: text/b', 'Cookie: c=1', 'Content-Type: application/json']);
    check(answer.line === 'press 7 "west"', JSON.stringify(answer));
    check(answer.part === 'text/a, text/b', 'fields of one name are one (RFC 9110, 5.3)');
    check(answer.all['user-agent'] === 'test' && answer.all['content-length'] === '7', JSON.stringify(answer.all));
    check(!('authorization' in answer.all) && !('cookie' in answer.all), 'secrets stay outside');
    const none = await request(tutti, [`Authorization: Bearer ${tutti.token}`]);
    check(!('line' in none), `a field that is not there is missing: ${JSON.stringify(none)}`);
    await tutti.kill('SIGTERM');
  });

  test(`${engine}: user properties of a message, and none`, async () => {
    const tutti = await Tutti.new(['serve', '--engine', engine]);
    await tutti.deploy('m.tutti', `
pipeline m {
  from mqtt "in/+" qos 1 as json { n: i32 }
  let h = meta.headers  who = meta.headers.who to string(10)
  into file "m.ndjson"
  on error into file "bad.ndjson"
}
pipeline plain { from mqtt "in/+" qos 1 as json { n: i32 }  into file "plain.ndjson"  on error drop }`);
    const pub = await client(tutti.mqtt, 'p');
    const send = (n, properties) => pub.publishAsync('in/a', JSON.stringify({ n }), { qos: 1, properties });
    await send(1, { userProperties: { who: 'ada', 'x y': '"\u00fc"' }, contentType: 'application/json', responseTopic: 'r/1' });
    await send(2);
    await send(3, { userProperties: { who: ['a', 'b'], z: '' } });
    await send(4, { userProperties: { who: 'much too long' } });
    await until('all came', () => rows(tutti, 'plain.ndjson').length === 4 && rows(tutti, 'm.ndjson').length === 3 && rows(tutti, 'bad.ndjson').length === 1);
    check(rows(tutti, 'm.ndjson')[0] === '{"n":1,"h":{"content-type":"application/json","response-topic":"r/1","who":"ada","x y":"\\"\u00fc\\""},"who":"ada"}', rows(tutti, 'm.ndjson')[0]);
    check(rows(tutti, 'm.ndjson')[1] === '{"n":2,"h":{}}', rows(tutti, 'm.ndjson')[1]);
    const many = JSON.parse(rows(tutti, 'm.ndjson')[2]);
    check(JSON.stringify(many.h) === '{"who":["a","b"],"z":""}' && many.who === '["a","b"]', `of one name: ${JSON.stringify(many)}`);
    const bad = rows(tutti, 'bad.ndjson').map((r) => JSON.parse(r));
    check(bad.length === 1 && bad[0].reason === 'too_long', JSON.stringify(bad));
    await pub.endAsync();
    await tutti.kill('SIGTERM');
  });

  test(`${engine}: a failed record that is run again has its topic and headers`, async () => {
    const tutti = await Tutti.new(['serve', '--engine', engine]);
    const program = (type) => `
pipeline again {
  from mqtt "in/#" qos 1 as json { n: ${type} }
  let topic = meta.topic  level = meta.topic[1]  h = meta.headers
  into file "again.ndjson"
  on error into dead
}`;
    await tutti.deploy('again.tutti', program('i32 in 0..9'));
    const pub = await client(tutti.mqtt, 'p');
    await pub.publishAsync('in/a "1"', '{"n":10}', { qos: 1, properties: { userProperties: { who: 'ada', q: '"\u00fc"' } } });
    await pub.publishAsync('in/b', '{"n":11}', { qos: 1 });
    const dead = await tutti.get('pipelines/again/dead');
    check(dead.rows.map((r) => `${r.reason} ${r.topic}`).join() === 'range in/b,range in/a "1"', JSON.stringify(dead));
    await pub.endAsync();
    await tutti.kill('SIGKILL'); // what is kept is on the disk
    await tutti.up(['serve', '--engine', engine]);
    await tutti.deploy('again.tutti', program('i32'));
    const { body } = await tutti.call('POST', 'pipelines/again/dead/replay', {});
    check(body.replayed === 2, JSON.stringify(body));
    await until('both came again', () => rows(tutti, 'again.ndjson').length === 2);
    check(rows(tutti, 'again.ndjson').join() === '{"n":10,"topic":"in/a \\"1\\"","level":"a \\"1\\"","h":{"who":"ada","q":"\\"\u00fc\\""}},{"n":11,"topic":"in/b","level":"b","h":{}}',
      rows(tutti, 'again.ndjson').join());
    await until('they are letters no more', async () => (await tutti.get('pipelines/again/dead')).total === 0);
    await tutti.kill('SIGTERM');
  });
}

test('a broker far away: its messages bring their properties, 3.1.1 has none', async () => {
  const far = await Tutti.new(), tutti = await Tutti.new();
  await tutti.deploy('f.tutti', `
connection far = mqtt "mqtt://127.0.0.1:${far.mqtt}"
pipeline f { from far "t/#" qos 1 as json { n: i32 }  keep n, meta.topic as topic, meta.headers as h  into file "f.ndjson"  on error drop }`);
  await until('it listens', async () => (await tutti.get('connectors')).connections.some((c) => c.state === 'connected'));
  const pub = await client(far.mqtt, 'p');
  const old = await mqtt.connectAsync(`mqtt://127.0.0.1:${far.mqtt}`, { protocolVersion: 4, clientId: 'q' });
  let n = 0;
  await until('it came', async () => {
    await pub.publishAsync('t/1', JSON.stringify({ n: ++n }), { qos: 1, properties: { userProperties: { a: 'b' } } });
    return rows(tutti, 'f.ndjson').length > 0;
  });
  check(/^\{"n":\d+,"topic":"t\/1","h":\{"a":"b"\}\}$/.test(rows(tutti, 'f.ndjson')[0]), rows(tutti, 'f.ndjson')[0]);
  await old.publishAsync('t/2', '{"n":-1}', { qos: 1 });
  await until('the old one', () => rows(tutti, 'f.ndjson').includes('{"n":-1,"topic":"t/2","h":{}}'));
  await pub.endAsync();
  await old.endAsync();
  await tutti.kill('SIGTERM');
  await far.kill('SIGTERM');
});

test('records that a pipeline remembers are read again with their headers after kill -9', async () => {
  const tutti = await Tutti.new();
  const program = `
pipeline w {
  from mqtt "w/+" qos 1 as json { n: i32 }
  let who = (meta.headers.who to string(10)) ?? "nobody"
  let before = prev(who) ?? "none"
  into file "w.ndjson" append
  on error into dead
}`;
  await tutti.deploy('w.tutti', program);
  let pub = await client(tutti.mqtt, 'p');
  const send = (n, who) => pub.publishAsync('w/a', JSON.stringify({ n }), { qos: 1, properties: { userProperties: { who } } });
  for (const [n, who] of [[1, 'ada'], [2, 'bob'], [3, 'eve']]) await send(n, who);
  await tutti.kill('SIGKILL');
  await tutti.up();
  await until('it runs again', async () => (await tutti.get('pipelines/w')).state === 'running');
  pub = await client(tutti.mqtt, 'p2');
  await send(4, 'zoe');
  await until('the next', () => rows(tutti, 'w.ndjson').some((r) => r.includes('"n":4')));
  const last = JSON.parse(rows(tutti, 'w.ndjson').at(-1));
  check(last.who === 'zoe' && last.before === 'eve', JSON.stringify(last));
  await pub.endAsync();
  await tutti.kill('SIGTERM');
});

await run();
