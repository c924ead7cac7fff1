// tests/lsp/names.mjs: definition, references, rename; what they say must agree with the compiler.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { apply, at, index, lsp, open, place, programs, release, test } from "./lib.mjs";

const text = `type Press = { ts: time, machine: string(16), temp: f64 [bar], state: enum { RUN, IDLE } }
unit rev = 1
const limit = 8 [bar]
fn twice(x: f64 [bar]) -> f64 [bar] = x + x
pipeline stats {
  from stdin as json Press
  time ts order 2s
  where temp > limit and state == RUN
  let double = twice(temp)
  keep ts, machine, double
  window tumble 10s by machine { n = count()  top = max(double) }
  into historian rows key (machine, start)
  on error drop
}
test stats "t" {
  in { ts: 2026-01-01T00:00:00Z, machine: "a", temp: 9, state: RUN }
  expect historian { machine: "a", n: 1 }
}
`;

async function references(client, uri, position) {
    const list = await client.ask(lsp.ReferencesRequest.type,
        { textDocument: { uri }, position, context: { includeDeclaration: true } });
    return list.map((l) => l.range);
}

const words = (source, ranges) => ranges.map((r) => source.slice(index(source, r.start), index(source, r.end)));

test("a name leads to where it was made", async () => {
    const client = await open();
    const uri = await client.open(text);
    const target = async (needle, n) =>
        (await client.ask(lsp.DefinitionRequest.type, { textDocument: { uri }, position: at(text, needle, n) }))?.range.start;
    assert.deepEqual(await target("temp", 1), at(text, "temp", 0));
    assert.deepEqual(await target("limit", 1), at(text, "limit", 0));
    assert.deepEqual(await target("RUN", 1), at(text, "RUN", 0));
    assert.deepEqual(await target("twice", 1), at(text, "twice", 0));
    assert.deepEqual(await target("x + x"), at(text, "x: f64"));
    assert.deepEqual(await target("Press\n"), at(text, "Press", 0));
    assert.deepEqual(await target("stats", 1), at(text, "stats", 0));
    // through keep and by: still the field of the type
    assert.deepEqual(await target("machine, start"), at(text, "machine", 0));
    assert.deepEqual(await target("double)"), at(text, "double", 0));
    assert.equal(await target("count"), undefined);
    await client.end();
});

test("references are all places of a name, in order", async () => {
    const client = await open();
    const uri = await client.open(text);
    const found = await references(client, uri, at(text, "machine"));
    assert.deepEqual(words(text, found), Array(6).fill("machine")); // type, keep, by, key, in, expect
    const used = await client.ask(lsp.ReferencesRequest.type,
        { textDocument: { uri }, position: at(text, "limit"), context: { includeDeclaration: false } });
    assert.deepEqual(used.map((l) => l.range.start), [at(text, "limit", 1)]);
    const marks = await client.ask(lsp.DocumentHighlightRequest.type, { textDocument: { uri }, position: at(text, "limit") });
    assert.deepEqual(marks.map((m) => m.kind), [lsp.DocumentHighlightKind.Write, lsp.DocumentHighlightKind.Read]);
    await client.end();
});

test("a rename that cannot be is refused with a reason", async () => {
    const client = await open();
    const uri = await client.open(text);
    const refused = async (needle, newName, why) => {
        await assert.rejects(client.ask(lsp.RenameRequest.type, { textDocument: { uri }, position: at(text, needle), newName }),
            (error) => why.test(error.message), `${needle} to ${newName}`);
    };
    await refused("temp", "machine", /twice/); // there is a field of that name
    await refused("temp", "two words", /a name starts with a letter/);
    await refused("temp", "", /a name starts/);
    await refused("temp", "9a", /a name starts/);
    await refused("twice", "sqrt", /built in/);
    await refused("Press", "f64", /./);
    await refused("limit", "temp", /means something else/); // the field would hide the const
    await refused("count", "counts", /nothing to rename/);
    assert.equal(await client.ask(lsp.PrepareRenameRequest.type, { textDocument: { uri }, position: at(text, "where") }), null);
    const ready = await client.ask(lsp.PrepareRenameRequest.type, { textDocument: { uri }, position: at(text, "temp", 1, 2) });
    assert.equal(ready.placeholder, "temp");
    await client.end();
});

