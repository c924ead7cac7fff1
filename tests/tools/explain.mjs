// tests/tools/explain.mjs: what explain says agrees with what runs do.
import assert from "node:assert/strict";
import { folder, programs, test, tutti } from "./lib.mjs";

const press = `type Press = { ts: time, machine: string(16), line: string(4), temp: f64 [degC] in -60..400, n: i32, note: string(64) }
pipeline stats {
  from mqtt "plant/+/press" qos 1 as json Press
  time ts order 2s idle 30s max ahead 5m
  where temp > 80 [degC]
  let f = temp to [degF]
  window tumble 10s by machine { n = count()  avg = mean(f)  p95 = quantile(f, 0.95, within 1%) }
  into uns "acme/{machine}/stats"
  into historian press_10s key (machine, start)
  on late into file "late.ndjson"
  on error into dead stop above 5% in 1m
}
pipeline plain {
  from stdin as json Press
  into stdout
  on error drop
}
`;

function explain(text, ...args) {
    const dir = folder();
    const { code, out, err } = tutti(["explain", ...args.slice(1), dir.file("p.tutti", text), ...args.slice(0, 1)]);
    assert.equal(code, 0, err);
    return out;
}

test("hop windows: what is counted once for all of them, and what is not", () => {
    const hop = (rest) => explain(`type R = { ts: time, k: string(8), x: f64 }
pipeline p {
  from stdin as json R
  time ts order 2s
  window hop 1m every 1s by k ${rest}
  on error drop
}`);
    const mixed = hop("{ n = count()  hi = max(x)  a = mean(x)  s = sum(x) }  into stdout");
    assert.match(mixed, /one row for each k, every 1s over the last 1m of event time/);
    assert.match(mixed, /counted once for its 60 windows: count, max; but in each by itself: mean, sum, whose/);
    assert.match(mixed, /in 64 panes at once/); // 1m and 2s late of it, one begins, one ends
    assert.match(hop("{ n = count() }  into stdout"), /counted once for its 60 windows: count$/m);
    assert.match(hop("early every 5s { n = count() }  into stdout"), /in each of its 60 windows by itself: .* early/);
    assert.match(hop("{ n = count() }  into uns \"x\"  on late update"), /windows by itself: .* rows again/);
});

test("a folder: all of its programs", () => {
    const dir = folder();
    for (const name of ["one", "two"])
        dir.file(`${name}.tutti`, `pipeline ${name} { from stdin as json { n: i32 }  into stdout  on error drop }\n`);
    const name = dir.path.slice(dir.path.lastIndexOf("/") + 1); // without a slash or a point, as a word is
    const { code, out, err } = tutti(["explain", name], { cwd: dir.path.slice(0, dir.path.lastIndexOf("/")) });
    assert.equal(code, 0, err);
    assert.match(out, /pipeline one[^]*pipeline two/);
});

test("a program in sentences: what is read, what waits, what is promised", () => {
    const out = explain(press, "stats");
    assert.match(out, /decodes 6 of 6 fields:/); // late records are written whole
    const narrow = explain(press.replace("into file \"late.ndjson\"", "drop"), "stats");
    assert.match(narrow, /decodes 3 of 6 fields: ts, machine, temp;/); // n and note are read by nobody
    assert.match(out, /watermark is the highest time seen minus 2s; a source silent for 30s/);
    assert.match(out, /one row for each machine, every 10s of event time/);
    assert.match(out, /2 are open at once/); // 10s of it, and up to 2s behind
    assert.match(out, /for each record: from, time, where, let, window/);
    assert.match(out, /for each row of the window in line 7; .*: window, into, into/);
    assert.match(out, /stops above 5% in 1m/);
    const [uns, historian] = out.split("\n").filter((l) => /at least once/.test(l));
    assert.match(uns, /the last value of a path holds/);
    assert.match(historian, /replaces itself by its key/);
    assert.doesNotMatch(out, /pipeline plain/);
    assert.match(explain(press, "plain"), /keeps nothing between records/);
    assert.match(explain(press, "plain"), /each row once and in order/);
    assert.match(explain(press.replace("qos 1", "qos 0"), "stats"), /at most once/);
    assert.equal(tutti(["explain", folder().file("p.tutti", press), "other"]).code, 2);
});

