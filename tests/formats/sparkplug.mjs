// tests/formats/sparkplug.mjs: payloads of Sparkplug B against sparkplug-payload, and bytes by hand.
import assert from "node:assert/strict";
import sparkplug from "sparkplug-payload";
import { file, lines, runEach, runEverywhere, test, tutti } from "./lib.mjs";

const peer = sparkplug.get("spBv1.0");
const TYPE = `type Metric = { name: string(64)?, alias: u64?, timestamp: time(ms)?, datatype: u32?, is_historical: bool?, is_null: bool?,
  value: f64?, string_value: string(64)?, bytes_value: bytes(16)? }
type Payload = { timestamp: time(ms), metrics: [Metric; 32], seq: u64? }
`;
const IN = `${TYPE}pipeline p {\n  from stdin as sparkplug Payload\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
const varint = (n) => (n < 128 ? [n] : [(n % 128) | 128, ...varint(Math.floor(n / 128))]);
const framed = (...messages) => Buffer.concat(messages.flatMap((m) => [Buffer.from(varint(m.length)), Buffer.from(m)]));
const metrics = (got) => lines(got.out).flatMap((line) => JSON.parse(line).metrics);

/** The value of one metric that is these bytes behind its name: what comes out, or the reason. */
function one(type, ...parts) {
    const metric = parts.flat();
    const alone = IN.replace(", string_value: string(64)?, bytes_value: bytes(16)?", ""); // a member has one field
    const got = runEverywhere(alone.replace("value: f64?", `value: ${type}`), framed([8, 5, 0x12, ...varint(metric.length), ...metric]));
    return got.errors.length ? `${got.errors[0].reason} ${got.errors[0].field}` : metrics(got)[0].value;
}
const typed = (n) => [0x20, n], int = (...v) => [0x50, ...v], long = (...v) => [0x58, ...v];

test("sparkplug: a birth of the peer", () => {
    const ts = 1700000000123;
    const list = [
        ["Int8", -5, -5], ["Int16", -300, -300], ["Int32", -70000, -70000], ["Int64", -5000000000, -5000000000], ["Int8", 127, 127], ["Int32", 5, 5],
        ["UInt8", 200, 200], ["UInt16", 65535, 65535], ["UInt32", 4294967295, 4294967295], ["UInt64", 5000000000, 5000000000],
        ["Float", 1.5, 1.5], ["Double", -71.25, -71.25], ["Boolean", true, 1], ["Boolean", false, 0], ["DateTime", ts, ts],
    ];
    const birth = {
        timestamp: ts, seq: 0,
        metrics: [...list.map(([type, value], i) => ({ name: `m${i}`, alias: i, timestamp: ts + i, type, value })),
            { name: "s", type: "String", value: "Grüße" }, { name: "u", type: "UUID", value: "a-b" }, { name: "b", type: "Bytes", value: Buffer.from([1, 2, 255]) },
            { name: "n", type: "Double", value: null }, { name: "h", type: "Int32", value: -1, isHistorical: true },
            { name: "d", type: "DataSet", value: { numOfColumns: 1, types: ["Int32"], columns: ["c"], rows: [[7]] } }],
    };
    const got = runEverywhere(IN, framed(peer.encodePayload(birth)));
    assert.deepEqual(got.errors, []);
    const all = metrics(got);
    assert.equal(all.length, birth.metrics.length);
    list.forEach(([type, , want], i) => assert.deepEqual([all[i].name, all[i].alias, all[i].value], [`m${i}`, i, want], type));
    const by = Object.fromEntries(all.map((m) => [m.name, m]));
    assert.equal(by.m0.timestamp, new Date(ts).toISOString());
    assert.deepEqual([by.s.string_value, by.s.value], ["Grüße", undefined]);
    assert.equal(by.u.string_value, "a-b");
    assert.equal(by.b.bytes_value, "AQL/");
    assert.deepEqual([by.n.is_null, by.n.value, by.n.datatype], [true, undefined, 10]);
    assert.deepEqual([by.h.is_historical, by.h.value], [true, -1]);
    assert.equal(by.d.value, undefined);
    assert.equal(by.d.datatype, 16);
});

test("sparkplug: the sign is the data type's, in as many bits or more, before the value or behind it", () => {
    assert.equal(one("f64?", typed(1), int(0xfb, 1)), -5); // 8 bits
    assert.equal(one("f64?", int(0xfb, 1), typed(1)), -5);
    assert.equal(one("i64?", typed(1), int(0xfb, 0xff, 0xff, 0xff, 0x0f)), -5); // 32 bits
    assert.equal(one("i32?", typed(2), int(0xff, 0xff, 3)), -1);
    assert.equal(one("i32?", typed(3), int(0xff, 0xff, 0xff, 0xff, 0x0f)), -1);
    assert.equal(one("i32?", typed(3), int(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)), -1); // 64 bits
    assert.equal(one("i64?", typed(4), long(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)), -1);
    assert.equal(one("u64?", typed(5), int(0xfb, 0xff, 0xff, 0xff, 0x0f)), 0xfb);
    assert.equal(one("u32?", typed(7), long(0xff, 0xff, 0xff, 0xff, 0x0f)), 4294967295);
    assert.equal(one("f64?", int(0xff, 0xff, 0xff, 0xff, 0x0f)), 4294967295); // no data type: as it stands
    assert.equal(one("i32?", typed(8), long(0xff, 0xff, 0xff, 0xff, 0x0f)), "range metrics[0].value");
    assert.equal(one("u32?", typed(1), int(0xfb, 1)), "range metrics[0].value");
});

test("sparkplug: what a value may be", () => {
    assert.equal(one("bool?", typed(11), [0x70, 1]), true);
    assert.equal(one("bool?", typed(3), int(1)), undefined); // a number is no truth: it is not there
    assert.equal(one("i32?", typed(11), [0x70, 1]), 1);
    assert.equal(one("string(8)?", typed(12), [0x7a, 2, 0x68, 0x69]), "hi");
    assert.equal(one("enum { A, B }?", typed(12), [0x7a, 1, 0x42]), "B");
    assert.equal(one("bytes(4)?", typed(17), [0x82, 1, 2, 1, 2]), "AQI=");
    assert.equal(one("time(ms)?", typed(13), long(0x80, 0x80, 1)), new Date(16384).toISOString().replace(".000Z", "Z"));
    assert.equal(one("f64", typed(10)), "missing_field metrics[0].value");
    assert.equal(one("f64 in 0..10?", typed(3), int(11)), "range metrics[0].value");
    assert.equal(one("f64?", int(7), [0x7a, 1, 0x42]), undefined); // the last member of the oneof counts
    assert.equal(one("f64?", [0x7a, 1, 0x42], int(7)), 7);
    assert.equal(one("f64?", int(7), [0x71, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]), 7); // 14 with 64 bits: nobody's
    assert.equal(one("f64?", int(7), [0x69, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]), 1);
});

test("sparkplug: properties, metadata, data sets and templates", () => {
    const program = `pipeline p {
  from stdin as sparkplug { metrics: [{ name: string(8), value: i64?,
    metadata: { description: string(32)?, size: u64? }?,
    properties: { keys: [string(16); 4], values: [{ type: u32, value: i32?, string_value: string(8)? }; 4] }?,
    dataset_value: { columns: [string(8); 4], types: [u32; 4], rows: [{ elements: [{ long_value: u64?, double_value: f64? }; 4] }; 4] }?,
    template_value: { template_ref: string(8)?, is_definition: bool?, metrics: [{ name: string(8), value: f64? }; 4],
      parameters: [{ name: string(8), type: u32, value: i32? }; 4] }? }; 8] }
  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const bytes = peer.encodePayload({ timestamp: 1, metrics: [
        { name: "a", type: "Int16", value: -2, metadata: { description: "how hot", size: 3 },
            properties: { engUnit: { type: "String", value: "degC" }, Quality: { type: "Int32", value: 192 }, low: { type: "Int8", value: -3 } } },
        { name: "d", type: "DataSet", value: { numOfColumns: 2, types: ["UInt64", "Double"], columns: ["x", "y"], rows: [[1, 1.5], [2, 2.5]] } },
        { name: "t", type: "Template", value: { templateRef: "Motor", isDefinition: false, metrics: [{ name: "rpm", type: "Int32", value: -9 }],
            parameters: [{ name: "p", type: "Int32", value: -4 }] } },
    ] });
    const got = runEverywhere(program, framed(bytes));
    assert.deepEqual(got.errors, []);
    assert.deepEqual(metrics(got), [
        { name: "a", value: -2, metadata: { description: "how hot", size: 3 },
            properties: { keys: ["engUnit", "Quality", "low"], values: [{ type: 12, string_value: "degC" }, { type: 3, value: 192 }, { type: 1, value: -3 }] } },
        { name: "d", dataset_value: { columns: ["x", "y"], types: [8, 10], rows: [{ elements: [{ long_value: 1 }, { double_value: 1.5 }] }, { elements: [{ long_value: 2 }, { double_value: 2.5 }] }] } },
        { name: "t", template_value: { template_ref: "Motor", is_definition: false, metrics: [{ name: "rpm", value: -9 }], parameters: [{ name: "p", type: 3, value: -4 }] } },
    ]);
});

