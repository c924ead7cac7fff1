// tests/e2e/tck/edge.mjs: what our edge node owes. One story is played on a broker that writes down,
// once by MQTT 5.0 and once by 3.1.1; each test looks at what was said.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import mqtt from 'mqtt';
import { folder, start, Tutti, until, build } from '../lib.mjs';
import { Recorder, entering, payload, tck } from './bed.mjs';

entering('edge');
const payloads = createRequire(import.meta.url)('sparkplug-payload').get('spBv1.0');
const { equal, ok } = assert;
const DEVICES = [...Array(40).keys()].map((i) => `d${i}`);
const Int64 = 4;
const Boolean = 11;

export const settings = (address, more = {}) => ({
  TUTTI_SPARKPLUG_EDGE: address, TUTTI_SPARKPLUG_EDGE_GROUP: 'Gr\u00fcn 1', TUTTI_SPARKPLUG_EDGE_NODE: 'Node \u03a9', TUTTI_SPARKPLUG_EDGE_EVERY: '100ms',
  TUTTI_SPARKPLUG_EDGE_PATHS: [...DEVICES.map((d) => `acme/${d}/#=${d}`), 'acme/line/#=line', 'acme/info/#'].join(';'), ...more });
const topic = (kind, device) => `spBv1.0/Gr\u00fcn 1/${kind}/Node \u03a9${device ? `/${device}` : ''}`;
const encode = (metrics) => payloads.encodePayload({ timestamp: Date.now(), metrics });
const publishes = (conn) => conn.said.filter((m) => m.cmd === 'publish');
const find = (m, name) => m.p.metrics.find((x) => x.name === name);
const state = async (tutti) => (await tutti.get('sparkplug')).edge.state;

// Metrics by their names, whatever a message calls them: aliases are those of the last births.
function named(conn) {
  const names = new Map();
  return publishes(conn).map((m) => {
    for (const x of m.p.metrics) if (m.kind.endsWith('BIRTH') && x.alias !== undefined) names.set(x.alias, `${m.device ?? ''}/${x.name}`);
    return { ...m, named: m.p.metrics.map((x) => ({ ...x, full: x.name ? `${m.device ?? ''}/${x.name}` : names.get(x.alias) })) };
  });
}
const said = (conn, full) => named(conn).flatMap((m) => m.named.filter((x) => x.full === full).map((x) => ({ ...x, kind: m.kind })));

