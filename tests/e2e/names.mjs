// tests/e2e/names.mjs: what people do with the names of the namespace, in a whole Tutti process:
// describe, find, import, export, rename, ask where from and where to. Clients are npm's mqtt.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import mqtt from 'mqtt';
import { build, check, run, start, test, Tutti, until } from './lib.mjs';

const gone = (c) => new Promise((resolve) => c.end(true, {}, resolve));
async function client(tutti, options = {}) {
  const c = mqtt.connect(`mqtt://127.0.0.1:${tutti.mqtt}`, { protocolVersion: 5, reconnectPeriod: 0, ...options });
  c.on('error', () => {});
  c.got = [];
  c.on('message', (topic, payload, packet) => c.got.push(`${topic}=${payload}${packet.retain ? ' retained' : ''}`));
  await new Promise((resolve) => c.on('connect', resolve));
  return c;
}

async function put(tutti, where, body, want = 200) {
  const { status, body: answer } = await tutti.call('PUT', where, body);
  check(status === want, `PUT ${where}: ${status} ${JSON.stringify(answer)}`);
  return answer;
}
async function post(tutti, where, body, want = 200) {
  const { status, body: answer } = await tutti.call('POST', where, body);
  check(status === want, `POST ${where}: ${status} ${JSON.stringify(answer).slice(0, 600)}`);
  return answer;
}
async function text(tutti, where) {
  const answer = await fetch(`http://127.0.0.1:${tutti.http}/api/v1/${where}`, { headers: { authorization: `Bearer ${tutti.token}` } });
  check(answer.status === 200, `GET ${where}: ${answer.status}`);
  return { text: await answer.text(), type: answer.headers.get('content-type') };
}

test('metadata: kept, found, and it says when a value is stale', async () => {
  const tutti = await Tutti.new();
  const c = await client(tutti);
  await put(tutti, 'uns/meta/acme/berlin', { kind: 'site', title: 'Berlin', owner: 'ops', keys: { zip: '10115' }, stale_ms: 60000 });
  const node = await put(tutti, 'uns/meta/acme/berlin/l1/p7/temp', { kind: 'tag', unit: 'degC', description: 'of the oil', stale_ms: 50, stale_by: 'source' });
  check(node.meta.unit === 'degC' && !node.has_value && node.stale_ms === 50, JSON.stringify(node));
  await c.publishAsync('acme/berlin/l1/p7/temp', JSON.stringify({ value: 71, quality: 'good', ts: new Date(Date.now() - 5000).toISOString() }), { qos: 1 });
  await c.publishAsync('acme/berlin/l1/p7/speed', '5', { qos: 1 });
  await c.publishAsync('other/x', '5', { qos: 1 });
  const temp = await tutti.get('uns/value/acme/berlin/l1/p7/temp');
  check(temp.stale && temp.stale_by === 'source' && temp.age_ms >= 4900 && temp.stale_at < Date.now(), JSON.stringify(temp));
  const speed = await tutti.get('uns/value/acme/berlin/l1/p7/speed');
  check(!speed.stale && speed.stale_ms === 60000 && speed.stale_by === 'received', `from the site above: ${JSON.stringify(speed)}`);
  check((await tutti.get('uns/value/other/x')).stale_ms === 30000, 'the setting');
  for (const [q, want] of [['berlin', 5], ['10115', 1], ['OIL temp', 1], ['degc', 1], ['nothing', 0]]) {
    const found = await tutti.get(`uns/search?q=${encodeURIComponent(q)}`);
    check(found.total === want, `${q}: ${found.total} of ${want}: ${found.nodes.map((n) => n.path)}`);
  }
  const short = [[0, 'acme', 0], [1, 'berlin', 0, { kind: 'site', title: 'Berlin' }], [2, 'l1', 0], [3, 'p7', 0], [4, 'speed', 1], [4, 'temp', 1, { kind: 'tag', unit: 'degC' }]];
  const lines = (rows) => rows.map((row) => JSON.stringify(row)).join(' ');
  const whole = await tutti.get('uns/outline');
  const ours = whole.rows.slice(whole.rows.findIndex((row) => row[1] === 'acme')).slice(0, short.length);
  check(lines(ours) === lines(short) && !whole.more && whole.total === whole.rows.length, `outline: ${lines(whole.rows)}`);
  const part = await tutti.get('uns/outline?after=acme/berlin/l1/p7&limit=2');
  check(lines(part.rows) === lines(short.slice(4)) && part.more, `outline behind a path: ${lines(part.rows)}`);
  const up = await tutti.get('uns/outline?after=acme/berlin/l1/p7/temp&limit=1');
  check(lines(up.rows) === '[0,"other",0]', `outline behind a branch: ${lines(up.rows)}`);
  check((await tutti.call('GET', 'uns/outline?after=no/such')).status === 404, 'outline behind nothing');
  const listed = (await tutti.get('uns?prefix=acme&depth=1')).nodes[0];
  check(listed.kind === 'site' && listed.title === 'Berlin', JSON.stringify(listed));
  for (const [bad, says] of [[{ kind: 'x'.repeat(65) }, 'kind'], [{ stale_by: 'moon' }, 'stale_by'], [{ keys: { a: 5 } }, 'keys'],
    [{ keys: Object.fromEntries([...Array(33).keys()].map((n) => [`k${n}`, 'x'])) }, 'keys'], [{ unknown: 1 }, 'unknown']]) {
    const { body } = await tutti.call('PUT', 'uns/meta/acme', bad);
    check(body.error?.text.includes(says), `${says}: ${JSON.stringify(body)}`);
  }
  check((await tutti.call('PUT', 'uns/meta/a/+/b', { title: 'x' })).status === 400, 'no path');
  await put(tutti, 'uns/meta/acme/berlin', {});
  check((await tutti.get('uns/search?q=10115')).total === 0, 'cleared');
  await gone(c);
  await tutti.kill('SIGKILL');
  await tutti.up();
  check((await tutti.get('uns/value/acme/berlin/l1/p7/temp')).meta.description === 'of the oil', 'after a kill');
  await tutti.kill('SIGTERM');
});

