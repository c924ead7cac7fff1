// tests/formats/lib.mjs: what the tests of formats share: running a program on bytes, on every
// engine, and values made at random.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import assert from "node:assert/strict";

const build = process.env.BUILD ?? "build";
const asan = join(process.env.ASAN_BUILD ?? "build-asan", "tutti");
const release = join(build, "tutti");
/** The sanitized one where nothing of another compiler is loaded into it. */
const sanitized = existsSync(asan) ? asan : release;
export const engines = spawnSync(release, ["run", "--engine", "list"], { encoding: "utf8" })
    .stdout.split("\n").map((line) => line.trim().split(/\s/)[0]).filter(Boolean);

const dir = mkdtempSync(join(tmpdir(), "tutti-formats-"));
process.on("exit", () => rmSync(dir, { recursive: true, force: true }));

const tests = [];
export const test = (name, fn) => tests.push({ name, fn });

export async function runAll(only) {
    let passed = 0, failed = 0;
    for (const { name, fn } of tests) {
        if (only && !name.includes(only)) continue;
        try {
            await fn();
            passed++;
        } catch (error) {
            failed++;
            console.log(`FAIL ${name}\n${error.stack}\n`);
        }
    }
    console.log(`${passed} passed, ${failed} failed`);
    return failed ? 1 : 0;
}

/** A file in the folder of this run. */
export function file(name, content) {
    const path = join(dir, name);
    if (content !== undefined) writeFileSync(path, content);
    return path;
}
export const read = (name) => readFileSync(join(dir, name));

const records = (path) => readFileSync(path, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));

/** The process alone: { code, out, err, stats }, statistics of each pipeline. */
function batch(program, input, engine, args = []) {
    const command = engine === "interp" ? sanitized : release;
    const all = ["run", "--batch", "--stats", "--engine", engine, "--cache", dir, ...args, file("program.tutti", program)];
    const got = spawnSync(command, all, { input, cwd: dir, maxBuffer: 256 << 20 });
    if (got.error && got.error.code !== "EPIPE") throw got.error; // it need not read all
    const err = got.stderr.toString();
    assert.ok(!got.signal && !/AddressSanitizer|runtime error:/.test(err), err.slice(0, 4000));
    const stats = err.split("\n").filter((line) => line.startsWith("{\"pipeline\"")).map((line) => JSON.parse(line));
    return { code: got.status, out: got.stdout, err, stats };
}

/** Runs a program on bytes: { code, out, err, errors, stats }; `errors` are the error records. */
export function run(program, input, engine = "interp", args = []) {
    const dead = file("errors.ndjson", "");
    const got = batch(program.replaceAll("$ERRORS", dead), input, engine, args);
    return { ...got, errors: records(dead), stats: got.stats[0] };
}

const TOGETHER = 50;

/**
 * run() of a program of one pipeline, `p`, on each input: each is read by a pipeline of its own, from its first byte
 * to its end, many of them in one process, whose start is most of the time. `err` is what names the input.
 */
export function runEach(program, inputs) {
    const at = program.indexOf("pipeline p {"), got = [];
    for (let first = 0; first < inputs.length; first += TOGETHER) {
        const part = inputs.slice(first, first + TOGETHER).map((input, i) => (
            { name: `p${i}`, from: file(`in_${i}_`, input), to: file(`out_${i}_`, ""), dead: file(`errors_${i}_`, "") }));
        const copies = part.map((p) => program.slice(at).replace("pipeline p {", `pipeline ${p.name} {`).replace("from stdin", `from file "${p.from}"`)
            .replace("into stdout", `into file "${p.to}"`).replaceAll("$ERRORS", p.dead));
        const all = batch(program.slice(0, at) + copies.join(""), "", "interp");
        const said = all.err.split("\n").filter((line) => line && !line.startsWith("{"));
        assert.ok(said.every((line) => part.some((p) => line.includes(p.from))), all.err);
        for (const p of part) {
            const errors = records(p.dead), err = said.filter((line) => line.includes(p.from)).join("\n");
            assert.ok(errors.every((error) => error.pipeline === p.name), p.name);
            got.push({ code: err ? all.code : 0, out: readFileSync(p.to), err, errors: errors.map((error) => ({ ...error, pipeline: "p" })),
                stats: all.stats.find((s) => s.pipeline === p.name) });
        }
    }
    return got;
}

/** Any command: { code, out, err }. */
export function tutti(args) {
    const got = spawnSync(sanitized, args, { cwd: dir });
    return { code: got.status, out: got.stdout, err: got.stderr.toString() };
}

