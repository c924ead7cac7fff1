// designer/designer.tsx: one pipeline: the compiled graph with live values, the text beside it, and what
// is selected. Read-only: the text is the program, the graph is drawn from it.
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import "./designer.css";
import { api, type GraphNode, type PipelineDetail, type PipelineGraph } from "../core/api";
import { numberText, shortNumber } from "../core/format";
import { toGraph } from "../core/graph";
import { handle } from "../core/keys";
import { param, place, setParams } from "../core/router";
import { GraphLive } from "../live/graph";
import { Icon } from "../ui/icon";
import { useLoad, useTitle } from "../ui/hooks";
import { Empty, Failure, RunState } from "../ui/state";
import { Canvas } from "./canvas";
import { Inspector } from "./inspector";
import { Outline } from "./outline";
import type TextView from "./text";

function useLive(name: string): GraphLive | null {
    const [live, setLive] = useState<GraphLive | null>(null);
    useEffect(() => {
        const started = new GraphLive(name, 4);
        setLive(started);
        return () => started.stop();
    }, [name]);
    return live;
}

const narrow = matchMedia("(max-width: 760px)");

/** "graph" or "outline"; a phone starts with the outline. */
const viewNow = (): string => param("view") || (narrow.matches ? "outline" : "graph");

function Numbers(props: { name: string }) {
    const { data } = useLoad(`summary:${props.name}`, () => api.pipeline(props.name), 1000);
    if (!data) return null;
    return (
        <dl class="numbers">
            <div><dt>in</dt><dd class="num">{shortNumber(data.in_rate)}/s</dd></div>
            <div><dt>out</dt><dd class="num">{shortNumber(data.out_rate)}/s</dd></div>
            <div><dt>held</dt><dd class="num">{numberText(data.held, 0)}</dd></div>
            <div><dt>late</dt><dd class="num">{numberText(data.late, 0)}</dd></div>
            <div>
                <dt>errors</dt>
                <dd class={`num ${data.error_rate > 0 ? "is-bad" : ""}`}>
                    {data.error_rate > 0 && <Icon name="triangle-alert" size={12} label="failing now" />} {numberText(data.errors, 0)}
                </dd>
            </div>
        </dl>
    );
}

function Problems(props: { detail: PipelineDetail; onLine: (line: number) => void }) {
    const { problems } = props.detail;
    if (problems.length === 0) return null;
    return (
        <ul class="problems" aria-label="Problems">
            {problems.map((problem, at) => (
                <li key={at} class={problem.severity === "error" ? "is-bad" : "is-warn"}>
                    <button class="link" onClick={() => props.onLine(problem.line)}>
                        <Icon name="triangle-alert" size={13} /> line {problem.line}, {problem.code}: {problem.text}
                    </button>
                    {problem.help && <p class="quiet">{problem.help}</p>}
                </li>
            ))}
        </ul>
    );
}

function Side(props: {
    detail: PipelineDetail; graph: PipelineGraph; live: GraphLive; selected: string; onSelect: (id: string) => void;
}) {
    const [Text, setText] = useState<typeof TextView | null>(null);
    useEffect(() => void import("./text").then((module) => setText(() => module.default)), []);
    const { detail, graph, selected, onSelect } = props;
    const wire = graph.wires.find((item) => item.id === selected);
    const node = graph.nodes.find((item) => item.id === (wire ? wire.from : selected));
    const toLine = useCallback(
        (line: number) => {
            const inside = graph.nodes.filter((item) => item.line <= line && line <= Math.max(item.line, item.end_line));
            const best = inside.sort((a, b) => a.end_line - a.line - (b.end_line - b.line))[0];
            if (best) onSelect(best.id);
        },
        [graph],
    );
    const from = node?.line;
    const to = node ? Math.max(node.line, node.end_line) : 0;
    const lines = useMemo(() => (from ? { from, to } : null), [from, to]);
    return (
        <aside class="side" aria-label="Text and selection">
            <div class="side-text">
                {Text ? <Text text={detail.text} problems={detail.problems} lines={lines} onLine={toLine} /> : <div class="loading" />}
            </div>
            <Problems detail={detail} onLine={toLine} />
            <div class="side-inspector" tabIndex={0} role="region" aria-label="Selection">
                <Inspector {...props} />
            </div>
        </aside>
    );
}

