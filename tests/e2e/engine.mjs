// tests/e2e/engine.mjs: a whole Lite process with the real compiler, from outside.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, check, folder, freePort, Publisher, run, start, test, Tutti, until } from './lib.mjs';

const number = (n) => JSON.stringify({ seq: n, v: n % 100 });
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

const toFile = (extra = '') => `
pipeline copy {
  from mqtt "in/seq" qos 1 as json { seq: i64, v: f64 }
  ${extra}
  into file "out.ndjson"
  on error into dead
}
`;

const toHistorian = `
pipeline keep {
  from mqtt "in/seq" qos 1 as json { seq: i64, v: f64 }
  let twice = v * 2
  into uns "keep/last"
  into historian kept key (seq)
  on error into dead
}
`;

test('SIGTERM ends with 0, idle below 40 MB', async () => {
  const times = []; // told, not judged: other work on the machine is not ours
  let rss = 0;
  for (let i = 0; i < 3; i++) {
    const tutti = await Tutti.new();
    times.push(tutti.ready_ms);
    rss = Math.max(rss, tutti.rss_mb());
    check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
  }
  console.log(`      ready ${times.map((t) => t.toFixed(0)).join(' ')} ms, rss ${rss.toFixed(1)} MB`);
  check(rss < 40, 'idle below 40 MB');
});

test('functions in C: refused, and taken with --extern-c', async () => {
  // A deployment brings its C behind its text, as compiler/bundle.h says.
  const text = `extern c "f.c" { step fn sum(s: state Sum(8), x: f64) -> f64 }
pipeline add {
  from mqtt "in/seq" qos 1 as json { seq: i64, v: f64 }
  let total = sum(v)
  into uns "sums/last"
  on error into dead
}
#: file f.c
typedef double Sum;
double sum(Sum *s, double x) { return *s += x; }
`;
  const tutti = await Tutti.new();
  const { status, body } = await tutti.call('POST', 'pipelines', { file: 'add.tutti', text });
  check(status === 400, `refused: ${status}`);
  check(JSON.stringify(body).includes('C004'), `C004: ${JSON.stringify(body)}`);
  await tutti.kill('SIGTERM');
  for (const engine of ['cc', 'interp']) {
    const willing = await Tutti.new(['serve', '--extern-c', '--engine', engine]);
    await willing.deploy('add.tutti', text);
    for (const v of [1, 2.5]) {
      const pub = start('mosquitto_pub', ['-p', String(willing.mqtt), '-q', '1', '-t', 'in/seq', '-m', JSON.stringify({ seq: 1, v })]);
      check((await pub.exited) === 0, 'mosquitto_pub was acknowledged');
    }
    await until('the sum', async () => {
      const { status: found, body: node } = await willing.call('GET', 'uns/value/sums/last/total');
      return found === 200 && node.value === 3.5;
    });
    await willing.kill('SIGTERM');
  }
});

test('deploy by API, publish by mosquitto_pub, read value and history', async () => {
  const tutti = await Tutti.new();
  const { deployed } = await tutti.deploy('keep.tutti', toHistorian);
  check(deployed[0] === 'keep', 'deployed keep');
  for (let i = 0; i < 3; i++) {
    const pub = start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', 'in/seq', '-m', number(i)]);
    check((await pub.exited) === 0, 'mosquitto_pub was acknowledged');
  }
  // Acknowledged means committed: the rows must be there now, without waiting.
  const table = await tutti.get('uns/tables/kept?order=seq');
  const at = (name) => table.columns.findIndex((c) => c.name === name);
  check(table.rows.length === 3, `three rows, not ${table.rows.length}`);
  check(table.rows[2][at('seq')] === 2 && table.rows[2][at('twice')] === 4, 'row 2 is seq 2, twice 4');
  const node = await until('the value', async () => {
    const { status, body } = await tutti.call('GET', 'uns/value/keep/last/twice');
    return status === 200 && body;
  });
  check(node.value === 4 && node.quality === 'good', `value 4, good: ${JSON.stringify(node)}`);
  const seen = await tutti.get('pipelines/keep');
  check(seen.graph.pipelines[0].nodes.length >= 4, 'the graph has its nodes');
  await tutti.kill('SIGTERM');
});

