// tests/tools/graph.mjs: text -> graph -> text gives the program back as `tutti fmt` lays it out.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generate } from "./generate.mjs";
import { folder, laidOut, programs, random, test, top, tutti } from "./lib.mjs";

const dir = folder();

/** How many of the texts come back from their graphs: all that this version takes. */
function trip(texts) {
    const laid = laidOut(texts);
    let taken = 0;
    for (const [name, text] of texts) {
        const graph = tutti(["graph", "--json", dir.file("p.tutti", text)]);
        if (graph.code !== 0) continue; // this version does not take the program
        const back = tutti(["import", "-"], { input: graph.out });
        assert.equal(back.code, 0, `${name}\n${back.err}\n${text}`);
        assert.equal(back.out, laid.get(name), `${name}\n${text}`);
        taken++;
    }
    return taken;
}

test("every example and good program comes back from its graph", () => {
    const all = programs("examples", "tests/lang/good", "tests/lang/state", "tests/bench");
    const laid = laidOut(new Map(all.map(({ path, text }) => [path, text])));
    let count = 0;
    for (const { path } of all) {
        const graph = tutti(["export", path], { cwd: top });
        assert.equal(graph.code, 0, `${path}\n${graph.err}`);
        const back = tutti(["import", "-"], { input: graph.out });
        assert.equal(back.code, 0, `${path}\n${back.err}`);
        assert.equal(back.out, laid.get(path), path);
        count++;
    }
    assert.ok(count > 10);
});

test("comments stay where they stood", () => {
    const one = (text, name) => trip(new Map([[`${name}.tutti`, text]])) === 1;
    assert.ok(one(`# about the file

# about the type
type R = {   # behind a brace
  a: i32,    # behind a field
  # alone
  b: i32
}   # behind the type


# two above

pipeline p {   # behind the head
  # before from
  from stdin as json R   # behind from

  # before where
  where a > 1   # behind where
  split {   # behind split
    # before an arm
    where b > 2 => into file "x" # behind a stage
    # before else
    else =>
      # in an arm
      let c = a   # behind let
      into stdout
    # before the end
  }   # behind the split
  into stdout   into file "y"
  # last
  on error drop
  # before the end
}   # behind the pipeline
# the end`, "comments"));
    assert.ok(one("type R = { a: i32 }\npipeline p { from stdin as json R  split { where a > 1 => into stdout ; else => into file \"x\" } on error drop }", "one line"));
});

test("generated programs come back from their graphs", () => {
    const next = random(Number(process.env.SEED ?? 5));
    const taken = trip(new Map(Array.from({ length: 60 }, (_, i) => [`g${i}.tutti`, generate(next)])));
    assert.ok(taken > 40, `${taken} of 60 programs compile`);
});

test("nodes are named by their stages, and a stage moved in the graph moves in the text", () => {
    const text = "type R = { a: i32, b: i32 }\npipeline p {\n  from stdin as json R\n  where a > 1\n  where b > 1\n  into stdout\n  on error drop\n}\n";
    const graph = JSON.parse(tutti(["graph", "--json", dir.file("m.tutti", text)]).out);
    const pipeline = graph.items.find((i) => i.kind === "pipeline");
    assert.deepEqual(pipeline.stages.map((s) => s.kind), ["from", "where", "where", "into", "on"]);
    for (const stage of pipeline.stages.slice(0, 4)) {
        assert.equal(stage.nodes.length, 1);
        assert.equal(graph.pipelines[0].nodes[stage.nodes[0]].kind, stage.kind);
    }
    [pipeline.stages[1], pipeline.stages[2]] = [pipeline.stages[2], pipeline.stages[1]];
    pipeline.stages.splice(3, 0, { kind: "let", before: ["# new"], text: "let c = a + b" });
    const back = tutti(["import", "-"], { input: JSON.stringify(graph) }).out;
    assert.equal(back, text.replace("  where a > 1\n  where b > 1\n", "  where b > 1\n  where a > 1\n  # new\n  let c = a + b\n"));
});

// ---- bare graphs: nodes and wires without the program's own words ----

const imports = (graph) => tutti(["import", "-"], { input: JSON.stringify(graph) });