test('import: a table of what would change, errors by place, all or nothing, and the same file back', async () => {
  const tutti = await Tutti.new();
  const csv = [
    'path,kind,title,unit,description,owner,stale_ms,stale_by,key.serial,key.vendor',
    'acme,enterprise,Acme,,,,,,,', 'acme/berlin,site,"Berlin, Mitte",,"two\nlines and a ""quote""",ops,60000,source,,',
    'acme/berlin/p7,equipment,Pump 7,,,,,,SN-7,Ümlaut GmbH', 'acme/berlin/p7/temp,tag,,degC,,,,,,', ''].join('\n');
  const dry = await post(tutti, 'uns/import', { text: csv, dry: true });
  check(dry.new === 4 && dry.rows.length === 4 && dry.rows[2].line === 5 && dry.rows[2].fields.includes('title'), JSON.stringify(dry));
  check((await tutti.get('uns/stats')).paths === 0, 'a dry run does nothing');
  await post(tutti, 'uns/import', { text: csv });
  const back = await text(tutti, 'uns/export.csv');
  check(back.text === csv && back.type === 'text/csv; charset=utf-8', `the same file:\n${back.text}`);
  const json = (await text(tutti, 'uns/export.json')).text;
  check(JSON.parse(json).nodes[2].keys.vendor === 'Ümlaut GmbH', json);
  check((await post(tutti, 'uns/import', { text: json, format: 'json', dry: true })).same === 4, 'JSON changes nothing');
  check((await post(tutti, 'uns/import', { text: csv, dry: true })).same === 4, 'CSV changes nothing');
  check((await text(tutti, 'uns/export.csv?prefix=acme/berlin/p7')).text.split('\n').length === 4, 'a branch');
  // Another separator, a part of the columns, a BOM and CRLF, as a spreadsheet writes it.
  const sheet = '\ufeffunit;path;key.vendor\r\nK;acme/berlin/p7/temp;\r\n;acme/berlin/p7;\r\n';
  const part = await post(tutti, 'uns/import', { text: sheet });
  check(part.changed === 2 && part.same === 0, JSON.stringify(part));
  const p7 = (await tutti.get('uns/value/acme/berlin/p7')).meta;
  check(p7.title === 'Pump 7' && p7.keys.serial === 'SN-7' && !p7.keys.vendor, `what the file has not stays: ${JSON.stringify(p7)}`);

  const broken = ['path,kind,stale_ms', 'new/a,site,', 'new/+,site,', 'new/b,site,"x"y', 'new/c,site', 'new/d,site,soon', 'new/a,area,', 'new/e,"open', ''].join('\n');
  const refused = await post(tutti, 'uns/import', { text: broken }, 400);
  const places = refused.errors.map((e) => `${e.line}:${e.column}`);
  check(places.join() === '3:1,4:15,5:7,6:12,7:1,9:1', `${places}: ${JSON.stringify(refused.errors)}`);
  check(/line 3, column 1/.test(refused.error.text), refused.error.text);
  check((await tutti.call('GET', 'uns/value/new/a')).status === 404, 'nothing is half imported');
  for (const [bad, place] of [['', null], ['kind\nsite\n', '1:1'], ['path,colour\na,b\n', '1:6'], ['path,path\na,b\n', '1:6']]) {
    const { status, body } = await tutti.call('POST', 'uns/import', { text: bad });
    check(status === 400 && (!place || `${body.errors[0].line}:${body.errors[0].column}` === place), `${JSON.stringify(bad)}: ${JSON.stringify(body)}`);
  }
  const badJson = await post(tutti, 'uns/import', { format: 'json', text: '{"nodes":[{"path":"a"},\n  {"path":"b","colour":"red"},\n {"path":"a"}]}' }, 400);
  check(badJson.errors.map((e) => `${e.line}:${e.column}`).join() === '2:3,3:2', JSON.stringify(badJson.errors));
  const noJson = await post(tutti, 'uns/import', { format: 'json', text: '{"nodes":[\n{]}' }, 400);
  check(noJson.errors[0].line === 2, JSON.stringify(noJson.errors));
  await tutti.kill('SIGTERM');
});