test('text and raw arrive byte by byte', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('plain.tutti', `
pipeline words { from mqtt "in/text" as text  let text = "<{text}>"  into mqtt "out/text" as text  on error into dead }
pipeline bytes { from mqtt "in/raw" as raw  into mqtt "out/raw" as raw  into file "raw.bin" as raw  on error into dead }
`);
  const bytes = Buffer.from([0, 255, 10, 13, 10, 128, 34, 10]);
  writeFileSync(path.join(tutti.cwd, 'payload'), bytes);
  const sub = start('mosquitto_sub', ['-p', String(tutti.mqtt), '-q', '1', '-t', 'out/#', '-C', '2', '-F', '%t %x']);
  const pub = (topic, ...args) => start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', topic, ...args]).exited;
  await until('both came back', async () => {
    await pub('in/text', '-m', 'caf\u00e9\nau lait\r\n');
    await pub('in/raw', '-f', path.join(tutti.cwd, 'payload'));
    return sub.out.split('\n').length > 2;
  });
  check(sub.out.includes(`out/raw ${bytes.toString('hex')}`), sub.out);
  check(sub.out.includes(`out/text ${Buffer.from('<caf\u00e9\nau lait>').toString('hex')}`), sub.out);
  check(readFileSync(path.join(tutti.cwd, 'raw.bin')).subarray(0, 8).equals(bytes), 'no byte more, no byte less');
  check((await pub('in/text', '-f', path.join(tutti.cwd, 'payload'))) === 0, 'what is no text is acknowledged too');
  const dead = await tutti.get('pipelines/words/dead');
  check(dead.total === 1 && dead.rows[0].reason === 'bad_value', JSON.stringify(dead));
  await tutti.kill('SIGTERM');
});

test('a wrong program is explained and changes nothing', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('copy.tutti', toFile());
  const { status, body } = await tutti.call('POST', 'pipelines', { file: 'copy.tutti', text: toFile('where nosuch > 1') });
  check(status === 400, `400, not ${status}`);
  check(body.problems[0].severity === 'error' && body.problems[0].line === 4, JSON.stringify(body));
  const seen = await tutti.get('pipelines/copy');
  check(seen.state === 'running' && seen.version === 1, 'version 1 goes on');
  await tutti.kill('SIGTERM');
});

test('QoS 1 under 200 hot swaps: nothing lost, nothing twice', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('copy.tutti', toFile());
  const pub = await new Publisher(tutti.mqtt, 'in/seq', number).connect();
  const fresh = [];
  for (let i = 0; i < 200; i++) {
    // The first 21 are texts nobody has compiled; then their objects come from the cache.
    const extra = `let w = v + ${i % 21}`;
    const begin = performance.now();
    await tutti.deploy('copy.tutti', toFile(extra));
    if (i < 21) fresh.push(performance.now() - begin);
  }
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const out = readFileSync(path.join(tutti.cwd, 'out.ndjson'), 'utf8').trimEnd().split('\n').map((l) => JSON.parse(l).seq);
  check(out.length === pub.limit, `${pub.limit} sent, ${out.length} written`);
  check(out.every((seq, i) => seq === i), 'in order, each once');
  console.log(`      ${pub.limit} messages; save to running: median ${median(fresh).toFixed(0)} ms of ${fresh.length} fresh compiles`);
  check((await tutti.get('pipelines/copy')).version === 201, '201 versions');
  pub.close();
  await tutti.kill('SIGTERM');
});

test('kill -9 again and again: what was acknowledged is there, once', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('keep.tutti', toHistorian);
  const pub = await new Publisher(tutti.mqtt, 'in/seq', number).connect();
  let worst = 0;
  for (let round = 0; round < 10; round++) {
    const goal = pub.acked.size + 300 + Math.floor(Math.random() * 500);
    await until('some acknowledged', () => pub.acked.size >= goal);
    check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
    await until('the publisher sees it', () => !pub.open);
    const begin = performance.now();
    await tutti.up();
    await pub.connect();
    const before = pub.acked.size;
    await until('acknowledged again', () => pub.acked.size > before);
    worst = Math.max(worst, performance.now() - begin);
    check((await tutti.get('pipelines/keep')).state === 'running', 'the pipeline came back');
  }
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const { rows } = (await tutti.get('uns/tables')).tables.find((t) => t.name === 'kept');
  check(rows === pub.limit, `${pub.limit} acknowledged, ${rows} rows`);
  const last = await tutti.get('uns/tables/kept?order=seq&desc=true&limit=1');
  check(last.rows[0].includes(pub.limit - 1), 'the last row is the last message');
  console.log(`      ${pub.limit} messages over 10 kills, back and acknowledging within ${worst.toFixed(0)} ms`);
  pub.close();
  await tutti.kill('SIGTERM');
});

