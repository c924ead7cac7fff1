// tests/e2e/schemas.mjs: schemas on topics in a whole Tutti process, with npm's mqtt as the client.
import mqtt from 'mqtt';
import { check, run, test, Tutti, until } from './lib.mjs';

const gone = (c) => new Promise((resolve) => c.end(true, {}, resolve));

async function client(tutti, version, options = {}) {
  const c = mqtt.connect(options.url ?? `mqtt://127.0.0.1:${tutti.mqtt}`,
    { protocolVersion: version, reconnectPeriod: 0, ...options });
  c.on('error', () => {});
  c.got = [];
  c.on('message', (topic, payload) => c.got.push(`${topic} ${payload}`));
  await new Promise((resolve, reject) => { c.on('connect', resolve); c.on('close', () => reject(new Error('closed'))); });
  return c;
}

// 0, or the reason code the server gave.
const publish = (c, topic, payload, options = { qos: 1 }) =>
  new Promise((resolve) => c.publish(topic, payload, options, (error, packet) => resolve(error ? error.code ?? String(error) : packet?.reasonCode ?? 0)));

async function put(tutti, where, body, want = 200) {
  const { status, body: answer } = await tutti.call('PUT', where, body);
  check(status === want, `PUT ${where}: ${status} ${JSON.stringify(answer)}`);
  return answer;
}

const press = `type Press = {
  temp: f64 [degC] in -60..400
  state: enum { RUN, IDLE }
  lines: [{ x: i32 }; 3]?
}`;

test('a new version says what it changes; what is not compatible needs a word', async () => {
  const tutti = await Tutti.new();
  const first = await put(tutti, 'schemas/press', { text: press });
  check(first.version === 1 && first.root === 'Press', JSON.stringify(first));
  const same = await put(tutti, 'schemas/press', { text: press });
  check(same.version === 1 && !same.changed, 'the same text makes no version');
  const wrong = await put(tutti, 'schemas/press', { text: press.replace('f64', 'f65') }, 400);
  check(wrong.problems[0].line === 2 && wrong.problems[0].code === 'N003', JSON.stringify(wrong));
  const other = await put(tutti, 'schemas/press', { text: 'pipeline x { from stdin as json { a: i32 } into stdout on error drop }' }, 400);
  check(/holds `type`, `unit`, `const` and `alarm` only/.test(other.problems[0].text), JSON.stringify(other.problems));
  const breaks = press.replace('-60..400', '-60..300').replace('IDLE', 'IDLE, FAULT').replace(/ {2}lines.*/, '  n: i32?');
  const refused = await put(tutti, 'schemas/press', { text: breaks }, 409);
  const said = refused.changes.map((c) => `${c.field} ${c.compatible} ${c.text}`);
  check(said.join('\n') === [
    'temp false its range changes from -60..400 to -60..300',
    'state true FAULT is a new name of it',
    'lines false it goes away: who reads it finds nothing',
    'n true it is new and may be missing'].join('\n'), said.join('\n'));
  const forced = await put(tutti, 'schemas/press', { text: breaks, incompatible: true });
  check(forced.version === 2 && !forced.compatible, JSON.stringify(forced));
  const wider = await put(tutti, 'schemas/press', { text: breaks.replace('..300', '..500').replace('i32?', 'i64?') });
  check(wider.version === 3 && wider.compatible, JSON.stringify(wider));
  for (const [from, to] of [['n: i64?', 'n: i64'], ['degC', 'K'], ['RUN, ', ''], ['f64', 'string(9)']]) {
    const { body } = await tutti.call('POST', 'schemas/check', { name: 'press', text: breaks.replace('..300', '..500').replace('i32?', 'i64?').replace(from, to).replace(/f64 \[degC\] in .*|string\(9\).*/, (m) => m.startsWith('string') ? 'string(9)' : m) });
    check(body.ok && body.compatible === false, `${from} to ${to}: ${JSON.stringify(body)}`);
  }
  check((await tutti.get('schemas/press?version=1')).text === press, 'the old text is there');
  check((await tutti.call('GET', 'schemas/press?version=9')).status === 404, 'no such version');
  check((await tutti.call('PUT', 'schemas/1x', { text: press })).status === 400, 'no name');
  await tutti.kill('SIGTERM');
});