test('a branch gets another name: history, last values, metadata and retained messages move along', async () => {
  const tutti = await Tutti.new();
  const c = await client(tutti);
  for (let i = 0; i < 20; i++) await c.publishAsync('old/line/p1', `{"temp":${i},"state":"RUN"}`, { qos: 1, retain: i === 19 });
  await c.publishAsync('old/line/p2', '7', { qos: 1, retain: true });
  await c.publishAsync('old/liner', '1', { qos: 1 });
  await put(tutti, 'uns/meta/old/line', { title: 'Line one' });
  const old = await client(tutti), fresh = await client(tutti);
  await old.subscribeAsync('old/#', { qos: 1 });
  await fresh.subscribeAsync('new/#', { qos: 1 });
  await until('retained ones', () => old.got.length === 2);
  const when = { when: { above: 10 }, priority: 'high' };
  await put(tutti, 'alarms/rules/hot', { on: '#', ...when });
  await put(tutti, 'alarms/rules/old', { on: 'old/#', ...when });
  await put(tutti, 'alarms/rules/fresh', { on: 'new/#', ...when });
  const alarms = async () => (await tutti.get('alarms?state=all')).alarms.filter((a) => a.active).map((a) => `${a.rule} ${a.path}`).sort().join();
  await until('raised', async () => (await alarms()) === 'hot old/line/p1/temp,old old/line/p1/temp');
  const before = await tutti.get('uns/history/old/line/p1/temp?from=-1h&pixels=1000');
  check(before.t.length >= 19, `history: ${before.t.length}`);
  for (const [from, to, status] of [['none', 'x', 404], ['old/line', 'old/line/x', 400], ['old/line', 'old/line', 400], ['old/line', 'a/#', 400], ['old/line', 'old/liner', 409], ['', 'x', 400]])
    await post(tutti, 'uns/rename', { from, to }, status);

  const moved = await post(tutti, 'uns/rename', { from: 'old/line', to: 'new/hall/line' });
  check(moved.nodes === 5 && moved.retained === 2, JSON.stringify(moved));
  const after = await tutti.get('uns/history/new/hall/line/p1/temp?from=-1h&pixels=1000');
  check(JSON.stringify(after.last) === JSON.stringify(before.last), 'old points under the new name');
  check((await tutti.get('uns/value/new/hall/line')).meta.title === 'Line one', 'metadata');
  const value = await tutti.get('uns/value/new/hall/line/p1/temp');
  check(value.value === 19 && value.count === 20, `last value, as it was: ${JSON.stringify(value)}`);
  check((await tutti.call('GET', 'uns/value/old/line/p1')).status === 404, 'the old name is gone');
  check((await tutti.get('uns/value/old/liner')).value === 1, 'a name that begins alike stays');
  await until('subscribers', () => old.got.length === 4 && fresh.got.length === 2);
  check(old.got.slice(2).sort().join() === 'old/line/p1=,old/line/p2=', `the old topic is taken away: ${old.got}`);
  check(fresh.got.sort().join() === 'new/hall/line/p1={"temp":19,"state":"RUN"},new/hall/line/p2=7', `the new one comes: ${fresh.got}`);
  const late = await client(tutti);
  await late.subscribeAsync('#', { qos: 1 });
  await until('retained under the new name', () => late.got.length === 2);
  check(late.got.every((m) => m.startsWith('new/hall/line') && m.endsWith('retained')), late.got.join());

  const moved_alarms = 'fresh new/hall/line/p1/temp,hot new/hall/line/p1/temp';
  check((await alarms()) === moved_alarms, `alarms go by the new name: ${await alarms()}`);

  // Who goes on with the old name makes it anew; the renamed one goes on under its own.
  await c.publishAsync('old/line/p1', '{"temp":9}', { qos: 1 });
  await c.publishAsync('new/hall/line/p1', '{"temp":20}', { qos: 1 });
  await Promise.all([c, old, fresh, late].map(gone));
  await tutti.kill('SIGKILL');
  await tutti.up();
  const again = await tutti.get('uns/history/new/hall/line/p1/temp?from=-1h&pixels=1000');
  check(again.last.length === before.last.length + 1 && again.last.at(-1) === 20, `after a kill: ${again.last}`);
  const anew = await tutti.get('uns/history/old/line/p1/temp?from=-1h&pixels=1000');
  check((await alarms()) === moved_alarms, `alarms after a kill: ${await alarms()}`);
  check(anew.last.join() === '9', `a history of its own: ${anew.last}`);
  check((await tutti.get('uns/value/new/hall/line')).meta.title === 'Line one', 'metadata after a kill');
  await tutti.kill('SIGTERM');
});