test('open windows outlive a stop; damaged ones are refused', async () => {
  const tutti = await Tutti.new();
  const file = path.join(tutti.data, 'engine/sums.state');
  await tutti.deploy('sums.tutti', `
pipeline sums {
  from mqtt "in/v" qos 1 as json { v: i64 }
  window count 10 { n = count()  total = sum(v) }
  into historian sums key (total)
  on error into dead
}`);
  const send = async (...values) => {
    for (const v of values) {
      const pub = start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', 'in/v', '-m', `{"v":${v}}`]);
      check((await pub.exited) === 0, 'acknowledged');
    }
  };
  const totals = async () => (await tutti.get('uns/tables/sums?order=total')).rows.map((r) => r.find((x) => x > 99));
  const stop = async () => check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
  await send(100, 1, 1, 1);
  await stop();
  await tutti.up();
  await send(1, 1, 1, 1, 1, 1);
  check((await totals()).join() === '109', `the window went on: ${await totals()}`);
  const damages = [
    (b) => { b[4] ^= 1; return b; },
    (b) => { b[b.length - 3] ^= 128; return b; },
    (b) => b.subarray(0, b.length - 1),
    (b) => b.subarray(0, 11),
    () => Buffer.alloc(0),
  ];
  let base = 1000;
  for (const damage of damages) {
    await send(500, 500, 500);
    await stop();
    writeFileSync(file, damage(readFileSync(file)));
    await tutti.up();
    check(/saved open windows are damaged: it starts without them\s+pipeline=sums/.test(tutti.child.out), tutti.child.out);
    check((await tutti.get('pipelines/sums')).state === 'running', 'it runs');
    await send(base, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    check((await totals()).includes(base++), `an empty start: ${await totals()}`);
  }
  await stop();
});

test('bad records are counted, explained, kept and can be replayed', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('copy.tutti', toFile());
  const bad = ['{"seq":', '{"seq":"x","v":1}', '{"v":1}', '\u0000'];
  const pub = await new Publisher(tutti.mqtt, 'in/seq', (n) => (n % 2 ? bad[(n >> 1) % 4] : number(n)));
  pub.limit = 40;
  await pub.connect();
  await until('all acknowledged', () => pub.acked.size === 40);
  const dead = await tutti.get('pipelines/copy/dead?limit=50');
  check(dead.total === 20 && dead.rows.length === 20, `20 dead letters: ${dead.total}`);
  const reasons = new Set(dead.rows.map((r) => r.reason));
  for (const reason of ['bad_json', 'missing_field']) check(reasons.has(reason), `${reason} in ${[...reasons]}`);
  check(dead.rows.some((r) => r.raw === '{"v":1}' && r.field === 'seq'), 'raw text and field are kept');
  const seen = await until('numbers', async () => {
    const p = await tutti.get('pipelines/copy');
    return p.in === 40 && p;
  });
  check(seen.errors === 20 && seen.out === 20, `${seen.errors} errors, ${seen.out} out`);
  // The repaired program takes what the old one could not.
  await tutti.deploy('copy.tutti', toFile().replace('seq: i64', 'seq: i64?'));
  const { body } = await tutti.call('POST', 'pipelines/copy/dead/replay', { limit: 100 });
  check(body.replayed === 20, `20 replayed: ${JSON.stringify(body)}`);
  await until('the repaired ones are gone', async () => (await tutti.get('pipelines/copy/dead')).total === 15);
  pub.close();
  await tutti.kill('SIGTERM');
});