export async function story(version) {
  const server = await Recorder.new(version);
  const log = { version, server, notes: {} };
  const tutti = await Tutti.new(['serve'], { env: settings(`mqtt://127.0.0.1:${server.port}`, { TUTTI_SPARKPLUG_EDGE_PRIMARY: 'scada', TUTTI_SPARKPLUG_EDGE_WRITES: 'true' }) });
  const c = mqtt.connect(`mqtt://127.0.0.1:${tutti.mqtt}`, { reconnectPeriod: 100 });
  await new Promise((resolve) => c.on('connect', resolve));
  const put = (path, value) => c.publishAsync(`acme/${path}`, typeof value === 'string' ? value : JSON.stringify(value), { qos: 1 });
  const is = (full, value) => until(`${full} = ${value}`, () => said(server.now, full).at(-1)?.value === value);
  await put('info/site', '"here"');
  await put('line/run', true);
  await put('line/temp', 20.5);
  await put('line/none', { value: null, quality: 'bad' });
  for (const d of DEVICES) await put(`${d}/n`, 0);

  // The primary host: another one, offline, then online.
  await until('waiting', async () => (await state(tutti)) === 'waiting');
  await until('subscribed', () => server.now.filters.length === 3);
  const T = Date.now();
  await server.publish('spBv1.0/STATE/other', JSON.stringify({ online: true, timestamp: T }));
  await server.state('scada', false, T);
  log.notes.beforeOnline = publishes(server.now).length;
  log.stateBefore = await state(tutti);
  await server.publish('spBv1.0/STATE/scada', JSON.stringify({ online: true, timestamp: T - 1 }));
  log.notes.afterOldOnline = publishes(server.now).length;
  await server.state('scada', true, T);
  await until('births', () => server.of('DBIRTH').length >= DEVICES.length + 1);
  await until('all of the line', () => said(server.now, 'line/none').length);

  // Enough messages for the sequence to go round, and silence.
  for (let round = 1; round <= 7; round++) {
    for (const d of DEVICES) await put(`${d}/n`, round);
    await Promise.all(DEVICES.map((d) => is(`${d}/n`, round)));
  }
  await put('info/site', '"there"');
  await is('/site', 'there');
  const quiet = publishes(server.now).length;
  await put('info/site', '"there"');
  await put('line/temp', 21);
  await is('line/temp', 21); // it came behind what did not change
  log.notes.unchanged = said(server.now, '/site').filter((x) => x.kind === 'NDATA' && x.value === 'there').length;
  log.notes.quiet = publishes(server.now).length - quiet;
  await put('line/temp', { value: 22, quality: 'bad' });
  await until('bad', () => said(server.now, 'line/temp').at(-1).properties);
  await put('line/temp', { value: 23, quality: 'uncertain' });
  await is('line/temp', 23);
  await put('line/temp', 24);
  await is('line/temp', 24);

  // A rebirth, and a command by an alias.
  const births = server.of('NBIRTH').length;
  log.notes.rebirthAt = publishes(server.now).length;
  await put('line/temp', 25);
  await server.publish(topic('NCMD'), encode([{ name: 'Node Control/Rebirth', type: 'Boolean', value: true }]));
  await until('born again', () => server.of('NBIRTH').length > births && server.of('DBIRTH').length % (DEVICES.length + 1) === 0 && said(server.now, 'line/temp').at(-1).value === 25);
  const alias = server.of('DBIRTH').at(-1).device && said(server.now, 'line/run').find((x) => x.kind === 'DBIRTH').alias;
  const heard = new Promise((resolve) => c.on('message', (t, bytes) => resolve(`${t}=${bytes}`)));
  await c.subscribeAsync('acme/line/run');
  await server.publish(topic('DCMD', 'line'), encode([{ alias, type: 'Boolean', value: false }]));
  log.notes.command = await heard;
  await is('line/run', false);

  // A device is gone: the quality is worse, the value as it was; and back.
  await put('d7/n', { value: 7, quality: 'uncertain' });
  await until('DDEATH', () => server.of('DDEATH').length);
  await put('d7/n', 8);
  await is('d7/n', 8);

  // The host goes: an old word, then one that counts; what comes meanwhile is late.
  await server.publish('spBv1.0/STATE/scada', JSON.stringify({ online: false, timestamp: T - 1 }));
  await put('line/temp', 26);
  await is('line/temp', 26);
  log.notes.oldOffline = server.of('NDEATH').length;
  const first = server.now;
  await server.state('scada', false, T + 1000);
  await until('away', () => first.closed);
  await until('another connection', () => server.now !== first && server.now.filters.length === 3);
  await until('waiting again', async () => (await state(tutti)) === 'waiting');
  for (const v of [31, 32, 33]) {
    const { kept_bytes: before } = (await tutti.get('sparkplug')).edge;
    await put('line/temp', v);
    await until(`${v} is taken`, async () => { // the newest is unsaid, the one before it kept
      const { unsaid, kept_bytes } = (await tutti.get('sparkplug')).edge;
      return unsaid === 1 && (v === 31 || kept_bytes > before);
    });
  }
  log.notes.silent = publishes(server.now).length;
  await server.state('scada', true, T + 2000);
  await until('late values', () => said(server.now, 'line/temp').filter((x) => x.historical).length >= 2);
  log.second = server.now;
  log.first = first;
  await tutti.kill('SIGTERM');
  await until('gone', () => server.now.closed);
  c.end(true);
  server.server.close();
  // Names that cannot be: nothing starts.
  log.refused = {};
  if (version === 5)
    for (const [key, bad] of [['GROUP', 'a/b'], ['GROUP', 'a+'], ['NODE', '#'], ['NODE', 'x/y'], ['PATHS', 'acme/x/#=a/b'], ['PATHS', 'acme/x/#=a+']]) {
      const child = start(`${build}/tutti`, ['serve', '--data', folder(), '--http', '127.0.0.1:0', '--mqtt', '127.0.0.1:0'],
        { env: { ...process.env, ...settings('mqtt://127.0.0.1:1'), [`TUTTI_SPARKPLUG_EDGE_${key}`]: bad } });
      log.refused[`${key} ${bad}`] = await Promise.race([child.ended, until('it ends', () => child.exitCode !== null, 20000)]);
    }
  return log;
}

