// tests/gen/proto.mjs: a message for the fields of a type, one way of the many.

/** A message can say it. */
export const stands = (t) => {
  if (t.kind === 'json' || t.kind === 'tag') return false;
  if (t.kind === 'record') return t.fields.every((f) => stands(f.type));
  return t.kind !== 'list' || (t.item.kind !== 'list' && !t.item.optional && stands(t.item));
};

const single = {
  f64: ['double'], f32: ['float', 'double'], i32: ['int32', 'sint32', 'sfixed32', 'int64'], i64: ['int64', 'sint64', 'sfixed64'], u32: ['uint32', 'fixed32', 'uint64'],
  u64: ['uint64', 'fixed64'], decimal: ['string'], bool: ['bool'], string: ['string'], bytes: ['bytes'], duration: ['google.protobuf.Duration', 'string'],
};

class Writer {
  constructor(r) { this.r = r; this.serial = 0; this.out = []; }
  enum(names) {
    const name = `E${this.serial++}`, first = this.r.chance(50) ? [`${name}_NONE = 0;`] : [];
    const values = names.map((n, i) => `${this.r.chance(50) ? n : `${name}_${n}`} = ${first.length || i ? this.r.pick([i + 1, 1000 + i, -i - 1]) : 0};`);
    this.out.push(`enum ${name} { ${[...first, ...values].join(' ')} }`);
    return name;
  }
  type(t) {
    if (t.kind === 'enum') return this.enum(t.names);
    if (t.kind === 'record') return this.message(`R${this.serial++}`, t.fields);
    if (t.kind === 'time') return t.read ? this.r.pick(['int64', 'sint64', 'google.protobuf.Timestamp']) : this.r.pick(['google.protobuf.Timestamp', 'string']);
    return this.r.pick(single[t.kind]);
  }
  message(name, fields) {
    const numbers = new Set();
    while (numbers.size < fields.length + 1) numbers.add(this.r.weighted([[80, 1 + this.r.below(30)], [20, 1 + this.r.below(18000)]]));
    const list = [...numbers].map((number, i) => {
      const f = fields[i];
      if (!f) return `  int32 nobody${i} = ${number};`;
      const label = f.type.kind === 'list' ? 'repeated ' : f.optional || this.r.chance(30) ? 'optional ' : '';
      const packed = label === 'repeated ' && this.r.chance(20) ? ' [packed = false]' : '';
      return `  ${label}${this.type(f.type.kind === 'list' ? f.type.item : f.type)} ${f.name} = ${number}${packed};`;
    });
    this.out.push(`message ${name} {\n${list.join('\n')}\n}`);
    return name;
  }
}

export function protoText(r, fields) {
  const w = new Writer(r);
  w.message('M', fields);
  return `syntax = "proto3";\nimport "google/protobuf/timestamp.proto";\nimport "google/protobuf/duration.proto";\n${w.out.join('\n')}\n`;
}