test('late records lie in the dead-letter table and can be replayed', async () => {
  const tutti = await Tutti.new();
  const program = (size) => `
pipeline late {
  from mqtt "in/late" as json { ts: time, v: i64 }
  time ts order 0s
  window tumble ${size} { n = count() }
  into historian late_rows key (start)
  on late  into dead
  on error into dead
}`;
  await tutti.deploy('late.tutti', program('10s'));
  const at = (s, v) => JSON.stringify({ ts: new Date(Date.UTC(2026, 0, 1) + s * 1000).toISOString(), v });
  for (const [s, v] of [[15, 1], [25, 2], [5, 3], [7, 4]]) {
    const pub = start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', 'in/late', '-m', at(s, v)]);
    check((await pub.exited) === 0, 'acknowledged');
  }
  // Acknowledged means kept: no waiting.
  const dead = await tutti.get('pipelines/late/dead');
  check(dead.total === 2 && dead.rows.every((r) => r.reason === 'late' && r.stage === 'window'), JSON.stringify(dead));
  check(dead.rows.map((r) => JSON.parse(r.raw).v).join() === '4,3', 'as they came');
  await until('the counters', async () => {
    const n = await tutti.get('pipelines/late');
    return n.late === 2 && n.in === 4 && n.errors === 0;
  });
  // A window of another size starts empty and takes them.
  await tutti.deploy('late.tutti', program('1h'));
  const { status } = await tutti.call('POST', 'pipelines/late/dead/replay', {});
  check(status === 200, `replay: ${status}`);
  await until('taken by the new window', async () => (await tutti.get('pipelines/late/dead')).total === 0);
  await tutti.kill('SIGTERM');
});

test('an unplugged Modbus device is survived', async () => {
  const port = await freePort();
  const meter = () => start(path.join(build, 'plant/plant_meter'), ['--listen', `127.0.0.1:${port}`]);
  let device = meter();
  const tutti = await Tutti.new();
  await tutti.deploy('meter.tutti', `
map Meter modbus unit 1 every 50ms {
  voltage: f32 be at holding 0 [V] in 0..500
  current: f32 be at holding 2 [A] in 0..2000
}
pipeline meter {
  from modbus "tcp://127.0.0.1:${port}" map Meter timeout 2s
  into uns "meter"
  on error into dead
}
`);
  const grows = async () => {
    const before = (await tutti.get('pipelines/meter')).in;
    await until('readings', async () => (await tutti.get('pipelines/meter')).in > before + 3);
  };
  await grows();
  device.kill('SIGKILL');
  await device.exited;
  await until('the problem is named', async () => (await tutti.get('pipelines/meter')).error);
  check((await tutti.get('pipelines/meter')).state === 'running', 'it goes on trying');
  device = meter();
  await grows();
  const { value } = await tutti.get('uns/value/meter/voltage');
  check(value > 200 && value < 260, `a mains voltage, not ${value}`);
  await tutti.kill('SIGTERM');
});

test('the data folder has one owner; SIGTERM under load ends with 0', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('copy.tutti', toFile());
  const second = start(path.join(build, 'tutti'), ['serve', '--data', tutti.data, '--http', '127.0.0.1:0', '--mqtt', '127.0.0.1:0']);
  check((await second.ended) === 2, 'a second process is refused with 2');
  check(second.out.includes('another process uses'), second.out);
  const pub = await new Publisher(tutti.mqtt, 'in/seq', number).connect();
  await until('load', () => pub.acked.size > 500);
  const begin = performance.now();
  check((await tutti.kill('SIGTERM')) === 0, 'exit 0');
  const took = performance.now() - begin;
  console.log(`      stopped under load in ${took.toFixed(0)} ms`); // told, not judged
  await until('closed', () => !pub.open);
  await tutti.up();
  await pub.connect();
  pub.limit = pub.next;
  await until('all acknowledged', () => pub.acked.size === pub.limit);
  const out = readFileSync(path.join(tutti.cwd, 'out.ndjson'), 'utf8').trimEnd().split('\n').map((l) => JSON.parse(l).seq);
  const missing = [...Array(pub.limit).keys()].filter((n) => !out.includes(n)).slice(0, 10);
  check(new Set(out).size === pub.limit, `every acknowledged message is in the file: ${new Set(out).size} of ${pub.limit}, not ${missing}`);
  pub.close();
  await tutti.kill('SIGTERM');
});

test('run FILE: wrong programs end with 1, files and folders run', async () => {
  const dir = folder();
  writeFileSync(path.join(dir, 'bad.tutti'), 'pipeline x {\n  from nowhere\n}\n');
  const bad = start(path.join(build, 'tutti'), ['run', path.join(dir, 'bad.tutti'), '--data', path.join(dir, 'd')]);
  check((await bad.ended) === 1, `exit 1: ${bad.out}`);
  check(bad.out.includes('bad.tutti:'), bad.out);
  writeFileSync(path.join(dir, 'in.ndjson'), '{"a":1}\n{"a":2}\nrubbish\n{"a":3}\n');
  writeFileSync(path.join(dir, 'good.tutti'), `
pipeline sums {
  from file "${dir}/in.ndjson" as json { a: i32 }
  let b = a * 10
  into file "${dir}/sums.ndjson"
  on error into dead
}
`);
  const tutti = await Tutti.new(['run', path.join(dir, 'good.tutti')]);
  await until('the file is done', async () => (await tutti.get('pipelines/sums')).state === 'stopped');
  check(readFileSync(path.join(dir, 'sums.ndjson'), 'utf8') === '{"a":1,"b":10}\n{"a":2,"b":20}\n{"a":3,"b":30}\n', 'three rows');
  check((await tutti.get('pipelines/sums/dead')).total === 1, 'one dead letter');
  await tutti.kill('SIGTERM');
});

