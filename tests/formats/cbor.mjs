// tests/formats/cbor.mjs: CBOR against the package cbor, and the examples of RFC 8949.
import assert from "node:assert/strict";
import cbor from "cbor";
import { TYPE, clean, lines, random, record, row, run, runEach, runEverywhere, shuffled, test } from "./lib.mjs";

const IN = `${TYPE}pipeline p {\n  from stdin as cbor T\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
const OUT = `${TYPE}pipeline p {\n  from stdin as json T\n  into stdout as cbor\n  on error into file "$ERRORS"\n}\n`;
const ONLY = `pipeline p {\n  from stdin as cbor { n: i32 }\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
const hex = (text) => Buffer.from(text.replaceAll(" ", ""), "hex");
const encode = (value) => cbor.encodeOne(value, { highWaterMark: 1 << 20 });
/** { x: example, n: 7 } */
const around = (example) => Buffer.concat([hex("a2 61 78"), hex(example), hex("61 6e 07")]);

/** One field of one type: what comes out of each example, or the reason. */
function one(type, ...examples) {
    const program = `pipeline p {\n  from stdin as cbor { x: ${type}, n: i32 }\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const got = runEverywhere(program, Buffer.concat(examples.map(around)));
    assert.equal(got.stats.in, examples.length, "each is one record");
    const rows = lines(got.out), errors = [...got.errors];
    const failed = new Map(errors.map((e) => [e.raw, e.reason]));
    return examples.map((e) => failed.get(around(e).toString("base64")) ?? JSON.parse(rows.shift()).x);
}

// RFC 8949, appendix A, in its order.
const APPENDIX_A = `00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000 1bffffffffffffffff
c249010000000000000000 3bffffffffffffffff c349010000000000000000 20 29 3863 3903e7 f90000 f98000 f93c00 fb3ff199999999999a
f93e00 f97bff fa47c35000 fa7f7fffff fb7e37e43c8800759c f90001 f90400 f9c400 fbc010666666666666 f97c00 f97e00 f9fc00 fa7f800000
fa7fc00000 faff800000 fb7ff0000000000000 fb7ff8000000000000 fbfff0000000000000 f4 f5 f6 f7 f0 f8ff
c074323031332d30332d32315432303a30343a30305a c11a514b67b0 c1fb41d452d9ec200000 d74401020304 d818456449455446
d82076687474703a2f2f7777772e6578616d706c652e636f6d 40 4401020304 60 6161 6449455446 62225c 62c3bc 63e6b0b4 64f0908591 80
83010203 8301820203820405 98190102030405060708090a0b0c0d0e0f101112131415161718181819 a0 a201020304 a26161016162820203
826161a161626163 a56161614161626142616361436164614461656145 5f42010243030405ff 7f657374726561646d696e67ff 9fff
9f018202039f0405ffff 9f01820203820405ff 83018202039f0405ff 83019f0203ff820405
9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff bf61610161629f0203ffff 826161bf61626163ff bf6346756ef563416d7421ff`.split(/\s+/);

// RFC 8949, appendix F, and what appendix C forbids.
const NOT_WELL_FORMED = `18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 98 9a01ff00 b8 d8 f8 f900 fa0000 fb000000 41 61 5affffffff00 5bffffffffffffffff010203
7affffffff00 7b7fffffffffffffff010203 81 818181818181818181 8200 a1 a20102 a100 a2000000 c0 5f4100 7f6100 9f 9f0102 bf bf01020102 819f 9f8000 9f9f9f9f9fffffffff
9f819f819f9fffffff 1c 1d 1e 3c 3d 3e 5c 5d 5e 7c 7d 7e 9c 9d 9e bc bd be dc dd de fc fd fe f800 f801 f818 f81f
5f00ff 5f21ff 5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff 5f5f4100ffff 7f7f6100ffff ff 81ff 8200ff a1ff a1ff00 a100ff a20000ff 9f81ff
9f829f819f9fffffffff bf00ff bf000000ff 1f 3f df 5bffffffffffffffff bbffffffffffffffff 9bffffffffffffffff`.split(/\s+/);

test("cbor: records of a peer, keys in any order, fields nobody knows", () => {
    const rnd = random(21);
    const records = Array.from({ length: 300 }, () => record(rnd));
    const wire = records.map((r) => {
        const all = { ...clean(r), ...(rnd(3) ? {} : { more: [1, { a: [null, undefined, "x"] }, new Set([1]), 12345678901234567890n], zz: Buffer.alloc(300, 7) }) };
        if (all.price !== undefined && rnd(2)) all.price = new cbor.Tagged(4, [-1, all.price * 10 % 1 ? Math.round(all.price * 100) : all.price * 10]);
        if (all.price?.value && all.price.value[1] > 9000) all.price.value[0] = -2;
        const keys = rnd(2) ? shuffled(Object.keys(all), rnd) : Object.keys(all);
        return encode(Object.fromEntries(keys.map((k) => [k, all[k]])));
    });
    const got = runEverywhere(IN, Buffer.concat(wire));
    assert.deepEqual(got.errors, []);
    assert.deepEqual(lines(got.out), records.map(row));
});

test("cbor: a peer reads our rows", () => {
    const rnd = random(22);
    const records = Array.from({ length: 300 }, () => record(rnd));
    const asJson = (r) => row(r).replace(/"ms":"([^"]*)"/, (_, t) => `"ms":${Date.parse(t)}`) + "\n";
    const got = runEverywhere(OUT, records.map(asJson).join(""));
    const back = cbor.decodeAllSync(got.out, { tags: { 4: ([e, m]) => Number(`${m}e${e}`) } });
    assert.deepEqual(got.errors, []);
    assert.equal(back.length, records.length);
    back.forEach((b, i) => {
        assert.deepEqual(Object.keys(b), Object.keys(JSON.parse(row(records[i]))), "fields in the order of the type");
        b.ms = b.ms.getTime();
        for (const k of ["id", "big"]) b[k] = Number(b[k]);
        assert.equal(row(b), row(records[i]));
    });
    const again = runEverywhere(IN.replace("into stdout", "into stdout as cbor"), got.out);
    assert.ok(got.out.length > 1000 && got.out.equals(again.out), "what it wrote it reads, and writes alike");
});

test("cbor: every example of appendix A is well-formed", () => {
    const got = runEverywhere(ONLY, Buffer.concat(APPENDIX_A.map(around)));
    assert.deepEqual([got.stats.in, got.stats.emitted], [APPENDIX_A.length, APPENDIX_A.length]);
});

test("cbor: nothing of appendix F is", () => {
    const all = runEach(ONLY, NOT_WELL_FORMED.map((example) => Buffer.concat([hex("a2 61 6e 07 61 78"), hex(example)])));
    for (const [i, example] of NOT_WELL_FORMED.entries()) {
        const got = all[i];
        assert.deepEqual([got.stats.in, got.stats.errors, got.errors[0]?.reason], [1, 1, "bad_record"], example);
    }
});

test("cbor: numbers of appendix A", () => {
    assert.deepEqual(one("i64", "00", "17", "1818", "1903e8", "1b000000e8d4a51000", "1bffffffffffffffff", "20", "3863", "3bffffffffffffffff", "3b7fffffffffffffff",
        "c249010000000000000000", "c24101", "c34100", "c2480000000000000005", "f93c00", "f93e00", "fb7e37e43c8800759c", "f97e00", "f97c00", "f6", "f7", "f4", "6161"),
    [0, 23, 24, 1000, 1000000000000, "range", -1, -100, "range", -9223372036854775808, "range", 1, -1, 5, 1, "bad_number", "range", "bad_number", "range",
        "missing_field", "missing_field", "bad_number", "bad_number"]);
    assert.deepEqual(one("u64", "1bffffffffffffffff", "20", "c248ffffffffffffffff"), [18446744073709551615, "range", 18446744073709551615]);
    assert.deepEqual(one("f64", "f90000", "f98000", "f93c00", "fb3ff199999999999a", "f97bff", "fa47c35000", "fa7f7fffff", "f90001", "f90400", "f9c400", "fbc010666666666666",
        "f97c00", "f9fc00", "f97e00", "fa7f800000", "faff800000", "fb7ff8000000000000", "1bffffffffffffffff", "3bffffffffffffffff", "c4822118ff"),
    [0, 0, 1, 1.1, 65504, 100000, 3.4028234663852886e+38, 5.960464477539063e-8, 0.00006103515625, -4, -4.1, "range", "range", "bad_number", "range", "range", "bad_number",
        18446744073709552000, -18446744073709552000, 2.55]);
});

test("cbor: text, bytes, in parts too", () => {
    assert.deepEqual(one("string(9)", "60", "6161", "62225c", "62c3bc", "64f0908591", "7f657374726561646d696e67ff", "7fff", "7f61c361bcff", "61ff", "4161", "6a30313233343536373839",
        "d82061 61".replace(" ", "")),
    ["", "a", "\"\\", "ü", "𐅑", "streaming", "", "bad_value", "bad_value", "bad_value", "too_long", "a"]);
    assert.deepEqual(one("bytes(5)", "40", "4401020304", "5f42010243030405ff", "d74401020304", "46010203040506", "6161", "c24101"),
        ["", "AQIDBA==", "AQIDBAU=", "AQIDBA==", "too_long", "bad_value", "bad_value"]);
    // keys in parts: {"x": 1, "n": 7}
    const got = runEverywhere(ONLY.replace("{ n: i32 }", "{ x: i32, n: i32 }"), hex("bf 7f6178ff 01 616e 07 ff"));
    assert.equal(got.out.toString(), "{\"x\":1,\"n\":7}\n");
});

test("cbor: times and decimals", () => {
    assert.deepEqual(one("time", "c074323031332d30332d32315432303a30343a30305a", "c11a514b67b0", "c1fb41d452d9ec200000", "c120", "74323031332d30332d32315432303a30343a30305a",
        "d9d9f7c101", "00", "c16161", "c1f97e00", "c06161", "c11bffffffffffffffff"),
    ["2013-03-21T20:04:00Z", "2013-03-21T20:04:00Z", "2013-03-21T20:04:00.500Z", "1969-12-31T23:59:59Z", "2013-03-21T20:04:00Z", "1970-01-01T00:00:01Z",
        "bad_time", "bad_time", "bad_time", "bad_time", "bad_time"]);
    assert.deepEqual(one("time(ms)", "1903e9", "c11903e9", "f93e00", "c074323031332d30332d32315432303a30343a30305a", "74323031332d30332d32315432303a30343a30305a"),
        ["1970-01-01T00:00:01.001Z", "1970-01-01T00:16:41Z", "1970-01-01T00:00:00.001500Z", "2013-03-21T20:04:00Z", "bad_time"]);
    // tag 4: RFC 8949 3.4.4, 273.15 = [-2, 27315]
    assert.deepEqual(one("decimal(2)", "c48221196ab3", "c48220196ab3", "c482016105".replace("6105", "05"), "c48222196ab3", "c4822219 03e8".replace(" ", ""), "c49f2105ff", "c482 21 c24105".replaceAll(" ", ""), "c48121", "c483210101",
        "c4821b7fffffffffffffff01", "05", "6431322e35"),
    [273.15, 2731.5, 50, "bad_number", 1, 0.05, 0.05, "bad_number", "bad_number", "range", 5, 12.5]);
});

test("cbor: the bytes of rows", () => {
    const program = `pipeline p {\n  from stdin as json { n: i64, u: u64?, s: string(300)?, b: bytes(3)?, xs: [i32; 30]?, f: f32?, d: f64?, t: time?, y: bool?, w: decimal(2)?, l: duration? }
  into stdout as cbor\n  on error into file "$ERRORS"\n}\n`;
    const cases = [["0", "00"], ["23", "17"], ["24", "1818"], ["255", "18ff"], ["256", "190100"], ["65536", "1a00010000"], ["4294967296", "1b0000000100000000"], ["-1", "20"], ["-24", "37"],
        ["-25", "3818"], ["-257", "390100"], ["-9223372036854775808", "3b7fffffffffffffff"]].map(([n, h]) => [`{"n":${n}}`, `a1616e${h}`]);
    const and = (json, h) => cases.push([`{"n":0,${json}}`, `a2616e00${h}`]);
    and(`"u":18446744073709551615`, "61751bffffffffffffffff");
    and(`"s":"${"a".repeat(24)}"`, `61737818${"61".repeat(24)}`);
    and(`"b":"AP8="`, "61624200ff");
    and(`"xs":[1,2]`, "627873820102");
    and(`"f":1.5`, "6166fa3fc00000");
    and(`"d":1`, "6164fb3ff0000000000000");
    and(`"t":"2013-03-21T20:04:00Z"`, "6174c074323031332d30332d32315432303a30343a30305a");
    and(`"y":false`, "6179f4");
    and(`"w":273.15`, "6177c48221196ab3");
    and(`"l":"1m30s"`, "616c65316d333073");
    const got = runEverywhere(program, cases.map(([json]) => json + "\n").join(""));
    assert.equal(got.out.toString("hex"), cases.map(([, h]) => h).join(""));
});

test("cbor: cut at each byte, deep nesting, tags upon tags", () => {
    const whole = encode(clean(record(random(24))));
    const cuts = Array.from({ length: whole.length - 1 }, (_, i) => whole.subarray(0, i + 1));
    for (const [i, got] of runEach(IN, cuts).entries()) {
        const n = i + 1;
        assert.deepEqual([got.code, got.stats.in, got.stats.errors, got.errors[0].raw], [0, 1, 1, whole.subarray(0, n).toString("base64")], `at ${n}`);
    }
    const deep = (n, open) => Buffer.concat([hex("a2 61 6e 07 61 78"), Buffer.alloc(n, open ? 0x9f : 0x81), hex("01"), Buffer.alloc(open ? n : 0, 0xff)]);
    for (const open of [false, true]) {
        assert.equal(runEverywhere(ONLY, deep(63, open)).out.toString(), "{\"n\":7}\n", "64 levels, the record is the first");
        assert.equal(runEverywhere(ONLY, deep(64, open)).errors[0].reason, "bad_record");
        assert.equal(run(ONLY, deep(1 << 20, open)).errors[0].reason, "bad_record");
    }
    const tags = Buffer.concat([hex("a2 61 6e 07 61 78"), Buffer.alloc(1 << 20, 0xc6), hex("01")]);
    assert.equal(runEverywhere(ONLY, tags).out.toString(), "{\"n\":7}\n");
});

test("cbor: the same record in json fails alike", () => {
    const rnd = random(25);
    const wrong = [null, true, "x", "", -1, 0, 1.5, 1e300, 4294967296, [], [1, "x"], [null], {}, { a: "x" }, { q: 1 }, "2023-11-14T22:13:20Z", "RUN", "1m", "x".repeat(50)];
    const type = TYPE.replace(", price: decimal(2)?", "").replace("raw: bytes(40)?", "raw: i32?");
    const records = Array.from({ length: 400 }, () => {
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
    const program = (format) => `${type}pipeline p {\n  from stdin as ${format} T check strict\n  into stdout\n  on error into file "$ERRORS"\n}\n`;
    const json = run(program("json"), records.map((r) => JSON.stringify(r) + "\n").join(""));
    const packed = runEverywhere(program("cbor"), Buffer.concat(records.map(encode)));
    const told = (got) => got.errors.map(({ reason, field }) => `${reason} ${field}`);
    assert.deepEqual(told(packed), told(json));
    assert.equal(packed.out.toString(), json.out.toString());
});