// ---- the connection ----

const conns = (log) => log.server.conns;
const first = (log) => log.first.connect;
const nbirths = (log) => conns(log).flatMap((conn) => publishes(conn).filter((m) => m.kind === 'NBIRTH').map((m) => ({ m, conn })));
const all = (log) => conns(log).flatMap(publishes);
const each = (log, kinds, look) => {
  const some = all(log).filter((m) => kinds.includes(m.kind));
  ok(some.length > 0, `there is ${kinds}`);
  for (const m of some) look(m);
};

tck('principles-persistence-clean-session-50 principles-persistence-clean-session-311', 'a clean session, that ends with the connection', (log) => {
  for (const { connect } of conns(log)) {
    equal(connect.protocolVersion, log.version);
    equal(connect.clean, true);
    equal(connect.properties?.sessionExpiryInterval ?? 0, 0);
  }
});
tck(`message-flow-edge-node-birth-publish-will-message message-flow-edge-node-birth-publish-will-message-topic message-flow-edge-node-birth-publish-will-message-qos
  message-flow-edge-node-birth-publish-will-message-will-retained payloads-ndeath-will-message payloads-ndeath-will-message-qos payloads-ndeath-will-message-retain`, 'the will is NDEATH, QoS 1, not retained', (log) => {
  for (const { connect } of conns(log)) {
    equal(connect.will.topic, topic('NDEATH'));
    equal(connect.will.qos, 1);
    equal(connect.will.retain, false);
  }
});
tck('message-flow-edge-node-birth-publish-will-message-payload message-flow-edge-node-birth-publish-will-message-payload-bdSeq topics-nbirth-bdseq-increment', 'its payload has bdSeq as an Int64, 0 first, one more each time', (log) => {
  ok(conns(log).length >= 2);
  conns(log).forEach(({ connect }, i) => {
    const p = payload(connect.will.payload);
    equal(p.metrics.length, 1);
    const [m] = p.metrics;
    equal(m.name, 'bdSeq');
    equal(m.datatype, Int64);
    equal(m.form, 'long');
    equal(m.value, i);
    equal(String(payloads.decodePayload(connect.will.payload).metrics[0].value), String(i));
  });
});
tck('topics-ndeath-topic topics-ndeath-payload topics-ndeath-seq payloads-ndeath-seq payloads-ndeath-bdseq', 'a death has bdSeq of its birth alone, and no sequence number', (log) => {
  each(log, 'NDEATH', (m) => equal(m.topic, topic('NDEATH')));
  for (const conn of conns(log).slice(0, 2)) {
    const [death] = publishes(conn).filter((m) => m.kind === 'NDEATH');
    const [birth] = publishes(conn).filter((m) => m.kind === 'NBIRTH');
    const will = payload(conn.connect.will.payload);
    for (const p of [death.p, will]) {
      equal(p.seq, undefined);
      equal(p.metrics.length, 1);
      equal(p.metrics[0].name, 'bdSeq');
      equal(p.metrics[0].value, find(birth, 'bdSeq').value);
    }
  }
});
tck('message-flow-edge-node-ncmd-subscribe', 'it hears NCMD, with QoS 1', (log) => {
  for (const { filters } of conns(log)) ok(filters.some((f) => f.topic === topic('NCMD') && f.qos === 1));
});
tck('message-flow-device-dcmd-subscribe', 'and DCMD of its devices', (log) => {
  for (const { filters } of conns(log)) ok(filters.some((f) => f.topic === `${topic('DCMD')}/+` && f.qos === 1));
});
tck('operational-behavior-edge-node-intentional-disconnect-ndeath operational-behavior-edge-node-intentional-disconnect-packet payloads-ndeath-will-message-publisher payloads-ndeath-will-message-publisher-disconnect-mqtt311', 'before a wanted disconnect: NDEATH, last of all', (log) => {
  for (const conn of [log.first, log.second]) {
    equal(conn.said.at(-1).cmd, 'disconnect');
    equal(conn.said.at(-2).kind, 'NDEATH');
  }
});
tck('payloads-ndeath-will-message-publisher-disconnect-mqtt50', 'a DISCONNECT of 5.0 asks for the will', (log) => {
  for (const conn of [log.first, log.second]) equal(conn.disconnect.reasonCode ?? 0, log.version === 5 ? 4 : 0);
});