test('dead letters of a data folder go through a mended program, offline', async () => {
  const tutti = await Tutti.new();
  const text = (type) => `
pipeline first {
  from mqtt "in/first" qos 1 as json { a: ${type} }
  into file "first.ndjson"
  on error into dead
}
pipeline second {
  from mqtt "in/second" qos 1 as json { a: ${type} }
  into file "second.ndjson"
  on error into dead
}`;
  await tutti.deploy('two.tutti', text('i32'));
  for (const [topic, message] of [['first', '{"a":"one"}'], ['second', '{"a":"other"}'], ['first', '{\n"a":"two"}'], ['first', '{"a":3}']]) {
    const pub = start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', `in/${topic}`, '-m', message]);
    check((await pub.exited) === 0, 'acknowledged');
  }
  const mended = path.join(tutti.cwd, 'mended.tutti');
  writeFileSync(mended, text('string(8)').replace('"first.ndjson"', '"again.ndjson"'));
  const again = path.join(tutti.cwd, 'again.ndjson');
  const replay = async (...args) => {
    rmSync(again, { force: true });
    const child = start(path.join(build, 'tutti'), ['replay', '--data', tutti.data, '--cache', path.join(tutti.data, 'cache'), ...args], { cwd: tutti.cwd });
    const code = await child.ended;
    return [code, existsSync(again) ? readFileSync(again, 'utf8') : '', child.out];
  };
  const want = '{"a":"one"}\n{"a":"two"}\n';
  let [code, rows, out] = await replay('--pipeline', 'first', mended); // while the server runs
  check(code === 0 && rows === want, `${code} ${rows} ${out}`);
  check((await tutti.get('pipelines/first/dead')).total === 2, 'they stay where they are');
  await tutti.kill('SIGKILL');
  [code, rows, out] = await replay('--pipeline', 'first', '--engine', 'interp', mended);
  check(code === 0 && rows === want, `${code} ${rows} ${out}`);
  [code, , out] = await replay(mended);
  check(code === 2 && /--pipeline/.test(out), `of which one must be said: ${code} ${out}`);
  const nothing = start(path.join(build, 'tutti'), ['replay', '--data', tutti.cwd, '--pipeline', 'first', mended]);
  check((await nothing.ended) === 2 && /no data folder/.test(nothing.out), nothing.out);
});

