// tests/tools/infer.mjs: the inferred type compiles, and decodes every record it was inferred from.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, random, test, tutti } from "./lib.mjs";

const lines = (records) => records.map((r) => JSON.stringify(r)).join("\n") + "\n";

function infer(records, ...options) {
    const { code, out, err } = tutti(["infer", ...options, "-"], { input: typeof records === "string" || Buffer.isBuffer(records) ? records : lines(records) });
    assert.equal(code, 0, err);
    return out;
}

/** Runs the samples through a pipeline with that type; error records, as objects. */
function decode(type, text, format = "json") {
    const dir = folder();
    const program = dir.file("p.tutti", `${type}\npipeline p {\n  from stdin as ${format} Record check strict\n  into stdout\n  on error into dead\n}\n`);
    const { code, out, err } = tutti(["run", "--batch", "--cache", dir.path, program], { input: text, native: true });
    assert.equal(code, 0, `${type}\n${err}`);
    return { rows: out.trim() ? out.trim().split("\n").map((l) => JSON.parse(l)) : [], errors: err.trim() ? err.trim().split("\n") : [] };
}

const has = (text, line) => assert.ok(text.split("\n").some((l) => l.trim().startsWith(line)), `no \`${line}\` in\n${text}`);

test("whole numbers take the width they need", () => {
    const type = infer('{"a":1,"b":-2147483648,"c":2147483648,"d":9007199254740993,"e":18446744073709551615,"f":1.5,"g":1e3}\n'.repeat(2));
    has(type, "a: i32,");
    has(type, "b: i32,");
    has(type, "c: i64,");
    has(type, "d: i64,");
    has(type, "e: u64,");
    has(type, "f: f64,");
    has(type, "g: f64,");
});

test("times are known as text and as numbers of a field that sounds like one", () => {
    const s = 1795428000; // 2026-11-23T10:00:00Z
    const type = infer([{ a: "2026-11-23T10:00:00.5+01:00", ts: s, time_ms: s * 1e3, at: s * 1e6, created_at: `${s}`, count: s, d: "1m30s", day: "2026-11-23 10:00:00" }]);
    has(type, "a: time,");
    has(type, "ts: time(s),");
    has(type, "time_ms: time(ms),");
    has(type, "at: time(us),");
    has(type, "created_at: string(");
    has(type, "count: i32,");
    has(type, "d: duration,");
    assert.match(type, /day: string\(64\),  # a time without its zone/);
});

test("few words that come again are an enum; names with digits are texts", () => {
    const records = Array.from({ length: 12 }, (_, i) => ({ state: ["RUN", "IDLE", "FAULT"][i % 3], line: ["L1", "L2"][i % 2], once: `w${i}` }));
    const type = infer(records);
    has(type, "state: enum { RUN, IDLE, FAULT },");
    has(type, "line: string(8),");
    has(infer(records.slice(0, 3)), "state: string("); // too few to know
});

test("what is missing or null somewhere is optional", () => {
    const type = infer([{ a: 1, b: null, c: 1 }, { a: 2, c: 2.5 }]);
    has(type, "a: i32,");
    has(type, "b: json?,");
    has(type, "c: f64,");
    assert.match(infer([{ a: 1 }, {}]), /a: i32\?,.*missing in 1 of 2/);
});

test("records and lists inside records", () => {
    const type = infer([{ who: { id: 1, name: "x" }, xs: [1, 2, 3, 4, 5], lines: [{ q: 1 }, { q: 2, note: "n" }], none: [], mix: [1, "a"] }]);
    assert.match(type, /who: \{\n {4}id: i32,.*\n {4}name: string\(8\),.*\n {2}\},/);
    has(type, "xs: [i32; 16],"); // twice the longest, rounded up
    assert.match(type, /lines: \[\{\n {4}q: i32,.*\n {4}note: string\(8\)\?,.*\n {2}\}; 4\],/);
    has(type, "none: [json; 4],");
    has(type, "mix: [json; 4],");
});

test("ranges are comments, or part of the type when asked for", () => {
    const records = [{ temp: 12.5 }, { temp: 87.25 }];
    assert.match(infer(records), /temp: f64, {2}# seen 12\.5\.\.87\.25/);
    const [, lo, hi] = /temp: f64 in (-?[\d.]+)\.\.(-?[\d.]+),/.exec(infer(records, "--ranges"));
    assert.ok(Number(lo) <= 12.5 && Number(hi) >= 87.25 && Number(lo) >= 0, `${lo}..${hi}`);
});

test("rubbish is left out and said; nothing but rubbish is an error", () => {
    const run = tutti(["infer", "-"], { input: '{"a":1}\nrubbish\n[1]\n\n{"a":2}\n' });
    assert.equal(run.code, 0);
    assert.match(run.err, /2 lines left out, the first is line 2/);
    assert.match(run.out, /^# from 2 records/);
    assert.equal(tutti(["infer", "-"], { input: "rubbish\n" }).code, 1);
    assert.equal(tutti(["infer", "-"], { input: "" }).code, 1);
    assert.equal(tutti(["infer"]).code, 2);
    assert.equal(tutti(["infer", "/no/such/file"]).code, 2);
    const wide = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, 1]));
    assert.equal(tutti(["infer", "-"], { input: lines([wide]) }).code, 1);
});

