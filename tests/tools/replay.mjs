// tests/tools/replay.mjs: failed records through a mended program; how fast a recording is handled.
import assert from "node:assert/strict";
import { folder, test, tutti } from "./lib.mjs";

const program = (type) => `type R = { a: ${type}, b: i32 }
pipeline p {
  from mqtt "plant/x" as json R
  where b > 0
  into stdout
  on error into dead
}
`;

test("records that failed go through the mended program", () => {
    const dir = folder();
    const old = dir.file("old.tutti", program("i32"));
    const input = '{"a":1,"b":1}\n{"a":"two","b":2}\n{"a":"three","b":3}\n{"a":"x","b":0}\n';
    const first = tutti(["run", "--batch", "--cache", dir.path, old], { input, native: true });
    assert.equal(first.out, '{"a":1,"b":1}\n');
    const dead = dir.file("dead.ndjson", first.err);
    assert.equal(first.err.trim().split("\n").length, 3);
    const mended = dir.file("new.tutti", program("string(8)"));
    for (const engine of ["cc", "interp"]) {
        const again = tutti(["replay", "--stats", "--engine", engine, "--cache", dir.path, mended, dead], { native: true });
        assert.equal(again.code, 0, again.err);
        assert.equal(again.out, '{"a":"two","b":2}\n{"a":"three","b":3}\n');
        const stats = JSON.parse(again.err.trim().split("\n").pop());
        assert.deepEqual([stats.in, stats.filtered, stats.errors], [3, 1, 0]);
    }
    // A recording is taken line by line; so is standard input.
    const plain = tutti(["replay", "--cache", dir.path, mended, "-"], { input: '{"a":"z","b":9}\n', native: true });
    assert.equal(plain.out, '{"a":"z","b":9}\n');
});

test("replay refuses what it cannot do", () => {
    const dir = folder();
    const good = dir.file("good.tutti", program("i32"));
    assert.equal(tutti(["replay", good], { native: true }).code, 2);
    assert.equal(tutti(["replay", good, "/no/such"], { native: true }).code, 2);
    assert.equal(tutti(["replay", dir.file("bad.tutti", "pipeline p {"), good], { native: true }).code, 1);
});

test("bench measures every engine on the same records", () => {
    const dir = folder();
    const file = dir.file("p.tutti", program("i32"));
    const data = dir.file("d.ndjson", Array.from({ length: 2000 }, (_, i) => `{"a":${i},"b":1}\n`).join(""));
    const run = tutti(["bench", "--json", "--rounds", "3", "--cache", dir.path, file, data], { native: true });
    assert.equal(run.code, 0, run.err);
    const lines = run.out.trim().split("\n").map((l) => JSON.parse(l));
    const engines = tutti(["run", "--engine", "list"], { native: true }).out.trim().split("\n").map((l) => l.split(" ")[0]);
    assert.ok(engines.includes("cc") && engines.includes("interp"));
    assert.deepEqual(lines.map((l) => l.engine), engines);
    for (const l of lines) {
        assert.equal(l.records, 6000);
        assert.equal(l.errors, 0);
        assert.equal(l.allocations, 0, `${l.engine} allocates in steady state`);
        assert.ok(l.ns_per_record > 0 && l.records_per_s > 0);
    }
    assert.match(tutti(["bench", "--cache", dir.path, file, data], { native: true }).out, /records\/s .* ns each/);
    assert.equal(tutti(["bench", file], { native: true }).code, 2);
    assert.equal(tutti(["bench", "--pipeline", "none", "--cache", dir.path, file, data], { native: true }).code, 2);
});
