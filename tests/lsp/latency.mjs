// tests/lsp/latency.mjs: how long an editor waits: a line in `make bench`. Node's own modules only.
//
// A program of 1,000 lines; before each request one character is typed, so each answer pays for a
// whole new check of the text. Times are from writing the request to having its answer, and the
// server's own CPU time in between, which a busy machine does not stretch.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("../..", import.meta.url));
const program = join(process.env.BUILD ?? join(top, "build"), "tutti");
const rounds = Number(process.env.ROUNDS ?? 300);

/** Pipelines with types, tests and comments, `count` lines. */
export function longProgram(count) {
    const lines = ["const limit = 80 [degC]", "fn twice(x: f64) -> f64 = x * 2"];
    for (let n = 0; lines.length < count; n++) {
        lines.push(`# Line ${n} of the plant.`, `type Press${n} = {`, "  ts: time, machine: string(16), line: string(4), temp: f64 [degC] in -60..400,",
            "  pressure: f64 [bar]?, rpm: i32, state: enum { RUN, IDLE, FAULT }, seq: i64?", "}", `pipeline stats${n} {`,
            `  from mqtt "plant/${n}/press" qos 1 as json Press${n}`, "  time ts order 2s idle 30s max ahead 5m",
            "  where state == RUN and temp > limit", "  let temp_f = temp to [degF]", "      load   = 100 / rpm",
            "      double = twice(load)", "  window tumble 10s by machine {",
            "    n = count()  avg = mean(temp_f)  lo = min(temp_f)  hi = max(temp_f)  p95 = quantile(temp_f, 0.95, within 1%)", "  }",
            `  into uns "acme/${n}/{machine}/stats"`, "  on late into file \"late.ndjson\"", "  on error into dead", "}",
            `test stats${n} "one" {`, "  in { ts: 2026-01-01T00:00:00Z, machine: \"a\", line: \"1\", temp: 90, rpm: 5, state: RUN }",
            "  expect uns { machine: \"a\", n: 1 }", "}");
    }
    return lines.slice(0, count - (count - 2) % 23).join("\n") + "\n";
}

const child = spawn(program, ["lsp"], { stdio: ["pipe", "pipe", "inherit"] });
let input = Buffer.alloc(0);
const waiting = new Map();
child.stdout.on("data", (data) => {
    input = input.length ? Buffer.concat([input, data]) : data;
    for (;;) {
        const end = input.indexOf("\r\n\r\n");
        if (end < 0) return;
        const length = Number(/Content-Length: (\d+)/.exec(input.subarray(0, end).toString())[1]);
        if (input.length < end + 4 + length) return;
        const body = input.subarray(end + 4, end + 4 + length);
        input = input.subarray(end + 4 + length);
        const id = Number(/"id":(\d+)/.exec(body.subarray(0, 60).toString())?.[1]);
        waiting.get(id)?.(body);
    }
});
let last = 0;
const send = (message) => {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    child.stdin.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]));
};
const ask = (method, params) => new Promise((done) => {
    const id = ++last;
    waiting.set(id, (body) => {
        waiting.delete(id);
        done(body);
    });
    send({ id, method, params });
});

const text = longProgram(1000);
const lines = text.split("\n");
const uri = "file:///nowhere/long.tutti";
await ask("initialize", { capabilities: {} });
send({ method: "initialized", params: {} });
send({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: "tutti", version: 1, text } } });

/** CPU time the server has used, ms. */
const cpu = () => Number(readFileSync(`/proc/${child.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
const share = (list, part) => list[Math.min(list.length - 1, Math.floor(list.length * part))].toFixed(2).padStart(6);

const place = (line, word) => ({ line, character: lines[line].indexOf(word) + 1 });
const where = lines.map((l, i) => (l.includes("where state") ? i : -1)).filter((i) => i >= 0);
const kinds = {
    hover: (line) => ["textDocument/hover", { position: place(line, "temp >") }],
    completion: (line) => ["textDocument/completion", { position: place(line, "temp >") }],
    definition: (line) => ["textDocument/definition", { position: place(line, "limit") }],
    references: (line) => ["textDocument/references", { position: place(line, "temp >"), context: { includeDeclaration: true } }],
    rename: (line) => ["textDocument/rename", { position: place(line, "temp >"), newName: "temperature" }],
    tokens: () => ["textDocument/semanticTokens/full", {}],
    formatting: () => ["textDocument/formatting", { options: {} }],
};
const all = [];
const allCpu = [];
let version = 1;
console.log(`bench: language server, ${lines.length - 1} lines, ${rounds} answers of each kind, a key typed before each; ms`);
for (const [name, make] of Object.entries(kinds)) {
    const times = [];
    const worked = [];
    for (let i = 0; i < rounds + 20; i++) {
        const line = where[i % where.length];
        const at = { line: lines.length - 1, character: i % 2 };
        const range = i % 2 ? { start: { line: at.line, character: 0 }, end: { line: at.line, character: 1 } } : { start: at, end: at };
        const [method, params] = make(line);
        const before = cpu();
        const from = process.hrtime.bigint();
        send({ method: "textDocument/didChange", params: { textDocument: { uri, version: ++version }, contentChanges: [{ range, text: i % 2 ? "" : "#" }] } });
        const body = await ask(method, { textDocument: { uri }, ...params });
        const ms = Number(process.hrtime.bigint() - from) / 1e6;
        if (body.subarray(0, 80).includes('"error"')) throw new Error(`${name}: ${body}`);
        if (i < 20) continue;
        times.push(ms);
        worked.push(cpu() - before);
    }
    all.push(...times);
    allCpu.push(...worked);
    times.sort((a, b) => a - b);
    worked.sort((a, b) => a - b);
    console.log(`  ${name.padEnd(12)} waited: median ${share(times, 0.5)}  99 % ${share(times, 0.99)}   CPU: median ${share(worked, 0.5)}  99 % ${share(worked, 0.99)}`);
}
all.sort((a, b) => a - b);
allCpu.sort((a, b) => a - b);
console.log(`  all          99 % waited ${share(all, 0.99)}, CPU ${share(allCpu, 0.99)} (to hold: under 20)`);
await ask("shutdown");
send({ method: "exit" });
