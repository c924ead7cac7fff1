// tests/lsp/editor.cjs: as much of the editor's module `vscode` as the extension uses, to test it without
// an editor: the same class names and fields as @types/vscode 1.75 declares.
"use strict";
class Position { constructor(line, character) { this.line = line; this.character = character; } }
class Range { constructor(a, b, c, d) { this.start = new Position(a, b); this.end = new Position(c, d); } }
class Uri {
    static parse(text) { const uri = new Uri(); uri.text = text; return uri; }
    toString() { return this.text; }
}
const record = (...fields) => class { constructor(...values) { fields.forEach((f, i) => (this[f] = values[i])); } };
class WorkspaceEdit {
    constructor() { this.list = new Map(); }
    set(uri, edits) { this.list.set(uri.toString(), edits); }
    get(uri) { return this.list.get(uri.toString()) ?? []; }
}
const listeners = { open: [], change: [], save: [], close: [] };
const on = (name) => (fn) => { listeners[name].push(fn); return { dispose() {} }; };
const providers = {};
const register = (name) => (selector, provider) => { providers[name] = provider; return { dispose() {} }; };
const shown = [];
const commands = {};
const settings = {};
module.exports = {
    Position, Range, Uri, WorkspaceEdit,
    Location: record("uri", "range"), TextEdit: record("range", "newText"), Hover: record("contents", "range"),
    MarkdownString: record("value"), Diagnostic: record("range", "message", "severity"),
    DiagnosticRelatedInformation: record("location", "message"), DocumentHighlight: record("range", "kind"),
    DocumentSymbol: record("name", "detail", "kind", "range", "selectionRange"), CompletionItem: record("label", "kind"),
    CodeAction: record("title", "kind"), FoldingRange: record("start", "end"), SemanticTokens: record("data"),
    SemanticTokensLegend: record("tokenTypes", "tokenModifiers"), CodeActionKind: { QuickFix: "quickfix" },
    languages: {
        createDiagnosticCollection: () => {
            const map = new Map();
            module.exports.test.findings = map;
            return { set: (uri, list) => { map.set(uri.toString(), list); module.exports.test.wake(); },
                delete: (uri) => map.delete(uri.toString()), dispose() {} };
        },
        ...Object.fromEntries(["Hover", "CompletionItem", "Definition", "Reference", "DocumentHighlight", "DocumentSymbol", "Rename",
            "DocumentFormattingEdit", "CodeActions", "FoldingRange", "DocumentSemanticTokens"]
            .map((name) => [`register${name}Provider`, register(name)])),
    },
    workspace: {
        textDocuments: [], getConfiguration: () => ({ get: (name) => settings[name] }),
        onDidOpenTextDocument: on("open"), onDidChangeTextDocument: on("change"), onDidSaveTextDocument: on("save"),
        onDidCloseTextDocument: on("close"),
    },
    window: { showErrorMessage: (text) => { shown.push(text); module.exports.test.wake(); } },
    commands: { registerCommand: (name, fn) => { commands[name] = fn; return { dispose() {} }; } },
    test: { listeners, providers, shown, commands, settings, wake() {} },
};
