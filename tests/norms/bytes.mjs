// tests/norms/bytes.mjs: MQTT packets, byte by byte, right and wrong ones. Writers put together what
// they are told to; the reader takes apart what a correct peer may send and refuses all else.
export const CONNECT = 1, CONNACK = 2, PUBLISH = 3, PUBACK = 4, PUBREC = 5, PUBREL = 6, PUBCOMP = 7,
  SUBSCRIBE = 8, SUBACK = 9, UNSUBSCRIBE = 10, UNSUBACK = 11, PINGREQ = 12, PINGRESP = 13,
  DISCONNECT = 14, AUTH = 15;
export const NAMES = ['', 'CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP',
  'SUBSCRIBE', 'SUBACK', 'UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ', 'PINGRESP', 'DISCONNECT', 'AUTH'];

export const u8 = (...values) => Buffer.from(values);
export const u16 = (value) => u8(value >> 8, value & 255);
export const u32 = (value) => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
};
export function varint(value) {
  const out = [];
  do {
    out.push((value % 128) | (value > 127 ? 128 : 0));
    value = Math.floor(value / 128);
  } while (value);
  return Buffer.from(out);
}
export const str = (text) => {
  const bytes = Buffer.from(text);
  return Buffer.concat([u16(bytes.length), bytes]);
};
const pair = ([key, value]) => Buffer.concat([str(key), str(value)]);
export const packet = (first, ...parts) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u8(first), varint(body.length), body]);
};

// MQTT 5.0, table 2-4: name -> identifier, type, packets a server may put it into.
const byte = [u8, (r) => r.u8()], two = [u16, (r) => r.u16()], four = [u32, (r) => r.u32()];
const var_ = [varint, (r) => r.varint()], text = [str, (r) => r.str()];
const blob = [str, (r) => r.bin()], texts = [pair, (r) => [r.str(), r.str()]];
const ACKS = [PUBACK, PUBREC, PUBREL, PUBCOMP];
export const PROPS = {
  format: [0x01, byte, [PUBLISH]], expiry: [0x02, four, [PUBLISH]], content: [0x03, text, [PUBLISH]],
  response: [0x08, text, [PUBLISH]], correlation: [0x09, blob, [PUBLISH]],
  subId: [0x0b, var_, [PUBLISH]], sessionExpiry: [0x11, four, [CONNACK]],
  assignedId: [0x12, text, [CONNACK]], serverKeepAlive: [0x13, two, [CONNACK]],
  authMethod: [0x15, text, [CONNACK, AUTH]], authData: [0x16, blob, [CONNACK, AUTH]],
  wantProblem: [0x17, byte, []], willDelay: [0x18, four, []], wantResponse: [0x19, byte, []],
  responseInfo: [0x1a, text, [CONNACK]], serverReference: [0x1c, text, [CONNACK, DISCONNECT]],
  reason: [0x1f, text, [...ACKS, CONNACK, SUBACK, UNSUBACK, DISCONNECT, AUTH]],
  receiveMax: [0x21, two, [CONNACK]], aliasMax: [0x22, two, [CONNACK]], alias: [0x23, two, [PUBLISH]],
  maxQos: [0x24, byte, [CONNACK]], retainAvailable: [0x25, byte, [CONNACK]],
  user: [0x26, texts, [...ACKS, CONNACK, PUBLISH, SUBACK, UNSUBACK, DISCONNECT, AUTH]],
  maxPacket: [0x27, four, [CONNACK]], wildcards: [0x28, byte, [CONNACK]],
  subIds: [0x29, byte, [CONNACK]], shared: [0x2a, byte, [CONNACK]],
};
const MANY = new Set(['user', 'subId']);