// ---- the primary host ----

tck(`message-flow-edge-node-birth-publish-phid-wait message-flow-edge-node-birth-publish-phid-wait-id message-flow-edge-node-birth-publish-phid-wait-online
  operational-behavior-edge-node-birth-sequence-wait operational-behavior-primary-application-state-with-multiple-servers-state-subs`, 'nothing is said before its own host is online', (log) => {
  equal(log.notes.beforeOnline, 0);
  equal(log.stateBefore, 'waiting');
  ok(log.first.filters.some((f) => f.topic === 'spBv1.0/STATE/scada' && f.qos === 1));
  equal(log.notes.silent, 0);
});
tck('message-flow-edge-node-birth-publish-phid-wait-timestamp', 'an online that is older than the last word does not count', (log) => equal(log.notes.afterOldOnline, 0));
tck('operational-behavior-edge-node-termination-host-offline-timestamp', 'nor does an older offline', (log) => equal(log.notes.oldOffline, 0));
tck('message-flow-edge-node-birth-publish-phid-offline operational-behavior-edge-node-termination-host-offline operational-behavior-edge-node-termination-host-offline-reconnect', 'offline: NDEATH, a disconnect, and a new connection', (log) => {
  equal(publishes(log.first).at(-1).kind, 'NDEATH');
  ok(log.first.closed);
  ok(conns(log).indexOf(log.second) === conns(log).indexOf(log.first) + 1);
});

// ---- births ----