test('renames while values pour in lose and mix up nothing', async () => {
  const tutti = await Tutti.new();
  const c = await client(tutti);
  let stop = false, sent = 0;
  const pour = (async () => { while (!stop) await c.publishAsync('still/x', String(++sent), { qos: 1 }); })();
  const other = (async () => { for (let n = 0; !stop; n++) await c.publishAsync('move/me', String(n), { qos: 1 }); })();
  let name = 'move/me';
  await until('the first value', async () => (await tutti.call('GET', 'uns/value/move/me')).body.has_value);
  for (let i = 0; i < 10; i++) {
    const { status, body } = await tutti.call('POST', 'uns/rename', { from: name, to: `moved/n${i}` });
    check(status === 200, `${i}: ${JSON.stringify(body)}`);
    name = 'move/me';
    await until('the old name comes anew', async () => (await tutti.call('GET', 'uns/value/move/me')).body.has_value);
  }
  stop = true;
  await Promise.all([pour, other]);
  await gone(c);
  await tutti.kill('SIGTERM');
  await tutti.up();
  check((await tutti.get('uns/value/still/x')).value === sent, 'the neighbour has its last value');
  let last = -1;
  for (const path of [...Array(10).keys()].map((n) => `moved/n${n}`).concat('move/me')) {
    const history = await tutti.get(`uns/history/${path}?from=-1h&pixels=10000`);
    for (const value of history.last) {
      check(value > last, `${path}: ${value} behind ${last}`);
      last = value;
    }
  }
  await tutti.kill('SIGTERM');
});