// { receiveMax: 5, user: [['k', 'v']] } as a property block with its length. A list of
// [name, value] keeps order and allows repeats; a Buffer is taken as it is.
export function props(given = {}) {
  if (Buffer.isBuffer(given)) return Buffer.concat([varint(given.length), given]);
  const rows = Array.isArray(given) ? given : Object.entries(given).flatMap(([name, value]) =>
    MANY.has(name) && Array.isArray(value) ? value.map((v) => [name, v]) : [[name, value]]);
  const body = Buffer.concat(rows.map(([name, value]) =>
    Buffer.concat([u8(PROPS[name][0]), PROPS[name][1][0](value)])));
  return Buffer.concat([varint(body.length), body]);
}
const block = (version, given) => (version === 5 ? props(given) : Buffer.alloc(0));

// `flags`, `level`, `name`, `first` and `payload` overrule what would be right.
export function connect(version, o = {}) {
  const { will } = o;
  const flags = o.flags ?? ((o.clean ?? true ? 2 : 0) | (o.user !== undefined ? 128 : 0) |
    (o.password !== undefined ? 64 : 0) |
    (will ? 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0) : 0));
  const payload = o.payload ?? Buffer.concat([
    str(o.id ?? ''),
    ...(will ? [block(version, will.props), str(will.topic), str(will.payload ?? '')] : []),
    ...(o.user !== undefined ? [str(o.user)] : []),
    ...(o.password !== undefined ? [str(o.password)] : []),
  ]);
  return packet(o.first ?? 0x10, str(o.name ?? 'MQTT'), u8(o.level ?? version, flags),
    u16(o.keep ?? 0), block(version, o.props), payload);
}

export function publish(version, topic, payload = '', o = {}) {
  const qos = o.qos ?? 0;
  return packet(o.first ?? (0x30 | (o.dup ? 8 : 0) | (qos << 1) | (o.retain ? 1 : 0)), str(topic),
    qos ? u16(o.id) : Buffer.alloc(0), block(version, o.props), Buffer.from(payload));
}

export function ack(version, type, id, reason, given) {
  const first = (type << 4) | (type === PUBREL ? 2 : 0);
  if (reason === undefined || version < 5) return packet(first, u16(id));
  return packet(first, u16(id), u8(reason), ...(given === undefined ? [] : [props(given)]));
}

export function subscribe(version, id, rows, given, first = 0x82) {
  return packet(first, u16(id), block(version, given),
    ...rows.flatMap(([filter, options]) => [str(filter), u8(options)]));
}
export function unsubscribe(version, id, filters, given, first = 0xa2) {
  return packet(first, u16(id), block(version, given), ...filters.map(str));
}
export const pingreq = () => packet(0xc0);
export function disconnect(version, reason, given) {
  if (version < 5 || reason === undefined) return packet(0xe0);
  return packet(0xe0, u8(reason), ...(given === undefined ? [] : [props(given)]));
}
export const auth = (reason, given = {}) => packet(0xf0, u8(reason), props(given));

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  get left() {
    return this.bytes.length - this.at;
  }
  take(count) {
    if (count > this.left) throw new Error('the packet ends too early');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  u8() {
    return this.take(1)[0];
  }
  u16() {
    return this.take(2).readUInt16BE();
  }
  u32() {
    return this.take(4).readUInt32BE();
  }
  bin() {
    return this.take(this.u16());
  }
  str() {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bin());
  }
  varint() {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const b = this.u8();
      value += (b & 127) * 128 ** i;
      if (b & 128) continue;
      if (i && !b) throw new Error('a variable byte integer is longer than needed');
      return value;
    }
    throw new Error('a variable byte integer is too long');
  }
  props(type, strict) {
    const end = this.varint() + this.at;
    const out = {};
    while (this.at < end) {
      const id = this.varint();
      const row = Object.entries(PROPS).find(([, r]) => r[0] === id);
      if (!row) throw new Error(`property ${id} does not exist`);
      const [name, [, kind, where]] = row;
      if (strict && !where.includes(type)) throw new Error(`${name} in ${NAMES[type]}`);
      const value = kind[1](this);
      if (MANY.has(name)) (out[name] ??= []).push(value);
      else if (name in out) throw new Error(`${name} comes twice`);
      else out[name] = value;
    }
    if (this.at !== end) throw new Error('properties run over their length');
    return out;
  }
}

