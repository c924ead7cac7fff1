// tests/formats/msgpack.mjs: MessagePack against @msgpack/msgpack, and bytes from the specification.
import assert from "node:assert/strict";
import { decodeMulti, encode } from "@msgpack/msgpack";
import { TYPE, clean, file, lines, random, read, record, row, replay, run, runEach, runEachEverywhere, runEverywhere, shuffled, test, tutti } from "./lib.mjs";

const IN = `${TYPE}pipeline p {\n  from stdin as msgpack T\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
const OUT = `${TYPE}pipeline p {\n  from stdin as json T\n  into stdout as msgpack\n  on error into file "$ERRORS"\n}\n`;
const bytes = (...parts) => Buffer.concat(parts.map((p) => (Array.isArray(p) ? Buffer.from(p) : Buffer.from(p))));

/** One field of one type, a record a line of what comes out, or the reason. */
function one(type, ...values) {
    const program = `pipeline p {\n  from stdin as msgpack { x: ${type}, n: i32 }\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const all = runEachEverywhere(program, values.map((value) => bytes([0x82, 0xa1], "x", value, [0xa1], "n", [7])));
    return all.map((got) => (got.errors.length ? got.errors[0].reason : JSON.parse(got.out).x));
}

const MEASURES = [{ ignoreUndefined: true }, { ignoreUndefined: true, sortKeys: true }, { ignoreUndefined: true, forceFloat32: false, forceIntegerToFloat: true }];

test("msgpack: records of a peer, keys in any order, fields nobody knows", () => {
    const rnd = random(11);
    const records = Array.from({ length: 300 }, () => record(rnd));
    const wire = records.map((r, i) => {
        const extra = rnd(3) ? {} : { more: [1, { a: [null, "x"] }], zz: Buffer.alloc(300, 7) };
        const all = { ...clean(r), ...extra };
        // a decimal is text or a number, a whole number may come as a float
        if (all.price !== undefined && rnd(2)) all.price = String(all.price);
        const keys = rnd(2) ? shuffled(Object.keys(all), rnd) : Object.keys(all);
        return Buffer.from(encode(Object.fromEntries(keys.map((k) => [k, all[k]])), MEASURES[i % MEASURES.length]));
    });
    const got = runEverywhere(IN, Buffer.concat(wire));
    assert.deepEqual(got.errors, []);
    assert.deepEqual(lines(got.out), records.map(row));
    assert.equal(got.code, 0);
});

