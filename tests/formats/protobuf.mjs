// tests/formats/protobuf.mjs: Protocol Buffers against protobufjs, and bytes from the encoding's specification.
import assert from "node:assert/strict";
import protobuf from "protobufjs";
import { TYPE, clean, file, lines, random, read, record, replay, row, run, runEach, runEachEverywhere, runEverywhere, test, tutti } from "./lib.mjs";

const PROTO = `syntax = "proto3";
package acme.test;
import "google/protobuf/timestamp.proto";
enum State { STATE_UNSPECIFIED = 0; STATE_RUN = 1; STATE_IDLE = 2; STATE_FAULT = 300; }
message Deep { optional double x = 1; }
message Inner { optional int64 a = 1; optional bytes raw = 2; Deep deep = 30; }
message Item { double q = 1; optional string name = 2; }
message T {
  int64 id = 1; sint32 small = 2; fixed32 nat = 3; uint64 big = 4; bool ok = 5; double temp = 6; float single = 7; string name = 8;
  State state = 9; sfixed64 ms = 10; google.protobuf.Timestamp stamp = 11; optional double opt = 12; Inner in = 13;
  repeated double xs = 14; repeated Item items = 15; repeated string names = 16; optional string price = 17; repeated sint64 zig = 2000;
}
`;
const T = TYPE.replace("xs: [f64; 20]?, items: [Item; 5]?, names: [string(8)?; 6]?", "xs: [f64; 20], items: [Item; 5], names: [string(8); 6]")
    .replace("price: decimal(2)?", "price: decimal(2)?, zig: [i64; 4]");
const WORDS = `proto "t.proto" message acme.test.T`;
file("t.proto", PROTO);
const IN = `${T}pipeline p {\n  from stdin as protobuf T ${WORDS}\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
const bytes = (...parts) => Buffer.concat(parts.map((p) => (Array.isArray(p) ? Buffer.from(p) : Buffer.from(p))));
const framed = (...messages) => Buffer.concat(messages.flatMap((m) => [varint(m.length), Buffer.from(m)]));

function varint(n) {
    const out = [];
    for (; n >= 128; n = Math.floor(n / 128)) out.push((n % 128) | 128);
    return Buffer.from([...out, n]);
}

/** The message of a text, by the peer. */
function peer(text, name) {
    const root = new protobuf.Root();
    root.addJSON(protobuf.common.get("google/protobuf/timestamp.proto").nested);
    root.addJSON(protobuf.common.get("google/protobuf/duration.proto").nested);
    protobuf.parse(text, root, { keepCase: true });
    root.resolveAll();
    return root.lookupType(name);
}

/** A record as protobuf carries it, which has no missing lists and items. */
function message(rnd) {
    const r = record(rnd);
    r.xs ??= [];
    r.items ??= [];
    r.names = (r.names ?? []).map((n) => n ?? "gone");
    if (r.stamp) r.stamp = new Date(r.stamp);
    return { ...r, zig: [0, -1, 1, -2147483648].slice(0, rnd(5)) };
}

/** As the peer wants it. */
function given(r) {
    const out = { ...clean(r), ms: r.ms, state: { RUN: 1, IDLE: 2, FAULT: 300 }[r.state] };
    if (r.stamp) out.stamp = { seconds: Math.floor(r.stamp / 1000), nanos: (((r.stamp % 1000) + 1000) % 1000) * 1e6 };
    if (r.price !== undefined) out.price = String(r.price);
    return out;
}

/** Messages inside are there although all in them is missing; a record of ours is not. */
const rows = (r) => row(r);

/** One field of one type, given as bytes of field 1: what comes out, or the reason. */
function one(kind, type, ...values) {
    file("one.proto", `syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
enum E { E_NONE = 0; E_A = 1; E_B = -1; } message X { ${kind} x = 1; int32 n = 2; }`);
    const program = `pipeline p {\n  from stdin as protobuf { x: ${type}, n: i32 } proto "one.proto" message X\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const all = runEachEverywhere(program, values.map((value) => framed(bytes(value, [0x10, 7]))));
    return all.map((got) => (got.errors.length ? got.errors[0].reason : JSON.parse(got.out).x));
}

