// tests/lsp/answers.mjs: diagnostics, hover, completion, symbols, formatting, fixes.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { apply, at, lsp, open, programs, release, test } from "./lib.mjs";

const press = `# One line of presses.
type Press = {
  ts: time, machine: string(16), temp: f64 [degC] in -60..400,
  pressure: f64 [bar]?, rpm: i32, state: enum { RUN, IDLE },
  motor: { volts: f64 [V], name: string(8) }
}
const limit = 80 [degC]
# Doubles a number.
fn twice(x: f64) -> f64 = x * 2
connection site = mqtt "mqtt://10.0.0.5:1883"

pipeline stats {
  from site "plant/+/press" qos 1 as json Press
  time ts order 2s
  where state == RUN and temp > limit
  let temp_f = temp to [degF]
      load   = 100 / rpm
  window tumble 10s by machine { n = count()  avg = mean(temp_f) }
  into uns "acme/{machine}/stats"
  on error into dead
}

test stats "one" {
  in { ts: 2026-01-01T00:00:00Z, machine: "a", temp: 90, rpm: 5, state: RUN, motor: { volts: 1 [V], name: "m" } }
  expect uns { machine: "a", n: 1 }
}
`;

async function hover(client, uri, text, needle, n = 0, add = 0) {
    const answer = await client.ask(lsp.HoverRequest.type, { textDocument: { uri }, position: at(text, needle, n, add) });
    return answer ? answer.contents.value : "";
}

async function labels(client, uri, position) {
    const answer = await client.ask(lsp.CompletionRequest.type, { textDocument: { uri }, position });
    return answer.items.map((item) => item.label);
}

/** Completions at the `|` of a text. */
async function complete(client, marked) {
    const text = marked.replace("|", "");
    const uri = await client.open(text);
    const found = await labels(client, uri, at(marked, "|"));
    await client.close(uri);
    return found;
}

const around = (stages) => press.replace(/  where state[\s\S]*?  on error into dead\n/, stages);

test("the server says what it can and which columns it counts", async () => {
    const client = await open();
    const can = client.info.capabilities;
    assert.equal(can.positionEncoding, "utf-16");
    assert.equal(can.textDocumentSync.change, lsp.TextDocumentSyncKind.Incremental);
    for (const name of ["hoverProvider", "definitionProvider", "referencesProvider", "renameProvider", "completionProvider",
        "documentSymbolProvider", "documentFormattingProvider", "codeActionProvider", "semanticTokensProvider"])
        assert.ok(can[name], name);
    assert.equal(await client.end(), 0);
    assert.equal(client.errors(), "");
});

test("findings come on open, on change, on save, and go with the document", async () => {
    const client = await open();
    const uri = await client.open(press);
    assert.deepEqual(await client.diagnostics(uri), []);
    await client.change(uri, 2, [{ range: { start: at(press, "RUN and"), end: at(press, "RUN and", 0, 3) }, text: "RAN" }]);
    const [wrong] = await client.diagnostics(uri, 2);
    assert.equal(wrong.code, "T006");
    assert.equal(wrong.severity, lsp.DiagnosticSeverity.Error);
    assert.deepEqual(wrong.range.start, at(press, "RUN and"));
    await client.tell(lsp.DidSaveTextDocumentNotification.type, { textDocument: { uri }, text: press });
    await client.change(uri, 3, []);
    assert.deepEqual(await client.diagnostics(uri, 3), []);
    await client.close(uri);
    assert.deepEqual(await client.cleared(uri), []);
    await client.end();
});

test("columns are UTF-16 units", async () => {
    const client = await open();
    // A letter of two bytes, one of three, and one outside the basic plane (two units, four bytes).
    const text = `const a = "\u00e9\u20ac\u{1F600}" + missing_one\n`;
    const uri = await client.open(text);
    const [d] = await client.diagnostics(uri);
    assert.equal(text.slice(d.range.start.character, d.range.end.character), "missing_one");
    await client.end();
});