const hot = () => ({
    tutti_graph: 1,
    types: { R: { ts: "time", machine: "string(16)", temp: "f64 [degC]", n: "i64?" } },
    declarations: ["const limit = 80 [degC]"],
    pipelines: [{
        name: "hot", comment: "Hot machines\nare told of.",
        nodes: [
            { id: "in", kind: "from", connector: "mqtt", address: "plant/+/data", options: { qos: 1 }, format: "json", type: "R" },
            { id: 2, kind: "let", fields: { f: "temp to [degF]", m: "n ?? 0" } },
            { id: "s", kind: "split", comment: ["two ways"] },
            { id: "hot", kind: "arm", condition: "temp > limit" },
            { id: "rest", kind: "arm", else: true },
            { id: "alarm", kind: "into", connector: "uns", address: "alarm/{machine}" },
            { id: "w", kind: "window", text: "tumble 10s by machine { k = count() }" },
            { id: "out", kind: "into", text: "stdout" },
            { id: "late", kind: "into", text: "into file \"late.ndjson\"" },
            { id: "err", kind: "into", text: "dead" },
            { id: "all", kind: "keep", fields: ["machine", "f as fahrenheit"] },
            { id: "file", kind: "into", connector: "file", address: "a\"b.ndjson" },
            { id: "file2", kind: "into", connector: "file", address: "c.ndjson" },
        ],
        wires: [
            { from: "in", to: 2 }, { from: 2, to: "s" }, { from: "s", to: "hot" }, { from: "s", to: "rest" },
            { from: "hot", to: "alarm" }, { from: "rest", to: "w" }, { from: "w", to: "out" },
            { from: "w", to: "late", port: "late" }, { from: "in", to: "err", port: "error" },
            { from: 2, to: "err", port: "error" }, { from: "s", to: "all" }, { from: "all", to: "file" },
            { from: "all", to: "file2" },
        ],
        settings: ["priority low"],
    }],
});

test("a graph written by hand becomes a program", () => {
    const { code, out, err } = imports(hot());
    assert.equal(code, 0, err);
    assert.equal(out, `type R = { ts: time, machine: string(16), temp: f64 [degC], n: i64? }
const limit = 80 [degC]

# Hot machines
# are told of.
pipeline hot {
  from mqtt "plant/+/data" qos 1 as json R
  let f = temp to [degF], m = n ?? 0
  # two ways
  split {
    where temp > limit =>
      into uns "alarm/{machine}"
    else =>
      window tumble 10s by machine { k = count() }
      on late into file "late.ndjson"
      into stdout
  }
  keep machine, f as fahrenheit
  into file "a\\"b.ndjson"
  into file "c.ndjson"
  on error into dead
  priority low
}
`);
});

test("the graph in the documentation is one, and the program is right", () => {
    const text = readFileSync(join(top, "docs/graph-json.md"), "utf8");
    const graph = /```\n(\{ "tutti_graph": 1,\n {2}"types"[^]*?)```/.exec(text)[1];
    const { code, out, err } = tutti(["import", "-"], { input: graph });
    assert.equal(code, 0, err);
    assert.equal(tutti(["check", "-"], { input: out }).code, 0, out);
});

// What is drawn of a program, without places.
function drawn(text, name, cwd) {
    const { code, out, err } = tutti(["graph", "--json", "-"], { input: text, cwd });
    assert.equal(code, 0, `${name}\n${err}\n${text}`);
    return JSON.parse(out);
}

// By what the nodes are, not by their numbers: `on late` may stand elsewhere. Arms keep their order.
function shape(graph) {
    return graph.pipelines.map((p) => {
        const names = p.nodes.map(({ kind, label, type, reasons }) =>
            JSON.stringify([kind, label.replace(/,/g, "").replace(/\s+/g, " "), type, reasons]));
        return {
            name: p.name, bounded: p.bounded, nodes: names.slice().sort(),
            arms: p.nodes.filter((n) => n.kind === "arm").map((n) => n.label),
            wires: p.wires.map((w) => JSON.stringify([names[w.from], names[w.to], w.port, w.type])).sort(),
        };
    });
}

