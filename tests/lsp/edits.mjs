// tests/lsp/edits.mjs: after any row of edits the server has the text the client has.
import assert from "node:assert/strict";
import { lsp, open, place, programs, random, test } from "./lib.mjs";

const pieces = ["", "x", "\n", "\r\n", "\u00e9", "\u20ac", "\u{1F600}", "  where a > 1\n", "{", "}", "\"", "# c\n", "temp", " [bar]"];

/** What a server says about a text, without uri. */
async function view(client, uri) {
    const symbols = await client.ask(lsp.DocumentSymbolRequest.type, { textDocument: { uri } });
    const tokens = await client.ask(lsp.SemanticTokensRequest.type, { textDocument: { uri } });
    return JSON.stringify([symbols, tokens.data]);
}

/** An index that is not inside a surrogate pair or between \r and \n: places an editor can name. */
function whole(text, at) {
    const code = text.charCodeAt(at);
    if (code >= 0xdc00 && code < 0xe000) return at - 1;
    return text[at] === "\n" && text[at - 1] === "\r" ? at - 1 : at;
}

function position(text, at) {
    const { line, character } = place(text, at);
    return { line, character };
}

test("incremental edits end in the same text as opening it", async () => {
    const client = await open();
    const next = random(20261);
    const list = programs("examples", "tests/lang/good");
    for (let round = 0; round < 60; round++) {
        let text = list[round % list.length].text;
        const uri = await client.open(text);
        for (let version = 2; version < 8; version++) {
            const changes = [];
            for (let n = 1 + next(3); n; n--) {
                const from = whole(text, next(text.length + 1));
                const to = whole(text, Math.min(text.length, from + next(12)));
                const put = pieces[next(pieces.length)];
                changes.push({ range: { start: position(text, from), end: position(text, Math.max(from, to)) }, text: put });
                text = text.slice(0, from) + put + text.slice(Math.max(from, to));
            }
            await client.change(uri, version, changes);
        }
        const fresh = await client.open(text);
        assert.equal(await view(client, uri), await view(client, fresh), `round ${round}`);
        await client.close(uri);
        await client.close(fresh);
    }
    await client.end();
});

test("a change without range is the whole text; places past the end are the end", async () => {
    const client = await open();
    const uri = await client.open("const a = 1\n");
    await client.change(uri, 2, [{ text: "const b = 2\n" },
        { range: { start: { line: 99, character: 0 }, end: { line: 99, character: 9 } }, text: "const c = 3\n" },
        { range: { start: { line: 0, character: 500 }, end: { line: 0, character: 900 } }, text: " # end" }]);
    const list = await client.ask(lsp.DocumentSymbolRequest.type, { textDocument: { uri } });
    assert.deepEqual(list.map((s) => s.name), ["b", "c"]);
    assert.deepEqual(await client.diagnostics(uri, 2), []);
    await client.end();
});