// The reason codes a server may send, by packet (MQTT 5.0, table 2-6).
const REASONS = {
  [CONNACK]: [0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95,
    0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f],
  [PUBACK]: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99], [PUBREL]: [0, 0x92],
  [SUBACK]: [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  [UNSUBACK]: [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  [DISCONNECT]: [0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95,
    0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2],
  [AUTH]: [0, 0x18],
};
REASONS[PUBREC] = REASONS[PUBACK];
REASONS[PUBCOMP] = REASONS[PUBREL];

// One whole packet of a peer; throws when a correct peer would not send it.
export function parse(version, bytes, fromServer = true) {
  const type = bytes[0] >> 4, flags = bytes[0] & 15;
  const r = new Reader(bytes);
  r.u8();
  r.varint();
  const p = { type, name: NAMES[type], flags, bytes };
  const needs = type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0;
  if (type !== PUBLISH && flags !== needs) throw new Error(`${p.name} with flags ${flags}`);
  const five = () => (version === 5 ? r.props(type, fromServer) : {});
  const code = (value) => {
    if (version === 5 && fromServer && !REASONS[type].includes(value))
      throw new Error(`${p.name} with reason ${value.toString(16)}`);
    return value;
  };
  if (type === CONNECT) Object.assign(p, parseConnect(r));
  else if (type === CONNACK) {
    p.ackFlags = r.u8();
    p.present = p.ackFlags & 1;
    if (p.ackFlags > 1) throw new Error('CONNACK with reserved flags');
    p.reason = r.u8();
    if (r.left) {
      code(p.reason);
      p.props = five();
    }
  } else if (type === PUBLISH) {
    Object.assign(p, { dup: flags >> 3, qos: (flags >> 1) & 3, retain: flags & 1 });
    if (p.qos === 3) throw new Error('PUBLISH with QoS 3');
    p.topic = r.str();
    if (p.qos) p.id = r.u16();
    if (p.qos && !p.id) throw new Error('PUBLISH with identifier 0');
    p.props = five();
    p.payload = r.take(r.left);
    p.text = p.payload.toString();
  } else if (type >= PUBACK && type <= PUBCOMP) {
    p.id = r.u16();
    p.reason = r.left ? code(r.u8()) : 0;
    p.props = r.left ? five() : {};
    if (version < 5 && p.bytes.length !== 4) throw new Error(`${p.name} is not 4 bytes long`);
  } else if (type === SUBACK || type === UNSUBACK) {
    p.id = r.u16();
    p.props = five();
    p.codes = [...r.take(r.left)];
    p.codes.forEach(code);
  } else if (type === SUBSCRIBE || type === UNSUBSCRIBE) {
    p.id = r.u16();
    p.props = five();
    p.filters = [];
    while (r.left) p.filters.push(type === SUBSCRIBE ? [r.str(), r.u8()] : r.str());
  } else if (type === DISCONNECT || type === AUTH) {
    p.reason = r.left ? code(r.u8()) : 0;
    p.props = r.left ? five() : {};
  }
  if (r.left) throw new Error(`${p.name} with ${r.left} bytes too many`);
  return p;
}

function parseConnect(r) {
  const p = { protocol: r.str(), level: r.u8(), connectFlags: r.u8(), keep: r.u16() };
  p.props = p.level === 5 ? r.props(CONNECT, false) : {};
  p.clientId = r.str();
  const has = (bit) => p.connectFlags & bit;
  if (has(4)) {
    p.will = { props: p.level === 5 ? r.props(CONNECT, false) : {}, topic: r.str(), payload: r.bin() };
  }
  if (has(128)) p.user = r.str();
  if (has(64)) p.password = r.bin();
  return p;
}

// How many bytes the packet at the front has; 0 = not known yet.
export function frame(bytes) {
  let value = 0;
  for (let i = 1; i <= 4 && i < bytes.length; i++) {
    value += (bytes[i] & 127) * 128 ** (i - 1);
    if (bytes[i] & 128) continue;
    return 1 + i + value <= bytes.length ? 1 + i + value : 0;
  }
  return 0;
}