/** `tutti replay`: { code, err, errors }. */
export function replay(program, recording) {
    const dead = file("errors.ndjson", "");
    const path = file("program.tutti", program.replaceAll("$ERRORS", dead));
    const got = tutti(["replay", "--engine", "interp", path, recording]);
    const errors = readFileSync(dead, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
    return { ...got, errors };
}

/** What engines have to agree on. */
const seen = (got) => ({ code: got.code, out: got.out.toString("base64"), errors: got.errors.map(({ at, ...rest }) => rest) });

/** The same run on every engine; what differs is a failure. */
export function runEverywhere(program, input, args = []) {
    let first;
    for (const engine of engines) {
        const got = run(program, input, engine, args);
        if (first) assert.deepEqual(seen(got), seen(first), engine);
        else first = got;
        law(got.stats);
    }
    return first;
}

/** runEverywhere() on each input. */
export function runEachEverywhere(program, inputs) {
    let first;
    for (const engine of engines) {
        const got = engine === "interp" ? runEach(program, inputs) : inputs.map((input) => run(program, input, engine));
        got.forEach((one, i) => {
            if (first) assert.deepEqual(seen(one), seen(first[i]), engine);
            law(one.stats);
        });
        first ??= got;
    }
    return first;
}

/** Every record is accounted for. */
export function law(n) {
    assert.equal(n.in, n.emitted + n.state + n.filtered + n.late + n.errors, JSON.stringify(n));
}

export const lines = (buffer) => buffer.toString().split("\n").filter(Boolean);

/** Random numbers that come again with the same seed (xorshift32). */
export function random(seed) {
    let state = seed >>> 0 || 1;
    return (below) => {
        state ^= state << 13;
        state >>>= 0;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        return state % below;
    };
}

export function shuffled(list, rnd) {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
        const k = rnd(i + 1);
        [copy[i], copy[k]] = [copy[k], copy[i]];
    }
    return copy;
}

/** A time as rows have it: RFC 3339 with the fewest digits of 0, 3, 6 or 9. */
export const timeText = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

// What every format is tried with: a type, and records of it as JavaScript has them.
export const TYPE = `type Inner = { a: i64?, raw: bytes(40)?, deep: { x: f64? }? }
type Item = { q: f64, name: string(8)? }
type T = {
  id: i64, small: i32, nat: u32, big: u64, ok: bool, temp: f64, single: f32, name: string(40),
  state: enum { RUN, IDLE, FAULT }, ms: time(ms), stamp: time?, opt: f64?, in: Inner?,
  xs: [f64; 20]?, items: [Item; 5]?, names: [string(8)?; 6]?, price: decimal(2)?
}
`;

const texts = ["", "a", "press-07", "Grüße €", "😀", "x".repeat(31), "y".repeat(32), "\n", "\"\\"];

/** A value for each field; `stamp` is a Date, `raw` a Buffer. */
export function record(rnd) {
    const one = (list) => list[rnd(list.length)];
    const maybe = (value) => (rnd(2) ? value : undefined);
    const float = () => one([0, 1.5, -0.1, 71.25, 1e300, -1e-300, rnd(1000) / 8, 3, 123456789]);
    return {
        id: one([0, 1, -1, 23, 24, -24, -32, -33, 127, 128, 255, 256, -128, -129, 65535, 65536, -32768, -32769,
            4294967295, 4294967296, -2147483648, -2147483649, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]),
        small: one([0, 2147483647, -2147483648, rnd(100000)]),
        nat: one([0, 4294967295, rnd(100000)]),
        big: one([0, Number.MAX_SAFE_INTEGER, rnd(100000)]),
        ok: rnd(2) === 1,
        temp: float(),
        single: one([0, 1.5, -2.25, 1024, Math.fround(0.1), Math.fround(3.4e38)]),
        name: one(texts),
        state: one(["RUN", "IDLE", "FAULT"]),
        ms: one([0, 1, -1, 1700000000123, 253402300799999 % 8e12]),
        stamp: maybe(new Date(one([0, 1, 1700000000000, 1700000000123, -1, -1000, 4294967296000, 8589934592123]))),
        opt: maybe(float()),
        in: maybe({ a: maybe(rnd(1000) - 500), raw: maybe(Buffer.alloc(rnd(41), rnd(256))), deep: maybe({ x: maybe(float()) }) }),
        xs: maybe(Array.from({ length: rnd(21) }, float)),
        items: maybe(Array.from({ length: rnd(6) }, () => clean({ q: float(), name: maybe(one(texts.slice(0, 3))) }))),
        names: maybe(Array.from({ length: rnd(7) }, () => (rnd(4) ? one(texts.slice(0, 3)) : null))),
        price: maybe(one([0, 12.5, -3, 99.99])),
    };
}

/** Without what is undefined. */
export function clean(value) {
    if (value === null || typeof value !== "object" || value instanceof Date || Buffer.isBuffer(value)) return value;
    if (Array.isArray(value)) return value.map(clean);
    return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => [k, clean(v)]));
}

/** The row that json has of it. A record that may be missing is there when anything in it is. */
export function row(r) {
    const out = clean({ ...r, ms: timeText(r.ms) });
    if (r.stamp) out.stamp = timeText(r.stamp.getTime());
    if (out.in) {
        if (out.in.raw) out.in.raw = out.in.raw.toString("base64");
        if (out.in.deep && out.in.deep.x === undefined) delete out.in.deep;
        if (!Object.keys(out.in).length) delete out.in;
    }
    return JSON.stringify(out, (key, value) => (key === "single" ? Number(short(value)) : value));
}

/** The shortest digits that read back as the same 32-bit float. */
export function short(value) {
    for (let digits = 1; digits < 10; digits++) {
        const text = value.toPrecision(digits);
        if (Math.fround(Number(text)) === value) return text;
    }
    return String(value);
}
