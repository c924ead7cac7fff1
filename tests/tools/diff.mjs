// tests/tools/diff.mjs: what diff says of state is what a change of programs really keeps.
import assert from "node:assert/strict";
import { folder, test, tutti } from "./lib.mjs";

const dir = folder();
const base = `type R = { ts: time, machine: string(16), temp: f64 }
pipeline stats {
  from mqtt "plant/+/press" qos 1 as json R
  time ts order 2s
  dedupe by machine, ts within 10m
  window tumble 10s by machine { n = count()  avg = mean(temp) }
  into uns "acme/{machine}/stats"
  on error into dead
}
pipeline other {
  from mqtt "plant/other" as json R
  into uns "acme/other"
  on error drop
}
`;

function diff(old, fresh) {
    const files = [dir.file("old.tutti", old), dir.file("new.tutti", fresh)];
    const run = tutti(["diff", "--json", ...files]);
    assert.equal(run.code, 0, run.err);
    const json = JSON.parse(run.out);
    return { alarms: json.alarms, of: (name) => json.pipelines.find((p) => p.pipeline === name), text: tutti(["diff", ...files]).out };
}

const state = (p, kind) => p.state.find((s) => s.kind === kind);

test("the same program changes nothing; comments and layout are no change", () => {
    const d = diff(base, `# a comment\n${base.replace("  time", "\n\n  time")}`);
    assert.equal(d.of("stats").change, "same");
    assert.equal(d.of("other").change, "same");
    assert.match(d.text, /pipeline stats: unchanged/);
});

test("pipelines that share a decoder are compared each by itself", () => {
    const two = base.replace("plant/other\"", "plant/+/press\" qos 1");
    assert.match(tutti(["explain", dir.file("two.tutti", two)]).out, /shares its decoder with other/);
    const d = diff(two, two.replace("tumble 10s", "tumble 20s"));
    assert.equal(d.of("stats").change, "changed");
    assert.equal(d.of("other").change, "same");
    const alone = diff(two, base.replace("plant/other", "plant/+/press"));
    assert.equal(alone.of("stats").change, "same"); // with whom it shares is no change
});

test("a changed condition keeps all state", () => {
    const d = diff(base, base.replace("  dedupe", "  where temp > 1\n  dedupe"));
    assert.equal(d.of("stats").change, "changed");
    assert.equal(state(d.of("stats"), "window").fate, "kept");
    assert.equal(state(d.of("stats"), "memory").fate, "kept");
    assert.equal(d.of("other").change, "same");
});

test("another length, other keys, other aggregates drop the window and say why", () => {
    const why = (from, to) => state(diff(base, base.replace(from, to)).of("stats"), "window");
    assert.deepEqual([why("tumble 10s", "tumble 5s").fate, why("tumble 10s", "tumble 5s").why], ["dropped", "its length changes from 10s to 5s"]);
    assert.equal(why("10s by machine", "10s by machine, temp").why, "its keys change");
    assert.equal(why("string(16)", "string(32)").fate, "kept"); // longer keys fit beside the old ones
    assert.equal(why("mean(temp)", "max(temp)").why, "its aggregates change");
    assert.equal(why("by machine { n", "by machine { x").fate, "kept"); // names of results are not state
    const gone = diff(base, base.replace("  dedupe by machine, ts within 10m\n", "")).of("stats");
    assert.equal(state(gone, "memory").fate, "dropped");
});

test("sources and sinks, pipelines added and removed", () => {
    const d = diff(base, base.replace("qos 1", "qos 2").replace("acme/other", "acme/new").replace("pipeline other", "pipeline third"));
    assert.deepEqual(d.of("stats").ends.map((e) => e.change), ["removed", "added"]);
    assert.match(d.of("stats").ends[1].what, /from mqtt plant\/\+\/press .*2/);
    assert.equal(d.of("third").change, "added");
    assert.equal(d.of("other").change, "removed");
    assert.match(d.text, /pipeline other: removed/);
    const sink = diff(base, base.replace("stats\"\n", "stats\"\n  into uns \"acme/more\"\n"));
    assert.deepEqual(sink.of("stats").ends.map((e) => [e.change, e.what.startsWith("into uns acme/more")]), [["added", true]]);
});

test("alarms added, changed, removed; a word of a comment or another layout is no change", () => {
    const alarms = (a, b) => diff(`${a}\n${base}`, `${b}\n${base}`);
    const hot = `alarm hot { on: "a/+", above: 80, for: 5s }`;
    const change = (a, b) => alarms(a, b).alarms.map((each) => `${each.alarm} ${each.change}`).join();
    assert.equal(change(hot, `# a word\n${hot.replace("above: 80,", "\n  above: 80.0\n")}`), "hot same");
    assert.equal(change(hot, hot.replace("80", "81")), "hot changed");
    assert.equal(change(hot, hot.replace("hot", "cold")), "cold added,hot removed");
    const d = alarms(hot, hot.replace("5s", "6s"));
    assert.equal(d.of("stats").change, "same");
    assert.match(d.text, /alarm hot: changes and keeps its states, above 80, for 6s on a\/\+\n/);
});

test("a const that is used elsewhere changes only who uses it", () => {
    const d = diff(`const top = 1\n${base.replace("  dedupe", "  where temp > top\n  dedupe")}`, `const top = 2\n${base.replace("  dedupe", "  where temp > top\n  dedupe")}`);
    assert.equal(d.of("stats").change, "changed");
    assert.equal(d.of("other").change, "same");
});

test("wrong programs and wrong words", () => {
    const good = dir.file("good.tutti", base);
    assert.equal(tutti(["diff", good, dir.file("bad.tutti", "pipeline p {")]).code, 1);
    assert.equal(tutti(["diff", good]).code, 2);
    assert.equal(tutti(["diff", good, "/no/such"]).code, 2);
});
