// designer/new.tsx: a new pipeline: its text, checked while it is written, the graph drawn from it, and a
// deploy. It begins with the topic it was made from.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import "./designer.css";
import { api, type ApiError, type Problem, type UnsNode } from "../core/api";
import { draftText, pipelineName, type Seen } from "../core/draft";
import { toGraph, type RawGraph } from "../core/graph";
import { go, param } from "../core/router";
import { GraphLive } from "../live/graph";
import { useTitle } from "../ui/hooks";
import { Icon } from "../ui/icon";
import { Failure } from "../ui/state";
import { Canvas } from "./canvas";

const CHECK_MS = 250;

/** What is known of a topic: its own value, or the fields of its records. */
async function see(path: string): Promise<Seen> {
    const node = await api.unsValue(path).catch(() => null);
    const topic = (await api.lineage(path).catch(() => null))?.topic || path;
    const from = topic === path ? node : await api.unsValue(topic).catch(() => null);
    if (from?.has_value) return { topic, value: from.value ?? null, tag: Boolean(from.ts), fields: [] };
    const below = await api.unsBelow(topic).then((page) => page.nodes, (): UnsNode[] => []);
    const fields = below.filter((one) => one.has_value).map((one) => ({ name: one.name, value: one.value ?? null }));
    return { topic, value: fields.length ? undefined : null, tag: false, fields };
}

async function firstText(path: string): Promise<string> {
    const [seen, pipelines] = await Promise.all([see(path), api.pipelines().then((r) => r.pipelines.map((p) => p.name), (): string[] => [])]);
    return draftText(seen, pipelineName(seen.topic, pipelines));
}

interface Checked {
    text: string;
    problems: Problem[];
    graph: RawGraph | null;
    ok: boolean;
}

/** The compiler's word on the text, a moment after the last key. */
function useCheck(text: string | null): Checked | null {
    const [checked, setChecked] = useState<Checked | null>(null);
    useEffect(() => {
        if (text === null) return;
        let alive = true;
        const timer = setTimeout(() => void api.pipelineCheck(text).then((found) => alive && setChecked({ text, ...found }), () => undefined), CHECK_MS);
        return () => {
            alive = false;
            clearTimeout(timer);
        };
    }, [text]);
    return checked;
}

function Problems(props: { problems: Problem[]; onLine: (problem: Problem) => void }) {
    if (props.problems.length === 0) return null;
    return (
        <ul class="problems" aria-label="Problems">
            {props.problems.map((problem, at) => (
                <li key={at} class={problem.severity === "error" ? "is-bad" : "is-warn"}>
                    <button class="link" onClick={() => props.onLine(problem)}>
                        <Icon name="triangle-alert" size={13} /> line {problem.line}, {problem.code}: {problem.text}
                    </button>
                    {problem.help && <p class="quiet">{problem.help}</p>}
                </li>
            ))}
        </ul>
    );
}

export function NewPipeline() {
    useTitle("New pipeline");
    const topic = param("topic");
    const [text, setText] = useState<string | null>(null);
    const [error, setError] = useState<Error | null>(null);
    const [busy, setBusy] = useState(false);
    const area = useRef<HTMLTextAreaElement>(null);
    const still = useMemo(() => new GraphLive("", 0), []);
    useEffect(() => {
        void (topic ? firstText(topic) : Promise.resolve("")).then(setText, (problem: Error) => setError(problem));
    }, [topic]);
    const checked = useCheck(text);
    const name = /\bpipeline\s+([A-Za-z_]\w*)/.exec(text ?? "")?.[1] ?? "";
    const graph = useMemo(() => (checked?.ok ? toGraph(checked.graph, name) : null), [checked, name]);
    const toLine = (problem: Problem): void => {
        const before = (text ?? "").split("\n").slice(0, problem.line - 1).join("\n").length + (problem.line > 1 ? 1 : 0);
        area.current?.focus();
        area.current?.setSelectionRange(before + problem.column - 1, before + problem.column - 1);
    };
    const deploy = async (): Promise<void> => {
        setBusy(true);
        setError(null);
        try {
            const done = await api.pipelineDeploy(`${name}.tutti`, text ?? "");
            go(`/pipelines/${encodeURIComponent(done.deployed[0] ?? name)}`);
        } catch (problem) {
            const wrong = (problem as ApiError).body as { problems?: Problem[] } | null;
            setError(wrong?.problems?.[0] ? new Error(`Line ${wrong.problems[0].line}: ${wrong.problems[0].text}`) : (problem as Error));
        }
        setBusy(false);
    };
    if (text === null) return error ? <Failure error={error} /> : <div class="loading" aria-busy="true" />;
    const ready = checked !== null && checked.text === text && checked.ok && name !== "";
    return (
        <div class="designer">
            <header class="designer-bar">
                <h1 class="cut">{name || "New pipeline"}</h1>
                <span class="quiet" role="status">{checked === null || checked.text !== text ? "being checked" : checked.ok ? "it compiles" : "it does not compile"}</span>
                <button class="button primary bar-end" disabled={!ready || busy} onClick={() => void deploy()}>Deploy</button>
            </header>
            {error && <Failure error={error} />}
            <div class="designer-body">
                <section class="canvas" aria-label="Graph">
                    {graph ? <Canvas graph={graph} live={still} selected="" badLines={() => false} onSelect={() => undefined} /> : <p class="quiet pad">The graph is drawn when the text compiles.</p>}
                </section>
                <aside class="side" aria-label="Text">
                    <textarea ref={area} class="mono new-text" aria-label="Program text" spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
                    <Problems problems={checked?.problems ?? []} onLine={toLine} />
                </aside>
            </div>
        </div>
    );
}