function Bar(props: { detail: PipelineDetail; live: GraphLive }) {
    const { detail, live } = props;
    const view = viewNow();
    return (
        <header class="designer-bar">
            <h1 class="cut">{detail.name}</h1>
            <RunState state={live.state.value || detail.state} />
            <span class="quiet num">version {live.version.value || detail.version}</span>
            <Numbers name={detail.name} />
            <div class="segments" role="group" aria-label="View">
                <button aria-pressed={view === "graph"} onClick={() => setParams({ view: "graph" })}>Graph</button>
                <button aria-pressed={view === "outline"} onClick={() => setParams({ view: "outline" })}>Outline</button>
            </div>
        </header>
    );
}

/** Goes round the nodes that have errors, in flow order. */
function nextError(graph: PipelineGraph, live: GraphLive, selected: string): GraphNode | undefined {
    const bad = graph.nodes.filter((node) => (live.node(node.id).peek()?.errors ?? 0) > 0);
    const at = bad.findIndex((node) => node.id === selected);
    return bad[(at + 1) % Math.max(1, bad.length)];
}

export function Designer(props: { name: string }) {
    useTitle(props.name);
    void place.value;
    const live = useLive(props.name);
    const { data, error, reload } = useLoad(`pipeline:${props.name}`, () => api.pipeline(props.name));
    const selected = param("select");
    const onSelect = useCallback((id: string) => setParams({ select: id || null }), []);
    const graph = useMemo(() => toGraph(data?.graph ?? null, props.name), [data]);
    const version = live?.version.value ?? 0;
    useEffect(() => {
        if (data && version > 0 && version !== data.version) reload();
    }, [version, data?.version]);
    useEffect(() => {
        if (!graph || !live) return;
        const back = [
            handle("graph.error", () => {
                const node = nextError(graph, live, param("select"));
                if (node) onSelect(node.id);
            }),
            handle("graph.outline", () => setParams({ view: viewNow() === "graph" ? "outline" : "graph" })),
        ];
        return () => back.forEach((undo) => undo());
    }, [graph, live]);
    const badLines = useCallback(
        (node: GraphNode) =>
            (data?.problems ?? []).some((p) => p.severity === "error" && p.line >= node.line && p.line <= Math.max(node.line, node.end_line)),
        [data],
    );
    if (error && !data)
        return "status" in error && error.status === 404 ? (
            <Empty title={`There is no pipeline ${props.name}`} icon="workflow">
                <a href="/pipelines">See all pipelines</a>
            </Empty>
        ) : (
            <Failure error={error} retry={reload} />
        );
    if (!data || !live) return <div class="loading" aria-busy="true" />;
    const problem = live.ended.value || data.error;
    return (
        <div class="designer">
            <Bar detail={data} live={live} />
            {problem && (
                <div class="failure" role="alert">
                    <Icon name="triangle-alert" /> <span>{problem}</span>
                </div>
            )}
            {graph ? (
                <div class="designer-body">
                    <section class="canvas" aria-label={viewNow() === "graph" ? "Graph" : "Outline"}>
                        {viewNow() === "graph" ? (
                            <Canvas graph={graph} live={live} selected={selected} badLines={badLines} onSelect={onSelect} />
                        ) : (
                            <Outline graph={graph} live={live} selected={selected} onSelect={onSelect} />
                        )}
                    </section>
                    <Side detail={data} graph={graph} live={live} selected={selected} onSelect={onSelect} />
                </div>
            ) : (
                <Empty title="This text does not compile" icon="triangle-alert">
                    <Problems detail={data} onLine={() => undefined} />
                </Empty>
            )}
        </div>
    );
}
