// tests/gen/stages.mjs: stages, one row each.
//
// A row is { name, weight, make(p) }; `p` is the pipeline in the making: p.r choices, p.fields what a
// record has here (a row may change it), p.scope() for expressions, p.inside (in an arm), p.timed.
// make returns the stage as { text: (exprs) => string, exprs: [nodes] }, or null when it does not fit.
// Owners of a new stage add a row here, and what it needs to types.mjs or expr.mjs.
import { numeric, packs, single } from './types.mjs';
import { paths, show } from './expr.mjs';

const stage = (exprs, text) => ({ exprs, text });
const plain = (kind) => ({ kind });
const wanted = (r) => r.weighted([[25, { kind: 'f64' }], [8, { kind: 'i32' }], [10, { kind: 'i64' }], [4, { kind: 'u32' }], [3, { kind: 'u64' }], [4, { kind: 'f32' }], [8, { kind: 'decimal', scale: r.below(4) }],
  [10, { kind: 'bool' }], [15, { kind: 'string', max: 60 }], [5, { kind: 'time' }], [4, { kind: 'duration' }], [2, { kind: 'bytes', max: 40 }]]);

export const keyFields = (p) => paths(p.fields).filter((f) => !f.optional && single(f.type) && !['f64', 'f32', 'json', 'tag'].includes(f.type.kind));

function address(p) {
  const t = paths(p.fields).filter((f) => !f.optional && ['string', 'i32', 'i64', 'enum', 'bool', 'decimal'].includes(f.type.kind));
  return t.length && p.r.chance(50) ? `"plant/{${p.r.pick(t).text}}/x"` : `"out/${p.r.below(3)}"`;
}

export function sink(p) {
  const flat = p.fields.every((f) => single(f.type));
  const keys = keyFields(p).filter((f) => !f.text.includes('.'));
  return p.r.weighted([
    [30, 'into stdout'], [25, `into uns ${address(p)}`], [10, `into file "rows${p.r.below(3)}"`],
    [flat ? 8 : 0, 'into file "table.csv" as csv'],
    [p.fields.every((f) => packs(f.type)) ? 6 : 0, `into uns "packed" as ${p.r.pick(['msgpack', 'cbor'])}`],
    [keys.length ? 6 : 0, `into historian rows key (${keys.length ? p.r.pick(keys).text : ''})`],
    [6, 'into stdout and uns "two"']]);
}

// A question; compare.c makes the answer of its values. They are what a database would be given.
const askable = (p) => paths(p.fields).filter((f) => ['i32', 'i64', 'u32', 'string', 'bool', 'time', 'f64', 'enum'].includes(f.type.kind) && !f.type.unit);
function question(p, values) {
  const r = p.r;
  const name = `a${p.serial++}`;
  const how = r.weighted([[30, 'error nobody'], [20, 'null'], [10, 'drop'], [10, '']]);
  const many = how !== 'null' && r.chance(25);
  const fields = [{ name: 'x', type: { kind: 'i64' }, optional: false }, { name: 'y', type: { kind: 'f64' }, optional: false },
    { name: 'z', type: { kind: 'string', max: 3 }, optional: true }].slice(0, 1 + r.below(3));
  const type = { kind: 'record', fields };
  p.fields = p.fields.concat([{ name, type: many ? { kind: 'list', max: 3, item: type } : type, optional: how === 'null' }]);
  const row = `{ ${fields.map((f) => `${f.name}: ${f.type.kind === 'string' ? 'string(3)' : f.type.kind}${f.optional ? '?' : ''}`).join(', ')} }`;
  return { name, many, text: `ask ${name} = sqlite "x.db" sql "select ${values.map((v) => `{${v}}`).join(', ')}" as ${many ? `[${row}; 3]` : row}${r.pick(['', ' limit 1', ' limit 3', ' limit 40'])}${how ? ` else ${how}` : ''}` };
}

function aggregates(p) {
  const r = p.r;
  const list = [];
  const numbers = paths(p.fields).filter((f) => numeric(f.type) && f.type.unit !== 'degC');
  const singles = paths(p.fields).filter((f) => single(f.type) && f.type.kind !== 'json');
  const wholes = paths(p.fields).filter((f) => ['i64', 'u64'].includes(f.type.kind) && !f.optional);
  const most = (f) => (f.type.kind === 'i64' ? r.pick(['9223372036854775000', '-9223372036854775000', '4000000000000000000']) : '18446744073709551000');
  // A few of these do not fit: the record fails, and what stands beside the sum must not count it.
  const overflows = () => { const f = r.pick(wholes); return `sum(if ${show(p.scope().expr(plain('bool'), 1))} then ${most(f)} else ${f.text})`; };
  for (let i = 0, n = 1 + r.below(5); i < n; i++) {
    const name = `g${i}`;
    const x = numbers.length ? r.pick(numbers).text : null;
    const made = r.weighted([
      [5, () => 'count()'], [3, () => `count(where ${show(p.scope().expr(plain('bool'), 1))})`],
      [x ? 8 : 0, () => `${r.pick(['sum', 'mean', 'min', 'max', 'first', 'last', 'stddev'])}(${x})`],
      [x ? 4 : 0, () => `quantile(${x}, ${r.pick(['0.5', '0.95', '0.01'])}, within ${r.pick(['1%', '5%', '10%'])})`],
      [singles.length ? 4 : 0, () => `${r.pick(['first', 'last'])}(${r.pick(singles).text})`],
      [singles.length ? 3 : 0, () => `distinct(${r.pick(singles).text}, within ${r.pick(['1%', '20%'])})`],
      [x ? 3 : 0, () => `${r.pick(['delta', 'rate', 'time_weighted'])}(${x})`],
      [x ? 1 : 0, () => `list(${x}, ${r.pick([1, 5])})`],
      [wholes.length ? 6 : 0, overflows],
      [x ? 3 : 0, () => `max(${x}) - min(${x})`]])();
    list.push(`${name} = ${made}`);
  }
  return list.join('  ');
}