/** The bytes of a row of one field. */
function written(kind, type, json) {
    file("one.proto", `syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
enum E { E_NONE = 0; E_A = 1; E_B = -1; } message X { ${kind} x = 1; }`);
    const got = runEverywhere(`pipeline p {\n  from stdin as json { x: ${type} }\n  into stdout as protobuf proto "one.proto" message X\n  on error into file "$ERRORS"\n}\n`, `{"x":${json}}\n`);
    assert.deepEqual(got.errors, []);
    assert.equal(got.out[0], got.out.length - 1);
    return got.out.subarray(1).toString("hex");
}

test("protobuf: records of a peer, fields nobody knows", () => {
    const rnd = random(31), type = peer(PROTO, "acme.test.T");
    const records = Array.from({ length: 300 }, () => message(rnd));
    const wire = records.map((r, i) => {
        const unknown = i % 3 ? [] : [0xba, 0x3e, 2, 1, 2, 0xb8, 0x3e, 5, 0xbb, 0x3e, 0x08, 1, 0xbc, 0x3e]; // 999: bytes, a number, a group
        const body = Buffer.from(type.encode(type.create(given(r))).finish());
        return framed(i % 2 ? bytes(unknown, body) : bytes(body, unknown));
    });
    const got = runEverywhere(IN, Buffer.concat(wire));
    assert.deepEqual(got.errors, []);
    assert.deepEqual(lines(got.out), records.map(rows));
    assert.equal(got.code, 0);
});

