// tests/lang/page/run.mjs: programs as a reader of the language's page writes them, on every engine.
//
// A file *.cases holds many. Each begins with `=== NAME [crlf] [nonl] [exit=N]`, then the program;
// behind `--- in` its standard input, behind `--- out` what it writes there, behind `--- file NAME` a
// file it reads, behind `--- file want NAME` one that it writes. All were worked out by hand from the
// page. crlf: program and input have CRLF; nonl: the input's last line has no end.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const tutti = process.env.TUTTI;
const cache = mkdtempSync(path.join(os.tmpdir(), "page-"));

function read(text) {
    const cases = [];
    let part;
    for (const line of text.split(/(?<=\n)/)) {
        if (line.startsWith("=== ")) {
            const words = line.slice(4).trim().split(" ");
            const exit = words.find((w) => w.startsWith("exit="));
            cases.push({ name: words[0], words, exit: exit ? Number(exit.slice(5)) : 0, parts: { program: "", in: "", out: "" } });
            part = "program";
        } else if (line.startsWith("--- ")) {
            part = line.slice(4).trim();
            cases.at(-1).parts[part] ??= "";
        } else {
            cases.at(-1).parts[part] += line;
        }
    }
    return cases;
}

function problem(one, engine) {
    const cwd = mkdtempSync(path.join(cache, "run-"));
    const ends = (text) => (one.words.includes("crlf") ? text.replaceAll("\n", "\r\n") : text);
    let input = ends(one.parts.in);
    if (one.words.includes("nonl")) input = input.replace(/\r?\n$/, "");
    writeFileSync(path.join(cwd, "p.tutti"), ends(one.parts.program));
    for (const [name, text] of Object.entries(one.parts))
        if (/^file (?!want )/.test(name)) writeFileSync(path.join(cwd, name.slice(5)), text);
    const ran = spawnSync(tutti, ["run", "--batch", "--engine", engine, "--cache", cache, "p.tutti"], { cwd, input });
    if (ran.status !== one.exit) return `exit ${ran.status}: ${ran.stderr}`;
    const written = (name) => {
        try {
            return readFileSync(path.join(cwd, name), "utf8");
        } catch {
            return "no file";
        }
    };
    if (ran.stdout.toString() !== one.parts.out) return `\n${ran.stdout}instead of\n${one.parts.out}`;
    for (const [name, text] of Object.entries(one.parts))
        if (name.startsWith("file want ") && written(name.slice(10)) !== text) return `${name}: ${written(name.slice(10))}`;
    return "";
}

let passed = 0;
let failed = 0;
const engines = spawnSync(tutti, ["run", "--engine", "list"]).stdout.toString().split("\n").map((l) => l.split(" ")[0]).filter(Boolean);
for (const file of readdirSync(here).filter((f) => f.endsWith(".cases")).sort())
    for (const one of read(readFileSync(path.join(here, file), "utf8")))
        for (const engine of engines) {
            const wrong = problem(one, engine);
            wrong ? failed++ : passed++;
            if (wrong) console.log(`FAIL ${file} ${one.name} on ${engine}: ${wrong}`);
        }
rmSync(cache, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
