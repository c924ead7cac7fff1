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

await run();
