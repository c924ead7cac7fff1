// tests/e2e/streams.mjs: what makes a pipeline more than a straight line, in a whole Lite process.
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { check, folder, run, start, test, Tutti, until } from './lib.mjs';

const repo = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');

test('a program and the files it uses are one text in a server', async () => {
  const text = (name) => readFileSync(path.join(repo, 'tests/lang/use', name), 'utf8');
  const tutti = await Tutti.new();
  const alone = await tutti.call('POST', 'pipelines', { file: 'plant.tutti', text: text('plant.tutti') });
  check(alone.status === 400, 'without its files it is refused');
  check(alone.body.problems[0].code === 'N009', `N009: ${JSON.stringify(alone.body.problems[0])}`);
  check(/did not come with/.test(alone.body.problems[0].text), 'and says why');
  const carried = (lib) =>
    `${text('plant.tutti')}#: file lib/units.tutti\n${text('lib/units.tutti')}#: file lib/limits.tutti\n${lib}`;
  const wrong = carried(text('lib/limits.tutti').replace('const factor = 1000', 'const factor = nope'));
  const { body } = await tutti.call('POST', 'pipelines/check', { text: wrong });
  const line = wrong.split('\n').findIndex((l) => l.includes('nope')) + 1;
  check(body.problems[0].line === line, `the line in the text as sent, ${line}: ${JSON.stringify(body.problems)}`);
  check(body.problems[0].file === 'lib/limits.tutti', 'and the file');
  const { deployed } = await tutti.deploy('plant.tutti', carried(text('lib/limits.tutti')));
  check(deployed.join() === 'plant', `only the program's own pipeline: ${deployed}`);
  await tutti.kill('SIGTERM');
});

async function publish(tutti, topic, body) {
  const pub = start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', topic, '-m', JSON.stringify(body)]);
  check((await pub.exited) === 0, `mosquitto_pub ${topic}`);
}

