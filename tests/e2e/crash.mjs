// tests/e2e/crash.mjs: kill -9 again and again, from outside, and what must be there afterwards.
// A publisher sends numbered records with QoS 1; every fifth is bad on purpose. Between the kills
// users are made and pipelines deployed. CRASH_ROUNDS sets another number of kills (preset 30).
import { check, Publisher, run, start, test, Tutti, until } from './lib.mjs';

const rounds = Number(process.env.CRASH_ROUNDS ?? 30);

const isBad = (n) => n % 5 === 4;
const record = (n) => (isBad(n) ? `{"t":1,"seq":${n},"v":` : JSON.stringify({ t: n, seq: n, v: n % 100 }));

const keep = (extra) => `
pipeline keep {
  from mqtt "in/seq" qos 1 as json { seq: i64, v: f64 }
  let w = v + ${extra}
  into historian kept key (seq)
  on error into dead
}
`;

// Every row with how often it is there. A run of up to about 40 kills fits one page of the API.
async function all(tutti) {
  const rows = new Map();
  const page = await tutti.get('uns/tables/kept?order=seq&limit=5000');
  check(!page.more, 'more than one page of rows: fewer rounds, please');
  const at = page.columns.findIndex((c) => c.name === 'seq');
  for (const row of page.rows) rows.set(row[at], (rows.get(row[at]) ?? 0) + 1);
  return rows;
}

async function verify(tutti, pub, made, deployed, where) {
  const good = [...pub.acked].filter((n) => !isBad(n));
  const bad = [...pub.acked].filter(isBad);
  if (good.length) {
    const rows = await all(tutti);
    const lost = good.filter((n) => rows.get(n) !== 1);
    check(!lost.length, `${where}: ${lost.length} acknowledged not there once, first ${lost[0]}`);
    const ghosts = [...rows.keys()].filter((n) => isBad(n) || n >= pub.next);
    check(!ghosts.length, `${where}: ${ghosts.length} rows nobody sent`);
  }
  const dead = await tutti.get('pipelines/keep/dead?limit=1');
  check(dead.total >= bad.length, `${where}: ${bad.length} bad acknowledged, ${dead.total} dead letters`);
  const seen = await tutti.get('pipelines/keep');
  check(seen.version >= deployed, `${where}: version ${deployed} was answered, ${seen.version} is there`);
  const { users } = await tutti.get('auth/users');
  const names = new Set(users.map((u) => u.name));
  for (const name of made) check(names.has(name), `${where}: user ${name} was answered and is gone`);
}

test(`${rounds} kills: what was answered is there, once`, async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('keep.tutti', keep(0));
  const made = [];
  const times = [];
  let deployed = 1;
  const pub = await new Publisher(tutti.mqtt, 'in/seq', record, 20).connect();
  for (let round = 0; round < rounds; round++) {
    pub.limit = pub.next + 60 + Math.floor(Math.random() * 60); // one page holds all of a suite run
    pub.fill();
    const goal = pub.acked.size + 30;
    if (round % 3 === 0) {
      await tutti.deploy('keep.tutti', keep(round % 2));
      deployed = (await tutti.get('pipelines/keep')).version;
      const name = `user${round}`;
      const { status, body } = await tutti.call('POST', 'auth/users', { name, password: 'long enough 123', roles: ['view'] });
      check(status === 200, `user: ${status} ${JSON.stringify(body)}`);
      made.push(name);
    }
    await until('some acknowledged', () => pub.acked.size >= goal);
    check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
    await until('the publisher sees it', () => !pub.open);
    await tutti.up();
    times.push(tutti.ready_ms); // told, not judged
    await verify(tutti, pub, made, deployed, `round ${round}`);
    await pub.connect();
  }
  await until('all acknowledged', () => pub.acked.size === pub.next);
  await verify(tutti, pub, made, deployed, 'end');
  times.sort((a, b) => a - b);
  console.log(
    `      ${pub.next} messages, ${made.length} users, version ${deployed}; ready median ` +
      `${times[times.length >> 1].toFixed(0)} ms, worst ${times.at(-1).toFixed(0)} ms`,
  );
  pub.close();
  check((await tutti.kill('SIGTERM')) === 0, 'SIGTERM ends with 0');
});

test('a foreign client is acknowledged only after the row is there', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('keep.tutti', keep(0));
  for (let n = 0; n < 5; n++) {
    const pub = start('mosquitto_pub', ['-p', String(tutti.mqtt), '-q', '1', '-t', 'in/seq', '-m', JSON.stringify({ seq: n, v: 1 })]);
    check((await pub.exited) === 0, 'mosquitto_pub was acknowledged');
    await tutti.kill('SIGKILL'); // at once: nothing has time to be written later
    await tutti.up();
    const { rows } = await tutti.get('uns/tables/kept?limit=100');
    check(rows.length === n + 1, `${n + 1} acknowledged, ${rows.length} rows`);
  }
  await tutti.kill('SIGTERM');
});

