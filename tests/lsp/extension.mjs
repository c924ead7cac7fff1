// tests/lsp/extension.mjs: the VS Code extension against the real server, with editor.cjs for the editor.
import assert from "node:assert/strict";
import Module, { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { place, sanitized, test, top } from "./lib.mjs";

const require = createRequire(import.meta.url);
const stub = fileURLToPath(new URL("editor.cjs", import.meta.url));
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
    return request === "vscode" ? stub : resolve.call(this, request, ...rest);
};
const vscode = require(stub);
const extension = require(join(top, "compiler/lsp/vscode/extension.js"));

const text = `type R = { ts: time, temp: f64 [degC] }
pipeline hot {
  from stdin as json R
  where temp > 80
  into stdout
  on error drop
}
`;

function document(uri, content) {
    return { uri: vscode.Uri.parse(uri), languageId: "tutti", version: 1, content, getText() { return this.content; } };
}

/** Waits until `ready()` gives something. */
async function until(ready) {
    for (;;) {
        const value = ready();
        if (value) return value;
        await new Promise((done) => (vscode.test.wake = done));
    }
}

const at = (needle, add = 0) => place(text, text.indexOf(needle) + add);

test("the extension shows findings, answers, edits, and comes back after a crash", async () => {
    vscode.test.settings.path = sanitized;
    const doc = document("file:///e.tutti", text);
    vscode.workspace.textDocuments.push(doc);
    extension.activate({ subscriptions: [] });
    const findings = vscode.test.findings;

    const [found] = await until(() => findings.get("file:///e.tutti"));
    assert.equal(found.code, "U003"); // a number without its unit
    assert.equal(found.severity, 0);
    assert.deepEqual({ ...found.range.start }, at("80"));

    const p = vscode.test.providers;
    const hover = await p.Hover.provideHover(doc, at("temp >", 1));
    assert.match(hover.contents.value, /temp: f64 \[degC\]/);
    const offered = await p.CompletionItem.provideCompletionItems(doc, at("temp >"));
    const temp = offered.find((item) => item.label === "temp");
    assert.equal(temp.kind, 4); // CompletionItemKind.Field
    assert.equal(temp.insertText, "temp");
    const target = await p.Definition.provideDefinition(doc, at("temp >"));
    assert.deepEqual({ ...target.range.start }, at("temp: f64"));
    assert.equal((await p.Reference.provideReferences(doc, at("temp >"), { includeDeclaration: true })).length, 2);
    assert.equal((await p.DocumentHighlight.provideDocumentHighlights(doc, at("temp >"))).length, 2);
    const symbols = await p.DocumentSymbol.provideDocumentSymbols(doc);
    assert.deepEqual(symbols.map((s) => s.name), ["R", "hot"]);
    assert.equal(symbols[0].kind, 22); // SymbolKind.Struct
    assert.equal((await p.Rename.prepareRename(doc, at("temp >"))).placeholder, "temp");
    await assert.rejects(p.Rename.prepareRename(doc, at("where")), /nothing to rename/);
    const renamed = await p.Rename.provideRenameEdits(doc, at("temp >"), "heat");
    assert.equal(renamed.get(doc.uri).length, 2);
    const [fix] = await p.CodeActions.provideCodeActions(doc, found.range);
    assert.equal(fix.edit.get(doc.uri)[0].newText, " [degC]");
    assert.equal((await p.DocumentFormattingEdit.provideDocumentFormattingEdits(doc, {})).length, 0);
    assert.equal((await p.FoldingRange.provideFoldingRanges(doc)).length, 1);
    assert.ok((await p.DocumentSemanticTokens.provideDocumentSemanticTokens(doc)).data.length % 5 === 0);

    // The fix is typed in: the finding goes.
    const [edit] = fix.edit.get(doc.uri);
    doc.content = text.replace("80", "80 [degC]");
    doc.version = 2;
    vscode.test.listeners.change.forEach((fn) => fn({ document: doc, contentChanges: [{ range: edit.range, text: edit.newText }] }));
    await until(() => findings.get("file:///e.tutti").length === 0);

    findings.set("file:///e.tutti", [{ code: "old" }]);
    vscode.test.commands["tutti.restart"](); // the process is killed and started again
    await until(() => findings.get("file:///e.tutti").length === 0);

    vscode.test.listeners.close.forEach((fn) => fn(doc));
    assert.equal(findings.has("file:///e.tutti"), false);
    await extension.deactivate();
    assert.deepEqual(vscode.test.shown, []);
});

test("a command that is not there is said once", async () => {
    vscode.test.settings.path = "/no/such/tutti";
    extension.activate({ subscriptions: [] });
    await until(() => vscode.test.shown.length > 0);
    assert.match(vscode.test.shown[0], /tutti\.path/);
    await extension.deactivate();
    assert.equal(vscode.test.shown.length, 1);
});
