// tests/lsp/lib.mjs: a server process, a real client for it, and a place to count tests.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as lsp from "vscode-languageserver-protocol/node.js";

export const top = fileURLToPath(new URL("../..", import.meta.url));
export const release = join(process.env.BUILD ?? join(top, "build"), "tutti");
export const sanitized = join(process.env.ASAN_BUILD ?? join(top, "build-asan"), "tutti");
export { lsp };

const tests = [];
export function test(name, fn) {
    tests.push({ name, fn });
}

/** Runs what was registered; prints failures and the closing line. */
export async function runAll(only) {
    let passed = 0;
    let failed = 0;
    for (const { name, fn } of tests) {
        if (only && !name.includes(only)) continue;
        const late = setTimeout(() => {
            console.log(`${name}: no end after twenty minutes`);
            process.exit(1);
        }, 1200000);
        try {
            await fn();
            passed++;
        } catch (error) {
            failed++;
            console.log(`FAILED ${name}\n${error.stack}\n`);
        }
        clearTimeout(late);
    }
    console.log(`${passed} passed, ${failed} failed`);
    return failed ? 1 : 0;
}

/** A server with the client of vscode-languageserver-protocol on its pipes, initialized. */
export async function open(program = sanitized) {
    const child = spawn(program, ["lsp"], { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    child.stderr.on("data", (data) => (errors += data));
    const exited = new Promise((done) => child.on("exit", (code) => done(code)));
    const connection = lsp.createProtocolConnection(
        new lsp.StreamMessageReader(child.stdout), new lsp.StreamMessageWriter(child.stdin));
    const published = new Map(); // uri: last PublishDiagnosticsParams
    let wake = () => {};
    connection.onNotification(lsp.PublishDiagnosticsNotification.type, (params) => {
        published.set(params.uri, params);
        wake();
    });
    const logged = [];
    connection.onNotification(lsp.LogMessageNotification.type, (params) => logged.push(params));
    connection.listen();
    const info = await connection.sendRequest(lsp.InitializeRequest.type, {
        processId: process.pid, rootUri: null, capabilities: { general: { positionEncodings: ["utf-16"] } } });
    await connection.sendNotification(lsp.InitializedNotification.type, {});
    let count = 0;
    const client = {
        connection, info, logged, child, errors: () => errors,
        ask: (type, params) => connection.sendRequest(type, params),
        tell: (type, params) => connection.sendNotification(type, params),
        /** Opens a text under a fresh name; its uri. */
        async open(text, uri = `file:///t${++count}.tutti`) {
            await client.tell(lsp.DidOpenTextDocumentNotification.type,
                { textDocument: { uri, languageId: "tutti", version: 1, text } });
            return uri;
        },
        async change(uri, version, contentChanges) {
            await client.tell(lsp.DidChangeTextDocumentNotification.type,
                { textDocument: { uri, version }, contentChanges });
        },
        async close(uri) {
            await client.tell(lsp.DidCloseTextDocumentNotification.type, { textDocument: { uri } });
        },
        /** Diagnostics of a version, once they were sent. */
        async diagnostics(uri, version = 1) {
            while (!(published.has(uri) && published.get(uri).version === version)) {
                const gone = exited.then(() => { throw new Error(`the server is gone: ${errors}`); });
                await Promise.race([new Promise((done) => (wake = done)), gone]);
            }
            return published.get(uri).diagnostics;
        },
        /** Waits until something was published without a version: a closed document. */
        async cleared(uri) {
            while (published.get(uri)?.version !== undefined) await new Promise((done) => (wake = done));
            return published.get(uri)?.diagnostics;
        },
        async end() {
            await connection.sendRequest(lsp.ShutdownRequest.type);
            await connection.sendNotification(lsp.ExitNotification.type);
            const code = await exited;
            connection.dispose();
            return code;
        },
        exited,
    };
    return client;
}

/** { line, character } (UTF-16) of the n-th place where `needle` stands, plus `add` characters. */
export function at(text, needle, n = 0, add = 0) {
    let index = -1;
    for (let i = 0; i <= n; i++) {
        index = text.indexOf(needle, index + 1);
        if (index < 0) throw new Error(`no ${n + 1}. \`${needle}\` in the text`);
    }
    return place(text, index + add);
}

/** { line, character } of an index into a JavaScript string, whose lengths are UTF-16 too. */
export function place(text, index) {
    const before = text.slice(0, index).split("\n");
    return { line: before.length - 1, character: before[before.length - 1].length };
}

export function index(text, position) {
    const lines = text.split("\n");
    let sum = 0;
    for (let i = 0; i < position.line; i++) sum += lines[i].length + 1;
    return sum + position.character;
}

/** A text with TextEdits applied, as an editor would. */
export function apply(text, edits) {
    const sorted = edits.map((e) => ({ from: index(text, e.range.start), to: index(text, e.range.end), put: e.newText }))
        .sort((a, b) => b.from - a.from || b.to - a.to);
    for (const e of sorted) text = text.slice(0, e.from) + e.put + text.slice(e.to);
    return text;
}

/** All programs below a folder of the tree, as { path, text }. */
export function programs(...folders) {
    const found = [];
    const walk = (folder) => {
        for (const entry of readdirSync(join(top, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
            const path = `${folder}/${entry.name}`;
            if (entry.isDirectory()) walk(path);
            else if (entry.name.endsWith(".tutti")) found.push({ path, text: readFileSync(join(top, path), "utf8") });
        }
    };
    folders.forEach(walk);
    return found;
}

/** Random numbers that come again with the same seed (xorshift32). */
export function random(seed) {
    let state = seed >>> 0 || 1;
    return (below) => {
        state ^= state << 13;
        state >>>= 0;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        return state % below;
    };
}
