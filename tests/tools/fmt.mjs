// tests/tools/fmt.mjs: the layout is stable, keeps every comment, and keeps what a program means.
import assert from "node:assert/strict";
import { generate } from "./generate.mjs";
import { folder, programs, random, test, tutti } from "./lib.mjs";

const dir = folder();
const fmt = (text) => tutti(["fmt", "-"], { input: text });
const comments = (text) => text.split("\n").flatMap((l) => l.match(/#[^"]*$/) ?? []).map((c) => c.trim());
/** What the compiler makes of it, without places; empty when this version refuses the program. */
function meaning(text) {
    const run = tutti(["explain", "--dump=lower", dir.file("m.tutti", text)]);
    return run.code ? "" : run.out;
}

function holds(text, name) {
    const once = fmt(text);
    if (once.code) return false;
    assert.equal(fmt(once.out).out, once.out, `${name}: not stable\n${text}`);
    assert.deepEqual(comments(once.out), comments(text), `${name}: a comment is lost\n${text}`);
    assert.equal(meaning(once.out), meaning(text), `${name}: another meaning\n${text}`);
    return true;
}

test("every program of the tree", () => {
    let count = 0;
    for (const { path, text } of programs("examples", "tests/lang", "stdlib")) if (holds(text, path)) count++;
    assert.ok(count > 40, `${count} programs`);
});

test("generated programs with comments everywhere", () => {
    const next = random(Number(process.env.SEED ?? 9));
    for (let i = 0; i < 60; i++) assert.ok(holds(generate(next), `program ${i}`));
});

test("programs whose blanks and line ends were moved", () => {
    const next = random(31);
    for (const { path, text } of programs("examples", "tests/lang/good")) {
        const moved = text.split("\n").map((l) => (l.includes("#") || l.includes('"') ? l : l.replace(/ +/g, () => " ".repeat(1 + next(4))))).map((l) => " ".repeat(next(6) * (/^\s/.test(l) ? 1 : 0)) + l).join(next(2) ? "\n" : "\n\n");
        if (holds(moved, path)) assert.equal(meaning(fmt(moved).out), meaning(text), path);
    }
});
