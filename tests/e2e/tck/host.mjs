// tests/e2e/tck/host.mjs: what our host application owes: its STATE, what it makes of births, deaths and
// gaps, its commands. Edge nodes are scripts that write payloads with Eclipse Tahu's npm package.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import mqtt from 'mqtt';
import { build, folder, start, Tutti, until } from '../lib.mjs';
import { entering, payload, tck } from './bed.mjs';

entering('host');
const payloads = createRequire(import.meta.url)('sparkplug-payload').get('spBv1.0');
const { equal, ok } = assert;
const bd = (value) => ({ name: 'bdSeq', type: 'Int64', value });
const bytes = (seq, metrics, timestamp = Date.now()) => Buffer.from(payloads.encodePayload({ timestamp, metrics, ...(seq === null ? {} : { seq }) }));
const env = { TUTTI_SPARKPLUG_HOST: 'scada', TUTTI_SPARKPLUG_REORDER: '1s', TUTTI_SPARKPLUG_REBIRTH_EVERY: '100ms' };
const STATE = 'spBv1.0/STATE/scada';

async function client(tutti, options = {}) {
  const c = mqtt.connect(`mqtt://127.0.0.1:${tutti.mqtt}`, { protocolVersion: 5, reconnectPeriod: 50, ...options });
  c.on('error', () => {});
  c.got = [];
  c.on('message', (topic, body, packet) => c.got.push({ topic, body, retain: packet.retain, qos: packet.qos, at: Date.now() }));
  await new Promise((resolve) => c.once('connect', resolve));
  return c;
}
const states = (c, topic = STATE) => c.got.filter((m) => m.topic === topic).map((m) => ({ ...m, ...JSON.parse(m.body) }));