tck('principles-birth-certificates-order message-flow-edge-node-birth-publish-connect', 'births are the first that is said', (log) => {
  for (const conn of [log.first, log.second]) equal(publishes(conn)[0].kind, 'NBIRTH');
});
tck(`payloads-dbirth-order payloads-ndata-order payloads-ddata-order message-flow-device-birth-publish-nbirth-wait operational-behavior-data-commands-rebirth-action-1 operational-behavior-data-commands-rebirth-action-2`, 'births of all devices follow that of the node, and data comes behind them; so it is after a rebirth', (log) => {
  for (const { m, conn } of nbirths(log)) {
    const after = publishes(conn).slice(publishes(conn).indexOf(m) + 1, publishes(conn).indexOf(m) + 1 + DEVICES.length + 1);
    ok(after.every((x) => x.kind === 'DBIRTH'), after.map((x) => x.kind).join());
    equal(new Set(after.map((x) => x.device)).size, DEVICES.length + 1);
  }
});
tck('topics-nbirth-topic message-flow-edge-node-birth-publish-nbirth-topic topic-structure topic-structure-namespace-a intro-group-id-string intro-edge-node-id-string', 'the topics of the node', (log) => {
  for (const kind of ['NBIRTH', 'NDATA', 'NDEATH']) each(log, kind, (m) => equal(m.topic, topic(kind)));
});
tck(`topics-dbirth-topic message-flow-device-birth-publish-dbirth-topic message-flow-device-birth-publish-dbirth-match-edge-node-topic topics-ddata-topic topics-ddeath-topic intro-device-id-string
  topic-structure-namespace-device-id-associated-message-types topic-structure-namespace-device-id-non-associated-message-types`, 'those of its devices', (log) => {
  for (const kind of ['DBIRTH', 'DDATA', 'DDEATH'])
    each(log, kind, (m) => {
      ok([...DEVICES, 'line'].includes(m.device));
      equal(m.topic, topic(kind, m.device));
    });
});
tck('topic-structure-namespace-unique-device-id', 'each device is born once in a sequence of births', (log) => {
  const begin = publishes(log.first).findIndex((m) => m.kind === 'NBIRTH');
  const devices = publishes(log.first).slice(begin + 1, begin + 2 + DEVICES.length).map((m) => m.device);
  equal(new Set(devices).size, devices.length);
});
tck('topic-structure-namespace-valid-group-id topic-structure-namespace-valid-edge-node-id topic-structure-namespace-valid-device-id intro-group-id-chars intro-edge-node-id-chars intro-device-id-chars', 'names with + / # are refused at the start', (log) => {
  for (const [what, code] of Object.entries(log.refused)) ok(code !== 0, what);
  ok(log.version === 4 || Object.keys(log.refused).length === 6);
});
tck(`topics-nbirth-mqtt topics-ndata-mqtt topics-dbirth-mqtt topics-ddata-mqtt topics-ddeath-mqtt payloads-nbirth-qos payloads-nbirth-retain payloads-dbirth-qos payloads-dbirth-retain
  payloads-ndata-qos payloads-ndata-retain payloads-ddata-qos payloads-ddata-retain message-flow-edge-node-birth-publish-nbirth-qos message-flow-edge-node-birth-publish-nbirth-retained
  message-flow-device-birth-publish-dbirth-qos message-flow-device-birth-publish-dbirth-retained`, 'QoS 0, not retained', (log) => {
  for (const kind of ['NBIRTH', 'DBIRTH', 'NDATA', 'DDATA', 'DDEATH'])
    each(log, kind, (m) => {
      equal(m.qos, 0);
      equal(m.retain, false);
    });
});
tck(`topics-nbirth-seq-num payloads-nbirth-seq payloads-sequence-num-req-nbirth message-flow-edge-node-birth-publish-nbirth-payload-seq`, 'a birth begins the sequence', (log) => each(log, 'NBIRTH', (m) => equal(m.p.seq, 0)));
tck(`payloads-sequence-num-always-included payloads-sequence-num-incrementing topics-ndata-seq-num topics-dbirth-seq topics-ddata-seq-num topics-ddeath-seq-num payloads-dbirth-seq payloads-dbirth-seq-inc
  payloads-ndata-seq payloads-ndata-seq-inc payloads-ddata-seq payloads-ddata-seq-inc payloads-ddeath-seq payloads-ddeath-seq-inc payloads-ddeath-seq-number message-flow-device-birth-publish-dbirth-payload-seq`, 'each message counts one on, 255 is followed by 0', (log) => {
  let round = false;
  for (const conn of conns(log)) {
    let seq;
    for (const m of publishes(conn).filter((x) => x.kind !== 'NDEATH')) {
      if (m.kind !== 'NBIRTH') equal(m.p.seq, (seq + 1) % 256, `${m.kind} behind ${seq}`);
      round ||= seq === 255 && m.p.seq === 0 && m.kind !== 'NBIRTH';
      seq = m.p.seq;
    }
  }
  ok(round, 'it went round');
});
tck(`topics-nbirth-timestamp topics-ndata-timestamp topics-dbirth-timestamp topics-ddata-timestamp payloads-nbirth-timestamp payloads-dbirth-timestamp payloads-ndata-timestamp payloads-ddata-timestamp
  payloads-ddeath-timestamp payloads-timestamp-in-UTC`, 'a payload says when it was sent, in UTC', (log) => {
  for (const kind of ['NBIRTH', 'DBIRTH', 'NDATA', 'DDATA', 'DDEATH']) each(log, kind, (m) => ok(m.p.timestamp <= m.at + 1 && m.p.timestamp > m.at - 60000, `${m.p.timestamp} at ${m.at}`));
});
tck('payloads-name-birth-data-requirement payloads-metric-timestamp-in-UTC', 'so does each metric', (log) => {
  for (const kind of ['NBIRTH', 'DBIRTH', 'NDATA', 'DDATA'])
    each(log, kind, (m) => {
      for (const x of m.p.metrics) ok(x.timestamp > m.at - 600000 && x.timestamp <= m.at + 1, `${x.name} ${x.alias} in ${kind}`);
    });
});
tck('operational-behavior-data-publish-nbirth-order operational-behavior-data-publish-dbirth-order', 'the oldest value stands first', (log) => {
  for (const kind of ['NBIRTH', 'DBIRTH', 'NDATA', 'DDATA'])
    each(log, kind, (m) => {
      const times = m.p.metrics.filter((x) => !x.historical).map((x) => x.timestamp);
      assert.deepEqual(times, [...times].sort((a, b) => a - b), kind);
    });
});
tck(`topics-nbirth-bdseq-included topics-nbirth-bdseq-matching payloads-nbirth-bdseq payloads-nbirth-bdseq-repeat message-flow-edge-node-birth-publish-nbirth-payload-bdSeq operational-behavior-data-commands-rebirth-action-3`, 'a birth has the bdSeq of the will, after a rebirth as well', (log) => {
  ok(nbirths(log).length >= 3);
  for (const { m, conn } of nbirths(log)) {
    const bd = find(m, 'bdSeq');
    equal(bd.datatype, Int64);
    equal(bd.value, payload(conn.connect.will.payload).metrics[0].value);
  }
});
tck(`topics-nbirth-rebirth-metric payloads-nbirth-rebirth-req operational-behavior-data-commands-rebirth-name operational-behavior-data-commands-rebirth-name-aliases operational-behavior-data-commands-rebirth-datatype
  operational-behavior-data-commands-rebirth-value`, 'Node Control/Rebirth is a Boolean, false, without alias', (log) => each(log, 'NBIRTH', (m) => {
  const { name, datatype, value, alias } = find(m, 'Node Control/Rebirth');
  assert.deepEqual({ name, datatype, value, alias }, { name: 'Node Control/Rebirth', datatype: Boolean, value: false, alias: undefined });
}));
tck(`message-flow-edge-node-birth-publish-nbirth-payload message-flow-device-birth-publish-dbirth-payload topics-nbirth-metrics topics-dbirth-metrics payloads-metric-datatype-req payloads-metric-datatype-value
  payloads-metric-datatype-value-type payloads-name-requirement`, 'metrics of a birth have a name, a type and a value', (log) => {
  for (const kind of ['NBIRTH', 'DBIRTH'])
    each(log, kind, (m) => {
      const peer = payloads.decodePayload(m.payload); // Eclipse Tahu reads the same
      m.p.metrics.forEach((x, i) => {
        ok(x.name && x.datatype >= 1 && x.datatype <= 34 && (x.null || x.form), JSON.stringify(x));
        equal(peer.metrics[i].name, x.name);
        ok(x.null || ['number', 'boolean', 'string', 'object'].includes(typeof peer.metrics[i].value));
      });
    });
});
tck('operational-behavior-data-publish-nbirth-values operational-behavior-data-publish-dbirth-values', 'the value is the current one; null has none', (log) => {
  const [born] = publishes(log.first).filter((m) => m.kind === 'NBIRTH');
  equal(find(born, 'site').value, 'here');
  const nulls = all(log).filter((m) => m.kind === 'DBIRTH' && m.device === 'line').map((m) => find(m, 'none')).filter(Object);
  ok(nulls.length);
  for (const x of nulls) ok(x.null && !x.form);
  equal(publishes(log.second).find((m) => m.kind === 'DBIRTH' && m.device === 'line').p.metrics.find((x) => x.name === 'temp').value, 33);
});
tck('topics-nbirth-metric-reqs topics-dbirth-metric-reqs operational-behavior-data-publish-nbirth operational-behavior-data-publish-dbirth', 'what is said in data was born', (log) => {
  for (const conn of conns(log))
    for (const m of named(conn)) for (const x of m.named) ok(x.full || m.kind === 'NDEATH', `${m.kind} alias ${x.alias}`);
});
tck('payloads-alias-uniqueness payloads-alias-birth-requirement', 'an alias is one metric\'s of the whole node, and stands beside the name', (log) => {
  for (const { m, conn } of nbirths(log)) {
    const at = publishes(conn).indexOf(m);
    const aliases = publishes(conn).slice(at, at + DEVICES.length + 2).flatMap((x) => x.p.metrics).filter((x) => x.alias !== undefined);
    equal(new Set(aliases.map((x) => x.alias)).size, aliases.length);
    ok(aliases.length > DEVICES.length && aliases.every((x) => x.name));
  }
});

