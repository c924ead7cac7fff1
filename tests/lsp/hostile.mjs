// tests/lsp/hostile.mjs: bytes that are no messages, and messages that make no sense.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { sanitized, test } from "./lib.mjs";

/** Sends bytes, closes, and gives all messages that came back, with the exit code. */
function raw(chunks) {
    return new Promise((done) => {
        const child = spawn(sanitized, ["lsp"], { stdio: ["pipe", "pipe", "pipe"] });
        let out = Buffer.alloc(0);
        let errors = "";
        child.stdout.on("data", (data) => (out = Buffer.concat([out, data])));
        child.stderr.on("data", (data) => (errors += data));
        child.stdin.on("error", () => {});
        child.on("exit", (code, signal) => {
            const messages = [];
            for (let at = 0; at < out.length;) {
                const end = out.indexOf("\r\n\r\n", at);
                const length = Number(/Content-Length: (\d+)/.exec(out.subarray(at, end).toString())[1]);
                messages.push(JSON.parse(out.subarray(end + 4, end + 4 + length)));
                at = end + 4 + length;
            }
            done({ code, signal, errors, messages });
        });
        for (const chunk of chunks) child.stdin.write(chunk);
        child.stdin.end();
    });
}

const frame = (value) => {
    const body = Buffer.from(typeof value === "string" ? value : JSON.stringify({ jsonrpc: "2.0", ...value }));
    return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]);
};
const init = frame({ id: 1, method: "initialize", params: { capabilities: {} } });
const error = (messages, id) => messages.find((m) => m.id === id && m.error)?.error.code;

test("the end of the input ends the server with 1, `exit` behind `shutdown` with 0", async () => {
    assert.equal((await raw([init])).code, 1);
    assert.equal((await raw([init, frame({ method: "exit" })])).code, 1);
    assert.equal((await raw([init, frame({ id: 2, method: "shutdown" }), frame({ method: "exit" })])).code, 0);
});

test("requests out of order are refused", async () => {
    const { messages } = await raw([frame({ id: 7, method: "textDocument/hover", params: {} }), init,
        frame({ id: 2, method: "initialize", params: {} }), frame({ id: 3, method: "no/such", params: {} }),
        frame({ id: "s", method: "textDocument/hover", params: { textDocument: { uri: "file:///none" } } }),
        frame({ method: "no/such/notice" }), frame({ id: 4, method: "shutdown" }), frame({ id: 5, method: "textDocument/hover", params: {} })]);
    assert.equal(error(messages, 7), -32002);
    assert.equal(error(messages, 2), -32600);
    assert.equal(error(messages, 3), -32601);
    assert.equal(error(messages, "s"), -32602);
    assert.equal(error(messages, 5), -32600);
    assert.equal(messages.length, 7); // nothing for the notice
});

test("what is not JSON or no request is answered, and the next message is read", async () => {
    const { messages } = await raw([init, frame("{"), frame("[]"), frame("3"), frame('{"id":{},"method":"x"}'),
        frame('{"id":9}'), frame({ id: 10, method: "shutdown" })]);
    assert.deepEqual(messages.filter((m) => m.error).map((m) => m.error.code), [-32700, -32600, -32600, -32600, -32600]);
    assert.ok(messages.some((m) => m.id === 10 && m.result === null));
});

test("headers in any case and cut anywhere are read", async () => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: {} });
    const bytes = `content-TYPE: application/vscode-jsonrpc; charset=utf-8\r\nCONTENT-length:  ${body.length} \r\n\r\n${body}`;
    const { messages } = await raw([...bytes].map((c) => c));
    assert.equal(messages.length, 1);
});

test("bytes that are no header end the server with a word", async () => {
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "Content-Length: x\r\n\r\n", "Content-Length: -5\r\n\r\n", "a".repeat(9000),
        "Content-Length: 99999999999999999999\r\n\r\n"]) {
        const { code, signal, errors } = await raw([bytes]);
        assert.equal(signal, null);
        assert.equal(code, 1);
        assert.match(errors, /not made of LSP messages/);
    }
});

test("a message over the limit is thrown away, and the server goes on", async () => {
    const huge = Buffer.alloc(25 << 20, 0x20);
    const { messages } = await raw([init, `Content-Length: ${huge.length}\r\n\r\n`, huge, frame({ id: 2, method: "shutdown" })]);
    assert.equal(error(messages, null), -32600);
    assert.ok(messages.some((m) => m.id === 2 && m.result === null));
});

test("a text over the limit of a program is said, not read", async () => {
    const text = "# long\n".repeat(700000); // 4.9 MB
    const uri = "file:///long.tutti";
    const { messages } = await raw([init, frame({ method: "textDocument/didOpen", params: { textDocument: { uri, version: 1, text } } }),
        frame({ id: 2, method: "textDocument/hover", params: { textDocument: { uri }, position: { line: 0, character: 0 } } })]);
    assert.equal(error(messages, 2), -32803);
});

test("params of the wrong kind are refused", async () => {
    const uri = "file:///a.tutti";
    const docs = [{ method: "textDocument/didOpen", params: { textDocument: { uri, version: "one", text: "const a = 1\n" } } },
        { method: "textDocument/didOpen", params: null }, { method: "textDocument/didChange", params: { textDocument: { uri }, contentChanges: 5 } },
        { method: "textDocument/didChange", params: { textDocument: { uri }, contentChanges: [{ range: 3, text: 4 }, null, { range: { start: { line: -1, character: -1 } } }] } },
        { method: "textDocument/didClose", params: [] }];
    const requests = [null, [], "x", { textDocument: 1 }, { textDocument: { uri: 7 } }, { textDocument: { uri }, position: "x" },
        { textDocument: { uri }, position: { line: 1e300, character: -5 } }, { textDocument: { uri }, position: { line: 0.5 }, newName: 3 }];
    const methods = ["hover", "completion", "definition", "references", "rename", "prepareRename", "codeAction", "formatting",
        "documentSymbol", "foldingRange", "documentHighlight", "semanticTokens/full"];
    const sent = [];
    let id = 100;
    for (const method of methods) for (const params of requests) sent.push(frame({ id: id++, method: `textDocument/${method}`, params }));
    const { code, messages, errors } = await raw([init, ...docs.map(frame), ...sent, frame({ id: 2, method: "shutdown" }), frame({ method: "exit" })]);
    assert.equal(errors, "");
    assert.equal(code, 0);
    for (let i = 100; i < id; i++) assert.ok(messages.some((m) => m.id === i && ("result" in m || m.error)), `request ${i}`);
});

test("more documents than the limit are refused, the rest stays open", async () => {
    const opens = Array.from({ length: 300 }, (_, i) =>
        frame({ method: "textDocument/didOpen", params: { textDocument: { uri: `file:///${i}.tutti`, version: 1, text: "const a = 1\n" } } }));
    const { messages } = await raw([init, ...opens,
        frame({ id: 2, method: "textDocument/documentSymbol", params: { textDocument: { uri: "file:///255.tutti" } } }),
        frame({ id: 3, method: "textDocument/documentSymbol", params: { textDocument: { uri: "file:///256.tutti" } } })]);
    assert.equal(messages.find((m) => m.id === 2).result.length, 1);
    assert.equal(error(messages, 3), -32602);
});