test('the history of a topic goes through a pipeline again, to the same rows', async () => {
  const tutti = await Tutti.new();
  const text = (folder) => `
type Data = { v: f64, n: i32, on: bool, name: string(8)?, at: time? }
pipeline rows {
  from mqtt "plant/+/data" qos 1 as json Data
  where n != 7
  let place = meta.topic  received = meta.received  more = v * n
  keep place, received, v, n, on, more
  into file "${folder}rows.ndjson"
  on error into dead
}
pipeline windows {
  from mqtt "plant/+/data" qos 1 as json Data
  let place = meta.topic
  window tumble 200ms by place { c = count()  s = sum(v)  last = last(n)  ons = count(where on) }
  into file "${folder}windows.ndjson"
  on error into dead
}`;
  await tutti.deploy('data.tutti', text(''));
  const each = 150;
  const record = (k) => (n) => JSON.stringify({ v: k + n / 8, n: n >> 2, on: n % 9 < 4, name: `x${n}` });
  const pubs = await Promise.all(['a', 'b'].map((p, k) => {
    const pub = new Publisher(tutti.mqtt, `plant/${p}/data`, record(k));
    pub.limit = 0; // one after the other
    return pub.connect();
  }));
  for (let n = 1; n <= each; n++) {
    for (const pub of pubs) {
      pub.limit = n;
      pub.fill();
      await until('acknowledged', () => pub.acked.size === n);
    }
  }
  const read = (name) => existsSync(path.join(tutti.cwd, name)) ? readFileSync(path.join(tutti.cwd, name), 'utf8') : '';
  const counted = (rows) => rows.split('\n').filter(Boolean).reduce((sum, l) => sum + JSON.parse(l).c, 0);
  await until('all rows', () => read('rows.ndjson').split('\n').length - 1 === 2 * (each - 4));
  await until('all windows', () => counted(read('windows.ndjson')) === 2 * each);
  const again = path.join(tutti.cwd, 'again.tutti');
  writeFileSync(again, text('again-'));
  const replay = async (...args) => {
    for (const n of ['rows', 'windows']) rmSync(path.join(tutti.cwd, `again-${n}.ndjson`), { force: true });
    const child = start(path.join(build, 'tutti'), ['replay', '--data', tutti.data, '--history', '--cache', path.join(tutti.data, 'cache'), ...args], { cwd: tutti.cwd });
    return [await child.ended, child.out];
  };
  // The same bytes, but for messages on their way when time went on without them: they counted as
  // arrived then, a moment after the time that the history has, and maybe in the window behind.
  const parsed = (name) => read(name).split('\n').filter(Boolean).map((l) => JSON.parse(l));
  const sums = (list) => {
    const places = {};
    for (const r of list) {
      const p = (places[r.place] ??= { c: 0, s: 0, ons: 0 });
      Object.assign(p, { c: p.c + r.c, s: p.s + r.s, ons: p.ons + r.ons, last: r.last });
    }
    return JSON.stringify(Object.entries(places).sort());
  };
  const same = (name) => {
    const [got, want] = [parsed(`again-${name}.ndjson`), parsed(`${name}.ndjson`)];
    const there = new Set(got.map((row) => JSON.stringify(row)));
    const other = want.filter((row) => !there.has(JSON.stringify(row)));
    check(other.length <= want.length / 4, `${name}: ${other.length} of ${want.length} differ, first ${JSON.stringify(other[0])}`);
    if (name === 'windows') return check(sums(got) === sums(want), `${sums(got)} for ${sums(want)}`);
    const plain = ({ received, ...row }) => JSON.stringify(row);
    check(got.map(plain).join() === want.map(plain).join(), `rows: ${got.length} ${want.length}`);
    for (const [i, row] of want.entries()) {
      const late = Date.parse(row.received) - Date.parse(got[i].received);
      check(late >= 0 && late < 1000, `${row.received} for ${got[i].received}`);
    }
  };
  for (const engine of ['cc', 'interp']) {
    for (const name of ['rows', 'windows']) { // while the server runs
      const [code, out] = await replay('--engine', engine, '--pipeline', name, again);
      check(code === 0, `${code} ${out}`);
      same(name);
    }
  }
  // Between two times: what came in them, and what held before.
  await replay('--pipeline', 'rows', again);
  const all = read('again-rows.ndjson').split('\n').filter(Boolean), [from, to] = [all[40], all[90]].map((l) => JSON.parse(l).received);
  const between = all.filter((l) => JSON.parse(l).received >= from && JSON.parse(l).received < to);
  await tutti.kill('SIGKILL');
  let [code, out] = await replay('--from', from, '--to', to, '--pipeline', 'rows', again);
  check(code === 0 && read('again-rows.ndjson') === between.map((l) => `${l}\n`).join(''), `${code} ${out}`);
  [code, out] = await replay('--topic', 'plant/b/data', '--pipeline', 'rows', again);
  check(code === 0 && read('again-rows.ndjson') === all.filter((l) => l.includes('plant/b/data')).map((l) => `${l}\n`).join(''), `${code} ${out}`);
  // What cannot be, and why.
  const refuse = async (want, why, ...args) => {
    [code, out] = await replay(...args);
    check(code === want && why.test(out), `${code} ${out}`);
  };
  await refuse(2, /name it by --pipeline/, again);
  await refuse(2, /nothing of `other`/, '--topic', 'other', '--pipeline', 'rows', again);
  await refuse(2, /`a\/#\/b` is no filter/, '--topic', 'a/#/b', '--pipeline', 'rows', again);
  await refuse(2, /`yesterday` is no time/, '--from', 'yesterday', '--pipeline', 'rows', again);
  await refuse(2, /--from is not before --to/, '--from', to, '--to', from, '--pipeline', 'rows', again);
  writeFileSync(again, text('again-').replace('name: string(8)?', 'name: string(8)'));
  await refuse(2, /every record of pipeline rows has `name`, a string: make that field optional/, '--pipeline', 'rows', again);
});