test('the command: what it exports it imports, its errors have places, it renames', async () => {
  const tutti = await Tutti.new();
  const names = async (...args) => {
    const child = start(path.join(build, 'tutti'), ['names', ...args], { cwd: tutti.cwd, env: { ...process.env, TUTTI_URL: `http://127.0.0.1:${tutti.http}`, TUTTI_TOKEN: tutti.token } });
    return { code: await child.ended, out: child.out };
  };
  writeFileSync(path.join(tutti.cwd, 'a.csv'), 'path,kind,title\nacme,enterprise,Acme\nacme/b,site,\n');
  const dry = await names('import', '--dry', 'a.csv');
  check(dry.code === 0 && dry.out.includes('new acme/b') && dry.out.includes('would be 2 new'), JSON.stringify(dry));
  check((await names('import', 'a.csv')).out.includes('2 new, 0 changed, 0 as they are'), 'imported');
  check((await names('export', '-o', 'a.json')).code === 0, 'exported');
  check((await names('import', 'a.json')).out.includes('0 new, 0 changed, 2 as they are'), 'the same');
  writeFileSync(path.join(tutti.cwd, 'bad.csv'), 'path,kind\nnew,site\na/+,site\n');
  const bad = await names('import', 'bad.csv');
  check(bad.code === 1 && bad.out.includes('bad.csv:3:1: "a/+" is no path'), JSON.stringify(bad));
  check((await names('rename', 'acme/b', 'acme/berlin')).out.includes('1 names, 0 retained'), 'renamed');
  const branch = JSON.parse((await names('export', '--prefix', 'acme/berlin')).out);
  check(branch.nodes.length === 1 && branch.nodes[0].kind === 'site', JSON.stringify(branch));
  check((await names('rename', 'none', 'x')).code === 2 && (await names('fly')).code === 2, 'what is wrong is said');
  await tutti.kill('SIGTERM');
});