test("sparkplug: what is cut off, is no payload, or has too many metrics", () => {
    const whole = peer.encodePayload({ timestamp: 5, seq: 1, metrics: [{ name: "a", type: "Int32", value: -1 }] });
    const cuts = Array.from(whole, (_, n) => framed(whole.subarray(0, n)));
    runEach(IN, cuts).forEach((got, n) => assert.ok(got.errors.length === 1 || lines(got.out).length === 1, String(n)));
    assert.equal(runEverywhere(IN, framed([0xff, 0xff])).errors[0].reason, "bad_record");
    assert.equal(runEverywhere(IN, framed([0x18, 1])).errors[0].reason, "missing_field");
    const many = peer.encodePayload({ timestamp: 5, metrics: Array.from({ length: 33 }, (_, i) => ({ name: `m${i}`, type: "Int32", value: i })) });
    assert.equal(runEverywhere(IN, framed(many)).errors[0].reason, "too_long");
});

/** As text; the peer leaves an Int64 without its sign. */
const plain = (type, value) => type === "i64" ? String(BigInt.asIntN(64, BigInt(String(value)))) : String(Buffer.isBuffer(value) ? [...value] : value);

test("sparkplug: the peer reads our rows", () => {
    const program = `type M = { name: string(8)?, timestamp: time, value: $T? }
pipeline p {\n  from stdin as json { timestamp: time, metrics: [M; 4], seq: u64 }\n  into stdout as sparkplug\n  on error into file "$ERRORS"\n}\n`;
    const values = [["bool", true, "Boolean", true], ["i32", -5, "Int32", -5], ["i64", -5, "Int64", "-5"], ["u64", 7, "UInt64", "7"], ["f32", 1.5, "Float", 1.5],
        ["f64", -1.25, "Double", -1.25], ["string(8)", "hi", "String", "hi"], ["enum { A, B }", "B", "String", "B"], ["bytes(4)", "AQI=", "Bytes", "1,2"]];
    for (const [type, json, name, want] of values) {
        const input = { timestamp: "2026-11-23T10:00:00.001Z", metrics: [{ name: "a", timestamp: "2026-11-23T10:00:00Z", value: json }, { name: "b", timestamp: "1970-01-01T00:00:00Z" }], seq: 3 };
        const got = runEverywhere(program.replace("$T", type), `${JSON.stringify(input)}\n`);
        assert.deepEqual(got.errors, [], type);
        assert.equal(got.out[0], got.out.length - 1);
        const back = peer.decodePayload(got.out.subarray(1)), [a, b] = back.metrics;
        assert.equal(Number(back.timestamp), Date.parse(input.timestamp));
        assert.equal(Number(back.seq), 3);
        assert.deepEqual([a.name, a.type, Number(a.timestamp), typeof want === "string" ? plain(type, a.value) : a.value],
            ["a", name, Date.parse("2026-11-23T10:00:00Z"), want], type);
        assert.deepEqual([b.type, b.isNull ?? b.value === null], [name, true], type);
        const again = runEverywhere(`type M = { name: string(8)?, timestamp: time(ms), value: ${type.replace("time", "time(ms)")}? }
pipeline p {\n  from stdin as sparkplug { timestamp: time(ms), metrics: [M; 4], seq: u64 }\n  into stdout\n  on error into file "$ERRORS"\n}\n`, got.out);
        assert.deepEqual(JSON.parse(again.out), input, type);
    }
});

