// designer/inspector.tsx: what is selected: a node (counters, fields, error, its wires) or a wire (rate,
// last record, the values seen while it is selected, with pause).
import { useEffect, useRef, useState } from "preact/hooks";
import type { GraphNode, GraphWire, PipelineGraph } from "../core/api";
import { ageText, numberText, shortNumber, timeText } from "../core/format";
import type { GraphLive, WireLive } from "../live/graph";
import { Icon } from "../ui/icon";
import { kindIcon } from "./kinds";
import { stageName } from "./layout";

const SEEN = 100;

function Fact(props: { name: string; value: string; bad?: boolean }) {
    return (
        <div>
            <dt>{props.name}</dt>
            <dd class={`num ${props.bad ? "is-bad" : ""}`}>{props.value}</dd>
        </div>
    );
}

/** A record as name and value rows; anything else as it is. */
function RecordTable(props: { wire: WireLive }) {
    const { last, last_text } = props.wire;
    if (last !== null && typeof last === "object" && !Array.isArray(last))
        return (
            <table class="table dense record">
                <tbody>
                    {Object.entries(last as Record<string, unknown>).map(([name, value]) => (
                        <tr key={name}>
                            <th scope="row">{name}</th>
                            <td class="num right cut">{typeof value === "object" ? JSON.stringify(value) : String(value)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        );
    if (last === undefined && !last_text) return <p class="quiet">No record has passed while you look.</p>;
    return <pre class="raw">{last_text ?? JSON.stringify(last)}</pre>;
}

function WireDetail(props: { wire: GraphWire; live: GraphLive; graph: PipelineGraph; onSelect: (id: string) => void }) {
    const { wire, live } = props;
    void live.seq.value;
    const [paused, setPaused] = useState<WireLive | null>(null);
    const seen = useRef<{ key: number; at: number; text: string }[]>([]);
    const now = live.wires[wire.id];
    useEffect(() => {
        seen.current = [];
        setPaused(null);
        let total = -1;
        let key = 0;
        return live.seq.subscribe(() => {
            const data = live.wires[wire.id];
            if (!data || data.total === total || data.last === undefined) return;
            total = data.total;
            seen.current.unshift({ key: key++, at: live.time - (data.age_ms ?? 0), text: JSON.stringify(data.last) });
            if (seen.current.length > SEEN) seen.current.pop();
        });
    }, [wire.id]);
    const frozen = useRef<typeof seen.current>([]);
    const shown = paused ?? now;
    const list = paused ? frozen.current : seen.current;
    const name = (id: string): string => stageName(props.graph.nodes.find((item) => item.id === id), id);
    return (
        <>
            <header class="card-head">
                <Icon name="cable" />
                <h3>
                    <button class="link" onClick={() => props.onSelect(wire.from)}>{name(wire.from)}</button>
                    {" → "}
                    <button class="link" onClick={() => props.onSelect(wire.to)}>{name(wire.to)}</button>
                </h3>
                <button
                    class="button small"
                    aria-pressed={paused !== null}
                    disabled={!now}
                    onClick={() => {
                        frozen.current = [...seen.current];
                        setPaused(paused ? null : { ...now! });
                    }}
                >
                    <Icon name={paused ? "play" : "pause"} size={13} />
                    {paused ? "Go on" : "Pause"}
                </button>
            </header>
            <dl class="facts">
                <Fact name="Port" value={wire.port} />
                <Fact name="Type" value={wire.type} />
                <Fact name="Rate" value={shown ? `${shortNumber(shown.rate)}/s` : "–"} />
                <Fact name="Total" value={shown ? numberText(shown.total, 0) : "–"} />
                <Fact name="Age" value={shown && live.age(shown) !== null ? ageText(live.age(shown)!) : "–"} />
            </dl>
            <h4>Last record</h4>
            {shown && <RecordTable wire={shown} />}
            {list.length > 1 && (
                <>
                    <h4>Seen since you look</h4>
                    <ol class="seen">
                        {list.slice(0, 20).map((item) => (
                            <li key={item.key}>
                                <span class="num quiet">{timeText(item.at)}</span> <code class="cut">{item.text}</code>
                            </li>
                        ))}
                    </ol>
                </>
            )}
        </>
    );
}

function NodeDetail(props: { node: GraphNode; live: GraphLive; graph: PipelineGraph; onSelect: (id: string) => void }) {
    const { node, live, graph } = props;
    const data = live.node(node.id).value;
    void live.seq.value;
    const wires = graph.wires.filter((wire) => wire.from === node.id || wire.to === node.id);
    const name = (id: string): string => stageName(graph.nodes.find((item) => item.id === id), id);
    return (
        <>
            <header class="card-head">
                <Icon name={kindIcon(node.kind)} />
                <h3>{node.kind} <span class="quiet">{node.label}</span></h3>
            </header>
            {data?.error && (
                <p class="reason is-bad"><Icon name="triangle-alert" size={14} /> {data.error}</p>
            )}
            <dl class="facts">
                <Fact name="In" value={data ? numberText(data.in, 0) : "–"} />
                <Fact name="Out" value={data ? numberText(data.out, 0) : "–"} />
                <Fact name="Errors" value={data ? numberText(data.errors, 0) : "–"} bad={(data?.errors ?? 0) > 0} />
                <Fact name="Held" value={data?.held !== undefined ? numberText(data.held, 0) : "–"} />
                <Fact name="Lines" value={node.line === node.end_line ? `${node.line}` : `${node.line}–${node.end_line}`} />
            </dl>
            {wires.length > 0 && <h4>Wires</h4>}
            <ul class="wires">
                {wires.map((wire) => (
                    <li key={wire.id}>
                        <button class="link" onClick={() => props.onSelect(wire.id)}>
                            {wire.from === node.id ? `to ${name(wire.to)}` : `from ${name(wire.from)}`}
                            {wire.port !== "out" ? ` (${wire.port})` : ""}
                        </button>
                        <span class="num">{shortNumber(live.wires[wire.id]?.rate ?? 0)}/s</span>
                    </li>
                ))}
            </ul>
            {node.reasons.length > 0 && <p class="reasons quiet">Records can fail here: {node.reasons.join(", ")}</p>}
            {node.fields.length > 0 && (
                <>
                    <h4>Fields after this stage</h4>
                    <table class="table dense record">
                        <tbody>
                            {node.fields.map((field) => (
                                <tr key={field.name}>
                                    <th scope="row">{field.name}</th>
                                    <td class="mono quiet">{field.type}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </>
            )}
        </>
    );
}

export function Inspector(props: { graph: PipelineGraph; live: GraphLive; selected: string; onSelect: (id: string) => void }) {
    const node = props.graph.nodes.find((item) => item.id === props.selected);
    const wire = props.graph.wires.find((item) => item.id === props.selected);
    if (node) return <NodeDetail node={node} {...props} />;
    if (wire) return <WireDetail key={wire.id} wire={wire} {...props} />;
    return <p class="quiet pad">Select a stage or a wire to see its values, or click a line of the text.</p>;
}
