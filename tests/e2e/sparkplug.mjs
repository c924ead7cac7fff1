// tests/e2e/sparkplug.mjs: the Sparkplug host of a whole Tutti process against edge nodes of Eclipse
// Tahu (npm sparkplug-client), and raw messages where an edge node has to do something wrong.
import mqtt from 'mqtt';
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { check, password, run, test, Tutti, until } from './lib.mjs';

const require = createRequire(import.meta.url);
const tahu = require('sparkplug-client');
const payloads = require('sparkplug-payload').get('spBv1.0');
const env = { TUTTI_SPARKPLUG_HOST: 'tutti', TUTTI_SPARKPLUG_REORDER: '300ms', TUTTI_SPARKPLUG_REBIRTH_EVERY: '500ms', TUTTI_SPARKPLUG_UNHEARD: '1500ms' };

async function client(tutti, options = {}) {
  const c = mqtt.connect(`mqtt://127.0.0.1:${tutti.mqtt}`, { protocolVersion: 5, reconnectPeriod: 0, ...options });
  c.on('error', () => {});
  c.got = [];
  c.on('message', (topic, payload, packet) => c.got.push({ topic, payload, retain: packet.retain }));
  await new Promise((resolve) => c.on('connect', resolve));
  return c;
}
const gone = (c) => new Promise((resolve) => c.end(true, {}, resolve));

// An edge node of Tahu's client. `metrics()` gives those of its birth, `devices` those of each device.
function edge(tutti, node, metrics, devices = {}) {
  const e = tahu.newClient({ serverUrl: `mqtt://127.0.0.1:${tutti.mqtt}`, username: 'admin', password, groupId: 'G', edgeNode: node, clientId: `tahu-${node}`, version: 'spBv1.0', publishDeath: true, mqttOptions: { reconnectPeriod: 100 } });
  e.births = 0;
  e.commands = [];
  const birth = () => {
    e.births++;
    e.publishNodeBirth({ timestamp: Date.now(), metrics: [...metrics(), { name: 'Node Control/Rebirth', type: 'Boolean', value: false }] });
    for (const [name, of] of Object.entries(devices)) e.publishDeviceBirth(name, { timestamp: Date.now(), metrics: of() });
  };
  e.on('birth', birth);
  e.on('ncmd', (p) => {
    e.commands.push(p);
    if (p.metrics.some((m) => m.name === 'Node Control/Rebirth' && m.value)) birth();
  });
  e.on('dcmd', (device, p) => e.commands.push({ device, ...p }));
  e.on('error', () => {});
  return e;
}

const value = async (tutti, path) => {
  const { status, body } = await tutti.call('GET', `uns/value/${path}`);
  return status === 200 ? body : {};
};
const is = (tutti, path, want, quality = 'good') =>
  until(`${path} = ${JSON.stringify(want)} ${quality}`, async () => {
    const v = await value(tutti, path);
    return JSON.stringify(v.value) === JSON.stringify(want) && v.quality === quality ? v : null;
  });
const node = async (tutti, name, group = 'G') => (await tutti.get(`sparkplug?group=${group}&node=${name}`)).nodes[0] ?? {};
const state = (tutti, name, want) => until(`${name} is ${want}`, async () => ((await node(tutti, name)).state === want ? node(tutti, name) : null));

