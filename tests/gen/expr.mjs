// tests/gen/expr.mjs: expressions of a wanted type.
//
// A node is { type, kids, text(kid texts) }; `productions` is a table from the kind of the result to
// ways of making it. To cover a new operation add a row: [weight, (g, type, depth) => node]; `g` gives
// kids (g.expr), fields in scope (g.fields) and choices (g.r). Units: only where both sides have one.
import { numeric, whole, single } from './types.mjs';

export const node = (type, kids, text) => ({ type, kids, text });
export const leaf = (type, text) => node(type, [], () => text);
export const show = (n) => n.text(n.kids.map(show));
const op = (type, a, sign, b) => node(type, [a, b], ([x, y]) => `(${x} ${sign} ${y})`);
const call = (type, name, ...kids) => node(type, kids, (args) => `${name}(${args.join(', ')})`);

export function literal(r, t) {
  const u = t.unit ? ` [${t.unit}]` : '';
  const small = () => String(r.below(10));
  switch (t.kind) {
    case 'bool': return r.pick(['true', 'false']);
    case 'f64': case 'f32': return r.pick(['0.5', '2.0', '1.25', '10.0', '0.1', '3.0', '100.0', '-7.5', '1e3']) + u;
    case 'i32': case 'i64': return r.pick([small(), small(), '100', '-3', '7']) + u;
    case 'u32': case 'u64': return r.pick([small(), '100']) + u;
    case 'decimal': return (t.scale ? `${r.below(50)}.${'5'.padEnd(Math.min(t.scale, 2), '0').slice(0, t.scale)}` : small()) + u;
    case 'string': return JSON.stringify(r.pick(['', 'a', 'b', 'RUN', '-', 'x y', 'é']).slice(0, t.max ?? 8));
    case 'time': return r.pick(['2026-11-23T10:00:05Z', '2026-11-23T10:01:00.5Z', '1970-01-01T00:00:00Z']);
    case 'duration': return r.pick(['1s', '90s', '250ms', '1h', '7ms']);
    case 'enum': return r.pick(t.names);
    default: return 'null';
  }
}
const lit = (g, t) => leaf(t, literal(g.r, t));
const plain = (kind) => ({ kind });
const same = (a, b) => a.kind === b.kind && (a.unit || '') === (b.unit || '') && (a.kind !== 'enum' || a.names === b.names) &&
  (a.kind !== 'decimal' || a.scale === b.scale);

// Paths to single values: [text, type, optional].
export function paths(fields) {
  const out = [];
  const walk = (list, prefix, optional) => {
    for (const f of list) {
      const o = optional || f.optional;
      if (f.type.kind === 'record') walk(f.type.fields, `${prefix}${f.name}.`, o);
      else out.push({ text: prefix + f.name, type: f.type, optional: o });
    }
  };
  walk(fields, '', false);
  return out;
}

function fieldOf(g, type) {
  const fits = g.paths().filter((p) => same(p.type, type));
  if (!fits.length) return null;
  const p = g.r.pick(fits);
  if (!p.optional) return leaf(type, p.text);
  if (type.kind === 'bytes' || type.kind === 'json') return null;
  return g.r.chance(70) ? node(type, [lit(g, type)], ([d]) => `(${p.text} ?? ${d})`)
    : node(type, [lit(g, type)], ([d]) => `(if ${p.text} exists then ${p.text} else ${d})`);
}

const anyNumber = (g) => g.r.pick([plain('f64'), plain('f64'), plain('i32'), plain('i64'), plain('u32'), plain('f32')]);
const either = (g, type, depth) => node(type, [g.expr(plain('bool'), depth - 1), g.expr(type, depth - 1), g.expr(type, depth - 1)],
  ([c, a, b]) => `(if ${c} then ${a} else ${b})`);