test('the command: a file of many requests goes over in parts, all of them looked at before one is taken', async () => {
  const tutti = await Tutti.new();
  const names = async (...args) => {
    const child = start(path.join(build, 'tutti'), ['names', ...args], { cwd: tutti.cwd, env: { ...process.env, TUTTI_URL: `http://127.0.0.1:${tutti.http}`, TUTTI_TOKEN: tutti.token } });
    return { code: await child.ended, out: child.out };
  };
  const put = (name, text) => writeFileSync(path.join(tutti.cwd, name), text);
  const replaced = (list, at, one) => list.map((each, i) => (i === at ? one : each));
  const known = async () => (await tutti.get('uns/stats')).paths;
  const count = 12000;
  // Each row has three lines, so that a part would end inside of one, and commas that are no separators.
  const csv = Array.from({ length: count }, (_, i) => `many/line${i % 10}/tag${i};"one, ""two""\nthree\nfour, ${i}"\n`);
  const nodes = Array.from({ length: count }, (_, i) => JSON.stringify({ path: `many/line${i % 10}/tag${i}`, title: `[ü "${i}" ]` }));

  put('bad.csv', `path;description\n${replaced(csv, 11000, 'many/+;x\n').join('')}`);
  const bad = await names('import', 'bad.csv');
  check(bad.code === 1 && /bad\.csv:33002:1: "many\/\+" is no path.*\nnothing was imported/.test(bad.out), bad.out);
  const wrong = replaced(nodes, 11000, '{"path":"many/+"}');
  put('bad.json', `{"nodes":[${wrong.join(',')}]}`);
  const column = Buffer.byteLength(`{"nodes":[${wrong.slice(0, 11000).join(',')},`) + 1;
  const badJson = await names('import', 'bad.json');
  check(badJson.code === 1 && badJson.out.includes(`bad.json:1:${column}: "many/+" is no path`), badJson.out);
  put('open.json', `[${nodes.join(',\n')}`);
  const open = await names('import', 'open.json');
  check(open.code === 1 && open.out.includes(`open.json: line ${count}: the file ends before its list of nodes does\nnothing was imported`), open.out);
  check((await known()) === 0, 'files with an error left names behind');

  put('a.csv', `path;description\n${csv.join('')}`);
  const dry = await names('import', '--dry', 'a.csv');
  check(dry.code === 0 && dry.out.includes('new many/line0/tag0\n') && dry.out.includes(`would be ${count} new`), dry.out.slice(-300));
  check((await known()) === 0, 'looking left names behind');
  check((await names('import', 'a.csv')).out.includes(`${count} new, 0 changed, 0 as they are`), 'imported');
  check((await names('import', 'a.csv')).out.includes(`0 new, 0 changed, ${count} as they are`), 'the same');
  const node = await tutti.get('uns/value/many/line9/tag11999').catch(() => null);
  check((await known()) === count + 11 && node?.meta.description === 'one, "two"\nthree\nfour, 11999', JSON.stringify(node));
  put('a.json', `[${nodes.join(',')}]`);
  check((await names('import', 'a.json')).out.includes(`0 new, ${count} changed`), 'JSON on one line');
  const room = { ...tutti.env, TUTTI_UNS_PATH_COUNT_MAX: String(2 * count) };
  await tutti.kill('SIGTERM');
  tutti.env = room;
  await tutti.up();
  put('more.csv', `path\n${Array.from({ length: count }, (_, i) => `more/tag${i}\n`).join('')}`);
  const more = await names('import', 'more.csv');
  check(more.code === 2 && more.out.includes(`${count} names would be new, the tree takes ${count - 11} more`) && (await known()) === count + 11, more.out);
  put('large.csv', 'path\n' + 'x'.repeat(33 << 20));
  const large = await names('import', 'large.csv');
  check(large.code === 2 && large.out.includes('large.csv has more than 32 MiB'), large.out);
  await tutti.kill('SIGTERM');
});

