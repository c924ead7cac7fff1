// tests/tools/options.mjs: words of the command line: what --help shows is what is taken, and a wrong word is told with
// the nearest right one. Nothing here starts a compiler or a server.
import assert from "node:assert/strict";
import { folder, test, tutti } from "./lib.mjs";

// Options of a command are lines of --help that begin with two spaces and a dash.
const shown = (command) => [...tutti([command, "--help"]).out.matchAll(/^ {2}(--?[a-z-]+)(?: ([A-Za-z]\S*))? {2}/gm)].map((m) => [m[1], m[2]]);
const commands = ["check", "fmt", "graph", "diff", "deploy", "infer", "build", "replay", "alarms", "bench", "test",
    "explain", "lsp", "run", "serve", "history", "names", "bridge"];
// Flags with which these begin to work: the options that take something are asked alone.
const working = ["explain", "lsp", "serve"];

test("options: each that --help shows is taken, and what follows it is asked for", () => {
    for (const command of commands) {
        const options = shown(command);
        assert.ok(options.length, command);
        for (const [name, argument] of options) {
            if (!argument && working.includes(command)) continue;
            const run = tutti([command, name]);
            assert.equal(run.code, 2, `${command} ${name}: ${run.err}`); // nothing to work on
            assert.doesNotMatch(run.err, /unknown option/, `${command} ${name}`);
            if (argument) assert.match(run.err, new RegExp(`\`${name}\` takes ${argument.replace("|", "\\|")}, and nothing is behind it`), command);
        }
    }
});

test("options: one that is not there is told, with the nearest", () => {
    for (const command of commands)
        for (const [name] of shown(command).filter(([n]) => n.length > 4)) {
            const wrong = `${name.slice(0, -1)}${name.at(-1) === "z" ? "y" : "z"}`;
            const run = tutti([command, wrong, "x"]);
            assert.equal(run.code, 2, `${command} ${wrong}`);
            assert.match(run.err, new RegExp(`unknown option \`${wrong}\`; did you mean \`${name}\`\\?\nusage: tutti ${command} `), command);
        }
    const far = tutti(["export", "--elephant"]);
    assert.equal(far.code, 2);
    assert.match(far.err, /^tutti export: unknown option `--elephant`\nusage: tutti export FILE/);
});

test("options: words are counted, options stand anywhere", () => {
    const room = folder();
    const file = room.file("a.tutti", "pipeline a { from stdin as json { n: i64 }  into stdout  on error drop }\n");
    assert.equal(tutti(["check", file, "--json"]).out.trim(), "[]");
    assert.equal(tutti(["check", "--json", file]).out.trim(), "[]");
    assert.equal(tutti(["fmt", file, "--check"]).code, 1); // it is not laid out
    for (const [words, told] of [
        [["check"], "name a file or a folder"], [["diff", file], "name the old file and the new one"],
        [["diff", file, file, file], "two files at a time"], [["import", file, file], "one graph at a time"],
        [["bench", file, file, file], "one program and one recording at a time"],
        [["alarms", "test", "a", "b"], "`b` is too much"],
        [["replay", file, "--history", "--data", room.path, "--from", "soon"], "`soon` is no time"],
        [["replay", file, file, "--to", "-1h"], "--from, --to and --topic belong to --history"],
        [["deploy", "-"], "name files"],
        [["history"], "say export, import or sql"], [["history", "import"], "name a file of CSV, or -"], [["history", "sql"], "write a select"],
        [["history", "export", "a"], "`a` is too much"], [["history", "import", "-o", "f", "a.csv"], "`-o` goes with `export`"],
        [["names", "export", "--dry"], "`--dry` goes with `import`"], [["names", "rename", "a"], "name the branch, and its new name"],
        [["names", "import", "a", "b"], "`b` is too much"], [["names", "--dry"], "say export, import or rename"],
        [["bridge", "put", "--json", "f"], "`--json` goes with `list`"], [["bridge", "enable"], "name the bridge"], [["bridge", "list", "a"], "`a` is too much"],
        [["run", "--batch", "--http", "a:1", file], "--http, --mqtt, --log and --extern-c go without --batch"],
        [["run", "--stats", file], "--pipeline, --stats, --cache and --json go with --batch"], [["run"], "name a file or a folder"],
        [["run", "--http=nowhere", file], "--http takes address:port"], [["serve", "--data="], "--data needs a value"],
        [["serve", "--log=xml"], "--log is json or text"], [["serve", file], "it takes no files"],
        [["lsp", "now"], "unknown argument `now`"], [["lsp", "--stdio=yes"], "unknown option `--stdio=yes`; did you mean `--stdio`?"],
        [["explain", "--json", file], "--codes stands alone"], [["explain", file, "a", "b"], "one file and one pipeline at a time"],
    ]) {
        const run = tutti(words);
        assert.equal(run.code, 2, words.join(" "));
        assert.ok(run.err.startsWith(`tutti ${words[0]}: ${told}`), `${words.join(" ")}: ${run.err}`);
    }
});
