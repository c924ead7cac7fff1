// tests/e2e/streams.mjs: what makes a pipeline more than a straight line, in a whole Lite process.
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
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

await run();