test('metrics of Tahu\'s edge node are values of the namespace, with unit, quality and time', async () => {
  const tutti = await Tutti.new(['serve'], { env });
  const at = Date.now() - 60000;
  const e = edge(tutti, 'E1', () => [
    { name: 'Line/Speed', alias: 1, type: 'Double', value: 71.25, timestamp: at, properties: { engUnit: { type: 'String', value: 'm/min' } } },
    { name: 'Count', alias: 2, type: 'Int64', value: -5000000000 },
    { name: 'Big', type: 'UInt32', value: 4000000000 },
    { name: 'Run', alias: 3, type: 'Boolean', value: true },
    { name: 'Recipe', type: 'String', value: 'grün' },
    { name: 'Started', type: 'DateTime', value: 1700000000123 },
    { name: 'Gone', type: 'Float', value: null },
    { name: 'Poor', type: 'Int32', value: 5, properties: { Quality: { type: 'Int32', value: 0 } } },
    { name: 'Old', type: 'Int32', value: 6, properties: { Quality: { type: 'Int32', value: 500 } } },
    { name: 'Table', type: 'DataSet', value: { numOfColumns: 2, types: ['Int32', 'String'], columns: ['n', 's'], rows: [[1, 'x']] } },
    { name: 'Motor', type: 'Template', value: { isDefinition: false, templateRef: 'M', version: '1', metrics: [{ name: 'rpm', type: 'Int32', value: 1450 }], parameters: [] } },
  ], { Oven: () => [{ name: 'Temp/Top', alias: 10, type: 'Float', value: 180.5 }] });
  const speed = await is(tutti, 'sparkplug/G/E1/Line/Speed', 71.25);
  check(new Date(speed.time ?? speed.ts).getTime() === at, `the source's time: ${JSON.stringify(speed)}`);
  await is(tutti, 'sparkplug/G/E1/Count', -5000000000);
  await is(tutti, 'sparkplug/G/E1/Big', 4000000000);
  await is(tutti, 'sparkplug/G/E1/Run', true);
  await is(tutti, 'sparkplug/G/E1/Recipe', 'grün');
  await is(tutti, 'sparkplug/G/E1/Started', '2023-11-14T22:13:20.123Z');
  await is(tutti, 'sparkplug/G/E1/Gone', null, 'bad');
  await is(tutti, 'sparkplug/G/E1/Poor', 5, 'bad');
  await is(tutti, 'sparkplug/G/E1/Old', 6, 'uncertain');
  await is(tutti, 'sparkplug/G/E1/Table', '{"columns":["n","s"],"types":["Int32","String"],"rows":[[1,"x"]]}');
  await is(tutti, 'sparkplug/G/E1/Motor/rpm', 1450);
  await is(tutti, 'sparkplug/G/E1/Oven/Temp/Top', 180.5);
  await until('the unit', async () => (await value(tutti, 'sparkplug/G/E1/Line/Speed')).meta?.unit === 'm/min');
  check(!(await value(tutti, 'sparkplug/G/E1/bdSeq')).has_value, 'bdSeq is of the protocol');
  check(!(await tutti.get('uns?depth=1')).nodes.some((n) => n.path === 'spBv1.0'), 'payloads are no values');
  // By alias alone, hundreds of them: the sequence number goes round.
  for (let i = 0; i < 600; i++) e.publishNodeData({ timestamp: Date.now(), metrics: [{ name: '', alias: 1, type: 'Double', value: i }] });
  e.publishDeviceData('Oven', { timestamp: Date.now(), metrics: [{ name: 'Temp/Top', type: 'Float', value: 190 }] });
  await is(tutti, 'sparkplug/G/E1/Line/Speed', 599);
  await is(tutti, 'sparkplug/G/E1/Oven/Temp/Top', 190);
  const is1 = await node(tutti, 'E1');
  check(is1.lost === 0 && is1.rebirths === 0 && is1.births === 1 && e.births === 1, JSON.stringify(is1));
  // A device dies alone, then the node with its bdSeq.
  e.publishDeviceDeath('Oven', { timestamp: Date.now(), metrics: [] });
  await is(tutti, 'sparkplug/G/E1/Oven/Temp/Top', 190, 'uncertain');
  await is(tutti, 'sparkplug/G/E1/Line/Speed', 599);
  e.stop();
  await is(tutti, 'sparkplug/G/E1/Line/Speed', 599, 'uncertain');
  await is(tutti, 'sparkplug/G/E1/Poor', 5, 'bad');
  await tutti.kill('SIGTERM');
});