// Every name of every program: renamed, the program still compiles with as many findings as before, and
// renamed back it is the same text.
test("every name of every program can be renamed and renamed back", async () => {
    const client = await open();
    let renamed = 0;
    for (const { path, text: before } of programs("examples", "tests/lang/good", "tests/lang/state", "tests/lang/streams", "tests/bench")) {
        const uri = await client.open(before);
        const said = (await client.diagnostics(uri)).map((d) => d.code);
        const seen = new Set();
        for (const match of before.matchAll(/[A-Za-z_][A-Za-z0-9_]*/g)) {
            const position = place(before, match.index);
            const ready = await client.ask(lsp.PrepareRenameRequest.type, { textDocument: { uri }, position });
            if (!ready) continue;
            const found = await references(client, uri, position);
            const key = JSON.stringify(found[0]);
            assert.ok(found.some((r) => r.start.line === position.line && r.start.character === position.character),
                `${path}: ${match[0]} at ${match.index} is no use of itself`);
            if (seen.has(key)) continue;
            seen.add(key);
            const newName = "zz_renamed";
            const edit = await client.ask(lsp.RenameRequest.type, { textDocument: { uri }, position, newName })
                .catch((error) => error);
            if (edit instanceof Error) { // a `let` replaces this field: it would be a second one
                const replaced = new RegExp(`let[^]*?\\b${match[0]}\\s+=`).test(before);
                // Two replies share what a test expects of `reply`: one alone cannot be renamed.
                const replies = (before.match(/\breply \d/g) ?? []).length > 1;
                const joined = new RegExp(`as \\w+ ${match[0]} on `).test(before); // names the joined record: order
                assert.ok(replaced || replies || joined, `${path}: ${match[0]} at line ${position.line + 1}: ${edit.message}`);
                continue;
            }
            const after = apply(before, edit.changes[uri]);
            const again = await client.open(after);
            assert.deepEqual((await client.diagnostics(again)).map((d) => d.code), said, `${path}: ${match[0]}`);
            const back = await client.ask(lsp.RenameRequest.type,
                { textDocument: { uri: again }, position: at(after, newName), newName: ready.placeholder });
            assert.equal(apply(after, back.changes[again]), before, `${path}: ${match[0]}`);
            await client.close(again);
            renamed++;
        }
        await client.close(uri);
    }
    assert.ok(renamed > 80, `${renamed} names were renamed`);
    await client.end();
});

// A rename that goes through does not change what the tests of the program show.
test("a renamed program passes the tests it passed", async () => {
    const client = await open();
    const uri = await client.open(text);
    const edit = await client.ask(lsp.RenameRequest.type, { textDocument: { uri }, position: at(text, "machine"), newName: "press_id" });
    const after = apply(text, edit.changes[uri]);
    const run = spawnSync(release, ["test", "-"], { input: after, encoding: "utf8" });
    assert.match(run.stdout, /1 passed, 0 failed/);
    await client.end();
});

test("names of other files lead there, and are not renamed from here", async () => {
    const client = await open();
    const base = "file:///nowhere/lib/units.tutti";
    const lib = "# Limits.\ntype Load = { now: f64 }\nconst most = 10\nunit turn = 6.25 [rad]\nfn twice(x: f64) -> f64 = x * 2\n";
    const program = `use "lib/units.tutti" as lim
pipeline p {
  from stdin as json lim.Load
  where now < lim.most
  let far = lim.twice(now)  angle = 2 [turn]
  into stdout
  on error drop
}
`;
    await client.open(lib, base);
    const uri = await client.open(program, "file:///nowhere/plant.tutti");
    assert.deepEqual(await client.diagnostics(uri), []); // the open text is used, nothing is on disk
    const to = async (needle) =>
        client.ask(lsp.DefinitionRequest.type, { textDocument: { uri }, position: at(program, needle) });
    assert.deepEqual((await to("Load")).range.start, at(lib, "Load"));
    assert.equal((await to("Load")).uri, base);
    assert.deepEqual((await to("most")).range.start, at(lib, "most"));
    assert.deepEqual((await to("twice")).range.start, at(lib, "twice"));
    assert.deepEqual((await to("now <")).range.start, at(lib, "now"));
    assert.deepEqual((await to("turn")).range.start, at(lib, "turn"));
    assert.equal((await to("lib/units")).uri, base);
    const hover = await client.ask(lsp.HoverRequest.type, { textDocument: { uri }, position: at(program, "twice") });
    assert.match(hover.contents.value, /fn twice\(x: f64\) -> f64 = x \* 2/);
    await assert.rejects(client.ask(lsp.RenameRequest.type, { textDocument: { uri }, position: at(program, "most"), newName: "top" }),
        /another file/);
    const offered = await client.ask(lsp.CompletionRequest.type, { textDocument: { uri }, position: at(program, "lim.most") });
    assert.ok(offered.items.some((item) => item.label === "lim.most"));
    // An error there is said at the `use`, as soon as it is made.
    await client.change(base, 2, [{ text: lib.replace("x * 2", "x * y") }]);
    await client.change(uri, 2, []);
    const said = await client.diagnostics(uri, 2);
    assert.deepEqual(said[0].range.start, { line: 0, character: 0 });
    assert.match(said[0].message, /has errors; line 5: there is no `y` here/);
    await client.end();
});

test("the name of an argument is its parameter: definition and rename", async () => {
    const client = await open();
    const source = `fn share(part: f64, whole: f64) -> f64 = part / whole
pipeline p {
  from stdin as json { a: f64, part: f64 }
  let x = share(a, whole: part)  y = share(whole: share(part: a, whole: 2.0), part: part)
  into stdout
  on error drop
}
`;
    const uri = await client.open(source);
    const there = await client.ask(lsp.DefinitionRequest.type, { textDocument: { uri }, position: at(source, "whole: part") });
    assert.deepEqual(there.range.start, at(source, "whole: f64"));
    const edit = await client.ask(lsp.RenameRequest.type, { textDocument: { uri }, position: at(source, "part: f64"), newName: "piece" });
    const renamed = apply(source, edit.changes[uri]);
    assert.ok(renamed.includes("fn share(piece: f64, whole: f64) -> f64 = piece / whole"), renamed);
    assert.ok(renamed.includes("share(a, whole: part)  y = share(whole: share(piece: a, whole: 2.0), piece: part)"), renamed);
    await client.end();
});
