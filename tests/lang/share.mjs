// tests/lang/share.mjs TUTTI SEED ROUNDS: programs of several pipelines on one source, all at once and
// one by one: rows, error records and counters must be the same. What is counted as `shared` came
// decoded: of good records all but one pipeline get each one so.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [tutti, seed, rounds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
let state = (seed % 4294967296) >>> 0;
function random(n) { // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
}
const pick = (list) => list[random(list.length)];
const engines = spawnSync(tutti, ["run", "--engine", "list"], { encoding: "utf8" }).stdout
    .split("\n").filter(Boolean).map((l) => l.split(" ")[0]);

const type = `type R = {
  ts: time, k: string(8), e: enum { A, B }, x: f64, n: i32 in 0..6?, xs: [f64; 4], t: string(100), s: { a: i64, b: string(4)? }?
}
`;
const stages = [
    "where e == A and x > 1", "where n exists", "where xs[0] > 1", "keep k, x", "keep t, e", "drop ts, xs",
    "let y = x * 2 + (n ?? 0)", "let u = upper(t)", "require n", "where s exists  let a = s.a",
    "dedupe by k within 1h", "let d = delta(x)", "each xs",
];

function pipeline(name, check) {
    const lines = [];
    if (random(3) === 0) lines.push("time ts order 2s");
    if (random(8)) lines.push(pick(stages));
    if (random(10) === 0) lines.push("keep k");
    if (lines.includes("each xs")) lines.push("keep k");
    if (lines[0] === "time ts order 2s" && random(3) === 0)
        lines.splice(1, 9, "window tumble 10s by k { n = count()  l = last(t)  m = mean(x) }");
    const stop = random(6) === 0 ? " stop above 40% in 1m" : "";
    return `pipeline ${name} {\n  from stdin as json R${check}\n  ${lines.join("\n  ")}\n` +
        `  into file "${name}.out"\n  on error into file "${name}.err"${stop}\n}\n`;
}

function record(i, good) {
    const r = {
        ts: new Date(1795428000000 + i * 500 + random(900)).toISOString(), k: pick(["a", "b", "cc"]), e: pick(["A", "B"]),
        x: pick([0, 1.5, 7, 12345.678901234567, 1e300]), n: pick([1, 2, 6]), xs: [[], [1], [2, 3.25]][random(3)],
        t: pick(["", "abc", "a\"b\n", "ä€", "x".repeat(60)]), s: pick([{ a: 1 }, { a: 2, b: "q" }]),
    };
    if (random(4) === 0) delete r.n;
    if (random(4) === 0) delete r.s;
    if (good) return JSON.stringify(r);
    if (random(12) === 0) r[pick(Object.keys(r))] = pick(["s", 99, null, true, [], {}, "2026"]);
    if (random(25) === 0) delete r[pick(Object.keys(r))];
    const keys = Object.keys(r);
    if (random(5) === 0) keys.sort(() => random(3) - 1);
    let text = `{${keys.map((k) => `${JSON.stringify(k)}:${JSON.stringify(r[k])}`).join(random(4) ? "," : ", ")}}`;
    const at = random(text.length);
    if (random(25) === 0) text = text.slice(0, at);
    if (random(25) === 0) text = text.slice(0, at) + pick(["}", "{", "\"", ",", "1", "e", "x"]) + text.slice(at);
    if (random(25) === 0) text = text.replace("{", "{\"k\":\"b\",");
    return text;
}

// What is put together at random may be refused: another one then.
function compiling(make) {
    for (;;) {
        const text = make();
        if (spawnSync(tutti, ["check", "-"], { input: type + text }).status === 0) return text;
    }
}