function lines(tutti, file) {
  try {
    return readFileSync(path.join(tutti.cwd, file), 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

test('a table is read again when its file changes, and only when it is whole', async () => {
  const tutti = await Tutti.new();
  const csv = path.join(tutti.cwd, 'm.csv');
  const program = `
table machines from csv "m.csv" key id reload on change : { id: string(8), site: string(8) }
pipeline where_is {
  from mqtt "in/m" qos 1 as json { m: string(8) }
  join machines on machines.id == m else error unknown
  keep m, machines.site as site
  into file "out.ndjson"
  on error drop
}`;
  const missing = await tutti.call('POST', 'pipelines', { file: 'w.tutti', text: program });
  check(missing.status >= 400 && /table machines: m.csv/.test(JSON.stringify(missing.body)), `without its file it does not start: ${JSON.stringify(missing)}`);
  writeFileSync(csv, 'id,site\na,north\n');
  await tutti.deploy('w.tutti', program);
  const site = async (want) =>
    until(`site ${want}`, async () => {
      await publish(tutti, 'in/m', { m: 'a' });
      return lines(tutti, 'out.ndjson').at(-1) === `{"m":"a","site":"${want}"}`;
    });
  await site('north');
  writeFileSync(csv, 'id,site\na,south\nb\n'); // line 3 has no site: refused as a whole
  await until('the problem is shown', async () =>
    /line 3: missing_field in site/.test((await tutti.get('pipelines/where_is')).error ?? ''));
  await site('north');
  writeFileSync(csv, 'id,site\na,south\nb,east\n');
  await site('south');
  await until('and gone', async () => !(await tutti.get('pipelines/where_is')).error);
  await tutti.kill('SIGTERM');
});

test('join last: records of two topics, kept over a stop', async () => {
  const tutti = await Tutti.new();
  const program = `
type Order = { m: string(8), number: string(8) }
pipeline joined {
  from mqtt "in/m" qos 1 as json { m: string(8), n: i32 }
  join last mqtt "in/order" qos 1 as json Order on order.m == m within 1h else null
  keep n, order.number as number
  into file "out.ndjson" append
  on error into dead
}`;
  await tutti.deploy('j.tutti', program);
  await publish(tutti, 'in/m', { m: 'a', n: 1 });
  await publish(tutti, 'in/order', { m: 'a', number: 'x' });
  await publish(tutti, 'in/m', { m: 'a', n: 2 });
  const want = ['{"n":1}', '{"n":2,"number":"x"}'];
  await until('two rows', () => lines(tutti, 'out.ndjson').join() === want.join());
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
  await tutti.up();
  await until('it runs again', async () => (await tutti.get('pipelines/joined')).state === 'running');
  await publish(tutti, 'in/m', { m: 'a', n: 3 });
  want.push('{"n":3,"number":"x"}');
  await until('what was remembered is there', () => lines(tutti, 'out.ndjson').join() === want.join());
  await tutti.kill('SIGTERM');
});

// curl as the caller: { code, body }.
async function curl(tutti, where, body, { method = 'POST', token = tutti.token } = {}) {
  const args = ['-s', '-S', '-o', '-', '-w', '\n%{http_code}', '-X', method, '--data-binary', body];
  if (token) args.push('-H', `Authorization: Bearer ${token}`);
  const child = start('curl', [...args, `http://127.0.0.1:${tutti.http}${where}`]);
  const closed = new Promise((done) => child.on('close', done)); // its output is whole then
  check((await closed) === 0, `curl ${where}: ${child.out}`);
  const [text, code] = [child.out.slice(0, child.out.lastIndexOf('\n')), child.out.trim().split('\n').at(-1)];
  return { code: Number(code), body: text.startsWith('{') ? JSON.parse(text) : text };
}

test('requests are answered by the pipeline, once its sinks have the record', async () => {
  const tutti = await Tutti.new();
  const program = `
type Call = { station: string(16), level: i32 in 0..3 }
pipeline andon {
  from http post "/line/andon" as json Call
  where 6 div level > 2 else error too_low
  into file "calls.ndjson" append
  reply 202 { accepted: true, station: station, level: level }
  on error reply 409 { accepted: false, reason: error.reason }
}
pipeline plain {
  from http put "/plain" max 1KiB public as json Call
  where level > 0
  where level < 3 else error much
  into file "plain.ndjson" append
  on error into dead
}`;
  await tutti.deploy('andon.tutti', program);
  const ok = await curl(tutti, '/line/andon', '{"station":"s1","level":1}');
  check(ok.code === 202, `202: ${JSON.stringify(ok)}`);
  check(JSON.stringify(ok.body) === '{"accepted":true,"station":"s1","level":1}', JSON.stringify(ok.body));
  check(lines(tutti, 'calls.ndjson').join() === '{"station":"s1","level":1}', 'in the file before the answer');
  const failed = async (body, reason) => {
    const answer = await curl(tutti, '/line/andon', body);
    check(answer.code === 409 && answer.body.reason === reason, `${reason}: ${JSON.stringify(answer)}`);
  };
  await failed('{"station":"s1","level":0}', 'div_zero');
  await failed('{"station":"s1","level":3}', 'too_low');
  await failed('{"station":"s1","level":9}', 'range');
  await failed('no json', 'bad_json');
  await failed('', 'bad_json');

  check((await curl(tutti, '/line/andon', '{}', { token: null })).code === 401, 'not without signing in');
  check((await curl(tutti, '/line/andon', '{}', { method: 'PUT' })).code === 405, 'another method');
  check((await curl(tutti, '/line/other', '{}')).code === 405, 'another path');
  const open = (body) => curl(tutti, '/plain', body, { method: 'PUT', token: null });
  const taken = await open('{"station":"a","level":1}');
  check(taken.code === 204 && taken.body === '', `public, without reply: ${JSON.stringify(taken)}`);
  check((await open('{"station":"a","level":0}')).code === 204, 'filtered');
  const refused = await open('{"station":"a","level":3}');
  check(refused.code === 422 && refused.body.reason === 'much', `without reply: ${JSON.stringify(refused)}`);
  check((await open('x'.repeat(1025))).code === 413, 'the body is too long');
  check((await open('x'.repeat(1024))).code === 422, 'as long as it may be');

  const many = await Promise.all(
    Array.from({ length: 40 }, (_, i) => curl(tutti, '/line/andon', `{"station":"m${i}","level":${1 + (i % 2)}}`)));
  const odd = many.findIndex((a, i) => a.code !== 202 || a.body.station !== `m${i}`);
  check(odd < 0, `everybody gets their own answer: ${odd} ${JSON.stringify(many[odd])}`);
  await until('they are counted', async () => {
    const n = await tutti.get('pipelines/andon');
    return n.in === 46 && n.out === 41 + 5 && n.errors === 5; // replies to failed ones are rows too
  });

  const second = await tutti.call('POST', 'pipelines', {
    file: 'b.tutti', text: 'pipeline b { from http post "/line/andon" as json { x: i32 } into stdout on error drop }' });
  const b = await tutti.get('pipelines/b');
  check(b.state === 'failed' && /belongs to pipeline andon/.test(b.error), `a path has one owner: ${JSON.stringify([second, b])}`);
  await tutti.call('POST', 'pipelines/andon/stop', {});
  check((await curl(tutti, '/line/andon', '{}')).code === 405, 'stopped: nobody is there');
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
});

test('a request whose sink does not answer does not hold others for ever', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('r.tutti', `
connection far = mqtt "mqtt://127.0.0.1:9"
pipeline r {
  from http post "/r" as json { n: i32 }
  into far "x"
  reply 200 { n: n }
  on error into dead
}`);
  const waiting = curl(tutti, '/r', '{"n":1}');
  await until('the pipeline has it', async () => (await tutti.get('pipelines/r')).in === 1);
  await tutti.call('POST', 'pipelines/r/stop', {});
  const answer = await waiting;
  check(answer.code === 503, `answered when the pipeline stops: ${JSON.stringify(answer)}`);
  await tutti.kill('SIGTERM');
});

test('periods, schedules and wishes', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('t.tutti', `
pipeline fast { from every 200ms  let at = meta.received  into file "fast.ndjson"  on error drop }
pipeline cron { from cron "* * * * * *" zone "Europe/Berlin"  let at = meta.received  into file "cron.ndjson"  on error drop }
pipeline rare { from cron "0 0 3 1 1 *"  let what = "yearly"  into file "rare.ndjson"  on error drop }
pipeline asked { from manual as json { n: i32 }  into file "asked.ndjson"  on error into dead }`);
  const times = (file) => lines(tutti, file).map((l) => Date.parse(JSON.parse(l).at));
  // Each at its multiple, none left out, none twice: for as long as the process is not held up. When it is, for a quarter
  // of a second or more, a record may bear the time that was looked at meanwhile, and after a second some are left out.
  const each = (list, step) => list.every((t, i) => t % step === 0 && (i === 0 || t === list[i - 1] + step));
  const some = (list, step, count) => list.some((t, i) => i + count <= list.length && each(list.slice(i, i + count), step));
  await until('periods and seconds', () => some(times('fast.ndjson'), 200, 5) && some(times('cron.ndjson'), 1000, 2))
    .catch((e) => check(false, `${e.message}: ${times('fast.ndjson')} and ${times('cron.ndjson')}`));
  for (const list of [times('fast.ndjson'), times('cron.ndjson')]) check(list.every((t, i) => !i || t >= list[i - 1]), `in order: ${list}`);
  const wish = (name, body) => tutti.call('POST', `pipelines/${name}/trigger`, body);
  check((await wish('rare', {})).status === 200, 'a schedule, now');
  check((await wish('asked', { record: { n: 7 } })).status === 200, 'a record');
  check((await wish('asked', {})).status === 200, 'one that fails');
  check((await wish('rare', { record: { n: 7 } })).status === 400, 'a schedule has no fields');
  check((await wish('nobody', {})).status === 404, 'no such pipeline');
  await until('they came', () => lines(tutti, 'rare.ndjson').join() === '{"what":"yearly"}' &&
    lines(tutti, 'asked.ndjson').join() === '{"n":7}');
  await until('and failed', async () => (await tutti.get('pipelines/asked')).errors === 1);
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
});

test('one pipeline reads what another writes', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('a.tutti', `
pipeline a { from http post "/a" as json { v: i32 }  into stream rows  reply 200 { v: v }  on error drop }`);
  await tutti.deploy('b.tutti', `
pipeline b { from stream rows as json { v: i32 }  let w = v * 2  keep w  into file "b.ndjson"  on error drop }`);
  for (const v of [1, 2, 3]) check((await curl(tutti, '/a', `{"v":${v}}`)).code === 200, `v ${v}`);
  await until('doubled', () => lines(tutti, 'b.ndjson').join() === '{"w":2},{"w":4},{"w":6}');
  const sent = start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', '$tutti/streams/rows', '-m', '{"v":9}']);
  await sent.exited;
  check((await curl(tutti, '/a', '{"v":4}')).code === 200, 'v 4');
  await until('nobody else writes there', () => lines(tutti, 'b.ndjson').length === 4);
  check(lines(tutti, 'b.ndjson').at(-1) === '{"w":8}', 'only the pipeline');
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
});