test("a question: of whom, with what, who waits meanwhile", () => {
    const said = explain(`connection erp = postgres env("ERP_URL") { pool: 4 }
pipeline p {
  from mqtt "t" as json { id: i64, k: string(8) }
  ask a = http get "http://127.0.0.1:9/part/{id}?k={k}" as { w: i64 } timeout 2s retry 3 limit 4 else error nobody
  ask b = erp sql "select n from t where w = {a.w}" as { n: i64 } limit 1 else null
  ask c = sqlite "plant.db" sql "select n from t" as { n: i64 } unordered else drop
  into uns "x"
  on error into dead
}`).split("\n");
    const behind = (name) => { const at = said.findIndex((l) => l.includes(`  ask ${name} `)); return `${said[at + 1]}\n${said[at + 2]}`; };
    assert.match(behind("a"), /asks http:\/\/127.0.0.1:9\/part\/... with 2 values of the record, waits 2s for the answer and asks up to 3 times more when there is none\n    up to 4 records wait .* in the order in which they came/);
    assert.match(behind("b"), /asks the database of `erp` with 1 value of the record, waits 5s for the answer\n    one record at a time waits for its answer/);
    assert.match(behind("c"), /asks the file plant.db, waits 5s for the answer\n    up to 16 records wait .* each goes on when its answer is there/);
    assert.ok(said.some((l) => /a restart asks again what had no answer/.test(l)));
    assert.ok(said.some((l) => /keeps nothing between records/.test(l)));
});

test("requests, records that fail, and records made by a schedule", () => {
    const said = explain(`pipeline p {
  from http post "/x" as json { id: i64 }
  where id > 0 else error not_there
  reply 202 { id: id }
  on error reply 422 { reason: error.reason }
}
pipeline c { from cron "0 0 2 * * *" let at = meta.received into uns "x" on error drop }`);
    assert.match(said, /reply 202 .*\n +answers the request that the record came with/);
    assert.match(said, /on error reply 422 .*\n +answers the request of a record that failed/);
    assert.match(said, /records that fail are answered by `on error reply`/);
    assert.match(said, /2 {2}for each record that failed: reply/);
    // A computed address takes the fields of the error record too, and answers nobody.
    const file = explain(`pipeline p { from stdin as json { id: i64 }  into stdout  on error into file "bad-{error.reason}.ndjson" }`);
    assert.match(file, /records that fail go where `on error` says/);
    const both = explain(`pipeline p {
  from http post "/x" as json { id: i64 }
  into stdout
  on error into file "bad-{error.reason}.ndjson"
  on error reply 422 { reason: error.reason }
}`);
    assert.match(both, /records that fail are answered by `on error reply`, and go where `on error into` says/);
    assert.match(said, /from cron .*\n {4}one record without fields each time\n {2}line/); // and it cannot fail
});

test("what is kept is named by its function and field; windows survive a crash", () => {
    const said = explain(`type R = { ts: time, k: string(8), x: f64 }
type S = { k: string(8), y: f64 }
pipeline p {
  from mqtt "t" qos 1 as json R
  join last mqtt "s" as json S on s.k == k else drop
  dedupe by k within 1m
  let d = delta(x)
  into uns "a"
  window count 3 by k { n = count() }
  into uns "b"
  on error drop
}`);
    assert.match(said, /^ {4}keeps the last record of `s` for each k/m);
    assert.match(said, /^ {4}`dedupe` keeps at most /m);
    assert.match(said, /^ {4}`delta` in `d` keeps at most /m);
    assert.match(said, /windows that are open are there again after a crash$/m); // dedupe drops what comes again
    assert.doesNotMatch(said, /late records/); // nothing is late for `count`
    const other = explain(press, "stats");
    assert.match(other, /are there again after a crash, and a message that comes again counts again$/m);
});

