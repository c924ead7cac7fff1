// tests/gen/types.mjs: types of the language, their text, and records of them as JSON.
//
// A type is { kind, max?, scale?, names?, unit?, read?, item?, fields?, range? }; a field adds its
// name and `optional`. Values come well-formed, in odd but right spellings, and wrong in every way
// somebody has thought of: add yours to `odd` or `wrong`.

export const numeric = (t) => ['i32', 'i64', 'u32', 'u64', 'f32', 'f64', 'decimal'].includes(t.kind);
export const whole = (t) => ['i32', 'i64', 'u32', 'u64'].includes(t.kind);
/** A format of bytes carries it: no json in it. */
export const packs = (t) => (t.kind === 'json' ? false : t.kind === 'record' ? t.fields.every((f) => packs(f.type)) : t.item ? packs(t.item) : true);
export const single = (t) => !['record', 'list', 'tag'].includes(t.kind);

export function typeText(t) {
  const unit = t.unit ? ` [${t.unit}]` : '';
  const range = t.range ? ` in ${t.range[0]}..${t.range[1]}` : '';
  switch (t.kind) {
    case 'string': case 'bytes': return `${t.kind}(${t.max})`;
    case 'json': return t.max ? `json(${t.max})` : 'json';
    case 'decimal': return `decimal(${t.scale})${unit}${range}`;
    case 'time': return t.read ? `time(${t.read})` : 'time';
    case 'enum': return `enum { ${t.names.join(', ')} }`;
    case 'list': return `[${typeText(t.item)}${t.item.optional ? '?' : ''}; ${t.max}]`;
    case 'tag': return `tag ${typeText(t.item)}`;
    case 'record': return `{ ${t.fields.map(fieldText).join(', ')} }`;
    default: return t.kind + unit + range;
  }
}
export const fieldText = (f) => `${f.name}: ${typeText(f.type)}${f.optional ? '?' : ''}`;

export function randomType(r, depth) {
  const names = r.pick([['RUN', 'IDLE', 'FAULT'], ['A', 'B'], ['off', 'warm_up_phase', 'on', 'stopping_now'], ['X']]);
  const kind = r.weighted([
    [18, 'f64'], [5, 'f32'], [9, 'i32'], [9, 'i64'], [5, 'u32'], [5, 'u64'], [8, 'decimal'], [7, 'bool'],
    [16, 'string'], [4, 'bytes'], [3, 'json'], [6, 'time'], [4, 'duration'], [9, 'enum'],
    [depth < 2 ? 7 : 0, 'record'], [depth < 2 ? 8 : 0, 'list'], [depth === 0 ? 4 : 0, 'tag']]);
  const t = { kind };
  if (kind === 'string') t.max = r.pick([1, 4, 8, 16, 40]);
  if (kind === 'bytes') t.max = r.pick([3, 8, 30]);
  if (kind === 'json' && r.chance(60)) t.max = r.pick([6, 40]);
  if (kind === 'decimal') t.scale = r.pick([0, 1, 2, 3, 6]);
  if (kind === 'time' && r.chance(35)) t.read = r.pick(['s', 'ms', 'us', 'ns']);
  if (kind === 'enum') t.names = names;
  if (numeric(t) && kind !== 'u64' && r.chance(20)) t.range = r.pick([[-40, 300], [0, 99], [1, 1]]);
  if (kind === 'f64' && r.chance(25)) t.unit = r.pick(['bar', 'degC', 'kW']);
  if (t.range && ['u32'].includes(kind)) t.range = [0, 99];
  if (kind === 'record') t.fields = randomFields(r, 1 + r.below(3), depth + 1);
  if (kind === 'list') {
    t.max = r.pick([1, 3, 6]);
    t.item = randomType(r, r.chance(25) ? depth + 1 : 2);
    if (t.item.kind === 'tag') t.item = { kind: 'f64' };
    t.item.optional = single(t.item) && r.chance(25);
  }
  if (kind === 'tag') {
    t.item = r.pick([{ kind: 'f64' }, { kind: 'f64', unit: 'bar' }, { kind: 'i32' }, { kind: 'string', max: 8 }, { kind: 'bool' }]);
  }
  return t;
}