// Rows, error records without their moment, and counters, by file and pipeline.
function run(dir, engine, text, input, only) {
    for (const f of readdirSync(dir)) if (/\.(out|err)$/.test(f)) rmSync(join(dir, f));
    writeFileSync(join(dir, "p.tutti"), text);
    const { stderr, status } = spawnSync(tutti, ["run", "--batch", "--stats", "--engine", engine, "--cache", dir,
        ...(only ? ["--pipeline", only] : []), "p.tutti"], { cwd: dir, input, encoding: "utf8" });
    const files = Object.fromEntries(readdirSync(dir).filter((f) => /\.(out|err)$/.test(f))
        .map((f) => [f, readFileSync(join(dir, f), "utf8").replace(/"at":"[^"]*"/g, "")]));
    const stats = Object.fromEntries(stderr.split("\n").filter((l) => l.startsWith("{\"pipeline\""))
        .map((l) => JSON.parse(l)).map((s) => [s.pipeline, s]));
    assert.ok(status === 0 || status === 3, `${status} ${stderr}`);
    return { files, stats };
}

const counters = ["in", "emitted", "state", "filtered", "late", "errors", "rows", "row_errors", "row_state",
    "row_filtered", "row_late", "duplicate_keys"];

function compare(engine, names, text, input) {
    const dir = mkdtempSync(join(tmpdir(), "share-"));
    try {
        const all = run(dir, engine, text, input);
        for (const name of names) {
            const alone = run(dir, engine, text, input, name);
            for (const end of [".out", ".err"])
                assert.equal(all.files[name + end], alone.files[name + end], `${engine}: ${name}${end}`);
            for (const c of counters)
                assert.equal(all.stats[name][c], alone.stats[name][c], `${engine}: ${name} ${c}`);
            const s = all.stats[name];
            assert.equal(s.in, s.emitted + s.state + s.filtered + s.late + s.errors, `${name} adds up`);
            assert.equal(alone.stats[name].shared, 0);
        }
        return all.stats;
    } finally {
        rmSync(dir, { recursive: true });
    }
}

let passed = 0, failed = 0;
function test(name, body) {
    try {
        body();
        passed++;
    } catch (e) {
        failed++;
        console.log(`FAIL ${name}: ${e.message}`);
    }
}

console.log(`seed ${seed}`);
for (let round = 0; round < rounds; round++) {
    const check = ["", " check lazy", " check strict", " unknown reject"][(seed + round) % 4];
    const names = Array.from({ length: 2 + random(4) }, (_, i) => `p${i}`);
    const text = type + names.map((n) => compiling(() => pipeline(n, check))).join("");
    const lines = Array.from({ length: 400 }, (_, i) => record(i, false));
    const counted = {};
    for (const engine of engines)
        test(`${engine}, round ${round}\n${text}`, () => {
            const stats = compare(engine, names, text, lines.join("\n") + "\n");
            counted[engine] = names.map((n) => [...counters, "shared"].map((c) => stats[n][c]));
            assert.deepEqual(counted[engine], counted[engines[0]], `${engine} counts as ${engines[0]} does`);
        });
}

// The counted proof: 300 good records, four pipelines, 300 decoded; in another type, nothing in common.
const keeps = ["k", "x, t", "xs", "s"];
const four = keeps.map((k, i) => `pipeline p${i} { from stdin as json R  keep ${k}  into file "p${i}.out"  on error drop }\n`);
const good = Array.from({ length: 300 }, (_, i) => record(i, true)).join("\n") + "\n";
const others = { "another type": four[1].replace("json R", "json { k: string(8) }").replace("x, t", "k"),
    "another check": four[1].replace("json R", "json R check lazy") };
for (const engine of engines) {
test(`${engine}: decoded once`, () => {
    const stats = compare(engine, ["p0", "p1", "p2", "p3"], type + four.join(""), good);
    assert.deepEqual(keeps.map((_, i) => stats[`p${i}`].in - stats[`p${i}`].shared), [300, 0, 0, 0]);
});
for (const [name, other] of Object.entries(others))
    test(`${engine}: ${name}`, () => {
        const stats = compare(engine, ["p0", "p1"], type + four[0] + other, good);
        assert.deepEqual([stats.p0.shared, stats.p1.shared], [0, 0]);
    });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
