// extension.js: connects VS Code with `tutti lsp`: what the editor asks becomes a request, what comes
// back becomes the editor's objects.
"use strict";
const vscode = require("vscode");
const { Client } = require("./client.js");

const LANGUAGE = "tutti";
let client;

const position = (p) => ({ line: p.line, character: p.character });
const range = (r) => ({ start: position(r.start), end: position(r.end) });
const toRange = (r) => new vscode.Range(r.start.line, r.start.character, r.end.line, r.end.character);
const toLocation = (l) => new vscode.Location(vscode.Uri.parse(l.uri), toRange(l.range));
const toEdit = (e) => new vscode.TextEdit(toRange(e.range), e.newText);
const named = (document) => ({ textDocument: { uri: document.uri.toString() } });
const at = (document, place) => ({ ...named(document), position: position(place) });

function toWorkspaceEdit(edit) {
    const result = new vscode.WorkspaceEdit();
    for (const [uri, edits] of Object.entries(edit.changes))
        result.set(vscode.Uri.parse(uri), edits.map(toEdit));
    return result;
}

function toDiagnostic(d) {
    const result = new vscode.Diagnostic(toRange(d.range), d.message, d.severity - 1);
    result.code = d.code;
    result.source = d.source;
    if (d.relatedInformation)
        result.relatedInformation = d.relatedInformation.map(
            (r) => new vscode.DiagnosticRelatedInformation(toLocation(r.location), r.message));
    return result;
}

function toSymbol(s) {
    const result = new vscode.DocumentSymbol(s.name, s.detail ?? "", s.kind - 1, toRange(s.range), toRange(s.selectionRange));
    result.children = (s.children ?? []).map(toSymbol);
    return result;
}

function toCompletion(item) {
    const result = new vscode.CompletionItem(item.label, item.kind - 1);
    result.detail = item.detail;
    result.documentation = item.documentation;
    result.sortText = item.sortText;
    result.range = toRange(item.textEdit.range);
    result.insertText = item.textEdit.newText;
    return result;
}

function toAction(action) {
    const result = new vscode.CodeAction(action.title, vscode.CodeActionKind.QuickFix);
    result.edit = toWorkspaceEdit(action.edit);
    result.isPreferred = action.isPreferred;
    result.diagnostics = action.diagnostics.map(toDiagnostic);
    return result;
}

/** Documents: opened ones are told to the server, again after it was started anew. */
function followDocuments(context, findings) {
    const ours = (document) => document.languageId === LANGUAGE;
    const open = (document) => {
        if (!ours(document) || !client.ready) return;
        client.notify("textDocument/didOpen", { textDocument: {
            uri: document.uri.toString(), languageId: LANGUAGE, version: document.version, text: document.getText() } });
    };
    context.subscriptions.push(
        vscode.workspace.onDidOpenTextDocument(open),
        vscode.workspace.onDidChangeTextDocument((event) => {
            if (!ours(event.document) || !event.contentChanges.length) return;
            client.notify("textDocument/didChange", {
                textDocument: { uri: event.document.uri.toString(), version: event.document.version },
                contentChanges: event.contentChanges.map((c) => ({ range: range(c.range), text: c.text })) });
        }),
        vscode.workspace.onDidSaveTextDocument((document) => {
            if (ours(document)) client.notify("textDocument/didSave", { ...named(document), text: document.getText() });
        }),
        vscode.workspace.onDidCloseTextDocument((document) => {
            if (!ours(document)) return;
            client.notify("textDocument/didClose", named(document));
            findings.delete(document.uri);
        }));
    return () => vscode.workspace.textDocuments.forEach(open);
}

function answerQuestions(context, legend) {
    const ask = (method, params) => client.request(`textDocument/${method}`, params);
    const l = vscode.languages;
    context.subscriptions.push(
        l.registerHoverProvider(LANGUAGE, { async provideHover(document, place) {
            const answer = await ask("hover", at(document, place));
            return answer && new vscode.Hover(new vscode.MarkdownString(answer.contents.value), toRange(answer.range));
        } }),
        l.registerCompletionItemProvider(LANGUAGE, { async provideCompletionItems(document, place) {
            return (await ask("completion", at(document, place))).items.map(toCompletion);
        } }, ".", "["),
        l.registerDefinitionProvider(LANGUAGE, { async provideDefinition(document, place) {
            const answer = await ask("definition", at(document, place));
            return answer && toLocation(answer);
        } }),
        l.registerReferenceProvider(LANGUAGE, { async provideReferences(document, place, options) {
            return (await ask("references", { ...at(document, place), context: options })).map(toLocation);
        } }),
        l.registerDocumentHighlightProvider(LANGUAGE, { async provideDocumentHighlights(document, place) {
            return (await ask("documentHighlight", at(document, place))).map((h) => new vscode.DocumentHighlight(toRange(h.range), h.kind - 1));
        } }),
        l.registerDocumentSymbolProvider(LANGUAGE, { async provideDocumentSymbols(document) {
            return (await ask("documentSymbol", named(document))).map(toSymbol);
        } }),
        l.registerRenameProvider(LANGUAGE, {
            async prepareRename(document, place) {
                const answer = await ask("prepareRename", at(document, place));
                if (!answer) throw new Error("There is nothing to rename here.");
                return { range: toRange(answer.range), placeholder: answer.placeholder };
            },
            async provideRenameEdits(document, place, newName) {
                return toWorkspaceEdit(await ask("rename", { ...at(document, place), newName }));
            } }),
        l.registerDocumentFormattingEditProvider(LANGUAGE, { async provideDocumentFormattingEdits(document, options) {
            return ((await ask("formatting", { ...named(document), options })) ?? []).map(toEdit);
        } }),
        l.registerCodeActionsProvider(LANGUAGE, { async provideCodeActions(document, place) {
            return (await ask("codeAction", { ...named(document), range: range(place), context: { diagnostics: [] } })).map(toAction);
        } }, { providedCodeActionKinds: [vscode.CodeActionKind.QuickFix] }),
        l.registerFoldingRangeProvider(LANGUAGE, { async provideFoldingRanges(document) {
            return (await ask("foldingRange", named(document))).map((f) => new vscode.FoldingRange(f.startLine, f.endLine));
        } }),
        l.registerDocumentSemanticTokensProvider(LANGUAGE, { async provideDocumentSemanticTokens(document) {
            return new vscode.SemanticTokens(new Uint32Array((await ask("semanticTokens/full", named(document))).data));
        } }, legend));
}

function activate(context) {
    const findings = vscode.languages.createDiagnosticCollection(LANGUAGE);
    const legend = new vscode.SemanticTokensLegend(
        ["keyword", "type", "property", "function", "variable", "number", "string", "comment", "operator", "enumMember", "parameter", "namespace"],
        ["declaration", "defaultLibrary"]);
    let openAll = () => {};
    client = new Client(() => vscode.workspace.getConfiguration("tutti").get("path") || "tutti", {
        ready: () => openAll(),
        down: (reason) => vscode.window.showErrorMessage(
            `Tutti's language server does not run: ${reason}. The setting tutti.path names the command; "Tutti: restart the language server" tries again.`),
        notice(method, params) {
            if (method === "textDocument/publishDiagnostics")
                findings.set(vscode.Uri.parse(params.uri), params.diagnostics.map(toDiagnostic));
        },
    });
    context.subscriptions.push(findings, vscode.commands.registerCommand("tutti.restart", () => client.restart()));
    openAll = followDocuments(context, findings);
    answerQuestions(context, legend);
    client.start();
}

function deactivate() {
    return client?.stop();
}

module.exports = { activate, deactivate };