export const stages = [
  { name: 'where', weight: 22, make(p) {
    const c = p.scope().expr(plain('bool'), 3);
    const how = p.r.chance(12) ? ' else error odd_one' : '';
    return stage([c], ([x]) => `where ${x}${how}`);
  } },
  { name: 'let', weight: 40, make(p) {
    const items = [];
    const scope = p.scope();
    for (let i = 0, n = 1 + p.r.below(4); i < n; i++) {
      const type = wanted(p.r);
      const e = scope.expr(type, 3);
      if (!e) continue;
      const old = p.r.chance(15) ? p.r.pick(p.fields.filter((f) => f.name !== p.timed && f.name !== p.clock).concat([null])) : null;
      items.push({ name: old ? old.name : `l${p.serial++}`, e, type: e.type });
    }
    if (!items.length) return null;
    // Later ones could see earlier ones; here each sees what was there before, so that any can go.
    for (const it of items) {
      p.fields = p.fields.filter((f) => f.name !== it.name);
      p.fields.push({ name: it.name, type: it.type, optional: false });
    }
    return stage(items.map((i) => i.e), (x) => `let ${items.map((i, k) => `${i.name} = ${x[k]}`).join('\n      ')}`);
  } },
  { name: 'let of a missing value', weight: 5, make(p) {
    const o = paths(p.fields).filter((f) => f.optional && single(f.type));
    if (!o.length) return null;
    const f = p.r.pick(o);
    const name = `l${p.serial++}`;
    p.fields.push({ name, type: f.type, optional: true });
    return stage([], () => `let ${name} = ${f.text}`);
  } },
  { name: 'keep', weight: 6, make(p) {
    const keep = p.fields.filter((f) => f.name === p.timed || f.name === p.clock || p.r.chance(70));
    if (!keep.length || keep.length === p.fields.length) return null;
    p.fields = keep;
    return stage([], () => `keep ${keep.map((f) => f.name).join(', ')}`);
  } },
  { name: 'drop', weight: 4, make(p) {
    const gone = p.fields.filter((f) => f.name !== p.timed && f.name !== p.clock && p.r.chance(20));
    if (!gone.length || gone.length === p.fields.length) return null;
    p.fields = p.fields.filter((f) => !gone.includes(f));
    return stage([], () => `drop ${gone.map((f) => f.name).join(', ')}`);
  } },
  { name: 'require', weight: 7, make(p) {
    const o = p.fields.filter((f) => f.optional);
    if (!o.length) return null;
    const f = p.r.pick(o);
    p.fields = p.fields.map((x) => (x === f ? { ...f, optional: false } : x));
    return stage([], () => `require ${f.name}`);
  } },
  { name: 'where exists', weight: 5, make(p) {
    const o = p.fields.filter((f) => f.optional);
    if (!o.length) return null;
    const f = p.r.pick(o);
    p.fields = p.fields.map((x) => (x === f ? { ...f, optional: false } : x));
    return stage([], () => `where ${f.name} exists`);
  } },
  { name: 'into', weight: 9, make: (p) => { const text = sink(p); return stage([], () => text); } },
  { name: 'split', weight: 9, make(p) {
    if (p.inside > 1) return null;
    const arms = [];
    const all = p.r.chance(35);
    for (let i = 0, n = 1 + p.r.below(3); i < n; i++) {
      const c = p.scope().expr(plain('bool'), 2);
      arms.push({ c, body: p.arm() });
    }
    const other = p.r.chance(60) ? p.arm() : null;
    return stage(arms.map((a) => a.c), (x) => `split ${all ? 'all ' : ''}{\n${arms.map((a, i) => `    where ${x[i]} => ${a.body}`).join('\n')}${other ? `\n    else => ${other}` : ''}\n  }`);
  } },
  { name: 'each', weight: 6, make(p) {
    const l = p.fields.filter((f) => f.type.kind === 'list' && !f.optional);
    if (!l.length || p.each) return null;
    p.each = true;
    const f = p.r.pick(l);
    const item = f.type.item;
    const rest = p.fields.filter((x) => x !== f);
    if (item.kind === 'record') p.fields = rest.filter((x) => !item.fields.some((y) => y.name === x.name)).concat(item.fields);
    else p.fields = rest.concat([{ name: f.name, type: item, optional: !!item.optional }]);
    return stage([], () => `each ${f.name}`);
  } },
  { name: 'ask', weight: 9, make(p) {
    const from = askable(p);
    const values = Array.from({ length: p.r.below(3) }, () => from.length && p.r.pick(from).text).filter((v) => v);
    const { text } = question(p, values.length ? values : ['1']);
    return stage([], () => text);
  } },
  { name: 'dedupe', weight: 4, make(p) {
    const k = keyFields(p).filter((f) => !f.text.includes('.'));
    return k.length ? stage([], () => `dedupe by ${p.r.pick(k).text} within ${p.r.pick(['1s', '10s', '1h'])}`) : null;
  } },
  { name: 'deadband', weight: 3, make(p) {
    const x = paths(p.fields).filter((f) => numeric(f.type) && !f.type.unit && !f.optional && f.type.kind !== 'decimal');
    return x.length ? stage([], () => `deadband(${p.r.pick(x).text}, ${p.r.pick(['3', '10%'])})${p.r.chance(40) ? ' max silence 5s' : ''}`) : null;
  } },
  { name: 'throttle', weight: 2, make: (p) => stage([], () => `throttle ${p.r.pick(['1', '5', '100'])} per ${p.r.pick(['1s', '10s'])}`) },
  { name: 'sample', weight: 2, make: () => stage([], () => 'sample every 2s') },
  { name: 'when', weight: 2, make(p) {
    const c = p.scope().expr(plain('bool'), 2);
    return stage([c], ([x]) => `when ${x} becomes true`);
  } },
];