test("mistakes of the command line say what to type next", () => {
    const dir = folder();
    const file = dir.file("p.tutti", press);
    const wrong = (...args) => { const { code, err } = tutti(args); assert.equal(code, 2, err); return err; };
    assert.match(wrong("explain", file, "other"), /no pipeline `other`; the file has `stats`, `plain`/);
    assert.match(wrong("explain", "qqqqqqqq"), /`tutti explain --codes` lists the codes/);
    assert.match(wrong("explain", "--samples", "/no/such", file), /\/no\/such: No such file/);
    assert.match(wrong("bench", file, dir.path), /is a folder: name a file in it/);
    const none = tutti(["infer", dir.path]);
    assert.equal(none.code, 1, none.err);
    assert.match(none.err, /no file in it ends in .ndjson .jsonl .json .csv .msgpack or .cbor: name a file/);
    assert.match(wrong("import", "/no/such"), /\/no\/such: No such file/);
    assert.match(wrong("replay", "--pipeline", "other", file, file), /no pipeline `other`/);
    assert.match(wrong("bench", "--pipeline", "other", file, file), /no pipeline `other` in /);
    assert.match(tutti(["lsp"], { input: "hello" }).err, /editors start this command/);
    assert.match(tutti(["test", "--only", "nothing has this name", file]).out, /^0 passed, 0 failed$/m);
});

test("who shares a decoder, or why not", () => {
    const types = "type R = { a: i64, b: f64, c: string(4) }\ntype S = { a: i64 }\n";
    const p = (name, from, keep) => `pipeline ${name} { from ${from}  keep ${keep}  into stdout  on error drop }\n`;
    const said = (from, keep = "b") => explain(types + p("one", "mqtt \"t\" qos 1 as json R", "a") + p("two", from, keep), "two");
    assert.match(said("mqtt \"t\" qos 1 as json R"), /shares its decoder with one: each record is decoded once for all, into 2 fields[^]*pipelines of other files that read the same\s+decode for themselves/);
    assert.match(said("mqtt \"t\" qos 1 as json S", "a"), /reads the same as one, but with a decoder of its own: it reads another type/);
    assert.match(said("mqtt \"t\" qos 1 as json R check lazy"), /decoder of its own: its format, `check` or `unknown` differ/);
    assert.doesNotMatch(said("mqtt \"t\" qos 0 as json R"), /reads the same|shares/);
    assert.doesNotMatch(said("mqtt \"u\" qos 1 as json R"), /reads the same|shares/);
    const both = types + p("w", "stdin as json R", "a") + p("x", "stdin as json R", "b") + p("y", "stdin as json R", "a");
    assert.match(explain(both, "x"), /shares its decoder with w and y: .* into 2 fields/);
});

test("layouts are learnt from a sample", () => {
    const dir = folder();
    const line = '{"machine": "a", "ts": "2026-11-23T10:00:00Z", "line": "1", "n": 1, "temp": 90.5, "note": "x"}\n';
    const out = explain(press, "plain", "--samples", dir.file("s.ndjson", line.repeat(50)));
    assert.match(out, /1 learnt from the sample/);
    assert.ok(out.includes('{"machine": "~", "ts": "~", "line": "~", "n": ~, "temp": ~, "note": "~"}'), out);
    assert.match(explain(press, "plain"), /the declared order is expected first/);
});

test("what the first `where` saves the decoder is said, or why it saves nothing", () => {
    const said = (check, stage) => explain(`type R = { t: time, m: string(8), x: f64, n: i32? }
pipeline p {
  from stdin as json R check ${check}
  time t order 1s
  ${stage}
  keep m, x, t
  into stdout
  on error drop
}
`, "p");
    assert.match(said("lazy", "where x > 3"), /`where` of line 5 is decided in the decoder: a record that it drops is looked at\s+no further than t and x\n/);
    assert.match(said("lazy", "where x > 3 where n exists"), /no further than t, x and n\n/);
    assert.match(said("lazy", "let y = x * 2 where y > 3"), /no further than t and x\n/);
    assert.match(said("record", "where x > 3"), /saves no decoding: a record that it drops is checked, too;\s+with `check lazy` .* t and x\n/);
    assert.match(said("lazy", "where delta(x) ?? 0 > 3"), /saves no decoding: it remembers/);
    assert.match(said("lazy", "where upper(m) == \"A\""), /saves no decoding: it remembers, looks something up, makes a text/);
    assert.match(said("lazy", "where now() > t and x > 1"), /saves no decoding: it remembers/);
    assert.match(said("lazy", "where x > 0 or m == \"a\""), /saves no decoding: it reads all that is decoded/);
    assert.doesNotMatch(said("lazy", "keep m, t, x"), /`where`/);
});