export function randomFields(r, count, depth) {
  const fields = [];
  for (let i = 0; i < count; i++) {
    const stem = r.pick(['a', 'b', 'x', 'temp', 'value', 'a_long_field_name', 'v2', 'q']);
    const name = `${stem}${depth ? 'n' : ''}${i}`;
    fields.push({ name, type: randomType(r, depth), optional: r.chance(30) });
  }
  return fields;
}

// ---- values as JSON text ----

const texts = ['', 'a', 'b', 'ab', 'RUN', 'x y', 'press-07', 'a longer text, with more than sixteen', 'é', 'ü😀', '"', '\\', '\n', '\u0001', 'a/b', '{', ',', '7', '-1', '3.5', '2026-11-23T10:00:00Z'];
const instants = (r) => new Date(Date.UTC(2026, 10, 23, 10, 0, r.below(120), r.below(1000))).toISOString();

function numberText(r, t) {
  const value = r.weighted([
    [30, () => String(r.below(100))], [18, () => (r.below(20000) / 100 - 40).toFixed(2)], [8, () => String(r.below(3))],
    [6, () => String(r.below(1e9) / 1e7)], [4, () => '0'], [3, () => '-0'], [3, () => '1e2'], [2, () => '5.0'], [2, () => '25e-1'],
    [2, () => String(-r.below(100000))], [2, () => '2147483647'], [1, () => '2147483648'], [1, () => '4294967295'],
    [1, () => '9223372036854775807'], [1, () => '-9223372036854775808'], [1, () => '18446744073709551615'],
    [1, () => '0.1'], [1, () => '1.7976931348623157e308'], [1, () => '1e-320'], [1, () => '123456789.123456789'],
    [1, () => '100000000000000000000'], [1, () => '3.4028236e38'], [1, () => '1e400']])();
  if (whole(t) && r.chance(85)) return String(Math.trunc(Number(value)) === Number(value) && Math.abs(Number(value)) < 1e15 ? value : r.below(100));
  return value;
}

function textOf(r, max) {
  let s = r.chance(70) ? r.pick(texts) : Array.from({ length: r.below(max + 2) }, () => r.pick(['a', 'b', '-', 'Z', '9'])).join('');
  if (Buffer.byteLength(s) > max && r.chance(92)) s = s.replace(/[^ -~]/g, 'u').slice(0, max);
  return s;
}

function quoted(r, s) {
  let t = JSON.stringify(s);
  if (r.chance(6)) t = t.replace(/[a-z]/g, (c) => (r.chance(30) ? '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0') : c));
  return t;
}

export function valueText(r, t) {
  switch (t.kind) {
    case 'bool': return r.pick(['true', 'false']);
    case 'string': return quoted(r, textOf(r, t.max));
    case 'bytes': return JSON.stringify(Buffer.from(textOf(r, t.max)).toString('base64'));
    case 'json': return r.pick(['1', '"x"', 'true', '[1,2]', '{"a":1}', '[]', '{}', '-1.5e3', '""', '[1, 2, {"deep": [null]}]']);
    case 'time': {
      if (!t.read) return JSON.stringify(r.weighted([[80, instants(r)], [5, instants(r).replace('Z', '+01:00')], [5, instants(r).replace(/\.\d+/, '')], [5, instants(r).replace('Z', '123456Z')], [5, '1969-12-31T23:59:59.999999999Z']]));
      const s = 1795428000 + r.below(120);
      return r.chance(80) ? String({ s, ms: s * 1000 + r.below(1000), us: s * 1e6, ns: `${s}000000000` }[t.read]) : r.pick(['0', '-1', '1.5', '1e3', '0.0001']);
    }
    case 'duration': return JSON.stringify(r.pick(['1s', '1m30s', '250ms', '0s', '2h', '-5s', '1.5s', '7d']));
    case 'enum': return JSON.stringify(r.pick(t.names));
    case 'list': {
      const n = r.below(t.max + (r.chance(3) ? 2 : 1));
      return `[${Array.from({ length: n }, () => (t.item.optional && r.chance(20) ? 'null' : valueText(r, t.item))).join(r.pick([',', ', ']))}]`;
    }
    case 'tag': {
      const time = r.chance(40) ? `,"time":${JSON.stringify(instants(r))}` : '';
      return `{"value":${valueText(r, t.item)},"quality":${JSON.stringify(r.pick(['good', 'good', 'uncertain', 'bad']))}${time}}`;
    }
    case 'record': return recordText(r, t.fields, false);
    default: {
      if (t.range && r.chance(85)) return String(t.range[0] + r.below(t.range[1] - t.range[0] + 1));
      if (t.kind === 'decimal' && r.chance(80)) return (r.below(100000) / 10 ** t.scale).toFixed(t.scale);
      return numberText(r, t);
    }
  }
}