test('error records are a table of the historian, and files by their reason', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('e.tutti', `
pipeline e {
  from http post "/e" as json { v: i32 in 0..10 }
  let w = 10 div v
  into file "good.ndjson"
  reply 200 { w: w }
  on error into historian failures key (pipeline, reason, at) and file "dead-{error.reason}.ndjson"
  on error reply 400 { why: error.reason }
}`);
  const post = async (body, code) => {
    const answer = await curl(tutti, '/e', body);
    check(answer.code === code, `${body}: ${JSON.stringify(answer)}`);
  };
  await post('{"v":5}', 200);
  await post('{"v":0}', 400);
  await post('{"v":11}', 400);
  await post('{"v":0}', 400);
  const table = await until('three rows', async () => {
    const answer = (await tutti.call('GET', 'uns/tables/failures?order=at')).body;
    return answer.rows?.length === 3 && answer;
  });
  const names = table.columns.map((c) => c.name);
  check(names.join() === 'reason,field,message,pipeline,stage,at,raw', names.join());
  const column = (name) => table.rows.map((r) => r[names.indexOf(name)]).join();
  check(column('reason') === 'div_zero,range,div_zero', column('reason'));
  check(column('field') === 'w,v,w', column('field'));
  check(column('stage') === 'let,from,let', column('stage'));
  check(column('raw') === '{"v":0},{"v":11},{"v":0}', column('raw'));
  check(lines(tutti, 'dead-div_zero.ndjson').length === 2 && lines(tutti, 'dead-range.ndjson').length === 1, 'files');
  check((await tutti.get('pipelines/e/dead?limit=5')).total === 0, 'nothing besides with the dead letters');
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
});

