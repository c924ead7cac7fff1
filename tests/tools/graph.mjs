// tests/tools/graph.mjs: text -> graph -> text gives the program back as `tutti fmt` lays it out.
import assert from "node:assert/strict";
import { generate } from "./generate.mjs";
import { folder, programs, random, test, top, tutti } from "./lib.mjs";

const dir = folder();

function trip(text, name) {
    const file = dir.file("p.tutti", text);
    const graph = tutti(["graph", "--json", file]);
    if (graph.code !== 0) return false; // this version does not take the program
    const back = tutti(["import", "-"], { input: graph.out });
    assert.equal(back.code, 0, `${name}\n${back.err}\n${text}`);
    const laid = tutti(["fmt", "-"], { input: text });
    assert.equal(laid.code, 0, `${name}\n${laid.err}`);
    assert.equal(back.out, laid.out, `${name}\n${text}`);
    return true;
}

test("every example and good program comes back from its graph", () => {
    let count = 0;
    for (const { path } of programs("examples", "tests/lang/good", "tests/lang/state", "tests/bench")) {
        const graph = tutti(["export", path], { cwd: top });
        assert.equal(graph.code, 0, `${path}\n${graph.err}`);
        const back = tutti(["import", "-"], { input: graph.out });
        assert.equal(back.code, 0, `${path}\n${back.err}`);
        const laid = tutti(["fmt", "-"], { cwd: top, input: programs(path.slice(0, path.lastIndexOf("/"))).find((p) => p.path === path).text });
        assert.equal(back.out, laid.out, path);
        count++;
    }
    assert.ok(count > 10);
});

test("comments stay where they stood", () => {
    assert.ok(trip(`# about the file

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
    assert.ok(trip("type R = { a: i32 }\npipeline p { from stdin as json R  split { where a > 1 => into stdout ; else => into file \"x\" } on error drop }", "one line"));
});

test("generated programs come back from their graphs", () => {
    const next = random(Number(process.env.SEED ?? 5));
    let taken = 0;
    for (let i = 0; i < 60; i++) if (trip(generate(next), `program ${i}`)) taken++;
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

test("what is no graph is refused with a reason", () => {
    const refuse = (value, why) => {
        const run = tutti(["import", "-"], { input: typeof value === "string" ? value : JSON.stringify(value) });
        assert.equal(run.code, 1, JSON.stringify(value));
        assert.match(run.err, why);
    };
    refuse("{", /JSON/);
    refuse({}, /no graph/);
    refuse({ tutti_graph: 1 }, /lists/);
    refuse({ tutti_graph: 1, items: [{}] }, /has its `text`/);
    refuse({ tutti_graph: 1, items: [{ text: "type", before: ["x"] }] }, /comment/);
    refuse({ tutti_graph: 1, items: [{ text: "const a = 1", note: "# a\nconst b = 2" }] }, /comment/);
    refuse({ tutti_graph: 1, items: [{ kind: "pipeline", text: "pipeline p {" }] }, /lists/);
    refuse({ tutti_graph: 1, items: [{ kind: "const", text: "const a = " }] }, /error\[/);
    assert.equal(tutti(["import", "/no/such"]).code, 2);
});