test("msgpack: a peer reads our rows", () => {
    const rnd = random(12);
    const records = Array.from({ length: 300 }, () => record(rnd));
    const got = runEverywhere(OUT, records.map((r) => row(r) .replace(/"ms":"([^"]*)"/, (_, t) => `"ms":${Date.parse(t)}`) + "\n").join(""));
    const back = [...decodeMulti(got.out)];
    assert.deepEqual(got.errors, []);
    assert.equal(back.length, records.length);
    back.forEach((b, i) => {
        assert.deepEqual(Object.keys(b), Object.keys(JSON.parse(row(records[i]))), "fields in the order of the type");
        if (b.price !== undefined) b.price = Number(b.price);
        b.ms = b.ms.getTime();
        if (b.in?.raw) b.in.raw = Buffer.from(b.in.raw);
        assert.equal(row(b), row(records[i]));
    });
});

test("msgpack: what it wrote it reads, and writes alike", () => {
    const rnd = random(13);
    const text = Array.from({ length: 100 }, () => row(record(rnd)).replace(/"ms":"([^"]*)"/, (_, t) => `"ms":${Date.parse(t)}`) + "\n").join("");
    const first = runEverywhere(OUT, text).out;
    const again = runEverywhere(IN.replace("into stdout", "into stdout as msgpack"), first);
    assert.ok(first.length > 1000 && first.equals(again.out));
});

// Every first byte the specification gives, by hand.
test("msgpack: whole numbers of every family", () => {
    assert.deepEqual(one("i64", [0x00], [0x7f], [0xe0], [0xff], [0xcc, 0xff], [0xcd, 0xff, 0xfe], [0xce, 0xff, 0xff, 0xff, 0xff],
        [0xcf, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xd0, 0x80], [0xd1, 0x80, 0x00], [0xd2, 0x80, 0, 0, 0],
        [0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 1], [0xd0, 0x7f], [0xd3, 0, 0, 0, 0, 0, 0, 0, 5]),
    [0, 127, -32, -1, 255, 65534, 4294967295, 9007199254740991, -128, -32768, -2147483648, -9007199254740991, 127, 5]);
    assert.deepEqual(one("i32", [0xce, 0x80, 0, 0, 0], [0xca, 0x40, 0x40, 0, 0], [0xcb, 0x40, 0x0c, 0, 0, 0, 0, 0, 0], [0xc0], [0xa1, 0x31], [0xc3]),
        ["range", 3, "bad_number", "missing_field", "bad_number", "bad_number"]);
    assert.deepEqual(one("u64", [0xff], [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff].slice(0, 9)), ["range", 18446744073709551615]);
});

test("msgpack: floats, NaN and infinities", () => {
    assert.deepEqual(one("f64", [0xca, 0x3f, 0xc0, 0, 0], [0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], [0xd0, 0xfe],
        [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1], [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    [1.5, 1.5, -2, 9007199254740992, -9223372036854775808]);
    const odd = [[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], [0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0], [0xca, 0xff, 0x80, 0, 0]];
    assert.deepEqual(one("f64", ...odd), ["bad_number", "range", "range"]);
    assert.deepEqual(one("f32", ...odd), ["bad_number", "range", "range"]);
    assert.deepEqual(one("i64", ...odd), ["bad_number", "range", "range"]);
    assert.deepEqual(one("time(ms)", ...odd), ["bad_time", "bad_time", "bad_time"]);
    assert.deepEqual(one("f32", [0xcb, 0x7e, 0x37, 0xe4, 0x3c, 0x88, 0x00, 0x75, 0x9c]), ["range"]);
});

test("msgpack: text, bytes and extensions", () => {
    assert.deepEqual(one("string(5)", [0xa0], bytes([0xa2], "ab"), bytes([0xd9, 2], "ab"), bytes([0xda, 0, 2], "ab"), bytes([0xdb, 0, 0, 0, 2], "ab"),
        bytes([0xa6], "abcdef"), [0xa1, 0xff], [0xc4, 1, 0x61], [0x01]),
    ["", "ab", "ab", "ab", "ab", "too_long", "bad_value", "bad_value", "bad_value"]);
    assert.deepEqual(one("bytes(3)", [0xc4, 0], [0xc4, 2, 0, 255], [0xc5, 0, 1, 7], [0xc6, 0, 0, 0, 1, 7], [0xc4, 4, 1, 2, 3, 4], [0xa1, 0x61]),
        ["", "AP8=", "Bw==", "Bw==", "too_long", "bad_value"]);
    assert.deepEqual(one("i32", [0xd4, 1, 2], [0xd8, 5, ...Array(16).fill(1)], [0xc7, 3, 9, 1, 2, 3], [0xc8, 0, 1, 9, 1], [0xc9, 0, 0, 0, 1, 9, 1]),
        Array(5).fill("bad_number"));
});

test("msgpack: times", () => {
    assert.deepEqual(one("time", [0xd6, 0xff, 0, 0, 0, 1], [0xd6, 0xff, 0xff, 0xff, 0xff, 0xff],
        // 64 bits: 999,999,999 ns << 34 | 2^33 s
        [0xd7, 0xff, 0xee, 0x6b, 0x27, 0xfe, 0, 0, 0, 0],
        [0xc7, 12, 0xff, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], bytes([0xb4], "2023-11-14T22:13:20Z")),
    ["1970-01-01T00:00:01Z", "2106-02-07T06:28:15Z", "2242-03-16T12:56:32.999999999Z", "1969-12-31T23:59:59.000000001Z", "2023-11-14T22:13:20Z"]);
    assert.deepEqual(one("time", [0xd7, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], // 1,073,741,823 ns
        [0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xd4, 0xff, 0], [0x05], bytes([0xa1], "x")),
    Array(5).fill("bad_time"));
    assert.deepEqual(one("time(ms)", [0xcd, 0x03, 0xe9], [0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], [0xd6, 0xff, 0, 0, 0, 1], bytes([0xb4], "2023-11-14T22:13:20Z")),
        ["1970-01-01T00:00:01.001Z", "1970-01-01T00:00:00.001500Z", "1970-01-01T00:00:01Z", "bad_time"]);
});

test("msgpack: decimals are exact", () => {
    assert.deepEqual(one("decimal(2)", [5], bytes([0xa5], "12.34"), [0xcb, 0x40, 0x28, 0xae, 0x14, 0x7a, 0xe1, 0x47, 0xae], bytes([0xa5], "1.234"), bytes([0xa1], "x"),
        [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    [5, 12.34, 12.34, "bad_number", "bad_number", "range"]);
});

// The shortest form of each, as the specification draws them.
test("msgpack: the bytes of rows", () => {
    const program = `pipeline p {\n  from stdin as json { n: i64, u: u64?, s: string(70000)?, b: bytes(300)?, xs: [i32; 20]?, f: f32?, d: f64?, t: time?, y: bool?, w: decimal(1)?, l: duration? }
  into stdout as msgpack\n  on error into file "$ERRORS"\n}\n`;
    const cases = [];
    const numbers = { 0: "00", 127: "7f", 128: "cc80", 255: "ccff", 256: "cd0100", 65535: "cdffff", 65536: "ce00010000", 4294967295: "ceffffffff",
        4294967296: "cf0000000100000000", "-1": "ff", "-32": "e0", "-33": "d0df", "-128": "d080", "-129": "d1ff7f", "-32768": "d18000", "-32769": "d2ffff7fff",
        "-2147483648": "d280000000", "-2147483649": "d3ffffffff7fffffff", "-9223372036854775808": "d38000000000000000" };
    for (const [n, hex] of Object.entries(numbers)) cases.push([`{"n":${n}}\n`, `81a16e${hex}`]);
    const and = (json, hex) => cases.push([`{"n":0,${json}}\n`, `82a16e00${hex}`]);
    and(`"u":18446744073709551615`, "a175cfffffffffffffffff");
    and(`"s":"${"a".repeat(31)}"`, `a173bf${"61".repeat(31)}`);
    and(`"s":"${"a".repeat(32)}"`, `a173d920${"61".repeat(32)}`);
    and(`"s":"${"a".repeat(256)}"`, `a173da0100${"61".repeat(256)}`);
    and(`"s":"${"a".repeat(65536)}"`, `a173db00010000${"61".repeat(65536)}`);
    and(`"b":"AP8="`, "a162c40200ff");
    and(`"xs":[${Array(15).fill(1)}]`, `a278739f${"01".repeat(15)}`);
    and(`"xs":[${Array(16).fill(1)}]`, `a27873dc0010${"01".repeat(16)}`);
    and(`"f":1.5`, "a166ca3fc00000");
    and(`"d":1`, "a164cb3ff0000000000000");
    and(`"t":"1970-01-01T00:00:01Z"`, "a174d6ff00000001");
    and(`"t":"1970-01-01T00:00:01.000000001Z"`, "a174d7ff0000000400000001");
    and(`"t":"1969-12-31T23:59:59Z"`, "a174c70cff00000000ffffffffffffffff");
    and(`"y":true`, "a179c3");
    and(`"w":2.5`, "a177a3322e35");
    and(`"l":"1m30s"`, "a16ca531" + "6d333073");
    const all = runEachEverywhere(program, cases.map(([json]) => json));
    cases.forEach(([json, hex], i) => assert.equal(all[i].out.toString("hex"), hex, json));
});

test("msgpack: `unknown`, duplicate keys, keys that are no text, `check`", () => {
    const program = (words) => `pipeline p {\n  from stdin as msgpack { a: i32, b: string(3)? } ${words}\n  keep a\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const of = (words, wire) => {
        const got = runEverywhere(program(words), Buffer.from(wire));
        return got.errors.length ? `${got.errors[0].reason} ${got.errors[0].field ?? ""}` : got.out.toString().trim();
    };
    const twice = [0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2], number = [0x82, 0xa1, 0x61, 1, 5, 6], more = [0x82, 0xa1, 0x63, 0x90, 0xa1, 0x61, 1];
    assert.equal(of("", twice), `{"a":1}`);
    assert.equal(of("", number), `{"a":1}`);
    assert.equal(of("", more), `{"a":1}`);
    assert.equal(of("unknown reject", number), "unknown_key ");
    assert.equal(of("unknown reject", more), "unknown_key ");
    assert.equal(of("unknown reject", twice), `{"a":1}`);
    const wrong = [0x82, 0xa1, 0x61, 1, 0xa1, 0x62, 7];
    assert.equal(of("", wrong), `{"a":1}`, "b is not needed");
    assert.equal(of("check strict", wrong), "bad_value b");
    // broken behind the last field that is needed
    const torn = [0x82, 0xa1, 0x61, 1, 0xa1, 0x62, 0xc1];
    assert.equal(of("", torn), "bad_record ");
    assert.equal(of("check lazy", torn), `{"a":1}`);
    assert.equal(of("", [0x91, 0x01]), "bad_record ", "no map");
});

test("msgpack: the first wrong field of the type, and where in a list", () => {
    const program = `pipeline p {\n  from stdin as msgpack { a: i32, xs: [{ q: f64, n: [i32; 3] }; 3], z: i32 }\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const of = (value) => {
        const { reason, field } = runEverywhere(program, Buffer.from(encode(value))).errors[0];
        return `${reason} ${field}`;
    };
    assert.equal(of({ z: "x", a: "x", xs: [] }), "bad_number a");
    assert.equal(of({ a: 1, z: 1, xs: [{ q: 1, n: [1] }, { q: 2, n: [1, "x"] }] }), "bad_number xs[1].n[1]");
    assert.equal(of({ a: 1, z: 1, xs: [{ q: 1, n: [] }, 5] }), "bad_value xs[1]");
    assert.equal(of({ a: 1, z: 1, xs: [{ q: 1, n: [1, 2, 3, 4] }] }), "too_long xs[0].n");
    assert.equal(of({ a: 1, z: 1, xs: [{ n: [] }] }), "missing_field xs[0].q");
    assert.equal(of({ a: 1, xs: [] }), "missing_field z");
});

test("msgpack: cut at each byte: an error record with what there is", () => {
    const rnd = random(14);
    const whole = Buffer.from(encode(clean(record(rnd))));
    const cuts = Array.from({ length: whole.length - 1 }, (_, i) => whole.subarray(0, i + 1));
    for (const [i, got] of runEach(IN, cuts).entries()) {
        const n = i + 1;
        assert.equal(got.code, 0);
        assert.deepEqual([got.stats.in, got.stats.errors, got.out.length], [1, 1, 0], `at ${n}`);
        assert.equal(got.errors[0].reason, "bad_record");
        assert.equal(got.errors[0].raw, whole.subarray(0, n).toString("base64"));
    }
    runEverywhere(IN, whole.subarray(0, whole.length - 1));
});

test("msgpack: lengths of 4 GiB, deep nesting", () => {
    const bombs = [[0x81, 0xa1, 0x78, 0xdb, 255, 255, 255, 255], [0x81, 0xa1, 0x78, 0xc6, 255, 255, 255, 255], [0xdf, 255, 255, 255, 255],
        [0x81, 0xa1, 0x78, 0xdd, 255, 255, 255, 255], [0x81, 0xdb, 255, 255, 255, 255], [0x81, 0xa1, 0x78, 0xc9, 255, 255, 255, 255, 1]];
    for (const bomb of bombs) {
        const got = runEverywhere(IN, Buffer.from(bomb));
        assert.deepEqual([got.stats.in, got.stats.errors, got.errors[0].reason], [1, 1, "bad_record"]);
    }
    const deep = (n) => bytes([0x82, 0xa1], "n", [7, 0xa1], "x", Buffer.alloc(n, 0x91), [1]);
    const program = `pipeline p {\n  from stdin as msgpack { n: i32 }\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    assert.equal(runEverywhere(program, deep(63)).out.toString(), "{\"n\":7}\n", "64 levels, the record is the first");
    assert.equal(runEverywhere(program, deep(64)).errors[0].reason, "bad_record");
    assert.equal(runEverywhere(program, deep(1 << 20)).errors[0].reason, "bad_record");
});

test("msgpack: behind a broken record nothing is read, and it is said", () => {
    const good = Buffer.from(encode({ n: 1 }));
    const program = `pipeline p {\n  from stdin as msgpack { n: i32 }\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const got = runEverywhere(program, bytes(good, good, [0x81, 0xa1, 0x6e, 0xc1], good));
    assert.equal(got.out.toString(), "{\"n\":1}\n{\"n\":1}\n");
    assert.equal(got.code, 2);
    assert.match(got.err, /standard input: the record at byte 8 is broken; what follows was not read/);
    assert.deepEqual([got.stats.in, got.stats.errors], [3, 1]);
    // one that is whole but no record of the type costs only itself
    const odd = runEverywhere(program, bytes(good, [5], [0x93, 1, 2, 3], good));
    assert.equal(odd.out.toString(), "{\"n\":1}\n{\"n\":1}\n");
    assert.deepEqual(odd.errors.map((e) => e.reason), ["bad_record", "bad_record"]);
    assert.equal(odd.code, 0);
});

test("msgpack: files, records over the ends of what is read at once, nothing allocated per record", () => {
    const program = `pipeline p {\n  from file "${file("in.mp")}" as msgpack { n: i32, s: string(3000), xs: [i32; 4] }\n  into file "${file("out.mp")}" as msgpack\n  on error into file "$ERRORS"\n}\n`;
    const make = (count) => Buffer.concat(Array.from({ length: count }, (_, i) => Buffer.from(encode({ n: i, s: "é".repeat(i % 1500), xs: [i, 2] }))));
    const allocations = [2000, 20000].map((count) => {
        file("in.mp", make(count));
        const got = run(program, "");
        assert.equal(got.stats.emitted, count);
        assert.ok(read("out.mp").equals(read("in.mp")));
        return got.stats.allocations;
    });
    assert.ok(allocations[1] - allocations[0] < 40, `${allocations}`);
    runEverywhere(program, "");
});

test("msgpack: a stream from one pipeline to another", () => {
    const program = `type R = { n: i32, s: string(20) }\npipeline a {\n  from stdin as json R\n  into stream mid as msgpack\n  on error drop\n}
pipeline b {\n  from stream mid as msgpack R\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const text = Array.from({ length: 700 }, (_, i) => `{"n":${i},"s":"${i % 3 ? "\\n" : "x"}"}\n`).join("");
    const got = runEverywhere(program, text);
    assert.equal(got.out.toString(), text);
});

test("msgpack: the same record in json fails alike", () => {
    const rnd = random(15);
    const wrong = [null, true, "x", "", -1, 0, 1.5, 1e300, 4294967296, [], [1, "x"], [null], {}, { a: "x" }, { q: 1 }, "2023-11-14T22:13:20Z", "RUN", "1m", "x".repeat(50)];
    // text is a decimal in msgpack and none in json, and json has no bytes
    const type = TYPE.replace(", price: decimal(2)?", "").replace("raw: bytes(40)?", "raw: i32?");
    const records = Array.from({ length: 500 }, () => {
        const r = clean(record(rnd));
        delete r.price;
        delete r.in?.raw;
        if (r.stamp) r.stamp = r.stamp.toISOString();
        for (let i = 0; i < 1 + rnd(2); i++) {
            const key = Object.keys(r)[rnd(Object.keys(r).length)];
            if (rnd(4)) r[key] = wrong[rnd(wrong.length)];
            else delete r[key];
        }
        return r;
    });
    for (const words of ["", "check strict", "check strict unknown reject"]) {
        const program = (format) => `${type}pipeline p {\n  from stdin as ${format} T ${words}\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
        const json = run(program("json"), records.map((r) => JSON.stringify(r) + "\n").join(""));
        const packed = runEverywhere(program("msgpack"), Buffer.concat(records.map((r) => Buffer.from(encode(r)))));
        const told = (got) => got.errors.map(({ reason, field }) => `${reason} ${field}`);
        assert.deepEqual(told(packed), told(json));
        assert.equal(packed.out.toString(), json.out.toString());
        assert.ok(json.errors.length > 200 && json.stats.emitted > 20, `${json.errors.length} ${json.stats.emitted}`);
    }
});

test("msgpack: replay of error records, and of a recording", () => {
    const program = `pipeline p {\n  from mqtt "m" as msgpack { n: i32 in 0..5 }\n  into file "${file("replayed.ndjson")}"\n  on error into file "$ERRORS"\n}\n`;
    const wire = Buffer.concat([1, 9, 10].map((n) => Buffer.from(encode({ n }))));
    const failed = run(program, wire).errors;
    assert.deepEqual(failed.map((e) => e.raw), [[0x81, 0xa1, 0x6e, 9], [0x81, 0xa1, 0x6e, 10]].map((b) => Buffer.from(b).toString("base64")));
    const wider = program.replace("0..5", "0..9");
    const errors = file("failed.ndjson", failed.map((e) => JSON.stringify(e) + "\n").join(""));
    const again = replay(wider, errors);
    assert.deepEqual([read("replayed.ndjson").toString(), again.errors.length], ["{\"n\":9}\n", 1]);
    const all = replay(wider, file("recorded.mp", wire));
    assert.deepEqual([read("replayed.ndjson").toString(), all.errors.length], ["{\"n\":1}\n{\"n\":9}\n", 1]);
});

test("msgpack: bench reads it", () => {
    const data = file("bench.mp", Buffer.concat(Array.from({ length: 1000 }, (_, n) => Buffer.from(encode({ n })))));
    const program = file("bench.tutti", "pipeline p {\n  from stdin as msgpack { n: i32 }\n  where n > 500\n  into stdout\n  on error drop\n}\n");
    const got = tutti(["bench", "--json", program, data]);
    assert.equal(got.code, 0, got.err);
    assert.match(got.out.toString(), /"records":\s*\d*000\b/);
});
