// tests/e2e/tck/tables.mjs: the list of statements against the tests: each has a test where its row
// says so, or a reason; no test carries an id that the list does not have.
import { readFileSync } from 'node:fs';

const WHO = ['edge', 'host', 'server', 'both'];
export const table = () => readFileSync(new URL('./statements.md', import.meta.url), 'utf8');
const lines = (text) => text.split('\n').filter((l) => l.startsWith('| tck-id-')).map((l) => l.split('|').slice(1, -1).map((c) => c.trim()));

export function tableFaults(text, rows) {
  const faults = [];
  const files = new Map();
  for (const { ids, file } of rows) for (const id of ids) files.set(id, (files.get(id) ?? new Set()).add(file));
  const seen = new Set();
  for (const [id, who, how] of lines(text)) {
    if (seen.has(id)) faults.push(`${id} has two rows`);
    seen.add(id);
    if (!WHO.includes(who)) faults.push(`${id} binds "${who}"`);
    const tests = [...(files.get(id) ?? [])].sort();
    if (how.startsWith('reason: ')) {
      if (tests.length) faults.push(`${id} has a reason to have no test, and one in ${tests}`);
      if (how.length < 30) faults.push(`${id}: "${how}" is no reason`);
    } else if (!tests.length || how.split(', ').sort().join() !== tests.join()) {
      faults.push(`${id}: the table says "${how}", its tests are in "${tests}"`);
    }
  }
  for (const id of files.keys()) if (!seen.has(id)) faults.push(`${id} has a test and no row`);
  return faults;
}

export const tableCounts = (text) => ({ all: lines(text).length, reasons: lines(text).filter(([, , how]) => how.startsWith('reason: ')).length });