test('is_historical: late values go to the history and leave the last value alone', async () => {
  const tutti = await Tutti.new(['serve'], { env });
  const e = edge(tutti, 'E2', () => [{ name: 'x', alias: 1, type: 'Double', value: 1 }]);
  await is(tutti, 'sparkplug/G/E2/x', 1);
  const begin = Date.now() - 3600000;
  e.publishNodeData({ timestamp: Date.now(), metrics: [...Array(50).keys()].map((i) => ({ name: 'x', type: 'Double', value: 100 + i, timestamp: begin + i * 1000, isHistorical: true })) });
  const points = await until('50 late points', async () => {
    const answer = await tutti.get(`historian/points/sparkplug/G/E2/x?from=${begin}&to=${begin + 60000}`);
    return answer.value?.length === 50 ? answer : null;
  });
  check(points.value[7] === 107 && new Date(points.t[7]).getTime() === begin + 7000 && points.quality[7] === 'good', JSON.stringify(points));
  check((await value(tutti, 'sparkplug/G/E2/x')).value === 1, 'the last value stays');
  e.stop();
  await tutti.kill('SIGTERM');
});

test('commands reach Tahu\'s edge node with their type; a rebirth can be asked for by hand', async () => {
  const tutti = await Tutti.new(['serve'], { env });
  const e = edge(tutti, 'E3', () => [{ name: 'Set/Point', type: 'Int16', value: 1 }], { D: () => [{ name: 'On', type: 'Boolean', value: false }] });
  await is(tutti, 'sparkplug/G/E3/D/On', false);
  const send = (body) => tutti.call('POST', 'sparkplug/command', { group: 'G', node: 'E3', ...body });
  check((await send({ metric: 'Set/Point', value: -7 })).status === 200, 'NCMD');
  check((await send({ device: 'D', metric: 'On', value: true })).status === 200, 'DCMD');
  await until('both', () => e.commands.length === 2);
  const [first, second] = e.commands;
  check(first.metrics[0].name === 'Set/Point' && first.metrics[0].value === -7 && first.metrics[0].type === 'Int16', JSON.stringify(first));
  check(second.device === 'D' && second.metrics[0].value === true, JSON.stringify(second));
  check(first.seq === undefined || first.seq === null || Number(first.seq) === 0, 'a command has no sequence number');
  for (const [body, status, says] of [[{ metric: 'Set/Point', value: 70000 }, 400, '70000 is no Int16'], [{ metric: 'No', value: 1 }, 404, 'no metric'],
    [{ device: 'X', metric: 'On', value: 1 }, 404, 'not there'], [{ node: 'X', metric: 'On', value: 1 }, 404, 'no edge node']]) {
    const answer = await send(body);
    check(answer.status === status && answer.body.error.text.includes(says), `${JSON.stringify(body)}: ${JSON.stringify(answer)}`);
  }
  check((await tutti.call('POST', 'sparkplug/rebirth', { group: 'G', node: 'E3' })).status === 200, 'rebirth');
  await until('born again', async () => (await node(tutti, 'E3')).births === 2);
  check(e.births === 2, `${e.births}`);
  const token = tutti.token;
  await tutti.call('POST', 'auth/users', { name: 'looks', password, roles: ['view'] });
  tutti.token = (await tutti.call('POST', 'auth/login', { name: 'looks', password, bearer: true })).body.token;
  check((await send({ metric: 'Set/Point', value: 1 })).status === 403, 'who may only look writes nothing');
  check((await tutti.call('GET', 'sparkplug')).status === 200, 'and sees it');
  tutti.token = token;
  e.stop();
  await tutti.kill('SIGTERM');
});

// Edge nodes by hand, for what Tahu's client would not do.
const bd = (n) => ({ name: 'bdSeq', type: 'UInt64', value: n });
const bytes = (seq, metrics) => Buffer.from(payloads.encodePayload({ timestamp: Date.now(), metrics, ...(seq === null ? {} : { seq }) }));
const rebirths = (c, name) => c.got.filter((m) => m.topic === `spBv1.0/G/NCMD/${name}`).length;