export async function story() {
  const log = { began: Date.now() };
  const tutti = await Tutti.new(['serve'], { env });
  log.ready = Date.now();
  const c = await client(tutti);
  await c.subscribeAsync(STATE, { qos: 1 });
  await until('STATE', () => states(c).length === 1);
  log.fresh = states(c)[0];
  await c.subscribeAsync('spBv1.0/+/NCMD/#', { qos: 1 });
  await c.subscribeAsync('spBv1.0/+/DCMD/#', { qos: 1 });
  // An old word about us.
  await c.publishAsync(STATE, JSON.stringify({ online: false, timestamp: log.fresh.timestamp - 1 }), { qos: 1, retain: true });
  await until('contradicted', () => states(c).length === 3);
  log.again = states(c)[2];

  const node = async (name) => (await tutti.get(`sparkplug?group=G&node=${name}`)).nodes[0] ?? {};
  const value = async (path) => (await tutti.call('GET', `uns/value/sparkplug/G/${path}`)).body;
  const is = (path, want, quality = 'good') => until(`${path} = ${want} ${quality}`, async () => {
    const v = await value(path);
    return v.value === want && v.quality === quality ? v : null;
  });
  const say = (kind, name, seq, metrics, timestamp) => c.publishAsync(`spBv1.0/G/${kind}/${name}`, bytes(seq, metrics, timestamp));
  const asked = (name) => c.got.filter((m) => m.topic === `spBv1.0/G/NCMD/${name}`);
  log.asked = asked;

  // Two nodes with a device of the same name; commands.
  for (const name of ['A', 'B']) {
    await say('NBIRTH', name, 0, [bd(4), { name: 'x', alias: 1, type: 'Int32', value: 1 }, { name: 'plain', type: 'Float', value: 0.5 }, { name: 'Node Control/Rebirth', type: 'Boolean', value: false }]);
    await say('DBIRTH', `${name}/D`, 1, [{ name: 'y', alias: 2, type: 'Int16', value: 2 }, { name: 'z', type: 'Boolean', value: false }]);
    await is(`${name}/D/y`, 2);
  }
  log.two = [await node('A'), await node('B')];
  const send = (body) => tutti.call('POST', 'sparkplug/command', { group: 'G', node: 'A', ...body });
  log.sent = [];
  for (const body of [{ metric: 'x', value: 5 }, { metric: 'plain', value: 2.5 }, { device: 'D', metric: 'y', value: -3 }, { device: 'D', metric: 'z', value: true }])
    log.sent.push((await send(body)).status);
  log.wrong = [await send({ metric: 'x', value: 'five' }), await send({ device: 'D', metric: 'y', value: 70000 }), await send({ metric: 'none', value: 1 })].map((a) => a.status);
  await until('commands', () => c.got.filter((m) => m.topic.includes('CMD/A')).length === 4);
  log.commands = c.got.filter((m) => m.topic.includes('CMD/A'));
  equal(asked('B').length, 0);

  // A device dies when its node says; then the node, when we hear it.
  log.deathAt = Date.now() - 10;
  await until('a moment passed', () => Date.now() > log.deathAt + 1000); // later than the birth by more than the death is before now
  log.deathAt = Date.now() - 300;
  await say('DDEATH', 'A/D', 2, [], log.deathAt);
  log.deviceValue = await is('A/D/y', 2, 'uncertain');
  log.deviceOther = [await is('A/D/z', false, 'uncertain'), await is('A/x', 1)];
  log.deviceDead = (await node('A')).devices[0];
  log.nodeAlive = await node('A');
  log.nodeDeathAt = Date.now();
  await say('NDEATH', 'B', null, [bd(3)], 1700000000000);
  await until('an old death', async () => (await node('B')).old_deaths === 1);
  log.afterOldDeath = await node('B');
  await say('NDEATH', 'B', null, [bd(4)], 1700000000000);
  log.nodeValues = [await is('B/x', 1, 'uncertain'), await is('B/plain', 0.5, 'uncertain'), await is('B/D/y', 2, 'uncertain'), await is('B/D/z', false, 'uncertain')];
  log.nodeDead = await node('B');
  log.nodeDeadBy = Date.now();

  // Order: what was missing comes in time; what does not come is asked for.
  await say('NBIRTH', 'R', 0, [bd(1), { name: 'x', alias: 1, type: 'Int32', value: 0 }]);
  const data = (seq, v) => say('NDATA', 'R', seq, [{ name: '', alias: 1, type: 'Int32', value: v }]);
  await data(2, 2);
  await data(1, 1);
  await is('R/x', 2);
  await data(3, 3);
  await is('R/x', 3);
  await until('longer than it would wait', () => Date.now() > log.nodeDeadBy + 1200);
  log.reordered = { ...(await node('R')), asked: asked('R').length };
  log.gapAt = Date.now();
  await data(5, 5);
  await until('asked', () => asked('R').length === 1);
  log.rebirth = asked('R')[0];
  log.lost = await node('R');
  // Data before any birth.
  await say('NDATA', 'Early', 9, [{ name: '', alias: 1, type: 'Int32', value: 1 }]);
  await until('asked, too', () => asked('Early').length > 0);
  // What is no DataSet.
  const bad = (await tutti.get('sparkplug')).host.bad;
  await say('NBIRTH', 'T', 0, [bd(0), { name: 't', type: 'DataSet', value: { numOfColumns: 2, types: ['Int32'], columns: ['a', 'b'], rows: [] } }]);
  await until('counted', async () => (await tutti.get('sparkplug')).host.bad === bad + 1);
  log.noDataSet = await node('T');
  log.peers = c.got;

  // The end: said before the connections end.
  log.stopAt = Date.now();
  await tutti.kill('SIGTERM');
  await until('offline', () => states(c).at(-1).online === false);
  log.offline = states(c).at(-1);
  // Killed, and another id behind it; then none.
  await tutti.up();
  log.second = tutti.child.out; // STATE on the disk is offline
  await tutti.kill('SIGKILL');
  c.end(true);
  tutti.env = { ...env, TUTTI_SPARKPLUG_HOST: 'other' };
  await tutti.up();
  const d = await client(tutti);
  await d.subscribeAsync('spBv1.0/STATE/+', { qos: 1 });
  await until('both', () => states(d).length + states(d, 'spBv1.0/STATE/other').length === 2);
  log.killed = [states(d)[0], states(d, 'spBv1.0/STATE/other')[0]];
  d.end(true);
  await tutti.kill('SIGKILL');
  tutti.env = { TUTTI_SPARKPLUG_HOST: '' };
  await tutti.up();
  const e = await client(tutti);
  await e.subscribeAsync('spBv1.0/STATE/other', { qos: 1 });
  await until('the other', () => states(e, 'spBv1.0/STATE/other').length === 1);
  log.none = states(e, 'spBv1.0/STATE/other')[0];
  e.end(true);
  await tutti.kill('SIGTERM');
  log.refused = {};
  for (const id of ['a/b', 'a+', '#']) {
    const child = start(`${build}/tutti`, ['serve', '--data', folder(), '--http', '127.0.0.1:0', '--mqtt', '127.0.0.1:0'], { env: { ...process.env, TUTTI_SPARKPLUG_HOST: id } });
    await until('it ends', () => child.exitCode !== null, 20000);
    log.refused[id] = child.exitCode;
  }
  return log;
}