// Takes a program's own words from its graph; null: a label that is cut off.
function bare(graph) {
    const out = { tutti_graph: 1, declarations: [], pipelines: [] };
    for (const item of graph.items) {
        if (item.kind !== "pipeline") {
            out.declarations.push(item.text);
            continue;
        }
        const from = graph.pipelines.find((p) => p.name === item.name);
        const texts = new Map(), inner = new Set(), settings = [];
        const walk = (stages) => stages.forEach((s) => {
            const word = s.text.trimStart().split(/[\s{]/)[0];
            const [first, ...more] = s.nodes;
            const wired = (n) => from.wires.some((w) => w.to === n);
            if (!s.nodes.length || (word === "on" && !s.nodes.every(wired))) { // `on error reply`, `drop`
                settings.push(s.text);
                s.nodes.forEach((n) => inner.add(n));
                return;
            }
            if (word === "join" || word === "ask") more.forEach((n) => inner.add(n));
            if (first !== undefined && !["into", "on"].includes(word)) texts.set(first, s.text.replace(/ *\{$/, word === "split" ? "" : "{"));
            for (const arm of s.arms ?? []) {
                texts.set(arm.nodes[0], arm.text.replace(/ *=>$/, ""));
                walk(arm.stages);
            }
        });
        walk(item.stages);
        const nodes = from.nodes.filter((n) => !inner.has(n.id));
        for (const n of nodes) if (!texts.has(n.id) && n.label.endsWith("...")) return null;
        out.pipelines.push({
            name: item.name, settings,
            nodes: nodes.map((n) => ({ id: n.id, kind: n.kind, text: texts.get(n.id) ?? n.label })),
            wires: from.wires.filter((w) => !inner.has(w.from)).map(({ from: a, to, port }) => ({ from: a, to, port })),
        });
    }
    return out;
}

function bareTrip(text, name, cwd = top) {
    const whole = drawn(text, name, cwd), graph = bare(whole);
    if (!graph) return false;
    for (const p of graph.pipelines) p.nodes.reverse(); // wires say the order, not the list
    const back = imports(graph);
    assert.equal(back.code, 0, `${name}\n${back.err}\n${text}`);
    assert.deepEqual(shape(drawn(back.out, name, cwd)), shape(whole), `${name}\n${text}\n${back.out}`);
    return true;
}

test("programs without their words come back with the same nodes, wires and types", () => {
    let count = 0;
    for (const { path, text } of programs("examples", "tests/lang/good", "tests/lang/state", "tests/bench"))
        count += bareTrip(text, path, join(top, dirname(path)));
    assert.ok(count > 10, `${count}`);
    const next = random(Number(process.env.SEED ?? 6));
    let taken = 0;
    for (let i = 0; i < 40; i++) {
        const text = generate(next);
        if (tutti(["check", "-"], { input: text }).code === 0)
            taken += bareTrip(tutti(["fmt", "-"], { input: text }).out, `program ${i}`);
    }
    assert.ok(taken > 20, `${taken} of 40 programs`);
});

test("a bare graph that is no program says which node, why, and what to write", () => {
    const refuse = (change, ...why) => {
        const graph = hot(), p = graph.pipelines[0];
        change({ graph, p, nodes: p.nodes, wires: p.wires, node: (id) => p.nodes.find((n) => n.id === id) });
        const run = imports(graph);
        assert.equal(run.code, 1, run.out);
        for (const w of why) assert.match(run.err, w);
    };
    refuse(({ p }) => delete p.name, /has no `name`/);
    refuse(({ p }) => delete p.wires, /pipeline `hot`: `wires` is missing/);
    refuse(({ node }) => delete node("in").id, /node 1 has no `id`/);
    refuse(({ node }) => (node("out").id = "in"), /node `in`: two nodes have this id/);
    refuse(({ node }) => delete node("w").kind, /node `w`: it needs a `kind`/);
    refuse(({ node }) => (node("w").kind = "filter"), /there is no kind `filter`: it is one of from/);
    refuse(({ node }) => (node("w").kind = "on"), /wire the port "error" or "late"/);
    refuse(({ node }) => delete node("w").text, /node `w`: `window` needs its `text`/);
    refuse(({ node }) => delete node("in").connector, /node `in`: it needs its `text`, or a `connector`/);
    refuse(({ node }) => (node("in").options = { qos: null }), /node `in`: the option `qos`/);
    refuse(({ node }) => delete node("hot").condition, /node `hot`: an arm needs a `condition`/);
    refuse(({ node }) => (node(2).fields = ["f"]), /node `2`: `let` needs its `text`, or `fields`: { "y"/);
    refuse(({ node }) => (node("all").fields = []), /node `all`: `keep` needs its `text`, or `fields`/);
    refuse(({ node }) => (node("alarm").address = 7), /node `alarm`: `address` is a text/);
    refuse(({ wires }) => (wires[0].to = "nobody"), /wire 1: `to` is `nobody`, and no node has that id/);
    refuse(({ wires }) => delete wires[3].from, /wire 4 has no `from`/);
    refuse(({ wires }) => (wires[0].port = "left"), /port `left`: it is "out", "error" or "late"/);
    refuse(({ wires }) => wires.splice(0, 1), /node `2`: no wire leads to it/);
    refuse(({ wires }) => wires.push({ from: "rest", to: "all" }), /node `all`: 2 wires lead to it: ways that parted/);
    refuse(({ wires }) => wires.push({ from: "all", to: "in" }), /nothing can be wired to a `from`/);
    refuse(({ wires, nodes }) => { nodes.push({ id: "x", kind: "drop", fields: ["m"] }); wires.push({ from: "s", to: "x" }); },
        /node `s`: it goes on to `all` and to `x`: a node of kind `split`/);
    refuse(({ wires }) => wires.splice(wires.findIndex((w) => w.from === "hot"), 1), /no wire leads to it|nothing is wired to it/);
    refuse(({ wires }) => { wires.find((w) => w.port === "late").to = "all"; }, /a sink of records is not|leads to nodes of kind `into`|no wire leads/);
    refuse(({ nodes, wires }) => { // a ring of its own
        nodes.push({ id: "a", kind: "drop", fields: ["m"] }, { id: "b", kind: "drop", fields: ["n"] });
        wires.push({ from: "a", to: "b" }, { from: "b", to: "a" });
    }, /node `a`: no way leads from a `from` to it/);
    refuse(({ p }) => { p.nodes = p.nodes.filter((n) => n.kind !== "from"); p.wires = p.wires.filter((w) => w.from !== "in"); },
        /no source|no wire leads to it/);
    refuse(({ p }) => (p.settings = ["where x"]), /`settings` holds texts that begin with/);
    refuse(({ graph }) => (graph.types = []), /`types` is an object/);
    refuse(({ node }) => (node(2).fields.m = "n ??"), /error\[P/, /line 8 is of pipeline `hot`, node `2`/);
});

test("files and folders: a graph a line, and which file a person reads about", () => {
    const here = folder(), dir = here.path;
    mkdirSync(join(dir, "sub"));
    const text = (name) => `pipeline ${name} { from stdin as json { x: i64 }  into stdout  on error drop }\n`;
    writeFileSync(join(dir, "b.tutti"), text("second"));
    writeFileSync(join(dir, "sub", "c.tutti"), text("third"));
    writeFileSync(join(dir, "a.txt"), "not looked at");
    writeFileSync(join(dir, "first.tutti"), text("first"));
    const names = (args) => tutti(["graph", "--json", ...args]).out.trim().split("\n").map((l) => JSON.parse(l).pipelines[0].name);
    assert.deepEqual(names([dir]), ["second", "first", "third"]);
    assert.deepEqual(names([join(dir, "first.tutti"), join(dir, "sub")]), ["first", "third"]);
    assert.equal(tutti(["export", dir]).out, tutti(["graph", "--json", dir]).out);
    const told = tutti(["graph", dir]).out;
    assert.ok(told.startsWith(`${join(dir, "b.tutti")}\npipeline second\n`), told);
    assert.ok(!tutti(["graph", join(dir, "sub")]).out.includes("c.tutti"));
    const back = tutti(["import", "-"], { input: tutti(["export", dir]).out });
    assert.equal(back.code, 1);
    assert.match(back.err, /several graphs, one a line: import takes one at a time/);
    writeFileSync(join(dir, "sub", "wrong.tutti"), "pipeline p {");
    assert.equal(tutti(["graph", dir]).code, 1);
    assert.equal(tutti(["graph"]).code, 2);
    assert.match(tutti(["graph"]).err, /name a file or a folder/);
});

test("what is no graph is refused with a reason", () => {
    const refuse = (value, why) => {
        const run = tutti(["import", "-"], { input: typeof value === "string" ? value : JSON.stringify(value) });
        assert.equal(run.code, 1, JSON.stringify(value));
        assert.match(run.err, why);
    };
    refuse("{", /JSON/);
    refuse({}, /no graph/);
    refuse({ tutti_graph: 1 }, /lists/);
    refuse({ tutti_graph: 2, pipelines: [] }, /no graph of version 1/);
    refuse({ tutti_graph: 1, items: [{}] }, /has its `text`/);
    refuse({ tutti_graph: 1, items: [{ text: "type", before: ["x"] }] }, /comment/);
    refuse({ tutti_graph: 1, items: [{ text: "const a = 1", note: "# a\nconst b = 2" }] }, /comment/);
    refuse({ tutti_graph: 1, items: [{ kind: "pipeline", text: "pipeline p {" }] }, /lists/);
    refuse({ tutti_graph: 1, items: [{ kind: "const", text: "const a = " }] }, /error\[/);
    assert.equal(tutti(["import", "/no/such"]).code, 2);
});