test("--dump shows the program before and behind each pass", () => {
    const dir = folder();
    const file = dir.file("p.tutti", "type R = { a: f64 }\npipeline p {\n  from stdin as json R\n  let b = a * (2 + 3)\n  into stdout\n  on error drop\n}\n");
    const dump = (what) => tutti(["explain", `--dump=${what}`, file]).out;
    assert.match(dump("lower"), /needs\n/); // what is read is found by the last pass
    assert.match(dump("dead"), /needs a\n/);
    for (const pass of ["fold", "cse", "dead", "push", "share", "graph"]) assert.ok(dump(pass).length > 0, pass);
    assert.match(dump("c"), /tutti_program/);
    const wrong = tutti(["explain", "--dump=nonsense", file]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /lower, fold, .*ir, graph and c are/);
});

test("words: stages, functions, connectors, reasons, units, codes", () => {
    const said = (name) => tutti(["explain", name]).out;
    assert.match(said("where"), /^where: stage\n/);
    assert.match(said("sqrt"), /sqrt\(x: f64\) -> f64[\s\S]*`range`/);
    assert.match(said("mqtt"), /behind `from`:\n[\s\S]*qos/);
    assert.match(said("div_zero"), /^div_zero: reason\n/);
    assert.match(said("kW"), /dimension: power/);
    assert.match(said("T014"), /^T014: /);
    const wrong = tutti(["explain", "wehre"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /did you mean `where`/);
});

test("every program can be explained and dumped", () => {
    for (const { path } of programs("examples", "tests/lang/good", "tests/lang/state", "tests/lang/use")) {
        if (path.includes("/lib/")) continue;
        const cwd = new URL("../..", import.meta.url).pathname;
        const { code, out, err } = tutti(["explain", path], { cwd });
        assert.equal(code, 0, `${path}\n${err}`);
        if (/^pipeline/m.test(out)) assert.match(out, /keeps |runs as/, path);
        assert.equal(tutti(["explain", "--dump=ir", path], { cwd }).code, 0, path);
    }
});

// The bound of state, against what a run with many keys really takes.
const bounded = [
    ["a window", "window tumble 10s by machine { n = count()  avg = mean(temp)  hi = max(temp)  l = last(note)  s = stddev(temp) }"],
    ["dedupe", "dedupe by machine within 1h"],
    ["a memory", "let before = prev(note)  d = delta(temp)"],
];

for (const [name, stage] of bounded) {
    test(`state of ${name} stays within what explain says`, () => {
        const dir = folder();
        const program = `type R = { ts: time, machine: string(16), temp: f64, note: string(64) }
pipeline p {
  from stdin as json R
  time ts order 1s
  ${stage}
  into stdout
  on error into dead
}
`;
        const file = dir.file("p.tutti", program);
        const said = tutti(["explain", file]).out;
        const perKey = /keeps at most ([\d.]+) bytes for each key/.exec(said);
        const once = /keeps ([\d.]+) bytes once/.exec(said);
        assert.ok(perKey || once, said);
        const keys = 4000;
        const lines = [];
        for (let i = 0; i < keys * 2; i++)
            lines.push(JSON.stringify({ ts: "2026-11-23T10:00:00Z", machine: `machine-${String(i % keys).padStart(8, "0")}`, temp: i, note: "n".repeat(64) }));
        const run = tutti(["run", "--batch", "--stats", "--cache", dir.path, file], { input: lines.join("\n") + "\n", native: true });
        assert.equal(run.code, 0, run.err);
        const stats = JSON.parse(run.err.trim().split("\n").pop());
        assert.equal(stats.errors, 0, run.err.slice(0, 500));
        const bound = keys * Number(perKey?.[1] ?? 0) + Number(once?.[1] ?? 0) + 65536; // what it begins with
        assert.ok(stats.state_bytes <= bound, `${stats.state_bytes} bytes, said ${bound}`);
        if (perKey) assert.ok(stats.state_bytes * 4 > bound, `the bound ${bound} is far above ${stats.state_bytes}`);
    });
}