// ---- STATE ----

tck(`intro-sparkplug-host-state components-ph-state conformance-primary-host host-topic-phid-birth-message host-topic-phid-birth-required host-topic-phid-birth-topic host-topic-phid-birth-qos
  host-topic-phid-birth-retain message-flow-phid-sparkplug-state-publish operational-behavior-host-application-connect-birth operational-behavior-host-application-connect-birth-topic
  operational-behavior-host-application-connect-birth-qos operational-behavior-host-application-connect-birth-retained payloads-state-birth
  operational-behavior-primary-application-state-with-multiple-servers-state`, 'who is let in finds STATE: retained, QoS 1', (log) => {
  equal(log.fresh.retain, true);
  equal(log.fresh.qos, 1);
});
tck(`host-topic-phid-birth-payload message-flow-phid-sparkplug-state-publish-payload operational-behavior-host-application-connect-birth-payload payloads-state-birth-payload`, 'two members: online and when', (log) => {
  const said = JSON.parse(log.fresh.body);
  assert.deepEqual(Object.keys(said).sort(), ['online', 'timestamp']);
  equal(said.online, true);
  ok(said.timestamp >= log.began && said.timestamp <= log.ready);
});
tck(`message-flow-hid-sparkplug-state-message-delivered host-topic-phid-birth-sub-required message-flow-phid-sparkplug-subscription payloads-state-subscribe`, 'who says that it is offline is contradicted, with the same timestamp', (log) => {
  equal(log.again.online, true);
  equal(log.again.timestamp, log.fresh.timestamp);
  equal(log.again.qos, 1);
});
tck(`host-topic-phid-death-topic host-topic-phid-death-qos host-topic-phid-death-retain host-topic-phid-death-payload host-topic-phid-death-payload-timestamp-disconnect-clean
  host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet operational-behavior-host-application-termination operational-behavior-host-application-death-topic
  operational-behavior-host-application-death-payload operational-behavior-host-application-death-qos operational-behavior-host-application-death-retained`, 'a stop says that it is offline, as of then', (log) => {
  assert.deepEqual(Object.keys(JSON.parse(log.offline.body)).sort(), ['online', 'timestamp']);
  equal(log.offline.online, false);
  equal(log.offline.qos, 1);
  ok(log.offline.timestamp >= log.stopAt && log.offline.timestamp <= log.offline.at);
});
tck('', 'killed, and back under another id or as no host: the old one is offline, retained', (log) => {
  assert.deepEqual(log.killed.map((s) => [s.online, s.retain]), [[false, true], [true, true]]);
  ok(!/somebody else/.test(log.second), log.second);
  assert.deepEqual([log.none.online, log.none.retain], [false, true]);
});
tck('', 'an id with + / # is refused at the start', (log) => {
  for (const [id, code] of Object.entries(log.refused)) ok(code !== 0, id);
});

// ---- births, deaths, order ----