const attempt = (g, type, depth) => node(type, [g.expr(type, depth - 1), lit(g, type)], ([a, b]) => `(try ${a} else ${b})`);
function matched(g, type, depth) {
  const e = g.paths().filter((p) => p.type.kind === 'enum' && !p.optional && p.type.names.length > 1);
  if (!e.length || g.r.chance(40)) {
    return node(type, [g.expr(plain('i64'), depth - 1), lit(g, type), lit(g, type), g.expr(type, depth - 1)],
      ([x, a, b, c]) => `(match ${x} { 1 => ${a}, 2..40 => ${b}, else => ${c} })`);
  }
  const p = g.r.pick(e);
  return node(type, [lit(g, type), g.expr(type, depth - 1)], ([a, b]) => `(match ${p.text} { ${p.type.names[0]} => ${a}, else => ${b} })`);
}
const minmax = (g, type, depth) => call(type, g.r.pick(['min', 'max']), g.expr(type, depth - 1), g.expr(type, depth - 1));
const lists = (g, item) => g.paths().filter((p) => p.type.kind === 'list' && !p.optional && p.type.item.kind === item.kind && !p.type.item.unit && !item.unit && (item.kind !== 'decimal' || item.scale === p.type.item.scale));
function fromList(g, type, depth) {
  const l = lists(g, type);
  if (!l.length) return null;
  const p = g.r.pick(l);
  if (numeric(type) && ['f64', 'i64'].includes(type.kind) && g.r.chance(50))
    return node(type, [lit(g, type)], ([d]) => `(try ${g.r.pick(['sum', 'min', 'max'])}(${p.text}) else ${d})`.replace(/sum|min|max/, (w) => w));
  const at = g.expr(plain('i64'), Math.min(depth - 1, 1));
  const d = lit(g, type);
  return p.type.item.optional ? node(type, [at, d, d], ([i, a]) => `(try (${p.text}[${i}] ?? ${a}) else ${a})`)
    : node(type, [at, d], ([i, a]) => `(try ${p.text}[${i}] else ${a})`);
}
function whole64(g, type, depth) { return op(type, g.expr(type, depth - 1), g.r.pick(['+', '-', '*']), g.expr(type, depth - 1)); }
function memory(g, type) {
  if (!g.memory) return null;
  const p = g.r.pick(g.paths().filter((q) => numeric(q.type) && !q.type.unit && q.type.kind !== 'decimal').concat([null]));
  if (!p) return null;
  return g.r.pick([
    () => node(type, [], () => `(delta(${p.text}) to f64 ?? 0.0)`.replace('delta', 'delta')),
    () => node(type, [], () => `(ema(${p.optional ? `${p.text} ?? 0` : p.text} to f64, 5s))`),
    () => node(type, [], () => `(rate(${p.optional ? `${p.text} ?? 0` : p.text} to f64) ?? 0.0)`),
    () => node(type, [], () => `(baseline(${p.optional ? `${p.text} ?? 0` : p.text} to f64, 30s) ?? 0.0)`),
    () => node(type, [], () => `(prev(${p.optional ? `${p.text} ?? 0` : p.text} to f64) ?? 1.0)`),
  ])();
}