test("protobuf: a peer reads our rows", () => {
    const rnd = random(32), type = peer(PROTO, "acme.test.T");
    const records = Array.from({ length: 300 }, () => message(rnd));
    // rows are written with the time as a Timestamp, so `ms` has another type there
    const text = PROTO.replace("sfixed64 ms", "google.protobuf.Timestamp ms");
    file("rows.proto", text);
    const program = `${T}pipeline p {\n  from stdin as json T\n  into stdout as protobuf proto "rows.proto" message T\n  on error into file "$ERRORS"\n}\n`;
    const got = runEverywhere(program, records.map((r) => rows(r).replace(/"ms":"([^"]*)"/, (_, t) => `"ms":${Date.parse(t)}`) + "\n").join(""));
    assert.deepEqual(got.errors, []);
    const reader = protobuf.Reader.create(got.out), back = [], other = peer(text, "acme.test.T");
    while (reader.pos < reader.len) back.push(other.toObject(other.decodeDelimited(reader), { defaults: false, longs: Number, enums: String, arrays: true }));
    assert.equal(back.length, records.length);
    const time = (t) => new Date(Number(t.seconds ?? 0) * 1000 + (t.nanos ?? 0) / 1e6);
    back.forEach((b, i) => {
        const want = JSON.parse(rows(records[i]));
        const zeros = { id: 0, small: 0, nat: 0, big: 0, ok: false, temp: 0, single: 0, name: "" };
        const all = { ...Object.fromEntries(Object.entries(zeros).filter(([k]) => b[k] === undefined)), ...b };
        all.items = all.items.map((item) => ({ q: 0, ...item }));
        all.state = all.state.slice(6);
        all.ms = time(all.ms).getTime();
        if (all.stamp) all.stamp = time(all.stamp);
        if (all.price !== undefined) all.price = Number(all.price);
        if (all.in?.raw) all.in.raw = Buffer.from(all.in.raw);
        const ordered = Object.fromEntries(Object.keys(want).map((k) => [k, all[k]]));
        assert.equal(rows(ordered), rows(records[i]));
        assert.deepEqual(Object.keys(all).sort(), Object.keys(want).sort());
    });
});

test("protobuf: the same bytes as the peer, and what it wrote it reads", () => {
    const rnd = random(33), text = PROTO.replace("sfixed64 ms", "google.protobuf.Timestamp ms"), type = peer(text, "acme.test.T");
    file("rows.proto", text);
    const records = Array.from({ length: 100 }, () => message(rnd)).map((r) => ({ ...r, in: undefined }));
    const program = `${T}pipeline p {\n  from stdin as json T\n  into stdout as protobuf proto "rows.proto" message T\n  on error into file "$ERRORS"\n}\n`;
    const first = runEverywhere(program, records.map((r) => rows(r).replace(/"ms":"([^"]*)"/, (_, t) => `"ms":${Date.parse(t)}`) + "\n").join("")).out;
    const want = records.map((r) => {
        const g = given(r);
        const stamp = (ms) => {
            const seconds = Math.floor(ms / 1000), nanos = (((ms % 1000) + 1000) % 1000) * 1e6;
            return { ...(seconds ? { seconds } : {}), ...(nanos ? { nanos } : {}) };
        };
        g.ms = stamp(g.ms);
        if (r.stamp) g.stamp = stamp(r.stamp.getTime());
        g.items = g.items.map((item) => (item.q ? item : clean({ name: item.name })));
        for (const [k, v] of Object.entries(g)) if (k !== "opt" && (v === 0 || v === false || v === "" || v.length === 0)) delete g[k];
        return framed(type.encode(type.create(g)).finish());
    });
    assert.ok(first.equals(Buffer.concat(want)), "as the peer writes it");
    const again = runEverywhere(`${T.replace("time(ms)", "time")}pipeline p {\n  from stdin as protobuf T proto "rows.proto" message T\n  into stdout as protobuf proto "rows.proto" message T\n  on error into file "$ERRORS"\n}\n`, first);
    assert.ok(again.out.equals(first));
});

// The examples of the encoding's page: 150, "testing", a message in a message, packed and unpacked lists, zigzag.
test("protobuf: the specification's examples", () => {
    assert.deepEqual(one("int32", "i32", [0x08, 0x96, 0x01]), [150]);
    assert.equal(written("int32", "i32", 150), "089601");
    assert.deepEqual(one("string", "string(16)", [0x0a, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]), ["testing"]);
    assert.equal(written("string", "string(16)", '"testing"'), "0a0774657374696e67");
    assert.deepEqual(one("int64", "i64", [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), [-2]);
    assert.equal(written("int64", "i64", -2), "08feffffffffffffffff01");
    assert.equal(written("int32", "i32", -2), "08feffffffffffffffff01");
    file("spec.proto", `syntax = "proto3"; message Test1 { int32 a = 1; } message Test3 { Test1 c = 3; } message Test5 { repeated int32 f = 6; } message Test4 { string d = 4; repeated int32 e = 6 [packed = false]; }`);
    const of = (type, name, wire) => {
        const got = runEverywhere(`pipeline p {\n  from stdin as protobuf ${type} proto "spec.proto" message ${name}\n  into stdout\n  on error into file "$ERRORS"\n}\n`, framed(wire));
        return got.errors.length ? got.errors[0].reason : got.out.toString().trim();
    };
    const to = (type, name, json) => runEverywhere(`pipeline p {\n  from stdin as json ${type}\n  into stdout as protobuf proto "spec.proto" message ${name}\n  on error into file "$ERRORS"\n}\n`, json + "\n").out.subarray(1).toString("hex");
    assert.equal(of("{ c: { a: i32 } }", "Test3", [0x1a, 3, 8, 0x96, 1]), '{"c":{"a":150}}');
    assert.equal(to("{ c: { a: i32 } }", "Test3", '{"c":{"a":150}}'), "1a03089601");
    const list = "{ f: [i32; 9] }", packed = [0x32, 6, 3, 0x8e, 2, 0x9e, 0xa7, 5];
    assert.equal(of(list, "Test5", packed), '{"f":[3,270,86942]}');
    assert.equal(of(list, "Test5", [0x30, 3, 0x30, 0x8e, 2, 0x30, 0x9e, 0xa7, 5]), '{"f":[3,270,86942]}');
    assert.equal(of(list, "Test5", [...packed, 0x30, 1, 0x32, 1, 2]), '{"f":[3,270,86942,1,2]}', "pieces add up");
    assert.equal(of(list, "Test5", [0x32, 0]), '{"f":[]}');
    assert.equal(to(list, "Test5", '{"f":[3,270,86942]}'), "3206038e029ea705");
    assert.equal(to("{ d: string(9), e: [i32; 3] }", "Test4", '{"d":"hello","e":[1,2,3]}'), "220568656c6c6f300130023003");
    for (const [n, hex] of Object.entries({ 0: "", "-1": "0801", 1: "0802", "-2": "0803", 2147483647: "08feffffff0f", "-2147483648": "08ffffffff0f" }))
        assert.equal(written("sint32", "i32", n), hex);
});

test("protobuf: numbers of every kind", () => {
    const max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert.deepEqual(one("int64", "i64", [8, ...max], [8, 0x7f], []), [-1, 127, 0]);
    assert.deepEqual(one("uint64", "u64", [8, ...max]), [18446744073709551615]);
    assert.deepEqual(one("uint64", "i64", [8, ...max], [8, 5]), ["range", 5]);
    assert.deepEqual(one("int64", "i32", [8, ...max], [8, 0x80, 0x80, 0x80, 0x80, 0x08]), [-1, "range"]);
    assert.deepEqual(one("int32", "i32", [8, 0x81, 0x80, 0x80, 0x80, 0x10], [8, 0xff, 0xff, 0xff, 0xff, 0x0f]), [1, -1], "32 bits of it");
    assert.deepEqual(one("uint32", "u32", [8, 0x81, 0x80, 0x80, 0x80, 0x10], [8, ...max]), [1, 4294967295]);
    assert.deepEqual(one("sint64", "i64", [8, ...max], [8, 1]), ["-9223372036854775808", -1].map((n) => Number(n)));
    assert.deepEqual(one("sint32", "i64", [8, 0xff, 0xff, 0xff, 0xff, 0x0f]), [-2147483648]);
    assert.deepEqual(one("fixed32", "u32", [13, 255, 255, 255, 255]), [4294967295]);
    assert.deepEqual(one("sfixed32", "i32", [13, 254, 255, 255, 255]), [-2]);
    assert.deepEqual(one("fixed64", "u64", [9, 1, 0, 0, 0, 0, 0, 0, 0]), [1]);
    assert.deepEqual(one("sfixed64", "i64", [9, 255, 255, 255, 255, 255, 255, 255, 255]), [-1]);
    assert.deepEqual(one("bool", "bool", [8, 0], [8, 1], [8, ...max], []), [false, true, true, false]);
    assert.deepEqual(one("int32", "f64", [8, 5]), [5]);
    assert.deepEqual(one("int32", "decimal(2)", [8, 5]), [5]);
    assert.deepEqual(one("int32", "i32 in 0..9", [8, 10], [8, 9]), ["range", 9]);
    assert.deepEqual(one("double", "f64", [9, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f], [9, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f], [9, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f]), [1.5, "bad_number", "range"]);
    assert.deepEqual(one("float", "f32", [13, 0, 0, 0xc0, 0x3f], [13, 0, 0, 0x80, 0xff]), [1.5, "range"]);
    assert.deepEqual(one("double", "f32", [9, 0x9c, 0x75, 0, 0x88, 0x3c, 0xe4, 0x37, 0x7e]), ["range"]);
    assert.deepEqual(one("double", "decimal(2)", [9, 0xae, 0x47, 0xe1, 0x7a, 0x14, 0xae, 0x28, 0x40]), [12.34]);
    assert.deepEqual(one("int64", "time(s)", [8, 1]), ["1970-01-01T00:00:01Z"]);
    const numbers = [["double", "f64", "1.5", "09000000000000f83f"], ["double", "f64", "0", ""], ["double", "f64", "-0.0", "090000000000000080"], ["float", "f32", "1.5", "0d0000c03f"],
        ["double", "i32", "3", "090000000000000840"], ["fixed64", "u32", "1", "090100000000000000"], ["sfixed32", "i32", "-2", "0dfeffffff"], ["int64", "u32", "4294967295", "08ffffffff0f"],
        ["sint64", "u32", "1", "0802"], ["uint64", "u64", "18446744073709551615", "08ffffffffffffffffff01"], ["bool", "bool", "true", "0801"], ["bool", "bool", "false", ""],
        ["string", "decimal(1)", "2.5", "0a03322e35"], ["optional int32", "i32", "0", "0800"], ["bytes", "bytes(2)", '"AP8="', "0a0200ff"]];
    for (const [kind, type, json, hex] of numbers) assert.equal(written(kind, type, json), hex, `${kind} ${type} ${json}`);
});

test("protobuf: text, enums, times and durations", () => {
    assert.deepEqual(one("string", "string(3)", bytes([10, 4], "abcd"), [10, 1, 0xff], bytes([10, 2], "é"), []), ["too_long", "bad_value", "é", ""]);
    assert.deepEqual(one("bytes", "bytes(3)", [10, 2, 0, 255], [10, 4, 1, 2, 3, 4], []), ["AP8=", "too_long", ""]);
    assert.deepEqual(one("string", "enum { A, B }", bytes([10, 1], "A"), bytes([10, 1], "C")), ["A", "bad_enum"]);
    assert.deepEqual(one("string", "duration", bytes([10, 5], "1m30s"), bytes([10, 1], "x")), ["1m30s", "bad_value"]);
    assert.deepEqual(one("string", "time", bytes([10, 20], "2023-11-14T22:13:20Z")), ["2023-11-14T22:13:20Z"]);
    const minus = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert.deepEqual(one("E", "enum { A, B }", [8, 1], [8, ...minus], [8, 9], [8, 0], []), ["A", "B", "bad_enum", "missing_field", "missing_field"]);
    assert.deepEqual(one("E", "enum { A, B }?", [8, 0], [], [8, 1]), [undefined, undefined, "A"]);
    assert.deepEqual(one("E", "enum { E_NONE, E_A }", [], [8, 1]), ["E_NONE", "E_A"]);
    assert.deepEqual(one("E", "i32", [8, 9], [8, ...minus]), [9, -1]);
    const ts = "google.protobuf.Timestamp", span = "google.protobuf.Duration";
    assert.deepEqual(one(ts, "time", [10, 2, 8, 1], [10, 0], [10, 4, 8, 1, 16, 5], [10, 13, 8, ...minus, 16, 1], [10, 11, 16, ...minus], [10, 6, 16, 0x80, 0x94, 0xeb, 0xdc, 3], []),
        ["1970-01-01T00:00:01Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01.000000005Z", "1969-12-31T23:59:59.000000001Z", "bad_time", "bad_time", "missing_field"]);
    assert.deepEqual(one(ts, "time", [10, 7, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80], [10, 2, 8, 1, 10, 2, 16, 7]), ["bad_record", "1970-01-01T00:00:01.000000007Z"]);
    assert.deepEqual(one(span, "duration", [10, 2, 8, 90], [10, 11, 8, ...minus], [10, 22, 8, ...minus, 16, ...minus], [10, 13, 8, ...minus, 16, 1], [10, 10, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ["1m30s", "-1s", "-1s1ns", "bad_value", "range"]);
    assert.equal(written(ts, "time", '"1969-12-31T23:59:59.999Z"'), "0a1108ffffffffffffffffff0110c08faedc03");
    assert.equal(written(ts, "time", '"1970-01-01T00:00:00Z"'), "0a00");
    assert.equal(written(span, "duration", '"1m30s"'), "0a02085a");
    assert.equal(written("E", "enum { A, B }", '"B"'), "08ffffffffffffffffff01");
    assert.equal(written("E", "enum { E_NONE, A }", '"E_NONE"'), "");
});

test("protobuf: presence, the last one wins, messages merge, a oneof holds one", () => {
    file("two.proto", `syntax = "proto2"; message In { optional int32 a = 1; optional int32 b = 2; repeated int32 c = 3; }
message X { optional int32 a = 1; required string s = 2; optional In in = 3; oneof k { int32 x = 4; string y = 5; In z = 6; bool w = 7; } optional group G = 8 { optional int32 q = 1; } }`);
    const program = (type, words = "") => `pipeline p {\n  from stdin as protobuf ${type} proto "two.proto" message X ${words}\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const of = (type, wire, words) => {
        const got = runEverywhere(program(type, words), framed(wire));
        return got.errors.length ? `${got.errors[0].reason} ${got.errors[0].field ?? ""}` : got.out.toString().trim();
    };
    const all = "{ a: i32?, s: string(9)?, in: { a: i32?, b: i32?, c: [i32; 4] }?, x: i32?, y: string(3)?, z: { a: i32? }? }";
    assert.equal(of(all, []), "{}");
    assert.equal(of("{ a: i32 }", []), "missing_field a");
    assert.equal(of("{ s: string(9) }", []), "missing_field s");
    assert.equal(of(all, [8, 1, 8, 2]), '{"a":2}');
    assert.equal(of("{ a: i32 in 0..5 }", [8, 9, 8, 2]), '{"a":2}', "only what counts has to be right");
    assert.equal(of("{ a: i32 in 0..5 }", [8, 2, 8, 9]), "range a");
    assert.equal(of(all, [0x1a, 4, 8, 1, 0x18, 1, 0x1a, 4, 16, 2, 0x18, 3]), '{"in":{"a":1,"b":2,"c":[1,3]}}');
    assert.equal(of(all, [0x20, 1, 0x2a, 1, 0x61]), '{"y":"a"}');
    assert.equal(of(all, [0x2a, 1, 0x61, 0x20, 0]), '{"x":0}');
    assert.equal(of(all, [0x20, 1, 0x38, 1]), "{}", "a member the type does not have ends the others");
    assert.equal(of(all, [0x32, 2, 8, 5, 0x20, 3]), '{"x":3}');
    assert.equal(of("{ in: { a: i32 } }", []), "missing_field in");
    assert.equal(of("{ in: { a: i32 } }", [0x1a, 0]), "missing_field in");
    assert.equal(of("{ in: { a: i32, b: i32 } }", [0x1a, 2, 8, 1]), "missing_field in.b");
    // fields whose bytes are of another kind than their number says are nobody's
    assert.equal(of(all, [0x0d, 1, 2, 3, 4, 0x08, 7, 0x0a, 1, 0x05]), '{"a":7}');
    assert.equal(of("{ a: i32? }", [0x43, 8, 1, 0x44, 8, 3]), '{"a":3}', "a group is passed over");
    assert.equal(of("{ a: i32? }", [8, 1], "unknown reject"), '{"a":1}');
    assert.equal(of("{ a: i32? }", [8, 1, 0x12, 0], "unknown reject"), "unknown_key ");
    assert.equal(of("{ a: i32? }", [8, 1, 0x50, 0], "unknown reject"), "unknown_key ");
    assert.equal(of("{ a: i32 in 0..5 }", [8, 9, 0x50, 0], "unknown reject"), "range a");
    assert.equal(of("{ x: i32?, y: string(1)? }", [0x2a, 2, 0x61, 0x61], "check strict"), "too_long y");
});

test("protobuf: maps, lists, names in JSON, where in a list", () => {
    file("map.proto", `syntax = "proto3"; message V { repeated int32 n = 1; string s = 2; } message X { map<string, double> limit_of = 1; map<int32, V> v = 2; repeated V vs = 3; }`);
    const program = `pipeline p {\n  from stdin as protobuf { limitOf: [{ key: string(4), value: f64 }; 3], v: [{ key: i32, value: { s: string(2) }? }; 2], vs: [{ n: [i32; 2], s: string(2) }; 2] } proto "map.proto" message X\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const type = peer(`syntax = "proto3"; message V { repeated int32 n = 1; string s = 2; } message X { map<string, double> limit_of = 1; map<int32, V> v = 2; repeated V vs = 3; }`, "X");
    const of = (value) => {
        const got = runEverywhere(program, framed(type.encode(type.create(value)).finish()));
        return got.errors.length ? `${got.errors[0].reason} ${got.errors[0].field ?? ""}` : got.out.toString().trim();
    };
    assert.equal(of({ limit_of: { hi: 2.5, lo: 0 }, v: { 7: { s: "a" } }, vs: [{ n: [1, 2], s: "b" }, {}] }),
        '{"limitOf":[{"key":"hi","value":2.5},{"key":"lo","value":0}],"v":[{"key":7,"value":{"s":"a"}}],"vs":[{"n":[1,2],"s":"b"},{"n":[],"s":""}]}');
    assert.equal(of({ limit_of: { "too long": 1 } }), "too_long limitOf[0].key");
    assert.equal(of({ vs: [{}, { n: [1, 2, 3] }] }), "too_long vs[1].n");
    assert.equal(of({ vs: [{}, {}, {}] }), "too_long vs");
    assert.equal(of({ vs: [{ s: "abc" }], v: { 1: { s: "abc" } } }), "too_long v[0].value.s");
});

test("protobuf: cut at each byte: an error record with what there is", () => {
    const rnd = random(34), type = peer(PROTO, "acme.test.T");
    const body = Buffer.from(type.encode(type.create(given(message(rnd)))).finish()), whole = framed(body);
    const head = whole.length - body.length;
    const cuts = Array.from({ length: whole.length - 1 }, (_, i) => whole.subarray(0, i + 1));
    for (const [i, got] of runEach(IN, cuts).entries()) {
        const n = i + 1;
        assert.equal(got.code, 0);
        assert.deepEqual([got.stats.in, got.stats.errors, got.out.length], [1, 1, 0], `at ${n}`);
        assert.equal(got.errors[0].reason, "bad_record");
        assert.equal(got.errors[0].raw, whole.subarray(n < head ? 0 : head, n).toString("base64"));
    }
    runEverywhere(IN, whole.subarray(0, whole.length - 1));
    // the same within a frame: what is cut off in the middle of a field is no message
    const inside = Array.from(body, (_, n) => framed(body.subarray(0, n)));
    const bad = runEach(IN, inside).filter((got) => got.errors.some((e) => e.reason === "bad_record")).length;
    assert.ok(bad > body.length / 2, `${bad} of ${body.length}`);
});

test("protobuf: lengths of 4 GiB and of 64 bits, groups without end, numbers that are none", () => {
    const program = `pipeline p {\n  from stdin as protobuf { x: string(9), n: i32, xs: [i32; 3] } proto "hostile.proto" message X\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    file("hostile.proto", `syntax = "proto3"; message X { string x = 1; int32 n = 2; repeated int32 xs = 3; }`);
    const bombs = [[10, 255, 255, 255, 255, 15], [10, 255, 255, 255, 255, 255, 255, 255, 255, 127], [0x1a, 255, 255, 255, 255, 15], [0x7a, 255, 255, 255, 255, 15, 1],
        [0, 1], [7, 1], [6], [4], [0x0c], [0x4b, 8, 1], [0x4b, 0x54], Array(200).fill(0x4b), [...Array(70).fill(0x4b), ...Array(70).fill(0x4c)], [16], [16, ...Array(10).fill(128), 0],
        [0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0], [13, 1, 2, 3], [9, 1, 2, 3, 4, 5, 6, 7], [0x1a, 2, 1, 128], [0x45], [0x41, 1]];
    const got = runEverywhere(program, framed(...bombs, [10, 1, 0x61]));
    assert.deepEqual(got.errors.map((e) => e.reason), bombs.map(() => "bad_record"), JSON.stringify(got.errors.map((e) => e.raw)));
    assert.equal(got.out.toString(), '{"x":"a","n":0,"xs":[]}\n', "a broken message costs only itself");
    const deep = (n) => [...Array(n).fill(0x4b), ...Array(n).fill(0x4c)];
    assert.equal(runEverywhere(program, framed(deep(63))).errors.length, 0, "64 levels, the message is the first");
    assert.equal(runEverywhere(program, framed(deep(64))).errors[0].reason, "bad_record");
    const lots = [0x1a, 100, ...Array(100).fill(1)];
    assert.equal(runEverywhere(program, framed(lots)).errors[0].reason, "too_long");
});

test("protobuf: a length that cannot be one: what follows is not read, and it is said", () => {
    file("hostile.proto", `syntax = "proto3"; message X { int32 n = 2; }`);
    const program = `pipeline p {\n  from stdin as protobuf { n: i32 } proto "hostile.proto" message X\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const good = framed([16, 1]);
    for (const length of [Array(11).fill(0xff), [0xff, 0xff, 0xff, 0xff, 0x7f]]) {
        const got = runEverywhere(program, bytes(good, good, length, good));
        assert.equal(got.out.toString(), '{"n":1}\n{"n":1}\n');
        assert.equal(got.code, 2);
        assert.match(got.err, /standard input: the record at byte 6 is broken; what follows was not read/);
    }
    // an empty message is one
    const empty = runEverywhere(program, bytes([0, 0], good, [0]));
    assert.equal(empty.out.toString(), '{"n":0}\n{"n":0}\n{"n":1}\n{"n":0}\n');
});

test("protobuf: damaged bytes are read alike by every engine, and never as something else", () => {
    const rnd = random(35), type = peer(PROTO, "acme.test.T");
    const wire = Array.from({ length: 2000 }, () => {
        const body = Buffer.from(type.encode(type.create(given(message(rnd)))).finish());
        for (let i = 0; i < 1 + rnd(3); i++) body[rnd(body.length)] = rnd(256);
        return framed(rnd(4) ? body : body.subarray(0, rnd(body.length)));
    });
    const got = runEverywhere(IN, Buffer.concat(wire));
    assert.equal(got.stats.in, 2000);
    assert.ok(got.stats.errors > 500 && got.stats.emitted > 200, JSON.stringify(got.stats));
});

test("protobuf: files, records over the ends of what is read at once, nothing allocated per record", () => {
    file("big.proto", `syntax = "proto3"; message X { int32 n = 1; string s = 2; repeated int32 xs = 3; }`);
    const type = peer(`syntax = "proto3"; message X { int32 n = 1; string s = 2; repeated int32 xs = 3; }`, "X");
    const words = `proto "big.proto" message X`;
    const program = `pipeline p {\n  from file "${file("in.pb")}" as protobuf { n: i32, s: string(3000), xs: [i32; 4] } ${words}\n  into file "${file("out.pb")}" as protobuf ${words}\n  on error into file "$ERRORS"\n}\n`;
    const make = (count) => Buffer.concat(Array.from({ length: count }, (_, i) => framed(type.encode(type.create(i ? { n: i, s: "é".repeat(i % 1500), xs: [i, 2] } : { xs: [0] })).finish())));
    const allocations = [2000, 20000].map((count) => {
        // texts of no bytes are not written by us
        file("in.pb", make(count));
        const got = run(program, "");
        assert.equal(got.stats.emitted, count);
        return got.stats.allocations;
    });
    assert.ok(allocations[1] - allocations[0] < 40, `${allocations}`);
    runEverywhere(program, "");
    const once = read("out.pb");
    file("in.pb", once);
    run(program, "");
    assert.ok(read("out.pb").equals(once));
});

test("protobuf: a stream from one pipeline to another, and sinks of batch runs", () => {
    file("r.proto", `syntax = "proto3"; message R { int32 n = 1; string s = 2; }`);
    const words = `proto "r.proto" message R`;
    const program = `type R = { n: i32, s: string(20) }\npipeline a {\n  from stdin as json R\n  into stream mid as protobuf ${words}\n  on error drop\n}
pipeline b {\n  from stream mid as protobuf R ${words}\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const text = Array.from({ length: 700 }, (_, i) => `{"n":${i % 5},"s":"${i % 3 ? "\\n" : ""}"}\n`).join("");
    assert.equal(runEverywhere(program, text).out.toString(), text);
    const alone = runEverywhere(`pipeline a {\n  from stdin as json { n: i32, s: string(9) }\n  into mqtt "x" as protobuf ${words}\n  on error drop\n}\n`, '{"n":0,"s":""}\n{"n":1,"s":"a"}\n');
    assert.equal(alone.out.toString("hex"), "000508011201" + "61");
});

test("protobuf: replay of error records, and of a recording", () => {
    file("m.proto", `syntax = "proto3"; message M { int32 n = 1; }`);
    const program = `pipeline p {\n  from mqtt "m" as protobuf { n: i32 in 0..5 } proto "m.proto" message M\n  into file "${file("replayed.ndjson")}"\n  on error into file "$ERRORS"\n}\n`;
    const wire = framed(...[1, 9, 10].map((n) => [8, n]));
    const failed = run(program, wire).errors;
    assert.deepEqual(failed.map((e) => e.raw), [[8, 9], [8, 10]].map((b) => Buffer.from(b).toString("base64")));
    const wider = program.replace("0..5", "0..9");
    const errors = file("failed.ndjson", failed.map((e) => JSON.stringify(e) + "\n").join(""));
    const again = replay(wider, errors);
    assert.deepEqual([read("replayed.ndjson").toString(), again.errors.length], ["{\"n\":9}\n", 1]);
    const all = replay(wider, file("recorded.pb", wire));
    assert.deepEqual([read("replayed.ndjson").toString(), all.errors.length], ["{\"n\":1}\n{\"n\":9}\n", 1]);
});

test("protobuf: bench reads it, a change of the .proto file is a new program", () => {
    file("m.proto", `syntax = "proto3"; message M { int32 n = 1; }`);
    const data = file("bench.pb", Buffer.concat(Array.from({ length: 1000 }, (_, n) => framed(bytes([8], varint(n))))));
    const text = 'pipeline p {\n  from stdin as protobuf { n: i32 } proto "m.proto" message M\n  where n > 500\n  into stdout\n  on error drop\n}\n';
    const got = tutti(["bench", "--json", file("bench.tutti", text), data]);
    assert.equal(got.code, 0, got.err);
    assert.match(got.out.toString(), /"records":\s*\d*000\b/);
    const program = 'pipeline p {\n  from stdin as protobuf { n: i32 } proto "m.proto" message M\n  into stdout\n  on error drop\n}\n';
    assert.equal(runEverywhere(program, framed([8, 1, 16, 2])).out.toString(), '{"n":1}\n');
    file("m.proto", `syntax = "proto3"; message M { int32 n = 2; }`);
    assert.equal(runEverywhere(program, framed([8, 1, 16, 2])).out.toString(), '{"n":2}\n');
});