tck('topic-structure-namespace-duplicate-device-id-across-edge-node', 'devices of one name at two nodes are two', (log) => {
  assert.deepEqual(log.two.map((n) => [n.state, n.devices[0].device, n.devices[0].state]), [['alive', 'D', 'alive'], ['alive', 'D', 'alive']]);
  ok(log.two[0].devices[0].path !== log.two[1].devices[0].path);
});
tck('operational-behavior-edge-node-termination-host-action-ddeath-devices-offline', 'a device is dead as of its DDEATH', (log) => {
  equal(log.deviceDead.state, 'dead');
  equal(log.deviceDead.died, log.deathAt);
  equal(log.nodeAlive.state, 'alive');
});
tck('operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale', 'and so are its metrics', (log) => {
  equal(new Date(log.deviceValue.time ?? log.deviceValue.ts).getTime(), log.deathAt);
});
tck(`operational-behavior-edge-node-termination-host-action-ndeath-node-offline operational-behavior-edge-node-termination-host-action-ndeath-devices-offline`, 'a node and its devices are dead when its NDEATH comes, by our clock', (log) => {
  equal(log.afterOldDeath.state, 'alive');
  for (const unit of [log.nodeDead, log.nodeDead.devices[0]]) {
    equal(unit.state, 'dead');
    ok(unit.died >= log.nodeDeathAt && unit.died <= log.nodeDeadBy, `${unit.died}`);
  }
});
tck(`operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale`, 'and their metrics', (log) => {
  for (const v of log.nodeValues) {
    const at = new Date(v.time ?? v.ts).getTime();
    ok(at >= log.nodeDeathAt - 1 && at <= log.nodeDeadBy + 1, JSON.stringify(v));
  }
});
tck('operational-behavior-host-reordering-success', 'what comes in time is put in order, and nobody is asked', (log) => {
  assert.deepEqual([log.reordered.reordered, log.reordered.lost, log.reordered.asked], [1, 0, 0]);
});
tck('operational-behavior-host-reordering-param operational-behavior-host-reordering-start operational-behavior-host-reordering-rebirth', 'what does not come within the time that is set is asked for', (log) => {
  const waited = log.rebirth.at - log.gapAt;
  ok(waited >= 900, `${waited} ms`);
  equal(log.lost.lost, 1);
});
tck('payloads-dataset-column-num-headers payloads-dataset-types-num', 'a DataSet with fewer types than columns is none', (log) => equal(log.noDataSet.births ?? 0, 0));

// ---- commands ----

tck(`operational-behavior-data-commands-ncmd-rebirth-verb operational-behavior-data-commands-ncmd-rebirth-name operational-behavior-data-commands-ncmd-rebirth-value`, 'a rebirth is asked for as NCMD: Node Control/Rebirth is true', (log) => {
  const { metrics } = payload(log.rebirth.body);
  equal(metrics.length, 1);
  equal(metrics[0].name, 'Node Control/Rebirth');
  equal(metrics[0].value, true);
  equal(log.rebirth.topic, 'spBv1.0/G/NCMD/R');
});
tck(`topics-ncmd-topic topics-dcmd-topic topics-ncmd-payload topics-dcmd-payload operational-behavior-data-commands-ncmd-metric-name operational-behavior-data-commands-dcmd-metric-name
  operational-behavior-data-commands-ncmd-verb operational-behavior-data-commands-dcmd-verb payloads-alias-data-cmd-requirement payloads-name-requirement`, 'a command names the metric as its birth does: by the alias alone where there is one', (log) => {
  const sent = log.commands.map((m) => [m.topic, ...payload(m.body).metrics.map((x) => [x.name, x.alias, x.value])]);
  assert.deepEqual(sent, [
    ['spBv1.0/G/NCMD/A', [undefined, 1, 5]], ['spBv1.0/G/NCMD/A', ['plain', undefined, 2.5]],
    ['spBv1.0/G/DCMD/A/D', [undefined, 2, 0xfffffffd]], ['spBv1.0/G/DCMD/A/D', ['z', undefined, true]]]);
  equal(payloads.decodePayload(log.commands[2].body).metrics[0].value, -3);
  assert.deepEqual(log.sent, [200, 200, 200, 200]);
});
tck('operational-behavior-data-commands-ncmd-metric-value operational-behavior-data-commands-dcmd-metric-value', 'a value that does not fit is not sent', (log) => assert.deepEqual(log.wrong, [400, 400, 404]));
tck('topics-ncmd-mqtt topics-dcmd-mqtt payloads-ncmd-qos payloads-ncmd-retain payloads-dcmd-qos payloads-dcmd-retain', 'QoS 0, not retained', (log) => {
  for (const m of [...log.commands, log.rebirth]) assert.deepEqual([m.qos, m.retain], [0, false]);
});
tck('topics-ncmd-timestamp topics-dcmd-timestamp payloads-ncmd-timestamp payloads-dcmd-timestamp payloads-ncmd-seq payloads-dcmd-seq payloads-name-cmd-requirement', 'with a timestamp and without sequence number', (log) => {
  for (const m of [...log.commands, log.rebirth]) {
    const p = payload(m.body);
    equal(p.seq, undefined);
    ok(p.timestamp > m.at - 60000 && p.timestamp <= m.at + 1);
    for (const x of p.metrics) ok(x.timestamp > m.at - 60000);
  }
});