// Up to a thousand windows hold a record; some begin where none ends.
const hops = ['10s every 1s', '1m every 1s', '10s every 3s', '1m every 7s', '1s every 1ms', '1s every 7ms', '2s every 1s', '3s every 2s', '10s every 10s', '1h every 1m'];

// What rows of a window go through: a question or two, and often another window.
function rowsAsked(p) {
  const kept = [p.fields, p.serial];
  p.fields = [];
  const first = question(p, p.r.pick([['end'], ['start', 'end'], ['end - start']]));
  const list = [first.text];
  if (first.many && p.r.chance(50)) list.push(`each ${first.name}`);
  if (p.r.chance(30)) list.push(question(p, ['end', 'start']).text);
  if (p.r.chance(50)) list.push(`window ${p.r.pick(['tumble 10s', 'count 3', 'hop 1m every 7s', 'session gap 10s', 'tumble 1m'])}${p.timed && p.r.chance(15) ? ' early every 3s' : ''} { n = count()  from = min(start)  to = last(end) }`);
  if (p.r.chance(20)) list.push('ask late_one = sqlite "x.db" sql "select {end}" as { x: i64 } limit 2 else error nobody');
  list.push(p.r.pick(['into stdout', 'into uns "win"']));
  p.fields = kept[0];
  return list.join('  ');
}

export function window(p) {
  const r = p.r;
  const keys = keyFields(p).filter((f) => !f.text.includes('.') && f.type.kind !== 'bytes');
  let by = keys.length && r.chance(75) ? ` by ${[...new Set(Array.from({ length: 1 + r.below(2) }, () => r.pick(keys).text))].join(', ')}` : '';
  const own = p.clock && r.chance(60) && p.fields.some((f) => f.name === p.clock);
  if (own) by = ` by ${p.clock}`;
  const size = r.weighted([[20, () => `count ${r.pick([1, 3, 10])}`], [50, () => `tumble ${r.pick(['1s', '10s', '1m'])}`],
    [25, () => `hop ${r.pick(hops)}`], [5, () => `session gap ${r.pick(['1s', '10s'])}`]])();
  const early = !size.startsWith('count') && r.chance(8) ? ` early every ${r.pick(['1s', '3s'])}` : '';
  const inside = aggregates(p);
  const late = r.pick(['', '', 'on late drop', 'on late into uns "late"', 'on late into dead']);
  if (r.chance(25)) return { text: `window ${size}${by}${early} { ${inside} }  ${rowsAsked(p)}`, late };
  const after = r.chance(40) ? `\n  ${r.pick(['where g0 exists', 'where end > 2026-11-23T10:00:00Z', 'let span = end - start'])}` : '';
  if (p.timed && early === '' && !size.startsWith('count') && r.chance(8)) return { text: `window ${size}${by} { ${inside} }  into uns "again"`, late: 'on late update' };
  return { text: `window ${size}${by}${early} { ${inside} }${after}\n  into ${r.pick(['stdout', 'uns "win"', 'file "w"'])}`, late };
}