const odd = [
  (r, v) => ` ${v}`, (r, v) => `${v} `, (r, v) => `\t${v}`,
];
const wrong = ['null', '"text"', '12', '1.5', 'true', '[]', '{}', '{"a":[1,{"b":null}]}', '', 'nul', '01', '.5', '+1', '1.', '"\\x"', '"\\ud800"', '"open', '1e', '-', '"\u0007"', 'NaN', '"2026-02-30T00:00:00Z"', '"zzz"', '[1', '{"a"}', '"' + 'y'.repeat(300) + '"', '1'.repeat(60)];

export function recordText(r, fields, top, style) {
  const s = style || { space: '', order: null };
  const parts = [];
  let list = fields;
  if (top && s.order) list = s.order;
  for (const f of list) {
    if (f.optional && r.chance(s.skip ?? 25)) { if (r.chance(30)) parts.push(`"${f.name}":${s.space}null`); continue; }
    let v = valueText(r, f.type);
    if (top && r.chance(2)) v = r.pick(wrong);
    if (top && r.chance(2)) v = r.pick(odd)(r, v);
    parts.push(`"${f.name}":${s.space}${v}`);
    if (top && r.chance(1)) parts.push(`"${f.name}":${valueText(r, f.type)}`);
  }
  if (top && s.extra) parts.splice(s.extra.at % (parts.length + 1), 0, s.extra.text(r));
  return `{${s.space}${parts.join(',' + s.space)}${s.space}}`;
}

// A source has a few layouts that change now and then, as sources do.
export function makeStyle(r, fields) {
  const order = fields.slice();
  if (r.chance(25)) for (let i = order.length - 1; i > 0; i--) { const k = r.below(i + 1); [order[i], order[k]] = [order[k], order[i]]; }
  const extras = [(q) => `"zz":${q.below(1000)}`, (q) => `"site":"plant ${q.below(9)}"`, () => '"more":{"x":[1,2,"]"],"y":null}', (q) => `"neg":-${q.below(100)}.5`, (q) => `"on":${q.pick(['true', 'false'])}`, () => '"no":null'];
  return {
    space: r.weighted([[80, ''], [15, ' '], [5, '\t']]), order, skip: r.pick([0, 0, 25, 60]),
    extra: r.chance(30) ? { at: r.below(20), text: r.pick(extras) } : null,
  };
}

const damage = [
  (r, b) => b.subarray(0, r.below(b.length)),
  (r, b) => { const c = Buffer.from(b); if (c.length) c[r.below(c.length)] = r.below(256); return c; },
  (r, b) => Buffer.concat([b, Buffer.from(r.pick(['x', ' ', '}', '{}', '\r', ',', '\0']))]),
  () => Buffer.from('[1]'), () => Buffer.from('null'), () => Buffer.from('{}'), () => Buffer.from('   '), () => Buffer.from(''),
  () => Buffer.from('{"a":' + '['.repeat(70) + ']'.repeat(70) + '}'),
  (r, b) => Buffer.from(b.toString().replace(/"/, "'")),
  (r, b) => Buffer.concat([Buffer.from(' '), b]),
  (r, b) => Buffer.concat([b, Buffer.from('\r')]),
];

export function lines(r, fields, count, hostile) {
  const out = [];
  let style = makeStyle(r, fields);
  for (let i = 0; i < count; i++) {
    if (r.below(120) === 0) style = makeStyle(r, fields);
    const one = r.below(15) === 0 ? makeStyle(r, fields) : style;
    let bytes = Buffer.from(recordText(r, fields, true, one));
    if (r.chance(hostile)) bytes = r.pick(damage)(r, bytes);
    out.push(Buffer.from(bytes.filter((c) => c !== 10)));
  }
  return out;
}
