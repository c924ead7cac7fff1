// tests/lsp/grammar.mjs: the TextMate grammar paints what the compiler's own tokens say, on every program.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { lsp, open, programs, test, top } from "./lib.mjs";

const require = createRequire(import.meta.url);
const textmate = require("vscode-textmate");
const oniguruma = require("vscode-oniguruma");
const folder = join(top, "compiler/lsp/vscode");

async function grammar() {
    const wasm = readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
    await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.length));
    const path = join(folder, "syntaxes/tutti.tmLanguage.json");
    const registry = new textmate.Registry({
        onigLib: Promise.resolve({
            createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
            createOnigString: (text) => new oniguruma.OnigString(text) }),
        loadGrammar: async () => textmate.parseRawGrammar(readFileSync(path, "utf8"), path),
    });
    return registry.loadGrammar("source.tutti");
}

/** Scopes of each character: an array of strings a line. */
function scopesOf(language, text) {
    let stack = textmate.INITIAL;
    return text.split("\n").map((line) => {
        const result = language.tokenizeLine(line, stack);
        stack = result.ruleStack;
        const scopes = [];
        for (const token of result.tokens)
            for (let i = token.startIndex; i < token.endIndex; i++) scopes[i] = token.scopes.join(" ");
        return scopes;
    });
}

const wanted = {
    comment: /comment/, string: /string|interpolation/, number: /constant\.numeric/, keyword: /keyword|constant\.language|support\.type/,
};
const never = /comment|string\.quoted(?!.*interpolation)|constant\.numeric/;
const names = new Set(["property", "parameter", "variable", "enumMember"]);

let language;

test("the grammar agrees with the compiler's tokens on every program", async () => {
    language ??= await grammar();
    const client = await open();
    const legend = client.info.capabilities.semanticTokensProvider.legend.tokenTypes;
    let compared = 0;
    for (const { path, text } of programs("examples", "tests/lang/good", "tests/lang/state", "tests/lang/use", "tests/bench")) {
        const scopes = scopesOf(language, text);
        const lines = text.split("\n");
        const uri = await client.open(text);
        const { data } = await client.ask(lsp.SemanticTokensRequest.type, { textDocument: { uri } });
        for (let i = 0, line = 0, column = 0; i < data.length; i += 5) {
            line += data[i];
            column = data[i] ? data[i + 1] : column + data[i + 1];
            const kind = legend[data[i + 3]];
            const where = `${path}:${line + 1}:${column + 1} \`${lines[line].slice(column, column + data[i + 2])}\` (${kind}): ${scopes[line][column]}`;
            const option = kind === "keyword" && data[i + 4] & 2; // options: only the compiler knows them
            if (wanted[kind] && !option) assert.match(scopes[line][column], wanted[kind], where);
            if (names.has(kind)) assert.doesNotMatch(scopes[line][column], never, where);
            if (kind === "comment" || kind === "string") // to its end
                assert.match(scopes[line][column + data[i + 2] - 1], wanted[kind], where);
            compared++;
        }
        await client.close(uri);
    }
    assert.ok(compared > 2000, `${compared} tokens were compared`);
    await client.end();
});

test("names that are keywords elsewhere stay names", async () => {
    language ??= await grammar();
    const scope = (line, word, n = 0) => {
        let at = -1;
        for (let i = 0; i <= n; i++) at = line.indexOf(word, at + 1);
        return scopesOf(language, line)[0][at];
    };
    assert.match(scope("  where time > 3", "where"), /keyword/);
    assert.doesNotMatch(scope("  where time > 3", "time"), /keyword\.control/);
    assert.doesNotMatch(scope("  keep time, into", "time"), /keyword\.control/);
    assert.doesNotMatch(scope("type T = { from: i32, where: i32 }", "from"), /keyword\.control/);
    assert.doesNotMatch(scope("  let x = a.window", "window"), /keyword/);
    assert.match(scope("  into uns \"a/{b + 1}/c\"", "b"), /variable/);
    assert.match(scope("  into uns \"a/{b}/c\" # {", "#"), /comment/);
    assert.match(scope("  in raw \"{a}\"", "a}"), /string/);
    assert.doesNotMatch(scope("  in raw \"{a}\"", "a}"), /interpolation/);
});

test("the extension's manifest names files that are there, and brackets that pair", () => {
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const paths = [manifest.main, ...manifest.contributes.grammars.map((g) => g.path),
        ...manifest.contributes.languages.map((l) => l.configuration)];
    for (const path of paths) assert.ok(readFileSync(join(folder, path), "utf8").length > 0, path);
    assert.equal(manifest.dependencies, undefined);
    const config = JSON.parse(readFileSync(join(folder, "language-configuration.json"), "utf8"));
    assert.equal(config.comments.lineComment, "#");
    assert.deepEqual(config.brackets, [["{", "}"], ["[", "]"], ["(", ")"]]);
});