test('pipelines that share a decoder: one that stands holds nobody, each has its own errors', async () => {
  const tutti = await Tutti.new();
  const type = 'type R = { n: i64, text: string(20), level: f64 in 0..10, extra: i64? }';
  const pipe = (name, stages, file) => `
pipeline ${name} {
  from mqtt "in/all" qos 1 as json R
  ${stages}
  into file "${file}"
  on error into file "${name}.err"
}`;
  const text = (limit) => type + pipe('a', 'keep n', 'a.out') + pipe('b', `where level < ${limit}  keep n, level`, 'b.out') +
    pipe('c', 'require extra  keep n, extra', 'c.out') + pipe('stands', 'keep n, text', 'missing/stands.out');
  await tutti.deploy('share.tutti', text(100));
  const record = (n) => JSON.stringify({ n, text: `t${n}`, level: n % 7 === 3 ? 99 : 5, ...(n % 2 ? {} : { extra: n }) });
  const total = 3000;
  const read = (name) => existsSync(path.join(tutti.cwd, name))
    ? readFileSync(path.join(tutti.cwd, name), 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)) : [];
  const numbers = (name) => read(name).map((r) => r.n ?? JSON.parse(r.raw).n);
  const pub = await new Publisher(tutti.mqtt, 'in/all', record, 200).connect();
  pub.limit = 200; // as many as may be unanswered: `stands` answers none of them
  pub.fill();
  await until('the others go on', () => numbers('a.out').length === 200);
  check(pub.acked.size < 200, 'what the standing one has is not acknowledged');
  mkdirSync(path.join(tutti.cwd, 'missing'));
  await until('it catches up', () => pub.acked.size === 200);
  pub.limit = total;
  pub.fill();
  await until('half', () => pub.acked.size > total / 2);
  await tutti.deploy('share.tutti', text(50)); // all change; nothing is lost, nothing comes twice
  await until('all', () => pub.acked.size === total);
  // One that was away has other records waiting than the others: it must get its own.
  pub.limit = Infinity; // as many as it takes: how fast they go is not known
  pub.fill();
  let last = pub.acked.size;
  for (let round = 0; round < 8; round++) {
    for (const what of ['stop', 'start']) {
      const { status } = await tutti.call('POST', `pipelines/c/${what}`, {});
      check(status === 200, `${what}: ${status}`);
    }
    last = pub.next;
    await until('some more', () => pub.acked.size > last + 200);
  }
  pub.limit = pub.next;
  await until('the rest', () => pub.acked.size === pub.next);
  const evens = numbers('c.out');
  check(evens.every((n, i) => !i || n > evens[i - 1]), 'c: in order, none twice');
  const end = evens.slice(-80);
  check(end[79] >= pub.next - 2 && end.every((n, i) => !i || n === end[i - 1] + 2), `c: no gap behind its last start: ${end}`);
  const whole = numbers('a.out');
  check(whole.length === pub.next && whole.every((n, i) => n === i), 'a: each once, in order');
  const all = Array.from({ length: total }, (_, n) => n);
  const good = (n) => n % 7 !== 3;
  const same = (name, got, want) => check(JSON.stringify(got) === JSON.stringify(want), `${name}: ${got.length} for ${want.length}, ${got.slice(0, 9)}`);
  same('a', numbers('a.out').filter((n) => n < total), all); // it reads neither level nor extra
  same('b', numbers('b.out').filter((n) => n < total), all.filter(good));
  same('b.err', numbers('b.err').filter((n) => n < total), all.filter((n) => !good(n)));
  same('c', numbers('c.out').filter((n) => n < total), all.filter((n) => n % 2 === 0));
  same('c.err', numbers('c.err').filter((n) => n < total), all.filter((n) => n % 2 === 1));
  same('stands', numbers('missing/stands.out').filter((n) => n < total), all);
  await until('counted', async () => (await tutti.get('pipelines/b')).in === pub.next);
  const seen = await Promise.all(['a', 'b', 'c', 'stands'].map((p) => tutti.get(`pipelines/${p}`)));
  check(seen.some((p) => p.shared > total / 10), `some records came decoded: ${seen.map((p) => p.shared)}`);
  pub.close();
  await tutti.kill('SIGTERM');
});

await run();
