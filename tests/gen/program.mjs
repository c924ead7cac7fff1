// tests/gen/program.mjs: a pipeline as a list of stages that can be taken away one by one.
import { Random } from './random.mjs';
import { Scope, show } from './expr.mjs';
import { randomFields, fieldText, lines, packs, single } from './types.mjs';
import { protoText, stands } from './proto.mjs';
import { keyFields, stages, window, sink } from './stages.mjs';

class Maker {
  constructor(r) { this.r = r; this.serial = 0; this.inside = 0; this.each = false; this.timed = null; this.clock = null; }
  scope() { return new Scope(this.r, this.fields, !this.plain); }
  body(count) {
    const out = [];
    for (let i = 0; i < count; i++) {
      const row = this.r.weighted(stages.map((s) => [s.weight, s]));
      const made = row.make(this);
      if (made) out.push({ name: row.name, ...made });
    }
    return out;
  }
  // The stages of a split's arm, as text; the stream goes on with what was there before.
  arm() {
    const before = [this.fields, this.each];
    this.inside++;
    const list = this.body(this.r.below(3)).map((s) => s.text(s.exprs.map(show)));
    const end = this.r.chance(15) ? window(this) : null;
    const text = list.concat([end ? end.text : sink(this)]).join('  ') + (end && end.late ? `  ${end.late}` : '');
    this.inside--;
    [this.fields, this.each] = before;
    return text;
  }
}

export function makePipeline(seed, name) {
  const r = new Random(seed);
  const m = new Maker(r);
  m.plain = r.chance(60); // no memories: batches of the interpreter stay wide
  let fields = randomFields(r, 2 + r.below(9), 0);
  const head = [];
  const format = r.weighted([[67, 'json'], [12, 'csv'], [7, 'msgpack'], [7, 'cbor'], [7, 'protobuf']]);
  if (format === 'csv') fields = fields.filter((f) => single(f.type)).concat([{ name: 'csv0', type: { kind: 'string', max: 16 }, optional: false }]);
  if (format === 'msgpack' || format === 'cbor') fields = fields.filter((f) => packs(f.type));
  if (format === 'protobuf') fields = fields.filter((f) => stands(f.type));
  if (r.chance(45)) {
    fields.unshift({ name: 'ts', type: { kind: 'time' }, optional: false });
    m.timed = 'ts';
  }
  const options = format === 'csv' ? '' : r.pick(['', '', '', ' check lazy', ' check strict', ' unknown reject']);
  const declared = fields;
  m.fields = fields;
  const clocks = m.timed && r.chance(25) ? keyFields(m).filter((f) => !f.text.includes('.') && f.text !== 'ts' && f.type.kind !== 'bytes') : [];
  if (clocks.length) m.clock = r.pick(clocks).text;
  if (m.timed) head.push(`time ts order ${r.pick(['0s', '2s', '30s'])}${r.chance(25) ? ' max ahead 30s' : ''}${m.clock ? ` clock by ${m.clock}` : ''}`);
  const body = m.body(1 + r.below(6));
  const last = r.chance(35) ? window(m) : { text: sink(m), late: '' };
  const error = r.weighted([[60, 'on error into file "errors"'], [15, 'on error into dead'], [15, 'on error drop'], [10, 'on error into uns "e" stop above 60% in 10s']]);
  const sample = lines(new Random(seed + 7919), declared, r.pick([3, 40, 300, 700]), r.pick([0, 2, 20]));
  const records = format === 'csv' ? csvLines(new Random(seed + 7919), declared, r.pick([3, 40, 400])) : sample;
  const proto = format === 'protobuf' ? protoText(r, declared) : null;
  return { name, seed, fields: declared, format, proto, options, head, body, last, error, records };
}

function csvLines(r, fields, count) {
  const out = [];
  if (r.chance(40)) out.push(Buffer.from(fields.map((f) => f.name).join(',')));
  for (const line of lines(r, fields.map((f) => ({ ...f, optional: false })), count, 0)) {
    let cells;
    try { const o = JSON.parse(line.toString()); cells = fields.map((f) => (o[f.name] === undefined || o[f.name] === null ? '' : typeof o[f.name] === 'object' ? JSON.stringify(o[f.name]) : String(o[f.name]))); } catch { cells = fields.map(() => 'x'); }
    out.push(Buffer.from(cells.map((c) => (/[,"\n\r]/.test(c) || r.chance(5) ? `"${c.replace(/[\n\r]/g, ' ').replace(/"/g, '""')}"` : c)).join(',') + (r.chance(2) ? ',more' : '')));
  }
  return out;
}

export function pipelineText(p) {
  const lines_ = [`type ${p.name}_t = {`, ...p.fields.map((f) => `  ${fieldText(f)},`), '}', `pipeline ${p.name} {`,
    `  from stdin as ${p.format} ${p.name}_t${p.proto ? ` proto "${p.name}.proto" message M` : ''}${p.options}`];
  for (const h of p.head) lines_.push(`  ${h}`);
  for (const s of p.body) lines_.push(`  ${s.text(s.exprs.map(show))}`);
  lines_.push(`  ${p.last.text}`);
  if (p.last.late) lines_.push(`  ${p.last.late}`);
  lines_.push(`  ${p.error}`, '}', '');
  return lines_.join('\n');
}
export const programText = (list) => list.map(pipelineText).join('\n');
