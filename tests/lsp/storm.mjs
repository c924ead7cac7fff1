// tests/lsp/storm.mjs: damaged programs and random requests: every request is answered, nothing falls over.
import assert from "node:assert/strict";
import { lsp, open, place, programs, random, test } from "./lib.mjs";

const pieces = ["{", "}", "(", ")", "[", "]", "\"", "=", "==", "=>", ",", ".", "..", "#", "\n", " where ", " let ", " window ", " into ",
    " on error ", "pipeline p {\n", " if ", " else ", " match x {", " split {", " each ", "{x}", " [bar", "5%", "10s", "type T = {", " not ",
    " in ", " enum {", "?", "??", "raw \"", "\u{1F600}", " by ", "from ", "as json ", "to [", "meta.", "window count 3 by "];

function damage(text, next, other) {
    for (let n = 1 + next(4); n; n--) {
        const at = next(text.length + 1);
        const piece = pieces[next(pieces.length)];
        switch (next(6)) {
        case 0: text = text.slice(0, at) + text.slice(at + 1 + next(8)); break;
        case 1: text = text.slice(0, at) + piece + text.slice(at); break;
        case 2: text = text.slice(0, at) + piece + text.slice(at + next(6)); break;
        case 3: text = text.slice(0, at) + text.slice(at, at + next(40)) + text.slice(at); break;
        case 4: { const from = next(other.length); text = text.slice(0, at) + other.slice(from, from + next(80)) + text.slice(at + next(40)); break; }
        default: text = text.slice(0, at);
        }
    }
    return text;
}

const requests = [lsp.HoverRequest.type, lsp.CompletionRequest.type, lsp.DefinitionRequest.type, lsp.ReferencesRequest.type,
    lsp.DocumentHighlightRequest.type, lsp.DocumentSymbolRequest.type, lsp.PrepareRenameRequest.type, lsp.RenameRequest.type,
    lsp.DocumentFormattingRequest.type, lsp.CodeActionRequest.type, lsp.SemanticTokensRequest.type, lsp.FoldingRangeRequest.type];

const count = Number(process.env.LSP_STORM ?? 1500);
const seed = Number(process.env.LSP_SEED ?? 20785);

test(`${count} damaged programs under requests (seed ${seed})`, async () => {
    const client = await open();
    const next = random(seed);
    const list = programs("examples", "tests/lang");
    let fallen = false;
    client.exited.then(() => (fallen = true));
    for (let i = 0; i < count && !fallen; i++) {
        const text = damage(list[i % list.length].text, next, list[next(list.length)].text);
        const uri = await client.open(text);
        const asked = [];
        for (let n = 3 + next(5); n; n--) {
            const type = requests[next(requests.length)];
            const position = place(text, next(text.length + 1));
            asked.push(client.ask(type, { textDocument: { uri }, position, newName: "other", context: { diagnostics: [], includeDeclaration: true },
                range: { start: position, end: position }, options: { tabSize: 2, insertSpaces: true } })
                .catch((error) => assert.ok([-32803, -32602].includes(error.code), `${type.method}: ${error.message}`)));
        }
        try {
            await Promise.race([Promise.all(asked), client.exited.then(() => { throw new Error("the server is gone"); })]);
        } catch (error) {
            error.message += `\nprogram ${i}:\n${text}\n${client.errors()}`;
            throw error;
        }
        await client.close(uri);
    }
    assert.equal(await client.end(), 0, client.errors());
});