test('strict refuses with 0x99, soft lets through; both are kept; the most specific filter wins', async () => {
  const tutti = await Tutti.new();
  await put(tutti, 'schemas/press', { text: press });
  await put(tutti, 'schemas/bar', { text: 'type Bar = f64 [bar] in 0..5' });
  await put(tutti, 'schema-bindings', { filter: 'plant/#', schema: 'bar' });
  await put(tutti, 'schema-bindings', { filter: 'plant/+/press', schema: 'press', mode: 'strict' });
  await put(tutti, 'schema-bindings', { filter: 'plant/x/press', schema: 'bar', mode: 'strict' });
  const order = (await tutti.get('schema-bindings')).bindings.map((b) => b.filter);
  check(order.join() === 'plant/x/press,plant/+/press,plant/#', order.join());
  check((await tutti.call('PUT', 'schema-bindings', { filter: 'a/#/b', schema: 'bar' })).status === 400, 'no filter');
  check((await tutti.call('PUT', 'schema-bindings', { filter: 'a', schema: 'no' })).status === 404, 'no schema');

  const reader = await client(tutti, 5);
  await reader.subscribeAsync('#', { qos: 1 });
  const good = '{"temp":71.5,"state":"RUN"}', bad = '{"temp":999,"state":"RUN"}';
  for (const url of [`mqtt://127.0.0.1:${tutti.mqtt}`, `ws://127.0.0.1:${tutti.http}/mqtt`]) {
    const five = await client(tutti, 5, { url }), four = await client(tutti, 4, { url });
    for (const qos of [1, 2]) {
      check((await publish(five, 'plant/a/press', bad, { qos, retain: true })) === 0x99, `0x99, qos ${qos}`);
      check((await publish(four, 'plant/a/press', bad, { qos, retain: true })) === 0, 'acknowledged to 3.1.1');
    }
    await publish(five, 'plant/a/press', bad, { qos: 0 });
    check((await publish(five, 'plant/a/press', good)) !== 0x99, 'what fits is taken');
    check((await publish(four, 'plant/x/press', '3')) === 0, 'a name goes before +');
    check((await publish(five, 'plant/y', '9')) === 0, 'soft');
    await gone(five);
    await gone(four);
  }
  await until('what fitted, and what is soft', () => reader.got.length === 6);
  check(new Set(reader.got).size === 3 && !reader.got.some((m) => m.includes('999')), reader.got.join('\n'));
  const late = await client(tutti, 5);
  await late.subscribeAsync('#', { qos: 1 });
  await publish(late, 'last', 'x');
  await until('the marker', () => late.got.length);
  check(late.got.join() === 'last x', `nothing was retained: ${late.got}`);

  const { violations, ever } = await tutti.get('schema-violations?limit=20');
  check(ever === 12, `twelve: ${ever}`);
  const one = violations.find((v) => v.topic === 'plant/a/press');
  check(one.field === 'temp' && one.reason === 'range' && one.head === bad && one.mode === 'strict' && one.version === 1, JSON.stringify(one));
  check((await tutti.get('schema-violations?topic=plant/y')).kept === 2, 'by topic');
  const of = await tutti.get('schema-of/plant/a/press/temp');
  check(of.topic === 'plant/a/press/temp' && of.binding.schema === 'bar', 'a topic of its own goes before the record above it');
  await tutti.call('DELETE', 'schema-bindings?filter=plant/%23');
  const field = await tutti.get('schema-of/plant/a/press/temp');
  check(field.topic === 'plant/a/press' && field.form.unit === 'degC', JSON.stringify(field));
  check((await publish(late, 'plant/y', '9')) === 0, 'unbound');
  check((await tutti.get('schema-stats')).violations === 12, 'nothing looks at it any more');
  check((await tutti.call('DELETE', 'schemas/bar')).status === 409, 'bound somewhere');
  await gone(late);
  await gone(reader);

  await until('on the disk', async () => (await tutti.get('schema-stats')).stored === 12);
  await tutti.kill('SIGKILL');
  await tutti.up();
  const kept = await tutti.get('schema-violations');
  check(kept.ever === 12 && kept.violations.every((v) => v.message), JSON.stringify(kept));
  const back = await client(tutti, 5);
  check((await publish(back, 'plant/a/press', bad)) === 0x99, 'after a kill, too');
  check((await tutti.get('schema-bindings')).bindings.find((b) => b.filter === 'plant/+/press').violations === 11, 'counts go on');
  check((await tutti.call('DELETE', 'schema-violations')).status === 200, 'forgotten');
  check((await tutti.get('schema-violations')).kept === 0, 'none is kept');
  await gone(back);
  await tutti.kill('SIGTERM');
});

test('a will and a pipeline are publishers like any other', async () => {
  const tutti = await Tutti.new();
  await put(tutti, 'schemas/bar', { text: 'type Bar = { bar: f64 in 0..5 }', closed: true });
  await put(tutti, 'schema-bindings', { filter: 'out/+', schema: 'bar', mode: 'strict' });
  await tutti.deploy('p.tutti', `pipeline p {
    from mqtt "in/+" qos 1 as json { bar: f64 }
    into uns "out/{meta.topic[1]}"
    on error into dead
  }`);
  const c = await client(tutti, 5);
  await c.subscribeAsync('out/#', { qos: 1 });
  await publish(c, 'in/a', '{"bar":3}');
  await publish(c, 'in/b', '{"bar":9}');
  await until('the one that fits', () => c.got.length === 1);
  const { rows } = await until('a dead letter', async () => { const d = await tutti.get('pipelines/p/dead'); return d.total && d; });
  check(rows[0].reason === 'sink_refused' && /does not fit schema bar version 1: bar: outside/.test(rows[0].message), JSON.stringify(rows[0]));
  check(c.got[0] === 'out/a {"bar":3}', c.got.join());
  check((await publish(c, 'out/z', '{"bar":3,"more":1}')) === 0x99, 'closed: no other members');
  check((await publish(c, 'out/a', '', { qos: 1, retain: true })) === 0, 'a retained message may be taken away');
  const will = await client(tutti, 4, { will: { topic: 'out/w', payload: 'gone', qos: 1 } });
  will.stream.destroy();
  await until('the will is kept as a violation', async () => (await tutti.get('schema-violations?topic=out/w')).kept === 1);
  await publish(c, 'out/last', '{"bar":1}');
  await until('the marker', () => c.got.at(-1) === 'out/last {"bar":1}');
  check(!c.got.some((m) => m.startsWith('out/w')), 'and not published');
  const changed = await put(tutti, 'schemas/bar', { text: 'type Bar = { bar: f64 in 0..50 }', closed: true });
  check(changed.compatible, 'wider');
  check((await publish(c, 'out/a', '{"bar":9}')) === 0, 'bindings follow the newest version at once');
  await gone(c);
  await tutti.kill('SIGTERM');
});

await run();