test("CSV with and without a header", () => {
    const text = 'ts,machine,temp,ok\n2026-11-23T10:00:00Z,"a, ""b""",1.5,true\n2026-11-23T10:00:01Z,c,,false\n';
    const type = infer(text, "--csv");
    has(type, "ts: time,");
    has(type, "machine: string(16),");
    has(type, "temp: f64?,");
    has(type, "ok: bool,");
    const { rows, errors } = decode(type, text, "csv");
    assert.deepEqual(errors, []);
    assert.equal(rows[0].machine, 'a, "b"');
    const bare = infer("1,x\n2,y\n", "--csv");
    has(bare, "c1: i32,");
    has(bare, "c2: string(8),");
    assert.match(tutti(["infer", "--csv", "-"], { input: "a,b\n1,2\n3\n" }).err, /1 line left out, the first is line 3/);
});

test("files and folders: a type that the records of all fit, each CSV with its own header", () => {
    const here = folder(), dir = here.path;
    mkdirSync(join(dir, "sub"));
    writeFileSync(join(dir, "1.csv"), "a,b\n1,x\n");
    writeFileSync(join(dir, "2.csv"), "b,a\ny,2.5\n");
    writeFileSync(join(dir, "sub", "3.ndjson"), '{"a":7,"c":true}\n');
    writeFileSync(join(dir, "readme.txt"), "no records");
    const types = (args) => Object.fromEntries(JSON.parse(tutti(["infer", "--json", ...args]).out).fields.map((f) => [f.name, f.type + (f.optional ? "?" : "")]));
    assert.deepEqual(types([dir]), { a: "f64", b: "string(8)?", c: "bool?" });
    assert.deepEqual(types([join(dir, "1.csv"), join(dir, "sub", "3.ndjson")]), { a: "i32", b: "string(8)?", c: "bool?" });
    mkdirSync(join(dir, "empty"));
    assert.match(tutti(["infer", join(dir, "empty")]).err, /no file in it ends in/);
    assert.match(tutti(["infer"]).err, /a file of records, a folder of them/);
});

test("--json says the same for machines", () => {
    const json = JSON.parse(infer([{ a: 1, b: "x" }, { a: 7, b: null }], "--json", "--name", "T"));
    assert.equal(json.name, "T");
    assert.equal(json.records, 2);
    assert.deepEqual(json.fields.map((f) => [f.name, f.type, f.optional]), [["a", "i32", false], ["b", "string(8)", true]]);
    assert.deepEqual([json.fields[0].lo, json.fields[0].hi], [1, 7]);
    assert.match(json.text, /type T = \{/);
});

// Random records of a random shape: the type must compile and decode all of them, also with ranges.
const words = ["RUN", "IDLE", "a b", "x", "\u20ac uro", "2026-11-23T10:00:00Z", "1m30s", "press-07", ""];

function value(next, depth) {
    switch (next(depth > 2 ? 8 : 10)) {
    case 0: return next(2) === 1;
    case 1: return next(1000) - 500;
    case 2: return (next(2000000) - 1000000) * 1000000;
    case 3: return (next(20000) - 10000) / 64;
    case 4: return words[next(words.length)];
    case 5: return null;
    case 6: return words[next(2)];
    case 7: return 1795428000000 + next(100000);
    case 8: return Array.from({ length: next(4) }, () => value(next, depth + 1));
    default: return Object.fromEntries(Array.from({ length: 1 + next(3) }, (_, i) => [`f${i}`, value(next, depth + 1)]));
    }
}

test("a type decodes every record it was inferred from", () => {
    const next = random(Number(process.env.SEED ?? 77));
    for (let round = 0; round < 12; round++) {
        // Each field has a shape of its own that is kept for most records.
        const makers = Array.from({ length: 2 + next(5) }, (_, i) => {
            const seed = next(1 << 30);
            const steady = next(4) > 0;
            return [i === 0 ? "ts" : `field${i}`, steady ? () => value(random(seed), 0) : () => value(next, 0), next(3) === 0];
        });
        const records = Array.from({ length: 24 }, () =>
            Object.fromEntries(makers.filter(([, , gaps]) => !gaps || next(3)).map(([name, make]) => [name, make()])));
        const text = lines(records);
        for (const options of [[], ["--ranges"]]) {
            const type = infer(text, ...options);
            const { rows, errors } = decode(type, text);
            assert.deepEqual(errors, [], type);
            assert.equal(rows.length, records.length);
        }
    }
});

test("msgpack and cbor, by their first byte or by name", () => {
    // {"id":300,"temp":1.5,"raw":h'0001',"at":1970-01-01T00:00:01Z,"ok":true,"xs":[1,2],"in":{"a":-1}}, by hand
    const msgpack = Buffer.from("87a26964cd012ca474656d70cb3ff8000000000000a3726177c4020001a26174d6ff00000001a26f6bc3a278739201" + "02a2696e81a161ff", "hex");
    const cbor = Buffer.from("a762696419012c6474656d70fb3ff800000000000063726177420001626174c101626f6bf56278738201" + "0262696ea1616120", "hex");
    for (const [format, one] of [["msgpack", msgpack], ["cbor", cbor]]) {
        const both = Buffer.concat([one, one]), type = infer(both);
        assert.match(type, /^# from 2 records/);
        for (const line of ["id: i32,", "temp: f64,", "raw: bytes(8),", "at: time,", "ok: bool,", "xs: [i32; 4],", "a: i32"]) has(type, line);
        assert.equal(infer(both, "--format", format), type);
        const run = tutti(["infer", "--format", format, "-"], { input: Buffer.concat([one, Buffer.from([5]), one.subarray(0, 7)]) });
        assert.equal(run.code, 0);
        assert.match(run.err, /2 records left out, the first is record 2: a record is a map/);
        const { rows, errors } = decode(type, both, format);
        assert.deepEqual([errors.length, rows.length, rows[1].id, rows[1].raw], [0, 2, 300, "AAE="]);
    }
    assert.equal(tutti(["infer", "--format", "protobuf", "-"], { input: "" }).code, 2);
});
