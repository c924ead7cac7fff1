// tests/tools/fmt.mjs: the layout is stable, keeps every comment, and keeps what a program means.
// Programs are laid out and compiled a folder at a time: the sanitized command takes a quarter of a
// second to start, and there are hundreds of programs.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { generate } from "./generate.mjs";
import { laidOut, programs, random, test, tutti, write } from "./lib.mjs";

const comments = (text) => text.split("\n").flatMap((l) => l.match(/#[^"]*$/) ?? []).map((c) => c.trim());

/** The programs that this version compiles: what is wrong is told fifty findings at a time. */
function compiling(texts) {
    const root = write(texts);
    const good = new Map(texts);
    for (;;) {
        const found = JSON.parse(tutti(["check", "--json", "."], { cwd: root }).out || "[]").filter((f) => f.severity === "error");
        if (!found.length) return good;
        for (const { file } of found) {
            good.delete(file.replace(/^\.\//, ""));
            rmSync(join(root, file), { force: true });
        }
    }
}

/** What the compiler makes of them all, without places. */
function meaning(texts) {
    const run = tutti(["explain", "--dump=lower", "."], { cwd: write(texts) });
    assert.equal(run.code, 0, run.err);
    return run.out;
}

/** `texts` laid out keep all there is in them, and mean what `plain` (of the same names) means. */
function hold(texts, plain = texts) {
    const once = laidOut(texts);
    const twice = laidOut(once);
    for (const [name, text] of once) {
        assert.equal(twice.get(name), text, `${name}: not stable\n${texts.get(name)}`);
        assert.deepEqual(comments(text), comments(texts.get(name)), `${name}: a comment is lost\n${texts.get(name)}`);
    }
    const good = compiling(new Map([...plain].filter(([name]) => once.has(name))));
    const moved = new Map([...once].filter(([name]) => good.has(name)));
    if (meaning(moved) !== meaning(good))
        for (const [name, text] of good) assert.equal(meaning(new Map([[name, moved.get(name)]])), meaning(new Map([[name, text]])), `${name}: another meaning\n${text}`);
    return { laid: once.size, compiled: good.size };
}

const tree = (...folders) => new Map(programs(...folders).map(({ path, text }) => [path, text]));

test("every program of the tree", () => {
    const { laid, compiled } = hold(tree("examples", "tests/lang", "stdlib"));
    assert.ok(laid > 400 && compiled > 80, `${laid} programs, ${compiled} compile`);
});

test("one text by standard input is laid out as a file is", () => {
    const texts = tree("examples");
    const laid = laidOut(texts);
    for (const [name, text] of texts) assert.equal(tutti(["fmt", "-"], { input: text }).out, laid.get(name), name);
});

test("generated programs with comments everywhere", () => {
    const next = random(Number(process.env.SEED ?? 9));
    const texts = new Map(Array.from({ length: 60 }, (_, i) => [`g${i}.tutti`, generate(next)]));
    const { laid, compiled } = hold(texts);
    assert.equal(laid, 60);
    assert.ok(compiled > 40, `${compiled} of 60 programs compile`);
});

test("programs whose blanks and line ends were moved", () => {
    const next = random(31);
    const plain = tree("examples", "tests/lang/good");
    const moved = new Map([...plain].map(([path, text]) => [path, text.split("\n").map((l) => (l.includes("#") || l.includes('"') ? l : l.replace(/ +/g, () => " ".repeat(1 + next(4))))).map((l) => " ".repeat(next(6) * (/^\s/.test(l) ? 1 : 0)) + l).join(next(2) ? "\n" : "\n\n")]));
    const { compiled } = hold(moved, plain);
    assert.ok(compiled > 20, `${compiled} compile`);
});