test('streams never lead in a circle, whoever deploys the last piece', async () => {
  const tutti = await Tutti.new();
  const piece = (from, to) => `
pipeline ${from}_${to} { from stream ${from} as json { v: i32 }  into stream ${to}  on error drop }`;
  await tutti.deploy('ab.tutti', piece('a', 'b'));
  await tutti.deploy('bc.tutti', piece('b', 'c'));
  const closing = await tutti.call('POST', 'pipelines', { file: 'ca.tutti', text: piece('c', 'a') });
  check(closing.status === 409 && /circle.*c_a/.test(JSON.stringify(closing.body)), JSON.stringify(closing));
  check((await tutti.get('pipelines')).pipelines.length === 2, 'it is not there');
  const self = await tutti.call('POST', 'pipelines', { file: 'x.tutti', text: piece('x', 'x') });
  check(self.status === 400 && self.body.problems[0].code === 'S037', JSON.stringify(self));
  await tutti.deploy('ab.tutti', piece('a', 'd')); // the way is open again
  await tutti.deploy('ca.tutti', piece('c', 'a'));
  check((await tutti.get('pipelines')).pipelines.length === 3, 'all three');
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
});

test('a pipeline asks its historian and a server, and holds nobody else up', async () => {
  const tutti = await Tutti.new();
  const held = [];
  const server = createServer((req, res) => {
    if (req.url === '/slow') held.push(res);
    else res.end(JSON.stringify({ ok: req.url }));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  await tutti.deploy('k.tutti', `
pipeline keep { from http post "/keep" as json { m: string(8), n: i32 }  into historian seen key (m)  reply 200 { n: n }  on error drop }
pipeline answer {
  from http post "/ask" as json { m: string(8) }
  ask was = historian sql "select n from seen where m = {m}" as { n: i32 } timeout 50s else error unknown
  reply 200 { n: was.n }
  on error reply 404 { reason: error.reason }
}
pipeline slow {
  from http post "/slow" as json { m: string(8) }
  ask it = http get "${url}/{m}" as { ok: string(20) } timeout 60s else error down
  reply 200 { ok: it.ok }
  on error reply 503 { reason: error.reason }
}`);
  check((await curl(tutti, '/ask', '{"m":"a"}')).code === 404, 'no such table yet');
  check((await curl(tutti, '/keep', '{"m":"a","n":7}')).code === 200, 'kept');
  const known = await curl(tutti, '/ask', '{"m":"a"}');
  check(known.code === 200 && known.body.n === 7, `from the historian: ${JSON.stringify(known)}`);
  check((await curl(tutti, '/ask', '{"m":"b"}')).body.reason === 'unknown', 'no row');
  await until('shown', async () => /ask was: /.test((await tutti.get('pipelines/answer')).error ?? ''));
  const waiting = curl(tutti, '/slow', '{"m":"slow"}');
  await until('the server is asked', () => held.length === 1);
  check((await curl(tutti, '/keep', '{"m":"a","n":8}')).code === 200, 'others go on meanwhile');
  held[0].end('{"ok":"late"}');
  const late = await waiting;
  check(late.code === 200 && late.body.ok === 'late', JSON.stringify(late));
  check((await tutti.call('DELETE', 'pipelines/slow')).status === 200, 'removed with its thread');
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
  server.close();
});

await run();