test('a gap asks for one rebirth, after it aliases hold; messages out of order are put in order', async () => {
  const tutti = await Tutti.new(['serve'], { env: { ...env, TUTTI_SPARKPLUG_REBIRTH_EVERY: '60s', TUTTI_SPARKPLUG_REORDER: '4s' } });
  const c = await client(tutti);
  await c.subscribeAsync('spBv1.0/+/NCMD/#', { qos: 0 });
  const data = (seq, v) => c.publishAsync('spBv1.0/G/NDATA/R', bytes(seq, [{ name: '', alias: 7, type: 'Int32', value: v }]));
  const birth = (alias) => c.publishAsync('spBv1.0/G/NBIRTH/R', bytes(0, [bd(4), { name: 'a', alias, type: 'Int32', value: 0 }]));
  await birth(7);
  await data(2, 2);
  await data(3, 3);
  await data(1, 1);
  await is(tutti, 'sparkplug/G/R/a', 3);
  check((await node(tutti, 'R')).reordered === 2, 'in order again');
  await data(6, 6);
  await data(7, 7);
  await until('the request', () => rebirths(c, 'R') === 1);
  const asked = payloads.decodePayload(c.got.find((m) => m.topic === 'spBv1.0/G/NCMD/R').payload);
  check(asked.metrics[0].name === 'Node Control/Rebirth' && asked.metrics[0].type === 'Boolean' && asked.metrics[0].value === true, JSON.stringify(asked));
  await is(tutti, 'sparkplug/G/R/a', 7);
  await c.publishAsync('spBv1.0/G/NBIRTH/R', bytes(0, [bd(4), { name: 'b', alias: 7, type: 'Int32', value: 50 }]));
  await data(1, 51);
  await is(tutti, 'sparkplug/G/R/b', 51);
  check((await value(tutti, 'sparkplug/G/R/a')).value === 7, 'the alias is another one\'s now');
  const is1 = await node(tutti, 'R');
  check(rebirths(c, 'R') === 1 && is1.rebirths === 1 && is1.lost === 2, JSON.stringify(is1));
  // [tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline]
  await c.publishAsync('spBv1.0/G/NDEATH/R', bytes(null, [bd(3)]), { qos: 1 });
  await until('an old death', async () => (await node(tutti, 'R')).old_deaths === 1);
  check((await node(tutti, 'R')).state === 'alive', 'it lives');
  await c.publishAsync('spBv1.0/G/NDEATH/R', bytes(null, [bd(4)]), { qos: 1 });
  await is(tutti, 'sparkplug/G/R/b', 51, 'uncertain');
  // What is no payload changes nothing.
  await c.publishAsync('spBv1.0/G/NBIRTH/R', 'hello', { qos: 1 });
  await until('counted', async () => (await tutti.get('sparkplug')).host.bad === 1);
  await gone(c);
  await tutti.kill('SIGTERM');
});

test('STATE is retained, offline on a stop, and nobody else\'s to say', async () => {
  const tutti = await Tutti.new(['serve'], { env });
  const c = await client(tutti);
  await c.subscribeAsync('spBv1.0/STATE/tutti', { qos: 1 });
  await until('STATE', () => c.got.length === 1);
  const first = JSON.parse(c.got[0].payload);
  check(c.got[0].retain && first.online === true && Math.abs(Date.now() - first.timestamp) < 60000, JSON.stringify(first));
  await c.publishAsync('spBv1.0/STATE/tutti', JSON.stringify({ online: false, timestamp: Date.now() }), { qos: 1, retain: true });
  await until('online again', () => c.got.length === 3);
  check(JSON.parse(c.got[2].payload).online === true, `${c.got[2].payload}`);
  await tutti.kill('SIGTERM');
  await until('offline', () => c.got.length === 4);
  check(JSON.parse(c.got[3].payload).online === false, `${c.got[3].payload}`);
});

