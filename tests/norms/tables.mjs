// tests/norms/tables.mjs: the tables of statements against the tests: each statement has a test where
// its row says so, or a reason; no test carries a number that the table does not have.
import { readFileSync } from 'node:fs';

const WHO = ['server', 'client', 'both'];

export function tableFaults(text, version, norms) {
  const faults = [];
  const files = new Map(); // statement -> files of its tests
  for (const { ids, file } of norms)
    for (const id of ids[version]) files.set(id, (files.get(id) ?? new Set()).add(file.replace('.mjs', '')));
  const seen = new Set();
  for (const line of text.split('\n').filter((l) => l.startsWith('| MQTT-'))) {
    const [, id, who, how] = line.split('|').map((cell) => cell.trim());
    if (seen.has(id)) faults.push(`${id} has two rows`);
    seen.add(id);
    if (!WHO.includes(who)) faults.push(`${id} binds "${who}"`);
    const tests = [...(files.get(id) ?? [])];
    if (how.startsWith('reason: ')) {
      if (tests.length) faults.push(`${id} has a reason to have no test, and one in ${tests}`);
      if (how.length < 30) faults.push(`${id}: "${how}" is no reason`);
    } else if (!tests.length || how.split(', ').sort().join() !== tests.sort().join()) {
      faults.push(`${id}: the table says "${how}", its tests are in "${tests}"`);
    }
  }
  for (const id of files.keys()) if (!seen.has(id)) faults.push(`${id} has a test and no row`);
  return faults;
}

export function tableCounts(text) {
  const rows = text.split('\n').filter((l) => l.startsWith('| MQTT-'));
  return { all: rows.length, reasons: rows.filter((l) => l.includes('| reason: ')).length };
}

export const table = (name) => readFileSync(new URL(`./statements_${name}.md`, import.meta.url), 'utf8');