test("hover shows type, unit and range of a field", async () => {
    const client = await open();
    const uri = await client.open(press);
    assert.match(await hover(client, uri, press, "temp", 1), /temp: f64 \[degC\] in -60\.\.400/);
    assert.match(await hover(client, uri, press, "temp_f", 1), /temp_f: f64 \[degF\]/);
    assert.match(await hover(client, uri, press, "limit", 1), /const limit = 80 \[degC\]/);
    assert.match(await hover(client, uri, press, "Press", 1), /motor: \{ volts: f64 \[V\]/);
    await client.end();
});

test("hover shows why a record may fail", async () => {
    const client = await open();
    const uri = await client.open(press);
    assert.match(await hover(client, uri, press, "/ rpm"), /may fail: `div_zero`/);
    const from = await hover(client, uri, press, "from site");
    for (const reason of ["bad_json", "missing_field", "range", "too_long", "bad_enum"])
        assert.match(from, new RegExp(`\`${reason}\``));
    await client.end();
});

test("hover explains stages, functions, options, connectors and units", async () => {
    const client = await open();
    const uri = await client.open(press);
    assert.match(await hover(client, uri, press, "window"), /by key and time/);
    assert.match(await hover(client, uri, press, "mean"), /mean/);
    assert.match(await hover(client, uri, press, "qos"), /0, 1 or 2/);
    assert.match(await hover(client, uri, press, "uns \""), /namespace/);
    assert.match(await hover(client, uri, press, "degF"), /Fahrenheit/);
    assert.match(await hover(client, uri, press, "tumble"), /tumble D/);
    assert.equal(await hover(client, uri, press, "One line of"), "");
    await client.end();
});

test("hover shows the comment above a function", async () => {
    const client = await open();
    const text = press.replace("100 / rpm", "twice(2)");
    const uri = await client.open(text);
    assert.match(await hover(client, uri, text, "twice", 1), /fn twice\(x: f64\) -> f64 = x \* 2[\s\S]*Doubles a number/);
    await client.end();
});

test("alarms: their fields are completed and explained, their constants found", async () => {
    const client = await open();
    const alarm = `alarm hot { on: "a/+", above: limit, for: 5s, priority: high }\n`;
    const text = alarm + press;
    const uri = await client.open(text);
    assert.deepEqual(await client.diagnostics(uri), []);
    assert.match(await hover(client, uri, text, "above"), /more than this/);
    assert.match(await hover(client, uri, text, "for:"), /has to hold for so long/);
    assert.match(await hover(client, uri, text, "hot"), /alarm hot \{ on/);
    assert.match(await hover(client, uri, text, "alarm"), /A rule about paths/);
    const found = await client.ask(lsp.DefinitionRequest.type, { textDocument: { uri }, position: at(text, "limit") });
    assert.deepEqual([found].flat()[0].range.start, at(text, "limit = 80"));
    const symbols = await client.ask(lsp.DocumentSymbolRequest.type, { textDocument: { uri } });
    assert.equal(symbols[0].name, "hot");
    await client.close(uri);
    const fields = await complete(client, `alarm hot { on: "a/+", | }\n` + press);
    for (const name of ["above:", "hysteresis:", "message:"]) assert.ok(fields.includes(name), name);
    assert.ok(!fields.includes("on:"), "what stands there already");
    assert.ok(!fields.includes("temp"), "no fields of records");
    assert.deepEqual((await complete(client, `alarm hot { on: "a/+", priority: | }\n` + press)).slice(0, 4), ["critical", "high", "medium", "low"]);
    assert.deepEqual(await complete(client, `alarm hot {\n  on: "a/+"\n  quality: |\n}\n` + press), ["bad"]);
    assert.ok((await complete(client, `alarm hot {\n  on: "a/+"\n  above: |\n}\n` + press)).includes("limit"), "constants");
    assert.ok((await complete(client, `al|\n` + press)).includes("alarm"), "the word itself");
    assert.ok((await complete(client, `alarm hot { on: "a", above: 3 [|] }\n` + press)).includes("degC"), "units");
    await client.end();
});

test("completion knows the fields at hand, also in a stage that is not finished", async () => {
    const client = await open();
    const fields = await complete(client, around("  where temp > |\n  into stdout\n  on error drop\n"));
    for (const name of ["ts", "machine", "temp", "pressure", "motor", "limit", "twice", "sqrt"])
        assert.ok(fields.includes(name), name);
    const kept = await complete(client, around("  keep temp as t, rpm\n  where | > 1\n  into stdout\n  on error drop\n"));
    assert.ok(kept.includes("t") && kept.includes("rpm"));
    assert.ok(!kept.includes("temp") && !kept.includes("machine"));
    const member = await complete(client, around("  where motor.|\n  into stdout\n  on error drop\n"));
    assert.deepEqual(member, ["volts", "name"]);
    await client.end();
});

test("completion knows the fields where the pipeline's brace is not written yet", async () => {
    const client = await open();
    const begun = press.slice(0, press.indexOf("  where state"));
    for (const stage of ["where |", "where temp > 1 [degC] and |", "keep ts, |", "require |", "dedupe by |", "window tumble 10s by |"])
        for (const end of ["", "\n", "\n\npipeline next { from stdin as text  into stdout  on error drop }\n"]) {
            const found = await complete(client, `${begun}  ${stage}${end}`);
            assert.ok(found.includes("machine") && found.includes("temp"), stage + end);
        }
    assert.deepEqual(await complete(client, `${begun}  let x = motor.|`), ["volts", "name"]);
    assert.deepEqual((await complete(client, `${begun}  where state == |`)).slice(0, 2), ["RUN", "IDLE"]);
    await client.end();
});

test("completion offers enum names where one is compared", async () => {
    const client = await open();
    const names = await complete(client, around("  where state == |\n  into stdout\n  on error drop\n"));
    assert.deepEqual(names.slice(0, 2), ["RUN", "IDLE"]);
    const arms = await complete(client, around("  let x = match state { | }\n  into stdout\n  on error drop\n"));
    assert.deepEqual(arms.slice(0, 2), ["RUN", "IDLE"]);
    const step = await complete(client, press.replace("state: RUN", "state: |"));
    assert.deepEqual(step.slice(0, 2), ["RUN", "IDLE"]);
    await client.end();
});

test("completion knows sources, sinks, options, formats and types", async () => {
    const client = await open();
    const source = await complete(client, "pipeline p {\n  from |\n}\n");
    assert.ok(source.includes("stdin") && source.includes("mqtt") && !source.includes("stdout"));
    const sink = await complete(client, around("  into |\n  on error drop\n"));
    assert.ok(sink.includes("stdout") && sink.includes("site") && !sink.includes("stdin"));
    const option = await complete(client, around("  into historian x |\n  on error drop\n"));
    assert.ok(option.includes("key"));
    const format = await complete(client, "type R = { a: i32 }\npipeline p {\n  from stdin as |\n}\n");
    assert.ok(format.includes("json") && format.includes("csv") && format.includes("R"));
    const type = await complete(client, "type R = i32\ntype Q = { a: | }\n");
    assert.ok(type.includes("f64") && type.includes("string") && type.includes("R"));
    const key = await complete(client, around("  into historian x key (|)\n  on error drop\n"));
    assert.ok(key.includes("machine"));
    await client.end();
});

test("completion offers units that convert, and the unit of the other side", async () => {
    const client = await open();
    const convert = await complete(client, around("  let f = temp to [|]\n  into stdout\n  on error drop\n"));
    assert.ok(convert.includes("degF") && convert.includes("K") && !convert.includes("bar"));
    const compare = await complete(client, around("  where temp > 80 [|]\n  into stdout\n  on error drop\n"));
    assert.equal(compare[0], "degC");
    const declared = await complete(client, "unit rev = 1\ntype R = { a: f64 [|] }\n");
    assert.ok(declared.includes("rev") && declared.includes("bar"));
    await client.end();
});

test("completion offers stages and declarations where they start", async () => {
    const client = await open();
    const stages = await complete(client, around("  |\n  into stdout\n  on error drop\n"));
    for (const word of ["where", "let", "window", "into", "on"]) assert.ok(stages.includes(word), word);
    assert.ok(!stages.includes("temp"));
    const items = await complete(client, `${press}\n|`);
    for (const word of ["type", "pipeline", "test", "fn"]) assert.ok(items.includes(word), word);
    assert.deepEqual(await complete(client, "# a comment |\n"), []);
    assert.deepEqual(await complete(client, "const a = \"text |\"\n"), []);
    const hole = await complete(client, press.replace("acme/{machine}", "acme/{|}"));
    assert.ok(hole.includes("machine") && hole.includes("n"));
    await client.end();
});

test("completion in a window: aggregates outside, fields inside their parentheses", async () => {
    const client = await open();
    const outside = await complete(client, around("  window tumble 1m by machine { n = | }\n  into stdout\n  on error drop\n"));
    assert.ok(outside.includes("count") && outside.includes("quantile") && !outside.includes("pressure"));
    const inside = await complete(client, around("  window tumble 1m by machine { n = mean(|) }\n  into stdout\n  on error drop\n"));
    assert.ok(inside.includes("temp") && inside.includes("rpm"));
    const key = await complete(client, around("  window tumble 1m by | { n = count() }\n  into stdout\n  on error drop\n"));
    assert.ok(key.includes("machine"));
    await client.end();
});

test("what is offered compiles: every word of a list is available", async () => {
    const client = await open();
    const stages = await complete(client, around("  |\n  into stdout\n  on error drop\n"));
    for (const word of stages) {
        const said = spawnSync(release, ["explain", word], { encoding: "utf8" });
        assert.equal(said.status, 0);
        assert.ok(!said.stdout.startsWith(`${word}: a stage of the language that is not`), word);
    }
    await client.end();
});

test("symbols of a document: declarations with fields and stages", async () => {
    const client = await open();
    const uri = await client.open(press);
    const list = await client.ask(lsp.DocumentSymbolRequest.type, { textDocument: { uri } });
    assert.deepEqual(list.map((s) => s.name), ["Press", "limit", "twice", "site", "stats", "one"]);
    assert.deepEqual(list[0].children.map((s) => s.name), ["ts", "machine", "temp", "pressure", "rpm", "state", "motor"]);
    assert.equal(list[4].children.length, 7);
    for (const s of list) { // the protocol wants the name inside the whole
        assert.ok(s.range.start.line <= s.selectionRange.start.line && s.range.end.line >= s.selectionRange.end.line);
    }
    await client.end();
});

test("formatting gives what `tutti fmt` gives", async () => {
    const client = await open();
    for (const { path, text } of programs("examples", "tests/lang/good")) {
        const untidy = text.replace(/^ {2,}/gm, " ").replace(/ = /g, "   =   ");
        const uri = await client.open(untidy);
        const edits = await client.ask(lsp.DocumentFormattingRequest.type,
            { textDocument: { uri }, options: { tabSize: 2, insertSpaces: true } });
        const tidy = spawnSync(release, ["fmt", "-"], { input: untidy, encoding: "utf8" });
        assert.equal(apply(untidy, edits), tidy.stdout, path);
        await client.close(uri);
    }
    const broken = await client.open("pipeline p { from }\n");
    assert.equal(await client.ask(lsp.DocumentFormattingRequest.type, { textDocument: { uri: broken }, options: {} }), null);
    await client.end();
});

test("fixes are code actions, and taking one removes what it fixes", async () => {
    const client = await open();
    let taken = 0;
    const open_ends = []; // fixes that leave their own finding
    for (const { path, text } of programs("tests/lang/bad")) {
        const uri = await client.open(text);
        const found = await client.diagnostics(uri);
        const whole = { start: { line: 0, character: 0 }, end: { line: 10000, character: 0 } };
        const actions = await client.ask(lsp.CodeActionRequest.type,
            { textDocument: { uri }, range: whole, context: { diagnostics: found } });
        for (const action of actions) {
            const fixed = apply(text, action.edit.changes[uri]);
            assert.notEqual(fixed, text, `${path}: ${action.title}`);
            assert.equal(action.kind, lsp.CodeActionKind.QuickFix);
            if (action.title.includes("...")) continue; // a place to fill in
            const again = await client.open(fixed);
            const left = await client.diagnostics(again);
            const [was] = action.diagnostics;
            const still = left.filter((d) => d.code === was.code && d.message === was.message &&
                d.range.start.line === was.range.start.line && d.range.start.character === was.range.start.character);
            if (still.length) open_ends.push(path);
            await client.close(again);
            taken++;
        }
        await client.close(uri);
    }
    assert.ok(taken > 50, `${taken} fixes were tried`);
    // The quote of this one opens a text that is still not closed.
    assert.deepEqual(open_ends.filter((path) => !path.endsWith("/unclosed_single.tutti")), []);
    const uri = await client.open("const a = \n");
    const none = await client.ask(lsp.CodeActionRequest.type, { textDocument: { uri },
        range: { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } }, context: { diagnostics: [], only: ["refactor"] } });
    assert.deepEqual(none, []);
    await client.end();
});

test("semantic tokens paint names by what they mean", async () => {
    const client = await open();
    const uri = await client.open(press);
    const legend = client.info.capabilities.semanticTokensProvider.legend.tokenTypes;
    const { data } = await client.ask(lsp.SemanticTokensRequest.type, { textDocument: { uri } });
    assert.equal(data.length % 5, 0);
    const lines = press.split("\n");
    const painted = [];
    for (let i = 0, line = 0, column = 0; i < data.length; i += 5) {
        line += data[i];
        column = data[i] ? data[i + 1] : column + data[i + 1];
        painted.push([lines[line].slice(column, column + data[i + 2]), legend[data[i + 3]]]);
    }
    const kinds = (word) => new Set(painted.filter(([text]) => text === word).map(([, kind]) => kind));
    assert.deepEqual(kinds("temp"), new Set(["property"]));
    assert.deepEqual(kinds("where"), new Set(["keyword"]));
    assert.deepEqual(kinds("RUN"), new Set(["enumMember"]));
    assert.deepEqual(kinds("Press"), new Set(["type"]));
    assert.deepEqual(kinds("mean"), new Set(["function"]));
    assert.deepEqual(kinds("x"), new Set(["parameter"]));
    assert.deepEqual(kinds("# Doubles a number."), new Set(["comment"]));
    await client.end();
});

test("folding ranges lie inside the text and hold more than one line", async () => {
    const client = await open();
    const uri = await client.open(press);
    const ranges = await client.ask(lsp.FoldingRangeRequest.type, { textDocument: { uri } });
    assert.equal(ranges.length, 3); // the type, the pipeline, the test
    for (const r of ranges) assert.ok(r.startLine < r.endLine && r.endLine < press.split("\n").length);
    await client.end();
});

test("arguments by name: hover and completion show the names of the compiler's functions", async () => {
    const client = await open();
    const text = around(`  let a = round_to(temp, digits: 1)
      b = clamp(rpm, lo: 0, hi: 9)
      c = twice(x: 1.5)
  deadband(temp, d: 1 [degC])
  window tumble 10s by machine { n = count()  q = quantile(x: a, p: 0.5) }
  into uns "acme/{machine}/stats"
  on error into dead
`);
    const uri = await client.open(text);
    assert.deepEqual(await client.diagnostics(uri), []);
    const signature = /round_to\(x: f64, digits: i64\) -> f64/;
    assert.match(await hover(client, uri, text, "round_to"), signature);
    assert.match(await hover(client, uri, text, "digits"), signature);
    assert.match(await hover(client, uri, text, "hi: 9"), /clamp\(x, lo, hi\)/);
    assert.match(await hover(client, uri, text, "p: 0.5"), /quantile\(x, p, within P\)/);
    assert.match(await hover(client, uri, text, "d: 1"), /deadband\(x, d\)/);
    assert.match(await hover(client, uri, text, "x: 1.5"), /x: f64\n[^]*parameter/);
    const inside = async (call) => (await complete(client, around(`  let a = ${call}\n  into stdout\n  on error drop\n`))).filter((l) => /^[a-z_]+:$/.test(l));
    assert.deepEqual(await inside("round_to(|)"), ["x:", "digits:"]);
    assert.deepEqual(await inside("round_to(temp, |)"), ["digits:"]);
    assert.deepEqual(await inside("clamp(hi: max(1, 2), |)"), ["x:", "lo:"]);
    assert.deepEqual(await inside("hysteresis(temp, |)"), ["on:", "off:"]);
    assert.deepEqual(await inside("twice(|)"), ["x:"]);
    assert.deepEqual(await inside("scale(temp, in_lo: 1, |)"), ["in_hi:", "out_lo:", "out_hi:"]);
    const answer = await client.ask(lsp.CompletionRequest.type, { textDocument: { uri }, position: at(text, "round_to") });
    const item = answer.items.find((i) => i.label === "substr");
    assert.equal(item.detail, "substr(text: text, start: i64, count: i64) -> text");
    await client.end();
});
