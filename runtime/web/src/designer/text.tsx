// designer/text.tsx: the program, read-only: highlighted, with the marks of its problems, and with the
// lines of the selected node set off. Loaded on demand.
//
// The editor lives in a shadow root: there CodeMirror puts its rules into adopted style sheets
// instead of a <style> element, which the content policy of the server would refuse.
import { HighlightStyle, StreamLanguage, syntaxHighlighting, type StreamParser } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, lineNumbers, type DecorationSet } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";
import type { Problem } from "../core/api";

const stages = new Set(
    "from time where let keep drop require each split join ask window dedupe deadband when throttle sample delay into reply on durable overflow priority shards expect in clock".split(" "),
);
const blocks = new Set("type connection const fn pipeline test unit table extern deploy use".split(" "));
const words = new Set(
    "as by order idle max ahead within tumble hop session count every gap late error into key qos stop above and or not if then else match try exists starts_with ends_with contains matches to timeout retry backoff limit enum tag using early nothing raw record lazy strict check unknown reject".split(" "),
);
const types = new Set("bool i32 i64 u32 u64 f32 f64 decimal string bytes time duration json".split(" "));

const parser: StreamParser<{ start: boolean }> = {
    startState: () => ({ start: true }),
    token(stream, state) {
        if (stream.sol()) state.start = true;
        if (stream.eatSpace()) return null;
        const start = state.start;
        state.start = false;
        if (stream.match(/^#.*/)) return "comment";
        if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
        if (stream.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z/)) return "number";
        if (stream.match(/^\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?(?:ms|us|ns|s|m|h|d|%|KiB|MiB|GiB|KB|MB|GB)?(?:\d+[a-z]+)*/)) return "number";
        if (stream.match(/^\[[A-Za-z%/*^0-9]+\]/)) return "unit";
        if (stream.match(/^[A-Za-z_]\w*/)) {
            const word = stream.current();
            if (start && (stages.has(word) || blocks.has(word))) return "keyword";
            if (word === "true" || word === "false" || word === "null") return "bool";
            if (types.has(word)) return "typeName";
            if (words.has(word)) return "modifier";
            if (stream.peek() === "(") return "function";
            return "variableName";
        }
        if (stream.match(/^(?:=>|->|==|!=|<=|>=|\?\?|\.\.\.|\.\.|[-+*/%=<>?:~])/)) return "operator";
        stream.next();
        return null;
    },
    tokenTable: { unit: tags.unit, function: tags.function(tags.variableName) },
};

const colours = HighlightStyle.define([
    { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
    { tag: tags.modifier, color: "var(--accent)" },
    { tag: tags.typeName, color: "var(--series-3)" },
    { tag: tags.string, color: "var(--ok)" },
    { tag: [tags.number, tags.bool, tags.unit], color: "var(--series-5)" },
    { tag: tags.comment, color: "var(--text-3)", fontStyle: "italic" },
    { tag: tags.function(tags.variableName), color: "var(--series-4)" },
    { tag: tags.operator, color: "var(--text-2)" },
]);

const look = EditorView.theme({
    "&": { height: "100%", fontSize: "12.5px", color: "var(--text)", backgroundColor: "var(--surface)" },
    "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
    ".cm-scroller": { fontFamily: "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace", lineHeight: "1.55" },
    ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--text-3)", border: "none" },
    ".cm-lineNumbers .cm-gutterElement": { padding: "0 8px 0 10px", minWidth: "28px" },
    ".cm-chosen": { backgroundColor: "color-mix(in srgb, var(--accent) 13%, transparent)", boxShadow: "inset 2px 0 var(--accent)" },
    ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line-control)", borderRadius: "4px" },
});

const choose = StateEffect.define<{ from: number; to: number } | null>();
const chosen = StateField.define<DecorationSet>({
    create: () => Decoration.none,
    update(marks, transaction) {
        for (const effect of transaction.effects) {
            if (!effect.is(choose)) continue;
            if (!effect.value) return Decoration.none;
            const lines = [];
            const { doc } = transaction.state;
            for (let n = effect.value.from; n <= Math.min(effect.value.to, doc.lines); n++)
                lines.push(Decoration.line({ class: "cm-chosen" }).range(doc.line(n).from));
            return Decoration.set(lines);
        }
        return marks;
    },
    provide: (field) => EditorView.decorations.from(field),
});

/** Byte columns (from 1) to positions in the text. */
export function toDiagnostics(state: EditorState, problems: Problem[]): Diagnostic[] {
    const position = (line: number, column: number): number => {
        const at = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
        const bytes = new TextEncoder().encode(at.text).slice(0, Math.max(0, column - 1));
        return Math.min(at.to, at.from + new TextDecoder().decode(bytes).length);
    };
    return problems.map((problem) => {
        const from = position(problem.line, problem.column);
        return {
            from,
            to: Math.max(from, position(problem.end_line, problem.end_column)),
            severity: problem.severity === "note" ? "info" : problem.severity,
            message: `${problem.code}: ${problem.text}${problem.help ? `\n${problem.help}` : ""}`,
        };
    });
}

export default function Text(props: {
    text: string;
    problems: Problem[];
    lines: { from: number; to: number } | null;
    onLine: (line: number) => void;
}) {
    const box = useRef<HTMLDivElement>(null);
    const view = useRef<EditorView | null>(null);
    const onLine = useRef(props.onLine);
    onLine.current = props.onLine;
    useEffect(() => {
        const root = box.current!.shadowRoot ?? box.current!.attachShadow({ mode: "open" });
        const editor = new EditorView({
            parent: root as unknown as Element,
            root,
            state: EditorState.create({
                doc: props.text,
                extensions: [
                    lineNumbers(),
                    lintGutter(),
                    EditorState.readOnly.of(true),
                    EditorView.contentAttributes.of({ "aria-label": "Program text", tabindex: "0" }),
                    StreamLanguage.define(parser),
                    syntaxHighlighting(colours),
                    look,
                    chosen,
                    EditorView.domEventHandlers({
                        click: (event, at) => {
                            const position = at.posAtCoords({ x: event.clientX, y: event.clientY });
                            if (position !== null) onLine.current(at.state.doc.lineAt(position).number);
                        },
                    }),
                ],
            }),
        });
        view.current = editor;
        editor.dispatch(setDiagnostics(editor.state, toDiagnostics(editor.state, props.problems)));
        return () => editor.destroy();
    }, [props.text, props.problems]);
    useEffect(() => {
        const editor = view.current;
        if (!editor) return;
        const effects: StateEffect<unknown>[] = [choose.of(props.lines)];
        if (props.lines) {
            const line = editor.state.doc.line(Math.min(Math.max(1, props.lines.from), editor.state.doc.lines));
            // Scrolls the editor only, never the page around it (CodeMirror's own would).
            const block = editor.lineBlockAt(line.from);
            const box = editor.scrollDOM;
            if (block.top < box.scrollTop || block.bottom > box.scrollTop + box.clientHeight)
                box.scrollTop = Math.max(0, block.top - box.clientHeight / 3);
        }
        editor.dispatch({ effects });
    }, [props.lines?.from, props.lines?.to, props.text, props.problems]);
    return <div ref={box} class="editor" />;
}