export const productions = {
  bool: [
    [20, (g, t, d) => { const n = anyNumber(g); return op(t, g.expr(n, d - 1), g.r.pick(['<', '<=', '>', '>=', '==', '!=']), g.expr(n, d - 1)); }],
    [6, (g, t, d) => { const n = { kind: 'decimal', scale: g.r.below(3) }; return op(t, g.expr(n, d - 1), g.r.pick(['<', '>=', '==']), g.expr(n, d - 1)); }],
    [8, (g, t, d) => op(t, g.expr({ kind: 'string', max: 8 }, d - 1), g.r.pick(['==', '!=', '<', '>=', 'starts_with', 'ends_with', 'contains']), g.expr({ kind: 'string', max: 8 }, d - 1))],
    [8, (g, t) => { const e = g.paths().filter((p) => p.type.kind === 'enum' && !p.optional); if (!e.length) return null; const p = g.r.pick(e); return leaf(t, g.r.chance(70) ? `(${p.text} ${g.r.pick(['==', '!='])} ${g.r.pick(p.type.names)})` : `(${p.text} in [${p.type.names.slice(0, 2).join(', ')}])`); }],
    [5, (g, t, d) => op(t, g.expr(plain('time'), d - 1), g.r.pick(['<', '>', '==']), g.expr(plain('time'), d - 1))],
    [10, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['and', 'or']), g.expr(t, d - 1))],
    [5, (g, t, d) => node(t, [g.expr(t, d - 1)], ([a]) => `(not ${a})`)],
    [6, (g, t, d) => node(t, [g.expr(plain('i32'), d - 1)], ([a]) => `(${a} in 2..50)`)],
    [6, (g, t) => { const o = g.paths().filter((p) => p.optional); if (!o.length) return null; const p = g.r.pick(o); return leaf(t, g.r.chance(60) ? `(${p.text} exists)` : `missing(${p.text})`); }],
    [5, (g, t) => { const o = g.paths().filter((p) => p.optional && numeric(p.type) && !p.type.unit && p.type.kind !== 'decimal'); if (!o.length) return null; const p = g.r.pick(o); return leaf(t, `(${p.text} exists and ${p.text} > 10)`); }],
    [4, (g, t) => { const l = g.paths().filter((p) => p.type.kind === 'list' && !p.optional && ['i32', 'i64', 'f64'].includes(p.type.item.kind) && !p.type.item.unit); return l.length ? leaf(t, `(${literal(g.r, g.r.pick(l).type.item)} in ${g.r.pick(l).text})`) : null; }],
    [3, (g, t) => { const l = g.paths().filter((p) => p.type.kind === 'f64' && p.type.unit && !p.optional); if (!l.length) return null; const p = g.r.pick(l); return leaf(t, `(${p.text} > 20 [${p.type.unit}])`); }],
    [3, (g, t, d) => (g.memory ? node(t, [g.expr(t, d - 1)], ([a]) => `held(${a}, 2s)`) : null)],
    [3, (g, t, d) => (g.memory ? node(t, [g.expr(plain('f64'), d - 1)], ([a]) => `hysteresis(${a}, on: 50.0, off: 20.0)`) : null)],
    [2, (g, t, d) => (g.memory ? node(t, [g.expr(t, d - 1)], ([a]) => `(${a} becomes true)`) : null)],
  ],
  f64: [
    [20, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['+', '-', '*', '/']), g.expr(t.unit ? t : t, d - 1))],
    [6, (g, t, d) => op(t, g.expr(anyNumber(g), d - 1), '/', g.expr(plain('i32'), d - 1))],
    [6, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['+', '*']), g.expr(plain('i32'), d - 1))],
    [5, (g, t, d) => node(t, [g.expr(t, d - 1)], ([a]) => `(-${a})`)],
    [5, (g, t, d) => node(t, [g.expr(g.r.pick([plain('i32'), plain('i64'), plain('u64'), { kind: 'decimal', scale: 2 }]), d - 1)], ([a]) => `(${a} to f64)`)],
    [8, (g, t, d) => call(t, g.r.pick(['round', 'floor', 'ceil', 'trunc', 'sin', 'cos', 'exp', 'log', 'sqrt', 'log10', 'log2']), g.expr(t, d - 1))],
    [3, (g, t, d) => call(t, g.r.pick(['pow', 'atan2']), g.expr(t, d - 1), g.expr(t, d - 1))],
    [3, (g, t, d) => node(t, [g.expr(t, d - 1)], ([a]) => `round_to(${a}, ${g.r.below(5)})`)],
    [4, (g, t, d) => node(t, [g.expr(plain('duration'), d - 1)], ([a]) => `seconds(${a})`)],
    [3, (g, t, d) => node(t, [g.expr({ kind: 'string', max: 8 }, d - 1)], ([a]) => `(try parse_float(${a}) else 0.5)`)],
    [3, (g, t, d) => node(t, [g.expr(plain('duration'), d - 1), g.expr(plain('duration'), d - 1)], ([a, b]) => `(try ${a} / ${b} else 0.0)`)],
    [5, minmax], [4, (g, t, d) => call(t, 'abs', g.expr(t, d - 1))],
    [3, (g, t, d) => call(t, 'clamp', g.expr(t, d - 1), lit(g, { kind: 'i64' }), lit(g, { kind: 'i64' }))],
    [6, either], [5, attempt], [4, matched], [5, fromList], [6, memory],
    [3, (g, t) => { const l = g.paths().filter((p) => p.type.kind === 'list' && !p.optional && numeric(p.type.item) && !p.type.item.unit); return l.length ? leaf(t, `(try ${g.r.pick(['mean', 'stddev'])}(${g.r.pick(l).text}) else -1.0)`) : null; }],
    [4, (g, t) => { const l = g.paths().filter((p) => p.type.kind === 'f64' && p.type.unit && !p.optional); if (!l.length) return null; const p = g.r.pick(l); return leaf(t, `((${p.text} to [${{ bar: 'kPa', degC: 'degF', kW: 'W' }[p.type.unit]}]) / 1 [${{ bar: 'kPa', degC: 'degF', kW: 'W' }[p.type.unit]}])`); }],
    [3, (g, t) => { const l = g.paths().filter((p) => p.type.kind === 'tag' && !p.optional && p.type.item.kind === 'f64' && !p.type.item.unit); return l.length ? leaf(t, `((${g.r.pick(l).text} + 1.5).value)`) : null; }],
  ],
  f32: [[10, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['+', '-', '*']), g.expr(t, d - 1))], [5, either], [4, minmax],
    [5, (g, t, d) => node(t, [g.expr(plain('f64'), d - 1)], ([a]) => `(${a} to f32)`)], [3, attempt], [3, fromList]],
  i32: [[10, whole64], [6, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['div', '%']), g.expr(t, d - 1))],
    [5, (g, t, d) => node(t, [g.expr(plain('f64'), d - 1)], ([a]) => `(round(${a}) to i32)`)], [3, (g, t, d) => node(t, [g.expr(plain('i64'), d - 1)], ([a]) => `(${a} to i32)`)],
    [5, either], [5, attempt], [3, minmax], [3, matched], [3, fromList], [3, (g, t, d) => call(t, 'abs', g.expr(t, d - 1))], [2, (g, t, d) => node(t, [g.expr(t, d - 1)], ([a]) => `(-${a})`)]],
  i64: [[10, whole64], [6, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['div', '%']), g.expr(t, d - 1))],
    [5, (g, t, d) => op(t, g.expr(plain('i32'), d - 1), '+', g.expr(t, d - 1))], [3, (g, t, d) => op(t, g.expr(plain('u32'), d - 1), '*', g.expr(t, d - 1))],
    [5, (g, t, d) => node(t, [g.expr({ kind: 'string', max: 16 }, d - 1)], ([a]) => `len(${a})`)],
    [4, (g, t, d) => node(t, [g.expr({ kind: 'string', max: 8 }, d - 1)], ([a]) => `(try parse_int(${a}) else 4)`)],
    [5, (g, t, d) => node(t, [g.expr(plain('time'), d - 1)], ([a]) => `${g.r.pick(['year', 'month', 'day', 'hour', 'minute', 'second', 'weekday', 'yearday', 'unix_ms'])}(${a})`)],
    [4, (g, t, d) => node(t, [g.expr(plain('f64'), d - 1)], ([a]) => `(try (trunc(${a}) to i64) else 8)`)],
    [3, (g, t) => { const l = g.paths().filter((p) => p.type.kind === 'list' && !p.optional); return l.length ? leaf(t, `len(${g.r.pick(l).text})`) : null; }],
    [3, (g, t) => { const l = g.paths().filter((p) => p.type.kind === 'bytes' && !p.optional); return l.length ? leaf(t, `len(${g.r.pick(l).text})`) : null; }],
    [5, either], [5, attempt], [3, minmax], [4, matched], [3, fromList]],
  u32: [[10, whole64], [5, either], [4, attempt], [3, minmax], [3, fromList], [3, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['div', '%']), g.expr(t, d - 1))], [3, (g, t, d) => node(t, [g.expr(plain('i64'), d - 1)], ([a]) => `(${a} to u32)`)]],
  u64: [[10, whole64], [5, either], [4, attempt], [3, minmax], [3, fromList], [3, (g, t, d) => op(t, g.expr(plain('u32'), d - 1), '+', g.expr(t, d - 1))], [3, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['div', '%']), g.expr(t, d - 1))]],
  decimal: [[10, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['+', '-']), g.expr(t, d - 1))],
    [5, (g, t, d) => node(t, [g.expr(plain('f64'), d - 1)], ([a]) => `(${a} to decimal(${t.scale}))`)],
    [4, (g, t, d) => node(t, [g.expr({ kind: 'decimal', scale: 4 }, d - 1)], ([a]) => `(${a} to decimal(${t.scale}))`)],
    [3, (g, t, d) => (t.scale ? node(t, [g.expr({ kind: 'decimal', scale: t.scale }, d - 1), g.expr(plain('i32'), d - 1)], ([a, b]) => `(${a} * ${b})`) : null)],
    [5, either], [4, attempt], [3, minmax], [3, fromList], [2, (g, t, d) => call(t, 'abs', g.expr(t, d - 1))]],
  string: [
    [12, (g, t, d) => node({ ...t, max: 60 }, [g.expr(g.r.pick([plain('f64'), plain('i64'), plain('bool'), plain('time'), plain('duration'), { kind: 'decimal', scale: 2 }, { kind: 'string', max: 8 }]), d - 1), g.expr({ kind: 'string', max: 8 }, d - 1)], ([a, b]) => (/["{}]/.test(a + b) ? `upper(${b})` : `"v {${a}}-{${b}}"`))],
    [6, (g, t, d) => node(t, [g.expr(t, d - 1)], ([a]) => `${g.r.pick(['upper', 'lower', 'trim'])}(${a})`)],
    [5, (g, t, d) => node(t, [g.expr(t, d - 1), g.expr(plain('i64'), d - 1)], ([a, b]) => `substr(${a}, ${b}, 3)`)],
    [3, (g, t, d) => node(t, [g.expr(t, d - 1)], ([a]) => `split_part(${a}, "-", 1)`)],
    [3, (g, t, d) => node(t, [g.expr(t, d - 1)], ([a]) => `replace(${a}, "a", "bb")`)],
    [5, (g, t, d) => node(t, [g.expr(g.r.pick([plain('f64'), plain('i32'), plain('u64'), plain('f32'), plain('time')]), d - 1)], ([a]) => `(${a} to string)`)],
    [3, (g, t, d) => node(t, [g.expr(plain('f64'), d - 1)], ([a]) => `(try (${a} to string(4)) else "long")`)],
    [5, either], [3, attempt], [4, matched], [3, fromList],
    [3, (g, t) => { const l = g.paths().filter((p) => p.type.kind === 'bytes' && !p.optional); return l.length ? leaf(t, `hex(${g.r.pick(l).text})`) : null; }],
    [3, (g, t) => leaf(t, g.r.pick(['meta.topic', 'meta.topic[1]', 'meta.key', '(try ((meta.headers.who to string(20)) ?? "none") else "long")']))],
  ],
  time: [[8, (g, t, d) => op(t, g.expr(t, d - 1), g.r.pick(['+', '-']), g.expr(plain('duration'), d - 1))], [4, either],
    [4, (g, t, d) => node(t, [g.expr(t, d - 1)], ([a]) => `bucket(${a}, 10s)`)], [2, (g, t) => leaf(t, g.r.pick(['now()', 'meta.received']))],
    [2, (g, t, d) => node(t, [g.expr(plain('i64'), d - 1)], ([a]) => `from_unix_ms(${a})`)], [3, attempt],
    [2, (g, t, d) => node(t, [g.expr({ kind: 'string', max: 40 }, d - 1)], ([a]) => `(try parse_time(${a}) else 2026-11-23T10:00:05Z)`)]],
  duration: [[8, (g, t, d) => op(t, g.expr(plain('time'), d - 1), '-', g.expr(plain('time'), d - 1))], [4, (g, t, d) => op(t, g.expr(t, d - 1), '*', g.expr(plain('i32'), d - 1))],
    [3, (g, t, d) => op(t, g.expr(t, d - 1), '+', g.expr(t, d - 1))], [3, either], [3, attempt]],
  enum: [[6, either]],
  bytes: [[4, (g, t, d) => node(t, [g.expr({ kind: 'string', max: 8 }, d - 1)], ([a]) => `to_utf8(${a})`)]],
  json: [],
};

export class Scope {
  constructor(r, fields, memory) { this.r = r; this.fields = fields; this.memory = memory; this.cached = null; }
  paths() { return (this.cached ??= paths(this.fields)); }
  expr(type, depth) {
    for (let tries = 0; tries < 8; tries++) {
      if (depth <= 0 || this.r.chance(30)) {
        const f = this.r.chance(75) ? fieldOf(this, type) : null;
        if (f) return f;
        if (!['bytes', 'json'].includes(type.kind)) return lit(this, type);
      }
      const list = type.unit ? [] : productions[type.kind] ?? [];
      if (!list.length) break;
      const made = this.r.weighted(list)(this, type, depth);
      if (made) return made;
    }
    return fieldOf(this, type) ?? (['bytes', 'json'].includes(type.kind) ? null : lit(this, type));
  }
}
export { single, whole };