test("sparkplug: tests give payloads as JSON, and what does not fit is said", () => {
    const program = `type P = { timestamp: time(ms), metrics: [{ name: string(8), value: f64?, n: i32? }; 4] }
pipeline p {
  from mqtt "spBv1.0/+/DDATA/#" as sparkplug P
  each metrics
  into stdout
  on error drop
}
test p "values" {
  in { timestamp: 1970-01-01T00:00:05Z, metrics: [{ name: "a", value: -1.5 }, { name: "b" }] }
  expect stdout { name: "a", value: -1.5 }
  expect stdout { name: "b" }
  expect nothing else
}
`;
    const path = file("tested.tutti", program);
    const tested = tutti(["test", path]);
    assert.equal(tested.code, 0, tested.err + tested.out);
    const whole = file("whole.tutti", program.replace("value: f64?", "value: i64?").replaceAll("-1.5", "-15"));
    assert.equal(tutti(["test", whole]).code, 0);
    const wrong = (type) => {
        const got = tutti(["check", file("wrong.tutti", `pipeline p {\n  from stdin as sparkplug ${type}\n  into stdout\n  on error drop\n}\n`)]);
        return `${got.code} ${/error\[(\w+)\]/.exec(got.err)?.[1]}`;
    };
    assert.equal(wrong("{ metrics: [{ name: string(8) }; 2] }"), "0 undefined");
    assert.equal(wrong("{ metric: [{ name: string(8) }; 2] }"), "1 S038");
    assert.equal(wrong("{ value: f64 }"), "1 S038"); // a payload has none
    assert.equal(wrong("{ metrics: [{ value: time }; 2] }"), "1 S039");
    assert.equal(wrong("{ metrics: [{ value: { a: i32 } }; 2] }"), "1 S039");
    assert.equal(wrong("{ metrics: [{ value: f64, int_value: u32 }; 2] }"), "1 S039");
    assert.equal(wrong("{ metrics: [{ int_value: u32, value: f64 }; 2] }"), "1 S039");
    assert.equal(wrong("{ seq: u64 } proto \"x.proto\""), "1 S010");
});