// Rows of last values are written after a minute here, so what is there behind a kill is from the samples.
test('a last value, and its alarm, is as new as the sample that was acknowledged', async () => {
  const slow = { TUTTI_UNS_KEEP_EVERY: '60s' };
  const tutti = await Tutti.new(['serve'], { env: slow });
  const put = async (topic, value) => {
    const pub = new Publisher(tutti.mqtt, topic, () => JSON.stringify(value));
    pub.limit = 1;
    await pub.connect();
    await until(`${topic} is acknowledged`, () => pub.acked.size === 1);
    pub.close();
  };
  const again = async (signal) => {
    await tutti.kill(signal);
    await tutti.up();
  };
  const value = (where) => tutti.get(`uns/value/${where}`);
  const alarm = async (rule) => (await tutti.get('alarms?state=all')).alarms.find((a) => a.rule === rule);
  for (const when of [{ name: 'hot', on: 'acme/+/temperature', when: { above: 80 } },
    { name: 'open', on: 'acme/+/door', when: { is: true } }]) {
    const { status, body } = await tutti.call('PUT', `alarms/rules/${when.name}`, { priority: 'high', message: '{path}', ...when });
    check(status === 200, `alarm rule: ${status} ${JSON.stringify(body)}`);
  }
  const at = (s) => new Date(Date.now() + s * 1000).toISOString();
  const first = at(-40);
  await put('acme/l1/temperature', 20.5);
  await put('acme/l1/level', { value: 1, ts: first });
  await put('acme/l1/text', 7);
  await put('acme/l1/text', 'seven');
  await put('acme/old/speed', 4);
  await again('SIGTERM'); // all of it has its row
  check((await value('acme/l1/temperature')).value === 20.5, 'an ordinary end');
  const csv = `path,time,value\nacme/l1/temperature,${at(0)},99\nacme/imported,${at(0)},1\n`;
  const imported = (await tutti.call('POST', 'historian/import', { csv })).body;
  check(imported.written === 2, JSON.stringify(imported));
  await again('SIGKILL');
  check((await value('acme/l1/temperature')).value === 20.5, 'an import is no last value');
  check(!(await value('acme/imported')).has_value, 'nor is it where there was none');

  await put('acme/l1/temperature', 85);
  await put('acme/l1/door', true); // a name without a row
  await put('acme/l1/level', { value: 3, ts: at(-20) });
  await put('acme/l1/level', { value: 2, ts: at(-30) }); // late
  await put('acme/old/speed', { value: 5, quality: 'bad' });
  const { status } = await tutti.call('POST', 'uns/rename', { from: 'acme/old', to: 'acme/new' });
  check(status === 200, `rename: ${status}`);
  for (let round = 0; round < 2; round++) { // the second finds the rows that the first one wrote, or the samples again
    await again('SIGKILL');
    const seen = await value('acme/l1/temperature');
    check(seen.value === 85 && seen.age_ms < 60000, JSON.stringify(seen));
    check((await value('acme/l1/door')).value === true, 'a bool stays one');
    check((await value('acme/l1/level')).value === 3, 'newest is by the time of the source');
    check((await value('acme/l1/text')).value === 'seven', 'a text that came behind a number stays');
    const renamed = await value('acme/new/speed');
    check(renamed.value === 5 && renamed.quality === 'bad', JSON.stringify(renamed));
    check((await tutti.call('GET', 'uns/value/acme/old/speed')).status === 404, 'the old name is gone');
    for (const rule of ['hot', 'open'])
      check((await alarm(rule))?.state === 'unacknowledged', `${rule}: ${JSON.stringify(await alarm(rule))}`);
  }
  await tutti.kill('SIGTERM');
});

// More names than rows of one second: the samples are sealed and gathered before all values have theirs.
test('of many names that change each second none is older than what was acknowledged', async () => {
  const records = 100, fields = 300;
  const tutti = await Tutti.new(['serve'], { env: { TUTTI_UNS_KEEP_EVERY: '100ms' } });
  const make = (n) => `{${Array.from({ length: fields }, (_, i) => `"f${i}":${n}`).join()}}`;
  const pub = new Publisher(tutti.mqtt, (n) => `many/r${n % records}`, make, 20);
  pub.limit = 0;
  await pub.connect();
  for (let round = 0; round < 4; round++) {
    const more = records * (1 + Math.random() * 4);
    pub.limit = Infinity;
    pub.fill();
    const goal = pub.acked.size + more;
    await until('some acknowledged', () => pub.acked.size >= goal);
    check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
    await until('the publisher sees it', () => !pub.open);
    pub.limit = 0;
    await tutti.up();
    const newest = new Array(records).fill(-1);
    for (const n of pub.acked) newest[n % records] = Math.max(newest[n % records], n);
    for (let r = 0; r < records; r++) {
      const { nodes } = await tutti.get(`uns?prefix=many/r${r}&limit=1000`);
      check(newest[r] < 0 || nodes.length === fields, `round ${round}: r${r} has ${nodes.length} names`);
      const old = nodes.filter((node) => !(node.value >= newest[r]));
      check(!old.length, `round ${round}: r${r} was acknowledged with ${newest[r]}, ${old.length} are older, as ${JSON.stringify(old[0])}`);
    }
    pub.again = [];
    await pub.connect();
  }
  pub.close();
  await tutti.kill('SIGTERM');
});

await run();