// ---- data ----

tck('payloads-alias-data-cmd-requirement', 'data has aliases alone', (log) => {
  for (const kind of ['NDATA', 'DDATA']) each(log, kind, (m) => ok(m.p.metrics.every((x) => x.alias && x.name === undefined)));
});
tck('topics-ndata-topic topics-ndata-payload topics-ddata-payload', 'data is what changed', (log) => {
  const site = said(log.first, '/site').filter((x) => x.kind === 'NDATA');
  assert.deepEqual(site.map((x) => x.value), ['there']);
  for (let round = 1; round <= 6; round++) ok(said(log.first, 'd3/n').some((x) => x.kind === 'DDATA' && x.value === round), `round ${round}`);
});
tck('principles-rbe-recommended operational-behavior-data-publish-nbirth-change operational-behavior-data-publish-dbirth-change', 'what did not change is not said', (log) => {
  equal(log.notes.unchanged, 1);
  equal(log.notes.quiet, 1);
});
tck(`payloads-propertyset-keys-array-size payloads-propertyset-values-array-size payloads-metric-propertyvalue-type-type payloads-metric-propertyvalue-type-value payloads-metric-propertyvalue-type-req
  payloads-propertyset-quality-value-type payloads-propertyset-quality-value-value`, 'Quality is an Int32 of 0, 192 or 500', (log) => {
  const sets = all(log).flatMap((m) => m.p.metrics).filter((x) => x.properties).map((x) => x.properties);
  for (const { keys, values } of sets) {
    assert.deepEqual(keys, ['Quality']);
    equal(values.length, 1);
    equal(values[0].type, 3);
    ok([0, 192, 500].includes(values[0].int));
  }
  assert.deepEqual([...new Set(sets.map((s) => s.values[0].int))].sort((a, b) => a - b), [0, 192, 500]);
});
tck('operational-behavior-device-ddeath', 'a device that is gone dies, and is born when it is back', (log) => {
  const life = publishes(log.first).filter((m) => m.device === 'd7').map((m) => m.kind);
  const death = life.indexOf('DDEATH');
  ok(death > 0);
  equal(life[death + 1], 'DBIRTH');
  each(log, 'DDEATH', (m) => equal(m.p.metrics.length, 0));
});
tck('operational-behavior-data-commands-dcmd-verb operational-behavior-data-commands-dcmd-metric-name', 'a DCMD by alias is a publish in the namespace', (log) => equal(log.notes.command, 'acme/line/run=false'));
tck('operational-behavior-data-commands-ncmd-verb', 'a rebirth is asked for by NCMD', (log) => ok(publishes(log.first).filter((m) => m.kind === 'NBIRTH').length >= 2));
tck('operational-behavior-primary-application-state-with-multiple-servers-single-server', 'one connection at a time', (log) => equal(log.server.most, 1));
tck('', 'what changed while the host was away is said as historical behind the births', (log) => {
  const late = said(log.second, 'line/temp').filter((x) => x.historical);
  assert.deepEqual(late.map((x) => x.value), [31, 32]);
  ok(late.every((x) => x.kind === 'DDATA'));
});