test('lineage: who writes a topic and who reads it', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('p.tutti', `
  pipeline a {
    from mqtt "in/+" qos 1 as json { m: string(8), bar: f64 }
    into uns "out/{m}/x{meta.topic[1]}" and file "a.ndjson"
    on error drop
  }
  pipeline b {
    from uns "out/#" as json { m: string(8) }
    into historian seen key (m)
    on error drop
  }
  pipeline asks {
    from uns "ask/+" as json { m: string(8) }
    ask now = historian sql "select max(value) as v from samples where path = {m}" as { v: f64 } else drop
    ask had = historian sql "select count(*) as n from seen" as { n: i64 } else drop
    into uns "asked/{m}"
    on error drop
  }
  pipeline tables {
    from uns "ask/+" as json { m: string(8) }
    ask had = historian sql "select count(*) as n from seen" as { n: i64 } else drop
    into file "tables.ndjson"
    on error drop
  }`);
  const c = await client(tutti, { clientId: 'gateway-1' }), d = await client(tutti, { clientId: 'gateway-2' });
  await c.publishAsync('in/1', '{"m":"a","bar":3}', { qos: 1 });
  await d.publishAsync('in/1', '{"m":"a","bar":4}', { qos: 1 });
  const into = await tutti.get('uns/lineage/in/1/bar');
  check(into.topic === 'in/1', `the topic of a field: ${into.topic}`);
  check(into.clients.map((x) => x.client).join() === 'gateway-2,gateway-1', JSON.stringify(into.clients));
  check(into.writes.length === 0 && into.reads.map((x) => x.pipeline).join() === 'a,asks', JSON.stringify(into));
  check(into.reads[1].by === 'ask historian sql', JSON.stringify(into.reads[1]));
  const asked = (await tutti.get('uns/lineage/asked/a')).writes[0];
  check(asked?.pipeline === 'asks' && asked.from.map((x) => x.kind).join() === 'uns,historian,historian', JSON.stringify(asked));
  check(asked.from[1].address.includes('samples where path = ') && asked.from[2].address.endsWith('from seen'), JSON.stringify(asked));
  check(into.reads[0].into.map((x) => x.kind).join() === 'uns,file', JSON.stringify(into.reads[0].into));
  await until('the row', async () => (await tutti.call('GET', 'uns/value/out/a/x1/bar')).status === 200);
  const out = await tutti.get('uns/lineage/out/a/x1/bar');
  check(out.writes[0]?.pipeline === 'a' && out.writes[0].from[0].address === 'in/+' && out.clients.length === 0, JSON.stringify(out));
  const b = out.reads.find((x) => x.pipeline === 'b');
  check(out.reads.length === 2 && b?.into[0].address === 'seen', JSON.stringify(out.reads));
  check((await tutti.get('uns/lineage/out/a/y1')).writes.length === 0, 'another name');
  check((await tutti.get('uns/lineage/out/a/b/x1')).writes.length === 0, 'a brace is no level more');
  const more = await Promise.all([3, 4, 5].map((n) => client(tutti, { clientId: `gateway-${n}` })));
  for (const e of [...more, more[0]]) await e.publishAsync('in/1', '{"m":"a","bar":5}', { qos: 1 });
  const latest = (await tutti.get('uns/lineage/in/1/bar')).clients.map((x) => x.client.slice(-1)).join('');
  check(latest === '3542', `the last four that wrote it, the latest first: ${latest}`);
  await Promise.all([c, d, ...more].map(gone));
  await tutti.kill('SIGTERM');
});

test('templates: equipment with units, types that compile, and a binding', async () => {
  const tutti = await Tutti.new();
  const { templates } = await tutti.get('uns/templates');
  check(templates.length >= 7 && templates.every((t) => t.tags.length >= 4), templates.map((t) => t.name).join());
  for (const t of templates) {
    const { body } = await tutti.call('POST', 'schemas/check', { text: t.text });
    check(body.ok && body.form.fields.length === t.tags.length, `${t.name}: ${JSON.stringify(body.problems)}`);
  }
  const dry = await post(tutti, 'uns/templates/pump', { path: 'acme/p7', dry: true });
  check(dry.new === 9 && (await tutti.get('uns/stats')).paths === 0, JSON.stringify(dry));
  const made = await post(tutti, 'uns/templates/pump', { path: 'acme/p7', title: 'Pump 7', bind: 'strict', owner: 'ops' });
  check(made.new === 9 && !made.warning, JSON.stringify(made));
  check((await tutti.get('uns/value/acme/p7/flow')).meta.unit === 'm3/h', 'a unit');
  check((await tutti.get('schema-of/acme/p7/flow')).form.unit === 'm3/h', 'the type says the same');
  const c = await client(tutti);
  await c.publishAsync('acme/p7', '{"flow":12.5,"running":true}', { qos: 1 });
  const code = await c.publishAsync('acme/p7', '{"flow":"much"}', { qos: 1 }).then(() => 0, (e) => e.code);
  check(code === 0x99, `held against its type: ${code}`);
  check((await tutti.get('uns/value/acme/p7/flow')).value === 12.5, 'values have a place');
  await post(tutti, 'uns/templates/pump', { path: 'acme/p8', bind: 'soft' });
  check((await tutti.get('schemas')).schemas.length === 1, 'one schema for all pumps');
  check((await tutti.call('POST', 'uns/templates/rocket', { path: 'x' })).status === 404, 'no such template');
  await gone(c);
  await tutti.kill('SIGTERM');
});

await run();