test('tck-id-conformance-mqtt-aware-nbirth-mqtt-topic: births are kept under $sparkplug/certificates', async () => {
  const tutti = await Tutti.new(['serve'], { env });
  const e = edge(tutti, 'E4', () => [{ name: 'a', alias: 1, type: 'Int32', value: 1 }], { D: () => [{ name: 'b', alias: 2, type: 'Int32', value: 2 }] });
  await is(tutti, 'sparkplug/G/E4/D/b', 2);
  const { version, rules } = await tutti.get('authz/rules');
  const put = await tutti.call('PUT', 'authz/rules', { version, rules: [...rules, { who: 'role:view', may: 'read', path: '$sparkplug/#' }] });
  check(put.status === 200, JSON.stringify(put));
  const c = await client(tutti, { username: 'admin', password });
  await c.subscribeAsync('$sparkplug/certificates/#', { qos: 1 });
  await until('two certificates', () => c.got.length === 2);
  const of = (kind) => c.got.find((m) => m.topic.includes(kind));
  check(of('NBIRTH').topic === '$sparkplug/certificates/spBv1.0/G/NBIRTH/E4' && of('NBIRTH').retain, 'NBIRTH');
  check(payloads.decodePayload(of('DBIRTH').payload).metrics[0].name === 'b', 'DBIRTH as it was');
  await gone(c);
  e.stop();
  await tutti.kill('SIGTERM');
});

test('kill -9 of the server: an edge node is born again, one that does not come is dead', async () => {
  const tutti = await Tutti.new(['serve'], { env });
  const c = await client(tutti);
  await c.publishAsync('spBv1.0/G/NBIRTH/Away', bytes(0, [bd(1), { name: 'a', type: 'Int32', value: 5 }]), { qos: 1 });
  const e = edge(tutti, 'E5', () => [{ name: 'a', alias: 1, type: 'Int32', value: 1 }]);
  await is(tutti, 'sparkplug/G/E5/a', 1);
  await is(tutti, 'sparkplug/G/Away/a', 5);
  await state(tutti, 'E5', 'alive');
  // Last values gather for a moment before they are written, all at once. Texts are no samples, so
  // nothing else is written meanwhile; the first write may have begun before.
  let mark = 0;
  for (let writes = 0, last = Date.now() + 20; writes < 2; writes++) { // the file's clock has steps
    await until('on the disk', async () => {
      await c.publishAsync('mark', `text ${mark++}`, { qos: 1 });
      const at = statSync(`${tutti.data}/history.db-wal`).mtimeMs;
      return at > last && (last = at);
    });
  }
  c.end(true);
  await tutti.kill('SIGKILL');
  await tutti.up();
  await state(tutti, 'E5', 'alive');
  await is(tutti, 'sparkplug/G/E5/a', 1);
  await state(tutti, 'Away', 'dead');
  await is(tutti, 'sparkplug/G/Away/a', 5, 'uncertain');
  // One that did not notice: it goes on with data, and is asked for its birth.
  const d = await client(tutti);
  await d.subscribeAsync('spBv1.0/G/NCMD/#');
  await d.publishAsync('spBv1.0/G/NDATA/Deaf', bytes(17, [{ name: '', alias: 3, type: 'Int32', value: 1 }]));
  await until('asked', () => rebirths(d, 'Deaf') === 1);
  // Its connection is cut: the broker says its will, which is old for the birth it had meanwhile.
  await gone(d);
  e.stop();
  await state(tutti, 'E5', 'dead');
  await tutti.kill('SIGTERM');
});

test('a killed edge node: the broker says its death, its values are uncertain at once', async () => {
  const tutti = await Tutti.new(['serve'], { env });
  const will = { topic: 'spBv1.0/G/NDEATH/K', payload: bytes(null, [bd(9)]), qos: 1, retain: false };
  const k = await client(tutti, { will });
  await k.publishAsync('spBv1.0/G/NBIRTH/K', bytes(0, [bd(9), { name: 'a', type: 'Int32', value: 5 }]));
  await is(tutti, 'sparkplug/G/K/a', 5);
  k.stream.destroy();
  await is(tutti, 'sparkplug/G/K/a', 5, 'uncertain'); // its keep alive would say so after 90 s only
  await tutti.kill('SIGTERM');
});

await run();
